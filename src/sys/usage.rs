//! What a process uses beyond processor and memory: threads, descriptors, bytes read and written.

use std::fs;

/// Numbers of one process, or sums of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResourceUsage {
    /// Its threads.
    pub threads: u64,
    /// Its open descriptors; none where they may not be counted.
    pub descriptors: Option<u64>,
    /// Bytes that it read from disks so far; none where that may not be known.
    pub read: Option<u64>,
    /// Bytes that it wrote to disks so far.
    pub written: Option<u64>,
    /// Bytes of it that are in swap.
    pub swapped: u64,
}

impl ResourceUsage {
    /// What `pid` uses now; zeros if there is no such process.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let io = fs::read_to_string(format!("/proc/{pid}/io")).ok();
        Self {
            threads: field(&status, "Threads:").unwrap_or(0),
            descriptors: descriptors(pid),
            read: io.as_deref().and_then(|io| field(io, "read_bytes:")),
            written: io.as_deref().and_then(|io| field(io, "write_bytes:")),
            swapped: field(&status, "VmSwap:").unwrap_or(0) * 1024,
        }
    }

    /// Both together. What is known of one alone counts.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let sum = |one: Option<u64>, two: Option<u64>| match (one, two) {
            (Some(one), Some(two)) => Some(one + two),
            (one, two) => one.or(two),
        };
        Self {
            threads: self.threads + other.threads,
            descriptors: sum(self.descriptors, other.descriptors),
            read: sum(self.read, other.read),
            written: sum(self.written, other.written),
            swapped: self.swapped + other.swapped,
        }
    }
}

/// How many descriptors a process has open; none where they may not be counted.
#[must_use]
pub fn descriptors(pid: u32) -> Option<u64> {
    let path = format!("/proc/{pid}/fd");
    // Since Linux 6.2 the size of the directory is their number; before it was 0.
    match fs::metadata(&path).ok().map(|found| found.len()) {
        Some(count @ 1..) => Some(count),
        _ => fs::read_dir(&path).ok().map(|all| all.count() as u64),
    }
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_its_own_numbers() {
        let usage = ResourceUsage::of(std::process::id());
        assert!(usage.threads >= 1 && usage.descriptors.is_some_and(|count| count >= 3), "{usage:?}");
        assert_eq!(ResourceUsage::of(4_194_304), ResourceUsage::default(), "above every pid");
        assert_eq!(usage.plus(ResourceUsage::default()), usage);
    }

    #[test]
    fn reads_the_fields_by_their_whole_name() {
        let io = "rchar: 1\nread_bytes: 4096\ncancelled_write_bytes: 3\nwrite_bytes: 5\n";
        assert_eq!((field(io, "read_bytes:"), field(io, "write_bytes:")), (Some(4096), Some(5)));
    }
}
