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
