//! What an application's call may answer. No error changes the state of the node.

use core::fmt;

use crate::authority::Refusal;
use crate::code::Code;

/// Why a call was not done. In every case the node is as it was before the call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The group key is unknown, or its group is closed or closing.
    InvalidGroup,
    /// No connection of the required kind has this id in this group.
    ConnectionNotFound,
    /// The group is offline.
    NotReady,
    /// The target is this very node.
    ConnectSelf,
    /// An argument is out of range; the text says which.
    InvalidArgument(&'static str),
    /// The connection's send queue is full; nothing was queued. `Event::Writable` tells when there is room.
    QueueFull,
    /// This node holds as many of the thing as its limits allow.
    TooMany,
    /// This identity has no membership chain for the group.
    NoMembership,
    /// The authority turned the object down.
    Refused(Refusal),
    /// This identity may not do that in the group.
    NotAuthorized,
}

impl Error {
    /// The code that `p2p.h` has for it.
    pub fn code(&self) -> Code {
        match self {
            Error::InvalidGroup => Code::PEER_E_INVALID_GROUP,
            Error::ConnectionNotFound => Code::PEER_E_CONNECTION_NOT_FOUND,
            Error::NotReady => Code::PEER_E_GROUP_NOT_READY,
            Error::ConnectSelf => Code::PEER_E_CONNECT_SELF,
            Error::InvalidArgument(_) => Code::E_INVALIDARG,
            Error::QueueFull | Error::TooMany => Code::E_OUTOFMEMORY,
            Error::NoMembership => Code::PEER_E_NOT_FOUND,
            Error::Refused(refusal) => refusal.code,
            Error::NotAuthorized => Code::PEER_E_NOT_AUTHORIZED,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::InvalidGroup => f.write_str("the group is not open"),
            Error::ConnectionNotFound => f.write_str("no such connection in this group"),
            Error::NotReady => f.write_str("the group is offline"),
            Error::ConnectSelf => f.write_str("the target is this node itself"),
            Error::InvalidArgument(what) => write!(f, "invalid argument: {what}"),
            Error::QueueFull => f.write_str("the connection's send queue is full"),
            Error::TooMany => f.write_str("a limit of this node is reached"),
            Error::NoMembership => f.write_str("this identity is not a member of the group"),
            Error::Refused(refusal) => write!(f, "the object was turned down: {refusal}"),
            Error::NotAuthorized => f.write_str("this identity may not do that in the group"),
        }
    }
}

impl core::error::Error for Error {}
