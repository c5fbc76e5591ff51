//! Whatever a peer, a file or a system does that it should not: it ends in the code or event that is documented for it,
//! and the process goes on. After each attack two honest members connect, talk and part as if nothing had happened.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use p2p_core::SECOND;
use p2p_crypto::Identity;
use p2p_group::{
    Address, Bytes, Cause, Code, ConnectError, ConnectionChange, ConnectionId, EventKind, Filter,
    Group, GroupEvent, Limits, MemberFilter, SendError,
};
use p2p_tests::forge::stranger;
use p2p_tests::hostile::{Stream, data, frame, kind, varint};
use p2p_tests::world::{CONNECTED, TEXT, send};
use p2p_tests::{End, Hostile, Watch, loopback, node, node_with, still_alive, watch, within};

/// Codes of closed links and reset streams.
const SHUTDOWN: u64 = 0x200;
const PROTOCOL: u64 = 0x201;
const FLOOD: u64 = 0x202;
const UNSUPPORTED: u64 = 0x204;
const NO_SESSION: u64 = 0x206;
const LIMIT: u64 = 0x209;
const RESET_CANCELLED: u64 = 0x20;
const RESET_NO_SESSION: u64 = 0x22;
const RESET_DUPLICATE: u64 = 0x23;
const RESET_VIOLATION: u64 = 0x24;

/// Two honest members, and Ann is attacked.
struct Scene {
    ann: End,
    bob: End,
    at_ann: Watch,
    at_bob: Watch,
}

impl Scene {
    async fn new() -> Scene {
        Scene::with(Limits::default()).await
    }

    /// With other limits at Ann's.
    async fn with(limits: Limits) -> Scene {
        let ann = End::creator(node_with("Ann", limits)).await;
        let bob = ann.member(node("Bob")).await;
        let (at_ann, at_bob) = (ann.watch(), bob.watch());
        Scene { ann, bob, at_ann, at_bob }
    }

    /// A stranger's connection with Ann.
    async fn stranger(&self) -> Hostile {
        Hostile::dial(&stranger("Mallory"), self.ann.address()).await
    }

    /// A member that will not behave: its keys and its chain.
    fn member(&self) -> (Identity, Bytes) {
        let identity = stranger("Mallory");
        let chain = self.ann.invite_info(&identity.info()).chain().clone();
        (identity, chain)
    }

    /// A session of such a member with Ann, and its control stream.
    async fn session(&self) -> (Hostile, Stream) {
        let (identity, chain) = self.member();
        let mallory = Hostile::dial(&identity, self.ann.address()).await;
        let control = mallory.session(&self.ann.group.key(), &chain).await;
        (mallory, control)
    }

    /// A direct connection of such a member, as Ann sees it, and its stream.
    async fn direct(&self) -> (Hostile, Stream, Stream, ConnectionId) {
        let (mallory, control) = self.session().await;
        let direct = mallory.direct(&self.ann.group.key()).await;
        (mallory, control, direct, self.at_ann.any_connected().await)
    }

    /// The process goes on with nothing lost.
    async fn goes_on(&self) {
        still_alive(&self.bob, &self.at_bob, &self.ann, &self.at_ann).await;
        still_alive(&self.ann, &self.at_ann, &self.bob, &self.at_bob).await;
        assert_eq!(self.ann.group.status().unwrap(), CONNECTED);
        assert_eq!(self.bob.group.status().unwrap(), CONNECTED);
        assert!(self.ann.directs().is_empty() && self.bob.directs().is_empty());
    }
}

/// Numbers that look random and are the same in every run.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
}

// Bytes that are no frames.

#[tokio::test]
async fn garbage_closes_the_link() {
    let scene = Scene::new().await;
    let (identity, chain) = scene.member();
    let group = scene.ann.group.key();
    let garbage: &[(&[u8], u64)] = &[
        (&[0x00, 0x00], UNSUPPORTED),
        (&[0x3f, 0x00], UNSUPPORTED),
        (&[0x7f, 0xff, 0x00], UNSUPPORTED),
        // A type and a length that are longer than they need be.
        (&[0x40, 0x01, 0x00], PROTOCOL),
        (&[0x10, 0x40, 0x00], PROTOCOL),
        // Bodies that are too short, too long, or not what they should be.
        (&[0x01, 0x00], PROTOCOL),
        (&[0x10, 0x01, 0x00], PROTOCOL),
        (&[0x04, 0x00], PROTOCOL),
        (&[0x40, 0x40, 0x01, 0x00], PROTOCOL),
        (&[0x14, 0x01, 0x01], PROTOCOL),
    ];
    for (bytes, code) in garbage {
        // From a stranger, from a member on its control stream, and on a stream of its own.
        let mallory = scene.stranger().await;
        let _stream = mallory.say(bytes).await;
        assert_eq!(mallory.closed().await, *code, "{bytes:x?}");
        for own_stream in [false, true] {
            let mallory = Hostile::dial(&identity, scene.ann.address()).await;
            let mut control = mallory.session(&group, &chain).await;
            let _stream = match own_stream {
                true => Some(mallory.say(bytes).await),
                false => {
                    control.say(bytes).await;
                    None
                }
            };
            assert_eq!(mallory.closed().await, *code, "{bytes:x?}");
        }
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn noise_harms_nobody() {
    let scene = Scene::new().await;
    let mut attackers = Vec::new();
    for seed in 0..40 {
        let mallory = scene.stranger().await;
        let bytes: Vec<u8> = noise(seed).take(4_096).collect();
        let stream = mallory.say(&bytes).await;
        attackers.push((mallory, stream));
    }
    // And below QUIC, where anybody may send anything.
    let socket = UdpSocket::bind(loopback()).unwrap();
    for seed in 0..500 {
        let length = noise(seed).next().map_or(0, usize::from) * 5;
        let bytes: Vec<u8> = noise(seed + 1).take(length).collect();
        socket.send_to(&bytes, std::net::SocketAddr::from(scene.ann.address())).unwrap();
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn noise_on_a_direct_connection_ends_that_peer_only() {
    let scene = Scene::new().await;
    for bytes in [&[0x00, 0x00][..], &[0x40, 0x43, 0x01, 0x00], &[0x40, 0x44, 0x00]] {
        let (mallory, _control, mut direct, id) = scene.direct().await;
        direct.say(&data(false, b"a good one")).await;
        scene.at_ann.text(id, "a good one").await;
        direct.say(bytes).await;
        assert!([PROTOCOL, UNSUPPORTED].contains(&mallory.closed().await));
        scene.at_ann.disconnected(id, Code::PEER_E_CONNECTION_FAILED).await;
        assert_eq!(scene.ann.close(id), Code::PEER_E_CONNECTION_NOT_FOUND);
    }
    scene.goes_on().await;
}

// Frames that are too long.

#[tokio::test]
async fn oversize_frames_close_the_link_before_they_are_read() {
    let scene = Scene::new().await;
    let head = |kind, length| [varint(kind), varint(length)].concat();
    for bytes in [
        head(kind::HELLO, 513),
        head(kind::MEMBER_PROOF, 32_001),
        head(kind::SESSION_OK, 33_793),
        head(kind::DC_OPEN, 65),
        head(kind::DC_DATA, 1_048_594),
        head(kind::CONNECT, u64::from(u32::MAX)),
        head(kind::HELLO, (1 << 62) - 1),
        head(0x4000, 65_537),
    ] {
        let mallory = scene.stranger().await;
        let _stream = mallory.say(&bytes).await;
        assert_eq!(mallory.closed().await, PROTOCOL, "{bytes:x?}");
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn an_oversize_message_ends_its_connection() {
    let scene = Scene::new().await;
    let (_mallory, _control, mut direct, id) = scene.direct().await;
    let piece = vec![7; 1 << 20];
    for n in 1..=16 {
        direct.say(&data(n < 16, &piece)).await;
    }
    assert_eq!(scene.at_ann.message().await.bytes.len(), 16 << 20, "as long as a message may be");
    for _ in 0..16 {
        direct.say(&data(true, &piece)).await;
    }
    direct.say(&data(false, b"!")).await;
    assert_eq!(direct.reset().await, RESET_VIOLATION);
    let event = scene.at_ann.disconnected(id, Code::PEER_E_CONNECTION_FAILED).await;
    assert_eq!(event.cause, Cause::Protocol);
    scene.goes_on().await;
}

#[tokio::test]
async fn an_oversize_message_is_not_accepted_for_sending() {
    let scene = Scene::new().await;
    let (here, there) = scene.bob.connect(&scene.at_bob, &scene.ann, &scene.at_ann).await;
    let too_long = vec![0; (16 << 20) + 1];
    assert_eq!(send(&scene.bob.group, here, too_long), Code::E_INVALIDARG);
    assert_eq!(send(&scene.bob.group, here, "but this"), Code::S_OK);
    scene.at_ann.text(there, "but this").await;
    assert_eq!(scene.bob.close(here), Code::S_OK);
    scene.at_bob.disconnected(here, Code::S_OK).await;
    scene.at_ann.disconnected(there, Code::S_OK).await;
    scene.goes_on().await;
}

// Frames that are cut off.

#[tokio::test]
async fn truncated_frames_lead_nowhere() {
    let limits = Limits { handshake: 2 * SECOND, proof: 2 * SECOND, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let (identity, chain) = scene.member();
    let group = scene.ann.group.key();
    // Half a hello, and the end of the stream.
    let mallory = Hostile::dial(&identity, scene.ann.address()).await;
    let offer = mallory.offer(&group, &chain);
    for _ in 0..2 {
        let mut stream = mallory.say(&offer[..20]).await;
        stream.send.finish().unwrap();
        assert_eq!(stream.reset().await, RESET_CANCELLED);
    }
    // Half a proof, and silence.
    let _stream = mallory.say(&offer[..offer.len() - 1]).await;
    assert_eq!(mallory.closed().await, NO_SESSION);
    // Half a proof, and the end of the stream: nobody needs the link.
    let mallory = Hostile::dial(&identity, scene.ann.address()).await;
    let offer = mallory.offer(&group, &chain);
    let mut stream = mallory.say(&offer[..offer.len() - 1]).await;
    stream.send.finish().unwrap();
    assert_eq!(mallory.closed().await, SHUTDOWN);
    scene.goes_on().await;
}

#[tokio::test]
async fn a_truncated_message_is_not_delivered() {
    let scene = Scene::new().await;
    let whole = data(false, b"cut me");
    for (bytes, more) in [(&whole[..whole.len() - 1], false), (&data(true, b"more")[..], true)] {
        let (_mallory, _control, mut direct, id) = scene.direct().await;
        direct.say(&data(false, b"whole")).await;
        direct.say(bytes).await;
        direct.send.finish().unwrap();
        scene.at_ann.text(id, "whole").await;
        let event = scene.at_ann.disconnected(id, Code::PEER_E_CONNECTION_FAILED).await;
        assert_eq!(event.cause, Cause::Aborted, "more: {more}");
    }
    scene.goes_on().await;
}

// Frames that were good once.

#[tokio::test]
async fn what_was_said_on_another_link_is_worth_nothing() {
    let limits = Limits { proof: 2 * SECOND, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let (identity, chain) = scene.member();
    let group = scene.ann.group.key();
    let first = Hostile::dial(&identity, scene.ann.address()).await;
    let offer = first.offer(&group, &chain);
    let open = frame(kind::DC_OPEN, &first.tag(&group));
    let _control = first.session(&group, &chain).await;
    let second = Hostile::dial(&identity, scene.ann.address()).await;
    let mut replayed = second.say(&offer).await;
    assert_eq!(replayed.rest().await, frame(kind::NO_SESSION, &[0]));
    let mut replayed = second.say(&open).await;
    assert_eq!(replayed.reset().await, RESET_NO_SESSION);
    scene.goes_on().await;
}

#[tokio::test]
async fn what_was_said_before_on_this_link_is_turned_down() {
    let scene = Scene::new().await;
    let (identity, chain) = scene.member();
    let group = scene.ann.group.key();
    let mallory = Hostile::dial(&identity, scene.ann.address()).await;
    let _control = mallory.session(&group, &chain).await;
    let mut again = mallory.say(&mallory.offer(&group, &chain)).await;
    assert_eq!(again.reset().await, RESET_DUPLICATE);
    // The session that stands does not mind.
    let mut direct = mallory.direct(&group).await;
    let id = scene.at_ann.any_connected().await;
    direct.say(&frame(kind::DC_OPEN, &mallory.tag(&group))).await;
    assert_eq!(direct.reset().await, RESET_VIOLATION);
    scene.at_ann.disconnected(id, Code::PEER_E_CONNECTION_FAILED).await;
    scene.goes_on().await;
}

// Frames that are good, at another time.

#[tokio::test]
async fn the_third_frame_in_a_wrong_state_closes_the_link() {
    let scene = Scene::new().await;
    let mallory = scene.stranger().await;
    for bytes in [frame(kind::WELCOME, &[0]), frame(kind::DC_ACCEPT, &[])] {
        assert_eq!(mallory.say(&bytes).await.reset().await, RESET_VIOLATION);
    }
    let _stream = mallory.say(&frame(kind::CONNECT, &[])).await;
    assert_eq!(mallory.closed().await, PROTOCOL);
    scene.goes_on().await;
}

#[tokio::test]
async fn frames_that_a_standing_connection_does_not_know_end_it() {
    let scene = Scene::new().await;
    let (ack, close) = (kind::DC_CLOSE_ACK, kind::DC_CLOSE);
    for bytes in [
        frame(kind::DC_ACCEPT, &[]),
        frame(ack, &[0]),
        frame(close, &[1]),
        frame(kind::CONNECT, &[]),
        [data(true, b"half a message"), frame(close, &[0])].concat(),
    ] {
        let (_mallory, _control, mut direct, id) = scene.direct().await;
        direct.say(&bytes).await;
        assert_eq!(direct.reset().await, RESET_VIOLATION, "{bytes:x?}");
        let event = scene.at_ann.disconnected(id, Code::PEER_E_CONNECTION_FAILED).await;
        assert_eq!(event.cause, Cause::Protocol, "{bytes:x?}");
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn an_answer_that_is_none_fails_the_open() {
    let scene = Scene::new().await;
    for bytes in [data(false, b"too early"), frame(kind::DC_CLOSE_ACK, &[0]), vec![]] {
        let (mallory, _control) = scene.session().await;
        let address = mallory.endpoint.local_addr().unwrap().into();
        let id = scene.ann.group.open_direct(mallory.key(), address).unwrap();
        let (send, recv) = within(mallory.connection.accept_bi()).await.unwrap();
        let mut stream = Stream { send, recv };
        assert_eq!(stream.frame().await.0, kind::DC_OPEN);
        stream.say(&bytes).await;
        if bytes.is_empty() {
            stream.send.finish().unwrap();
        }
        scene.at_ann.failed(id, Code::PEER_E_CONNECTION_FAILED).await;
        assert_eq!(scene.ann.close(id), Code::PEER_E_CONNECTION_NOT_FOUND);
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn a_confirmation_of_more_than_was_sent_is_no_confirmation() {
    let scene = Scene::new().await;
    let (_mallory, _control, mut direct, id) = scene.direct().await;
    assert_eq!(send(&scene.ann.group, id, "one"), Code::S_OK);
    assert_eq!(scene.ann.close(id), Code::S_OK);
    assert_eq!(direct.frame().await.0, kind::DC_DATA);
    assert_eq!(direct.frame().await, (kind::DC_CLOSE, vec![1]));
    direct.say(&frame(kind::DC_CLOSE_ACK, &[2])).await;
    scene.at_ann.disconnected(id, Code::PEER_E_CONNECTION_FAILED).await;
    // Of less: the data was lost, and Ann is told.
    let (_mallory, _control, mut direct, id) = scene.direct().await;
    assert_eq!(send(&scene.ann.group, id, "one"), Code::S_OK);
    assert_eq!(scene.ann.close(id), Code::S_OK);
    direct.say(&frame(kind::DC_CLOSE_ACK, &[0])).await;
    scene.at_ann.disconnected(id, Code::PEER_E_CONNECTION_FAILED).await;
    scene.goes_on().await;
}

#[tokio::test]
async fn a_flood_of_control_frames_closes_the_link() {
    let scene = Scene::new().await;
    let (mallory, mut control) = scene.session().await;
    control.say(&frame(kind::ADDR_UPDATE, &[0]).repeat(1_000)).await;
    assert_eq!(mallory.closed().await, FLOOD);
    scene.goes_on().await;
}

// Peers that say nothing, or hear nothing.

#[tokio::test]
async fn whoever_connects_and_says_nothing_is_sent_away() {
    let limits = Limits { handshake: 2 * SECOND, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let silent = scene.stranger().await;
    let with_a_stream = scene.stranger().await;
    let _stream = with_a_stream.say(&[0x01]).await;
    scene.goes_on().await;
    assert_eq!(silent.closed().await, NO_SESSION);
    assert_eq!(with_a_stream.closed().await, NO_SESSION);
    scene.goes_on().await;
}

#[tokio::test]
async fn of_too_many_silent_peers_the_oldest_goes() {
    let limits = Limits { strangers: 4, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(scene.stranger().await);
    }
    assert_eq!(silent[0].closed().await, LIMIT);
    scene.goes_on().await;
}

#[tokio::test]
async fn whoever_is_called_and_says_nothing_is_not_waited_for() {
    let limits = Limits { proof: 2 * SECOND, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let (mallory, _) = scene.member();
    let (endpoint, address) = Hostile::listen(&mallory);
    let id = scene.ann.group.open_direct(mallory.key_id(), address).unwrap();
    let _silent = Hostile::accept(&mallory, endpoint).await;
    scene.at_ann.failed(id, Code::PEER_E_CONNECTION_NOT_AUTHENTICATED).await;
    assert_eq!(scene.ann.close(id), Code::PEER_E_CONNECTION_NOT_FOUND);
    scene.goes_on().await;
}

#[tokio::test]
async fn somebody_else_answers() {
    let scene = Scene::new().await;
    let (mallory, _) = scene.member();
    let (endpoint, address) = Hostile::listen(&mallory);
    let answering = tokio::spawn(async move {
        let incoming = endpoint.accept().await.unwrap().accept().unwrap();
        incoming.await.map_or(true, |connection| connection.close_reason().is_none())
    });
    let id = scene.ann.group.open_direct(scene.bob.key(), address).unwrap();
    let event = scene.at_ann.failed(id, Code::PEER_E_CONNECTION_NOT_AUTHENTICATED).await;
    assert_eq!(event.cause.refusal().map(|refusal| refusal.code), Some(Code::CRYPT_E_NO_MATCH));
    within(answering).await.unwrap();
    scene.goes_on().await;
}

#[tokio::test]
async fn whoever_stops_reading_holds_up_nobody_else() {
    let limits = Limits { direct_linger: 2 * SECOND, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let (_mallory, _control, _direct, id) = scene.direct().await;
    let block = Bytes::from(vec![1; 1 << 20]);
    // Until the queue is full; what is refused is not queued.
    let mut accepted = 0;
    loop {
        match scene.ann.group.send(id, TEXT, block.clone()) {
            Ok(()) => accepted += 1,
            Err(error) => {
                assert_eq!(error, SendError::Full);
                assert_eq!(error.code(), Code::E_OUTOFMEMORY);
                break;
            }
        }
    }
    assert!(accepted >= 8, "{accepted} MiB fit");
    assert_eq!(scene.ann.directs(), [id]);
    still_alive(&scene.bob, &scene.at_bob, &scene.ann, &scene.at_ann).await;
    assert_eq!(scene.ann.close(id), Code::S_OK);
    still_alive(&scene.bob, &scene.at_bob, &scene.ann, &scene.at_ann).await;
    // Closing does not wait for ever; that data was lost is said.
    scene.at_ann.disconnected(id, Code::PEER_E_CONNECTION_FAILED).await;
    scene.goes_on().await;
}

#[tokio::test]
async fn whoever_sends_without_end_is_held_back() {
    let scene = Scene::new().await;
    let (_mallory, _control, direct, id) = scene.direct().await;
    const MESSAGES: usize = 40;
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let sending = tokio::spawn(async move {
        let mut direct = direct;
        let message = data(false, &vec![9; 1 << 20]);
        for _ in 0..MESSAGES {
            direct.send.write_all(&message).await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
        }
        direct.say(&frame(kind::DC_CLOSE, &varint(MESSAGES as u64))).await;
        direct
    });
    // Nobody takes anything at Ann's; a second handle sees others come and go all the same.
    let other = scene.ann.another_handle();
    let changes = watch(&other, Filter::of([EventKind::Direct]));
    for _ in 0..5 {
        let theirs = scene.bob.open(&scene.ann);
        scene.at_bob.connected(theirs).await;
        changes.any_connected().await;
        assert_eq!(scene.bob.close(theirs), Code::S_OK);
        scene.at_bob.disconnected(theirs, Code::S_OK).await;
        assert_eq!(changes.direct().await.change, ConnectionChange::Disconnected);
    }
    // 8 MiB untaken, the window of one stream, and what quinn holds ready for sending.
    assert!(written.load(Ordering::SeqCst) < 30, "it is held back");
    let mut taken = 0;
    while taken < MESSAGES {
        match scene.at_ann.next().await {
            GroupEvent::Data(message) => {
                assert_eq!((message.id, message.bytes.len()), (id, 1 << 20));
                taken += 1;
            }
            GroupEvent::Direct(event) => assert_ne!(event.id, id),
            other => panic!("{other:?}"),
        }
    }
    let mut direct = within(sending).await.unwrap();
    let ack = varint(MESSAGES as u64);
    assert_eq!(direct.frame().await, (kind::DC_CLOSE_ACK, ack));
    scene.at_ann.disconnected(id, Code::S_OK).await;
    assert_eq!(changes.direct().await.id, id);
    drop((other, changes));
    scene.goes_on().await;
}

// What the system does.

#[tokio::test]
async fn a_taken_port_is_said_and_can_be_tried_again() {
    let taken = UdpSocket::bind(loopback()).unwrap();
    let address = taken.local_addr().unwrap();
    let identity = p2p_group::Identity::in_memory("Ann").unwrap();
    let node = p2p_group::Node::builder(identity).listen_at([address]).start().unwrap();
    let group = Group::create(&node, "Friends").unwrap();
    let events = watch(&group, Filter::of([EventKind::Status, EventKind::ConnectionFailed]));
    let failed = within(group.connect_and_wait()).await.unwrap_err();
    assert_eq!(failed, ConnectError::Failed(Code::PEER_E_UNABLE_TO_LISTEN));
    let event = events.next().await;
    assert_eq!(event, GroupEvent::ConnectionFailed { reason: failed.code() });
    assert_eq!(group.status().unwrap().bits(), 0);
    drop(taken);
    within(group.connect_and_wait()).await.unwrap();
    assert_eq!(node.listening(), [Address::from(address)]);
    let ann = End { node, group };
    let bob = ann.member(p2p_tests::node("Bob")).await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    still_alive(&ann, &at_ann, &bob, &at_bob).await;
    assert_eq!(bob.group.members(&MemberFilter::default()).unwrap().len(), 2);
}

#[tokio::test]
async fn more_connections_than_a_peer_may_have_are_refused() {
    let limits = Limits { directs_per_peer: 3, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let (mallory, _control) = scene.session().await;
    let group = scene.ann.group.key();
    let mut standing = Vec::new();
    for _ in 0..3 {
        standing.push((mallory.direct(&group).await, scene.at_ann.any_connected().await));
    }
    let mut one_more = mallory.say(&frame(kind::DC_OPEN, &mallory.tag(&group))).await;
    assert_eq!(one_more.frame().await, (kind::DC_REFUSE, vec![0x11]));
    assert!(one_more.rest().await.is_empty());
    still_alive(&scene.bob, &scene.at_bob, &scene.ann, &scene.at_ann).await;
    // Those that stand do not mind; the end of the link is the end of them all.
    for (direct, id) in &mut standing {
        direct.say(&data(false, b"still here")).await;
        scene.at_ann.text(*id, "still here").await;
    }
    mallory.connection.close(7u32.into(), b"without a word");
    for _ in &standing {
        let event = scene.at_ann.direct().await;
        assert!(standing.iter().any(|(_, id)| *id == event.id), "{event:?}");
        assert_eq!(event.change, ConnectionChange::Disconnected);
        assert_eq!(event.cause, Cause::Lost);
        assert_eq!(event.cause.code(), Code::PEER_E_CONNECTION_FAILED);
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn opens_without_a_session_are_held_in_bounds_and_then_dropped() {
    let limits = Limits { proof: 2 * SECOND, handshake: 4 * SECOND, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let mallory = scene.stranger().await;
    let open = frame(kind::DC_OPEN, &mallory.tag(&scene.ann.group.key()));
    let mut opens = Vec::new();
    for _ in 0..8 {
        opens.push(mallory.say(&open).await);
    }
    for open in &mut opens {
        assert_eq!(open.reset().await, RESET_NO_SESSION);
    }
    assert_eq!(scene.at_ann.now(), None, "nobody here hears of it");
    assert_eq!(mallory.closed().await, NO_SESSION);
    scene.goes_on().await;
}
