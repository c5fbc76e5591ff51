//! The driver on another runtime than tokio: two nodes on smol's executor, with sockets, certificates and QUIC.
//!
//! `p2p_transport::Runtime` is made of anything that quinn can run on; quinn brings this one. Another takes three methods:
//! `quinn::Runtime` spawns tasks, makes timers, and wraps UDP sockets.

#[path = "shared/peer.rs"]
mod peer;
#[path = "shared/people.rs"]
mod people;

use std::sync::Arc;

use p2p_store::{MemoryStore, Store};
use p2p_transport::Runtime;
use peer::Peer;
use people::{Outcome, Person, people};

/// A node whose tasks smol runs, on its global executor.
fn start(who: &Person, founder: bool) -> Outcome<Peer> {
    let runtime: Arc<dyn quinn::Runtime> = Arc::new(quinn::SmolRuntime);
    let store = MemoryStore::new();
    store.set_hints(&who.group, &[], founder)?;
    Peer::start(who, Arc::new(store), Runtime::from(runtime))
}

fn main() -> Outcome {
    let [founder, guest] = people()?;
    let (host, caller) = (start(&founder, true)?, start(&guest, false)?);
    let address = host.online(&[], true)?;
    println!("founder: listening at {address}");
    caller.online(&[address], false)?;
    println!("guest: online");

    let texts = ["one", "two", "three"];
    caller.say(founder.key(), address, &texts)?;
    let heard = host.hear()?;
    println!("founder: heard {heard:?}");
    assert_eq!(heard, texts, "closed in order means delivered");
    smol::block_on(caller.driver.shutdown());
    smol::block_on(host.driver.shutdown());
    assert!(tokio::runtime::Handle::try_current().is_err(), "no tokio runs here");
    Ok(())
}
