//! A process that is killed between, or in, its commits leaves the state of the last whole one.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{Address, FileTime, KeyId, Member, ObjectId, ObjectKind, Roles, StoreChange};
use p2p_store::{FileStore, Store};

const GROUP: KeyId = KeyId([1; 32]);
const FOLDER: &str = "P2P_STORE_CRASH_TEST";
/// Peers whose addresses change together, in one commit each time.
const PEERS: u8 = 20;

fn commit(round: u16) -> Vec<StoreChange> {
    let addresses = vec![Address::from(SocketAddr::from(([127, 0, 0, 1], round)))];
    let change = |peer| StoreChange::Addresses {
        group: GROUP,
        peer: KeyId([peer; 32]),
        addresses: addresses.clone(),
    };
    let object = StoreChange::Object {
        group: GROUP,
        id: ObjectId([1; 32]),
        kind: ObjectKind::Credential,
        bytes: round.to_be_bytes().to_vec().into(),
    };
    let own = StoreChange::Own { group: GROUP, member: Arc::new(own(round)) };
    (1..=PEERS).map(change).chain([object, own]).collect()
}

/// A membership whose chain says the round in every byte pair.
fn own(round: u16) -> Member {
    Member {
        key: KeyId([2; 32]),
        name: String::new(),
        friendly_name: String::new(),
        issuer_name: String::new(),
        issuer_friendly_name: String::new(),
        roles: Roles::MEMBER,
        depth: 1,
        not_before: FileTime(0),
        not_after: FileTime::NO_END,
        chain: round.to_be_bytes().repeat(1_500).into(),
        path: Arc::from([]),
    }
}

/// What the child does: commits until it is killed, and says after each commit which it was.
fn commit_until_killed(folder: &Path) {
    let store = FileStore::new(folder);
    let _lock = store.lock(&GROUP).unwrap();
    for round in 1..=u16::MAX {
        store.commit(&commit(round)).unwrap();
        println!("\nround {round}");
    }
}

#[test]
fn a_killed_process_leaves_its_last_whole_commit() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return commit_until_killed(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    for kill_after in [1, 4, 9] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_killed_process_leaves_its_last_whole_commit", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut last = 0;
        while last < kill_after {
            let line = lines.next().expect("the child commits until it is killed");
            last = line.strip_prefix("round ").map_or(last, |round| round.parse().unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died counts as committed; one more may have been under way.
        let said: u16 = lines
            .filter_map(|line| line.strip_prefix("round ")?.parse().ok())
            .last()
            .unwrap_or(last);

        let store = FileStore::new(folder.path());
        let lock = store.lock(&GROUP).expect("the lock ended with the process");
        let snapshot = store.load(&GROUP).unwrap();
        assert_eq!(snapshot.addresses.len(), usize::from(PEERS));
        let found = snapshot.addresses[0].1[0].port;
        assert!((said..=said + 1).contains(&found), "said {said}, found {found}");
        for (peer, addresses) in &snapshot.addresses {
            assert_eq!(addresses[0].port, found, "{peer:?} is of another commit");
        }
        let object = (ObjectKind::Credential, Bytes::from(found.to_be_bytes().to_vec()));
        assert_eq!(snapshot.objects, [object], "of the same commit");
        let chain = store.group(&GROUP).unwrap().unwrap().chain;
        let of = u16::from_be_bytes([chain[0], chain[1]]);
        assert_eq!(chain, own(of).chain, "a chain is whole");
        // The chain follows its transaction, and nothing else does before it is in place.
        assert!(of == found || of + 1 == found, "chain {of} beside {found}");
        drop(lock);
    }
}
