//! Neighbours: the nodes of a group that keep a session for the group's own sake.
//!
//! Every member connects to those it is told of, up to a limit. Whoever wants a neighbour sends CONNECT; WELCOME lists
//! the neighbours of the one who answers, REFUSE says that there is no room.

use alloc::vec::Vec;

use crate::authority::Authority;
use crate::codec::{
    Frame, LEAVING, REFERRAL_ADDRESSES_MAX, REFERRALS_MAX, Referral, refuse, reset,
};
use crate::direct::table::Event as Step;
use crate::event::{Cause, Connection, ConnectionChange, Event};
use crate::group::{Life, PeerKey};
use crate::id::{Address, ConnectionId, GroupKey, InstanceId};
use crate::io::{LinkId, StreamId, Timer};
use crate::limits::SECOND;
use crate::node::{ConnectionInfo, Node};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Neighbour {
    None,
    /// CONNECT is out on this carrier.
    Asked(LinkId, StreamId),
    Connected(ConnectionId),
}

impl Neighbour {
    pub(crate) fn id(self) -> Option<ConnectionId> {
        match self {
            Neighbour::Connected(id) => Some(id),
            _ => None,
        }
    }
}

impl<A: Authority> Node<A> {
    /// The control stream to use for a peer: the newest on a link that is not being given up.
    pub(crate) fn carrier(&self, group: GroupKey, peer: PeerKey) -> Option<(LinkId, StreamId)> {
        let carriers = &self.groups.get(&group)?.peers.get(&peer)?.carriers;
        let usable = |c: &&(LinkId, StreamId)| self.links.get(&c.0).is_some_and(|l| l.usable());
        carriers.iter().rev().find(usable).or(carriers.last()).copied()
    }

    pub(crate) fn ask_neighbour(&mut self, key: GroupKey, peer: PeerKey) {
        let Some((link, stream)) = self.carrier(key, peer) else { return };
        let max = self.limits.neighbours;
        let Some(group) = self.groups.get_mut(&key).filter(|g| g.life.admits_sessions()) else {
            return;
        };
        let room = group.peers.values().filter(|p| p.neighbour != Neighbour::None).count() < max;
        let Some(entry) =
            group.peers.get_mut(&peer).filter(|p| room && p.neighbour == Neighbour::None)
        else {
            return;
        };
        entry.neighbour = Neighbour::Asked(link, stream);
        self.write(link, stream, &Frame::Connect);
        self.timer(Timer::Welcome(link, stream), self.limits.welcome);
    }

    /// A frame of a standing session. False: it means nothing here.
    pub(crate) fn on_group_frame(
        &mut self,
        key: GroupKey,
        peer: PeerKey,
        link: LinkId,
        stream: StreamId,
        frame: Frame,
    ) -> bool {
        let Some(group) = self.groups.get(&key) else { return true };
        let Some(state) = group.peers.get(&peer).map(|p| p.neighbour) else { return false };
        let closing = group.life == Life::Closing;
        match frame {
            Frame::AddrUpdate(addresses) => self.on_addresses(key, peer, link, addresses),
            Frame::Connect if closing => {
                self.write(
                    link,
                    stream,
                    &Frame::Refuse { reason: refuse::BUSY, referrals: Vec::new() },
                );
            }
            Frame::Connect => self.on_connect(key, peer, link, stream),
            Frame::Welcome(referrals) => {
                if let Neighbour::Asked(link, stream) = state {
                    self.timers.cancel(Timer::Welcome(link, stream));
                    self.neighbour_connected(key, peer);
                }
                // Somebody counts us as a neighbour who has given up asking: it came too late.
                self.decline(key, peer);
                if !closing {
                    self.take_referrals(key, link, referrals);
                    self.welcomed(key, peer);
                }
            }
            Frame::Refuse { .. } if state.id().is_some() => {
                // On the stream that counts the peer has no room for us; on another that is out of date by now.
                if self.carrier(key, peer) == Some((link, stream)) {
                    self.neighbour_gone(key, peer, Cause::Refused(refuse::BUSY));
                }
            }
            Frame::Refuse { referrals, .. } => {
                let Neighbour::Asked(link, stream) = state else { return false };
                self.timers.cancel(Timer::Welcome(link, stream));
                self.set_neighbour(key, peer, Neighbour::None);
                self.take_referrals(key, link, self.strangers_of(key, referrals));
                self.candidate_failed(key, Cause::Refused(refuse::BUSY));
            }
            Frame::Disconnect { .. } => self.neighbour_gone(key, peer, Cause::Left),
            Frame::ObjectIds(_) | Frame::ObjectWant(_) | Frame::Object { .. } if closing => {}
            Frame::ObjectIds(ids) => self.on_object_ids(key, peer, ids),
            Frame::ObjectWant(ids) => self.on_object_want(key, link, stream, &ids),
            Frame::Object { kind, id, bytes } => {
                return self.on_object(key, peer, kind, id, &bytes);
            }
            _ => return false,
        }
        true
    }

    /// Referrals to nodes that are not in session with us. The others have refused as well, or will be asked in their time:
    /// nodes without room that point to each other must not be asked in turn, for ever.
    fn strangers_of(&self, key: GroupKey, mut referrals: Vec<Referral>) -> Vec<Referral> {
        if let Some(group) = self.groups.get(&key) {
            let near = |r: &Referral| {
                group.peers.iter().any(|((peer, _), p)| *peer == r.key && p.node == r.node)
            };
            referrals.retain(|r| !near(r));
        }
        referrals
    }

    fn on_connect(&mut self, key: GroupKey, peer: PeerKey, link: LinkId, stream: StreamId) {
        let Some(group) = self.groups.get(&key) else { return };
        let others =
            group.peers.iter().filter(|(p, e)| **p != peer && e.neighbour.id().is_some()).count();
        let state = group.peers.get(&peer).map_or(Neighbour::None, |p| p.neighbour);
        let referrals = self.referrals(key, peer);
        if others >= self.limits.neighbours && state == Neighbour::None {
            return self.write(link, stream, &Frame::Refuse { reason: refuse::BUSY, referrals });
        }
        // A node that has never synchronised has nothing to welcome anybody to, except one that asked it as well.
        let ready = self.groups.get(&key).is_some_and(|g| g.synchronised);
        if !ready && state == Neighbour::None {
            return self.write(link, stream, &Frame::Refuse { reason: refuse::BUSY, referrals });
        }
        if ready {
            self.write(link, stream, &Frame::Welcome(referrals));
        }
        // Had we asked too, the peer's question is as good as its answer; its welcome still comes.
        if state.id().is_none() {
            if let Neighbour::Asked(link, stream) = state {
                self.timers.cancel(Timer::Welcome(link, stream));
            }
            self.neighbour_connected(key, peer);
            self.update_status(key);
        }
    }

    fn neighbour_connected(&mut self, key: GroupKey, peer: PeerKey) {
        let id = self.fresh_connection();
        self.set_neighbour(key, peer, Neighbour::Connected(id));
        self.neighbour_event(key, peer, id, ConnectionChange::Connected, Cause::Orderly);
        if self.groups.get(&key).is_some_and(|g| g.life == Life::Connecting) {
            self.show_members(key);
        }
        if self.groups.get(&key).is_some_and(|g| g.life == Life::Online) {
            self.update_status(key);
            self.plan_maintenance(key);
        }
    }

    fn set_neighbour(&mut self, key: GroupKey, peer: PeerKey, state: Neighbour) {
        if let Some(entry) = self.groups.get_mut(&key).and_then(|g| g.peers.get_mut(&peer)) {
            entry.neighbour = state;
        }
    }

    fn neighbour_event(
        &mut self,
        key: GroupKey,
        peer: PeerKey,
        id: ConnectionId,
        change: ConnectionChange,
        cause: Cause,
    ) {
        let node = self
            .groups
            .get(&key)
            .and_then(|g| g.peers.get(&peer))
            .map(|p| p.node)
            .unwrap_or_default();
        self.event(
            key,
            Event::Neighbour(Connection { id, change, peer: Some(peer.0), node, cause }),
        );
    }

    /// The neighbourhood with a peer is over; the session may go on.
    fn neighbour_gone(&mut self, key: GroupKey, peer: PeerKey, cause: Cause) {
        let state = self.groups.get(&key).and_then(|g| g.peers.get(&peer)).map(|p| p.neighbour);
        match state {
            Some(Neighbour::Connected(id)) => {
                self.neighbour_event(key, peer, id, ConnectionChange::Disconnected, cause);
                self.set_neighbour(key, peer, Neighbour::None);
                self.update_status(key);
                self.plan_maintenance(key);
            }
            Some(Neighbour::Asked(link, stream)) => {
                self.timers.cancel(Timer::Welcome(link, stream));
                self.set_neighbour(key, peer, Neighbour::None);
                self.candidate_failed(key, cause);
            }
            _ => {}
        }
    }

    pub(crate) fn on_welcome_timer(&mut self, link: LinkId, stream: StreamId) {
        let asked = Neighbour::Asked(link, stream);
        let of = |g: &crate::group::Group| {
            g.peers.iter().find(|(_, p)| p.neighbour == asked).map(|(peer, _)| *peer)
        };
        let found = self.groups.iter().find_map(|(key, g)| of(g).map(|peer| (*key, peer)));
        if let Some((key, peer)) = found {
            self.neighbour_gone(key, peer, Cause::Timeout);
            self.decline(key, peer);
        }
    }

    /// Tells a peer that may have said yes, where we did not hear it, that we are no neighbours.
    fn decline(&mut self, key: GroupKey, peer: PeerKey) {
        let state = self.groups.get(&key).and_then(|g| g.peers.get(&peer)).map(|p| p.neighbour);
        if let (Some(Neighbour::None), Some((link, stream))) = (state, self.carrier(key, peer)) {
            self.write(link, stream, &Frame::Disconnect { reason: LEAVING });
        }
    }

    /// The neighbours we would point a newcomer to.
    pub(crate) fn referrals(&self, key: GroupKey, newcomer: PeerKey) -> Vec<Referral> {
        let Some(group) = self.groups.get(&key) else { return Vec::new() };
        let max = self.limits.referrals.min(REFERRALS_MAX);
        let connected =
            group.peers.iter().filter(|(p, e)| **p != newcomer && e.neighbour.id().is_some());
        connected
            .map(|((peer, _), entry)| {
                let book = group.book.get(peer).into_iter().flatten();
                let known = if entry.announced.is_empty() {
                    book.copied().collect()
                } else {
                    entry.announced.clone()
                };
                let addresses = known.into_iter().take(REFERRAL_ADDRESSES_MAX).collect();
                Referral { key: *peer, node: entry.node, addresses }
            })
            .take(max)
            .collect()
    }

    fn on_addresses(
        &mut self,
        key: GroupKey,
        peer: PeerKey,
        link: LinkId,
        addresses: Vec<Address>,
    ) {
        let near = self.links.get(&link).is_some_and(|l| l.remote.is_loopback());
        let max = self.limits.addresses_per_peer;
        let good = |a: &Address| a.is_dialable() && (near || !a.is_loopback());
        let addresses: Vec<Address> = addresses.into_iter().filter(good).take(max).collect();
        if let Some(entry) = self.groups.get_mut(&key).and_then(|g| g.peers.get_mut(&peer)) {
            entry.announced = addresses.clone();
        }
        self.learn_addresses(key, peer.0, &addresses);
    }

    pub(crate) fn announce_addresses(&mut self, key: GroupKey) {
        let own = self.announced();
        let Some(group) = self.groups.get(&key) else { return };
        let peers: Vec<PeerKey> = group.peers.keys().copied().collect();
        for peer in peers {
            if let Some((link, stream)) = self.carrier(key, peer) {
                self.write(link, stream, &Frame::AddrUpdate(own.clone()));
            }
        }
    }

    /// Says goodbye to all neighbours.
    pub(crate) fn leave_neighbours(&mut self, key: GroupKey) {
        let Some(group) = self.groups.get(&key) else { return };
        let peers: Vec<PeerKey> = group.peers.keys().copied().collect();
        for peer in peers {
            if let Some((link, stream)) = self.carrier(key, peer) {
                self.write(link, stream, &Frame::Disconnect { reason: LEAVING });
            }
            self.neighbour_gone(key, peer, Cause::Left);
        }
    }

    /// A control stream that carried a session is gone; the session lives on if another carries it.
    pub(crate) fn session_lost(
        &mut self,
        link: LinkId,
        stream: StreamId,
        key: GroupKey,
        instance: InstanceId,
        cause: Cause,
    ) {
        let Some(peer) = self.links.get(&link).map(|l| (l.peer, instance)) else { return };
        let Some(entry) = self.groups.get_mut(&key).and_then(|g| g.peers.get_mut(&peer)) else {
            return;
        };
        entry.carriers.retain(|c| *c != (link, stream));
        let last = entry.carriers.is_empty();
        let asked_here = entry.neighbour == Neighbour::Asked(link, stream);
        let connected = entry.neighbour.id().is_some();
        if !last {
            if asked_here {
                entry.neighbour = Neighbour::None;
                self.ask_neighbour(key, peer);
                self.decline(key, peer);
            } else if connected && let Some((link, stream)) = self.carrier(key, peer) {
                // What made us neighbours may have gone with this stream: our answer, or our question that was one.
                self.write(link, stream, &Frame::Connect);
            }
            self.offer_again(key, peer);
            return;
        }
        let cause = if cause == Cause::NotAuthenticated { Cause::Left } else { cause };
        let directs = self.links.get(&link).map(|l| l.direct_ids()).unwrap_or_default();
        // Whoever leaves has answered our closes before, on streams of their own: the answers may still be on their way.
        let answered = |d: &crate::direct::Direct| {
            cause == Cause::Left && d.state == crate::direct::table::State::LocalClosing
        };
        for id in directs {
            if self.directs.get(&id).is_some_and(|d| d.group == key && !answered(d)) {
                // Of the session's end and the connection's own either may be heard of first.
                let why = match cause {
                    Cause::Expired | Cause::Revoked => cause,
                    _ => Cause::Lost,
                };
                self.run(id, Step::SessionLost, why);
            }
        }
        self.neighbour_gone(key, peer, cause);
        if let Some(group) = self.groups.get_mut(&key) {
            group.peers.remove(&peer);
        }
        self.show_presence(key, peer.0);
        self.closing_progress(key);
        // One that takes us in and drops us at once is left to the slower search.
        let now = self.now.tick;
        let stood = self.links.get(&link).is_some_and(|l| now.since(l.up) >= SECOND);
        if cause == Cause::Lost && stood {
            self.look_for(key, peer.0);
        }
    }

    /// The membership of a peer, or our own, has ended or was taken back.
    pub(crate) fn membership_over(&mut self, key: GroupKey, peer: PeerKey, cause: Cause) {
        let of_peer =
            |id: &ConnectionId| self.directs.get(id).is_some_and(|d| d.peer() == Some(peer.0));
        let mut directs = self.groups.get(&key).map(|g| g.directs.ids()).unwrap_or_default();
        directs.retain(of_peer);
        for id in directs {
            self.run(id, Step::Expired, cause);
        }
        let code = if cause == Cause::Revoked { reset::REVOKED } else { reset::MEMBERSHIP };
        let ours = |g: &crate::group::Group| g.objects.revocations.find(&g.own.path).is_some();
        let tells = cause == Cause::Revoked && !self.groups.get(&key).is_some_and(ours);
        let carriers =
            self.groups.get(&key).and_then(|g| g.peers.get(&peer)).map(|p| p.carriers.clone());
        for (link, stream) in carriers.unwrap_or_default() {
            let control = self.take_control(link, stream);
            // Whoever is revoked shall read why: the revocation is on its way on this very stream, and the link has its
            // time as a stranger's. Nothing that still comes on it is taken in.
            if tells {
                self.finish(link, stream);
            } else {
                self.abort(link, stream, code);
            }
            if let Some(control) = control {
                self.control_ended(link, stream, &control, cause);
            }
            if !tells {
                self.release_link(link);
            }
        }
    }

    pub(crate) fn all_neighbours(&self, key: GroupKey, addresses: &[Address]) -> bool {
        let Some(group) = self.groups.get(&key) else { return false };
        addresses.iter().all(|address| {
            group.peers.values().any(|p| {
                let remote = p
                    .carriers
                    .iter()
                    .any(|c| self.links.get(&c.0).is_some_and(|l| l.remote == *address));
                p.neighbour.id().is_some() && (remote || p.announced.contains(address))
            })
        })
    }

    pub(crate) fn listed_neighbours(&self, key: GroupKey) -> Vec<ConnectionInfo> {
        let Some(group) = self.groups.get(&key) else { return Vec::new() };
        let info = |(peer, entry): (&PeerKey, &crate::group::Peer)| {
            let (link, _) = self.carrier(key, *peer)?;
            let address = self.links.get(&link)?.remote;
            Some(ConnectionInfo {
                id: entry.neighbour.id()?,
                peer: peer.0,
                node: entry.node,
                address,
            })
        };
        let mut all: Vec<ConnectionInfo> = group.peers.iter().filter_map(info).collect();
        all.sort_unstable_by_key(|c| c.id);
        all
    }
}
