/*
 * Many threads on the same handles: threads threads ann|bob
 *
 * Ann accepts and answers. In Bob's process every thread does everything at once, on one group handle, one table of
 * connections and one queue: open, send, close what another thread has opened, list, register, take, unregister, open and
 * close further handles of the group. Each call must give one of its codes, every connection be told of once, and every
 * one be closed by exactly one. Then the group and the library are taken away from under the threads.
 */
#define _POSIX_C_SOURCE 200809L

#include "common.h"

#include <pthread.h>

#define THREADS 12
#define ROUNDS 15
/* Connections that are shared: fewer than threads, so that they meet. */
#define SHARED 8

static const GUID CHAT = {0x5d2b6a1e, 0x0004, 0x4000, {0x80, 0, 0, 0, 0, 0, 0, 1}};
static const GUID LAST = {0x5d2b6a1e, 0x0004, 0x4000, {0x80, 0, 0, 0, 0, 0, 0, 2}};

static struct {
    struct peer me;
    PWSTR group_name;
    /* Everything about direct connections: taken from by all, and one that nobody touches until the end. */
    struct queue all, kept;
    pthread_mutex_t lock;
    ULONGLONG ids[SHARED];
    unsigned opened, closed;
} world;

/* One of these codes, or the process ends. */
static void one_of(int line, const char *call, HRESULT code, HRESULT one, HRESULT other) {
    if (code != S_OK && code != one && code != other) check_code(line, call, code, S_OK);
}

#define ONE_OF(call, one, other) one_of(__LINE__, #call, (call), (one), (other))

static ULONGLONG shared(unsigned index) {
    ULONGLONG id;
    CHECK(pthread_mutex_lock(&world.lock) == 0);
    id = world.ids[index % SHARED];
    CHECK(pthread_mutex_unlock(&world.lock) == 0);
    return id;
}

/* Puts an id where others find it, and closes the one that stood there. */
static void replace(unsigned index, ULONGLONG id) {
    ULONGLONG before;
    HRESULT code = S_OK;
    CHECK(pthread_mutex_lock(&world.lock) == 0);
    before = world.ids[index % SHARED];
    world.ids[index % SHARED] = id;
    if (id != 0) world.opened++;
    CHECK(pthread_mutex_unlock(&world.lock) == 0);
    if (before == 0) return;
    code = PeerGroupCloseDirectConnection(world.me.group, before);
    ONE_OF(code, PEER_E_CONNECTION_NOT_FOUND, PEER_E_CONNECTION_NOT_FOUND);
    if (code != S_OK) return;
    CHECK(pthread_mutex_lock(&world.lock) == 0);
    world.closed++;
    CHECK(pthread_mutex_unlock(&world.lock) == 0);
}

static void open_and_send(unsigned index) {
    PEER_ADDRESS address = world.me.address;
    char data[64] = {0};
    ULONGLONG id;
    OK(PeerGroupOpenDirectConnection(world.me.group, world.me.other, &address, &id));
    CHECK(id != 0);
    ONE_OF(PeerGroupSendData(world.me.group, shared(index + 1), &CHAT, sizeof data, data),
           PEER_E_CONNECTION_NOT_FOUND, E_OUTOFMEMORY);
    replace(index, id);
}

/* Lists are read to their end by whoever made them. */
static void list(HGROUP group) {
    HPEERENUM kinds[2];
    ULONG total, count = 3, found;
    PVOID *items;
    OK(PeerGroupEnumConnections(group, PEER_CONNECTION_NEIGHBOR | PEER_CONNECTION_DIRECT, &kinds[0]));
    OK(PeerGroupEnumMembers(group, 0, NULL, &kinds[1]));
    for (int kind = 0; kind < 2; kind++) {
        OK(PeerGetItemCount(kinds[kind], &total));
        for (found = 0, count = 3; count != 0; found += count) {
            count = 3;
            OK(PeerGetNextItem(kinds[kind], &count, &items));
            PeerFreeData(items);
        }
        CHECK(found == total);
        OK(PeerEndEnumeration(kinds[kind]));
    }
}

/* Takes from the queue that all take from, and from one of its own that ends with events in it. */
static void take(void) {
    struct queue own = listen_for_direct(world.me.group);
    PEER_GROUP_EVENT_DATA *event;
    for (int i = 0; i < 4; i++) {
        ONE_OF(PeerGroupGetEventData(world.all.registration, &event), PEER_S_NO_EVENT_DATA, PEER_S_NO_EVENT_DATA);
        PeerFreeData(event);
    }
    ONE_OF(PeerGroupGetEventData(own.registration, &event), PEER_S_NO_EVENT_DATA, PEER_S_NO_EVENT_DATA);
    PeerFreeData(event);
    stop_listening(own);
}

static void *work(void *argument) {
    unsigned index = (unsigned)(uintptr_t)argument;
    for (unsigned round = 0; round < ROUNDS; round++) {
        DWORD status;
        HGROUP own;
        open_and_send(index + round);
        OK(PeerGroupOpen(world.me.name, world.group_name, NULL, &own));
        CHECK(own != world.me.group);
        list(round % 2 == 0 ? own : world.me.group);
        OK(PeerGroupClose(own));
        CODE(PeerGroupClose(own), PEER_E_INVALID_GROUP);
        take();
        OK(PeerGroupGetStatus(world.me.group, &status));
        CHECK((status & PEER_GROUP_STATUS_LISTENING) != 0);
    }
    return NULL;
}

/* The same without care: the group may go at any moment, and the library after it. */
static void *be_careless(void *argument) {
    unsigned index = (unsigned)(uintptr_t)argument;
    for (HRESULT code = S_OK; code != PEER_E_NOT_INITIALIZED;) {
        PEER_ADDRESS address = world.me.address;
        PEER_GROUP_EVENT_DATA *event = NULL;
        HPEERENUM members = NULL;
        ULONGLONG id = 0;
        HGROUP own = NULL;
        DWORD status;
        code = PeerGroupGetStatus(world.me.group, &status);
        ONE_OF(code, PEER_E_INVALID_GROUP, PEER_E_NOT_INITIALIZED);
        if (index % 2 == 0 && PeerGroupOpen(world.me.name, world.group_name, NULL, &own) == S_OK)
            ONE_OF(PeerGroupClose(own), PEER_E_INVALID_GROUP, PEER_E_NOT_INITIALIZED);
        if (PeerGroupOpenDirectConnection(world.me.group, world.me.other, &address, &id) == S_OK) CHECK(id != 0);
        if (PeerGroupEnumMembers(world.me.group, 0, NULL, &members) == S_OK) OK(PeerEndEnumeration(members));
        if (PeerGroupGetEventData(world.all.registration, &event) == S_OK) PeerFreeData(event);
        if (index == 3) ONE_OF(PeerGroupUnregisterEvent(world.all.registration), E_INVALIDARG, PEER_E_NOT_INITIALIZED);
    }
    return NULL;
}

static void run(void *(*work)(void *), void (*meanwhile)(void)) {
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    meanwhile();
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

static void nothing(void) {}

/* The group's only handle, while it is in use; then the library, while it is. */
static void take_away(void) {
    OK(PeerGroupClose(world.me.group));
    OK(PeerGroupShutdown());
}

/* What the queue that nobody touched has: each connection begins once and ends at most once, and who refused one (Ann,
 * if she has too many) has closed it, else one of the threads has. */
static void check_events(void) {
    unsigned stood = 0, failed = 0, ended = 0, refused = 0;
    while (stood + failed < world.opened || ended < stood) {
        PEER_GROUP_EVENT_DATA *event = next_event(world.kept);
        const PEER_EVENT_CONNECTION_CHANGE_DATA *change = &event->connectionChangeData;
        if (event->eventType == PEER_GROUP_EVENT_DIRECT_CONNECTION) {
            stood += change->status == PEER_CONNECTED;
            ended += change->status == PEER_DISCONNECTED;
            failed += change->status == PEER_CONNECTION_FAILED;
            refused += change->hrConnectionFailedReason == PEER_E_CONNECTION_REFUSED;
            CHECK(change->status != PEER_DISCONNECTED || change->hrConnectionFailedReason == S_OK);
        }
        PeerFreeData(event);
    }
    CHECK(stood + failed == world.opened && ended == stood && world.closed + refused == world.opened);
    no_event(world.kept);
}

/* One more connection, by which Ann knows that there will be no other. */
static void say_last(void) {
    PEER_ADDRESS address = world.me.address;
    ULONGLONG id;
    OK(PeerGroupOpenDirectConnection(world.me.group, world.me.other, &address, &id));
    next_change(world.kept, id, PEER_CONNECTED, S_OK);
    OK(PeerGroupSendData(world.me.group, id, &LAST, sizeof id, &id));
    OK(PeerGroupCloseDirectConnection(world.me.group, id));
    next_change(world.kept, id, PEER_DISCONNECTED, S_OK);
}

static void bob(void) {
    PEER_GROUP_EVENT_DATA *event;
    world.me = join_by_invitation();
    CHECK(pthread_mutex_init(&world.lock, NULL) == 0);
    world.all = listen_for_direct(world.me.group);
    world.kept = listen_for_direct(world.me.group);
    world.group_name = only_group(world.me.name);
    meet();
    run(work, nothing);
    for (unsigned i = 0; i < SHARED; i++) replace(i, 0);
    CHECK(world.opened == THREADS * ROUNDS);
    check_events();
    say_last();
    CHECK(listed_direct(world.me.group, 0) == 0);
    meet();
    while (PeerGroupGetEventData(world.all.registration, &event) == S_OK) PeerFreeData(event);
    run(be_careless, take_away);
    CODE(PeerGroupUnregisterEvent(world.kept.registration), PEER_E_NOT_INITIALIZED);
    OK(P2PCloseEvent(world.all.event));
    OK(P2PCloseEvent(world.kept.event));
    CHECK(pthread_mutex_destroy(&world.lock) == 0);
    free(world.group_name);
    PeerFreeData(world.me.name);
    free(world.me.other);
}

/* Accepts everything, and takes what comes, until the last; then nothing is left. */
static void ann(void) {
    struct peer me = create_and_invite();
    struct queue events = listen_for_direct(me.group);
    unsigned standing = 0;
    meet();
    for (int last = 0; !last || standing != 0;) {
        PEER_GROUP_EVENT_DATA *event = next_event(events);
        if (event->eventType == PEER_GROUP_EVENT_INCOMING_DATA)
            last |= memcmp(&event->incomingData.type, &LAST, sizeof(GUID)) == 0;
        else if (event->connectionChangeData.status == PEER_CONNECTED)
            standing++;
        else
            standing--;
        PeerFreeData(event);
    }
    CHECK(listed_direct(me.group, 0) == 0);
    meet();
    hear("(gone)");
    stop_listening(events);
    leave(&me);
}

int main(int count, char **arguments) {
    CHECK(count == 3);
    if (strcmp(arguments[2], "ann") == 0)
        ann();
    else
        bob();
    say("done");
    return 0;
}
