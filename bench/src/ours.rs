//! Ours: bulk and round trips through `p2p-group`, as a program has them; the first open through the transport, where a
//! fresh link can be had for each.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use p2p_core::{
    Address, Config as NodeConfig, ConnectionChange, Event, Expect, GroupKey, GroupSnapshot, KeyId,
    Node,
};
use p2p_crypto::{Invitation, Keyring};
use p2p_group::{DirectConnection, Group, Guid, Identity, InviteOptions};
use p2p_store::MemoryStore;
use p2p_transport::{Config, Driver, Listen, Sink, TlsIdentity};

use crate::{ECHOES, Failure, MESSAGE, OPENS, Sample, mib_per_second, micros};

/// What is only read, what is sent back, and the last message of a bulk.
const SINK: Guid = Guid::from_u128(1);
const ECHO: Guid = Guid::from_u128(2);
const LAST: Guid = Guid::from_u128(3);

/// Longest wait for an event: only a failure takes that long.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn round(mib: usize, samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let mut push = |workload, value| samples.push(Sample { workload, peer: "p2p", value });
    let server = node("server")?;
    let group = Group::create(&server, "bench")?;
    group.connect_and_wait().await?;
    let incoming = group.incoming()?;
    tokio::spawn(async move {
        while let Some(connection) = incoming.accept().await {
            tokio::spawn(serve(connection));
        }
    });

    let client = node("client")?;
    let invitation = group.invite(&client.identity().info(), InviteOptions::default())?;
    let joined = Group::join(&client, &invitation)?;
    joined.connect_and_wait().await?;
    let connection = joined.direct(server.identity().key()).await?;
    push("bulk", mib_per_second(mib, bulk(&connection, mib).await?));
    push("round_trip", micros(echoes(&connection).await?) / ECHOES as f64);
    drop(connection);
    joined.close().await?;
    client.shutdown().await;

    let stranger = p2p_crypto::Identity::create(None, Some("opener"), p2p_group::now())?;
    let invitation = group.invite(&stranger.info(), InviteOptions::default())?;
    let address = *server.listening().first().ok_or("the server does not listen")?;
    let key = server.identity().key();
    let opens =
        tokio::task::spawn_blocking(move || first_opens(&stranger, &invitation, key, address))
            .await??;
    push("first_open", crate::median(opens.into_iter()));
    group.close().await?;
    server.shutdown().await;
    Ok(())
}

fn node(name: &str) -> Result<p2p_group::Node, Failure> {
    Ok(p2p_group::Node::builder(Identity::in_memory(name)?)
        .listen_at(["[::1]:0".parse()?])
        .start()?)
}

async fn serve(connection: DirectConnection) {
    while let Some(message) = connection.recv().await {
        let answer = match message.kind {
            ECHO => connection.send(ECHO, message.bytes).await,
            LAST => connection.send(LAST, Bytes::new()).await,
            _ => Ok(()),
        };
        if answer.is_err() {
            return;
        }
    }
}

async fn bulk(connection: &DirectConnection, mib: usize) -> Result<Duration, Failure> {
    let message = Bytes::from(vec![7; MESSAGE]);
    let begun = Instant::now();
    for _ in 0..mib * (1 << 20) / MESSAGE {
        connection.send(SINK, message.clone()).await?;
    }
    connection.send(LAST, Bytes::new()).await?;
    connection.recv().await.ok_or("the connection ended")?;
    Ok(begun.elapsed())
}

async fn echoes(connection: &DirectConnection) -> Result<Duration, Failure> {
    let message = Bytes::from(vec![7; 64]);
    let begun = Instant::now();
    for _ in 0..ECHOES {
        connection.send(ECHO, message.clone()).await?;
        connection.recv().await.ok_or("the connection ended")?;
    }
    Ok(begun.elapsed())
}

struct Events(mpsc::Sender<Event>);

impl Sink for Events {
    fn event(&self, _: GroupKey, event: Event) {
        // Events after the last open have no listener.
        let _ = self.0.send(event);
    }
}

/// Opens the first direct connection to a node again and again: mutual TLS, the proof of membership, and the open.
fn first_opens(
    identity: &p2p_crypto::Identity,
    invitation: &Invitation,
    server: KeyId,
    address: Address,
) -> Result<Vec<f64>, Failure> {
    let own = invitation.check_for(&identity.key_id(), p2p_group::now())?;
    let group = invitation.group();
    let mut keys = Keyring::new(identity.clone());
    keys.insert(group, invitation.chain().clone());
    let tls = TlsIdentity::of(&identity);
    let (sender, events) = mpsc::channel();
    let runtime = tokio::runtime::Handle::current();
    let config = Config {
        listen: Listen::At(vec!["[::1]:0".parse()?]),
        runtime: Some(runtime.clone()),
        ..Config::default()
    };
    let node = |seed, now| Node::new(NodeConfig::default(), keys, seed, now);
    let driver =
        Driver::start(node, tls, Arc::new(MemoryStore::new()), Arc::new(Events(sender)), config)?;
    let wait = |wanted: &dyn Fn(&Event) -> bool| -> Result<(), Failure> {
        while !wanted(&events.recv_timeout(PATIENCE)?) {}
        Ok(())
    };
    let mut opens = Vec::new();
    for _ in 0..OPENS {
        let known = GroupSnapshot { synchronised: true, ..GroupSnapshot::default() };
        let key = driver.call(|node, now| node.open_group(group, own.clone(), known, now))?;
        driver.call(|node, now| node.connect(key, &[], now))?;
        wait(&|event| matches!(event, Event::Status(status) if status.listening))?;
        let begun = Instant::now();
        driver.call(|node, now| node.open_direct(key, Expect::Key(server), address, now))?;
        wait(
            &|event| matches!(event, Event::Direct(c) if c.change == ConnectionChange::Connected),
        )?;
        opens.push(micros(begun.elapsed()));
        driver.call(|node, now| node.close_group(key, now))?;
        wait(&|event| matches!(event, Event::Closed))?;
    }
    runtime.block_on(driver.shutdown());
    Ok(opens)
}
