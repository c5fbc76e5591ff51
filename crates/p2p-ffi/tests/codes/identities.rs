//! Identities.

use super::*;

#[test]
fn an_identity_is_made_shown_and_deleted_without_startup() {
    let _session = Session::new();
    let name = identity("Ann");
    assert_eq!((name.len(), &name[40..]), (41, "."));
    assert!(xml(&name).contains("IDC"));
    assert_eq!(xml(&name[..40]), xml(&name), "the dot may be missing");
    // SAFETY: ours.
    unsafe {
        is(Code::S_OK, PeerIdentityDelete(wide(&name).ptr()));
        is(Code::PEER_E_NOT_FOUND, PeerIdentityDelete(wide(&name).ptr()));
        let mut text = ptr::dangling_mut();
        is(Code::PEER_E_NOT_FOUND, PeerIdentityGetXML(wide(&name).ptr(), &mut text));
        assert!(text.is_null());
        is(Code::E_INVALIDARG, PeerIdentityGetXML(wide("Ann").ptr(), &mut text));
        is(Code::E_INVALIDARG, PeerIdentityDelete(wide("Ann").ptr()));
        // No name: the default identity, made when it is missing.
        is(Code::S_OK, PeerIdentityGetXML(ptr::null(), &mut text));
        let first = take(text);
        is(Code::S_OK, PeerIdentityGetXML(ptr::null(), &mut text));
        assert_eq!(take(text), first);
    }
}

#[test]
fn names_of_an_identity_are_checked() {
    let _session = Session::new();
    let rows: [(Option<&str>, Option<&str>, usize, Code); 8] = [
        (Some(&"c".repeat(149)), Some(&"f".repeat(255)), 0, Code::S_OK),
        (Some(&"c".repeat(150)), None, 0, Code::PEER_E_CLASSIFIER_TOO_LONG),
        (Some(&"c".repeat(70_000)), None, 0, Code::PEER_E_CLASSIFIER_TOO_LONG),
        (Some(""), None, 0, Code::PEER_E_INVALID_CLASSIFIER),
        (Some("a\u{7}"), None, 0, Code::PEER_E_INVALID_CLASSIFIER),
        (None, Some(&"f".repeat(256)), 0, Code::PEER_E_INVALID_FRIENDLY_NAME),
        (None, Some("a\u{202e}b"), 0, Code::PEER_E_INVALID_FRIENDLY_NAME),
        (None, None, 1, Code::ERROR_INVALID_HANDLE),
    ];
    for (classifier, friendly_name, provider, expected) in rows {
        let (classifier, friendly_name) = (classifier.map(wide), friendly_name.map(wide));
        let pointer =
            |text: &Option<Wide>| text.as_ref().map_or(ptr::null(), |text| text.ptr().cast_const());
        let mut name = ptr::dangling_mut();
        // SAFETY: ours.
        let code = unsafe {
            PeerIdentityCreate(pointer(&classifier), pointer(&friendly_name), provider, &mut name)
        };
        is(expected, code);
        assert_eq!(name.is_null(), expected != Code::S_OK);
        PeerFreeData(name.cast());
    }
    let broken = [0xD800_u16, 0x61, 0];
    let mut name = ptr::null_mut();
    // SAFETY: ours.
    is(Code::E_INVALIDARG, unsafe {
        PeerIdentityCreate(broken.as_ptr(), ptr::null(), 0, &mut name)
    });
}

#[cfg(unix)]
#[test]
fn a_key_that_cannot_be_read_has_its_code() {
    use std::os::unix::fs::PermissionsExt;
    let session = Session::new();
    let name = identity("Ann");
    let mut files = vec![session.home.path().to_owned()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.to_string_lossy().contains("key") {
            // The superuser may read everything; a file that is not there, nobody.
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o0)).unwrap();
            std::fs::remove_file(&path).unwrap();
        }
    }
    let mut text = ptr::null_mut();
    // SAFETY: ours.
    is(Code::PEER_E_NO_KEY_ACCESS, unsafe { PeerIdentityGetXML(wide(&name).ptr(), &mut text) });
}

#[test]
fn an_identity_with_groups_is_not_deleted() {
    let _session = Session::started();
    let ann = identity("Ann");
    let group = group();
    let group_name = name(group);
    // SAFETY: ours.
    unsafe {
        is(Code::PEER_E_GROUPS_EXIST, PeerIdentityDelete(wide(&ann).ptr()));
        is(Code::S_OK, delete(&ann, &group_name));
        is(Code::S_OK, PeerIdentityDelete(wide(&ann).ptr()));
    }
}

fn text_of(call: impl FnOnce(*mut PWSTR) -> HRESULT) -> (HRESULT, Option<String>) {
    let mut text = ptr::dangling_mut();
    let code = call(&mut text);
    (code, if text.is_null() { None } else { Some(take(text)) })
}

fn friendly(name: &str) -> (HRESULT, Option<String>) {
    // SAFETY: ours.
    text_of(|text| unsafe { PeerIdentityGetFriendlyName(wide(name).ptr(), text) })
}

fn rename(name: &str, friendly_name: &str) -> HRESULT {
    // SAFETY: ours.
    unsafe { PeerIdentitySetFriendlyName(wide(name).ptr(), wide(friendly_name).ptr()) }
}

fn peer_name(identity: Option<&str>, classifier: Option<&str>) -> (HRESULT, Option<String>) {
    let (identity, classifier) = (identity.map(wide), classifier.map(wide));
    let pointer = |text: &Option<Wide>| text.as_ref().map_or(ptr::null(), |t| t.ptr().cast_const());
    // SAFETY: ours.
    text_of(|text| unsafe { PeerCreatePeerName(pointer(&identity), pointer(&classifier), text) })
}

/// The pairs of a snapshot, sorted; `fill` makes it.
fn pairs(fill: impl FnOnce(*mut HPEERENUM) -> HRESULT) -> Result<Vec<(String, String)>, Code> {
    let mut handle = ptr::dangling_mut();
    let code = fill(&mut handle);
    if code < 0 {
        assert!(handle.is_null());
        return Err(Code(code));
    }
    let (mut count, mut items, mut found) = (100, ptr::null_mut(), Vec::new());
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerGetNextItem(handle, &mut count, &mut items) });
    for index in 0..count as usize {
        // SAFETY: so many items of this kind came.
        let pair = unsafe { &**items.add(index).cast::<*const PEER_NAME_PAIR>() };
        assert_eq!(pair.dwSize as usize, size_of::<PEER_NAME_PAIR>());
        found.push((read(pair.pwzPeerName), read(pair.pwzFriendlyName)));
    }
    PeerFreeData(items.cast());
    is(Code::S_OK, PeerEndEnumeration(handle));
    found.sort();
    Ok(found)
}

fn identities() -> Result<Vec<(String, String)>, Code> {
    // SAFETY: ours.
    pairs(|handle| unsafe { PeerEnumIdentities(handle) })
}

fn groups(identity: &str) -> Result<Vec<(String, String)>, Code> {
    // SAFETY: ours.
    pairs(|handle| unsafe { PeerEnumGroups(wide(identity).ptr(), handle) })
}

#[test]
fn a_friendly_name_is_read_changed_and_taken_back() {
    let _session = Session::started();
    let ann = identity("Ann");
    let before = xml(&ann);
    assert_eq!(friendly(&ann), (0, Some("Ann".into())));
    is(Code::S_OK, rename(&ann, "Zoë 🦀"));
    assert_eq!(friendly(&ann), (0, Some("Zoë 🦀".into())));
    assert_ne!(xml(&ann), before, "a new certificate");
    is(Code::PEER_E_INVALID_FRIENDLY_NAME, rename(&ann, &"x".repeat(256)));
    is(Code::PEER_E_INVALID_FRIENDLY_NAME, rename(&ann, &"x".repeat(70_000)));
    is(Code::PEER_E_INVALID_FRIENDLY_NAME, rename(&ann, "a\u{202e}b"));
    assert_eq!(friendly(&ann).1.unwrap(), "Zoë 🦀");
    is(Code::S_OK, rename(&ann, &"x".repeat(255)));
    is(Code::S_OK, rename(&ann, ""));
    assert_eq!(friendly(&ann), (0, Some(ann.clone())), "the peer name stands for it");
    is(Code::S_OK, rename(&ann, "Ann"));
    // SAFETY: ours; no name.
    is(Code::S_OK, unsafe { PeerIdentitySetFriendlyName(wide(&ann).ptr(), ptr::null()) });
    assert_eq!(friendly(&ann), (0, Some(ann.clone())));
    let stranger = format!("{}.", "0".repeat(40));
    assert_eq!(friendly(&stranger), (Code::PEER_E_NOT_FOUND.0, None));
    assert_eq!(friendly("Ann"), (Code::E_INVALIDARG.0, None));
    is(Code::PEER_E_NOT_FOUND, rename(&stranger, "x"));
    is(Code::E_INVALIDARG, rename("Ann", "x"));
    let (half, mut text) = ([0xD83E_u16, 0], ptr::dangling_mut());
    // SAFETY: ours, or null.
    unsafe {
        let ann = wide(&ann);
        is(Code::E_INVALIDARG, PeerIdentitySetFriendlyName(ptr::null(), ann.ptr()));
        is(Code::E_INVALIDARG, PeerIdentitySetFriendlyName(ann.ptr(), half.as_ptr()));
        is(Code::E_INVALIDARG, PeerIdentityGetFriendlyName(ptr::null(), &mut text));
        is(Code::E_INVALIDARG, PeerIdentityGetFriendlyName(ann.ptr(), ptr::null_mut()));
    }
    assert!(text.is_null());
}

#[test]
fn a_new_name_is_in_what_is_issued_from_then_on() {
    let _session = Session::started();
    let ann = identity("Ann");
    let (old, bob) = (group(), identity("Bob"));
    is(Code::S_OK, rename(&ann, "Anna"));
    let new = group();
    let issuers = [old, new].map(|group| {
        let (code, info) = parse(&invitation(group, &xml(&bob)));
        is(Code::S_OK, code);
        // SAFETY: a block of the library.
        let name = unsafe { read((*info).pwzIssuerFriendlyName) };
        PeerFreeData(info.cast());
        name
    });
    assert_eq!(issuers, ["Ann", "Anna"], "the memberships of their times");
}

#[test]
fn the_default_is_the_first_until_it_is_deleted() {
    let _session = Session::new();
    assert_eq!(default_name(), (Code::PEER_E_NOT_FOUND.0, None));
    let ann = identity("Ann");
    let bob = identity("Bob");
    assert_eq!(default_name(), (0, Some(ann.clone())));
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerIdentityDelete(wide(&ann).ptr()) });
    assert_eq!(default_name(), (Code::PEER_E_NOT_FOUND.0, None), "nobody takes its place");
    let eve = identity("Eve");
    assert_eq!(default_name(), (0, Some(eve)));
    is(Code::S_OK, friendly(&bob).0);
    // SAFETY: null is refused.
    is(Code::E_INVALIDARG, unsafe { PeerIdentityGetDefault(ptr::null_mut()) });
}

#[test]
fn a_peer_name_is_built_of_an_authority_and_a_classifier() {
    let _session = Session::new();
    let ann = identity("Ann");
    let with = |classifier: &str| format!("{ann}{classifier}");
    assert_eq!(peer_name(Some(&ann), None), (0, Some(ann.clone())));
    assert_eq!(peer_name(Some(&ann[..40]), None), (0, Some(ann.clone())));
    assert_eq!(peer_name(Some(&ann), Some("a.b")), (0, Some(with("a.b"))));
    assert_eq!(peer_name(None, Some("chess")), (0, Some("0.chess".into())));
    let longest = "c".repeat(149);
    assert_eq!(peer_name(Some(&ann), Some(&longest)), (0, Some(with(&longest))));
    let stranger = format!("{}.", "0".repeat(40));
    for (identity, classifier, expected) in [
        (None, None, Code::E_INVALIDARG),
        (Some("Ann"), None, Code::E_INVALIDARG),
        (Some("Ann"), Some("x"), Code::E_INVALIDARG),
        (Some(&stranger[..]), None, Code::PEER_E_NOT_FOUND),
        (Some(&stranger), Some("x"), Code::PEER_E_NOT_FOUND),
        (Some(&ann), Some(""), Code::PEER_E_INVALID_CLASSIFIER),
        (None, Some(""), Code::PEER_E_INVALID_CLASSIFIER),
        (None, Some("a\u{7}"), Code::PEER_E_INVALID_CLASSIFIER),
        (Some(&ann), Some(&"c".repeat(150)), Code::PEER_E_CLASSIFIER_TOO_LONG),
        (None, Some(&"c".repeat(150)), Code::PEER_E_CLASSIFIER_TOO_LONG),
        (None, Some(&"c".repeat(70_000)), Code::PEER_E_CLASSIFIER_TOO_LONG),
    ] {
        assert_eq!(peer_name(identity, classifier), (expected.0, None), "{identity:?}");
    }
    // SAFETY: ours, or null.
    is(Code::E_INVALIDARG, unsafe {
        PeerCreatePeerName(wide(&ann).ptr(), ptr::null(), ptr::null_mut())
    });
}

#[test]
fn identities_and_groups_are_listed() {
    let session = Session::started();
    assert_eq!(identities(), Ok(Vec::new()));
    let (ann, bob) = (identity("Ann"), identity("Bob"));
    let mut both = vec![(ann.clone(), "Ann".to_owned()), (bob.clone(), "Bob".to_owned())];
    both.sort();
    assert_eq!(identities(), Ok(both));
    assert_eq!(groups(&ann), Ok(Vec::new()));
    let (friends, chess) = (wide("Friends"), wide("chess"));
    let mut asked = properties();
    (asked.pwzFriendlyName, asked.pwzClassifier) = (friends.ptr(), chess.ptr());
    let (code, group) = create(&asked);
    is(Code::S_OK, code);
    let group_name = name(group);
    let listed = Ok(vec![(group_name.clone(), "Friends".to_owned())]);
    assert_eq!(groups(&ann), listed, "also while it is open");
    assert_eq!(groups(&bob), Ok(Vec::new()));
    // Joined and never synchronised: the name that the invitation has.
    is(Code::S_OK, join(&bob, &invitation(group, &xml(&bob))).0);
    assert_eq!(groups(&bob), listed);
    is(Code::S_OK, delete(&ann, &group_name));
    assert_eq!(groups(&ann), Ok(Vec::new()));
    assert_eq!(groups(&format!("{}.", "0".repeat(40))), Err(Code::PEER_E_NOT_FOUND));
    assert_eq!(groups("Ann"), Err(Code::E_INVALIDARG));
    let mut handle = ptr::dangling_mut();
    // SAFETY: ours, or null.
    unsafe {
        is(Code::E_INVALIDARG, PeerEnumGroups(ptr::null(), &mut handle));
        is(Code::E_INVALIDARG, PeerEnumGroups(wide(&ann).ptr(), ptr::null_mut()));
        is(Code::E_INVALIDARG, PeerEnumIdentities(ptr::null_mut()));
    }
    assert!(handle.is_null());
    drop(session);
}

#[test]
fn what_is_damaged_is_said_to_be_by_whoever_reads_it() {
    let session = Session::new();
    let ann = identity("Ann");
    spoil(session.home.path(), "certificate", Some(b"damaged"));
    let corrupted = Code::PEER_E_CERT_STORE_CORRUPTED;
    assert_eq!(identities(), Err(corrupted));
    is(Code::CRYPT_E_FILE_ERROR, P2PGetLastErrorDetail());
    assert_eq!(groups(&ann), Err(corrupted));
    assert_eq!(friendly(&ann), (corrupted.0, None));
    assert_eq!(default_name(), (corrupted.0, None));
    is(corrupted, rename(&ann, "x"));
    is(Code::CRYPT_E_FILE_ERROR, P2PGetLastErrorDetail());
}

#[test]
fn without_its_key_an_identity_is_of_no_use() {
    let session = Session::new();
    let ann = identity("Ann");
    spoil(session.home.path(), "key", None);
    let (no_key, none) = (Code::PEER_E_NO_KEY_ACCESS, ptr::null());
    let (mut text, mut key) = (ptr::dangling_mut(), 77);
    // SAFETY: ours, or null.
    let codes = unsafe {
        let (ann, word) = (wide(&ann), wide("secret"));
        [
            PeerIdentityGetXML(ann.ptr(), &mut text),
            PeerIdentityGetFriendlyName(ann.ptr(), &mut text),
            PeerIdentitySetFriendlyName(ann.ptr(), none),
            PeerIdentityGetDefault(&mut text),
            PeerIdentityGetCryptKey(ann.ptr(), &mut key),
            PeerIdentityExport(ann.ptr(), word.ptr(), &mut text),
            PeerCreatePeerName(ann.ptr(), none, &mut text),
            // The first identity was to be the default, which cannot be told now.
            PeerIdentityCreate(none, none, 0, &mut text),
        ]
    };
    for (index, code) in codes.into_iter().enumerate() {
        assert_eq!(Code(code), no_key, "call {index}");
        is(Code::CRYPT_E_NO_KEY_PROPERTY, P2PGetLastErrorDetail());
    }
    assert_eq!((text.is_null(), key), (true, 0));
    assert_eq!(identities(), Err(no_key));
    assert_eq!(groups(&ann), Err(no_key));
}
