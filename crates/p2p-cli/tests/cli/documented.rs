//! The README's table of records, which every record must obey.

use std::collections::BTreeMap;

use serde_json::Value;

const README: &str = include_str!("../../README.md");

/// Reads a line of `--json`: an object of a documented type with exactly the documented fields, those marked `?`
/// possibly missing.
pub(crate) fn read(line: &str) -> Value {
    assert!(line.is_ascii(), "{line}");
    let record: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let kind = record["type"].as_str().unwrap_or_else(|| panic!("no type: {line}"));
    let fields =
        table().remove(kind).unwrap_or_else(|| panic!("`{kind}` is not in the README: {line}"));
    obeys(&record, &fields);
    record
}

/// The entries of a list within a record.
pub(crate) fn entries<'a>(record: &'a Value, name: &str) -> &'a [Value] {
    let entries = record[name].as_array().unwrap();
    let fields = table().remove(&format!("{name}[]")).unwrap();
    entries.iter().for_each(|entry| obeys(entry, &fields));
    entries
}

fn obeys(record: &Value, fields: &[(&str, bool)]) {
    let has = |name: &str| record.as_object().unwrap().contains_key(name);
    for (name, required) in fields {
        assert!(!required || has(name), "{name} is missing: {record}");
    }
    for name in record.as_object().unwrap().keys().filter(|name| *name != "type") {
        assert!(
            fields.iter().any(|(known, _)| known == name),
            "{name} is not in the README: {record}"
        );
    }
}

/// By type, the fields, and whether each is always there.
fn table() -> BTreeMap<String, Vec<(&'static str, bool)>> {
    let rows = README.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter_map(|row| row.split_once("` | "));
    rows.map(|(kind, rest)| {
        let (fields, _) = rest.split_once(" |").unwrap();
        let fields = fields.split(' ').filter(|word| word.starts_with('`'));
        let field = |word: &'static str| {
            (word.trim_end_matches('?').trim_matches('`'), !word.ends_with('?'))
        };
        (kind.to_owned(), fields.map(field).collect())
    })
    .collect()
}

#[test]
fn the_table_is_read() {
    let table = table();
    assert_eq!(table["closing"], [("id", true)]);
    assert!(table["message"].contains(&("hex", false)));
    assert!(table.contains_key("members[]") && table.contains_key("connections[]"));
}
