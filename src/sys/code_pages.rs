//! The memory that the program itself takes.

use std::fs;

/// Gives back pages of the program's code and constants. What is used again is read again, from the page cache as a rule: after a
/// start that used much of the program once, little of it stays. Where the kernel does not say what may go, nothing does.
pub fn release() {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    for (start, length) in unchanged(&maps) {
        // SAFETY: the range is part of a file that is mapped without the right to write, and none of its pages was changed
        // (relocations change some before the right is taken away), so what is read there afterwards is what was read before.
        unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
    }
}

/// Beginning and length of what is mapped from a file, cannot be written and was never changed.
fn unchanged(maps: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut current = None;
    for line in maps.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            [range, rights @ ("r-xp" | "r--p"), _, _, inode, ..] if inode != "0" && !rights.contains('w') => {
                current = range.split_once('-').and_then(|(start, end)| {
                    let start = usize::from_str_radix(start, 16).ok()?;
                    Some((start, usize::from_str_radix(end, 16).ok()?.checked_sub(start)?))
                });
            }
            ["Anonymous:", "0", "kB"] => found.extend(current.take()),
            ["Anonymous:", ..] => current = None,
            [range, ..] if range.contains('-') => current = None,
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nothing_changed_goes() {
        let maps = "\
55d000000000-55d000002000 r--p 00000000 fd:00 12 /usr/bin/tetra
Rss: 8 kB
Anonymous:             0 kB
55d000002000-55d000005000 r-xp 00002000 fd:00 12 /usr/bin/tetra (deleted)
Anonymous:             0 kB
55d000005000-55d000006000 r--p 00005000 fd:00 12 /usr/bin/tetra
Anonymous:             4 kB
55d000006000-55d000007000 rw-p 00006000 fd:00 12 /usr/bin/tetra
Anonymous:             0 kB
7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
";
        assert_eq!(unchanged(maps), [(0x55d0_0000_0000, 0x2000), (0x55d0_0000_2000, 0x3000)]);
    }

    #[test]
    fn the_program_goes_on() {
        release();
        assert!(fs::read_to_string("/proc/self/smaps").is_ok_and(|maps| !unchanged(&maps).is_empty()));
    }
}
