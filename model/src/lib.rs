//! Every interleaving of a small world of real nodes.
//!
//! Two or three [`p2p_core::Node`]s, their applications and the network between them are one [`World`]. In each world
//! certain things may happen next: an application calls, a chunk of some stream arrives, a link breaks, a machine dies,
//! time passes to the next deadline. [`search`] takes every one of them, and then every one of what may follow, until
//! nothing new comes: within a [`Scope`], which says how often each may happen, nothing is left out.
//!
//! | invariant | looked at |
//! | --- | --- |
//! | 36: one outcome per open, one end per connection, data only between | at every event; that there is an outcome: at rest |
//! | 37: what is received is a beginning of what was sent, all of it if closed in order | at every event |
//! | 38: what can be closed is what is listed; ids are fresh | in every state |
//! | 39: crossing opens work, crossing closes end without a reset | at every event of a world without faults; at rest, by a message each way |
//! | 40: every event has a result, and everything ends within 95 s | always; at rest, by letting the time pass |
//! | 41: nothing is held for what is refused, failed, or over | in every state for connections, at rest for streams, credit and the rest |
//!
//! A world is *at rest* when nothing is under way. From each such state the 95 s are let pass besides, with nobody doing
//! anything.
//!
//! **What is merged.** A node's outputs are obeyed at once, its store answers at once; what one call writes on one stream
//! arrives at once; both ends of a new link hear of it in one step. States that differ in names and moments only are the
//! same (`Node::canonical`). Nothing else is.
#![forbid(unsafe_code)]

mod app;
mod check;
mod digest;
mod fake;
mod history;
mod machine;
mod mutations;
mod obey;
mod scope;
mod search;
mod wire;
mod world;

pub use mutations::{Mutation, mutations};
pub use scope::{FULL, SLICE, Scope, Start};
pub use search::{Counterexample, Report, search};
pub use world::{Action, World};
