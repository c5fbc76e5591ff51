//! What goes wrong: the code that is said, and the exit code.

use std::net::UdpSocket;

use serde_json::{Value, json};

use crate::process::{Ended, Machine, Pair};

/// The exit code and the name of the code.
fn outcome((exit, error): (i32, Value)) -> (i32, String) {
    assert_eq!(error["type"], "error");
    (exit, error["code"].as_str().unwrap_or("none").to_owned())
}

fn is(exit: i32, code: &str) -> (i32, String) {
    (exit, code.to_owned())
}

fn failed(ended: Ended) -> (i32, String) {
    outcome(ended.error())
}

#[test]
fn what_cannot_be_understood_is_a_matter_of_usage() {
    let machine = Machine::of("Ada");
    for words in [
        &["frobnicate"][..],
        &["group", "delete"],
        &["invite", "--expires", "yesterday"],
        &["invite", "--role", "king"],
        &["listen", "--listen", "localhost"],
    ] {
        let ended = machine.run(words);
        assert_eq!(ended.code, 2, "{words:?}: {ended:?}");
        assert!(ended.out.is_empty() && !ended.err.is_empty(), "{ended:?}");
    }
    let mut command = machine.command(&["identity", "list"]);
    let output = command.env("P2P_LOG", "=[=").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn what_is_not_there_is_not_found() {
    let machine = Machine::new();
    assert_eq!(outcome(machine.fails(&["identity", "show"])), is(3, "PEER_E_NOT_FOUND"));
    assert_eq!(outcome(machine.fails(&["group", "create", "x"])), is(3, "PEER_E_NOT_FOUND"));
    machine.ok(&["identity", "create", "Ada"]);
    for words in
        [&["identity", "show", "Eve"][..], &["listen"], &["chat", "Eve"], &["group", "delete", "x"]]
    {
        assert_eq!(outcome(machine.fails(words)), is(3, "PEER_E_NOT_FOUND"), "{words:?}");
    }
    machine.ok(&["group", "create", "garden"]);
    assert_eq!(outcome(machine.fails(&["invite", "no-such-file"])), is(3, "ERROR_FILE_NOT_FOUND"));
}

#[test]
fn an_ambiguous_name_lists_who_may_be_meant() {
    let machine = Machine::of("Ada");
    machine.ok(&["identity", "create", "Ada"]);
    for words in
        [&["identity", "show"][..], &["identity", "show", "Ada"], &["group", "create", "garden"]]
    {
        let ended = machine.run(words);
        assert_eq!(ended.code, 2, "{ended:?}");
        assert_eq!(ended.err.matches("  Ada\n").count(), 2, "{ended:?}");
        assert!(ended.err.contains("--identity"), "{ended:?}");
    }
    // The whole name always serves.
    let names = machine.records(&["identity", "list"]);
    let name = names[1]["name"].as_str().unwrap();
    machine.ok(&["group", "create", "garden", "--identity", name]);
    assert_eq!(machine.records(&["group", "show"])[0]["identity"], name);
}

#[test]
fn an_invitation_that_is_damaged_or_not_ours_is_not_trusted() {
    let (ada, bob, eve) = (Machine::of("Ada"), Machine::of("Bob"), Machine::of("Eve"));
    ada.ok(&["group", "create", "garden"]);
    let line = ada.ok(&["invite", bob.ok(&["identity", "show"]).trim()]);
    let line = line.trim();
    let xml = ada.ok(&["invite", bob.ok(&["identity", "show"]).trim(), "--xml"]);
    let untrusted = is(4, "PEER_E_INVITATION_NOT_TRUSTED");
    let middle = line.len() / 2;
    let altered = if &line[middle..=middle] == "A" { "B" } else { "A" };
    for bad in [
        line[..line.len() - 1].to_owned(),
        line[..middle].to_owned(),
        format!("{}{altered}{}", &line[..middle], &line[middle + 1..]),
        format!("{line}A"),
        xml.trim().replace("GLOBAL", "global"),
        xml[..xml.len() / 2].to_owned(),
        "p2p-invitation:1:".to_owned(),
        "not an invitation".to_owned(),
    ] {
        let (exit, error) = bob.with_input(&["join", "--json"], &bad).error();
        assert!(error["refusal"]["code"].as_str().unwrap().starts_with("CRYPT_E_"), "{error}");
        assert!(error["advice"].is_string(), "{error}");
        assert_eq!(outcome((exit, error)), untrusted, "{bad}");
    }
    assert_eq!(outcome(eve.fails(&["join", line])), untrusted);
    assert!(
        bob.records(&["group", "list"]).is_empty() && eve.records(&["group", "list"]).is_empty()
    );
    let other = line.replace("p2p-invitation:1:", "p2p-invitation:2:");
    assert_eq!(outcome(bob.fails(&["join", &other])), is(1, "PEER_E_UNSUPPORTED_VERSION"));
    bob.ok(&["join", line]);
}

#[test]
fn an_identity_that_is_damaged_is_refused() {
    let (ada, bob) = (Machine::of("Ada"), Machine::of("Bob"));
    ada.ok(&["group", "create", "garden"]);
    let xml = bob.ok(&["identity", "show"]);
    let (exit, error) = ada.with_input(&["invite", "--json"], &xml[..xml.len() / 2]).error();
    assert_eq!(exit, 4);
    assert!(error["code"].as_str().unwrap().starts_with("CRYPT_E_"), "{error}");
}

#[test]
fn a_plain_member_may_not_invite() {
    let Pair { bob, mut online, .. } = Pair::new();
    let eve = Machine::of("Eve").ok(&["identity", "show"]);
    // Never met anybody.
    assert_eq!(
        failed(bob.with_input(&["invite", "--json"], &eve)),
        is(1, "PEER_E_GROUP_NOT_READY")
    );
    let met = bob.with_input(&["chat", "Ada"], "hello\n");
    assert_eq!(met.code, 0, "{met:?}");
    online.record(&[("type", "message")]);
    assert_eq!(failed(bob.with_input(&["invite", "--json"], &eve)), is(4, "PEER_E_NOT_AUTHORIZED"));
}

#[test]
fn a_group_is_open_in_one_process_at_a_time() {
    let Pair { ada, mut online, .. } = Pair::new();
    for words in [&["listen"][..], &["chat", "Bob"], &["group", "delete", "garden"]] {
        let (exit, error) = ada.fails(words);
        assert_eq!(error["value"], "0x80632092");
        assert_eq!(outcome((exit, error)), is(1, "PEER_E_GROUP_IN_USE"), "{words:?}");
    }
    let ended = ada.run(&["listen"]);
    assert!(ended.err.contains("PEER_E_GROUP_IN_USE (0x80632092)"), "{ended:?}");
    assert!(ended.err.contains("Another process has this group open"), "{ended:?}");
    online.say("/quit");
    assert_eq!(online.end().code, 0);
    ada.ok(&["group", "delete", "garden"]);
}

#[test]
fn a_port_that_is_taken_is_said_to_be() {
    let ada = Machine::of("Ada");
    ada.ok(&["group", "create", "garden"]);
    let taken = UdpSocket::bind("[::1]:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let expected = is(1, "PEER_E_UNABLE_TO_LISTEN");
    assert_eq!(outcome(ada.fails(&["listen", "--listen", &address])), expected);
    assert_eq!(outcome(ada.fails(&["chat", "--listen", &address])), expected);
    let mut command = ada.command(&["listen", "--json"]);
    command.env("P2P_LISTEN", &address);
    assert_eq!(failed(crate::process::Running::start(command).end()), expected);
}

#[test]
fn nobody_there_is_unreachable() {
    let Pair { bob, online, .. } = Pair::new();
    // Killed: it tells nobody, and the invitation names a port where nobody is.
    drop(online);
    assert_eq!(outcome(bob.fails(&["listen"])), is(5, "PEER_E_NO_MEMBERS_FOUND"));
}

#[test]
fn a_wrong_command_is_answered_and_nothing_else_happens() {
    let Pair { mut online, .. } = Pair::new();
    for (line, says) in [
        ("hello", "/help"),
        ("/open", "/open PEER"),
        ("/send 1", "no such connection"),
        ("/close x", "number"),
        ("/close 99999999999999999999", "number"),
    ] {
        online.say(line);
        let error = online.record(&[("type", "error")]);
        assert!(error["message"].as_str().unwrap().contains(says), "{line}: {error}");
    }
    online.say("");
    online.say("/help");
    let help = online.record(&[("type", "help")]);
    assert_eq!(help["commands"].as_array().unwrap().len(), 12);
    assert_eq!(help["commands"][0]["command"], json!("/open PEER [ADDRESS]"));
    online.say("/quit");
    assert_eq!(online.end().code, 0);
}
