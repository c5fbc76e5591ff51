//! What a seed makes of a world: its size, its network, its limits, and everything that will be done to it.

use std::fmt;

use p2p_core::{Limits, SECOND};

use crate::dice::Dice;

/// One millisecond.
pub const MS: u64 = 1_000;

/// How a world is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The seed of everything that is not planned: the network's delays, the nodes' own seeds.
    pub seed: u64,
    /// Nodes that keep the protocol.
    pub honest: usize,
    /// Nodes that do not.
    pub hostile: usize,
    /// The last honest node is the first one's clone: same identity, another machine.
    pub clone: bool,
    /// Groups; the first holds everybody.
    pub groups: usize,
    /// One way, µs.
    pub delay: u64,
    /// At most so much more, µs.
    pub jitter: u64,
    /// One packet in so many is lost and comes again after three delays; 0: none.
    pub loss: u64,
    /// Largest piece that travels at once.
    pub chunk: usize,
    /// What the nodes allow.
    pub limits: Limits,
}

impl Settings {
    /// All nodes.
    pub fn nodes(&self) -> usize {
        self.honest + self.hostile
    }
}

impl fmt::Display for Settings {
    /// Only the limits that are not the protocol document's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { seed, honest, hostile, clone, groups, delay, jitter, loss, chunk, limits } =
            self;
        writeln!(
            f,
            "  seed {seed}, {honest} honest hosts (the last a clone: {clone}), {hostile} hostile, {groups} groups"
        )?;
        writeln!(f, "  delay {delay} µs + {jitter}, one lost in {loss}, pieces of {chunk}")?;
        // Field by field, as they print themselves.
        let (ours, usual) = (format!("{limits:#?}"), format!("{:#?}", Limits::default()));
        let changed = ours.lines().zip(usual.lines()).filter(|(a, b)| a != b);
        let list: Vec<&str> = changed.map(|(a, _)| a.trim().trim_end_matches(',')).collect();
        write!(f, "  {}", list.join(", "))
    }
}

/// How quick a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// Every commit takes 100 µs.
    Fast,
    /// Every commit takes so many µs.
    Slow(u64),
    /// Every commit fails.
    Full,
}

/// How an application takes what its queues hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// At once.
    Promptly,
    /// So many µs after it came.
    After(u64),
    /// Not at all.
    Never,
}

/// What a hostile node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// Dials somebody and opens streams of random bytes.
    Noise,
    /// Dials, proves itself (or tries to), and sends frames in wrong states.
    WrongStates,
    /// Dials, proves itself, and sends control frames without end.
    Flood,
    /// Dials, proves itself, and refers to addresses that belong to nobody.
    Referrals,
    /// Dials as often as it can and says nothing.
    Silence,
    /// Bends what its node says, one frame in so many; 0: keeps to the protocol.
    Bend(u64),
}

/// One thing that is done to the world. Numbers are taken modulo what there is, so that any part of a plan is a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of a variant names its fields")]
pub enum Action {
    /// An application opens a direct connection.
    Open { host: usize, to: usize, group: usize },
    /// Two open to each other at one moment.
    Cross { a: usize, b: usize, group: usize },
    /// An application closes one of its connections, also one that is long over.
    Close { host: usize, nth: usize },
    /// Both ends of a connection close it at one moment.
    CloseBoth { nth: usize },
    /// An application sends so many messages of so many bytes.
    Send { host: usize, nth: usize, count: usize, len: usize },
    /// An application changes how it takes.
    Take { host: usize, how: Taking },
    /// An application wants incoming connections, or none.
    Accept { host: usize, group: usize, on: bool },
    /// A group is closed.
    CloseGroup { host: usize, group: usize },
    /// A group is opened, if it is not, and connected.
    OpenGroup { host: usize, group: usize },
    /// A group is told of an address.
    Connect { host: usize, group: usize, to: usize },
    /// An administrator takes somebody's membership back.
    Revoke { host: usize, target: usize, group: usize },
    /// Every call with the key of a group that was closed.
    Stale { host: usize, nth: usize },
    /// A path breaks, and both ends know at once.
    Break { nth: usize },
    /// One direction of a path is silent, or no longer.
    Stall { nth: usize, from: usize, on: bool },
    /// One host cannot dial another, or can again; the other way round is not touched.
    OneWay { from: usize, to: usize, on: bool },
    /// Hosts of one parity of `mask >> host` hear nothing from the others.
    Partition { mask: u64 },
    /// No more partition, and no silent directions.
    Heal,
    /// Power fails: what the disk had not synced is lost.
    Crash { host: usize },
    /// The machine starts again, and knows the id of its last run, or not.
    Restart { host: usize, knows: bool },
    /// A disk becomes slow, full, or well again.
    Disk { host: usize, speed: Speed },
    /// A socket cannot be opened any longer, or can again.
    Listen { host: usize, can: bool },
    /// A host gets another address.
    Move { host: usize },
    /// Wall time jumps by so many seconds.
    Jump { host: usize, seconds: i64 },
    /// A hostile node does something.
    Mischief { host: usize, what: Mischief, target: usize },
}

/// An action, and how long the world runs before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// µs.
    pub wait: u64,
    /// What.
    pub action: Action,
}

/// A whole run but for the quiet period at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How the world is built.
    pub settings: Settings,
    /// What is done to it.
    pub actions: Vec<Planned>,
}

/// Actions of one run.
const ACTIONS: u64 = 90;

impl Plan {
    /// The plan of a seed for so many nodes, two at least.
    pub fn new(seed: u64, nodes: usize) -> Plan {
        let dice = &mut Dice::new(seed, 1);
        let settings = settings(seed, nodes.max(2), dice);
        let count = ACTIONS / 3 + dice.below(ACTIONS);
        // A run has its own temper: some are all traffic, some all faults.
        let faults = dice.pick(&[0, 1, 2, 4]);
        let pace = dice.pick(&[30 * MS, 300 * MS, 2 * SECOND]);
        let actions = (0..count).map(|_| planned(dice, &settings, faults, pace)).collect();
        Plan { settings, actions }
    }
}

fn settings(seed: u64, nodes: usize, dice: &mut Dice) -> Settings {
    let hostile = if nodes < 3 { 0 } else { dice.index(nodes / 3 + 1) };
    let honest = nodes - hostile;
    let delay = dice.pick(&[MS, 10 * MS, 40 * MS, 150 * MS]);
    let receive_queue = dice.pick(&[8 << 10, 64 << 10]);
    let limits = Limits {
        directs_per_peer: dice.pick(&[3, 8, 64]),
        directs_per_group: dice.pick(&[6, 64]),
        message: dice.pick(&[2 << 10, 40 << 10]),
        fragment: dice.pick(&[500, 16 << 10]),
        send_queue: dice.pick(&[4 << 10, 64 << 10]),
        receive_queue,
        receive_per_peer: receive_queue * dice.pick(&[1, 2, 4]),
        neighbours: dice.pick(&[2, 4, 7]),
        streams: dice.pick(&[20, 128]),
        stream_window: dice.pick(&[8 << 10, 100_000]),
        ..Limits::default()
    };
    Settings {
        seed,
        honest,
        hostile,
        clone: honest > 3 && dice.one_in(4),
        groups: if dice.one_in(3) { 2 } else { 1 },
        delay,
        jitter: delay / dice.pick(&[1, 4, 20]),
        loss: dice.pick(&[0, 0, 100, 10]),
        chunk: dice.pick(&[200, 1_400, 16_384]),
        limits,
    }
}

fn planned(dice: &mut Dice, settings: &Settings, faults: u64, pace: u64) -> Planned {
    let wait = if dice.one_in(12) { dice.below(40 * SECOND) } else { dice.below(pace) };
    let action = match dice.below(10) {
        n if n < faults => fault(dice, settings),
        4 if settings.hostile > 0 => mischief(dice, settings),
        _ => call(dice, settings),
    };
    Planned { wait, action }
}

fn call(dice: &mut Dice, settings: &Settings) -> Action {
    let honest = settings.honest;
    let (host, nth) = (dice.index(honest), dice.index(64));
    let (to, group) = (dice.index(settings.nodes()), dice.index(settings.groups));
    match dice.below(41) {
        0..10 => Action::Open { host, to, group },
        10..12 => Action::Cross { a: host, b: dice.index(honest), group },
        12..18 => Action::Close { host, nth },
        18..20 => Action::CloseBoth { nth },
        20..33 => {
            let count = if dice.one_in(8) { 60 } else { 1 + dice.index(12) };
            let most = settings.limits.message as u64;
            let len = if dice.one_in(4) { dice.below(most + 10) } else { dice.below(600) };
            Action::Send { host, nth, count, len: len as usize }
        }
        33 => {
            let after = Taking::After(dice.below(SECOND));
            Action::Take { host, how: dice.pick(&[Taking::Promptly, after, Taking::Never]) }
        }
        34 => Action::Accept { host, group, on: !dice.one_in(4) },
        35 => Action::CloseGroup { host, group },
        36 | 37 => Action::OpenGroup { host, group },
        38 => Action::Connect { host, group, to },
        39 => Action::Revoke { host: dice.index(settings.nodes()), target: to, group },
        _ => Action::Stale { host, nth },
    }
}

fn fault(dice: &mut Dice, settings: &Settings) -> Action {
    let (host, nth) = (dice.index(settings.honest), dice.index(64));
    match dice.below(30) {
        0..4 => Action::Break { nth },
        4..9 => Action::Stall { nth, from: dice.index(2), on: dice.one_in(2) },
        9..12 => {
            let to = dice.index(settings.nodes());
            Action::OneWay { from: host, to, on: !dice.one_in(3) }
        }
        12 | 13 => Action::Partition { mask: dice.roll() },
        14..17 => Action::Heal,
        17..20 => Action::Crash { host },
        20..24 => Action::Restart { host, knows: dice.one_in(2) },
        24..26 => {
            let slow = Speed::Slow(dice.below(2 * SECOND));
            Action::Disk { host, speed: dice.pick(&[Speed::Fast, slow, Speed::Full]) }
        }
        26 => Action::Listen { host, can: dice.one_in(2) },
        27 => Action::Move { host },
        _ => Action::Jump { host, seconds: dice.below(7_200) as i64 - 3_600 },
    }
}

fn mischief(dice: &mut Dice, settings: &Settings) -> Action {
    let host = settings.honest + dice.index(settings.hostile);
    let bend = Mischief::Bend(dice.pick(&[0, 2, 10, 50]));
    let what = dice.pick(&[
        Mischief::Noise,
        Mischief::WrongStates,
        Mischief::WrongStates,
        Mischief::Flood,
        Mischief::Referrals,
        Mischief::Silence,
        bend,
    ]);
    Action::Mischief { host, what, target: dice.index(settings.honest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_plan_and_another_seed_another() {
        assert_eq!(Plan::new(7, 5), Plan::new(7, 5));
        assert_ne!(Plan::new(7, 5), Plan::new(8, 5));
        for seed in 0..200 {
            let Plan { settings, actions } = Plan::new(seed, 6);
            assert!(settings.nodes() == 6 && settings.honest >= 4 && actions.len() >= 30);
        }
    }
}
