//! The seam to the core: what a node asks of its keyring.

use bytes::Bytes;
use p2p_core::{Authority, FileTime, KeyId, Roles};
use p2p_crypto::{Cause, GroupIdentity, Identity, Keyring, PasswordSecret, PasswordVerifier};

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

/// What a member and a joiner hold of the same password, as their properties and pending membership have it.
struct Exchange {
    member: Keyring,
    joiner: Keyring,
    group: KeyId,
    verifier: Vec<u8>,
}

fn exchange(password: &str) -> Exchange {
    let now = FileTime::from_unix(1_795_344_000);
    let [ada, bob] = ["Ada", "Bob"].map(|name| Identity::create(None, Some(name), now).unwrap());
    let creator = GroupIdentity::create(None, None, now).unwrap();
    let group = creator.key_id();
    let verifier = PasswordVerifier::create(&group, "correct horse").unwrap();
    let secret = PasswordSecret::stretch(&group, password, verifier.parameters()).unwrap();
    let chain = creator.issue_creator(&ada.info(), now).unwrap();
    let (mut member, mut joiner) = (Keyring::new(ada), Keyring::new(bob));
    member.insert(group, chain);
    joiner.insert_password(group, secret);
    Exchange { member, joiner, group, verifier: verifier.to_bytes().to_vec() }
}

impl Exchange {
    fn keys(&self) -> (KeyId, KeyId) {
        (self.joiner.own_key(), self.member.own_key())
    }

    /// The first two messages, under the number 7 on both sides.
    fn begin(&mut self) -> (Bytes, Bytes) {
        let (joiner, member) = self.keys();
        let start = self.joiner.password_start(7, &self.group, &[5; 32], &member, [1; 32]);
        let first = start.unwrap();
        let known = Some((&self.group, &self.verifier[..]));
        let answer = self.member.password_answer(7, known, &[5; 32], &joiner, &first, [2; 32]);
        (first, answer.unwrap())
    }
}

#[test]
fn who_knows_the_password_gets_a_chain_from_the_seam() {
    let mut both = exchange("correct horse");
    let now = FileTime::from_unix(1_795_344_000);
    assert!(both.joiner.awaits_password(&both.group) && !both.member.awaits_password(&both.group));
    let (_, answer) = both.begin();
    let confirmation = both.joiner.password_confirm(7, &answer).unwrap();
    // Nothing is issued before it is checked, and what is checked is checked once.
    assert!(both.member.password_issue(7, Roles::MEMBER, &now).is_err());
    let (_, answer) = both.begin();
    let again = both.joiner.password_confirm(7, &answer).unwrap();
    assert_eq!(again, confirmation);
    assert_eq!(both.member.password_check(7, &confirmation), Ok(()));
    let chain = both.member.password_issue(7, Roles::MEMBER, &now).unwrap();
    let (key, _) = both.keys();
    let member = both.joiner.verify_member(&both.group, &chain, &key, &now).unwrap();
    assert_eq!((&*member.friendly_name, member.roles), ("Bob", Roles::MEMBER));
    both.joiner.adopt(&both.group, chain.clone());
    assert_eq!(both.joiner.own_chain(&both.group), Some(chain));
    assert!(!both.joiner.awaits_password(&both.group), "the password is wiped");
    both.member.password_end(7);
    assert!(both.member.password_issue(7, Roles::MEMBER, &now).is_err());
    // Who was made a plain member makes none.
    let (joiner, member) = both.keys();
    let mut other = exchange("correct horse").joiner;
    other.insert_password(both.group, {
        let verifier = PasswordVerifier::from_bytes(&both.verifier).unwrap();
        PasswordSecret::stretch(&both.group, "correct horse", verifier.parameters()).unwrap()
    });
    let first = other.password_start(8, &both.group, &[5; 32], &joiner, [3; 32]).unwrap();
    let known = Some((&both.group, &both.verifier[..]));
    let key = other.own_key();
    let answer = both.joiner.password_answer(8, known, &[5; 32], &key, &first, [4; 32]).unwrap();
    let confirmation = other.password_confirm(8, &answer).unwrap();
    both.joiner.password_check(8, &confirmation).unwrap();
    let refusal = both.joiner.password_issue(8, Roles::MEMBER, &now).unwrap_err();
    assert_eq!(refusal, Cause::RoleNotDelegable.refusal());
    assert_ne!(joiner, member);
}

#[test]
fn a_wrong_password_and_a_group_without_one_fail_alike() {
    let mut both = exchange("correct h0rse");
    let (first, answer) = both.begin();
    let wrong = Cause::WrongPassword.refusal();
    assert_eq!(both.joiner.password_confirm(7, &answer), Err(wrong));
    assert_eq!(both.member.password_check(7, &[0; 400]), Err(wrong));
    let (joiner, _) = both.keys();
    for known in [None, Some((&both.group, &b"no verifier"[..]))] {
        let answer = both.member.password_answer(9, known, &[5; 32], &joiner, &first, [2; 32]);
        assert_eq!(answer.unwrap().len(), 97);
        assert_eq!(both.member.password_check(9, &[0; 400]), Err(wrong));
        let short = both.member.password_answer(9, known, &[5; 32], &joiner, &first[1..], [2; 32]);
        assert_eq!(short, Err(wrong));
    }
    assert!(!format!("{:?}", both.joiner).contains("PasswordSecret"));
}
