//! What one host answered, read back.

use serde_json::Deserializer;

use crate::base::fault::{Fault, FaultKind};
use crate::report::{Value, read};
use crate::tkm::agent::protocol::AgentOutput;
use crate::tkm::error::TkmError;

/// Named values, in their order.
pub(super) type AnswerRecord = Vec<(String, Value)>;

/// The answer of a host.
pub(super) struct HostAnswer {
    pub(super) host: String,
    /// What a row, a list of fields or a message was.
    pub(super) records: Vec<AnswerRecord>,
    /// What did not work, there or on the way.
    pub(super) faults: Vec<Fault>,
    /// What was said beside.
    pub(super) notes: Vec<String>,
    pub(super) code: u8,
}

impl HostAnswer {
    pub(super) fn of(host: String, result: Result<AgentOutput, TkmError>) -> Self {
        let mut answer = Self { host, records: Vec::new(), faults: Vec::new(), notes: Vec::new(), code: 0 };
        match result.map_err(Fault::from) {
            Ok(found) => {
                answer.code = found.code;
                let said = String::from_utf8_lossy(&found.errors.0).into_owned();
                answer.faults = read::faults(&said);
                answer.notes = said.lines().filter_map(note).collect();
                match records(&found.output.0) {
                    Ok(records) => answer.records = records,
                    Err(error) => answer.fail(Fault::from(error)),
                }
                answer.explain();
            }
            Err(fault) => answer.fail(fault),
        }
        answer
    }

    /// A failure of which the host has said nothing that is understood here, as an older program may, is one all the same.
    fn explain(&mut self) {
        if self.code == 0 || !self.records.is_empty() || !self.faults.is_empty() {
            return;
        }
        let kind = FaultKind::ALL.iter().find(|row| row.1 == self.code).map_or(FaultKind::Failed, |row| row.0);
        let why = match std::mem::take(&mut self.notes) {
            said if said.is_empty() => format!("it ended with {} and said nothing", self.code),
            said => said.join("; "),
        };
        self.faults.push(Fault::new(kind, why));
    }

    fn fail(&mut self, fault: Fault) {
        self.code = self.code.max(fault.kind.code());
        self.faults.push(fault);
    }
}

/// What a line says beside the data, as an object or, by an older program, as it is. Faults and progress are left out.
fn note(line: &str) -> Option<String> {
    if line.starts_with('{') { read::note(line) } else { Some(line.to_owned()).filter(|line| !line.trim().is_empty()) }
}

/// The objects of all documents; what is none gets the key `value`.
fn records(json: &[u8]) -> Result<Vec<AnswerRecord>, read::ReadError> {
    let mut found = Vec::new();
    for document in Deserializer::from_slice(json).into_iter::<Value>() {
        match document? {
            Value::Null => {}
            Value::List(items) => found.extend(items.into_iter().map(record)),
            one => found.push(record(one)),
        }
    }
    Ok(found)
}

pub(super) fn record(value: Value) -> AnswerRecord {
    match value {
        Value::Record(entries) => entries,
        other => vec![("value".to_owned(), other)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json;
    use crate::tkm::agent::protocol::AgentBlob;

    #[test]
    fn a_failure_without_words_that_are_understood_is_a_row() {
        let of = |code: u8, output: &str, errors: &str| {
            let blob = |text: &str| AgentBlob(text.as_bytes().to_vec());
            let answer =
                HostAnswer::of("a".to_owned(), Ok(AgentOutput { code, output: blob(output), errors: blob(errors) }));
            let faults = answer.faults.iter().map(|fault| (fault.kind, fault.to_string())).collect::<Vec<_>>();
            (faults, answer.notes.len())
        };
        let older = "error: unexpected argument '--x'\n\nusage: tsm list\n";
        let said = "error: unexpected argument '--x'; usage: tsm list".to_owned();
        assert_eq!(of(2, "", older), (vec![(FaultKind::Usage, said)], 0));
        assert_eq!(of(141, "", ""), (vec![(FaultKind::Failed, "it ended with 141 and said nothing".to_owned())], 0));
        assert_eq!(of(3, "[{\"a\": 1}]", "a note\n"), (Vec::new(), 1));
        assert_eq!(of(0, "", "a note\n"), (Vec::new(), 1));
    }

    #[test]
    fn notes_are_read_from_objects_and_from_lines() {
        let notes: Vec<String> = [json::note("a \"word\"").trim_end(), "of an older program", "", "{\"state\":\"x\"}"]
            .into_iter()
            .filter_map(note)
            .collect();
        assert_eq!(notes, ["a \"word\"", "of an older program"]);
    }
}
