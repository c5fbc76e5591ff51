//! A member in a process of its own, driven line by line: see `bin/peer.rs`.

use std::path::Path;
use std::process::Stdio;

use p2p_group::{Address, Code, ConnectionId, IdentityInfo, Invitation, KeyId, PeerName};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::world::within;

/// A member in a process of its own. Dropping it kills the process.
#[derive(Debug)]
pub struct Remote {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Its identity.
    pub info: IdentityInfo,
}

impl Remote {
    /// Starts `program`, which is `env!("CARGO_BIN_EXE_p2p-tests-peer")`, and a node of a new identity in it.
    pub async fn start(program: &str, name: &str) -> Remote {
        Remote::launch(Command::new(program), &["identity", name]).await
    }

    /// The same with a home: a new identity in it or, without a name, the one that is there.
    pub async fn start_in(program: &str, home: &Path, name: Option<&str>) -> Remote {
        let mut command = Command::new(program);
        command.env("P2P_HOME", home);
        let words = name.map_or(vec!["wake"], |name| vec!["keep", name]);
        Remote::launch(command, &words).await
    }

    /// The same with a command that has been prepared, and the first words to it.
    pub async fn launch(mut command: Command, first: &[&str]) -> Remote {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the peer is built with the tests");
        let mut input = child.stdin.take().expect("a pipe");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let answer = ask(&mut input, &mut output, first).await.expect("an identity");
        let info = IdentityInfo::from_xml(&unhex(&answer[0])).expect("its own description");
        Remote { child, input, output, info }
    }

    /// Says something and waits for the answer.
    ///
    /// # Errors
    /// The code of a command that failed, as text.
    pub async fn ask(&mut self, words: &[&str]) -> Result<Vec<String>, String> {
        ask(&mut self.input, &mut self.output, words).await
    }

    /// As [`ask`](Self::ask), for what must not fail.
    pub async fn get(&mut self, words: &[&str]) -> Vec<String> {
        match self.ask(words).await {
            Ok(answer) => answer,
            Err(error) => panic!("{words:?}: {error}"),
        }
    }

    /// Says something without waiting for its answer.
    pub async fn say(&mut self, words: &[&str]) {
        say(&mut self.input, words).await;
    }

    /// The next line of what it answers.
    pub async fn hear(&mut self) -> Result<Vec<String>, String> {
        hear(&mut self.output).await
    }

    /// The code of a command.
    pub async fn code(&mut self, words: &[&str]) -> String {
        match self.ask(words).await {
            Ok(_) => Code::S_OK.to_string(),
            Err(error) => error,
        }
    }

    /// Accepts an invitation.
    pub async fn join(&mut self, invitation: &Invitation) {
        self.get(&["join", &invitation.to_line()]).await;
    }

    /// Goes online, and has its queue of direct connections and data from now on.
    pub async fn online(&mut self) {
        self.get(&["connect"]).await;
        self.get(&["watch"]).await;
    }

    /// Where it listens.
    pub async fn address(&mut self) -> Address {
        let answer = self.get(&["address"]).await;
        answer[0].parse::<std::net::SocketAddr>().expect("an address").into()
    }

    /// Its key.
    pub fn key(&self) -> KeyId {
        self.info.key
    }

    /// Its name.
    pub fn name(&self) -> &PeerName {
        &self.info.name
    }

    /// Its next event: a direct connection stands. Its id there.
    pub async fn connected(&mut self) -> ConnectionId {
        let event = self.get(&["next"]).await;
        let id = event[2].parse().map(ConnectionId).expect("an id");
        assert_eq!(event, ["direct", "Connected", &event[2], &Code::S_OK.to_string()]);
        id
    }

    /// Its next event: `id` has ended.
    pub async fn disconnected(&mut self, id: ConnectionId, code: Code) {
        let event = self.get(&["next"]).await;
        assert_eq!(event, ["direct", "Disconnected", &id.0.to_string(), &code.to_string()]);
    }

    /// Its next event: a message on `id`.
    pub async fn text(&mut self, id: ConnectionId, text: &str) {
        assert_eq!(self.get(&["next"]).await, ["data", &id.0.to_string(), text]);
    }

    /// The code of closing `id` there.
    pub async fn close(&mut self, id: ConnectionId) -> String {
        self.code(&["close", &id.0.to_string()]).await
    }

    /// Stops it where it stands, as SIGSTOP does: it keeps its sockets, and does nothing. Returns when it stands.
    #[cfg(unix)]
    pub fn pause(&self) {
        use rustix::process::{Signal, WaitOptions, kill_process, waitpid};
        kill_process(self.pid(), Signal::STOP).expect("it is ours");
        let stopped = waitpid(Some(self.pid()), WaitOptions::UNTRACED).expect("it is ours");
        assert!(stopped.is_some_and(|(_, status)| status.stopped()), "it has not ended");
    }

    /// Lets it go on.
    #[cfg(unix)]
    pub fn resume(&self) {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::CONT)
            .expect("it is ours");
    }

    #[cfg(unix)]
    fn pid(&self) -> rustix::process::Pid {
        let id = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        id.expect("it runs")
    }

    /// Kills it where it stands, as SIGKILL does, and waits until it is gone.
    pub async fn kill(mut self) {
        self.child.start_kill().expect("it runs");
        within(self.child.wait()).await.expect("it can be waited for");
    }

    /// Closes what is open there, and waits until the process has ended well.
    pub async fn quit(mut self) {
        self.get(&["quit"]).await;
        let ended = within(self.child.wait()).await.expect("it can be waited for");
        assert!(ended.success(), "{ended}");
    }
}

async fn ask(
    input: &mut ChildStdin,
    output: &mut Lines<BufReader<ChildStdout>>,
    words: &[&str],
) -> Result<Vec<String>, String> {
    say(input, words).await;
    hear(output).await
}

async fn say(input: &mut ChildStdin, words: &[&str]) {
    let line = format!("{}\n", words.join("\t"));
    input.write_all(line.as_bytes()).await.expect("it listens");
}

async fn hear(output: &mut Lines<BufReader<ChildStdout>>) -> Result<Vec<String>, String> {
    let line = within(output.next_line()).await.expect("a line").expect("it answers");
    let mut words = line.split('\t').map(str::to_owned);
    match words.next().as_deref() {
        Some("ok") => Ok(words.collect()),
        Some("err") => Err(words.next().unwrap_or_default()),
        _ => panic!("not an answer: {line}"),
    }
}

/// Text as hexadecimal digits: it stays one word of one line.
pub fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The text that hexadecimal digits spell.
pub fn unhex(digits: &str) -> String {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    let bytes = (0..digits.len()).step_by(2).map(byte).collect();
    String::from_utf8(bytes).expect("text")
}
