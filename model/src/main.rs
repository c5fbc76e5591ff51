//! `cargo xtask model`: searches, and prints what they went through.
#![forbid(unsafe_code)]

use std::env;
use std::panic;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use p2p_model::{FULL, Report, SLICE, Scope, search};

const USAGE: &str = "usage: cargo xtask model [--full] [--scope NAME]... | --mutations";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["--mutations"] => mutations(),
        words => chosen(words).and_then(|scopes| searches(&scopes)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// The scopes that the words name: some by name, or those of CI, or all.
fn chosen(words: &[&str]) -> Result<Vec<Scope>, String> {
    let (mut full, mut named) = (false, Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--full" => full = true,
            "--scope" => {
                let name = words.next().ok_or(USAGE)?;
                let all = SLICE.iter().chain(FULL);
                let found = all.filter(|scope| scope.name == *name).copied().next();
                named.push(found.ok_or_else(|| format!("no scope `{name}`\n{USAGE}"))?);
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(match (named.is_empty(), full) {
        (false, _) => named,
        (true, true) => SLICE.iter().chain(FULL).copied().collect(),
        (true, false) => SLICE.to_vec(),
    })
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn searches(scopes: &[Scope]) -> Result<(), String> {
    let (begun, mut sum, mut failed) = (Instant::now(), Report::default(), Vec::new());
    println!(
        "{:<14} {:>9} {:>10} {:>8} {:>6} {:>8}",
        "scope", "states", "steps", "at rest", "depth", "seconds"
    );
    for scope in scopes {
        match search(scope, None, threads()) {
            Ok(report) => {
                row(scope.name, &report);
                sum.states += report.states;
                sum.steps += report.steps;
                sum.quiet += report.quiet;
                sum.depth = sum.depth.max(report.depth);
            }
            Err(found) => {
                println!("{:<14} BROKEN: {}\n{found}", scope.name, scope.about);
                failed.push(scope.name);
            }
        }
    }
    sum.time = begun.elapsed();
    row("all", &sum);
    if failed.is_empty() { Ok(()) } else { Err(format!("broken: {}", failed.join(", "))) }
}

fn row(name: &str, report: &Report) {
    let Report { states, steps, quiet, depth, time } = report;
    let seconds = time.as_secs_f32();
    println!("{name:<14} {states:>9} {steps:>10} {quiet:>8} {depth:>6} {seconds:>8.1}");
}

/// Searches with each broken core. A core that is not caught is a failure.
fn mutations() -> Result<(), String> {
    let (all, mut missed) = (p2p_model::mutations(), Vec::new());
    // What panics here was broken on purpose: the counterexample tells of it.
    panic::set_hook(Box::new(|_| {}));
    for mutation in &all {
        let scope = SLICE.iter().find(|scope| scope.name == mutation.scope);
        let scope = scope.ok_or_else(|| format!("no scope `{}`", mutation.scope))?;
        match search(scope, Some(mutation), threads()) {
            Err(found) => println!("{}: caught in `{}`\n{found}\n", mutation.name, scope.name),
            Ok(report) => {
                println!("{}: NOT CAUGHT in {} states\n", mutation.name, report.states);
                missed.push(mutation.name);
            }
        }
    }
    println!("{} of {} broken cores caught", all.len() - missed.len(), all.len());
    if missed.is_empty() { Ok(()) } else { Err(format!("not caught: {}", missed.join(", "))) }
}
