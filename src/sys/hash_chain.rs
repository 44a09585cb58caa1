//! Lines that are only ever added to a file, each with the hash of the one before.

use super::digest::sha256;

/// The hash that the next line of a text carries: of its last line, without the line end; empty if there is none.
#[must_use]
pub fn last_hash(text: &str) -> String {
    text.lines().next_back().map_or_else(String::new, |line| sha256(line.as_bytes()))
}

/// The lines that are whole. A last line without its end was cut off while it was written, and counts as not written.
#[must_use]
pub fn whole_lines(text: &str) -> &str {
    text.rfind('\n').map_or("", |end| &text[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_follows_the_last_whole_one() {
        assert_eq!(last_hash(""), "");
        assert_eq!(last_hash("a\nb\n"), sha256(b"b"));
        assert_eq!(whole_lines("a\nb"), "a\n");
        assert_eq!(whole_lines("a"), "");
    }
}
