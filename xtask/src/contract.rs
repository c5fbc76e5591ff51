//! `cargo xtask p2p-h`: which code of which function was seen in which test, as `docs/p2p-h.md`.
//!
//! Three things make the page. `crates/p2p-ffi/tests/contract.txt` says which codes a function may give. The tests write
//! down what each call returned (`crates/p2p-ffi/tests/seen`). The page names one test for each code, and is held to both
//! from then on: tidy refuses a page that lags behind the table or the header, and `cargo xtask test` fails when a code
//! was not seen in the test that the page names, or a code was seen that the table does not have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::shell::{self, cargo, root};

mod table;

use table::{Function, Kind, Table};

pub(crate) const TABLE: &str = "crates/p2p-ffi/tests/contract.txt";
pub(crate) const HEADER: &str = "crates/p2p-ffi/include/p2p.h";
pub(crate) const PAGE: &str = "docs/p2p-h.md";

/// The variable that names the folder for what tests see.
pub(crate) const SEEN: &str = "P2P_SEEN";

/// How often the tests run before a page is written: what is seen each time does not hang on chance.
const RUNS: usize = 2;

/// Which test shows it, by function and code.
type Claims = BTreeMap<(String, u32), String>;

/// What was seen: function, code, test.
type Seen = BTreeSet<(String, u32, String)>;

/// The command. With a folder that an earlier run has left, of what is in there.
pub(crate) fn run(words: &[String]) -> Outcome {
    let table = Table::read(&read(TABLE)?, &read(HEADER)?)?;
    let seen = match words {
        [] => observe()?,
        [folder] => records(Path::new(folder))?,
        _ => return Err("usage: cargo xtask p2p-h [FOLDER]".to_owned()),
    };
    unknown(&table, &seen)?;
    let old = fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    let claims = choose(&table, &claims(&table, &old), &seen);
    let page = render(&table, &claims);
    fs::write(root().join(PAGE), page).map_err(|error| format!("{PAGE}: {error}"))?;
    complete(&table, &claims)
}

/// Runs the tests; what they saw each time.
fn observe() -> Result<Seen, String> {
    let mut seen: Option<Seen> = None;
    for _ in 0..RUNS {
        let folder = folder()?;
        shell::run(cargo(&["nextest", "run", "-p", "p2p-ffi"]).env(SEEN, &folder))?;
        let now = records(&folder)?;
        seen = Some(match seen {
            None => now,
            Some(before) => before.intersection(&now).cloned().collect(),
        });
    }
    Ok(seen.unwrap_or_default())
}

/// An empty folder for what tests see.
pub(crate) fn folder() -> Result<PathBuf, String> {
    // One for each run: several may be under way.
    let folder = root().join("target/p2p-h").join(std::process::id().to_string());
    let wrong = |error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(wrong)?;
    }
    fs::create_dir_all(&folder).map_err(wrong)?;
    Ok(folder)
}

/// Holds the page to what the tests saw, and the table to it too.
pub(crate) fn check_seen(folder: &Path) -> Outcome {
    let table = Table::read(&read(TABLE)?, &read(HEADER)?)?;
    let seen = records(folder)?;
    unknown(&table, &seen)?;
    if cfg!(not(target_os = "linux")) {
        println!(
            "skipped: some codes need limits as Linux has them; {PAGE} is held to tests there"
        );
        return Ok(());
    }
    hold(&table, &claims(&table, &read(PAGE)?), &seen)?;
    println!("{PAGE}: {} codes were seen by tests", seen_pairs(&seen));
    Ok(())
}

/// Every claim was seen in its test.
fn hold(table: &Table, claims: &Claims, seen: &Seen) -> Outcome {
    let missing: Vec<String> = claims
        .iter()
        .filter(|((function, code), test)| {
            !seen.contains(&(function.clone(), *code, (*test).clone()))
        })
        .map(|((function, code), test)| format!("{function}: {} in {test}", table.name(*code)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("{PAGE} claims what was not seen; `cargo xtask p2p-h`:\n{}", missing.join("\n")))
}

/// Holds the page to the table and the table to the header; what is wrong otherwise.
pub(crate) fn check_page(table: &str, header: &str, page: &str) -> Outcome {
    let table = Table::read(table, header)?;
    let claims = claims(&table, page);
    complete(&table, &claims)?;
    if render(&table, &claims) == page {
        Ok(())
    } else {
        Err(format!("lags behind {TABLE}: cargo xtask p2p-h"))
    }
}

/// Every code has a test, except those that the table excuses.
fn complete(table: &Table, claims: &Claims) -> Outcome {
    let mut missing = Vec::new();
    for function in &table.functions {
        for code in &function.codes {
            let shown = claims.contains_key(&(function.name.clone(), code.value));
            if code.kind.is_due() != shown {
                missing.push(format!("{}: {}", function.name, code.name));
            }
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("codes with neither a test nor a reason, or with both:\n{}", missing.join("\n")))
}

/// Nothing was seen that the table does not have.
fn unknown(table: &Table, seen: &Seen) -> Outcome {
    let mut unknown = BTreeMap::new();
    for (function, code, test) in seen {
        let row = table.functions.iter().find(|row| row.name == *function);
        let due = row.and_then(|row| row.codes.iter().find(|row| row.value == *code));
        if !due.is_some_and(|row| row.kind.is_due()) {
            unknown.entry((function, code)).or_insert(test);
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = unknown
        .iter()
        .map(|((function, code), test)| format!("{function}: {} in {test}", table.name(**code)))
        .collect();
    Err(format!("{TABLE} does not have what was seen:\n{}", lines.join("\n")))
}

/// For each code the test that stood on the page before, else the one that saw the fewest codes in all.
fn choose(table: &Table, old: &Claims, seen: &Seen) -> Claims {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, _, test) in seen {
        *sizes.entry(test).or_default() += 1;
    }
    let mut claims = Claims::new();
    for function in &table.functions {
        for code in function.codes.iter().filter(|code| code.kind.is_due()) {
            let key = (function.name.clone(), code.value);
            let tests =
                seen.iter().filter(|row| row.0 == key.0 && row.1 == key.1).map(|row| &row.2);
            let kept = old.get(&key).filter(|test| tests.clone().any(|found| found == *test));
            let best = || tests.clone().min_by_key(|test| (sizes.get(test.as_str()), *test));
            if let Some(test) = kept.or_else(best) {
                claims.insert(key, test.clone());
            }
        }
    }
    claims
}

/// What the files in the folder say.
fn records(folder: &Path) -> Result<Seen, String> {
    let mut seen = Seen::new();
    let wrong = |error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let text = fs::read_to_string(entry.map_err(wrong)?.path()).map_err(wrong)?;
        for line in text.lines() {
            let mut words = line.split(' ');
            let row = (|| {
                let (function, code, test) = (words.next()?, words.next()?, words.next()?);
                let code = u32::from_str_radix(code, 16).ok()?;
                Some((function.to_owned(), code, test.to_owned()))
            })();
            seen.insert(row.ok_or_else(|| format!("not a line of what was seen: {line}"))?);
        }
    }
    if seen.is_empty() { Err("the tests wrote down nothing".to_owned()) } else { Ok(seen) }
}

fn seen_pairs(seen: &Seen) -> usize {
    seen.iter().map(|row| (&row.0, row.1)).collect::<BTreeSet<_>>().len()
}

/// The tests that the page names.
fn claims(table: &Table, page: &str) -> Claims {
    let (mut claims, mut function) = (Claims::new(), "");
    for line in page.lines() {
        if let Some(name) = line.strip_prefix("### ") {
            function = name;
        }
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, code, _, _, test, _] = cells[..] else { continue };
        if let Some(value) = table.values.get(code).filter(|_| test.contains("::")) {
            claims.insert((function.to_owned(), *value), test.to_owned());
        }
    }
    claims
}

const HEAD: &str = "\
# The functions of p2p.h

What each function returns, and the test that saw it. Written by `cargo xtask p2p-h` from what every call in the tests of
`p2p-ffi` returned, in Rust and in C; `cargo xtask test` fails when a code is no longer seen in the test that stands here, or
when a call returns a code that is not here. Which codes are due says `crates/p2p-ffi/tests/contract.txt`.

*documented*: programs for Windows expect it of this function. *ours*: decided here, with the reason. *never*: documented, and does not
occur here. *unseen*: may occur, and no test can bring it about. A call that panics inside returns `E_UNEXPECTED`, whatever the
function; where the header is silent about a function, it is not in the library.
";

fn render(table: &Table, claims: &Claims) -> String {
    let mut page = HEAD.to_owned();
    page += "\n## All functions\n\n| function | documented codes | of these seen | ours | of these seen |\n";
    page += "| --- | --- | --- | --- | --- |\n";
    for function in &table.functions {
        page += &summary(function, claims);
    }
    let mut area = "";
    for function in &table.functions {
        if function.area != area {
            area = &function.area;
            let _ = write!(page, "\n## {area}\n");
        }
        let _ = write!(page, "\n### {}\n\n", function.name);
        if let Some(why) = &function.absent {
            let _ = writeln!(page, "Not in the library. {why}");
        }
        for note in &function.notes {
            let _ = writeln!(page, "- {note}");
        }
        if function.codes.is_empty() {
            continue;
        }
        if !function.notes.is_empty() {
            page.push('\n');
        }
        page += "| code | value | | seen in |\n| --- | --- | --- | --- |\n";
        for code in &function.codes {
            let test = claims.get(&(function.name.clone(), code.value));
            let shown = test.map_or_else(|| "–".to_owned(), |test| format!("`{test}`"));
            let _ = writeln!(
                page,
                "| `{}` | `0x{:08X}` | {}{} | {shown} |",
                code.name,
                code.value,
                code.kind.word(),
                code.why.as_ref().map_or_else(String::new, |why| format!(": {why}")),
            );
        }
    }
    page
}

fn summary(function: &Function, claims: &Claims) -> String {
    if function.absent.is_some() {
        return format!("| `{}` | not in the library | | | |\n", function.name);
    }
    let count = |ours: bool, seen: bool| {
        let due = function.codes.iter().filter(|code| (code.kind == Kind::Ours) == ours);
        let shown = |value| claims.contains_key(&(function.name.clone(), value));
        due.filter(|code| !seen || shown(code.value)).count()
    };
    format!(
        "| [`{}`](#{}) | {} | {} | {} | {} |\n",
        function.name,
        function.name.to_lowercase(),
        count(false, false),
        count(false, true),
        count(true, false),
        count(true, true),
    )
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests;
