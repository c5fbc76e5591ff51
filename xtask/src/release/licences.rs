//! The licences of what a build contains, compared with those that `deny.toml` accepts.

use std::collections::BTreeMap;
use std::fs;

use super::tools::present;
use super::{Finding, Options};
use crate::shell::{self, cargo, root};

pub(super) fn check(_: &Options) -> Result<Finding, String> {
    let deny = fs::read_to_string(root().join("deny.toml")).map_err(|error| error.to_string())?;
    let allowed = allowed(&deny);
    // For every system; what is only for tests is not handed on.
    let mut command = cargo(&["tree", "--workspace", "--edges", "normal,build", "--target", "all"]);
    command.args(["--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"]);
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let tree = String::from_utf8_lossy(&output.stdout);
    let crates: BTreeMap<&str, &str> =
        tree.lines().filter_map(|line| line.rsplit_once('|')).collect();
    let bad: Vec<String> = crates
        .iter()
        .filter(|(_, licence)| !accepts(&allowed, licence))
        .map(|(name, licence)| format!("{name}: `{licence}` is not accepted"))
        .collect();
    if !bad.is_empty() {
        return Err(format!("{} not accepted\n{}", bad.len(), bad.join("\n")));
    }
    let mut how = String::new();
    if present("deny") {
        shell::run(&mut cargo(&["deny", "check", "licenses", "sources"]))?;
        how = ", texts and sources too (cargo-deny)".to_owned();
    }
    Ok(Finding::Passed(format!("{} crates, each under an accepted licence{how}", crates.len())))
}

/// The list in `deny.toml`.
fn allowed(deny: &str) -> Vec<&str> {
    let list = deny.split("\nallow = [").nth(1).and_then(|rest| rest.split(']').next());
    list.unwrap_or_default().split('"').skip(1).step_by(2).collect()
}

/// Whether an SPDX expression can be met with what is allowed: `OR` leaves the choice, `AND` does not, parentheses group.
/// An exception (`WITH`) gives further rights, so it does not matter.
fn accepts(allowed: &[&str], expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let result = any(allowed, &words, &mut at);
    result == Some(true) && at == words.len()
}

fn any(allowed: &[&str], words: &[&str], at: &mut usize) -> Option<bool> {
    let mut result = all(allowed, words, at)?;
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        result |= all(allowed, words, at)?;
    }
    Some(result)
}

fn all(allowed: &[&str], words: &[&str], at: &mut usize) -> Option<bool> {
    let mut result = one(allowed, words, at)?;
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        result &= one(allowed, words, at)?;
    }
    Some(result)
}

fn one(allowed: &[&str], words: &[&str], at: &mut usize) -> Option<bool> {
    let word = *words.get(*at)?;
    *at += 1;
    if word == "(" {
        let result = any(allowed, words, at)?;
        *at += 1;
        return (words.get(*at - 1) == Some(&")")).then_some(result);
    }
    if words.get(*at) == Some(&"WITH") {
        *at += 2;
    }
    Some(allowed.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_or_not() {
        let allowed = ["MIT", "Apache-2.0", "ISC", "Unicode-3.0"];
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0 OR (MIT AND ISC)",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "MIT/Apache-2.0",
        ] {
            assert!(accepts(&allowed, good), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT",
            "MIT)",
            "MIT OR",
            "MIT ISC",
            "(GPL-3.0 OR MIT) AND X",
        ] {
            assert!(!accepts(&allowed, bad), "{bad}");
        }
    }

    #[test]
    fn the_list_is_that_of_deny_toml() {
        let text = fs::read_to_string(root().join("deny.toml")).unwrap();
        let allowed = allowed(&text);
        assert!(allowed.contains(&"MIT") && !allowed.contains(&"GPL-3.0"), "{allowed:?}");
    }
}
