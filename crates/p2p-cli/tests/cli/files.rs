//! Files: sent, interrupted by kills and continued, and sent by somebody who means harm.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use p2p_group::{ByteStream, Group, Home, KeyId, MemberFilter, Node};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::process::{Machine, Running, join};

/// Ada takes files into a folder, at a port that stays the same; Bob is a member.
struct World {
    ada: Machine,
    bob: Machine,
    /// The folder is within it, and nothing else.
    around: TempDir,
    listen: String,
    receiving: Running,
}

impl World {
    fn new(options: &[&str]) -> World {
        let (ada, bob) = (Machine::of("Ada"), Machine::of("Bob"));
        ada.ok(&["group", "create", "garden"]);
        let around = TempDir::new().unwrap();
        fs::create_dir(around.path().join("in")).unwrap();
        let port = UdpSocket::bind("[::1]:0").unwrap().local_addr().unwrap().port();
        let listen = format!("[::1]:{port}");
        let receiving = receive(&ada, &listen, &around.path().join("in"), options);
        join(&ada, &bob);
        World { ada, bob, around, listen, receiving }
    }

    fn folder(&self) -> std::path::PathBuf {
        self.around.path().join("in")
    }

    /// The names in the folder, in order.
    fn names(&self) -> Vec<String> {
        names(&self.folder())
    }

    /// A file of Bob's, beside his home.
    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.bob.home().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Ada's process is killed and another one started.
    fn kill_receiver(self) -> World {
        let World { ada, bob, around, listen, receiving } = self;
        kill(&receiving);
        drop(receiving);
        let receiving = receive(&ada, &listen, &around.path().join("in"), &[]);
        World { ada, bob, around, listen, receiving }
    }
}

fn receive(ada: &Machine, listen: &str, folder: &Path, options: &[&str]) -> Running {
    let words = ["receive", folder.to_str().unwrap(), "--json", "--listen", listen];
    let mut receiving = ada.start(&[&words[..], options].concat());
    receiving.record(&[("type", "waiting")]);
    receiving
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// As nothing can prepare for.
fn kill(running: &Running) {
    let sent = Command::new("kill").args(["-9", &running.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Bytes that do not repeat soon.
fn content(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) fn within(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How much of a file that is not whole is there.
fn part(folder: &Path) -> Option<u64> {
    let name = names(folder).into_iter().find(|name| name.ends_with(".part"))?;
    // It may get its name in this moment.
    Some(fs::metadata(folder.join(name)).ok()?.len())
}

#[test]
fn a_file_arrives_whole_and_replaces_nothing() {
    let mut world = World::new(&[]);
    let bytes = content(3_000_001);
    let file = world.file("notes.txt", &bytes);
    for name in ["notes.txt", "notes (1).txt"] {
        let records = world.bob.records(&["send", "Ada", &file]);
        let changes: Vec<&Value> = records.iter().map(|r| &r["change"]).collect();
        assert_eq!((changes[0], *changes.last().unwrap()), (&json!("begun"), &json!("done")));
        let done = world.receiving.record(&[("type", "transfer"), ("change", "done")]);
        assert_eq!((&done["direction"], &done["friendly_name"]), (&json!("in"), &json!("Bob")));
        assert_eq!((&done["size"], &done["hash"]), (&json!(3_000_001), &records[0]["hash"]));
        assert_eq!(done["path"], world.folder().join(name).to_str().unwrap());
        assert!(fs::read(world.folder().join(name)).unwrap() == bytes);
    }
    let empty = world.file("empty", b"");
    let ended = world.bob.run(&["send", "Ada", &empty]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.is_empty(), "no bar where nobody sits: {ended:?}");
    assert!(ended.out.ends_with("has empty, whole.\n"), "{ended:?}");
    assert_eq!(world.names(), ["empty", "notes (1).txt", "notes.txt"]);
}

#[test]
fn one_file_is_enough_if_only_one_is_wanted() {
    let world = World::new(&["--once", "--from", "Bob"]);
    let file = world.file("x", b"x");
    world.bob.ok(&["send", "Ada", &file]);
    assert_eq!(world.receiving.end().code, 0);
}

#[test]
fn what_is_not_wanted_or_cannot_be_is_said() {
    let world = World::new(&["--max-size", "1K", "--from", "Bob"]);
    let eve = Machine::of("Eve");
    join(&world.ada, &eve);
    let (small, large) = (world.file("small", b"x"), world.file("large", &[0; 1_025]));
    for (machine, file, exit, code, says) in [
        (&world.bob, &large, 4, "PEER_E_CONNECTION_REFUSED", "larger"),
        (&eve, &small, 4, "PEER_E_CONNECTION_REFUSED", "others"),
        (&world.bob, &"no-such-file".to_owned(), 3, "ERROR_FILE_NOT_FOUND", "no-such-file"),
        (&world.bob, &"/".to_owned(), 1, "E_INVALIDARG", "only a file"),
    ] {
        let (ended, error) = machine.fails(&["send", "Ada", file]);
        assert_eq!((ended, &error["code"]), (exit, &json!(code)), "{error}");
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
    }
    for folder in ["no-such-folder", &small] {
        assert_eq!(eve.fails(&["receive", folder]).0, 3);
    }
    assert_eq!(world.bob.run(&["receive", ".", "--max-size", "much"]).code, 2);
    world.bob.ok(&["send", "Ada", &small]);
    assert_eq!(world.names(), ["small"]);
}

/// Whoever joins chooses what to be called: a second Bob ends nothing, and takes nobody's place.
#[test]
fn a_second_bearer_of_the_welcome_name_is_turned_away_and_ends_nothing() {
    let mut world = World::new(&["--from", "Bob"]);
    let file = world.file("x", b"x");
    world.bob.ok(&["send", "Ada", &file]);
    let second = Machine::of("Bob");
    join(&world.ada, &second);
    for machine in [&second, &world.bob] {
        let (exit, error) = machine.fails(&["send", "Ada", &file]);
        assert_eq!((exit, &error["code"]), (4, &json!("PEER_E_CONNECTION_REFUSED")), "{error}");
        let said = world.receiving.record(&[("type", "error")]);
        assert!(said["message"].as_str().unwrap().contains("several may be meant"), "{said}");
    }
    assert_eq!(world.names(), ["x"]);
}

#[test]
fn a_file_goes_on_where_the_killed_sender_stopped() {
    let mut world = World::new(&[]);
    // If one is over before it is killed, a larger one is not.
    for mib in [64, 256, 1_024] {
        let name = format!("{mib}.bin");
        let path = world.bob.home().join(&name);
        fs::File::create(&path).unwrap().set_len(mib << 20).unwrap();
        let path = path.to_str().unwrap();
        let sending = world.bob.start(&["send", "Ada", path]);
        let folder = world.folder();
        within("it arrives", || {
            part(&folder).is_some_and(|n| n > 0) || folder.join(&name).exists()
        });
        kill(&sending);
        drop(sending);
        // What is on its way still arrives: it must not be all of the rest.
        let Some(there) = part(&folder).filter(|n| n + (32 << 20) < mib << 20) else { continue };
        // At once: Ada does not know yet that the former process is gone.
        let records = world.bob.records(&["send", "Ada", path]);
        let from = records[0]["bytes"].as_u64().unwrap();
        assert!(from >= there && from < mib << 20, "{}", records[0]);
        assert_eq!(records.last().unwrap()["change"], "done");
        world.receiving.record(&[("change", "failed"), ("code", "PEER_E_CONNECTION_FAILED")]);
        let begun = world.receiving.record(&[("change", "begun"), ("name", &name)]);
        assert_eq!(begun["bytes"], from);
        world.receiving.record(&[("change", "done"), ("name", &name)]);
        assert_eq!(fs::metadata(folder.join(&name)).unwrap().len(), mib << 20);
        assert_eq!(part(&folder), None);
        return;
    }
    panic!("no file was interrupted");
}

#[test]
fn a_full_disk_is_said_and_the_file_goes_on_when_there_is_room() {
    let World { ada, bob, around, listen, mut receiving } = World::new(&[]);
    let folder = around.path().join("in");
    kill(&receiving);
    drop(receiving);
    // No file of this process may be longer than 4 or 8 MiB, whichever this shell counts in.
    let script = "trap '' XFSZ; ulimit -f 8192; exec \"$0\" \"$@\"";
    let words = ["receive", folder.to_str().unwrap(), "--json", "--listen", &listen];
    let like = ada.command(&words);
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_p2p")]).args(words);
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    receiving = Running::start(command);
    receiving.record(&[("type", "waiting")]);
    let path = bob.home().join("large");
    fs::write(&path, content(16 << 20)).unwrap();
    let path = path.to_str().unwrap();
    let (exit, error) = bob.fails(&["send", "Ada", path]);
    assert_eq!((exit, &error["code"]), (1, &json!("PEER_E_DISK_FULL")), "{error}");
    receiving.record(&[("type", "transfer"), ("change", "failed"), ("code", "PEER_E_DISK_FULL")]);
    kill(&receiving);
    drop(receiving);
    let there = part(&folder).unwrap();
    assert!(there > 0 && there < 16 << 20, "{there}");
    let receiving = receive(&ada, &listen, &folder, &["--once"]);
    let records = bob.records(&["send", "Ada", path]);
    assert_eq!(records[0]["bytes"], there, "{}", records[0]);
    assert_eq!(receiving.end().code, 0);
    assert!(fs::read(folder.join("large")).unwrap() == fs::read(path).unwrap());
}

/// Bob's node in this process, which says what it likes.
struct Hostile {
    node: Node,
    group: Group,
    ada: KeyId,
}

impl Hostile {
    async fn new(bob: &Machine) -> Hostile {
        let home = Home::at(bob.home());
        let identity = home.identities().unwrap().remove(0);
        let name = home.groups(identity.name()).unwrap().remove(0).name;
        let node = Node::builder(identity).listen_at(["[::1]:0".parse().unwrap()]).start().unwrap();
        let group = Group::open(&node, &name).unwrap();
        group.connect_and_wait().await.unwrap();
        let own = group.own().key;
        let members = group.members(&MemberFilter::default()).unwrap();
        let ada = members.iter().map(|info| info.member.key).find(|key| *key != own).unwrap();
        Hostile { node, group, ada }
    }

    async fn stream(&self) -> ByteStream {
        ByteStream::new(self.group.direct(self.ada).await.unwrap())
    }

    /// Says all of this, ends, and answers what comes back: the kind and the value of each record.
    async fn say(&self, bytes: &[u8]) -> Vec<(u8, u64)> {
        let mut stream = self.stream().await;
        // Ada may close before she has read everything.
        if stream.write_all(bytes).await.is_ok() {
            let _ = stream.shutdown().await;
        }
        answers(&mut stream).await
    }

    async fn end(self) {
        self.group.close().await.unwrap();
        self.node.shutdown().await;
    }
}

async fn answers(stream: &mut ByteStream) -> Vec<(u8, u64)> {
    let mut answers = Vec::new();
    let mut record = [0; 17];
    while stream.read_exact(&mut record).await.is_ok() {
        assert_eq!(&record[..8], b"p2pfile\x01");
        answers.push((record[8], u64::from_be_bytes(record[9..].try_into().unwrap())));
    }
    answers
}

fn offer(name: &str, size: u64, content: &[u8]) -> Vec<u8> {
    let length = (name.len() as u16).to_be_bytes();
    let hash = digest(&SHA256, content);
    let parts = [b"p2pfile\x01", &size.to_be_bytes()[..], hash.as_ref(), &length, name.as_bytes()];
    parts.concat()
}

const CHECKING: (u8, u64) = (0, 0);
const FROM_START: (u8, u64) = (1, 0);
const STORED: (u8, u64) = (2, 0);

/// A refusal, by its number in the protocol.
fn declined(why: u64) -> (u8, u64) {
    (3, why)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_goes_on_where_the_killed_receiver_stopped() {
    let world = World::new(&[]);
    let bytes = content(2_000_000);
    let file = world.file("notes.txt", &bytes);
    let sender = Hostile::new(&world.bob).await;
    let mut stream = sender.stream().await;
    stream.write_all(&offer("notes.txt", 2_000_000, &bytes)).await.unwrap();
    stream.write_all(&bytes[..700_000]).await.unwrap();
    let folder = world.folder();
    within("half of it arrives", || part(&folder) == Some(700_000));
    let mut world = world.kill_receiver();
    drop(stream);
    sender.end().await;
    let records = world.bob.records(&["send", "Ada", &file]);
    assert_eq!(records[0]["bytes"], 700_000, "{}", records[0]);
    let begun = world.receiving.record(&[("type", "transfer"), ("change", "begun")]);
    assert_eq!(begun["bytes"], 700_000);
    assert!(fs::read(folder.join("notes.txt")).unwrap() == bytes);
    assert_eq!(world.names(), ["notes.txt"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_sender_chooses_no_folder_and_no_form() {
    let mut world = World::new(&[]);
    let hostile = Hostile::new(&world.bob).await;
    let mut expected = Vec::new();
    for (wish, name) in [
        ("../../evil.txt", "evil.txt"),
        ("/tmp/evil.txt", "evil (1).txt"),
        ("C:\\Windows\\evil.txt", "evil (2).txt"),
        (".bashrc", "_bashrc"),
        ("\u{1b}[2Jcod\u{202e}txt.exe", "_[2Jcod_txt.exe"),
        ("..\\.x.part", "_x.part"),
    ] {
        let said = [offer(wish, 1, b"x"), b"x".to_vec()].concat();
        assert_eq!(hostile.say(&said).await, [CHECKING, FROM_START, STORED], "{wish:?}");
        expected.push(name.to_owned());
        expected.sort();
        assert_eq!(world.names(), expected, "{wish:?}");
    }
    assert_eq!(names(world.around.path()), ["in"], "nothing beside the folder");
    for wish in ["..", "/", "x/..", "\\"] {
        assert_eq!(hostile.say(&offer(wish, 1, b"x")).await, [declined(2)], "{wish:?}");
        world.receiving.record(&[("type", "error"), ("code", "E_INVALIDARG")]);
    }
    hostile.end().await;
    world.receiving.hang_up();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_sender_lies_about_sizes_and_hashes_in_vain() {
    let mut world = World::new(&[]);
    let hostile = Hostile::new(&world.bob).await;
    let good = offer("x", 5, b"right");
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        bad
    };
    for (what, bytes, answers) in [
        ("another hash", [&good[..], b"wrong"].concat(), vec![CHECKING, FROM_START, declined(8)]),
        ("too short", [&good[..], b"rig"].concat(), vec![CHECKING, FROM_START, declined(9)]),
        ("too long", [&good[..], b"right!"].concat(), vec![CHECKING, FROM_START, declined(9)]),
        ("larger than any disk", with(8, &i64::MAX.to_be_bytes()), vec![declined(3)]),
        ("larger than a number", with(8, &[0xff; 8]), vec![declined(1)]),
        ("another version", with(7, &[2]), vec![declined(0)]),
        ("no file", b"GET / HTTP/1.1\r\n\r\n".repeat(10), vec![declined(1)]),
        ("no name", with(48, &[0, 0]), vec![declined(1)]),
        ("a name that is no text", with(50, &[0xff]), vec![declined(1)]),
    ] {
        assert_eq!(hostile.say(&bytes).await, answers, "{what}");
        assert!(world.names().is_empty(), "{what}: {:?}", world.names());
    }
    // Whoever goes on and on is stopped by the connection's own queue and then by its end.
    let mut stream = hostile.stream().await;
    let mut sent = stream.write_all(&good).await;
    let more = vec![0; 1 << 20];
    while sent.is_ok() {
        sent = stream.write_all(&more).await;
    }
    assert_eq!(answers(&mut stream).await, [CHECKING, FROM_START, declined(9)]);
    assert!(world.names().is_empty(), "{:?}", world.names());
    hostile.end().await;

    // Ada still takes what is right.
    let file = world.file("x", b"right");
    world.bob.ok(&["send", "Ada", &file]);
    world.receiving.record(&[("type", "transfer"), ("change", "done")]);
    assert_eq!(world.names(), ["x"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_receiver_gets_nothing_that_was_not_asked_for() {
    let (ada, bob) = (Machine::of("Ada"), Machine::of("Bob"));
    ada.ok(&["group", "create", "garden"]);
    let line = ada.ok(&["invite", bob.ok(&["identity", "show"]).trim()]);
    bob.ok(&["join", line.trim()]);
    let home = Home::at(ada.home());
    let identity = home.identities().unwrap().remove(0);
    let name = home.groups(identity.name()).unwrap().remove(0).name;
    let node = Node::builder(identity).listen_at(["[::1]:0".parse().unwrap()]).start().unwrap();
    let group = Group::open(&node, &name).unwrap();
    let incoming = group.incoming().unwrap();
    group.connect_and_wait().await.unwrap();
    join(&ada, &bob);
    let path = bob.home().join("x");
    fs::write(&path, "content").unwrap();
    for answer in [
        &b"p2pfile\x01\x01\0\0\0\0\0\0\0\x08"[..],
        b"p2pfile\x01\x02\0\0\0\0\0\0\0\0",
        b"p2pfile\x01\x07\0\0\0\0\0\0\0\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ] {
        let sending = bob.start(&["send", "Ada", path.to_str().unwrap(), "--json"]);
        let mut stream = ByteStream::new(incoming.accept().await.unwrap());
        stream.write_all(answer).await.unwrap();
        let ended = sending.end();
        assert_eq!((ended.error().0, &ended.error().1["code"]), (1, &json!("E_INVALIDARG")));
    }
    group.close().await.unwrap();
    node.shutdown().await;
}
