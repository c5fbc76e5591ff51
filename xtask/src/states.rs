//! `cargo xtask states`: writes the table of direct connections, as it stands in the code, into the protocol document.
//!
//! `crates/p2p-core/src/direct/table.rs` is the only place where transitions are decided. Its text is read here; tidy
//! refuses a document that lags behind.

use std::fmt::Write as _;
use std::fs;

use crate::Outcome;
use crate::shell::root;

pub(crate) const SOURCE: &str = "crates/p2p-core/src/direct/table.rs";
pub(crate) const DOCUMENT: &str = "docs/protocol.md";
const BEGIN: &str = "<!-- written by cargo xtask states -->\n";
const END: &str = "<!-- end of what cargo xtask states wrote -->\n";

/// The command.
pub(crate) fn run(words: &[String]) -> Outcome {
    if !words.is_empty() {
        return Err("takes no words".to_owned());
    }
    let read = |path: &str| {
        fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))
    };
    let (table, document) = (render(&read(SOURCE)?)?, read(DOCUMENT)?);
    let (before, _, after) = split(&document)?;
    let whole = format!("{before}{BEGIN}{table}{END}{after}");
    fs::write(root().join(DOCUMENT), whole).map_err(|error| format!("{DOCUMENT}: {error}"))
}

/// Whether the document holds the table as the source has it.
pub(crate) fn is_current(source: &str, document: &str) -> Result<bool, String> {
    Ok(split(document)?.1 == render(source)?)
}

/// What stands before, between and after the marks.
fn split(document: &str) -> Result<(&str, &str, &str), String> {
    let missing = || format!("{DOCUMENT} lacks the marks `{}` and `{}`", BEGIN.trim(), END.trim());
    let (before, rest) = document.split_once(BEGIN).ok_or_else(missing)?;
    let (between, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok((before, between, after))
}

/// The table in Markdown: what each state and action means, then a row per event and a column per state.
fn render(source: &str) -> Result<String, String> {
    let states = variants(source, "State")?;
    let events = variants(source, "Event")?;
    let actions = variants(source, "Action")?;
    let mut out = String::new();
    for (title, rows) in [("State", &states), ("Action", &actions)] {
        let _ = writeln!(out, "\n| {title} | |\n| --- | --- |");
        for (name, text) in rows {
            let _ = writeln!(out, "| {name} | {text} |");
        }
    }
    let columns: Vec<(&str, Vec<Arm>)> = states
        .iter()
        .filter(|(name, _)| name != "Closed")
        .map(|(name, _)| Ok((name.as_str(), arms(source, name)?)))
        .collect::<Result<_, String>>()?;
    let heads: Vec<&str> = columns.iter().map(|column| column.0).collect();
    let _ = writeln!(out, "\n| Event | in {} |", heads.join(" | in "));
    let _ = writeln!(out, "| --- |{}", " --- |".repeat(columns.len()));
    for (event, text) in &events {
        let cells: Vec<String> =
            columns.iter().map(|(state, arms)| cell(state, arms, event)).collect();
        let _ = writeln!(out, "| **{event}**: {text} | {} |", cells.join(" | "));
    }
    out.push('\n');
    Ok(out)
}

/// The variants of an enum with the first line of what is said of each.
fn variants(source: &str, name: &str) -> Result<Vec<(String, String)>, String> {
    let body = between(source, &format!("enum {name} {{"), "}")?;
    let (mut found, mut text) = (Vec::new(), String::new());
    for line in body.lines().map(str::trim) {
        if let Some(said) = line.strip_prefix("///") {
            text = format!("{text}{said}");
        } else if let Some(variant) = line.strip_suffix(',') {
            found.push((
                variant.to_owned(),
                std::mem::take(&mut text).trim().trim_end_matches('.').to_owned(),
            ));
        }
    }
    if found.is_empty() { Err(format!("{SOURCE}: no variants of `{name}`")) } else { Ok(found) }
}

/// Some events (none: all others), what is done, and the state that follows.
struct Arm {
    events: Vec<String>,
    actions: Vec<String>,
    next: String,
}

/// The arms of the function that is called like the state.
fn arms(source: &str, state: &str) -> Result<Vec<Arm>, String> {
    let mut function = String::new();
    for c in state.chars() {
        if c.is_uppercase() && !function.is_empty() {
            function.push('_');
        }
        function.extend(c.to_lowercase());
    }
    let body = between(source, &format!("fn {function}(event: Event)"), "\n}")?;
    let mut rest = between(body, "match event {", "\n    }")?;
    let mut arms = Vec::new();
    while let Some((events, tail)) = rest.split_once("=>") {
        let actions = between(tail, "&[", "]")?;
        let after = &tail[tail.find(']').unwrap_or_default()..];
        let next = between(after, "S::", ")")?;
        arms.push(Arm {
            events: names(events, "E::"),
            actions: names(actions, "A::"),
            next: next.to_owned(),
        });
        let end = after.find(')').unwrap_or(after.len());
        rest = after[end + 1..].trim_start_matches([',', '}', ' ', '\n']);
    }
    if arms.is_empty() { Err(format!("{SOURCE}: no arms in `{function}`")) } else { Ok(arms) }
}

fn names(text: &str, prefix: &str) -> Vec<String> {
    let words = text.split(prefix).skip(1);
    words.map(|word| word.chars().take_while(|c| c.is_alphanumeric()).collect()).collect()
}

fn cell(state: &str, arms: &[Arm], event: &str) -> String {
    let named = arms.iter().find(|arm| arm.events.iter().any(|name| name == event));
    let Some(arm) = named.or_else(|| arms.iter().find(|arm| arm.events.is_empty())) else {
        return "·".to_owned();
    };
    let actions = arm.actions.join(", ");
    match (actions.is_empty(), arm.next == state) {
        (true, true) => "·".to_owned(),
        (true, false) => format!("→ {}", arm.next),
        (false, true) => actions,
        (false, false) => format!("{actions} → {}", arm.next),
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Result<&'a str, String> {
    let found = text.split_once(from).and_then(|parts| parts.1.split_once(to)).map(|parts| parts.0);
    found.ok_or_else(|| format!("{SOURCE}: nothing between `{from}` and `{}`", to.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "enum State {\n /// Begun.\n InWork,\n /// Over.\n Closed,\n}\nenum Event {\n /// Go.\n Go,\n /// Stop\n \
                         /// it.\n Stop,\n Odd,\n}\nenum Action {\n /// Run.\n Run,\n}\n\
                         fn in_work(event: Event) -> Cell {\n    match event {\n        E::Go | E::Odd => {\n            \
                         (&[A::Run, A::Run], S::InWork)\n        }\n        E::Stop => (&[], S::Closed),\n        \
                         _ => (&[], S::InWork),\n    }\n}\n";

    #[test]
    fn every_event_has_a_row_and_every_state_a_column() {
        let table = render(TABLE).unwrap();
        for line in [
            "| InWork | Begun |",
            "| Run | Run |",
            "| Event | in InWork |",
            "| **Go**: Go | Run, Run |",
            "| **Stop**: Stop it | → Closed |",
            "| **Odd**:  | Run, Run |",
        ] {
            assert!(table.lines().any(|found| found == line), "{line}\n{table}");
        }
    }

    #[test]
    fn a_document_that_lags_is_found() {
        let table = render(TABLE).unwrap();
        let document = format!("Before.\n{BEGIN}{table}{END}After.\n");
        assert_eq!(is_current(TABLE, &document), Ok(true));
        assert_eq!(is_current(&TABLE.replace("E::Stop =>", "E::Halt =>"), &document), Ok(false));
        assert!(is_current(TABLE, "no marks").is_err());
    }

    #[test]
    fn a_source_that_cannot_be_read_is_an_error_not_an_empty_table() {
        assert!(
            render("enum State {\n A,\n}\nenum Event {\n B,\n}\nenum Action {\n C,\n}\n").is_err()
        );
    }

    #[test]
    fn the_real_table_is_read() {
        let table = render(&fs::read_to_string(root().join(SOURCE)).unwrap()).unwrap();
        assert!(table.contains("| Event | in Dialing |") && table.lines().count() > 40);
    }
}
