/*
 * A console program as one writes it for Windows: two peers in one process, a group, an invitation, and a line of text
 * over a direct connection. Nothing in it was changed for other systems.
 *
 *   whisper [TEXT]
 *
 * mingw-w64:   x86_64-w64-mingw32-gcc -municode -D__USE_MINGW_ANSI_STDIO=0 whisper.c -lp2p -o whisper.exe
 * elsewhere:   cc whisper.c $(pkg-config --cflags --libs peergroup peergroup-windows) -o whisper
 */
#ifndef UNICODE
#define UNICODE
#endif
#ifndef _UNICODE
#define _UNICODE
#endif
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0601
#endif
#define INITGUID /* PEER_GROUP_ROLE_* are defined here */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <p2p.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PEER_S_NO_EVENT_DATA /* the headers of mingw-w64 lack the codes of winerror.h */
#define PEER_S_NO_EVENT_DATA ((HRESULT)0x00630002L)
#endif

#define PATIENCE 30000

/* The type of our messages: any number that is ours. */
static const GUID TEXT_MESSAGE = {0x2a7c61d4, 0x53b0, 0x4e19, {0x9f, 0x06, 0x1d, 0x8e, 0x44, 0xb2, 0x7a, 0x35}};

typedef struct PEER {
    PWSTR pwzName;
    HGROUP hGroup;
    HANDLE hEvent;
    HPEEREVENT hPeerEvent;
} PEER;

static void Check(HRESULT hr, PCWSTR pwzCall) {
    if (SUCCEEDED(hr)) return;
    fwprintf(stderr, L"%s failed: 0x%08lX\n", pwzCall, (DWORD)hr);
    exit(1);
}

#define WIDE_(text) L##text
#define WIDE(text) WIDE_(text)
#define CHECK(call) Check((call), WIDE(#call))

/* Registers for what this program wants to hear; that is also what lets others open direct connections. */
static void Listen(PEER *pPeer) {
    PEER_GROUP_EVENT_REGISTRATION events[3];
    ZeroMemory(events, sizeof(events));
    events[0].eventType = PEER_GROUP_EVENT_STATUS_CHANGED;
    events[1].eventType = PEER_GROUP_EVENT_DIRECT_CONNECTION;
    events[2].eventType = PEER_GROUP_EVENT_INCOMING_DATA;
    pPeer->hEvent = CreateEvent(NULL, FALSE, FALSE, NULL);
    if (pPeer->hEvent == NULL) {
        wprintf(L"CreateEvent failed: %lu\n", GetLastError());
        exit(1);
    }
    CHECK(PeerGroupRegisterEvent(pPeer->hGroup, pPeer->hEvent, ARRAYSIZE(events), events, &pPeer->hPeerEvent));
}

/* Waits for the next event of one type; the caller frees it. */
static PEER_GROUP_EVENT_DATA *Next(const PEER *pPeer, PEER_GROUP_EVENT_TYPE type) {
    for (;;) {
        PEER_GROUP_EVENT_DATA *pEvent = NULL;
        HRESULT hr = PeerGroupGetEventData(pPeer->hPeerEvent, &pEvent);
        CHECK(hr);
        if (hr == PEER_S_NO_EVENT_DATA) {
            if (WaitForSingleObject(pPeer->hEvent, PATIENCE) == WAIT_OBJECT_0) continue;
            fputws(L"nothing happens\n", stderr);
            exit(1);
        }
        if (pEvent->eventType == type) return pEvent;
        PeerFreeData(pEvent);
    }
}

static void GoOnline(const PEER *pPeer, DWORD dwWanted) {
    DWORD dwStatus = 0;
    CHECK(PeerGroupConnect(pPeer->hGroup));
    CHECK(PeerGroupGetStatus(pPeer->hGroup, &dwStatus));
    while ((dwStatus & dwWanted) != dwWanted) {
        PEER_GROUP_EVENT_DATA *pEvent = Next(pPeer, PEER_GROUP_EVENT_STATUS_CHANGED);
        dwStatus = (DWORD)pEvent->dwStatus;
        PeerFreeData(pEvent);
    }
}

static void ShowInvitation(PCWSTR pwzInvitation) {
    PEER_INVITATION_INFO *pInfo = NULL;
    SYSTEMTIME end;
    CHECK(PeerGroupParseInvitation(pwzInvitation, &pInfo));
    if (!FileTimeToSystemTime(&pInfo->ftValidityEnd, &end)) exit(1);
    wprintf(L"%s invites %s until %04hu-%02hu-%02hu\n", pInfo->pwzIssuerFriendlyName, pInfo->pwzSubjectFriendlyName,
            end.wYear, end.wMonth, end.wDay);
    PeerFreeData(pInfo);
}

static void Meet(PEER *pAnn, PEER *pBob) {
    PEER_GROUP_PROPERTIES properties;
    PWSTR pwzAboutBob = NULL, pwzInvitation = NULL;
    WCHAR wzName[64];

    swprintf(wzName, ARRAYSIZE(wzName), L"%s's group", L"Ann");
    CHECK(PeerIdentityCreate(NULL, L"Ann", 0, &pAnn->pwzName));
    CHECK(PeerIdentityCreate(NULL, L"Bob", 0, &pBob->pwzName));
    ZeroMemory(&properties, sizeof(properties));
    properties.dwSize = sizeof(properties);
    properties.pwzCreatorPeerName = pAnn->pwzName;
    properties.pwzFriendlyName = wzName;
    CHECK(PeerGroupCreate(&properties, &pAnn->hGroup));
    Listen(pAnn);
    GoOnline(pAnn, PEER_GROUP_STATUS_LISTENING);

    CHECK(PeerIdentityGetXML(pBob->pwzName, &pwzAboutBob));
    CHECK(PeerGroupCreateInvitation(pAnn->hGroup, pwzAboutBob, NULL, 1, &PEER_GROUP_ROLE_MEMBER, &pwzInvitation));
    ShowInvitation(pwzInvitation);
    CHECK(PeerGroupJoin(pBob->pwzName, pwzInvitation, NULL, &pBob->hGroup));
    Listen(pBob);
    GoOnline(pBob, PEER_GROUP_STATUS_HAS_CONNECTIONS);
    PeerFreeData(pwzAboutBob);
    PeerFreeData(pwzInvitation);
}

/* Where Bob's node knows Ann to be. */
static PEER_ADDRESS AddressOf(PCWSTR pwzName, const PEER *pPeer) {
    HPEERENUM hMembers = NULL;
    PEER_MEMBER **ppMembers = NULL;
    PEER_ADDRESS address;
    ULONG cMembers = 1;
    CHECK(PeerGroupEnumMembers(pPeer->hGroup, PEER_MEMBER_PRESENT, pwzName, &hMembers));
    CHECK(PeerGetNextItem(hMembers, &cMembers, (PVOID **)&ppMembers));
    if (cMembers == 0 || ppMembers[0]->cAddresses == 0) {
        wprintf(L"nobody knows where %s is\n", pwzName);
        exit(1);
    }
    address = ppMembers[0]->pAddresses[0];
    PeerFreeData(ppMembers);
    CHECK(PeerEndEnumeration(hMembers));
    return address;
}

static void Whisper(const PEER *pAnn, const PEER *pBob, PWSTR pwzText) {
    PEER_ADDRESS address = AddressOf(pAnn->pwzName, pBob);
    PEER_GROUP_EVENT_DATA *pEvent;
    ULONGLONG ullId = 0;

    CHECK(PeerGroupOpenDirectConnection(pBob->hGroup, pAnn->pwzName, &address, &ullId));
    pEvent = Next(pBob, PEER_GROUP_EVENT_DIRECT_CONNECTION);
    CHECK(pEvent->connectionChangeData.hrConnectionFailedReason);
    PeerFreeData(pEvent);
    CHECK(PeerGroupSendData(pBob->hGroup, ullId, &TEXT_MESSAGE, (ULONG)((wcslen(pwzText) + 1) * sizeof(WCHAR)), pwzText));
    CHECK(PeerGroupCloseDirectConnection(pBob->hGroup, ullId));

    pEvent = Next(pAnn, PEER_GROUP_EVENT_INCOMING_DATA);
    if (memcmp(&pEvent->incomingData.type, &TEXT_MESSAGE, sizeof(GUID)) == 0)
        wprintf(L"Ann heard: %s\n", (PCWSTR)pEvent->incomingData.data.pbData);
    PeerFreeData(pEvent);
}

static void Leave(PEER *pPeer) {
    CHECK(PeerGroupUnregisterEvent(pPeer->hPeerEvent));
    CloseHandle(pPeer->hEvent);
    CHECK(PeerGroupClose(pPeer->hGroup));
    PeerFreeData(pPeer->pwzName);
}

int wmain(int argc, WCHAR *argv[]) {
    WCHAR wzHello[] = L"Hello, Ann!";
    PEER_VERSION_DATA version;
    PEER ann, bob;
    CHECK(PeerGroupStartup(PEER_GROUP_VERSION, &version));
    Meet(&ann, &bob);
    Whisper(&ann, &bob, argc > 1 ? argv[1] : wzHello);
    Leave(&bob);
    Leave(&ann);
    CHECK(PeerGroupShutdown());
    return 0;
}
