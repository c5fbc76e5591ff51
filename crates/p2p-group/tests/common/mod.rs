//! A small world for tests: peers on loopback, in memory or in a folder, online and connected where asked for.
#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part of this")]

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use p2p_group::{
    Address, Code, ConnectionChange, ConnectionEvent, ConnectionId, DirectConnection, EventKind,
    Filter, Group, GroupEvent, Guid, Home, Identity, Incoming, Invitation, InviteOptions, KeyId,
    Limits, Message, Node, Status, Subscription,
};

/// A type of messages.
pub const TEXT: Guid = Guid::from_u128(0x11111111_2222_4333_8444_555555555555);
/// Another one.
pub const OTHER: Guid = Guid::from_u128(0x99999999_2222_4333_8444_555555555555);

/// How long a test waits for what must come. Far more than it takes; reached only by a failing test.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// How long a test waits for what must not come.
pub const QUIET: Duration = Duration::from_millis(300);

/// A free port of this machine's own address.
pub fn loopback() -> SocketAddr {
    "[::1]:0".parse().unwrap()
}

/// An address where packets are taken and nobody ever answers, while the value is held.
pub struct BlackHole(std::net::UdpSocket);

impl BlackHole {
    pub fn new() -> BlackHole {
        BlackHole(std::net::UdpSocket::bind(loopback()).unwrap())
    }

    pub fn address(&self) -> Address {
        self.0.local_addr().unwrap().into()
    }
}

/// A node of a new identity that keeps everything in memory.
pub fn node(name: &str) -> Node {
    node_with(name, Limits::default())
}

/// The same with other limits.
pub fn node_with(name: &str, limits: Limits) -> Node {
    start(Identity::in_memory(name).unwrap(), limits)
}

/// A node of a new identity in `home`.
pub fn node_in(home: &Home, name: &str) -> Node {
    start(home.create_identity(name).unwrap(), Limits::default())
}

/// A running node of this identity on loopback.
pub fn start(identity: Identity, limits: Limits) -> Node {
    Node::builder(identity).listen_at([loopback()]).limits(limits).start().unwrap()
}

/// Waits for what must come.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it must come in time")
}

/// One end: a node and its handle of the group.
pub struct End {
    pub node: Node,
    pub group: Group,
}

impl End {
    /// A new group whose creator is `node`, online.
    pub async fn creator(node: Node) -> End {
        let group = Group::create(&node, "Friends").unwrap();
        within(group.connect_and_wait()).await.unwrap();
        End { node, group }
    }

    /// `node` as a member invited by this end, online and connected.
    pub async fn member(&self, node: Node) -> End {
        let group = Group::join(&node, &self.invite(&node)).unwrap();
        within(group.connect_and_wait()).await.unwrap();
        End { node, group }
    }

    /// A plain member's invitation for the identity of `node`.
    pub fn invite(&self, node: &Node) -> Invitation {
        self.group.invite(&node.identity().info(), InviteOptions::default()).unwrap()
    }

    /// A further handle of the same group.
    pub fn another_handle(&self) -> Group {
        Group::open(&self.node, self.group.name()).unwrap()
    }

    pub fn key(&self) -> KeyId {
        self.node.identity().key()
    }

    /// Where this end listens.
    pub fn address(&self) -> Address {
        self.node.listening()[0]
    }

    /// The events that p2p.h has for direct connections and data.
    pub fn watch(&self) -> Watch {
        watch(&self.group, Filter::of([EventKind::Direct, EventKind::Data]))
    }

    /// Begins to open a direct connection to `other`; its outcome is an event.
    pub fn open(&self, other: &End) -> ConnectionId {
        self.group.open_direct(other.key(), other.address()).unwrap()
    }

    /// A direct connection as objects at both ends: this one's, and the one that `incoming` of `other` got.
    pub async fn direct(
        &self,
        other: &End,
        incoming: &Incoming,
    ) -> (DirectConnection, DirectConnection) {
        let ours = within(self.group.direct_at(other.key(), other.address())).await.unwrap();
        let theirs = within(incoming.accept()).await.unwrap();
        (ours, theirs)
    }
}

/// A creator and a member, in memory, online and connected with each other.
pub async fn pair() -> (End, End) {
    let creator = End::creator(node("Ann")).await;
    let member = creator.member(node("Bob")).await;
    (creator, member)
}

/// The same with other limits at both ends.
pub async fn pair_with(limits: Limits) -> (End, End) {
    let creator = End::creator(node_with("Ann", limits.clone())).await;
    let member = creator.member(node_with("Bob", limits)).await;
    (creator, member)
}

/// A subscription with expectations.
pub struct Watch(pub Subscription);

/// What `group` will tell of what `filter` lets pass.
pub fn watch(group: &Group, filter: Filter) -> Watch {
    Watch(group.subscribe(filter).unwrap())
}

impl Watch {
    /// The next event.
    pub async fn next(&self) -> GroupEvent {
        within(self.0.recv()).await.expect("the subscription has ended")
    }

    /// The next event, which is a change of a direct connection.
    pub async fn direct(&self) -> ConnectionEvent {
        match self.next().await {
            GroupEvent::Direct(event) => event,
            other => panic!("not a change of a direct connection: {other:?}"),
        }
    }

    /// The next event: `id` stands.
    pub async fn connected(&self, id: ConnectionId) -> ConnectionEvent {
        self.change(id, ConnectionChange::Connected).await
    }

    /// The next event: a connection that stands. Its id.
    pub async fn any_connected(&self) -> ConnectionId {
        let event = self.direct().await;
        assert_eq!(
            (event.change, event.cause.code()),
            (ConnectionChange::Connected, Code::S_OK),
            "{event:?}"
        );
        event.id
    }

    /// The next event: `id` has ended, with this code.
    pub async fn disconnected(&self, id: ConnectionId, code: Code) -> ConnectionEvent {
        let event = self.change(id, ConnectionChange::Disconnected).await;
        assert_eq!(event.cause.code(), code, "{event:?}");
        event
    }

    /// The next event: `id` could not be opened, with this code.
    pub async fn failed(&self, id: ConnectionId, code: Code) -> ConnectionEvent {
        let event = self.change(id, ConnectionChange::Failed).await;
        assert_eq!(event.cause.code(), code, "{event:?}");
        event
    }

    async fn change(&self, id: ConnectionId, change: ConnectionChange) -> ConnectionEvent {
        let event = self.direct().await;
        assert_eq!((event.id, event.change), (id, change), "{event:?}");
        event
    }

    /// The next event: a message.
    pub async fn message(&self) -> Message {
        match self.next().await {
            GroupEvent::Data(message) => message,
            other => panic!("not a message: {other:?}"),
        }
    }

    /// The next event: a change of status.
    pub async fn status(&self) -> Status {
        match self.next().await {
            GroupEvent::Status(status) => status,
            other => panic!("not a change of status: {other:?}"),
        }
    }

    /// The next event if it is there already.
    pub fn now(&self) -> Option<GroupEvent> {
        self.0.try_recv()
    }

    /// Nothing comes for a while.
    pub async fn quiet(&self) {
        if let Ok(event) = tokio::time::timeout(QUIET, self.0.recv()).await {
            panic!("unexpected: {event:?}");
        }
    }
}
