//! What happens in a group, and which of it a program wants to hear.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{
    Address, Cause, Code, ConnectionChange, ConnectionId, Guid, KeyId, Member, MemberChange,
    NodeId, Reason, Refusal, Status,
};
use p2p_crypto::GroupProperties;

use crate::peer::Peer;

/// One thing that happened in a group. Owned and complete: it stays true and readable after the group is closed.
///
/// Per queue, the order is the order in which things became true. For one connection that means: its `Connected` before
/// any of its data, all of its data before its `Disconnected`, and nothing of it afterwards. Between different
/// connections no order is promised.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum GroupEvent {
    /// The group went online or offline, or gained its first or lost its last neighbour.
    Status(Status),
    /// [`Group::connect`](crate::Group::connect) failed; the group is offline again.
    ConnectionFailed {
        /// `PEER_E_NO_MEMBERS_FOUND`, `PEER_E_NO_MEMBER_CONNECTIONS`, `PEER_E_UNABLE_TO_LISTEN`,
        /// `PEER_E_NOT_AUTHORIZED` (our own membership has ended), or the code of a store that failed.
        reason: Code,
    },
    /// A direct connection stands, has ended, or could not be made.
    Direct(ConnectionEvent),
    /// The same for a connection of the mesh, which the library makes and drops by itself.
    Neighbour(ConnectionEvent),
    /// A message arrived on a direct connection.
    Data(Message),
    /// A member was met for the first time, came, went, or changed.
    Member {
        /// What happened.
        change: MemberChange,
        /// Who.
        member: Arc<Member>,
    },
    /// A membership was taken back: perhaps our own. Whoever stood on it, or below it, and has no other membership is gone
    /// from the list of members, and its connections end with [`Cause::Revoked`].
    Revoked {
        /// Whose membership; with its names if it was known here.
        who: Peer,
        /// Who took it back: an administrator, or the group's own key.
        by: Peer,
        /// Why, as that says.
        reason: Reason,
        /// The serial number of the one certificate that is meant; `None`: all that it has or will have.
        serial: Option<[u8; 16]>,
    },
    /// Our own membership is this one from now on.
    Renewed {
        /// The new membership.
        member: Arc<Member>,
    },
    /// The group's properties are these from now on.
    PropertiesChanged {
        /// What the creator signed.
        properties: Arc<GroupProperties>,
    },
    /// While joining by password: an attempt to connect has failed because the password is wrong, or because whoever
    /// answered is no member; there is no telling. [`ConnectionFailed`](Self::ConnectionFailed) follows, at once or when
    /// it is [held back](Filter::hold_rejected_password) no longer. The log names everybody who turned the password down.
    PasswordRejected {
        /// Who was the last: the key that it proved to hold.
        peer: KeyId,
        /// Where it is.
        remote: Address,
    },
    /// Somebody began to join by password and did not show that he knows it: a wrong password, or one who gave up. `p2p.h`
    /// has no such event.
    PasswordFailed {
        /// The key that the peer proved to hold.
        peer: KeyId,
        /// Where it called from.
        remote: Address,
    },
    /// Somebody who tries to join by password has to wait: there were too many tries by him, from where he is, or on this
    /// node. `p2p.h` has no such event.
    PasswordDelayed {
        /// The key that the peer proved to hold.
        peer: KeyId,
        /// Where it called from.
        remote: Address,
    },
    /// We turned a peer away. `p2p.h` has no such event.
    Refused {
        /// The key that the peer proved to hold.
        peer: KeyId,
        /// Where it called from, or was called at.
        remote: Address,
        /// Why: the first rule that its chain breaks.
        refusal: Refusal,
    },
    /// Something could not be stored; the group goes on without having stored it. `p2p.h` has no such event.
    StoreFailed {
        /// The store's code, such as `PEER_E_DISK_FULL`.
        code: Code,
    },
}

impl GroupEvent {
    /// The kind by which a [`Filter`] selects it.
    pub fn kind(&self) -> EventKind {
        match self {
            GroupEvent::Status(_) => EventKind::Status,
            GroupEvent::ConnectionFailed { .. } => EventKind::ConnectionFailed,
            GroupEvent::Direct(_) => EventKind::Direct,
            GroupEvent::Neighbour(_) => EventKind::Neighbour,
            GroupEvent::Data(_) => EventKind::Data,
            GroupEvent::Member { .. } | GroupEvent::Revoked { .. } | GroupEvent::Renewed { .. } => {
                EventKind::Member
            }
            GroupEvent::PropertiesChanged { .. } => EventKind::Property,
            GroupEvent::PasswordRejected { .. } => EventKind::AuthenticationFailed,
            GroupEvent::PasswordFailed { .. } | GroupEvent::PasswordDelayed { .. } => {
                EventKind::PasswordTried
            }
            GroupEvent::Refused { .. } => EventKind::Refused,
            GroupEvent::StoreFailed { .. } => EventKind::StoreFailed,
        }
    }
}

/// A change of a direct or neighbour connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionEvent {
    /// The connection, as this node numbers it.
    pub id: ConnectionId,
    /// What happened to it.
    pub change: ConnectionChange,
    /// The other end; `None` if it was never learnt.
    pub peer: Option<Peer>,
    /// The other end's node; `NodeId(0)` if it was never learnt.
    pub node: NodeId,
    /// Why. [`Cause::code`] is the code that `p2p.h` reports.
    pub cause: Cause,
}

/// A message that arrived, whole: one send there is one message here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The connection it came on.
    pub id: ConnectionId,
    /// Who sent it.
    pub peer: Peer,
    /// The type that the sender gave it.
    pub kind: Guid,
    /// The bytes; possibly none.
    pub bytes: Bytes,
}

/// The kinds of events, by which a [`Filter`] selects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// [`GroupEvent::Status`].
    Status,
    /// [`GroupEvent::PropertiesChanged`].
    Property,
    /// A record changed. May be asked for; there are no records yet.
    Record,
    /// [`GroupEvent::Direct`]. While anything of an open group asks for this kind, its node accepts direct connections.
    Direct,
    /// [`GroupEvent::Neighbour`].
    Neighbour,
    /// [`GroupEvent::Data`].
    Data,
    /// [`GroupEvent::Member`], [`GroupEvent::Revoked`] and [`GroupEvent::Renewed`].
    Member,
    /// [`GroupEvent::ConnectionFailed`].
    ConnectionFailed,
    /// [`GroupEvent::PasswordRejected`].
    AuthenticationFailed,
    /// [`GroupEvent::Refused`]; not in `p2p.h`.
    Refused,
    /// [`GroupEvent::StoreFailed`]; not in `p2p.h`.
    StoreFailed,
    /// [`GroupEvent::PasswordFailed`] and [`GroupEvent::PasswordDelayed`]; not in `p2p.h`.
    PasswordTried,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [EventKind; 12] = [
        EventKind::Status,
        EventKind::Property,
        EventKind::Record,
        EventKind::Direct,
        EventKind::Neighbour,
        EventKind::Data,
        EventKind::Member,
        EventKind::ConnectionFailed,
        EventKind::AuthenticationFailed,
        EventKind::Refused,
        EventKind::StoreFailed,
        EventKind::PasswordTried,
    ];

    /// The `PEER_GROUP_EVENT_TYPE` of this kind; `None` for the three that `p2p.h` does not have.
    ///
    /// ```
    /// use p2p_group::EventKind;
    ///
    /// assert_eq!(EventKind::Direct.value(), Some(4));
    /// assert_eq!(EventKind::Refused.value(), None);
    /// ```
    pub fn value(self) -> Option<u32> {
        match self {
            EventKind::Status => Some(1),
            EventKind::Property => Some(2),
            EventKind::Record => Some(3),
            EventKind::Direct => Some(4),
            EventKind::Neighbour => Some(5),
            EventKind::Data => Some(6),
            EventKind::Member => Some(8),
            EventKind::ConnectionFailed => Some(10),
            EventKind::AuthenticationFailed => Some(11),
            EventKind::Refused | EventKind::StoreFailed | EventKind::PasswordTried => None,
        }
    }

    /// The kind with this `PEER_GROUP_EVENT_TYPE`; `None` for numbers that name none (0, 7, 9, 12 and above).
    pub fn from_value(value: u32) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.value() == Some(value))
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Which events a [`Subscription`](crate::Subscription) gets. An event that fits several parts of a filter is queued
/// once.
///
/// ```
/// use p2p_group::{EventKind, Filter, Guid};
///
/// let chat = Guid::from_u128(0x5d2b_6a1e_0000_4000_8000_0000_0000_0001);
/// let filter = Filter::of([EventKind::Direct, EventKind::Member]).data(chat);
/// assert!(filter.wants(EventKind::Direct) && !filter.wants(EventKind::Status));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    kinds: u16,
    /// Message types that are wanted although `kinds` does not have all data.
    data: BTreeSet<Guid>,
    hold: bool,
}

impl Filter {
    /// Everything.
    pub fn all() -> Filter {
        Filter::of(EventKind::ALL)
    }

    /// Events of these kinds; [`EventKind::Data`] means messages of every type.
    pub fn of(kinds: impl IntoIterator<Item = EventKind>) -> Filter {
        let kinds = kinds.into_iter().fold(0, |bits, kind| bits | kind.bit());
        Filter { kinds, ..Filter::default() }
    }

    /// Events of `kind` too.
    #[must_use]
    pub fn kind(mut self, kind: EventKind) -> Filter {
        self.kinds |= kind.bit();
        self
    }

    /// Messages of type `kind` too.
    #[must_use]
    pub fn data(mut self, kind: Guid) -> Filter {
        self.data.insert(kind);
        self
    }

    /// [`GroupEvent::PasswordRejected`] too, and the failure of the attempt is held back after it: whoever has this
    /// subscription may give another password ([`Group::join_by_password`](crate::Group::join_by_password)) and go on with
    /// [`Group::resume_password`](crate::Group::resume_password). Without that,
    /// [`GroupEvent::ConnectionFailed`] comes after 5 minutes; calls that wait for the outcome wait as long.
    #[must_use]
    pub fn hold_rejected_password(mut self) -> Filter {
        self.hold = true;
        self.kind(EventKind::AuthenticationFailed)
    }

    pub(crate) fn holds(&self) -> bool {
        self.hold
    }

    /// Whether any event of `kind` passes.
    pub fn wants(&self, kind: EventKind) -> bool {
        self.kinds & kind.bit() != 0 || kind == EventKind::Data && !self.data.is_empty()
    }

    /// Whether a message of type `kind` passes.
    pub fn wants_data(&self, kind: Guid) -> bool {
        self.kinds & EventKind::Data.bit() != 0 || self.data.contains(&kind)
    }

    /// Whether nothing passes.
    pub fn is_empty(&self) -> bool {
        self.kinds == 0 && self.data.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_numbers_of_the_header() {
        let numbers: Vec<u32> =
            (0..=20).filter(|value| EventKind::from_value(*value).is_some()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 8, 10, 11]);
    }

    #[test]
    fn a_filter_for_one_type_of_message_lets_no_other_pass() {
        let (ours, theirs) = (Guid::from_u128(1), Guid::from_u128(2));
        let filter = Filter::default().data(ours);
        assert!(
            filter.wants_data(ours) && !filter.wants_data(theirs) && filter.wants(EventKind::Data)
        );
        let all = filter.kind(EventKind::Data);
        assert!(all.wants_data(theirs));
        assert!(Filter::default().is_empty() && !all.is_empty());
    }
}
