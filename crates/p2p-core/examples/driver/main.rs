//! Two nodes on two threads: one founds a group, the other joins, opens a direct connection, sends, closes, leaves.

mod driver;
mod network;

use std::sync::{Arc, mpsc};
use std::thread;

use bytes::Bytes;
use driver::Driver;
use network::{Packet, Packets};
use p2p_core::{
    Address, Authority, Code, Config, Connection, ConnectionChange, Event, Expect, FileTime,
    GroupSnapshot, Guid, KeyId, Member, Node, Now, Refusal, Roles, Taken,
};

const GROUP: KeyId = KeyId([9; 32]);
const KIND: Guid = Guid::from_u128(0x8a2f_0c5e_6f0b_4d53_9a3e_51c8_30d4_17b2);

/// Who may: here everybody who names the group and himself. `p2p-crypto` asks for certificates.
struct Trusting(KeyId);

impl Authority for Trusting {
    fn own_key(&self) -> KeyId {
        self.0
    }

    fn own_chain(&self, group: &KeyId) -> Option<Bytes> {
        Some([group.0, self.0.0].concat().into())
    }

    fn session(&self, binding: &[u8; 32], group: &KeyId) -> [u8; 32] {
        std::array::from_fn(|i| binding[i] ^ group.0[i])
    }

    fn tag(&self, session: &[u8; 32], dialer: bool) -> [u8; 16] {
        std::array::from_fn(|i| session[i] ^ u8::from(dialer))
    }

    fn verify_member(
        &self,
        group: &KeyId,
        chain: &[u8],
        peer: &KeyId,
        _at: &FileTime,
    ) -> Result<Arc<Member>, Refusal> {
        if chain == [group.0, peer.0].concat() {
            return Ok(member(*peer));
        }
        Err(Refusal { code: Code::CRYPT_E_NO_MATCH, detail: Code::CERT_E_CN_NO_MATCH })
    }
}

fn member(key: KeyId) -> Arc<Member> {
    Arc::new(Member {
        key,
        name: key.to_string(),
        friendly_name: String::new(),
        issuer_name: String::new(),
        issuer_friendly_name: String::new(),
        roles: Roles::MEMBER,
        depth: 1,
        not_before: FileTime(0),
        not_after: FileTime::NO_END,
        chain: [GROUP.0, key.0].concat().into(),
    })
}

fn address(n: u8) -> Address {
    Address { ip: std::net::Ipv6Addr::LOCALHOST, port: u16::from(n), scope: 0 }
}

/// A node that is offline, and its driver.
fn driver(n: u8, peer: u8, to: mpsc::Sender<Packet>, from: Packets) -> Driver<Trusting> {
    let own = KeyId([n; 32]);
    let node = Node::new(Config::default(), Trusting(own), [n; 32], Now::default());
    Driver::new(node, address(n), (KeyId([peer; 32]), address(peer), to), from)
}

fn founder(mut driver: Driver<Trusting>) {
    let (now, own) = (driver.clock.now(), driver.node.authority().own_key());
    let snapshot = GroupSnapshot { synchronised: true, ..GroupSnapshot::default() };
    let group = driver.node.open_group(GROUP, member(own), snapshot, now).expect("open");
    driver.node.accept_direct(group, true, now).expect("accept");
    driver.node.connect(group, &[], now).expect("connect");
    driver.run(|node, event, now| {
        match event {
            Event::Data { id, payload, .. } => {
                let bytes = payload.len();
                println!("founder: {}", String::from_utf8_lossy(&payload.into_bytes()));
                node.taken(group, id, Taken::Data { bytes }, now);
            }
            Event::Direct(Connection { id, change: ConnectionChange::Disconnected, .. }) => {
                node.taken(group, id, Taken::Disconnected, now);
            }
            Event::Neighbour(c) if c.change == ConnectionChange::Disconnected => {
                println!("founder: the guest has left");
                node.close_group(group, now).expect("close");
            }
            Event::Closed => return false,
            _ => {}
        }
        true
    });
}

fn guest(mut driver: Driver<Trusting>) {
    let (now, own) = (driver.clock.now(), driver.node.authority().own_key());
    let (host, at) = (driver.peer.0, driver.peer.1);
    let snapshot = GroupSnapshot { addresses: vec![(host, vec![at])], ..GroupSnapshot::default() };
    let group = driver.node.open_group(GROUP, member(own), snapshot, now).expect("open");
    driver.node.connect(group, &[], now).expect("connect");
    driver.run(|node, event, now| {
        match event {
            Event::Status(status) if status.connected => {
                println!("guest: online");
                node.open_direct(group, Expect::Key(host), at, now).expect("open");
            }
            Event::Direct(c) if c.change == ConnectionChange::Connected => {
                for text in ["one", "two", "three"] {
                    node.send(group, c.id, KIND, text.into(), now).expect("send");
                }
                node.close_direct(group, c.id, now).expect("close");
            }
            Event::Direct(c) => {
                println!("guest: ended, {}", c.cause.code());
                node.close_group(group, now).expect("close");
            }
            Event::Closed => return false,
            Event::Neighbour(c) => println!("guest: neighbour {:?}", c.change),
            Event::Member { change, member } => println!("guest: {} {change:?}", member.name),
            _ => {}
        }
        true
    });
}

fn main() {
    let (to_founder, from_guest) = mpsc::channel();
    let (to_guest, from_founder) = mpsc::channel();
    let host = thread::spawn(|| founder(driver(1, 2, to_guest, from_guest)));
    guest(driver(2, 1, to_founder, from_founder));
    host.join().expect("the founder ends in order");
}
