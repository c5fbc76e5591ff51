//! Direct connections as objects, which close what they hold.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use p2p_core::{Address, Cause, ConnectionChange, ConnectionId, Guid, NodeId};

use crate::board::End;
use crate::error::{CloseError, Closed, DirectError, SendError};
use crate::events::{ConnectionEvent, GroupEvent, Message};
use crate::group::{Group, Handle, direct_error};
use crate::peer::{Peer, Target};
use crate::queue::{Item, QueueId};

/// A direct connection with another member: encrypted, both ends proven, messages in order.
///
/// Messages have boundaries and a type; what was sent in one piece arrives in one piece, up to 16 MiB. All calls take
/// `&self`: put the connection into an [`Arc`] to send and receive in different tasks. Dropping it closes it, as
/// [`close`](Self::close) does.
///
/// When the [`Group`] handle it came from is closed, a connection object gives out what it had received and then ends;
/// the connection itself lives on if the group has other handles, and is theirs to close.
pub struct DirectConnection {
    feed: Feed,
    id: ConnectionId,
    peer: Peer,
    node: NodeId,
}

/// The queue of one connection; dropping it closes the connection.
struct Feed {
    handle: Arc<Handle>,
    queue: QueueId,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.handle.instance.remove(self.queue);
    }
}

impl DirectConnection {
    pub(crate) async fn open(
        handle: &Arc<Handle>,
        target: &Target,
        address: Address,
    ) -> Result<DirectConnection, DirectError> {
        let instance = &handle.instance;
        let opened = instance.call_for(handle.id, |node, key, now| {
            let id = node.open_direct(key, target.expect(), address, now).map_err(direct_error)?;
            // The handle may have been closed a moment ago; then nobody owns the connection.
            let queue = instance.with_board(|board| board.opened_with_feed(handle.id, id));
            if queue.is_none() {
                node.close_direct(key, id, now).map_err(direct_error)?;
            }
            Ok::<_, DirectError>((id, queue))
        })??;
        let (id, Some(queue)) = opened else { return Err(Closed.into()) };
        instance.place().opening(id, target.expect());
        let feed = Feed { handle: Arc::clone(handle), queue };
        match instance.take(queue).await {
            Some(Item::Event(GroupEvent::Direct(event))) => match event.change {
                ConnectionChange::Connected => {
                    DirectConnection::standing(feed, event).ok_or(Closed.into())
                }
                ConnectionChange::Failed | ConnectionChange::Disconnected => {
                    Err(DirectError::Failed(event.cause))
                }
            },
            _ => {
                tracing::debug!(?id, "the handle was closed while a direct connection was opening");
                Err(Closed.into())
            }
        }
    }

    pub(crate) fn accepted(handle: &Arc<Handle>, item: Item) -> Option<DirectConnection> {
        let Item::Incoming(event, queue) = item else { return None };
        DirectConnection::standing(Feed { handle: Arc::clone(handle), queue }, event)
    }

    /// A connection that stands has a peer that is known.
    fn standing(feed: Feed, event: ConnectionEvent) -> Option<DirectConnection> {
        Some(DirectConnection { feed, id: event.id, peer: event.peer?, node: event.node })
    }

    /// Its number on this node, as in events and lists; the other end has a number of its own.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The other end's node.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The group it belongs to: the same handle.
    pub fn group(&self) -> Group {
        Group { handle: Arc::clone(&self.feed.handle) }
    }

    /// Hands a message over for sending, once there is room for it. That it was handed over does not mean that it
    /// arrived: only an orderly end after a [`close`](Self::close) on this side means that all were.
    ///
    /// If the future is dropped before it is done, nothing was queued.
    ///
    /// # Errors
    /// [`SendError`], without `Full`; nothing was queued.
    pub async fn send(&self, kind: Guid, bytes: impl Into<Bytes>) -> Result<(), SendError> {
        let bytes = bytes.into();
        let length = bytes.len();
        self.feed.handle.send_wait(self.id, kind, bytes).await?;
        self.note_sent(length);
        Ok(())
    }

    /// As [`send`](Self::send), without waiting.
    ///
    /// # Errors
    /// [`SendError`]; nothing was queued.
    pub fn try_send(&self, kind: Guid, bytes: impl Into<Bytes>) -> Result<(), SendError> {
        let bytes = bytes.into();
        let length = bytes.len();
        self.feed.handle.send(self.id, kind, bytes)?;
        self.note_sent(length);
        Ok(())
    }

    /// The next message; `None` when the connection has ended and everything that had arrived was taken.
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn recv(&self) -> Option<Message> {
        let instance = &self.feed.handle.instance;
        loop {
            match instance.take(self.feed.queue).await?.into_event()? {
                GroupEvent::Data(message) => return Some(message),
                // The end itself: nothing comes after it.
                _ => continue,
            }
        }
    }

    pub(crate) fn poll_message(&self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let instance = &self.feed.handle.instance;
        loop {
            let item = std::task::ready!(instance.poll_take(self.feed.queue, cx));
            match item.and_then(Item::into_event) {
                Some(GroupEvent::Data(message)) => return Poll::Ready(Some(message)),
                Some(_) => continue,
                None => return Poll::Ready(None),
            }
        }
    }

    /// As [`send`](Self::send), as a future of its own.
    pub(crate) fn sending(
        &self,
        kind: Guid,
        bytes: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send>> {
        let (handle, id, peer) = (Arc::clone(&self.feed.handle), self.id, self.peer.key());
        Box::pin(async move {
            let length = bytes.len();
            handle.send_wait(id, kind, bytes).await?;
            handle.instance.place().sent(id, Some(peer), length);
            Ok(())
        })
    }

    fn note_sent(&self, bytes: usize) {
        self.feed.handle.instance.place().sent(self.id, Some(self.peer.key()), bytes);
    }

    /// Closes the connection. What was accepted for sending is still delivered, for at most 5 s; what was received
    /// stays readable. Does not wait; [`closed`](Self::closed) does.
    ///
    /// # Errors
    /// [`CloseError::NotFound`] if it was closed before, here or, as far as [`recv`](Self::recv) has told, there.
    pub fn close(&self) -> Result<(), CloseError> {
        self.group().close_looking(self.id, Some(self.peer.key()), |_| ())
    }

    /// As [`close`](Self::close). Whether the connection still stood: then its end will say whether the peer's node took
    /// in everything.
    pub(crate) fn close_first(&self) -> bool {
        let queue = self.feed.queue;
        let (group, peer) = (self.group(), Some(self.peer.key()));
        group.close_looking(self.id, peer, |board| !board.has_ended(queue)).unwrap_or(false)
    }

    /// Waits for the end of the connection, and says how it came: [`Cause::Orderly`] if it was closed here and everything
    /// was delivered, or if it was closed there: then everything the peer had sent has come, but what of ours had not
    /// arrived by then is lost. `None` if the handle was closed first, so that nobody here knows.
    ///
    /// Messages that were received before stay readable. Nothing is lost if the future is dropped.
    pub async fn closed(&self) -> Option<Cause> {
        match self.feed.handle.instance.ended(self.feed.queue).await {
            End::Ended(cause) => Some(cause),
            End::Open | End::Frozen => None,
        }
    }
}

impl fmt::Debug for DirectConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectConnection")
            .field("id", &self.id.0)
            .field("peer", &self.peer)
            .finish()
    }
}

/// Direct connections that peers open: see [`Group::incoming`].
///
/// If several are open on one group, connections go to the oldest. Dropping it closes the connections that were not
/// accepted; those that were live on.
pub struct Incoming {
    handle: Arc<Handle>,
    queue: QueueId,
}

impl Incoming {
    pub(crate) fn new(handle: &Arc<Handle>) -> Result<Incoming, Closed> {
        let queue = handle.instance.acceptor(handle.id)?;
        Ok(Incoming { handle: Arc::clone(handle), queue })
    }

    /// The next connection, once there is one; `None` when the handle is closed.
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn accept(&self) -> Option<DirectConnection> {
        let item = self.handle.instance.take(self.queue).await?;
        DirectConnection::accepted(&self.handle, item)
    }
}

impl Stream for Incoming {
    type Item = DirectConnection;

    /// One task at a time polls: the last waker counts.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<DirectConnection>> {
        let item = self.handle.instance.poll_take(self.queue, cx);
        item.map(|item| DirectConnection::accepted(&self.handle, item?))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.handle.instance.remove(self.queue);
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Incoming").field(&self.queue.0).finish()
    }
}
