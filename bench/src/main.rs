//! What a direct connection costs, beside raw QUIC with the same settings: both in one run, rounds interleaved, the
//! median of each printed. Figures are read, never asserted.
//!
//! `cargo xtask bench [crypto] [--json] [--rounds N] [--mib N] [--peers N] [--only PART] [--plots FOLDER]`
//!
//! PART is one of `direct`, `further`, `fairness`, `loss`, `peers`, `core`, `ffi`. With `crypto`: what trust costs, which is chains,
//! memberships and handshakes; again beside the bare thing.
#![forbid(unsafe_code)]

mod alone;
mod cost;
mod crypto;
mod dialler;
mod fairness;
mod ffi;
mod handshakes;
mod hub;
mod limit;
mod loss;
mod messages;
mod opening;
mod ours;
mod peers;
mod plot;

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
    peers: usize,
    only: Option<String>,
    plots: Option<std::path::PathBuf>,
}

fn options() -> Result<Options, Failure> {
    let mut options = Options {
        crypto: false,
        json: false,
        rounds: 5,
        mib: 256,
        peers: 1_000,
        only: None,
        plots: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number =
            || words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0).ok_or(USAGE);
        match word.as_str() {
            "crypto" => options.crypto = true,
            "--json" => options.json = true,
            "--rounds" => options.rounds = number()?,
            "--mib" => options.mib = number()?,
            "--peers" => options.peers = number()?,
            "--plots" => options.plots = Some(words.next().ok_or(USAGE)?.into()),
            "--only" => {
                let known = |part: &&str| PARTS.contains(part) || TRUST_PARTS.contains(part);
                let part = words.next().filter(|part| known(&part.as_str()));
                options.only = Some(part.ok_or(USAGE)?);
            }
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

const USAGE: &str = "bench [crypto] [--json] [--rounds N] [--mib N] [--peers N] [--only PART] [--plots FOLDER]; \
    PART: direct, further, fairness, loss, peers, core, ffi; of crypto: chains, handshakes, flood";
const PARTS: &[&str] = &["direct", "further", "fairness", "loss", "peers", "core", "ffi"];
/// Of `crypto`.
const TRUST_PARTS: &[&str] = &["chains", "handshakes", "flood"];
/// The first word of a process that this program starts for a measurement of memory.
const CHILD: &str = "--child";

/// Workload, unit, and the peer beside which ours stands.
type Row = (&'static str, &'static str, &'static str);

const WORKLOADS: &[Row] = &[
    ("bulk", "MiB/s", "quinn"),
    ("cpu_per_gib", "s", "quinn"),
    ("messages", "1/s", "quinn"),
    ("round_trip", "us", "quinn"),
    ("first_open", "us", "quinn"),
    ("open_again", "us", "quinn"),
    ("close", "us", "quinn"),
    ("close_call", "us", "quinn"),
    ("senders64", "MiB/s", "quinn"),
    ("round_trip_calm", "us", "quinn"),
    ("round_trip_stalled", "us", "quinn"),
    ("bulk_loss", "MiB/s", "quinn"),
    ("memory_per_peer", "KiB", "quinn"),
    ("idle_cpu", "%", "quinn"),
    ("core_sent", "M/s", ""),
    ("core_received", "M/s", ""),
    ("core_direct", "B", ""),
    ("core_open_few", "us", ""),
    ("core_open_many", "us", ""),
    ("core_close_few", "us", ""),
    ("core_close_many", "us", ""),
    ("ffi_status", "us", "rust"),
    ("ffi_properties", "us", "rust"),
    ("ffi_connections", "us", "rust"),
    ("ffi_members", "us", "rust"),
    ("ffi_send", "us", "rust"),
    ("ffi_events", "M/s", "rust"),
    ("ffi_start", "ms", ""),
];

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
    let words: Vec<String> = std::env::args().skip(1).collect();
    match &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [CHILD, "core"] => return alone::child(),
        [CHILD, "peers", whose, peers] => return peers::child(whose, peers.parse()?),
        _ => {}
    }
    let options = options()?;
    let mut samples = Vec::new();
    for round in 0..options.rounds {
        if !options.json {
            eprintln!("round {} of {}, load {}", round + 1, options.rounds, cost::load());
        }
        if options.crypto {
            trust(&options, &mut samples)?;
        } else {
            direct(round, &options, &mut samples)?;
        }
    }
    let rows = if options.crypto { TRUST } else { WORKLOADS };
    report(&options, rows, &samples);
    match &options.plots {
        Some(folder) => plot::write(folder, rows, &samples),
        None => Ok(()),
    }
}

/// All parts of `crypto`, or the one that is wanted.
fn trust(options: &Options, samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let wanted = |part| options.only.as_deref().is_none_or(|only| only == part);
    if wanted("chains") {
        crypto::round(samples)?;
    }
    if wanted("handshakes") {
        handshakes::round(samples)?;
    }
    if wanted("flood") {
        handshakes::flood_round(options.mib, samples)?;
    }
    Ok(())
}

/// All parts, or the one that is wanted. Whoever goes first finds the machine cooler: they take turns.
fn direct(round: usize, options: &Options, samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    for part in PARTS {
        if options.only.as_deref().is_some_and(|only| only != *part) {
            continue;
        }
        match *part {
            "ffi" => ffi::round(samples)?,
            "core" => from_child(&["core"], "p2p", samples)?,
            // These take long, and do not vary: once is enough.
            "peers" if round > 0 => {}
            "peers" => {
                let peers = options.peers.to_string();
                from_child(&["peers", "quinn", &peers], "quinn", samples)?;
                from_child(&["peers", "p2p", &peers], "p2p", samples)?;
            }
            part => {
                let order = if round.is_multiple_of(2) { [false, true] } else { [true, false] };
                for ours in order {
                    runtime.block_on(half(part, ours, options.mib, samples))?;
                }
            }
        }
    }
    Ok(())
}

/// One part, on our side or the limit's.
async fn half(
    part: &str,
    ours: bool,
    mib: usize,
    samples: &mut Vec<Sample>,
) -> Result<(), Failure> {
    match (part, ours) {
        ("direct", true) => ours::round(mib, samples).await,
        ("direct", false) => limit::round(mib, samples).await,
        ("further", true) => opening::ours(samples).await,
        ("further", false) => opening::quinn(samples).await,
        ("fairness", true) => fairness::ours(samples).await,
        ("fairness", false) => fairness::quinn(samples).await,
        (_, true) => loss::ours(samples).await,
        (_, false) => loss::quinn(samples).await,
    }
}

/// What a process of its own has found: a line for each workload, its name and its value.
fn from_child(
    words: &[&str],
    peer: &'static str,
    samples: &mut Vec<Sample>,
) -> Result<(), Failure> {
    let output = std::process::Command::new(std::env::current_exe()?)
        .arg(CHILD)
        .args(words)
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("a process of the bench failed: {}", output.status).into());
    }
    for line in String::from_utf8(output.stdout)?.lines() {
        let (name, value) = line.split_once(' ').ok_or("a line of a child is no figure")?;
        let row = WORKLOADS.iter().find(|row| row.0 == name).ok_or("an unknown workload")?;
        samples.push(Sample { workload: row.0, peer, value: value.parse()? });
    }
    Ok(())
}

fn report(options: &Options, rows: &[Row], samples: &[Sample]) {
    for (workload, unit, other) in rows {
        if !samples.iter().any(|sample| sample.workload == *workload) {
            continue;
        }
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

fn seconds_per_gib(mib: usize, time: Duration) -> f64 {
    time.as_secs_f64() * 1_024.0 / mib as f64
}
