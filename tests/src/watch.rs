//! Queues with expectations.

use std::sync::Arc;

use p2p_group::{
    Code, ConnectionChange, ConnectionEvent, ConnectionId, EventKind, Filter, Group, GroupEvent,
    Message, Refusal, Status, Subscription,
};
use tokio::sync::Notify;

use crate::world::within;

/// What `p2p.h` has for direct connections: their changes and their messages.
pub fn direct_and_data() -> Filter {
    Filter::of([EventKind::Direct, EventKind::Data])
}

/// What `group` will tell of what `filter` lets pass.
pub fn watch(group: &Group, filter: Filter) -> Watch {
    Watch(group.subscribe(filter).expect("the handle is open"))
}

/// A subscription with expectations. Each of them waits for the next event, and fails the test if that is another one.
#[derive(Debug)]
pub struct Watch(pub Subscription);

impl Watch {
    /// The next event.
    pub async fn next(&self) -> GroupEvent {
        within(self.0.recv()).await.expect("the subscription has ended")
    }

    /// The next event, which is a change of a direct connection.
    pub async fn direct(&self) -> ConnectionEvent {
        match self.next().await {
            GroupEvent::Direct(event) => event,
            other => panic!("not a change of a direct connection: {other:?}"),
        }
    }

    /// The next event: `id` stands.
    pub async fn connected(&self, id: ConnectionId) -> ConnectionEvent {
        self.change(id, ConnectionChange::Connected, Code::S_OK).await
    }

    /// The next event: a direct connection stands. Its id.
    pub async fn any_connected(&self) -> ConnectionId {
        let event = self.direct().await;
        let what = (event.change, event.cause.code());
        assert_eq!(what, (ConnectionChange::Connected, Code::S_OK), "{event:?}");
        event.id
    }

    /// The next event: `id` has ended, with this code.
    pub async fn disconnected(&self, id: ConnectionId, code: Code) -> ConnectionEvent {
        self.change(id, ConnectionChange::Disconnected, code).await
    }

    /// The next event: `id` could not be opened, with this code.
    pub async fn failed(&self, id: ConnectionId, code: Code) -> ConnectionEvent {
        self.change(id, ConnectionChange::Failed, code).await
    }

    async fn change(
        &self,
        id: ConnectionId,
        change: ConnectionChange,
        code: Code,
    ) -> ConnectionEvent {
        let event = self.direct().await;
        assert_eq!((event.id, event.change, event.cause.code()), (id, change, code), "{event:?}");
        event
    }

    /// The next event: a message.
    pub async fn message(&self) -> Message {
        match self.next().await {
            GroupEvent::Data(message) => message,
            other => panic!("not a message: {other:?}"),
        }
    }

    /// The next event: a message on `id`, with this text.
    pub async fn text(&self, id: ConnectionId, text: &str) {
        let message = self.message().await;
        assert_eq!((message.id, &*message.bytes), (id, text.as_bytes()));
    }

    /// The next event: a change of status.
    pub async fn status(&self) -> Status {
        match self.next().await {
            GroupEvent::Status(status) => status,
            other => panic!("not a change of status: {other:?}"),
        }
    }

    /// The next peer that is turned away, whatever else happens meanwhile.
    pub async fn refused(&self) -> Refusal {
        loop {
            if let GroupEvent::Refused { refusal, .. } = self.next().await {
                return refusal;
            }
        }
    }

    /// The next event for which `wanted` has an answer, whatever else happens meanwhile.
    pub async fn until<T>(&self, mut wanted: impl FnMut(GroupEvent) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
    }

    /// The next event if it is there already.
    pub fn now(&self) -> Option<GroupEvent> {
        self.0.try_recv()
    }

    /// Tells when something is put into this queue from now on, which must be empty, without taking it.
    pub fn arrival(&self) -> Arrival {
        let notify = Arc::new(Notify::new());
        let ready = Arc::clone(&notify);
        self.0.on_ready(move || ready.notify_one());
        Arrival(notify)
    }
}

/// See [`Watch::arrival`].
#[derive(Debug)]
pub struct Arrival(Arc<Notify>);

impl Arrival {
    /// Waits until something is in the queue.
    pub async fn wait(&self) {
        within(self.0.notified()).await;
    }
}
