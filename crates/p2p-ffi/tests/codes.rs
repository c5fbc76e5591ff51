//! Every code that the exported functions document, brought about through the exported functions.
//!
//! The library is one per process and its environment too, so each test holds one lock for as long as it runs.

use core::ffi::c_void;
use core::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use p2p_group::{Code, Roles};
use peergroup::layout::*;
use peergroup::*;
use tempfile::TempDir;

/// A home of its own, and the library started once.
struct Session {
    home: TempDir,
    started: u32,
    _alone: MutexGuard<'static, ()>,
}

impl Session {
    fn new() -> Session {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let home = TempDir::new().unwrap();
        // SAFETY: no other test runs, and the library has no threads between two sessions.
        unsafe {
            std::env::set_var("P2P_HOME", home.path());
            std::env::set_var("P2P_LISTEN", "[::1]:0");
        }
        Session { home, started: 0, _alone: alone }
    }

    fn started() -> Session {
        let mut session = Session::new();
        session.start();
        session
    }

    fn start(&mut self) {
        let mut version = PEER_VERSION_DATA::default();
        // SAFETY: ours.
        is(Code::S_OK, unsafe { PeerGroupStartup(PEER_GROUP_VERSION, &mut version) });
        self.started += 1;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for _ in 0..self.started {
            PeerGroupShutdown();
        }
    }
}

#[track_caller]
fn is(expected: Code, code: HRESULT) {
    assert_eq!(Code(code), expected);
}

/// Text for C.
struct Wide(Vec<u16>);

impl Wide {
    fn ptr(&self) -> *mut u16 {
        self.0.as_ptr().cast_mut()
    }
}

fn wide(text: &str) -> Wide {
    Wide(text.encode_utf16().chain([0]).collect())
}

/// What a function gave, read and freed.
fn take(text: PWSTR) -> String {
    assert!(!text.is_null());
    // SAFETY: text of the library ends in 0.
    let units: Vec<u16> =
        unsafe { (0..).map(|index| *text.add(index)).take_while(|unit| *unit != 0).collect() };
    PeerFreeData(text.cast());
    String::from_utf16(&units).unwrap()
}

fn identity(friendly_name: &str) -> String {
    let mut name = ptr::null_mut();
    // SAFETY: ours.
    is(Code::S_OK, unsafe {
        PeerIdentityCreate(ptr::null(), wide(friendly_name).ptr(), 0, &mut name)
    });
    take(name)
}

fn xml(identity: &str) -> String {
    let mut xml = ptr::null_mut();
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerIdentityGetXML(wide(identity).ptr(), &mut xml) });
    take(xml)
}

fn properties() -> PEER_GROUP_PROPERTIES {
    // SAFETY: plain data, for which zeros are fine.
    let mut properties: PEER_GROUP_PROPERTIES = unsafe { core::mem::zeroed() };
    properties.dwSize = size_of::<PEER_GROUP_PROPERTIES>() as u32;
    properties
}

fn create(properties: &PEER_GROUP_PROPERTIES) -> (HRESULT, HGROUP) {
    let mut group = ptr::dangling_mut();
    // SAFETY: ours.
    let code = unsafe { PeerGroupCreate(properties, &mut group) };
    (code, group)
}

/// An offline group of the default identity.
fn group() -> HGROUP {
    let (code, group) = create(&properties());
    is(Code::S_OK, code);
    group
}

fn invite(group: HGROUP, xml: &str, expires: Option<FILETIME>, roles: &[GUID]) -> (HRESULT, PWSTR) {
    let mut invitation = ptr::dangling_mut();
    let expires = expires.as_ref().map_or(ptr::null(), ptr::from_ref);
    let list = if roles.is_empty() { ptr::null() } else { roles.as_ptr() };
    // SAFETY: ours.
    let code = unsafe {
        PeerGroupCreateInvitation(
            group,
            wide(xml).ptr(),
            expires,
            roles.len() as u32,
            list,
            &mut invitation,
        )
    };
    (code, invitation)
}

fn invitation(group: HGROUP, xml: &str) -> String {
    let (code, text) = invite(group, xml, None, &[]);
    is(Code::S_OK, code);
    take(text)
}

fn parse(invitation: &str) -> (HRESULT, *mut PEER_INVITATION_INFO) {
    let mut info = ptr::dangling_mut();
    // SAFETY: ours.
    let code = unsafe { PeerGroupParseInvitation(wide(invitation).ptr(), &mut info) };
    (code, info)
}

fn join(identity: &str, invitation: &str) -> (HRESULT, HGROUP) {
    let mut group = ptr::dangling_mut();
    // SAFETY: ours.
    let code = unsafe {
        PeerGroupJoin(wide(identity).ptr(), wide(invitation).ptr(), ptr::null(), &mut group)
    };
    (code, group)
}

fn open(identity: &str, name: &str) -> (HRESULT, HGROUP) {
    let mut group = ptr::dangling_mut();
    // SAFETY: ours.
    let code =
        unsafe { PeerGroupOpen(wide(identity).ptr(), wide(name).ptr(), ptr::null(), &mut group) };
    (code, group)
}

fn delete(identity: &str, name: &str) -> HRESULT {
    // SAFETY: ours.
    unsafe { PeerGroupDelete(wide(identity).ptr(), wide(name).ptr()) }
}

/// The name of a group, as an invitation into it says.
fn name(group: HGROUP) -> String {
    let guest = identity("Guest");
    let (code, info) = parse(&invitation(group, &xml(&guest)));
    is(Code::S_OK, code);
    // SAFETY: a block of the library.
    let name = unsafe { (*info).pwzGroupPeerName };
    // SAFETY: text of the library ends in 0.
    let units: Vec<u16> =
        unsafe { (0..).map(|index| *name.add(index)).take_while(|unit| *unit != 0).collect() };
    PeerFreeData(info.cast());
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerIdentityDelete(wide(&guest).ptr()) });
    String::from_utf16(&units).unwrap()
}

fn status(group: HGROUP) -> (HRESULT, u32) {
    let mut status = 77;
    // SAFETY: ours.
    let code = unsafe { PeerGroupGetStatus(group, &mut status) };
    (code, status)
}

fn address(port: u16) -> PEER_ADDRESS {
    PEER_ADDRESS::from(p2p_group::Address::from(std::net::SocketAddr::from((
        std::net::Ipv6Addr::LOCALHOST,
        port,
    ))))
}

/// An event object and a registration for these kinds.
fn register(group: HGROUP, kinds: &[PEER_GROUP_EVENT_TYPE]) -> (HRESULT, HANDLE, HPEEREVENT) {
    let event = P2PCreateEvent(0, 0);
    let entry = |kind: &PEER_GROUP_EVENT_TYPE| PEER_GROUP_EVENT_REGISTRATION {
        eventType: *kind,
        pType: ptr::null(),
    };
    let entries: Vec<_> = kinds.iter().map(entry).collect();
    let mut queue = ptr::dangling_mut();
    // SAFETY: ours.
    let code = unsafe {
        PeerGroupRegisterEvent(group, event, entries.len() as u32, entries.as_ptr(), &mut queue)
    };
    (code, event, queue)
}

/// The next event, waited for; the caller frees it.
fn event(handle: HANDLE, queue: HPEEREVENT) -> *mut PEER_GROUP_EVENT_DATA {
    loop {
        let mut data = ptr::null_mut();
        // SAFETY: ours.
        match Code(unsafe { PeerGroupGetEventData(queue, &mut data) }) {
            Code::S_OK => return data,
            code => assert_eq!(code, Code::PEER_S_NO_EVENT_DATA),
        }
        is(Code::S_OK, P2PWaitEvent(handle, 60_000));
    }
}

fn send(group: HGROUP, id: u64, bytes: u32) -> HRESULT {
    let data = vec![0_u8; bytes as usize];
    // SAFETY: ours.
    unsafe { PeerGroupSendData(group, id, &GUID::default(), bytes, data.as_ptr().cast()) }
}

#[test]
fn startup_grants_a_version_and_is_counted() {
    let _session = Session::new();
    let mut version = PEER_VERSION_DATA { wVersion: 9, wHighestVersion: 9 };
    // SAFETY: ours.
    unsafe {
        is(Code::E_INVALIDARG, PeerGroupStartup(PEER_GROUP_VERSION, ptr::null_mut()));
        is(Code::PEER_E_UNSUPPORTED_VERSION, PeerGroupStartup(0x0102, &mut version));
        assert_eq!((version.wVersion, version.wHighestVersion), (0, 0));
        is(Code::PEER_E_NOT_INITIALIZED, PeerGroupShutdown());
        is(Code::S_OK, PeerGroupStartup(0x0001, &mut version));
        assert_eq!((version.wVersion, version.wHighestVersion), (0x0001, 0x0101));
        is(Code::S_OK, PeerGroupStartup(0x0301, &mut version));
        assert_eq!(version.wVersion, 0x0101);
    }
    is(Code::S_OK, PeerGroupShutdown());
    is(Code::PEER_E_INVALID_GROUP, PeerGroupConnect(ptr::null_mut()));
    is(Code::S_OK, PeerGroupShutdown());
    is(Code::PEER_E_NOT_INITIALIZED, PeerGroupConnect(ptr::null_mut()));
}

#[test]
fn startup_refuses_a_damaged_identity() {
    let mut session = Session::new();
    identity("Ann");
    let mut files = vec![session.home.path().to_owned()];
    while let Some(path) = files.pop() {
        match path.is_dir() {
            true => {
                files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()))
            }
            false => std::fs::write(path, b"damaged").unwrap(),
        }
    }
    let mut version = PEER_VERSION_DATA::default();
    // SAFETY: ours.
    is(Code::PEER_E_CERT_STORE_CORRUPTED, unsafe {
        PeerGroupStartup(PEER_GROUP_VERSION, &mut version)
    });
    is(Code::PEER_E_NOT_INITIALIZED, PeerGroupShutdown());
    session.home = TempDir::new().unwrap();
}

#[test]
fn nothing_of_the_group_works_before_startup() {
    let _session = Session::new();
    let (mut handle, mut text, mut number, mut id) =
        (ptr::dangling_mut::<c_void>(), ptr::dangling_mut(), 1, 1);
    let (mut event, mut info) = (ptr::dangling_mut(), ptr::dangling_mut());
    let none = ptr::null();
    // SAFETY: ours, or null.
    let codes = unsafe {
        [
            PeerGroupCreate(ptr::null(), &mut handle),
            PeerGroupOpen(none, none, none, &mut handle),
            PeerGroupJoin(none, none, none, &mut handle),
            PeerGroupConnect(handle),
            PeerGroupConnectByAddress(handle, 0, ptr::null()),
            PeerGroupClose(handle),
            PeerGroupDelete(none, none),
            PeerGroupGetStatus(handle, &mut number),
            PeerGroupCreateInvitation(handle, none, ptr::null(), 0, ptr::null(), &mut text),
            PeerGroupParseInvitation(none, &mut info),
            PeerGroupEnumMembers(handle, 0, none, &mut handle),
            PeerGroupEnumConnections(handle, 0, &mut handle),
            PeerGroupOpenDirectConnection(handle, none, ptr::null(), &mut id),
            PeerGroupCloseDirectConnection(handle, 1),
            PeerGroupSendData(handle, 1, ptr::null(), 0, ptr::null()),
            PeerGroupRegisterEvent(handle, handle, 0, ptr::null(), &mut handle),
            PeerGroupUnregisterEvent(handle),
            PeerGroupGetEventData(handle, &mut event),
            PeerGroupShutdown(),
        ]
    };
    for (index, code) in codes.into_iter().enumerate() {
        assert_eq!(Code(code), Code::PEER_E_NOT_INITIALIZED, "call {index}");
    }
    assert!(
        handle.is_null() && text.is_null() && event.is_null() && info.is_null(),
        "cleared all the same"
    );
    assert_eq!((number, id), (0, 0));
}

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
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0)).unwrap();
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

#[test]
fn properties_of_a_group_are_checked() {
    let _session = Session::started();
    let (code, handle) = create(&properties());
    is(Code::PEER_E_NOT_FOUND, code);
    assert!(handle.is_null());
    let ann = identity("Ann");
    let text = |length| wide(&"x".repeat(length));
    let (long, longer, empty, word) = (text(150), text(256), text(0), text(1));
    let (ann, global, stranger) =
        (wide(&ann), wide("Global_"), wide(&format!("{}.", "0".repeat(40))));
    let wrong = Code::PEER_E_INVALID_GROUP_PROPERTIES;
    let rows: Vec<(Code, Box<dyn Fn(&mut PEER_GROUP_PROPERTIES) + '_>)> = vec![
        (Code::S_OK, Box::new(|_| {})),
        (Code::S_OK, Box::new(|p| p.pwzCreatorPeerName = ann.ptr())),
        (Code::S_OK, Box::new(|p| p.pwzCloud = global.ptr())),
        (Code::S_OK, Box::new(|p| p.dwAuthenticationSchemes = 1)),
        (Code::S_OK, Box::new(|p| (p.ulPresenceLifetime, p.ulMemberDataLifetime) = (300, 28_800))),
        (Code::S_OK, Box::new(|p| p.dwSize = PEER_GROUP_PROPERTIES::OLD_SIZE as u32)),
        (Code::E_INVALIDARG, Box::new(|p| p.dwSize -= 1)),
        (Code::E_INVALIDARG, Box::new(|p| p.dwSize = 0)),
        (Code::PEER_E_INVALID_PEER_NAME, Box::new(|p| p.pwzCreatorPeerName = word.ptr())),
        (Code::PEER_E_NOT_FOUND, Box::new(|p| p.pwzCreatorPeerName = stranger.ptr())),
        (Code::PEER_E_CLASSIFIER_TOO_LONG, Box::new(|p| p.pwzClassifier = long.ptr())),
        (Code::PEER_E_INVALID_CLASSIFIER, Box::new(|p| p.pwzClassifier = empty.ptr())),
        (Code::PEER_E_INVALID_FRIENDLY_NAME, Box::new(|p| p.pwzFriendlyName = longer.ptr())),
        (Code::PEER_E_NO_CLOUD, Box::new(|p| p.pwzCloud = word.ptr())),
        (Code::PEER_E_NO_CLOUD, Box::new(|p| p.pwzCloud = longer.ptr())),
        (Code::PEER_E_INVALID_ROLE_PROPERTY, Box::new(|p| p.dwAuthenticationSchemes = 2)),
        (wrong, Box::new(|p| p.pwzGroupPeerName = stranger.ptr())),
        (wrong, Box::new(|p| p.pwzComment = longer.ptr())),
        (wrong, Box::new(|p| p.pwzGroupPassword = word.ptr())),
        (wrong, Box::new(|p| p.dwAuthenticationSchemes = 4)),
        (wrong, Box::new(|p| p.dwFlags = 8)),
        (wrong, Box::new(|p| p.dwFlags = PEER_DISABLE_PRESENCE)),
        (wrong, Box::new(|p| p.ulPresenceLifetime = 299)),
        (wrong, Box::new(|p| p.ulMemberDataLifetime = 28_799)),
        (wrong, Box::new(|p| p.ulMemberDataLifetime = 315_360_001)),
        (
            wrong,
            Box::new(|p| {
                p.dwAuthenticationSchemes = 2;
                p.groupPasswordRole = Roles::GUIDS[2].1.into();
            }),
        ),
    ];
    for (index, (expected, spoil)) in rows.into_iter().enumerate() {
        let mut properties = properties();
        spoil(&mut properties);
        let (code, group) = create(&properties);
        assert_eq!(Code(code), expected, "row {index}");
        assert_eq!(group.is_null(), expected != Code::S_OK);
        if expected == Code::S_OK {
            is(Code::S_OK, PeerGroupClose(group));
        }
    }
}

#[test]
fn a_group_is_opened_by_name_shared_and_closed() {
    let _session = Session::started();
    let ann = identity("Ann");
    let first = group();
    let group_name = name(first);
    let (code, second) = open(&ann, &group_name);
    is(Code::S_OK, code);
    assert_ne!(first, second);
    is(Code::S_OK, PeerGroupClose(first));
    is(Code::PEER_E_INVALID_GROUP, PeerGroupClose(first));
    assert_eq!(status(first), (Code::PEER_E_INVALID_GROUP.0, 0));
    assert_eq!(status(second), (0, 0));
    is(Code::S_OK, PeerGroupClose(second));
    let (code, third) = open(&ann, &group_name);
    is(Code::S_OK, code);
    // Open already: what cloud is named does not matter.
    let mut fourth = ptr::null_mut();
    // SAFETY: ours.
    unsafe {
        let names = (wide(&ann), wide(&group_name), wide("Elsewhere"));
        is(Code::S_OK, PeerGroupOpen(names.0.ptr(), names.1.ptr(), names.2.ptr(), &mut fourth));
        is(Code::S_OK, PeerGroupClose(fourth));
        is(Code::S_OK, PeerGroupClose(third));
        is(
            Code::PEER_E_NO_CLOUD,
            PeerGroupOpen(names.0.ptr(), names.1.ptr(), names.2.ptr(), &mut fourth),
        );
    }
    let stranger = format!("{}.", "0".repeat(40));
    is(Code::PEER_E_NOT_FOUND, open(&ann, &stranger).0);
    is(Code::PEER_E_NOT_FOUND, open(&stranger, &group_name).0);
    is(Code::PEER_E_INVALID_PEER_NAME, open("Ann", &group_name).0);
    is(Code::PEER_E_INVALID_PEER_NAME, open(&ann, "Friends").0);
    is(Code::PEER_E_INVALID_PEER_NAME, open(&ann, &"0".repeat(300)).0);
}

#[test]
fn a_deleted_group_takes_its_handles_with_it() {
    let _session = Session::started();
    let ann = identity("Ann");
    let group = group();
    let group_name = name(group);
    is(Code::PEER_E_INVALID_PEER_NAME, delete(&ann, "Friends"));
    is(Code::PEER_E_INVALID_PEER_NAME, delete("Ann", &group_name));
    // SAFETY: ours; no identity means the default one.
    is(Code::S_OK, unsafe { PeerGroupDelete(ptr::null(), wide(&group_name).ptr()) });
    is(Code::PEER_E_INVALID_GROUP, PeerGroupClose(group));
    is(Code::PEER_E_INVALID_GROUP, PeerGroupConnect(group));
    is(Code::PEER_E_NOT_FOUND, delete(&ann, &group_name));
    is(Code::PEER_E_NOT_FOUND, open(&ann, &group_name).0);
}

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

#[test]
fn connecting_twice_is_a_success_of_its_own() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    assert_eq!(status(group), (0, 0));
    let (code, handle, queue) = register(group, &[PEER_GROUP_EVENT_STATUS_CHANGED]);
    is(Code::S_OK, code);
    is(Code::S_OK, PeerGroupConnect(group));
    let data = event(handle, queue);
    // SAFETY: an event of the library.
    let (kind, bits) = unsafe { ((*data).eventType, (*data).payload.dwStatus) };
    assert_eq!((kind, bits), (PEER_GROUP_EVENT_STATUS_CHANGED, PEER_GROUP_STATUS_LISTENING));
    is(Code::S_OK, P2PGetEventDetail(data));
    PeerFreeData(data.cast());
    is(Code::E_INVALIDARG, P2PGetEventDetail(data));
    is(Code::PEER_S_ALREADY_CONNECTED, PeerGroupConnect(group));
    assert_eq!(status(group), (0, 1));
    is(Code::S_OK, PeerGroupClose(group));
}

#[test]
fn addresses_to_connect_to_are_checked() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let connect = |addresses: &[PEER_ADDRESS]| {
        // SAFETY: ours.
        unsafe { PeerGroupConnectByAddress(group, addresses.len() as u32, addresses.as_ptr()) }
    };
    is(Code::E_INVALIDARG, connect(&[]));
    is(Code::E_INVALIDARG, connect(&[address(1); 65]));
    is(Code::E_INVALIDARG, connect(&[address(1), address(0)]));
    let mut family = address(1);
    family.sin6.sin6_family = 10;
    is(Code::E_INVALIDARG, connect(&[family]));
    let mut size = address(1);
    size.dwSize = 28;
    is(Code::E_INVALIDARG, connect(&[size]));
    is(Code::S_OK, connect(&[address(1)]));
    is(Code::S_OK, PeerGroupClose(group));
    // SAFETY: ours.
    is(Code::PEER_E_INVALID_GROUP, unsafe { PeerGroupConnectByAddress(group, 1, &address(1)) });
}

#[test]
fn a_taken_port_is_an_event() {
    let taken = std::net::UdpSocket::bind("[::1]:0").unwrap();
    let session = Session::started();
    // SAFETY: no other test runs; no identity has been started in this session.
    unsafe { std::env::set_var("P2P_LISTEN", taken.local_addr().unwrap().to_string()) };
    identity("Ann");
    let group = group();
    let (_, handle, queue) = register(group, &[PEER_GROUP_EVENT_CONNECTION_FAILED]);
    is(Code::S_OK, PeerGroupConnect(group));
    let data = event(handle, queue);
    // SAFETY: an event of the library.
    is(Code::PEER_E_UNABLE_TO_LISTEN, unsafe { (*data).payload.hrConnectionFailedReason });
    PeerFreeData(data.cast());
    assert_eq!(status(group), (0, 0));
    drop(session);
}

#[test]
fn members_and_connections_are_listed_by_flags() {
    let _session = Session::started();
    let ann = identity("Ann");
    let group = group();
    let count = |flags: u32, identity: Option<&str>| {
        let (mut handle, mut count) = (ptr::dangling_mut(), 77);
        let identity = identity.map(wide);
        let text = identity.as_ref().map_or(ptr::null(), |text| text.ptr().cast_const());
        // SAFETY: ours.
        let code = unsafe { PeerGroupEnumMembers(group, flags, text, &mut handle) };
        if code < 0 {
            assert!(handle.is_null());
            return Err(Code(code));
        }
        // SAFETY: ours.
        is(Code::S_OK, unsafe { PeerGetItemCount(handle, &mut count) });
        is(Code::S_OK, PeerEndEnumeration(handle));
        Ok(count)
    };
    assert_eq!(count(0, None), Ok(1));
    assert_eq!(count(0, Some(&ann)), Ok(1));
    assert_eq!(count(0, Some(&format!("{}.", "0".repeat(40)))), Ok(0));
    assert_eq!(count(PEER_MEMBER_PRESENT, None), Ok(0), "offline");
    assert_eq!(count(2, None), Err(Code::E_INVALIDARG));
    assert_eq!(count(0, Some("Ann")), Err(Code::E_INVALIDARG));
    for (flags, expected) in [(0, Code::E_INVALIDARG), (4, Code::E_INVALIDARG), (3, Code::S_OK)] {
        let mut handle = ptr::dangling_mut();
        // SAFETY: ours.
        is(expected, unsafe { PeerGroupEnumConnections(group, flags, &mut handle) });
        assert_eq!(handle.is_null(), expected != Code::S_OK);
    }
    let mut handle = ptr::null_mut();
    // SAFETY: ours.
    unsafe {
        is(
            Code::PEER_E_INVALID_GROUP,
            PeerGroupEnumMembers(ptr::null_mut(), 0, ptr::null(), &mut handle),
        );
        is(Code::PEER_E_INVALID_GROUP, PeerGroupEnumConnections(ptr::null_mut(), 3, &mut handle));
    }
}

#[test]
fn a_member_shows_its_key_and_where_it_listens() {
    let _session = Session::started();
    let ann = identity("Ann");
    let group = group();
    let (_, handle, queue) = register(group, &[PEER_GROUP_EVENT_STATUS_CHANGED]);
    is(Code::S_OK, PeerGroupConnect(group));
    PeerFreeData(event(handle, queue).cast());
    let (mut members, mut count, mut items) = (ptr::null_mut(), 5, ptr::null_mut());
    // SAFETY: ours, then a block of the library.
    unsafe {
        is(Code::S_OK, PeerGroupEnumMembers(group, PEER_MEMBER_PRESENT, ptr::null(), &mut members));
        is(Code::S_OK, PeerGetNextItem(members, &mut count, &mut items));
        assert_eq!(count, 1);
        let member = &**items.cast::<*mut PEER_MEMBER>();
        assert_eq!((member.dwFlags, member.cAddresses), (PEER_MEMBER_PRESENT, 1));
        assert_ne!(member.ullNodeId, 0);
        let own = (*member.pAddresses).to_address().unwrap();
        assert!(own.is_loopback() && own.port != 0);
        let key = &*(*member.pCredentialInfo).pPublicKey;
        assert_eq!((key.PublicKey.cbData, key.PublicKey.cUnusedBits), (32, 0));
        // To oneself, where one listens: refused before anything is tried.
        let mut id = 9;
        let to_self =
            PeerGroupOpenDirectConnection(group, wide(&ann).ptr(), member.pAddresses, &mut id);
        is(Code::PEER_E_CONNECT_SELF, to_self);
        assert_eq!(id, 0);
    }
    PeerFreeData(items.cast());
    is(Code::S_OK, PeerEndEnumeration(members));
}

#[test]
fn a_direct_connection_needs_a_group_that_is_online() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let bob = identity("Bob");
    let open = |name: &str, address: &PEER_ADDRESS| {
        let mut id = 9;
        // SAFETY: ours.
        let code =
            unsafe { PeerGroupOpenDirectConnection(group, wide(name).ptr(), address, &mut id) };
        assert_eq!(id, 0);
        code
    };
    is(Code::PEER_E_GROUP_NOT_READY, open(&bob, &address(1)));
    is(Code::E_INVALIDARG, open("", &address(1)));
    is(Code::E_INVALIDARG, open("Bob", &address(1)));
    is(Code::E_INVALIDARG, open(&bob, &address(0)));
    let mut family = address(1);
    family.sin6.sin6_family = 2;
    is(Code::E_INVALIDARG, open(&bob, &family));
    is(Code::PEER_E_CONNECTION_NOT_FOUND, PeerGroupCloseDirectConnection(group, 1));
    is(Code::PEER_E_CONNECTION_NOT_FOUND, send(group, 1, 1));
    is(Code::E_INVALIDARG, send(group, 1, (4 << 20) + 1));
    is(Code::PEER_E_INVALID_GROUP, send(ptr::null_mut(), 1, 1));
    let mut id = 9;
    // SAFETY: ours.
    unsafe {
        let nowhere =
            PeerGroupOpenDirectConnection(ptr::null_mut(), wide(&bob).ptr(), &address(1), &mut id);
        is(Code::PEER_E_INVALID_GROUP, nowhere);
    }
}

#[test]
fn kinds_of_events_are_checked() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    for kind in [1, 2, 3, 4, 5, 6, 8, 10, 11] {
        let (code, handle, queue) = register(group, &[kind, kind]);
        is(Code::S_OK, code);
        is(Code::S_OK, PeerGroupUnregisterEvent(queue));
        is(Code::S_OK, P2PCloseEvent(handle));
    }
    for kind in [0, 7, 9, 12, -1, i32::MIN] {
        let (code, handle, queue) = register(group, &[4, kind]);
        is(Code::E_INVALIDARG, code);
        assert!(queue.is_null());
        is(Code::S_OK, P2PCloseEvent(handle));
    }
    is(Code::E_INVALIDARG, register(group, &[]).0);
    is(Code::E_INVALIDARG, register(group, &[4; 4097]).0);
    is(Code::PEER_E_INVALID_GROUP, register(ptr::null_mut(), &[4]).0);
}

#[test]
fn a_queue_outlives_its_handle_and_ends_once() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let (_, handle, queue) = register(group, &[PEER_GROUP_EVENT_STATUS_CHANGED]);
    is(Code::S_OK, PeerGroupConnect(group));
    is(Code::S_OK, P2PWaitEvent(handle, 60_000));
    is(Code::S_OK, PeerGroupClose(group));
    // What was queued is still there; that closing ended the status is not told to who closed.
    PeerFreeData(event(handle, queue).cast());
    let mut data = ptr::dangling_mut();
    // SAFETY: ours.
    is(Code::PEER_S_NO_EVENT_DATA, unsafe { PeerGroupGetEventData(queue, &mut data) });
    assert!(data.is_null());
    is(Code::S_OK, PeerGroupUnregisterEvent(queue));
    is(Code::E_INVALIDARG, PeerGroupUnregisterEvent(queue));
    // SAFETY: ours.
    is(Code::E_INVALIDARG, unsafe { PeerGroupGetEventData(queue, &mut data) });
}

#[test]
fn snapshots_and_memory_outlive_the_library_but_handles_do_not() {
    let mut session = Session::started();
    let ann = identity("Ann");
    let group = group();
    let (_, handle, queue) = register(group, &[PEER_GROUP_EVENT_STATUS_CHANGED]);
    let mut members = ptr::null_mut();
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerGroupEnumMembers(group, 0, ptr::null(), &mut members) });
    let group_name = name(group);
    is(Code::S_OK, PeerGroupShutdown());
    session.started = 0;
    let (mut count, mut items) = (1, ptr::null_mut());
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerGetNextItem(members, &mut count, &mut items) });
    assert_eq!(count, 1);
    is(Code::S_OK, PeerEndEnumeration(members));
    PeerFreeData(items.cast());
    is(Code::S_OK, P2PSetEvent(handle));
    is(Code::PEER_E_NOT_INITIALIZED, PeerGroupUnregisterEvent(queue));
    session.start();
    is(Code::E_INVALIDARG, PeerGroupUnregisterEvent(queue));
    is(Code::PEER_E_INVALID_GROUP, PeerGroupClose(group));
    let (code, again) = open(&ann, &group_name);
    is(Code::S_OK, code);
    assert_ne!(again, group);
}
