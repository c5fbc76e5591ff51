//! How far a transfer is: a bar on a terminal, records for programs, nothing elsewhere.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use p2p_group::Code;
use serde_json::{Value, json};

use super::digits;
use super::wire::Offer;
use crate::exit::Failure;
use crate::print::{Printer, escape, hex, name};

/// Between two signs of progress.
const EVERY: Duration = Duration::from_millis(500);
/// Letters of the bar.
const WIDTH: u64 = 24;

/// One transfer, as it is told.
pub(super) struct Progress {
    out: Printer,
    /// What every record of this transfer has.
    record: Value,
    name: String,
    size: u64,
    began: u64,
    start: Instant,
    last: Instant,
    bar: bool,
}

impl Progress {
    /// `far` is the connection and its other end, as [`far_end`](super::far_end) says it; `name` is what the file is called
    /// here; `bytes` of it need not travel.
    pub(super) fn new(
        out: Printer,
        direction: &str,
        far: &Value,
        offer: &Offer,
        name: &str,
        bytes: u64,
    ) -> Progress {
        let mut record = json!({ "type": "transfer", "change": "begun", "direction": direction });
        let fields = record.as_object_mut().expect("it is an object");
        for name in ["id", "peer", "friendly_name"] {
            fields.insert(name.to_owned(), far[name].clone());
        }
        fields.insert("name".to_owned(), name.into());
        fields.insert("hash".to_owned(), digits(&offer.hash).into());
        fields.insert("size".to_owned(), offer.size.into());
        fields.insert("bytes".to_owned(), bytes.into());
        let (now, bar) = (Instant::now(), !out.is_json() && io::stderr().is_terminal());
        let (name, size) = (name.to_owned(), offer.size);
        Progress { out, record, name, size, began: bytes, start: now, last: now, bar }
    }

    /// Without a bar: somebody types on that terminal.
    pub(super) fn without_bar(mut self) -> Progress {
        self.bar = false;
        self
    }

    /// Says that it begins.
    pub(super) fn begin(&self, line: &str) -> Result<(), Failure> {
        self.out.say(line, &self.record)
    }

    /// Says that `bytes` are there, if that was not said a moment ago.
    pub(super) fn at(&mut self, bytes: u64) -> Result<(), Failure> {
        self.record["bytes"] = bytes.into();
        if self.last.elapsed() < EVERY || !(self.bar || self.out.is_json()) {
            return Ok(());
        }
        self.last = Instant::now();
        if self.bar {
            let speed = (bytes - self.began) as f64 / self.start.elapsed().as_secs_f64();
            draw(&bar(&self.name, bytes, self.size, speed));
            return Ok(());
        }
        self.record["change"] = "progress".into();
        self.out.list([], &self.record)
    }

    /// Says that the file is stored, on the receiving side under this path.
    pub(super) fn done(mut self, line: &str, path: Option<&Path>) -> Result<(), Failure> {
        self.clear();
        self.record["change"] = "done".into();
        self.record["bytes"] = self.size.into();
        if let Some(path) = path {
            self.record["path"] = path.to_string_lossy().into();
        }
        self.out.say(line, &self.record)
    }

    /// Says on the receiving side, which goes on, that it is not.
    pub(super) fn failed(mut self, line: &str, code: Code) -> Result<(), Failure> {
        self.clear();
        self.record["change"] = "failed".into();
        self.record["code"] = name(code).into();
        self.record["value"] = hex(code).into();
        self.out.say(line, &self.record)
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        if self.bar {
            draw("");
        }
    }
}

/// Replaces the line in which the cursor is. That nobody can see it is no reason to stop.
fn draw(line: &str) {
    let width = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| width.0);
    let line: String = escape(line).chars().take(usize::from(width).saturating_sub(1)).collect();
    let _ = write!(io::stderr().lock(), "\r\x1b[K{line}");
    let _ = io::stderr().flush();
}

/// `x.txt  [######          ]  25 %  1.0 of 4.0 MiB  2.5 MiB/s`
fn bar(name: &str, bytes: u64, size: u64, speed: f64) -> String {
    let part = |of: u64| (u128::from(bytes) * u128::from(of) / u128::from(size.max(1))) as u64;
    let full = "#".repeat(part(WIDTH) as usize);
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    format!(
        "[{full:WIDTH$}] {:3} %  {:.1} of {:.1} MiB  {:.1} MiB/s  {name}",
        part(100),
        mib(bytes as f64),
        mib(size as f64),
        mib(speed),
        WIDTH = WIDTH as usize
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_the_part_that_is_there() {
        let mib = 1 << 20;
        let line = bar("x.txt", mib, 4 * mib, 2.5 * mib as f64);
        assert_eq!(line, "[######                  ]  25 %  1.0 of 4.0 MiB  2.5 MiB/s  x.txt");
        assert!(bar("x", 0, 0, 0.0).contains("]   0 %"));
        assert!(bar("x", u64::MAX, u64::MAX, 0.0).contains("[########################] 100 %"));
    }
}
