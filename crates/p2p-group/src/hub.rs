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
use crate::spans::{Note, Place};
use crate::sync::lock;

/// Where a node's events arrive.
///
/// [`Sink::event`] runs under the node's lock: it fills queues and notes what else is to be done. What is noted is done
/// by [`settle`](Self::settle), on the thread that brought it about; functions of the application are called by the
/// dispatcher's task only, so that no call of this crate runs them on its caller's stack.
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
    Say { place: Place, note: Note },
}

/// What only the dispatcher does.
enum Call {
    Ready(Arc<Callback>),
    Refused { place: Place, peer: KeyId, refusal: Refusal },
    Password { place: Place, peer: KeyId, what: &'static str },
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
        self.call_later(&due);
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
                    Work::Wake(wake) => {
                        // Whose waker it is, this may be the thread of a link, and others wait behind it.
                        if catch_unwind(AssertUnwindSafe(|| wake.fire())).is_err() {
                            tracing::error!("a waker of the application has panicked");
                        }
                    }
                    Work::Node { instance, taken, close } => instance.tell(taken, close),
                    Work::Finish(instance) => instance.finish(),
                    Work::Say { place, note } => note.say(place),
                }
            }
        }
    }

    /// The dispatcher: calls into the application until the node is gone.
    pub(crate) async fn dispatch(self: Arc<Self>) {
        loop {
            self.wake.notified().await;
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
                    Call::Refused { place, peer, refusal } => place.span().in_scope(|| {
                        tracing::warn!(peer = %peer, code = %refusal.code, detail = %refusal.detail, "peer turned away");
                    }),
                    Call::Password { place, peer, what } => {
                        place.span().in_scope(|| tracing::warn!(peer = %peer, "{what}"));
                    }
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

    fn call_later(&self, due: &Due) {
        if !due.calls.is_empty() {
            self.wake.notify_one();
        }
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
        let (place, note) = (instance.place(), Note::of(&event));
        let password = |peer: &KeyId, what| Some(Call::Password { place, peer: *peer, what });
        let refused = match &event {
            Event::Refused { peer, refusal, .. } => {
                Some(Call::Refused { place, peer: *peer, refusal: *refusal })
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
        due.work.extend(note.map(|note| Work::Say { place, note }));
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
        self.call_later(&due);
    }

    fn settle(&self) {
        Hub::settle(self);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    struct Broken;

    impl std::task::Wake for Broken {
        fn wake(self: Arc<Self>) {
            panic!("a mistake of the application");
        }
    }

    #[test]
    fn a_waker_that_panics_takes_nothing_from_those_behind_it() {
        let (hub, notify) = (Hub::default(), Arc::new(Notify::new()));
        let mut waiting = pin!(notify.notified());
        waiting.as_mut().enable();
        let broken = Waker::from(Arc::new(Broken));
        hub.wake(vec![Wake::Waker(broken), Wake::Notify(Arc::clone(&notify))]);
        hub.settle();
        assert!(waiting.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
}
