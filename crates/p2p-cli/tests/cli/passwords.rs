//! Joining by a group's password.

use std::fs;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::process::{Machine, Running};

const PASSWORD: &str = "correct horse";

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}

fn path(file: &NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

fn outcome((exit, error): (i32, Value)) -> (i32, String) {
    (exit, error["code"].as_str().unwrap_or("none").to_owned())
}

fn is(exit: i32, code: &str) -> (i32, String) {
    (exit, code.to_owned())
}

/// Ada with a group that has the password, online.
fn world() -> (Machine, Running, NamedTempFile) {
    let (ada, password) = (Machine::of("Ada"), file("correct horse\n"));
    let create = ["group", "create", "garden", "--password-role", "inviting-member"];
    ada.ok(&[&create[..], &["--password-file", path(&password)]].concat());
    let mut online = ada.start(&["listen", "--json"]);
    online.record(&[("type", "status"), ("listening", "true")]);
    (ada, online, password)
}

#[test]
fn who_knows_the_password_becomes_a_member() {
    let (ada, mut online, password) = world();
    let invited = ada.records(&["invite", "--password"]).remove(0);
    assert_eq!((&invited["peer"], &invited["roles"]), (&Value::Null, &json!(["inviting-member"])));
    let line = invited["invitation"].as_str().unwrap();
    let bob = Machine::of("Bob");
    let joined = bob.records(&["join", line, "--password-file", path(&password)]).remove(0);
    assert_eq!((&joined["roles"], &joined["depth"]), (&json!(["inviting-member"]), &json!(2)));
    online.record(&[("type", "member"), ("change", "joined"), ("friendly_name", "Bob")]);
    let ended = bob.with_input(&["chat", "Ada"], "hello\n");
    assert_eq!(ended.code, 0, "{ended:?}");
    online.record(&[("type", "message"), ("text", "hello")]);
    // The short form for a QR code is taken too; the password may come from standard input.
    let short = ada.records(&["invite", "--password", "--qr"]).remove(0);
    let eve = Machine::of("Eve");
    let words = ["join", short["invitation"].as_str().unwrap(), "--password-file", "-"];
    let ended = eve.with_input(&words, PASSWORD);
    assert!(ended.code == 0 && ended.out.starts_with("Joined garden as Eve"), "{ended:?}");
}

#[test]
fn a_wrong_password_is_refused_and_leaves_nothing() {
    let (ada, mut online, password) = world();
    let line = ada.ok(&["invite", "--password"]);
    let (bob, wrong) = (Machine::of("Bob"), file("correct house"));
    let (exit, error) = bob.fails(&["join", line.trim(), "--password-file", path(&wrong)]);
    assert!(error["message"].as_str().unwrap().contains("password is wrong"), "{error}");
    assert_eq!(outcome((exit, error)), is(4, "PEER_E_NOT_AUTHORIZED"));
    online.record(&[("type", "password"), ("change", "failed")]);
    assert!(bob.records(&["group", "list"]).is_empty());
    bob.ok(&["join", line.trim(), "--password-file", path(&password)]);
}

#[test]
fn while_nobody_is_online_joining_waits_for_listen() {
    let (ada, mut online, password) = world();
    let line = ada.ok(&["invite", "--password"]);
    online.say("/quit");
    assert_eq!(online.end().code, 0);
    let bob = Machine::of("Bob");
    let failed = bob.fails(&["join", line.trim(), "--password-file", path(&password)]);
    assert_eq!(outcome(failed), is(5, "PEER_E_NO_MEMBERS_FOUND"));
    assert_eq!(bob.records(&["group", "list"])[0]["roles"], json!([]));
}

#[test]
fn only_what_fits_is_understood() {
    let ada = Machine::of("Ada");
    let (weak, good) = (file("short"), file(PASSWORD));
    let create = |file| ada.fails(&["group", "create", "garden", "--password-file", file]);
    assert_eq!(outcome(create(path(&weak))), is(1, "PEER_E_PASSWORD_DOES_NOT_MEET_POLICY"));
    assert!(ada.records(&["group", "list"]).is_empty());
    for words in [
        &["group", "create", "garden", "--password-only"][..],
        &["group", "create", "garden", "--password-role", "admin"],
        &["invite", "bob.xml", "--password"],
        &["properties", "--no-password", "--password"],
    ] {
        assert_eq!(ada.run(words).code, 2, "{words:?}");
    }
    ada.ok(&["group", "create", "garden"]);
    assert_eq!(
        outcome(ada.fails(&["invite", "--password"])),
        is(1, "PEER_E_INVALID_GROUP_PROPERTIES")
    );

    // Set later, and taken away.
    let set = ada.records(&["properties", "--password-file", path(&good)]).remove(0);
    assert_eq!(set["schemes"], json!(["invitation", "password"]));
    assert_eq!(set["password_role"], json!(["member"]));
    assert!(ada.ok(&["invite", "--password", "--xml"]).contains("<PEERINVITATION"));
    let none = ada.records(&["properties", "--no-password"]).remove(0);
    assert_eq!((&none["schemes"], &none["password_role"]), (&json!(["invitation"]), &Value::Null));
}
