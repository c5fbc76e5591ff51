//! What a log says of a direct connection. One test: the subscriber is the process's own.

mod common;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use common::*;
use p2p_group::{Cause, KeyId};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

#[tokio::test]
async fn a_log_names_group_peer_and_connection_and_nothing_that_a_peer_wrote() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_env_filter("p2p_group=trace,p2p_transport=debug")
        .with_ansi(false)
        .without_time()
        .with_writer(log.clone())
        .init();

    let (ann, bob) = pair().await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, theirs) = bob.direct(&ann, &incoming).await;
    let by_number = ours.id();
    ours.send(TEXT, "nobody logs this").await.unwrap();
    bob.group.send(by_number, TEXT, "nor this").unwrap();
    assert_eq!(within(theirs.recv()).await.unwrap().bytes, "nobody logs this");
    assert_eq!(within(theirs.recv()).await.unwrap().bytes, "nor this");
    ours.close().unwrap();
    assert_eq!(within(ours.closed()).await, Some(Cause::Orderly));
    assert_eq!(within(theirs.closed()).await, Some(Cause::Orderly));

    let short = |key: KeyId| key.to_string()[..8].to_owned();
    let group = short(ann.group.key());
    let (a, b) = (short(ann.key()), short(bob.key()));
    let of = |own: &str, id: u64, peer: &str| {
        format!("group{{group={group} own={own}}}:direct{{direct={id}{peer}}}: p2p_group::spans: ")
    };
    let bobs = of(&b, ours.id().0, &format!(" peer={a}"));
    let anns = of(&a, theirs.id().0, &format!(" peer={b}"));
    let numbered = of(&b, ours.id().0, "");
    let ours_end = [
        (&bobs, "opening"),
        (&bobs, "connected"),
        (&bobs, "message sent bytes=16"),
        (&numbered, "message sent bytes=8"),
        (&bobs, "closing"),
        (&bobs, "ended cause=Orderly"),
    ];
    let theirs_end = [
        (&anns, "connected"),
        (&anns, "message received bytes=16"),
        (&anns, "message received bytes=8"),
        (&anns, "ended cause=Orderly"),
    ];
    let text = within(async {
        loop {
            // The last word of each end may be written while the test goes on.
            let text = log.text();
            let both = [(&bobs, "ended"), (&anns, "ended")];
            if both.iter().all(|(span, what)| text.contains(&format!("{span}{what}"))) {
                return text;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    for end in [&ours_end[..], &theirs_end[..]] {
        // Each thread writes for itself: who calls may come after what the call has led to.
        for (span, what) in end {
            let line = format!("{span}{what}\n");
            assert!(text.contains(&line), "no {line:?} in\n{text}");
        }
    }
    assert!(text.contains(&format!("group{{group={group} own={b}}}:neighbour{{neighbour=")));
    assert!(text.contains("link{link=0 peer="), "{text}");
    // Whichever link's task says it: that may be one to somebody else.
    assert!(!text.contains(":group{"), "{text}");
    assert!(!text.contains("logs this") && !text.contains("nor this"), "{text}");
    // The friendly names of the two.
    assert!(!text.contains("Ann") && !text.contains("Bob"), "{text}");
}
