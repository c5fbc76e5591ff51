//! What the files of a home can be the cause of, besides damage. Rights and a full disk are in `c/storage.c`.

use super::*;

/// Fills the home: folders count, whatever is in them.
fn fill(session: &Session, count: usize) {
    for number in 0..count {
        let folder = session.home.path().join("identities").join(format!("{number:040x}"));
        std::fs::create_dir_all(folder).unwrap();
    }
}

#[test]
fn a_home_has_room_for_1024_identities() {
    let session = Session::new();
    let ann = identity("Ann");
    let mut text = ptr::null_mut();
    let word = wide("secret");
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerIdentityExport(wide(&ann).ptr(), word.ptr(), &mut text) });
    let text = wide(&take(text));
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerIdentityDelete(wide(&ann).ptr()) });
    fill(&session, 1_023);
    let bob = identity("Bob");
    let mut name = ptr::dangling_mut();
    // SAFETY: ours, or null.
    unsafe {
        let none = ptr::null();
        is(Code::PEER_E_TOO_MANY_IDENTITIES, PeerIdentityCreate(none, none, 0, &mut name));
        is(Code::PEER_E_TOO_MANY_IDENTITIES, PeerIdentityImport(text.ptr(), word.ptr(), &mut name));
        assert!(name.is_null());
        // One goes, another comes.
        is(Code::S_OK, PeerIdentityDelete(wide(&bob).ptr()));
        // There is no default identity, and then there is.
        is(Code::S_OK, PeerIdentityGetXML(none, &mut name));
        PeerFreeData(name.cast());
        is(Code::PEER_E_TOO_MANY_IDENTITIES, PeerIdentityCreate(none, none, 0, &mut name));
    }
}

/// Puts a folder where a file is due.
fn folder_for(file: &std::path::Path) {
    if file.exists() {
        std::fs::remove_file(file).unwrap();
    }
    std::fs::create_dir(file).unwrap();
}

#[test]
fn a_folder_for_a_file_is_access_denied() {
    let session = Session::new();
    let ann = identity("Ann");
    let folder = session.home.path().join("identities").join(&ann[..40]);
    folder_for(&folder.join("certificate"));
    let (mut text, mut handle) = (ptr::dangling_mut(), ptr::dangling_mut());
    // SAFETY: ours.
    unsafe {
        let ann = wide(&ann);
        is(Code::E_ACCESSDENIED, PeerIdentityGetXML(ann.ptr(), &mut text));
        is(Code::E_ACCESSDENIED, PeerIdentityGetFriendlyName(ann.ptr(), &mut text));
        is(Code::E_ACCESSDENIED, PeerEnumIdentities(&mut handle));
        is(Code::E_ACCESSDENIED, PeerEnumGroups(ann.ptr(), &mut handle));
        assert!(text.is_null() && handle.is_null());
    }
}

#[test]
fn a_database_that_cannot_be_opened_says_so() {
    let mut session = Session::started();
    let ann = identity("Ann");
    let group_name = name(group());
    is(Code::S_OK, PeerGroupShutdown());
    session.started = 0;
    let groups = session.home.path().join("identities").join(&ann[..40]).join("groups");
    let own = std::fs::read_dir(groups).unwrap().next().unwrap().unwrap().path();
    folder_for(&own.join("members.redb"));
    session.start();
    is(Code::PEER_E_DATABASE_ACCESSDENIED, open(&ann, &group_name).0);
    std::fs::remove_dir(own.join("members.redb")).unwrap();
    let (code, group) = open(&ann, &group_name);
    is(Code::S_OK, code);
    is(Code::S_OK, PeerGroupClose(group));
}
