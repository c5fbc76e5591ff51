//! What goes into groups, and what lists of them hold.

use std::fmt;

use p2p_core::{Address, ConnectionId, NodeId, Roles};
use p2p_crypto::GroupFlags;
use zeroize::Zeroizing;

use crate::error::Closed;
use crate::group::Group;
use crate::peer::{Peer, Target};

impl Group {
    /// The connections of one kind, by id. Direct ones are listed from `Connected` until they are closed here, or until
    /// their end was taken from every queue that got it (at most 60 s).
    ///
    /// # Errors
    /// [`Closed`].
    pub fn connections(&self, kind: ConnectionKind) -> Result<Vec<ConnectionInfo>, Closed> {
        let mut connections = self.all_connections()?;
        connections.retain(|info| info.kind == kind);
        Ok(connections)
    }

    /// The connections of both kinds as they are at one moment, by id: see [`connections`](Self::connections).
    ///
    /// # Errors
    /// [`Closed`].
    pub fn all_connections(&self) -> Result<Vec<ConnectionInfo>, Closed> {
        let (neighbours, directs) =
            self.ask(|node, key| Ok((node.neighbours(key)?, node.directs(key)?)))?;
        Ok(self.handle.instance.with_board(|board| {
            let describe = |kind, info: p2p_core::ConnectionInfo| ConnectionInfo {
                kind,
                id: info.id,
                peer: board.peer(info.peer),
                node: info.node,
                address: info.address,
            };
            let neighbours =
                neighbours.into_iter().map(|info| describe(ConnectionKind::Neighbour, info));
            let directs = directs.into_iter().map(|info| describe(ConnectionKind::Direct, info));
            let mut all: Vec<ConnectionInfo> = neighbours.chain(directs).collect();
            all.sort_unstable_by_key(|info| info.id);
            all
        }))
    }
}

/// A group that is to be created: its names, and its first [properties](crate::Group::properties).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupOptions {
    /// The part of the group's peer name after the dot: 1 to 149 UTF-16 units without control characters.
    pub classifier: Option<String>,
    /// Name for people, at most 255 UTF-16 units; without one the peer name is shown.
    pub friendly_name: Option<String>,
    /// What the group is about: at most 255 UTF-16 units of text.
    pub comment: String,
    /// What members publish of themselves.
    pub flags: GroupFlags,
    /// For how long a member's data are kept, in seconds: 28,800 to 315,360,000, or 0 for as long as possible.
    pub member_data_lifetime: u32,
    /// For how long a member counts as present, in seconds: at least 300, or 0 for 300.
    pub presence_lifetime: u32,
    /// Whoever knows it may join.
    pub password: Option<GroupPassword>,
}

impl From<&str> for GroupOptions {
    /// A friendly name, all else as it is by default.
    fn from(friendly_name: &str) -> GroupOptions {
        GroupOptions { friendly_name: Some(friendly_name.to_owned()), ..GroupOptions::default() }
    }
}

/// A password of a group. It is wiped when dropped; what the group keeps of it opens nothing by itself.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupPassword {
    password: Zeroizing<String>,
    /// The one role that is granted to whoever knows it.
    pub role: Roles,
    /// Whether it is the only way to join; otherwise invitations are another.
    pub only: bool,
}

impl GroupPassword {
    /// A password, for this role, besides invitations. Whether it is good enough shows when it is used.
    pub fn new(password: impl Into<String>, role: Roles) -> GroupPassword {
        GroupPassword { password: Zeroizing::new(password.into()), role, only: false }
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for GroupPassword {
    /// The role.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupPassword").field("role", &self.role).finish_non_exhaustive()
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
