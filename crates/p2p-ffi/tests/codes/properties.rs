//! A group's properties: shown, changed by the creator, refused to everybody else; and a node's figures.

use super::direct::pair;
use super::*;

/// What the library gave, freed in the end.
struct Given(*mut PEER_GROUP_PROPERTIES);

impl Given {
    #[track_caller]
    fn of(group: HGROUP) -> Given {
        let (code, given) = get(group);
        is(Code::S_OK, code);
        Given(given)
    }

    /// A copy to be changed.
    fn copy(&self) -> PEER_GROUP_PROPERTIES {
        // SAFETY: a block of the library.
        unsafe { *self.0 }
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        PeerFreeData(self.0.cast());
    }
}

fn get(group: HGROUP) -> (HRESULT, *mut PEER_GROUP_PROPERTIES) {
    let mut properties = ptr::dangling_mut();
    // SAFETY: ours.
    let code = unsafe { PeerGroupGetProperties(group, &mut properties) };
    assert_eq!(properties.is_null(), code < 0);
    (code, properties)
}

fn set(group: HGROUP, properties: &PEER_GROUP_PROPERTIES) -> HRESULT {
    // SAFETY: ours.
    unsafe { PeerGroupSetProperties(group, properties) }
}

#[test]
fn a_new_group_has_what_it_was_made_with() {
    let _session = Session::started();
    identity("Ann");
    let mut wanted = properties();
    wanted.dwFlags = PEER_MEMBER_DATA_OPTIONAL | PEER_DISABLE_PRESENCE | PEER_DEFER_EXPIRATION;
    (wanted.ulMemberDataLifetime, wanted.ulPresenceLifetime) = (28_800, 600);
    let (code, group) = create(&wanted);
    is(Code::S_OK, code);
    let found = Given::of(group).copy();
    assert_eq!(found.dwSize as usize, size_of::<PEER_GROUP_PROPERTIES>());
    assert_eq!(found.dwFlags, wanted.dwFlags);
    assert_eq!((found.ulMemberDataLifetime, found.ulPresenceLifetime), (28_800, 600));
    assert_eq!(found.dwAuthenticationSchemes, PEER_GROUP_GMC_AUTHENTICATION as u32);
    assert!(found.pwzGroupPassword.is_null());
    assert_eq!(found.groupPasswordRole, GUID::default());
}

#[test]
fn texts_of_properties_lie_in_their_block() {
    let _session = Session::started();
    let ann = identity("Ann");
    let (classifier, friendly, comment) = (wide("club"), wide("Chess Club"), wide("a\nb"));
    let mut wanted = properties();
    wanted.pwzClassifier = classifier.ptr();
    wanted.pwzFriendlyName = friendly.ptr();
    wanted.pwzComment = comment.ptr();
    let (_, named) = create(&wanted);
    let given = Given::of(named);
    let found = given.copy();
    let group_name = read(found.pwzGroupPeerName);
    assert!(group_name.ends_with(".club"));
    assert_eq!(read(found.pwzClassifier), "club");
    assert_eq!(read(found.pwzFriendlyName), "Chess Club");
    assert_eq!(read(found.pwzComment), "a\nb");
    assert_eq!(read(found.pwzCreatorPeerName), ann);
    assert_eq!(read(found.pwzCloud), "Global_");
    is(Code::S_OK, PeerGroupClose(named));
    // Nothing but the zeros of a new structure.
    let plain = group();
    let given = Given::of(plain);
    let found = given.copy();
    assert!(found.pwzClassifier.is_null());
    assert_eq!(read(found.pwzFriendlyName), read(found.pwzGroupPeerName));
    assert_eq!(read(found.pwzComment), "");
    // What came out goes in again and changes nothing but the version.
    is(Code::S_OK, set(plain, &found));
    let again = Given::of(plain).copy();
    assert_eq!((again.dwFlags, again.ulPresenceLifetime), (found.dwFlags, 0));
}

#[test]
fn the_creator_changes_properties_and_everybody_hears_of_it() {
    let (_session, ann, bob) = pair();
    let kinds = [PEER_GROUP_EVENT_PROPERTY_CHANGED];
    let (_, at_ann, anns) = register(ann.group, &kinds);
    let (_, at_bob, bobs) = register(bob.group, &kinds);
    let given = Given::of(ann.group);
    let (name, comment) = (wide("Close friends"), wide("two\nlines"));
    let mut changed = given.copy();
    changed.pwzFriendlyName = name.ptr();
    changed.pwzComment = comment.ptr();
    changed.ulPresenceLifetime = 900;
    // What cannot change may be left out.
    changed.pwzCloud = ptr::null_mut();
    changed.pwzClassifier = ptr::null_mut();
    changed.pwzGroupPeerName = ptr::null_mut();
    changed.pwzCreatorPeerName = ptr::null_mut();
    is(Code::S_OK, set(ann.group, &changed));
    let mut data = ptr::null_mut();
    // SAFETY: ours. The event is there when the call returns.
    is(Code::S_OK, unsafe { PeerGroupGetEventData(anns, &mut data) });
    // SAFETY: an event of the library; it carries nothing.
    unsafe {
        assert_eq!((*data).eventType, PEER_GROUP_EVENT_PROPERTY_CHANGED);
        assert_eq!(((*data).payload.dwStatus, P2PGetEventDetail(data)), (0, 0));
    }
    PeerFreeData(data.cast());
    // The first ones may come late; the changed ones come after them.
    loop {
        PeerFreeData(event(at_bob, bobs).cast());
        let seen = Given::of(bob.group);
        if seen.copy().ulPresenceLifetime == 900 {
            assert_eq!(read(seen.copy().pwzFriendlyName), "Close friends");
            assert_eq!(read(seen.copy().pwzComment), "two\nlines");
            assert_eq!(read(seen.copy().pwzCreatorPeerName), ann.name);
            break;
        }
    }
    is(Code::PEER_E_NOT_AUTHORIZED, set(bob.group, &changed));
    is(Code::S_OK, PeerGroupClose(bob.group));
    is(Code::PEER_E_INVALID_GROUP, set(bob.group, &changed));
    is(Code::PEER_E_INVALID_GROUP, get(bob.group).0);
    is(Code::S_OK, P2PCloseEvent(at_ann));
}

#[test]
fn who_was_never_connected_has_no_properties() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let bob = identity("Bob");
    let (code, joined) = join(&bob, &invitation(group, &xml(&bob)));
    is(Code::S_OK, code);
    is(Code::PEER_E_GROUP_NOT_READY, get(joined).0);
    is(Code::PEER_E_GROUP_NOT_READY, set(joined, &Given::of(group).copy()));
}

#[test]
fn what_cannot_change_and_what_cannot_be_is_refused() {
    let _session = Session::started();
    identity("Ann");
    let mut wanted = properties();
    let classifier = wide("club");
    wanted.pwzClassifier = classifier.ptr();
    let (_, group) = create(&wanted);
    let given = Given::of(group);
    let (word, long, control, stranger) =
        (wide("x"), wide(&"x".repeat(256)), wide("\u{7}"), wide(&format!("{}.", "0".repeat(40))));
    let (weak, half, huge) = (wide("aaaaaaaa"), Wide(vec![0xd800, 0]), wide(&"x".repeat(1_025)));
    let wrong = Code::PEER_E_INVALID_GROUP_PROPERTIES;
    let role: GUID = Roles::GUIDS[2].1.into();
    let with_password = |p: &mut PEER_GROUP_PROPERTIES, text: &Wide| {
        p.dwAuthenticationSchemes = 3;
        p.groupPasswordRole = role;
        p.pwzGroupPassword = text.ptr();
    };
    type Row<'a> = (Code, Box<dyn Fn(&mut PEER_GROUP_PROPERTIES) + 'a>);
    let rows: Vec<Row<'_>> = vec![
        (Code::E_INVALIDARG, Box::new(|p| p.dwSize += 1)),
        (wrong, Box::new(|p| p.pwzCloud = word.ptr())),
        (wrong, Box::new(|p| p.pwzClassifier = word.ptr())),
        (wrong, Box::new(|p| p.pwzGroupPeerName = stranger.ptr())),
        (wrong, Box::new(|p| p.pwzGroupPeerName = word.ptr())),
        (wrong, Box::new(|p| p.pwzCreatorPeerName = stranger.ptr())),
        (wrong, Box::new(|p| p.pwzCreatorPeerName = long.ptr())),
        (wrong, Box::new(|p| p.pwzFriendlyName = long.ptr())),
        (wrong, Box::new(|p| p.pwzFriendlyName = control.ptr())),
        (wrong, Box::new(|p| p.pwzComment = long.ptr())),
        (wrong, Box::new(|p| p.pwzComment = control.ptr())),
        (Code::E_INVALIDARG, Box::new(|p| p.pwzComment = half.ptr())),
        (wrong, Box::new(|p| p.dwFlags = 8)),
        (wrong, Box::new(|p| p.ulPresenceLifetime = 299)),
        (wrong, Box::new(|p| p.ulMemberDataLifetime = 28_799)),
        (wrong, Box::new(|p| p.dwAuthenticationSchemes = 4)),
        // A scheme without a password that was ever set, a password without its scheme, or without a role.
        (wrong, Box::new(|p| (p.dwAuthenticationSchemes, p.groupPasswordRole) = (2, role))),
        (wrong, Box::new(|p| p.pwzGroupPassword = long.ptr())),
        (wrong, Box::new(|p| (p.dwAuthenticationSchemes, p.pwzGroupPassword) = (2, long.ptr()))),
        (Code::PEER_E_PASSWORD_DOES_NOT_MEET_POLICY, Box::new(|p| with_password(p, &weak))),
        (Code::PEER_E_PASSWORD_DOES_NOT_MEET_POLICY, Box::new(|p| with_password(p, &word))),
        (Code::E_INVALIDARG, Box::new(|p| with_password(p, &huge))),
        (Code::S_OK, Box::new(|p| p.dwSize = PEER_GROUP_PROPERTIES::OLD_SIZE as u32)),
    ];
    for (index, (expected, spoil)) in rows.into_iter().enumerate() {
        let mut changed = given.copy();
        spoil(&mut changed);
        assert_eq!(Code(set(group, &changed)), expected, "row {index}");
    }
    let now = Given::of(group);
    assert_eq!(read(now.copy().pwzComment), "");
    assert_eq!(now.copy().dwAuthenticationSchemes, 1);
}

#[test]
fn a_password_is_set_changed_and_taken_away_and_never_given_out() {
    let _session = Session::started();
    identity("Ann");
    let (first, second) = (wide("open sesame"), wide("open barley"));
    let mut wanted = properties();
    wanted.dwAuthenticationSchemes = PEER_GROUP_PASSWORD_AUTHENTICATION as u32;
    wanted.groupPasswordRole = Roles::GUIDS[1].1.into();
    wanted.pwzGroupPassword = first.ptr();
    let (code, group) = create(&wanted);
    is(Code::S_OK, code);
    let seen = |schemes: u32, role: GUID| {
        let found = Given::of(group).copy();
        assert!(found.pwzGroupPassword.is_null());
        assert_eq!((found.dwAuthenticationSchemes, found.groupPasswordRole), (schemes, role));
    };
    seen(2, Roles::GUIDS[1].1.into());
    let mut changed = Given::of(group).copy();
    let text = Given::of(group);
    changed.pwzFriendlyName = text.copy().pwzFriendlyName;
    changed.pwzComment = ptr::null_mut();
    (changed.pwzCloud, changed.pwzGroupPeerName) = (ptr::null_mut(), ptr::null_mut());
    changed.pwzCreatorPeerName = ptr::null_mut();
    // Without a password: it stays, with another role and beside invitations.
    (changed.dwAuthenticationSchemes, changed.groupPasswordRole) = (3, Roles::GUIDS[2].1.into());
    is(Code::S_OK, set(group, &changed));
    seen(3, Roles::GUIDS[2].1.into());
    changed.pwzGroupPassword = second.ptr();
    is(Code::S_OK, set(group, &changed));
    // The structure of before passwords says nothing of them.
    changed.dwSize = PEER_GROUP_PROPERTIES::OLD_SIZE as u32;
    is(Code::S_OK, set(group, &changed));
    seen(3, Roles::GUIDS[2].1.into());
    changed.dwSize = size_of::<PEER_GROUP_PROPERTIES>() as u32;
    (changed.dwAuthenticationSchemes, changed.pwzGroupPassword) = (0, ptr::null_mut());
    is(Code::S_OK, set(group, &changed));
    seen(1, GUID::default());
}

/// The figures of a node, by name.
fn figures(group: HGROUP) -> std::collections::BTreeMap<String, (u32, u64)> {
    let mut statistics = ptr::null_mut();
    // SAFETY: ours.
    is(Code::S_OK, unsafe { P2PGetStatistics(group, &mut statistics) });
    // SAFETY: a block of the library, with as many figures as it says.
    let list = unsafe {
        assert_eq!((*statistics).dwSize as usize, size_of::<P2P_STATISTICS>());
        core::slice::from_raw_parts((*statistics).pStatistics, (*statistics).cStatistics as usize)
    };
    let figure = |figure: &P2P_STATISTIC| {
        assert!(!read(figure.pwzMeaning).is_empty());
        (read(figure.pwzName), (figure.dwFlags, figure.ullValue))
    };
    let figures: std::collections::BTreeMap<_, _> = list.iter().map(figure).collect();
    assert_eq!(figures.len(), list.len(), "each name once");
    PeerFreeData(statistics.cast());
    figures
}

#[test]
fn figures_tell_what_happened_and_what_there_is() {
    let (_session, ann, bob) = pair();
    let before = figures(ann.group);
    let (id, _) = super::direct::connected(&ann, &bob);
    assert_eq!(bob.send(id, &GUID::default(), b"hello"), Code::S_OK);
    ann.data();
    let after = figures(ann.group);
    let counter = P2P_STATISTIC_COUNTER;
    assert_eq!(before["messages_received"], (counter, 0));
    assert_eq!(after["messages_received"], (counter, 1));
    assert_eq!(after["links"], (0, 1));
    for (name, (flags, value)) in &before {
        assert_eq!(after[name].0, *flags);
        assert!(*flags == 0 || after[name].1 >= *value, "{name} only grows");
    }
    is(Code::S_OK, PeerGroupClose(ann.group));
    let mut statistics = ptr::dangling_mut();
    // SAFETY: ours.
    is(Code::PEER_E_INVALID_GROUP, unsafe { P2PGetStatistics(ann.group, &mut statistics) });
    assert!(statistics.is_null());
}
