//! A queue of events.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::error::Closed;
use crate::events::{Filter, GroupEvent};
use crate::group::Handle;
use crate::instance::Next;
use crate::queue::{Callback, QueueId};

/// What happens in a group, in the order in which it becomes true: see [`Group::subscribe`](crate::Group::subscribe).
///
/// Take events with [`recv`](Self::recv), as a [`Stream`], or with [`try_recv`](Self::try_recv) when
/// [`on_ready`](Self::on_ready) has called. Several tasks may take from one subscription; each event goes to one of
/// them. Dropping a subscription drops what is queued.
///
/// After its handle is closed, a subscription gives out what was queued before, and then ends.
///
/// # How much can be queued
///
/// Messages: at most 8 MiB per connection and 32 MiB per peer, as [`Limits`](crate::Limits) say; a subscription that
/// takes none holds back those who send. A subscription that holds 1,024 events gets no further
/// [`Refused`](GroupEvent::Refused), which strangers cause. Other events are small, and as many as happen: a
/// subscription that is kept must be read.
pub struct Subscription {
    handle: Arc<Handle>,
    queue: QueueId,
}

impl Subscription {
    pub(crate) fn new(handle: &Arc<Handle>, filter: Filter) -> Result<Subscription, Closed> {
        let queue = handle.instance.subscribe(handle.id, filter)?;
        Ok(Subscription { handle: Arc::clone(handle), queue })
    }

    /// The oldest event, if there is one. Does not wait.
    pub fn try_recv(&self) -> Option<GroupEvent> {
        match self.handle.instance.try_take(self.queue) {
            Next::Item(item) => item.into_event(),
            Next::Empty | Next::Over => None,
        }
    }

    /// The oldest event, once there is one; `None` when the handle is closed and nothing is left.
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn recv(&self) -> Option<GroupEvent> {
        self.handle.instance.take(self.queue).await?.into_event()
    }

    /// Has `ready` called after each time that events were put in, and once now if there are some; replaces an earlier
    /// function. It is called with no lock held, on a thread of the node's runtime, so it must be quick; several events
    /// may share one call. When this subscription has been dropped, `ready` is not running and will not be called,
    /// unless it is `ready` itself that drops it. If it panics, that is logged, and it is called again next time.
    ///
    /// ```
    /// # use p2p_group::{Filter, Group, Identity, Node};
    /// # fn main() -> Result<(), p2p_group::Error> {
    /// # let node = Node::builder(Identity::in_memory("Ann")?).listen_at(["[::1]:0".parse().unwrap()]).start()?;
    /// # let group = Group::create(&node, "Friends")?;
    /// let events = group.subscribe(Filter::all())?;
    /// let (tell, told) = std::sync::mpsc::channel();
    /// events.on_ready(move || tell.send(()).unwrap_or_default());
    /// group.connect()?;
    /// told.recv().expect("the status changes");
    /// assert!(events.try_recv().is_some());
    /// # group.close_blocking()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_ready(&self, ready: impl Fn() + Send + Sync + 'static) {
        self.handle.instance.set_ready(self.queue, Callback::new(Box::new(ready)));
    }
}

impl Stream for Subscription {
    type Item = GroupEvent;

    /// One task at a time polls a subscription: the last waker counts.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<GroupEvent>> {
        self.handle
            .instance
            .poll_take(self.queue, cx)
            .map(|item| item.and_then(|item| item.into_event()))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.handle.instance.remove(self.queue);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").field(&self.queue.0).finish()
    }
}
