//! A relay of UDP between one client and one node, as a bad network is: it loses packets, delays them, changes their
//! order, doubles them, stops altogether, and gives the client a new address, as a router does that was started again.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use p2p_group::Address;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::world::loopback;

/// Longest datagram.
const DATAGRAM: usize = 65_535;

/// What happens to packets, in both directions alike. The default: nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// Packets that are lost, in a thousand.
    pub lost: u64,
    /// Packets that come twice, in a thousand.
    pub doubled: u64,
    /// Every packet is late by this.
    pub late: Duration,
    /// And by up to this: so they overtake each other.
    pub more: Duration,
}

impl Weather {
    /// One packet in ten is lost and one in fifty comes twice; a way takes 100 ms and up to 20 ms more, so there and back
    /// are 200 ms or more.
    pub const STORM: Weather = Weather {
        lost: 100,
        doubled: 20,
        late: Duration::from_millis(100),
        more: Duration::from_millis(20),
    };
    /// Nothing gets through.
    pub const OUTAGE: Weather =
        Weather { lost: 1_000, doubled: 0, late: Duration::ZERO, more: Duration::ZERO };
}

/// What has happened to packets so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Handed on, each copy counted.
    pub passed: u64,
    /// Lost.
    pub lost: u64,
    /// Handed on twice.
    pub doubled: u64,
    /// Handed on after one that had come later.
    pub overtaken: u64,
}

/// A relay that runs until it is dropped.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    address: Address,
    running: [AbortHandle; 2],
}

impl Relay {
    /// Runs one in front of the node that listens at `target`. Must be called on a runtime.
    pub async fn before(target: Address, weather: Weather) -> Relay {
        let front = socket().await;
        let back = socket().await;
        let address = front.local_addr().expect("an address").into();
        let shared = Arc::new(Shared {
            front,
            back: Mutex::new(Arc::clone(&back)),
            target: target.into(),
            client: Mutex::new(None),
            weather: Mutex::new(weather),
            chance: Mutex::new(0x9e37_79b9_7f4a_7c15),
            tally: watch::channel(Counts::default()).0,
        });
        let there = tokio::spawn(Arc::clone(&shared).there()).abort_handle();
        let back = tokio::spawn(Arc::clone(&shared).back(back)).abort_handle();
        Relay { shared, address, running: [there, back] }
    }

    /// Where the client finds it.
    pub fn address(&self) -> Address {
        self.address
    }

    /// From now on the weather is another.
    pub fn weather(&self, weather: Weather) {
        *lock(&self.shared.weather) = weather;
    }

    /// From now on the node sees the client at another address; what goes to the old one is lost.
    pub async fn move_client(&mut self) {
        let back = socket().await;
        *lock(&self.shared.back) = Arc::clone(&back);
        let task = tokio::spawn(Arc::clone(&self.shared).back(back)).abort_handle();
        std::mem::replace(&mut self.running[1], task).abort();
    }

    /// Where the node sees the client.
    pub fn client_as_seen(&self) -> Address {
        lock(&self.shared.back).local_addr().expect("an address").into()
    }

    /// What has happened so far.
    pub fn tally(&self) -> Tally {
        self.shared.tally.borrow().tally
    }

    /// Waits until both sides have been silent for half a second: all that was said is confirmed, or nothing gets through
    /// and they try ever less often.
    pub async fn quiet(&self) {
        let mut tally = self.shared.tally.subscribe();
        while tokio::time::timeout(Duration::from_millis(500), tally.changed()).await.is_ok() {}
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.running.iter().for_each(AbortHandle::abort);
    }
}

#[derive(Debug, Default)]
struct Counts {
    tally: Tally,
    /// Packets that have come, by direction.
    come: [u64; 2],
    /// The latest of them that was handed on.
    latest: [u64; 2],
}

#[derive(Debug)]
struct Shared {
    front: Arc<UdpSocket>,
    back: Mutex<Arc<UdpSocket>>,
    target: SocketAddr,
    client: Mutex<Option<SocketAddr>>,
    weather: Mutex<Weather>,
    chance: Mutex<u64>,
    tally: watch::Sender<Counts>,
}

impl Shared {
    /// From the client to the node.
    async fn there(self: Arc<Self>) {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let Some((length, from)) = heard(self.front.recv_from(&mut buffer).await) else {
                continue;
            };
            *lock(&self.client) = Some(from);
            let out = Arc::clone(&lock(&self.back));
            self.relay(0, &buffer[..length], out, self.target);
        }
    }

    /// From the node to the client, by one of the addresses that the client had.
    async fn back(self: Arc<Self>, socket: Arc<UdpSocket>) {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let Some((length, _)) = heard(socket.recv_from(&mut buffer).await) else { continue };
            let client = *lock(&self.client);
            if let Some(client) = client {
                self.relay(1, &buffer[..length], Arc::clone(&self.front), client);
            }
        }
    }

    /// Hands a packet on, when and as often as the weather has it.
    fn relay(self: &Arc<Self>, way: usize, packet: &[u8], out: Arc<UdpSocket>, to: SocketAddr) {
        let weather = *lock(&self.weather);
        let (lost, copies) = (self.dice(1_000) < weather.lost, self.dice(1_000) < weather.doubled);
        let mut number = 0;
        self.tally.send_modify(|counts| {
            counts.come[way] += 1;
            number = counts.come[way];
            counts.tally.lost += u64::from(lost);
            counts.tally.doubled += u64::from(!lost && copies);
        });
        if lost {
            return;
        }
        for _ in 0..1 + usize::from(copies) {
            let more = u64::try_from(weather.more.as_micros()).unwrap_or(u64::MAX);
            let late = weather.late + Duration::from_micros(self.dice(more.saturating_add(1)));
            let (shared, out, packet) = (Arc::clone(self), Arc::clone(&out), packet.to_vec());
            let hand_on = async move {
                if late > Duration::ZERO {
                    tokio::time::sleep(late).await;
                }
                // A network that cannot take a packet loses it.
                let sent = out.send_to(&packet, to).await.is_ok();
                shared.tally.send_modify(|counts| match sent {
                    true => {
                        counts.tally.passed += 1;
                        counts.tally.overtaken += u64::from(number < counts.latest[way]);
                        counts.latest[way] = counts.latest[way].max(number);
                    }
                    false => counts.tally.lost += 1,
                });
            };
            tokio::spawn(hand_on);
        }
    }

    /// A number below `sides`, from one fixed sequence.
    fn dice(&self, sides: u64) -> u64 {
        let mut state = lock(&self.chance);
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 16) % sides
    }
}

/// What was received. That nobody listens at an address to which something was sent is told by the socket as an error of
/// its next call, and means nothing here.
fn heard(result: io::Result<(usize, SocketAddr)>) -> Option<(usize, SocketAddr)> {
    result.ok()
}

async fn socket() -> Arc<UdpSocket> {
    Arc::new(UdpSocket::bind(loopback()).await.expect("a socket"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
