//! Invitations as QR codes: what a reader sees in them is an invitation.

use rqrr::PreparedImage;

use crate::documented;
use crate::identities::at_a_terminal;
use crate::process::Machine;

/// Pixels of one module, so that the reader has something to look at.
const SCALE: usize = 3;

/// What the characters of `p2p invite --qr` show, as a photograph: one entry per module, true is black.
fn photograph(shown: &str) -> Vec<Vec<bool>> {
    let mut rows = Vec::new();
    for line in shown.lines().filter(|line| line.starts_with("\x1b[38;5;16;48;5;231m")) {
        let line = line.trim_end().strip_prefix("\x1b[38;5;16;48;5;231m").unwrap();
        let line = line.strip_suffix("\x1b[0m").unwrap();
        rows.push(line.chars().map(|c| matches!(c, '▀' | '█')).collect());
        rows.push(line.chars().map(|c| matches!(c, '▄' | '█')).collect());
    }
    rows
}

/// What a reader makes of it.
fn read(modules: &[Vec<bool>]) -> String {
    let (width, height) = (modules[0].len() * SCALE, modules.len() * SCALE);
    let mut image = PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        if modules[y / SCALE][x / SCALE] { 0 } else { 255 }
    });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one code");
    grids[0].decode().unwrap().1
}

#[test]
fn what_a_phone_reads_is_an_invitation() {
    let (ada, bob) = (Machine::of("Ada"), Machine::of("Bob"));
    ada.ok(&["group", "create", "garden"]);
    let xml = bob.ok(&["identity", "show"]);
    let shown = ada.ok(&["invite", xml.trim(), "--qr"]);
    let modules = photograph(&shown);
    let white = |row: &Vec<bool>| row.iter().all(|black| !black);
    assert!(modules[..4].iter().all(white), "the quiet zone");
    let text = read(&modules);
    assert!(text.starts_with("P2P:1:"), "{text}");
    // Another key signs another text each time, so this is one of its own.
    bob.ok(&["join", &text]);
    assert_eq!(bob.records(&["group", "list"])[0]["friendly_name"], "garden");
    let eve = Machine::of("Eve");
    let (exit, error) = eve.fails(&["join", &text]);
    assert_eq!((exit, &error["code"]), (4, &"PEER_E_INVITATION_NOT_TRUSTED".into()));
}

#[test]
fn a_program_gets_the_text() {
    let (ada, bob) = (Machine::of("Ada"), Machine::of("Bob"));
    ada.ok(&["group", "create", "garden"]);
    let ended = ada.with_input(&["invite", "--qr", "--json"], &bob.ok(&["identity", "show"]));
    let record = documented::read(&ended.out);
    let text = record["invitation"].as_str().unwrap();
    // Mail and people change the case of letters, and put them into lines of their own.
    let joined = bob.with_input(&["join"], &format!(" {}\n", text.to_lowercase()));
    assert_eq!(joined.code, 0, "{joined:?}");
    for broken in [&text[..text.len() - 20], "P2P:1:", "p2p:1:!"] {
        let (exit, error) = bob.with_input(&["join", "--json"], broken).error();
        assert_eq!((exit, &error["code"]), (4, &"PEER_E_INVITATION_NOT_TRUSTED".into()));
        assert!(error["refusal"]["code"].as_str().unwrap().starts_with("CRYPT_E_BAD"), "{error}");
    }
    let (exit, error) = bob.fails(&["join", &text.replacen("P2P:1", "P2P:2", 1)]);
    assert_eq!((exit, &error["code"]), (1, &"PEER_E_UNSUPPORTED_VERSION".into()));
    let both = ada.run(&["invite", "--qr", "--xml"]);
    assert_eq!(both.code, 2, "{both:?}");
}

#[test]
fn a_terminal_without_room_says_what_it_takes() {
    let (ada, bob) = (Machine::of("Ada"), Machine::of("Bob"));
    ada.ok(&["group", "create", "garden"]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bob.ok(&["identity", "show"])).unwrap();
    let words = |columns: u32, rows: u32| {
        let program = env!("CARGO_BIN_EXE_p2p");
        let file = file.path().display();
        // `script` runs its command by a shell: the first words are for the terminal, ours follow.
        format!(
            "--version > /dev/null; stty columns {columns} rows {rows}; {program} invite {file} --qr"
        )
    };
    let Some((code, seen)) = at_a_terminal(&ada, &words(80, 200), "") else { return };
    assert_eq!(code, 1, "{seen}");
    assert!(seen.contains("this terminal has 80 and 200"), "{seen}");
    assert!(photograph(&seen).is_empty(), "nothing is shown that cannot be read");
    let (code, seen) = at_a_terminal(&ada, &words(200, 200), "").unwrap();
    assert_eq!(code, 0, "{seen}");
    bob.ok(&["join", &read(&photograph(&seen))]);
}
