//! Memberships taken back, cut down and renewed; properties; figures.

use std::fs;

use serde_json::{Value, json};

use crate::documented::entries;
use crate::process::{Machine, Pair, Running, join};

fn outcome((exit, error): (i32, Value)) -> (i32, String) {
    (exit, error["code"].as_str().unwrap_or("none").to_owned())
}

fn is(exit: i32, code: &str) -> (i32, String) {
    (exit, code.to_owned())
}

/// Goes online in `--json` and waits for a neighbour.
fn online(machine: &Machine) -> Running {
    let mut running = machine.start(&["listen", "--json"]);
    running.record(&[("type", "status"), ("connected", "true")]);
    running
}

fn quit(mut running: Running) {
    running.say("/quit");
    let ended = running.end();
    assert_eq!(ended.code, 0, "{ended:?}");
}

/// The roles with which `name` is listed.
fn roles_of(members: &Value, name: &str) -> Option<Value> {
    let listed = entries(members, "members").iter();
    listed.filter(|m| m["friendly_name"] == name).map(|m| m["roles"].clone()).next()
}

#[test]
fn a_member_that_is_revoked_in_listen_is_thrown_out_and_refused() {
    let Pair { ada, bob, online: mut adas } = Pair::new();
    let mut bobs = online(&bob);
    bobs.say("/open Ada");
    bobs.record(&[("kind", "direct"), ("change", "connected")]);
    adas.record(&[("kind", "direct"), ("change", "connected")]);

    // Beside a listening process nothing is changed, and it is said where it can be.
    let ended = ada.run(&["revoke", "Bob"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains("type `/revoke Bob` into the `p2p listen`"), "{ended:?}");
    for words in [&["revoke", "Bob"][..], &["demote", "Bob"], &["renew", "Bob"], &["members"]] {
        assert_eq!(outcome(ada.fails(words)), is(1, "PEER_E_GROUP_IN_USE"), "{words:?}");
    }

    adas.say("/revoke Bob key-compromise");
    let answer = adas.record(&[("type", "revoked"), ("reason", "key-compromise")]);
    assert_eq!((&answer["friendly_name"], &answer["serial"]), (&json!("Bob"), &Value::Null));
    adas.record(&[("kind", "direct"), ("change", "disconnected"), ("cause", "revoked")]);
    bobs.record(&[("kind", "direct"), ("change", "disconnected")]);
    drop(bobs);

    // Refused when it comes back.
    let bobs = bob.start(&["listen", "--json"]);
    let refused = adas.record(&[("type", "refused")]);
    assert_eq!(refused["refusal"]["code"], "CRYPT_E_REVOKED");
    drop(bobs);
    adas.say("/members");
    let members = adas.record(&[("type", "members")]);
    assert_eq!(roles_of(&members, "Bob"), None);
    quit(adas);
}

#[test]
fn whoever_is_revoked_while_nobody_listens_is_refused_later() {
    let Pair { ada, bob, online: adas } = Pair::new();
    quit(online(&bob));
    quit(adas);
    let members = ada.records(&["members"]).remove(0);
    assert_eq!(roles_of(&members, "Bob"), Some(json!(["member"])));
    assert!(ada.ok(&["members"]).contains("member, without end"));

    let revoked = ada.records(&["revoke", "Bob", "--reason", "cessation-of-operation"]).remove(0);
    assert_eq!(revoked["reason"], "cessation-of-operation");
    let name = revoked["peer"].as_str().unwrap().to_owned();
    // Once more changes nothing; by now only the whole name finds it.
    ada.ok(&["revoke", &name]);
    assert_eq!(outcome(ada.fails(&["revoke", "Bob"])), is(3, "PEER_E_IDENTITY_NOT_FOUND"));
    assert_eq!(roles_of(&ada.records(&["members"])[0], "Bob"), None);

    let port = free_port();
    let mut command = ada.command(&["listen", "--json", "--listen", &format!("[::1]:{port}")]);
    command.env("P2P_LISTEN", "[::1]:0");
    let mut adas = Running::start(command);
    adas.record(&[("type", "status"), ("listening", "true")]);
    let mut bobs = bob.start(&["chat", &ada_name(&ada), &format!("[::1]:{port}"), "--json"]);
    bobs.hang_up();
    let exit = bobs.end().code;
    assert!(exit == 4 || exit == 5, "{exit}");
    quit(adas);
}

fn ada_name(ada: &Machine) -> String {
    ada.records(&["identity", "list"])[0]["name"].as_str().unwrap().to_owned()
}

/// Nobody else takes it in the moment between.
fn free_port() -> u16 {
    std::net::UdpSocket::bind("[::1]:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn somebody_who_never_came_is_revoked_by_the_description() {
    let (ada, bob) = (Machine::of("Ada"), Machine::of("Bob"));
    ada.ok(&["group", "create", "garden"]);
    let xml = bob.ok(&["identity", "show"]);
    let line = ada.ok(&["invite", xml.trim()]);
    bob.ok(&["join", line.trim()]);
    let revoked = ada.records(&["revoke", "--xml", xml.trim()]).remove(0);
    assert_eq!(revoked["friendly_name"], "Bob");
    for (words, expected) in [
        (&["revoke", "Eve"][..], is(3, "PEER_E_IDENTITY_NOT_FOUND")),
        (&["revoke", "Ada"], is(1, "E_INVALIDARG")),
        (&["revoke", "--xml", "<x/>"], is(4, "CRYPT_E_BAD_MSG")),
    ] {
        assert_eq!(outcome(ada.fails(words)), expected, "{words:?}");
    }
    assert_eq!(ada.run(&["revoke"]).code, 2);
    let creator = ada.ok(&["identity", "show"]);
    let refused = bob.fails(&["revoke", "--xml", creator.trim()]);
    assert_eq!(outcome(refused), is(4, "PEER_E_NOT_AUTHORIZED"));
}

#[test]
fn a_member_is_demoted_and_renewed() {
    let (ada, bob) = (Machine::of("Ada"), Machine::of("Bob"));
    ada.ok(&["group", "create", "garden"]);
    let mut adas = ada.start(&["listen", "--json"]);
    adas.record(&[("type", "status"), ("listening", "true")]);
    let xml = bob.ok(&["identity", "show"]);
    let line = ada.ok(&["invite", xml.trim(), "--role", "admin"]);
    bob.ok(&["join", line.trim()]);
    let mut bobs = online(&bob);
    adas.record(&[("type", "member"), ("change", "connected")]);

    // While both are online the member has it at once.
    adas.say("/demote Bob inviting-member");
    let demoted = adas.record(&[("type", "demoted")]);
    assert_eq!(demoted["roles"], json!(["inviting-member"]));
    bobs.record(&[("type", "renewed")]);
    adas.say("/renew Bob 2y");
    let renewed = adas.record(&[("type", "invitation"), ("friendly_name", "Bob")]);
    assert_eq!(renewed["roles"], json!(["inviting-member"]));
    bobs.record(&[("type", "renewed")]);
    quit(bobs);
    quit(adas);
    assert_eq!(bob.records(&["group", "show"])[0]["roles"], json!(["inviting-member"]));

    // While nobody is, it is handed over.
    let said = ada.records(&["demote", "Bob"]).remove(0);
    assert_eq!(said["roles"], json!(["member"]));
    let (exit, error) = ada.fails(&["demote", "Bob"]);
    assert_eq!(outcome((exit, error)), is(1, "E_INVALIDARG"));
    let renewed = ada.records(&["renew", "Bob", "--role", "inviting-member"]).remove(0);
    bob.ok(&["join", renewed["invitation"].as_str().unwrap()]);
    let listed = ada.records(&["members"]).remove(0);
    assert_eq!(roles_of(&listed, "Bob").unwrap().as_array().unwrap().len(), 2, "{listed}");
}

#[test]
fn the_creator_changes_the_properties_and_the_others_see_them() {
    let Pair { ada, bob, online: mut adas } = Pair::new();
    let bobs = online(&bob);
    adas.say("/properties");
    let before = adas.record(&[("type", "properties")]);
    assert_eq!(
        (&before["friendly_name"], &before["schemes"]),
        (&json!("garden"), &json!(["invitation"]))
    );
    quit(bobs);
    quit(adas);
    let words = ["properties", "--name", "The garden", "--comment", "Saturdays at ten"];
    let after = ada.records(&words).remove(0);
    assert_eq!((&after["version"], &after["comment"]), (&json!("2"), &json!("Saturdays at ten")));
    assert_eq!(ada.records(&["properties"])[0], after);
    assert!(ada.ok(&["properties"]).contains("comment   Saturdays at ten\n"));
    let (exit, error) = bob.fails(&["properties", "--name", "Mine"]);
    assert_eq!(outcome((exit, error)), is(4, "PEER_E_NOT_AUTHORIZED"));
    assert_eq!(bob.records(&["properties"])[0], before);
}

#[test]
fn figures_are_told_and_kept_in_a_file() {
    let Pair { ada, bob, online: adas } = Pair::new();
    quit(adas);
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("p2p.prom");
    let path = file.to_str().unwrap();
    let mut adas = ada.start(&["listen", "--json", "--metrics", path]);
    adas.record(&[("type", "status"), ("listening", "true")]);
    join(&ada, &bob);
    let ended = bob.with_input(&["chat", "Ada"], "one\ntwo\n");
    assert_eq!(ended.code, 0, "{ended:?}");
    adas.record(&[("type", "message"), ("text", "two")]);
    adas.say("/status");
    let status = adas.record(&[("type", "statistics")]);
    assert_eq!(status["counters"]["messages_received"], 2, "{status}");
    assert_eq!(status["listening"], true);
    let has = |text: String| text.contains("\np2p_messages_received_total 2\n");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !fs::read_to_string(&file).is_ok_and(has) {
        assert!(std::time::Instant::now() < deadline, "the file is replaced every few seconds");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    // Another process is told what this one wrote down last.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while ada.records(&["status"])[0]["counters"]["messages_received"] != 2 {
        assert!(std::time::Instant::now() < deadline, "it is written every few seconds");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(ada.ok(&["status"]).contains("2  messages_received\n"));
    quit(adas);
    let offline = ada.records(&["status"]).remove(0);
    assert_eq!((&offline["listening"], &offline["counters"]), (&json!(false), &json!({})));
    let nowhere = folder.path().join("none").join("x");
    let failed = ada.fails(&["listen", "--metrics", nowhere.to_str().unwrap()]);
    assert_eq!(outcome(failed), is(3, "ERROR_PATH_NOT_FOUND"));
}
