//! One core with nobody around it: inputs by hand, outputs kept, time that stands unless it is told to go on.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{
    Address, Authority, Config, FileTime, GroupKey, GroupSnapshot, Input, KeyId, Limits, LinkId,
    Node, Now, Output, StreamId, Tick,
};

use crate::fake::{Fake, GENESIS, Paper, key, mix};
use crate::raw::{frame, hello, proof};

/// The peer that speaks by hand, by its number.
pub(crate) const PEER: u8 = 7;
/// The group.
const GROUP: u8 = 1;

/// One core, and what its driver has to know.
pub(crate) struct Rig {
    pub(crate) node: Node<Fake>,
    pub(crate) group: GroupKey,
    pub(crate) tick: u64,
    /// What may still be read, by stream.
    pub(crate) credit: BTreeMap<(LinkId, StreamId), usize>,
}

/// Where a machine is.
pub(crate) fn at(n: u8) -> Address {
    let ip = Ipv6Addr::new(0x2001, 0xdb8, u16::from(n), 0, 0, 0, 0, 1);
    Address { ip, port: 3_587, scope: 0 }
}

impl Rig {
    /// A founder that is online and accepts direct connections.
    pub(crate) fn new(limits: Limits) -> Rig {
        let own = Paper::new(key(GROUP), key(100));
        let chains = [(key(GROUP), own.chain())].into();
        let fake = Fake { own: own.member, chains, passwords: Default::default() };
        let now = Now { tick: Tick(0), wall: GENESIS };
        let mut node = Node::new(Config { limits, previous: None }, fake, [5; 32], now);
        let snapshot = GroupSnapshot { synchronised: true, ..GroupSnapshot::default() };
        let group = node.open_group(key(GROUP), own.member(), snapshot, now).expect("opens");
        node.connect(group, &[], now).expect("connects");
        node.accept_direct(group, true, now).expect("accepts");
        let mut rig = Rig { node, group, tick: 0, credit: BTreeMap::new() };
        rig.input(Input::Listening { addresses: Arc::from([at(100)]) });
        rig
    }

    /// Both clocks.
    pub(crate) fn now(&self) -> Now {
        Now { tick: Tick(self.tick), wall: FileTime(GENESIS.0 + self.tick * 10) }
    }

    /// Hands something in; what came of it.
    pub(crate) fn input(&mut self, input: Input) -> Vec<Output> {
        let now = self.now();
        self.node.handle(input, now);
        self.drain()
    }

    /// What is to be done. Changes are stored at once, and credit is counted.
    pub(crate) fn drain(&mut self) -> Vec<Output> {
        let mut new = Vec::new();
        while let Some(output) = self.node.poll() {
            match output {
                Output::Credit { link, stream, bytes } => {
                    *self.credit.entry((link, stream)).or_default() += bytes as usize;
                }
                Output::Store { ticket, .. } => {
                    let now = self.now();
                    self.node.handle(Input::Stored { ticket, result: Ok(()) }, now);
                }
                _ => {}
            }
            new.push(output);
        }
        assert_eq!(self.node.audit(), Ok(()));
        new
    }

    /// Lets time pass, timer by timer.
    pub(crate) fn wait(&mut self, micros: u64) -> Vec<Output> {
        let end = self.tick + micros;
        let mut new = Vec::new();
        while let Some((due, _)) = self.node.next_timeout().filter(|(due, _)| due.0 <= end) {
            self.tick = self.tick.max(due.0);
            new.extend(self.input(Input::Timeout));
        }
        self.tick = end;
        new
    }

    /// A link that the peer has dialled.
    pub(crate) fn link(&mut self, link: LinkId) -> Vec<Output> {
        let (peer, binding) = (key(PEER), binding(link));
        self.input(Input::LinkUp { link, dial: None, peer, binding, remote: at(PEER) })
    }

    /// Bytes on a stream of the peer's, in one chunk, as far as credit goes; how many they were.
    pub(crate) fn say(
        &mut self,
        link: LinkId,
        stream: StreamId,
        bytes: &[u8],
    ) -> (usize, Vec<Output>) {
        let credit = self.credit.entry((link, stream)).or_default();
        let said = bytes.len().min(*credit);
        *credit -= said;
        if said == 0 {
            return (0, Vec::new());
        }
        let bytes = Bytes::copy_from_slice(&bytes[..said]);
        (said, self.input(Input::Chunk { link, stream, bytes }))
    }

    /// The tag that the peer shows on a link that it has dialled.
    pub(crate) fn tag(&self, link: LinkId) -> [u8; 16] {
        self.tag_of(link, true)
    }

    /// The tag that the node shows there.
    pub(crate) fn own_tag(&self, link: LinkId) -> [u8; 16] {
        self.tag_of(link, false)
    }

    fn tag_of(&self, link: LinkId, dialler: bool) -> [u8; 16] {
        let session = self.node.authority().session(&binding(link), &key(GROUP));
        self.node.authority().tag(&session, dialler)
    }

    /// Hello and proof of the peer, as a member.
    pub(crate) fn greeting(&self, link: LinkId) -> Vec<u8> {
        let hello = hello(self.tag(link), u64::from(PEER));
        [hello, proof(&Paper::new(key(GROUP), key(PEER)).chain())].concat()
    }

    /// The peer proves itself on its first stream.
    pub(crate) fn greet(&mut self, link: LinkId) -> Vec<Output> {
        let greeting = self.greeting(link);
        let mut outputs = self.input(Input::Accepted { link, stream: StreamId(1) });
        let mut rest = &greeting[..];
        while !rest.is_empty() {
            let (said, more) = self.say(link, StreamId(1), rest);
            assert!(said > 0, "a proof is given credit");
            rest = &rest[said..];
            outputs.extend(more);
        }
        assert!(outputs.iter().any(|o| matches!(o, Output::Trust { .. })), "{outputs:#?}");
        outputs
    }

    /// The first frame of a direct connection of the peer's.
    pub(crate) fn opening(&self, link: LinkId) -> Vec<u8> {
        frame(crate::raw::DC_OPEN, &self.tag(link))
    }
}

/// The peer's key.
pub(crate) fn peer() -> KeyId {
    key(PEER)
}

fn binding(link: LinkId) -> [u8; 32] {
    mix(&[b"binding", &link.0.to_be_bytes()])
}
