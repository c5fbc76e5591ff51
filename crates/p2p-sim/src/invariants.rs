//! What must hold in every world: a table with one row for each invariant of the protocol's design, each a small function.
//!
//! A check looks at the world from outside: at what went into nodes and came out of them, at what their calls answer, and
//! at what the world knows because it made it. It never asks the code under test whether it is right.

mod direct;
mod overlay;
mod robust;
mod trust;

use std::fmt;

use crate::world::{Step, World};

/// What a check says: nothing, or what is wrong.
pub type Verdict = Result<(), String>;

/// A function that looks for one broken invariant.
#[derive(Clone, Copy)]
pub enum Check {
    /// After every call to an honest node.
    Step(fn(&World, &Step<'_>) -> Verdict),
    /// Four times a second of the world's time, over all nodes.
    Beat(fn(&World) -> Verdict),
    /// In the quiet period, when everybody had time to find everybody.
    Healed(fn(&World) -> Verdict),
    /// In the quiet period, after everybody has spoken with everybody.
    Talked(fn(&World) -> Verdict),
    /// In the quiet period, when every direct connection was closed.
    Closed(fn(&World) -> Verdict),
    /// At the end, when every group was closed.
    Ended(fn(&World) -> Verdict),
}

/// One invariant.
pub struct Row {
    /// Its number; those that have none are named after what they guard.
    pub number: &'static str,
    /// What must hold.
    pub name: &'static str,
    /// What looks for it to be broken.
    pub checks: &'static [Check],
    /// What is not checked, and why.
    pub later: Option<&'static str>,
}

const RECORDS: Option<&str> = Some("there are no records");
const GRAPH: Option<&str> = Some("there is no graph of neighbours but the mesh");
const COUNTERS: Option<&str> =
    Some("a node has no counters that could be compared with what it was sent");

/// Every invariant.
pub const ROWS: &[Row] = &[
    row(
        "1",
        "whoever is shown as a member holds a valid chain of that group",
        &[Check::Step(trust::members_are_members)],
        Some("as for records: there are none"),
    ),
    row(
        "2",
        "no data before both sides have proved themselves, in that group and on that link",
        &[Check::Step(trust::proof_comes_first)],
        None,
    ),
    row(
        "3",
        "what is said of a peer is said of the key that TLS has proved",
        &[Check::Step(trust::keys_are_those_of_tls)],
        None,
    ),
    row(
        "4",
        "no accepted chain is longer, or grants more, than a chain may",
        &[Check::Step(trust::chains_are_within_their_rights)],
        None,
    ),
    row(
        "5",
        "nobody who may not issue makes a member",
        &[Check::Step(trust::issuers_may_issue)],
        None,
    ),
    row(
        "6",
        "whoever is shown in a role was given it",
        &[Check::Step(trust::roles_were_given)],
        Some("as for records: there are none"),
    ),
    row(
        "7",
        "all honest nodes know the same revocations",
        &[Check::Healed(trust::revocations_are_the_same)],
        None,
    ),
    row(
        "8",
        "nothing from a member whose membership has ended",
        &[Check::Step(trust::nothing_after_the_end), Check::Beat(trust::revoked_members_go)],
        None,
    ),
    row(
        "9",
        "a wrong password never makes a member",
        &[],
        Some("the worlds have no passwords: nobody joins by one"),
    ),
    row(
        "10",
        "what is of one group is not accepted in another",
        &[Check::Step(trust::groups_do_not_mix)],
        None,
    ),
    row("11", "connected nodes have the same records", &[], RECORDS),
    row("12", "the order in which records arrive does not matter", &[], RECORDS),
    row("13", "no record is replaced by a lesser one", &[], RECORDS),
    row("14", "what was deleted does not come back", &[], RECORDS),
    row("15", "the events of a record come in their order", &[], RECORDS),
    row("16", "what has expired is neither sent nor shown", &[], RECORDS),
    row("17", "what is fixed in a record stays", &[], RECORDS),
    row("18", "no record is shown before it is whole and checked", &[], RECORDS),
    row("19", "what was published survives a crash", &[], RECORDS),
    row("20", "what was published reaches everybody in the end", &[], RECORDS),
    row("21", "what is put off stays within its bounds", &[], RECORDS),
    row("22", "quotas end alike everywhere", &[], RECORDS),
    row("23", "the group's constants are changed by the group's key only", &[], RECORDS),
    row("24", "nobody publishes before the first connection", &[], RECORDS),
    row(
        "25",
        "neighbours and queues stay within their limits",
        &[Check::Step(overlay::neighbours_are_few), Check::Step(overlay::queues_are_short)],
        None,
    ),
    row(
        "26",
        "neighbours are neighbours of each other",
        &[Check::Beat(overlay::neighbours_agree), Check::Step(overlay::neighbours_come_and_go)],
        None,
    ),
    row(
        "27",
        "one link between two nodes carries on",
        &[
            Check::Step(overlay::losers_take_no_streams),
            Check::Step(overlay::one_link_stays),
            Check::Closed(overlay::one_link_each),
        ],
        None,
    ),
    row("28", "the graph heals", &[], GRAPH),
    row("29", "everybody has two neighbours", &[], GRAPH),
    row(
        "30",
        "what others say makes nobody dial beyond measure",
        &[Check::Step(overlay::dials_are_few)],
        None,
    ),
    row("31", "a full mesh does not churn", &[], GRAPH),
    row("32", "one signature of the graph", &[], GRAPH),
    row("33", "a broadcast costs little", &[], RECORDS),
    row("34", "whoever goes is reported, whoever stays is not", &[], GRAPH),
    row("35", "group time does not run back", &[], RECORDS),
    row(
        "36",
        "one outcome per open, one end per connection, data in between",
        &[Check::Step(direct::one_outcome_one_end), Check::Ended(direct::nothing_is_unfinished)],
        None,
    ),
    row(
        "37",
        "what is received is what was sent, in order; an orderly close has delivered all",
        &[Check::Step(direct::what_was_sent), Check::Step(direct::orderly_means_all)],
        None,
    ),
    row(
        "38",
        "listed from connected until closed or until its end was taken; no id twice",
        &[Check::Step(direct::listed_while_it_should_be), Check::Step(direct::ids_are_fresh)],
        None,
    ),
    row(
        "39",
        "opens that cross make two connections, closes that cross end both in order",
        &[Check::Talked(direct::crossings_work)],
        None,
    ),
    row(
        "40",
        "every timer ends what it is for, and nothing is left",
        &[
            Check::Beat(direct::nothing_takes_too_long),
            Check::Closed(direct::no_streams_are_left),
            Check::Ended(direct::no_timers_are_left),
        ],
        None,
    ),
    row(
        "41",
        "a refused open leaves nothing with the one who refused",
        &[Check::Step(direct::refused_is_refused)],
        None,
    ),
    row(
        "42",
        "any bytes lead to a frame, a reset or a close with a code",
        &[Check::Step(robust::codes_are_known), Check::Step(robust::work_is_bounded)],
        None,
    ),
    row(
        "43",
        "one who does not read costs the sender a queue, and nobody else anything",
        &[
            Check::Step(robust::send_queues_are_bounded),
            Check::Talked(robust::others_are_not_slower),
        ],
        None,
    ),
    row("44", "same seed, same outputs", &[Check::Ended(robust::a_replay_is_equal)], None),
    row(
        "45",
        "everything received is answered",
        &[Check::Beat(robust::everything_is_answered), Check::Step(robust::counts_agree)],
        COUNTERS,
    ),
    row(
        "46",
        "a closed group answers nothing and is gone within ten seconds",
        &[Check::Step(robust::closed_is_closed), Check::Beat(robust::closing_ends)],
        None,
    ),
    row("store", "what was told is on the disk", &[Check::Step(robust::told_is_kept)], None),
    row(
        "mesh",
        "when the faults are over, the members of a group hang together",
        &[Check::Healed(overlay::everybody_is_found)],
        None,
    ),
    row(
        "contract",
        "a node keeps its duties towards its driver",
        &[],
        Some("the driver looks while it obeys"),
    ),
    row("world", "the world comes to rest", &[], Some("the world looks while it turns")),
];

const fn row(
    number: &'static str,
    name: &'static str,
    checks: &'static [Check],
    later: Option<&'static str>,
) -> Row {
    Row { number, name, checks, later }
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The row of the table.
    pub number: &'static str,
    /// At whom.
    pub host: Option<usize>,
    /// What was seen.
    pub what: String,
    /// After how many calls.
    pub step: u64,
    /// When, in µs of the world.
    pub tick: u64,
}

impl Violation {
    pub(crate) fn new(
        world: &World,
        number: &'static str,
        host: Option<usize>,
        what: String,
    ) -> Violation {
        Violation { number, host, what, step: world.steps, tick: world.tick }
    }

    /// What should have held.
    pub fn name(&self) -> &'static str {
        ROWS.iter().find(|row| row.number == self.number).map_or("", |row| row.name)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "invariant {}: {}", self.number, self.name())?;
        let host = self.host.map(|host| format!(" at host {host}")).unwrap_or_default();
        let seconds = self.tick as f64 / 1e6;
        write!(f, "broken in step {} ({seconds:.6} s){host}: {}", self.step, self.what)
    }
}

/// The checks that look at one call; hostile nodes owe nothing to anybody.
pub(crate) fn after(world: &World, step: &Step<'_>) -> Option<Violation> {
    if world.violation.is_some() || !world.hosts[step.host].honest {
        return world.violation.clone();
    }
    first(world, Some(step.host), |check| match check {
        Check::Step(check) => check(world, step),
        _ => Ok(()),
    })
}

/// The checks that look at all hosts.
pub(crate) fn on_beat(world: &World) -> Option<Violation> {
    first(world, None, |check| if let Check::Beat(check) = check { check(world) } else { Ok(()) })
}

/// The checks of one moment of the quiet period.
pub(crate) fn at(world: &World, moment: Moment) -> Option<Violation> {
    first(world, None, |check| match (moment, check) {
        (Moment::Healed, Check::Healed(check))
        | (Moment::Talked, Check::Talked(check))
        | (Moment::Closed, Check::Closed(check))
        | (Moment::Ended, Check::Ended(check)) => check(world),
        _ => Ok(()),
    })
}

/// A moment of the quiet period.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    Healed,
    Talked,
    Closed,
    Ended,
}

fn first(world: &World, host: Option<usize>, run: impl Fn(&Check) -> Verdict) -> Option<Violation> {
    for row in ROWS {
        for check in row.checks {
            if let Err(what) = run(check) {
                return Some(Violation::new(world, row.number, host, what));
            }
        }
    }
    None
}

/// Fails with these words unless something holds.
fn ensure(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_invariant_has_its_row_and_every_row_a_check_or_a_reason() {
        for number in 1..=46 {
            assert!(ROWS.iter().any(|row| row.number == number.to_string()), "{number}");
        }
        for row in ROWS {
            assert!(!row.checks.is_empty() || row.later.is_some(), "{}", row.number);
            assert_eq!(ROWS.iter().filter(|other| other.number == row.number).count(), 1);
        }
    }
}
