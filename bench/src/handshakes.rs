//! Handshakes: 64 peers at once, beside raw quinn with mutual TLS; what a bad one costs the node that is called; and what a
//! flood of bad ones leaves to members.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use p2p_core::{Address, KeyId};
use p2p_group::{DirectConnection, Group, InviteOptions, Node};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::cost::worked;
use crate::dialler::Dialler;
use crate::{Failure, Sample, limit, median, mib_per_second, micros, ours};

/// Peers that dial at once.
const PEERS: usize = 64;
/// Bursts whose median counts.
const BURSTS: usize = 5;
/// Handshakes of which the cost is the mean.
const COSTED: usize = 100;
/// Strangers that flood, all without a pause.
const FLOODERS: usize = 16;
/// After this a stranger that gets no answer dials anew.
const PERSISTENCE: Duration = Duration::from_millis(100);
/// So many times the volume goes through while they flood: what is measured is the flood that lasts, not its first
/// moment, in which a source may do more.
const LASTING: usize = 16;
/// The threads of the node that is called.
const SERVER: &str = "bench-called";

/// Bursts, and the cost of one.
pub(crate) fn round(samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let mut push = |workload, peer, value| samples.push(Sample { workload, peer, value });
    let called = Called::start(ours::node)?;
    let others = Runtime::new()?;
    // First of all: whoever comes after the diallers is pointed at their addresses, where nobody listens any longer.
    let member = Member::join(&called, &others)?;
    push("handshakes64", "quinn", others.block_on(burst_of_quinn())?);
    push("handshakes64", "p2p", called.burst(others.handle())?);
    for (workload, spoil) in [("handshake_good", false), ("handshake_bad", true)] {
        let (wall, cpu) = called.cost(spoil, others.handle())?;
        push(workload, "p2p", wall);
        push(if spoil { "handshake_bad_cpu" } else { "handshake_good_cpu" }, "p2p", cpu);
    }
    member.leave(&others)?;
    called.end()
}

/// What a flood of bad ones leaves to members.
pub(crate) fn flood_round(mib: usize, samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let mut push = |workload, value| samples.push(Sample { workload, peer: "p2p", value });
    let others = Runtime::new()?;
    let called = Called::start(ours::limited_node)?;
    let member = Member::join(&called, &others)?;
    let (calm, flooded, rate) = called.flood(&member, mib, &others)?;
    push("bulk_calm", calm);
    push("bulk_flooded", flooded);
    push("flood", rate);
    member.leave(&others)?;
    called.end()
}

/// A member with a direct connection.
struct Member {
    node: Node,
    group: Group,
    connection: DirectConnection,
}

impl Member {
    fn join(called: &Called, runtime: &Runtime) -> Result<Member, Failure> {
        runtime.block_on(async {
            let node = ours::node("client")?;
            let invitation =
                called.group.invite(&node.identity().info(), InviteOptions::default())?;
            let group = Group::join(&node, &invitation)?;
            group.connect_and_wait().await?;
            let connection = group.direct(called.key).await?;
            Ok(Member { node, group, connection })
        })
    }

    fn leave(self, runtime: &Runtime) -> Result<(), Failure> {
        runtime.block_on(async {
            drop(self.connection);
            self.group.close().await?;
            self.node.shutdown().await;
            Ok(())
        })
    }
}

/// The node that is called, on threads of its own.
struct Called {
    runtime: Runtime,
    node: Node,
    group: Group,
    key: KeyId,
    address: Address,
}

impl Called {
    fn start(node: fn(&str) -> Result<Node, Failure>) -> Result<Called, Failure> {
        let runtime = Builder::new_multi_thread().thread_name(SERVER).enable_all().build()?;
        let (node, group) = runtime.block_on(async {
            let node = node("server")?;
            let group = Group::create(&node, "bench")?;
            group.connect_and_wait().await?;
            let incoming = group.incoming()?;
            tokio::spawn(async move {
                while let Some(connection) = incoming.accept().await {
                    tokio::spawn(ours::serve(connection));
                }
            });
            Ok::<_, Failure>((node, group))
        })?;
        let address = *node.listening().first().ok_or("the server does not listen")?;
        let key = node.identity().key();
        Ok(Called { runtime, node, group, key, address })
    }

    fn end(self) -> Result<(), Failure> {
        self.runtime.block_on(async {
            self.group.close().await?;
            self.node.shutdown().await;
            Ok(())
        })
    }

    /// Somebody who was invited, and shows its chain, or that chain with its last signature spoilt.
    fn dialler(&self, spoil: bool, runtime: &Handle) -> Result<Dialler, Failure> {
        let identity = p2p_crypto::Identity::create(None, Some("dialler"), p2p_group::now())?;
        let invitation = self.group.invite(&identity.info(), InviteOptions::default())?;
        let mut chain = invitation.chain().to_vec();
        if let Some(byte) = chain.last_mut().filter(|_| spoil) {
            *byte ^= 1;
        }
        Dialler::start(&identity, &invitation, chain.into(), runtime)
    }

    /// Handshakes per second: all dial in one moment, the last that stands ends the time.
    fn burst(&self, runtime: &Handle) -> Result<f64, Failure> {
        let mut diallers =
            (0..PEERS).map(|_| self.dialler(false, runtime)).collect::<Result<Vec<_>, _>>()?;
        let mut rates = Vec::new();
        for _ in 0..BURSTS {
            diallers.iter_mut().try_for_each(Dialler::prepare)?;
            let begun = Instant::now();
            diallers.iter().try_for_each(|dialler| dialler.dial(self.key, self.address))?;
            for dialler in &diallers {
                if !dialler.outcome()? {
                    return Err("a member was turned away".into());
                }
            }
            rates.push(PEERS as f64 / begun.elapsed().as_secs_f64());
            diallers.iter_mut().try_for_each(Dialler::leave)?;
        }
        for dialler in diallers {
            runtime.block_on(dialler.end());
        }
        Ok(median(rates.into_iter()))
    }

    /// Microseconds of a handshake as the dialler sees it (a refusal waits 25 ms on purpose), and those that the called
    /// node's threads work for it.
    fn cost(&self, spoil: bool, runtime: &Handle) -> Result<(f64, f64), Failure> {
        let mut dialler = self.dialler(spoil, runtime)?;
        let mut walls = Vec::new();
        let before = worked(Some(SERVER))?;
        for _ in 0..COSTED {
            dialler.prepare()?;
            let begun = Instant::now();
            dialler.dial(self.key, self.address)?;
            if dialler.outcome()? == spoil {
                return Err("a handshake ended otherwise than it should".into());
            }
            walls.push(micros(begun.elapsed()));
            dialler.leave()?;
        }
        let cpu = micros(worked(Some(SERVER))? - before) / COSTED as f64;
        runtime.block_on(dialler.end());
        Ok((median(walls.into_iter()), cpu))
    }

    /// What a member gets through in MiB/s while strangers dial without a pause: first where nobody answers, so that their
    /// own work is in both figures, then the node; and how often they dial it. The node counts them as if they came from
    /// another machine.
    fn flood(
        &self,
        member: &Member,
        mib: usize,
        others: &Runtime,
    ) -> Result<(f64, f64, f64), Failure> {
        let mib = LASTING * mib;
        let bulk = || -> Result<f64, Failure> {
            Ok(mib_per_second(mib, others.block_on(ours::bulk(&member.connection, mib))?))
        };
        let mut diallers = (0..FLOODERS)
            .map(|_| self.dialler(true, others.handle()))
            .collect::<Result<Vec<_>, _>>()?;
        bulk()?;
        let nobody = UdpSocket::bind("[::1]:0")?;
        let nowhere = Address::from(nobody.local_addr()?);
        let (mut calm, mut flooded, mut rates) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..BURSTS {
            calm.push(self.while_flooded(&mut diallers, nowhere, bulk)?.0);
            let (value, rate) = self.while_flooded(&mut diallers, self.address, bulk)?;
            flooded.push(value);
            rates.push(rate);
        }
        for dialler in diallers {
            others.block_on(dialler.end());
        }
        Ok((median(calm.into_iter()), median(flooded.into_iter()), median(rates.into_iter())))
    }

    fn while_flooded(
        &self,
        diallers: &mut [Dialler],
        target: Address,
        bulk: impl Fn() -> Result<f64, Failure>,
    ) -> Result<(f64, f64), Failure> {
        let (done, over) = (AtomicUsize::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let begun = Instant::now();
            let threads: Vec<_> = diallers
                .iter_mut()
                .map(|dialler| {
                    scope.spawn(|| -> Result<(), Failure> {
                        while !over.load(Ordering::Relaxed) {
                            dialler.prepare()?;
                            dialler.dial(self.key, target)?;
                            dialler.outcome_within(PERSISTENCE);
                            dialler.leave()?;
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(())
                    })
                })
                .collect();
            // They are at work before the clock of the member starts.
            std::thread::sleep(Duration::from_millis(200));
            let value = bulk();
            let rate = done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
            over.store(true, Ordering::Relaxed);
            for thread in threads {
                thread.join().map_err(|_| "a flooder panicked")??;
            }
            Ok((value?, rate))
        })
    }
}

/// The same in raw quinn: a connection, and one byte there and back.
async fn burst_of_quinn() -> Result<f64, Failure> {
    let server = limit::endpoint()?;
    let address = server.local_addr()?;
    tokio::spawn(limit::serve(server));
    let clients = (0..PEERS).map(|_| limit::endpoint()).collect::<Result<Vec<_>, _>>()?;
    let mut rates = Vec::new();
    for _ in 0..BURSTS {
        let begun = Instant::now();
        let tasks: Vec<_> = clients
            .iter()
            .cloned()
            .map(|client| {
                tokio::spawn(async move {
                    let fresh = client.connect(address, "peer")?.await?;
                    let (mut send, mut recv) = fresh.open_bi().await?;
                    send.write_all(&[limit::ECHO, 1]).await?;
                    recv.read_exact(&mut [0]).await?;
                    Ok::<_, Failure>(fresh)
                })
            })
            .collect();
        let mut standing = Vec::new();
        for task in tasks {
            standing.push(task.await??);
        }
        rates.push(PEERS as f64 / begun.elapsed().as_secs_f64());
        standing.iter().for_each(|fresh| fresh.close(0u32.into(), b""));
    }
    Ok(median(rates.into_iter()))
}
