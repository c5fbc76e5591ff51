//! What every store promises, and what a store on disk promises beyond that.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{
    Address, Code, FileTime, KeyId, Member, OBJECT_MAX, ObjectId, ObjectKind, Roles, Step,
    StoreChange,
};
use p2p_store::{
    CHAIN_MAX, FileStore, GroupRecord, GroupRoot, Listening, MemoryStore, Pending, Store,
    StoreError,
};
use zeroize::Zeroizing;

const GROUP: KeyId = KeyId([1; 32]);
const OTHER: KeyId = KeyId([2; 32]);

fn member(number: u8) -> Arc<Member> {
    Arc::new(Member {
        key: KeyId([number; 32]),
        name: format!("{}.x", "ab".repeat(20)),
        friendly_name: format!("Member {number}"),
        issuer_name: format!("{}.", "cd".repeat(20)),
        issuer_friendly_name: "Creator".into(),
        roles: Roles::MEMBER,
        depth: 2,
        not_before: FileTime(1),
        not_after: FileTime::NO_END,
        chain: Bytes::from_static(b"chain"),
        path: [1, number].map(|n| Step { key: KeyId([n; 32]), serial: [n; 16] }).into(),
    })
}

fn met(memberships: Vec<Arc<Member>>) -> StoreChange {
    StoreChange::Member { group: GROUP, peer: memberships[0].key, memberships }
}

fn object(number: u8, kind: ObjectKind) -> StoreChange {
    let bytes = Bytes::from(vec![number; 9]);
    StoreChange::Object { group: GROUP, id: ObjectId([number; 32]), kind, bytes }
}

fn own(chain: &'static [u8]) -> StoreChange {
    let member = Member { chain: Bytes::from_static(chain), ..(*member(1)).clone() };
    StoreChange::Own { group: GROUP, member: Arc::new(member) }
}

fn address(port: u16) -> Address {
    Address::from(std::net::SocketAddr::from(([192, 0, 2, 1], port)))
}

fn record() -> GroupRecord {
    let root =
        GroupRoot { pkcs8: Zeroizing::new(b"secret".to_vec()), certificate: b"root".to_vec() };
    GroupRecord { chain: Bytes::from_static(b"chain"), root: Some(root) }
}

/// Runs a test against both stores; `again` opens the store anew where that is possible.
fn with_both(test: impl Fn(&dyn Store, &dyn Fn() -> Box<dyn Store>)) {
    let memory = MemoryStore::new();
    test(&memory, &|| Box::new(memory.clone()));
    let folder = tempfile::tempdir().unwrap();
    test(&FileStore::new(folder.path()), &|| Box::new(FileStore::new(folder.path())));
}

#[test]
fn what_was_committed_is_loaded() {
    with_both(|store, again| {
        assert_eq!(store.load(&GROUP).unwrap(), Default::default());
        let changed = Arc::new(Member { friendly_name: "Changed".into(), ..(*member(7)).clone() });
        store
            .commit(&[
                met(vec![member(7)]),
                met(vec![member(5)]),
                StoreChange::Addresses {
                    group: GROUP,
                    peer: KeyId([7; 32]),
                    addresses: vec![address(1)],
                },
                StoreChange::Synchronised { group: OTHER },
                met(vec![Arc::clone(&changed)]),
            ])
            .unwrap();
        let snapshot = again().load(&GROUP).unwrap();
        assert!(!snapshot.synchronised);
        assert_eq!(snapshot.members, [member(5), changed]);
        assert_eq!(snapshot.addresses, [(KeyId([7; 32]), vec![address(1)])]);
        assert!(again().load(&OTHER).unwrap().synchronised);
    });
}

#[test]
fn a_member_has_several_memberships_until_it_is_forgotten() {
    with_both(|store, again| {
        let others = (2..=4).map(|n| Member { depth: n, ..(*member(7)).clone() });
        let all: Vec<_> = [member(7)].into_iter().chain(others.map(Arc::new)).collect();
        store.commit(&[met(vec![member(8)]), met(all.clone())]).unwrap();
        let expected: Vec<_> = all.iter().cloned().chain([member(8)]).collect();
        assert_eq!(again().load(&GROUP).unwrap().members, expected, "in their order");
        let too_many = met(vec![member(7); 5]);
        assert_eq!(store.commit(&[too_many]).unwrap_err().code(), Code::E_OUTOFMEMORY);
        store.commit(&[met(all[1..2].to_vec())]).unwrap();
        let forget =
            |n| StoreChange::Member { group: GROUP, peer: KeyId([n; 32]), memberships: Vec::new() };
        store.commit(&[forget(8), forget(9)]).unwrap();
        assert_eq!(again().load(&GROUP).unwrap().members, all[1..2]);
    });
}

#[test]
fn signed_objects_are_kept_until_they_are_gone() {
    with_both(|store, again| {
        let kinds = [(1, ObjectKind::Revocation), (2, ObjectKind::Properties)];
        let changes: Vec<_> = kinds.iter().map(|(n, kind)| object(*n, *kind)).collect();
        store.commit(&changes).unwrap();
        store.commit(&changes[..1]).unwrap();
        let gone = |n| StoreChange::ObjectGone { group: GROUP, id: ObjectId([n; 32]) };
        store.commit(&[object(3, ObjectKind::Credential), gone(2), gone(4)]).unwrap();
        let kept = again().load(&GROUP).unwrap().objects;
        let expected = [(1, ObjectKind::Revocation), (3, ObjectKind::Credential)];
        assert_eq!(kept, expected.map(|(n, kind)| (kind, Bytes::from(vec![n; 9]))));
        let too_large = StoreChange::Object {
            group: GROUP,
            id: ObjectId([5; 32]),
            kind: ObjectKind::Revocation,
            bytes: vec![0; OBJECT_MAX + 1].into(),
        };
        assert_eq!(store.commit(&[gone(1), too_large]).unwrap_err().code(), Code::E_OUTOFMEMORY);
        assert_eq!(again().load(&GROUP).unwrap().objects.len(), 2);
    });
}

#[test]
fn a_renewed_own_chain_takes_the_place_of_the_former_one() {
    with_both(|store, again| {
        store.save_group(&GROUP, &record()).unwrap();
        let lock = store.lock(&GROUP).unwrap();
        store.commit(&[own(b"first"), object(1, ObjectKind::Credential), own(b"second")]).unwrap();
        let renewed = GroupRecord { chain: Bytes::from_static(b"second"), ..record() };
        assert_eq!(again().group(&GROUP).unwrap(), Some(renewed.clone()), "and the key stays");
        assert_eq!(store.load(&GROUP).unwrap().objects.len(), 1);
        let chain = Member { chain: vec![0; CHAIN_MAX + 1].into(), ..(*member(1)).clone() };
        let too_long = StoreChange::Own { group: GROUP, member: Arc::new(chain) };
        let result = store.commit(&[StoreChange::Synchronised { group: GROUP }, too_long]);
        assert!(matches!(result, Err(StoreError::TooLarge(_))));
        assert!(!store.load(&GROUP).unwrap().synchronised);
        drop(lock);
        assert_eq!(again().group(&GROUP).unwrap(), Some(renewed));
    });
}

#[test]
fn addresses_are_replaced_and_an_empty_list_removes_them() {
    with_both(|store, _| {
        let peer = KeyId([7; 32]);
        let set = |addresses| {
            store.commit(&[StoreChange::Addresses { group: GROUP, peer, addresses }]).unwrap()
        };
        set((0..20).map(address).collect());
        assert_eq!(store.load(&GROUP).unwrap().addresses, [(peer, (0..8).map(address).collect())]);
        set(vec![address(9)]);
        assert_eq!(store.load(&GROUP).unwrap().addresses, [(peer, vec![address(9)])]);
        set(vec![]);
        assert_eq!(store.load(&GROUP).unwrap().addresses, []);
    });
}

#[test]
fn a_batch_with_an_impossible_change_changes_nothing_of_its_group() {
    with_both(|store, again| {
        let too_long = Member { chain: vec![0; CHAIN_MAX + 1].into(), ..(*member(1)).clone() };
        let changes = [
            StoreChange::Synchronised { group: GROUP },
            met(vec![member(2)]),
            own(b"another chain"),
            met(vec![Arc::new(too_long)]),
        ];
        assert_eq!(store.commit(&changes).unwrap_err().code(), Code::E_OUTOFMEMORY);
        assert_eq!(again().load(&GROUP).unwrap(), Default::default());
        assert_eq!(again().group(&GROUP).unwrap(), None, "nor has the chain changed");
        store.commit(&changes[..3]).unwrap();
        assert_eq!(again().load(&GROUP).unwrap().members, [member(2)]);
        assert_eq!(again().group(&GROUP).unwrap().unwrap().chain, &b"another chain"[..]);
    });
}

#[test]
fn hints_are_where_members_may_be_found() {
    with_both(|store, again| {
        store.set_hints(&GROUP, &[(KeyId([3; 32]), vec![address(3)])], false).unwrap();
        store.set_hints(&GROUP, &[(KeyId([4; 32]), vec![address(4)])], true).unwrap();
        let snapshot = again().load(&GROUP).unwrap();
        assert!(snapshot.synchronised);
        let expected = [(KeyId([3; 32]), vec![address(3)]), (KeyId([4; 32]), vec![address(4)])];
        assert_eq!(snapshot.addresses, expected);
        let listening = Listening { synchronised: true, addresses: vec![] };
        assert_eq!(again().listening(&GROUP).unwrap(), Some(listening), "an inviter is to know");
    });
}

#[test]
fn credentials_are_kept_and_a_renewed_chain_keeps_the_key() {
    with_both(|store, again| {
        assert_eq!(store.group(&GROUP).unwrap(), None);
        store.save_group(&GROUP, &record()).unwrap();
        store.save_group(&OTHER, &GroupRecord { root: None, ..record() }).unwrap();
        store
            .save_group(&GROUP, &GroupRecord { chain: Bytes::from_static(b"longer"), root: None })
            .unwrap();
        let renewed = GroupRecord { chain: Bytes::from_static(b"longer"), ..record() };
        assert_eq!(again().group(&GROUP).unwrap(), Some(renewed.clone()));
        assert_eq!(
            again().groups().unwrap(),
            [(GROUP, renewed), (OTHER, GroupRecord { root: None, ..record() })]
        );
        let too_long = GroupRecord { chain: vec![0; CHAIN_MAX + 1].into(), root: None };
        assert!(matches!(store.save_group(&OTHER, &too_long), Err(StoreError::TooLarge(_))));
    });
}

#[test]
fn a_removed_group_is_gone_with_everything() {
    with_both(|store, again| {
        store.save_group(&GROUP, &record()).unwrap();
        let lock = store.lock(&GROUP).unwrap();
        store.commit(&[StoreChange::Synchronised { group: GROUP }]).unwrap();
        store.remove(&GROUP).unwrap();
        drop(lock);
        assert_eq!(again().group(&GROUP).unwrap(), None);
        assert_eq!(again().groups().unwrap(), []);
        assert_eq!(again().listening(&GROUP).unwrap(), None);
        assert_eq!(again().load(&GROUP).unwrap(), Default::default());
        store.remove(&OTHER).unwrap();
    });
}

fn pending(secret: u8) -> Pending {
    Pending { invitation: "invitation".into(), secret: vec![secret; 80].into() }
}

#[test]
fn what_is_pending_is_kept_until_there_is_a_membership() {
    with_both(|store, again| {
        store.save_pending(&GROUP, &pending(1)).unwrap();
        store.save_pending(&GROUP, &pending(2)).unwrap();
        store.save_pending(&OTHER, &pending(3)).unwrap();
        assert_eq!(again().pending().unwrap(), [(GROUP, pending(2)), (OTHER, pending(3))]);
        assert!(store.groups().unwrap().is_empty() && store.group(&GROUP).unwrap().is_none());
        // However the membership comes: by itself, or by an invitation.
        store.commit(&[own(b"gained")]).unwrap();
        store.save_group(&OTHER, &record()).unwrap();
        assert_eq!(again().pending().unwrap(), []);
        assert_eq!(again().group(&GROUP).unwrap().unwrap().chain, &b"gained"[..]);
        // Too late: a password that was corrected while the membership came.
        store.save_pending(&GROUP, &pending(4)).unwrap();
        assert_eq!(again().pending().unwrap(), []);
    });
}

#[test]
fn what_is_pending_goes_with_its_group() {
    with_both(|store, again| {
        store.save_pending(&GROUP, &pending(1)).unwrap();
        store.remove(&GROUP).unwrap();
        assert_eq!(again().pending().unwrap(), []);
        let long = Pending { secret: vec![0; 1_025].into(), ..pending(1) };
        let refused = store.save_pending(&GROUP, &long);
        assert!(matches!(refused, Err(StoreError::TooLarge(_))));
    });
}

#[test]
fn properties_can_be_read_while_another_process_has_the_group_open() {
    let folder = tempfile::tempdir().unwrap();
    let (store, other) = (FileStore::new(folder.path()), FileStore::new(folder.path()));
    let _lock = store.lock(&GROUP).unwrap();
    assert_eq!(other.properties(&GROUP).unwrap(), None);
    store.commit(&[object(1, ObjectKind::Properties), object(2, ObjectKind::Revocation)]).unwrap();
    assert_eq!(other.properties(&GROUP).unwrap().unwrap(), vec![1; 9]);
    store.commit(&[object(3, ObjectKind::Properties)]).unwrap();
    assert_eq!(other.properties(&GROUP).unwrap().unwrap(), vec![3; 9]);
}

#[test]
fn a_password_that_outlived_its_membership_goes_with_the_next_claim() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path());
    store.save_pending(&GROUP, &pending(1)).unwrap();
    // Killed after the chain was placed.
    fs::write(file(folder.path(), "chain"), b"chain").unwrap();
    assert_eq!(store.pending().unwrap(), []);
    assert!(file(folder.path(), "pending").exists());
    drop(store.lock(&GROUP).unwrap());
    assert!(!file(folder.path(), "pending").exists());
}

#[test]
fn a_locked_group_is_in_use_for_everybody_else() {
    with_both(|store, again| {
        let lock = store.lock(&GROUP).unwrap();
        assert_eq!(store.lock(&GROUP).unwrap_err().code(), Code::PEER_E_GROUP_IN_USE);
        assert_eq!(again().lock(&GROUP).unwrap_err().code(), Code::PEER_E_GROUP_IN_USE);
        let other = again().lock(&OTHER).unwrap();
        store.commit(&[StoreChange::Synchronised { group: GROUP }]).unwrap();
        drop(lock);
        drop(other);
        let lock = again().lock(&GROUP).unwrap();
        assert_eq!(store.lock(&GROUP).unwrap_err().code(), Code::PEER_E_GROUP_IN_USE);
        drop(lock);
        store.lock(&GROUP).map(drop).unwrap();
    });
}

#[test]
fn who_listens_is_known_to_others_until_the_group_is_given_back() {
    with_both(|store, again| {
        assert_eq!(again().listening(&GROUP).unwrap(), None);
        let lock = store.lock(&GROUP).unwrap();
        store
            .commit(&[
                StoreChange::Listening { group: GROUP, addresses: vec![address(1)] },
                StoreChange::Synchronised { group: GROUP },
                StoreChange::Listening { group: GROUP, addresses: vec![address(2), address(3)] },
            ])
            .unwrap();
        let expected = Listening { synchronised: true, addresses: vec![address(2), address(3)] };
        assert_eq!(again().listening(&GROUP).unwrap(), Some(expected), "readable without the lock");
        drop(lock);
        let silent = Listening { synchronised: true, addresses: vec![] };
        assert_eq!(again().listening(&GROUP).unwrap(), Some(silent));
    });
}

#[test]
fn a_store_in_use_elsewhere_refuses_to_load_and_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (FileStore::new(folder.path()), FileStore::new(folder.path()));
    let lock = first.lock(&GROUP).unwrap();
    assert!(matches!(second.load(&GROUP), Err(StoreError::GroupInUse)));
    let change = [StoreChange::Synchronised { group: GROUP }];
    assert!(matches!(second.commit(&change), Err(StoreError::GroupInUse)));
    assert!(matches!(second.remove(&GROUP), Err(StoreError::GroupInUse)));
    drop(lock);
    second.commit(&change).unwrap();
    assert!(
        first.load(&GROUP).unwrap().synchronised,
        "a claim for the moment is given back at once"
    );
}

fn file(folder: &Path, name: &str) -> std::path::PathBuf {
    folder.join("01".repeat(32)).join(name)
}

/// A store with a group that has everything.
fn filled(folder: &Path) -> FileStore {
    let store = FileStore::new(folder);
    store.save_group(&GROUP, &record()).unwrap();
    let lock = store.lock(&GROUP).unwrap();
    let members = (0..50).map(|number| met(vec![member(number)]));
    store.commit(&members.collect::<Vec<_>>()).unwrap();
    store.commit(&[StoreChange::Synchronised { group: GROUP }, own(b"chain")]).unwrap();
    drop(lock);
    store
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_any_of_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("groups");
    filled(&inner);
    let group = inner.join("01".repeat(32));
    for path in [&inner, &group] {
        assert_eq!(
            fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o700,
            "{}",
            path.display()
        );
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(&group).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{:?}",
            entry.file_name()
        );
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["chain", "listening", "lock", "members.redb", "root.cert", "root.key"]);
}

#[test]
fn a_damaged_database_is_refused_with_its_code() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let path = file(folder.path(), "members.redb");
    let good = fs::read(&path).unwrap();
    let damages: [(&str, Vec<u8>); 4] = [
        ("no database at all", b"hello".repeat(2_000)),
        ("cut in the middle", good[..good.len() / 2].to_vec()),
        ("zeroes at the start", {
            let mut bytes = good.clone();
            bytes[..64].fill(0);
            bytes
        }),
        ("too short for a header", good[..100].to_vec()),
    ];
    for (what, bytes) in damages {
        fs::write(&path, bytes).unwrap();
        let error = FileStore::new(folder.path()).load(&GROUP).unwrap_err();
        assert_eq!(error.code(), Code::PEER_E_DBINITIALIZATION_FAILED, "{what}: {error}");
    }
    fs::write(&path, good).unwrap();
    assert_eq!(FileStore::new(folder.path()).load(&GROUP).unwrap().members.len(), 50);
}

#[test]
fn a_page_that_was_altered_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let path = file(folder.path(), "members.redb");
    let good = fs::read(&path).unwrap();
    let at = good
        .windows(9)
        .rposition(|window| window == b"Member 30")
        .expect("a member's record is in the file");
    let mut bytes = good.clone();
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    match FileStore::new(folder.path()).load(&GROUP) {
        Err(error) => assert_eq!(error.code(), Code::PEER_E_DBINITIALIZATION_FAILED),
        // The page that was hit is no longer part of the last commit.
        Ok(snapshot) => {
            assert!(snapshot.members.iter().any(|member| member.friendly_name == "Member 30"))
        }
    }
}

#[test]
fn another_groups_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let store = FileStore::new(folder.path());
    store.save_group(&OTHER, &record()).unwrap();
    let foreign = folder.path().join("02".repeat(32)).join("members.redb");
    fs::copy(file(folder.path(), "members.redb"), foreign).unwrap();
    assert_eq!(store.load(&OTHER).unwrap_err().code(), Code::PEER_E_INVALID_DATABASE);
}

#[test]
fn damaged_small_files_are_refused_with_their_code() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    fs::write(file(folder.path(), "listening"), b"\x01\x07").unwrap();
    assert_eq!(store.listening(&GROUP).unwrap_err().code(), Code::PEER_E_CERT_STORE_CORRUPTED);
    fs::write(file(folder.path(), "chain"), vec![0; CHAIN_MAX + 1]).unwrap();
    assert_eq!(store.group(&GROUP).unwrap_err().code(), Code::PEER_E_CERT_STORE_CORRUPTED);
    fs::write(file(folder.path(), "chain"), b"chain").unwrap();
    fs::remove_file(file(folder.path(), "root.cert")).unwrap();
    let error = store.groups().unwrap_err();
    assert_eq!(error.code(), Code::PEER_E_CERT_STORE_CORRUPTED);
    assert_eq!(error.refusal().unwrap().code, Code::CRYPT_E_FILE_ERROR);
}

#[test]
fn a_damaged_listening_file_is_replaced_at_the_next_occasion() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    fs::write(file(folder.path(), "listening"), b"?").unwrap();
    store.commit(&[StoreChange::Synchronised { group: GROUP }]).unwrap();
    assert!(store.listening(&GROUP).unwrap().unwrap().synchronised);
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_or_written_has_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    // A folder in the place of a file is refused to root as well, unlike access rights.
    for (name, expected) in
        [("root.key", Code::PEER_E_NO_KEY_ACCESS), ("chain", Code::E_ACCESSDENIED)]
    {
        let path = file(folder.path(), name);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(store.group(&GROUP).unwrap_err().code(), expected, "{name}");
        fs::remove_dir(&path).unwrap();
        fs::write(&path, b"chain").unwrap();
    }
    let path = file(folder.path(), "members.redb");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(store.load(&GROUP).unwrap_err().code(), Code::PEER_E_DATABASE_ACCESSDENIED);
    let not_a_folder = folder.path().join("file");
    fs::write(&not_a_folder, b"").unwrap();
    let error = FileStore::new(&not_a_folder).load(&GROUP).unwrap_err();
    assert_eq!(error.code(), Code::ERROR_PATH_NOT_FOUND);
}
