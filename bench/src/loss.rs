//! A bulk through a relay that loses one packet in a hundred, in both directions.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::hub::Hub;
use crate::{Failure, Sample, limit, mib_per_second, ours};

/// What is sent through it.
const MIB: usize = 16;
/// One packet in so many is lost.
const ONE_IN: u64 = 100;

pub(crate) async fn ours(samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let hub = Hub::start(1, ours::serve).await?;
    let relay = Relay::before(hub.address()?.into()).await?;
    let member = hub.member("client", relay.address.into()).await?;
    let connection = member.group.direct_at(hub.key(), relay.address.into()).await?;
    let value = mib_per_second(MIB, ours::bulk(&connection, MIB).await?);
    samples.push(Sample { workload: "bulk_loss", peer: "p2p", value });
    drop(connection);
    member.leave().await?;
    hub.leave().await
}

pub(crate) async fn quinn(samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let (server, client) = (limit::endpoint()?, limit::endpoint()?);
    let relay = Relay::before(server.local_addr()?).await?;
    tokio::spawn(limit::serve(server));
    let connection = client.connect(relay.address, "peer")?.await?;
    let value = mib_per_second(MIB, limit::bulk(&connection, MIB).await?);
    samples.push(Sample { workload: "bulk_loss", peer: "quinn", value });
    client.close(0u32.into(), b"");
    Ok(())
}

/// Between one client and one node; runs until it is dropped.
struct Relay {
    address: SocketAddr,
    running: [AbortHandle; 2],
}

impl Relay {
    async fn before(target: SocketAddr) -> Result<Relay, Failure> {
        let front = Arc::new(UdpSocket::bind("[::1]:0").await?);
        let back = Arc::new(UdpSocket::bind("[::1]:0").await?);
        let address = front.local_addr()?;
        let (seen, client) = watch::channel(None);
        let there = tokio::spawn(pass(Arc::clone(&front), Arc::clone(&back), move |from| {
            seen.send_replace(Some(from));
            Some(target)
        }));
        let back = tokio::spawn(pass(back, front, move |_| *client.borrow()));
        Ok(Relay { address, running: [there.abort_handle(), back.abort_handle()] })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.running.iter().for_each(AbortHandle::abort);
    }
}

/// Hands on what comes, to where `to` says.
async fn pass(
    from: Arc<UdpSocket>,
    out: Arc<UdpSocket>,
    to: impl Fn(SocketAddr) -> Option<SocketAddr>,
) {
    let mut buffer = vec![0; 65_535];
    let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
    loop {
        // An error tells that nobody listened where something was sent before; it means nothing here.
        let Ok((length, source)) = from.recv_from(&mut buffer).await else { continue };
        let Some(target) = to(source) else { continue };
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        if !(chance >> 16).is_multiple_of(ONE_IN) {
            // A network that cannot take a packet loses it.
            let _ = out.send_to(&buffer[..length], target).await;
        }
    }
}
