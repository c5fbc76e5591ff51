//! `p2p send` beside the process that has the group open, and files that arrive in `p2p listen`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::process::{Machine, Pair, Running, join};

/// The two of them, each online by `p2p listen --receive`.
struct Online {
    ada: Machine,
    bob: Machine,
    folders: TempDir,
    adas: Running,
    bobs: Running,
}

impl Online {
    fn new() -> Online {
        let (ada, bob) = (Machine::of("Ada"), Machine::of("Bob"));
        ada.ok(&["group", "create", "garden"]);
        let folders = TempDir::new().unwrap();
        let adas = listen(&ada, folders.path(), "Ada", "listening");
        join(&ada, &bob);
        let bobs = listen(&bob, folders.path(), "Bob", "connected");
        Online { ada, bob, folders, adas, bobs }
    }
}

fn listen(machine: &Machine, folders: &Path, name: &str, until: &str) -> Running {
    let folder = folders.join(name);
    fs::create_dir_all(&folder).unwrap();
    let mut listening = machine.start(&["listen", "--json", "--receive", folder.to_str().unwrap()]);
    listening.record(&[("type", "status"), (until, "true")]);
    listening
}

fn file(machine: &Machine, name: &str, content: &[u8]) -> String {
    let path = machine.home().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Where a machine's only process lends connections.
fn socket(machine: &Machine) -> PathBuf {
    let mut entries = fs::read_dir(machine.home().join("run")).unwrap();
    let entry = entries.next().expect("it listens").unwrap().path();
    assert!(entries.next().is_none());
    entry
}

fn kill(running: &Running) {
    let sent = Command::new("kill").args(["-9", &running.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn part(folder: &Path) -> Option<u64> {
    let mut entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let part = entries.find(|path| path.extension().is_some_and(|end| end == "part"))?;
    Some(fs::metadata(part).ok()?.len())
}

#[test]
fn a_file_is_sent_and_taken_beside_listen_in_both_directions() {
    let Online { ada, bob, folders, mut adas, mut bobs } = Online::new();
    let bytes: Vec<u8> = (0..3_000_001_u32).map(|n| (n % 251) as u8).collect();
    let (one, other) = (file(&bob, "one", &bytes), file(&ada, "other", &bytes));
    let records = bob.records(&["send", "Ada", &one]);
    let last = records.last().unwrap();
    assert_eq!((&last["change"], &last["direction"]), (&json!("done"), &json!("out")));
    assert_eq!((&last["friendly_name"], &last["size"]), (&json!("Ada"), &json!(3_000_001)));
    let done = adas.record(&[("type", "transfer"), ("change", "done"), ("direction", "in")]);
    assert_eq!(done["path"], folders.path().join("Ada/one").to_str().unwrap());
    // The process that has lent the connection tells of it as of any other.
    bobs.record(&[
        ("type", "connection"),
        ("change", "connected"),
        ("id", last["id"].as_str().unwrap()),
    ]);

    let said = ada.ok(&["send", "Bob", &other]);
    assert!(said.ends_with(" has other, whole.\n"), "{said}");
    bobs.record(&[("type", "transfer"), ("change", "done"), ("name", "other")]);
    for path in ["Ada/one", "Bob/other"] {
        assert!(fs::read(folders.path().join(path)).unwrap() == bytes, "{path}");
    }

    // Both go on, and messages are messages.
    bobs.say("/open Ada");
    let opened = bobs.record(&[("type", "opening")]);
    let id = opened["id"].as_str().unwrap();
    bobs.record(&[("type", "connection"), ("change", "connected"), ("id", id)]);
    bobs.say(&format!("/send {id} hello"));
    adas.record(&[("type", "message"), ("text", "hello")]);
    bobs.say(&format!("/close {id}"));
    bobs.record(&[
        ("type", "connection"),
        ("change", "disconnected"),
        ("code", "S_OK"),
        ("id", id),
    ]);
    for (mut running, machine) in [(adas, &ada), (bobs, &bob)] {
        running.say("/quit");
        let ended = running.end();
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(!ended.out.contains("\"hex\""), "no piece of a file is a message: {ended:?}");
        assert_eq!(fs::read_dir(machine.home().join("run")).unwrap().count(), 0);
    }
}

#[test]
fn what_goes_wrong_is_said_as_without_listen() {
    let Online { ada, bob, folders, mut adas, bobs } = Online::new();
    let small = file(&bob, "small", b"x");
    for (words, exit, code) in [
        (vec!["send", "Eve", &small], 3, "PEER_E_IDENTITY_NOT_FOUND"),
        (vec!["send", "Ada", &small, "[::1]:1"], 5, "PEER_E_CONNECTION_FAILED"),
        (vec!["send", "Ada", "no-such-file"], 3, "ERROR_FILE_NOT_FOUND"),
    ] {
        let (ended, error) = bob.fails(&words);
        assert_eq!((ended, &error["code"]), (exit, &json!(code)), "{words:?}: {error}");
    }
    // Ada takes no files any more: that is said at once, and not as a message.
    adas.say("/quit");
    assert_eq!(adas.end().code, 0);
    let mut adas = ada.start(&["listen", "--json"]);
    adas.record(&[("type", "status"), ("connected", "true")]);
    let address = json!(adas_address(&ada));
    let (ended, error) = bob.fails(&["send", "Ada", &small, address.as_str().unwrap()]);
    assert_eq!((ended, &error["code"]), (4, &json!("PEER_E_CONNECTION_REFUSED")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("--receive"), "{error}");
    assert_eq!(fs::read_dir(folders.path().join("Ada")).unwrap().count(), 0);
    drop(bobs);
    assert_eq!(ada.fails(&["listen", "--receive", &small]).0, 3, "not a folder");
    assert_eq!(ada.fails(&["listen", "--max-size", "1M"]).0, 2, "of what?");
}

/// Where Ada's process listens.
fn adas_address(ada: &Machine) -> String {
    let bob = Machine::of("Bob");
    let invitation = crate::process::invitation(ada, &bob.ok(&["identity", "show"]));
    invitation["addresses"][0].as_str().unwrap().to_owned()
}

#[test]
fn a_killed_borrower_leaves_a_part_that_goes_on() {
    let Online { bob, folders, mut adas, mut bobs, .. } = Online::new();
    let folder = folders.path().join("Ada");
    for mib in [64, 256, 1_024] {
        let name = format!("{mib}.bin");
        let path = bob.home().join(&name);
        fs::File::create(&path).unwrap().set_len(mib << 20).unwrap();
        let path = path.to_str().unwrap();
        let sending = bob.start(&["send", "Ada", path]);
        crate::files::within("it arrives", || {
            part(&folder).is_some_and(|n| n > 0) || folder.join(&name).exists()
        });
        kill(&sending);
        drop(sending);
        let Some(there) = part(&folder).filter(|n| n + (32 << 20) < mib << 20) else { continue };
        let failed = adas.record(&[("type", "transfer"), ("change", "failed")]);
        assert_eq!(failed["code"], "PEER_E_CONNECTION_FAILED", "it broke off, nothing else");
        let records = bob.records(&["send", "Ada", path]);
        let from = records[0]["bytes"].as_u64().unwrap();
        assert!(from >= there && from < mib << 20, "{}", records[0]);
        assert_eq!(fs::metadata(folder.join(&name)).unwrap().len(), mib << 20);
        bobs.say("/quit");
        assert_eq!(bobs.end().code, 0);
        return;
    }
    panic!("no file was interrupted");
}

#[test]
fn the_socket_is_the_users_alone_survives_nonsense_and_is_replaced_after_a_kill() {
    let Online { bob, mut bobs, folders, adas, .. } = Online::new();
    let path = socket(&bob);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    for nonsense in [&b""[..], b"\n", b"{}\n", b"\xff\xff\n", &[b'x'; 20_000]] {
        let mut borrower = UnixStream::connect(&path).unwrap();
        // It may have hung up already.
        let _ = borrower.write_all(nonsense);
    }
    let small = file(&bob, "small", b"x");
    bob.ok(&["send", "Ada", &small]);
    kill(&bobs);
    bobs.hang_up();
    drop(bobs);
    // Nobody has the group open: `send` opens it itself, whatever was left behind.
    assert!(path.exists());
    bob.ok(&["send", "Ada", &small]);
    let bobs = listen(&bob, folders.path(), "Bob", "listening");
    bob.ok(&["send", "Ada", &small]);
    assert_eq!(socket(&bob), path);
    drop((adas, bobs));
}

#[test]
fn a_process_that_cannot_lend_is_in_the_way_as_before() {
    let Pair { ada, online, .. } = Pair::new();
    fs::remove_file(socket(&ada)).unwrap();
    let small = file(&ada, "small", b"x");
    let (exit, error) = ada.fails(&["send", "Bob", &small]);
    assert_eq!((exit, &error["code"]), (1, &json!("PEER_E_GROUP_IN_USE")), "{error}");
    drop(online);
}
