//! Our layouts and values against those of Windows' own metadata. Sizes, alignments and places are compared when this
//! file is compiled; a difference does not build.

use core::mem::{align_of, offset_of, size_of};

use p2p_group::Guid;
use peergroup::layout as ours;
use windows_sys::Win32::Foundation as foundation;
use windows_sys::Win32::NetworkManagement::P2P as p2p;
use windows_sys::Win32::Networking::WinSock as winsock;
use windows_sys::Win32::Security::Cryptography as crypt;

macro_rules! same_layout {
    ($($ours:ty = $theirs:ty { $($field:ident $(= $($their:ident).+)?),* $(,)? })*) => {
        $(const _: () = {
            assert!(size_of::<$ours>() == size_of::<$theirs>());
            assert!(align_of::<$ours>() == align_of::<$theirs>());
            $(same_layout!(@place $ours, $theirs, $field $(= $($their).+)?);)*
        };)*
    };
    (@place $ours:ty, $theirs:ty, $field:ident) => {
        assert!(offset_of!($ours, $field) == offset_of!($theirs, $field));
    };
    (@place $ours:ty, $theirs:ty, $field:ident = $($their:ident).+) => {
        assert!(offset_of!($ours, $field) == offset_of!($theirs, $($their).+));
    };
}

same_layout! {
    ours::GUID = windows_sys::core::GUID { Data1 = data1, Data2 = data2, Data3 = data3, Data4 = data4 }
    ours::FILETIME = foundation::FILETIME { dwLowDateTime, dwHighDateTime }
    ours::SOCKADDR_IN6 = winsock::SOCKADDR_IN6 {
        sin6_family, sin6_port, sin6_flowinfo, sin6_addr, sin6_scope_id = Anonymous.sin6_scope_id,
    }
    ours::CRYPT_OBJID_BLOB = crypt::CRYPT_INTEGER_BLOB { cbData, pbData }
    ours::CRYPT_BIT_BLOB = crypt::CRYPT_BIT_BLOB { cbData, pbData, cUnusedBits }
    ours::CRYPT_ALGORITHM_IDENTIFIER = crypt::CRYPT_ALGORITHM_IDENTIFIER { pszObjId, Parameters }
    ours::CERT_PUBLIC_KEY_INFO = crypt::CERT_PUBLIC_KEY_INFO { Algorithm, PublicKey }
    ours::PEER_VERSION_DATA = p2p::PEER_VERSION_DATA { wVersion, wHighestVersion }
    ours::PEER_DATA = p2p::PEER_DATA { cbData, pbData }
    ours::PEER_ADDRESS = p2p::PEER_ADDRESS { dwSize, sin6 }
    ours::PEER_CONNECTION_INFO = p2p::PEER_CONNECTION_INFO {
        dwSize, dwFlags, ullConnectionId, ullNodeId, pwzPeerId, address,
    }
    ours::PEER_NAME_PAIR = p2p::PEER_NAME_PAIR { dwSize, pwzPeerName, pwzFriendlyName }
    ours::PEER_GROUP_PROPERTIES = p2p::PEER_GROUP_PROPERTIES {
        dwSize, dwFlags, pwzCloud, pwzClassifier, pwzGroupPeerName, pwzCreatorPeerName, pwzFriendlyName, pwzComment,
        ulMemberDataLifetime, ulPresenceLifetime, dwAuthenticationSchemes, pwzGroupPassword, groupPasswordRole,
    }
    ours::PEER_CREDENTIAL_INFO = p2p::PEER_CREDENTIAL_INFO {
        dwSize, dwFlags, pwzFriendlyName, pPublicKey, pwzIssuerPeerName, pwzIssuerFriendlyName, ftValidityStart,
        ftValidityEnd, cRoles, pRoles,
    }
    ours::PEER_MEMBER = p2p::PEER_MEMBER {
        dwSize, dwFlags, pwzIdentity, pwzAttributes, ullNodeId, cAddresses, pAddresses, pCredentialInfo,
    }
    ours::PEER_INVITATION_INFO = p2p::PEER_INVITATION_INFO {
        dwSize, dwFlags, pwzCloudName, dwScope, dwCloudFlags, pwzGroupPeerName, pwzIssuerPeerName, pwzSubjectPeerName,
        pwzGroupFriendlyName, pwzIssuerFriendlyName, pwzSubjectFriendlyName, ftValidityStart, ftValidityEnd, cRoles,
        pRoles, cClassifiers, ppwzClassifiers, pSubjectPublicKey, authScheme,
    }
    ours::PEER_GROUP_EVENT_REGISTRATION = p2p::PEER_GROUP_EVENT_REGISTRATION { eventType, pType }
    ours::PEER_EVENT_INCOMING_DATA = p2p::PEER_EVENT_INCOMING_DATA { dwSize, ullConnectionId, r#type, data }
    ours::PEER_EVENT_RECORD_CHANGE_DATA = p2p::PEER_EVENT_RECORD_CHANGE_DATA {
        dwSize, changeType, recordId, recordType,
    }
    ours::PEER_EVENT_CONNECTION_CHANGE_DATA = p2p::PEER_EVENT_CONNECTION_CHANGE_DATA {
        dwSize, status, ullConnectionId, ullNodeId, ullNextConnectionId, hrConnectionFailedReason,
    }
    ours::PEER_EVENT_MEMBER_CHANGE_DATA = p2p::PEER_EVENT_MEMBER_CHANGE_DATA { dwSize, changeType, pwzIdentity }
    ours::PEER_GROUP_EVENT_PAYLOAD = p2p::PEER_GROUP_EVENT_DATA_0 {
        dwStatus, incomingData, recordChangeData, connectionChangeData, memberChangeData, hrConnectionFailedReason,
    }
    ours::PEER_GROUP_EVENT_DATA = p2p::PEER_GROUP_EVENT_DATA { eventType, payload = Anonymous }
}

macro_rules! same_values {
    ($($name:ident)*) => { $(const _: () = assert!(ours::$name as i64 == p2p::$name as i64);)* };
}

same_values! {
    PEER_GROUP_EVENT_STATUS_CHANGED PEER_GROUP_EVENT_PROPERTY_CHANGED PEER_GROUP_EVENT_RECORD_CHANGED
    PEER_GROUP_EVENT_DIRECT_CONNECTION PEER_GROUP_EVENT_NEIGHBOR_CONNECTION PEER_GROUP_EVENT_INCOMING_DATA
    PEER_GROUP_EVENT_MEMBER_CHANGED PEER_GROUP_EVENT_CONNECTION_FAILED PEER_GROUP_EVENT_AUTHENTICATION_FAILED
    PEER_GROUP_STATUS_LISTENING PEER_GROUP_STATUS_HAS_CONNECTIONS PEER_CONNECTED PEER_DISCONNECTED
    PEER_CONNECTION_FAILED PEER_CONNECTION_NEIGHBOR PEER_CONNECTION_DIRECT PEER_MEMBER_DATA_OPTIONAL
    PEER_DISABLE_PRESENCE PEER_DEFER_EXPIRATION PEER_GROUP_GMC_AUTHENTICATION PEER_GROUP_PASSWORD_AUTHENTICATION
    PEER_GROUP_STORE_CREDENTIALS PEER_MEMBER_PRESENT PEER_MEMBER_CONNECTED PEER_MEMBER_DISCONNECTED PEER_MEMBER_UPDATED PEER_MEMBER_JOINED
    PEER_MEMBER_LEFT
}

const _: () = assert!(ours::P2P_AF_INET6 == winsock::AF_INET6);

/// A description of each structure's pre-Vista end; types with it are accepted in both sizes.
const _: () =
    assert!(ours::PEER_GROUP_PROPERTIES::OLD_SIZE == if size_of::<usize>() == 8 { 64 } else { 40 });

/// Every code of ours that Windows' metadata has too, under the same name.
#[test]
fn codes_have_the_values_of_windows() {
    macro_rules! codes {
        ($from:ident: $($name:ident)*) => { [$((stringify!($name), $from::$name)),*] };
    }
    let general = codes!(foundation: S_OK E_INVALIDARG E_OUTOFMEMORY E_ACCESSDENIED E_HANDLE E_UNEXPECTED E_NOTIMPL);
    let derived = codes!(p2p: PEER_E_ALREADY_EXISTS PEER_E_CLIENT_INVALID_COMPARTMENT_ID PEER_E_CLOUD_DISABLED
        PEER_E_CLOUD_IS_DEAD PEER_E_CLOUD_IS_SEARCH_ONLY PEER_E_CLOUD_NOT_FOUND PEER_E_DISK_FULL
        PEER_E_DUPLICATE_PEER_NAME PEER_E_INVALID_IDENTITY PEER_E_NOT_FOUND PEER_E_TOO_MUCH_LOAD);
    let peer = codes!(foundation:
        PEER_S_GRAPH_DATA_CREATED PEER_S_NO_EVENT_DATA PEER_S_NO_CONNECTIVITY PEER_S_ALREADY_A_MEMBER
        PEER_S_ALREADY_CONNECTED PEER_S_SUBSCRIPTION_EXISTS PEER_E_IPV6_NOT_INSTALLED PEER_E_NOT_INITIALIZED
        PEER_E_CANNOT_START_SERVICE PEER_E_NOT_LICENSED PEER_E_INVALID_GRAPH PEER_E_DBNAME_CHANGED
        PEER_E_DUPLICATE_GRAPH PEER_E_GRAPH_NOT_READY PEER_E_GRAPH_SHUTTING_DOWN PEER_E_GRAPH_IN_USE
        PEER_E_INVALID_DATABASE PEER_E_TOO_MANY_ATTRIBUTES PEER_E_CONNECTION_NOT_FOUND PEER_E_CONNECT_SELF
        PEER_E_ALREADY_LISTENING PEER_E_NODE_NOT_FOUND PEER_E_CONNECTION_FAILED
        PEER_E_CONNECTION_NOT_AUTHENTICATED PEER_E_CONNECTION_REFUSED PEER_E_CLASSIFIER_TOO_LONG
        PEER_E_TOO_MANY_IDENTITIES PEER_E_NO_KEY_ACCESS PEER_E_GROUPS_EXIST PEER_E_RECORD_NOT_FOUND
        PEER_E_DATABASE_ACCESSDENIED PEER_E_DBINITIALIZATION_FAILED PEER_E_MAX_RECORD_SIZE_EXCEEDED
        PEER_E_DATABASE_ALREADY_PRESENT PEER_E_DATABASE_NOT_PRESENT PEER_E_IDENTITY_NOT_FOUND
        PEER_E_EVENT_HANDLE_NOT_FOUND PEER_E_INVALID_SEARCH PEER_E_INVALID_ATTRIBUTES
        PEER_E_INVITATION_NOT_TRUSTED PEER_E_CHAIN_TOO_LONG PEER_E_INVALID_TIME_PERIOD
        PEER_E_CIRCULAR_CHAIN_DETECTED PEER_E_CERT_STORE_CORRUPTED PEER_E_NO_CLOUD PEER_E_CLOUD_NAME_AMBIGUOUS
        PEER_E_INVALID_RECORD PEER_E_NOT_AUTHORIZED PEER_E_PASSWORD_DOES_NOT_MEET_POLICY
        PEER_E_DEFERRED_VALIDATION PEER_E_INVALID_GROUP_PROPERTIES PEER_E_INVALID_PEER_NAME
        PEER_E_INVALID_CLASSIFIER PEER_E_INVALID_FRIENDLY_NAME PEER_E_INVALID_ROLE_PROPERTY
        PEER_E_INVALID_CLASSIFIER_PROPERTY PEER_E_INVALID_RECORD_EXPIRATION PEER_E_INVALID_CREDENTIAL_INFO
        PEER_E_INVALID_CREDENTIAL PEER_E_INVALID_RECORD_SIZE PEER_E_UNSUPPORTED_VERSION PEER_E_GROUP_NOT_READY
        PEER_E_GROUP_IN_USE PEER_E_INVALID_GROUP PEER_E_NO_MEMBERS_FOUND PEER_E_NO_MEMBER_CONNECTIONS
        PEER_E_UNABLE_TO_LISTEN PEER_E_IDENTITY_DELETED PEER_E_SERVICE_NOT_AVAILABLE
        PEER_E_CANNOT_CONVERT_PEER_NAME PEER_E_INVALID_PEER_HOST_NAME PEER_E_NO_MORE
        PEER_E_PNRP_DUPLICATE_PEER_NAME PEER_E_CONTACT_NOT_FOUND PEER_E_INVITE_CANCELLED
        PEER_E_INVITE_RESPONSE_NOT_AVAILABLE PEER_E_NOT_SIGNED_IN PEER_E_PRIVACY_DECLINED PEER_E_TIMEOUT
        PEER_E_INVALID_ADDRESS PEER_E_FW_EXCEPTION_DISABLED PEER_E_FW_BLOCKED_BY_POLICY
        PEER_E_FW_BLOCKED_BY_SHIELDS_UP PEER_E_FW_DECLINED);
    let refusals = codes!(foundation:
        NTE_BAD_DATA NTE_BAD_SIGNATURE NTE_BAD_ALGID NTE_NO_KEY NTE_PERM NTE_BAD_PUBLIC_KEY NTE_BAD_KEYSET
        NTE_FAIL CRYPT_E_UNKNOWN_ALGO CRYPT_E_HASH_VALUE CRYPT_E_ISSUER_SERIALNUMBER CRYPT_E_SIGNER_NOT_FOUND
        CRYPT_E_BAD_LEN CRYPT_E_BAD_ENCODE CRYPT_E_FILE_ERROR CRYPT_E_SELF_SIGNED CRYPT_E_NO_MATCH
        CRYPT_E_NO_KEY_PROPERTY CRYPT_E_BAD_MSG CRYPT_E_NO_SIGNER CRYPT_E_REVOKED CRYPT_E_REVOCATION_OFFLINE
        CRYPT_E_SECURITY_SETTINGS CRYPT_E_NO_TRUSTED_SIGNER CRYPT_E_ASN1_EOD CRYPT_E_ASN1_CORRUPT
        CRYPT_E_ASN1_LARGE CRYPT_E_ASN1_CONSTRAINT CRYPT_E_ASN1_BADTAG TRUST_E_CERT_SIGNATURE
        TRUST_E_BASIC_CONSTRAINTS TRUST_E_NOSIGNATURE CERT_E_EXPIRED CERT_E_VALIDITYPERIODNESTING CERT_E_ROLE
        CERT_E_PATHLENCONST CERT_E_CRITICAL CERT_E_PURPOSE CERT_E_ISSUERCHAINING CERT_E_MALFORMED
        CERT_E_UNTRUSTEDROOT CERT_E_CHAINING CERT_E_REVOKED CERT_E_CN_NO_MATCH CERT_E_WRONG_USAGE
        TRUST_E_EXPLICIT_DISTRUST CERT_E_INVALID_POLICY CERT_E_INVALID_NAME);
    let peer = general.into_iter().chain(derived).chain(peer);
    for (name, value) in peer.chain(refusals) {
        let code = p2p_group::Code::all().find(|code| code.0 == value);
        assert_eq!(code.and_then(|code| code.name()), Some(name), "{value:#X}");
    }
}

#[test]
fn roles_are_those_of_windows() {
    for theirs in [
        p2p::PEER_GROUP_ROLE_ADMIN,
        p2p::PEER_GROUP_ROLE_INVITING_MEMBER,
        p2p::PEER_GROUP_ROLE_MEMBER,
    ] {
        let ours = ours::GUID {
            Data1: theirs.data1,
            Data2: theirs.data2,
            Data3: theirs.data3,
            Data4: theirs.data4,
        };
        assert!(p2p_group::Roles::from_guid(Guid::from(ours)).is_some());
    }
}

/// Ours, which Windows does not have: as `p2p.h` asserts them for C.
#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<ours::P2P_STATISTIC>() == 32);
    assert!(offset_of!(ours::P2P_STATISTIC, ullValue) == 24);
    assert!(size_of::<ours::P2P_STATISTICS>() == 16);
    assert!(offset_of!(ours::P2P_STATISTICS, pStatistics) == 8);
};
