//! Private peer groups: the decisions, without I/O.
//!
//! A [`Node`] is one local identity with all its groups and links. It opens no socket, reads no clock and writes no file:
//! whoever drives it hands in an [`Input`] for everything that happens on the network, on disk or to time, with the
//! moment as a [`Now`], and does what each [`Output`] says, in order. The application has a door of its own, with typed
//! calls that may fail: [`Node::connect`], [`Node::open_direct`], [`Node::send`], [`Node::close_direct`]; it is told
//! what comes of them by [`Output::Event`].
//!
//! A link is one authenticated QUIC connection to one peer and carries any number of groups. For each group the two
//! sides prove their membership to each other on a control stream of its own; from then on a *session* stands. A session
//! may make the two neighbours, which keep the mesh of the group together and point newcomers to each other, and it may
//! carry direct connections: one stream each, messages in order and with their boundaries, and a close that counts, so
//! that closed in order means delivered. Whoever fails to prove itself learns nothing, not even which groups are here.
//!
//! Two nodes meet, with no more network than a pair of queues (`examples/driver` is the same with threads):
//!
//! ```
//! # use std::collections::VecDeque;
//! # use std::sync::Arc;
//! # use bytes::Bytes;
//! use p2p_core::*;
//!
//! # /// Everybody who names the group and himself is a member.
//! # struct Trusting(KeyId);
//! # impl Authority for Trusting {
//! #     fn own_key(&self) -> KeyId { self.0 }
//! #     fn own_chain(&self, group: &KeyId) -> Option<Bytes> { Some([group.0, self.0.0].concat().into()) }
//! #     fn session(&self, binding: &[u8; 32], _: &KeyId) -> [u8; 32] { *binding }
//! #     fn tag(&self, _: &[u8; 32], dialer: bool) -> [u8; 16] { [u8::from(dialer); 16] }
//! #     fn verify_member(&self, _: &KeyId, _: &[u8], peer: &KeyId, _: &FileTime) -> Result<Arc<Member>, Refusal> {
//! #         Ok(member(*peer))
//! #     }
//! #     fn verify_object(&self, _: &KeyId, _: ObjectKind, _: &Bytes) -> Result<Object, Refusal> {
//! #         Err(Refusal { code: Code::CRYPT_E_NO_SIGNER, detail: Code::TRUST_E_NOSIGNATURE })
//! #     }
//! #     fn adopt(&mut self, _: &KeyId, _: Bytes) {}
//! # }
//! # fn member(key: KeyId) -> Arc<Member> {
//! #     let text = String::new;
//! #     Arc::new(Member {
//! #         key, name: key.to_string(), friendly_name: text(), issuer_name: text(), issuer_friendly_name: text(),
//! #         roles: Roles::MEMBER, depth: 1, not_before: FileTime(0), not_after: FileTime::NO_END, chain: Bytes::new(),
//! #         path: Arc::new([]),
//! #     })
//! # }
//! # fn address(n: u8) -> Address { Address { ip: "::1".parse().unwrap(), port: 3587 + u16::from(n), scope: 0 } }
//! let now = Now::default();
//! let mut nodes = [1, 2].map(|n| Node::new(Config::default(), Trusting(KeyId([n; 32])), [n; 32], now));
//! let founder = GroupSnapshot { synchronised: true, ..GroupSnapshot::default() };
//! let guest = GroupSnapshot {
//!     addresses: vec![(KeyId([1; 32]), vec![address(1)])],
//!     ..GroupSnapshot::default()
//! };
//! for (node, snapshot) in nodes.iter_mut().zip([founder, guest]) {
//!     let own = member(node.authority().own_key());
//!     let group = node.open_group(KeyId([9; 32]), own, snapshot, now)?;
//!     node.connect(group, &[], now)?;
//! }
//!
//! let mut inputs = VecDeque::new(); // (whose, what)
//! let mut online = 0;
//! while online < 2 {
//!     for me in [0, 1] {
//!         let peer = 1 - me;
//!         while let Some(output) = nodes[me].poll() {
//!             match output {
//!                 Output::Listen { on: true } => {
//!                     let addresses = Arc::from([address(me as u8 + 1)]);
//!                     inputs.push_back((me, Input::Listening { addresses }));
//!                 }
//!                 Output::Dial { dial, .. } => {
//!                     for (whose, other, dial) in [(me, peer, Some(dial)), (peer, me, None)] {
//!                         let (key, remote) = (KeyId([other as u8 + 1; 32]), address(other as u8 + 1));
//!                         let (link, binding) = (LinkId(1), [7; 32]);
//!                         let up = Input::LinkUp { link, dial, peer: key, binding, remote };
//!                         inputs.push_back((whose, up));
//!                     }
//!                 }
//!                 Output::Open { link, stream, .. } => {
//!                     inputs.push_back((peer, Input::Accepted { link, stream: StreamId(stream.0 + 1) }));
//!                 }
//!                 Output::Write { link, stream, head, body } => {
//!                     let bytes = [head.as_slice(), &body.into_bytes()].concat().into();
//!                     inputs.push_back((peer, Input::Chunk { link, stream: StreamId(stream.0 ^ 1), bytes }));
//!                 }
//!                 Output::Store { ticket, .. } => {
//!                     inputs.push_back((me, Input::Stored { ticket, result: Ok(()) }));
//!                 }
//!                 Output::Event { event: Event::Status(status), .. } if status.connected => online += 1,
//!                 _ => {} // credit, trust and the rest matter as soon as the network is a real one
//!             }
//!         }
//!     }
//!     if let Some((whose, input)) = inputs.pop_front() {
//!         nodes[whose].handle(input, now);
//!     }
//! }
//! # Ok::<(), Error>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod authority;
mod bucket;
mod canonical;
mod code;
mod codec;
mod direct;
mod error;
mod event;
mod group;
mod id;
pub mod io;
mod limits;
mod link;
mod neighbour;
mod node;
mod object;
mod password;
mod revocations;
mod search;
mod session;
mod stats;
mod time;
mod timers;
pub mod trace;
mod twins;
mod verdict;

pub use authority::{Authority, Member, Refusal, Roles};
pub use canonical::{Canonical, Census, Names};
pub use code::Code;
pub use codec::{close, refuse, reset};
#[cfg(feature = "mutations")]
pub use direct::mutations::{PATCHES, Patch};
pub use error::Error;
pub use event::{Cause, Connection, ConnectionChange, Event, MemberChange, Status};
pub use id::{Address, ConnectionId, GroupKey, Guid, InstanceId, KeyId, NodeId};
pub use io::{
    DialId, DownCause, Expect, GroupSnapshot, Head, Input, LinkId, Output, Payload, StoreChange,
    StreamId, Ticket, Timer,
};
pub use limits::{Limits, SECOND};
pub use node::{Config, Connecting, ConnectionInfo, MemberInfo, Node, Taken};
pub use object::{
    Credential, OBJECT_MAX, Object, ObjectId, ObjectKind, Password, Properties, Reason, Revocation,
    Step,
};
pub use revocations::{Inserted, Revocations};
pub use stats::{Load, Stats, balance};
pub use time::{FileTime, Now, Tick};
