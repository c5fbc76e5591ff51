//! A stranger with real sockets. Whoever can reach a node's port may complete a handshake with it, and learns nothing but
//! its key. What it may probe, and which test plays it:
//!
//! | what a stranger probes | test |
//! | --- | --- |
//! | why it is refused, by the bytes, by the moment, by what follows | [`every_cause_is_refused_alike_and_not_before_its_time`] |
//! | the same in virtual time, to the microsecond | `p2p-core`: `the_refusal_leaves_25_ms_after_the_last_byte_for_every_reason`, `a_proof_that_is_taken_back_looks_the_same_for_every_reason` |
//! | how long a check took, and whether there was one | `p2p-core`: `a_refusal_that_had_to_wait_for_its_check_does_not_tell_how_long_the_check_took` |
//! | a group it knows of, by the life of its link, a second hello, a group that closes, a "duplicate" | `p2p-core`: `a_member_of_one_group_cannot_probe_for_another_by_the_life_of_its_link`, `a_second_hello_for_a_group_tells_nothing`, `a_proof_that_waits_for_an_answer_tells_nothing_when_its_group_closes`, `a_stream_that_its_opener_calls_a_duplicate_tells_nothing` |
//! | whether a group has a password, or is here at all, by guessing | [`groups_with_and_without_a_password_answer_a_guess_alike`]; `p2p-core`: `a_stranger_sees_the_same_whether_the_group_is_here_has_a_password_or_is_not`, `a_share_that_is_none_is_refused_alike_everywhere` |
//! | more guesses than may be made | `p2p-core`: `tries_are_answered_ever_more_slowly_for_known_and_unknown_groups`, `exchanges_are_bounded_and_who_comes_then_is_refused_like_all` |
//! | more proofs than may be checked | [`proofs_over_the_limit_wait_and_are_not_turned_away`] |
//! | the same by source prefix, which loopback has none of | `p2p-core`: `checks_over_the_limit_wait_and_are_not_refused`, `one_source_does_not_use_up_the_checks_of_others` |
//! | more handshakes than may be under way | `p2p-transport`: `newcomers_are_admitted_within_the_limits_of_their_prefix`, `newcomers_are_admitted_within_the_limits_of_the_node` |
//! | more links than strangers may have, and links without a word | `bad_input`: `of_too_many_silent_peers_the_oldest_goes`, `whoever_connects_and_says_nothing_is_sent_away` |
//! | names, in the handshake | [`a_handshake_shows_one_certificate_of_key_and_authority_only`] |
//! | names, by waiting for what is said without being asked | [`whoever_has_proved_nothing_is_sent_nothing`] |
//! | names, by answering at somebody's address | [`only_a_dial_to_a_bare_address_shows_a_chain_to_whoever_answers`] |
//! | names, by asking for one | [`a_server_name_changes_nothing`] |
//! | early data, tickets, resumption | [`early_data_and_foreign_tickets_are_not_taken`], [`nobody_gets_a_ticket`], [`a_node_that_dials_takes_no_ticket`] |
//! | TLS 1.2 | [`a_hello_of_tls_1_2_is_turned_away`] |
//! | other versions of QUIC | [`one_version_of_quic_is_spoken`] |
//! | other application protocols | [`other_protocols_are_turned_away`] |
//! | other signature schemes, other kinds of keys | [`other_signatures_and_keys_are_turned_away`] |
//! | no certificate, two certificates | [`one_certificate_is_needed`] |
//! | certificates that are not of the profile, or of another key | `p2p-transport`: `who_shows_no_good_certificate_is_turned_away_in_the_handshake`, `a_server_whose_key_is_not_its_certificates_is_refused`; `p2p-crypto`: the corpus of `refusals` |
//! | another's place, by naming its instance id | [`somebody_elses_instance_id_evicts_nobody`] |
//! | what was said on another link, or before on this one | `bad_input`: `what_was_said_on_another_link_is_worth_nothing`, `what_was_said_before_on_this_link_is_turned_down` |
//! | bytes that are no frames | `bad_input`: `garbage_closes_the_link`, `noise_harms_nobody`, `oversize_frames_close_the_link_before_they_are_read` |
//!
//! Times are asserted from below only: what must not happen early. Nothing here fails because a machine is slow.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use p2p_core::{FileTime, ObjectKind, Reason, Roles, SECOND};
use p2p_crypto::{Identity, RevocationRequest, revoke};
use p2p_group::{Address, Code, Group, GroupOptions, GroupPassword, KeyId, Limits};
use p2p_tests::foreign::{Tickets, alert, generous, shown_key};
use p2p_tests::forge::{DAY, Forge, certificates, chain_of, stranger};
use p2p_tests::hostile::{INSTANCE, Stream, data, frame, kind, varint};
use p2p_tests::{End, Foreign, Hostile, Watch, loopback, node, start, still_alive, within};
use quinn::crypto::rustls::HandshakeData;
use quinn::{ConnectionError, VarInt};
use rustls::SignatureScheme;
use tokio::task::JoinSet;

const NO_SESSION: u64 = 0x206;
const UNSUPPORTED_FRAME: u64 = 0x204;
const REPLACED: u64 = 0x208;
const RESET_NO_SESSION: u64 = 0x22;
/// Alerts of TLS (RFC 8446 §6).
const HANDSHAKE_FAILURE: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;
const CERTIFICATE_REQUIRED: u8 = 116;
const NO_APPLICATION_PROTOCOL: u8 = 120;
/// That of every certificate that is not as it should be.
const ACCESS_DENIED: u8 = 49;

/// Ann, who has had a group for a year, and Bob; and the keys of Ann's group.
struct Scene {
    forge: Forge,
    ann: End,
    bob: End,
    at_ann: Watch,
    at_bob: Watch,
    _home: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Scene {
        Scene::with(Limits::default()).await
    }

    /// With other limits at Ann's.
    async fn with(limits: Limits) -> Scene {
        let home = tempfile::tempdir().unwrap();
        let forge = Forge::new(home.path());
        let ann = forge.open(limits).await;
        let bob = ann.member(node("Bob")).await;
        let (at_ann, at_bob) = (ann.watch(), bob.watch());
        Scene { forge, ann, bob, at_ann, at_bob, _home: home }
    }

    fn group(&self) -> KeyId {
        self.forge.group()
    }

    /// A good membership for `identity`.
    fn chain(&self, identity: &Identity) -> Bytes {
        self.ann.invite_info(&identity.info()).chain().clone()
    }

    /// A new identity, a good membership for it, and its connection with Ann.
    async fn member(&self) -> (Hostile, Bytes) {
        let identity = stranger("Carol");
        (Hostile::dial(&identity, self.ann.address()).await, self.chain(&identity))
    }

    async fn goes_on(&self) {
        still_alive(&self.bob, &self.at_bob, &self.ann, &self.at_ann).await;
        still_alive(&self.ann, &self.at_ann, &self.bob, &self.at_bob).await;
    }
}

// Why it is refused.

/// What a stranger sees of a node, all of it.
#[derive(Debug, PartialEq)]
struct Seen {
    /// What came back on the stream of the proof, to its end.
    answer: Vec<u8>,
    /// How a direct connection ended that was announced beside the proof.
    direct: u64,
    /// How the link ended.
    closed: u64,
    /// And in which words.
    words: Vec<u8>,
}

/// Shows a chain to whoever listens at `to` as a member of `group` would, and waits for the end.
async fn probe(identity: Identity, to: Address, group: KeyId, chain: Bytes) -> Seen {
    let mallory = Hostile::dial(&identity, to).await;
    let mut direct = mallory.say(&frame(kind::DC_OPEN, &mallory.tag(&group))).await;
    let offer = mallory.offer(&group, &chain);
    let (last, before) = offer.split_last().unwrap();
    let mut control = mallory.say(before).await;
    let start = Instant::now();
    control.say(&[*last]).await;
    let (answer, body) = control.frame().await;
    let taken = start.elapsed();
    assert!(taken >= Duration::from_millis(25), "answered after {taken:?}");
    let mut answer = frame(answer, &body);
    answer.extend(control.rest().await);
    let direct = direct.reset().await;
    let (closed, words) = end(&mallory).await;
    Seen { answer, direct, closed, words }
}

/// How the other side closes a connection.
async fn end(mallory: &Hostile) -> (u64, Vec<u8>) {
    match within(mallory.connection.closed()).await {
        ConnectionError::ApplicationClosed(end) => {
            (end.error_code.into_inner(), end.reason.to_vec())
        }
        other => panic!("not closed on purpose: {other}"),
    }
}

/// Gives Ann an object, as any member would that has it.
async fn spread(scene: &Scene, kind_of: ObjectKind, bytes: &Bytes) {
    let (carol, chain) = scene.member().await;
    let mut control = carol.session(&scene.group(), &chain).await;
    let (dave, chain) = scene.member().await;
    let mut at_dave = dave.session(&scene.group(), &chain).await;
    let id = p2p_crypto::verify_object(&scene.group(), kind_of, bytes).unwrap().id();
    control.say(&frame(kind::OBJECT_IDS, &[&[1][..], &id.0].concat())).await;
    while control.frame().await != (kind::OBJECT_WANT, [&[1][..], &id.0].concat()) {}
    let object = [&varint(kind_of.number().into()), &id.0[..], bytes].concat();
    control.say(&frame(kind::OBJECT, &object)).await;
    // She hands on what she has.
    while at_dave.frame().await != (kind::OBJECT, object.clone()) {}
}

#[tokio::test]
async fn every_cause_is_refused_alike_and_not_before_its_time() {
    let limits = Limits { handshake: 5 * SECOND, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let (now, group) = (p2p_group::now(), scene.group());
    // A second group of the same node, which is not online.
    let offline = Group::create(&scene.ann.node, "Others").unwrap();
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [elsewhere, nobodys] = homes.each_ref().map(|home| Forge::new(home.path()));

    let mut probes: Vec<(&str, Identity, KeyId, Bytes)> = Vec::new();
    let mut add = |name, group, make: &dyn Fn(&Identity) -> Bytes| {
        let identity = stranger("Mallory");
        let chain = make(&identity);
        probes.push((name, identity, group, chain));
    };
    let issued = |forge: &Forge, who: &Identity, from: FileTime, to: Option<FileTime>| {
        forge.issue(&who.info(), from, to).chain().clone()
    };
    let (month_ago, day_ago) = (now.minus_seconds(30 * DAY), now.minus_seconds(DAY));
    add("a group that nobody here knows", nobodys.group(), &|who| issued(&nobodys, who, now, None));
    add("a group that is not online", offline.key(), &|who| {
        offline.invite(&who.info(), Default::default()).unwrap().chain().clone()
    });
    add("no chain", group, &|_| Bytes::new());
    add("no certificates", group, &|_| Bytes::from_static(b"\x00\x03abc"));
    add("a chain that is cut off", group, &|who| {
        let chain = scene.chain(who);
        chain.slice(..chain.len() - 1)
    });
    add("the root alone", group, &|who| chain_of(&certificates(&scene.chain(who))[..1]).into());
    add("a forged signature", group, &|who| {
        let mut chain = scene.chain(who).to_vec();
        *chain.last_mut().unwrap() ^= 1;
        chain.into()
    });
    add("signed by a stranger", group, &|who| {
        let mut list = certificates(scene.forge.chain());
        list.push(certificates(&issued(&nobodys, who, now, None)).pop().unwrap());
        chain_of(&list).into()
    });
    add("another group's chain", group, &|who| issued(&elsewhere, who, now, None));
    add("somebody else's chain", group, &|_| scene.bob.group.own().chain.clone());
    add("expired", group, &|who| issued(&scene.forge, who, month_ago, Some(day_ago)));
    add("not begun", group, &|who| issued(&scene.forge, who, now.plus_seconds(DAY), None));
    add("one certificate too many", group, &|who| {
        let mut list = certificates(&scene.forge.longest().1);
        list.push(certificates(&scene.chain(who)).pop().unwrap());
        chain_of(&list).into()
    });
    add("revoked", group, &|who| scene.chain(who));
    let request = RevocationRequest {
        target: probes.last().unwrap().1.key_id(),
        serial: None,
        reason: Reason::Unspecified,
        now,
    };
    let revocation = revoke(scene.forge.creator(), scene.forge.chain(), &request).unwrap();
    spread(&scene, ObjectKind::Revocation, &revocation).await;

    let mut running = JoinSet::new();
    for (name, identity, group, chain) in probes {
        let to = scene.ann.address();
        running.spawn(async move { (name, probe(identity, to, group, chain).await) });
    }
    let refused = Seen {
        answer: frame(kind::NO_SESSION, &[0]),
        direct: RESET_NO_SESSION,
        closed: NO_SESSION,
        words: Vec::new(),
    };
    let mut count = 0;
    while let Some(probed) = within(running.join_next()).await {
        let (name, seen) = probed.unwrap();
        assert_eq!(seen, refused, "{name}");
        count += 1;
    }
    assert_eq!(count, 14);
    scene.goes_on().await;
}

/// The generator of P-256 (SEC 2 §2.4.2): a share that anybody can send.
const ANY_SHARE: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                         4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

#[tokio::test]
async fn groups_with_and_without_a_password_answer_a_guess_alike() {
    let limits = Limits { handshake: 4 * SECOND, password: 4 * SECOND, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let password = GroupPassword::new("correct horse battery", Roles::MEMBER);
    let options = GroupOptions { password: Some(password), ..GroupOptions::default() };
    let guarded = Group::create(&scene.ann.node, options).unwrap();
    within(guarded.connect_and_wait()).await.unwrap();
    let digit = |at| u8::from_str_radix(&ANY_SHARE[at..at + 2], 16).unwrap();
    let share: Vec<u8> = (0..ANY_SHARE.len()).step_by(2).map(digit).collect();
    let mut running = JoinSet::new();
    for group in [scene.group(), guarded.key(), KeyId([9; 32])] {
        for confirmation in [&[][..], &[7; 32], &[7; 600]] {
            let (to, share) = (scene.ann.address(), share.clone());
            running.spawn(async move {
                let mallory = Hostile::dial(&stranger("Mallory"), to).await;
                let hello = frame(kind::HELLO, &mallory.hello(&group));
                let ask = [hello, frame(kind::PAKE_SHARE, &share)].concat();
                let mut control = mallory.say(&ask).await;
                let (answer, body) = control.frame().await;
                assert_eq!((answer, body.len()), (kind::PAKE_ANSWER, 97));
                let confirm = frame(kind::PAKE_CONFIRM, confirmation);
                let (last, before) = confirm.split_last().unwrap();
                control.say(before).await;
                let start = Instant::now();
                control.say(&[*last]).await;
                let (refusal, reason) = control.frame().await;
                let taken = start.elapsed();
                assert!(taken >= Duration::from_millis(25), "answered after {taken:?}");
                let rest = [frame(refusal, &reason), control.rest().await].concat();
                (rest, end(&mallory).await)
            });
        }
    }
    let mut count = 0;
    while let Some(seen) = within(running.join_next()).await {
        let expected = (frame(kind::NO_SESSION, &[0]), (NO_SESSION, Vec::new()));
        assert_eq!(seen.unwrap(), expected);
        count += 1;
    }
    assert_eq!(count, 9);
    drop(guarded);
    scene.goes_on().await;
}

#[tokio::test]
async fn proofs_over_the_limit_wait_and_are_not_turned_away() {
    // Four checks at once, then four a second; Bob's has had one of the first four, or its place is taken again.
    let scene = Scene::with(Limits { checks: 4, ..Limits::default() }).await;
    let (to, group) = (scene.ann.address(), scene.group());
    let start = Instant::now();
    let mut strangers = JoinSet::new();
    for n in 0..12 {
        let unknown = KeyId([n; 32]);
        strangers.spawn(async move {
            let mallory = Hostile::dial(&stranger("Mallory"), to).await;
            // Groups that are known and groups that are not take their turns alike.
            let group = if n % 2 == 0 { group } else { unknown };
            let mut control = mallory.say(&mallory.offer(&group, b"\x00\x03abc")).await;
            control.rest().await
        });
    }
    let mut members = JoinSet::new();
    for _ in 0..4 {
        let identity = stranger("Carol");
        let chain = scene.chain(&identity);
        members.spawn(async move {
            let carol = Hostile::dial(&identity, to).await;
            carol.session(&group, &chain).await;
        });
    }
    while let Some(answer) = within(strangers.join_next()).await {
        assert_eq!(answer.unwrap(), frame(kind::NO_SESSION, &[0]), "waited, and then told");
    }
    while let Some(done) = within(members.join_next()).await {
        done.unwrap();
    }
    // Sixteen checks: twelve of them had to wait, the last one for three seconds.
    let taken = start.elapsed();
    assert!(taken >= Duration::from_secs(3), "sixteen checks in {taken:?}");
    scene.goes_on().await;
}

// Names.

#[tokio::test]
async fn a_handshake_shows_one_certificate_of_key_and_authority_only() {
    let scene = Scene::new().await;
    let creator = scene.forge.creator();
    let (endpoint, connection) =
        Foreign::of(&stranger("Mallory")).dial(scene.ann.address()).await.unwrap();
    let (key, certificate) = shown_key(&connection);
    assert_eq!(key, creator.key_id());
    let has = |bytes: &[u8]| certificate.windows(bytes.len()).any(|window| window == bytes);
    let (authority, _) = creator.name().as_str().split_once('.').unwrap();
    assert!(has(authority.as_bytes()), "the key's hash");
    let group = scene.ann.group.name().as_str().split_once('.').unwrap().0.to_owned();
    for secret in ["Ann", "Friends", "Bob", &group] {
        assert!(!has(secret.as_bytes()), "{secret}");
    }
    assert!(!has(&scene.group().0));
    // It is the same for everybody, and there is nothing else in it than in any identity's.
    let length = stranger("Somebody with a long name").tls_certificate().len();
    assert_eq!(certificate.len(), length);
    drop((endpoint, connection));
    scene.goes_on().await;
}

#[tokio::test]
async fn whoever_has_proved_nothing_is_sent_nothing() {
    let limits = Limits { handshake: 3 * SECOND, proof: 2 * SECOND, ..Limits::default() };
    let scene = Scene::with(limits).await;
    let to = scene.ann.address();
    let mut running = JoinSet::new();
    for group in [scene.group(), KeyId([9; 32])] {
        for step in 0..5 {
            let identity = stranger("Mallory");
            let good = scene.chain(&identity);
            running.spawn(async move {
                let mallory = Hostile::dial(&identity, to).await;
                let hello = frame(kind::HELLO, &mallory.hello(&group));
                let offer = mallory.offer(&group, &good);
                let open = frame(kind::DC_OPEN, &mallory.tag(&group));
                let said: &[u8] = match step {
                    0 => &[],
                    1 => &hello,
                    2 => &offer[..hello.len() + 3],
                    // All of a good proof but its last byte.
                    3 => &offer[..offer.len() - 1],
                    _ => &open,
                };
                let _stream = mallory.say(said).await;
                let closed = end(&mallory).await;
                // Not one frame with a byte of a stream, in all the life of the link.
                assert_eq!(mallory.connection.stats().frame_rx.stream, 0, "step {step}");
                (step, closed)
            });
        }
    }
    let mut count = 0;
    while let Some(seen) = within(running.join_next()).await {
        let (step, closed) = seen.unwrap();
        assert_eq!(closed, (NO_SESSION, Vec::new()), "step {step}");
        count += 1;
    }
    assert_eq!(count, 10);
    scene.goes_on().await;
}

#[tokio::test]
async fn only_a_dial_to_a_bare_address_shows_a_chain_to_whoever_answers() {
    let scene = Scene::new().await;
    let mallory = stranger("Mallory");
    // By key, and by name, which is what C programs know.
    let (endpoint, address) = Hostile::listen(&mallory);
    let by_key = scene.ann.group.open_direct(scene.bob.key(), address).unwrap();
    in_vain(&endpoint).await;
    let refused = Code::PEER_E_CONNECTION_NOT_AUTHENTICATED;
    scene.at_ann.failed(by_key, refused).await;
    let by_name = scene.ann.group.open_direct(scene.bob.name(), address).unwrap();
    in_vain(&endpoint).await;
    scene.at_ann.failed(by_name, refused).await;
    // By the hints of an invitation.
    let dave = stranger("Dave");
    let invitation = scene.forge.invite_by(&dave.info(), address);
    let dave = start(dave.into(), Limits::default());
    let group = Group::join(&dave, &invitation).unwrap();
    group.connect().unwrap();
    in_vain(&endpoint).await;
    drop((group, dave));
    // By its address alone, because the user said so: that is documented.
    scene.ann.group.connect_by_address(&[address]).unwrap();
    let called = Hostile::accept(&mallory, endpoint).await;
    assert_eq!(shown_key(&called.connection).0, scene.ann.key());
    let said = called.connection.handshake_data().unwrap().downcast::<HandshakeData>().unwrap();
    assert_eq!(said.server_name, None, "a dial says no name");
    assert_eq!(said.protocol.as_deref(), Some(&b"pgrp/1"[..]));
    let (send, recv) = within(called.connection.accept_bi()).await.unwrap();
    let mut control = Stream { send, recv };
    assert_eq!(control.frame().await.0, kind::HELLO);
    let chain = scene.ann.group.own().chain.to_vec();
    assert_eq!(control.frame().await, (kind::MEMBER_PROOF, chain));
    drop(called);
    scene.goes_on().await;
}

/// Whoever comes next goes before it has shown even its certificate.
async fn in_vain(endpoint: &quinn::Endpoint) {
    let incoming = within(endpoint.accept()).await.expect("somebody comes");
    let outcome = within(incoming.accept().unwrap()).await;
    let error = outcome.expect_err("the handshake cannot be completed");
    assert_eq!(alert(&error), Some(ACCESS_DENIED), "{error}");
}

#[tokio::test]
async fn a_server_name_changes_nothing() {
    let scene = Scene::new().await;
    let (group, address) = (scene.ann.group.name().as_str(), scene.ann.address());
    let authority = group.split_once('.').unwrap().0;
    let names = [None, Some("friends.example"), Some("ann"), Some(authority)];
    let mut shown = Vec::new();
    for name in names {
        let identity = stranger("Mallory");
        let chain = scene.chain(&identity);
        let mut client = Foreign::of(&identity);
        client.server_name = name.map(str::to_owned);
        let (endpoint, connection) = client.dial(address).await.unwrap();
        shown.push(shown_key(&connection));
        let said = connection.handshake_data().unwrap().downcast::<HandshakeData>().unwrap();
        assert_eq!(said.server_name, None, "no name comes back");
        // It is neither better off nor worse than anybody else.
        let mallory = Hostile::made(&identity, endpoint, connection);
        let mut control = mallory.say(&mallory.offer(&scene.group(), &[])).await;
        assert_eq!(control.rest().await, frame(kind::NO_SESSION, &[0]), "{name:?}");
        mallory.session(&scene.group(), &chain).await;
    }
    assert!(shown.iter().all(|one| *one == shown[0]));
    scene.goes_on().await;
}

// What would let a connection stand whose certificate was not looked at.

#[tokio::test]
async fn nobody_gets_a_ticket() {
    let scene = Scene::new().await;
    let identity = stranger("Carol");
    let chain = scene.chain(&identity);
    let tickets = Arc::<Tickets>::default();
    let mut client = Foreign::of(&identity);
    client.tickets = Some(Arc::clone(&tickets));
    let (config, looked) = client.config();
    let endpoint = client.endpoint();
    for round in 1..=3 {
        let address = scene.ann.address().into();
        let connecting = endpoint.connect_with(config.clone(), address, "peer").unwrap();
        let connecting =
            connecting.into_0rtt().map(drop).expect_err("nothing to send early data with");
        let connection = within(connecting).await.unwrap();
        let carol = Hostile::made(&identity, endpoint.clone(), connection);
        // Tickets would have come before anything that is said here.
        let mut control = carol.session(&scene.group(), &chain).await;
        control.say(&frame(kind::CONNECT, &[])).await;
        control.frame().await;
        assert_eq!((tickets.count(), looked.load(Ordering::SeqCst)), (0, round));
        carol.connection.close(VarInt::from_u32(0x200), b"");
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn early_data_and_foreign_tickets_are_not_taken() {
    let scene = Scene::new().await;
    let identity = stranger("Carol");
    let chain = scene.chain(&identity);
    // A ticket, but of another server.
    let (server, _) = generous(&stranger("Mallory"));
    let elsewhere = server.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let connection = server.accept().await.unwrap().await.unwrap();
        connection.closed().await;
    });
    let tickets = Arc::<Tickets>::default();
    let mut client = Foreign::of(&identity);
    client.tickets = Some(Arc::clone(&tickets));
    let (config, looked) = client.config();
    let endpoint = client.endpoint();
    let connecting = endpoint.connect_with(config.clone(), elsewhere, "peer").unwrap();
    let connection = within(connecting).await.unwrap();
    tickets.wait().await;
    connection.close(VarInt::from_u32(0), b"");
    within(serving).await.unwrap();
    // Taken to Ann, with data that would end the link if anybody read it.
    let connecting = endpoint.connect_with(config, scene.ann.address().into(), "peer").unwrap();
    let (connection, accepted) = connecting.into_0rtt().map_err(drop).expect("a ticket");
    let (mut early, _recv) = within(connection.open_bi()).await.unwrap();
    within(early.write_all(&[0x00, 0x00])).await.unwrap();
    assert!(!within(accepted).await, "early data is not read");
    assert_eq!(looked.load(Ordering::SeqCst), 2, "both handshakes were whole ones");
    assert_eq!(connection.close_reason(), None);
    let carol = Hostile::made(&identity, endpoint, connection);
    carol.session(&scene.group(), &chain).await;
    // The same bytes again, where they are read.
    let _stream = carol.say(&[0x00, 0x00]).await;
    assert_eq!(carol.closed().await, UNSUPPORTED_FRAME);
    scene.goes_on().await;
}

#[tokio::test]
async fn a_node_that_dials_takes_no_ticket() {
    let scene = Scene::new().await;
    let (server, looked) = generous(&stranger("Mallory"));
    let address = Address::from(server.local_addr().unwrap());
    for round in 1..=3 {
        scene.ann.group.connect_by_address(&[address]).unwrap();
        let connection =
            within(within(server.accept()).await.unwrap().accept().unwrap()).await.unwrap();
        // Her hello is there: so are the tickets.
        let (send, recv) = within(connection.accept_bi()).await.unwrap();
        assert_eq!(Stream { send, recv }.frame().await.0, kind::HELLO);
        assert_eq!(looked.load(Ordering::SeqCst), round, "she shows her certificate again");
        connection.close(VarInt::from_u32(0x200), b"");
    }
    scene.goes_on().await;
}

// Downgrades.

/// The extension of a ClientHello that names the versions of TLS, with TLS 1.3 alone (RFC 8446 §4.2.1).
const VERSIONS: [u8; 7] = [0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x04];

fn replace_versions(hello: &mut [u8], by: [u8; 7]) {
    let at = hello.windows(7).position(|window| window == VERSIONS).expect("TLS 1.3 is offered");
    hello[at..at + 7].copy_from_slice(&by);
}

#[tokio::test]
async fn a_hello_of_tls_1_2_is_turned_away() {
    let scene = Scene::new().await;
    let ways: [fn(&mut Vec<u8>); 3] = [
        // TLS 1.2 and nothing else; no word of versions, as in TLS 1.2 itself; a version that is none.
        |hello| replace_versions(hello, [0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x03]),
        |hello| replace_versions(hello, [0xfa, 0xfa, 0x00, 0x03, 0x02, 0x03, 0x04]),
        |hello| replace_versions(hello, [0x00, 0x2b, 0x00, 0x03, 0x02, 0x7f, 0x1c]),
    ];
    for (at, tamper) in ways.into_iter().enumerate() {
        let mut client = Foreign::of(&stranger("Mallory"));
        client.tamper = Some(tamper);
        let fate = client.fate(scene.ann.address()).await;
        assert_eq!(alert(&fate), Some(PROTOCOL_VERSION), "{at}: {fate}");
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn one_version_of_quic_is_spoken() {
    let scene = Scene::new().await;
    // The drafts that quinn knows besides.
    for version in [0xff00_001d, 0xff00_0020, 0xff00_0022] {
        let mut client = Foreign::of(&stranger("Mallory"));
        client.version = version;
        let fate = client.fate(scene.ann.address()).await;
        assert_eq!(fate, ConnectionError::VersionMismatch, "{version:x}");
    }
    // What is offered to whoever speaks another (RFC 8999 §6): version 1, and one of those that never are.
    let socket = UdpSocket::bind(loopback()).unwrap();
    socket.set_read_timeout(Some(p2p_tests::PATIENCE)).unwrap();
    let mut packet = vec![0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 4, 9, 9, 9, 9];
    packet.resize(1_200, 0);
    socket.send_to(&packet, std::net::SocketAddr::from(scene.ann.address())).unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        let mut answer = vec![0; 1_500];
        let length = socket.recv(&mut answer).expect("an answer");
        answer.truncate(length);
        answer
    });
    let answer = within(answer).await.unwrap();
    let head = [0, 0, 0, 0, 4, 9, 9, 9, 9, 8, 1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(&answer[1..19], head, "no version, and both ids");
    let versions = answer[19..].chunks(4).map(|four| u32::from_be_bytes(four.try_into().unwrap()));
    let real: Vec<u32> = versions.filter(|version| version & 0x0f0f_0f0f != 0x0a0a_0a0a).collect();
    assert_eq!(real, [1]);
    scene.goes_on().await;
}

#[tokio::test]
async fn other_protocols_are_turned_away() {
    let scene = Scene::new().await;
    for alpn in [&["h3"][..], &["pgrp/0"], &["pgrp/2"], &["pgrp/1 "], &["h3", "pgrp/2"], &[]] {
        let mut client = Foreign::of(&stranger("Mallory"));
        client.alpn = alpn.to_vec();
        let fate = client.fate(scene.ann.address()).await;
        assert_eq!(alert(&fate), Some(NO_APPLICATION_PROTOCOL), "{alpn:?}: {fate}");
    }
    // Offered beside others, it is the one that is chosen.
    let mut client = Foreign::of(&stranger("Mallory"));
    client.alpn = vec!["h3", "pgrp/2", "pgrp/1"];
    let (_endpoint, connection) = client.dial(scene.ann.address()).await.unwrap();
    let said = connection.handshake_data().unwrap().downcast::<HandshakeData>().unwrap();
    assert_eq!(said.protocol.as_deref(), Some(&b"pgrp/1"[..]));
    scene.goes_on().await;
}

#[tokio::test]
async fn other_signatures_and_keys_are_turned_away() {
    let scene = Scene::new().await;
    // A client that would not understand Ann's signature.
    for scheme in [
        SignatureScheme::RSA_PSS_SHA256,
        SignatureScheme::RSA_PKCS1_SHA256,
        SignatureScheme::ECDSA_NISTP384_SHA384,
        SignatureScheme::ED448,
    ] {
        let mut client = Foreign::of(&stranger("Mallory"));
        client.schemes = vec![scheme];
        let fate = client.fate(scene.ann.address()).await;
        assert_eq!(alert(&fate), Some(HANDSHAKE_FAILURE), "{scheme:?}: {fate}");
    }
    // Clients with keys that identities do not have, and certificates of the common kind.
    let keys: [(&str, &[u8], &[u8]); 2] = [
        ("RSA", include_bytes!("data/rsa.der"), include_bytes!("data/rsa.p8")),
        ("P-384", include_bytes!("data/p384.der"), include_bytes!("data/p384.p8")),
    ];
    for (name, certificate, key) in keys {
        let own = Foreign::of(&stranger("Mallory"));
        let foreign = Foreign {
            certificates: vec![certificate.to_vec()],
            key: key.to_vec(),
            ..Foreign::of(&stranger("Mallory"))
        };
        let fate = foreign.fate(scene.ann.address()).await;
        // There is no scheme in common with which such a key could sign, so it has nothing to show.
        assert_eq!(alert(&fate), Some(CERTIFICATE_REQUIRED), "{name}: {fate}");
        // With a good certificate before it, and with a good key behind it.
        let others = Foreign { certificates: own.certificates.clone(), key: key.to_vec(), ..own };
        let fate = others.fate(scene.ann.address()).await;
        assert!(alert(&fate).is_some(), "{name}: {fate}");
        let mixed = Foreign {
            certificates: vec![certificate.to_vec()],
            ..Foreign::of(&stranger("Mallory"))
        };
        let fate = mixed.fate(scene.ann.address()).await;
        assert_eq!(alert(&fate), Some(ACCESS_DENIED), "{name}: {fate}");
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn one_certificate_is_needed() {
    let scene = Scene::new().await;
    let mut client = Foreign::of(&stranger("Mallory"));
    client.certificates.clear();
    let fate = client.fate(scene.ann.address()).await;
    assert_eq!(alert(&fate), Some(CERTIFICATE_REQUIRED), "{fate}");
    // Two: her own and Ann's, in either order, and her own twice.
    let anns = scene.forge.creator().tls_certificate();
    for order in [[true, false], [false, true], [true, true]] {
        let mut client = Foreign::of(&stranger("Mallory"));
        let own = client.certificates.remove(0);
        client.certificates =
            order.map(|first| if first { own.clone() } else { anns.to_vec() }).to_vec();
        let fate = client.fate(scene.ann.address()).await;
        assert_eq!(alert(&fate), Some(ACCESS_DENIED), "{order:?}: {fate}");
    }
    // Ann's alone, with another's key: the signature does not fit.
    let mut client = Foreign::of(&stranger("Mallory"));
    client.certificates = vec![anns.to_vec()];
    let fate = client.fate(scene.ann.address()).await;
    assert!(alert(&fate).is_some(), "{fate}");
    scene.goes_on().await;
}

// Another's place.

#[tokio::test]
async fn somebody_elses_instance_id_evicts_nobody() {
    let scene = Scene::new().await;
    let group = scene.group();
    let carols = stranger("Carol");
    let chain = scene.chain(&carols);
    let carol = Hostile::dial(&carols, scene.ann.address()).await;
    let _control = carol.session(&group, &chain).await;
    let mut direct = carol.direct(&group).await;
    let id = scene.at_ann.any_connected().await;
    let offer = |peer: &Hostile, instance, previous, chain: &[u8]| {
        let hello = peer.hello_of(&group, instance, previous);
        [frame(kind::HELLO, &hello), frame(kind::MEMBER_PROOF, chain)].concat()
    };
    // A stranger says it was Carol, and that it is she.
    let mallory = Hostile::dial(&stranger("Mallory"), scene.ann.address()).await;
    let mut refused = Vec::new();
    for (instance, previous) in [(7, INSTANCE), (INSTANCE, 0)] {
        let mut control = mallory.say(&offer(&mallory, instance, previous, &chain)).await;
        assert_eq!(control.rest().await, frame(kind::NO_SESSION, &[0]));
        refused.push(control);
    }
    // So does another member, whose session is a good one.
    for (instance, previous) in [(8, INSTANCE), (INSTANCE, 8)] {
        let (dave, his) = scene.member().await;
        let mut control = dave.say(&offer(&dave, instance, previous, &his)).await;
        assert_eq!(control.frame().await.0, kind::SESSION_OK);
        direct.say(&data(false, b"still here")).await;
        scene.at_ann.text(id, "still here").await;
        assert_eq!(carol.connection.close_reason(), None);
    }
    // Carol herself, started again: her old link goes at once.
    let again = Hostile::dial(&carols, scene.ann.address()).await;
    let mut control = again.say(&offer(&again, 9, INSTANCE, &chain)).await;
    assert_eq!(control.frame().await.0, kind::SESSION_OK);
    assert_eq!(carol.closed().await, REPLACED);
    scene.at_ann.disconnected(id, Code::PEER_E_CONNECTION_FAILED).await;
    scene.goes_on().await;
}
