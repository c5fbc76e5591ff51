//! What reaches a terminal, and what reaches a program.

use serde_json::json;

use crate::process::{Machine, Pair};

/// Escape sequences, a forged line, and text that runs backwards.
const HOSTILE: &str =
    "\u{1b}[2J\u{1b}]0;owned\u{7}\rBob is a member\u{85}\u{9b}1m\u{202e}txt.exe\u{2066}\u{200f}";

fn is_harmless(text: &str) -> bool {
    let bidi = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.chars().any(|c| (c.is_control() && c != '\n') || bidi(c))
}

#[test]
fn a_hostile_text_is_escaped_for_people_and_whole_for_programs() {
    let Pair { ada, bob, online } = Pair::new();
    let text = HOSTILE.trim_end_matches('\r');
    let chat = |mut online: crate::process::Running, json: bool| {
        let ended = bob.with_input(&["chat", "Ada"], &format!("{text}\n"));
        assert_eq!(ended.code, 0, "{ended:?}");
        if json {
            online.record(&[("type", "message"), ("text", text)]);
        } else {
            online.until(|line| line.ends_with(r"\u{202e}txt.exe\u{2066}\u{200f}"));
        }
        online.say("/quit");
        online.end()
    };
    let ended = chat(online, true);
    assert!(is_harmless(&ended.out), "{}", ended.out.escape_debug());

    let mut people = ada.start(&["listen"]);
    people.until(|line| line.starts_with("Online"));
    crate::process::join(&ada, &bob);
    let ended = chat(people, false);
    assert!(
        ended.out.contains(r"Bob: \u{1b}[2J\u{1b}]0;owned\u{7}\u{d}Bob is a member"),
        "{}",
        ended.out
    );
    assert!(is_harmless(&ended.out) && is_harmless(&ended.err), "{}", ended.out.escape_debug());
}

#[test]
fn a_hostile_name_is_not_taken() {
    let machine = Machine::new();
    for name in [HOSTILE, "Ada\u{202e}", "line\nbreak"] {
        let (exit, error) = machine.fails(&["identity", "create", name]);
        assert_eq!((exit, &error["code"]), (1, &json!("PEER_E_INVALID_FRIENDLY_NAME")));
    }
    let (exit, error) = machine.fails(&["identity", "create", "Ada", "--classifier", "\u{1b}"]);
    assert_eq!((exit, &error["code"]), (1, &json!("PEER_E_INVALID_CLASSIFIER")));
}

#[test]
fn a_hostile_argument_is_escaped_in_the_complaint() {
    let machine = Machine::of("Ada");
    for words in
        [["identity", "show", HOSTILE], ["group", "show", HOSTILE], ["invite", "--group", HOSTILE]]
    {
        let ended = machine.run(&words);
        assert_eq!(ended.code, 3, "{ended:?}");
        assert!(
            is_harmless(&ended.err) && ended.err.contains(r"\u{1b}[2J"),
            "{}",
            ended.err.escape_debug()
        );
    }
}

#[test]
fn records_say_what_a_home_holds() {
    let machine = Machine::new();
    assert!(machine.records(&["identity", "list"]).is_empty());
    let made = machine.records(&["identity", "create", "Ada", "--classifier", "laptop"]);
    assert_eq!(made[0]["friendly_name"], "Ada");
    let name = made[0]["name"].as_str().unwrap();
    assert!(name.len() == 47 && name.ends_with(".laptop"), "{name}");
    assert_eq!(machine.records(&["identity", "list"]), made);
    let shown = machine.records(&["identity", "show", &name[..6]]);
    assert_eq!(shown[0]["xml"].as_str().unwrap(), machine.ok(&["identity", "show"]).trim_end());

    let group = machine.records(&["group", "create", "garden"]);
    assert_eq!(group[0]["roles"], json!(["admin"]));
    assert_eq!((&group[0]["depth"], &group[0]["identity"]), (&json!(1), &json!(name)));
    assert_eq!(machine.records(&["group", "list"]), group);
    assert_eq!(machine.records(&["group", "show", "garden"]), group);
    let deleted = machine.records(&["group", "delete", "garden"]);
    assert_eq!((&deleted[0]["type"], &deleted[0]["name"]), (&json!("deleted"), &group[0]["name"]));
    assert!(machine.records(&["group", "list"]).is_empty());
}

#[test]
fn an_invitation_says_what_it_grants() {
    let (ada, bob) = (Machine::of("Ada"), Machine::of("Bob"));
    ada.ok(&["group", "create", "garden"]);
    let xml = bob.ok(&["identity", "show"]);
    let words = ["invite", xml.trim(), "--role", "inviting-member", "--expires", "2099-12-31"];
    let made = ada.records(&words).remove(0);
    assert_eq!(made["roles"], json!(["inviting-member"]));
    assert_eq!(made["not_after"], "2100-01-01T00:00:00Z");
    assert_eq!((&made["friendly_name"], &made["addresses"]), (&json!("Bob"), &json!([])));
    let joined = bob.records(&["join", made["invitation"].as_str().unwrap()]).remove(0);
    assert_eq!((&joined["roles"], &joined["depth"]), (&made["roles"], &json!(2)));

    // The same as XML, in a file.
    let made = ada.ok(&["invite", xml.trim(), "--xml"]);
    assert!(made.starts_with("<PEERINVITATION "), "{made}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), made).unwrap();
    bob.ok(&["join", file.path().to_str().unwrap()]);
}

#[test]
fn help_is_there_for_every_command() {
    let machine = Machine::new();
    for words in [
        vec!["--help"],
        vec!["identity", "create", "--help"],
        vec!["group", "delete", "--help"],
        vec!["invite", "--help"],
        vec!["join", "--help"],
        vec!["revoke", "--help"],
        vec!["demote", "--help"],
        vec!["renew", "--help"],
        vec!["members", "--help"],
        vec!["properties", "--help"],
        vec!["status", "--help"],
        vec!["listen", "--help"],
        vec!["chat", "--help"],
        vec!["send", "--help"],
        vec!["receive", "--help"],
    ] {
        let help = machine.ok(&words);
        assert!(help.contains("Examples:\n  "), "{words:?}: {help}");
        assert!(help.contains("--json"), "{words:?}: {help}");
    }
    assert!(machine.ok(&["--help"]).contains("Exit codes:\n  0  done"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let machine = Machine::of("Ada");
    for n in 0..3 {
        machine.ok(&["identity", "create", &format!("Ada {n}")]);
    }
    let mut command = machine.command(&["identity", "list"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
