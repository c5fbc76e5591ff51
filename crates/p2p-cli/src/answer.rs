//! What a command answers, on its own or as a line typed into `p2p listen`.

use serde_json::{Value, json};

/// Lines for people and a record for programs.
pub(crate) struct Answer {
    pub(crate) lines: Vec<String>,
    pub(crate) record: Value,
}

impl Answer {
    pub(crate) fn one(line: String, record: Value) -> Answer {
        Answer { lines: vec![line], record }
    }

    /// Nothing for people, who know what they typed.
    pub(crate) fn silent(record: Value) -> Answer {
        Answer { lines: Vec::new(), record }
    }

    /// A list is one record, so that a program knows where it ends.
    pub(crate) fn many(lines: Vec<String>, none: &str, name: &str, records: Vec<Value>) -> Answer {
        let lines = if lines.is_empty() { vec![none.to_owned()] } else { lines };
        Answer { lines, record: json!({ "type": name, name: records }) }
    }
}
