//! The README's walk-through, done as it is written: the same commands, and every line that it shows must come.
//!
//! Names, ports and connection ids differ from run to run, so they stand for whatever comes in their place the first
//! time; what is typed later uses that.

use std::collections::BTreeMap;
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Machine, Running, invitation};

const README: &str = include_str!("../../README.md");

/// One fenced block: who sits at the terminal, and the lines in it.
struct Block {
    terminal: &'static str,
    lines: Vec<&'static str>,
}

#[test]
fn the_readme_tells_what_happens() {
    let mut world = World::new();
    let blocks = blocks();
    assert!(blocks.len() > 5, "{}", blocks.len());
    for block in blocks {
        world.play(&block);
    }
    assert!(world.running.is_empty(), "everything ends in the end");
}

struct World {
    folder: TempDir,
    machines: BTreeMap<&'static str, Machine>,
    /// What runs in each terminal.
    running: BTreeMap<&'static str, Running>,
    /// What the README's names, ports and ids are this time.
    meaning: BTreeMap<String, String>,
}

impl World {
    fn new() -> World {
        World {
            folder: TempDir::new().unwrap(),
            machines: [("Ada", Machine::new()), ("Bob", Machine::new())].into(),
            running: BTreeMap::new(),
            meaning: BTreeMap::new(),
        }
    }

    fn play(&mut self, block: &Block) {
        let mut expected: Vec<&str> = Vec::new();
        for line in &block.lines {
            if line.starts_with("$ export ") {
                continue;
            }
            let typed = line.strip_prefix("$ ").or(line.starts_with('/').then_some(line));
            let Some(typed) = typed else {
                expected.push(line);
                continue;
            };
            self.see(block.terminal, std::mem::take(&mut expected));
            match line.strip_prefix("$ ") {
                Some(command) => self.start(block.terminal, command),
                None => {
                    let typed = self.translate(typed);
                    self.running.get_mut(block.terminal).expect("something runs").say(&typed);
                }
            }
        }
        self.see(block.terminal, expected);
        self.finish(block.terminal);
    }

    /// Starts a command line in a terminal, where the one before must end.
    fn start(&mut self, terminal: &'static str, line: &str) {
        self.finish(terminal);
        assert!(!self.running.contains_key(terminal), "{terminal} is busy: {line}");
        let machine = &self.machines[terminal.split(',').next().unwrap()];
        if line.contains("p2p invite") {
            let xml = std::fs::read_to_string(self.folder.path().join("bob.xml")).unwrap();
            invitation(machine, &xml);
        }
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_p2p")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let like = machine.command(&[]);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec 2>&1; {line}")]).current_dir(self.folder.path());
        command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", format!("{}:{path}", program.display()));
        self.running.insert(terminal, Running::start(command));
    }

    /// Waits for these lines, in any order.
    fn see(&mut self, terminal: &'static str, mut expected: Vec<&str>) {
        while !expected.is_empty() {
            let running = self.running.get_mut(terminal).expect("something runs");
            let meaning = &self.meaning;
            let fits = |line: &str| {
                expected.iter().position(|shown| matches(shown, line, meaning).is_some())
            };
            let line = running.until(|line| fits(line).is_some());
            let shown = expected.remove(fits(&line).expect("it fits"));
            let learnt = matches(shown, &line, &self.meaning).expect("it fits");
            self.meaning.extend(learnt);
        }
    }

    /// If what runs in a terminal does not wait for input, it must end well. What waits is `listen` until `/quit`.
    fn finish(&mut self, terminal: &'static str) {
        let ends = self.running.get(terminal).is_some_and(|running| !running.listens());
        if ends {
            let ended = self.running.remove(terminal).expect("it is there").end();
            assert_eq!(ended.code, 0, "{ended:?}");
        }
    }

    fn translate(&self, typed: &str) -> String {
        words(typed).map(|word| self.meaning.get(word).map_or(word, String::as_str)).collect()
    }
}

/// Whether a line is the one that is shown, and what the variable words in it are then.
fn matches(
    shown: &str,
    line: &str,
    meaning: &BTreeMap<String, String>,
) -> Option<Vec<(String, String)>> {
    let (mut shown, mut line) = (words(shown), words(line));
    let mut learnt = Vec::new();
    loop {
        match (shown.next(), line.next()) {
            (None, None) => return Some(learnt),
            (Some(one), Some(other)) if is_variable(one) && is_variable(other) => {
                if meaning.get(one).is_some_and(|known| known != other) {
                    return None;
                }
                learnt.push((one.to_owned(), other.to_owned()));
            }
            (Some(one), Some(other)) if one == other => {}
            _ => return None,
        }
    }
}

/// Letters and digits together, everything else by itself.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).filter(|end| *end > 0);
        let end = end.unwrap_or(if first.is_ascii_alphanumeric() {
            rest.len()
        } else {
            first.len_utf8()
        });
        let (word, further) = rest.split_at(end);
        rest = further;
        Some(word)
    })
}

/// The digits of a key, a port or a connection.
fn is_variable(word: &str) -> bool {
    let hex = word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    hex && (word.len() >= 8 || word.len() >= 4 && word.bytes().all(|b| b.is_ascii_digit()))
}

fn blocks() -> Vec<Block> {
    let section = README.split("## Two terminals").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut blocks = Vec::new();
    let mut terminal = "";
    let mut lines = section.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("**").and_then(|rest| rest.split_once("**")) {
            terminal = title.0;
        } else if line == "```console" {
            let lines = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(Block { terminal, lines });
        }
    }
    blocks
}

#[test]
fn variable_words_stand_for_what_comes() {
    let meaning = [("57983".to_owned(), "1234".to_owned())].into();
    let learnt =
        matches("Bob (f3a7c411) at [::1]:57983.", "Bob (00000000) at [::1]:1234.", &meaning)
            .unwrap();
    assert!(learnt.contains(&("f3a7c411".to_owned(), "00000000".to_owned())));
    for other in
        ["Bob (00000000) at [::1]:1235.", "Eve (00000000) at [::1]:1234.", "Bob (00000000)"]
    {
        assert!(matches("Bob (f3a7c411) at [::1]:57983.", other, &meaning).is_none(), "{other}");
    }
}
