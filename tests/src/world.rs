//! Members of a group, in this process.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use p2p_group::{
    Address, Code, ConnectionId, Filter, Group, Guid, Home, Identity, IdentityInfo, Invitation,
    InviteOptions, KeyId, Limits, Node, PeerName, Status,
};

use crate::watch::{Watch, direct_and_data, watch};

/// The type of the messages in these tests.
pub const TEXT: Guid = Guid::from_u128(0x1111_1111_2222_4333_8444_5555_5555_5555);
/// How long a test waits for what must come: far more than it takes.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// Online, with neighbours.
pub const CONNECTED: Status = Status { listening: true, connected: true };

/// A free port of this machine's own address.
pub fn loopback() -> SocketAddr {
    SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0))
}

/// Waits for what must come.
///
/// # Panics
/// If it does not.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it must come in time")
}

/// A node of a new identity that keeps everything in memory.
pub fn node(name: &str) -> Node {
    node_with(name, Limits::default())
}

/// The same with other limits.
pub fn node_with(name: &str, limits: Limits) -> Node {
    start(Identity::in_memory(name).expect("an identity"), limits)
}

/// A node of a new identity in `home`.
pub fn node_in(home: &Home, name: &str) -> Node {
    start(home.create_identity(name).expect("an identity on disk"), Limits::default())
}

/// A running node of this identity on loopback.
pub fn start(identity: Identity, limits: Limits) -> Node {
    Node::builder(identity).listen_at([loopback()]).limits(limits).start().expect("a node")
}

/// A member of a group, online: a node and a handle of the group.
#[derive(Debug)]
pub struct End {
    /// The node.
    pub node: Node,
    /// Its handle.
    pub group: Group,
}

impl End {
    /// A new group whose creator is `node`, online.
    pub async fn creator(node: Node) -> End {
        let group = Group::create(&node, "Friends").expect("a group");
        within(group.connect_and_wait()).await.expect("a creator needs nobody to be online");
        End { node, group }
    }

    /// `node` as a member invited by this one, online and connected.
    pub async fn member(&self, node: Node) -> End {
        let group = Group::join(&node, &self.invite(&node)).expect("an invitation that is good");
        within(group.connect_and_wait()).await.expect("the inviter is there");
        End { node, group }
    }

    /// A plain member's invitation for the identity of `node`.
    pub fn invite(&self, node: &Node) -> Invitation {
        self.invite_info(&node.identity().info())
    }

    /// The same for somebody in another process.
    pub fn invite_info(&self, invitee: &IdentityInfo) -> Invitation {
        self.group.invite(invitee, InviteOptions::default()).expect("a creator may invite")
    }

    /// A further handle of the same group.
    pub fn another_handle(&self) -> Group {
        Group::open(&self.node, self.group.name()).expect("the group is open")
    }

    /// The identity's key.
    pub fn key(&self) -> KeyId {
        self.node.identity().key()
    }

    /// The identity's name.
    pub fn name(&self) -> &PeerName {
        self.node.identity().name()
    }

    /// Where this member listens.
    pub fn address(&self) -> Address {
        self.node.listening()[0]
    }

    /// A queue of direct connections and their messages, as `p2p.h` has them.
    pub fn watch(&self) -> Watch {
        watch(&self.group, direct_and_data())
    }

    /// A queue of everything.
    pub fn watch_all(&self) -> Watch {
        watch(&self.group, Filter::all())
    }

    /// Begins to open a direct connection to `other`; its outcome is an event.
    pub fn open(&self, other: &End) -> ConnectionId {
        self.group.open_direct(other.key(), other.address()).expect("both are online")
    }

    /// Opens a direct connection to `other`, whose queues are `ours` and `theirs`. Its id here and there.
    pub async fn connect(
        &self,
        ours: &Watch,
        other: &End,
        theirs: &Watch,
    ) -> (ConnectionId, ConnectionId) {
        let id = self.open(other);
        ours.connected(id).await;
        (id, theirs.any_connected().await)
    }

    /// The code of closing `id`.
    pub fn close(&self, id: ConnectionId) -> Code {
        close(&self.group, id)
    }

    /// The ids of the direct connections that are listed.
    pub fn directs(&self) -> Vec<ConnectionId> {
        let listed = self.group.connections(p2p_group::ConnectionKind::Direct);
        listed.expect("the group is open").iter().map(|info| info.id).collect()
    }
}

/// The code of closing `id` through this handle: `S_OK`, or what the error has.
pub fn close(group: &Group, id: ConnectionId) -> Code {
    group.close_direct(id).map_or_else(|error| error.code(), |()| Code::S_OK)
}

/// The code of sending on `id` through this handle.
pub fn send(group: &Group, id: ConnectionId, text: impl Into<bytes::Bytes>) -> Code {
    group.send(id, TEXT, text).map_or_else(|error| error.code(), |()| Code::S_OK)
}

/// A creator and a member, in memory, online and connected with each other.
pub async fn pair() -> (End, End) {
    pair_with(Limits::default()).await
}

/// The same with other limits at both.
pub async fn pair_with(limits: Limits) -> (End, End) {
    let creator = End::creator(node_with("Ann", limits.clone())).await;
    let member = creator.member(node_with("Bob", limits)).await;
    (creator, member)
}

/// Both go on as if nothing had happened: `a` opens a direct connection to `b`, both speak, `b` closes. And nothing had
/// been left over: the first that both queues have to say is of this connection.
pub async fn still_alive(a: &End, at_a: &Watch, b: &End, at_b: &Watch) {
    let (here, there) = a.connect(at_a, b, at_b).await;
    assert_eq!(send(&a.group, here, "anybody?"), Code::S_OK);
    assert_eq!(at_b.message().await.bytes, "anybody?");
    assert_eq!(send(&b.group, there, "somebody!"), Code::S_OK);
    assert_eq!(at_a.message().await.bytes, "somebody!");
    assert_eq!(b.close(there), Code::S_OK);
    at_a.disconnected(here, Code::S_OK).await;
    at_b.disconnected(there, Code::S_OK).await;
}
