//! What one host answered, read back.

use serde_json::Deserializer;

use crate::base::fault::Fault;
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
            }
            Err(fault) => answer.fail(fault),
        }
        answer
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

    #[test]
    fn notes_are_read_from_objects_and_from_lines() {
        let notes: Vec<String> = [json::note("a \"word\"").trim_end(), "of an older program", "", "{\"state\":\"x\"}"]
            .into_iter()
            .filter_map(note)
            .collect();
        assert_eq!(notes, ["a \"word\"", "of an older program"]);
    }
}
