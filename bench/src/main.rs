//! What a direct connection costs, beside raw QUIC with the same settings: both in one run, rounds interleaved, the
//! median of each printed. Figures are read, never asserted.
//!
//! `cargo xtask bench [--json] [--rounds N] [--mib N]`
#![forbid(unsafe_code)]

mod limit;
mod ours;

use std::time::Duration;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One figure of one round.
struct Sample {
    workload: &'static str,
    peer: &'static str,
    value: f64,
}

/// Messages of this size make the bulk.
const MESSAGE: usize = 64 << 10;
/// First opens, round trips and closes of one round.
const OPENS: usize = 20;
const ECHOES: usize = 500;

struct Options {
    json: bool,
    rounds: usize,
    mib: usize,
}

fn options() -> Result<Options, Failure> {
    let mut options = Options { json: false, rounds: 5, mib: 256 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number =
            || words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0).ok_or(USAGE);
        match word.as_str() {
            "--json" => options.json = true,
            "--rounds" => options.rounds = number()?,
            "--mib" => options.mib = number()?,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

const USAGE: &str = "bench [--json] [--rounds N] [--mib N]";

const WORKLOADS: [(&str, &str); 3] =
    [("bulk", "MiB/s"), ("round_trip", "us"), ("first_open", "us")];

fn main() -> Result<(), Failure> {
    let options = options()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut samples = Vec::new();
    for round in 0..options.rounds {
        if !options.json {
            eprintln!("round {} of {}", round + 1, options.rounds);
        }
        // Whoever goes first finds the machine cooler: take turns.
        if round % 2 == 0 {
            runtime.block_on(limit::round(options.mib, &mut samples))?;
            runtime.block_on(ours::round(options.mib, &mut samples))?;
        } else {
            runtime.block_on(ours::round(options.mib, &mut samples))?;
            runtime.block_on(limit::round(options.mib, &mut samples))?;
        }
    }
    report(&options, &samples);
    Ok(())
}

fn report(options: &Options, samples: &[Sample]) {
    for (workload, unit) in WORKLOADS {
        let of = |peer| {
            median(
                samples
                    .iter()
                    .filter(|s| s.workload == workload && s.peer == peer)
                    .map(|s| s.value),
            )
        };
        let (ours, limit) = (of("p2p"), of("quinn"));
        if options.json {
            for (peer, value) in [("p2p", ours), ("quinn", limit)] {
                println!(
                    r#"{{"peer":"{peer}","workload":"{workload}","value":{value:.2},"unit":"{unit}"}}"#
                );
            }
        } else {
            println!(
                "{workload:<12} p2p {ours:>10.1} {unit:<6} quinn {limit:>10.1} {unit:<6} ratio {:.2}",
                ours / limit
            );
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn mib_per_second(mib: usize, time: Duration) -> f64 {
    mib as f64 / time.as_secs_f64()
}
