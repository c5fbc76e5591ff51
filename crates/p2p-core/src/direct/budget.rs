//! What a peer may make us hold: unread messages are counted, and credit is given by what is left.

use alloc::collections::BTreeSet;

use super::table::State;
use crate::authority::Authority;
use crate::id::{ConnectionId, GroupKey, KeyId};
use crate::node::Node;

/// What an unread message costs besides its bytes, so that a flood of empty ones is bounded too.
const MESSAGE_COST: usize = 256;
/// Most that is given in advance on one connection.
const WINDOW: usize = 1 << 20;
/// Enough for the frames that come before any message.
const CREDIT_OPENING: usize = 1 << 10;

/// Unread bytes of one peer, over all its connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerBudget {
    unread: usize,
    /// Bytes of messages that are not whole yet.
    arriving: usize,
    /// Connections that got no credit for want of budget.
    blocked: BTreeSet<ConnectionId>,
    /// Connections on which a message is arriving, oldest first.
    unfinished: BTreeSet<(u64, ConnectionId)>,
}

/// A connection that is gone, while messages of it wait in the application's queues.
#[derive(Clone, Debug)]
pub(crate) struct Ghost {
    pub(crate) group: GroupKey,
    pub(crate) peer: KeyId,
    pub(crate) unread: usize,
}

impl PeerBudget {
    pub(crate) fn unread(&self) -> usize {
        self.unread
    }

    /// Unread bytes, and those of messages that are not whole.
    pub(super) fn sums(&self) -> (usize, usize) {
        (self.unread, self.arriving)
    }
}

/// The charge of an unread message.
pub(super) fn charge(bytes: usize) -> usize {
    bytes + MESSAGE_COST
}

impl<A: Authority> Node<A> {
    /// Gives a connection's stream the credit that it may have.
    pub(crate) fn refill_direct(&mut self, id: ConnectionId) {
        let Some(direct) = self.directs.get(&id) else { return };
        let (Some((link, stream)), Some(peer)) = (direct.wire(), direct.peer()) else { return };
        let Some((buffered, credit)) =
            self.stream(link, stream).map(|s| (s.decoder.buffered(), s.credit as usize))
        else {
            return;
        };
        self.note_unfinished(id, buffered > 0);
        let Some(direct) = self.directs.get(&id) else { return };
        let arriving = direct.begun_len() + buffered;
        self.count_arriving(id, if direct.state == State::Open { arriving } else { 0 });
        let Some(direct) = self.directs.get(&id) else { return };
        let window = match direct.state {
            State::OpenSent if direct.proved => CREDIT_OPENING,
            State::LocalClosing => WINDOW,
            State::Open => {
                // A message may be longer than the queue: what has begun comes whole once nothing else waits to be taken.
                let alone = direct.unread == 0 && arriving > 0;
                let whole = if alone { self.limits.message + WINDOW / 16 } else { 0 };
                let own = self.limits.receive_queue.max(whole);
                let own = own.saturating_sub(direct.unread + arriving);
                own.min(self.share(peer, id, arriving)).min(WINDOW)
            }
            _ => 0,
        };
        // In portions, so that a stream of small messages does not cost one output each.
        if window > credit && (credit <= window / 2 || window < WINDOW / 2) {
            self.credit(link, stream, (window - credit) as u32);
        }
    }

    /// Keeps the sum of what a peer has begun and not ended.
    fn count_arriving(&mut self, id: ConnectionId, arriving: usize) {
        let Some(direct) = self.directs.get_mut(&id) else { return };
        let before = direct.charge(arriving);
        if let (Some(peer), true) = (direct.peer(), before != arriving) {
            let budget = self.budgets.entry(peer).or_default();
            budget.arriving = budget.arriving.saturating_sub(before) + arriving;
        }
    }

    /// What the peer's budget leaves for a connection. When it is used up, only the oldest unfinished message goes on;
    /// and not even that while there is something to take.
    fn share(&mut self, peer: KeyId, id: ConnectionId, arriving: usize) -> usize {
        let (all, message) = (self.limits.receive_per_peer, self.limits.message);
        let budget = self.budgets.entry(peer).or_default();
        let left = all.saturating_sub(budget.unread + budget.arriving);
        let oldest = budget.unfinished.first().is_some_and(|(_, first)| *first == id);
        if left > 0 {
            budget.blocked.remove(&id);
            left
        } else if oldest && budget.unread < all {
            // The rest of the message and its frames' heads.
            (message + WINDOW / 16).saturating_sub(arriving)
        } else {
            budget.blocked.insert(id);
            0
        }
    }

    /// Keeps the order in which messages began to arrive.
    fn note_unfinished(&mut self, id: ConnectionId, buffered: bool) {
        let Some(direct) = self.directs.get(&id) else { return };
        let arriving = buffered || direct.has_begun();
        let Some(peer) = direct.peer().filter(|_| arriving != direct.turn().is_some()) else {
            return;
        };
        let turn = direct.turn().unwrap_or_default();
        let next = if arriving { Some(self.fresh_id()) } else { None };
        let budget = self.budgets.entry(peer).or_default();
        match next {
            Some(turn) => _ = budget.unfinished.insert((turn, id)),
            None => _ = budget.unfinished.remove(&(turn, id)),
        }
        if let Some(direct) = self.directs.get_mut(&id) {
            direct.set_turn(next);
        }
        self.forget_budget(peer);
    }

    /// A whole message was handed on: it is unread until it is taken.
    pub(super) fn count_unread(&mut self, id: ConnectionId, bytes: usize) {
        let Some(direct) = self.directs.get_mut(&id) else { return };
        direct.unread += charge(bytes);
        if let Some(peer) = direct.peer() {
            self.budgets.entry(peer).or_default().unread += charge(bytes);
        }
    }

    pub(super) fn data_taken(&mut self, id: ConnectionId, bytes: usize) {
        let peer = if let Some(direct) = self.directs.get_mut(&id) {
            let taken = charge(bytes).min(direct.unread);
            direct.unread -= taken;
            direct.peer().map(|peer| (peer, taken))
        } else if let Some(ghost) = self.ghosts.get_mut(&id) {
            let taken = charge(bytes).min(ghost.unread);
            ghost.unread -= taken;
            let found = (ghost.peer, taken);
            if ghost.unread == 0 {
                self.ghosts.remove(&id);
            }
            Some(found)
        } else {
            None
        };
        let Some((peer, taken)) = peer else { return };
        let budget = self.budgets.entry(peer).or_default();
        budget.unread = budget.unread.saturating_sub(taken);
        let blocked = core::mem::take(&mut budget.blocked);
        self.refill_direct(id);
        for other in blocked {
            self.refill_direct(other);
        }
        self.forget_budget(peer);
    }

    /// The message that was arriving will never be whole.
    pub(super) fn forget_partial(&mut self, id: ConnectionId) {
        self.count_arriving(id, 0);
        let Some(direct) = self.directs.get_mut(&id) else { return };
        direct.take_begun();
        let (turn, peer) = (direct.turn(), direct.peer());
        direct.set_turn(None);
        let Some(budget) = peer.and_then(|peer| self.budgets.get_mut(&peer)) else { return };
        budget.blocked.remove(&id);
        if let Some(turn) = turn {
            budget.unfinished.remove(&(turn, id));
        }
        // Another message may be the oldest now.
        let blocked: alloc::vec::Vec<ConnectionId> = budget.blocked.iter().copied().collect();
        for other in blocked {
            self.refill_direct(other);
        }
        if let Some(peer) = peer {
            self.forget_budget(peer);
        }
    }

    /// A group is gone, and its queues with it: what waited in them no longer counts.
    pub(crate) fn forget_ghosts(&mut self, group: GroupKey) {
        let of_group = |(id, ghost): (&ConnectionId, &Ghost)| (ghost.group == group).then_some(*id);
        let gone: alloc::vec::Vec<ConnectionId> = self.ghosts.iter().filter_map(of_group).collect();
        for id in gone {
            let unread = self.ghosts.get(&id).map_or(0, |ghost| ghost.unread);
            self.data_taken(id, unread.saturating_sub(MESSAGE_COST));
        }
    }

    fn forget_budget(&mut self, peer: KeyId) {
        let empty = |b: &PeerBudget| {
            (b.unread, b.arriving) == (0, 0) && b.blocked.is_empty() && b.unfinished.is_empty()
        };
        if self.budgets.get(&peer).is_some_and(empty) {
            self.budgets.remove(&peer);
        }
    }
}
