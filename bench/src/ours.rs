//! Ours: bulk and round trips through `p2p-group`, as a program has them; the first open through the transport, where a
//! fresh link can be had for each.

use std::time::{Duration, Instant};

use bytes::Bytes;
use p2p_core::{Address, KeyId};
use p2p_crypto::Invitation;
use p2p_group::{DirectConnection, Group, Guid, Identity, InviteOptions};

use crate::cost::worked;
use crate::dialler::Dialler;
use crate::{
    ECHOES, Failure, MESSAGE, OPENS, Sample, messages, mib_per_second, micros, seconds_per_gib,
};

/// What is only read, what is sent back, and the last message of a bulk.
pub(crate) const SINK: Guid = Guid::from_u128(1);
pub(crate) const ECHO: Guid = Guid::from_u128(2);
pub(crate) const LAST: Guid = Guid::from_u128(3);

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
    let before = worked(None)?;
    push("bulk", mib_per_second(mib, bulk(&connection, mib).await?));
    push("cpu_per_gib", seconds_per_gib(mib, worked(None)? - before));
    push("messages", messages::ours(&connection).await?);
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

pub(crate) fn node(name: &str) -> Result<p2p_group::Node, Failure> {
    Ok(builder(name)?.start()?)
}

/// One that counts the handshakes of this machine as those of any other.
pub(crate) fn limited_node(name: &str) -> Result<p2p_group::Node, Failure> {
    Ok(builder(name)?.limit_loopback().start()?)
}

pub(crate) fn builder(name: &str) -> Result<p2p_group::NodeBuilder, Failure> {
    Ok(p2p_group::Node::builder(Identity::in_memory(name)?).listen_at(["[::1]:0".parse()?]))
}

pub(crate) async fn serve(connection: DirectConnection) {
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

pub(crate) async fn bulk(connection: &DirectConnection, mib: usize) -> Result<Duration, Failure> {
    let message = Bytes::from(vec![7; MESSAGE]);
    let begun = Instant::now();
    for _ in 0..mib * (1 << 20) / MESSAGE {
        connection.send(SINK, message.clone()).await?;
    }
    connection.send(LAST, Bytes::new()).await?;
    connection.recv().await.ok_or("the connection ended")?;
    Ok(begun.elapsed())
}

pub(crate) async fn echoes(connection: &DirectConnection) -> Result<Duration, Failure> {
    let message = Bytes::from(vec![7; 64]);
    let begun = Instant::now();
    for _ in 0..ECHOES {
        connection.send(ECHO, message.clone()).await?;
        connection.recv().await.ok_or("the connection ended")?;
    }
    Ok(begun.elapsed())
}

/// Opens the first direct connection to a node again and again: mutual TLS, the proof of membership, and the open.
fn first_opens(
    identity: &p2p_crypto::Identity,
    invitation: &Invitation,
    server: KeyId,
    address: Address,
) -> Result<Vec<f64>, Failure> {
    let runtime = tokio::runtime::Handle::current();
    let chain = invitation.chain().clone();
    let mut dialler = Dialler::start(identity, invitation, chain, &runtime)?;
    let mut opens = Vec::new();
    for _ in 0..OPENS {
        dialler.prepare()?;
        let begun = Instant::now();
        dialler.dial(server, address)?;
        if !dialler.outcome()? {
            return Err("the connection could not be opened".into());
        }
        opens.push(micros(begun.elapsed()));
        dialler.leave()?;
    }
    runtime.block_on(dialler.end());
    Ok(opens)
}
