//! The naive model: lists of what was handed out, and whether it was given back.

use p2p_core::Code;

use super::contract;
use crate::calls::{Kind, Row};

/// What a call must answer.
#[derive(Debug)]
pub(crate) enum Due {
    /// Just this.
    Exactly(u64),
    /// One of these.
    OneOf(Vec<u64>),
    /// A code that says no.
    Failure,
    /// Anything but this code.
    AnythingBut(u64),
    /// Whatever the contract has.
    Anything,
}

impl Due {
    pub(crate) fn allows(&self, answer: u64) -> bool {
        match self {
            Due::Exactly(due) => answer == *due,
            Due::OneOf(due) => due.contains(&answer),
            Due::Failure => (answer as i32) < 0,
            Due::AnythingBut(other) => answer != *other,
            Due::Anything => true,
        }
    }
}

/// Something that was handed out.
struct Handle {
    kind: Kind,
    word: u64,
    open: bool,
    /// Of a snapshot: how many items it has, as far as that was asked, and how many were taken.
    items: Option<u64>,
    taken: u64,
    /// Of an event object.
    signal: Signal,
}

/// What is known of an event object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signal {
    /// A registration may signal it at any time.
    Unknown,
    Is {
        manual: bool,
        on: bool,
    },
}

/// What the library has handed out.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) startups: u32,
    handles: Vec<Handle>,
    /// Blocks that are out, and addresses of those that were.
    pub(crate) blocks: Vec<u64>,
    freed: Vec<u64>,
    /// Of direct connections.
    pub(crate) ids: Vec<u64>,
}

const S_OK: u64 = 0;

fn word(code: Code) -> u64 {
    u64::from(code.0 as u32)
}

/// What a handle that is none is answered with.
fn refusal(kind: Kind) -> u64 {
    word(match kind {
        Kind::Group => Code::PEER_E_INVALID_GROUP,
        Kind::Key | Kind::KeyOrNone => Code::ERROR_INVALID_HANDLE,
        _ => Code::E_INVALIDARG,
    })
}

/// What the parameter itself makes of a word: a handle of which kind is due.
fn handle_kind(kind: Kind, word: u64) -> Option<Kind> {
    match kind {
        Kind::Group | Kind::Queue | Kind::Snapshot | Kind::Event | Kind::Key => Some(kind),
        Kind::KeyOrNone if word != 0 => Some(Kind::Key),
        _ => None,
    }
}

impl Model {
    // ---- Choices ----

    /// A handle where this kind is due: mostly one that is or was of it.
    pub(crate) fn handle(&self, kind: Kind, choice: u8, memory: u64) -> u64 {
        match choice {
            0 => return 0,
            1 => return memory,
            2 => return u64::MAX,
            3 => return 0x1234_5678_9abc,
            _ => {}
        }
        // A few of another kind.
        let wanted = |handle: &&Handle| (handle.kind == kind) != (4..10).contains(&choice);
        let found: Vec<&Handle> = self.handles.iter().filter(wanted).collect();
        // The newest ones first.
        found.iter().rev().cycle().nth(usize::from(choice) % 10).map_or(4, |handle| handle.word)
    }

    /// The newest that is open, or was.
    pub(crate) fn newest(&self, kind: Kind) -> u64 {
        self.all(kind).last().copied().unwrap_or_default()
    }

    pub(crate) fn block_to_free(&self, choice: u8) -> u64 {
        nth(&self.blocks, choice)
    }

    /// What may be asked for as an event: it is looked up.
    pub(crate) fn looked_up(&self, choice: u8, memory: u64) -> u64 {
        match choice {
            1 => memory,
            2..=9 => nth(&self.freed, choice),
            10..=20 => self.newest(Kind::Group),
            choice => nth(&self.blocks, choice),
        }
    }

    pub(crate) fn id(&self, choice: u8) -> u64 {
        match choice {
            1 => 1,
            2 => u64::MAX,
            choice => nth(&self.ids, choice),
        }
    }

    // ---- What is known ----

    pub(crate) fn all(&self, kind: Kind) -> Vec<u64> {
        let of_it = self.handles.iter().filter(|handle| handle.kind == kind);
        of_it.map(|handle| handle.word).collect()
    }

    pub(crate) fn open(&self, kind: Kind) -> Vec<u64> {
        let of_it = self.handles.iter().filter(|handle| handle.kind == kind && handle.open);
        of_it.map(|handle| handle.word).collect()
    }

    fn find(&self, word: u64, kind: Kind) -> Option<&Handle> {
        self.handles.iter().find(|handle| handle.word == word && handle.kind == kind && handle.open)
    }

    fn find_mut(&mut self, word: u64, kind: Kind) -> Option<&mut Handle> {
        let found =
            |handle: &&mut Handle| handle.word == word && handle.kind == kind && handle.open;
        self.handles.iter_mut().find(found)
    }

    /// What this call must answer, as far as lists can tell.
    pub(crate) fn due(&self, row: &Row, words: &[u64]) -> Due {
        if self.startups == 0 && contract::needs_startup(row.name) {
            return Due::Exactly(word(Code::PEER_E_NOT_INITIALIZED));
        }
        let parameters = || row.parameters.iter().copied().zip(words.iter().copied());
        let required = |kind| kind >= Kind::OutBlock && kind != Kind::OutBlockOrNone;
        let no_room = parameters().any(|(kind, word)| required(kind) && word == 0);
        let bad = parameters().find_map(|(kind, word)| {
            let kind = handle_kind(kind, word)?;
            self.find(word, kind).is_none().then_some(kind)
        });
        match (bad, no_room) {
            (Some(_), true) => Due::Failure,
            (None, true) => Due::Exactly(word(Code::E_INVALIDARG)),
            (Some(_), false) if row.name == "P2PEventFd" => Due::Exactly(u64::from(u32::MAX)),
            (Some(kind), false) => Due::Exactly(refusal(kind)),
            (None, false) => self.due_of_good(row, words),
        }
    }

    /// With handles that are open, and room for what comes.
    fn due_of_good(&self, row: &Row, words: &[u64]) -> Due {
        let event = || self.find(words[0], Kind::Event).map(|handle| handle.signal);
        match row.name {
            "PeerGroupStartup" if words[0] & 0xff != 1 => {
                Due::Exactly(word(Code::PEER_E_UNSUPPORTED_VERSION))
            }
            "PeerGroupStartup"
            | "PeerGroupShutdown"
            | "PeerGroupGetStatus"
            | "PeerGroupClose"
            | "PeerGroupUnregisterEvent"
            | "PeerGetItemCount"
            | "PeerGetNextItem"
            | "PeerEndEnumeration"
            | "PeerFreeData"
            | "P2PSetEvent"
            | "P2PResetEvent"
            | "P2PCloseEvent"
            | "P2PGetStatistics"
            | "P2PKeyGenerate"
            | "P2PKeyRelease"
            | "PeerEnumIdentities" => Due::Exactly(S_OK),
            "PeerGroupConnect" => Due::OneOf(vec![S_OK, word(Code::PEER_S_ALREADY_CONNECTED)]),
            "PeerGroupGetEventData" => Due::OneOf(vec![S_OK, word(Code::PEER_S_NO_EVENT_DATA)]),
            "PeerGroupEnumConnections" if (1..=3).contains(&words[1]) => Due::Exactly(S_OK),
            "PeerGroupEnumConnections" => Due::Exactly(word(Code::E_INVALIDARG)),
            "PeerGroupEnumMembers" if words[1] <= 1 && words[2] == 0 => Due::Exactly(S_OK),
            "PeerGroupCloseDirectConnection" if !self.ids.contains(&words[1]) => {
                Due::Exactly(word(Code::PEER_E_CONNECTION_NOT_FOUND))
            }
            "P2PWaitEvent" => match event() {
                Some(Signal::Is { on, .. }) => Due::Exactly(u64::from(!on)),
                _ => Due::OneOf(vec![S_OK, 1]),
            },
            "P2PEventFd" => Due::AnythingBut(u64::from(u32::MAX)),
            "P2PCreateEvent" => Due::AnythingBut(0),
            "P2PGetEventDetail" if !self.blocks.contains(&words[0]) => {
                Due::Exactly(word(Code::E_INVALIDARG))
            }
            _ if row.parameters.contains(&Kind::Group) => {
                Due::AnythingBut(word(Code::PEER_E_INVALID_GROUP))
            }
            _ => Due::Anything,
        }
    }

    // ---- What happens ----

    pub(crate) fn opened(&mut self, kind: Kind, word: u64) {
        let again = self.handles.iter().any(|handle| handle.word == word);
        assert!(word != 0 && !again, "{word:#x} was a handle before");
        let signal = Signal::Unknown;
        self.handles.push(Handle { kind, word, open: true, items: None, taken: 0, signal });
    }

    /// Ends a handle.
    pub(crate) fn closed(&mut self, word: u64) {
        let found = self.handles.iter_mut().find(|handle| handle.word == word && handle.open);
        found.expect("it was open").open = false;
    }

    /// A block was handed out.
    pub(crate) fn out(&mut self, block: u64) {
        assert!(!self.blocks.contains(&block), "{block:#x} is out already");
        self.freed.retain(|freed| *freed != block);
        self.blocks.push(block);
    }

    /// What a success changes here.
    pub(crate) fn succeeded(&mut self, row: &Row, words: &[u64]) {
        match row.name {
            "PeerGroupStartup" => self.startups += 1,
            "PeerGroupShutdown" => self.shut_down(),
            "PeerGroupClose"
            | "PeerGroupUnregisterEvent"
            | "PeerEndEnumeration"
            | "P2PCloseEvent"
            | "P2PKeyRelease" => self.closed(words[0]),
            "P2PSetEvent" => self.signal(words[0], true),
            "P2PResetEvent" => self.signal(words[0], false),
            "P2PWaitEvent" => {
                if let Some(Handle { signal: Signal::Is { manual: false, .. }, .. }) =
                    self.find(words[0], Kind::Event)
                {
                    self.signal(words[0], false);
                }
            }
            "PeerGroupRegisterEvent" => {
                let event = self.find_mut(words[1], Kind::Event).expect("it was good");
                event.signal = Signal::Unknown;
            }
            _ => {}
        }
    }

    /// An answer that is no code.
    pub(crate) fn answered(&mut self, row: &Row, words: &[u64], answer: u64) {
        match row.name {
            "P2PCreateEvent" => {
                self.opened(Kind::Event, answer);
                let event = self.handles.last_mut().expect("just put in");
                let on = |word: u64| word as i32 != 0;
                event.signal = Signal::Is { manual: on(words[0]), on: on(words[1]) };
            }
            "PeerFreeData" if words[0] != 0 => {
                self.blocks.retain(|block| *block != words[0]);
                self.freed.push(words[0]);
            }
            _ => {}
        }
    }

    pub(crate) fn counted(&mut self, snapshot: u64, count: u64) {
        let snapshot = self.find_mut(snapshot, Kind::Snapshot).expect("it was good");
        assert_eq!(*snapshot.items.get_or_insert(count), count, "a snapshot does not change");
        assert!(snapshot.taken <= count);
    }

    pub(crate) fn took(&mut self, snapshot: u64, wanted: u64, taken: u64) {
        let snapshot = self.find_mut(snapshot, Kind::Snapshot).expect("it was good");
        snapshot.taken += taken;
        if taken < wanted {
            // All have been taken: now one knows how many there were.
            let items = *snapshot.items.get_or_insert(snapshot.taken);
            assert_eq!(snapshot.taken, items, "a snapshot gives each item once");
        }
        assert!(taken <= wanted);
        assert!(snapshot.items.is_none_or(|items| snapshot.taken <= items));
    }

    fn shut_down(&mut self) {
        self.startups -= 1;
        if self.startups == 0 {
            let ends = |handle: &&mut Handle| matches!(handle.kind, Kind::Group | Kind::Queue);
            self.handles.iter_mut().filter(ends).for_each(|handle| handle.open = false);
        }
    }

    fn signal(&mut self, word: u64, to: bool) {
        let event = self.find_mut(word, Kind::Event).expect("it was good");
        if let Signal::Is { on, .. } = &mut event.signal {
            *on = to;
        }
    }
}

fn nth(list: &[u64], choice: u8) -> u64 {
    match choice {
        0 => 0,
        choice => list.iter().rev().cycle().nth(usize::from(choice) % 16).copied().unwrap_or(0),
    }
}
