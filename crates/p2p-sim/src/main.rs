//! `p2p-sim`: many worlds, each from its seed. `cargo xtask sim` builds and starts it.
#![forbid(unsafe_code)]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use p2p_sim::{Plan, Report, Shrunk, run, run_with_script, shrink};

const USAGE: &str =
    "usage: p2p-sim --seeds N --nodes M [--first-seed S] [--threads T] [--script FILE]";
/// One run in so many is made twice, and compared.
const TWICE: u64 = 16;
/// Runs that are spent on making a failure small.
const SHRINK: u32 = 400;

struct Options {
    seeds: u64,
    nodes: usize,
    first: u64,
    threads: usize,
    /// Where everything is written to that is said in the first seed's world; or in the shortest history of a failure.
    script: Option<String>,
}

/// What all seeds together came to.
#[derive(Default)]
struct Sum {
    steps: u64,
    ticks: u64,
    prints: u64,
}

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let outcome = options(&words).and_then(|options| simulate(&options));
    let (text, code) = match outcome {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(text) => (text, ExitCode::FAILURE),
    };
    // Nobody is left to tell if that fails.
    let _ = writeln!(io::stdout().lock(), "{text}");
    code
}

fn options(words: &[String]) -> Result<Options, String> {
    let threads = thread::available_parallelism().map_or(2, |n| n.get().min(2));
    let mut options = Options { seeds: 100, nodes: 5, first: 0, threads, script: None };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        let number = || value.parse::<u64>().map_err(|_| USAGE.to_owned());
        match word.as_str() {
            "--seeds" => options.seeds = number()?,
            "--nodes" => options.nodes = number()?.clamp(2, 60) as usize,
            "--first-seed" => options.first = number()?,
            "--threads" => options.threads = number()?.clamp(1, 256) as usize,
            "--script" => options.script = Some(value.clone()),
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(options)
}

fn simulate(options: &Options) -> Result<String, String> {
    // A panic inside a world is reported with its history; the default report would come once for every run of it.
    std::panic::set_hook(Box::new(|_| {}));
    let begun = Instant::now();
    if let Some(path) = &options.script {
        write_script(path, &Plan::new(options.first, options.nodes))?;
    }
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (sum, failure) = (Mutex::new(Sum::default()), Mutex::new(None::<(u64, Report)>));
    thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= options.seeds {
                        return;
                    }
                    let seed = options.first + n;
                    let report = one(seed, options.nodes);
                    if report.violation.is_some() {
                        stop.store(true, Ordering::Relaxed);
                        let mut failure = failure.lock().expect("nobody panics with it");
                        // The smallest, whichever thread was first.
                        if failure.as_ref().is_none_or(|(other, _)| seed < *other) {
                            *failure = Some((seed, report));
                        }
                        return;
                    }
                    let mut sum = sum.lock().expect("nobody panics with it");
                    sum.steps += report.steps;
                    sum.ticks += report.ticks;
                    // In whatever order they come.
                    sum.prints = sum.prints.wrapping_add(report.print.wrapping_mul(2 * seed + 1));
                }
            });
        }
    });
    if let Some((seed, report)) = failure.into_inner().expect("nobody panics with it") {
        return Err(told(seed, options, &report)?);
    }
    let sum = sum.into_inner().expect("nobody panics with it");
    Ok(format!(
        "{} seeds from {}, {} nodes: {} steps, {} hours of their time, trace {:016x}, {:.1} s",
        options.seeds,
        options.first,
        options.nodes,
        sum.steps,
        sum.ticks / 3_600_000_000,
        sum.prints,
        begun.elapsed().as_secs_f32()
    ))
}

/// One seed; now and then it is run again, which must make no difference.
fn one(seed: u64, nodes: usize) -> Report {
    let plan = Plan::new(seed, nodes);
    let mut report = run(&plan, None);
    if report.violation.is_none() && seed.is_multiple_of(TWICE) {
        let again = run(&plan, None);
        if again != report {
            report.violation = Some(p2p_sim::Violation {
                number: "44",
                host: None,
                what: "two runs of one seed differ".to_owned(),
                step: report.steps,
                tick: report.ticks,
            });
        }
    }
    report
}

/// A failure: the seed, the rule, the step, and the shortest history that was found.
fn told(seed: u64, options: &Options, report: &Report) -> Result<String, String> {
    let nodes = options.nodes;
    let Some(violation) = &report.violation else { return Ok(String::new()) };
    let mut text = format!("seed {seed}, {nodes} nodes: {violation}\n");
    let Shrunk { plan, violation, runs } = shrink(&Plan::new(seed, nodes), None, violation, SHRINK);
    // Writing to a String does not fail.
    let _ = writeln!(text, "\nThe shortest history that {runs} runs found:\n{}", plan.settings);
    for planned in &plan.actions {
        let _ = writeln!(text, "  after {:>9} µs: {:?}", planned.wait, planned.action);
    }
    let _ = write!(
        text,
        "{violation}\n\nAgain: cargo xtask sim --seeds 1 --nodes {nodes} --first-seed {seed}"
    );
    if let Some(path) = &options.script {
        write_script(path, &plan)?;
    }
    Ok(text)
}

/// Everything that is said in one world.
fn write_script(path: &str, plan: &Plan) -> Result<(), String> {
    let (_, script) = run_with_script(plan, None);
    fs::write(path, script).map_err(|error| format!("{path}: {error}"))
}
