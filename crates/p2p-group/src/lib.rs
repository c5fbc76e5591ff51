#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod board;
mod clock;
mod direct;
mod error;
mod events;
mod group;
mod hub;
mod identity;
mod instance;
mod invite;
mod library;
mod lists;
mod node;
mod opening;
mod peer;
mod queue;
mod runtime;
mod subscription;
mod sync;

pub use clock::now;
pub use direct::{DirectConnection, Incoming};
pub use error::{
    CloseError, Closed, ConnectError, DirectError, Error, GroupError, IdentityError, InviteError,
    SendError, StartError,
};
pub use events::{ConnectionEvent, EventKind, Filter, GroupEvent, Message};
pub use group::Group;
pub use identity::{GroupInfo, Home, Identity, IdentityOptions};
pub use invite::InviteOptions;
pub use library::Library;
pub use lists::{ConnectionInfo, ConnectionKind, GroupOptions, MemberFilter};
pub use node::{Node, NodeBuilder};
pub use peer::{Peer, Target, printable};
pub use subscription::Subscription;

pub use bytes::Bytes;
pub use p2p_core::{
    Address, Cause, Code, Connecting, ConnectionChange, ConnectionId, FileTime, Guid, KeyId,
    Limits, Member, MemberChange, MemberInfo, NodeId, Refusal, Roles, Status,
};
pub use p2p_crypto::{
    CryptoError, IdentityInfo, Invitation, NameError, PeerName, check_friendly_name,
};
pub use p2p_store::StoreError;
pub use p2p_transport::{Listen, TransportError};
