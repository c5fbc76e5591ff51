//! What must hold of everything that one node tells its application.

use std::collections::{BTreeMap, BTreeSet};

use p2p_core::{ConnectionChange, ConnectionId, Error, Event, GroupKey};

use super::machine::{Act, Answer};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    Opening,
    Standing,
    Over,
}

/// Follows one node; panics at the first broken rule.
#[derive(Default, Debug)]
pub struct Check {
    directs: BTreeMap<ConnectionId, Seen>,
    neighbours: BTreeMap<ConnectionId, Seen>,
    closed: BTreeSet<GroupKey>,
    last: Option<ConnectionId>,
    close_ok: BTreeSet<ConnectionId>,
}

impl Check {
    /// An application's call was answered.
    pub fn answered(&mut self, act: &Act, answer: &Result<Answer, Error>) {
        match (act, answer) {
            (Act::Open(..), Ok(Answer::Connection(id))) => {
                // The outcome may have come before the answer was looked at, never before the call.
                self.fresh(*id);
                self.directs.entry(*id).or_insert(Seen::Opening);
            }
            (Act::Close(_, id), Ok(_)) => {
                assert!(self.close_ok.insert(*id), "{id:?} was closed twice with success");
                assert!(self.directs.contains_key(id), "{id:?} was closed and never was");
            }
            _ => {}
        }
    }

    fn fresh(&mut self, id: ConnectionId) {
        assert!(id.0 != 0 && self.last.is_none_or(|last| id > last), "{id:?} is not fresh");
        self.last = Some(id);
    }

    /// The application was told of something.
    pub fn told(&mut self, group: GroupKey, event: &Event) {
        assert!(!self.closed.contains(&group), "{event:?} after Closed");
        match event {
            Event::Direct(c) => {
                if !self.directs.contains_key(&c.id) {
                    self.fresh(c.id);
                    assert_eq!(c.change, ConnectionChange::Connected, "{c:?} of nothing");
                    self.directs.insert(c.id, Seen::Opening);
                }
                let seen = self.directs.get_mut(&c.id).expect("just put there");
                *seen = match (*seen, c.change) {
                    (Seen::Opening, ConnectionChange::Connected) => Seen::Standing,
                    (Seen::Opening, ConnectionChange::Failed)
                    | (Seen::Standing, ConnectionChange::Disconnected) => Seen::Over,
                    (was, _) => panic!("{c:?} while {was:?}"),
                };
            }
            Event::Neighbour(c) => {
                let was = self.neighbours.get(&c.id).copied();
                let now = match (was, c.change) {
                    (None, ConnectionChange::Connected) => Seen::Standing,
                    (Some(Seen::Standing), ConnectionChange::Disconnected) => Seen::Over,
                    _ => panic!("{c:?} while {was:?}"),
                };
                self.neighbours.insert(c.id, now);
            }
            Event::Data { id, .. } => {
                assert_eq!(self.directs.get(id), Some(&Seen::Standing), "data on {id:?}");
            }
            Event::Writable(id) => {
                assert_eq!(self.directs.get(id), Some(&Seen::Standing), "writable {id:?}");
            }
            Event::Closed => {
                self.closed.insert(group);
            }
            _ => {}
        }
    }

    /// Direct connections without an outcome, or without an end.
    pub fn unfinished(&self) -> Vec<ConnectionId> {
        self.directs.iter().filter(|(_, seen)| **seen != Seen::Over).map(|(id, _)| *id).collect()
    }
}
