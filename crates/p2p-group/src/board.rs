//! The queues of one group: who gets which event, and when the node may be told that something was taken.
//!
//! Plain state, no threads, no I/O: every call returns what is to be done once the locks are released. Two debts are
//! kept. A message is taken when the last queue that got it has given it out; the node then lets the sender go on. The
//! end of a connection is taken likewise; until then the connection stays listed and may be closed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Waker;

use p2p_core::{
    Cause, Connection, ConnectionChange, ConnectionId, Event, Guid, KeyId, Member, ObjectId,
    Payload, Taken,
};
use p2p_crypto::GroupProperties;
use tokio::sync::Notify;

use crate::error::{AdminError, Closed};
use crate::events::{ConnectionEvent, EventKind, Filter, GroupEvent};
use crate::peer::Peer;
use crate::publishing::Outcome;
use crate::queue::{Callback, HandleId, Item, Purpose, Queue, QueueId, Share, Wake};

/// So many taken bytes are reported to the node at the latest; fewer when a queue runs empty. One call per batch
/// instead of one per message.
const BATCH_BYTES: usize = 64 << 10;
/// So many taken messages are reported at the latest.
const BATCH_MESSAGES: usize = 64;
/// A queue that holds so many events gets no further refusals and tries of passwords: strangers cause them, and nobody may be reading. The log
/// has them all.
const REFUSED_MAX: usize = 1_024;

/// What is to be done after the locks are released.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// To be told to the node, in order.
    pub(crate) taken: Vec<(ConnectionId, Taken)>,
    /// Connections whose owner is gone: to be closed.
    pub(crate) close: Vec<ConnectionId>,
    pub(crate) wakes: Vec<Wake>,
    /// A failure that was held back, by its number: to be given out in time.
    pub(crate) held: Option<u64>,
}

/// How a feed stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The connection is there, or opening.
    Open,
    /// It has ended.
    Ended(Cause),
    /// The handle was closed first; what became of the connection is not known here.
    Frozen,
}

/// The queues of one group.
#[derive(Debug)]
pub(crate) struct Board {
    next: u64,
    handles: BTreeSet<HandleId>,
    /// Boxed: a map keeps room for eleven values even for its first one.
    queues: BTreeMap<QueueId, Box<Queue>>,
    /// Queues with a filter, not frozen.
    subscribers: Vec<QueueId>,
    /// Queues of single connections that have not ended, not frozen.
    feeds: BTreeMap<ConnectionId, QueueId>,
    /// Queues for incoming connections, oldest first, not frozen.
    acceptors: Vec<QueueId>,
    /// Connections that were opened here and have no outcome yet.
    opening: BTreeSet<ConnectionId>,
    peers: BTreeMap<KeyId, Arc<Member>>,
    /// Those who wait for an object to be stored.
    publishing: BTreeMap<ObjectId, Vec<Arc<Outcome>>>,
    /// Senders that wait for room, by connection.
    rooms: BTreeMap<ConnectionId, Arc<Notify>>,
    /// Taken, and not yet told to the node.
    untold: Vec<(ConnectionId, Taken)>,
    untold_bytes: usize,
}

impl Board {
    pub(crate) fn new(members: impl IntoIterator<Item = Arc<Member>>) -> Board {
        Board {
            next: 1,
            handles: BTreeSet::new(),
            queues: BTreeMap::new(),
            subscribers: Vec::new(),
            feeds: BTreeMap::new(),
            acceptors: Vec::new(),
            opening: BTreeSet::new(),
            peers: members.into_iter().map(|member| (member.key, member)).collect(),
            publishing: BTreeMap::new(),
            rooms: BTreeMap::new(),
            untold: Vec::new(),
            untold_bytes: 0,
        }
    }

    // Handles.

    pub(crate) fn open_handle(&mut self) -> HandleId {
        let handle = HandleId(self.number());
        self.handles.insert(handle);
        handle
    }

    pub(crate) fn is_open(&self, handle: HandleId) -> bool {
        self.handles.contains(&handle)
    }

    pub(crate) fn has_handles(&self) -> bool {
        !self.handles.is_empty()
    }

    /// Closes a handle and freezes its queues. `Some(true)`: it was the last; `None`: it was not open.
    pub(crate) fn close_handle(&mut self, handle: HandleId, fx: &mut Effects) -> Option<bool> {
        if !self.handles.remove(&handle) {
            return None;
        }
        let queues: Vec<QueueId> = self
            .queues
            .iter()
            .filter(|(_, queue)| queue.handle == handle)
            .map(|(id, _)| *id)
            .collect();
        for queue in queues {
            self.freeze(queue, fx);
        }
        fx.wakes.extend(self.rooms.values().cloned().map(Wake::Notify));
        Some(self.handles.is_empty())
    }

    /// Closes every handle.
    pub(crate) fn close_all(&mut self, fx: &mut Effects) {
        while let Some(handle) = self.handles.first().copied() {
            self.close_handle(handle, fx);
        }
    }

    // Queues.

    /// A queue of `handle`; `None` if the handle is closed.
    pub(crate) fn subscribe(&mut self, handle: HandleId, filter: Filter) -> Option<QueueId> {
        let id = self.add(handle, Purpose::Filter(filter))?;
        self.subscribers.push(id);
        Some(id)
    }

    /// A queue for incoming connections; `None` if the handle is closed.
    pub(crate) fn accept(&mut self, handle: HandleId) -> Option<QueueId> {
        let id = self.add(handle, Purpose::Acceptor)?;
        self.acceptors.push(id);
        Some(id)
    }

    /// Notes that `id` was opened here: its outcome is not an incoming connection.
    pub(crate) fn opened(&mut self, id: ConnectionId) {
        self.opening.insert(id);
    }

    /// As [`opened`](Self::opened), with a queue for this connection alone.
    pub(crate) fn opened_with_feed(
        &mut self,
        handle: HandleId,
        id: ConnectionId,
    ) -> Option<QueueId> {
        self.opened(id);
        let queue = self.add(handle, Purpose::Feed(id))?;
        self.feeds.insert(id, queue);
        Some(queue)
    }

    /// Removes a queue with what is in it. The connections it owned are closed.
    pub(crate) fn remove(&mut self, id: QueueId, fx: &mut Effects) -> Option<Arc<Callback>> {
        let mut owned = vec![id];
        let mut callback = None;
        while let Some(id) = owned.pop() {
            if let Some(Purpose::Feed(connection)) =
                self.queues.get(&id).map(|queue| &queue.purpose)
                && self.feeds.get(connection) == Some(&id)
            {
                fx.close.push(*connection);
            }
            self.freeze(id, fx);
            let Some(queue) = self.queues.remove(&id) else { continue };
            for (item, _) in queue.entries {
                if let Item::Incoming(_, feed) = item {
                    owned.push(feed);
                }
            }
            callback = callback.or(queue.ready);
        }
        callback
    }

    /// Takes the oldest item.
    pub(crate) fn pop(&mut self, id: QueueId, fx: &mut Effects) -> Option<Item> {
        let queue = self.queues.get_mut(&id)?;
        let (item, share) = queue.entries.pop_front()?;
        let empty = queue.entries.is_empty();
        let debt = item.debt();
        let ended = matches!(debt, Some((_, Taken::Disconnected)));
        if let Some(debt) = debt {
            self.pay(debt, share);
        }
        if empty || ended || self.untold_bytes >= BATCH_BYTES || self.untold.len() >= BATCH_MESSAGES
        {
            self.tell(fx);
        }
        Some(item)
    }

    /// Whether the connection of a feed has ended. Nothing is taken by asking.
    pub(crate) fn has_ended(&self, id: QueueId) -> bool {
        self.queues.get(&id).is_none_or(|queue| queue.ended.is_some())
    }

    /// How a feed stands. Whoever learns of the end here has taken it, whatever is still queued before it.
    pub(crate) fn end(&mut self, id: QueueId, fx: &mut Effects) -> End {
        let Some(queue) = self.queues.get_mut(&id) else { return End::Frozen };
        let Some(cause) = queue.ended else {
            return if queue.frozen { End::Frozen } else { End::Open };
        };
        let last = queue.entries.back_mut().and_then(|(item, share)| {
            matches!(item.debt(), Some((_, Taken::Disconnected)))
                .then(|| (item.debt(), std::mem::replace(share, Share::Free)))
        });
        if let Some((Some(debt), share)) = last {
            self.pay(debt, share);
            self.tell(fx);
        }
        End::Ended(cause)
    }

    /// Whether a queue can still get something.
    pub(crate) fn is_live(&self, id: QueueId) -> bool {
        self.queues.get(&id).is_some_and(|queue| !queue.frozen && queue.ended.is_none())
    }

    /// What a task that waits for this queue must wait on; registered before looking, nothing is missed.
    pub(crate) fn notify(&self, id: QueueId) -> Option<Arc<Notify>> {
        self.queues.get(&id).map(|queue| Arc::clone(&queue.notify))
    }

    /// The waker of the one task that polls this queue. What is answered is to be dropped without the lock: a waker may
    /// be the last to hold its task, and with it whatever that task holds.
    pub(crate) fn set_waker(&mut self, id: QueueId, waker: Waker) -> Option<Waker> {
        match self.queues.get_mut(&id) {
            Some(queue) => queue.waker.replace(waker),
            None => Some(waker),
        }
    }

    /// Replaces the function that is called when something was put in; called once now if something is in already.
    pub(crate) fn set_ready(
        &mut self,
        id: QueueId,
        callback: Arc<Callback>,
        fx: &mut Effects,
    ) -> Option<Arc<Callback>> {
        let queue = self.queues.get_mut(&id)?;
        if !queue.entries.is_empty() {
            fx.wakes.push(Wake::Ready(Arc::clone(&callback)));
        }
        queue.ready.replace(callback)
    }

    /// Whether incoming direct connections are wanted.
    pub(crate) fn wants_direct(&self) -> bool {
        let subscribed = |id: &QueueId| match &self.queues[id].purpose {
            Purpose::Filter(filter) => filter.wants(EventKind::Direct),
            _ => false,
        };
        !self.acceptors.is_empty() || self.subscribers.iter().any(subscribed)
    }

    /// Whether the failure after a wrong password is to be held back.
    pub(crate) fn holds_rejected_password(&self) -> bool {
        let holds = |id: &QueueId| matches!(&self.queues[id].purpose, Purpose::Filter(filter) if filter.holds());
        self.subscribers.iter().any(holds)
    }

    // Room to send.

    /// Told when there may be room on a connection again, or the connection or a handle is gone.
    pub(crate) fn room(&mut self, id: ConnectionId) -> Arc<Notify> {
        Arc::clone(self.rooms.entry(id).or_default())
    }

    /// There is room on `id`. Who is late for this wake-up, because another sender took the room meanwhile, waits for the
    /// next one: the entry stays.
    fn room_again(&self, id: ConnectionId, fx: &mut Effects) {
        fx.wakes.extend(self.rooms.get(&id).cloned().map(Wake::Notify));
    }

    /// Wakes those who wait for room on `id` for the last time: it has ended, or is closed.
    pub(crate) fn wake_room(&mut self, id: ConnectionId, fx: &mut Effects) {
        fx.wakes.extend(self.rooms.remove(&id).map(Wake::Notify));
    }

    // Events.

    /// The peer with this key, with its membership if that is known.
    pub(crate) fn peer(&self, key: KeyId) -> Peer {
        Peer::new(key, self.peers.get(&key).cloned())
    }

    /// Hands an event of the node to the queues that want it.
    pub(crate) fn event(&mut self, event: Event, fx: &mut Effects) {
        match event {
            Event::Status(status) => self.publish(GroupEvent::Status(status), fx),
            Event::ConnectionFailed { reason } => {
                self.publish(GroupEvent::ConnectionFailed { reason }, fx)
            }
            Event::Neighbour(connection) => {
                let event = self.describe(connection);
                self.publish(GroupEvent::Neighbour(event), fx);
            }
            Event::Direct(connection) => self.direct(connection, fx),
            Event::Data { id, peer, kind, payload } => self.data(id, peer, kind, payload, fx),
            Event::Member { change, member } => {
                self.peers.insert(member.key, Arc::clone(&member));
                self.publish(GroupEvent::Member { change, member }, fx);
            }
            Event::Revoked { revocation } => {
                let who = self.peer(revocation.target);
                let by = self.peer(revocation.signer);
                let (reason, serial) = (revocation.reason, revocation.serial);
                self.publish(GroupEvent::Revoked { who, by, reason, serial }, fx);
            }
            Event::Renewed { member } => {
                self.peers.insert(member.key, Arc::clone(&member));
                self.publish(GroupEvent::Renewed { member }, fx);
            }
            Event::Published { id, result } => {
                for outcome in self.publishing.remove(&id).unwrap_or_default() {
                    fx.wakes.push(outcome.tell(result.map_err(AdminError::NotStored)));
                }
            }
            Event::Refused { peer, remote, refusal } => {
                self.publish(GroupEvent::Refused { peer, remote, refusal }, fx);
            }
            Event::PasswordRejected { peer, remote } => {
                self.publish(GroupEvent::PasswordRejected { peer, remote }, fx);
            }
            Event::PasswordFailed { peer, remote } => {
                self.publish(GroupEvent::PasswordFailed { peer, remote }, fx);
            }
            Event::PasswordDelayed { peer, remote } => {
                self.publish(GroupEvent::PasswordDelayed { peer, remote }, fx);
            }
            Event::Writable(id) => self.room_again(id, fx),
            Event::StoreFailed { code } => self.publish(GroupEvent::StoreFailed { code }, fx),
            // `Closed` and changed properties, which are read first, are the instance's own affair.
            _ => {}
        }
    }

    /// The group's properties have changed.
    pub(crate) fn properties(&mut self, properties: GroupProperties, fx: &mut Effects) {
        let properties = Arc::new(properties);
        self.publish(GroupEvent::PropertiesChanged { properties }, fx);
    }

    /// `outcome` is told when the object is stored, or cannot be.
    pub(crate) fn await_object(&mut self, id: ObjectId, outcome: Arc<Outcome>) {
        self.publishing.entry(id).or_default().push(outcome);
    }

    /// The group is closed: whoever waits for an object will not hear of it.
    pub(crate) fn abandon(&mut self, fx: &mut Effects) {
        for outcome in std::mem::take(&mut self.publishing).into_values().flatten() {
            fx.wakes.push(outcome.tell(Err(Closed.into())));
        }
    }

    fn publish(&mut self, event: GroupEvent, fx: &mut Effects) {
        let kind = event.kind();
        for id in &self.subscribers {
            let queue = self.queues.get_mut(id).expect("a subscriber has a queue");
            let strangers = matches!(kind, EventKind::Refused | EventKind::PasswordTried);
            let full = strangers && queue.entries.len() >= REFUSED_MAX;
            if !full && matches!(&queue.purpose, Purpose::Filter(filter) if filter.wants(kind)) {
                queue.push(Item::Event(event.clone()), Share::Free, &mut fx.wakes);
            }
        }
    }

    fn direct(&mut self, connection: Connection, fx: &mut Effects) {
        let event = self.describe(connection);
        let id = event.id;
        let ours = event.change != ConnectionChange::Disconnected && self.opening.remove(&id);
        let mut targets = self.wanting(|filter| filter.wants(EventKind::Direct));
        match event.change {
            ConnectionChange::Connected if ours => targets.extend(self.feeds.get(&id)),
            ConnectionChange::Connected => self.arrived(&event, fx),
            ConnectionChange::Disconnected | ConnectionChange::Failed => {
                self.wake_room(id, fx);
                if let Some(feed) = self.feeds.remove(&id) {
                    self.queues.get_mut(&feed).expect("a feed has a queue").ended =
                        Some(event.cause);
                    targets.push(feed);
                }
            }
        }
        self.deliver(&targets, Item::Event(GroupEvent::Direct(event)), fx);
    }

    /// An incoming connection belongs to the oldest acceptor, if there is one; its feed exists before any data comes.
    fn arrived(&mut self, event: &ConnectionEvent, fx: &mut Effects) {
        let Some(acceptor) = self.acceptors.first().copied() else { return };
        let handle = self.queues[&acceptor].handle;
        let Some(feed) = self.add(handle, Purpose::Feed(event.id)) else { return };
        self.feeds.insert(event.id, feed);
        let queue = self.queues.get_mut(&acceptor).expect("an acceptor has a queue");
        queue.push(Item::Incoming(event.clone(), feed), Share::Free, &mut fx.wakes);
    }

    fn data(
        &mut self,
        id: ConnectionId,
        peer: KeyId,
        kind: Guid,
        payload: Payload,
        fx: &mut Effects,
    ) {
        let mut targets = self.wanting(|filter| filter.wants_data(kind));
        targets.extend(self.feeds.get(&id));
        let peer = self.peer(peer);
        self.deliver(&targets, Item::Data { id, peer, kind, payload }, fx);
    }

    /// Puts an item into all of `targets`; what nobody wants is taken at once.
    fn deliver(&mut self, targets: &[QueueId], item: Item, fx: &mut Effects) {
        let Some((last, others)) = targets.split_last() else {
            fx.taken.extend(item.debt());
            return;
        };
        let share = match (item.debt(), others) {
            (None, _) => Share::Free,
            (Some(_), []) => Share::Sole,
            (Some(_), _) => Share::One(Arc::new(())),
        };
        for id in others {
            let queue = self.queues.get_mut(id).expect("a target has a queue");
            queue.push(item.clone(), share.clone(), &mut fx.wakes);
        }
        let queue = self.queues.get_mut(last).expect("a target has a queue");
        queue.push(item, share, &mut fx.wakes);
    }

    fn wanting(&self, wants: impl Fn(&Filter) -> bool) -> Vec<QueueId> {
        let passes = |id: &&QueueId| match &self.queues[id].purpose {
            Purpose::Filter(filter) => wants(filter),
            _ => false,
        };
        self.subscribers.iter().filter(passes).copied().collect()
    }

    fn describe(&self, connection: Connection) -> ConnectionEvent {
        let Connection { id, change, peer, node, cause } = connection;
        ConnectionEvent { id, change, peer: peer.map(|key| self.peer(key)), node, cause }
    }

    // Book-keeping.

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn add(&mut self, handle: HandleId, purpose: Purpose) -> Option<QueueId> {
        if !self.is_open(handle) {
            return None;
        }
        let id = QueueId(self.number());
        self.queues.insert(id, Box::new(Queue::new(handle, purpose)));
        Some(id)
    }

    /// Nothing more comes into this queue, and the node no longer waits for what is in it.
    fn freeze(&mut self, id: QueueId, fx: &mut Effects) {
        self.subscribers.retain(|other| *other != id);
        self.acceptors.retain(|other| *other != id);
        let Some(queue) = self.queues.get_mut(&id) else { return };
        if let Purpose::Feed(connection) = &queue.purpose
            && self.feeds.get(connection) == Some(&id)
        {
            self.feeds.remove(connection);
        }
        queue.frozen = true;
        queue.wake(&mut fx.wakes);
        let mut debts = Vec::new();
        for (item, share) in &mut queue.entries {
            let share = std::mem::replace(share, Share::Free);
            debts.extend(item.debt().map(|debt| (debt, share)));
        }
        for (debt, share) in debts {
            self.pay(debt, share);
        }
        self.tell(fx);
    }

    fn pay(&mut self, debt: (ConnectionId, Taken), share: Share) {
        if share.release() {
            if let Taken::Data { bytes } = debt.1 {
                self.untold_bytes += bytes;
            }
            self.untold.push(debt);
        }
    }

    fn tell(&mut self, fx: &mut Effects) {
        fx.taken.append(&mut self.untold);
        self.untold_bytes = 0;
    }
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
