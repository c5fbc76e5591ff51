//! What goes into groups, and what lists of them hold.

use p2p_core::{Address, ConnectionId, NodeId};

use crate::peer::{Peer, Target};

/// Names of a group that is to be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupOptions {
    /// The part of the group's peer name after the dot: 1 to 149 UTF-16 units without control characters.
    pub classifier: Option<String>,
    /// Name for people, at most 255 UTF-16 units; without one the peer name is shown.
    pub friendly_name: Option<String>,
}

impl From<&str> for GroupOptions {
    /// A friendly name, no classifier.
    fn from(friendly_name: &str) -> GroupOptions {
        GroupOptions { classifier: None, friendly_name: Some(friendly_name.to_owned()) }
    }
}

/// Which members [`Group::members`](crate::Group::members) lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberFilter {
    /// Only those with whom a session stands, and oneself while online.
    pub present: bool,
    /// Only this identity.
    pub identity: Option<Target>,
}

/// Which connections [`Group::connections`](crate::Group::connections) lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionKind {
    /// Those of the mesh, which the library makes and drops by itself.
    Neighbour,
    /// Those that applications opened, here or there.
    Direct,
}

/// A connection as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// What it is for.
    pub kind: ConnectionKind,
    /// Its number on this node.
    pub id: ConnectionId,
    /// The other end.
    pub peer: Peer,
    /// The other end's node.
    pub node: NodeId,
    /// The other end's endpoint.
    pub address: Address,
}
