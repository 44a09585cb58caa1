//! Numbers with what they count.

/// `1 value`, `3 values`, `2 processes`. The word is regular, and in the singular.
#[must_use]
pub fn pluralize(count: usize, word: &str) -> String {
    let ending = match count {
        1 => "",
        _ if word.ends_with('s') => "es",
        _ => "s",
    };
    format!("{count} {word}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        let counted = [0, 1, 2].map(|count| [pluralize(count, "file"), pluralize(count, "process")].join(", "));
        assert_eq!(counted, ["0 files, 0 processes", "1 file, 1 process", "2 files, 2 processes"]);
    }
}
