//! A further direct connection to a peer that is linked already, beside a stream opened and answered; and a close, from the
//! call to the other end's event, beside the close of a QUIC connection.

use std::time::Instant;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::hub::Hub;
use crate::{Failure, Sample, limit, median, micros, ours};

/// Opens and closes of one round.
const COUNT: usize = 100;

pub(crate) async fn ours(samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let (ended, mut ends) = mpsc::channel(COUNT);
    let hub = Hub::start(1, move |connection| {
        let ended = ended.clone();
        async move {
            ours::serve(connection).await;
            // Nobody listens when the round is over.
            let _ = ended.try_send(Instant::now());
        }
    })
    .await?;
    let member = hub.member("client", hub.address()?).await?;
    let (mut opens, mut calls, mut closes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..COUNT {
        let begun = Instant::now();
        let connection = member.group.direct(hub.key()).await?;
        opens.push(micros(begun.elapsed()));
        // The server's program has it too, as that of the limit has.
        connection.send(ours::ECHO, Bytes::from_static(&[1])).await?;
        connection.recv().await.ok_or("the connection ended")?;
        let begun = Instant::now();
        connection.close()?;
        calls.push(micros(begun.elapsed()));
        let end = ends.recv().await.ok_or("the server has gone")?;
        closes.push(micros(end.saturating_duration_since(begun)));
    }
    for (workload, values) in [("open_again", opens), ("close_call", calls), ("close", closes)] {
        samples.push(Sample { workload, peer: "p2p", value: median(values.into_iter()) });
    }
    member.leave().await?;
    hub.leave().await
}

pub(crate) async fn quinn(samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let (server, client) = (limit::endpoint()?, limit::endpoint()?);
    let address = server.local_addr()?;
    let (ended, mut ends) = mpsc::channel(COUNT);
    tokio::spawn(limit::serve_until(server, move |connection| {
        let ended = ended.clone();
        tokio::spawn(async move {
            connection.closed().await;
            let _ = ended.try_send(Instant::now());
        });
    }));
    let connection = client.connect(address, "peer")?.await?;
    let mut opens = Vec::new();
    for _ in 0..COUNT {
        let begun = Instant::now();
        let (mut send, mut recv) = connection.open_bi().await?;
        send.write_all(&[limit::ECHO, 1]).await?;
        recv.read_exact(&mut [0]).await?;
        opens.push(micros(begun.elapsed()));
        send.finish()?;
    }
    let (mut calls, mut closes) = (Vec::new(), Vec::new());
    for _ in 0..COUNT {
        let fresh = client.connect(address, "peer")?.await?;
        // The server has it too.
        let (mut send, mut recv) = fresh.open_bi().await?;
        send.write_all(&[limit::ECHO, 1]).await?;
        recv.read_exact(&mut [0]).await?;
        let begun = Instant::now();
        fresh.close(0u32.into(), b"");
        calls.push(micros(begun.elapsed()));
        let end = ends.recv().await.ok_or("the server has gone")?;
        closes.push(micros(end.saturating_duration_since(begun)));
    }
    for (workload, values) in [("open_again", opens), ("close_call", calls), ("close", closes)] {
        samples.push(Sample { workload, peer: "quinn", value: median(values.into_iter()) });
    }
    client.close(0u32.into(), b"");
    Ok(())
}
