//! A game on one thread: two players, 60 frames a second, a clock that only the loop moves, and a network with a delay.
//!
//! In each frame: hand in what has arrived, then `Timeout` if it is due, move the ships, and obey. No call waits for
//! anything. The whole match is played twice, and both are the same, output by output.

#[path = "../driver/inbox.rs"]
mod inbox;
#[path = "../driver/trusting.rs"]
mod trusting;
mod world;

use std::collections::BTreeMap;

use bytes::Bytes;
use inbox::Inbox;
use p2p_core::{
    Config, ConnectionChange, ConnectionId, Event, Expect, GroupKey, GroupSnapshot, Guid, KeyId,
    Node, Now, StreamId, Taken,
};
use trusting::{GROUP, Trusting, address, member};
use world::{FRAME, World, at};

const POSITION: Guid = Guid::from_u128(0x8a2f_0c5e_6f0b_4d53_9a3e_51c8_30d4_17b2);
/// Frames of a match.
const MATCH: u32 = 300;

struct Player {
    node: Node<Trusting>,
    group: GroupKey,
    /// The connection to the other player.
    direct: Option<ConnectionId>,
    /// Where the own ship is, and where the other one was last seen.
    ship: i32,
    seen: i32,
    frames: u32,
    inboxes: BTreeMap<StreamId, Inbox>,
    gone: bool,
}

/// Opens the group and goes online. Player 0 has founded it, player 1 knows where that one is.
fn player(n: u8) -> Player {
    let (own, now) = (KeyId([n; 32]), at(0));
    let mut node = Node::new(Config::default(), Trusting(own), [n; 32], now);
    let mut snapshot = GroupSnapshot { synchronised: n == 0, ..GroupSnapshot::default() };
    if n != 0 {
        snapshot.addresses.push((KeyId([0; 32]), vec![address(1)]));
    }
    let group = node.open_group(GROUP, member(own), snapshot, now).expect("open");
    node.accept_direct(group, true, now).expect("accept");
    node.connect(group, &[], now).expect("connect");
    let inboxes = BTreeMap::new();
    Player { node, group, direct: None, ship: 0, seen: 0, frames: 0, inboxes, gone: false }
}

impl Player {
    /// One frame of the game: the ship moves, and the other player is told. After the last one player 1 closes.
    fn play(&mut self, me: usize, now: Now) {
        let Some(direct) = self.direct.filter(|_| self.frames < MATCH) else { return };
        self.frames += 1;
        self.ship += (self.frames as i32 * 7 + me as i32 * 13) % 5 - 1;
        let position = Bytes::copy_from_slice(&self.ship.to_be_bytes());
        self.node.send(self.group, direct, POSITION, position, now).expect("room for four bytes");
        if me == 1 && self.frames == MATCH {
            self.node.close_direct(self.group, direct, now).expect("close");
        }
    }

    fn hear(&mut self, me: usize, event: Event, now: Now) {
        let (node, group) = (&mut self.node, self.group);
        match event {
            Event::Status(status) if me == 1 && status.connected => {
                let host = Expect::Key(KeyId([0; 32]));
                node.open_direct(group, host, address(1), now).expect("open");
            }
            Event::Direct(c) if c.change == ConnectionChange::Connected => self.direct = Some(c.id),
            Event::Direct(c) => {
                self.direct = None;
                node.taken(group, c.id, Taken::Disconnected, now);
                node.close_group(group, now).expect("close");
            }
            Event::Data { id, payload, .. } => {
                node.taken(group, id, Taken::Data { bytes: payload.len() }, now);
                let position = payload.into_bytes()[..].try_into().expect("four bytes");
                self.seen = i32::from_be_bytes(position);
            }
            Event::Closed => self.gone = true,
            _ => {}
        }
    }
}

/// Plays until both have left.
fn play() -> World {
    let mut world = World::new([player(0), player(1)]);
    while !world.players.iter().all(|player| player.gone) {
        world.frame();
        assert!(world.tick < 60_000_000, "a match ends within a minute");
    }
    world
}

fn main() {
    let (first, again) = (play(), play());
    let [host, guest] = &first.players;
    println!("the guest flew to {}, the host saw it last at {}", guest.ship, host.seen);
    println!("{} frames, {} outputs", first.tick / FRAME, first.outputs.len());
    assert_eq!((guest.frames, host.seen), (MATCH, guest.ship), "closed in order means delivered");
    assert!(first.outputs == again.outputs, "the same calls, the same outputs");
}
