//! The nearest name, for every "did you mean".

/// The candidate that is most like `given`, if one is near enough to have been meant.
///
/// Near enough: it begins with what was given (two characters at least), or the Jaro-Winkler likeness is at least 0.8.
pub fn closest_match<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (similarity(given, candidate), candidate))
        .filter(|(score, _)| *score >= MIN_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

const MIN_SIMILARITY: f64 = 0.8;

/// How sure it must be that a name was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// A wrong guess costs nothing: as [`closest_match`].
    Lenient,
    /// It is the beginning of the name, or a slip or two in a word of some length.
    Normal,
    /// It is the name but for one letter that is missing, too much, or in the wrong order. Another letter makes another word:
    /// `clear` is not `clean`.
    Strict,
}

/// How likely it is that `candidate` was meant by `given`; none if that is not sure enough.
#[must_use]
pub fn suggestion_score(given: &str, candidate: &str, care: Strictness) -> Option<f64> {
    let score = similarity(given, candidate);
    let near = match care {
        Strictness::Lenient => score >= MIN_SIMILARITY,
        Strictness::Normal => {
            let begins = given.len() >= 3 && candidate.starts_with(given);
            let slips = given.len() >= 5 && strsim::osa_distance(given, candidate) <= 2;
            begins || is_typo(given, candidate) || (slips && same_start(given, candidate))
        }
        Strictness::Strict => is_typo(given, candidate),
    };
    near.then_some(score)
}

/// How many letters are missing, too many, other ones, or have changed places.
#[must_use]
pub fn letters_apart(given: &str, candidate: &str) -> usize {
    strsim::osa_distance(given, candidate)
}

/// True if one letter is missing or too much, or two neighbours have changed places.
#[must_use]
pub fn is_typo(given: &str, candidate: &str) -> bool {
    let replaced = given.chars().count() == candidate.chars().count()
        && given.chars().zip(candidate.chars()).filter(|(a, b)| a != b).count() == 1;
    given.len() >= 3 && !replaced && same_start(given, candidate) && strsim::osa_distance(given, candidate) <= 1
}

/// `unstartup` and `startup` differ in what they say, not by a slip.
fn same_start(given: &str, candidate: &str) -> bool {
    given.chars().next() == candidate.chars().next()
        || given.chars().take(2).eq(candidate.chars().take(2).collect::<Vec<_>>().into_iter().rev())
}

fn similarity(given: &str, candidate: &str) -> f64 {
    if given.len() >= 2 && candidate.starts_with(given) {
        return 1.0;
    }
    strsim::jaro_winkler(given, candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_slip_of_the_finger() {
        let verbs = ["start", "stop", "restart", "list", "logs"];
        assert_eq!(closest_match("strat", verbs), Some("start"));
        assert_eq!(closest_match("lst", verbs), Some("list"));
        assert_eq!(closest_match("resta", verbs), Some("restart"));
        assert_eq!(closest_match("zzz", verbs), None);
    }

    #[test]
    fn what_does_harm_is_only_found_by_a_slip() {
        for (given, candidate) in [
            ("delte", "delete"),
            ("stpo", "stop"),
            ("stopp", "stop"),
            ("kil", "kill"),
            ("tsop", "stop"),
            ("sop", "stop"),
        ] {
            assert!(suggestion_score(given, candidate, Strictness::Strict).is_some(), "{given}");
        }
        for (given, candidate) in [
            ("clear", "clean"),
            ("deploy", "del"),
            ("de", "delete"),
            ("dele", "delete"),
            ("top", "stop"),
            ("skill", "kill"),
        ] {
            assert!(suggestion_score(given, candidate, Strictness::Strict).is_none(), "{given}");
        }
        for (given, candidate) in
            [("promo", "promote"), ("upgrdae", "upgrade"), ("enbale", "enable"), ("strt", "start")]
        {
            assert!(suggestion_score(given, candidate, Strictness::Normal).is_some(), "{given}");
        }
        for (given, candidate) in [("unstartup", "startup"), ("reload", "upload"), ("set", "get"), ("in", "init")] {
            assert!(suggestion_score(given, candidate, Strictness::Normal).is_none(), "{given}");
        }
    }
}
