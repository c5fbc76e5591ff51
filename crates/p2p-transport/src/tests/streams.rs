//! Streams: bytes, credit, limits, and all the ways to end.

use p2p_core::{DownCause, StoreChange, Ticket};

use super::*;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

async fn exchange(config: Config) {
    let (mut alice, to_bob, mut bob, to_alice) = pair(config).await;
    alice.open(to_bob, 0);
    alice.write(to_bob, 0, "hello");
    let accepted = bob.hear_next().await;
    assert!(
        matches!(accepted, Input::Accepted { link, stream: StreamId(1) } if link == to_alice),
        "{accepted:?}"
    );
    bob.credit(to_alice, 1, 100);
    assert_eq!(bob.read(to_alice, 1, 5).await, b"hello");
    alice.sent(0, 5).await;

    bob.write(to_alice, 1, "good day");
    bob.tell([Output::Finish { link: to_alice, stream: StreamId(1) }]);
    alice.credit(to_bob, 0, 100);
    assert_eq!(alice.read(to_bob, 0, 8).await, b"good day");
    let end = alice.hear_next().await;
    assert!(matches!(end, Input::Finished { stream: StreamId(0), .. }), "{end:?}");

    bob.open(to_alice, 0);
    bob.write(to_alice, 0, pattern(300_000));
    bob.tell([Output::Finish { link: to_alice, stream: StreamId(0) }]);
    let accepted = alice.hear_next().await;
    assert!(matches!(accepted, Input::Accepted { stream: StreamId(1), .. }), "{accepted:?}");
    alice.credit(to_bob, 1, 300_001);
    assert_eq!(alice.read(to_bob, 1, 300_000).await, pattern(300_000));
    alice
        .hear(|input| matches!(input, Input::Finished { stream: StreamId(1), .. }).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_go_both_ways() {
    exchange(loopback()).await;
}

#[tokio::test]
async fn bytes_go_both_ways_on_one_thread() {
    exchange(loopback()).await;
}

#[tokio::test]
async fn bytes_go_both_ways_over_plain_udp() {
    exchange(Config { plain_udp: true, ..loopback() }).await;
}

#[tokio::test]
async fn bytes_go_both_ways_over_ipv4() {
    exchange(Config { listen: Listen::At(vec!["127.0.0.1:0".parse().unwrap()]), ..loopback() })
        .await;
}

#[tokio::test]
async fn many_small_messages_arrive_whole_and_in_order() {
    let (alice, to_bob, mut bob, to_alice) = pair(loopback()).await;
    alice.open(to_bob, 0);
    let mut expected = Vec::new();
    for number in 0..20_000_u32 {
        let message = format!("message {number};");
        expected.extend_from_slice(message.as_bytes());
        alice.write(to_bob, 0, message);
    }
    bob.hear(|input| matches!(input, Input::Accepted { .. }).then_some(())).await;
    bob.credit(to_alice, 1, u32::MAX);
    assert!(bob.read(to_alice, 1, expected.len()).await == expected);
}

#[tokio::test]
async fn never_more_is_read_than_the_credit_allows() {
    let (alice, to_bob, mut bob, to_alice) = pair(loopback()).await;
    let data = pattern(400_000);
    alice.open(to_bob, 0);
    alice.write(to_bob, 0, data.clone());
    bob.hear(|input| matches!(input, Input::Accepted { .. }).then_some(())).await;
    let mut got = Vec::new();
    for credit in [1, 7, 1_000, 65_535, 65_536, 70_001, 100_000, 97_920] {
        bob.credit(to_alice, 1, credit);
        got.extend(bob.read(to_alice, 1, credit as usize).await);
    }
    assert!(got == data);
    // What comes next is none of its bytes: there is no credit left.
    alice.write(to_bob, 0, "more");
    alice.open(to_bob, 2);
    alice.write(to_bob, 2, "x");
    let next = bob.hear_next().await;
    assert!(matches!(next, Input::Accepted { stream: StreamId(3), .. }), "{next:?}");
}

/// Whoever drops what is left of such a stream must not bring its link down.
#[tokio::test]
async fn a_stream_that_has_ended_before_it_is_read_ends_once_and_alone() {
    let (alice, to_bob, mut bob, to_alice) = pair(loopback()).await;
    for number in 0..3 {
        let (ours, theirs) = (StreamId(2 * number), 2 * number + 1);
        alice.open(to_bob, ours.0);
        alice.write(to_bob, ours.0, "all");
        alice.tell([Output::Finish { link: to_bob, stream: ours }]);
        bob.hear(|input| matches!(input, Input::Accepted { .. }).then_some(())).await;
        // What came with it is here, and nothing of it is read before there is credit.
        bob.credit(to_alice, theirs, 100);
        assert_eq!(bob.read(to_alice, theirs, 3).await, b"all");
        let end = bob.hear_next().await;
        assert!(matches!(end, Input::Finished { stream, .. } if stream.0 == theirs), "{end:?}");
        bob.tell([Output::Abort { link: to_alice, stream: StreamId(theirs), code: 0x20 }]);
    }
}

#[tokio::test]
async fn a_peer_that_does_not_read_stops_the_writer() {
    let (mut alice, to_bob, _bob, _) = pair(loopback()).await;
    alice.open(to_bob, 0);
    for _ in 0..100 {
        alice.write(to_bob, 0, vec![0; 10_000]);
    }
    // The stranger's window is 64 KiB: whole writes up to there leave, the others wait to be forgotten.
    alice.sent(0, 65_536).await;
    alice.tell([Output::Forget { link: to_bob, stream: StreamId(0) }]);
    // The seventh write had begun and stays.
    alice.sent(0, 930_000).await;
}

#[tokio::test]
async fn forgetting_drops_whole_writes_only() {
    let (alice, to_bob, mut bob, to_alice) = pair(loopback()).await;
    alice.open(to_bob, 0);
    for number in 0..50 {
        alice.write(to_bob, 0, vec![number; 10_000]);
    }
    alice.tell([
        Output::Forget { link: to_bob, stream: StreamId(0) },
        Output::Write {
            link: to_bob,
            stream: StreamId(0),
            head: Head::EMPTY,
            body: Payload::One("bye".into()),
        },
        Output::Finish { link: to_bob, stream: StreamId(0) },
    ]);
    bob.hear(|input| matches!(input, Input::Accepted { .. }).then_some(())).await;
    bob.credit(to_alice, 1, 1_000_000);
    let mut got = Vec::new();
    bob.hear(|input| match input {
        Input::Chunk { bytes, .. } => {
            got.extend_from_slice(&bytes);
            None
        }
        Input::Finished { .. } => Some(()),
        _ => None,
    })
    .await;
    assert!(got.ends_with(b"bye"));
    got.truncate(got.len() - 3);
    assert_eq!(got.len() % 10_000, 0, "a write was cut: {}", got.len());
    assert!(got.len() < 500_000, "nothing was forgotten");
    assert!(
        got.chunks(10_000)
            .enumerate()
            .all(|(number, chunk)| chunk.iter().all(|byte| *byte == number as u8))
    );
}

#[tokio::test]
async fn an_abort_is_a_reset_at_the_other_end_once() {
    let (mut alice, to_bob, mut bob, to_alice) = pair(loopback()).await;
    alice.open(to_bob, 0);
    alice.write(to_bob, 0, "never read");
    bob.hear(|input| matches!(input, Input::Accepted { .. }).then_some(())).await;
    bob.write(to_alice, 1, vec![1; 30_000]);
    alice.tell([Output::Abort { link: to_bob, stream: StreamId(0), code: 0x21 }]);
    let reset = bob.hear(|input| matches!(input, Input::Reset { .. }).then_some(input)).await;
    assert!(matches!(reset, Input::Reset { stream: StreamId(1), code: 0x21, .. }), "{reset:?}");
    bob.tell([Output::Abort { link: to_alice, stream: StreamId(1), code: 0x22 }]);
    // The end of the link comes next at both ends: nobody hears of the stream again.
    bob.tell([Output::CloseLink { link: to_alice, code: 0x201 }]);
    let down = bob.hear(|input| (!matches!(input, Input::Sent { .. })).then_some(input)).await;
    assert!(matches!(down, Input::LinkDown { cause: DownCause::Local, .. }), "{down:?}");
    let down = alice.hear(|input| (!matches!(input, Input::Sent { .. })).then_some(input)).await;
    assert!(matches!(down, Input::LinkDown { cause: DownCause::Peer(0x201), .. }), "{down:?}");
}

#[tokio::test]
async fn a_stranger_opens_eight_streams_and_more_once_trusted() {
    let (mut alice, to_bob, mut bob, to_alice) = pair(loopback()).await;
    for number in 0..10 {
        alice.open(to_bob, 2 * number);
        alice.write(to_bob, 2 * number, "x");
    }
    for number in 0..8 {
        let accepted = bob.hear_next().await;
        assert!(
            matches!(accepted, Input::Accepted { stream, .. } if stream == StreamId(2 * number + 1)),
            "{accepted:?}"
        );
    }
    // The ninth is given up before it was opened: the peer hears of the tenth instead.
    alice.tell([Output::Abort { link: to_bob, stream: StreamId(16), code: 0 }]);
    bob.tell([Output::Trust { link: to_alice, streams: 128, window: 1_250_000 }]);
    let accepted = bob.hear_next().await;
    assert!(matches!(accepted, Input::Accepted { stream: StreamId(17), .. }), "{accepted:?}");
    bob.credit(to_alice, 17, 10);
    assert_eq!(bob.read(to_alice, 17, 1).await, b"x");
    alice.sent(18, 1).await;
    // And far more than 64 KiB may be on its way.
    alice.write(to_bob, 0, vec![0; 1_000_000]);
    alice.heard.changed.notify_one();
    alice.next = 0;
    alice.sent(0, 1_000_001).await;
}

#[tokio::test]
async fn a_trusted_peer_gets_all_its_streams_although_few_at_first() {
    let (alice, to_bob, mut bob, to_alice) = pair(loopback()).await;
    bob.tell([Output::Trust { link: to_alice, streams: 100, window: 1_250_000 }]);
    for number in 0..100 {
        alice.open(to_bob, 2 * number);
        alice.write(to_bob, 2 * number, "x");
    }
    for number in 0..100 {
        let accepted = bob.hear_next().await;
        assert!(
            matches!(accepted, Input::Accepted { stream, .. } if stream == StreamId(2 * number + 1)),
            "{accepted:?}"
        );
    }
}

#[tokio::test]
async fn a_trusted_peer_gets_all_its_streams_however_few_are_left_to_grant() {
    for streams in [10, 16, 17, 18, 33] {
        let (alice, to_bob, mut bob, to_alice) = pair(loopback()).await;
        bob.tell([Output::Trust { link: to_alice, streams, window: 1_250_000 }]);
        for number in 0..u64::from(streams) {
            alice.open(to_bob, 2 * number);
            alice.write(to_bob, 2 * number, "x");
        }
        for _ in 0..streams {
            bob.hear(|input| matches!(input, Input::Accepted { .. }).then_some(())).await;
        }
    }
}

#[tokio::test]
async fn a_goodbye_leaves_at_once_however_much_is_under_way() {
    for code in [0x201, 0x202, 0x203] {
        let (alice, to_bob, mut bob, to_alice) = pair(loopback()).await;
        alice.open(to_bob, 0);
        alice.write(to_bob, 0, "x");
        bob.hear(|input| matches!(input, Input::Accepted { .. }).then_some(())).await;
        bob.tell([Output::Trust { link: to_alice, streams: 128, window: 1_250_000 }]);
        // More than any congestion window so early in a connection's life, and the close right behind it.
        alice.write(to_bob, 0, vec![0; 60_000]);
        alice.write(to_bob, 0, vec![0; 1_000_000]);
        alice.tell([Output::CloseLink { link: to_bob, code }]);
        let cause = bob
            .hear(|input| match input {
                Input::LinkDown { cause, .. } => Some(cause),
                _ => None,
            })
            .await;
        assert_eq!(cause, DownCause::Peer(code));
    }
}

#[tokio::test]
async fn what_arrived_before_the_end_is_handed_in_before_it() {
    let (alice, to_bob, mut bob, to_alice) = pair(loopback()).await;
    alice.open(to_bob, 0);
    alice.write(to_bob, 0, "first");
    bob.hear(|input| matches!(input, Input::Accepted { .. }).then_some(())).await;
    bob.credit(to_alice, 1, 100);
    assert_eq!(bob.read(to_alice, 1, 5).await, b"first");
    alice.tell([Output::CloseLink { link: to_bob, code: 7 }]);
    let down = bob.hear_next().await;
    assert!(matches!(down, Input::LinkDown { cause: DownCause::Peer(7), .. }), "{down:?}");
    // Orders for what is gone are skipped.
    bob.open(to_alice, 0);
    bob.write(to_alice, 0, "nobody");
    bob.tell([Output::CloseLink { link: to_alice, code: 0 }]);
}

#[tokio::test]
async fn changes_are_stored_and_answered() {
    let mut peer = Peer::start(loopback());
    let group = KeyId([1; 32]);
    let change = || Box::new(StoreChange::Synchronised { group });
    peer.tell((1..=3).map(|number| Output::Store { ticket: Ticket(number), change: change() }));
    for number in 1..=3 {
        let answer = peer.hear_next().await;
        assert!(
            matches!(answer, Input::Stored { ticket, result: Ok(()) } if ticket == Ticket(number)),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_deadline_is_kept_also_when_it_moves_forward() {
    let mut peer = Peer::start(loopback());
    let set = |peer: &Peer, micros: u64| {
        peer.running.engine.call(|script, now| script.deadline = Some(now.tick + micros));
    };
    set(&peer, 3_600_000_000);
    set(&peer, 20_000);
    assert!(matches!(peer.hear_next().await, Input::Timeout));
    set(&peer, 0);
    assert!(matches!(peer.hear_next().await, Input::Timeout));
}

/// Four streams of the dialler on which the acceptor writes: one fills the window of the link, and three wait, of which the
/// second has a priority. What is read of the first makes just enough room for that one.
#[tokio::test]
async fn what_has_a_priority_passes_what_waits_already_also_on_streams_of_the_peer() {
    const WINDOW: usize = 64 << 10;
    const LENGTH: usize = 40_000;
    let (mut alice, to_bob, mut bob, to_alice) = pair(loopback()).await;
    for stream in [0, 2, 4, 6] {
        alice.open(to_bob, stream);
        alice.write(to_bob, stream, "x");
        bob.hear(|input| matches!(input, Input::Accepted { .. }).then_some(())).await;
    }
    let write = |stream, length| Output::Write {
        link: to_alice,
        stream: StreamId(stream),
        head: Head::EMPTY,
        body: Payload::One(pattern(length).into()),
    };
    bob.tell([
        write(1, 4 * WINDOW),
        write(3, 4 * WINDOW),
        Output::Priority { link: to_alice, stream: StreamId(5), priority: 100 },
        write(5, LENGTH),
        write(7, 4 * WINDOW),
    ]);
    alice.credit(to_bob, 4, LENGTH as u32);
    alice.credit(to_bob, 0, WINDOW as u32);
    assert_eq!(alice.read(to_bob, 4, LENGTH).await, pattern(LENGTH));
}
