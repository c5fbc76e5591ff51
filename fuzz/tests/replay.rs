//! Every file of the corpora through its target, in every run of the tests.
//!
//! One test, so that nothing else of this process takes memory while a target's is counted.

use std::fs;
use std::path::{Path, PathBuf};

use p2p_fuzz::{TARGETS, Target};

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// The bytes as they are, then damaged at a few places, then far too many of them.
fn replay(path: &Path, bytes: &[u8], target: Target) {
    println!("{}", path.display());
    target(bytes);
    let mut damaged = bytes.to_vec();
    for at in (0..bytes.len()).step_by(bytes.len() / 16 + 1) {
        damaged[at] ^= 0x10;
        target(&damaged);
        target(&bytes[..at]);
        damaged[at] ^= 0x10;
    }
    if !bytes.is_empty() {
        target(&bytes.repeat(200_000 / bytes.len() + 1));
    }
}

#[test]
fn every_file_keeps_the_promises_of_its_target() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, target) in TARGETS {
        let files = files(&here.join("corpus").join(name));
        assert!(files.len() >= 5, "{name}");
        files.iter().for_each(|(path, bytes)| replay(path, bytes, *target));
    }
    // The larger corpus of p2p-crypto, made by another tool.
    for (path, bytes) in files(&here.join("../crates/p2p-crypto/tests/corpus")) {
        TARGETS.iter().for_each(|(_, target)| target(&bytes));
        if path.extension().is_some_and(|ending| ending == "chain") {
            split(&bytes).into_iter().for_each(p2p_fuzz::certificate);
        }
    }
    for folder in fs::read_dir(here.join("corpus")).unwrap() {
        let name = folder.unwrap().file_name();
        assert!(TARGETS.iter().any(|row| *row.0 == *name), "no target {name:?}");
    }
}

/// The certificates of a chain, as far as its lengths are right.
fn split(mut chain: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some((length, rest)) = chain.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((certificate, after)) = rest.split_at_checked(length) else { break };
        found.push(certificate);
        chain = after;
    }
    found
}
