//! Invitations.

use super::*;

#[test]
fn an_invitation_shows_what_is_in_it() {
    let _session = Session::started();
    let ann = identity("Ann");
    let group = group();
    let bob = identity("Bob");
    let roles = [Roles::GUIDS[1].1.into(), Roles::GUIDS[2].1.into()];
    let end = FILETIME::from(p2p_group::now().plus_seconds(3_600));
    let (code, text) = invite(group, &xml(&bob), Some(end), &roles);
    is(Code::S_OK, code);
    let (code, info) = parse(&take(text));
    is(Code::S_OK, code);
    // SAFETY: a block of the library.
    unsafe {
        let info_ref = &*info;
        let read = |text: PWSTR| {
            let units: Vec<u16> =
                (0..).map(|index| *text.add(index)).take_while(|unit| *unit != 0).collect();
            String::from_utf16(&units).unwrap()
        };
        assert_eq!(info_ref.dwSize as usize, size_of::<PEER_INVITATION_INFO>());
        assert_eq!(read(info_ref.pwzIssuerPeerName), ann);
        assert_eq!(read(info_ref.pwzSubjectPeerName), bob);
        assert_eq!(
            (read(info_ref.pwzIssuerFriendlyName), read(info_ref.pwzSubjectFriendlyName)),
            ("Ann".into(), "Bob".into())
        );
        assert_eq!(read(info_ref.pwzGroupFriendlyName), read(info_ref.pwzGroupPeerName));
        assert_eq!(read(info_ref.pwzCloudName), "Global_");
        assert_eq!(info_ref.cRoles, 2);
        assert_eq!(core::slice::from_raw_parts(info_ref.pRoles, 2), roles);
        assert_eq!(
            (info_ref.cClassifiers, info_ref.ppwzClassifiers.is_null(), info_ref.authScheme),
            (0, true, 1)
        );
        let key = &*info_ref.pSubjectPublicKey;
        let oid = core::ffi::CStr::from_ptr(key.Algorithm.pszObjId);
        assert_eq!(
            (oid.to_str().unwrap(), key.Algorithm.Parameters.cbData, key.PublicKey.cbData),
            ("1.3.101.112", 0, 32)
        );
        // Certificates count whole seconds.
        let seconds = |time: FILETIME| p2p_group::FileTime::from(time).to_unix();
        assert_eq!(seconds(info_ref.ftValidityEnd), seconds(end));
        assert!(seconds(info_ref.ftValidityStart) < seconds(end));
    }
    PeerFreeData(info.cast());
}

#[test]
fn what_an_invitation_may_not_grant_is_refused() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let bob = xml(&identity("Bob"));
    let mut text = ptr::null_mut();
    let member: GUID = Roles::GUIDS[2].1.into();
    is(Code::PEER_E_INVALID_ROLE_PROPERTY, invite(group, &bob, None, &[member, GUID::default()]).0);
    is(Code::E_INVALIDARG, invite(group, &bob, None, &[member; 65]).0);
    is(Code::PEER_E_INVALID_TIME_PERIOD, invite(group, &bob, Some(FILETIME::default()), &[]).0);
    let never = FILETIME { dwLowDateTime: u32::MAX, dwHighDateTime: u32::MAX };
    is(Code::PEER_E_INVALID_TIME_PERIOD, invite(group, &bob, Some(never), &[]).0);
    is(Code::E_INVALIDARG, invite(group, "not XML", None, &[]).0);
    is(Code::CRYPT_E_BAD_MSG, P2PGetLastErrorDetail());
    is(Code::PEER_E_INVALID_GROUP, invite(ptr::null_mut(), &bob, None, &[]).0);
    // SAFETY: ours.
    unsafe {
        let bob = wide(&bob);
        is(
            Code::E_INVALIDARG,
            PeerGroupCreateInvitation(group, bob.ptr(), ptr::null(), 1, ptr::null(), &mut text),
        );
        is(
            Code::E_INVALIDARG,
            PeerGroupCreateInvitation(group, bob.ptr(), ptr::null(), 0, &member, &mut text),
        );
    }
    // Oneself stands in one's own chain.
    let ann = {
        let mut text = ptr::null_mut();
        // SAFETY: ours.
        is(Code::S_OK, unsafe { PeerIdentityGetXML(ptr::null(), &mut text) });
        take(text)
    };
    is(Code::PEER_E_CIRCULAR_CHAIN_DETECTED, invite(group, &ann, None, &[]).0);
}

#[test]
fn a_certificate_that_is_refused_gives_both_its_codes() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let good = xml(&identity("Bob"));
    // Base64 of the certificate: another letter near its end is in the signature.
    let start = good.find("MII").unwrap_or_else(|| good.find("<IDC").unwrap() + 200);
    let end = start + good[start..].find('<').unwrap();
    let at = end - 20;
    let other = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
    let forged = format!("{}{other}{}", &good[..at], &good[at + 1..]);
    is(Code::CRYPT_E_HASH_VALUE, invite(group, &forged, None, &[]).0);
    is(Code::TRUST_E_CERT_SIGNATURE, P2PGetLastErrorDetail());
}

#[test]
fn an_invitation_that_was_altered_is_not_trusted() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let bob = identity("Bob");
    let good = invitation(group, &xml(&bob));
    let altered = good.replacen('>', " >", 1);
    for wrong in ["", "not an invitation", &good[..good.len() / 2], &altered, &"x".repeat(70_000)] {
        let (code, info) = parse(wrong);
        is(Code::PEER_E_INVITATION_NOT_TRUSTED, code);
        assert!(info.is_null());
        is(Code::PEER_E_INVITATION_NOT_TRUSTED, join(&bob, wrong).0);
    }
    is(Code::PEER_E_INVITATION_NOT_TRUSTED, parse("not an invitation").0);
    assert!(P2PGetLastErrorDetail() < 0, "the refusal is behind it");
    is(Code::PEER_E_UNSUPPORTED_VERSION, parse("p2p-invitation:9:AAAA").0);
}

#[test]
fn white_space_around_what_was_carried_in_a_file_does_not_matter() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let bob = identity("Bob");
    let text = invitation(group, &format!("\n{}\r\n", xml(&bob)));
    for carried in [format!("{text}\n"), format!("{text}\r\n"), format!(" \t\n{text} \n\n")] {
        let (code, info) = parse(&carried);
        is(Code::S_OK, code);
        PeerFreeData(info.cast());
        let (code, joined) = join(&bob, &carried);
        is(Code::S_OK, code);
        is(Code::S_OK, PeerGroupClose(joined));
    }
    is(Code::PEER_E_INVITATION_NOT_TRUSTED, parse(&text.replacen("><", ">\n<", 1)).0);
}

#[test]
fn joining_takes_the_right_invitation_once() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let (bob, eve) = (identity("Bob"), identity("Eve"));
    let text = invitation(group, &xml(&bob));
    is(Code::PEER_E_INVITATION_NOT_TRUSTED, join(&eve, &text).0);
    is(Code::CRYPT_E_NO_MATCH, P2PGetLastErrorDetail());
    is(Code::PEER_E_INVALID_PEER_NAME, join("Bob", &text).0);
    is(Code::PEER_E_NOT_FOUND, join(&format!("{}.", "0".repeat(40)), &text).0);
    let (code, joined) = join(&bob, &text);
    is(Code::S_OK, code);
    is(Code::PEER_E_GROUP_IN_USE, join(&bob, &text).0);
    // Not synchronised yet: a member that was never connected invites nobody.
    is(Code::PEER_E_GROUP_NOT_READY, invite(joined, &xml(&eve), None, &[]).0);
    is(Code::S_OK, PeerGroupClose(joined));
    is(Code::S_OK, PeerGroupClose(join(&bob, &text).1));
    let mut handle = ptr::null_mut();
    // SAFETY: ours.
    unsafe {
        let (bob, text, cloud) = (wide(&bob), wide(&text), wide("Elsewhere"));
        is(Code::PEER_E_NO_CLOUD, PeerGroupJoin(bob.ptr(), text.ptr(), cloud.ptr(), &mut handle));
        // No identity: the default one, which is Ann, who is not invited.
        is(
            Code::PEER_E_INVITATION_NOT_TRUSTED,
            PeerGroupJoin(ptr::null(), text.ptr(), ptr::null(), &mut handle),
        );
    }
}
