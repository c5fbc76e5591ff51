//! The stage: actors as processes, what they are told and what they answer.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Longest wait for any single answer: only a hang takes that long.
const PATIENCE: Duration = Duration::from_secs(40);

/// One process on the stage.
pub(crate) struct Actor {
    pub(crate) name: &'static str,
    process: Child,
    orders: ChildStdin,
    lines: mpsc::Receiver<String>,
    /// Events that came while something else was awaited.
    kept: VecDeque<Vec<String>>,
}

/// The fields of an answer or event.
pub(crate) struct Fields(pub(crate) Vec<String>);

impl Fields {
    /// The value of `key=value`.
    pub(crate) fn get(&self, key: &str) -> Result<&str, String> {
        let found = self.0.iter().find_map(|field| field.strip_prefix(key)?.strip_prefix('='));
        found.ok_or_else(|| format!("`{key}` is missing in {:?}", self.0))
    }
}

impl Actor {
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Actor, String> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{name} could not be started: {e}"))?;
        let orders = process.stdin.take().ok_or("no standard input")?;
        let output = BufReader::new(process.stdout.take().ok_or("no standard output")?);
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Actor { name, process, orders, lines, kept: VecDeque::new() })
    }

    /// Gives an order and waits for its answer, which must be `ok`.
    pub(crate) fn ask(&mut self, words: &[&str]) -> Result<Fields, String> {
        self.order(words)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let fields = self.line(deadline, words[0])?;
            match fields.first().map(String::as_str) {
                Some("ok") => return Ok(Fields(fields)),
                Some("event") => self.kept.push_back(fields),
                _ => {
                    return Err(format!(
                        "{} could not {}: {}",
                        self.name,
                        words[0],
                        fields[1..].join(" ")
                    ));
                }
            }
        }
    }

    /// Waits for the next event that begins with these words; others are dropped.
    pub(crate) fn event(&mut self, words: &[&str]) -> Result<Fields, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let fields = match self.kept.pop_front() {
                Some(fields) => fields,
                None => self.line(deadline, words[0])?,
            };
            if fields.len() > words.len()
                && fields[1..].iter().zip(words).all(|(field, word)| field == word)
            {
                return Ok(Fields(fields));
            }
        }
    }

    fn order(&mut self, words: &[&str]) -> Result<(), String> {
        writeln!(self.orders, "{}", words.join("\t"))
            .map_err(|e| format!("{} does not listen: {e}", self.name))
    }

    fn line(&mut self, deadline: Instant, what: &str) -> Result<Vec<String>, String> {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = self
            .lines
            .recv_timeout(left)
            .map_err(|_| format!("{} says nothing about `{what}`", self.name))?;
        Ok(line.split('\t').map(str::to_owned).collect())
    }

    /// Lets the actor go home, and checks that it went in good order.
    pub(crate) fn leave(mut self) -> Result<(), String> {
        self.ask(&["quit"])?;
        let status = self.process.wait().map_err(|e| e.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", self.name)) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // Whatever went wrong, no process outlives the play; one that has left cannot be killed, and need not be.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder that is gone when the play is over.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Result<Scratch, String> {
        let folder = std::env::temp_dir().join(format!("p2p-demo-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Scratch(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A UDP port of `[::1]` that was free a moment ago.
pub(crate) fn free_port() -> Result<u16, String> {
    let socket =
        std::net::UdpSocket::bind("[::1]:0").map_err(|e| format!("no IPv6 loopback here: {e}"))?;
    Ok(socket.local_addr().map_err(|e| e.to_string())?.port())
}
