//! A group's configuration, carried to another home.

use super::*;

const PASSWORD: &str = "correct horse";

fn export(group: HGROUP, password: &str) -> (HRESULT, PWSTR) {
    let mut text = ptr::dangling_mut();
    // SAFETY: ours.
    let code = unsafe { PeerGroupExportConfig(group, wide(password).ptr(), &mut text) };
    assert_eq!(text.is_null(), code < 0);
    (code, text)
}

/// The names that came out, if any.
pub(crate) fn import(
    text: &str,
    password: &str,
    overwrite: BOOL,
) -> (HRESULT, Option<(String, String)>) {
    let (mut identity, mut group) = (ptr::dangling_mut(), ptr::dangling_mut());
    // SAFETY: ours.
    let code = unsafe {
        PeerGroupImportConfig(
            wide(text).ptr(),
            wide(password).ptr(),
            overwrite,
            &mut identity,
            &mut group,
        )
    };
    assert_eq!((identity.is_null(), group.is_null()), (code < 0, code < 0));
    (code, if identity.is_null() { None } else { Some((take(identity), take(group))) })
}

fn export_identity(name: &str) -> String {
    let mut text = ptr::null_mut();
    // SAFETY: ours.
    is(Code::S_OK, unsafe {
        PeerIdentityExport(wide(name).ptr(), wide(PASSWORD).ptr(), &mut text)
    });
    take(text)
}

fn import_identity(text: &str) {
    is(Code::S_OK, crate::portable::import(text, PASSWORD).0);
}

/// What the properties are: nothing if they cannot be had.
fn group_properties(group: HGROUP) -> (HRESULT, *mut PEER_GROUP_PROPERTIES) {
    let mut properties = ptr::dangling_mut();
    // SAFETY: ours.
    let code = unsafe { PeerGroupGetProperties(group, &mut properties) };
    (code, properties)
}

#[test]
fn a_group_goes_to_another_home_after_its_identity() {
    let session = Session::started();
    let ann = identity("Ann");
    let group = group();
    let chess = name(group);
    let (code, text) = export(group, "pässword 🦀");
    is(Code::S_OK, code);
    let (text, ann_s) = (take(text), export_identity(&ann));
    drop(session);

    let _session = Session::started();
    is(Code::PEER_E_IDENTITY_NOT_FOUND, import(&text, "pässword 🦀", 0).0);
    import_identity(&ann_s);
    is(Code::PEER_E_NOT_FOUND, open(&ann, &chess).0);
    let names = Some((ann.clone(), chess.clone()));
    assert_eq!(import(&format!("\n{text}\n"), "pässword 🦀", 0), (0, names));
    let (code, group) = open(&ann, &chess);
    is(Code::S_OK, code);
    // Not synchronised: it has to meet a member first, whoever made it.
    is(Code::PEER_E_GROUP_NOT_READY, group_properties(group).0);
    // The group's key has come along, so it goes on to be under a password.
    is(Code::E_INVALIDARG, export(group, "").0);
    let (code, again) = export(group, PASSWORD);
    is(Code::S_OK, code);
    assert!(take(again).contains("<GROUPKEY"));
}

#[test]
fn what_is_here_is_replaced_only_when_that_is_asked_for_and_it_is_closed() {
    let _session = Session::started();
    let ann = identity("Ann");
    let group = group();
    let chess = name(group);
    let text = take(export(group, PASSWORD).1);
    for overwrite in [0, 1] {
        is(Code::PEER_E_GROUP_IN_USE, import(&text, PASSWORD, overwrite).0);
    }
    is(Code::S_OK, PeerGroupClose(group));
    is(Code::PEER_E_ALREADY_EXISTS, import(&text, PASSWORD, 0).0);
    // Any number but 0 is true.
    for overwrite in [1, -1, 256] {
        let names = Some((ann.clone(), chess.clone()));
        assert_eq!(import(&text, PASSWORD, overwrite), (0, names));
    }
    // What was known of the group is known.
    let (code, group) = open(&ann, &chess);
    is(Code::S_OK, code);
    let (code, properties) = group_properties(group);
    is(Code::S_OK, code);
    // SAFETY: ours, and a block of the library.
    is(Code::S_OK, unsafe { PeerGroupSetProperties(group, properties) });
    PeerFreeData(properties.cast());
    is(Code::S_OK, delete(&ann, &chess));
    is(Code::S_OK, import(&text, PASSWORD, 0).0);
}

#[test]
fn a_member_has_nothing_secret_in_a_group() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let bob = identity("Bob");
    let (code, bobs) = join(&bob, &invitation(group, &xml(&bob)));
    is(Code::S_OK, code);
    let (code, text) = export(bobs, "");
    is(Code::S_OK, code);
    let text = take(text);
    assert!(!text.contains("GROUPKEY") && text.contains("<IDENTITYPEERNAME>"));
    is(Code::S_OK, PeerGroupClose(bobs));
    let chess = name(group);
    is(Code::S_OK, delete(&bob, &chess));
    // So there is no password to be wrong.
    assert_eq!(import(&text, "another", 0), (0, Some((bob.clone(), chess.clone()))));
    is(Code::S_OK, open(&bob, &chess).0);
}

#[test]
fn exporting_checks_its_arguments_in_their_order() {
    let session = Session::new();
    let mut text = ptr::dangling_mut();
    let word = wide(PASSWORD);
    let wrong: HGROUP = ptr::without_provenance_mut(0x70);
    // SAFETY: ours, or null.
    unsafe {
        let code = PeerGroupExportConfig(wrong, word.ptr(), ptr::null_mut());
        is(Code::PEER_E_NOT_INITIALIZED, code);
    }
    drop(session);
    let session = Session::started();
    let ann = identity("Ann");
    let group = group();
    let half = [0xD83E_u16, 0];
    // SAFETY: ours, or null.
    unsafe {
        let export = |group: HGROUP, word: PCWSTR| {
            let mut text = ptr::dangling_mut();
            let code = PeerGroupExportConfig(group, word, &mut text);
            assert!(text.is_null());
            code
        };
        is(Code::E_INVALIDARG, PeerGroupExportConfig(wrong, word.ptr(), ptr::null_mut()));
        is(Code::PEER_E_INVALID_GROUP, export(wrong, ptr::null()));
        is(Code::PEER_E_INVALID_GROUP, export(ptr::null_mut(), word.ptr()));
        is(Code::E_INVALIDARG, export(group, ptr::null()));
        is(Code::E_INVALIDARG, export(group, half.as_ptr()));
        is(Code::E_INVALIDARG, export(group, wide("").ptr()));
        is(Code::E_INVALIDARG, export(group, wide(&"x".repeat(1_025)).ptr()));
        // 1,024 units, and one byte more than that.
        is(Code::E_INVALIDARG, export(group, wide(&format!("{}ë", "x".repeat(1_023))).ptr()));
        is(Code::S_OK, PeerGroupExportConfig(group, wide(&"x".repeat(1_024)).ptr(), &mut text));
    }
    PeerFreeData(text.cast());
    // A key that cannot be read.
    let mut folder = session.home.path().join("identities");
    folder.push(&ann[..40]);
    let key = find(&folder, "root.key");
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    std::fs::create_dir(&key).unwrap();
    is(Code::PEER_E_NO_KEY_ACCESS, export(group, PASSWORD).0);
    std::fs::remove_dir(&key).unwrap();
    std::fs::write(&key, b"rubbish").unwrap();
    is(Code::PEER_E_CERT_STORE_CORRUPTED, export(group, PASSWORD).0);
    std::fs::write(&key, kept).unwrap();
    is(Code::S_OK, PeerGroupClose(group));
    is(Code::PEER_E_INVALID_GROUP, export(group, PASSWORD).0);
}

/// The file of this name below a folder.
fn find(folder: &std::path::Path, name: &str) -> std::path::PathBuf {
    let below = |path: std::path::PathBuf| match path.is_dir() {
        true => std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect(),
        false => vec![path],
    };
    let mut found = vec![folder.to_owned()];
    while found.iter().any(|path| path.is_dir()) {
        found = found.into_iter().flat_map(below).collect();
    }
    found.into_iter().find(|path| path.ends_with(name)).expect("there is such a file")
}

#[test]
fn a_membership_that_is_still_to_be_gained_cannot_be_carried() {
    let _session = Session::started();
    identity("Ann");
    let (word, mut wanted) = (wide("open sesame"), properties());
    wanted.dwAuthenticationSchemes = PEER_GROUP_PASSWORD_AUTHENTICATION as u32;
    wanted.groupPasswordRole = Roles::GUIDS[2].1.into();
    wanted.pwzGroupPassword = word.ptr();
    let (code, group) = create(&wanted);
    is(Code::S_OK, code);
    let (mut invitation, mut pending) = (ptr::null_mut(), ptr::null_mut());
    let bob = wide(&identity("Bob"));
    // SAFETY: ours.
    unsafe {
        is(Code::S_OK, PeerGroupCreatePasswordInvitation(group, &mut invitation));
        let joined =
            PeerGroupPasswordJoin(bob.ptr(), invitation, word.ptr(), ptr::null(), &mut pending);
        is(Code::S_OK, joined);
    }
    PeerFreeData(invitation.cast());
    is(Code::PEER_E_GROUP_NOT_READY, export(pending, PASSWORD).0);
}

#[test]
fn importing_checks_its_arguments_in_their_order() {
    let session = Session::new();
    let (text, word) = (wide("x"), wide(PASSWORD));
    let (mut identity_out, mut group_out) = (ptr::dangling_mut(), ptr::dangling_mut());
    // SAFETY: ours, or null.
    let code = unsafe {
        PeerGroupImportConfig(text.ptr(), word.ptr(), 0, ptr::null_mut(), &mut group_out)
    };
    is(Code::PEER_E_NOT_INITIALIZED, code);
    assert!(group_out.is_null(), "cleared whatever is wrong");
    drop(session);
    let _session = Session::started();
    // SAFETY: ours, or null.
    unsafe {
        let null = ptr::null_mut();
        let out = &raw mut identity_out;
        let other = &raw mut group_out;
        for (text, word, identity, group) in [
            (text.ptr(), word.ptr(), null, other),
            (text.ptr(), word.ptr(), out, null),
            (ptr::null_mut(), word.ptr(), out, other),
            (text.ptr(), ptr::null_mut(), out, other),
        ] {
            is(Code::E_INVALIDARG, PeerGroupImportConfig(text, word, 0, identity, group));
        }
    }
    assert!(identity_out.is_null() && group_out.is_null());
}

#[test]
fn what_was_altered_leaves_nothing_behind() {
    let _session = Session::started();
    let ann = identity("Ann");
    let group = group();
    let chess = name(group);
    let good = take(export(group, PASSWORD).1);
    is(Code::S_OK, delete(&ann, &chess));
    let refused = |expected: Code, behind: Code, text: &str, password: &str| {
        assert_eq!(import(text, password, 0), (expected.0, None));
        is(behind, P2PGetLastErrorDetail());
    };
    let bad = Code::CRYPT_E_BAD_MSG;
    refused(Code::E_INVALIDARG, bad, &good, "correct house");
    refused(Code::E_INVALIDARG, bad, "not a configuration", PASSWORD);
    refused(Code::E_INVALIDARG, bad, "", PASSWORD);
    refused(Code::E_INVALIDARG, bad, &good[..good.len() / 2], PASSWORD);
    let base64 = good.replace("</GMC>", "*</GMC>");
    refused(Code::E_INVALIDARG, Code::CRYPT_E_BAD_ENCODE, &base64, PASSWORD);
    // Not a check: the arguments themselves.
    refused(Code::E_INVALIDARG, Code::S_OK, &good, "");
    refused(Code::E_INVALIDARG, Code::S_OK, &good, &"x".repeat(1_025));
    refused(Code::E_INVALIDARG, Code::S_OK, &"x".repeat(65_537), PASSWORD);
    let later = good.replacen("\"1.0\"", "\"1.1\"", 1);
    refused(Code::PEER_E_UNSUPPORTED_VERSION, Code::S_OK, &later, PASSWORD);
    is(Code::PEER_E_NOT_FOUND, open(&ann, &chess).0);
    is(Code::S_OK, import(&good, PASSWORD, 0).0);
}
