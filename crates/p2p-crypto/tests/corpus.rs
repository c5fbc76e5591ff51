//! The corpus in `tests/corpus/`, made by another tool: every file through the public door it is meant for, with the
//! verdict that stands beside it in the index. How it was made says `tests/corpus/make.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use p2p_core::{FileTime, KeyId, Refusal};
use p2p_crypto::{
    Cause, CryptoError, Identity, IdentityInfo, Invitation, PasswordInvitation, Surface,
    inspect_chain, verify_chain, verify_tls_certificate,
};

/// A line of the index.
struct Case {
    file: String,
    door: String,
    group: KeyId,
    peer: KeyId,
    at: FileTime,
    /// Code and detail; `ok` and `ok` if it is to be accepted.
    codes: (String, String),
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn cases() -> Vec<Case> {
    let index = fs::read_to_string(folder().join("index.txt")).unwrap();
    let mut keys = BTreeMap::new();
    let mut cases = Vec::new();
    for line in index.lines().filter(|line| !line.starts_with('#')) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["key", name, digits] => {
                let byte = |i: usize| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap();
                keys.insert(name, KeyId(core::array::from_fn(byte)));
            }
            [file, door, group, peer, at, code, detail] => cases.push(Case {
                file: file.to_owned(),
                door: door.to_owned(),
                group: keys[group],
                peer: keys[peer],
                at: FileTime::from_unix(at.parse().unwrap()),
                codes: (code.to_owned(), detail.to_owned()),
            }),
            _ => panic!("not a line of the index: {line}"),
        }
    }
    cases
}

/// What the library says.
fn verdict(case: &Case, content: &[u8]) -> Result<(), Refusal> {
    let text = || std::str::from_utf8(content).unwrap();
    match case.door.as_str() {
        "chain" => verify_chain(&case.group, content, &case.peer, &case.at).map(|member| {
            assert_eq!((member.key, &member.chain[..]), (case.peer, content), "{}", case.file);
        }),
        "tls" => verify_tls_certificate(content).map(|peer| assert_eq!(peer.key, case.peer)),
        "identity" => IdentityInfo::from_xml(text()).map(|info| assert_eq!(info.key, case.peer)),
        "invitation" => match Invitation::parse(text()) {
            Ok(invitation) => {
                assert_eq!(invitation.group(), case.group);
                assert!(invitation.check_for(&case.peer, case.at).is_ok());
                Ok(())
            }
            Err(error) => Err(error.refusal().expect("a check of trust failed")),
        },
        "password-invitation" => match PasswordInvitation::parse(text()) {
            Ok(invitation) => {
                assert_eq!((invitation.group(), invitation.issuer().key), (case.group, case.peer));
                assert!(invitation.check_at(case.at).is_ok());
                Ok(())
            }
            Err(error) => Err(error.refusal().expect("a check of trust failed")),
        },
        "export" => refusal_of(Identity::import(text(), "correct horse"), case),
        "key" => refusal_of(Identity::from_pkcs8(content, None, None, case.at), case),
        other => panic!("no door `{other}`"),
    }
}

fn refusal_of(result: Result<Identity, CryptoError>, case: &Case) -> Result<(), Refusal> {
    result
        .map(|identity| assert_eq!(identity.key_id(), case.peer))
        .map_err(|error| error.refusal().expect("a check of trust failed"))
}

#[test]
fn every_file_of_another_maker_ends_as_its_index_says() {
    let mut wrong = Vec::new();
    for case in cases() {
        let content = fs::read(folder().join(&case.file)).unwrap();
        let seen = match verdict(&case, &content) {
            Ok(()) => ("ok", "ok"),
            Err(refusal) => (refusal.code.name().unwrap(), refusal.detail.name().unwrap()),
        };
        if seen != (case.codes.0.as_str(), case.codes.1.as_str()) {
            wrong.push(format!("{}: {seen:?} instead of {:?}", case.file, case.codes));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_only_the_dates_group_or_peer_refuse_can_still_be_read() {
    let outside = ["CERT_E_EXPIRED", "CERT_E_UNTRUSTEDROOT", "CERT_E_CN_NO_MATCH", "ok"];
    for case in cases().iter().filter(|case| case.door == "chain") {
        let content = fs::read(folder().join(&case.file)).unwrap();
        let readable = outside.contains(&case.codes.1.as_str());
        assert_eq!(inspect_chain(&content).is_ok(), readable, "{}", case.file);
    }
}

#[test]
fn the_index_names_every_file_and_many_ways_to_be_broken() {
    let cases = cases();
    let named: BTreeSet<String> = cases.iter().map(|case| case.file.clone()).collect();
    assert_eq!(named.len(), cases.len(), "a file has two lines");
    let there: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !["index.txt", "make.py"].contains(&name.as_str()))
        .collect();
    assert_eq!(named, there);
    let broken = cases.iter().filter(|case| case.codes.0 != "ok").count();
    assert!(broken >= 60 && cases.len() - broken >= 10, "{broken} of {}", cases.len());
    let codes: BTreeSet<_> = cases.iter().map(|case| case.codes.clone()).collect();
    assert!(codes.len() >= 27, "{codes:#?}");
}

#[test]
fn causes_surface_where_their_table_says() {
    for case in cases().iter().filter(|case| case.codes.0 != "ok") {
        let surface = match case.door.as_str() {
            "chain" => Surface::Chain,
            "tls" => Surface::Tls,
            "identity" => Surface::Description,
            "export" | "key" => Surface::Importing,
            _ => Surface::Invitation,
        };
        let is_it = |cause: &Cause| {
            let refusal = cause.refusal();
            refusal.code.name() == Some(&*case.codes.0)
                && refusal.detail.name() == Some(&*case.codes.1)
        };
        let mut causes = Cause::all().filter(is_it);
        assert!(causes.any(|cause| cause.surfaces().contains(&surface)), "{}", case.file);
    }
}

#[test]
fn every_cause_that_a_file_can_have_is_in_the_corpus() {
    let seen: BTreeSet<_> = cases().into_iter().map(|case| case.codes).collect();
    // Whether something was revoked is nothing that a file shows by itself.
    for cause in Cause::all().filter(|cause| *cause != Cause::Revoked) {
        let files = [Surface::Tls, Surface::Chain, Surface::Description, Surface::Invitation];
        if cause.surfaces().iter().any(|surface| files.contains(surface)) {
            let refusal = cause.refusal();
            let codes = (refusal.code.name().unwrap(), refusal.detail.name().unwrap());
            assert!(seen.contains(&(codes.0.to_owned(), codes.1.to_owned())), "{cause:?}");
        }
    }
}
