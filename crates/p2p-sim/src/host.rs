//! One machine: a node, its disk, its application, and what the world has seen of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use p2p_core::trace::{Entry, Start};
use p2p_core::{
    Address, Code, ConnectionChange, ConnectionId, DialId, GroupKey, GroupSnapshot, KeyId, LinkId,
    Member, Node, Roles, StoreChange, Taken, Ticket,
};

use crate::fake::{Fake, object_id};
use crate::hash::Fingerprint;
use crate::plan::{Speed, Taking};
use crate::world::Revoked;

/// A machine.
pub struct Host {
    /// Its place in the world.
    pub index: usize,
    /// It keeps the protocol.
    pub honest: bool,
    /// Its identity.
    pub key: KeyId,
    /// Where it is.
    pub address: Address,
    /// The node.
    pub node: Node<Fake>,
    /// How the node began.
    pub start: Start,
    /// It has power.
    pub alive: bool,
    /// How often it was started again.
    pub epoch: u32,
    /// The node wants a socket.
    pub wants_socket: bool,
    /// The socket is open.
    pub listening: bool,
    /// The socket can be opened.
    pub can_listen: bool,
    /// Links: the wire, and which end of it.
    pub links: BTreeMap<LinkId, (u64, usize)>,
    /// The next link's number; over all runs, so that what is left of old ones is told apart.
    pub next_link: u64,
    /// Dials that wait for an answer.
    pub dials: BTreeSet<DialId>,
    /// What it shows in each group of the world, where it belongs to one.
    pub papers: Vec<Option<Arc<Member>>>,
    /// The key of each group of the world, where it is open.
    pub open: Vec<Option<GroupKey>>,
    /// What the disk holds.
    pub disk: Disk,
    /// What the application does.
    pub app: App,
    /// Wall time is ahead by so many 100 ns.
    pub wall: i64,
    /// Parts per million by which its clock is too fast.
    pub drift: i64,
    /// One frame in so many is bent; 0: none. Hostile hosts only.
    pub bends: u64,
    /// What was seen of this run.
    pub ledger: Ledger,
}

/// A disk.
#[derive(Debug)]
pub struct Disk {
    /// What survives a crash.
    pub synced: BTreeMap<KeyId, GroupSnapshot>,
    /// Changes that were ordered and are not synced.
    pub waiting: VecDeque<(Ticket, StoreChange)>,
    /// How many of them the commit under way holds; 0: none is under way.
    pub committing: usize,
    /// How quick it is.
    pub speed: Speed,
}

impl Disk {
    /// Makes a change durable, or fails.
    pub fn commit(&mut self, change: StoreChange) -> Result<(), Code> {
        if self.speed == Speed::Full {
            return Err(Code::PEER_E_DISK_FULL);
        }
        let kept = self.synced.entry(*change.group()).or_default();
        match change {
            StoreChange::Member { peer, memberships, .. } => {
                kept.members.retain(|m| m.key != peer);
                kept.members.extend(memberships);
            }
            StoreChange::Object { kind, bytes, .. } => kept.objects.push((kind, bytes)),
            StoreChange::ObjectGone { id, .. } => {
                kept.objects.retain(|(kind, bytes)| object_id(*kind, bytes) != id);
            }
            StoreChange::Addresses { peer, addresses, .. } => {
                kept.addresses.retain(|(key, _)| *key != peer);
                kept.addresses.push((peer, addresses));
            }
            StoreChange::Synchronised { .. } => kept.synchronised = true,
            // Nobody renews anything here, and nobody else reads where we listen.
            StoreChange::Own { .. } | StoreChange::Listening { .. } => {}
        }
        Ok(())
    }
}

/// An application.
#[derive(Debug)]
pub struct App {
    /// How it takes.
    pub taking: Taking,
    /// What it has not taken.
    pub queue: VecDeque<(GroupKey, ConnectionId, Taken)>,
    /// Direct connections that it was told of, and of what group.
    pub known: Vec<(GroupKey, ConnectionId)>,
    /// Keys of groups that it closed.
    pub stale: Vec<(GroupKey, ConnectionId)>,
}

impl Default for App {
    fn default() -> Self {
        App {
            taking: Taking::Promptly,
            queue: VecDeque::new(),
            known: Vec::new(),
            stale: Vec::new(),
        }
    }
}

/// What was seen of one run of a host: facts, not judgements.
#[derive(Default)]
pub struct Ledger {
    /// Every direct connection.
    pub directs: BTreeMap<ConnectionId, Direct>,
    /// Every neighbour connection: what happened to it.
    pub neighbours: BTreeMap<ConnectionId, Vec<ConnectionChange>>,
    /// Groups whose key this run has given: which of the world's.
    pub groups: BTreeMap<GroupKey, usize>,
    /// Groups that were closed.
    pub closed: BTreeMap<GroupKey, Closing>,
    /// Direct connections that the last step spoke of.
    pub touched: Vec<ConnectionId>,
    /// Moments of the last dials.
    pub dials: VecDeque<u64>,
    /// Moments of what lets a node dial besides its searches: opens, addresses given.
    pub asked: VecDeque<u64>,
    /// Dials ever ordered.
    pub dialled: BTreeSet<DialId>,
    /// Members that were told of, and the roles they were shown with.
    pub members: BTreeMap<(usize, KeyId), Roles>,
    /// Revocations that the application was told of, and when first.
    pub revoked: BTreeMap<Revoked, u64>,
    /// All calls, if this run is to be replayed.
    pub calls: Option<Vec<Entry>>,
    /// Over all outputs.
    pub print: Fingerprint,
    /// Streams on which this host wrote DC_ACCEPT last.
    pub accepted: Option<(u64, (usize, u64))>,
}

/// What was seen of a direct connection at one end.
#[derive(Debug)]
pub struct Direct {
    /// Its group.
    pub group: GroupKey,
    /// It was opened here, not there.
    pub opened_here: bool,
    /// What happened to it, and whether the last of it was orderly.
    pub story: Vec<ConnectionChange>,
    /// The end was orderly: everything arrived.
    pub orderly: bool,
    /// Messages told before it stood, and after it had ended.
    pub misplaced: u32,
    /// When it was opened, or first heard of.
    pub since: u64,
    /// When it ended.
    pub ended: Option<u64>,
    /// When the application closed it with success, and how often.
    pub closed: Option<u64>,
    /// Closes that succeeded.
    pub closes: u32,
    /// Its end was taken from the application's queue.
    pub taken: bool,
    /// The wire, the stream, the end.
    pub place: Option<(u64, (usize, u64), usize)>,
    /// Payload bytes that the application has not taken.
    pub untaken: usize,
    /// When the group was closed, if it was before this ended.
    pub group_closed: Option<u64>,
}

/// A group that was closed.
#[derive(Debug)]
pub struct Closing {
    /// When.
    pub asked: u64,
    /// When the application was told that it is done.
    pub done: Option<u64>,
    /// Events after that.
    pub later: u32,
}

impl Direct {
    /// Whether `PeerGroupEnumConnections` would list it, as far as anybody outside can tell; `None` at the moment when its
    /// time is just over.
    pub fn is_listed(&self, now: u64, most: u64) -> Option<bool> {
        let stands = self.story.first() == Some(&ConnectionChange::Connected);
        if !stands || self.closed.is_some() || self.group_closed.is_some() {
            return Some(false);
        }
        match self.ended {
            None => Some(true),
            Some(_) if self.taken => Some(false),
            Some(ended) if now - ended == most => None,
            Some(ended) => Some(now - ended < most),
        }
    }

    /// Whether it has had its last event.
    pub fn is_over(&self) -> bool {
        matches!(self.story.last(), Some(ConnectionChange::Failed | ConnectionChange::Disconnected))
    }
}

impl Host {
    /// The world's number of a group that this run has opened.
    pub fn group_of(&self, key: GroupKey) -> Option<usize> {
        self.ledger.groups.get(&key).copied()
    }

    /// Whether it takes part in a group, as an honest host that runs.
    pub fn plays(&self, group: usize) -> bool {
        self.honest && self.alive && self.open[group].is_some()
    }
}
