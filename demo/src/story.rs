//! The story, and what each of its steps must come to.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stage::{Actor, Scratch, free_port};

type Step = Result<(), String>;

const S_OK: &str = "S_OK (0x00000000)";
const NOT_FOUND: &str = "PEER_E_CONNECTION_NOT_FOUND (0x80630103)";
const INVALID_GROUP: &str = "PEER_E_INVALID_GROUP (0x80632093)";
const NOT_AUTHENTICATED: &str = "PEER_E_CONNECTION_NOT_AUTHENTICATED (0x8063010A)";
const NOT_AUTHORIZED: &str = "PEER_E_NOT_AUTHORIZED (0x80632020)";
const CONNECTION_FAILED: &str = "PEER_E_CONNECTION_FAILED (0x80630109)";
const HASH_VALUE: &str = "CRYPT_E_HASH_VALUE (0x80091007)";

/// One who comes back: a home and a port that stay the same.
struct Role {
    name: &'static str,
    home: PathBuf,
    port: u16,
}

impl Role {
    fn new(name: &'static str, scratch: &Scratch) -> Result<Role, String> {
        Ok(Role { name, home: scratch.path().join(name), port: free_port()? })
    }

    fn address(&self) -> String {
        format!("[::1]:{}", self.port)
    }

    fn prepared(&self, mut command: Command) -> Result<Actor, String> {
        // What the library logs belongs to the terminal of a person who looks for it, not into the transcript.
        command.env("P2P_HOME", &self.home).env("P2P_LISTEN", self.address()).env("P2P_LOG", "off");
        Actor::start(self.name, &mut command)
    }

    fn in_rust(&self) -> Result<Actor, String> {
        let mut command = Command::new(std::env::current_exe().map_err(|e| e.to_string())?);
        command.arg("actor");
        self.prepared(command)
    }

    fn in_c(&self, program: &Path) -> Result<Actor, String> {
        self.prepared(Command::new(program))
    }
}

pub(crate) fn play() -> Step {
    let scratch = Scratch::new()?;
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| Role::new(name, &scratch));
    let (alice, bob, carol) = (alice?, bob?, carol?);
    println!("\n  A private group, with no server\n");

    scene("Three people, three processes");
    let mut a = alice.in_rust()?;
    let mut b = bob.in_rust()?;
    let (_, _) = introduce(&mut a)?;
    let (b_name, b_xml) = introduce(&mut b)?;

    scene("A group, an invitation, a member");
    let made = a.ask(&["create", "The garden"])?;
    let group = made.get("group")?.to_owned();
    say("alice", &format!("creates “{}”, {}", made.get("name")?, short(&group)));
    online(&mut a, "1", "listens, alone so far")?;
    let invitation = a.ask(&["invite", &b_xml])?.get("invitation")?.to_owned();
    say(
        "alice",
        &format!("invites bob: {} characters of text, signed to the last", invitation.len()),
    );
    b.ask(&["join", &invitation])?;
    say("bob", "joins; nothing has gone over the network yet");
    online(&mut b, "3", "is online, with a neighbour")?;
    let members = b.ask(&["members"])?.get("members")?.to_owned();
    check("bob sees", &members, "alice, bob")?;

    scene("A direct connection");
    let (from_a, from_b) = connect(&mut a, &b_name, &mut b)?;
    talk(&mut a, &from_a, &mut b, &from_b)?;
    close_three_times(&mut a, &from_a, &mut b, &from_b)?;

    scene("An intruder");
    intrude(&invitation, &mut b, &bob)?;

    scene("A fourth process, in C");
    in_c(&scratch, &carol, &mut a, &mut b, &b_name)?;

    scene("Everybody goes home, and comes back");
    a.leave()?;
    b.leave()?;
    say("alice, bob", "have left; what is left is on disk");
    come_back(&alice, &bob, &group, &b_name)?;
    println!("\n  ✓ Every step was what the interface promises.\n");
    Ok(())
}

fn introduce(actor: &mut Actor) -> Result<(String, String), String> {
    let me = actor.ask(&["identity", actor.name])?;
    let name = me.get("name")?.to_owned();
    say(actor.name, &format!("is process {}, identity {}", actor.id(), short(&name)));
    Ok((name, me.get("xml")?.to_owned()))
}

fn online(actor: &mut Actor, status: &str, text: &str) -> Step {
    actor.ask(&["connect"])?;
    actor.event(&["status", status])?;
    say(actor.name, text);
    Ok(())
}

/// A direct connection from one to the other; the ids at both ends.
fn connect(from: &mut Actor, name: &str, to: &mut Actor) -> Result<(String, String), String> {
    let id = from.ask(&["open", name])?.get("id")?.to_owned();
    let here = from.event(&["direct", "CONNECTED"])?;
    check("the outcome is for", here.get("id")?, &id)?;
    let there = to.event(&["direct", "CONNECTED"])?.get("id")?.to_owned();
    say(from.name, &format!("opens a direct connection to {}: {id} here, {there} there", to.name));
    Ok((id, there))
}

fn talk(a: &mut Actor, here: &str, b: &mut Actor, there: &str) -> Step {
    expect_code(a, &["send", here, "Are the beans up?"], S_OK)?;
    hear(b, "Are the beans up?")?;
    expect_code(b, &["send", there, "Since Tuesday."], S_OK)?;
    hear(a, "Since Tuesday.")
}

fn hear(actor: &mut Actor, text: &str) -> Step {
    let heard = actor.event(&["data"])?;
    check("the text", heard.get("text")?, text)?;
    say(actor.name, &format!("hears “{text}”"));
    Ok(())
}

fn close_three_times(a: &mut Actor, here: &str, b: &mut Actor, there: &str) -> Step {
    let second = connect_again(a, b, there)?;
    expect_code(a, &["close", here], S_OK)?;
    say("alice", &format!("closes {here}: {S_OK}"));
    for (actor, id) in [(&mut *a, here), (&mut *b, there)] {
        let end = actor.event(&["direct", "DISCONNECTED"])?;
        check("the end is of", end.get("id")?, id)?;
        check("its reason", end.get("code")?, S_OK)?;
        say(actor.name, "is told that it ended, in good order");
    }
    expect_code(a, &["close", here], NOT_FOUND)?;
    say("alice", &format!("closes it again: {NOT_FOUND}"));
    expect_code(a, &["close-through-stale-group", &second], INVALID_GROUP)?;
    say("alice", &format!("closes another through a group handle she had closed: {INVALID_GROUP}"));
    check("alice still has", a.ask(&["connections"])?.get("count")?, "1")?;
    expect_code(a, &["close", &second], S_OK)?;
    a.event(&["direct", "DISCONNECTED"])?;
    b.event(&["direct", "DISCONNECTED"])?;
    Ok(())
}

/// One more connection, in the other direction of thought: what is closed through a stale handle must live on.
fn connect_again(a: &mut Actor, b: &mut Actor, not: &str) -> Result<String, String> {
    let name = b.ask(&["name"])?.get("name")?.to_owned();
    let (here, there) = connect(a, &name, b)?;
    if there == not { Err("an id was used twice".to_owned()) } else { Ok(here) }
}

fn intrude(invitation: &str, b: &mut Actor, bob: &Role) -> Step {
    let mut command = Command::new(std::env::current_exe().map_err(|e| e.to_string())?);
    command.arg("intruder");
    let mut mallory = Actor::start("mallory", &mut command)?;
    mallory.ask(&["attack", invitation, &bob.address()])?;
    say("mallory", "has seen bob's invitation, puts her own key into it, and dials bob");
    let refused = b.event(&["refused"])?;
    check("bob's verdict", refused.get("code")?, HASH_VALUE)?;
    say("bob", &format!("turns her away: {} [{}]", refused.get("code")?, refused.get("detail")?));
    let outcome = mallory.event(&["attack"])?;
    check("mallory's outcome", outcome.get("code")?, NOT_AUTHENTICATED)?;
    say("mallory", &format!("sees only: {}", outcome.get("code")?));
    Ok(())
}

fn in_c(scratch: &Scratch, carol: &Role, a: &mut Actor, b: &mut Actor, b_name: &str) -> Step {
    let program = compile(scratch)?;
    let mut c = carol.in_c(&program)?;
    let (_, c_xml) = introduce(&mut c)?;
    let invitation = a.ask(&["invite", &c_xml])?.get("invitation")?.to_owned();
    let joined = c.ask(&["join", &invitation])?;
    say("carol", &format!("joins “{}”, invited by {}", joined.get("name")?, joined.get("issuer")?));
    expect_code(&mut c, &["connect"], S_OK)?;
    c.event(&["status", "3"])?;
    say("carol", "is online");
    // Alice has told her of bob, and bob has answered, once she knows his address.
    a.event(&["member", "Connected", "name=carol"])?;
    b.event(&["member", "Connected", "name=carol"])?;
    let (here, there) = connect(&mut c, b_name, b)?;
    talk(&mut c, &here, b, &there)?;
    expect_code(b, &["close", &there], S_OK)?;
    say("bob", &format!("closes it from his side: {S_OK}"));
    let end = c.event(&["direct", "DISCONNECTED"])?;
    check("its reason", end.get("code")?, S_OK)?;
    expect_code(&mut c, &["close", &here], NOT_FOUND)?;
    say("carol", &format!("has been told, and closes it too: {NOT_FOUND}"));
    c.leave()
}

fn come_back(alice: &Role, bob: &Role, group: &str, b_name: &str) -> Step {
    let mut a = alice.in_rust()?;
    let mut b = bob.in_rust()?;
    for actor in [&mut a, &mut b] {
        actor.ask(&["wake"])?;
        let name = actor.ask(&["reopen", group])?.get("name")?.to_owned();
        let members = actor.ask(&["members"])?.get("members")?.to_owned();
        say(actor.name, &format!("opens “{name}” again and finds {members}"));
        if !["alice", "bob", "carol"].iter().all(|name| members.contains(name)) {
            return Err(format!("members are missing: {members}"));
        }
        actor.ask(&["connect"])?;
    }
    b.event(&["status", "3"])?;
    a.event(&["status", "3"])?;
    let (here, there) = connect(&mut a, b_name, &mut b)?;
    talk(&mut a, &here, &mut b, &there)?;
    expect_code(&mut a, &["close", &here], S_OK)?;
    b.event(&["direct", "DISCONNECTED"])?;
    say("alice", &format!("closes it: {S_OK}"));
    take_back(&mut a, &mut b, b_name)?;
    a.leave()?;
    b.leave()
}

/// A membership that is taken back ends what stands, and is gone from the list.
fn take_back(a: &mut Actor, b: &mut Actor, b_name: &str) -> Step {
    scene("A membership is taken back");
    let a_name = a.ask(&["name"])?.get("name")?.to_owned();
    let (here, there) = connect(a, b_name, b)?;
    expect_code(b, &["revoke", &a_name], NOT_AUTHORIZED)?;
    say("bob", &format!("would have alice out: {NOT_AUTHORIZED}"));
    expect_code(a, &["revoke", b_name], S_OK)?;
    let revoked = a.event(&["revoked"])?;
    check("who is out", revoked.get("who")?, "bob")?;
    say("alice", "takes bob's membership back");
    for (actor, id) in [(&mut *a, &here), (&mut *b, &there)] {
        let end = actor.event(&["direct", "DISCONNECTED"])?;
        check("the end is of", end.get("id")?, id)?;
        check("its reason", end.get("code")?, CONNECTION_FAILED)?;
        say(actor.name, &format!("is told that their connection has ended: {CONNECTION_FAILED}"));
    }
    let left = a.ask(&["members"])?.get("members")?.to_owned();
    if left.contains("bob") {
        return Err(format!("bob is a member still: {left}"));
    }
    say("alice", &format!("has in her group: {left}"));
    Ok(())
}

/// Builds the actor in C against the library that was built beside this program.
fn compile(scratch: &Scratch) -> Result<PathBuf, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let me = std::env::current_exe().map_err(|e| e.to_string())?;
    let library = me.parent().ok_or("this program has no folder")?;
    let program = scratch.path().join("actor-in-c");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let status = Command::new(&compiler)
        .args([
            "-std=c99",
            "-D_POSIX_C_SOURCE=200809L",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pedantic",
            "-pthread",
            "-I",
        ])
        .arg(here.join("../crates/p2p-ffi/include"))
        .arg(here.join("c/actor.c"))
        .arg("-L")
        .arg(library)
        .arg("-lpeergroup")
        .arg(format!("-Wl,-rpath,{}", library.display()))
        .arg("-o")
        .arg(&program)
        .status()
        .map_err(|e| format!("{compiler}: {e}"))?;
    if status.success() {
        Ok(program)
    } else {
        Err(format!("{compiler} could not build the actor in C"))
    }
}

fn expect_code(actor: &mut Actor, words: &[&str], code: &str) -> Step {
    let answer = actor.ask(words)?;
    check(&format!("{}: {}", actor.name, words[0]), answer.get("code")?, code)
}

fn check(what: &str, is: &str, should_be: &str) -> Step {
    if is == should_be { Ok(()) } else { Err(format!("{what}: {is}, but {should_be} is due")) }
}

fn scene(title: &str) {
    println!("\n  ── {title} {}", "─".repeat(60usize.saturating_sub(title.chars().count())));
}

fn say(who: &str, what: &str) {
    println!("  {who:<10} {what}");
}

/// A peer name as people read it: enough of the digits to tell two apart.
fn short(name: &str) -> String {
    let (authority, classifier) = name.split_once('.').unwrap_or((name, ""));
    format!("{}…{}", authority.get(..12).unwrap_or(authority), classifier)
}
