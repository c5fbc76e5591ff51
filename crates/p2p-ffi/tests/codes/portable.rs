//! Identities under a password.

use super::*;

const PASSWORD: &str = "correct horse";

fn export(name: &str, password: &str) -> (HRESULT, PWSTR) {
    let mut text = ptr::dangling_mut();
    // SAFETY: ours.
    let code = unsafe { PeerIdentityExport(wide(name).ptr(), wide(password).ptr(), &mut text) };
    (code, text)
}

/// The peer name that came out, if any.
pub(crate) fn import(text: &str, password: &str) -> (HRESULT, Option<String>) {
    let mut name = ptr::dangling_mut();
    // SAFETY: ours.
    let code = unsafe { PeerIdentityImport(wide(text).ptr(), wide(password).ptr(), &mut name) };
    (code, if name.is_null() { None } else { Some(take(name)) })
}

#[track_caller]
fn refused(expected: Code, behind: Code, text: &str, password: &str) {
    assert_eq!(import(text, password), (expected.0, None));
    is(behind, P2PGetLastErrorDetail());
}

#[test]
fn an_identity_goes_to_another_home_under_its_password() {
    let session = Session::new();
    let mut ann = ptr::null_mut();
    // SAFETY: ours.
    is(Code::S_OK, unsafe {
        PeerIdentityCreate(wide("laptop").ptr(), wide("Ann & Zoë").ptr(), 0, &mut ann)
    });
    let ann = take(ann);
    let (code, text) = export(&ann, "pässword 🦀");
    is(Code::S_OK, code);
    let (text, shown) = (take(text), xml(&ann));
    is(Code::PEER_E_ALREADY_EXISTS, import(&text, "pässword 🦀").0);
    drop(session);

    let _session = Session::new();
    refused(Code::E_INVALIDARG, Code::CRYPT_E_BAD_MSG, &text, "pässword");
    // What was refused left nothing behind.
    is(Code::PEER_E_NOT_FOUND, default_name().0);
    assert_eq!(import(&format!("\n{text}\n"), "pässword 🦀"), (0, Some(ann.clone())));
    assert_eq!(xml(&ann), shown);
    assert_eq!(default_name(), (0, Some(ann.clone())), "the first one is the default");
    is(Code::PEER_E_ALREADY_EXISTS, import(&text, "pässword 🦀").0);
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerIdentityDelete(wide(&ann).ptr()) });
    assert_eq!(import(&text, "pässword 🦀"), (0, Some(ann)));
}

#[test]
fn an_imported_identity_has_the_memberships_that_are_given_to_it() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let bob = identity("Bob");
    let (_, text) = export(&bob, PASSWORD);
    let (text, invited) = (take(text), invitation(group, &xml(&bob)));
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerIdentityDelete(wide(&bob).ptr()) });
    is(Code::PEER_E_NOT_FOUND, join(&bob, &invited).0);
    is(Code::S_OK, import(&text, PASSWORD).0);
    is(Code::S_OK, join(&bob, &invited).0);
}

#[test]
fn exporting_checks_its_arguments() {
    let _session = Session::new();
    let ann = identity("Ann");
    let stranger = format!("{}.", "0".repeat(40));
    for (name, password, expected) in [
        (&ann[..], "", Code::E_INVALIDARG),
        (&ann, &"x".repeat(1_025), Code::E_INVALIDARG),
        // 1,024 units, and one byte more than that.
        (&ann, &format!("{}ë", "x".repeat(1_023)), Code::E_INVALIDARG),
        ("Ann", PASSWORD, Code::E_INVALIDARG),
        (&stranger, PASSWORD, Code::PEER_E_NOT_FOUND),
    ] {
        let (code, text) = export(name, password);
        is(expected, code);
        assert!(text.is_null());
    }
    let (code, text) = export(&ann, &"x".repeat(1_024));
    is(Code::S_OK, code);
    let text = take(text);
    is(Code::PEER_E_ALREADY_EXISTS, import(&text, &"x".repeat(1_024)).0);
    let (ann, word) = (wide(&ann), wide(PASSWORD));
    let half = [0xD83E_u16, 0];
    let mut text = ptr::dangling_mut();
    // SAFETY: ours, or null.
    unsafe {
        is(Code::E_INVALIDARG, PeerIdentityExport(ptr::null(), word.ptr(), &mut text));
        is(Code::E_INVALIDARG, PeerIdentityExport(ann.ptr(), ptr::null(), &mut text));
        is(Code::E_INVALIDARG, PeerIdentityExport(ann.ptr(), half.as_ptr(), &mut text));
        is(Code::E_INVALIDARG, PeerIdentityExport(ann.ptr(), word.ptr(), ptr::null_mut()));
    }
    assert!(text.is_null());
}

#[test]
fn what_was_altered_is_an_argument_s_fault_and_says_which() {
    let _session = Session::new();
    let ann = identity("Ann");
    let good = take(export(&ann, PASSWORD).1);
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerIdentityDelete(wide(&ann).ptr()) });
    let (bad, base64) = (Code::CRYPT_E_BAD_MSG, Code::CRYPT_E_BAD_ENCODE);
    refused(Code::E_INVALIDARG, bad, &good, "correct house");
    refused(Code::E_INVALIDARG, bad, "not an export", PASSWORD);
    refused(Code::E_INVALIDARG, bad, "", PASSWORD);
    refused(Code::E_INVALIDARG, bad, &good[..good.len() / 2], PASSWORD);
    refused(Code::E_INVALIDARG, bad, &good.replacen(&ann[..8], "01234567", 1), PASSWORD);
    refused(Code::E_INVALIDARG, base64, &good.replace("</DATA>", "*</DATA>"), PASSWORD);
    let data = good.find("</DATA>").unwrap() - 6;
    let other = if &good[data..=data] == "A" { "B" } else { "A" };
    let altered = format!("{}{other}{}", &good[..data], &good[data + 1..]);
    refused(Code::E_INVALIDARG, bad, &altered, PASSWORD);
    // Not a check: the arguments themselves.
    refused(Code::E_INVALIDARG, Code::S_OK, &good, "");
    refused(Code::E_INVALIDARG, Code::S_OK, &good, &"x".repeat(1_025));
    refused(Code::E_INVALIDARG, Code::S_OK, &"x".repeat(65_537), PASSWORD);
    let later = good.replacen("\"1.0\"", "\"1.1\"", 1);
    refused(Code::PEER_E_UNSUPPORTED_VERSION, Code::S_OK, &later, PASSWORD);
    let (text, word) = (wide(&good), wide(PASSWORD));
    let mut name = ptr::dangling_mut();
    // SAFETY: ours, or null.
    unsafe {
        is(Code::E_INVALIDARG, PeerIdentityImport(ptr::null(), word.ptr(), &mut name));
        is(Code::E_INVALIDARG, PeerIdentityImport(text.ptr(), ptr::null(), &mut name));
        is(Code::E_INVALIDARG, PeerIdentityImport(text.ptr(), word.ptr(), ptr::null_mut()));
    }
    assert!(name.is_null());
    is(Code::PEER_E_NOT_FOUND, default_name().0);
    // Both spellings of the elements are Windows' own.
    let other = good.replace("PEERNAME>", "IDENTITY>").replace("DATA", "IDENTITYDATA");
    assert_eq!(import(&other, PASSWORD), (0, Some(ann)));
}
