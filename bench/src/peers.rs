//! Many peers of one node, each with one direct connection, all in one process of their own: what memory a peer takes, and
//! what all of them cost while nothing is said.

use std::time::{Duration, Instant};

use crate::hub::Hub;
use crate::{Failure, cost, limit, ours};

/// Until what came with the connections is over, and the runtime has ended the threads that stored something: what a thread
/// has worked is forgotten with it.
const SETTLE: Duration = Duration::from_secs(12);
/// Two keep-alives.
const IDLE: Duration = Duration::from_secs(20);

/// Prints what it finds, for the process that started this one.
pub(crate) fn child(whose: &str, peers: usize) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    match whose {
        "p2p" => runtime.block_on(of_ours(peers)),
        _ => runtime.block_on(of_quinn(peers)),
    }
}

async fn of_ours(peers: usize) -> Result<(), Failure> {
    let hub = Hub::start(peers, ours::serve).await?;
    // The first one warms up what all have in common.
    let mut there = Vec::new();
    let first = hub.member("first", hub.address()?).await?;
    there.push((first.group.direct(hub.key()).await?, first));
    let before = cost::resident()?;
    // One after another: how fast they come is not measured here.
    for n in 0..peers {
        let member = hub.member(&format!("peer {n}"), hub.address()?).await?;
        there.push((member.group.direct(hub.key()).await?, member));
    }
    print(peers, before).await
}

async fn of_quinn(peers: usize) -> Result<(), Failure> {
    let server = limit::endpoint()?;
    let address = server.local_addr()?;
    tokio::spawn(limit::serve(server));
    let mut there = Vec::new();
    there.push(one_of_quinn(address).await?);
    let before = cost::resident()?;
    for _ in 0..peers {
        there.push(one_of_quinn(address).await?);
    }
    print(peers, before).await
}

/// An endpoint, a connection, and one stream on which a byte went there and back.
async fn one_of_quinn(
    address: std::net::SocketAddr,
) -> Result<(quinn::Endpoint, quinn::Connection, quinn::SendStream, quinn::RecvStream), Failure> {
    let client = limit::endpoint()?;
    let connection = client.connect(address, "peer")?.await?;
    let (mut send, mut recv) = connection.open_bi().await?;
    send.write_all(&[limit::ECHO, 1]).await?;
    recv.read_exact(&mut [0]).await?;
    Ok((client, connection, send, recv))
}

async fn print(peers: usize, before: f64) -> Result<(), Failure> {
    tokio::time::sleep(SETTLE).await;
    println!("memory_per_peer {}", (cost::resident()? - before) / peers as f64);
    let (begun, before) = (Instant::now(), cost::worked(None)?);
    tokio::time::sleep(IDLE).await;
    let worked = cost::worked(None)? - before;
    println!("idle_cpu {}", 100.0 * worked.as_secs_f64() / begun.elapsed().as_secs_f64());
    Ok(())
}
