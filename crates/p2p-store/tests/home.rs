//! The folder of a user's identities.

use std::fs;

use p2p_core::{Code, FileTime, KeyId};
use p2p_crypto::Identity;
use p2p_store::{GroupRecord, Home, IDENTITIES_MAX, Store, StoreError};

fn identity(name: &str) -> Identity {
    Identity::create(Some("test"), Some(name), FileTime::from_unix(1_700_000_000)).unwrap()
}

fn home() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("home"));
    (folder, home)
}

#[test]
fn identities_are_kept_listed_and_deleted() {
    let (_folder, home) = home();
    assert!(home.list().unwrap().is_empty());
    let (alice, bob) = (identity("Alice"), identity("Bob"));
    home.create(&alice).unwrap();
    home.create(&bob).unwrap();
    assert_eq!(home.create(&bob).unwrap_err().code(), Code::PEER_E_ALREADY_EXISTS);
    let loaded = home.load(alice.name()).unwrap();
    assert_eq!((loaded.key_id(), loaded.friendly_name()), (alice.key_id(), "Alice"));
    assert_eq!(loaded.pkcs8().unwrap(), alice.pkcs8().unwrap());
    let mut names: Vec<_> =
        home.list().unwrap().iter().map(|one| one.friendly_name().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["Alice", "Bob"]);
    home.delete(bob.name()).unwrap();
    assert_eq!(home.load(bob.name()).unwrap_err().code(), Code::PEER_E_NOT_FOUND);
    assert_eq!(home.delete(bob.name()).unwrap_err().code(), Code::PEER_E_NOT_FOUND);
    assert_eq!(home.list().unwrap().len(), 1);
}

#[test]
fn the_default_is_the_one_chosen_while_it_exists() {
    let (_folder, home) = home();
    assert!(home.default_identity().unwrap().is_none());
    let (alice, bob) = (identity("Alice"), identity("Bob"));
    home.create(&alice).unwrap();
    assert!(home.default_identity().unwrap().is_none(), "nothing is chosen by itself");
    assert_eq!(home.set_default(bob.name()).unwrap_err().code(), Code::PEER_E_NOT_FOUND);
    home.set_default(alice.name()).unwrap();
    assert_eq!(home.default_identity().unwrap().unwrap().key_id(), alice.key_id());
    home.delete(alice.name()).unwrap();
    assert!(home.default_identity().unwrap().is_none());
    fs::write(home.path().join("default"), "what?").unwrap();
    assert_eq!(home.default_identity().unwrap_err().code(), Code::PEER_E_CERT_STORE_CORRUPTED);
}

#[test]
fn an_identity_with_groups_is_not_deleted() {
    let (_folder, home) = home();
    let alice = identity("Alice");
    home.create(&alice).unwrap();
    let store = home.store(&alice);
    let group = KeyId([1; 32]);
    store.save_group(&group, &GroupRecord { chain: "chain".into(), root: None }).unwrap();
    assert_eq!(home.delete(alice.name()).unwrap_err().code(), Code::PEER_E_GROUPS_EXIST);
    store.remove(&group).unwrap();
    home.delete(alice.name()).unwrap();
    let left = fs::read_dir(home.path().join("identities")).unwrap().count();
    assert_eq!(left, 0, "no key is left behind");
}

#[test]
fn a_full_home_takes_no_further_identity() {
    let (_folder, home) = home();
    for number in 0..IDENTITIES_MAX {
        fs::create_dir_all(home.path().join("identities").join(format!("{number:040x}"))).unwrap();
    }
    assert_eq!(
        home.create(&identity("Alice")).unwrap_err().code(),
        Code::PEER_E_TOO_MANY_IDENTITIES
    );
}

#[test]
fn damaged_and_missing_keys_have_their_codes() {
    let (_folder, home) = home();
    let (alice, bob) = (identity("Alice"), identity("Bob"));
    home.create(&alice).unwrap();
    home.create(&bob).unwrap();
    let file = |who: &Identity, name| {
        home.path().join("identities").join(who.name().authority()).join(name)
    };

    fs::copy(file(&bob, "key"), file(&alice, "key")).unwrap();
    let error = home.load(alice.name()).unwrap_err();
    assert_eq!(
        error.code(),
        Code::PEER_E_CERT_STORE_CORRUPTED,
        "a key that is not the certificate's"
    );
    assert_eq!(error.refusal().unwrap().code, Code::CRYPT_E_FILE_ERROR);

    fs::remove_file(file(&alice, "key")).unwrap();
    let error = home.load(alice.name()).unwrap_err();
    assert_eq!(error.code(), Code::PEER_E_NO_KEY_ACCESS);
    assert_eq!(error.refusal().unwrap().detail, Code::NTE_NO_KEY);
    assert!(matches!(home.list(), Err(StoreError::KeyAccess { .. })));

    for damage in [&b""[..], b"not a certificate"] {
        fs::write(file(&bob, "certificate"), damage).unwrap();
        assert_eq!(home.load(bob.name()).unwrap_err().code(), Code::PEER_E_CERT_STORE_CORRUPTED);
    }
    fs::remove_file(file(&bob, "certificate")).unwrap();
    assert_eq!(home.load(bob.name()).unwrap_err().code(), Code::PEER_E_CERT_STORE_CORRUPTED);
}

#[test]
fn an_updated_certificate_replaces_the_old_one() {
    let (_folder, home) = home();
    let alice = identity("Alice");
    assert_eq!(home.update(&alice).unwrap_err().code(), Code::PEER_E_NOT_FOUND);
    home.create(&alice).unwrap();
    home.update(&alice).unwrap();
    assert_eq!(home.load(alice.name()).unwrap().certificate(), alice.certificate());
}

#[test]
fn two_processes_creating_identities_do_not_disturb_each_other() {
    let (_folder, home) = home();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                (0..5).for_each(|number| home.create(&identity(&number.to_string())).unwrap())
            });
        }
    });
    assert_eq!(home.list().unwrap().len(), 20);
}

#[cfg(unix)]
#[test]
fn keys_are_for_the_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, home) = home();
    let alice = identity("Alice");
    home.create(&alice).unwrap();
    home.set_default(alice.name()).unwrap();
    let folder = home.path().join("identities").join(alice.name().authority());
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for path in [folder.join("key"), folder.join("certificate"), home.path().join("default")] {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}
