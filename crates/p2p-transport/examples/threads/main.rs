//! Two nodes on plain threads: sockets, QUIC and TLS with certificates, and no asynchronous runtime anywhere.
//!
//! `driver` obeys the node, `wire` and `link` drive `quinn-proto`, `stream` keeps to the credit, `tls` says who is there.

mod driver;
mod link;
#[path = "../shared/people.rs"]
mod people;
mod stream;
mod tls;
mod wire;

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, channel};
use std::thread;

use driver::{Running, Wake};
use p2p_core::{
    Address, Cause, ConnectionChange, Event, Expect, GroupKey, KeyId, Node, Now, Taken,
};
use p2p_crypto::Keyring;
use p2p_store::{MemoryStore, Store};
use people::{KIND, Outcome, PATIENCE, Person, people};

/// More than a stream's credit, so that it has to be renewed on the way.
const LARGE: usize = 2 << 20;

/// A node with one group, as the application's thread sees it.
struct Peer {
    running: Running,
    group: GroupKey,
}

/// Has the thread that owns the node make a call, and waits for its answer.
fn call<R: Send + 'static>(
    node: &SyncSender<Wake>,
    f: impl FnOnce(&mut Node<Keyring>, Now) -> R + Send + 'static,
) -> Outcome<R> {
    let (answer, answered) = channel();
    let call = move |node: &mut Node<Keyring>, now: Now| drop(answer.send(f(node, now)));
    node.send(Wake::Call(Box::new(call)))?;
    Ok(answered.recv_timeout(PATIENCE)?)
}

impl Peer {
    /// Starts a node, opens the group, and brings it online.
    fn start(who: &Person, founder: bool, at: Vec<Address>) -> Outcome<Peer> {
        let (store, key, own) = (Arc::new(MemoryStore::new()), who.group, who.own()?);
        store.set_hints(&key, &[], founder)?;
        let snapshot = store.load(&key)?;
        let running = driver::start(who, store)?;
        let group = call(&running.node, move |node, now| {
            let group = node.open_group(key, own, snapshot, now)?;
            node.accept_direct(group, true, now)?;
            node.connect(group, &at, now)?;
            Ok::<GroupKey, p2p_core::Error>(group)
        })??;
        let peer = Peer { running, group };
        peer.event(|event| match event {
            Event::Status(s) => (s.listening && (founder || s.connected)).then_some(Ok(())),
            Event::ConnectionFailed { reason } => Some(Err(format!("offline: {reason}"))),
            _ => None,
        })??;
        Ok(peer)
    }

    /// The next event that `pick` wants; those before it are passed over.
    fn event<T>(&self, mut pick: impl FnMut(Event) -> Option<T>) -> Outcome<T> {
        loop {
            if let Some(found) = pick(self.running.events.recv_timeout(PATIENCE)?) {
                return Ok(found);
            }
        }
    }

    fn call<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Node<Keyring>, GroupKey, Now) -> R + Send + 'static,
    ) -> Outcome<R> {
        let group = self.group;
        call(&self.running.node, move |node, now| f(node, group, now))
    }

    /// Ends the node, and waits until it has said goodbye.
    fn stop(self) -> Outcome {
        self.running.node.send(Wake::Stop)?;
        self.running.thread.join().map_err(|_| "the thread of a node panicked".into())
    }

    /// The next thing that happens to a direct connection: it must go well.
    fn change(&self, wanted: ConnectionChange) -> Outcome<p2p_core::ConnectionId> {
        let direct = self.event(|event| match event {
            Event::Direct(connection) => Some(connection),
            _ => None,
        })?;
        if (direct.change, direct.cause) != (wanted, Cause::Orderly) {
            return Err(format!("{direct:?}").into());
        }
        Ok(direct.id)
    }
}

/// Listens, and returns the lengths of what it hears on one direct connection.
fn founder(peer: &Peer) -> Outcome<Vec<usize>> {
    let id = peer.change(ConnectionChange::Connected)?;
    let mut heard = Vec::new();
    loop {
        let what = peer.event(|event| match event {
            Event::Data { payload, .. } => Some(Taken::Data { bytes: payload.len() }),
            Event::Direct(_) => Some(Taken::Disconnected),
            _ => None,
        })?;
        peer.call(move |node, group, now| node.taken(group, id, what, now))?;
        match what {
            Taken::Data { bytes } => heard.push(bytes),
            Taken::Disconnected => return Ok(heard),
        }
    }
}

/// Opens a direct connection, sends three messages, and closes it.
fn guest(peer: &Peer, founder: KeyId, at: Address) -> Outcome {
    peer.call(move |node, group, now| node.open_direct(group, Expect::Key(founder), at, now))??;
    let id = peer.change(ConnectionChange::Connected)?;
    for length in [5, LARGE, 7] {
        peer.call(move |node, group, now| {
            node.send(group, id, KIND, vec![7; length].into(), now)
        })??;
    }
    peer.call(move |node, group, now| node.close_direct(group, id, now))??;
    peer.change(ConnectionChange::Disconnected)?;
    // The group is left in order, too: neighbours are told.
    peer.call(|node, group, now| node.close_group(group, now))??;
    peer.event(|event| (event == Event::Closed).then_some(()))
}

fn main() -> Outcome {
    let [host, visitor] = people()?;
    let listening = Peer::start(&host, true, Vec::new())?;
    let at = listening.call(|node, _, _| node.listening().to_vec())?;
    let calling = Peer::start(&visitor, false, at.clone())?;
    println!("the founder listens at {}, the guest is online", at[0]);

    let heard = thread::spawn(move || {
        let heard = founder(&listening).map_err(|error| error.to_string())?;
        listening.stop().map(|()| heard).map_err(|error| error.to_string())
    });
    guest(&calling, host.key(), at[0])?;
    calling.stop()?;
    let heard = heard.join().expect("the founder's thread ends in order")?;
    println!("the founder heard messages of {heard:?} bytes");
    assert_eq!(heard, [5, LARGE, 7], "closed in order means delivered");
    Ok(())
}
