//! Memberships that administrators take back, cut down, issue and renew.

use super::direct::{End, connected, pair};
use super::*;

pub(crate) const ROLE_MEMBER: GUID = role(Roles::GUIDS[2].1);

const fn role(guid: p2p_group::Guid) -> GUID {
    let [a, b, c, d, e, f, g, h, data @ ..] = guid.0;
    GUID {
        Data1: u32::from_be_bytes([a, b, c, d]),
        Data2: u16::from_be_bytes([e, f]),
        Data3: u16::from_be_bytes([g, h]),
        Data4: data,
    }
}

pub(crate) fn revoke(group: HGROUP, who: &str, reason: u32) -> HRESULT {
    // SAFETY: ours.
    unsafe { P2PGroupRevoke(group, wide(who).ptr(), reason) }
}

pub(crate) fn demote(group: HGROUP, who: &str, roles: &[GUID]) -> HRESULT {
    let list = if roles.is_empty() { ptr::null() } else { roles.as_ptr() };
    // SAFETY: ours.
    unsafe { P2PGroupDemote(group, wide(who).ptr(), roles.len() as u32, list) }
}

/// The member with this name as it is known in the group, in a block of the library.
struct Known(*mut *mut c_void);

impl Known {
    fn of(group: HGROUP, name: &str) -> Known {
        let (mut members, mut count, mut items) = (ptr::null_mut(), 1, ptr::null_mut());
        // SAFETY: ours.
        unsafe {
            is(Code::S_OK, PeerGroupEnumMembers(group, 0, wide(name).ptr(), &mut members));
            is(Code::S_OK, PeerGetNextItem(members, &mut count, &mut items));
        }
        is(Code::S_OK, PeerEndEnumeration(members));
        assert_eq!(count, 1, "{name} is not known");
        Known(items)
    }

    /// Its credential, to be changed and issued anew.
    fn credential(&self) -> PEER_CREDENTIAL_INFO {
        // SAFETY: one item, of this kind.
        let mut credential = unsafe { *(**self.0.cast::<*mut PEER_MEMBER>()).pCredentialInfo };
        credential.ftValidityStart = FILETIME::default();
        credential.ftValidityEnd = FILETIME::default();
        credential
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        PeerFreeData(self.0.cast());
    }
}

pub(crate) fn issue(
    group: HGROUP,
    subject: &str,
    info: Option<&PEER_CREDENTIAL_INFO>,
    flags: u32,
) -> (HRESULT, PWSTR) {
    let mut text = ptr::dangling_mut();
    let info = info.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: ours.
    let code =
        unsafe { PeerGroupIssueCredentials(group, wide(subject).ptr(), info, flags, &mut text) };
    assert_eq!(text.is_null(), code < 0);
    (code, text)
}

/// An offline member that was never connected.
fn newcomer(group: HGROUP, name: &str) -> (String, HGROUP) {
    let guest = identity(name);
    let (code, joined) = join(&guest, &invitation(group, &xml(&guest)));
    is(Code::S_OK, code);
    (guest, joined)
}

/// The next change of a member: who, how, and what is behind it.
fn member_change(handle: HANDLE, queue: HPEEREVENT) -> (String, i32, Code) {
    let data = event(handle, queue);
    // SAFETY: an event of the library, of the kind that is checked.
    let change = unsafe {
        assert_eq!((*data).eventType, PEER_GROUP_EVENT_MEMBER_CHANGED);
        (*data).payload.memberChangeData
    };
    let seen = (read(change.pwzIdentity), change.changeType, Code(P2PGetEventDetail(data)));
    PeerFreeData(data.cast());
    seen
}

/// Takes changes of members until this one comes.
fn until_change(end: &End, handle: HANDLE, queue: HPEEREVENT, detail: Code) {
    while member_change(handle, queue) != (end.name.clone(), PEER_MEMBER_UPDATED, detail) {}
}

#[test]
fn whom_to_revoke_and_why_is_checked() {
    let (_session, ann, bob) = pair();
    let stranger = format!("{}.", "0".repeat(40));
    for reason in [2, 6, 7, 8, 10, 256, u32::MAX] {
        is(Code::E_INVALIDARG, revoke(ann.group, &bob.name, reason));
    }
    for who in ["", "Bob", "<nonsense/>", &ann.name, &"0".repeat(191)] {
        is(Code::E_INVALIDARG, revoke(ann.group, who, 0));
        is(Code::E_INVALIDARG, demote(ann.group, who, &[ROLE_MEMBER]));
    }
    is(Code::E_INVALIDARG, revoke(ann.group, &xml(&ann.name), 0));
    is(Code::PEER_E_IDENTITY_NOT_FOUND, revoke(ann.group, &stranger, 0));
    is(Code::PEER_E_IDENTITY_NOT_FOUND, demote(ann.group, &stranger, &[ROLE_MEMBER]));
    is(Code::PEER_E_NOT_AUTHORIZED, revoke(bob.group, &ann.name, 0));
    is(Code::PEER_E_NOT_AUTHORIZED, demote(bob.group, &ann.name, &[ROLE_MEMBER]));
    is(Code::PEER_E_INVALID_GROUP, revoke(ptr::null_mut(), &bob.name, 0));
    is(Code::PEER_E_INVALID_GROUP, demote(ptr::null_mut(), &bob.name, &[ROLE_MEMBER]));
    is(Code::PEER_E_INVALID_ROLE_PROPERTY, demote(ann.group, &bob.name, &[GUID::default()]));
    is(Code::E_INVALIDARG, demote(ann.group, &bob.name, &[]));
    is(Code::E_INVALIDARG, demote(ann.group, &bob.name, &[ROLE_MEMBER]));
    // Nothing of all that was done.
    Known::of(ann.group, &bob.name);
    is(Code::S_OK, PeerGroupClose(bob.group));
    is(Code::S_OK, revoke(ann.group, &bob.name, 9));
    is(Code::S_OK, revoke(ann.group, &xml(&bob.name), 9));
    is(Code::S_OK, PeerGroupClose(ann.group));
    is(Code::PEER_E_INVALID_GROUP, revoke(ann.group, &bob.name, 0));
}

#[test]
fn both_ends_of_a_connection_hear_of_a_revocation() {
    let (_session, ann, bob) = pair();
    let (id, theirs) = connected(&ann, &bob);
    let kinds = [PEER_GROUP_EVENT_MEMBER_CHANGED];
    let (_, at_ann, anns) = register(ann.group, &kinds);
    let (_, at_bob, bobs) = register(bob.group, &kinds);
    let (_, handle, failed) = register(bob.group, &[PEER_GROUP_EVENT_CONNECTION_FAILED]);
    is(Code::S_OK, revoke(ann.group, &bob.name, 1));
    let end = |id, detail| (id, PEER_DISCONNECTED, Code::PEER_E_CONNECTION_FAILED, detail);
    assert_eq!(ann.change(), end(theirs, Code::CRYPT_E_REVOKED));
    let at_bobs = bob.change();
    // He may learn that he is out before he learns why.
    assert!([Code::CRYPT_E_REVOKED, Code::S_OK].map(|detail| end(id, detail)).contains(&at_bobs));
    until_change(&bob, at_ann, anns, Code::CRYPT_E_REVOKED);
    until_change(&bob, at_bob, bobs, Code::CRYPT_E_REVOKED);
    let data = event(handle, failed);
    // SAFETY: an event of this kind.
    is(Code::PEER_E_NOT_AUTHORIZED, unsafe { (*data).payload.hrConnectionFailedReason });
    PeerFreeData(data.cast());
    assert_eq!(status(bob.group), (0, 0));
    // Nobody gives him another membership.
    let issued = issue(ann.group, &bob.name, None, 0).0;
    assert!([Code::PEER_E_NOT_AUTHORIZED, Code::PEER_E_IDENTITY_NOT_FOUND].contains(&Code(issued)));
}

#[test]
fn who_never_came_is_revoked_by_its_description() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let guest = identity("Guest");
    let (_, handle, queue) = register(group, &[PEER_GROUP_EVENT_MEMBER_CHANGED]);
    is(Code::PEER_E_IDENTITY_NOT_FOUND, revoke(group, &guest, 3));
    is(Code::S_OK, revoke(group, &xml(&guest), 3));
    let expected = (guest.clone(), PEER_MEMBER_UPDATED, Code::CRYPT_E_REVOKED);
    assert_eq!(member_change(handle, queue), expected);
    // Known by name from now on.
    is(Code::S_OK, revoke(group, &guest, 3));
    let mut data = ptr::null_mut();
    // SAFETY: ours.
    is(Code::PEER_S_NO_EVENT_DATA, unsafe { PeerGroupGetEventData(queue, &mut data) });
}

#[test]
fn what_is_to_be_issued_is_checked() {
    let (_session, ann, bob) = pair();
    let known = Known::of(ann.group, &bob.name);
    let (own, stranger) = (Known::of(ann.group, &ann.name), format!("{}.", "0".repeat(40)));
    let (control, long) = (wide("\u{7}"), wide(&"x".repeat(256)));
    let mut role = ROLE_MEMBER;
    let mut unknown = GUID::default();
    let past = FILETIME::from(p2p_group::now().minus_seconds(3_600));
    let wrong = Code::PEER_E_INVALID_CREDENTIAL_INFO;
    type Row<'a> = (Code, Box<dyn Fn(&mut PEER_CREDENTIAL_INFO) + 'a>);
    let (role, unknown) = (ptr::from_mut(&mut role), ptr::from_mut(&mut unknown));
    let rows: Vec<Row<'_>> = vec![
        (wrong, Box::new(|c| c.dwSize -= 1)),
        (wrong, Box::new(|c| c.dwSize = 0)),
        (wrong, Box::new(|c| c.dwFlags = 1)),
        (wrong, Box::new(|c| c.pPublicKey = ptr::null_mut())),
        (wrong, Box::new(|c| c.pPublicKey = own.credential().pPublicKey)),
        (wrong, Box::new(|c| c.pwzFriendlyName = control.ptr())),
        (wrong, Box::new(|c| c.pwzFriendlyName = long.ptr())),
        (Code::PEER_E_INVALID_ROLE_PROPERTY, Box::new(|c| (c.cRoles, c.pRoles) = (1, unknown))),
        (Code::E_INVALIDARG, Box::new(|c| c.cRoles = 0)),
        (Code::E_INVALIDARG, Box::new(|c| c.pRoles = ptr::null_mut())),
        (Code::PEER_E_INVALID_TIME_PERIOD, Box::new(|c| c.ftValidityEnd = past)),
        // Not later than what he has.
        (Code::PEER_E_INVALID_TIME_PERIOD, Box::new(|c| c.ftValidityStart = past)),
        (Code::S_OK, Box::new(|c| (c.cRoles, c.pRoles) = (1, role))),
        (Code::S_OK, Box::new(|c| (c.cRoles, c.pRoles) = (0, ptr::null_mut()))),
        (Code::S_OK, Box::new(|c| c.pwzFriendlyName = ptr::null_mut())),
    ];
    for (index, (expected, spoil)) in rows.into_iter().enumerate() {
        let mut credential = known.credential();
        spoil(&mut credential);
        let (code, text) = issue(ann.group, &bob.name, Some(&credential), 0);
        assert_eq!(Code(code), expected, "row {index}");
        PeerFreeData(text.cast());
    }
    let credential = known.credential();
    is(Code::E_INVALIDARG, issue(ann.group, &bob.name, None, 2).0);
    is(Code::E_INVALIDARG, issue(ann.group, "Bob", None, 0).0);
    is(Code::E_INVALIDARG, issue(ann.group, "Bob", Some(&credential), 0).0);
    is(wrong, issue(ann.group, &stranger, Some(&credential), 0).0);
    is(Code::PEER_E_IDENTITY_NOT_FOUND, issue(ann.group, &stranger, None, 0).0);
    is(Code::PEER_E_NOT_AUTHORIZED, issue(bob.group, &ann.name, None, 0).0);
    is(Code::PEER_E_INVALID_GROUP, issue(ptr::null_mut(), &bob.name, None, 0).0);
    is(
        Code::PEER_E_CIRCULAR_CHAIN_DETECTED,
        issue(ann.group, &ann.name, Some(&own.credential()), 0).0,
    );
    let (carol, offline) = newcomer(ann.group, "Carol");
    is(Code::PEER_E_GROUP_NOT_READY, issue(offline, &carol, None, 0).0);
    // Without the flag and without somewhere to put it, it would be lost.
    let name = wide(&bob.name);
    // SAFETY: ours, or null.
    unsafe {
        let (null, none) = (ptr::null(), ptr::null_mut());
        is(Code::E_INVALIDARG, PeerGroupIssueCredentials(ann.group, name.ptr(), null, 0, none));
        is(Code::S_OK, PeerGroupIssueCredentials(ann.group, name.ptr(), null, 1, none));
    }
}

#[test]
fn who_was_revoked_gets_nothing_more() {
    let (_session, ann, bob) = pair();
    let known = Known::of(ann.group, &bob.name);
    is(Code::S_OK, revoke(ann.group, &bob.name, 0));
    is(Code::PEER_E_NOT_AUTHORIZED, issue(ann.group, &bob.name, Some(&known.credential()), 0).0);
    is(Code::CRYPT_E_REVOKED, P2PGetLastErrorDetail());
    is(Code::PEER_E_NOT_AUTHORIZED, invite(ann.group, &xml(&bob.name), None, &[]).0);
    is(Code::CRYPT_E_REVOKED, P2PGetLastErrorDetail());
}

#[test]
fn a_membership_is_renewed_and_found_by_who_is_connected() {
    let (_session, ann, bob) = pair();
    let (_, at_bob, bobs) = register(bob.group, &[PEER_GROUP_EVENT_MEMBER_CHANGED]);
    let (_, at_ann, anns) = register(ann.group, &[PEER_GROUP_EVENT_MEMBER_CHANGED]);
    let before = start_of(&bob);
    let (code, text) = issue(ann.group, &bob.name, None, PEER_GROUP_STORE_CREDENTIALS);
    is(Code::S_OK, code);
    until_change(&bob, at_bob, bobs, Code::S_OK);
    until_change(&bob, at_ann, anns, Code::S_OK);
    assert!(start_of(&bob) > before, "later than before");
    // What came out is the same, to be handed over; for nobody else.
    let text = take(text);
    let (code, info) = parse(&text);
    is(Code::S_OK, code);
    // SAFETY: a block of the library.
    unsafe {
        assert_eq!(read((*info).pwzSubjectPeerName), bob.name);
        assert_eq!((*info).cRoles, 1);
        assert_eq!(*(*info).pRoles, ROLE_MEMBER);
    }
    PeerFreeData(info.cast());
    is(Code::PEER_E_INVITATION_NOT_TRUSTED, join(&identity("Eve"), &text).0);
}

/// When one's own membership starts.
fn start_of(end: &End) -> p2p_group::FileTime {
    let known = Known::of(end.group, &end.name);
    // SAFETY: one item, of this kind.
    let start =
        unsafe { (*(**known.0.cast::<*mut PEER_MEMBER>()).pCredentialInfo).ftValidityStart };
    start.into()
}

#[test]
fn a_credential_invites_somebody_new_under_the_name_that_it_says() {
    let (_session, ann, _bob) = pair();
    let (carol, offline) = newcomer(ann.group, "Carol");
    let known = Known::of(offline, &carol);
    let friendly_name = wide("Carol of the north");
    let mut info = known.credential();
    let mut admin: GUID = Roles::GUIDS[0].1.into();
    info.pwzFriendlyName = friendly_name.ptr();
    (info.cRoles, info.pRoles) = (1, &mut admin);
    let end = FILETIME::from(p2p_group::now().plus_seconds(7_200));
    info.ftValidityEnd = end;
    let (code, text) = issue(ann.group, &carol, Some(&info), 0);
    is(Code::S_OK, code);
    let (code, seen) = parse(&take(text));
    is(Code::S_OK, code);
    // SAFETY: a block of the library.
    unsafe {
        assert_eq!(read((*seen).pwzSubjectFriendlyName), "Carol of the north");
        assert_eq!(read((*seen).pwzIssuerPeerName), ann.name);
        assert_eq!(((*seen).cRoles, *(*seen).pRoles), (1, admin));
        // Certificates have whole seconds.
        let (found, due) = (p2p_group::FileTime::from((*seen).ftValidityEnd), end.into());
        assert!(found <= due && found.plus_seconds(1) > due);
    }
    PeerFreeData(seen.cast());
}
