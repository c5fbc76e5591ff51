#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod admin;
mod board;
mod clock;
mod config;
mod direct;
mod error;
mod events;
mod group;
mod group_time;
mod hub;
mod identity;
mod instance;
mod invite;
mod library;
mod lists;
mod node;
mod opening;
mod password;
mod peer;
mod properties;
mod publishing;
mod queue;
mod runtime;
mod spans;
mod statistics;
mod stream;
mod subscription;
mod sync;

pub use admin::CredentialOptions;
pub use clock::now;
pub use direct::{DirectConnection, Incoming};
pub use error::{
    AdminError, CloseError, Closed, ConnectError, DirectError, Error, GroupError, IdentityError,
    InviteError, SendError, StartError,
};
pub use events::{ConnectionEvent, EventKind, Filter, GroupEvent, Message};
pub use group::Group;
pub use identity::{GroupInfo, Home, Identity, IdentityOptions};
pub use invite::InviteOptions;
pub use library::Library;
pub use lists::{ConnectionInfo, ConnectionKind, GroupOptions, GroupPassword, MemberFilter};
pub use node::{Node, NodeBuilder};
pub use peer::{Peer, Target, printable};
pub use statistics::Statistics;
pub use stream::ByteStream;
pub use subscription::Subscription;

pub use bytes::Bytes;
pub use p2p_core::{
    Address, Cause, Code, Connecting, ConnectionChange, ConnectionId, FileTime, Guid, KeyId,
    Limits, Load, Member, MemberChange, MemberInfo, NodeId, Reason, Refusal, Revocation, Roles,
    Stats, Status,
};
pub use p2p_crypto::{
    AnyInvitation, CryptoError, GroupFlags, GroupProperties, IdentityInfo, Invitation, KeyKind,
    NameError, PasswordInvitation, PasswordVerifier, PeerName, Schemes, check_friendly_name,
    check_password,
};
pub use p2p_store::StoreError;
pub use p2p_transport::{Listen, TransportError};
