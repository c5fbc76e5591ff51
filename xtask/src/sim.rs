//! `cargo xtask sim --seeds N --nodes M [--first-seed S]`: worlds from seeds, in which every invariant is checked.
//!
//! What a failure means, and how a check is added, stands in `docs/testing.md`.

use crate::Outcome;
use crate::shell::{self, cargo};

/// The slice that every change goes through.
const CI: [&str; 4] = ["--seeds", "1000", "--nodes", "5"];

/// Built with the optimiser and with assertions; the words go to the simulator.
pub(crate) fn run(words: &[String]) -> Outcome {
    let mut command =
        cargo(&["run", "--profile", "model", "--quiet", "--package", "p2p-sim", "--"]);
    shell::run(command.args(words))
}

/// What CI runs.
pub(crate) fn slice() -> Outcome {
    run(&CI.map(str::to_owned))
}
