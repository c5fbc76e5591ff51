//! `cargo xtask test`: every test of the workspace, then the examples in its documentation.

use std::path::Path;

use crate::shell::{self, cargo, works};
use crate::{Outcome, contract};

/// Runs all tests. With `cargo nextest` where it is installed, because it runs each test in a process of its own and
/// knows which must not run side by side; with `cargo test` otherwise. Words given are passed on, and select: the
/// doctests then stay out. What all tests saw of the C functions is held to their page.
pub(crate) fn run(words: &[String]) -> Outcome {
    if !words.is_empty() {
        return tests(words, None);
    }
    let seen = contract::folder()?;
    let tests = tests(words, Some(&seen));
    let doctests = match nextest() {
        true => shell::run(&mut cargo(&["test", "--workspace", "--doc", "--no-fail-fast"])),
        false => Ok(()),
    };
    // What a test did not see because it failed is said already.
    tests.and_then(|()| contract::check_seen(&seen)).and(doctests)
}

fn nextest() -> bool {
    works(&mut cargo(&["nextest", "--version"]))
}

fn tests(words: &[String], seen: Option<&Path>) -> Outcome {
    let mut command = match nextest() {
        true => cargo(&["nextest", "run", "--workspace", "--no-fail-fast"]),
        false => cargo(&["test", "--workspace", "--no-fail-fast"]),
    };
    if let Some(seen) = seen {
        command.env(contract::SEEN, seen);
    }
    shell::run(command.args(words))
}
