//! Identities: named anew, carried to another machine, deleted.

use std::fs;
use std::process::{Command, Stdio};

use crate::process::{Ended, Machine};

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}

fn code(ended: Ended) -> (i32, String) {
    let (exit, error) = ended.error();
    (exit, error["code"].as_str().unwrap_or("none").to_owned())
}

#[test]
fn an_identity_is_renamed_and_deleted() {
    let machine = Machine::of("Ada");
    let before = &machine.records(&["identity", "list"])[0];
    let said = machine.ok(&["identity", "rename", "Ada", "Ada Lovelace"]);
    assert!(said.starts_with("Ada is now Ada Lovelace  "), "{said}");
    let after = &machine.records(&["identity", "list"])[0];
    assert_eq!(
        (&after["name"], &after["friendly_name"]),
        (&before["name"], &"Ada Lovelace".into())
    );
    let (exit, error) = machine.fails(&["identity", "rename", "Ada Lovelace", "a\u{202e}b"]);
    assert_eq!((exit, &error["code"]), (1, &"PEER_E_INVALID_FRIENDLY_NAME".into()));
    let unnamed = &machine.records(&["identity", "rename", "Ada Lovelace"])[0];
    assert_eq!(unnamed["friendly_name"], before["name"]);

    let name = before["name"].as_str().unwrap();
    machine.ok(&["group", "create", "garden"]);
    let (exit, error) = machine.fails(&["identity", "delete", name]);
    assert_eq!((exit, &error["code"]), (1, &"PEER_E_GROUPS_EXIST".into()));
    machine.ok(&["group", "delete", "garden"]);
    let deleted = &machine.records(&["identity", "delete", name])[0];
    assert_eq!((&deleted["type"], &deleted["name"]), (&"deleted".into(), &before["name"]));
    assert!(machine.records(&["identity", "list"]).is_empty());
}

#[test]
fn an_identity_moves_with_its_password() {
    let (old, new) = (Machine::of("Ada"), Machine::new());
    let (password, wrong) = (file("correct horse\n"), file("correct house"));
    let (password, wrong) = (password.path().to_str().unwrap(), wrong.path().to_str().unwrap());
    let text = old.ok(&["identity", "export", "--password-file", password]);
    assert!(text.starts_with("<PEERIDENTITYEXPORT "), "{text}");
    let export = file(&text);
    let export = export.path().to_str().unwrap();
    let import = ["identity", "import", export, "--password-file"];
    let refused = new.run(&[&import[..], &[wrong, "--json"]].concat());
    assert_eq!(code(refused), (4, "CRYPT_E_BAD_MSG".to_owned()));
    // Also from standard input: the export, or the password.
    let moved = new.with_input(&["identity", "import", "--password-file", password], &text);
    assert!(moved.out.starts_with("Imported identity Ada  "), "{moved:?}");
    assert_eq!(old.ok(&["identity", "show"]), new.ok(&["identity", "show"]));
    let again = new.with_input(&[&import[..], &["-", "--json"]].concat(), "correct horse");
    assert_eq!(code(again), (1, "PEER_E_ALREADY_EXISTS".to_owned()));
    // What is invited there works here: it is the same identity.
    let ada = Machine::of("Host");
    ada.ok(&["group", "create", "garden"]);
    let line = ada.ok(&["invite", old.ok(&["identity", "show"]).trim()]);
    new.ok(&["join", line.trim()]);

    let record =
        &old.with_input(&["identity", "export", "--password-file", "-", "--json"], "x\r\n");
    assert!(crate::documented::read(&record.out)["export"].is_string());
}

#[test]
fn passwords_that_cannot_be_had_are_mistakes() {
    let machine = Machine::of("Ada");
    let export =
        |file: &str| machine.run(&["identity", "export", "--password-file", file, "--json"]);
    assert_eq!(code(export("no-such-file")), (3, "ERROR_FILE_NOT_FOUND".to_owned()));
    let (empty, long) = (file("\n"), file(&"x".repeat(1_025)));
    for wrong in [&empty, &long] {
        assert_eq!(code(export(wrong.path().to_str().unwrap())), (1, "E_INVALIDARG".to_owned()));
    }
    let both = machine.run(&["identity", "import", "--password-file", "-"]);
    assert_eq!((both.code, both.err.contains("not both")), (2, true), "{both:?}");
    // A process that has no terminal cannot ask.
    let mut command = machine.command(&["identity", "export"]);
    command.stdin(Stdio::null());
    let alone = without_terminal(command);
    assert_eq!((alone.code, alone.err.contains("--password-file")), (2, true), "{alone:?}");
}

/// Runs a command in a session of its own, which has no terminal.
fn without_terminal(command: Command) -> Ended {
    let mut words = vec![command.get_program().to_owned()];
    words.extend(command.get_args().map(ToOwned::to_owned));
    let mut session = Command::new("setsid");
    session.arg("--wait").args(words).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        session.env(name, value.unwrap_or_default());
    }
    let output = session.output().expect("setsid is needed: a part of util-linux");
    Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// At a terminal that `script` makes: asked for twice, and never shown.
#[test]
fn a_password_is_asked_for_twice_and_not_shown() {
    let machine = Machine::of("Ada");
    let Some((code, seen)) =
        at_a_terminal(&machine, "identity export", "correct horse\ncorrect horse\n")
    else {
        return;
    };
    assert_eq!(code, 0, "{seen}");
    assert!(seen.contains("New password: ") && seen.contains("Once more: "), "{seen}");
    assert!(!seen.contains("correct horse"), "{seen}");
    let start = seen.find("<PEERIDENTITYEXPORT").unwrap();
    let new = Machine::new();
    let password = file("correct horse");
    let import = ["identity", "import", "--password-file", password.path().to_str().unwrap()];
    let moved = new.with_input(&import, seen[start..].split_inclusive("EXPORT>").next().unwrap());
    assert_eq!(moved.code, 0, "{moved:?}");
    let (code, seen) = at_a_terminal(&machine, "identity export", "one\nanother\n").unwrap();
    assert_eq!((code, seen.contains("the two passwords differ")), (1, true), "{seen}");
}

/// Exit code and all that a terminal showed; `None` where no terminal can be made.
pub(crate) fn at_a_terminal(machine: &Machine, words: &str, typed: &str) -> Option<(i32, String)> {
    let plain = machine.command(&[]);
    let line = format!("{} {words}", plain.get_program().to_str().unwrap());
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    for (name, value) in plain.get_envs() {
        script.env(name, value.unwrap_or_default());
    }
    let child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: there is no `script` here to make a terminal with");
        return None;
    };
    use std::io::{Read, Write};
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut seen, mut lines) = (Vec::new(), typed.split_inclusive('\n'));
    let mut buffer = [0; 4_096];
    // A line is typed when it is asked for: what is typed before, a terminal shows.
    loop {
        let read = output.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        seen.extend(&buffer[..read]);
        if seen.ends_with(b": ")
            && let Some(line) = lines.next()
        {
            input.write_all(line.as_bytes()).unwrap();
        }
    }
    let code = child.wait().unwrap().code().unwrap();
    Some((code, String::from_utf8(seen).unwrap()))
}

#[test]
fn an_identity_has_a_key_of_the_kind_that_was_asked_for() {
    let (ada, bob) = (Machine::new(), Machine::new());
    ada.ok(&["identity", "create", "Ada", "--key", "p256"]);
    bob.ok(&["identity", "create", "Bob", "--key", "ed25519"]);
    // One may invite the other: the kinds go together.
    ada.ok(&["group", "create", "garden"]);
    let description = file(&bob.ok(&["identity", "show"]));
    let invitation = ada.ok(&["invite", description.path().to_str().unwrap()]);
    bob.ok(&["join", invitation.trim()]);
    // 138 bytes of P-256 in the file of the key, 83 of Ed25519.
    for (machine, length) in [(&ada, 138), (&bob, 83)] {
        let identities = fs::read_dir(machine.home().join("identities")).unwrap();
        let folder = identities.map(|entry| entry.unwrap().path()).next().unwrap();
        assert_eq!(fs::metadata(folder.join("key")).unwrap().len(), length);
    }
    assert_eq!(ada.run(&["identity", "create", "Eve", "--key", "rsa"]).code, 2);
}
