//! How much may happen in a world: the bounds of the search.

/// How a world begins. All nodes are online in one group, and accept direct connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// No node has a link.
    Apart,
    /// All pairs have a link, and a session on it.
    Linked,
    /// As `Linked`, and all are neighbours, which find each other again by themselves.
    Neighbours,
}

/// The bounds of one search: everything below may happen so often, at any moment, in any order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scope {
    /// What it is called.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Machines.
    pub nodes: usize,
    /// How the world begins.
    pub start: Start,
    /// Who opens to whom: each entry may happen once.
    pub opens: &'static [(usize, usize)],
    /// Machines whose application closes what it sees; every connection may be closed once.
    pub closers: &'static [usize],
    /// Messages that each machine may send, on whatever stands.
    pub sends: u8,
    /// Messages travel in two frames.
    pub split: bool,
    /// Links that break.
    pub losses: u8,
    /// Dials that fail though somebody is there.
    pub unreachable: u8,
    /// Machines that die; each may be started again.
    pub crashes: u8,
    /// A machine that starts again says which run was its last.
    pub remembers: bool,
    /// Changes of mind about accepting direct connections.
    pub toggles: u8,
    /// Groups that are closed.
    pub leaves: u8,
    /// Times that nothing happens until the next deadline of anybody.
    pub waits: u8,
    /// The application takes what it is told late, one thing at a time; else at once.
    pub lazy: bool,
    /// What is written has left the sender at once; else it may still be dropped until it arrives.
    pub swift: bool,
    /// A machine that is no member.
    pub stranger: Option<usize>,
}

/// As many opens each way.
const CROSSING: [(usize, usize); 32] = {
    let mut opens = [(0, 1); 32];
    let mut n = 0;
    while n < opens.len() {
        opens[n + 1] = (1, 0);
        n += 2;
    }
    opens
};

impl Scope {
    /// Bounds too wide to be searched: for whoever goes one way at a time. The number chooses among its variants.
    pub fn wide(variant: u8) -> Scope {
        Scope {
            name: "wide",
            about: "much of everything",
            start: [Start::Apart, Start::Linked, Start::Neighbours][usize::from(variant) % 3],
            opens: &CROSSING,
            sends: 60,
            split: variant & 4 == 4,
            losses: 6,
            unreachable: 4,
            crashes: 3,
            remembers: variant & 8 == 8,
            toggles: 16,
            leaves: u8::from(variant & 16 == 16),
            waits: 16,
            lazy: variant & 32 == 32,
            swift: variant & 64 == 64,
            ..BASE
        }
    }
}

/// What the others change.
const BASE: Scope = Scope {
    name: "",
    about: "",
    nodes: 2,
    start: Start::Linked,
    opens: &[(0, 1)],
    closers: &[0, 1],
    sends: 0,
    split: false,
    losses: 0,
    unreachable: 0,
    crashes: 0,
    remembers: true,
    toggles: 0,
    leaves: 0,
    waits: 0,
    lazy: false,
    swift: true,
    stranger: None,
};

/// The searches of every run of CI.
pub const SLICE: &[Scope] = &[
    Scope {
        name: "closes",
        about: "one connection, messages both ways, both ends close",
        sends: 2,
        split: true,
        lazy: true,
        waits: 1,
        ..BASE
    },
    Scope {
        name: "unsent",
        about: "what has not left is dropped when the other end closes",
        sends: 2,
        swift: false,
        waits: 1,
        ..BASE
    },
    Scope {
        name: "crossing",
        about: "opens that cross on one link, and closes that cross",
        opens: &[(0, 1), (1, 0)],
        sends: 1,
        ..BASE
    },
    Scope {
        name: "dialled",
        about: "opens that cross without a link: two dials, two links, one survivor",
        start: Start::Apart,
        opens: &[(0, 1), (1, 0)],
        closers: &[0],
        ..BASE
    },
    Scope {
        name: "lost",
        about: "a link that breaks while a connection opens, stands, or closes",
        start: Start::Apart,
        sends: 1,
        losses: 1,
        unreachable: 1,
        waits: 1,
        ..BASE
    },
    Scope {
        name: "redialled",
        about: "opens that cross, and a link that breaks under them",
        start: Start::Apart,
        opens: &[(0, 1), (1, 0)],
        closers: &[],
        losses: 1,
        ..BASE
    },
    Scope {
        name: "crash",
        about: "a machine that dies and comes back",
        sends: 1,
        crashes: 1,
        closers: &[0],
        ..BASE
    },
    Scope {
        name: "registration",
        about: "an application that accepts, refuses, accepts again",
        opens: &[(0, 1), (0, 1)],
        closers: &[1],
        toggles: 2,
        ..BASE
    },
    Scope {
        name: "leaving",
        about: "groups that close while connections open and close",
        sends: 1,
        leaves: 2,
        waits: 1,
        ..BASE
    },
    Scope {
        name: "stranger",
        about: "somebody who is no member opens and is opened to",
        start: Start::Apart,
        opens: &[(0, 1), (1, 0)],
        stranger: Some(1),
        waits: 2,
        ..BASE
    },
    Scope {
        name: "three",
        about: "three machines in a ring",
        nodes: 3,
        opens: &[(0, 1), (1, 2), (2, 0)],
        closers: &[0, 1],
        ..BASE
    },
];

/// What a full run searches besides.
pub const FULL: &[Scope] = &[
    Scope {
        name: "closes+",
        about: "as `closes`, with more messages and more time",
        sends: 3,
        split: true,
        lazy: true,
        waits: 2,
        ..BASE
    },
    Scope {
        name: "unsent+",
        about: "as `unsent`, with opens that cross",
        opens: &[(0, 1), (1, 0)],
        closers: &[0],
        sends: 1,
        swift: false,
        ..BASE
    },
    Scope {
        name: "dialled+",
        about: "as `dialled`, both ends close, and dials fail",
        start: Start::Apart,
        opens: &[(0, 1), (1, 0)],
        unreachable: 1,
        ..BASE
    },
    Scope {
        name: "lost+",
        about: "as `lost`, with two losses",
        start: Start::Apart,
        sends: 1,
        losses: 2,
        unreachable: 1,
        waits: 1,
        ..BASE
    },
    Scope {
        name: "redialled+",
        about: "as `redialled`, and one end closes",
        start: Start::Apart,
        opens: &[(0, 1), (1, 0)],
        closers: &[0],
        losses: 1,
        ..BASE
    },
    Scope {
        name: "crash+",
        about: "as `crash`, twice, with time",
        crashes: 2,
        closers: &[0],
        waits: 1,
        ..BASE
    },
    Scope {
        name: "forgetful",
        about: "opens that cross, a machine that dies, and nobody says which run was its last",
        opens: &[(0, 1), (1, 0)],
        closers: &[],
        crashes: 1,
        remembers: false,
        ..BASE
    },
    Scope {
        name: "registration+",
        about: "as `registration`, and both ends close",
        opens: &[(0, 1), (0, 1)],
        toggles: 2,
        ..BASE
    },
    Scope {
        name: "leaving+",
        about: "as `leaving`, among neighbours",
        start: Start::Neighbours,
        sends: 1,
        leaves: 2,
        waits: 1,
        ..BASE
    },
    Scope {
        name: "neighbours",
        about: "neighbours that lose each other and search",
        start: Start::Neighbours,
        closers: &[0],
        losses: 1,
        waits: 1,
        ..BASE
    },
    Scope {
        name: "three+",
        about: "as `three`, and all close",
        nodes: 3,
        opens: &[(0, 1), (1, 2), (2, 0)],
        closers: &[0, 1, 2],
        ..BASE
    },
    Scope {
        name: "three dialled",
        about: "three machines, two of which dial the third at once",
        nodes: 3,
        start: Start::Apart,
        opens: &[(0, 1), (2, 1)],
        closers: &[1],
        ..BASE
    },
];
