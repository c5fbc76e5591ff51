//! The seam to the core: what a node asks of its keyring.

use p2p_core::{Authority, FileTime, KeyId};
use p2p_crypto::{Cause, GroupIdentity, Identity, Keyring};

fn keyring() -> Keyring {
    Keyring::new(Identity::create(None, None, FileTime::UNIX_EPOCH).unwrap())
}

/// From text to bytes, for the expected values.
fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

#[test]
fn session_and_tag_are_the_documented_hashes() {
    // Computed with Python's hmac module.
    let (binding, group) = ([0x0b; 32], KeyId(core::array::from_fn(|i| i as u8)));
    let keys = keyring();
    let session = keys.session(&binding, &group);
    assert_eq!(
        session[..],
        unhex("72769de7f20d73ce35815c4a63afb067ed6ba2829a78ccbb6818cf51a97b4b14")[..]
    );
    assert_eq!(keys.tag(&session, true)[..], unhex("9e6c28e20fce58324e051ae408c00fc8")[..]);
    assert_eq!(keys.tag(&session, false)[..], unhex("c65a52bf3e33986c98a72b44fe6fa918")[..]);
}

#[test]
fn chains_are_kept_by_group() {
    let now = FileTime::from_unix(1_795_348_800);
    let mut keys = keyring();
    let group = GroupIdentity::create(None, None, now).unwrap();
    let chain = group.issue_creator(&keys.identity().info(), now).unwrap();
    assert_eq!(keys.own_chain(&group.key_id()), None);
    keys.insert(group.key_id(), chain.clone());
    assert_eq!(keys.own_chain(&group.key_id()), Some(chain.clone()));
    assert_eq!(keys.own_key(), keys.identity().key_id());

    let member = keys.verify_member(&group.key_id(), &chain, &keys.own_key(), &now).unwrap();
    assert_eq!((member.key, &member.chain), (keys.own_key(), &chain));
    let refusal = keys.verify_member(&group.key_id(), &chain, &KeyId([0; 32]), &now).unwrap_err();
    assert_eq!(refusal, Cause::OtherIdentity.refusal());

    keys.remove(&group.key_id());
    assert_eq!(keys.own_chain(&group.key_id()), None);
}

#[test]
fn a_keyring_does_not_print_its_secret() {
    let keys = keyring();
    let text = format!("{keys:?}");
    assert!(text.contains(keys.identity().name().as_str()) && text.len() < 120, "{text}");
}
