//! The core alone: two of them in one thread, each output of one at once an input of the other, and nothing else; no socket,
//! no encryption.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use p2p_core::{
    Address, Config, ConnectionChange, ConnectionId, DownCause, Event, Expect, GroupKey,
    GroupSnapshot, Guid, Input, Limits, LinkId, Node, Now, Output, StreamId, Taken, Tick,
};
use p2p_crypto::{GroupIdentity, Identity, Keyring, MembershipRequest, issue_membership};

use crate::{Failure, cost, median};

/// Payload of a frame; frames of one batch, and batches.
const PAYLOAD: usize = 64;
const BATCH: usize = 512;
const BATCHES: usize = 400;
/// Bytes of one chunk, as a QUIC stack hands them on.
const CHUNK: usize = 16 << 10;
/// Idle connections, few and many.
const FEW: usize = 500;
const MANY: usize = 10_000;
/// Connections whose open or close is timed.
const TIMED: usize = 200;
const LINK: LinkId = LinkId(1);
const PORTS: [u16; 2] = [1_001, 1_002];

/// Prints what it finds, for the process that started this one.
pub(crate) fn child() -> Result<(), Failure> {
    let mut pair = Pair::connected()?;
    frames(&mut pair)?;
    pair.open(FEW)?;
    println!("core_open_few {}", pair.opens()?);
    println!("core_close_few {}", pair.closes()?);
    let before = cost::resident()?;
    pair.open(MANY)?;
    let bytes = (cost::resident()? - before) * 1_024.0;
    println!("core_direct {}", bytes / (2 * MANY) as f64);
    println!("core_open_many {}", pair.opens()?);
    println!("core_close_many {}", pair.closes()?);
    Ok(())
}

/// Frames per second of one core: those that are sent, from the call to the output, and those that are received, from the
/// bytes to the event and the application's thanks.
fn frames(pair: &mut Pair) -> Result<(), Failure> {
    let id = pair.open(1)?;
    let payload = Bytes::from(vec![7; PAYLOAD]);
    let kind = Guid::from_u128(1);
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        let mut outputs = Vec::with_capacity(2 * BATCH);
        let begun = Instant::now();
        for _ in 0..BATCH {
            let now = pair.now;
            pair.nodes[0].send(pair.groups[0], id, kind, payload.clone(), now)?;
            outputs.extend(std::iter::from_fn(|| pair.nodes[0].poll()));
        }
        sent.push(BATCH as f64 / begun.elapsed().as_secs_f64());
        let (mut stream, mut bytes) = (None, BytesMut::new());
        for output in outputs {
            let Output::Write { stream: of, head, body, .. } = output else {
                return Err("a send is more than a write".into());
            };
            stream = Some(of);
            bytes.extend_from_slice(head.as_slice());
            body.pieces().iter().for_each(|piece| bytes.extend_from_slice(piece));
        }
        let stream = stream.ok_or("nothing was written")?;
        let total = bytes.len() as u32;
        pair.input(0, Input::Sent { link: LINK, stream, bytes: total });
        let mut bytes = bytes.freeze();
        let mut found = 0;
        let begun = Instant::now();
        while !bytes.is_empty() {
            let bytes = bytes.split_to(bytes.len().min(CHUNK));
            pair.input(1, Input::Chunk { link: LINK, stream: other(stream), bytes });
            while let Some(output) = pair.nodes[1].poll() {
                if let Output::Event { group, event: Event::Data { id, payload, .. } } = output {
                    found += 1;
                    let now = pair.now;
                    pair.nodes[1].taken(group, id, Taken::Data { bytes: payload.len() }, now);
                }
            }
        }
        received.push(BATCH as f64 / begun.elapsed().as_secs_f64());
        if found != BATCH {
            return Err("not every frame arrived".into());
        }
        pair.settle()?;
    }
    println!("core_sent {}", median(sent.into_iter()) / 1e6);
    println!("core_received {}", median(received.into_iter()) / 1e6);
    Ok(())
}

struct Pair {
    nodes: [Node<Keyring>; 2],
    groups: [GroupKey; 2],
    keys: [p2p_core::KeyId; 2],
    now: Now,
    /// Those that the first node has opened and that stand.
    standing: Vec<ConnectionId>,
}

impl Pair {
    /// Two members of one group who have a link and a direct connection.
    fn connected() -> Result<Pair, Failure> {
        let wall = p2p_group::now();
        let group = GroupIdentity::create(Some("bench"), Some("Bench"), wall)?;
        let people = [
            Identity::create(None, Some("Ann"), wall)?,
            Identity::create(None, Some("Bob"), wall)?,
        ];
        let first = group.issue_creator(&people[0].info(), wall)?;
        let request = MembershipRequest {
            subject: &people[1].info(),
            roles: p2p_core::Roles::MEMBER,
            not_before: None,
            expires: None,
            now: wall,
        };
        let second = issue_membership(&people[0], &first, &request)?;
        let limits = Limits {
            neighbours: 0,
            directs_per_peer: 2 * MANY,
            directs_per_group: 2 * MANY,
            control_frames: u32::MAX / 8,
            streams: u16::MAX,
            ..Limits::default()
        };
        let now = Now { tick: Tick(1_000_000), wall };
        let keys = [people[0].key_id(), people[1].key_id()];
        let mut groups = Vec::new();
        let mut nodes = Vec::new();
        for (seed, (person, chain)) in (1_u8..).zip(people.iter().zip([first, second])) {
            let mut ring = Keyring::new(person.clone());
            ring.insert(group.key_id(), chain.clone());
            let member =
                p2p_crypto::verify_chain(&group.key_id(), &chain, &person.key_id(), &wall)?;
            let config = Config { limits: limits.clone(), ..Config::default() };
            let mut node = Node::new(config, ring, [seed; 32], now);
            let known = GroupSnapshot { synchronised: true, ..GroupSnapshot::default() };
            groups.push(node.open_group(group.key_id(), Arc::new(member), known, now)?);
            nodes.push(node);
        }
        let (nodes, groups) = (nodes.try_into(), groups.try_into());
        let nodes = nodes.map_err(|_| "two were made")?;
        let groups = groups.map_err(|_| "two were made")?;
        let mut pair = Pair { nodes, groups, keys, now, standing: Vec::new() };
        for m in 0..2 {
            let (group, now) = (pair.groups[m], pair.now);
            pair.nodes[m].connect(group, &[], now)?;
            pair.nodes[m].accept_direct(group, true, now)?;
        }
        pair.settle()?;
        pair.open(1)?;
        Ok(pair)
    }

    /// Opens so many; the last of them.
    fn open(&mut self, count: usize) -> Result<ConnectionId, Failure> {
        let wanted = self.standing.len() + count;
        for _ in 0..count {
            let peer = Expect::Key(self.keys[1]);
            self.nodes[0].open_direct(self.groups[0], peer, address(1), self.now)?;
            self.settle()?;
        }
        if self.standing.len() != wanted {
            return Err("not every connection stands".into());
        }
        Ok(*self.standing.last().ok_or("none stands")?)
    }

    /// Microseconds of an open at both ends.
    fn opens(&mut self) -> Result<f64, Failure> {
        let mut values = Vec::new();
        for _ in 0..TIMED {
            let begun = Instant::now();
            self.open(1)?;
            values.push(crate::micros(begun.elapsed()));
        }
        Ok(median(values.into_iter()))
    }

    /// Microseconds of a close at both ends.
    fn closes(&mut self) -> Result<f64, Failure> {
        let mut values = Vec::new();
        for _ in 0..TIMED {
            let id = self.standing.pop().ok_or("none stands")?;
            let begun = Instant::now();
            self.nodes[0].close_direct(self.groups[0], id, self.now)?;
            self.settle()?;
            values.push(crate::micros(begun.elapsed()));
        }
        Ok(median(values.into_iter()))
    }

    fn input(&mut self, m: usize, input: Input) {
        self.nodes[m].handle(input, self.now);
    }

    /// Until nobody has anything to say.
    fn settle(&mut self) -> Result<(), Failure> {
        loop {
            let mut quiet = true;
            for m in 0..2 {
                while let Some(output) = self.nodes[m].poll() {
                    quiet = false;
                    self.obey(m, output)?;
                }
            }
            if quiet {
                return Ok(());
            }
        }
    }

    fn obey(&mut self, m: usize, output: Output) -> Result<(), Failure> {
        let peer = 1 - m;
        match output {
            Output::Listen { on: true } => {
                self.input(m, Input::Listening { addresses: Arc::from([address(m)]) });
            }
            Output::Dial { dial, .. } => {
                for (end, dial) in [(m, Some(dial)), (peer, None)] {
                    let (peer, remote) = (self.keys[1 - end], address(1 - end));
                    let up = Input::LinkUp { link: LINK, dial, peer, binding: [7; 32], remote };
                    self.input(end, up);
                }
            }
            Output::Open { link, stream, .. } => {
                self.input(peer, Input::Accepted { link, stream: other(stream) });
            }
            Output::Write { link, stream, head, body } => {
                let mut bytes = BytesMut::from(head.as_slice());
                body.pieces().iter().for_each(|piece| bytes.extend_from_slice(piece));
                self.input(m, Input::Sent { link, stream, bytes: bytes.len() as u32 });
                let bytes = bytes.freeze();
                self.input(peer, Input::Chunk { link, stream: other(stream), bytes });
            }
            Output::Finish { link, stream } => {
                self.input(peer, Input::Finished { link, stream: other(stream) });
            }
            Output::Abort { link, stream, code } => {
                self.input(peer, Input::Reset { link, stream: other(stream), code });
            }
            Output::CloseLink { link, code } => {
                self.input(m, Input::LinkDown { link, cause: DownCause::Local });
                self.input(peer, Input::LinkDown { link, cause: DownCause::Peer(code) });
            }
            Output::Store { ticket, .. } => {
                self.input(m, Input::Stored { ticket, result: Ok(()) });
            }
            Output::Event { group, event: Event::Direct(c) } => match c.change {
                ConnectionChange::Connected if m == 0 => self.standing.push(c.id),
                ConnectionChange::Connected => {}
                ConnectionChange::Failed => return Err("a connection could not be opened".into()),
                ConnectionChange::Disconnected => {
                    self.nodes[m].taken(group, c.id, Taken::Disconnected, self.now);
                }
            },
            // Nothing is ever under way here, and credit never used up.
            Output::Listen { on: false }
            | Output::CancelDial { .. }
            | Output::Credit { .. }
            | Output::Forget { .. }
            | Output::Priority { .. }
            | Output::Trust { .. }
            | Output::Event { .. } => {}
        }
        Ok(())
    }
}

/// The number of a stream at the other end.
fn other(stream: StreamId) -> StreamId {
    StreamId(stream.0 ^ 1)
}

fn address(m: usize) -> Address {
    Address::from(std::net::SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, PORTS[m])))
}
