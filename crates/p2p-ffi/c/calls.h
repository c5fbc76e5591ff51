/*
 * Every function that the library exports, and what each of its parameters is: for misuse.c, which puts into each all
 * that does not belong there. A test compares the names with the header: a new function needs its row.
 */
#ifndef CALLS_H
#define CALLS_H

#include "common.h"

/* What a parameter is; with it go a good value and bad ones. */
enum what {
    END,
    /* Handles. */
    GROUP,
    QUEUE,
    ENUMERATION,
    EVENT,
    KEY,
    /* Texts. */
    NAME,    /* of an identity that is here */
    NOBODY,  /* a peer name that nothing has */
    TEXT,    /* any */
    CLOUD,
    XML,
    INVITED, /* an invitation */
    /* What is read. */
    ADDRESS,
    PROPERTIES,
    CREDENTIAL,
    ROLES,
    TIME,
    TYPE,
    BYTES,
    ENTRIES,
    EVENT_DATA, /* looked up, never followed */
    BLOCK,      /* to be freed: only null is no mistake */
    /* Numbers: any, or how many lie behind the pointer that follows. */
    NUMBER,
    COUNT,
    /* What is written. */
    OUT_BLOCK,
    OUT_GROUP,
    OUT_QUEUE,
    OUT_ENUMERATION,
    OUT_KEY,
    OUT_NUMBER,
    /* Null is a value like any other. */
    OPTIONAL = 64
};

#define PARAMETERS_MAX 6

/* A parameter of any kind: a pointer, a handle or a number. */
typedef ULONGLONG value;

struct row {
    const char *name;
    int parameters[PARAMETERS_MAX + 1];
    /* What good values give; S_OK: success. */
    HRESULT otherwise;
    HRESULT (*call)(const value *);
};

#define POINTER(type, index) ((type)(uintptr_t)v[index])
#define WORD_OF(type, index) ((type)v[index])

/* name, arguments in terms of v[]. */
#define THUNK(name, arguments)                                                                                           \
    static HRESULT call_##name(const value *v) {                                                                         \
        (void)v;                                                                                                         \
        return name arguments;                                                                                           \
    }

#define GROUP_OF(index) POINTER(HGROUP, index)
#define TEXT_OF(index) POINTER(PCWSTR, index)
#define OUT_OF(index) POINTER(PWSTR *, index)

THUNK(PeerGroupShutdown, ())
THUNK(PeerIdentityCreate, (TEXT_OF(0), TEXT_OF(1), WORD_OF(HCRYPTPROV, 2), OUT_OF(3)))
THUNK(PeerIdentityDelete, (TEXT_OF(0)))
THUNK(PeerIdentityGetXML, (TEXT_OF(0), OUT_OF(1)))
THUNK(PeerIdentityGetFriendlyName, (TEXT_OF(0), OUT_OF(1)))
THUNK(PeerIdentitySetFriendlyName, (TEXT_OF(0), TEXT_OF(1)))
THUNK(PeerIdentityGetDefault, (OUT_OF(0)))
THUNK(PeerIdentityGetCryptKey, (TEXT_OF(0), POINTER(HCRYPTPROV *, 1)))
THUNK(PeerIdentityExport, (TEXT_OF(0), TEXT_OF(1), OUT_OF(2)))
THUNK(PeerIdentityImport, (TEXT_OF(0), TEXT_OF(1), OUT_OF(2)))
THUNK(PeerCreatePeerName, (TEXT_OF(0), TEXT_OF(1), OUT_OF(2)))
THUNK(PeerEnumIdentities, (POINTER(HPEERENUM *, 0)))
THUNK(PeerEnumGroups, (TEXT_OF(0), POINTER(HPEERENUM *, 1)))
THUNK(PeerGroupCreate, (POINTER(PPEER_GROUP_PROPERTIES, 0), POINTER(HGROUP *, 1)))
THUNK(PeerGroupOpen, (TEXT_OF(0), TEXT_OF(1), TEXT_OF(2), POINTER(HGROUP *, 3)))
THUNK(PeerGroupJoin, (TEXT_OF(0), TEXT_OF(1), TEXT_OF(2), POINTER(HGROUP *, 3)))
THUNK(PeerGroupConnect, (GROUP_OF(0)))
THUNK(PeerGroupConnectByAddress, (GROUP_OF(0), WORD_OF(ULONG, 1), POINTER(PPEER_ADDRESS, 2)))
THUNK(PeerGroupClose, (GROUP_OF(0)))
THUNK(PeerGroupDelete, (TEXT_OF(0), TEXT_OF(1)))
THUNK(PeerGroupGetProperties, (GROUP_OF(0), POINTER(PPEER_GROUP_PROPERTIES *, 1)))
THUNK(PeerGroupSetProperties, (GROUP_OF(0), POINTER(PPEER_GROUP_PROPERTIES, 1)))
THUNK(PeerGroupGetStatus, (GROUP_OF(0), POINTER(DWORD *, 1)))
THUNK(PeerGroupCreateInvitation, (GROUP_OF(0), TEXT_OF(1), POINTER(FILETIME *, 2), WORD_OF(ULONG, 3),
                                  POINTER(const GUID *, 4), OUT_OF(5)))
THUNK(PeerGroupParseInvitation, (TEXT_OF(0), POINTER(PPEER_INVITATION_INFO *, 1)))
THUNK(PeerGroupIssueCredentials, (GROUP_OF(0), TEXT_OF(1), POINTER(PPEER_CREDENTIAL_INFO, 2), WORD_OF(DWORD, 3),
                                  OUT_OF(4)))
THUNK(PeerGroupExportConfig, (GROUP_OF(0), TEXT_OF(1), OUT_OF(2)))
THUNK(PeerGroupImportConfig, (TEXT_OF(0), TEXT_OF(1), WORD_OF(BOOL, 2), OUT_OF(3), OUT_OF(4)))
THUNK(PeerGroupPeerTimeToUniversalTime, (GROUP_OF(0), POINTER(FILETIME *, 1), POINTER(FILETIME *, 2)))
THUNK(PeerGroupUniversalTimeToPeerTime, (GROUP_OF(0), POINTER(FILETIME *, 1), POINTER(FILETIME *, 2)))
THUNK(P2PGroupRevoke, (GROUP_OF(0), TEXT_OF(1), WORD_OF(DWORD, 2)))
THUNK(P2PGroupDemote, (GROUP_OF(0), TEXT_OF(1), WORD_OF(ULONG, 2), POINTER(const PEER_ROLE_ID *, 3)))
THUNK(PeerGroupCreatePasswordInvitation, (GROUP_OF(0), OUT_OF(1)))
THUNK(PeerGroupPasswordJoin, (TEXT_OF(0), TEXT_OF(1), TEXT_OF(2), TEXT_OF(3), POINTER(HGROUP *, 4)))
THUNK(PeerGroupResumePasswordAuthentication, (GROUP_OF(0), POINTER(HPEEREVENT, 1)))
THUNK(PeerGroupEnumMembers, (GROUP_OF(0), WORD_OF(DWORD, 1), TEXT_OF(2), POINTER(HPEERENUM *, 3)))
THUNK(PeerGroupEnumConnections, (GROUP_OF(0), WORD_OF(DWORD, 1), POINTER(HPEERENUM *, 2)))
THUNK(PeerGroupOpenDirectConnection, (GROUP_OF(0), TEXT_OF(1), POINTER(PPEER_ADDRESS, 2), POINTER(ULONGLONG *, 3)))
THUNK(PeerGroupCloseDirectConnection, (GROUP_OF(0), v[1]))
THUNK(PeerGroupSendData, (GROUP_OF(0), v[1], POINTER(const GUID *, 2), WORD_OF(ULONG, 3), POINTER(PVOID, 4)))
THUNK(PeerGroupRegisterEvent, (GROUP_OF(0), POINTER(HANDLE, 1), WORD_OF(DWORD, 2),
                               POINTER(PEER_GROUP_EVENT_REGISTRATION *, 3), POINTER(HPEEREVENT *, 4)))
THUNK(PeerGroupUnregisterEvent, (POINTER(HPEEREVENT, 0)))
THUNK(PeerGroupGetEventData, (POINTER(HPEEREVENT, 0), POINTER(PPEER_GROUP_EVENT_DATA *, 1)))
THUNK(PeerGetItemCount, (POINTER(HPEERENUM, 0), POINTER(ULONG *, 1)))
THUNK(PeerGetNextItem, (POINTER(HPEERENUM, 0), POINTER(ULONG *, 1), POINTER(PVOID **, 2)))
THUNK(PeerEndEnumeration, (POINTER(HPEERENUM, 0)))
THUNK(P2PSetEvent, (POINTER(HANDLE, 0)))
THUNK(P2PResetEvent, (POINTER(HANDLE, 0)))
THUNK(P2PWaitEvent, (POINTER(HANDLE, 0), WORD_OF(DWORD, 1)))
THUNK(P2PCloseEvent, (POINTER(HANDLE, 0)))
THUNK(P2PGetStatistics, (GROUP_OF(0), POINTER(P2P_STATISTICS **, 1)))
THUNK(P2PKeyGenerate, (POINTER(HCRYPTPROV *, 0)))
THUNK(P2PKeyImportPkcs8, (POINTER(const BYTE *, 0), WORD_OF(ULONG, 1), POINTER(HCRYPTPROV *, 2)))
THUNK(P2PKeyRelease, (WORD_OF(HCRYPTPROV, 0)))
THUNK(P2PGetLastErrorDetail, ())
THUNK(P2PGetEventDetail, (POINTER(const PEER_GROUP_EVENT_DATA *, 0)))

/* A startup that succeeds is undone. */
static HRESULT call_PeerGroupStartup(const value *v) {
    HRESULT code = PeerGroupStartup(WORD_OF(WORD, 0), POINTER(PEER_VERSION_DATA *, 1));
    if (code == S_OK) OK(PeerGroupShutdown());
    return code;
}

/* Functions that give something else than a code. */
static HRESULT call_P2PCreateEvent(const value *v) {
    HANDLE event = P2PCreateEvent(WORD_OF(BOOL, 0), WORD_OF(BOOL, 1));
    return event == NULL ? E_OUTOFMEMORY : P2PCloseEvent(event);
}

static HRESULT call_P2PEventFd(const value *v) {
    return P2PEventFd(POINTER(HANDLE, 0)) < 0 ? E_INVALIDARG : S_OK;
}

static HRESULT call_PeerFreeData(const value *v) {
    PeerFreeData(POINTER(LPCVOID, 0));
    return S_OK;
}

#define ROW(name, parameters, otherwise) {#name, parameters, otherwise, call_##name}
#define OF(...) {__VA_ARGS__, END}
#define NOTHING {END}

static const struct row ROWS[] = {
    ROW(PeerGroupStartup, OF(NUMBER, OUT_NUMBER), S_OK),
    ROW(PeerGroupShutdown, NOTHING, S_OK),
    ROW(PeerIdentityCreate, OF(TEXT | OPTIONAL, TEXT | OPTIONAL, KEY | OPTIONAL, OUT_BLOCK), PEER_E_ALREADY_EXISTS),
    ROW(PeerIdentityDelete, OF(NAME), PEER_E_GROUPS_EXIST),
    ROW(PeerIdentityGetXML, OF(NAME | OPTIONAL, OUT_BLOCK), S_OK),
    ROW(PeerIdentityGetFriendlyName, OF(NAME, OUT_BLOCK), S_OK),
    ROW(PeerIdentitySetFriendlyName, OF(NAME, TEXT | OPTIONAL), S_OK),
    ROW(PeerIdentityGetDefault, OF(OUT_BLOCK), S_OK),
    ROW(PeerIdentityGetCryptKey, OF(NAME, OUT_KEY), S_OK),
    ROW(PeerIdentityExport, OF(NAME, TEXT, OUT_BLOCK), S_OK),
    ROW(PeerIdentityImport, OF(XML, TEXT, OUT_BLOCK), E_INVALIDARG),
    ROW(PeerCreatePeerName, OF(NAME | OPTIONAL, TEXT | OPTIONAL, OUT_BLOCK), S_OK),
    ROW(PeerEnumIdentities, OF(OUT_ENUMERATION), S_OK),
    ROW(PeerEnumGroups, OF(NAME, OUT_ENUMERATION), S_OK),
    ROW(PeerGroupCreate, OF(PROPERTIES, OUT_GROUP), S_OK),
    ROW(PeerGroupOpen, OF(NAME, NOBODY, CLOUD | OPTIONAL, OUT_GROUP), PEER_E_NOT_FOUND),
    ROW(PeerGroupJoin, OF(NAME | OPTIONAL, INVITED, CLOUD | OPTIONAL, OUT_GROUP), PEER_E_INVITATION_NOT_TRUSTED),
    ROW(PeerGroupConnect, OF(GROUP), PEER_S_ALREADY_CONNECTED),
    ROW(PeerGroupConnectByAddress, OF(GROUP, COUNT, ADDRESS), S_OK),
    ROW(PeerGroupClose, OF(GROUP), S_OK),
    ROW(PeerGroupDelete, OF(NAME | OPTIONAL, NOBODY), PEER_E_NOT_FOUND),
    ROW(PeerGroupGetProperties, OF(GROUP, OUT_BLOCK), S_OK),
    ROW(PeerGroupSetProperties, OF(GROUP, PROPERTIES), S_OK),
    ROW(PeerGroupGetStatus, OF(GROUP, OUT_NUMBER), S_OK),
    ROW(PeerGroupCreateInvitation, OF(GROUP, XML, TIME | OPTIONAL, COUNT, ROLES, OUT_BLOCK), S_OK),
    ROW(PeerGroupParseInvitation, OF(INVITED, OUT_BLOCK), S_OK),
    ROW(PeerGroupIssueCredentials, OF(GROUP, NAME, CREDENTIAL | OPTIONAL, NUMBER, OUT_BLOCK),
        PEER_E_INVALID_CREDENTIAL_INFO),
    ROW(PeerGroupExportConfig, OF(GROUP, TEXT | OPTIONAL, OUT_BLOCK), E_INVALIDARG),
    ROW(PeerGroupImportConfig, OF(XML, TEXT | OPTIONAL, NUMBER, OUT_BLOCK, OUT_BLOCK), E_INVALIDARG),
    ROW(PeerGroupPeerTimeToUniversalTime, OF(GROUP, TIME, TIME), S_OK),
    ROW(PeerGroupUniversalTimeToPeerTime, OF(GROUP, TIME, TIME), S_OK),
    ROW(P2PGroupRevoke, OF(GROUP, NAME, NUMBER), E_INVALIDARG),
    ROW(P2PGroupDemote, OF(GROUP, NAME, COUNT, ROLES), E_INVALIDARG),
    ROW(PeerGroupCreatePasswordInvitation, OF(GROUP, OUT_BLOCK), PEER_E_INVALID_GROUP_PROPERTIES),
    ROW(PeerGroupPasswordJoin, OF(NAME | OPTIONAL, INVITED, TEXT, CLOUD | OPTIONAL, OUT_GROUP),
        PEER_E_INVITATION_NOT_TRUSTED),
    ROW(PeerGroupResumePasswordAuthentication, OF(GROUP, QUEUE), E_INVALIDARG),
    ROW(PeerGroupEnumMembers, OF(GROUP, NUMBER, NAME | OPTIONAL, OUT_ENUMERATION), S_OK),
    ROW(PeerGroupEnumConnections, OF(GROUP, NUMBER, OUT_ENUMERATION), S_OK),
    ROW(PeerGroupOpenDirectConnection, OF(GROUP, NAME, ADDRESS, OUT_NUMBER), PEER_E_CONNECT_SELF),
    ROW(PeerGroupCloseDirectConnection, OF(GROUP, NUMBER), PEER_E_CONNECTION_NOT_FOUND),
    ROW(PeerGroupSendData, OF(GROUP, NUMBER, TYPE, COUNT, BYTES), PEER_E_CONNECTION_NOT_FOUND),
    ROW(PeerGroupRegisterEvent, OF(GROUP, EVENT, COUNT, ENTRIES, OUT_QUEUE), S_OK),
    ROW(PeerGroupUnregisterEvent, OF(QUEUE), S_OK),
    ROW(PeerGroupGetEventData, OF(QUEUE, OUT_BLOCK), S_OK),
    ROW(PeerGetItemCount, OF(ENUMERATION, OUT_NUMBER), S_OK),
    ROW(PeerGetNextItem, OF(ENUMERATION, OUT_NUMBER, OUT_BLOCK), S_OK),
    ROW(PeerEndEnumeration, OF(ENUMERATION), S_OK),
    ROW(PeerFreeData, OF(BLOCK | OPTIONAL), S_OK),
    ROW(P2PCreateEvent, OF(NUMBER, NUMBER), S_OK),
    ROW(P2PSetEvent, OF(EVENT), S_OK),
    ROW(P2PResetEvent, OF(EVENT), S_OK),
    ROW(P2PWaitEvent, OF(EVENT, NUMBER), S_OK),
    ROW(P2PEventFd, OF(EVENT), S_OK),
    ROW(P2PCloseEvent, OF(EVENT), S_OK),
    ROW(P2PGetStatistics, OF(GROUP, OUT_BLOCK), S_OK),
    ROW(P2PKeyGenerate, OF(OUT_KEY), S_OK),
    ROW(P2PKeyImportPkcs8, OF(BYTES, COUNT, OUT_KEY), CRYPT_E_NO_KEY_PROPERTY),
    ROW(P2PKeyRelease, OF(KEY), S_OK),
    ROW(P2PGetLastErrorDetail, NOTHING, S_OK),
    ROW(P2PGetEventDetail, OF(EVENT_DATA), S_OK),
};

#define ROWS_COUNT (sizeof ROWS / sizeof *ROWS)

#endif
