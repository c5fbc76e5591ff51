//! The whole contract on one page: everything that goes into a node and everything that comes out of it.
//!
//! Whoever drives a [`Node`](crate::Node) is a *driver*: a tokio task, a game loop, a simulator. Its duties:
//!
//! 1. **One call at a time.** A node is a plain value; calls need `&mut`. Any number of inputs may precede a drain.
//! 2. **Both clocks, read once.** Every call gets a [`Now`](crate::Now). Ticks never run back; wall time may jump.
//! 3. **Obey outputs in order.** [`Node::poll`](crate::Node::poll) until `None`. The order between outputs is part of
//!    their meaning: what a peer may see is emitted after it was stored.
//! 4. **One timer.** When [`Node::next_timeout`](crate::Node::next_timeout) has passed, hand in [`Input::Timeout`]. Too
//!    early or twice is harmless.
//! 5. **Links.** A QUIC connection (RFC 9000) whose TLS handshake stands, both certificates verified and the exporter
//!    read, becomes [`Input::LinkUp`] with a [`LinkId`] never used before. Until [`Output::Trust`] the peer may open 8
//!    bidirectional streams and send 64 KiB. Every `LinkUp` is followed by exactly one [`Input::LinkDown`]; every
//!    [`Output::Dial`] ends in exactly one `LinkUp`, [`Input::DialFailed`], or was cancelled.
//! 6. **Streams.** Only bidirectional ones. Streams that the node opens are even; the driver numbers the peer's streams
//!    1, 3, 5… in the order of their [`Input::Accepted`]. Bytes come in order as [`Input::Chunk`], never more than the
//!    credit given; their end is [`Input::Finished`] or [`Input::Reset`], once.
//! 7. **Writes.** A [`Output::Write`] is one unit: head, then body, not interleaved with another write of its stream.
//!    What left the driver's queue is reported by [`Input::Sent`] in bytes (head and body), in any portions.
//!    [`Output::Forget`] drops the writes of which no byte has left and is answered by `Sent` for their bytes.
//! 8. **Priorities.** While several streams of a link have something to send, those of the largest priority go first, those
//!    of the same one take turns. That is how control frames pass direct connections.
//! 9. **Storing.** Commit the changes of [`Output::Store`] in order, many in one transaction if you like, and answer
//!    each ticket with [`Input::Stored`].
//! 10. **Unknown is ignored.** An output for a link or stream that is gone already is skipped; so is an input for one
//!     that the node has forgotten.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

use crate::authority::{Member, Refusal};
use crate::code::Code;
use crate::event::Event;
use crate::id::{Address, ConnectionId, GroupKey, KeyId};
use crate::object::{ObjectId, ObjectKind};

/// A QUIC connection, numbered by the driver; never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LinkId(pub u64);

/// A bidirectional stream of a link. Even: opened by this node, which counts them. Odd: opened by the peer; the driver
/// counts them as they arrive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct StreamId(pub u64);

/// An attempt to dial, numbered by the node; never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct DialId(pub u64);

/// A change to be stored, numbered by the node; never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Ticket(pub u64);

/// Whom a dial must reach. The driver ends the TLS handshake with anybody else.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Expect {
    /// Whoever answers: only for an address that the user gave.
    Anyone,
    /// The holder of this key.
    Key(KeyId),
    /// A key whose [`authority`](KeyId::authority) is this: for a caller that knows nothing but a peer name.
    Authority([u8; 20]),
}

impl Expect {
    /// Whether `key` is the one expected.
    pub fn admits(&self, key: &KeyId) -> bool {
        match self {
            Expect::Anyone => true,
            Expect::Key(expected) => expected == key,
            Expect::Authority(expected) => *expected == key.authority(),
        }
    }
}

/// Bytes of a message: slices of what was received or given, never copied by the node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Payload {
    /// In one piece.
    One(Bytes),
    /// In the pieces in which it arrived.
    Many(Vec<Bytes>),
}

impl Payload {
    /// No bytes.
    pub const EMPTY: Payload = Payload::One(Bytes::new());

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.pieces().iter().map(Bytes::len).sum()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces, in order.
    pub fn pieces(&self) -> &[Bytes] {
        match self {
            Payload::One(bytes) => core::slice::from_ref(bytes),
            Payload::Many(pieces) => pieces,
        }
    }

    /// All bytes in one piece; copies only if there is more than one.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Payload::One(bytes) => bytes,
            Payload::Many(mut pieces) if pieces.len() < 2 => pieces.pop().unwrap_or_default(),
            Payload::Many(pieces) => pieces.concat().into(),
        }
    }
}

/// The bytes of a frame before its payload: held inline, so that a message costs no allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Head {
    len: u8,
    bytes: [u8; 47],
}

impl Head {
    /// Largest head.
    pub const MAX: usize = 47;
    /// No bytes.
    pub const EMPTY: Head = Head::new();

    pub(crate) const fn new() -> Head {
        Head { len: 0, bytes: [0; Head::MAX] }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let at = usize::from(self.len);
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u8;
    }

    /// The bytes to send.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Why a link ended or never came up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DownCause {
    /// Nothing was heard for the idle time-out (RFC 9000 §10.1).
    Timeout,
    /// No answer, no route, or the address refused.
    Unreachable,
    /// A TLS alert, ours or theirs (RFC 8446 §6).
    Tls(u8),
    /// Our own verifier turned the peer's identity certificate down.
    Verdict(Refusal),
    /// The peer's QUIC stack refused the connection.
    Refused,
    /// The peer closed with this application code (RFC 9000 §20.2).
    Peer(u64),
    /// We closed it.
    Local,
}

/// The network's door: owned values, and nothing a peer does makes a call fail.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the text of a variant names its fields")]
pub enum Input {
    /// The deadline of `next_timeout` has passed.
    Timeout,
    /// After [`Output::Listen`] `{ on: true }` and at every change while the socket is open: concrete addresses, best
    /// first; empty if the socket could not be opened. Not an answer to `{ on: false }`.
    Listening { addresses: Arc<[Address]> },
    /// A connection stands, dialled by us (`dial`) or by the peer. `binding`: the TLS exporter (RFC 8446 §7.5) with the
    /// label `EXPORTER-pgrp1` and an empty context.
    LinkUp { link: LinkId, dial: Option<DialId>, peer: KeyId, binding: [u8; 32], remote: Address },
    /// A dial ended without a connection.
    DialFailed { dial: DialId, cause: DownCause },
    /// A connection ended, and all its streams with it.
    LinkDown { link: LinkId, cause: DownCause },
    /// The peer opened its next stream.
    Accepted { link: LinkId, stream: StreamId },
    /// The next bytes of a stream, within the credit given.
    Chunk { link: LinkId, stream: StreamId, bytes: Bytes },
    /// The peer has sent all it will send on this stream.
    Finished { link: LinkId, stream: StreamId },
    /// The peer reset the stream or stopped reading it, whichever came first; reported once.
    Reset { link: LinkId, stream: StreamId, code: u64 },
    /// So many bytes of our writes have left the driver's queue, or were dropped by [`Output::Forget`].
    Sent { link: LinkId, stream: StreamId, bytes: u32 },
    /// The answer to [`Output::Store`].
    Stored { ticket: Ticket, result: Result<(), Code> },
}

/// What the driver is to do. Exhaustive on purpose: a new effect fails to compile in every driver.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the text of a variant names its fields")]
pub enum Output {
    /// Open the socket and accept connections (answered by [`Input::Listening`]), or close it.
    Listen { on: bool },
    /// Connect to an address; end the TLS handshake with anybody but `expect`.
    Dial { dial: DialId, address: Address, expect: Expect },
    /// Give up a dial; no answer is due.
    CancelDial { dial: DialId },
    /// Open a bidirectional stream. Larger priorities go first.
    Open { link: LinkId, stream: StreamId, priority: i8 },
    /// What is written on a stream that the peer opened goes before that of streams of a smaller priority. It is 0 before.
    Priority { link: LinkId, stream: StreamId, priority: i8 },
    /// Send `head`, then `body`.
    Write { link: LinkId, stream: StreamId, head: Head, body: Payload },
    /// So many further bytes may be read. A stream starts with none, whoever opened it.
    Credit { link: LinkId, stream: StreamId, bytes: u32 },
    /// Nothing more will be written: send FIN after what is queued.
    Finish { link: LinkId, stream: StreamId },
    /// Drop the writes of which no byte has left; answered by [`Input::Sent`] for their bytes.
    Forget { link: LinkId, stream: StreamId },
    /// Reset both directions with this code and drop what is queued.
    Abort { link: LinkId, stream: StreamId, code: u64 },
    /// The link's first session stands: raise its limits to `streams` concurrent streams of `window` bytes each.
    Trust { link: LinkId, streams: u16, window: u32 },
    /// Close the connection with this code; what is queued on it is lost. Answered by [`Input::LinkDown`].
    CloseLink { link: LinkId, code: u64 },
    /// Make a change durable. Answered by [`Input::Stored`].
    Store { ticket: Ticket, change: Box<StoreChange> },
    /// Tell the application.
    Event { group: GroupKey, event: Event },
}

/// One durable change.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "the text of a variant names its fields")]
pub enum StoreChange {
    /// What memberships a member is known to have, at most 4, the shallowest first: replace by key; none: forget it.
    Member { group: KeyId, peer: KeyId, memberships: Vec<Arc<Member>> },
    /// Where a member was last reachable, best first, at most 8: replace.
    Addresses { group: KeyId, peer: KeyId, addresses: Vec<Address> },
    /// The first complete exchange with a member has happened; never taken back.
    Synchronised { group: KeyId },
    /// Our own membership was renewed: its chain takes the place of the one kept.
    Own { group: KeyId, member: Arc<Member> },
    /// A signed object is kept: insert by id.
    Object { group: KeyId, id: ObjectId, kind: ObjectKind, bytes: Bytes },
    /// A signed object is no longer kept.
    ObjectGone { group: KeyId, id: ObjectId },
    /// Our own endpoints in this group changed (empty: not listening), for other processes of this user to read.
    Listening { group: KeyId, addresses: Vec<Address> },
}

impl StoreChange {
    /// The group that changes.
    pub fn group(&self) -> &KeyId {
        match self {
            StoreChange::Member { group, .. }
            | StoreChange::Addresses { group, .. }
            | StoreChange::Synchronised { group }
            | StoreChange::Own { group, .. }
            | StoreChange::Object { group, .. }
            | StoreChange::ObjectGone { group, .. }
            | StoreChange::Listening { group, .. } => group,
        }
    }
}

/// What a store knows of a group when it is opened.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct GroupSnapshot {
    /// Whether a first complete exchange has ever happened; true for the creator.
    pub synchronised: bool,
    /// Where members may be found: from the invitation and from earlier sessions.
    pub addresses: Vec<(KeyId, Vec<Address>)>,
    /// Memberships of those met so far, at most 4 of one key, oneself included if stored.
    pub members: Vec<Arc<Member>>,
    /// Signed objects that are kept.
    pub objects: Vec<(ObjectKind, Bytes)>,
}

/// What the deadline of `next_timeout` is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// A link shows no session in time.
    Handshake(LinkId),
    /// A proof waits for its check, or a refusal for its moment.
    Verdict(LinkId, StreamId),
    /// A session offered by us stays unanswered.
    Proof(LinkId, StreamId),
    /// A neighbour does not answer CONNECT.
    Welcome(LinkId, StreamId),
    /// A direct connection opens, drains or lingers too long.
    Direct(ConnectionId),
    /// The next candidate of a group may be dialled.
    Search(GroupKey),
    /// A group gives up connecting.
    Connect(GroupKey),
    /// A group looks for neighbours again.
    Maintain(GroupKey),
    /// A membership ends.
    Expiry(GroupKey),
    /// A group has had its time to close.
    Closing(GroupKey),
}
