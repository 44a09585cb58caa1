//! Ranking of names against the typed text.

use crate::base::sort::SortExt;

/// The quality of a match; a lesser one is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum MatchQuality {
    /// A prefix.
    Prefix,
    /// A prefix, ignoring case.
    PrefixAnyCase,
    /// A prefix of a part (after `-`, `_`, `.`, `/`, `:` or `@`).
    WordStart,
    /// A substring.
    Substring,
    /// A subsequence, with this many other characters between the first and the last.
    Subsequence(usize),
}

/// The matching items, best first, each with the indices of the matching characters.
///
/// Prefix matches, of the name or a part of it, hide all others.
pub(super) fn ranked_matches<T>(
    typed: &str,
    things: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> &str,
) -> Vec<(T, Vec<usize>)> {
    let mut found: Vec<(MatchQuality, Vec<usize>, T)> = things
        .into_iter()
        .filter_map(|thing| {
            let (fit, marks) = match_quality(typed, name(&thing))?;
            Some((fit, marks, thing))
        })
        .collect();
    if found.iter().any(|(fit, ..)| *fit <= MatchQuality::WordStart) {
        found.retain(|(fit, ..)| *fit <= MatchQuality::WordStart);
    }
    found.order_by_key(|(fit, ..)| *fit);
    found.into_iter().map(|(_, marks, thing)| (thing, marks)).collect()
}

fn match_quality(typed: &str, name: &str) -> Option<(MatchQuality, Vec<usize>)> {
    if let (Some(typed), Some(name)) = (typed.strip_prefix("--"), name.strip_prefix("--")) {
        // The dashes of an option are not part of the match.
        let (fit, marks) = match_quality(typed, name)?;
        return Some((fit, marks.into_iter().map(|mark| mark + 2).collect()));
    }
    let length = typed.chars().count();
    if name.starts_with(typed) {
        return Some((MatchQuality::Prefix, (0..length).collect()));
    }
    let wanted: Vec<char> = typed.chars().map(lower).collect();
    let given: Vec<char> = name.chars().map(lower).collect();
    let starts = |at: usize| given[at..].starts_with(&wanted);
    if starts(0) {
        return Some((MatchQuality::PrefixAnyCase, (0..length).collect()));
    }
    let boundary =
        |at: usize| matches!(given[at - 1], '-' | '_' | '.' | '/' | ':' | '@') && given[at].is_alphanumeric();
    if let Some(at) = (1..given.len()).find(|&at| boundary(at) && starts(at)) {
        return Some((MatchQuality::WordStart, (at..at + length).collect()));
    }
    if length < 2 {
        // A single letter is in nearly every name.
        return None;
    }
    if let Some(at) = (1..given.len()).find(|&at| starts(at)) {
        return Some((MatchQuality::Substring, (at..at + length).collect()));
    }
    let marks = subsequence(&wanted, &given)?;
    let gaps = marks.last()? - marks.first()? + 1 - length;
    Some((MatchQuality::Subsequence(gaps), marks))
}

fn subsequence(wanted: &[char], given: &[char]) -> Option<Vec<usize>> {
    let mut from = 0;
    let mut marks = Vec::with_capacity(wanted.len());
    for character in wanted {
        let at = from + given.get(from..)?.iter().position(|it| it == character)?;
        marks.push(at);
        from = at + 1;
    }
    Some(marks)
}

fn lower(character: char) -> char {
    character.to_lowercase().next().unwrap_or(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(typed: &str, names: &[&'static str]) -> Vec<&'static str> {
        ranked_matches(typed, names.iter().copied(), |name| name).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn the_beginning_wins_over_a_part_and_a_part_over_letters() {
        assert_eq!(names("web", &["my-web", "web-api", "Web", "cobweb"]), ["web-api", "Web", "my-web"]);
        assert_eq!(names("sta", &["restart", "start", "status"]), ["start", "status"]);
        assert_eq!(names("eb", &["xexb", "cobweb"]), ["cobweb", "xexb"]);
        assert_eq!(names("strt", &["start", "stop"]), ["start"]);
        assert_eq!(names("", &["b", "a"]), ["b", "a"], "the order given is kept");
    }

    #[test]
    fn one_letter_does_not_show_everything() {
        assert_eq!(names("b", &["abc", "a-b"]), ["a-b"]);
        assert_eq!(names("b", &["abc"]), Vec::<&str>::new());
    }

    #[test]
    fn says_which_characters_match() {
        let marks = |typed, name| match_quality(typed, name).map(|(_, marks)| marks);
        assert_eq!(marks("ap", "my-api"), Some(vec![3, 4]));
        assert_eq!(marks("ma", "xmya"), Some(vec![1, 3]));
        assert_eq!(marks("zz", "my-api"), None);
    }
}
