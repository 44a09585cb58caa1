//! The completion engine as a reedline `Completer`.

use reedline::{Completer, CompletionResult, CompletionStatus, Partial, Span, Suggestion};

use super::panics;
use super::snapshot::SharedSnapshot;
use crate::base::control;
use crate::command::complete::{Candidate, CompletionContext, complete};

/// Completes from the command table and a snapshot of the session.
pub struct CommandCompleter {
    /// The snapshot of the session.
    pub snapshot: SharedSnapshot,
    /// Is called at each turn of the editor, before it waits for keys.
    pub on_turn: Box<dyn FnMut() + Send>,
}

impl Completer for CommandCompleter {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let candidates = panics::catch_or(Vec::new(), || self.candidates(line, pos));
        // A file name may contain control characters that move the cursor; quoting does not help.
        let harmless = |it: &Candidate| !control::is_harmful(&it.value) && !control::is_harmful(&it.display);
        let candidates: Vec<Candidate> = candidates.into_iter().filter(harmless).collect();
        let partial = common_prefix(line, pos, &candidates);
        let only_placeholder = matches!(&candidates[..], [only] if only.is_placeholder);
        let mut suggestions: Vec<Suggestion> = candidates.into_iter().map(suggestion).collect();
        if let (true, [only]) = (only_placeholder, &suggestions[..]) {
            // A lone candidate is taken without being shown. This one has to be seen, so an empty row follows it.
            suggestions.push(Suggestion { display_override: Some(" ".to_owned()), description: None, ..only.clone() });
        }
        CompletionResult::fresh(suggestions).with_partial(Some(partial))
    }

    /// Nothing here takes long, but this is what the editor does at each turn of its loop.
    fn poll_completion(&mut self) -> CompletionStatus {
        panics::catch_or((), || (self.on_turn)());
        CompletionStatus::Idle
    }
}

impl CommandCompleter {
    /// What comes after the cursor stays as it is; a blank that is there is not added.
    fn candidates(&self, line: &str, pos: usize) -> Vec<Candidate> {
        let (line, rest) = line.split_at(line.floor_char_boundary(pos));
        let mut candidates = self.candidates_at_end(line);
        for candidate in candidates.iter_mut().filter(|_| rest.starts_with(' ')) {
            candidate.continues = true;
        }
        candidates
    }

    fn candidates_at_end(&self, line: &str) -> Vec<Candidate> {
        let snapshot = self.snapshot.lock();
        complete(line, line.len(), &CompletionContext::prompt(&**snapshot))
    }
}

fn suggestion(candidate: Candidate) -> Suggestion {
    let plain = candidate.display.is_ascii();
    Suggestion {
        display_override: (candidate.display != candidate.value).then_some(candidate.display),
        value: candidate.value,
        description: candidate.description,
        span: Span::new(candidate.span.start, candidate.span.end),
        append_whitespace: !candidate.continues,
        match_indices: plain.then_some(candidate.match_indices),
        ..Suggestion::default()
    }
}

/// The common prefix of all candidates. Reedline's own computation handles neither quotes nor matches inside of a word, so a
/// value is always returned, at least the typed text.
fn common_prefix(line: &str, pos: usize, candidates: &[Candidate]) -> Partial {
    let pos = line.floor_char_boundary(pos);
    let start = candidates.first().map_or(pos, |candidate| candidate.span.start.min(pos));
    let typed = &line[start..pos];
    let mut shared = candidates.first().map_or("", |candidate| candidate.value.as_str());
    for candidate in candidates {
        let same = shared.char_indices().zip(candidate.value.chars()).take_while(|((_, a), b)| a == b);
        let end = same.last().map_or(0, |((at, character), _)| at + character.len_utf8());
        shared = &shared[..end];
    }
    // An example is chosen, or not taken.
    let is_example = candidates.iter().any(|candidate| candidate.is_example);
    let insert = if !is_example && shared.starts_with(typed) && !shared.starts_with('\'') { shared } else { typed };
    Partial { span: Span::new(start, pos), insert: insert.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(value: &str, start: usize, end: usize) -> Candidate {
        Candidate {
            value: value.to_owned(),
            display: value.to_owned(),
            description: None,
            span: start..end,
            match_indices: Vec::new(),
            continues: false,
            is_placeholder: false,
            is_example: false,
        }
    }

    fn filled(line: &str, values: &[&str]) -> String {
        let start = line.rfind(' ').map_or(0, |at| at + 1);
        let candidates: Vec<Candidate> = values.iter().map(|value| candidate(value, start, line.len())).collect();
        let partial = common_prefix(line, line.len(), &candidates);
        format!("{}{}", &line[..partial.span.start], partial.insert)
    }

    #[test]
    fn fills_in_what_all_share_and_never_takes_away() {
        assert_eq!(filled("tsm stop a", &["api-1", "api-2"]), "tsm stop api-");
        assert_eq!(filled("tsm stop a", &["my-api", "a-b"]), "tsm stop a");
        assert_eq!(filled("tsm stop a", &["'a b'", "'a c'"]), "tsm stop a");
        assert_eq!(filled("tsm stop ", &[]), "tsm stop ");
        assert_eq!(filled("ö", &["öä", "öü"]), "ö");
    }

    #[test]
    fn nothing_of_an_example_is_filled_in() {
        let mut tab = CommandCompleter { snapshot: SharedSnapshot::default(), on_turn: Box::new(|| ()) };
        for line in ["tsm logs --since 2026", "tsm logs --since ", "tsm start --cron ", "tsm logs --since 14"] {
            let found = tab.complete(line, line.len());
            assert!(found.suggestions().len() > 1, "a lone one would be taken: {line}");
            let CompletionResult::Fresh { partial: Some(partial), .. } = &found else { panic!("{line}: {found:?}") };
            assert_eq!(partial.insert, line[partial.span.start..], "{line}");
        }
    }

    #[test]
    fn a_cursor_that_is_nowhere_does_no_harm() {
        let mut tab = CommandCompleter { snapshot: SharedSnapshot::default(), on_turn: Box::new(|| ()) };
        for (line, pos) in [("", 99), ("ä", 1), ("exit", 2)] {
            let _ = tab.complete(line, pos);
        }
        assert_eq!(tab.complete("exi", 3).suggestions()[0].value, "exit");
    }

    #[test]
    fn a_short_form_is_completed_as_the_long_one() {
        let mut tab = CommandCompleter { snapshot: SharedSnapshot::default(), on_turn: Box::new(|| ()) };
        let options = |tab: &mut CommandCompleter, line: &str| -> Vec<(String, usize, usize)> {
            let found = tab.complete(line, line.len());
            found.suggestions().iter().map(|it| (it.value.clone(), it.span.start, it.span.end)).collect()
        };
        let long = options(&mut tab, "tsm logs --fo");
        assert!(!long.is_empty());
        let shifted: Vec<_> = long.into_iter().map(|(value, start, end)| (value, start - 4, end - 4)).collect();
        assert_eq!(options(&mut tab, "logs --fo"), shifted);
    }

    #[test]
    fn a_blank_behind_the_cursor_is_not_doubled() {
        let mut tab = CommandCompleter { snapshot: SharedSnapshot::default(), on_turn: Box::new(|| ()) };
        for (line, pos, appends) in [("tsm inf api", 7, false), ("tsm infx", 7, true), ("set edit-mode v x", 15, false)]
        {
            let found = tab.complete(line, pos);
            assert_eq!(found.suggestions()[0].append_whitespace, appends, "{line}");
            assert_eq!(found.suggestions()[0].span.end, pos, "{line}");
        }
    }

    #[test]
    fn the_first_word_is_completed_to_a_short_form_too() {
        let mut tab = CommandCompleter { snapshot: SharedSnapshot::default(), on_turn: Box::new(|| ()) };
        let mut values = |line: &str| -> Vec<String> {
            tab.complete(line, line.len()).suggestions().iter().map(|it| it.value.clone()).collect()
        };
        for (typed, verb) in [("sto", "stop"), ("mon", "monitor"), ("lis", "list"), ("inf", "info"), ("del", "delete")]
        {
            assert_eq!(values(typed), [verb]);
        }
        assert!(values("in").iter().all(|value| value.starts_with("in")), "{:?}", values("in"));
        assert!(values("log").contains(&"logs".to_owned()));
        assert!(values("stat").contains(&"stats".to_owned()));
        assert!(!values("").contains(&"stop".to_owned()), "what can be typed is not all shown at once");
        assert_eq!(values("vers"), ["version"]);
    }
}
