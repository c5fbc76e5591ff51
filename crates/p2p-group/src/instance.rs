//! One open group of one node: shared by all its handles.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use p2p_core::{Code, ConnectionId, Event, GroupKey, Member, Now, Taken};
use p2p_crypto::Keyring;
use p2p_store::GroupLock;
use tokio::sync::Notify;

use crate::board::{Board, Effects, End};
use crate::error::Closed;
use crate::events::Filter;
use crate::identity::GroupInfo;
use crate::node::Shared;
use crate::password::Attempt;
use crate::properties;
use crate::queue::{Callback, HandleId, Item, QueueId};
use crate::spans::Place;
use crate::sync::lock;

/// For so long a failure after a wrong password is held back where somebody asked for that.
const RESUME_WITHIN: Duration = Duration::from_secs(5 * 60);

pub(crate) type Core = p2p_core::Node<Keyring>;

/// A group that is open in this process.
///
/// Order of locks: the node's, then the board's. Neither is held while anything waits or while application code runs.
pub(crate) struct Instance {
    pub(crate) node: Arc<Shared>,
    pub(crate) info: GroupInfo,
    key: OnceLock<GroupKey>,
    board: Mutex<Board>,
    /// The membership that counts now; `info` has the one that was there when the group was opened.
    own: Mutex<Arc<Member>>,
    /// The attempt to join by password.
    pub(crate) attempt: Mutex<Attempt>,
    /// Held while the group is open, so that no other process opens it.
    claim: Mutex<Option<GroupLock>>,
    finishing: AtomicBool,
    finished: Mutex<bool>,
    finished_blocking: Condvar,
    finished_async: Notify,
}

/// What taking from a queue gives.
pub(crate) enum Next {
    Item(Item),
    /// Nothing now.
    Empty,
    /// Nothing now, and nothing will come.
    Over,
}

impl Instance {
    pub(crate) fn new(
        node: Arc<Shared>,
        info: GroupInfo,
        members: &[Arc<Member>],
        claim: GroupLock,
    ) -> Instance {
        let known = members.iter().chain([&info.own]).cloned();
        Instance {
            node,
            board: Mutex::new(Board::new(known)),
            own: Mutex::new(Arc::clone(&info.own)),
            attempt: Mutex::default(),
            info,
            key: OnceLock::new(),
            claim: Mutex::new(Some(claim)),
            finishing: AtomicBool::new(false),
            finished: Mutex::new(false),
            finished_blocking: Condvar::new(),
            finished_async: Notify::new(),
        }
    }

    /// Set once, under the node's lock, before the group's first event.
    pub(crate) fn set_key(&self, key: GroupKey) {
        self.key.set(key).expect("a group is opened once");
    }

    /// This identity's own membership.
    pub(crate) fn own(&self) -> Arc<Member> {
        Arc::clone(&lock(&self.own))
    }

    /// How the log names it.
    pub(crate) fn place(&self) -> Place {
        Place { group: self.info.key, own: self.node.identity.key() }
    }

    fn key(&self) -> GroupKey {
        *self.key.get().expect("the key is set before the instance is shared")
    }

    /// Calls the node, then does what became due.
    fn call<R>(&self, f: impl FnOnce(&mut Core, GroupKey, Now) -> R) -> R {
        let key = self.key();
        let result = self.node.driver.call(|node, now| f(node, key, now));
        self.node.hub.settle();
        result
    }

    // Handles.

    /// Whether any handle is open.
    pub(crate) fn is_open(&self) -> bool {
        lock(&self.board).has_handles()
    }

    /// A further handle; `None` if the last one is closed already.
    pub(crate) fn open_handle(&self, first: bool) -> Option<HandleId> {
        let mut board = lock(&self.board);
        (first || board.has_handles()).then(|| board.open_handle())
    }

    /// Calls the node on behalf of a handle.
    pub(crate) fn call_for<R>(
        &self,
        handle: HandleId,
        f: impl FnOnce(&mut Core, GroupKey, Now) -> R,
    ) -> Result<R, Closed> {
        self.call(|node, key, now| {
            let open = lock(&self.board).is_open(handle);
            if open { Ok(f(node, key, now)) } else { Err(Closed) }
        })
    }

    /// Closes a handle, and with the last one the group. Answers whether it was open; does not wait.
    pub(crate) fn close_handle(&self, handle: HandleId) -> bool {
        let mut fx = Effects::default();
        let closed = lock(&self.board).close_handle(handle, &mut fx);
        match closed {
            None => return false,
            Some(true) => self.go_offline(fx),
            Some(false) => {
                self.apply(fx);
                self.sync_accept();
            }
        }
        true
    }

    /// Closes all handles and the group; does not wait.
    pub(crate) fn close_all(&self) {
        let mut fx = Effects::default();
        let open = {
            let mut board = lock(&self.board);
            let open = board.has_handles();
            board.close_all(&mut fx);
            open
        };
        if open {
            self.go_offline(fx);
        }
    }

    fn go_offline(&self, fx: Effects) {
        self.apply(fx);
        let closing = self.call(|node, key, now| node.close_group(key, now));
        if closing.is_err() {
            // The node does not know the group any more, so no `Closed` will come.
            self.finish();
        }
    }

    /// The node has let go of the group: gives it back to other processes and lets waiters go.
    pub(crate) fn finish(&self) {
        if self.finishing.swap(true, Ordering::AcqRel) {
            return;
        }
        self.node.driver.call(|node, _| node.authority_mut().remove(&self.info.key));
        drop(lock(&self.claim).take());
        self.node.forget(self);
        let mut fx = Effects::default();
        lock(&self.board).abandon(&mut fx);
        self.node.hub.wake(fx.wakes);
        self.node.hub.settle();
        *lock(&self.finished) = true;
        self.finished_blocking.notify_all();
        self.finished_async.notify_waiters();
    }

    /// Waits until the group is offline and given back.
    pub(crate) async fn finished(&self) {
        loop {
            let mut waiting = pin!(self.finished_async.notified());
            waiting.as_mut().enable();
            if *lock(&self.finished) {
                return;
            }
            waiting.await;
        }
    }

    /// As [`finished`](Self::finished), blocking this thread; gives the group up when the node does not answer in time.
    pub(crate) fn finished_blocking(&self) {
        let patience = Duration::from_micros(self.node.limits.closing) + Duration::from_secs(1);
        let deadline = Instant::now() + patience;
        let mut finished = lock(&self.finished);
        while !*finished {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(finished);
                tracing::warn!("a group did not close in time and is given up");
                return self.finish();
            }
            finished = self
                .finished_blocking
                .wait_timeout(finished, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    // Queues.

    pub(crate) fn subscribe(&self, handle: HandleId, filter: Filter) -> Result<QueueId, Closed> {
        let queue = lock(&self.board).subscribe(handle, filter).ok_or(Closed)?;
        self.sync_accept();
        Ok(queue)
    }

    pub(crate) fn acceptor(&self, handle: HandleId) -> Result<QueueId, Closed> {
        let queue = lock(&self.board).accept(handle).ok_or(Closed)?;
        self.sync_accept();
        Ok(queue)
    }

    /// Removes a queue. When this returns its callback does not run and will not be called.
    pub(crate) fn remove(&self, queue: QueueId) {
        let mut fx = Effects::default();
        let callback = lock(&self.board).remove(queue, &mut fx);
        if let Some(callback) = callback {
            callback.stop();
        }
        self.apply(fx);
        self.sync_accept();
    }

    /// The board, under the node's lock: for what must be atomic with a call of the node.
    pub(crate) fn with_board<R>(&self, f: impl FnOnce(&mut Board) -> R) -> R {
        f(&mut lock(&self.board))
    }

    pub(crate) fn try_take(&self, queue: QueueId) -> Next {
        let mut fx = Effects::default();
        let (item, live) = {
            let mut board = lock(&self.board);
            (board.pop(queue, &mut fx), board.is_live(queue))
        };
        self.apply(fx);
        match item {
            Some(item) => Next::Item(item),
            None if live => Next::Empty,
            None => Next::Over,
        }
    }

    /// The next item; `None` when nothing more can come. Nothing is lost if the future is dropped.
    pub(crate) async fn take(&self, queue: QueueId) -> Option<Item> {
        loop {
            match self.try_take(queue) {
                Next::Item(item) => return Some(item),
                Next::Over => return None,
                Next::Empty => {}
            }
            let notify = lock(&self.board).notify(queue)?;
            let mut waiting = pin!(notify.notified());
            waiting.as_mut().enable();
            match self.try_take(queue) {
                Next::Item(item) => return Some(item),
                Next::Over => return None,
                Next::Empty => waiting.await,
            }
        }
    }

    /// As [`take`](Self::take), for the one task that polls the queue.
    pub(crate) fn poll_take(&self, queue: QueueId, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let waker = cx.waker().clone();
        let old = lock(&self.board).set_waker(queue, waker);
        drop(old);
        match self.try_take(queue) {
            Next::Item(item) => Poll::Ready(Some(item)),
            Next::Over => Poll::Ready(None),
            Next::Empty => Poll::Pending,
        }
    }

    pub(crate) fn set_ready(&self, queue: QueueId, callback: Callback) {
        let mut fx = Effects::default();
        let old = lock(&self.board).set_ready(queue, Arc::new(callback), &mut fx);
        if let Some(old) = old {
            old.stop();
        }
        self.apply(fx);
    }

    /// How a feed stands, without waiting.
    pub(crate) fn end(&self, queue: QueueId) -> End {
        let mut fx = Effects::default();
        let end = lock(&self.board).end(queue, &mut fx);
        self.apply(fx);
        end
    }

    /// How a feed ended.
    pub(crate) async fn ended(&self, queue: QueueId) -> End {
        loop {
            let Some(notify) = lock(&self.board).notify(queue) else { return End::Frozen };
            let mut waiting = pin!(notify.notified());
            waiting.as_mut().enable();
            match self.end(queue) {
                End::Open => waiting.await,
                end => return end,
            }
        }
    }

    /// An event of the node, under its lock.
    pub(crate) fn event(&self, event: Event, fx: &mut Effects) {
        match &event {
            Event::Renewed { member } => {
                *lock(&self.own) = Arc::clone(member);
                lock(&self.attempt).admitted();
            }
            Event::PropertiesChanged { properties } => {
                match properties::read(&self.info.key, properties) {
                    Some(properties) => lock(&self.board).properties(properties, fx),
                    None => tracing::error!("properties that were verified cannot be read"),
                }
            }
            Event::PasswordRejected { peer, remote } => {
                // Told when nobody else is left to be asked.
                return lock(&self.attempt).reject(*peer, *remote);
            }
            Event::ConnectionFailed { .. } if self.hold_back(fx) => return,
            _ => {}
        }
        lock(&self.board).event(event, fx);
    }

    /// An attempt to connect has failed: says so if it was the password. True if nobody is to hear of the failure yet.
    fn hold_back(&self, fx: &mut Effects) -> bool {
        let Some((peer, remote)) = lock(&self.attempt).fail() else { return false };
        let holds = {
            let mut board = lock(&self.board);
            board.event(Event::PasswordRejected { peer, remote }, fx);
            board.holds_rejected_password()
        };
        if holds {
            fx.held = Some(lock(&self.attempt).hold());
        }
        holds
    }

    /// Gives the failure with this number out when its time is over.
    pub(crate) fn give_up_later(self: &Arc<Self>, number: u64) {
        let instance = Arc::downgrade(self);
        self.node.runtime.spawn(async move {
            tokio::time::sleep(RESUME_WITHIN).await;
            if let Some(instance) = instance.upgrade() {
                instance.give_up(number);
            }
        });
    }

    pub(crate) fn give_up(&self, number: u64) {
        let mut fx = Effects::default();
        // Under the node's lock: a new attempt comes before or after, not in between.
        self.call(|_, _, _| {
            if lock(&self.attempt).give_up(number) {
                let reason = Code::PEER_E_NOT_AUTHORIZED;
                lock(&self.board).event(Event::ConnectionFailed { reason }, &mut fx);
            }
        });
        self.apply(fx);
    }

    /// Tells the node what was taken, and closes what nobody owns any more.
    pub(crate) fn tell(&self, taken: Vec<(ConnectionId, Taken)>, close: Vec<ConnectionId>) {
        self.call(|node, key, now| {
            for (id, what) in taken {
                node.taken(key, id, what, now);
            }
            for id in close {
                // It may have ended by itself, which is just as well.
                if let Err(error) = node.close_direct(key, id, now) {
                    tracing::trace!(?id, %error, "a connection without owner was closed already");
                }
            }
        });
    }

    pub(crate) fn apply(&self, fx: Effects) {
        self.node.hub.wake(fx.wakes);
        if fx.taken.is_empty() && fx.close.is_empty() {
            self.node.hub.settle();
        } else {
            self.tell(fx.taken, fx.close);
        }
    }

    /// Tells the node whether incoming direct connections are wanted. The answer is read under the node's lock, so that
    /// of two changes the later one counts.
    fn sync_accept(&self) {
        let result = self.call(|node, key, now| {
            let on = lock(&self.board).wants_direct();
            node.accept_direct(key, on, now)
        });
        if let Err(error) = result {
            tracing::trace!(%error, "the group closed meanwhile");
        }
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("group", &self.info.key).finish_non_exhaustive()
    }
}
