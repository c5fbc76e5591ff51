/*
 * Two peers in one process: a group, an invitation, a direct connection, a message, the end.
 *
 *   cargo build -p p2p-ffi
 *   cc -std=c11 -I crates/p2p-ffi/include docs/hello.c -L target/debug -lpeergroup -Wl,-rpath,target/debug -o hello
 *   P2P_HOME=/tmp/hello P2P_LISTEN='[::1]:0' ./hello
 */
#include <p2p.h>

#include <stdio.h>
#include <stdlib.h>

/* The type of our messages: any number that is ours. */
static const GUID TEXT = {0x7a3c5f10, 0x9e6b, 0x4b1e, {0x8d, 0x2a, 0x61, 0xc4, 0x0f, 0x27, 0x93, 0xaa}};

struct peer {
    PWSTR name;
    HGROUP group;
    HANDLE ready;
    HPEEREVENT events;
};

static void check(HRESULT code, const char *call) {
    if (code == S_OK) return;
    printf("%s: 0x%08X, detail 0x%08X\n", call, (unsigned)code, (unsigned)P2PGetLastErrorDetail());
    exit(1);
}

#define OK(call) check((call), #call)

/* A queue of three kinds of events; with the second kind the node accepts direct connections. */
static void watch(struct peer *peer) {
    PEER_GROUP_EVENT_REGISTRATION kinds[] = {{PEER_GROUP_EVENT_STATUS_CHANGED, NULL},
                                             {PEER_GROUP_EVENT_DIRECT_CONNECTION, NULL},
                                             {PEER_GROUP_EVENT_INCOMING_DATA, NULL}};
    peer->ready = P2PCreateEvent(FALSE, FALSE);
    OK(PeerGroupRegisterEvent(peer->group, peer->ready, 3, kinds, &peer->events));
}

/* Waits for the next event of one kind; the caller frees it. */
static PEER_GROUP_EVENT_DATA *next(const struct peer *peer, PEER_GROUP_EVENT_TYPE kind) {
    for (;;) {
        PEER_GROUP_EVENT_DATA *event;
        while (PeerGroupGetEventData(peer->events, &event) == S_OK) {
            if (event->eventType == kind) return event;
            PeerFreeData(event);
        }
        OK(P2PWaitEvent(peer->ready, 30000));
    }
}

static void go_online(const struct peer *peer, DWORD wanted) {
    DWORD status;
    OK(PeerGroupConnect(peer->group));
    for (OK(PeerGroupGetStatus(peer->group, &status)); (status & wanted) != wanted;) {
        PEER_GROUP_EVENT_DATA *event = next(peer, PEER_GROUP_EVENT_STATUS_CHANGED);
        status = (DWORD)event->dwStatus;
        PeerFreeData(event);
    }
}

/* The next change of a connection: 1 if it is this one, and orderly. */
static int changed(const struct peer *peer, PEER_CONNECTION_STATUS status) {
    PEER_GROUP_EVENT_DATA *event = next(peer, PEER_GROUP_EVENT_DIRECT_CONNECTION);
    int as_wanted = event->connectionChangeData.status == status
                    && event->connectionChangeData.hrConnectionFailedReason == S_OK;
    PeerFreeData(event);
    return as_wanted;
}

static void meet(struct peer *ann, struct peer *bob) {
    PEER_GROUP_PROPERTIES properties = {.dwSize = sizeof properties};
    PWSTR about_bob, invitation;

    /* Ann makes a group and goes online. */
    OK(PeerIdentityCreate(NULL, u"Ann", 0, &ann->name));
    properties.pwzCreatorPeerName = ann->name;
    OK(PeerGroupCreate(&properties, &ann->group));
    watch(ann);
    go_online(ann, PEER_GROUP_STATUS_LISTENING);

    /* She invites Bob, who joins and connects. */
    OK(PeerIdentityCreate(NULL, u"Bob", 0, &bob->name));
    OK(PeerIdentityGetXML(bob->name, &about_bob));
    OK(PeerGroupCreateInvitation(ann->group, about_bob, NULL, 0, NULL, &invitation));
    OK(PeerGroupJoin(bob->name, invitation, NULL, &bob->group));
    watch(bob);
    go_online(bob, PEER_GROUP_STATUS_LISTENING | PEER_GROUP_STATUS_HAS_CONNECTIONS);
    PeerFreeData(about_bob);
    PeerFreeData(invitation);
}

/* Where Bob's node knows Ann to be. */
static PEER_ADDRESS address_of(const struct peer *ann, const struct peer *bob) {
    HPEERENUM members;
    ULONG count = 1;
    PVOID *items;
    PEER_ADDRESS address;
    OK(PeerGroupEnumMembers(bob->group, PEER_MEMBER_PRESENT, ann->name, &members));
    OK(PeerGetNextItem(members, &count, &items));
    if (count == 0 || ((PEER_MEMBER *)items[0])->cAddresses == 0) check(S_FALSE, "nobody knows where Ann is");
    address = ((PEER_MEMBER *)items[0])->pAddresses[0];
    PeerFreeData(items);
    OK(PeerEndEnumeration(members));
    return address;
}

static void talk(const struct peer *ann, const struct peer *bob) {
    PEER_ADDRESS address = address_of(ann, bob);
    PEER_GROUP_EVENT_DATA *event;
    ULONGLONG id;
    char hello[] = "Hello, Ann!";

    OK(PeerGroupOpenDirectConnection(bob->group, ann->name, &address, &id));
    if (!changed(bob, PEER_CONNECTED) || !changed(ann, PEER_CONNECTED)) check(S_FALSE, "no connection");
    OK(PeerGroupSendData(bob->group, id, &TEXT, sizeof hello, hello));
    OK(PeerGroupCloseDirectConnection(bob->group, id));

    event = next(ann, PEER_GROUP_EVENT_INCOMING_DATA);
    printf("Ann heard: %s\n", (const char *)event->incomingData.data.pbData);
    PeerFreeData(event);
    if (!changed(ann, PEER_DISCONNECTED) || !changed(bob, PEER_DISCONNECTED)) check(S_FALSE, "not orderly");
}

static void leave(struct peer *peer) {
    OK(PeerGroupUnregisterEvent(peer->events));
    OK(P2PCloseEvent(peer->ready));
    OK(PeerGroupClose(peer->group));
    PeerFreeData(peer->name);
}

int main(void) {
    PEER_VERSION_DATA version;
    struct peer ann = {0}, bob = {0};
    OK(PeerGroupStartup(PEER_GROUP_VERSION, &version));
    meet(&ann, &bob);
    talk(&ann, &bob);
    leave(&bob);
    leave(&ann);
    OK(PeerGroupShutdown());
    return 0;
}
