//! What an application is told.

use alloc::sync::Arc;

use crate::authority::{Member, Refusal};
use crate::code::Code;
use crate::id::{Address, ConnectionId, Guid, KeyId, NodeId};
use crate::io::Payload;
use crate::object::{ObjectId, Properties, Revocation};
use crate::verdict::REVOKED;

/// One thing that happened in a group, in the order in which it became true.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The status bits changed; both bits that change together make one event.
    Status(Status),
    /// Connecting to the group failed; it is offline again.
    ConnectionFailed {
        /// `PEER_E_NO_MEMBERS_FOUND`, `PEER_E_NO_MEMBER_CONNECTIONS`, `PEER_E_UNABLE_TO_LISTEN`,
        /// `PEER_E_NOT_AUTHORIZED`, or the code of a store that failed.
        reason: Code,
    },
    /// A connection of the mesh, which the library makes and drops by itself.
    Neighbour(Connection),
    /// A connection that an application opened, here or there.
    Direct(Connection),
    /// A message arrived. The node counts it as unread until [`Node::taken`](crate::Node::taken).
    Data {
        /// The connection it came on.
        id: ConnectionId,
        /// Who sent it.
        peer: KeyId,
        /// The type that the sender gave it.
        kind: Guid,
        /// The bytes, as they arrived.
        payload: Payload,
    },
    /// A member was met, came, went, or changed.
    Member {
        /// What happened.
        change: MemberChange,
        /// Who.
        member: Arc<Member>,
    },
    /// A peer was turned away: by us, for `refusal`. It learns nothing but that.
    Refused {
        /// The key that the peer proved.
        peer: KeyId,
        /// Where it called from, or was called.
        remote: Address,
        /// Why.
        refusal: Refusal,
    },
    /// While joining by password: whoever answered does not know our password, or is no member. Others are asked.
    PasswordRejected {
        /// The key that the peer proved.
        peer: KeyId,
        /// Where it is.
        remote: Address,
    },
    /// Somebody began to join by password and has not shown that he knows it: a wrong password, or one who gave up. He
    /// learns no more than that.
    PasswordFailed {
        /// The key that the peer proved.
        peer: KeyId,
        /// Where it called from.
        remote: Address,
    },
    /// Somebody who tries to join by password has to wait, for there were too many tries from where he is, by him, or on
    /// this node.
    PasswordDelayed {
        /// The key that the peer proved.
        peer: KeyId,
        /// Where it called from.
        remote: Address,
    },
    /// A send was refused for lack of room on this connection, and there is room again.
    Writable(ConnectionId),
    /// A membership was taken back. Sessions and connections that depended on it end.
    Revoked {
        /// By whom, from whom, and why.
        revocation: Arc<Revocation>,
    },
    /// The group's properties are these from now on.
    PropertiesChanged {
        /// What the creator signed.
        properties: Arc<Properties>,
    },
    /// Our own membership is this one from now on: a later one, or the first, gained by the group's password.
    Renewed {
        /// The new membership.
        member: Arc<Member>,
    },
    /// The outcome of [`Node::publish`](crate::Node::publish).
    Published {
        /// The object.
        id: ObjectId,
        /// Stored, and on its way to everybody in session; or the store's code, and nothing has changed.
        result: Result<(), Code>,
    },
    /// Something could not be stored; the node goes on without having stored it.
    StoreFailed {
        /// The store's code, such as `PEER_E_DISK_FULL`.
        code: Code,
    },
    /// The group has finished closing: its key is no longer valid, and nothing more comes.
    Closed,
}

/// A change of a direct or neighbour connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Connection {
    /// The connection.
    pub id: ConnectionId,
    /// What happened to it.
    pub change: ConnectionChange,
    /// The peer's key; `None` if it was never learnt.
    pub peer: Option<KeyId>,
    /// The peer's node; `NodeId(0)` if it was never learnt.
    pub node: NodeId,
    /// Why.
    pub cause: Cause,
}

/// The three things that happen to a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConnectionChange {
    /// It stands.
    Connected,
    /// It stood, and has ended.
    Disconnected,
    /// It never stood.
    Failed,
}

/// Why a connection failed or ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// As it should be: connected; closed here with everything delivered; or closed by the peer, and all that it had sent
    /// has come. What was still to be sent to a peer that closes is dropped: it wants no more.
    Orderly,
    /// Closed here while it was still opening.
    Cancelled,
    /// No address answered.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The peer declined, with the reason it gave (see `docs/protocol.md`).
    Refused(u64),
    /// The peer is this very node.
    Itself,
    /// The peer turned us away, or vanished before it had proved itself.
    NotAuthenticated,
    /// We turned the peer away.
    Verdict(Refusal),
    /// The link broke.
    Lost,
    /// The peer reset the connection.
    Aborted,
    /// The peer broke the protocol.
    Protocol,
    /// Closed, but the peer did not confirm everything in time: data may be lost.
    Unconfirmed,
    /// The peer left the mesh, or has no room in it.
    Left,
    /// A membership ended.
    Expired,
    /// The peer's membership was taken back, or ours.
    Revoked,
}

impl Cause {
    /// The code that `p2p.h` has for it: `S_OK` or one of `PEER_E_CONNECTION_FAILED`, `_REFUSED`,
    /// `_NOT_AUTHENTICATED`.
    pub fn code(self) -> Code {
        match self {
            Cause::Orderly | Cause::Left => Code::S_OK,
            Cause::Refused(_) | Cause::Itself => Code::PEER_E_CONNECTION_REFUSED,
            Cause::NotAuthenticated | Cause::Verdict(_) => {
                Code::PEER_E_CONNECTION_NOT_AUTHENTICATED
            }
            _ => Code::PEER_E_CONNECTION_FAILED,
        }
    }

    /// The refusal behind it, if our own check said no.
    pub fn refusal(self) -> Option<Refusal> {
        match self {
            Cause::Verdict(refusal) => Some(refusal),
            Cause::Revoked => Some(REVOKED),
            _ => None,
        }
    }
}

/// What happened to a member.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MemberChange {
    /// A node of the member is in session with us.
    Connected,
    /// No node of the member is any longer.
    Disconnected,
    /// Its membership changed.
    Updated,
    /// It was met for the first time.
    Joined,
}

/// Whether the group's node accepts connections, and whether it has neighbours.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Status {
    /// The socket is open and members are told of it.
    pub listening: bool,
    /// At least one neighbour is connected.
    pub connected: bool,
}

impl Status {
    /// As `PEER_GROUP_STATUS`: 1 listening, 2 has connections.
    pub fn bits(self) -> u32 {
        u32::from(self.listening) | u32::from(self.connected) << 1
    }
}
