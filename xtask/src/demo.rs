//! `cargo xtask demo`: builds the actors and plays the main job.

use crate::Outcome;
use crate::shell::{cargo, run as shown};

/// The stage builds its actor in C by itself, against the library that is built here.
pub(crate) fn run(_: &[String]) -> Outcome {
    shown(&mut cargo(&["build", "--package", "p2p-ffi", "--package", "p2p-demo"]))?;
    shown(&mut cargo(&["run", "--quiet", "--package", "p2p-demo"]))
}
