/*
 * whisper.c ported by hand: the same program without windows.h, for every system. What differs is explained in
 * docs/from-windows.md.
 *
 *   cc -std=c11 whisper_ported.c $(pkg-config --cflags --libs peergroup) -o whisper
 */
#include <p2p.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE 30000

/* The type of our messages: any number that is ours. */
static const GUID TEXT_MESSAGE = {0x2a7c61d4, 0x53b0, 0x4e19, {0x9f, 0x06, 0x1d, 0x8e, 0x44, 0xb2, 0x7a, 0x35}};

typedef struct PEER {
    PWSTR pwzName;
    HGROUP hGroup;
    HANDLE hEvent;
    HPEEREVENT hPeerEvent;
} PEER;

static void Check(HRESULT hr, const char *call) {
    if (SUCCEEDED(hr)) return;
    fprintf(stderr, "%s failed: 0x%08X, behind it 0x%08X\n", call, (unsigned)hr, (unsigned)P2PGetLastErrorDetail());
    exit(1);
}

#define CHECK(call) Check((call), #call)

/* UTF-16 goes out as UTF-8; the program's own texts have no characters of four bytes. */
static void Print(PCWSTR pwzText) {
    for (; *pwzText != 0; pwzText++) {
        unsigned c = *pwzText;
        if (c >= 0x800) printf("%c%c%c", 0xE0 | c >> 12, 0x80 | (c >> 6 & 0x3F), 0x80 | (c & 0x3F));
        else if (c >= 0x80) printf("%c%c", 0xC0 | c >> 6, 0x80 | (c & 0x3F));
        else putchar((int)c);
    }
}

/* Registers for what this program wants to hear; that is also what lets others open direct connections. */
static void Listen(PEER *pPeer) {
    PEER_GROUP_EVENT_REGISTRATION events[3];
    memset(events, 0, sizeof(events));
    events[0].eventType = PEER_GROUP_EVENT_STATUS_CHANGED;
    events[1].eventType = PEER_GROUP_EVENT_DIRECT_CONNECTION;
    events[2].eventType = PEER_GROUP_EVENT_INCOMING_DATA;
    pPeer->hEvent = P2PCreateEvent(FALSE, FALSE);
    if (pPeer->hEvent == NULL) {
        fputs("P2PCreateEvent failed\n", stderr);
        exit(1);
    }
    CHECK(PeerGroupRegisterEvent(pPeer->hGroup, pPeer->hEvent, 3, events, &pPeer->hPeerEvent));
}

/* Waits for the next event of one type; the caller frees it. */
static PEER_GROUP_EVENT_DATA *Next(const PEER *pPeer, PEER_GROUP_EVENT_TYPE type) {
    for (;;) {
        PEER_GROUP_EVENT_DATA *pEvent = NULL;
        HRESULT hr = PeerGroupGetEventData(pPeer->hPeerEvent, &pEvent);
        CHECK(hr);
        if (hr == PEER_S_NO_EVENT_DATA) {
            if (P2PWaitEvent(pPeer->hEvent, PATIENCE) == S_OK) continue;
            fputs("nothing happens\n", stderr);
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
    time_t end;
    char date[32];
    CHECK(PeerGroupParseInvitation(pwzInvitation, &pInfo));
    end = (time_t)(((ULONGLONG)pInfo->ftValidityEnd.dwHighDateTime << 32 | pInfo->ftValidityEnd.dwLowDateTime) / 10000000
                   - 11644473600);
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&end));
    Print(pInfo->pwzIssuerFriendlyName);
    printf(" invites ");
    Print(pInfo->pwzSubjectFriendlyName);
    printf(" until %s\n", date);
    PeerFreeData(pInfo);
}

static void Meet(PEER *pAnn, PEER *pBob) {
    PEER_GROUP_PROPERTIES properties;
    PWSTR pwzAboutBob = NULL, pwzInvitation = NULL;
    WCHAR wzName[] = u"Ann's group";

    CHECK(PeerIdentityCreate(NULL, u"Ann", 0, &pAnn->pwzName));
    CHECK(PeerIdentityCreate(NULL, u"Bob", 0, &pBob->pwzName));
    memset(&properties, 0, sizeof(properties));
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
        fputs("nobody knows where the peer is\n", stderr);
        exit(1);
    }
    address = ppMembers[0]->pAddresses[0];
    PeerFreeData(ppMembers);
    CHECK(PeerEndEnumeration(hMembers));
    return address;
}

static void Whisper(const PEER *pAnn, const PEER *pBob, PWSTR pwzText, ULONG cbText) {
    PEER_ADDRESS address = AddressOf(pAnn->pwzName, pBob);
    PEER_GROUP_EVENT_DATA *pEvent;
    ULONGLONG ullId = 0;

    CHECK(PeerGroupOpenDirectConnection(pBob->hGroup, pAnn->pwzName, &address, &ullId));
    pEvent = Next(pBob, PEER_GROUP_EVENT_DIRECT_CONNECTION);
    CHECK(pEvent->connectionChangeData.hrConnectionFailedReason);
    PeerFreeData(pEvent);
    CHECK(PeerGroupSendData(pBob->hGroup, ullId, &TEXT_MESSAGE, cbText, pwzText));
    CHECK(PeerGroupCloseDirectConnection(pBob->hGroup, ullId));

    pEvent = Next(pAnn, PEER_GROUP_EVENT_INCOMING_DATA);
    if (memcmp(&pEvent->incomingData.type, &TEXT_MESSAGE, sizeof(GUID)) == 0) {
        printf("Ann heard: ");
        Print((PCWSTR)pEvent->incomingData.data.pbData);
        puts("");
    }
    PeerFreeData(pEvent);
}

static void Leave(PEER *pPeer) {
    CHECK(PeerGroupUnregisterEvent(pPeer->hPeerEvent));
    CHECK(P2PCloseEvent(pPeer->hEvent));
    CHECK(PeerGroupClose(pPeer->hGroup));
    PeerFreeData(pPeer->pwzName);
}

int main(void) {
    WCHAR wzHello[] = u"Hello, Ann!";
    PEER_VERSION_DATA version;
    PEER ann, bob;
    CHECK(PeerGroupStartup(PEER_GROUP_VERSION, &version));
    Meet(&ann, &bob);
    Whisper(&ann, &bob, wzHello, sizeof wzHello);
    Leave(&bob);
    Leave(&ann);
    CHECK(PeerGroupShutdown());
    return 0;
}
