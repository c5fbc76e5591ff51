//! A store of one's own under a real group: it survives crashes, and a full disk is an error and not a loss.
//!
//! 1. A founder and a guest meet; the guest keeps what it learns in `journal`.
//! 2. The guest crashes in the middle of a commit and starts again from the journal. A full disk is an error that its
//!    application hears.
//! 3. There is room again, and it finds the founder by itself.
//! 4. A crash is tried after every single byte that was written.

mod format;
mod journal;
#[path = "../shared/peer.rs"]
mod peer;
#[path = "../shared/people.rs"]
mod people;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use journal::Journal;
use p2p_core::{Code, Event, GroupSnapshot, StoreChange};
use p2p_store::{MemoryStore, Store};
use peer::Peer;
use people::{Outcome, Person, people};
use tokio::runtime::Runtime;

fn main() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("journal");
    let runtime = Runtime::new()?;
    let [founder, guest] = people()?;
    let store = MemoryStore::new();
    store.set_hints(&founder.group, &[], true)?;
    let host = Peer::start(&founder, Arc::new(store), runtime.handle().clone().into())?;
    let address = host.online(&[], true)?;

    // The first run, and the end of it.
    let journal = Arc::new(Journal::open(&path)?);
    let peer = Peer::start(&guest, journal.clone(), runtime.handle().clone().into())?;
    peer.online(&[address], false)?;
    peer.say(founder.key(), address, &["before"])?;
    assert_eq!(host.hear()?, ["before"]);
    runtime.block_on(peer.driver.shutdown());
    let kept = journal.load(&guest.group)?;
    assert!(kept.synchronised && kept.members.iter().any(|member| member.key == founder.key()));
    drop((peer, journal));

    // What a crash leaves behind: half of a record.
    let half = &format::record(&[StoreChange::Synchronised { group: guest.group }])[..20];
    OpenOptions::new().append(true).open(&path)?.write_all(half)?;

    // The second run: nobody tells it where the founder is.
    let journal = Arc::new(Journal::open(&path)?);
    assert_eq!(journal.load(&guest.group)?, kept, "all that was committed, and nothing else");
    let peer = Peer::start(&guest, journal.clone(), runtime.handle().clone().into())?;
    full_disk(&peer, &journal)?;
    peer.online(&[], false)?;
    peer.say(founder.key(), address, &["after"])?;
    assert_eq!(host.hear()?, ["after"]);
    println!("the guest came back from {} bytes of journal", fs::metadata(&path)?.len());
    runtime.block_on(peer.driver.shutdown());
    runtime.block_on(host.driver.shutdown());

    every_crash(&path, &guest)
}

/// What cannot be stored is not done: the application hears of it, and what is kept is as it was.
fn full_disk(peer: &Peer, journal: &Journal) -> Outcome {
    journal.full.store(true, Ordering::SeqCst);
    peer.driver.call(|node, now| node.connect(peer.group, &[], now))?;
    let code = peer.event(|event| match event {
        Event::ConnectionFailed { reason } => Some(reason),
        Event::StoreFailed { code } => Some(code),
        _ => None,
    })?;
    println!("a full disk: {code}");
    assert_eq!(code, Code::PEER_E_DISK_FULL);
    journal.full.store(false, Ordering::SeqCst);
    Ok(())
}

/// Cut anywhere, a journal holds what was committed up to there: as many records as are whole.
fn every_crash(path: &Path, guest: &Person) -> Outcome {
    let log = fs::read(path)?;
    let (memory, mut states) = (MemoryStore::new(), vec![(0, GroupSnapshot::default())]);
    let mut end = 0;
    while let Some((changes, length)) = format::next(&log[end..]) {
        memory.commit(&changes)?;
        end += length;
        states.push((end, memory.load(&guest.group)?));
    }
    assert_eq!(end, log.len(), "every byte belongs to a record");
    let torn = path.with_extension("torn");
    for length in 0..=log.len() {
        fs::write(&torn, &log[..length])?;
        let (whole, expected) =
            states.iter().rfind(|state| state.0 <= length).ok_or("no state to begin with")?;
        assert_eq!(Journal::open(&torn)?.load(&guest.group)?, *expected, "cut at {length}");
        assert_eq!(fs::metadata(&torn)?.len(), *whole as u64, "the torn end is cut off");
    }
    println!("{} crashes, {} states, nothing lost", log.len() + 1, states.len());
    Ok(())
}
