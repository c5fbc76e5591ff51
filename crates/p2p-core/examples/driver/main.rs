//! Two nodes on two threads: one founds a group, the other joins, opens a direct connection, sends, closes, leaves.

mod driver;
mod inbox;
mod network;
mod trusting;

use std::sync::mpsc;
use std::thread;

use driver::Driver;
use network::{Packet, Packets};
use p2p_core::{
    Cause, Config, Connection, ConnectionChange, Event, Expect, GroupSnapshot, Guid, KeyId, Node,
    Now, Taken,
};
use trusting::{GROUP, Trusting, address, member};

const KIND: Guid = Guid::from_u128(0x8a2f_0c5e_6f0b_4d53_9a3e_51c8_30d4_17b2);
const TEXTS: [&str; 3] = ["one", "two", "three"];

/// A node that is offline, and its driver.
fn driver(n: u8, peer: u8, to: mpsc::Sender<Packet>, from: Packets) -> Driver<Trusting> {
    let own = KeyId([n; 32]);
    let node = Node::new(Config::default(), Trusting(own), [n; 32], Now::default());
    Driver::new(node, address(n), (KeyId([peer; 32]), address(peer), to), from)
}

/// Returns what it heard.
fn founder(mut driver: Driver<Trusting>) -> Vec<String> {
    let (now, own) = (driver.clock.now(), driver.node.authority().0);
    let snapshot = GroupSnapshot { synchronised: true, ..GroupSnapshot::default() };
    let group = driver.node.open_group(GROUP, member(own), snapshot, now).expect("open");
    driver.node.accept_direct(group, true, now).expect("accept");
    driver.node.connect(group, &[], now).expect("connect");
    let mut heard = Vec::new();
    driver.run(|node, event, now| {
        match event {
            Event::Data { id, payload, .. } => {
                let bytes = payload.len();
                heard.push(String::from_utf8_lossy(&payload.into_bytes()).into_owned());
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
    heard
}

fn guest(mut driver: Driver<Trusting>) {
    let (now, own) = (driver.clock.now(), driver.node.authority().0);
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
                for text in TEXTS {
                    node.send(group, c.id, KIND, text.into(), now).expect("send");
                }
                node.close_direct(group, c.id, now).expect("close");
            }
            Event::Direct(c) => {
                println!("guest: ended, {}", c.cause.code());
                assert_eq!(c.cause, Cause::Orderly, "the founder has confirmed everything");
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
    let heard = host.join().expect("the founder ends in order");
    println!("founder: heard {heard:?}");
    assert_eq!(heard, TEXTS, "closed in order means delivered");
}
