//! Any order of calls through the exported C functions, with whatever a careless program could pass.
//!
//! The program of a run is careless and not malicious: its pointers are null or lead to memory of the size that it tells
//! the library, but handles are null, stale, of another kind or invented, sizes wrong, texts broken or without end, and
//! nothing comes in an order that makes sense. Each call must return one of the codes of its function (those of
//! `p2p-ffi/tests/contract.txt`), clear what it cannot give, and agree with a naive model of which handles are open.

mod contract;
mod model;
mod values;

use std::panic;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use p2p_core::Code;

use crate::calls::{self, Kind, ROWS, Row};
use model::{Due, Model};
use values::Values;

/// Calls of one run.
const STEPS_MAX: usize = 150;
/// Parameters of one function, at most.
const PARAMETERS_MAX: usize = 6;
/// What stands where a result is to go, before the call.
const UNTOUCHED: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// A program that calls: the first byte says what it has to begin with, then one byte chooses each function and one each
/// of its arguments. At the end it gives everything back.
pub fn c_calls(bytes: &[u8]) {
    let mut choices = bytes.iter().copied();
    let mut program = Program::new();
    program.furnish(choices.next().unwrap_or_default());
    for _ in 0..STEPS_MAX {
        let Some(which) = choices.next() else { break };
        let row = &ROWS[usize::from(which) % ROWS.len()];
        let words = program.choose(row, &mut choices);
        program.call(row, &words);
    }
    program.end();
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "a thread of the library panicked");
}

/// Panics of any thread: those inside a call are caught there.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// The home of this process's library.
fn home() -> &'static PathBuf {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    HOME.get_or_init(|| {
        // In memory where there is a place for that: waiting for a disk would take longer than all the rest.
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let home = folder.join(format!("p2p-c-calls-{}", std::process::id()));
        calls::live_in(&home);
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            before(info);
        }));
        home
    })
}

/// Removes what a run has left; there may be nothing.
fn sweep() {
    if home().exists() {
        std::fs::remove_dir_all(home()).expect("the home of a run can be removed");
    }
}

struct Program {
    model: Model,
    values: Values,
    /// Where results go: one for each parameter.
    outs: Box<[AtomicU64; PARAMETERS_MAX]>,
    /// What was called, for who reads a failure.
    history: Vec<String>,
}

impl Program {
    fn new() -> Program {
        sweep();
        let outs = Box::new(std::array::from_fn(|_| AtomicU64::new(0)));
        Program { model: Model::default(), values: Values::new(), outs, history: Vec::new() }
    }

    /// What a run begins with, bit by bit: else most would spend themselves on a library that is not started.
    fn furnish(&mut self, scene: u8) {
        let has = |bit: u8| scene >> bit & 1 == 1;
        if has(0) {
            self.named("PeerGroupStartup", &[0x0101]);
        }
        if has(1) {
            self.named("PeerIdentityCreate", &[0, 0, 0]);
            self.named("PeerIdentityGetXML", &[0]);
            let properties = self.values.good_properties();
            self.named("PeerGroupCreate", &[properties]);
        }
        let group = self.model.newest(Kind::Group);
        if has(2) {
            self.named("PeerGroupConnect", &[group]);
        }
        if has(3) {
            self.named("P2PCreateEvent", &[0, 0]);
            let (event, entries) = (self.model.newest(Kind::Event), self.values.good_entries());
            self.named("PeerGroupRegisterEvent", &[group, event, 2, entries]);
        }
        if has(4) {
            self.named("PeerIdentityCreate", &[0, 0, 0]);
            let guest = self.values.newest_name();
            self.named("PeerIdentityGetXML", &[guest]);
            let xml = self.values.newest_xml();
            self.named("PeerGroupCreateInvitation", &[group, xml, 0, 0, 0]);
        }
        if has(5) {
            self.named("PeerEnumIdentities", &[]);
            self.named("PeerGroupEnumMembers", &[group, 0, 0]);
            self.named("P2PKeyGenerate", &[]);
        }
    }

    /// Calls a function with these words; what is written goes where it belongs.
    fn named(&mut self, name: &str, words: &[u64]) {
        let row = ROWS.iter().find(|row| row.name == name).expect("a name of the header");
        let mut words = words.iter().copied();
        let mut all = Vec::new();
        for (place, kind) in row.parameters.iter().enumerate() {
            all.push(if *kind >= Kind::OutBlock {
                self.out(place, UNTOUCHED)
            } else {
                words.next().expect("as many words as are read")
            });
        }
        self.call(row, &all);
    }

    /// One argument for each parameter.
    fn choose(&mut self, row: &Row, choices: &mut impl Iterator<Item = u8>) -> Vec<u64> {
        let of_bytes = row.parameters.contains(&Kind::Bytes);
        let mut words = Vec::new();
        for (place, kind) in row.parameters.iter().enumerate() {
            let choice = choices.next().unwrap_or(u8::MAX);
            words.push(match kind {
                Kind::Group | Kind::Queue | Kind::Snapshot | Kind::Event | Kind::Key => {
                    self.model.handle(*kind, choice, self.values.memory())
                }
                Kind::KeyOrNone => self.model.handle(Kind::Key, choice, self.values.memory()),
                Kind::Block => self.model.block_to_free(choice),
                Kind::EventData => self.model.looked_up(choice, self.values.memory()),
                Kind::Id => self.model.id(choice),
                Kind::InOutNumber if choice != 0 => self.out(place, u64::from(choice % 4)),
                kind if *kind >= Kind::OutBlock && choice == 0 => 0,
                kind if *kind >= Kind::OutBlock => self.out(place, UNTOUCHED),
                kind => self.values.choose(*kind, choice, of_bytes),
            });
        }
        words
    }

    fn out(&mut self, place: usize, before: u64) -> u64 {
        self.outs[place].store(before, Ordering::Relaxed);
        self.outs[place].as_ptr().expose_provenance() as u64
    }

    /// What was written for a parameter; `None` if nothing was to be.
    fn written(&self, row: &Row, words: &[u64], place: usize) -> Option<u64> {
        let word = self.outs[place].load(Ordering::Relaxed);
        let narrow = matches!(row.parameters[place], Kind::OutNumber | Kind::InOutNumber)
            && row.name != "PeerGroupOpenDirectConnection";
        (words[place] != 0).then_some(if narrow { word & u64::from(u32::MAX) } else { word })
    }

    /// Calls a function, and holds the answer to its contract and to the model.
    fn call(&mut self, row: &Row, words: &[u64]) -> u64 {
        let due = self.model.due(row, words);
        self.history.push(format!("{}{words:x?}", row.name));
        let wanted = match row.name {
            "PeerGetNextItem" => self.written(row, words, 1),
            _ => None,
        };
        let answer = row.call(words);
        if let Some(last) = self.history.last_mut() {
            *last += &format!(" = {answer:#x}");
        }
        if let Err(why) = self.judge(row, words, &due, answer) {
            panic!("{}: {why}, {due:?} was due\n{}", row.name, self.history.join("\n"));
        }
        if calls_give_codes(row) && answer as i32 >= 0 {
            self.learn(row, words, wanted, answer);
        } else if !calls_give_codes(row) {
            self.model.answered(row, words, answer);
        }
        answer
    }

    fn judge(&self, row: &Row, words: &[u64], due: &Due, answer: u64) -> Result<(), String> {
        if !due.allows(answer) {
            return Err(format!("{answer:#x}"));
        }
        if !calls_give_codes(row) {
            return Ok(());
        }
        if !contract::allows(row.name, answer as u32) {
            return Err(format!("{answer:#x} is no code of it"));
        }
        let failed = (answer as i32) < 0;
        for (place, kind) in row.parameters.iter().enumerate() {
            let Some(written) = self.written(row, words, place) else { continue };
            match kind {
                Kind::OutBlock
                | Kind::OutBlockOrNone
                | Kind::OutGroup
                | Kind::OutQueue
                | Kind::OutSnapshot
                | Kind::OutKey
                | Kind::OutNumber
                | Kind::InOutNumber => {
                    if failed && written != 0 {
                        return Err(format!("it failed, and left {written:#x}"));
                    }
                    if written == UNTOUCHED {
                        return Err("it left what was there".to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What a success changes.
    fn learn(&mut self, row: &Row, words: &[u64], wanted: Option<u64>, answer: u64) {
        self.model.succeeded(row, words);
        for (place, kind) in row.parameters.iter().enumerate() {
            let Some(written) = self.written(row, words, place) else { continue };
            match kind {
                Kind::OutBlock | Kind::OutBlockOrNone if written != 0 => {
                    self.model.out(written);
                    self.values.learn(row.name, written);
                }
                Kind::OutGroup => {
                    self.model.opened(Kind::Group, written);
                    self.learn_group(written);
                }
                Kind::OutQueue => self.model.opened(Kind::Queue, written),
                Kind::OutSnapshot => self.model.opened(Kind::Snapshot, written),
                Kind::OutKey => self.model.opened(Kind::Key, written),
                Kind::OutNumber if row.name == "PeerGroupOpenDirectConnection" => {
                    self.model.ids.push(written);
                }
                _ => {}
            }
        }
        match row.name {
            "PeerGetItemCount" => {
                let count = self.written(row, words, 1).expect("it succeeded");
                self.model.counted(words[0], count);
            }
            "PeerGetNextItem" => {
                let taken = self.written(row, words, 1).expect("it succeeded");
                let items = self.written(row, words, 2).expect("it succeeded");
                assert_eq!(taken == 0, items == 0, "{}", self.history.join("\n"));
                self.model.took(words[0], wanted.expect("it succeeded"), taken);
            }
            "PeerGroupGetEventData" => {
                let event = self.written(row, words, 1).expect("it succeeded");
                assert_eq!(event == 0, answer != 0, "{}", self.history.join("\n"));
            }
            "PeerGroupDelete" => self.look_again(),
            _ => {}
        }
    }

    /// The name of a group that was opened, for those who need one; it may not be known yet.
    fn learn_group(&mut self, group: u64) {
        let get = ROWS.iter().find(|row| row.name == "PeerGroupGetProperties").expect("a row");
        let out = self.out(PARAMETERS_MAX - 1, 0);
        if get.call(&[group, out]) == 0 {
            let block = self.outs[PARAMETERS_MAX - 1].load(Ordering::Relaxed);
            self.values.names.push(calls::group_name(block));
            let free = ROWS.iter().find(|row| row.name == "PeerFreeData").expect("a row");
            free.call(&[block]);
        }
    }

    /// A group was deleted: its handles are gone, and those of no other.
    fn look_again(&mut self) {
        let status = ROWS.iter().find(|row| row.name == "PeerGroupGetStatus").expect("a row");
        let out = self.out(PARAMETERS_MAX - 1, 0);
        for group in self.model.open(Kind::Group) {
            match status.call(&[group, out]) as u32 as i32 {
                0 => {}
                code if code == Code::PEER_E_INVALID_GROUP.0 => self.model.closed(group),
                code => panic!("a status is {code:#x}\n{}", self.history.join("\n")),
            }
        }
    }

    /// Gives everything back: each thing once, and what is not there any more is refused.
    fn end(&mut self) {
        for (kind, name) in [
            (Kind::Queue, "PeerGroupUnregisterEvent"),
            (Kind::Group, "PeerGroupClose"),
            (Kind::Snapshot, "PeerEndEnumeration"),
            (Kind::Event, "P2PCloseEvent"),
            (Kind::Key, "P2PKeyRelease"),
        ] {
            for handle in self.model.all(kind) {
                self.named(name, &[handle]);
                self.named(name, &[handle]);
            }
        }
        while let Some(block) = self.model.blocks.last().copied() {
            self.named("PeerFreeData", &[block]);
            self.named("P2PGetEventDetail", &[block]);
        }
        for _ in 0..=self.model.startups {
            self.named("PeerGroupShutdown", &[]);
        }
        sweep();
    }
}

/// Whether a function returns a code, and not something else, or a code of something else.
fn calls_give_codes(row: &Row) -> bool {
    contract::knows(row.name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_function_of_the_header_has_its_row() {
        let header = include_str!("../../crates/p2p-ffi/include/p2p.h");
        let declared =
            header.lines().filter(|line| line.contains(" WINAPI ") && line.contains('('));
        let declared = declared.filter_map(|line| line.split('(').next()?.rsplit(' ').next());
        let rows: BTreeSet<&str> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(rows, declared.collect::<BTreeSet<_>>());
        assert_eq!(rows.len(), ROWS.len());
        assert!(ROWS.iter().all(|row| row.parameters.len() < PARAMETERS_MAX + 1));
    }

    fn row(name: &str) -> &'static Row {
        ROWS.iter().find(|row| row.name == name).unwrap()
    }

    #[test]
    fn the_model_allows_one_answer_where_lists_can_tell() {
        let mut model = Model::default();
        let (status, wait, next) =
            (row("PeerGroupGetStatus"), row("P2PWaitEvent"), row("PeerGetNextItem"));
        let code = |code: Code| u64::from(code.0 as u32);
        let only = |due: Due, answer: u64| {
            let answers = Code::all().map(code).filter(|answer| due.allows(*answer));
            assert_eq!(answers.collect::<BTreeSet<_>>(), BTreeSet::from([answer]), "{due:?}");
        };
        only(model.due(status, &[0x44, 8]), code(Code::PEER_E_NOT_INITIALIZED));
        model.succeeded(row("PeerGroupStartup"), &[0x0101, 8]);
        only(model.due(status, &[0x44, 8]), code(Code::PEER_E_INVALID_GROUP));
        model.opened(Kind::Group, 0x44);
        only(model.due(status, &[0x44, 8]), 0);
        only(model.due(status, &[0x44, 0]), code(Code::E_INVALIDARG));
        // Of another kind.
        only(model.due(next, &[0x44, 8, 8]), code(Code::E_INVALIDARG));
        model.closed(0x44);
        only(model.due(status, &[0x44, 8]), code(Code::PEER_E_INVALID_GROUP));
        // An event object that only one wait sees: S_FALSE is no code of the table.
        model.answered(row("P2PCreateEvent"), &[0, 1], 0x48);
        only(model.due(wait, &[0x48, 0]), 0);
        model.succeeded(wait, &[0x48, 0]);
        assert!(model.due(wait, &[0x48, 0]).allows(1) && !model.due(wait, &[0x48, 0]).allows(0));
        // The library's end is the end of groups, and not of event objects.
        model.opened(Kind::Group, 0x4c);
        model.succeeded(row("PeerGroupShutdown"), &[]);
        assert_eq!((model.open(Kind::Group).len(), model.open(Kind::Event).len()), (0, 1));
    }

    #[test]
    #[should_panic(expected = "gives each item once")]
    fn a_snapshot_that_gives_too_little_is_noticed() {
        let mut model = Model::default();
        model.opened(Kind::Snapshot, 0x40);
        model.counted(0x40, 3);
        model.took(0x40, 2, 1);
    }

    #[test]
    #[should_panic(expected = "P2PKeyRelease: 0x80070006")]
    fn a_handle_that_the_library_lost_is_noticed() {
        let mut program = Program::new();
        program.model.opened(Kind::Key, 0x54);
        program.named("P2PKeyRelease", &[0x54]);
    }
}
