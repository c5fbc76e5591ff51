//! The project's own commands: `cargo xtask <command>`. One file per command, one line in [`COMMANDS`].
#![forbid(unsafe_code)]

mod bench;
mod ci;
mod contract;
mod coverage;
mod demo;
mod dist;
mod fuzz;
mod model;
mod nostd;
mod release;
mod sanitize;
mod shell;
mod sim;
mod states;
mod test;
mod tidy;

use std::env;
use std::process::ExitCode;

/// What a command answers: nothing, or why it failed.
type Outcome = Result<(), String>;

/// A command: its name, one line of help, and what it does with the words behind its name.
type Command = (&'static str, &'static str, fn(&[String]) -> Outcome);

const COMMANDS: &[Command] = &[
    ("demo", "the main job as a play: real processes, real sockets, one intruder", demo::run),
    ("bench", "figures beside raw QUIC in one run: --json, --rounds N, --mib N", bench::run),
    ("test", "every test and doctest; further words go to the test runner", test::run),
    ("ci", "all that must be green, step by step: --skip STEP, --only STEP", ci::run),
    (
        "coverage",
        "how much of the core the corpora in fuzz/ reach, beside their floors",
        coverage::run,
    ),
    (
        "dist",
        "the C library as it is installed, tried by programs: --target TRIPLE, --profile NAME",
        dist::run,
    ),
    ("fuzz", "libFuzzer on one of the targets in fuzz/: TARGET [SECONDS]", fuzz::run),
    (
        "model",
        "every interleaving of two and three nodes: --full, --scope NAME, --mutations",
        model::run,
    ),
    ("nostd", "prove that p2p-core needs no std, and that the proof can fail", nostd::run),
    ("p2p-h", "what tests see of the C functions, into docs/p2p-h.md: [FOLDER]", contract::run),
    (
        "release-check",
        "packages, features, licences, interfaces: --only ROW, --verify, --baseline REVISION",
        release::run,
    ),
    (
        "sanitize",
        "the C programs under sanitizers and valgrind: --address, --valgrind, names of tests",
        sanitize::run,
    ),
    ("sim", "worlds from seeds, all invariants: --seeds N --nodes M, --first-seed S", sim::run),
    ("states", "write the table of direct connections into docs/protocol.md", states::run),
    ("tidy", "layers, sizes, purity, words, links: what a compiler does not check", tidy::run),
];

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if coverage::wraps() {
        return coverage::wrap(&words);
    }
    let Some((name, rest)) = words.split_first() else {
        help();
        return ExitCode::FAILURE;
    };
    if ["help", "--help", "-h"].contains(&name.as_str()) {
        help();
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.0 == name) else {
        eprintln!("xtask: no command `{name}`; `cargo xtask help` lists them");
        return ExitCode::FAILURE;
    };
    match (command.2)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask {name}: {why}");
            ExitCode::FAILURE
        }
    }
}

fn help() {
    println!("cargo xtask <command>\n");
    for (name, text, _) in COMMANDS {
        println!("  {name:<13} {text}");
    }
    println!("  {:<13} this list", "help");
}
