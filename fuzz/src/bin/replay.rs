//! `replay TARGET`: the committed corpus of one target, in a process of its own. `cargo xtask coverage` counts what of the
//! core that reaches.

use std::process::ExitCode;

use p2p_fuzz::{TARGETS, corpus, files, replay};

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let Some((name, target)) = TARGETS.iter().find(|row| row.0 == wanted) else {
        eprintln!("no target `{wanted}`");
        return ExitCode::FAILURE;
    };
    match files(&corpus(name)) {
        Ok(files) => files.iter().for_each(|(_, bytes)| replay(bytes, *target)),
        Err(error) => {
            eprintln!("{name}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
