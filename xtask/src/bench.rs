//! `cargo xtask bench`: what a direct connection costs, beside raw QUIC with the same settings.

use crate::Outcome;
use crate::shell::{cargo, run as shown};

/// Built with optimisation; further words go to the bench.
pub(crate) fn run(words: &[String]) -> Outcome {
    let mut command = cargo(&["run", "--release", "--quiet", "--package", "p2p-bench", "--"]);
    shown(command.args(words))
}
