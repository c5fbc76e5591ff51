//! Chains as a whole: their longest, their damage, and which of two faults is named.

mod forge;

use bytes::Bytes;
use forge::*;
use p2p_core::{Code, FileTime, KeyId, Roles};
use p2p_crypto::{
    Cause, CryptoError, GroupIdentity, Identity, IdentityInfo, Invitation, IssueRequest, PeerName,
    inspect_chain, verify_chain,
};
use proptest::prelude::*;

fn identity() -> Identity {
    Identity::create(None, None, now()).unwrap()
}

fn invite(
    issuer: &Identity,
    chain: &Bytes,
    subject: &IdentityInfo,
    roles: Roles,
) -> Result<Bytes, CryptoError> {
    let request = IssueRequest { subject, roles, expires: None, hints: &[], now: now() };
    Invitation::issue(issuer, chain, &request).map(|invitation| invitation.chain().clone())
}

#[test]
fn the_24th_administrator_is_a_member_but_can_invite_nobody() {
    let group = GroupIdentity::create(Some("chess"), None, now()).unwrap();
    let mut last = identity();
    let mut chain = group.issue_creator(&last.info(), now()).unwrap();
    for depth in 1..=24 {
        let member = verify_chain(&group.key_id(), &chain, &last.key_id(), &now()).unwrap();
        assert_eq!((member.depth, member.roles), (depth, Roles::ADMIN));
        if depth < 24 {
            let next = identity();
            chain = invite(&last, &chain, &next.info(), Roles::ADMIN).unwrap();
            last = next;
        }
    }
    for roles in [Roles::ADMIN, Roles::MEMBER] {
        let error = invite(&last, &chain, &identity().info(), roles).unwrap_err();
        assert_eq!(error.code(), Code::PEER_E_CHAIN_TOO_LONG);
        assert_eq!(error.refusal(), Some(Cause::ChainTooLong.refusal()));
    }
}

#[test]
fn a_chain_of_25_members_is_refused() {
    let longest = Family::new(24);
    assert_eq!(inspect_chain(&longest.chain()).unwrap().member.depth, 24);
    let refusal = inspect_chain(&Family::new(25).chain()).unwrap_err();
    assert_eq!((refusal.code, refusal.detail), (Code::CRYPT_E_BAD_LEN, Code::CERT_E_PATHLENCONST));
}

#[test]
fn the_longest_chain_of_the_largest_certificates_fits() {
    // 25 certificates of 1,280 bytes with their lengths would be 32,050 bytes; the whole may have 32,000.
    let mut family = Family::new(24);
    for cert in &mut family.certs {
        let room = 1_270 - cert.sign(&family.keys[0]).len();
        cert.fields.friendly_name = friendly(&"東".repeat(255.min(room / 3)));
    }
    let chain = family.chain();
    assert!((30_000..=32_000).contains(&chain.len()), "{}", chain.len());
    assert!(inspect_chain(&chain).is_ok());
}

#[test]
fn a_chain_cut_off_anywhere_is_refused() {
    let family = Family::new(3);
    let chain = family.chain();
    for end in 0..chain.len() {
        let cut = &chain[..end];
        // Cut between certificates it is a shorter chain, and somebody else's.
        assert!(verify_chain(&family.group(), cut, &family.leaf(), &now()).is_err(), "{end}");
    }
}

#[test]
fn a_chain_with_any_bit_flipped_is_refused() {
    let family = Family::new(2);
    let mut chain = family.chain();
    for bit in 0..8 * chain.len() {
        chain[bit / 8] ^= 1 << (bit % 8);
        let refusal = verify_chain(&family.group(), &chain, &family.leaf(), &now()).unwrap_err();
        assert!(!refusal.code.is_success() && refusal.code.name().is_some(), "bit {bit}");
        chain[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(verify_chain(&family.group(), &chain, &family.leaf(), &now()).is_ok());
}

#[test]
fn a_signature_has_no_second_form() {
    // RFC 8032 §5.1.7: S below the group's order. Adding the order gives another S for the same equation.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut family = Family::new(1);
    let mut signature = family.keys[0].sign(&family.certs[1].tbs());
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    family.certs[1].signature = Some(bits(&signature));
    assert_eq!(inspect_chain(&family.chain()).unwrap_err(), Cause::CertificateSignature.refusal());
}

#[test]
fn of_two_faults_the_earlier_in_the_order_is_named() {
    type Fault = (Cause, fn(&mut Family));
    let faults: [Fault; 9] = [
        (Cause::TooLarge, |f| f.certs[3].first.push(Ext::plain(&[0x2a, 3], vec![0; 1_000]))),
        (Cause::DerMalformed, |f| f.certs[3].fields.flags = tlv(0x02, &[0, 0])),
        (Cause::Profile, |f| f.certs[3].version = Vec::new()),
        (Cause::Links, |f| f.certs[3].fields.group = utf8(&f.keys[0].name("go"))),
        (Cause::RoleNotDelegable, |f| f.certs[2].fields.roles = roles(&[INVITING])),
        (Cause::ClassifierNotDelegable, |f| f.certs[1].fields.classifiers = classifiers(&["go"])),
        (Cause::CertificateSignature, |f| f.certs[1].signature = Some(bits(&[3; 64]))),
        (Cause::OutlivesIssuer, |f| f.certs[2].not_after = time(NOW + 5_000)),
        (Cause::NotYetValid, |f| f.certs.iter_mut().for_each(|c| c.not_before = time(NOW + 2_000))),
    ];
    for (i, (early, spoil)) in faults.iter().enumerate() {
        for (_, spoil_too) in &faults[i..] {
            let mut family = Family::new(3);
            spoil_too(&mut family);
            spoil(&mut family);
            let refusal =
                verify_chain(&family.group(), &family.chain(), &family.leaf(), &now()).unwrap_err();
            assert_eq!(refusal, early.refusal(), "{early:?}");
        }
    }
}

#[test]
fn signatures_are_verified_from_the_root() {
    // The second certificate is by another key, and so by consequence nothing below it can be believed; the third is
    // damaged too. Which one is named cannot be seen, but that neither passes can.
    let family = Family::new(3);
    let mut certificates = family.signed();
    certificates[1] = family.certs[1].sign(&Key::new(77));
    certificates[3] = family.certs[3].sign(&Key::new(78));
    assert_eq!(
        inspect_chain(&chain(&certificates)).unwrap_err(),
        Cause::CertificateSignature.refusal()
    );
}

#[test]
fn a_member_of_one_group_is_nobody_in_another() {
    let (ada, bob) = (identity(), identity());
    let group = |name| GroupIdentity::create(Some(name), None, now()).unwrap();
    let (chess, go) = (group("chess"), group("go"));
    let in_chess = chess.issue_creator(&ada.info(), now()).unwrap();
    let in_go = go.issue_creator(&ada.info(), now()).unwrap();
    let refused = verify_chain(&go.key_id(), &in_chess, &ada.key_id(), &now()).unwrap_err();
    assert_eq!(refused, Cause::OtherRoot.refusal());

    // Nor do halves of two chains make a whole one.
    let bobs = invite(&ada, &in_chess, &bob.info(), Roles::MEMBER).unwrap();
    let leaf = &bobs[in_chess.len()..];
    let mixed = [&in_go[..], leaf].concat();
    let refused = verify_chain(&go.key_id(), &mixed, &bob.key_id(), &now()).unwrap_err();
    assert_eq!(refused, Cause::Links.refusal());
}

#[test]
fn two_keys_with_one_name_are_two_identities() {
    // A name is 20 bytes of the hash; somebody may make two keys whose hashes begin alike. Only the whole counts.
    let family = Family::new(2);
    let at = |group: &KeyId, peer: &KeyId| verify_chain(group, &family.chain(), peer, &now());
    let alike = |key: KeyId| {
        let mut other = key;
        other.0[20..].reverse();
        assert!(PeerName::for_key(&key, None).unwrap().is_of(&other) && other != key);
        other
    };
    let (group, leaf) = (family.group(), family.leaf());
    assert!(at(&group, &leaf).is_ok());
    assert_eq!(at(&group, &alike(leaf)).unwrap_err(), Cause::OtherIdentity.refusal());
    assert_eq!(at(&alike(group), &leaf).unwrap_err(), Cause::OtherRoot.refusal());
    // Nor is a link made by the name alone: the issuer's whole key id stands in the certificate.
    let mut family = Family::new(2);
    family.certs[2].fields.issuer = octets(&alike(family.keys[1].id()).0);
    assert_eq!(inspect_chain(&family.chain()).unwrap_err(), Cause::Links.refusal());
}

#[test]
fn the_end_of_a_membership_is_the_earliest_in_its_chain() {
    let group = GroupIdentity::create(None, None, now()).unwrap();
    let (ada, bob, cid) = (identity(), identity(), identity());
    let adas = group.issue_creator(&ada.info(), now()).unwrap();
    let end = now().plus_seconds(1_000);
    let request = IssueRequest {
        subject: &bob.info(),
        roles: Roles::ADMIN,
        expires: Some(end),
        hints: &[],
        now: now(),
    };
    let bobs = Invitation::issue(&ada, &adas, &request).unwrap();
    assert_eq!(bobs.member().not_after, end);
    let cids = invite(&bob, bobs.chain(), &cid.info(), Roles::MEMBER).unwrap();
    assert_eq!(inspect_chain(&cids).unwrap().member.not_after, end);
    assert_eq!(inspect_chain(&adas).unwrap().member.not_after, FileTime::NO_END);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// No bytes whatever make the reader panic, and none make a chain.
    #[test]
    fn noise_is_no_chain(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(inspect_chain(&bytes).is_err());
    }

    /// Nor does the longest chain there is, with any one bit flipped.
    #[test]
    fn a_flipped_bit_of_the_longest_chain_is_noticed(bit in any::<proptest::sample::Index>()) {
        let family = Family::new(24);
        let mut chain = family.chain();
        let bit = bit.index(8 * chain.len());
        chain[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(verify_chain(&family.group(), &chain, &family.leaf(), &now()).is_err());
    }

    /// Whatever rights, names and lifetimes are asked for: either nothing is issued, or a chain that every peer accepts,
    /// with just these, and never more than the issuer has.
    #[test]
    fn what_is_issued_is_what_was_asked(
        own in prop::sample::select(vec![Roles::ADMIN, Roles::INVITING_MEMBER, Roles::MEMBER]),
        wanted in prop::collection::vec(prop::sample::select(vec![Roles::ADMIN, Roles::INVITING_MEMBER, Roles::MEMBER]), 1..3),
        name in "\\PC{0,40}",
        end in prop::option::of(0u64..2_000_000),
    ) {
        let (ada, bob) = (identity(), identity());
        let group = GroupIdentity::create(None, None, now()).unwrap();
        let adas = group.issue_creator(&ada.info(), now()).unwrap();
        let bobs = invite(&ada, &adas, &bob.info(), own).unwrap();
        let wanted = wanted.into_iter().fold(Roles::empty(), Roles::with);
        let expires = end.map(|seconds| now().minus_seconds(1_000_000).plus_seconds(seconds));
        let Ok(cid) = Identity::create(None, Some(&name), now()) else { return Ok(()) };
        let subject = cid.info();
        let request = IssueRequest { subject: &subject, roles: wanted, expires, hints: &[], now: now() };
        let may = own.grantable().contains(wanted) && expires.is_none_or(|end| end > now());
        let issued = Invitation::issue(&bob, &bobs, &request);
        prop_assert_eq!(issued.is_ok(), may, "{:?}", issued);
        if let Ok(invitation) = issued {
            let member =
                verify_chain(&group.key_id(), invitation.chain(), &cid.key_id(), &now()).unwrap();
            prop_assert_eq!((member.roles, member.depth), (wanted, 3));
            prop_assert_eq!(&member.friendly_name, cid.friendly_name());
            prop_assert_eq!(member.not_after, expires.unwrap_or(FileTime::NO_END));
            let read = Invitation::parse(&invitation.to_line()).unwrap();
            prop_assert_eq!(read.as_xml(), invitation.as_xml());
        }
    }

    /// Neither does a real chain with a part overwritten, doubled or removed.
    #[test]
    fn damage_is_noticed(at in 0usize..1_500, patch in proptest::collection::vec(any::<u8>(), 1..40), kind in 0u8..3) {
        let family = Family::new(2);
        let whole = family.chain();
        let mut chain = whole.clone();
        let at = at % chain.len();
        let end = (at + patch.len()).min(chain.len());
        match kind {
            0 => drop(chain.splice(at..end, patch)),
            1 => drop(chain.drain(at..end)),
            _ => drop(chain.splice(at..at, patch)),
        }
        prop_assume!(chain != whole);
        prop_assert!(verify_chain(&family.group(), &chain, &family.leaf(), &now()).is_err());
    }
}
