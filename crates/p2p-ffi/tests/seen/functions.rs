//! Each exported function that returns a code.

use core::ffi::c_void;

use peergroup::layout::*;
#[allow(unused_imports, reason = "the C programs call for themselves")]
pub(crate) use peergroup::*;

use super::note;

/// The functions with the header's parameters in their order.
macro_rules! seen {
    (@one ($($unsafe:tt)?) $name:ident($($arg:ident: $type:ty),*)) => {
        #[allow(dead_code, non_snake_case, clippy::too_many_arguments, reason = "as in the header")]
        pub(crate) $($unsafe)? fn $name($($arg: $type),*) -> i32 {
            #[allow(unused_unsafe, reason = "some are safe")]
            // SAFETY: the caller's promise, handed on.
            let code = unsafe { peergroup::$name($($arg),*) };
            note(stringify!($name), code);
            code
        }
    };
    (safe { $($safe:ident $args:tt;)* } unsafe { $($unsafe:ident $more:tt;)* }) => {
        $(seen!(@one () $safe $args);)*
        $(seen!(@one (unsafe) $unsafe $more);)*
    };
}

seen! {
safe {
    PeerGroupShutdown();
    PeerGroupConnect(a: HGROUP);
    PeerGroupClose(a: HGROUP);
    PeerGroupResumePasswordAuthentication(a: HGROUP, b: HPEEREVENT);
    PeerGroupCloseDirectConnection(a: HGROUP, b: u64);
    PeerGroupUnregisterEvent(a: HPEEREVENT);
    PeerEndEnumeration(a: HPEERENUM);
    P2PSetEvent(a: HANDLE);
    P2PResetEvent(a: HANDLE);
    P2PWaitEvent(a: HANDLE, b: u32);
    P2PCloseEvent(a: HANDLE);
    P2PKeyRelease(a: HCRYPTPROV);
}
unsafe {
    PeerGroupStartup(a: u16, b: *mut PEER_VERSION_DATA);
    PeerIdentityCreate(a: PCWSTR, b: PCWSTR, c: HCRYPTPROV, d: *mut PWSTR);
    PeerIdentityDelete(a: PCWSTR);
    PeerIdentityGetXML(a: PCWSTR, b: *mut PWSTR);
    PeerIdentityGetFriendlyName(a: PCWSTR, b: *mut PWSTR);
    PeerIdentitySetFriendlyName(a: PCWSTR, b: PCWSTR);
    PeerIdentityGetDefault(a: *mut PWSTR);
    PeerIdentityGetCryptKey(a: PCWSTR, b: *mut HCRYPTPROV);
    PeerIdentityExport(a: PCWSTR, b: PCWSTR, c: *mut PWSTR);
    PeerIdentityImport(a: PCWSTR, b: PCWSTR, c: *mut PWSTR);
    PeerCreatePeerName(a: PCWSTR, b: PCWSTR, c: *mut PWSTR);
    PeerEnumIdentities(a: *mut HPEERENUM);
    PeerEnumGroups(a: PCWSTR, b: *mut HPEERENUM);
    PeerGroupCreate(a: *const PEER_GROUP_PROPERTIES, b: *mut HGROUP);
    PeerGroupOpen(a: PCWSTR, b: PCWSTR, c: PCWSTR, d: *mut HGROUP);
    PeerGroupJoin(a: PCWSTR, b: PCWSTR, c: PCWSTR, d: *mut HGROUP);
    PeerGroupConnectByAddress(a: HGROUP, b: u32, c: *const PEER_ADDRESS);
    PeerGroupDelete(a: PCWSTR, b: PCWSTR);
    PeerGroupGetProperties(a: HGROUP, b: *mut *mut PEER_GROUP_PROPERTIES);
    PeerGroupSetProperties(a: HGROUP, b: *const PEER_GROUP_PROPERTIES);
    PeerGroupGetStatus(a: HGROUP, b: *mut u32);
    PeerGroupCreateInvitation(a: HGROUP, b: PCWSTR, c: *const FILETIME, d: u32, e: *const GUID, f: *mut PWSTR);
    PeerGroupParseInvitation(a: PCWSTR, b: *mut *mut PEER_INVITATION_INFO);
    PeerGroupIssueCredentials(a: HGROUP, b: PCWSTR, c: *const PEER_CREDENTIAL_INFO, d: u32, e: *mut PWSTR);
    P2PGroupRevoke(a: HGROUP, b: PCWSTR, c: u32);
    P2PGroupDemote(a: HGROUP, b: PCWSTR, c: u32, d: *const PEER_ROLE_ID);
    PeerGroupCreatePasswordInvitation(a: HGROUP, b: *mut PWSTR);
    PeerGroupPasswordJoin(a: PCWSTR, b: PCWSTR, c: PCWSTR, d: PCWSTR, e: *mut HGROUP);
    PeerGroupExportConfig(a: HGROUP, b: PCWSTR, c: *mut PWSTR);
    PeerGroupImportConfig(a: PCWSTR, b: PCWSTR, c: BOOL, d: *mut PWSTR, e: *mut PWSTR);
    PeerGroupPeerTimeToUniversalTime(a: HGROUP, b: *const FILETIME, c: *mut FILETIME);
    PeerGroupUniversalTimeToPeerTime(a: HGROUP, b: *const FILETIME, c: *mut FILETIME);
    PeerGroupEnumMembers(a: HGROUP, b: u32, c: PCWSTR, d: *mut HPEERENUM);
    PeerGroupEnumConnections(a: HGROUP, b: u32, c: *mut HPEERENUM);
    PeerGroupOpenDirectConnection(a: HGROUP, b: PCWSTR, c: *const PEER_ADDRESS, d: *mut u64);
    PeerGroupSendData(a: HGROUP, b: u64, c: *const GUID, d: u32, e: *const c_void);
    PeerGroupRegisterEvent(a: HGROUP, b: HANDLE, c: u32, d: *const PEER_GROUP_EVENT_REGISTRATION, e: *mut HPEEREVENT);
    PeerGroupGetEventData(a: HPEEREVENT, b: *mut *mut PEER_GROUP_EVENT_DATA);
    PeerGetItemCount(a: HPEERENUM, b: *mut u32);
    PeerGetNextItem(a: HPEERENUM, b: *mut u32, c: *mut *mut *mut c_void);
    P2PGetStatistics(a: HGROUP, b: *mut *mut P2P_STATISTICS);
    P2PKeyGenerate(a: *mut HCRYPTPROV);
    P2PKeyImportPkcs8(a: *const u8, b: u32, c: *mut HCRYPTPROV);
}
}
