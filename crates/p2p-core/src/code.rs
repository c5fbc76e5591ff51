//! Every HRESULT this project speaks: one table.
//!
//! An HRESULT is 32 bits: bit 31 is set for failures, bits 16 to 26 name the facility (0x63 is peer networking, 7 is
//! Win32, 9 and 11 are cryptography and certificates), bits 0 to 15 the code. Names and values are those of the Windows
//! SDK headers, so that a program can compare what it gets here with what it got there.

use core::fmt;

/// An HRESULT: a result with its name and its meaning. Negative values are failures.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub i32);

impl Code {
    /// Whether this is a success code (there are several: compare by value).
    pub const fn is_success(self) -> bool {
        self.0 >= 0
    }

    /// The name in the Windows headers, or `None` for a value that is not in the table.
    pub fn name(self) -> Option<&'static str> {
        TABLE.iter().find(|row| row.0 == self).map(|row| row.1)
    }

    /// What the code means, in one sentence; empty for a value that is not in the table.
    pub fn meaning(self) -> &'static str {
        TABLE.iter().find(|row| row.0 == self).map_or("", |row| row.2)
    }

    /// Every code of the table, in the order of the source.
    pub fn all() -> impl Iterator<Item = Code> {
        TABLE.iter().map(|row| row.0)
    }
}

impl fmt::Display for Code {
    /// `PEER_E_CONNECTION_NOT_FOUND (0x80630103)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({:#010X})", self.0 as u32),
            None => write!(f, "{:#010X}", self.0 as u32),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! codes {
    ($($name:ident = $value:literal, $meaning:literal;)*) => {
        impl Code {
            $(#[doc = $meaning] pub const $name: Code = Code($value as u32 as i32);)*
        }
        const TABLE: &[(Code, &str, &str)] = &[$((Code::$name, stringify!($name), $meaning),)*];
    };
}

codes! {
    S_OK = 0x0000_0000, "Success.";
    E_INVALIDARG = 0x8007_0057, "A pointer that may not be null is null, a length or flag is out of range, or a structure size is wrong.";
    E_OUTOFMEMORY = 0x8007_000E, "An allocation failed, or a bounded internal queue is full.";
    E_ACCESSDENIED = 0x8007_0005, "The operating system refused access to the stored data.";
    E_HANDLE = 0x8007_0006, "A handle is not usable. The same number as ERROR_INVALID_HANDLE.";
    E_UNEXPECTED = 0x8000_FFFF, "Internal failure; also what a caught Rust panic becomes at the C boundary.";
    E_NOTIMPL = 0x8000_4001, "Entry point exists but has no behaviour here (undocumented exports).";
    ERROR_INVALID_HANDLE = 0x8007_0006, "The key provider is not one of ours.";
    ERROR_DELETE_PENDING = 0x8007_012F, "The identity is deleted or being deleted.";
    ERROR_SERVICE_DEPENDENCY_FAIL = 0x8007_042C, "A service that the library depends on is not running.";
    ERROR_FILE_NOT_FOUND = 0x8007_0002, "The file does not exist.";
    ERROR_PATH_NOT_FOUND = 0x8007_0003, "A folder on the way to the file does not exist.";
    ERROR_SHARING_VIOLATION = 0x8007_0020, "Another process holds the file.";
    ERROR_FILE_EXISTS = 0x8007_0050, "The file exists already.";
    ERROR_WRITE_PROTECT = 0x8007_0013, "The file system may only be read.";
    ERROR_FILENAME_EXCED_RANGE = 0x8007_00CE, "The file name is too long.";
    ERROR_IO_DEVICE = 0x8007_045D, "The system could not read or write.";
    ERROR_INVALID_PASSWORD = 0x8007_0056, "The password is wrong.";
    ERROR_CANCELLED = 0x8007_04C7, "The call was cancelled.";
    PEER_S_GRAPH_DATA_CREATED = 0x0063_0001, "Graph API: opened, but a fresh database had to be created.";
    PEER_S_NO_EVENT_DATA = 0x0063_0002, "The event queue is empty. A SUCCESS code: test for it by value.";
    PEER_S_NO_CONNECTIVITY = 0x0063_0005, "Collab API.";
    PEER_S_ALREADY_A_MEMBER = 0x0063_0006, "Password join by an identity that is already a member. A success code; the handle is valid.";
    PEER_S_ALREADY_CONNECTED = 0x0063_2000, "Already connected; nothing done. A success code.";
    PEER_S_SUBSCRIPTION_EXISTS = 0x0063_6000, "Collab API.";
    PEER_E_DISK_FULL = 0x8007_0070, "The disk is full.";
    PEER_E_ALREADY_EXISTS = 0x8007_00B7, "The item is already stored.";
    PEER_E_NOT_FOUND = 0x8007_0490, "The named identity or group does not exist here.";
    PEER_E_CLOUD_NOT_FOUND = 0x8007_2CED, "WSA PNRP 11501.";
    PEER_E_CLOUD_DISABLED = 0x8007_2CEE, "WSA PNRP 11502.";
    PEER_E_INVALID_IDENTITY = 0x8007_2CEF, "WSA PNRP 11503.";
    PEER_E_TOO_MUCH_LOAD = 0x8007_2CF0, "WSA PNRP 11504.";
    PEER_E_CLOUD_IS_SEARCH_ONLY = 0x8007_2CF1, "WSA PNRP 11505.";
    PEER_E_CLIENT_INVALID_COMPARTMENT_ID = 0x8007_2CF2, "WSA PNRP 11506.";
    PEER_E_DUPLICATE_PEER_NAME = 0x8007_2CF4, "WSA PNRP 11508.";
    PEER_E_CLOUD_IS_DEAD = 0x8007_2CF5, "WSA PNRP 11509.";
    PEER_E_IPV6_NOT_INSTALLED = 0x8063_0001, "The host has no IPv6 stack.";
    PEER_E_NOT_INITIALIZED = 0x8063_0002, "The matching Startup function has not been called (or its last Shutdown has already run).";
    PEER_E_CANNOT_START_SERVICE = 0x8063_0003, "A background service the library depends on could not be started.";
    PEER_E_NOT_LICENSED = 0x8063_0004, "This edition of the system may not use peer networking. Never returned here.";
    PEER_E_INVALID_GRAPH = 0x8063_0010, "Graph handle not valid (graph API only).";
    PEER_E_DBNAME_CHANGED = 0x8063_0011, "Graph reopened in one process under another database name (graph API only).";
    PEER_E_DUPLICATE_GRAPH = 0x8063_0012, "Graph id already used in this process (graph API only).";
    PEER_E_GRAPH_NOT_READY = 0x8063_0013, "Graph twin of PEER_E_GROUP_NOT_READY.";
    PEER_E_GRAPH_SHUTTING_DOWN = 0x8063_0014, "Graph close is in progress.";
    PEER_E_GRAPH_IN_USE = 0x8063_0015, "Graph twin of PEER_E_GROUP_IN_USE.";
    PEER_E_INVALID_DATABASE = 0x8063_0016, "The database file belongs to another graph/group.";
    PEER_E_TOO_MANY_ATTRIBUTES = 0x8063_0017, "A record carries more attributes than allowed.";
    PEER_E_CONNECTION_NOT_FOUND = 0x8063_0103, "No live connection of the required kind has this id in this group.";
    PEER_E_CONNECT_SELF = 0x8063_0106, "A direct connection to oneself was requested.";
    PEER_E_ALREADY_LISTENING = 0x8063_0107, "This node already listens.";
    PEER_E_NODE_NOT_FOUND = 0x8063_0108, "No node with that id is known (graph API).";
    PEER_E_CONNECTION_FAILED = 0x8063_0109, "The connection attempt to the remote node did not succeed, or an established link broke.";
    PEER_E_CONNECTION_NOT_AUTHENTICATED = 0x8063_010A, "The link went down, or was refused, while the two ends were authenticating.";
    PEER_E_CONNECTION_REFUSED = 0x8063_010B, "The remote end answered and declined (full, duplicate, or not accepting this kind of connection).";
    PEER_E_CLASSIFIER_TOO_LONG = 0x8063_0201, "Classifier longer than 149 UTF-16 units.";
    PEER_E_TOO_MANY_IDENTITIES = 0x8063_0202, "The identity store is full.";
    PEER_E_NO_KEY_ACCESS = 0x8063_0203, "The private-key storage cannot be read or written (usually wrong permissions).";
    PEER_E_GROUPS_EXIST = 0x8063_0204, "The identity still owns or belongs to groups.";
    PEER_E_RECORD_NOT_FOUND = 0x8063_0301, "No live record has that id.";
    PEER_E_DATABASE_ACCESSDENIED = 0x8063_0302, "The record database may not be opened.";
    PEER_E_DBINITIALIZATION_FAILED = 0x8063_0303, "The record database could not be opened or migrated.";
    PEER_E_MAX_RECORD_SIZE_EXCEEDED = 0x8063_0304, "The record is larger than the group allows.";
    PEER_E_DATABASE_ALREADY_PRESENT = 0x8063_0305, "A database for that graph/identity already exists (graph API).";
    PEER_E_DATABASE_NOT_PRESENT = 0x8063_0306, "The database does not exist (graph API).";
    PEER_E_IDENTITY_NOT_FOUND = 0x8063_0401, "The identity is not known locally or in the group database.";
    PEER_E_EVENT_HANDLE_NOT_FOUND = 0x8063_0501, "Unknown event registration handle. The grouping functions report E_INVALIDARG instead.";
    PEER_E_INVALID_SEARCH = 0x8063_0601, "The search XML does not follow the query schema.";
    PEER_E_INVALID_ATTRIBUTES = 0x8063_0602, "The attribute XML does not follow the attribute schema.";
    PEER_E_INVITATION_NOT_TRUSTED = 0x8063_0701, "The invitation is altered, malformed, or does not chain to the group.";
    PEER_E_CHAIN_TOO_LONG = 0x8063_0703, "Membership chain would exceed 24 certificates.";
    PEER_E_INVALID_TIME_PERIOD = 0x8063_0705, "Validity window is not acceptable: inverted, in the past, not yet begun, or outside the issuer's own window.";
    PEER_E_CIRCULAR_CHAIN_DETECTED = 0x8063_0706, "The same identity appears twice in a membership chain.";
    PEER_E_CERT_STORE_CORRUPTED = 0x8063_0801, "The identity store cannot be parsed.";
    PEER_E_NO_CLOUD = 0x8063_1001, "The named cloud does not exist.";
    PEER_E_CLOUD_NAME_AMBIGUOUS = 0x8063_1005, "Several clouds fit; the caller must name one.";
    PEER_E_INVALID_RECORD = 0x8063_2010, "A field of the record is not acceptable.";
    PEER_E_NOT_AUTHORIZED = 0x8063_2020, "The caller's role does not permit this; also the reason code when a password is rejected.";
    PEER_E_PASSWORD_DOES_NOT_MEET_POLICY = 0x8063_2021, "The group password is too weak for the local policy.";
    PEER_E_DEFERRED_VALIDATION = 0x8063_2030, "A record cannot be verified yet (graph security callbacks).";
    PEER_E_INVALID_GROUP_PROPERTIES = 0x8063_2040, "A member of the group properties is not acceptable.";
    PEER_E_INVALID_PEER_NAME = 0x8063_2050, "A peer name has the wrong syntax.";
    PEER_E_INVALID_CLASSIFIER = 0x8063_2060, "The classifier has the wrong syntax.";
    PEER_E_INVALID_FRIENDLY_NAME = 0x8063_2070, "The friendly name is not acceptable (too long, control characters).";
    PEER_E_INVALID_ROLE_PROPERTY = 0x8063_2071, "A role GUID is unknown or may not be granted.";
    PEER_E_INVALID_CLASSIFIER_PROPERTY = 0x8063_2072, "The classifier inside an invitation is not acceptable.";
    PEER_E_INVALID_RECORD_EXPIRATION = 0x8063_2080, "The expiry is in the past, moved backwards, or beyond the publisher's membership.";
    PEER_E_INVALID_CREDENTIAL_INFO = 0x8063_2081, "The credential description passed in is not acceptable.";
    PEER_E_INVALID_CREDENTIAL = 0x8063_2082, "The credential itself (GMC/IDC) is not acceptable.";
    PEER_E_INVALID_RECORD_SIZE = 0x8063_2083, "The record size is not acceptable (zero-sized structure, length overflow).";
    PEER_E_UNSUPPORTED_VERSION = 0x8063_2090, "The requested or encountered format/protocol version is not supported.";
    PEER_E_GROUP_NOT_READY = 0x8063_2091, "The group is not connected, or has never been synchronised.";
    PEER_E_GROUP_IN_USE = 0x8063_2092, "The group is open/connected and the operation needs it idle.";
    PEER_E_INVALID_GROUP = 0x8063_2093, "The group handle is unknown, closed, or its group was deleted.";
    PEER_E_NO_MEMBERS_FOUND = 0x8063_2094, "No online member was found.";
    PEER_E_NO_MEMBER_CONNECTIONS = 0x8063_2095, "Members were found but none would accept a connection.";
    PEER_E_UNABLE_TO_LISTEN = 0x8063_2096, "The listening endpoint could not be opened.";
    PEER_E_IDENTITY_DELETED = 0x8063_20A0, "The identity has been deleted.";
    PEER_E_SERVICE_NOT_AVAILABLE = 0x8063_20A1, "The collaboration service is not reachable (collab API).";
    PEER_E_CANNOT_CONVERT_PEER_NAME = 0x8063_4001, "Peer name cannot be turned into a host name (PNRP helper).";
    PEER_E_INVALID_PEER_HOST_NAME = 0x8063_4002, "Host name cannot be turned into a peer name. Older docs spell this constant PEER_E_INVALID_PEER_DNS_NAME.";
    PEER_E_NO_MORE = 0x8063_4003, "Resolve produced all its endpoints (PNRP).";
    PEER_E_PNRP_DUPLICATE_PEER_NAME = 0x8063_4005, "Name registered twice in one cloud (PNRP).";
    PEER_E_CONTACT_NOT_FOUND = 0x8063_6001, "Collab API.";
    PEER_E_INVITE_CANCELLED = 0x8063_7000, "Collab API.";
    PEER_E_INVITE_RESPONSE_NOT_AVAILABLE = 0x8063_7001, "Collab API.";
    PEER_E_NOT_SIGNED_IN = 0x8063_7003, "Collab API.";
    PEER_E_PRIVACY_DECLINED = 0x8063_7004, "Collab API.";
    PEER_E_TIMEOUT = 0x8063_7005, "Collab API: peer did not answer in time.";
    PEER_E_INVALID_ADDRESS = 0x8063_7007, "Collab API: address unusable. The grouping functions report E_INVALIDARG.";
    PEER_E_FW_EXCEPTION_DISABLED = 0x8063_7008, "Collab API: firewall.";
    PEER_E_FW_BLOCKED_BY_POLICY = 0x8063_7009, "Collab API: firewall.";
    PEER_E_FW_BLOCKED_BY_SHIELDS_UP = 0x8063_700A, "Collab API: firewall.";
    PEER_E_FW_DECLINED = 0x8063_700B, "Collab API: firewall (not in the public table).";
    NTE_BAD_DATA = 0x8009_0005, "An encrypted blob did not open: wrong password or damaged.";
    NTE_BAD_SIGNATURE = 0x8009_0006, "A signature over data other than a certificate is wrong.";
    NTE_BAD_ALGID = 0x8009_0008, "The key algorithm is not supported.";
    NTE_NO_KEY = 0x8009_000D, "The private key is missing.";
    NTE_PERM = 0x8009_0010, "The private key may not be read.";
    NTE_BAD_PUBLIC_KEY = 0x8009_0015, "The public key is weak or malformed.";
    NTE_BAD_KEYSET = 0x8009_0016, "The private and the public key do not belong together.";
    NTE_FAIL = 0x8009_0020, "The random generator or the cryptographic provider failed.";
    CRYPT_E_UNKNOWN_ALGO = 0x8009_1002, "The algorithm or key type is not supported.";
    CRYPT_E_HASH_VALUE = 0x8009_1007, "A signature is wrong: the signed bytes are not these.";
    CRYPT_E_ISSUER_SERIALNUMBER = 0x8009_100D, "Two links of a chain do not fit: issuer or key identifier differs.";
    CRYPT_E_SIGNER_NOT_FOUND = 0x8009_100E, "The signer is not in the bundle.";
    CRYPT_E_BAD_LEN = 0x8009_2001, "The chain is longer than 24 members.";
    CRYPT_E_BAD_ENCODE = 0x8009_2002, "Base64 is broken.";
    CRYPT_E_FILE_ERROR = 0x8009_2003, "A stored file is damaged.";
    CRYPT_E_SELF_SIGNED = 0x8009_2007, "A root or self-signed certificate stands where a membership is due.";
    CRYPT_E_NO_MATCH = 0x8009_2009, "The identity is not the one expected, or its name is not its key's hash.";
    CRYPT_E_NO_KEY_PROPERTY = 0x8009_200B, "The key is missing, unreadable, or not its certificate's.";
    CRYPT_E_BAD_MSG = 0x8009_200D, "The container or its XML is broken.";
    CRYPT_E_NO_SIGNER = 0x8009_200E, "The signature is missing.";
    CRYPT_E_REVOKED = 0x8009_2010, "The membership was revoked.";
    CRYPT_E_REVOCATION_OFFLINE = 0x8009_2013, "Revocation is not known yet; never a failure by itself.";
    CRYPT_E_SECURITY_SETTINGS = 0x8009_2026, "A rule of the group forbids it: expired, not yet valid, outlives its issuer, not delegable, or a key twice in a chain.";
    CRYPT_E_NO_TRUSTED_SIGNER = 0x8009_202B, "The chain does not end in this group's key.";
    CRYPT_E_ASN1_EOD = 0x8009_3102, "DER ends early.";
    CRYPT_E_ASN1_CORRUPT = 0x8009_3103, "DER is malformed or not canonical.";
    CRYPT_E_ASN1_LARGE = 0x8009_3104, "A certificate or field is too large.";
    CRYPT_E_ASN1_CONSTRAINT = 0x8009_3105, "A certificate breaks the profile.";
    CRYPT_E_ASN1_BADTAG = 0x8009_310B, "A DER tag is not the one due.";
    TRUST_E_CERT_SIGNATURE = 0x8009_6004, "A certificate's signature is wrong.";
    TRUST_E_BASIC_CONSTRAINTS = 0x8009_6019, "Basic constraints do not allow this use.";
    TRUST_E_NOSIGNATURE = 0x800B_0100, "There is no signature.";
    CERT_E_EXPIRED = 0x800B_0101, "Expired or not yet valid.";
    CERT_E_VALIDITYPERIODNESTING = 0x800B_0102, "A certificate outlives its issuer.";
    CERT_E_ROLE = 0x800B_0103, "The issuer's role may not issue this.";
    CERT_E_PATHLENCONST = 0x800B_0104, "The chain is too long.";
    CERT_E_CRITICAL = 0x800B_0105, "An extension is unknown.";
    CERT_E_PURPOSE = 0x800B_0106, "The certificate is used for a forbidden purpose.";
    CERT_E_ISSUERCHAINING = 0x800B_0107, "A certificate is not its alleged issuer's.";
    CERT_E_MALFORMED = 0x800B_0108, "Decodes, but is not a legal certificate.";
    CERT_E_UNTRUSTEDROOT = 0x800B_0109, "The chain ends in another root.";
    CERT_E_CHAINING = 0x800B_010A, "The chain is incomplete or circular.";
    CERT_E_REVOKED = 0x800B_010C, "A certificate was revoked.";
    CERT_E_CN_NO_MATCH = 0x800B_010F, "The subject is another identity.";
    CERT_E_WRONG_USAGE = 0x800B_0110, "Key usage does not allow this.";
    TRUST_E_EXPLICIT_DISTRUST = 0x800B_0111, "Local policy forbids it.";
    CERT_E_INVALID_POLICY = 0x800B_0113, "A role is unknown.";
    CERT_E_INVALID_NAME = 0x800B_0114, "The name does not match the key.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_code_prints_its_name_and_its_value() {
        assert_eq!(
            Code::PEER_E_CONNECTION_NOT_FOUND.to_string(),
            "PEER_E_CONNECTION_NOT_FOUND (0x80630103)"
        );
        assert_eq!(Code::S_OK.to_string(), "S_OK (0x00000000)");
        assert_eq!(Code(0x1234).to_string(), "0x00001234");
    }

    #[test]
    fn names_are_unique_and_failures_are_negative() {
        for (i, row) in TABLE.iter().enumerate() {
            assert!(TABLE[i + 1..].iter().all(|other| other.1 != row.1), "{} twice", row.1);
            let failure =
                row.1.contains("_E_") || row.1.starts_with("E_") || row.1.starts_with("NTE_");
            assert!(!failure || !row.0.is_success(), "{}", row.1);
        }
    }
}
