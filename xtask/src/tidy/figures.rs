//! The protocol document and the code say the same: every limit, every frame type, every code, every transition.

use super::{File, Problem};
use crate::states::{self, DOCUMENT};

const LIMITS: &str = "crates/p2p-core/src/limits.rs";
const CODEC: &str = "crates/p2p-core/src/codec.rs";

pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let find = |path: &str| files.iter().find(|file| file.path == path);
    let Some(document) = find(DOCUMENT) else { return Vec::new() };
    let rows: Vec<Vec<String>> = document.text.lines().filter_map(cells).collect();
    let mut problems = Vec::new();
    for (name, value) in find(LIMITS).map(|file| limits(&file.text)).unwrap_or_default() {
        let row = rows.iter().find(|row| row[0] == name);
        let stated = row.and_then(|row| row.get(1)).and_then(|text| quantity(text));
        if stated != Some(value) {
            problems.push(Problem::new(
                document,
                0,
                format!("limit `{name}` is {value}, stated is {stated:?}"),
            ));
        }
    }
    for (name, value) in find(CODEC).map(|file| constants(&file.text)).unwrap_or_default() {
        if !rows.iter().any(|row| row[0] == value) {
            problems.push(Problem::new(
                document,
                0,
                format!("no row begins with {value} ({name} of the codec)"),
            ));
        }
    }
    if let Some(table) = find(states::SOURCE) {
        match states::is_current(&table.text, &document.text) {
            Ok(true) => {}
            Ok(false) => {
                problems.push(Problem::new(
                    document,
                    0,
                    "its table lags: run `cargo xtask states`",
                ));
            }
            Err(why) => problems.push(Problem::new(document, 0, why)),
        }
    }
    problems
}

/// The cells of a table row, without backticks.
fn cells(line: &str) -> Option<Vec<String>> {
    let inside = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inside.split('|').map(|cell| cell.replace('`', "").trim().to_owned()).collect())
}

/// Field and value of every line in `Limits::default`.
fn limits(source: &str) -> Vec<(String, u64)> {
    let Some((_, body)) = source.split_once("impl Default for Limits") else { return Vec::new() };
    let fields = body.lines().filter_map(|line| line.trim().strip_suffix(',')?.split_once(": "));
    fields.filter_map(|(name, value)| Some((name.to_owned(), evaluate(value)?))).collect()
}

/// `4 << 20`, `10 * SECOND`, `SECOND / 4`, `1_024`.
fn evaluate(expression: &str) -> Option<u64> {
    let atom = |text: &str| match text {
        "SECOND" => Some(1_000_000),
        digits => digits.replace('_', "").parse().ok(),
    };
    match *expression.split(' ').collect::<Vec<_>>() {
        [only] => atom(only),
        [left, "<<", right] => Some(atom(left)? << atom(right)?),
        [left, "*", right] => Some(atom(left)? * atom(right)?),
        [left, "/", right] => Some(atom(left)? / atom(right)?),
        _ => None,
    }
}

/// `25 ms`, `30 s`, `8 MiB`, `1,024`: times in microseconds, sizes in bytes.
fn quantity(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let number: u64 = number.replace(',', "").parse().ok()?;
    let factor = match unit {
        "" | "B" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    Some(number * factor)
}

/// Names and values, as written, of the codec's hexadecimal constants.
fn constants(source: &str) -> Vec<(String, String)> {
    let found = source.lines().filter_map(|line| {
        let (_, rest) = line.trim().split_once("const ")?;
        let (name, value) = rest.strip_suffix(';')?.split_once(": u64 = ")?;
        value.starts_with("0x").then(|| (name.to_owned(), value.to_owned()))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::project;
    use super::*;

    const SOURCE: &str =
        "impl Default for Limits {\n a: 4 << 20,\n b: SECOND / 4,\n c: 1_024,\n}\n";

    fn problems(document: &str) -> usize {
        let codec = "pub const X: u64 = 0x21;\nconst Y: u64 = 7;\n";
        check(&project(&[(DOCUMENT, document), (LIMITS, SOURCE), (CODEC, codec)])).len()
    }

    #[test]
    fn what_agrees_is_left_alone() {
        assert_eq!(
            problems("| `a` | 4 MiB | why |\n| `b` | 250 ms |\n| `c` | 1,024 |\n| 0x21 | X |\n"),
            0
        );
    }

    #[test]
    fn what_is_missing_or_differs_is_found() {
        assert_eq!(problems("| `a` | 8 MiB | why |\n| `b` | 250 s |\n| `c` | many |\n"), 4);
        assert_eq!(problems("nothing\n"), 4);
    }

    #[test]
    fn the_real_limits_and_codes_are_read() {
        let read = |path: &str| std::fs::read_to_string(crate::shell::root().join(path)).unwrap();
        assert!(limits(&read(LIMITS)).len() > 20);
        assert!(constants(&read(CODEC)).len() > 20);
    }
}
