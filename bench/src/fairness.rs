//! 64 connections that send at once on one link; and the round trips of one connection while the receiver of another has
//! stopped reading.

use std::time::{Duration, Instant};

use bytes::Bytes;
use p2p_group::{DirectConnection, Guid};
use tokio::task::JoinSet;

use crate::hub::Hub;
use crate::{ECHOES, Failure, Sample, limit, mib_per_second, micros, ours};

const SENDERS: usize = 64;
/// What each of them sends.
const MIB_EACH: usize = 2;
/// Whoever cannot send for so long is stalled.
const STALLED: Duration = Duration::from_millis(200);
/// After this the other end takes nothing more.
const STALL: Guid = Guid::from_u128(4);

async fn serve(connection: DirectConnection) {
    // The first message only says which kind of connection this is.
    let first = connection.recv().await;
    if first.is_some_and(|message| message.kind == STALL) {
        connection.closed().await;
    } else {
        ours::serve(connection).await;
    }
}

pub(crate) async fn ours(samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let mut push = |workload, value| samples.push(Sample { workload, peer: "p2p", value });
    let hub = Hub::start(1, serve).await?;
    let member = hub.member("client", hub.address()?).await?;
    let mut connections = Vec::new();
    for _ in 0..SENDERS {
        let connection = member.group.direct(hub.key()).await?;
        connection.send(ours::SINK, Bytes::new()).await?;
        connections.push(connection);
    }
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for connection in connections {
        tasks.spawn(async move { ours::bulk(&connection, MIB_EACH).await.map(drop) });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    push("senders64", mib_per_second(SENDERS * MIB_EACH, begun.elapsed()));

    let live = member.group.direct(hub.key()).await?;
    live.send(ours::SINK, Bytes::new()).await?;
    let stalled = member.group.direct(hub.key()).await?;
    stalled.send(STALL, Bytes::new()).await?;
    push("round_trip_calm", micros(ours::echoes(&live).await?) / ECHOES as f64);
    let message = Bytes::from(vec![7; crate::MESSAGE]);
    while let Ok(sent) =
        tokio::time::timeout(STALLED, stalled.send(ours::SINK, message.clone())).await
    {
        sent?;
    }
    push("round_trip_stalled", micros(ours::echoes(&live).await?) / ECHOES as f64);
    // The server gives the stalled one up first: nothing has to be waited for.
    hub.leave().await?;
    drop((live, stalled));
    member.leave().await
}

pub(crate) async fn quinn(samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let mut push = |workload, value| samples.push(Sample { workload, peer: "quinn", value });
    let (server, client) = (limit::endpoint()?, limit::endpoint()?);
    let address = server.local_addr()?;
    tokio::spawn(limit::serve(server));
    let connection = client.connect(address, "peer")?.await?;
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..SENDERS {
        let connection = connection.clone();
        tasks.spawn(async move { limit::bulk(&connection, MIB_EACH).await.map(drop) });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    push("senders64", mib_per_second(SENDERS * MIB_EACH, begun.elapsed()));

    let (mut stalled, _unread) = connection.open_bi().await?;
    stalled.write_all(&[limit::STALL]).await?;
    push("round_trip_calm", micros(limit::echoes(&connection).await?) / ECHOES as f64);
    let message = Bytes::from(vec![7; crate::MESSAGE]);
    while let Ok(sent) = tokio::time::timeout(STALLED, stalled.write_chunk(message.clone())).await {
        sent?;
    }
    push("round_trip_stalled", micros(limit::echoes(&connection).await?) / ECHOES as f64);
    client.close(0u32.into(), b"");
    Ok(())
}
