//! Direct connections as byte streams.

mod common;

use std::io::ErrorKind;
use std::time::Duration;

use common::*;
use p2p_group::{ByteStream, DirectConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn streams() -> ((End, End), ByteStream, ByteStream) {
    let (ann, bob) = pair().await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, theirs) = bob.direct(&ann, &incoming).await;
    ((ann, bob), ByteStream::new(ours), ByteStream::new(theirs))
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 31 + n / 251) as u8).collect()
}

#[tokio::test]
async fn bytes_come_over_whatever_the_pieces_are() {
    let (_peers, mut ours, mut theirs) = streams().await;
    let all = pattern(3_000_000);
    let sent = all.clone();
    let writer = tokio::spawn(async move {
        for piece in sent.chunks(77_777) {
            ours.write_all(piece).await.unwrap();
        }
        ours.flush().await.unwrap();
        ours.shutdown().await.unwrap();
        ours
    });
    let mut read = Vec::new();
    let mut piece = vec![0; 12_345];
    loop {
        let n = within(theirs.read(&mut piece)).await.unwrap();
        if n == 0 {
            break;
        }
        read.extend_from_slice(&piece[..n]);
    }
    assert!(read == all);
    let mut ours = writer.await.unwrap();
    // One direction has ended, the other has not.
    assert_eq!(ours.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    theirs.write_all(b"thanks").await.unwrap();
    let finished = tokio::spawn(theirs.finish());
    let mut answer = String::new();
    within(ours.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "thanks");
    within(finished).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reader_that_stalls_holds_its_writer_up_and_nobody_else() {
    let ((ann, bob), mut ours, mut theirs) = streams().await;
    let all = pattern(40 << 20);
    let sent = all.clone();
    let writer = tokio::spawn(async move {
        ours.write_all(&sent).await.unwrap();
        ours.finish().await.unwrap();
    });
    // What both queues take and what is on its way is far less than all of it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!writer.is_finished());
    let incoming = ann.group.incoming().unwrap();
    let (other, there) = bob.direct(&ann, &incoming).await;
    other.send(TEXT, "past it").await.unwrap();
    assert_eq!(within(there.recv()).await.unwrap().bytes, "past it");
    let mut read = Vec::new();
    within(theirs.read_to_end(&mut read)).await.unwrap();
    assert!(read == all);
    within(writer).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error_and_no_end() {
    let (_peers, mut ours, mut theirs) = streams().await;
    ours.write_all(b"half a sen").await.unwrap();
    drop(ours);
    let mut read = Vec::new();
    let error = within(theirs.read_to_end(&mut read)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(read, b"half a sen");
    let late = within(theirs.write_all(b"too late")).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn what_a_peer_that_closed_did_not_take_in_is_not_finished() {
    let (_peers, mut ours, theirs) = streams().await;
    // More than the peer's node takes in while nobody reads; the rest waits here.
    within(ours.write_all(&pattern(12 << 20))).await.unwrap();
    within(ours.shutdown()).await.unwrap();
    drop(theirs);
    within(ours.connection().closed()).await.unwrap();
    let error = within(ours.finish()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_peer_that_ended_its_direction_may_close_first() {
    let (_peers, mut ours, mut theirs) = streams().await;
    ours.write_all(b"a question").await.unwrap();
    ours.shutdown().await.unwrap();
    let mut read = String::new();
    within(theirs.read_to_string(&mut read)).await.unwrap();
    theirs.write_all(b"an answer").await.unwrap();
    let finished = tokio::spawn(theirs.finish());
    read.clear();
    within(ours.read_to_string(&mut read)).await.unwrap();
    within(finished).await.unwrap().unwrap();
    within(ours.connection().closed()).await.unwrap();
    within(ours.finish()).await.unwrap();
    assert_eq!(read, "an answer");
}

#[tokio::test]
async fn messages_are_no_stream() {
    let (ann, bob) = pair().await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, theirs): (DirectConnection, _) = bob.direct(&ann, &incoming).await;
    let mut theirs = ByteStream::new(theirs);
    ours.send(TEXT, "a message").await.unwrap();
    let mut read = Vec::new();
    let error = within(theirs.read_to_end(&mut read)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert_eq!(within(theirs.write(&[])).await.unwrap(), 0, "nothing is not the end");
}

#[tokio::test]
async fn what_a_node_did_is_counted() {
    let (ann, bob) = pair().await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, theirs) = bob.direct(&ann, &incoming).await;
    for _ in 0..3 {
        ours.send(TEXT, "seven b").await.unwrap();
        within(theirs.recv()).await.unwrap();
    }
    let (sender, receiver) = (bob.node.statistics(), ann.node.statistics());
    assert_eq!((sender.counters.messages_sent, sender.counters.message_bytes_sent), (3, 21));
    assert_eq!(receiver.counters.messages_delivered, 3);
    assert_eq!((receiver.counters.proofs_accepted, receiver.load.directs), (1, 1));
    assert!(receiver.prometheus().contains("\np2p_messages_delivered_total 3\n"));
    ours.close().unwrap();
    within(ours.closed()).await.unwrap();
    assert_eq!(bob.node.statistics().counters.directs_disconnected, 1);
}
