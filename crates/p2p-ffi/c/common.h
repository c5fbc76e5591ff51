/*
 * Helpers of the C programs in this folder: text, checks, waiting for events, a group of two processes.
 *
 * Two processes run the same program in two roles, each in a home of its own. A line that begins with "> " on standard
 * output is meant for the other process and arrives on its standard input; all other lines are for whoever watches.
 */
#ifndef COMMON_H
#define COMMON_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p2p.h"
#include "seen.h"

/* Far longer than anything here takes: whoever waits so long has failed. Under a checker everything takes longer. */
#ifndef PATIENCE_MS
#define PATIENCE_MS 60000u
#endif
/* Longest line between the processes: an invitation of 64 KiB in hexadecimal. */
#define LINE_MAX_BYTES 200000

/* ---- Checks ----------------------------------------------------------------------------------------------------- */

static inline void fail(int line, const char *what) {
    printf("line %d: %s\n", line, what);
    fflush(stdout);
    exit(1);
}

#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__, #condition))
#define CODE(call, expected) check_code(__LINE__, #call, (call), (expected))
#define OK(call) CODE(call, S_OK)

static inline void check_code(int line, const char *call, HRESULT code, HRESULT expected) {
    if (code == expected) return;
    printf("line %d: %s is 0x%08lX instead of 0x%08lX (detail 0x%08lX)\n", line, call, (unsigned long)(uint32_t)code,
           (unsigned long)(uint32_t)expected, (unsigned long)(uint32_t)P2PGetLastErrorDetail());
    fflush(stdout);
    exit(1);
}

static inline void say(const char *what) {
    printf("%s\n", what);
    fflush(stdout);
}

/* ---- Text ------------------------------------------------------------------------------------------------------- */

static inline void *allocate(size_t size) {
    void *memory = calloc(1, size);
    CHECK(memory != NULL);
    return memory;
}

/* ASCII as UTF-16: what u"" does in C11. The caller frees it. */
static inline PWSTR wide(const char *text) {
    size_t length = strlen(text);
    PWSTR units = (PWSTR)allocate((length + 1) * sizeof(WCHAR));
    for (size_t i = 0; i < length; i++) units[i] = (WCHAR)(unsigned char)text[i];
    return units;
}

/* The caller frees it. */
static inline PWSTR copy(PCWSTR text) {
    size_t length = 0;
    PWSTR units;
    while (text[length] != 0) length++;
    units = (PWSTR)allocate((length + 1) * sizeof(WCHAR));
    memcpy(units, text, length * sizeof(WCHAR));
    return units;
}

static inline int same(PCWSTR one, PCWSTR other) {
    while (*one != 0 && *one == *other) one++, other++;
    return *one == *other;
}

/* ---- Lines between the processes -------------------------------------------------------------------------------- */

static inline void tell(const char *word) {
    printf("> %s\n", word);
    fflush(stdout);
}

/* Text as hexadecimal units, so that line ends in it do no harm. */
static inline void tell_text(PCWSTR text) {
    printf("> ");
    for (; *text != 0; text++) printf("%04x", (unsigned)*text);
    printf("\n");
    fflush(stdout);
}

/* The next line, without its end. */
static inline const char *hear_line(void) {
    static char line[LINE_MAX_BYTES];
    CHECK(fgets(line, sizeof line, stdin) != NULL);
    line[strcspn(line, "\n")] = 0;
    return line;
}

static inline void hear(const char *word) {
    const char *line = hear_line();
    if (strcmp(line, word) != 0) {
        printf("heard \"%.60s\" instead of \"%s\"\n", line, word);
        fflush(stdout);
        exit(1);
    }
}

/* The caller frees it. */
static inline PWSTR hear_text(void) {
    const char *line = hear_line();
    size_t length = strlen(line) / 4;
    PWSTR text = (PWSTR)allocate((length + 1) * sizeof(WCHAR));
    for (size_t i = 0; i < length; i++) {
        unsigned unit;
        CHECK(sscanf(line + 4 * i, "%4x", &unit) == 1);
        text[i] = (WCHAR)unit;
    }
    return text;
}

/* Both processes are here. */
static inline void meet(void) {
    tell("here");
    hear("here");
}

/* ---- Events ----------------------------------------------------------------------------------------------------- */

struct queue {
    HANDLE event;
    HPEEREVENT registration;
};

static inline struct queue listen_for(HGROUP group, DWORD count, const PEER_GROUP_EVENT_TYPE *types) {
    struct queue queue;
    PEER_GROUP_EVENT_REGISTRATION entries[8] = {{PEER_GROUP_EVENT_STATUS_CHANGED, NULL}};
    for (DWORD i = 0; i < count; i++) {
        entries[i].eventType = types[i];
        entries[i].pType = NULL;
    }
    queue.event = P2PCreateEvent(FALSE, FALSE);
    CHECK(queue.event != NULL);
    OK(PeerGroupRegisterEvent(group, queue.event, count, entries, &queue.registration));
    return queue;
}

/* Direct connections and their data: what the scenarios are about. */
static inline struct queue listen_for_direct(HGROUP group) {
    const PEER_GROUP_EVENT_TYPE types[] = {PEER_GROUP_EVENT_DIRECT_CONNECTION, PEER_GROUP_EVENT_INCOMING_DATA};
    return listen_for(group, 2, types);
}

static inline void stop_listening(struct queue queue) {
    OK(PeerGroupUnregisterEvent(queue.registration));
    OK(P2PCloseEvent(queue.event));
}

/* The next event, whatever it is; waits for it. The caller frees it. */
static inline PEER_GROUP_EVENT_DATA *next_event(struct queue queue) {
    for (;;) {
        PEER_GROUP_EVENT_DATA *event;
        HRESULT code = PeerGroupGetEventData(queue.registration, &event);
        if (code == S_OK) return event;
        CODE(code, PEER_S_NO_EVENT_DATA);
        CHECK(event == NULL);
        OK(P2PWaitEvent(queue.event, PATIENCE_MS));
    }
}

static inline void no_event(struct queue queue) {
    PEER_GROUP_EVENT_DATA *event;
    CODE(PeerGroupGetEventData(queue.registration, &event), PEER_S_NO_EVENT_DATA);
}

/* The next event must be this change of a direct connection; its id is returned. id 0: any. */
static inline ULONGLONG next_change(struct queue queue, ULONGLONG id, PEER_CONNECTION_STATUS status, HRESULT reason) {
    PEER_GROUP_EVENT_DATA *event = next_event(queue);
    const PEER_EVENT_CONNECTION_CHANGE_DATA *change = &event->connectionChangeData;
    ULONGLONG found = change->ullConnectionId;
    CHECK(event->eventType == PEER_GROUP_EVENT_DIRECT_CONNECTION);
    CHECK(change->dwSize == sizeof(PEER_EVENT_CONNECTION_CHANGE_DATA));
    CHECK(change->status == status);
    CODE(change->hrConnectionFailedReason, reason);
    CHECK(change->ullNextConnectionId == 0);
    CHECK(found != 0 && (id == 0 || id == found));
    PeerFreeData(event);
    return found;
}

/* The next event must be this many bytes from this connection, the first of them holding a number. */
static inline void next_data(struct queue queue, ULONGLONG id, const GUID *type, ULONG size, uint32_t number) {
    PEER_GROUP_EVENT_DATA *event = next_event(queue);
    const PEER_EVENT_INCOMING_DATA *incoming = &event->incomingData;
    uint32_t found;
    CHECK(event->eventType == PEER_GROUP_EVENT_INCOMING_DATA);
    CHECK(incoming->dwSize == sizeof(PEER_EVENT_INCOMING_DATA));
    CHECK(incoming->ullConnectionId == id);
    CHECK(memcmp(&incoming->type, type, sizeof(GUID)) == 0);
    CHECK(incoming->data.cbData == size && size >= sizeof found);
    memcpy(&found, incoming->data.pbData, sizeof found);
    CHECK(found == number);
    PeerFreeData(event);
}

/* ---- Connections ------------------------------------------------------------------------------------------------ */

/* How many connections of these kinds are listed with this id (0: with any). One of them is copied,
 * without its name, and the name of its peer. */
static inline unsigned listed(HGROUP group, DWORD kinds, ULONGLONG id, PEER_CONNECTION_INFO *one, PWSTR *peer) {
    HPEERENUM enumeration;
    ULONG count;
    PVOID *items;
    unsigned found = 0;
    OK(PeerGroupEnumConnections(group, kinds, &enumeration));
    OK(PeerGetItemCount(enumeration, &count));
    OK(PeerGetNextItem(enumeration, &count, &items));
    for (ULONG i = 0; i < count; i++) {
        const PEER_CONNECTION_INFO *info = (const PEER_CONNECTION_INFO *)items[i];
        CHECK(info->dwSize == sizeof(PEER_CONNECTION_INFO));
        if (id != 0 && info->ullConnectionId != id) continue;
        found++;
        if (one != NULL) *one = *info;
        if (peer != NULL && *peer == NULL) *peer = copy(info->pwzPeerId);
    }
    PeerFreeData(items);
    OK(PeerEndEnumeration(enumeration));
    return found;
}

static inline unsigned listed_direct(HGROUP group, ULONGLONG id) {
    return listed(group, PEER_CONNECTION_DIRECT, id, NULL, NULL);
}

/* ---- Members ------------------------------------------------------------------------------------------------------- */

static inline struct queue listen_for_members(HGROUP group) {
    const PEER_GROUP_EVENT_TYPE types[] = {PEER_GROUP_EVENT_MEMBER_CHANGED};
    return listen_for(group, 1, types);
}

/* Waits for this change of this member, whatever else comes before it. */
static inline void wait_for_member(struct queue queue, PCWSTR who, PEER_MEMBER_CHANGE_TYPE type) {
    for (int found = 0; !found;) {
        PEER_GROUP_EVENT_DATA *event = next_event(queue);
        const PEER_EVENT_MEMBER_CHANGE_DATA *change = &event->memberChangeData;
        CHECK(event->eventType == PEER_GROUP_EVENT_MEMBER_CHANGED && change->dwSize == sizeof *change);
        found = change->changeType == type && same(change->pwzIdentity, who);
        PeerFreeData(event);
    }
}

/* How many entries this member has in the list of members (NULL: all). */
static inline ULONG count_members(HGROUP group, PCWSTR who) {
    HPEERENUM members;
    ULONG count;
    OK(PeerGroupEnumMembers(group, 0, who, &members));
    OK(PeerGetItemCount(members, &count));
    OK(PeerEndEnumeration(members));
    return count;
}

/* What is known of a member: an array of one PEER_MEMBER. The caller frees it. */
static inline PVOID *get_member(HGROUP group, PCWSTR who) {
    HPEERENUM members;
    ULONG count = 1;
    PVOID *items;
    OK(PeerGroupEnumMembers(group, 0, who, &members));
    OK(PeerGetNextItem(members, &count, &items));
    CHECK(count == 1);
    OK(PeerEndEnumeration(members));
    return items;
}

/* ---- A group of two processes ----------------------------------------------------------------------------------- */

struct peer {
    PWSTR name;
    HGROUP group;
    /* The other process: its peer name, and where it is. */
    PWSTR other;
    PEER_ADDRESS address;
};

static inline void start(void) {
    PEER_VERSION_DATA version;
    OK(PeerGroupStartup(PEER_GROUP_VERSION, &version));
    CHECK(version.wVersion == PEER_GROUP_VERSION && version.wHighestVersion == PEER_GROUP_VERSION);
}

static inline void make_identity(struct peer *peer, const char *friendly_name) {
    PWSTR text = wide(friendly_name);
    OK(PeerIdentityCreate(NULL, text, 0, &peer->name));
    free(text);
}

/* Connects and waits until the status has these bits. */
static inline void go_online(HGROUP group, DWORD bits) {
    const PEER_GROUP_EVENT_TYPE types[] = {PEER_GROUP_EVENT_STATUS_CHANGED, PEER_GROUP_EVENT_CONNECTION_FAILED};
    struct queue queue = listen_for(group, 2, types);
    DWORD status;
    OK(PeerGroupConnect(group));
    for (OK(PeerGroupGetStatus(group, &status)); (status & bits) != bits;) {
        PEER_GROUP_EVENT_DATA *event = next_event(queue);
        CHECK(event->eventType == PEER_GROUP_EVENT_STATUS_CHANGED);
        status = (DWORD)event->dwStatus;
        PeerFreeData(event);
    }
    stop_listening(queue);
}

/* Learns from the neighbour connection who the other process is, and where. */
static inline void find_other(struct peer *peer) {
    const PEER_GROUP_EVENT_TYPE types[] = {PEER_GROUP_EVENT_NEIGHBOR_CONNECTION};
    struct queue queue = listen_for(peer->group, 1, types);
    PEER_CONNECTION_INFO info;
    while (listed(peer->group, PEER_CONNECTION_NEIGHBOR, 0, &info, &peer->other) == 0)
        PeerFreeData(next_event(queue));
    peer->address = info.address;
    stop_listening(queue);
}

/* Invites whom the other process describes, as a member. */
static inline void invite(HGROUP group) {
    PWSTR identity = hear_text(), invitation;
    OK(PeerGroupCreateInvitation(group, identity, NULL, 0, NULL, &invitation));
    tell_text(invitation);
    PeerFreeData(invitation);
    free(identity);
}

/* The process that makes the group and invites the other. */
static inline struct peer create_and_invite(void) {
    struct peer peer = {0};
    PEER_GROUP_PROPERTIES properties = {0};
    start();
    make_identity(&peer, "Ann");
    properties.dwSize = sizeof properties;
    properties.pwzFriendlyName = wide("Friends");
    OK(PeerGroupCreate(&properties, &peer.group));
    free(properties.pwzFriendlyName);
    go_online(peer.group, PEER_GROUP_STATUS_LISTENING);
    invite(peer.group);
    find_other(&peer);
    return peer;
}

/* A new identity of this process, invited by the other one, that has met a member. */
static inline struct peer join_as(const char *friendly_name) {
    struct peer peer = {0};
    PWSTR xml, invitation;
    make_identity(&peer, friendly_name);
    OK(PeerIdentityGetXML(peer.name, &xml));
    tell_text(xml);
    PeerFreeData(xml);
    invitation = hear_text();
    OK(PeerGroupJoin(peer.name, invitation, NULL, &peer.group));
    free(invitation);
    go_online(peer.group, PEER_GROUP_STATUS_LISTENING | PEER_GROUP_STATUS_HAS_CONNECTIONS);
    return peer;
}

/* The process that is invited. */
static inline struct peer join_by_invitation(void) {
    struct peer peer;
    start();
    peer = join_as("Bob");
    find_other(&peer);
    return peer;
}

/* A group of oneself, online. */
static inline struct peer create_alone(void) {
    struct peer peer = {0};
    PEER_GROUP_PROPERTIES properties = {0};
    start();
    make_identity(&peer, "Ann");
    properties.dwSize = sizeof properties;
    OK(PeerGroupCreate(&properties, &peer.group));
    go_online(peer.group, PEER_GROUP_STATUS_LISTENING);
    return peer;
}

/* A group's peer name, as an invitation into it says. The caller frees it. */
static inline PWSTR group_name(HGROUP group) {
    struct peer guest = {0};
    PWSTR xml, invitation, name;
    PEER_INVITATION_INFO *info;
    make_identity(&guest, "Guest");
    OK(PeerIdentityGetXML(guest.name, &xml));
    OK(PeerGroupCreateInvitation(group, xml, NULL, 0, NULL, &invitation));
    OK(PeerGroupParseInvitation(invitation, &info));
    CHECK(info->dwSize == sizeof *info && info->cRoles == 1);
    CHECK(memcmp(info->pRoles, &PEER_GROUP_ROLE_MEMBER, sizeof(GUID)) == 0);
    CHECK(same(info->pwzSubjectPeerName, guest.name));
    name = copy(info->pwzGroupPeerName);
    PeerFreeData(info);
    PeerFreeData(invitation);
    PeerFreeData(xml);
    OK(PeerIdentityDelete(guest.name));
    PeerFreeData(guest.name);
    return name;
}

/* The group that an identity is in, open or not. The caller frees it. */
static inline PWSTR only_group(PCWSTR identity) {
    HPEERENUM groups;
    ULONG count = 10;
    PVOID *items;
    PWSTR name;
    OK(PeerEnumGroups(identity, &groups));
    OK(PeerGetNextItem(groups, &count, &items));
    CHECK(count == 1);
    name = copy(((const PEER_NAME_PAIR *)items[0])->pwzPeerName);
    PeerFreeData(items);
    OK(PeerEndEnumeration(groups));
    return name;
}

static inline void leave(struct peer *peer) {
    OK(PeerGroupClose(peer->group));
    OK(PeerGroupShutdown());
    PeerFreeData(peer->name);
    free(peer->other);
}

#endif
