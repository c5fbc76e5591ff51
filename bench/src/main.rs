//! What a direct connection costs, beside raw QUIC with the same settings: both in one run, rounds interleaved, the
//! median of each printed. Figures are read, never asserted.
//!
//! `cargo xtask bench [crypto] [--json] [--rounds N] [--mib N]`
//!
//! With `crypto`: what trust costs, which is chains, memberships and handshakes; again beside the bare thing.
#![forbid(unsafe_code)]

mod crypto;
mod dialler;
mod handshakes;
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
    crypto: bool,
    json: bool,
    rounds: usize,
    mib: usize,
}

fn options() -> Result<Options, Failure> {
    let mut options = Options { crypto: false, json: false, rounds: 5, mib: 256 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number =
            || words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0).ok_or(USAGE);
        match word.as_str() {
            "crypto" => options.crypto = true,
            "--json" => options.json = true,
            "--rounds" => options.rounds = number()?,
            "--mib" => options.mib = number()?,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

const USAGE: &str = "bench [crypto] [--json] [--rounds N] [--mib N]";

/// Workload, unit, and the peer beside which ours stands.
type Row = (&'static str, &'static str, &'static str);

const WORKLOADS: &[Row] =
    &[("bulk", "MiB/s", "quinn"), ("round_trip", "us", "quinn"), ("first_open", "us", "quinn")];

const TRUST: &[Row] = &[
    ("chain3_cold", "us", "ring"),
    ("chain24_cold", "us", "ring"),
    ("chain3_known", "us", ""),
    ("chain24_known", "us", ""),
    ("chain3_cold_p256", "us", ""),
    ("chain3_refused", "us", ""),
    ("issue", "us", ""),
    ("handshakes64", "1/s", "quinn"),
    ("handshake_good", "us", ""),
    ("handshake_good_cpu", "us", ""),
    ("handshake_bad", "us", ""),
    ("handshake_bad_cpu", "us", ""),
    ("flood", "1/s", ""),
    ("bulk_calm", "MiB/s", ""),
    ("bulk_flooded", "MiB/s", ""),
];

fn main() -> Result<(), Failure> {
    let options = options()?;
    let mut samples = Vec::new();
    for round in 0..options.rounds {
        if !options.json {
            eprintln!("round {} of {}", round + 1, options.rounds);
        }
        if options.crypto {
            crypto::round(&mut samples)?;
            handshakes::round(options.mib, &mut samples)?;
        } else {
            direct(round, options.mib, &mut samples)?;
        }
    }
    report(&options, &samples);
    Ok(())
}

/// Whoever goes first finds the machine cooler: they take turns.
fn direct(round: usize, mib: usize, samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    if round.is_multiple_of(2) {
        runtime.block_on(limit::round(mib, samples))?;
        runtime.block_on(ours::round(mib, samples))
    } else {
        runtime.block_on(ours::round(mib, samples))?;
        runtime.block_on(limit::round(mib, samples))
    }
}

fn report(options: &Options, samples: &[Sample]) {
    let rows = if options.crypto { TRUST } else { WORKLOADS };
    for (workload, unit, other) in rows {
        let of = |peer| {
            let mine = samples.iter().filter(|s| s.workload == *workload && s.peer == peer);
            median(mine.map(|s| s.value))
        };
        let ours = of("p2p");
        let limit = (!other.is_empty()).then(|| of(other));
        if options.json {
            for (peer, value) in [("p2p", Some(ours)), (*other, limit)] {
                if let Some(value) = value {
                    println!(
                        r#"{{"peer":"{peer}","workload":"{workload}","value":{value:.2},"unit":"{unit}"}}"#
                    );
                }
            }
            continue;
        }
        let beside = limit.map_or(String::new(), |limit| {
            format!(" {other:<5} {limit:>10.2} {unit:<6} ratio {:.2}", ours / limit)
        });
        println!("{workload:<18} p2p {ours:>10.2} {unit:<6}{beside}");
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
