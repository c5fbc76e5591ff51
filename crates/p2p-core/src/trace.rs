//! A recorded run: everything that goes into a node, as text that anybody can read, keep and replay.
//!
//! Same seed and same calls, same outputs: a trace is therefore all there is to a run, and a defect that shows in one
//! replays from it as often as needed, without network, disk or clock. The [`Start`] and every [`Entry`] print
//! themselves, so a driver that records needs no more than this before each call:
//!
//! ```
//! # use p2p_core::{Authority, Error, Node, Now};
//! use p2p_core::trace::{Act, Answer, Entry};
//!
//! # fn f<A: Authority>(node: &mut Node<A>, act: Act, now: Now, log: &mut String) -> Result<Answer, Error> {
//! let entry = Entry { now, act };
//! log.push_str(&format!("{entry}\n")); // first, so that a call that panics is the last line
//! entry.act.apply(node, now)
//! # }
//! ```
//!
//! [`Trace::parse`] reads it back, [`Start::node`] makes a node like the one at the start, and [`replay`] feeds it.
//!
//! # The text, version 1
//!
//! ASCII, one record a line, words between spaces. Empty lines and lines that begin with `#` are skipped, except before
//! the version.
//!
//! ```text
//! p2p-trace 1
//! start TICK WALL SEED PREVIOUS
//! limit NAME NUMBER                     a field of Limits that is not the default; only here, any number of them
//! TICK WALL timeout
//! TICK WALL listening ADDRESS…
//! TICK WALL link-up LINK DIAL|- KEY BINDING ADDRESS
//! TICK WALL dial-failed DIAL CAUSE
//! TICK WALL link-down LINK CAUSE
//! TICK WALL accepted LINK STREAM
//! TICK WALL chunk LINK STREAM BYTES
//! TICK WALL finished LINK STREAM
//! TICK WALL reset LINK STREAM NUMBER
//! TICK WALL sent LINK STREAM NUMBER
//! TICK WALL stored TICKET ok|CODE
//! TICK WALL open-group KEY MEMBER synchronised|new (at:KEY,ADDRESS,… | member:MEMBER | object:KIND,BYTES)…
//! TICK WALL connect GROUP ADDRESS…
//! TICK WALL close-group GROUP
//! TICK WALL accept-direct GROUP on|off
//! TICK WALL open-direct GROUP anyone|key:KEY|authority:HEX ADDRESS
//! TICK WALL close-direct GROUP CONNECTION
//! TICK WALL send GROUP CONNECTION GUID BYTES
//! TICK WALL taken GROUP CONNECTION data:NUMBER|disconnected
//! TICK WALL publish GROUP KIND BYTES
//! ```
//!
//! Numbers are decimal: `TICK` in microseconds, `WALL` as [`FileTime`](crate::FileTime), `PREVIOUS` the instance of the
//! run before, or `-`. `SEED`, `KEY`, `BINDING`, `HEX` and `BYTES` are lower-case hexadecimal digits, no `BYTES` are `-`.
//! An `ADDRESS` is `[ip]:port` or `[ip%scope]:port`, a `GUID` is in its text form, a `CODE` is its name or `0x` and eight
//! digits. A `CAUSE` is `timeout`, `unreachable`, `tls:ALERT`, `verdict:CODE:CODE`, `refused`, `peer:NUMBER` or `local`. A
//! `MEMBER` is `key,name,friendly,issuer,issuer-friendly,roles,depth,from,until,chain,path` (the path
//! may be missing; it is 48 bytes a step, key and serial number): in texts, what is not printable
//! ASCII, and `,` and `%`, is `%` and two digits a byte; roles are letters of `a`dmin, `i`nviting member and `m`ember.
//!
//! # Limits
//!
//! The [`Authority`] is not in a trace: replay with one that gives the same answers, and that holds from its start every
//! chain it was given on the way. Outputs are those of the version of this crate that replays; the text stays readable.
//! **A trace holds every message, and the seed, in the clear.**

mod records;
mod snapshot;
mod words;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

use crate::authority::{Authority, Member};
use crate::error::Error;
use crate::id::{Address, ConnectionId, GroupKey, Guid, KeyId};
use crate::io::{Expect, GroupSnapshot, Input, Output};
use crate::node::{Config, Connecting, Node, Taken};
use crate::object::{ObjectId, ObjectKind};
use crate::time::Now;

/// Longest text that is parsed, in bytes. No record announces a length, so what is parsed takes memory in proportion to
/// its text.
pub const TEXT_MAX: usize = 256 << 20;

/// A whole run. Prints as its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// How the node began.
    pub start: Start,
    /// What was done to it, in order.
    pub entries: Vec<Entry>,
}

/// The arguments of [`Node::new`] but for the authority. Prints as the first lines of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Limits and previous instance.
    pub config: Config,
    /// Where every random choice comes from.
    pub seed: [u8; 32],
    /// The moment.
    pub now: Now,
}

/// One call, and when. Prints as its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The moment that the call was given.
    pub now: Now,
    /// The call.
    pub act: Act,
}

/// Everything that can be done to a node; the fields are the arguments of the call. Prints as its line without the
/// moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// [`Node::handle`].
    Input(Input),
    /// [`Node::open_group`].
    OpenGroup(KeyId, Arc<Member>, Box<GroupSnapshot>),
    /// [`Node::connect`].
    Connect(GroupKey, Vec<Address>),
    /// [`Node::close_group`].
    CloseGroup(GroupKey),
    /// [`Node::accept_direct`].
    Accept(GroupKey, bool),
    /// [`Node::open_direct`].
    Open(GroupKey, Expect, Address),
    /// [`Node::close_direct`].
    Close(GroupKey, ConnectionId),
    /// [`Node::send`].
    Send(GroupKey, ConnectionId, Guid, Bytes),
    /// [`Node::taken`].
    Taken(GroupKey, ConnectionId, Taken),
    /// [`Node::publish`].
    Publish(GroupKey, ObjectKind, Bytes),
}

/// What a call that was done gave back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Done,
    /// Of [`Node::open_group`].
    Group(GroupKey),
    /// Of [`Node::connect`].
    Connecting(Connecting),
    /// Of [`Node::open_direct`].
    Connection(ConnectionId),
    /// Of [`Node::publish`].
    Object(ObjectId),
}

impl Act {
    /// Makes the call.
    ///
    /// # Errors
    /// Those of the call.
    pub fn apply<A: Authority>(&self, node: &mut Node<A>, now: Now) -> Result<Answer, Error> {
        match self.clone() {
            Act::Input(input) => {
                node.handle(input, now);
                Ok(Answer::Done)
            }
            Act::OpenGroup(group, own, snapshot) => {
                node.open_group(group, own, *snapshot, now).map(Answer::Group)
            }
            Act::Connect(group, addresses) => {
                node.connect(group, &addresses, now).map(Answer::Connecting)
            }
            Act::CloseGroup(group) => node.close_group(group, now).map(|()| Answer::Done),
            Act::Accept(group, on) => node.accept_direct(group, on, now).map(|()| Answer::Done),
            Act::Open(group, peer, address) => {
                node.open_direct(group, peer, address, now).map(Answer::Connection)
            }
            Act::Close(group, id) => node.close_direct(group, id, now).map(|()| Answer::Done),
            Act::Send(group, id, kind, bytes) => {
                node.send(group, id, kind, bytes, now).map(|()| Answer::Done)
            }
            Act::Publish(group, kind, bytes) => {
                node.publish(group, kind, &bytes, now).map(Answer::Object)
            }
            Act::Taken(group, id, what) => {
                node.taken(group, id, what, now);
                Ok(Answer::Done)
            }
        }
    }
}

impl Start {
    /// A node like the one that began here.
    pub fn node<A: Authority>(&self, authority: A) -> Node<A> {
        Node::new(self.config.clone(), authority, self.seed, self.now)
    }
}

/// Does everything again to a node that has just begun; all its outputs, in order. Calls that failed when they were
/// recorded fail again and change nothing.
pub fn replay<A: Authority>(entries: &[Entry], node: &mut Node<A>) -> Vec<Output> {
    let mut outputs = Vec::new();
    for Entry { now, act } in entries {
        // The answer is a function of what came before: it was given to the application then, and tells nothing new.
        let _ = act.apply(node, *now);
        outputs.extend(core::iter::from_fn(|| node.poll()));
    }
    outputs
}

impl Trace {
    /// Reads what a trace prints.
    ///
    /// # Errors
    /// The first line that is wrong, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Trace, ParseError> {
        records::trace(text)
    }
}

/// Where a text stops being a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What can be wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The text is longer than [`TEXT_MAX`].
    TooLong,
    /// The text does not begin with `p2p-trace 1`.
    Version,
    /// `start` is missing, or was there already.
    Start,
    /// No record has this name.
    Record,
    /// No field of [`Limits`](crate::Limits) has this name.
    Limit,
    /// This word of the record is missing or cannot be read.
    Word(&'static str),
    /// More words than the record has.
    Surplus,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match self.fault {
            Fault::TooLong => write!(f, "the text is longer than {TEXT_MAX} bytes"),
            Fault::Version => f.write_str("not a trace of version 1"),
            Fault::Start => f.write_str("a trace has one start, right after the version"),
            Fault::Record => f.write_str("no such record"),
            Fault::Limit => f.write_str("no such limit"),
            Fault::Word(name) => write!(f, "{name} is missing or wrong"),
            Fault::Surplus => f.write_str("more words than the record has"),
        }
    }
}

impl core::error::Error for ParseError {}
