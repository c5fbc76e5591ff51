//! One group of a node: offline, connecting, online, closing, and what is stored of it.

mod members;
mod objects;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::authority::{Authority, Member};
use crate::code::Code;
use crate::codec::Hello;
use crate::direct::Roll;
use crate::direct::table::Event as Step;
use crate::event::{Cause, Event, MemberChange, Status};
use crate::id::{Address, GroupKey, InstanceId, KeyId, NodeId};
use crate::io::{GroupSnapshot, LinkId, Output, StoreChange, StreamId, Ticket, Timer};
use crate::limits::{Limits, SECOND};
use crate::neighbour::Neighbour;
use crate::node::{Connecting, Node, Pending};
use crate::object::ObjectId;
use crate::search::Search;
use crate::time::FileTime;
pub(crate) use objects::Objects;

/// Memberships are checked with this tolerance, in seconds: clocks differ.
const SKEW: u64 = 600;
/// A membership's end is looked at again at least this often, since wall clocks jump.
const EXPIRY_CHECK: u64 = 3_600 * SECOND;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Life {
    Offline,
    Connecting,
    Online,
    Closing,
}

impl Life {
    /// Whether peers may have sessions in it.
    pub(crate) fn admits_sessions(self) -> bool {
        matches!(self, Life::Connecting | Life::Online)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) key: KeyId,
    pub(crate) own: Arc<Member>,
    pub(crate) node: NodeId,
    pub(crate) life: Life,
    pub(crate) synchronised: bool,
    /// The first welcome is being stored.
    pub(crate) syncing: bool,
    pub(crate) accept_direct: bool,
    /// Own endpoints that are on their way to the store: who is told that the group listens may read there where.
    announcing: u32,
    pub(crate) status: Status,
    pub(crate) peers: BTreeMap<PeerKey, Peer>,
    pub(crate) members: BTreeMap<KeyId, Known>,
    pub(crate) book: BTreeMap<KeyId, Vec<Address>>,
    pub(crate) search: Search,
    pub(crate) directs: Roll,
    pub(crate) objects: Objects,
}

/// A node in session: its identity and its run.
pub(crate) type PeerKey = (KeyId, InstanceId);

#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) node: NodeId,
    pub(crate) message_max: usize,
    /// The control streams that carry the session, on one link or, for a while, on two.
    pub(crate) carriers: Vec<(LinkId, StreamId)>,
    /// What the node announced as its own.
    pub(crate) announced: Vec<Address>,
    pub(crate) neighbour: Neighbour,
    /// The membership that its session stands on.
    pub(crate) member: Arc<Member>,
    /// Objects that it has and we lack, and those that it was asked for.
    pub(crate) offered: VecDeque<ObjectId>,
    pub(crate) wanted: Vec<ObjectId>,
    /// It has welcomed us; that counts once all its objects are here.
    pub(crate) welcome_waits: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// What all memberships give together.
    pub(crate) member: Arc<Member>,
    /// The shallowest first, none of them revoked.
    pub(crate) memberships: Vec<Arc<Member>>,
    pub(crate) stored: bool,
    /// Stored, and not yet told to the application.
    news: Option<MemberChange>,
    /// The application was told that the member is here.
    shown: bool,
}

impl Group {
    pub(crate) fn new(
        key: KeyId,
        own: Arc<Member>,
        node: NodeId,
        snapshot: GroupSnapshot,
        limits: &Limits,
        wall: FileTime,
    ) -> Group {
        let mut members: BTreeMap<KeyId, Known> = BTreeMap::new();
        for member in snapshot.members.into_iter().filter(|m| m.key != own.key) {
            let room = members.len() < limits.members;
            match members.get_mut(&member.key) {
                Some(known) => {
                    known.add(member, wall);
                }
                None if room => {
                    members.insert(member.key, Known::new(member, true));
                }
                None => {}
            }
        }
        Group {
            key,
            node,
            life: Life::Offline,
            synchronised: snapshot.synchronised,
            syncing: false,
            accept_direct: false,
            announcing: 0,
            status: Status::default(),
            peers: BTreeMap::new(),
            members,
            book: snapshot
                .addresses
                .into_iter()
                .filter(|(key, _)| *key != own.key)
                .take(limits.members)
                .collect(),
            search: Search::default(),
            directs: Roll::default(),
            objects: Objects::default(),
            own,
        }
    }

    /// Whether members may be spoken of: while a group connects, its first neighbour is told first.
    fn tells_members(&self) -> bool {
        self.life != Life::Connecting || self.peers.values().any(|p| p.neighbour.id().is_some())
    }

    fn is_present(&self, key: &KeyId) -> bool {
        self.peers.keys().any(|(peer, _)| peer == key)
    }
}

impl<A: Authority> Node<A> {
    pub(crate) fn start_connect(&mut self, key: GroupKey, addresses: &[Address]) -> Connecting {
        let given_are_neighbours = self.all_neighbours(key, addresses);
        let Some(group) = self.groups.get_mut(&key) else { return Connecting::Started };
        if group.life == Life::Online && given_are_neighbours {
            return Connecting::AlreadyConnected;
        }
        group.search.add_given(addresses);
        if group.life == Life::Offline {
            group.life = Life::Connecting;
            group.search.restart();
            self.timer(Timer::Connect(key), self.limits.connect);
            if core::mem::take(&mut self.listen_failed) {
                // Another group holds on to a socket that is lost: ask for a new one.
                self.push(Output::Listen { on: false });
                self.push(Output::Listen { on: true });
            } else if !self.listen_on {
                self.listen_on = true;
                self.push(Output::Listen { on: true });
            }
        }
        if !self.listening.is_empty() {
            self.group_may_start(key);
        }
        Connecting::Started
    }

    pub(crate) fn on_listening(&mut self, addresses: Arc<[Address]>) {
        if !self.listen_on {
            return;
        }
        self.listening = addresses;
        self.listen_failed = self.listening.is_empty();
        let groups: Vec<GroupKey> = self.groups.keys().copied().collect();
        for key in groups {
            match self.groups.get(&key).map(|g| g.life) {
                Some(Life::Connecting) if self.listening.is_empty() => {
                    self.connect_failed(key, Code::PEER_E_UNABLE_TO_LISTEN);
                }
                Some(Life::Connecting) => self.group_may_start(key),
                Some(Life::Online) => {
                    self.store_listening(key);
                    self.announce_addresses(key);
                    self.update_status(key);
                }
                _ => {}
            }
        }
    }

    /// The socket is open: a group that has synchronised before is online by that; any other has to meet a member.
    fn group_may_start(&mut self, key: GroupKey) {
        let Some(group) = self.groups.get(&key) else { return };
        // Whose own membership is over may still find a member that has a later one for it.
        let may = group.is_in_force(&group.own, self.now.wall);
        if group.life == Life::Connecting && group.synchronised && may {
            self.go_online(key);
        }
        self.search_all(key);
    }

    fn go_online(&mut self, key: GroupKey) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        group.life = Life::Online;
        let end = group.own.not_after;
        self.timers.cancel(Timer::Connect(key));
        self.store_listening(key);
        self.update_status(key);
        self.watch_expiry(key, end);
        self.plan_maintenance(key);
    }

    pub(crate) fn update_status(&mut self, key: GroupKey) {
        let listening = !self.listening.is_empty();
        let Some(group) = self.groups.get_mut(&key) else { return };
        let online = group.life == Life::Online;
        if online && group.announcing > 0 {
            return;
        }
        let connected = group.peers.values().any(|p| p.neighbour.id().is_some());
        let status = Status { listening: online && listening, connected: online && connected };
        if core::mem::replace(&mut group.status, status) != status {
            self.event(key, Event::Status(status));
        }
    }

    fn store_listening(&mut self, key: GroupKey) {
        let own = self.announced();
        let Some(group) = self.groups.get_mut(&key) else { return };
        let addresses = if group.life == Life::Online { own } else { Vec::new() };
        let change = StoreChange::Listening { group: group.key, addresses };
        group.announcing += 1;
        self.store(key, Pending::Listening, change);
    }

    /// Our own addresses, as many as a peer keeps.
    pub(crate) fn announced(&self) -> Vec<Address> {
        self.listening
            .iter()
            .take(self.limits.addresses_per_peer.min(crate::codec::ADDRESSES_MAX))
            .copied()
            .collect()
    }

    pub(crate) fn on_connect_timer(&mut self, key: GroupKey) {
        if self.groups.get(&key).is_some_and(|g| g.life == Life::Connecting) {
            let wall = self.now.wall;
            let reason = |g: &Group| {
                let may = g.is_in_force(&g.own, wall);
                if may { g.search.reason() } else { Code::PEER_E_NOT_AUTHORIZED }
            };
            let reason = self.groups.get(&key).map_or(Code::PEER_E_NO_MEMBERS_FOUND, reason);
            self.connect_failed(key, reason);
        }
    }

    /// The attempt is over; the group is as it was before it.
    pub(crate) fn connect_failed(&mut self, key: GroupKey, reason: Code) {
        self.go_offline(key);
        self.event(key, Event::ConnectionFailed { reason });
    }

    /// Drops all sessions of a group that stays open.
    fn go_offline(&mut self, key: GroupKey) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        group.life = Life::Offline;
        group.syncing = false;
        group.search.restart();
        self.forget_group_timers(key);
        self.cancel_dials(key);
        self.end_sessions(key);
        self.update_status(key);
        self.maybe_stop_listening();
    }

    fn forget_group_timers(&mut self, key: GroupKey) {
        for timer in [
            Timer::Connect(key),
            Timer::Search(key),
            Timer::Maintain(key),
            Timer::Expiry(key),
            Timer::Closing(key),
        ] {
            self.timers.cancel(timer);
        }
    }

    fn maybe_stop_listening(&mut self) {
        if self.listen_on && self.groups.values().all(|g| g.life == Life::Offline) {
            self.listen_on = false;
            self.listen_failed = false;
            self.listening = Arc::from([]);
            self.push(Output::Listen { on: false });
        }
    }

    /// Ends the control streams of a group, and the links that nothing else needs.
    fn end_sessions(&mut self, key: GroupKey) {
        let ours = |(id, l): (&LinkId, &crate::link::Link)| l.controls.get(&key).map(|s| (*id, *s));
        let controls: Vec<(LinkId, StreamId)> = self.links.iter().filter_map(ours).collect();
        for (link, stream) in controls {
            if self.disown(link, stream) {
                continue;
            }
            if let Some(control) = self.take_control(link, stream) {
                self.finish(link, stream);
                self.control_ended(link, stream, &control, Cause::Left);
            }
        }
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        links.into_iter().for_each(|link| self.disinherit(link, key, Cause::Left));
        self.release_links();
    }

    pub(crate) fn start_closing(&mut self, key: GroupKey) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        let was_online = group.life == Life::Online;
        group.life = Life::Closing;
        let directs = group.directs.ids();
        self.forget_group_timers(key);
        self.cancel_dials(key);
        // Before the last direct connection goes: with it the group may be closed at once, and is then unknown here.
        if was_online {
            self.store_listening(key);
        }
        for id in directs {
            self.run(id, Step::GroupClose, Cause::Cancelled);
        }
        self.leave_neighbours(key);
        self.update_status(key);
        self.timer(Timer::Closing(key), self.limits.closing);
        self.closing_progress(key);
    }

    /// A direct connection of the group is gone, or a session: perhaps there is nothing left to wait for.
    pub(crate) fn closing_progress(&mut self, key: GroupKey) {
        let Some(group) = self.groups.get(&key).filter(|g| g.life == Life::Closing) else { return };
        if !group.directs.is_empty() {
            return;
        }
        // Our side of each session ends first; the peer's answer tells that what we sent has arrived.
        let open: Vec<(LinkId, StreamId)> =
            group.peers.values().flat_map(|p| p.carriers.iter().copied()).collect();
        if open.is_empty() {
            // With `Closed` the group may be opened elsewhere: nothing of it may still be on its way to the store.
            if !self.tickets.values().any(|(group, _)| *group == key) {
                self.finish_closing(key);
            }
            return;
        }
        for (link, stream) in open {
            self.finish(link, stream);
        }
    }

    pub(crate) fn finish_closing(&mut self, key: GroupKey) {
        let directs = self.groups.get(&key).map(|g| g.directs.ids()).unwrap_or_default();
        for id in directs {
            self.run(id, Step::DrainTimer, Cause::Unconfirmed);
        }
        self.end_sessions(key);
        if self.groups.remove(&key).is_some() {
            self.forget_group_timers(key);
            self.event(key, Event::Closed);
        }
        self.forget_ghosts(key);
        self.maybe_stop_listening();
    }

    /// A session with a node stands.
    pub(crate) fn peer_up(
        &mut self,
        key: GroupKey,
        peer: PeerKey,
        carrier: (LinkId, StreamId),
        member: Arc<Member>,
        hello: &Hello,
    ) {
        let remote = self.links.get(&carrier.0).filter(|l| l.dialled).map(|l| l.remote);
        let end = member.not_after;
        let Some(group) = self.groups.get_mut(&key) else { return };
        let fresh = || Peer {
            node: hello.node,
            message_max: usize::try_from(hello.message_max).unwrap_or(usize::MAX),
            carriers: Vec::new(),
            announced: Vec::new(),
            neighbour: Neighbour::None,
            member: member.clone(),
            offered: VecDeque::new(),
            wanted: Vec::new(),
            welcome_waits: false,
        };
        let is_new = !group.peers.contains_key(&peer);
        let entry = group.peers.entry(peer).or_insert_with(fresh);
        entry.member = member.clone();
        entry.carriers.push(carrier);
        if let Some(remote) = remote {
            self.learn_addresses(key, peer.0, &[remote]);
        }
        self.meet(key, member);
        self.watch_expiry(key, end);
        let own = self.announced();
        if !own.is_empty() {
            self.write(carrier.0, carrier.1, &crate::codec::Frame::AddrUpdate(own));
        }
        if is_new {
            self.offer_objects(key, carrier.0, carrier.1);
        }
    }

    pub(crate) fn on_stored(&mut self, ticket: Ticket, result: Result<(), Code>) {
        let Some((key, pending)) = self.tickets.remove(&ticket) else { return };
        self.stats.stores_failed += u64::from(result.is_err());
        if !self.groups.contains_key(&key) {
            return;
        }
        match (pending, result) {
            (Pending::Publish(object), result) => self.published(key, object, result),
            (Pending::Synchronised, Ok(())) => self.synchronised_now(key),
            (Pending::Synchronised, Err(code)) => {
                if self.groups.get(&key).is_some_and(|g| g.life == Life::Connecting) {
                    self.connect_failed(key, code);
                }
            }
            (Pending::Member(peer), Ok(())) => {
                let known = self.groups.get_mut(&key).and_then(|g| g.members.get_mut(&peer));
                let Some(known) = known else { return self.closing_progress(key) };
                let change =
                    if known.stored { MemberChange::Updated } else { MemberChange::Joined };
                known.stored = true;
                known.news = Some(change);
                self.show_presence(key, peer);
            }
            (Pending::Listening, result) => {
                if let Err(code) = result {
                    self.event(key, Event::StoreFailed { code });
                }
                if let Some(group) = self.groups.get_mut(&key) {
                    group.announcing -= 1;
                }
                self.update_status(key);
            }
            (Pending::Nothing, Ok(())) => {}
            (_, Err(code)) => self.event(key, Event::StoreFailed { code }),
        }
        self.closing_progress(key);
    }

    fn synchronised_now(&mut self, key: GroupKey) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        group.synchronised = true;
        group.syncing = false;
        if group.life == Life::Connecting {
            self.go_online(key);
        }
    }

    /// The first welcome has come: from now on this node knows what the group knows.
    pub(crate) fn welcomed(&mut self, key: GroupKey, peer: PeerKey) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        if let Some(entry) = group.peers.get_mut(&peer).filter(|e| !e.wanted.is_empty()) {
            entry.welcome_waits = true;
            return;
        }
        let id = group.key;
        if !group.synchronised && !core::mem::replace(&mut group.syncing, true) {
            self.store(key, Pending::Synchronised, StoreChange::Synchronised { group: id });
        }
    }

    /// Sets the timer for the next end of a membership.
    fn watch_expiry(&mut self, key: GroupKey, end: FileTime) {
        let left = end.plus_seconds(SKEW).0.saturating_sub(self.now.wall.0) / 10 + 1;
        let at = self.now.tick + left.min(EXPIRY_CHECK);
        if !self.timers.is_set(Timer::Expiry(key))
            || self.timers.at(Timer::Expiry(key)).is_some_and(|t| at < t)
        {
            self.timers.set(Timer::Expiry(key), at);
        }
    }

    pub(crate) fn on_expiry_timer(&mut self, key: GroupKey) {
        let wall = self.now.wall;
        self.adopt_waiting(key);
        let Some(group) = self.groups.get(&key).filter(|g| g.life.admits_sessions()) else {
            return;
        };
        if over(group.own.not_after, wall) {
            return self.membership_ended(key);
        }
        self.prune_members(key);
        let Some(group) = self.groups.get(&key) else { return };
        let ends = group.peers.iter().map(|(peer, entry)| {
            group.members.get(&peer.0).map_or(entry.member.not_after, |k| k.member.not_after)
        });
        let next = ends.filter(|end| !over(*end, wall)).chain([group.own.not_after]).min();
        self.watch_expiry(key, next.unwrap_or(group.own.not_after));
    }

    /// Our own membership has ended or was taken back: the group goes offline.
    fn membership_ended(&mut self, key: GroupKey) {
        let Some(group) = self.groups.get(&key).filter(|g| g.life.admits_sessions()) else {
            return;
        };
        let revoked = group.objects.revocations.find(&group.own.path).is_some();
        let cause = if revoked { Cause::Revoked } else { Cause::Expired };
        let peers: Vec<PeerKey> = group.peers.keys().copied().collect();
        for peer in peers {
            self.membership_over(key, peer, cause);
        }
        self.go_offline(key);
        self.store_listening(key);
        self.event(key, Event::ConnectionFailed { reason: Code::PEER_E_NOT_AUTHORIZED });
    }
}

/// Whether a membership's end has passed, give or take what clocks differ.
fn over(end: FileTime, wall: FileTime) -> bool {
    end.plus_seconds(SKEW) < wall
}
