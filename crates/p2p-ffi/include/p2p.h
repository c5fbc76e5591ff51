/*
 * p2p.h - private groups of peers: identities, groups, direct connections.
 *
 * Names, values and layouts are those of the header of the same name for Windows, so that a program can be compiled
 * against either; what begins with "P2P" is ours. A function that is not declared here does not exist in the library.
 *
 * Compiles as C99 and later and as C++11 and later. Link with -lpeergroup.
 *
 * Text is UTF-16 ending in 0, also where wchar_t is wider: write u"..." (C11, C++11), or compile with -fshort-wchar and
 * write L"..."; C99 without that has no literals of this width. What a function returns by pointer is freed with one
 * PeerFreeData on that pointer; what lies inside it is never freed by itself. Every function may be called from every
 * thread.
 */
#ifndef P2P_H
#define P2P_H

#include <stddef.h>
#include <stdint.h>

#ifdef _WIN32
#include <winsock2.h>
#include <windows.h>
#include <ws2tcpip.h>
#include <wincrypt.h>
#endif

#if defined(__GNUC__)
#define P2P_EXTENSION __extension__
#define P2P_UNUSED __attribute__((unused))
#else
#define P2P_EXTENSION
#define P2P_UNUSED
#endif

#if defined(__cplusplus)
#define P2P_ASSERT(condition) static_assert(condition, #condition)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define P2P_ASSERT(condition) _Static_assert(condition, #condition)
#elif defined(__GNUC__)
#define P2P_ASSERT(condition) __extension__ _Static_assert(condition, #condition)
#else
#define P2P_ASSERT(condition) struct p2p_no_assertion
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Types that Windows has and other systems lack ------------------------------------------------------------- */

#ifndef _WIN32

#define WINAPI

typedef uint8_t BYTE;
typedef uint16_t WORD;
typedef uint16_t USHORT;
typedef uint32_t DWORD;
typedef uint32_t ULONG; /* 32 bits, whatever unsigned long has */
typedef uint64_t ULONGLONG;
typedef int32_t BOOL; /* 0 or anything else */
typedef int32_t HRESULT;
typedef void *PVOID;
typedef const void *LPCVOID;
typedef BYTE *PBYTE;
typedef char *LPSTR;

/* One UTF-16 unit: always 16 bits. */
#if defined(__SIZEOF_WCHAR_T__) && __SIZEOF_WCHAR_T__ == 2
typedef wchar_t WCHAR;
#elif defined(__cplusplus)
typedef char16_t WCHAR;
#else
typedef uint16_t WCHAR;
#endif
typedef WCHAR *PWSTR;
typedef const WCHAR *PCWSTR;

#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif
#ifndef INFINITE
#define INFINITE 0xFFFFFFFFu
#endif

/* An event object: P2PCreateEvent makes one, P2PCloseEvent ends it. */
typedef struct p2p_event *HANDLE;

/* A key pair, from P2PKeyGenerate, P2PKeyImportPkcs8 or PeerIdentityGetCryptKey; 0: none. */
typedef uintptr_t HCRYPTPROV;

/* Data1 to Data3 are numbers in the byte order of the machine. */
typedef struct GUID {
    uint32_t Data1;
    uint16_t Data2;
    uint16_t Data3;
    uint8_t Data4[8];
} GUID;

/* 100-nanosecond intervals since 1601-01-01 UTC. For Unix seconds: value / 10000000 - 11644473600. */
typedef struct FILETIME {
    DWORD dwLowDateTime;
    DWORD dwHighDateTime;
} FILETIME;

typedef struct IN6_ADDR {
    union {
        BYTE Byte[16];
        WORD Word[8];
    } u;
} IN6_ADDR;

/* An IPv6 endpoint, never the system's own sockaddr_in6: the family is P2P_AF_INET6, whatever AF_INET6 is here. Port
 * and flow information are in network byte order. IPv4 is written as ::ffff:a.b.c.d. */
typedef struct SOCKADDR_IN6 {
    USHORT sin6_family;
    USHORT sin6_port;
    ULONG sin6_flowinfo;
    IN6_ADDR sin6_addr;
    ULONG sin6_scope_id;
} SOCKADDR_IN6;

typedef struct CRYPT_OBJID_BLOB {
    DWORD cbData;
    BYTE *pbData;
} CRYPT_OBJID_BLOB;

typedef struct CRYPT_BIT_BLOB {
    DWORD cbData;
    BYTE *pbData;
    DWORD cUnusedBits;
} CRYPT_BIT_BLOB;

typedef struct CRYPT_ALGORITHM_IDENTIFIER {
    LPSTR pszObjId; /* dotted numbers, such as "1.3.101.112" */
    CRYPT_OBJID_BLOB Parameters;
} CRYPT_ALGORITHM_IDENTIFIER;

/* A public key: its algorithm, and the contents of its BIT STRING. */
typedef struct CERT_PUBLIC_KEY_INFO {
    CRYPT_ALGORITHM_IDENTIFIER Algorithm;
    CRYPT_BIT_BLOB PublicKey;
} CERT_PUBLIC_KEY_INFO;

#define SUCCEEDED(hr) ((HRESULT)(hr) >= 0)
#define FAILED(hr) ((HRESULT)(hr) < 0)
#define HRESULT_FROM_WIN32(code) ((HRESULT)(0x80070000u | (uint32_t)(code)))

#define S_OK           ((HRESULT)0x00000000)
#define E_INVALIDARG   ((HRESULT)0x80070057)
#define E_OUTOFMEMORY  ((HRESULT)0x8007000E)
#define E_ACCESSDENIED ((HRESULT)0x80070005)
#define E_HANDLE       ((HRESULT)0x80070006)
#define E_UNEXPECTED   ((HRESULT)0x8000FFFF)
#define E_NOTIMPL      ((HRESULT)0x80004001)
#define S_FALSE        ((HRESULT)0x00000001)

/* What the system may report; functions return HRESULT_FROM_WIN32 of these. */
#define ERROR_FILE_NOT_FOUND 2
#define ERROR_PATH_NOT_FOUND 3
#define ERROR_INVALID_HANDLE 6
#define ERROR_WRITE_PROTECT 19
#define ERROR_SHARING_VIOLATION 32
#define ERROR_FILE_EXISTS 80
#define ERROR_INVALID_PASSWORD 86
#define ERROR_FILENAME_EXCED_RANGE 206
#define ERROR_DELETE_PENDING 303
#define ERROR_SERVICE_DEPENDENCY_FAIL 1068
#define ERROR_IO_DEVICE 1117
#define ERROR_CANCELLED 1223

#endif /* !_WIN32 */

/* The address family of a PEER_ADDRESS. */
#define P2P_AF_INET6 23

/* ---- Codes ------------------------------------------------------------------------------------------------------ */

#ifndef PEER_E_NOT_INITIALIZED

/* Codes that contain _S_ are successes: compare them by value. */
#define PEER_S_GRAPH_DATA_CREATED            ((HRESULT)0x00630001)
#define PEER_S_NO_EVENT_DATA                 ((HRESULT)0x00630002)
#define PEER_S_NO_CONNECTIVITY               ((HRESULT)0x00630005)
#define PEER_S_ALREADY_A_MEMBER              ((HRESULT)0x00630006)
#define PEER_S_ALREADY_CONNECTED             ((HRESULT)0x00632000)
#define PEER_S_SUBSCRIPTION_EXISTS           ((HRESULT)0x00636000)
#define PEER_E_DISK_FULL                     ((HRESULT)0x80070070)
#define PEER_E_ALREADY_EXISTS                ((HRESULT)0x800700B7)
#define PEER_E_NOT_FOUND                     ((HRESULT)0x80070490)
#define PEER_E_CLOUD_NOT_FOUND               ((HRESULT)0x80072CED)
#define PEER_E_CLOUD_DISABLED                ((HRESULT)0x80072CEE)
#define PEER_E_INVALID_IDENTITY              ((HRESULT)0x80072CEF)
#define PEER_E_TOO_MUCH_LOAD                 ((HRESULT)0x80072CF0)
#define PEER_E_CLOUD_IS_SEARCH_ONLY          ((HRESULT)0x80072CF1)
#define PEER_E_CLIENT_INVALID_COMPARTMENT_ID ((HRESULT)0x80072CF2)
#define PEER_E_DUPLICATE_PEER_NAME           ((HRESULT)0x80072CF4)
#define PEER_E_CLOUD_IS_DEAD                 ((HRESULT)0x80072CF5)
#define PEER_E_IPV6_NOT_INSTALLED            ((HRESULT)0x80630001)
#define PEER_E_NOT_INITIALIZED               ((HRESULT)0x80630002)
#define PEER_E_CANNOT_START_SERVICE          ((HRESULT)0x80630003)
#define PEER_E_NOT_LICENSED                  ((HRESULT)0x80630004)
#define PEER_E_INVALID_GRAPH                 ((HRESULT)0x80630010)
#define PEER_E_DBNAME_CHANGED                ((HRESULT)0x80630011)
#define PEER_E_DUPLICATE_GRAPH               ((HRESULT)0x80630012)
#define PEER_E_GRAPH_NOT_READY               ((HRESULT)0x80630013)
#define PEER_E_GRAPH_SHUTTING_DOWN           ((HRESULT)0x80630014)
#define PEER_E_GRAPH_IN_USE                  ((HRESULT)0x80630015)
#define PEER_E_INVALID_DATABASE              ((HRESULT)0x80630016)
#define PEER_E_TOO_MANY_ATTRIBUTES           ((HRESULT)0x80630017)
#define PEER_E_CONNECTION_NOT_FOUND          ((HRESULT)0x80630103)
#define PEER_E_CONNECT_SELF                  ((HRESULT)0x80630106)
#define PEER_E_ALREADY_LISTENING             ((HRESULT)0x80630107)
#define PEER_E_NODE_NOT_FOUND                ((HRESULT)0x80630108)
#define PEER_E_CONNECTION_FAILED             ((HRESULT)0x80630109)
#define PEER_E_CONNECTION_NOT_AUTHENTICATED  ((HRESULT)0x8063010A)
#define PEER_E_CONNECTION_REFUSED            ((HRESULT)0x8063010B)
#define PEER_E_CLASSIFIER_TOO_LONG           ((HRESULT)0x80630201)
#define PEER_E_TOO_MANY_IDENTITIES           ((HRESULT)0x80630202)
#define PEER_E_NO_KEY_ACCESS                 ((HRESULT)0x80630203)
#define PEER_E_GROUPS_EXIST                  ((HRESULT)0x80630204)
#define PEER_E_RECORD_NOT_FOUND              ((HRESULT)0x80630301)
#define PEER_E_DATABASE_ACCESSDENIED         ((HRESULT)0x80630302)
#define PEER_E_DBINITIALIZATION_FAILED       ((HRESULT)0x80630303)
#define PEER_E_MAX_RECORD_SIZE_EXCEEDED      ((HRESULT)0x80630304)
#define PEER_E_DATABASE_ALREADY_PRESENT      ((HRESULT)0x80630305)
#define PEER_E_DATABASE_NOT_PRESENT          ((HRESULT)0x80630306)
#define PEER_E_IDENTITY_NOT_FOUND            ((HRESULT)0x80630401)
#define PEER_E_EVENT_HANDLE_NOT_FOUND        ((HRESULT)0x80630501)
#define PEER_E_INVALID_SEARCH                ((HRESULT)0x80630601)
#define PEER_E_INVALID_ATTRIBUTES            ((HRESULT)0x80630602)
#define PEER_E_INVITATION_NOT_TRUSTED        ((HRESULT)0x80630701)
#define PEER_E_CHAIN_TOO_LONG                ((HRESULT)0x80630703)
#define PEER_E_INVALID_TIME_PERIOD           ((HRESULT)0x80630705)
#define PEER_E_CIRCULAR_CHAIN_DETECTED       ((HRESULT)0x80630706)
#define PEER_E_CERT_STORE_CORRUPTED          ((HRESULT)0x80630801)
#define PEER_E_NO_CLOUD                      ((HRESULT)0x80631001)
#define PEER_E_CLOUD_NAME_AMBIGUOUS          ((HRESULT)0x80631005)
#define PEER_E_INVALID_RECORD                ((HRESULT)0x80632010)
#define PEER_E_NOT_AUTHORIZED                ((HRESULT)0x80632020)
#define PEER_E_PASSWORD_DOES_NOT_MEET_POLICY ((HRESULT)0x80632021)
#define PEER_E_DEFERRED_VALIDATION           ((HRESULT)0x80632030)
#define PEER_E_INVALID_GROUP_PROPERTIES      ((HRESULT)0x80632040)
#define PEER_E_INVALID_PEER_NAME             ((HRESULT)0x80632050)
#define PEER_E_INVALID_CLASSIFIER            ((HRESULT)0x80632060)
#define PEER_E_INVALID_FRIENDLY_NAME         ((HRESULT)0x80632070)
#define PEER_E_INVALID_ROLE_PROPERTY         ((HRESULT)0x80632071)
#define PEER_E_INVALID_CLASSIFIER_PROPERTY   ((HRESULT)0x80632072)
#define PEER_E_INVALID_RECORD_EXPIRATION     ((HRESULT)0x80632080)
#define PEER_E_INVALID_CREDENTIAL_INFO       ((HRESULT)0x80632081)
#define PEER_E_INVALID_CREDENTIAL            ((HRESULT)0x80632082)
#define PEER_E_INVALID_RECORD_SIZE           ((HRESULT)0x80632083)
#define PEER_E_UNSUPPORTED_VERSION           ((HRESULT)0x80632090)
#define PEER_E_GROUP_NOT_READY               ((HRESULT)0x80632091)
#define PEER_E_GROUP_IN_USE                  ((HRESULT)0x80632092)
#define PEER_E_INVALID_GROUP                 ((HRESULT)0x80632093)
#define PEER_E_NO_MEMBERS_FOUND              ((HRESULT)0x80632094)
#define PEER_E_NO_MEMBER_CONNECTIONS         ((HRESULT)0x80632095)
#define PEER_E_UNABLE_TO_LISTEN              ((HRESULT)0x80632096)
#define PEER_E_IDENTITY_DELETED              ((HRESULT)0x806320A0)
#define PEER_E_SERVICE_NOT_AVAILABLE         ((HRESULT)0x806320A1)
#define PEER_E_CANNOT_CONVERT_PEER_NAME      ((HRESULT)0x80634001)
#define PEER_E_INVALID_PEER_HOST_NAME        ((HRESULT)0x80634002)
#define PEER_E_NO_MORE                       ((HRESULT)0x80634003)
#define PEER_E_PNRP_DUPLICATE_PEER_NAME      ((HRESULT)0x80634005)
#define PEER_E_CONTACT_NOT_FOUND             ((HRESULT)0x80636001)
#define PEER_E_INVITE_CANCELLED              ((HRESULT)0x80637000)
#define PEER_E_INVITE_RESPONSE_NOT_AVAILABLE ((HRESULT)0x80637001)
#define PEER_E_NOT_SIGNED_IN                 ((HRESULT)0x80637003)
#define PEER_E_PRIVACY_DECLINED              ((HRESULT)0x80637004)
#define PEER_E_TIMEOUT                       ((HRESULT)0x80637005)
#define PEER_E_INVALID_ADDRESS               ((HRESULT)0x80637007)
#define PEER_E_FW_EXCEPTION_DISABLED         ((HRESULT)0x80637008)
#define PEER_E_FW_BLOCKED_BY_POLICY          ((HRESULT)0x80637009)
#define PEER_E_FW_BLOCKED_BY_SHIELDS_UP      ((HRESULT)0x8063700A)
#define PEER_E_FW_DECLINED                   ((HRESULT)0x8063700B)

#endif

#ifndef CRYPT_E_NO_MATCH

/* Why a certificate, a chain or a signature was refused: see P2PGetLastErrorDetail and P2PGetEventDetail. */
#define NTE_BAD_DATA                 ((HRESULT)0x80090005)
#define NTE_BAD_SIGNATURE            ((HRESULT)0x80090006)
#define NTE_BAD_ALGID                ((HRESULT)0x80090008)
#define NTE_NO_KEY                   ((HRESULT)0x8009000D)
#define NTE_PERM                     ((HRESULT)0x80090010)
#define NTE_BAD_PUBLIC_KEY           ((HRESULT)0x80090015)
#define NTE_BAD_KEYSET               ((HRESULT)0x80090016)
#define NTE_FAIL                     ((HRESULT)0x80090020)
#define CRYPT_E_UNKNOWN_ALGO         ((HRESULT)0x80091002)
#define CRYPT_E_HASH_VALUE           ((HRESULT)0x80091007)
#define CRYPT_E_ISSUER_SERIALNUMBER  ((HRESULT)0x8009100D)
#define CRYPT_E_SIGNER_NOT_FOUND     ((HRESULT)0x8009100E)
#define CRYPT_E_BAD_LEN              ((HRESULT)0x80092001)
#define CRYPT_E_BAD_ENCODE           ((HRESULT)0x80092002)
#define CRYPT_E_FILE_ERROR           ((HRESULT)0x80092003)
#define CRYPT_E_SELF_SIGNED          ((HRESULT)0x80092007)
#define CRYPT_E_NO_MATCH             ((HRESULT)0x80092009)
#define CRYPT_E_NO_KEY_PROPERTY      ((HRESULT)0x8009200B)
#define CRYPT_E_BAD_MSG              ((HRESULT)0x8009200D)
#define CRYPT_E_NO_SIGNER            ((HRESULT)0x8009200E)
#define CRYPT_E_REVOKED              ((HRESULT)0x80092010)
#define CRYPT_E_REVOCATION_OFFLINE   ((HRESULT)0x80092013)
#define CRYPT_E_SECURITY_SETTINGS    ((HRESULT)0x80092026)
#define CRYPT_E_NO_TRUSTED_SIGNER    ((HRESULT)0x8009202B)
#define CRYPT_E_ASN1_EOD             ((HRESULT)0x80093102)
#define CRYPT_E_ASN1_CORRUPT         ((HRESULT)0x80093103)
#define CRYPT_E_ASN1_LARGE           ((HRESULT)0x80093104)
#define CRYPT_E_ASN1_CONSTRAINT      ((HRESULT)0x80093105)
#define CRYPT_E_ASN1_BADTAG          ((HRESULT)0x8009310B)
#define TRUST_E_CERT_SIGNATURE       ((HRESULT)0x80096004)
#define TRUST_E_BASIC_CONSTRAINTS    ((HRESULT)0x80096019)
#define TRUST_E_NOSIGNATURE          ((HRESULT)0x800B0100)
#define CERT_E_EXPIRED               ((HRESULT)0x800B0101)
#define CERT_E_VALIDITYPERIODNESTING ((HRESULT)0x800B0102)
#define CERT_E_ROLE                  ((HRESULT)0x800B0103)
#define CERT_E_PATHLENCONST          ((HRESULT)0x800B0104)
#define CERT_E_CRITICAL              ((HRESULT)0x800B0105)
#define CERT_E_PURPOSE               ((HRESULT)0x800B0106)
#define CERT_E_ISSUERCHAINING        ((HRESULT)0x800B0107)
#define CERT_E_MALFORMED             ((HRESULT)0x800B0108)
#define CERT_E_UNTRUSTEDROOT         ((HRESULT)0x800B0109)
#define CERT_E_CHAINING              ((HRESULT)0x800B010A)
#define CERT_E_REVOKED               ((HRESULT)0x800B010C)
#define CERT_E_CN_NO_MATCH           ((HRESULT)0x800B010F)
#define CERT_E_WRONG_USAGE           ((HRESULT)0x800B0110)
#define TRUST_E_EXPLICIT_DISTRUST    ((HRESULT)0x800B0111)
#define CERT_E_INVALID_POLICY        ((HRESULT)0x800B0113)
#define CERT_E_INVALID_NAME          ((HRESULT)0x800B0114)

#endif

/* ---- Values ----------------------------------------------------------------------------------------------------- */

/* What PeerGroupStartup is asked for: 1.1 */
#define PEER_GROUP_VERSION ((WORD)0x0101)

typedef GUID PEER_ROLE_ID;

/* May invite in every role. */
static const GUID PEER_GROUP_ROLE_ADMIN P2P_UNUSED = {
    0x04387127, 0xaa56, 0x450a, {0x8c, 0xe5, 0x4f, 0x56, 0x5c, 0x67, 0x90, 0xf4}};
/* May connect, send and publish. */
static const GUID PEER_GROUP_ROLE_MEMBER P2P_UNUSED = {
    0xf12dc4c7, 0x0857, 0x4ca0, {0x93, 0xfc, 0xb1, 0xbb, 0x19, 0xa3, 0xd8, 0xc2}};
/* May invite in its own role and as member. */
static const GUID PEER_GROUP_ROLE_INVITING_MEMBER P2P_UNUSED = {
    0x4370fd89, 0xdc18, 0x4cfb, {0x8d, 0xbf, 0x98, 0x53, 0xa8, 0xa9, 0xf9, 0x05}};

/* What an event is about, and with it which member of PEER_GROUP_EVENT_DATA is meant. */
typedef enum peer_group_event_type_tag {
    PEER_GROUP_EVENT_STATUS_CHANGED = 1,        /* dwStatus */
    PEER_GROUP_EVENT_PROPERTY_CHANGED = 2,      /* nothing */
    PEER_GROUP_EVENT_RECORD_CHANGED = 3,        /* recordChangeData */
    PEER_GROUP_EVENT_DIRECT_CONNECTION = 4,     /* connectionChangeData */
    PEER_GROUP_EVENT_NEIGHBOR_CONNECTION = 5,   /* connectionChangeData */
    PEER_GROUP_EVENT_INCOMING_DATA = 6,         /* incomingData */
    PEER_GROUP_EVENT_MEMBER_CHANGED = 8,        /* memberChangeData */
    PEER_GROUP_EVENT_CONNECTION_FAILED = 10,    /* hrConnectionFailedReason */
    PEER_GROUP_EVENT_AUTHENTICATION_FAILED = 11 /* nothing */
} PEER_GROUP_EVENT_TYPE;

/* Bits. */
typedef enum peer_group_status_tag {
    PEER_GROUP_STATUS_LISTENING = 1,
    PEER_GROUP_STATUS_HAS_CONNECTIONS = 2
} PEER_GROUP_STATUS;

typedef enum peer_connection_status_tag {
    PEER_CONNECTED = 1,        /* stands, whoever opened it */
    PEER_DISCONNECTED = 2,     /* stood, and has ended */
    PEER_CONNECTION_FAILED = 3 /* never stood */
} PEER_CONNECTION_STATUS;

/* Bits. */
typedef enum peer_connection_flags_tag {
    PEER_CONNECTION_NEIGHBOR = 1, /* made by the library */
    PEER_CONNECTION_DIRECT = 2    /* made by a program */
} PEER_CONNECTION_FLAGS;

/* Bits of PEER_GROUP_PROPERTIES.dwFlags. */
typedef enum peer_group_property_flags_tag {
    PEER_MEMBER_DATA_OPTIONAL = 1,
    PEER_DISABLE_PRESENCE = 2,
    PEER_DEFER_EXPIRATION = 4
} PEER_GROUP_PROPERTY_FLAGS;

/* Bits. */
typedef enum peer_group_authentication_scheme_tag {
    PEER_GROUP_GMC_AUTHENTICATION = 1,
    PEER_GROUP_PASSWORD_AUTHENTICATION = 2
} PEER_GROUP_AUTHENTICATION_SCHEME;

/* Bits. */
typedef enum peer_member_flags_tag {
    PEER_MEMBER_PRESENT = 1 /* online */
} PEER_MEMBER_FLAGS;

/* Bits. */
typedef enum peer_issue_credential_flags_tag {
    PEER_GROUP_STORE_CREDENTIALS = 1 /* put it into the group, where the subject finds it */
} PEER_GROUP_ISSUE_CREDENTIAL_FLAGS;

typedef enum peer_member_change_type_tag {
    PEER_MEMBER_CONNECTED = 1,
    PEER_MEMBER_DISCONNECTED = 2,
    PEER_MEMBER_UPDATED = 3,
    PEER_MEMBER_JOINED = 4,
    PEER_MEMBER_LEFT = 5 /* never raised */
} PEER_MEMBER_CHANGE_TYPE;

/* Why a membership is taken back: numbers of a CRLReason (RFC 5280 5.3.1). Everybody in the group may read it. */
#define P2P_REASON_UNSPECIFIED 0
#define P2P_REASON_KEY_COMPROMISE 1         /* somebody else has the member's key */
#define P2P_REASON_AFFILIATION_CHANGED 3    /* the member does not belong here any more */
#define P2P_REASON_SUPERSEDED 4             /* it has another key now */
#define P2P_REASON_CESSATION_OF_OPERATION 5 /* the machine or program is out of use */
#define P2P_REASON_PRIVILEGE_WITHDRAWN 9    /* it may not do this any more */

typedef enum peer_record_change_type_tag {
    PEER_RECORD_ADDED = 1,
    PEER_RECORD_UPDATED = 2,
    PEER_RECORD_DELETED = 3,
    PEER_RECORD_EXPIRED = 4
} PEER_RECORD_CHANGE_TYPE;

/* ---- Structures ------------------------------------------------------------------------------------------------- */

/* Handles are numbers, never addresses: a stale or wrong one is an error, never a crash. */
typedef PVOID HGROUP;     /* an open group */
typedef PVOID HPEEREVENT; /* a queue of events */
typedef PVOID HPEERENUM;  /* a snapshot being read */

/* Low byte major, high byte minor. */
typedef struct peer_version_data_tag {
    WORD wVersion;        /* granted */
    WORD wHighestVersion; /* supported */
} PEER_VERSION_DATA, *PPEER_VERSION_DATA;

typedef struct peer_data_tag {
    ULONG cbData;
    PBYTE pbData; /* NULL if there is none */
} PEER_DATA, *PPEER_DATA;

typedef struct peer_address_tag {
    DWORD dwSize; /* sizeof(PEER_ADDRESS) */
    SOCKADDR_IN6 sin6;
} PEER_ADDRESS, *PPEER_ADDRESS;

typedef struct peer_connection_info_tag {
    DWORD dwSize;
    DWORD dwFlags; /* one of PEER_CONNECTION_FLAGS */
    ULONGLONG ullConnectionId;
    ULONGLONG ullNodeId;
    PWSTR pwzPeerId; /* peer name */
    PEER_ADDRESS address;
} PEER_CONNECTION_INFO;

/* An identity or a group. */
typedef struct peer_name_pair_tag {
    DWORD dwSize;
    PWSTR pwzPeerName;
    PWSTR pwzFriendlyName;
} PEER_NAME_PAIR, *PPEER_NAME_PAIR;

/* What a new group is to be. Zeroed, with dwSize set, it is a group of the default identity that goes by invitation. */
typedef struct peer_group_properties_tag {
    DWORD dwSize; /* sizeof(PEER_GROUP_PROPERTIES) */
    DWORD dwFlags;
    PWSTR pwzCloud;           /* NULL */
    PWSTR pwzClassifier;      /* at most 149 units; NULL: none */
    PWSTR pwzGroupPeerName;   /* NULL: the library makes it */
    PWSTR pwzCreatorPeerName; /* NULL: the default identity, which must be there: PeerIdentityGetXML makes it */
    PWSTR pwzFriendlyName;    /* at most 255 units; NULL: the peer name */
    PWSTR pwzComment;         /* at most 255 units */
    ULONG ulMemberDataLifetime; /* seconds, 28800 to 315360000, or 0: as long as possible */
    ULONG ulPresenceLifetime;   /* seconds, at least 300, or 0: 300 */
    DWORD dwAuthenticationSchemes;  /* PEER_GROUP_AUTHENTICATION_SCHEME bits; 0: PEER_GROUP_GMC_AUTHENTICATION */
    PWSTR pwzGroupPassword;         /* at least 8 units that are not all the same; never given out again */
    PEER_ROLE_ID groupPasswordRole; /* of who joins with the password */
} PEER_GROUP_PROPERTIES, *PPEER_GROUP_PROPERTIES;

typedef struct peer_credential_info_tag {
    DWORD dwSize;
    DWORD dwFlags; /* 0 */
    PWSTR pwzFriendlyName;
    CERT_PUBLIC_KEY_INFO *pPublicKey;
    PWSTR pwzIssuerPeerName;
    PWSTR pwzIssuerFriendlyName;
    FILETIME ftValidityStart; /* to PeerGroupIssueCredentials 0: as early as usual */
    FILETIME ftValidityEnd;   /* to PeerGroupIssueCredentials 0: as late as usual */
    ULONG cRoles;
    PEER_ROLE_ID *pRoles;
} PEER_CREDENTIAL_INFO, *PPEER_CREDENTIAL_INFO;

typedef struct peer_member_tag {
    DWORD dwSize;
    DWORD dwFlags; /* PEER_MEMBER_FLAGS */
    PWSTR pwzIdentity; /* peer name */
    PWSTR pwzAttributes;
    ULONGLONG ullNodeId;
    ULONG cAddresses;
    PEER_ADDRESS *pAddresses; /* an array; NULL if there are none */
    PEER_CREDENTIAL_INFO *pCredentialInfo;
} PEER_MEMBER, *PPEER_MEMBER;

typedef struct peer_invitation_info_tag {
    DWORD dwSize;
    DWORD dwFlags; /* 0 */
    PWSTR pwzCloudName;
    DWORD dwScope;
    DWORD dwCloudFlags;
    PWSTR pwzGroupPeerName;
    PWSTR pwzIssuerPeerName;
    PWSTR pwzSubjectPeerName;
    PWSTR pwzGroupFriendlyName;
    PWSTR pwzIssuerFriendlyName;
    PWSTR pwzSubjectFriendlyName;
    FILETIME ftValidityStart;
    FILETIME ftValidityEnd;
    ULONG cRoles;
    PEER_ROLE_ID *pRoles;
    ULONG cClassifiers;     /* 0 */
    PWSTR *ppwzClassifiers; /* NULL */
    CERT_PUBLIC_KEY_INFO *pSubjectPublicKey;
    PEER_GROUP_AUTHENTICATION_SCHEME authScheme;
} PEER_INVITATION_INFO, *PPEER_INVITATION_INFO;

typedef struct peer_group_event_registration_tag {
    PEER_GROUP_EVENT_TYPE eventType;
    GUID *pType; /* PEER_GROUP_EVENT_INCOMING_DATA: only data of this type; NULL: all */
} PEER_GROUP_EVENT_REGISTRATION, *PPEER_GROUP_EVENT_REGISTRATION;

typedef struct peer_event_incoming_data_tag {
    DWORD dwSize;
    ULONGLONG ullConnectionId;
    GUID type;
    PEER_DATA data;
} PEER_EVENT_INCOMING_DATA, *PPEER_EVENT_INCOMING_DATA;

typedef struct peer_event_record_change_data_tag {
    DWORD dwSize;
    PEER_RECORD_CHANGE_TYPE changeType;
    GUID recordId;
    GUID recordType;
} PEER_EVENT_RECORD_CHANGE_DATA, *PPEER_EVENT_RECORD_CHANGE_DATA;

/* With whom: the pwzPeerId that PeerGroupEnumConnections has for the id, from PEER_CONNECTED until PEER_DISCONNECTED
 * was taken. */
typedef struct peer_event_connection_change_data_tag {
    DWORD dwSize;
    PEER_CONNECTION_STATUS status;
    ULONGLONG ullConnectionId;
    ULONGLONG ullNodeId;               /* 0 if it was never learnt */
    ULONGLONG ullNextConnectionId;     /* 0 */
    HRESULT hrConnectionFailedReason;  /* S_OK, or PEER_E_CONNECTION_FAILED, _REFUSED or _NOT_AUTHENTICATED */
} PEER_EVENT_CONNECTION_CHANGE_DATA, *PPEER_EVENT_CONNECTION_CHANGE_DATA;

typedef struct peer_event_member_change_data_tag {
    DWORD dwSize;
    PEER_MEMBER_CHANGE_TYPE changeType;
    PWSTR pwzIdentity; /* peer name */
} PEER_EVENT_MEMBER_CHANGE_DATA, *PPEER_EVENT_MEMBER_CHANGE_DATA;

typedef struct peer_group_event_data_tag {
    PEER_GROUP_EVENT_TYPE eventType;
    P2P_EXTENSION union {
        PEER_GROUP_STATUS dwStatus;
        PEER_EVENT_INCOMING_DATA incomingData;
        PEER_EVENT_RECORD_CHANGE_DATA recordChangeData;
        PEER_EVENT_CONNECTION_CHANGE_DATA connectionChangeData;
        PEER_EVENT_MEMBER_CHANGE_DATA memberChangeData;
        HRESULT hrConnectionFailedReason;
    };
} PEER_GROUP_EVENT_DATA, *PPEER_GROUP_EVENT_DATA;

#define P2P_STATISTIC_COUNTER 1 /* counts since the node's start; other figures are what it holds now */

/* One figure of P2PGetStatistics. Ours. */
typedef struct p2p_statistic_tag {
    PWSTR pwzName;    /* such as "messages_sent": small letters and underscores, the same in all versions */
    PWSTR pwzMeaning; /* for people */
    DWORD dwFlags;    /* 0 or P2P_STATISTIC_COUNTER */
    ULONGLONG ullValue;
} P2P_STATISTIC;

/* Look figures up by name: another version may have more of them, in another order. Ours. */
typedef struct p2p_statistics_tag {
    DWORD dwSize;
    ULONG cStatistics;
    P2P_STATISTIC *pStatistics; /* an array */
} P2P_STATISTICS;

/* Sizes and places that programs compiled elsewhere rely on. */
P2P_ASSERT(sizeof(WCHAR) == 2);
P2P_ASSERT(sizeof(GUID) == 16);
P2P_ASSERT(sizeof(FILETIME) == 8);
P2P_ASSERT(sizeof(SOCKADDR_IN6) == 28);
P2P_ASSERT(sizeof(PEER_GROUP_EVENT_TYPE) == 4);
P2P_ASSERT(sizeof(PEER_VERSION_DATA) == 4);
P2P_ASSERT(sizeof(PEER_ADDRESS) == 32);
P2P_ASSERT(offsetof(PEER_ADDRESS, sin6) == 4);
P2P_ASSERT(sizeof(PEER_EVENT_RECORD_CHANGE_DATA) == 40);
P2P_ASSERT(offsetof(PEER_GROUP_EVENT_DATA, dwStatus) == 8);
P2P_ASSERT(offsetof(PEER_GROUP_EVENT_DATA, incomingData) == 8);
P2P_ASSERT(offsetof(PEER_GROUP_EVENT_DATA, hrConnectionFailedReason) == 8);
#if UINTPTR_MAX > 0xFFFFFFFFu
P2P_ASSERT(sizeof(PEER_DATA) == 16);
P2P_ASSERT(sizeof(CERT_PUBLIC_KEY_INFO) == 48);
P2P_ASSERT(sizeof(PEER_CONNECTION_INFO) == 64);
P2P_ASSERT(offsetof(PEER_CONNECTION_INFO, address) == 32);
P2P_ASSERT(sizeof(PEER_NAME_PAIR) == 24);
P2P_ASSERT(sizeof(PEER_GROUP_PROPERTIES) == 96);
P2P_ASSERT(offsetof(PEER_GROUP_PROPERTIES, dwAuthenticationSchemes) == 64);
P2P_ASSERT(offsetof(PEER_GROUP_PROPERTIES, groupPasswordRole) == 80);
P2P_ASSERT(sizeof(PEER_CREDENTIAL_INFO) == 72);
P2P_ASSERT(offsetof(PEER_CREDENTIAL_INFO, ftValidityStart) == 40);
P2P_ASSERT(sizeof(PEER_MEMBER) == 56);
P2P_ASSERT(offsetof(PEER_MEMBER, pAddresses) == 40);
P2P_ASSERT(sizeof(PEER_INVITATION_INFO) == 136);
P2P_ASSERT(offsetof(PEER_INVITATION_INFO, ftValidityStart) == 72);
P2P_ASSERT(offsetof(PEER_INVITATION_INFO, authScheme) == 128);
P2P_ASSERT(sizeof(PEER_GROUP_EVENT_REGISTRATION) == 16);
P2P_ASSERT(sizeof(PEER_EVENT_INCOMING_DATA) == 48);
P2P_ASSERT(offsetof(PEER_EVENT_INCOMING_DATA, data) == 32);
P2P_ASSERT(sizeof(PEER_EVENT_CONNECTION_CHANGE_DATA) == 40);
P2P_ASSERT(sizeof(PEER_EVENT_MEMBER_CHANGE_DATA) == 16);
P2P_ASSERT(sizeof(PEER_GROUP_EVENT_DATA) == 56);
P2P_ASSERT(sizeof(P2P_STATISTIC) == 32);
P2P_ASSERT(offsetof(P2P_STATISTIC, ullValue) == 24);
P2P_ASSERT(sizeof(P2P_STATISTICS) == 16);
#endif

/* ---- Start and end ---------------------------------------------------------------------------------------------- */

/* Starts the library in this process. Counted: each success needs one PeerGroupShutdown. */
HRESULT WINAPI PeerGroupStartup(WORD wVersionRequested, PPEER_VERSION_DATA pVersionData);

/* Undoes one PeerGroupStartup. The last one closes every group, within 5 seconds. */
HRESULT WINAPI PeerGroupShutdown(void);

/* ---- Identities: need no PeerGroupStartup ----------------------------------------------------------------------- */

/* Makes an identity and returns its peer name. The first one becomes the default. hCryptProv: a key pair (below, and
 * PeerIdentityGetCryptKey), which may be released at once; 0: a new one. */
HRESULT WINAPI PeerIdentityCreate(PCWSTR pwzClassifier, PCWSTR pwzFriendlyName, HCRYPTPROV hCryptProv,
                                  PWSTR *ppwzIdentity);

/* Deletes an identity that has no groups. */
HRESULT WINAPI PeerIdentityDelete(PCWSTR pwzIdentity);

/* What an identity shows of itself to whoever is to invite it. NULL: the default identity, made if there is none. */
HRESULT WINAPI PeerIdentityGetXML(PCWSTR pwzIdentity, PWSTR *ppwzIdentityXML);

/* The name for people; the peer name if there is no other. */
HRESULT WINAPI PeerIdentityGetFriendlyName(PCWSTR pwzIdentity, PWSTR *ppwzFriendlyName);

/* Changes it. NULL or empty: the peer name. What was issued to the identity before keeps the name that it has. */
HRESULT WINAPI PeerIdentitySetFriendlyName(PCWSTR pwzIdentity, PCWSTR pwzFriendlyName);

/* The peer name of the default identity. Makes none. */
HRESULT WINAPI PeerIdentityGetDefault(PWSTR *ppwzPeerName);

/* The key pair of an identity, for PeerIdentityCreate; P2PKeyRelease when done. */
HRESULT WINAPI PeerIdentityGetCryptKey(PCWSTR pwzIdentity, HCRYPTPROV *phCryptProv);

/* The whole identity under a password, as text for another machine: key and names, no groups. Takes 64 MiB and some
 * tenths of a second. */
HRESULT WINAPI PeerIdentityExport(PCWSTR pwzIdentity, PCWSTR pwzPassword, PWSTR *ppwzExportXML);

/* Keeps what PeerIdentityExport wrote, and returns its peer name. E_INVALIDARG for a wrong password, too. */
HRESULT WINAPI PeerIdentityImport(PCWSTR pwzImportXML, PCWSTR pwzPassword, PWSTR *ppwzIdentity);

/* The name of an identity with another classifier (NULL: its own name), or without an identity "0.classifier". */
HRESULT WINAPI PeerCreatePeerName(PCWSTR pwzIdentity, PCWSTR pwzClassifier, PWSTR *ppwzPeerName);

/* Snapshots of the identities, and of the groups of one: items are PEER_NAME_PAIR. */
HRESULT WINAPI PeerEnumIdentities(HPEERENUM *phPeerEnum);
HRESULT WINAPI PeerEnumGroups(PCWSTR pwzIdentity, HPEERENUM *phPeerEnum);

/* ---- Groups ----------------------------------------------------------------------------------------------------- */

/* Makes a group; the handle is offline. */
HRESULT WINAPI PeerGroupCreate(PPEER_GROUP_PROPERTIES pProperties, HGROUP *phGroup);

/* Opens a group made or joined before; the handle is offline unless another handle of the group is online. */
HRESULT WINAPI PeerGroupOpen(PCWSTR pwzIdentity, PCWSTR pwzGroupPeerName, PCWSTR pwzCloud, HGROUP *phGroup);

/* Takes an invitation, around which there may be white space; the handle is offline. Nothing is sent. pwzIdentity NULL:
 * the default identity. */
HRESULT WINAPI PeerGroupJoin(PCWSTR pwzIdentity, PCWSTR pwzInvitation, PCWSTR pwzCloud, HGROUP *phGroup);

/* Begins to bring the group online; an event tells how it ended, within 30 seconds. Who made the group, or has met a
 * member of it before, comes online alone (PEER_GROUP_STATUS_LISTENING) and goes on looking; the other status bit says
 * that a member was met. Who has never met one comes online with both bits, or gets PEER_GROUP_EVENT_CONNECTION_FAILED,
 * after which the group is offline and this may be called again: PEER_E_NO_MEMBERS_FOUND (nobody answered),
 * PEER_E_NO_MEMBER_CONNECTIONS (nobody took us in). Everybody may get PEER_E_NOT_AUTHORIZED (the membership has ended)
 * and PEER_E_UNABLE_TO_LISTEN. */
HRESULT WINAPI PeerGroupConnect(HGROUP hGroup);

/* The same, asking only at these 1 to 64 endpoints. */
HRESULT WINAPI PeerGroupConnectByAddress(HGROUP hGroup, ULONG cAddresses, PPEER_ADDRESS pAddresses);

/* Ends a handle; the last one of a group takes it offline, within 5 seconds. */
HRESULT WINAPI PeerGroupClose(HGROUP hGroup);

/* Deletes this identity's copy of a group, with all its handles. Other members keep theirs. */
HRESULT WINAPI PeerGroupDelete(PCWSTR pwzIdentity, PCWSTR pwzGroupPeerName);

/* The properties as the creator last signed them; also offline. The password is never among them. */
HRESULT WINAPI PeerGroupGetProperties(HGROUP hGroup, PPEER_GROUP_PROPERTIES *ppProperties);

/* Changes them, for the creator: what PeerGroupGetProperties gave, with another dwFlags, pwzFriendlyName, pwzComment,
 * lifetimes or password. A NULL password stays as it is. Every node gets PEER_GROUP_EVENT_PROPERTY_CHANGED; here it is
 * queued when this returns. */
HRESULT WINAPI PeerGroupSetProperties(HGROUP hGroup, PPEER_GROUP_PROPERTIES pProperties);

/* PEER_GROUP_STATUS bits; 0: offline. */
HRESULT WINAPI PeerGroupGetStatus(HGROUP hGroup, DWORD *pdwStatus);

/* Makes an invitation for the identity that pwzIdentityInfo (from its PeerIdentityGetXML) describes. No roles (0,
 * NULL): member. No end (NULL): the inviter's own. It says where members may be found, as far as that is known here:
 * come online first. */
HRESULT WINAPI PeerGroupCreateInvitation(HGROUP hGroup, PCWSTR pwzIdentityInfo, FILETIME *pftExpiration, ULONG cRoles,
                                         const GUID *pRoles, PWSTR *ppwzInvitation);

/* Checks an invitation of either kind and shows what is in it. Its dates are shown, not checked. One by password has no
 * subject: those members are NULL. */
HRESULT WINAPI PeerGroupParseInvitation(PCWSTR pwzInvitation, PPEER_INVITATION_INFO *ppInvitationInfo);

/* Issues a membership to a member or to somebody new, for administrators. pCredentialInfo: what it is to hold (its
 * issuer is not read); NULL: renew what is known of the member. dwFlags: 0, or PEER_GROUP_STORE_CREDENTIALS. What
 * comes out is an invitation to hand over; with the flag it may be NULL. What the subject had stays valid, and it
 * goes on with that until it gets what gives no less; a higher role comes with those that it has. */
HRESULT WINAPI PeerGroupIssueCredentials(HGROUP hGroup, PCWSTR pwzSubjectIdentity, PEER_CREDENTIAL_INFO *pCredentialInfo,
                                         DWORD dwFlags, PWSTR *ppwzInvitation);

/* Takes a membership back, and with it all that were issued below it. pwzIdentity: a peer name known here, or what
 * PeerIdentityGetXML gave for anybody. dwReason: P2P_REASON_*. For administrators, against members below them. The
 * member's connections end everywhere with PEER_E_CONNECTION_FAILED, behind which P2PGetEventDetail shows
 * CRYPT_E_REVOKED; all get PEER_GROUP_EVENT_MEMBER_CHANGED with PEER_MEMBER_UPDATED, and the member itself
 * PEER_GROUP_EVENT_CONNECTION_FAILED with PEER_E_NOT_AUTHORIZED. It never comes back with its key. */
HRESULT WINAPI P2PGroupRevoke(HGROUP hGroup, PCWSTR pwzIdentity, DWORD dwReason);

/* Leaves a member just these roles. Whom it invited with more than these has to be invited anew. */
HRESULT WINAPI P2PGroupDemote(HGROUP hGroup, PCWSTR pwzIdentity, ULONG cRoles, const PEER_ROLE_ID *pRoles);

/* Makes an invitation for whoever knows the group's password. Nothing in it is secret. */
HRESULT WINAPI PeerGroupCreatePasswordInvitation(HGROUP hGroup, PWSTR *ppwzInvitation);

/* Takes it; the handle is offline, and connecting gains the membership. PEER_S_ALREADY_A_MEMBER, a success: there
 * was one, and the handle is as from PeerGroupOpen. With a wrong password connecting fails with
 * PEER_E_NOT_AUTHORIZED. */
HRESULT WINAPI PeerGroupPasswordJoin(PCWSTR pwzIdentity, PCWSTR pwzInvitation, PCWSTR pwzPassword, PCWSTR pwzCloud,
                                     HGROUP *phGroup);

/* For who wants to ask for the password again: while a queue has PEER_GROUP_EVENT_AUTHENTICATION_FAILED, a wrong
 * password is that event, and connecting waits. Give another one to PeerGroupPasswordJoin, then go on with this,
 * within 5 minutes. */
HRESULT WINAPI PeerGroupResumePasswordAuthentication(HGROUP hGroup, HPEEREVENT hPeerEventHandle);

/* What this identity has of the group, as text for the same identity on another machine, where PeerIdentityImport comes
 * first: the membership, where members may be found, and the group's key if the group was made here. The password
 * protects that key and must not be empty then; nothing else is secret. Takes 64 MiB and some tenths of a second. */
HRESULT WINAPI PeerGroupExportConfig(HGROUP hGroup, PCWSTR pwzPassword, PWSTR *ppwzXML);

/* Keeps what PeerGroupExportConfig wrote, and returns whose it is and the group's peer name, for PeerGroupOpen.
 * E_INVALIDARG for a wrong password, too. fOverwrite: what is here of the group is replaced; it must not be open. */
HRESULT WINAPI PeerGroupImportConfig(PCWSTR pwzXML, PCWSTR pwzPassword, BOOL fOverwrite, PWSTR *ppwzIdentity,
                                     PWSTR *ppwzGroup);

/* Group time to this machine's UTC and back. Group time is UTC by every member's own clock, so only what lies beyond
 * 2^63 - 1 changes. Both may be the same object; after a failure it is as it was. */
HRESULT WINAPI PeerGroupPeerTimeToUniversalTime(HGROUP hGroup, FILETIME *pftPeerTime, FILETIME *pftUniversalTime);
HRESULT WINAPI PeerGroupUniversalTimeToPeerTime(HGROUP hGroup, FILETIME *pftUniversalTime, FILETIME *pftPeerTime);

/* Members known here: items are PEER_MEMBER. dwFlags: 0 or PEER_MEMBER_PRESENT. pwzIdentity: one of them; NULL: all,
 * oneself first. */
HRESULT WINAPI PeerGroupEnumMembers(HGROUP hGroup, DWORD dwFlags, PCWSTR pwzIdentity, HPEERENUM *phPeerEnum);

/* Connections that stand: items are PEER_CONNECTION_INFO. dwFlags: one or both of PEER_CONNECTION_FLAGS. */
HRESULT WINAPI PeerGroupEnumConnections(HGROUP hGroup, DWORD dwFlags, HPEERENUM *phPeerEnum);

/* ---- Direct connections ----------------------------------------------------------------------------------------- */

/* Begins to open a direct connection to a member at one of its addresses, which PEER_MEMBER and PEER_CONNECTION_INFO
 * have. Exactly one PEER_CONNECTED or PEER_CONNECTION_FAILED with this id follows, within 30 seconds. */
HRESULT WINAPI PeerGroupOpenDirectConnection(HGROUP hGroup, PCWSTR pwzIdentity, PPEER_ADDRESS pAddress,
                                             ULONGLONG *pullConnectionId);

/* Closes a direct connection, whoever opened it. What was accepted for sending is still delivered. */
HRESULT WINAPI PeerGroupCloseDirectConnection(HGROUP hGroup, ULONGLONG ullConnectionId);

/* Sends one message, at most 16 MiB (else E_INVALIDARG), over a connection that stands. Never waits: E_OUTOFMEMORY if
 * too much is queued. */
HRESULT WINAPI PeerGroupSendData(HGROUP hGroup, ULONGLONG ullConnectionId, const GUID *pType, ULONG cbData,
                                 PVOID pvData);

/* ---- Events ----------------------------------------------------------------------------------------------------- */

/* Makes a queue for some kinds of event; hEvent is signalled at each event. A registration for
 * PEER_GROUP_EVENT_DIRECT_CONNECTION is also what makes this node accept direct connections. */
HRESULT WINAPI PeerGroupRegisterEvent(HGROUP hGroup, HANDLE hEvent, DWORD cEventRegistration,
                                      PEER_GROUP_EVENT_REGISTRATION *pEventRegistrations, HPEEREVENT *phPeerEvent);

/* Ends a queue and drops what is in it. */
HRESULT WINAPI PeerGroupUnregisterEvent(HPEEREVENT hPeerEvent);

/* Takes the oldest event. PEER_S_NO_EVENT_DATA, a success, when there is none: call until then. */
HRESULT WINAPI PeerGroupGetEventData(HPEEREVENT hPeerEvent, PPEER_GROUP_EVENT_DATA *ppEventData);

/* ---- Snapshots and memory: need no PeerGroupStartup ------------------------------------------------------------- */

/* All items of a snapshot, read or not. */
HRESULT WINAPI PeerGetItemCount(HPEERENUM hPeerEnum, ULONG *pCount);

/* Takes up to *pCount items; *pCount is how many came, 0 at the end. One PeerFreeData frees the array and its items. */
HRESULT WINAPI PeerGetNextItem(HPEERENUM hPeerEnum, ULONG *pCount, PVOID **pppvItems);

/* Ends a snapshot; items taken before stay. */
HRESULT WINAPI PeerEndEnumeration(HPEERENUM hPeerEnum);

/* Frees what a function returned; NULL is allowed. */
void WINAPI PeerFreeData(LPCVOID pvData);

/* ---- Ours ------------------------------------------------------------------------------------------------------- */

/* Makes an event object. NULL: memory or descriptors have run out. */
HANDLE WINAPI P2PCreateEvent(BOOL bManualReset, BOOL bInitialState);
HRESULT WINAPI P2PSetEvent(HANDLE h);
HRESULT WINAPI P2PResetEvent(HANDLE h);

/* S_OK: signalled. S_FALSE: timed out. dwMilliseconds: INFINITE waits without an end. */
HRESULT WINAPI P2PWaitEvent(HANDLE h, DWORD dwMilliseconds);

/* A descriptor that is readable while the object is signalled, for poll, epoll and kqueue: do not read from it. When it
 * is readable, P2PResetEvent, then take events until there are none. -1 on Windows. */
int WINAPI P2PEventFd(HANDLE h);
HRESULT WINAPI P2PCloseEvent(HANDLE h);

/* What this node, with all groups of its identity, has done since its start and holds now. For every few seconds,
 * not for every message. */
HRESULT WINAPI P2PGetStatistics(HGROUP hGroup, P2P_STATISTICS **ppStatistics);

/* Key pairs for PeerIdentityCreate: a new one, or one in PKCS#8 (RFC 5958). Each needs one P2PKeyRelease. */
HRESULT WINAPI P2PKeyGenerate(HCRYPTPROV *phKey);
HRESULT WINAPI P2PKeyImportPkcs8(const BYTE *pbKey, ULONG cbKey, HCRYPTPROV *phKey);
HRESULT WINAPI P2PKeyRelease(HCRYPTPROV hKey);

/* What is behind this thread's last failed call, S_OK if nothing: the CRYPT_E_* code where the call gave a PEER_E_*
 * one, else a finer CERT_E_*, TRUST_E_* or NTE_* code. */
HRESULT WINAPI P2PGetLastErrorDetail(void);

/* The same for the reason in an event from PeerGroupGetEventData, until it is freed. */
HRESULT WINAPI P2PGetEventDetail(const PEER_GROUP_EVENT_DATA *pEvent);

#ifdef __cplusplus
}
#endif

#endif /* P2P_H */
