//! The C interface beside the calls that it translates. Whoever calls it needs `unsafe`, so the program is one of p2p-ffi's own
//! (`crates/p2p-ffi/benches/calls.rs`); its lines are read here.

use std::process::{Command, Stdio};

use crate::{Failure, Sample, WORKLOADS};

pub(crate) fn round(samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["bench", "--quiet", "--package", "p2p-ffi", "--bench", "calls"]);
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("the bench of the C interface failed: {}", output.status).into());
    }
    for line in String::from_utf8(output.stdout)?.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(peer), Some(value)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let Some(row) = WORKLOADS.iter().find(|row| row.0 == name) else { continue };
        let peer = if peer == "rust" { "rust" } else { "p2p" };
        samples.push(Sample { workload: row.0, peer, value: value.parse()? });
    }
    Ok(())
}
