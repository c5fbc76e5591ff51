//! Processes under test. Nothing here sleeps: every wait is for a line or an end, and has a deadline that only a
//! broken program reaches.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::documented;

const DEADLINE: Duration = Duration::from_secs(90);

/// Somebody's machine: a home, and the processes that use it.
pub(crate) struct Machine {
    home: TempDir,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Machine {
    /// With no identity.
    pub(crate) fn new() -> Machine {
        Machine { home: TempDir::new().unwrap() }
    }

    /// With one identity.
    pub(crate) fn of(name: &str) -> Machine {
        let machine = Machine::new();
        machine.ok(&["identity", "create", name]);
        machine
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// With `P2P_TEST_LOG`, a failing test shows what its processes logged.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_p2p"));
        command.args(words).env("P2P_HOME", self.home.path()).env("P2P_LISTEN", "[::1]:0");
        command.env("P2P_LOG", std::env::var("P2P_TEST_LOG").unwrap_or_default());
        command
    }

    /// A process whose input and output are ours.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        Running::start(self.command(words))
    }

    /// Runs a command to its end, with `input` as all of its standard input.
    pub(crate) fn with_input(&self, words: &[&str], input: &str) -> Ended {
        let mut running = self.start(words);
        // A process that fails early does not read.
        let _ = running.stdin.take().expect("it is ours").write_all(input.as_bytes());
        running.end()
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        self.with_input(words, "")
    }

    /// Runs a command that must work, and answers what it printed.
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        let ended = self.run(words);
        assert_eq!(ended.code, 0, "p2p {words:?}: {ended:?}");
        ended.out
    }

    /// Runs a command that must work, and answers the records it printed.
    pub(crate) fn records(&self, words: &[&str]) -> Vec<Value> {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        self.ok(&words).lines().map(documented::read).collect()
    }

    /// Runs a command that must fail, and answers the exit code and the record of the error.
    pub(crate) fn fails(&self, words: &[&str]) -> (i32, Value) {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let ended = self.run(&words);
        ended.error()
    }
}

impl Ended {
    /// The exit code and the record of the error, which is the last line of standard error.
    pub(crate) fn error(&self) -> (i32, Value) {
        assert_ne!(self.code, 0, "{self:?}");
        (self.code, documented::read(self.err.lines().last().expect("an error is said")))
    }
}

/// A process that runs. Killed if a test ends without waiting for it.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    out: Receiver<String>,
    seen: Vec<String>,
    listens: bool,
    err: Option<JoinHandle<String>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Running {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let listens = command.get_args().any(|word| word.to_string_lossy().contains("listen"));
        let stdin = child.stdin.take();
        let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (send, out) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                // Nobody listens any more: the test is over.
                if send.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        let err = thread::spawn(move || {
            let mut all = String::new();
            stderr.read_to_string(&mut all).unwrap();
            all
        });
        Running { child, stdin, out, seen: Vec::new(), listens, err: Some(err) }
    }

    /// Types a line.
    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("input is open");
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
        self.listens &= line != "/quit";
    }

    /// Ends the input.
    pub(crate) fn hang_up(&mut self) {
        drop(self.stdin.take());
    }

    /// The next line that `fits`; those before it are skipped.
    pub(crate) fn until(&mut self, fits: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.next().unwrap_or_else(|| panic!("it has ended: {}", self.transcript()));
            if fits(&line) {
                return line;
            }
        }
    }

    /// The next record that has these values in these fields. Every record on the way must be a documented one.
    pub(crate) fn record(&mut self, fields: &[(&str, &str)]) -> Value {
        loop {
            let line =
                self.next().unwrap_or_else(|| panic!("no {fields:?}: {}", self.transcript()));
            let record = documented::read(&line);
            let fits = |(name, value): &(&str, &str)| match &record[name] {
                Value::String(text) => text == value,
                other => *other == serde_json::from_str::<Value>(value).unwrap_or(Value::Null),
            };
            if fields.iter().all(fits) {
                return record;
            }
        }
    }

    /// Waits for the process to end by itself. Its input ends now.
    pub(crate) fn end(mut self) -> Ended {
        self.hang_up();
        while self.next().is_some() {}
        let code = self.child.wait().unwrap().code().expect("it was not killed");
        let err = self.err.take().unwrap().join().unwrap();
        let out = self.seen.iter().map(|line| format!("{line}\n")).collect();
        Ended { code, out, err }
    }

    /// Whether it goes on until it is told to end.
    pub(crate) fn listens(&self) -> bool {
        self.listens
    }

    #[cfg(unix)]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line; `None` when standard output is closed.
    fn next(&mut self) -> Option<String> {
        match self.out.recv_timeout(DEADLINE) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing more comes: {}", self.transcript()),
        }
    }

    fn transcript(&mut self) -> String {
        let _ = self.child.kill();
        let err = self.err.take().map(|err| err.join().unwrap()).unwrap_or_default();
        format!("\n{}\nstandard error:\n{err}", self.seen.join("\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ada has a group and is online in it; Bob has joined, and is not.
pub(crate) struct Pair {
    pub(crate) ada: Machine,
    pub(crate) bob: Machine,
    pub(crate) online: Running,
}

impl Pair {
    /// Ada listens in `--json`.
    pub(crate) fn new() -> Pair {
        let (ada, bob) = (Machine::of("Ada"), Machine::of("Bob"));
        ada.ok(&["group", "create", "garden"]);
        let mut online = ada.start(&["listen", "--json"]);
        online.record(&[("type", "status"), ("listening", "true")]);
        join(&ada, &bob);
        Pair { ada, bob, online }
    }
}

/// Makes the second a member of the first one's only group, while that is online in another process.
pub(crate) fn join(inviter: &Machine, invitee: &Machine) {
    let invitation = invitation(inviter, &invitee.ok(&["identity", "show"]));
    let joined = invitee.with_input(&["join"], invitation["invitation"].as_str().unwrap());
    assert_eq!(joined.code, 0, "{joined:?}");
}

/// An invitation that says where the inviter's other process listens.
pub(crate) fn invitation(inviter: &Machine, xml: &str) -> Value {
    // Whoever was told that a process listens finds on disk where.
    let invitation = documented::read(&inviter.ok(&["invite", xml.trim(), "--json"]));
    assert_ne!(invitation["addresses"], json!([]), "the inviter listens");
    invitation
}
