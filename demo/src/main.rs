//! The main job as a play. Without arguments: the stage, which starts every actor as a process of its own and checks
//! each line. With one: an actor, which takes commands on standard input and answers on standard output.
#![forbid(unsafe_code)]

mod actor;
mod intruder;
mod stage;
mod story;

use std::process::ExitCode;

fn main() -> ExitCode {
    let role = std::env::args().nth(1);
    let outcome = match role.as_deref() {
        None => story::play(),
        Some("actor") => actor::run(),
        Some("intruder") => intruder::run(),
        Some(other) => Err(format!("no such role: {other}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\n  ✗ {why}");
            ExitCode::FAILURE
        }
    }
}
