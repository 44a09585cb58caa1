//! The nearest name, for every "did you mean".

/// The candidate that is most like `given`, if one is near enough to have been meant.
///
/// Near enough: it begins with what was given (two characters at least), or the Jaro-Winkler likeness is at least 0.8.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR_ENOUGH: f64 = 0.8;
    candidates
        .into_iter()
        .map(|candidate| (likeness(given, candidate), candidate))
        .filter(|(score, _)| *score >= NEAR_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

fn likeness(given: &str, candidate: &str) -> f64 {
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
        assert_eq!(nearest("strat", verbs), Some("start"));
        assert_eq!(nearest("lst", verbs), Some("list"));
        assert_eq!(nearest("resta", verbs), Some("restart"));
        assert_eq!(nearest("zzz", verbs), None);
    }
}
