//! Private peer groups: the decisions, without I/O.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod authority;
mod bucket;
mod code;
mod codec;
mod direct;
mod error;
mod event;
mod group;
mod id;
mod io;
mod limits;
mod link;
mod neighbour;
mod node;
mod search;
mod session;
mod time;
mod timers;
mod verdict;

pub use authority::{Authority, Member, Refusal, Roles};
pub use code::Code;
pub use codec::{close, refuse, reset};
pub use error::Error;
pub use event::{Cause, Connection, ConnectionChange, Event, MemberChange, Status};
pub use id::{Address, ConnectionId, GroupKey, Guid, InstanceId, KeyId, NodeId};
pub use io::{
    DialId, DownCause, Expect, GroupSnapshot, Head, Input, LinkId, Output, Payload, StoreChange,
    StreamId, Ticket, Timer,
};
pub use limits::{Limits, SECOND};
pub use node::{Config, Connecting, ConnectionInfo, MemberInfo, Node, Taken};
pub use time::{FileTime, Now, Tick};
