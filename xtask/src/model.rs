//! `cargo xtask model`: every interleaving of a small world of real nodes, within bounds.

use crate::Outcome;
use crate::shell::{cargo, run as shown};

/// Built with optimisation and with assertions, and with nodes that can be broken on purpose; further words go to the
/// model checker.
pub(crate) fn run(words: &[String]) -> Outcome {
    let mut command = cargo(&["run", "--profile", "model", "--quiet", "--package", "p2p-model"]);
    shown(command.args(["--features", "mutations", "--"]).args(words))
}

/// What CI runs: the smaller bounds, and every broken core.
pub(crate) fn slice() -> Outcome {
    run(&[])?;
    run(&["--mutations".to_owned()])
}
