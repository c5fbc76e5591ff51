//! Every code that the exported functions document, brought about through the exported functions.
//!
//! The library is one per process and its environment too, so each test holds one lock for as long as it runs.

mod admin;
mod config;
mod direct;
mod events;
/// The second maker of certificates, which shares no line with the library.
#[path = "../../../p2p-crypto/tests/forge/mod.rs"]
mod forge;
mod full;
mod group_time;
mod groups;
mod identities;
mod invitations;
mod keyless;
mod keys;
mod memory;
mod password;
mod portable;
mod properties;
mod refusals;
#[path = "../seen/mod.rs"]
mod seen;
mod sharing;
mod startup;
mod storage;

use core::ffi::c_void;
use core::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use p2p_group::{Code, Roles};
use peergroup::layout::*;
use seen::functions::*;
use tempfile::TempDir;

/// A home of its own, and the library started once.
struct Session {
    home: TempDir,
    started: u32,
    _alone: MutexGuard<'static, ()>,
}

impl Session {
    #[allow(clippy::disallowed_methods, reason = "the C interface has no other way to be told")]
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

/// Text of the library.
fn read(text: PWSTR) -> String {
    assert!(!text.is_null());
    // SAFETY: text of the library ends in 0.
    let units: Vec<u16> =
        unsafe { (0..).map(|index| *text.add(index)).take_while(|unit| *unit != 0).collect() };
    String::from_utf16(&units).unwrap()
}

/// What a function gave, read and freed.
fn take(text: PWSTR) -> String {
    let read = read(text);
    PeerFreeData(text.cast());
    read
}

/// The default identity.
fn default_name() -> (HRESULT, Option<String>) {
    let mut name = ptr::dangling_mut();
    // SAFETY: ours.
    let code = unsafe { PeerIdentityGetDefault(&mut name) };
    (code, if name.is_null() { None } else { Some(take(name)) })
}

/// Gives every file of this name below `folder` another content, or deletes it.
fn spoil(folder: &std::path::Path, name: &str, content: Option<&[u8]>) {
    let (mut folders, mut spoilt) = (vec![folder.to_owned()], 0);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|found| found == name) {
                match content {
                    Some(content) => std::fs::write(path, content).unwrap(),
                    None => std::fs::remove_file(path).unwrap(),
                }
                spoilt += 1;
            }
        }
    }
    assert!(spoilt > 0, "no file is called {name}");
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
