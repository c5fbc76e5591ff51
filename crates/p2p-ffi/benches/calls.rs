//! What the C interface adds to the calls that it translates, how fast events are drained, and how long it takes to start.
//!
//! One process, two members: Ann's group is open through C, Bob's in Rust, and each call of one is timed beside the same call of the
//! other, by turns. Prints a line for each figure, `workload peer value`, for `cargo xtask bench --only ffi`.

use std::error::Error;
use std::ffi::c_void;
use std::path::Path;
use std::process::{Command, Stdio};
use std::ptr;
use std::time::{Duration, Instant};

use p2p_group::{
    Bytes, ConnectionKind, DirectConnection, Filter, Group, Guid, Identity, Invitation,
    MemberFilter, Node,
};
use peergroup::layout::*;
use peergroup::*;

type Failure = Box<dyn Error>;

/// Calls of one batch, and batches of each side.
const BATCH: usize = 1_000;
const BATCHES: usize = 41;
/// Messages that are sent in one batch: fewer, so that they find room.
const SENDS: usize = 200;
/// Bytes of a message.
const MESSAGE: usize = 64;
/// Events that wait to be drained: with 64 B each they are below what a connection may hold.
const EVENTS: usize = 20_000;
const STARTS: usize = 15;
const KIND: Guid = Guid::from_u128(0x5d1c_23c5_7d5a_4b17_9d0c_6f0e_3b44_a1d2);
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Result<(), Failure> {
    match std::env::args().nth(1).as_deref() {
        Some("--start") => {
            println!("{}", start()?.as_secs_f64() * 1e3);
            Ok(())
        }
        Some("--calls") => calls(),
        _ => {
            let folder = tempfile::TempDir::new()?;
            let starts = (0..STARTS).map(|_| {
                child("--start", folder.path())?.trim().parse::<f64>().map_err(Failure::from)
            });
            println!("ffi_start p2p {}", median(starts.collect::<Result<_, _>>()?));
            print!("{}", child("--calls", folder.path())?);
            Ok(())
        }
    }
}

/// What this program prints with this word, in a home of its own: the library reads that once.
fn child(word: &str, home: &Path) -> Result<String, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(word).env("P2P_HOME", home).env("P2P_LISTEN", "[::1]:0").env("P2P_LOG", "error");
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{word}: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// How long the first startup of a process takes.
fn start() -> Result<Duration, Failure> {
    let mut version = PEER_VERSION_DATA::default();
    let begun = Instant::now();
    // SAFETY: a place for the answer.
    check(unsafe { PeerGroupStartup(PEER_GROUP_VERSION, &mut version) })?;
    Ok(begun.elapsed())
}

/// Ann's half, through C.
struct Ann {
    group: HGROUP,
    events: HPEEREVENT,
}

/// Bob's half, in Rust.
struct Bob {
    runtime: tokio::runtime::Runtime,
    _node: Node,
    group: Group,
    connection: DirectConnection,
}

fn calls() -> Result<(), Failure> {
    start()?;
    let (ann, bob, id) = meet()?;
    let group = &bob.group;
    pair(
        "ffi_status",
        || ann.status(),
        || {
            std::hint::black_box(group.status()?);
            Ok(())
        },
    )?;
    pair("ffi_properties", || ann.properties(), || seen(group.properties()?))?;
    pair(
        "ffi_connections",
        || ann.connections(),
        || seen(group.connections(ConnectionKind::Direct)?),
    )?;
    pair("ffi_members", || ann.members(), || seen(group.members(&MemberFilter::default())?))?;
    sends(&ann, &bob, id)?;
    events(&ann, &bob, id)?;
    Ok(())
}

/// So that the compiler leaves nothing out.
fn seen<T>(answer: T) -> Result<(), Failure> {
    std::hint::black_box(answer);
    Ok(())
}

/// The medians of both, per call, in microseconds.
fn pair(
    name: &str,
    mut ours: impl FnMut() -> Result<(), Failure>,
    mut rust: impl FnMut() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        first.push(timed(BATCH, &mut ours)?);
        second.push(timed(BATCH, &mut rust)?);
    }
    println!("{name} p2p {}\n{name} rust {}", median(first), median(second));
    Ok(())
}

/// Microseconds per call.
fn timed(count: usize, call: &mut impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let begun = Instant::now();
    for _ in 0..count {
        call()?;
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / count as f64)
}

/// Sending, in both directions of one connection; what was sent is taken before the next batch.
fn sends(ann: &Ann, bob: &Bob, id: u64) -> Result<(), Failure> {
    let payload = [7_u8; MESSAGE];
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        first.push(timed(SENDS, &mut || ann.send(id, &payload))?);
        bob.take(SENDS)?;
        let (group, id) = (&bob.group, bob.connection.id());
        // C copies what it is given, so the copy belongs to the comparison.
        second.push(timed(SENDS, &mut || Ok(group.send(id, KIND, payload.to_vec())?))?);
        ann.take(SENDS)?;
    }
    println!("ffi_send p2p {}\nffi_send rust {}", median(first), median(second));
    Ok(())
}

/// Millions of events per second that are taken from a full queue, each given back at once.
fn events(ann: &Ann, bob: &Bob, id: u64) -> Result<(), Failure> {
    let payload = Bytes::from_static(&[7; MESSAGE]);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let subscription = bob.group.subscribe(Filter::default().data(KIND))?;
    for _ in 0..5 {
        for _ in 0..EVENTS {
            bob.runtime.block_on(bob.connection.send(KIND, payload.clone()))?;
        }
        // All of them have to be there before the clock starts.
        std::thread::sleep(Duration::from_millis(500));
        first.push(rate(|| ann.event().map(|event| event.is_some()))?);
        for _ in 0..EVENTS {
            while ann.send(id, &payload).is_err() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        std::thread::sleep(Duration::from_millis(500));
        second.push(rate(|| Ok(subscription.try_recv().is_some()))?);
        bob.take(EVENTS)?;
    }
    println!("ffi_events p2p {}\nffi_events rust {}", median(first), median(second));
    Ok(())
}

fn rate(mut take: impl FnMut() -> Result<bool, Failure>) -> Result<f64, Failure> {
    let (begun, mut count) = (Instant::now(), 0);
    while take()? {
        count += 1;
    }
    let rate = count as f64 / begun.elapsed().as_secs_f64() / 1e6;
    if count == EVENTS { Ok(rate) } else { Err(format!("{count} events, not {EVENTS}").into()) }
}

/// A group of Ann's that Bob has joined, and a direct connection of his, with its number at her end.
fn meet() -> Result<(Ann, Bob, u64), Failure> {
    let ann = Ann::new()?;
    let identity = Identity::in_memory("Bob")?;
    let invitation = Invitation::parse(&ann.invite(&identity.to_xml())?)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (node, group, connection) = runtime.block_on(async {
        let node = Node::builder(identity).listen_at(["[::1]:0".parse()?]).start()?;
        let group = Group::join(&node, &invitation)?;
        group.connect_and_wait().await?;
        let own = group.own().key;
        let members = group.members(&MemberFilter::default())?;
        let key = members.iter().map(|info| info.member.key).find(|key| *key != own);
        let connection = group.direct(key.ok_or("Ann is not known")?).await?;
        Ok::<_, Failure>((node, group, connection))
    })?;
    let deadline = Instant::now() + PATIENCE;
    let id = loop {
        match ann.event()? {
            Some((PEER_GROUP_EVENT_DIRECT_CONNECTION, id)) => break id,
            _ if Instant::now() > deadline => return Err("no connection came".into()),
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    Ok((ann, Bob { runtime, _node: node, group, connection }, id))
}

impl Bob {
    fn take(&self, count: usize) -> Result<(), Failure> {
        self.runtime.block_on(async {
            for _ in 0..count {
                let message = tokio::time::timeout(PATIENCE, self.connection.recv()).await?;
                message.ok_or("the connection has ended")?;
            }
            Ok(())
        })
    }
}

impl Ann {
    fn new() -> Result<Ann, Failure> {
        let (mut identity, mut group, mut events) =
            (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let name = wide("Ann");
        // SAFETY: texts with an end, places for the answers, and a structure that says its size.
        unsafe {
            check(PeerIdentityCreate(ptr::null(), name.as_ptr(), 0, &mut identity))?;
            let mut properties: PEER_GROUP_PROPERTIES = std::mem::zeroed();
            properties.dwSize = size_of::<PEER_GROUP_PROPERTIES>() as u32;
            properties.pwzCreatorPeerName = identity;
            properties.pwzFriendlyName = name.as_ptr().cast_mut();
            check(PeerGroupCreate(&properties, &mut group))?;
            let wanted = [PEER_GROUP_EVENT_DIRECT_CONNECTION, PEER_GROUP_EVENT_INCOMING_DATA]
                .map(|kind| PEER_GROUP_EVENT_REGISTRATION { eventType: kind, pType: ptr::null() });
            let event = P2PCreateEvent(0, 0);
            check(PeerGroupRegisterEvent(group, event, 2, wanted.as_ptr(), &mut events))?;
        }
        check(PeerGroupConnect(group))?;
        let ann = Ann { group, events };
        let deadline = Instant::now() + PATIENCE;
        while !ann.is_listening()? {
            if Instant::now() > deadline {
                return Err("the group does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(ann)
    }

    fn is_listening(&self) -> Result<bool, Failure> {
        let mut status = 0;
        // SAFETY: a place for the answer.
        check(unsafe { PeerGroupGetStatus(self.group, &mut status) })?;
        Ok(status & PEER_GROUP_STATUS_LISTENING != 0)
    }

    fn invite(&self, xml: &str) -> Result<String, Failure> {
        let (xml, mut text) = (wide(xml), ptr::null_mut());
        // SAFETY: a text with an end; the answer has one too, and is given back.
        unsafe {
            let roles = ptr::null();
            check(PeerGroupCreateInvitation(
                self.group,
                xml.as_ptr(),
                ptr::null(),
                0,
                roles,
                &mut text,
            ))?;
            let length = (0..).take_while(|n| *text.add(*n) != 0).count();
            let invitation = String::from_utf16(std::slice::from_raw_parts(text, length))?;
            PeerFreeData(text.cast());
            Ok(invitation)
        }
    }

    fn status(&self) -> Result<(), Failure> {
        self.is_listening().map(|_| ())
    }

    fn properties(&self) -> Result<(), Failure> {
        let mut properties = ptr::null_mut();
        // SAFETY: a place for the answer, which is given back.
        check(unsafe { PeerGroupGetProperties(self.group, &mut properties) })?;
        PeerFreeData(properties.cast());
        Ok(())
    }

    fn connections(&self) -> Result<(), Failure> {
        let mut all = ptr::null_mut();
        // SAFETY: a place for the answer.
        check(unsafe { PeerGroupEnumConnections(self.group, PEER_CONNECTION_DIRECT, &mut all) })?;
        check(PeerEndEnumeration(all))
    }

    fn members(&self) -> Result<(), Failure> {
        let mut all = ptr::null_mut();
        // SAFETY: a place for the answer; no name means everybody.
        check(unsafe { PeerGroupEnumMembers(self.group, 0, ptr::null(), &mut all) })?;
        check(PeerEndEnumeration(all))
    }

    fn send(&self, id: u64, payload: &[u8]) -> Result<(), Failure> {
        let (kind, data) = (GUID::from(KIND), payload.as_ptr().cast::<c_void>());
        // SAFETY: as many bytes as are said.
        check(unsafe { PeerGroupSendData(self.group, id, &kind, payload.len() as u32, data) })
    }

    /// The next event's kind and connection, if there is one; given back at once.
    fn event(&self) -> Result<Option<(PEER_GROUP_EVENT_TYPE, u64)>, Failure> {
        let mut event = ptr::null_mut();
        // SAFETY: a place for the answer.
        check(unsafe { PeerGroupGetEventData(self.events, &mut event) })?;
        if event.is_null() {
            return Ok(None);
        }
        // SAFETY: an event of one of the two kinds that are registered; both say the connection, at places of their own.
        let found = unsafe {
            let kind = (*event).eventType;
            let id = match kind {
                PEER_GROUP_EVENT_INCOMING_DATA => (*event).payload.incomingData.ullConnectionId,
                _ => (*event).payload.connectionChangeData.ullConnectionId,
            };
            (kind, id)
        };
        PeerFreeData(event.cast());
        Ok(Some(found))
    }

    fn take(&self, count: usize) -> Result<(), Failure> {
        let (deadline, mut taken) = (Instant::now() + PATIENCE, 0);
        while taken < count {
            match self.event()? {
                Some(_) => taken += 1,
                None if Instant::now() > deadline => return Err("messages are missing".into()),
                None => std::thread::yield_now(),
            }
        }
        Ok(())
    }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

fn check(result: HRESULT) -> Result<(), Failure> {
    if result >= 0 { Ok(()) } else { Err(format!("{result:#010x}").into()) }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
