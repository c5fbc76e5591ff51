//! The types of `p2p.h` as they lie in memory.
//!
//! Names and order are the header's, so that each field can be looked up there (`include/p2p.h` describes it). The
//! layouts are compared with Windows' own metadata when the tests are compiled (`tests/layout.rs`).
#![allow(non_camel_case_types, non_snake_case, reason = "the names are those of the C header")]
#![allow(missing_docs, reason = "fields and constants are described once, in include/p2p.h")]

use core::ffi::{c_char, c_void};

use p2p_group::{Address, FileTime, Guid};

/// A 32-bit result; negative values are failures.
pub type HRESULT = i32;
/// A 32-bit truth value: 0, or anything else.
pub type BOOL = i32;
/// One UTF-16 unit.
pub type WCHAR = u16;
/// UTF-16 text ending in 0.
pub type PWSTR = *mut WCHAR;
/// UTF-16 text ending in 0, only read.
pub type PCWSTR = *const WCHAR;
/// An event object.
pub type HANDLE = *mut c_void;
/// An open group.
pub type HGROUP = *mut c_void;
/// A queue of events.
pub type HPEEREVENT = *mut c_void;
/// A snapshot being read.
pub type HPEERENUM = *mut c_void;
/// A key pair; 0 is none.
pub type HCRYPTPROV = usize;
/// A role.
pub type PEER_ROLE_ID = GUID;
/// What an event is about: `PEER_GROUP_EVENT_*`.
pub type PEER_GROUP_EVENT_TYPE = i32;
/// How members prove themselves: `PEER_GROUP_*_AUTHENTICATION`.
pub type PEER_GROUP_AUTHENTICATION_SCHEME = i32;

pub const PEER_GROUP_VERSION: u16 = 0x0101;
/// The address family of `PEER_ADDRESS`, on every system the one of Windows.
pub const P2P_AF_INET6: u16 = 23;
/// Wait without an end.
pub const INFINITE: u32 = 0xFFFF_FFFF;

pub const PEER_GROUP_EVENT_STATUS_CHANGED: PEER_GROUP_EVENT_TYPE = 1;
pub const PEER_GROUP_EVENT_PROPERTY_CHANGED: PEER_GROUP_EVENT_TYPE = 2;
pub const PEER_GROUP_EVENT_RECORD_CHANGED: PEER_GROUP_EVENT_TYPE = 3;
pub const PEER_GROUP_EVENT_DIRECT_CONNECTION: PEER_GROUP_EVENT_TYPE = 4;
pub const PEER_GROUP_EVENT_NEIGHBOR_CONNECTION: PEER_GROUP_EVENT_TYPE = 5;
pub const PEER_GROUP_EVENT_INCOMING_DATA: PEER_GROUP_EVENT_TYPE = 6;
pub const PEER_GROUP_EVENT_MEMBER_CHANGED: PEER_GROUP_EVENT_TYPE = 8;
pub const PEER_GROUP_EVENT_CONNECTION_FAILED: PEER_GROUP_EVENT_TYPE = 10;
pub const PEER_GROUP_EVENT_AUTHENTICATION_FAILED: PEER_GROUP_EVENT_TYPE = 11;

pub const PEER_GROUP_STATUS_LISTENING: u32 = 1;
pub const PEER_GROUP_STATUS_HAS_CONNECTIONS: u32 = 2;

pub const PEER_CONNECTED: i32 = 1;
pub const PEER_DISCONNECTED: i32 = 2;
pub const PEER_CONNECTION_FAILED: i32 = 3;

pub const PEER_CONNECTION_NEIGHBOR: u32 = 1;
pub const PEER_CONNECTION_DIRECT: u32 = 2;

pub const PEER_MEMBER_DATA_OPTIONAL: u32 = 1;
pub const PEER_DISABLE_PRESENCE: u32 = 2;
pub const PEER_DEFER_EXPIRATION: u32 = 4;

pub const PEER_GROUP_GMC_AUTHENTICATION: PEER_GROUP_AUTHENTICATION_SCHEME = 1;
pub const PEER_GROUP_PASSWORD_AUTHENTICATION: PEER_GROUP_AUTHENTICATION_SCHEME = 2;

pub const PEER_MEMBER_PRESENT: u32 = 1;

pub const PEER_GROUP_STORE_CREDENTIALS: u32 = 1;

pub const PEER_MEMBER_CONNECTED: i32 = 1;
pub const PEER_MEMBER_DISCONNECTED: i32 = 2;
pub const PEER_MEMBER_UPDATED: i32 = 3;
pub const PEER_MEMBER_JOINED: i32 = 4;
pub const PEER_MEMBER_LEFT: i32 = 5;

/// A 16-byte identifier; the first three fields are numbers in the machine's byte order.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GUID {
    pub Data1: u32,
    pub Data2: u16,
    pub Data3: u16,
    pub Data4: [u8; 8],
}

impl From<Guid> for GUID {
    fn from(guid: Guid) -> GUID {
        let v = u128::from_be_bytes(guid.0);
        GUID {
            Data1: (v >> 96) as u32,
            Data2: (v >> 80) as u16,
            Data3: (v >> 64) as u16,
            Data4: (v as u64).to_be_bytes(),
        }
    }
}

impl From<GUID> for Guid {
    fn from(guid: GUID) -> Guid {
        let high = u128::from(guid.Data1) << 96
            | u128::from(guid.Data2) << 80
            | u128::from(guid.Data3) << 64;
        Guid::from_u128(high | u128::from(u64::from_be_bytes(guid.Data4)))
    }
}

/// 100-nanosecond intervals since 1601, as two halves.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FILETIME {
    pub dwLowDateTime: u32,
    pub dwHighDateTime: u32,
}

impl From<FileTime> for FILETIME {
    fn from(time: FileTime) -> FILETIME {
        FILETIME { dwLowDateTime: time.0 as u32, dwHighDateTime: (time.0 >> 32) as u32 }
    }
}

impl From<FILETIME> for FileTime {
    fn from(time: FILETIME) -> FileTime {
        FileTime(u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime))
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PEER_VERSION_DATA {
    pub wVersion: u16,
    pub wHighestVersion: u16,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PEER_DATA {
    pub cbData: u32,
    pub pbData: *mut u8,
}

/// An IPv6 endpoint in the layout of Windows: never the system's own `sockaddr_in6`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SOCKADDR_IN6 {
    pub sin6_family: u16,
    /// In network byte order.
    pub sin6_port: u16,
    /// In network byte order.
    pub sin6_flowinfo: u32,
    pub sin6_addr: [u8; 16],
    pub sin6_scope_id: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PEER_ADDRESS {
    pub dwSize: u32,
    pub sin6: SOCKADDR_IN6,
}

impl From<Address> for PEER_ADDRESS {
    fn from(address: Address) -> PEER_ADDRESS {
        let sin6 = SOCKADDR_IN6 {
            sin6_family: P2P_AF_INET6,
            sin6_port: address.port.to_be(),
            sin6_flowinfo: 0,
            sin6_addr: address.ip.octets(),
            sin6_scope_id: address.scope,
        };
        PEER_ADDRESS { dwSize: size_of::<PEER_ADDRESS>() as u32, sin6 }
    }
}

impl PEER_ADDRESS {
    /// The endpoint, if the structure has its size and family and can be dialled.
    pub fn to_address(&self) -> Option<Address> {
        let sin6 = &self.sin6;
        let well_formed =
            self.dwSize as usize == size_of::<PEER_ADDRESS>() && sin6.sin6_family == P2P_AF_INET6;
        let address = Address {
            ip: sin6.sin6_addr.into(),
            port: u16::from_be(sin6.sin6_port),
            scope: sin6.sin6_scope_id,
        };
        (well_formed && address.is_dialable()).then_some(address)
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PEER_CONNECTION_INFO {
    pub dwSize: u32,
    pub dwFlags: u32,
    pub ullConnectionId: u64,
    pub ullNodeId: u64,
    pub pwzPeerId: PWSTR,
    pub address: PEER_ADDRESS,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PEER_NAME_PAIR {
    pub dwSize: u32,
    pub pwzPeerName: PWSTR,
    pub pwzFriendlyName: PWSTR,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PEER_GROUP_PROPERTIES {
    pub dwSize: u32,
    pub dwFlags: u32,
    pub pwzCloud: PWSTR,
    pub pwzClassifier: PWSTR,
    pub pwzGroupPeerName: PWSTR,
    pub pwzCreatorPeerName: PWSTR,
    pub pwzFriendlyName: PWSTR,
    pub pwzComment: PWSTR,
    pub ulMemberDataLifetime: u32,
    pub ulPresenceLifetime: u32,
    pub dwAuthenticationSchemes: u32,
    pub pwzGroupPassword: PWSTR,
    pub groupPasswordRole: PEER_ROLE_ID,
}

impl PEER_GROUP_PROPERTIES {
    /// The size of the structure before Windows Vista: up to and including `ulPresenceLifetime`.
    pub const OLD_SIZE: usize =
        core::mem::offset_of!(PEER_GROUP_PROPERTIES, dwAuthenticationSchemes);
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CRYPT_OBJID_BLOB {
    pub cbData: u32,
    pub pbData: *mut u8,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CRYPT_BIT_BLOB {
    pub cbData: u32,
    pub pbData: *mut u8,
    pub cUnusedBits: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CRYPT_ALGORITHM_IDENTIFIER {
    pub pszObjId: *mut c_char,
    pub Parameters: CRYPT_OBJID_BLOB,
}

/// A public key: its algorithm as dotted numbers, and the contents of its BIT STRING (RFC 5280 §4.1).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CERT_PUBLIC_KEY_INFO {
    pub Algorithm: CRYPT_ALGORITHM_IDENTIFIER,
    pub PublicKey: CRYPT_BIT_BLOB,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PEER_CREDENTIAL_INFO {
    pub dwSize: u32,
    pub dwFlags: u32,
    pub pwzFriendlyName: PWSTR,
    pub pPublicKey: *mut CERT_PUBLIC_KEY_INFO,
    pub pwzIssuerPeerName: PWSTR,
    pub pwzIssuerFriendlyName: PWSTR,
    pub ftValidityStart: FILETIME,
    pub ftValidityEnd: FILETIME,
    pub cRoles: u32,
    pub pRoles: *mut PEER_ROLE_ID,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PEER_MEMBER {
    pub dwSize: u32,
    pub dwFlags: u32,
    pub pwzIdentity: PWSTR,
    pub pwzAttributes: PWSTR,
    pub ullNodeId: u64,
    pub cAddresses: u32,
    pub pAddresses: *mut PEER_ADDRESS,
    pub pCredentialInfo: *mut PEER_CREDENTIAL_INFO,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PEER_INVITATION_INFO {
    pub dwSize: u32,
    pub dwFlags: u32,
    pub pwzCloudName: PWSTR,
    pub dwScope: u32,
    pub dwCloudFlags: u32,
    pub pwzGroupPeerName: PWSTR,
    pub pwzIssuerPeerName: PWSTR,
    pub pwzSubjectPeerName: PWSTR,
    pub pwzGroupFriendlyName: PWSTR,
    pub pwzIssuerFriendlyName: PWSTR,
    pub pwzSubjectFriendlyName: PWSTR,
    pub ftValidityStart: FILETIME,
    pub ftValidityEnd: FILETIME,
    pub cRoles: u32,
    pub pRoles: *mut PEER_ROLE_ID,
    pub cClassifiers: u32,
    pub ppwzClassifiers: *mut PWSTR,
    pub pSubjectPublicKey: *mut CERT_PUBLIC_KEY_INFO,
    pub authScheme: PEER_GROUP_AUTHENTICATION_SCHEME,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PEER_GROUP_EVENT_REGISTRATION {
    pub eventType: PEER_GROUP_EVENT_TYPE,
    pub pType: *const GUID,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PEER_EVENT_INCOMING_DATA {
    pub dwSize: u32,
    pub ullConnectionId: u64,
    pub r#type: GUID,
    pub data: PEER_DATA,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PEER_EVENT_RECORD_CHANGE_DATA {
    pub dwSize: u32,
    pub changeType: i32,
    pub recordId: GUID,
    pub recordType: GUID,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PEER_EVENT_CONNECTION_CHANGE_DATA {
    pub dwSize: u32,
    pub status: i32,
    pub ullConnectionId: u64,
    pub ullNodeId: u64,
    pub ullNextConnectionId: u64,
    pub hrConnectionFailedReason: HRESULT,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PEER_EVENT_MEMBER_CHANGE_DATA {
    pub dwSize: u32,
    pub changeType: i32,
    pub pwzIdentity: PWSTR,
}

/// What an event carries; which field it is, `eventType` says.
#[repr(C)]
#[derive(Clone, Copy)]
pub union PEER_GROUP_EVENT_PAYLOAD {
    pub dwStatus: u32,
    pub incomingData: PEER_EVENT_INCOMING_DATA,
    pub recordChangeData: PEER_EVENT_RECORD_CHANGE_DATA,
    pub connectionChangeData: PEER_EVENT_CONNECTION_CHANGE_DATA,
    pub memberChangeData: PEER_EVENT_MEMBER_CHANGE_DATA,
    pub hrConnectionFailedReason: HRESULT,
}

impl PEER_GROUP_EVENT_PAYLOAD {
    /// For events that carry nothing.
    pub const NONE: PEER_GROUP_EVENT_PAYLOAD = {
        // SAFETY: numbers and pointers, for which zeros are fine.
        unsafe { core::mem::zeroed() }
    };
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct PEER_GROUP_EVENT_DATA {
    pub eventType: PEER_GROUP_EVENT_TYPE,
    pub payload: PEER_GROUP_EVENT_PAYLOAD,
}

pub const P2P_STATISTIC_COUNTER: u32 = 1;

/// One figure of [`P2P_STATISTICS`]. Ours.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct P2P_STATISTIC {
    pub pwzName: PWSTR,
    pub pwzMeaning: PWSTR,
    pub dwFlags: u32,
    pub ullValue: u64,
}

/// What `P2PGetStatistics` gives. Ours.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct P2P_STATISTICS {
    pub dwSize: u32,
    pub cStatistics: u32,
    pub pStatistics: *mut P2P_STATISTIC,
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::SocketAddr;

    #[test]
    fn a_guid_survives_the_round_trip_and_its_first_fields_are_numbers() {
        let guid = Guid::from_u128(0x04387127_aa56_450a_8ce5_4f565c6790f4);
        let c = GUID::from(guid);
        assert_eq!((c.Data1, c.Data2, c.Data3, c.Data4[0]), (0x04387127, 0xaa56, 0x450a, 0x8c));
        assert_eq!(Guid::from(c), guid);
    }

    #[test]
    fn a_file_time_keeps_both_halves() {
        let time = FileTime(0x0123_4567_89ab_cdef);
        assert_eq!(FILETIME::from(time).dwLowDateTime, 0x89ab_cdef);
        assert_eq!(FileTime::from(FILETIME::from(time)), time);
    }

    #[test]
    fn an_address_is_taken_only_whole_and_dialable() {
        let good = PEER_ADDRESS::from(Address::from("[::1]:3587".parse::<SocketAddr>().unwrap()));
        assert_eq!(good.to_address().unwrap().port, 3587);
        let bad: [fn(&mut PEER_ADDRESS); 5] = [
            |a| a.dwSize = 31,
            |a| a.sin6.sin6_family = 2,
            |a| a.sin6.sin6_port = 0,
            |a| a.sin6.sin6_addr = [0; 16],
            |a| a.sin6.sin6_addr[0] = 0xff,
        ];
        for spoil in bad {
            let mut address = good;
            spoil(&mut address);
            assert_eq!(address.to_address(), None);
        }
    }
}
