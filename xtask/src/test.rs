//! `cargo xtask test`: every test of the workspace, then the examples in its documentation.

use crate::Outcome;
use crate::shell::{self, cargo, works};

/// Runs all tests. With `cargo nextest` where it is installed, because it runs each test in a process of its own and
/// knows which must not run side by side; with `cargo test` otherwise. Words given are passed on, and select: the
/// doctests then stay out.
pub(crate) fn run(words: &[String]) -> Outcome {
    if !works(&mut cargo(&["nextest", "--version"])) {
        return shell::run(cargo(&["test", "--workspace", "--no-fail-fast"]).args(words));
    }
    let tests = shell::run(cargo(&["nextest", "run", "--workspace", "--no-fail-fast"]).args(words));
    if !words.is_empty() {
        return tests;
    }
    let doctests = shell::run(&mut cargo(&["test", "--workspace", "--doc", "--no-fail-fast"]));
    tests.and(doctests)
}
