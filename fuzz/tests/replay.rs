//! Every file of the corpora through its target, in every run of the tests.
//!
//! One test, so that nothing else of this process takes memory while a target's is counted.

use std::fs;
use std::path::Path;

use p2p_fuzz::{TARGETS, Target, corpus, files, replay};

#[test]
fn every_file_keeps_the_promises_of_its_target() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, target) in TARGETS {
        let files = files(&corpus(name)).unwrap();
        assert!(files.len() >= 5, "{name}");
        for (path, bytes) in files {
            println!("{}", path.display());
            if *name == "c_calls" {
                a_few_times(&bytes, *target);
            } else {
                replay(&bytes, *target);
            }
        }
    }
    // The larger corpus of p2p-crypto, made by another tool.
    for (path, bytes) in files(&here.join("../crates/p2p-crypto/tests/corpus")).unwrap() {
        // Which calls a certificate happens to be says nothing.
        let others = TARGETS.iter().filter(|row| row.0 != "c_calls");
        others.for_each(|(_, target)| target(&bytes));
        if path.extension().is_some_and(|ending| ending == "chain") {
            split(&bytes).into_iter().for_each(p2p_fuzz::certificate);
        }
    }
    for folder in fs::read_dir(here.join("corpus")).unwrap() {
        let name = folder.unwrap().file_name();
        assert!(TARGETS.iter().any(|row| *row.0 == *name), "no target {name:?}");
    }
}

/// For a target that starts a library and writes files in each run: the bytes as they are, damaged, and cut off.
fn a_few_times(bytes: &[u8], target: Target) {
    let half = bytes.len() / 2;
    let mut damaged = bytes.to_vec();
    damaged[half] ^= 0x10;
    [bytes, &damaged, &bytes[..half]].into_iter().for_each(target);
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
