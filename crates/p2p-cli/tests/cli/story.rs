//! The main job, as two people and their scripts do it.

use std::process::Command;

use serde_json::Value;

use crate::documented::entries;
use crate::process::{Machine, Pair, join};

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record[field].as_str().unwrap_or_else(|| panic!("no {field}: {record}"))
}

#[test]
fn two_people_meet_talk_and_part() {
    let Pair { bob, online: mut ada, .. } = Pair::new();
    let mut bob = bob.start(&["listen", "--json"]);
    bob.record(&[("type", "status"), ("listening", "true"), ("connected", "true")]);
    ada.record(&[("type", "member"), ("change", "connected"), ("friendly_name", "Bob")]);

    // Open.
    bob.say("/open Ada");
    let opening = bob.record(&[("type", "opening")]);
    let open = bob.record(&[("type", "connection"), ("kind", "direct"), ("change", "connected")]);
    assert_eq!((&open["id"], &open["friendly_name"]), (&opening["id"], &"Ada".into()));
    assert_eq!((text(&open, "code"), text(&open, "value")), ("S_OK", "0x00000000"));
    let ours = text(&open, "id").to_owned();
    let theirs = ada.record(&[("type", "connection"), ("kind", "direct"), ("change", "connected")]);
    let theirs = text(&theirs, "id").to_owned();

    // Both ways.
    bob.say(&format!("/send {ours} hello, Ada"));
    bob.record(&[("type", "sent"), ("id", &ours), ("bytes", "10")]);
    ada.record(&[
        ("type", "message"),
        ("id", &theirs),
        ("text", "hello, Ada"),
        ("friendly_name", "Bob"),
    ]);
    // The last digits are enough.
    ada.say(&format!("/send {} Zo\u{eb} too", &theirs[theirs.len() - 4..]));
    bob.record(&[
        ("type", "message"),
        ("id", &ours),
        ("text", "Zo\u{eb} too"),
        ("friendly_name", "Ada"),
    ]);

    // Lists.
    bob.say("/connections");
    let listed = bob.record(&[("type", "connections")]);
    let kinds: Vec<&str> =
        entries(&listed, "connections").iter().map(|c| text(c, "kind")).collect();
    assert_eq!(kinds, ["direct", "neighbour"]);
    bob.say("/members");
    let listed = bob.record(&[("type", "members")]);
    let members = entries(&listed, "members").iter();
    let members: Vec<_> =
        members.map(|m| (text(m, "friendly_name"), m["own"].as_bool().unwrap())).collect();
    assert_eq!(members, [("Bob", true), ("Ada", false)]);

    // Close, and close again.
    bob.say(&format!("/close {ours}"));
    bob.record(&[("type", "closing"), ("id", &ours)]);
    bob.record(&[("change", "disconnected"), ("kind", "direct"), ("id", &ours), ("code", "S_OK")]);
    ada.record(&[
        ("change", "disconnected"),
        ("kind", "direct"),
        ("id", &theirs),
        ("code", "S_OK"),
    ]);
    for command in [format!("/close {ours}"), format!("/send {ours} more")] {
        bob.say(&command);
        let error = bob.record(&[("type", "error")]);
        assert_eq!(text(&error, "code"), "PEER_E_CONNECTION_NOT_FOUND");
        assert_eq!(text(&error, "value"), "0x80630103");
    }

    // Part.
    bob.say("/quit");
    assert_eq!(bob.end().code, 0);
    ada.record(&[("type", "member"), ("change", "disconnected"), ("friendly_name", "Bob")]);
    ada.say("/quit");
    ada.record(&[("type", "closed")]);
    assert_eq!(ada.end().code, 0);
}

#[test]
fn a_peer_is_opened_at_an_address_too_and_oneself_is_not() {
    let Pair { bob, online: mut ada, .. } = Pair::new();
    let mut bob = bob.start(&["listen", "--json"]);
    bob.record(&[("type", "status"), ("connected", "true")]);
    bob.say("/members");
    let listed = bob.record(&[("type", "members")]);
    let known = entries(&listed, "members").iter().find(|member| member["own"] == false).unwrap();
    let address = known["addresses"][0].as_str().unwrap().to_owned();
    let name = text(known, "peer").to_owned();
    for peer in ["Ada", &name, name.trim_end_matches('.'), &name[..8]] {
        bob.say(&format!("/open {peer} {address}"));
        let opening = bob.record(&[("type", "opening"), ("address", &address)]);
        bob.record(&[("change", "connected"), ("id", text(&opening, "id"))]);
        ada.record(&[("change", "connected"), ("kind", "direct")]);
    }
    for (command, code) in [
        ("/open Bob".to_owned(), "PEER_E_CONNECT_SELF"),
        ("/open Eve".to_owned(), "PEER_E_IDENTITY_NOT_FOUND"),
        (format!("/open {}", "e".repeat(40)), "PEER_E_CONNECTION_FAILED"),
        ("/open Ada [::1]:0".to_owned(), "E_INVALIDARG"),
    ] {
        bob.say(&command);
        assert_eq!(text(&bob.record(&[("type", "error")]), "code"), code, "{command}");
    }
    bob.say("/quit");
    assert_eq!(bob.end().code, 0);
}

#[test]
fn a_conversation_ends_for_both_when_one_closes_it() {
    let (ada, bob) = (Machine::of("Ada"), Machine::of("Bob"));
    ada.ok(&["group", "create", "garden"]);
    let mut waiting = ada.start(&["chat"]);
    waiting.until(|line| line.starts_with("Waiting for a member"));
    join(&ada, &bob);
    let mut ada = waiting;
    let mut bob = bob.start(&["chat", "Ada"]);
    bob.until(|line| line.ends_with("is connected."));
    ada.until(|line| line.ends_with("is connected."));
    bob.say("hello");
    ada.until(|line| line == "Bob: hello");
    ada.say("//close is a command");
    bob.until(|line| line == "Ada: /close is a command");
    ada.say("last words");
    ada.say("/close");
    let (ada, bob) = (ada.end(), bob.end());
    assert_eq!((ada.code, bob.code), (0, 0), "{ada:?} {bob:?}");
    assert!(bob.out.contains("Ada: last words\n"), "{bob:?}");
    assert!(bob.out.trim_end().ends_with("is closed: S_OK (0x00000000)."), "{bob:?}");
}

#[test]
fn what_is_piped_into_a_chat_is_delivered_before_it_ends() {
    let Pair { bob, online: mut ada, .. } = Pair::new();
    let lines: Vec<String> = (0..500).map(|n| format!("line {n} {}", "x".repeat(1_000))).collect();
    let ended = bob.with_input(&["chat", "Ada", "--json"], &lines.join("\n"));
    assert_eq!(ended.code, 0, "{}", ended.err);
    for line in &lines {
        let message = ada.record(&[("type", "message")]);
        assert_eq!(text(&message, "text"), line);
    }
    ada.record(&[("change", "disconnected"), ("kind", "direct"), ("cause", "orderly")]);
}

#[test]
fn the_end_of_input_does_not_end_listening() {
    let Pair { bob, online: mut ada, .. } = Pair::new();
    ada.hang_up();
    let ended = bob.with_input(&["chat", "Ada"], "are you there?\n");
    assert_eq!(ended.code, 0, "{ended:?}");
    ada.record(&[("type", "message"), ("text", "are you there?")]);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_listening_in_good_order() {
    let Pair { bob, online: mut ada, .. } = Pair::new();
    for signal in ["-INT", "-TERM", "-HUP"] {
        let mut bob = bob.start(&["listen", "--json"]);
        bob.record(&[("type", "status"), ("connected", "true")]);
        let sent = Command::new("kill").args([signal, &bob.id().to_string()]).status().unwrap();
        assert!(sent.success());
        bob.record(&[("type", "closed")]);
        assert_eq!(bob.end().code, 0);
        // Told, not timed out.
        ada.record(&[("kind", "neighbour"), ("change", "disconnected"), ("cause", "left")]);
    }
}
