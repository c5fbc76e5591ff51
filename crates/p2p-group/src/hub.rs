//! Between the node's lock and the rest of the world: events come in under the lock, work goes out without it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use p2p_core::{ConnectionId, Event, GroupKey, KeyId, Refusal, Taken};
use p2p_transport::Sink;
use tokio::sync::Notify;

use crate::board::Effects;
use crate::instance::Instance;
use crate::queue::{Callback, Wake};
use crate::sync::lock;

/// Where a node's events arrive.
///
/// [`Sink::event`] runs under the node's lock: it fills queues and notes what else is to be done. What is noted is done
/// by [`settle`](Self::settle), on the thread whose call brought it about or on the dispatcher's task; functions of the
/// application are called by the dispatcher only, so that no call of this crate runs them on its caller's stack.
#[derive(Default)]
pub(crate) struct Hub {
    groups: Mutex<BTreeMap<GroupKey, Arc<Instance>>>,
    due: Mutex<Due>,
    wake: Notify,
    stopped: AtomicBool,
}

#[derive(Default)]
struct Due {
    work: Vec<Work>,
    calls: Vec<Call>,
}

/// What any thread may do that holds no lock.
enum Work {
    Wake(Wake),
    Node { instance: Arc<Instance>, taken: Vec<(ConnectionId, Taken)>, close: Vec<ConnectionId> },
    Finish(Arc<Instance>),
}

/// What only the dispatcher does.
enum Call {
    Ready(Arc<Callback>),
    Refused { peer: KeyId, refusal: Refusal },
    Password { peer: KeyId, what: &'static str },
}

impl Hub {
    /// From now on the events of `key` go to `instance`.
    pub(crate) fn insert(&self, key: GroupKey, instance: Arc<Instance>) {
        lock(&self.groups).insert(key, instance);
    }

    /// Notes who is to be woken by the [`settle`](Self::settle) that the caller makes next.
    pub(crate) fn wake(&self, wakes: Vec<Wake>) {
        let mut due = lock(&self.due);
        self.note(&mut due, wakes);
        if !due.calls.is_empty() {
            self.wake.notify_one();
        }
    }

    /// Does what is due, except for calls into the application. No lock may be held.
    pub(crate) fn settle(&self) {
        loop {
            let work = std::mem::take(&mut lock(&self.due).work);
            if work.is_empty() {
                return;
            }
            for item in work {
                match item {
                    Work::Wake(wake) => wake.fire(),
                    Work::Node { instance, taken, close } => instance.tell(taken, close),
                    Work::Finish(instance) => instance.finish(),
                }
            }
        }
    }

    /// The dispatcher: does what is due until the node is gone.
    pub(crate) async fn dispatch(self: Arc<Self>) {
        loop {
            self.wake.notified().await;
            self.settle();
            let calls = std::mem::take(&mut lock(&self.due).calls);
            for call in calls {
                match call {
                    Call::Ready(callback) => {
                        let fire = AssertUnwindSafe(|| Wake::Ready(callback).fire());
                        // Everybody else waits for this task too: it outlives a mistake of the application.
                        if catch_unwind(fire).is_err() {
                            tracing::error!("a function that was given to `on_ready` has panicked");
                        }
                    }
                    Call::Refused { peer, refusal } => {
                        tracing::warn!(peer = %peer, code = %refusal.code, detail = %refusal.detail, "peer turned away");
                    }
                    Call::Password { peer, what } => tracing::warn!(peer = %peer, "{what}"),
                }
            }
            if self.stopped.load(Ordering::Acquire) {
                return;
            }
        }
    }

    /// Ends the dispatcher after what is due now.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    fn note(&self, due: &mut Due, wakes: Vec<Wake>) {
        for wake in wakes {
            match wake {
                Wake::Ready(callback) => due.calls.push(Call::Ready(callback)),
                wake => due.work.push(Work::Wake(wake)),
            }
        }
    }
}

impl Sink for Hub {
    fn event(&self, group: GroupKey, event: Event) {
        let closed = matches!(event, Event::Closed);
        let instance = {
            let mut groups = lock(&self.groups);
            if closed { groups.remove(&group) } else { groups.get(&group).cloned() }
        };
        // An event for a group that was closed meanwhile has no reader.
        let Some(instance) = instance else { return };
        let password = |peer: &KeyId, what| Some(Call::Password { peer: *peer, what });
        let refused = match &event {
            Event::Refused { peer, refusal, .. } => {
                Some(Call::Refused { peer: *peer, refusal: *refusal })
            }
            Event::PasswordRejected { peer, .. } => {
                password(peer, "peer does not know the password by which we join, or is no member")
            }
            Event::PasswordFailed { peer, .. } => {
                password(peer, "peer tried to join and did not show that it knows the password")
            }
            Event::PasswordDelayed { peer, .. } => {
                password(peer, "peer tries passwords and has to wait")
            }
            _ => None,
        };
        let mut fx = Effects::default();
        instance.event(event, &mut fx);
        if let Some(number) = fx.held {
            instance.give_up_later(number);
        }
        let mut due = lock(&self.due);
        self.note(&mut due, fx.wakes);
        due.calls.extend(refused);
        if !fx.taken.is_empty() || !fx.close.is_empty() {
            due.work.push(Work::Node {
                instance: Arc::clone(&instance),
                taken: fx.taken,
                close: fx.close,
            });
        }
        if closed {
            due.work.push(Work::Finish(instance));
        }
        drop(due);
        self.wake.notify_one();
    }
}
