//! Joining by password.

use super::*;

pub(crate) const PASSWORD: &str = "open sesame";

/// A group of the default identity with a password, whose bits of schemes are these; online.
fn with_password(schemes: u32) -> HGROUP {
    let text = wide(PASSWORD);
    let mut wanted = properties();
    wanted.dwAuthenticationSchemes = schemes;
    wanted.groupPasswordRole = Roles::GUIDS[2].1.into();
    wanted.pwzGroupPassword = text.ptr();
    let (code, group) = create(&wanted);
    is(Code::S_OK, code);
    online(group);
    group
}

fn online(group: HGROUP) {
    assert_eq!(connect(group), None);
}

/// Connects, and waits for how it ends: `None` is online.
fn connect(group: HGROUP) -> Option<Code> {
    let kinds = [PEER_GROUP_EVENT_STATUS_CHANGED, PEER_GROUP_EVENT_CONNECTION_FAILED];
    let (_, handle, queue) = register(group, &kinds);
    is(Code::S_OK, PeerGroupConnect(group));
    let outcome = outcome(handle, queue);
    is(Code::S_OK, PeerGroupUnregisterEvent(queue));
    is(Code::S_OK, P2PCloseEvent(handle));
    outcome
}

fn outcome(handle: HANDLE, queue: HPEEREVENT) -> Option<Code> {
    let data = event(handle, queue);
    // SAFETY: an event of the library, of one of the two kinds.
    let failed = unsafe {
        match (*data).eventType {
            PEER_GROUP_EVENT_CONNECTION_FAILED => {
                Some(Code((*data).payload.hrConnectionFailedReason))
            }
            kind => {
                assert_eq!(kind, PEER_GROUP_EVENT_STATUS_CHANGED);
                None
            }
        }
    };
    PeerFreeData(data.cast());
    failed
}

pub(crate) fn invite_by_password(group: HGROUP) -> (HRESULT, PWSTR) {
    let mut text = ptr::dangling_mut();
    // SAFETY: ours.
    let code = unsafe { PeerGroupCreatePasswordInvitation(group, &mut text) };
    assert_eq!(text.is_null(), code < 0);
    (code, text)
}

pub(crate) fn invitation_by_password(group: HGROUP) -> String {
    let (code, text) = invite_by_password(group);
    is(Code::S_OK, code);
    take(text)
}

fn join_by(identity: &str, invitation: &str, password: &Wide, cloud: PCWSTR) -> (HRESULT, HGROUP) {
    let mut group = ptr::dangling_mut();
    // SAFETY: ours.
    let code = unsafe {
        PeerGroupPasswordJoin(
            wide(identity).ptr(),
            wide(invitation).ptr(),
            password.ptr(),
            cloud,
            &mut group,
        )
    };
    assert_eq!(group.is_null(), code < 0);
    (code, group)
}

pub(crate) fn join_with(identity: &str, invitation: &str, password: &str) -> (HRESULT, HGROUP) {
    join_by(identity, invitation, &wide(password), ptr::null())
}

fn resume(group: HGROUP, queue: HPEEREVENT) -> HRESULT {
    PeerGroupResumePasswordAuthentication(group, queue)
}

#[test]
fn whoever_knows_the_password_becomes_a_member() {
    let _session = Session::started();
    let ann = identity("Ann");
    let anns = with_password(3);
    let bob = identity("Bob");
    let text = invitation_by_password(anns);
    let (code, bobs) = join_with(&bob, &text, PASSWORD);
    is(Code::S_OK, code);
    assert_eq!(status(bobs), (0, 0));
    // Nothing that needs a membership works before there is one.
    is(Code::PEER_E_GROUP_NOT_READY, invite(bobs, &xml(&ann), None, &[]).0);
    is(Code::PEER_E_GROUP_NOT_READY, invite_by_password(bobs).0);
    let mut properties = ptr::null_mut();
    // SAFETY: ours.
    is(Code::PEER_E_GROUP_NOT_READY, unsafe { PeerGroupGetProperties(bobs, &mut properties) });
    online(bobs);
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerGroupGetProperties(bobs, &mut properties) });
    PeerFreeData(properties.cast());
    // A member: again is a success of its own, with a handle that works.
    let (code, again) = join_with(&bob, &text, "something else");
    is(Code::PEER_S_ALREADY_A_MEMBER, code);
    assert_ne!(status(again), (0, 0));
    is(Code::S_OK, PeerGroupClose(again));
    is(Code::S_OK, PeerGroupClose(bobs));
    let (code, again) = join_with(&bob, &text, PASSWORD);
    is(Code::PEER_S_ALREADY_A_MEMBER, code);
    is(Code::S_OK, PeerGroupClose(again));
    // A member's role does not hand on anything.
    let (_, bobs) = open(&bob, &name(anns));
    is(Code::PEER_E_NOT_AUTHORIZED, invite_by_password(bobs).0);
}

#[test]
fn a_wrong_password_shows_when_connecting() {
    let _session = Session::started();
    identity("Ann");
    let text = invitation_by_password(with_password(2));
    let bob = identity("Bob");
    let (code, bobs) = join_with(&bob, &text, "open barley");
    is(Code::S_OK, code);
    assert_eq!(connect(bobs), Some(Code::PEER_E_NOT_AUTHORIZED));
    assert_eq!(status(bobs), (0, 0));
    // The right one, while the group is open.
    let (code, corrected) = join_with(&bob, &text, PASSWORD);
    is(Code::S_OK, code);
    online(bobs);
    assert_ne!(status(corrected), (0, 0));
}

#[test]
fn who_asks_for_it_may_correct_the_password() {
    let _session = Session::started();
    identity("Ann");
    let anns = with_password(3);
    let text = invitation_by_password(anns);
    let bob = identity("Bob");
    let (_, bobs) = join_with(&bob, &text, "open barley");
    let (_, at_bob, rejected) = register(bobs, &[PEER_GROUP_EVENT_AUTHENTICATION_FAILED]);
    let kinds = [PEER_GROUP_EVENT_STATUS_CHANGED, PEER_GROUP_EVENT_CONNECTION_FAILED];
    let (_, other_handle, other) = register(bobs, &kinds);
    let (_, _, of_ann) = register(anns, &[PEER_GROUP_EVENT_AUTHENTICATION_FAILED]);
    // Nothing is held back yet: nothing happens. But the queue must be the right one.
    is(Code::S_OK, resume(bobs, rejected));
    for wrong in [other, of_ann, ptr::null_mut(), bobs] {
        is(Code::E_INVALIDARG, resume(bobs, wrong));
    }
    is(Code::PEER_E_INVALID_GROUP, resume(ptr::null_mut(), rejected));
    is(Code::S_OK, PeerGroupConnect(bobs));
    let data = event(at_bob, rejected);
    // SAFETY: an event of the library; it carries nothing.
    unsafe {
        assert_eq!((*data).eventType, PEER_GROUP_EVENT_AUTHENTICATION_FAILED);
        assert_eq!((*data).payload.dwStatus, 0);
    }
    PeerFreeData(data.cast());
    let mut data = ptr::null_mut();
    // SAFETY: ours. The failure is held back.
    is(Code::PEER_S_NO_EVENT_DATA, unsafe { PeerGroupGetEventData(other, &mut data) });
    is(Code::S_OK, join_with(&bob, &text, PASSWORD).0);
    is(Code::S_OK, resume(bobs, rejected));
    assert_eq!(outcome(other_handle, other), None, "online");
    is(Code::S_OK, resume(bobs, rejected));
    is(Code::S_OK, PeerGroupUnregisterEvent(rejected));
    is(Code::E_INVALIDARG, resume(bobs, rejected));
}

#[test]
fn what_joins_by_password_is_checked() {
    let _session = Session::started();
    let ann = identity("Ann");
    let anns = with_password(3);
    let text = invitation_by_password(anns);
    let bob = identity("Bob");
    let named = invitation(anns, &xml(&bob));
    let (right, elsewhere) = (wide(PASSWORD), wide("Elsewhere"));
    let stranger = format!("{}.", "0".repeat(40));
    for password in [wide(""), wide(&"x".repeat(1_025)), Wide(vec![0xd800, 0])] {
        is(Code::E_INVALIDARG, join_by(&bob, &text, &password, ptr::null()).0);
    }
    for broken in ["", "nonsense", &text[1..], &text.replace("1", "2"), &named] {
        is(Code::PEER_E_INVITATION_NOT_TRUSTED, join_with(&bob, broken, PASSWORD).0);
    }
    let newer = text.replacen("VERSION=\"2.", "VERSION=\"9.", 1);
    is(Code::PEER_E_UNSUPPORTED_VERSION, join_with(&bob, &newer, PASSWORD).0);
    is(Code::PEER_E_INVALID_PEER_NAME, join_with("Bob", &text, PASSWORD).0);
    is(Code::PEER_E_NOT_FOUND, join_with(&stranger, &text, PASSWORD).0);
    is(Code::PEER_E_NO_CLOUD, join_by(&bob, &text, &right, elsewhere.ptr()).0);
    // The other kind does not join without one, and a group without a password has no such invitation.
    is(Code::PEER_E_INVITATION_NOT_TRUSTED, join(&bob, &text).0);
    is(Code::PEER_E_INVALID_GROUP_PROPERTIES, invite_by_password(group()).0);
    is(Code::PEER_E_INVALID_GROUP, invite_by_password(ptr::null_mut()).0);
    // Who made the group is a member.
    is(Code::PEER_S_ALREADY_A_MEMBER, join_with(&ann, &text, PASSWORD).0);
}

#[test]
fn by_its_password_only_means_that_nobody_is_invited_by_name() {
    let _session = Session::started();
    identity("Ann");
    let bob = identity("Bob");
    let wrong = Code::PEER_E_INVALID_GROUP_PROPERTIES;
    is(wrong, invite(with_password(2), &xml(&bob), None, &[]).0);
}

#[test]
fn an_invitation_by_password_shows_no_subject() {
    let _session = Session::started();
    let ann = identity("Ann");
    let group = with_password(3);
    let text = invitation_by_password(group);
    assert!(!text.contains(PASSWORD));
    let (code, info) = parse(&text);
    is(Code::S_OK, code);
    // SAFETY: a block of the library.
    unsafe {
        let info = &*info;
        assert_eq!(info.authScheme, PEER_GROUP_PASSWORD_AUTHENTICATION);
        assert!(info.pwzSubjectPeerName.is_null() && info.pwzSubjectFriendlyName.is_null());
        assert!(info.pSubjectPublicKey.is_null() && info.ppwzClassifiers.is_null());
        assert_eq!(read(info.pwzIssuerPeerName), ann);
        assert_eq!(read(info.pwzGroupPeerName), name(group));
        assert_eq!(read(info.pwzGroupFriendlyName), name(group));
        assert_eq!(read(info.pwzCloudName), "Global_");
        assert_eq!((info.cRoles, *info.pRoles), (1, Roles::GUIDS[2].1.into()));
        assert_eq!((info.dwScope, info.cClassifiers, info.dwFlags), (1, 0, 0));
    }
    PeerFreeData(info.cast());
}
