//! One node with a group, and members who know nobody else.

use p2p_core::{Address, KeyId, Limits, Roles};
use p2p_crypto::{Invitation, IssueRequest};
use p2p_group::{DirectConnection, Group, Node};
use tokio::task::{AbortHandle, JoinSet};

use crate::{Failure, ours};

pub(crate) struct Hub {
    keys: p2p_crypto::Identity,
    node: Node,
    group: Group,
    serving: AbortHandle,
}

/// A member that is connected with the hub.
pub(crate) struct Member {
    node: Node,
    pub(crate) group: Group,
}

impl Hub {
    /// Each connection that comes is served by a task of its own; all end with [`leave`](Self::leave).
    pub(crate) async fn start<F, S>(peers: usize, serve: S) -> Result<Hub, Failure>
    where
        F: Future<Output = ()> + Send + 'static,
        S: Fn(DirectConnection) -> F + Send + 'static,
    {
        let keys = p2p_crypto::Identity::create(None, Some("hub"), p2p_group::now())?;
        let limits = Limits { neighbours: peers + 1, checks: 100_000, ..Limits::default() };
        let limits = Limits { directs_per_group: (peers + 1).max(1_024), ..limits };
        let node = Node::builder(keys.clone().into())
            .listen_at(["[::1]:0".parse()?])
            .limits(limits)
            .start()?;
        let group = Group::create(&node, "bench")?;
        group.connect_and_wait().await?;
        let incoming = group.incoming()?;
        let serving = tokio::spawn(async move {
            let mut tasks = JoinSet::new();
            while let Some(connection) = incoming.accept().await {
                tasks.spawn(serve(connection));
            }
        })
        .abort_handle();
        Ok(Hub { keys, node, group, serving })
    }

    pub(crate) fn key(&self) -> KeyId {
        self.node.identity().key()
    }

    pub(crate) fn address(&self) -> Result<Address, Failure> {
        Ok(*self.node.listening().first().ok_or("the hub does not listen")?)
    }

    /// A new member that finds the hub at `address`, which may be that of a relay.
    pub(crate) async fn member(&self, name: &str, address: Address) -> Result<Member, Failure> {
        let limits = Limits { neighbours: 1, ..Limits::default() };
        let node = ours::builder(name)?.limits(limits).start()?;
        let request = IssueRequest {
            subject: &node.identity().info(),
            roles: Roles::MEMBER,
            expires: None,
            hints: &[(self.key(), vec![address])],
            now: p2p_group::now(),
        };
        let invitation = Invitation::issue(&self.keys, &self.group.own().chain, &request)?;
        let group = Group::join(&node, &invitation)?;
        group.connect_and_wait().await?;
        Ok(Member { node, group })
    }

    pub(crate) async fn leave(self) -> Result<(), Failure> {
        self.serving.abort();
        self.group.close().await?;
        self.node.shutdown().await;
        Ok(())
    }
}

impl Member {
    pub(crate) async fn leave(self) -> Result<(), Failure> {
        self.group.close().await?;
        self.node.shutdown().await;
        Ok(())
    }
}
