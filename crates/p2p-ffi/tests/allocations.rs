//! However hostile what comes in is, no single piece of memory above 64 KiB is asked for while it is read.
//!
//! It is about `p2p-crypto`; it stands here because whoever watches the allocator needs `unsafe`. What a password is
//! stretched with costs memory on purpose, and is not among the doors.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use p2p_core::{FileTime, KeyId, ObjectKind, Reason, Roles};
use p2p_crypto::{
    AnyInvitation, GroupConfig, GroupIdentity, GroupProperties, Identity, IdentityInfo, Invitation,
    IssueRequest, PasswordInvitation, PasswordVerifier, RevocationRequest, inspect_chain, revoke,
    verify_chain, verify_object, verify_tls_certificate,
};

/// The promise.
const MAX: usize = 64 << 10;
const NOW: FileTime = FileTime(134_398_224_000_000_000);

/// The system's allocator, which remembers the largest piece that a thread has asked for.
struct Watching;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(size: usize) {
    LARGEST.with(|largest| largest.set(largest.get().max(size)));
}

// SAFETY: every call is handed on as it is; a thread-local number without destructor allocates nothing.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise is ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise is ours.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller's promise is ours.
        unsafe { System.realloc(ptr, layout, size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is ours.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static HEAP: Watching = Watching;

/// The largest piece that `door` asks for.
fn largest<R>(door: impl FnOnce() -> R) -> usize {
    LARGEST.with(|largest| largest.set(0));
    drop(door());
    LARGEST.with(Cell::get)
}

/// Whatever reads what comes from others, and how much it asks for at once.
fn doors(input: &[u8]) -> Vec<(&'static str, usize)> {
    let (text, whole) =
        (String::from_utf8_lossy(input).into_owned(), Bytes::copy_from_slice(input));
    // The group that an honest maker of this would mean, so that checks go as far as they can.
    let (group, peer) = inspect_chain(input)
        .map_or((KeyId([7; 32]), KeyId([7; 32])), |info| (info.group, info.member.key));
    let mut found = vec![
        ("tls certificate", largest(|| verify_tls_certificate(input))),
        ("chain", largest(|| inspect_chain(input))),
        ("chain of a peer", largest(|| verify_chain(&group, input, &peer, &NOW))),
        ("description", largest(|| IdentityInfo::from_xml(&text))),
        ("invitation", largest(|| Invitation::parse(&text))),
        ("invitation by password", largest(|| PasswordInvitation::parse(&text))),
        ("any invitation", largest(|| AnyInvitation::parse(&text))),
        ("configuration", largest(|| GroupConfig::import(&text, "", NOW))),
        ("verifier", largest(|| PasswordVerifier::from_bytes(input))),
        ("key", largest(|| Identity::from_pkcs8(input, None, None, NOW))),
        ("identity", largest(|| Identity::from_parts(input, input))),
        ("group", largest(|| GroupIdentity::from_parts(input, input))),
        ("properties", largest(|| GroupProperties::parse(&group, &whole))),
    ];
    for kind in ObjectKind::ALL {
        found.push(("object", largest(|| verify_object(&group, kind, &whole))));
    }
    found
}

/// Every file below.
fn files(folder: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push((path.display().to_string(), fs::read(path).unwrap()));
        }
    }
}

/// The longest things that honest people can make.
fn longest() -> Vec<(String, Vec<u8>)> {
    let name = "ä".repeat(255);
    let group = GroupIdentity::create(Some("chess"), Some(&name), NOW).unwrap();
    let mut last = Identity::create(Some("c"), Some(&name), NOW).unwrap();
    let mut chain = group.issue_creator(&last.info(), NOW).unwrap();
    let addresses: Vec<_> = (0..8)
        .map(|port| std::net::SocketAddr::from(([0x2001, 0xdb8, 1, 2, 3, 4, 5, 6], 60_000 + port)))
        .map(Into::into)
        .collect();
    let hints: Vec<_> = (0..8).map(|key| (KeyId([key; 32]), addresses.clone())).collect();
    let mut invitation = None;
    for _ in 1..24 {
        let next = Identity::create(Some("c"), Some(&name), NOW).unwrap();
        let request = IssueRequest {
            subject: &next.info(),
            roles: Roles::ADMIN,
            expires: None,
            hints: &hints,
            now: NOW,
        };
        let issued = Invitation::issue(&last, &chain, &request).unwrap();
        chain = issued.chain().clone();
        (last, invitation) = (next, Some(issued));
    }
    let target = KeyId([9; 32]);
    let request =
        RevocationRequest { target, serial: None, reason: Reason::KeyCompromise, now: NOW };
    let revocation = revoke(&last, &chain, &request).unwrap();
    let invitation = invitation.unwrap();
    let configuration = GroupConfig::new(chain.clone(), None, &hints).unwrap();
    // Large enough to mean something here.
    assert!(chain.len() > 20_000 && invitation.as_xml().len() > 30_000);
    vec![
        ("the longest chain".into(), chain.to_vec()),
        ("the longest invitation".into(), invitation.as_xml().as_bytes().to_vec()),
        ("the same in one line".into(), invitation.to_line().into_bytes()),
        ("the longest configuration".into(), configuration.export("").unwrap().into_bytes()),
        ("a revocation by the 24th".into(), revocation.to_vec()),
    ]
}

/// What only an enemy makes: texts and DER that are all one thing, up to the limits and beyond.
fn hostile() -> Vec<(String, Vec<u8>)> {
    let pieces = [
        "<",
        "<a>",
        "<a/>",
        "<a x=\"1\"/>",
        "=",
        "&lt;",
        "<!--x-->",
        "<?a?>",
        "<![CDATA[x]]>",
        "x",
        "\n",
        "<HINT KEY=\"x\"><ADDRESS>x</ADDRESS></HINT>",
        "xmlns:a=\"b\" ",
    ];
    let heads = ["", "<PEERINVITATION VERSION=\"2.0\">", "<a ", "<a x=\"", "p2p-invitation:1:"];
    let mut all = Vec::new();
    for size in [60_000, 65_536, 87_382, 1 << 20] {
        for head in heads {
            for piece in pieces {
                let mut text = head.to_owned();
                while text.len() + piece.len() <= size {
                    text.push_str(piece);
                }
                all.push((format!("{head}{piece} up to {size}"), text.into_bytes()));
            }
        }
    }
    for size in [1_280_usize, 4_096, 32_000, 33_792, 1 << 20] {
        for tag in [0x30, 0x31, 0x04, 0x02, 0x03, 0x0c, 0xa0, 0x06] {
            let mut der = vec![tag, 0x83];
            der.extend(&(size as u32 - 5).to_be_bytes()[1..]);
            der.resize(size, tag);
            all.push((format!("DER of {tag:#x}, {size} bytes"), der));
            all.push((format!("only {tag:#x}, {size} times"), vec![tag; size]));
        }
        // A list of certificates without contents, and one of the largest.
        all.push((format!("{size} bytes of empty certificates"), vec![0; size]));
        let list = [&[5, 0][..], &[0x30; 1_280]].concat().repeat(size / 1_282);
        all.push((format!("{size} bytes of large certificates"), list));
    }
    all
}

#[test]
fn no_input_makes_a_reader_ask_for_more_than_64_kib_at_once() {
    let mut inputs = longest();
    let made = inputs.len();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    files(&here.join("../p2p-crypto/tests/corpus"), &mut inputs);
    files(&here.join("../../fuzz/corpus"), &mut inputs);
    assert!(inputs.len() > made + 200, "the corpora are not there");
    inputs.extend(hostile());
    let mut most = 0;
    for (name, input) in &inputs {
        for (door, size) in doors(input) {
            // What is written back here as text is the test's own, not the reader's.
            assert!(size <= MAX, "{door}: {size} bytes for {name}");
            most = most.max(size);
        }
    }
    // The watch is awake: the longest texts are kept whole.
    assert!(most > 32_000, "{most}");
}
