//! Frames to bytes and back: the only parser of what peers send.
//!
//! A frame is `type varint ‖ length varint ‖ body`, with the variable-length integers of RFC 9000 §16 in their shortest
//! form. There is exactly one encoding of every frame; anything else, trailing bytes included, is refused. The length is
//! checked against the type's limit before a byte of the body is kept.

mod decoder;
mod fields;

use alloc::vec::Vec;
use bytes::Bytes;

use crate::id::{Address, Guid, InstanceId, KeyId, NodeId};
use crate::io::{Head, Payload};
use crate::object::{OBJECT_MAX, ObjectId, ObjectKind};
pub(crate) use decoder::{Decoder, join_crumbs};
use fields::{Reader, put_varint, varint_into};

/// The protocol's minor versions that this crate speaks, lowest and highest. The major version is in the ALPN.
pub(crate) const MINOR: (u64, u64) = (0, 0);
/// Longest membership chain in bytes.
pub(crate) const CHAIN_MAX: usize = 32_000;
/// Addresses in ADDR_UPDATE, and per neighbour in WELCOME.
pub(crate) const ADDRESSES_MAX: usize = 8;
pub(crate) const REFERRAL_ADDRESSES_MAX: usize = 4;
/// Objects named in one OBJECT_IDS.
pub(crate) const OBJECT_IDS_MAX: usize = 1_000;
/// Objects asked for in one OBJECT_WANT, and awaited at a time.
pub(crate) const OBJECT_WANT_MAX: usize = 64;
/// Neighbours listed in WELCOME or REFUSE.
pub(crate) const REFERRALS_MAX: usize = 32;
/// Members listed in CANNOT_ISSUE.
pub(crate) const ISSUERS_MAX: usize = 10;

/// Application codes of a closed connection (RFC 9000 §20.2).
pub mod close {
    /// The node shuts down, or has no further use for the connection.
    pub const SHUTDOWN: u64 = 0x200;
    /// Bytes that do not decode, a frame that is too large, or repeated frames in a wrong state.
    pub const PROTOCOL: u64 = 0x201;
    /// Too many control frames.
    pub const FLOOD: u64 = 0x202;
    /// Control frames are not being read.
    pub const SLOW: u64 = 0x203;
    /// A frame type below 0x4000 that is not known.
    pub const UNSUPPORTED: u64 = 0x204;
    /// The peer is this very node.
    pub const ITSELF: u64 = 0x205;
    /// No session in time.
    pub const NO_SESSION: u64 = 0x206;
    /// Another connection between the same two nodes carries on.
    pub const DUPLICATE: u64 = 0x207;
    /// A newer run of the same node has taken over.
    pub const REPLACED: u64 = 0x208;
    /// Too many connections without a session.
    pub const LIMIT: u64 = 0x209;

    /// The name of a code, for logs.
    pub fn name(code: u64) -> &'static str {
        match code {
            SHUTDOWN => "shutdown",
            PROTOCOL => "protocol violation",
            FLOOD => "flood",
            SLOW => "too slow",
            UNSUPPORTED => "unsupported frame",
            ITSELF => "connected to itself",
            NO_SESSION => "no session",
            DUPLICATE => "duplicate connection",
            REPLACED => "replaced by a newer run",
            LIMIT => "too many connections",
            _ => "unknown",
        }
    }
}

/// Application codes of a reset stream.
pub mod reset {
    /// The opener gave up.
    pub const CANCELLED: u64 = 0x20;
    /// The responder's proof was turned down.
    pub const PROOF: u64 = 0x21;
    /// There is no session for this stream.
    pub const NO_SESSION: u64 = 0x22;
    /// The other side's stream for the same group carries the session.
    pub const DUPLICATE: u64 = 0x23;
    /// A frame came in a wrong state.
    pub const VIOLATION: u64 = 0x24;
    /// What was queued could not be delivered in time.
    pub const EXPIRED: u64 = 0x25;
    /// A membership has ended.
    pub const MEMBERSHIP: u64 = 0x26;
    /// A membership was taken back.
    pub const REVOKED: u64 = 0x27;
}

/// Reasons in DC_REFUSE and REFUSE.
pub mod refuse {
    /// The neighbour has no room.
    pub const BUSY: u64 = 1;
    /// No application accepts direct connections.
    pub const NOT_ALLOWED: u64 = 4;
    /// A limit on direct connections is reached.
    pub const LIMIT: u64 = 0x11;
}

/// Reason in DISCONNECT: the node leaves the group.
pub(crate) const LEAVING: u64 = 1;
/// Reasons in NO_SESSION: the one refusal for every failed proof, and no common version.
pub(crate) const REFUSED: u64 = 0;
pub(crate) const VERSION: u64 = 1;

/// The opening of a session, from either side.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Hello {
    pub(crate) minor: (u64, u64),
    pub(crate) tag: [u8; 16],
    pub(crate) instance: InstanceId,
    /// `InstanceId(0)`: none.
    pub(crate) previous: InstanceId,
    pub(crate) node: NodeId,
    /// Largest message that the sender of this hello accepts.
    pub(crate) message_max: u64,
}

/// A neighbour of the sender, for the receiver to connect to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Referral {
    pub(crate) key: KeyId,
    pub(crate) node: NodeId,
    pub(crate) addresses: Vec<Address>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Frame {
    Hello(Hello),
    MemberProof(Bytes),
    SessionOk(Hello, Bytes),
    NoSession { reason: u64 },
    PakeShare(Bytes),
    PakeAnswer(Bytes),
    PakeConfirm(Bytes),
    YourGmc(Bytes),
    CannotIssue(Vec<Referral>),
    Connect,
    Welcome(Vec<Referral>),
    Refuse { reason: u64, referrals: Vec<Referral> },
    Disconnect { reason: u64 },
    AddrUpdate(Vec<Address>),
    ObjectIds(Vec<ObjectId>),
    ObjectWant(Vec<ObjectId>),
    Object { kind: u64, id: ObjectId, bytes: Bytes },
    DcOpen { tag: [u8; 16] },
    DcAccept,
    DcRefuse { reason: u64 },
    DcData { kind: Guid, more: bool, payload: Payload },
    DcClose { count: u64 },
    DcCloseAck { count: u64 },
}

const HELLO: u64 = 0x01;
const MEMBER_PROOF: u64 = 0x02;
const SESSION_OK: u64 = 0x03;
const NO_SESSION: u64 = 0x04;
const PAKE_SHARE: u64 = 0x05;
const PAKE_ANSWER: u64 = 0x06;
const PAKE_CONFIRM: u64 = 0x07;
const YOUR_GMC: u64 = 0x08;
const CANNOT_ISSUE: u64 = 0x09;
const CONNECT: u64 = 0x10;
const WELCOME: u64 = 0x11;
const REFUSE: u64 = 0x12;
const DISCONNECT: u64 = 0x13;
const ADDR_UPDATE: u64 = 0x14;
const OBJECT_IDS: u64 = 0x17;
const OBJECT_WANT: u64 = 0x1c;
const OBJECT: u64 = 0x1d;
const DC_OPEN: u64 = 0x40;
const DC_ACCEPT: u64 = 0x41;
const DC_REFUSE: u64 = 0x42;
const DC_DATA: u64 = 0x43;
const DC_CLOSE: u64 = 0x44;
const DC_CLOSE_ACK: u64 = 0x45;
/// Unknown types from here on are skipped, so that later versions can add frames.
const FIRST_SKIPPED: u64 = 0x4000;
/// Body of a skipped frame.
const SKIPPED_MAX: u64 = 64 << 10;
/// Type and flags in front of a DC_DATA payload.
const DATA_PREFIX: usize = 17;
/// Most payload that one DC_DATA frame may carry.
pub(crate) const FRAGMENT_MAX: usize = 1 << 20;

/// Why bytes are not a frame. Each closes the link.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum FrameError {
    /// Not the one encoding of any frame.
    Malformed,
    /// Longer than its type may be.
    Oversize,
    /// A type that no version so far knows.
    Unknown,
}

impl FrameError {
    pub(crate) fn close_code(self) -> u64 {
        match self {
            FrameError::Malformed | FrameError::Oversize => close::PROTOCOL,
            FrameError::Unknown => close::UNSUPPORTED,
        }
    }
}

/// Longest body of each type.
fn body_max(kind: u64) -> Option<u64> {
    Some(match kind {
        HELLO => 512,
        MEMBER_PROOF | YOUR_GMC => CHAIN_MAX as u64,
        PAKE_SHARE | PAKE_ANSWER | PAKE_CONFIRM => 2 << 10,
        CANNOT_ISSUE => 4 << 10,
        SESSION_OK => 33 << 10,
        NO_SESSION | CONNECT | ADDR_UPDATE => 1 << 10,
        WELCOME | REFUSE | DISCONNECT => 8 << 10,
        OBJECT_IDS => 32 << 10,
        OBJECT_WANT => 4 << 10,
        OBJECT => OBJECT_MAX as u64 + 64,
        DC_OPEN | DC_ACCEPT | DC_REFUSE | DC_CLOSE | DC_CLOSE_ACK => 64,
        DC_DATA => (DATA_PREFIX + FRAGMENT_MAX) as u64,
        FIRST_SKIPPED.. => SKIPPED_MAX,
        _ => return None,
    })
}

impl Frame {
    /// The frame's head and body as a write; `Payload::EMPTY` where all of it fits into the head.
    pub(crate) fn encode(&self) -> (Head, Payload) {
        let mut head = Head::new();
        match self {
            Frame::DcData { kind, more, payload } => {
                return data_frame(*kind, *more, payload.clone());
            }
            Frame::DcOpen { tag } => short(&mut head, DC_OPEN, tag),
            Frame::DcAccept => short(&mut head, DC_ACCEPT, &[]),
            Frame::Connect => short(&mut head, CONNECT, &[]),
            Frame::DcRefuse { reason } => number(&mut head, DC_REFUSE, *reason),
            Frame::DcClose { count } => number(&mut head, DC_CLOSE, *count),
            Frame::DcCloseAck { count } => number(&mut head, DC_CLOSE_ACK, *count),
            Frame::NoSession { reason } => number(&mut head, NO_SESSION, *reason),
            Frame::Disconnect { reason } => number(&mut head, DISCONNECT, *reason),
            Frame::Hello(hello) => return long(HELLO, hello.to_bytes()),
            Frame::MemberProof(chain) => return plain(MEMBER_PROOF, chain),
            Frame::PakeShare(bytes) => return plain(PAKE_SHARE, bytes),
            Frame::PakeAnswer(bytes) => return plain(PAKE_ANSWER, bytes),
            Frame::PakeConfirm(bytes) => return plain(PAKE_CONFIRM, bytes),
            Frame::YourGmc(chain) => return plain(YOUR_GMC, chain),
            Frame::CannotIssue(issuers) => {
                let issuers = &issuers[..issuers.len().min(ISSUERS_MAX)];
                return long(CANNOT_ISSUE, fields::referrals_to_bytes(Vec::new(), issuers));
            }
            Frame::SessionOk(hello, chain) => {
                let mut body = hello.to_bytes();
                body.extend_from_slice(chain);
                return long(SESSION_OK, body);
            }
            Frame::Welcome(referrals) => {
                return long(WELCOME, fields::referrals_to_bytes(Vec::new(), referrals));
            }
            Frame::Refuse { reason, referrals } => {
                let mut body = Vec::new();
                put_varint(&mut body, *reason);
                return long(REFUSE, fields::referrals_to_bytes(body, referrals));
            }
            Frame::AddrUpdate(addresses) => {
                return long(ADDR_UPDATE, fields::addresses_to_bytes(addresses));
            }
            Frame::ObjectIds(ids) => {
                return long(OBJECT_IDS, fields::object_ids_to_bytes(ids, OBJECT_IDS_MAX));
            }
            Frame::ObjectWant(ids) => {
                return long(OBJECT_WANT, fields::object_ids_to_bytes(ids, OBJECT_WANT_MAX));
            }
            Frame::Object { kind, id, bytes } => {
                return long(OBJECT, fields::object_to_bytes(*kind, id, bytes));
            }
        }
        (head, Payload::EMPTY)
    }

    /// Whether it is an object of a kind that this version has.
    pub(crate) fn is_known_object(&self) -> bool {
        let Frame::Object { kind, .. } = self else { return false };
        u8::try_from(*kind).ok().and_then(ObjectKind::from_number).is_some()
    }

    /// A body that is complete; `kind` and its length were checked.
    fn decode(kind: u64, body: Payload) -> Result<Option<Frame>, FrameError> {
        if kind == DC_DATA {
            return fields::data(body).map(Some);
        }
        let body = body.into_bytes();
        let mut r = Reader::new(&body);
        let frame = match kind {
            HELLO => Frame::Hello(r.hello()?),
            MEMBER_PROOF => Frame::MemberProof(body.slice_ref(r.rest())),
            SESSION_OK => {
                let hello = r.hello()?;
                Frame::SessionOk(hello, body.slice_ref(r.rest()))
            }
            NO_SESSION => Frame::NoSession { reason: r.varint()? },
            PAKE_SHARE => Frame::PakeShare(body.slice_ref(r.rest())),
            PAKE_ANSWER => Frame::PakeAnswer(body.slice_ref(r.rest())),
            PAKE_CONFIRM => Frame::PakeConfirm(body.slice_ref(r.rest())),
            YOUR_GMC => Frame::YourGmc(body.slice_ref(r.rest())),
            CANNOT_ISSUE => Frame::CannotIssue(r.referrals(ISSUERS_MAX)?),
            CONNECT => Frame::Connect,
            WELCOME => Frame::Welcome(r.referrals(REFERRALS_MAX)?),
            REFUSE => Frame::Refuse { reason: r.varint()?, referrals: r.referrals(REFERRALS_MAX)? },
            DISCONNECT => Frame::Disconnect { reason: r.varint()? },
            ADDR_UPDATE => Frame::AddrUpdate(r.addresses(ADDRESSES_MAX)?),
            OBJECT_IDS => Frame::ObjectIds(r.object_ids(OBJECT_IDS_MAX)?),
            OBJECT_WANT => Frame::ObjectWant(r.object_ids(OBJECT_WANT_MAX)?),
            OBJECT => Frame::Object {
                kind: r.varint()?,
                id: ObjectId(r.array()?),
                bytes: body.slice_ref(r.rest()),
            },
            DC_OPEN => Frame::DcOpen { tag: r.array()? },
            DC_ACCEPT => Frame::DcAccept,
            DC_REFUSE => Frame::DcRefuse { reason: r.varint()? },
            DC_CLOSE => Frame::DcClose { count: r.varint()? },
            DC_CLOSE_ACK => Frame::DcCloseAck { count: r.varint()? },
            _ => return Ok(None),
        };
        r.end()?;
        if let Frame::Object { bytes, .. } = &frame
            && bytes.len() > OBJECT_MAX
        {
            return Err(FrameError::Oversize);
        }
        if let Frame::SessionOk(_, chain) | Frame::MemberProof(chain) = &frame
            && chain.len() > CHAIN_MAX
        {
            return Err(FrameError::Oversize);
        }
        Ok(Some(frame))
    }
}

/// One DC_DATA frame, its payload untouched.
pub(crate) fn data_frame(kind: Guid, more: bool, payload: Payload) -> (Head, Payload) {
    let mut head = Head::new();
    prefix(&mut head, DC_DATA, DATA_PREFIX + payload.len());
    head.push(&kind.0);
    head.push(&[u8::from(more)]);
    (head, payload)
}

fn prefix(head: &mut Head, kind: u64, len: usize) {
    let mut scratch = [0; 8];
    head.push(varint_into(&mut scratch, kind));
    head.push(varint_into(&mut scratch, len as u64));
}

/// A frame whose body is bytes that only others read.
fn plain(kind: u64, body: &Bytes) -> (Head, Payload) {
    let mut head = Head::new();
    prefix(&mut head, kind, body.len());
    (head, Payload::One(body.clone()))
}

fn short(head: &mut Head, kind: u64, body: &[u8]) {
    prefix(head, kind, body.len());
    head.push(body);
}

fn number(head: &mut Head, kind: u64, value: u64) {
    let mut scratch = [0; 8];
    short(head, kind, varint_into(&mut scratch, value));
}

fn long(kind: u64, body: Vec<u8>) -> (Head, Payload) {
    let mut head = Head::new();
    prefix(&mut head, kind, body.len());
    (head, Payload::One(body.into()))
}

#[cfg(test)]
mod tests;
