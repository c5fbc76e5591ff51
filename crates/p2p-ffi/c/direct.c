/*
 * The life of a direct connection, check by check: direct CHECK ROLE
 *
 * ROLE is "ann", who makes the group, or "bob", whom she invites; "alone" for checks that need nobody else. Each check is
 * a function of its own name and does what its comment says; the program ends with 0 only if all of it was so.
 */
#define _POSIX_C_SOURCE 200809L

#include "common.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES 1000
#define THREADS 64

static const GUID CHAT = {0x5d2b6a1e, 0x0001, 0x4000, {0x80, 0, 0, 0, 0, 0, 0, 1}};

/* ---- Steps that many checks share ------------------------------------------------------------------------------- */

static ULONGLONG open_direct(const struct peer *me, struct queue events) {
    PEER_ADDRESS address = me->address;
    ULONGLONG id;
    OK(PeerGroupOpenDirectConnection(me->group, me->other, &address, &id));
    CHECK(id != 0);
    return next_change(events, id, PEER_CONNECTED, S_OK);
}

static ULONGLONG accept_direct(struct queue events) {
    return next_change(events, 0, PEER_CONNECTED, S_OK);
}

static void send_number(const struct peer *me, ULONGLONG id, uint32_t number) {
    char data[100] = {0};
    memcpy(data, &number, sizeof number);
    OK(PeerGroupSendData(me->group, id, &CHAT, sizeof data, data));
}

static void receive_numbers(struct queue events, ULONGLONG id) {
    for (uint32_t number = 0; number < MESSAGES; number++) next_data(events, id, &CHAT, 100, number);
}

/* Waits for the end of a connection that was closed as it should be; nothing comes after it. */
static void ended(struct queue events, ULONGLONG id) {
    next_change(events, id, PEER_DISCONNECTED, S_OK);
    meet();
    no_event(events);
}

static HRESULT close_direct(const struct peer *me, ULONGLONG id) {
    return PeerGroupCloseDirectConnection(me->group, id);
}

/* ---- The checks ------------------------------------------------------------------------------------------------- */

/* Open, connected, close: each event once on both ends. */
static void c01_ann(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    meet();
    ended(events, accept_direct(events));
}

static void c01_bob(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    ULONGLONG id;
    meet();
    id = open_direct(me, events);
    OK(close_direct(me, id));
    ended(events, id);
}

/* A second close finds nothing. */
static void c02_bob(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    ULONGLONG id;
    meet();
    id = open_direct(me, events);
    OK(close_direct(me, id));
    CODE(close_direct(me, id), PEER_E_CONNECTION_NOT_FOUND);
    ended(events, id);
    CODE(close_direct(me, id), PEER_E_CONNECTION_NOT_FOUND);
}

/* The peer closes first: close is fine until the end was taken everywhere. */
static void c03_ann(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    meet();
    for (int round = 0; round < 2; round++) {
        ULONGLONG id = accept_direct(events);
        OK(close_direct(me, id));
        ended(events, id);
        /* Only now may the next one come. */
        meet();
    }
}

static void c03_bob(struct peer *me) {
    struct queue events = listen_for_direct(me->group), other = listen_for_direct(me->group);
    ULONGLONG id;
    meet();
    /* One queue shows that the end is there; the other has not been read, so the connection is still listed. */
    id = open_direct(me, events);
    next_change(other, id, PEER_CONNECTED, S_OK);
    next_change(other, id, PEER_DISCONNECTED, S_OK);
    CHECK(listed_direct(me->group, id) == 1);
    OK(close_direct(me, id));
    CHECK(listed_direct(me->group, id) == 0);
    ended(events, id);
    meet();
    /* Read everywhere: nothing is left to close. */
    id = open_direct(me, events);
    next_change(other, id, PEER_CONNECTED, S_OK);
    next_change(other, id, PEER_DISCONNECTED, S_OK);
    ended(events, id);
    CODE(close_direct(me, id), PEER_E_CONNECTION_NOT_FOUND);
    meet();
}

/* Who accepted a connection may close it too. */
static void c04_ann(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    ULONGLONG id;
    meet();
    id = accept_direct(events);
    OK(close_direct(me, id));
    CODE(close_direct(me, id), PEER_E_CONNECTION_NOT_FOUND);
    ended(events, id);
}

static void c04_bob(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    meet();
    ended(events, open_direct(me, events));
}

/* Close while opening: a socket that never answers takes the attempt; it fails by our close and never connects. */
static void c05_bob(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    struct sockaddr_in6 hole;
    socklen_t size = sizeof hole;
    PEER_ADDRESS address;
    ULONGLONG id;
    int silent = socket(AF_INET6, SOCK_DGRAM, 0);
    CHECK(silent >= 0);
    memset(&hole, 0, sizeof hole);
    hole.sin6_family = AF_INET6;
    hole.sin6_addr = in6addr_loopback;
    CHECK(bind(silent, (struct sockaddr *)&hole, sizeof hole) == 0);
    CHECK(getsockname(silent, (struct sockaddr *)&hole, &size) == 0);
    memset(&address, 0, sizeof address);
    address.dwSize = sizeof address;
    address.sin6.sin6_family = P2P_AF_INET6;
    address.sin6.sin6_port = hole.sin6_port;
    memcpy(&address.sin6.sin6_addr, &hole.sin6_addr, sizeof address.sin6.sin6_addr);
    meet();
    OK(PeerGroupOpenDirectConnection(me->group, me->other, &address, &id));
    CHECK(listed_direct(me->group, id) == 0);
    OK(close_direct(me, id));
    next_change(events, id, PEER_CONNECTION_FAILED, PEER_E_CONNECTION_FAILED);
    CODE(close_direct(me, id), PEER_E_CONNECTION_NOT_FOUND);
    meet();
    no_event(events);
    CHECK(close(silent) == 0);
}

static void c05_ann(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    meet();
    meet();
    no_event(events);
}

/* The other end does not accept direct connections. */
static void c06_ann(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    stop_listening(events);
    meet();
    meet();
}

static void c06_bob(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    PEER_ADDRESS address = me->address;
    ULONGLONG id;
    meet();
    OK(PeerGroupOpenDirectConnection(me->group, me->other, &address, &id));
    next_change(events, id, PEER_CONNECTION_FAILED, PEER_E_CONNECTION_REFUSED);
    CODE(close_direct(me, id), PEER_E_CONNECTION_NOT_FOUND);
    meet();
    no_event(events);
}

/* Ids that no connection has. */
static void c09_alone(struct peer *me) {
    CODE(close_direct(me, 0), PEER_E_CONNECTION_NOT_FOUND);
    CODE(close_direct(me, 1), PEER_E_CONNECTION_NOT_FOUND);
    CODE(close_direct(me, UINT64_MAX), PEER_E_CONNECTION_NOT_FOUND);
    leave(me);
}

/* Handles that no group has: null, closed, arbitrary, of another kind. */
static void c10_alone(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    uintptr_t arbitrary[] = {4, 7, 0x1234, 0xdeadbeec, UINTPTR_MAX, UINTPTR_MAX - 3};
    HRESULT expected = PEER_E_INVALID_GROUP;
    PWSTR name = group_name(me->group);
    HGROUP closed;
    HPEERENUM members;
    CODE(PeerGroupCloseDirectConnection(NULL, 1), expected);
    CODE(PeerGroupCloseDirectConnection((HGROUP)events.registration, 1), expected);
    CODE(PeerGroupCloseDirectConnection((HGROUP)events.event, 1), expected);
    CODE(PeerGroupCloseDirectConnection((HGROUP)&members, 1), expected);
    OK(PeerGroupEnumMembers(me->group, 0, NULL, &members));
    CODE(PeerGroupCloseDirectConnection((HGROUP)members, 1), expected);
    OK(PeerEndEnumeration(members));
    for (size_t i = 0; i < sizeof arbitrary / sizeof *arbitrary; i++)
        CODE(PeerGroupCloseDirectConnection((HGROUP)arbitrary[i], 1), expected);
    /* A second handle of the same group, closed: stale, while the first one lives on. */
    OK(PeerGroupOpen(me->name, name, NULL, &closed));
    CHECK(closed != me->group);
    CODE(PeerGroupCloseDirectConnection(closed, 1), PEER_E_CONNECTION_NOT_FOUND);
    OK(PeerGroupClose(closed));
    CODE(PeerGroupCloseDirectConnection(closed, 1), expected);
    CODE(PeerGroupClose(closed), expected);
    CODE(PeerGroupCloseDirectConnection(me->group, 1), PEER_E_CONNECTION_NOT_FOUND);
    free(name);
    stop_listening(events);
    leave(me);
}

/* After the last shutdown. */
static void c15_alone(struct peer *me) {
    HGROUP group = me->group;
    PEER_VERSION_DATA version;
    OK(PeerGroupShutdown());
    CODE(PeerGroupCloseDirectConnection(group, 1), PEER_E_NOT_INITIALIZED);
    CODE(PeerGroupCloseDirectConnection(NULL, 1), PEER_E_NOT_INITIALIZED);
    CODE(PeerGroupShutdown(), PEER_E_NOT_INITIALIZED);
    /* Started anew, the handle of before stays what it was: nothing. */
    OK(PeerGroupStartup(PEER_GROUP_VERSION, &version));
    CODE(PeerGroupCloseDirectConnection(group, 1), PEER_E_INVALID_GROUP);
    OK(PeerGroupShutdown());
    PeerFreeData(me->name);
}

/* Many threads close one connection: one of them does. */
struct race {
    const struct peer *me;
    ULONGLONG id;
    HRESULT result;
};

static void *race(void *argument) {
    struct race *race = (struct race *)argument;
    race->result = close_direct(race->me, race->id);
    return NULL;
}

static void c16_bob(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    pthread_t threads[THREADS];
    struct race races[THREADS];
    unsigned won = 0;
    ULONGLONG id;
    meet();
    id = open_direct(me, events);
    for (int i = 0; i < THREADS; i++) {
        races[i].me = me;
        races[i].id = id;
        CHECK(pthread_create(&threads[i], NULL, race, &races[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        if (races[i].result == S_OK)
            won++;
        else
            CODE(races[i].result, PEER_E_CONNECTION_NOT_FOUND);
    }
    CHECK(won == 1);
    ended(events, id);
}

/* What was accepted for sending arrives before the end. */
static void c18_ann(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    ULONGLONG id;
    meet();
    id = accept_direct(events);
    receive_numbers(events, id);
    ended(events, id);
}

static void c18_bob(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    ULONGLONG id;
    meet();
    id = open_direct(me, events);
    for (uint32_t number = 0; number < MESSAGES; number++) send_number(me, id, number);
    OK(close_direct(me, id));
    ended(events, id);
}

/* The peer sends and closes while nothing is taken: still listed, all is there, then it is gone. */
static void c19_ann(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    ULONGLONG id;
    meet();
    id = accept_direct(events);
    for (uint32_t number = 0; number < MESSAGES; number++) send_number(me, id, number);
    OK(close_direct(me, id));
    /* Confirmed: the other end has all of it. */
    next_change(events, id, PEER_DISCONNECTED, S_OK);
    tell("closed");
    meet();
}

static void c19_bob(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    ULONGLONG id;
    meet();
    id = open_direct(me, events);
    hear("closed");
    CHECK(listed_direct(me->group, id) == 1);
    CODE(PeerGroupSendData(me->group, id, &CHAT, 0, &id), PEER_E_CONNECTION_NOT_FOUND);
    receive_numbers(events, id);
    CHECK(listed_direct(me->group, id) == 1);
    ended(events, id);
    CHECK(listed_direct(me->group, id) == 0);
    CODE(close_direct(me, id), PEER_E_CONNECTION_NOT_FOUND);
}

/* Both ends close at the same time: both may, each sees one end. */
static void c25_ann(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    ULONGLONG id;
    meet();
    id = accept_direct(events);
    meet();
    OK(close_direct(me, id));
    ended(events, id);
}

static void c25_bob(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    ULONGLONG id;
    meet();
    id = open_direct(me, events);
    meet();
    OK(close_direct(me, id));
    ended(events, id);
}

/* The other process is killed, and the connection closed before anything is noticed. */
static void c26_ann(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    meet();
    accept_direct(events);
    hear("die");
    raise(SIGKILL);
}

static void c26_bob(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    ULONGLONG id;
    meet();
    id = open_direct(me, events);
    tell("die");
    hear("(gone)");
    OK(close_direct(me, id));
    CHECK(listed_direct(me->group, id) == 0);
    next_change(events, id, PEER_DISCONNECTED, PEER_E_CONNECTION_FAILED);
    no_event(events);
}

/* A sender sends and closes; the receiver looks up who sent, and closes, all while it takes events. */
static void c28_ann(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    PEER_GROUP_EVENT_DATA *event;
    PWSTR sender = NULL;
    ULONGLONG id = 0;
    HRESULT code;
    unsigned connected = 0, data = 0, disconnected = 0;
    meet();
    hear("closed");
    while ((code = PeerGroupGetEventData(events.registration, &event)) == S_OK) {
        if (event->eventType == PEER_GROUP_EVENT_INCOMING_DATA) {
            id = event->incomingData.ullConnectionId;
            CHECK(listed(me->group, PEER_CONNECTION_DIRECT, id, NULL, &sender) == 1);
            CHECK(same(sender, me->other));
            OK(close_direct(me, id));
            data++;
        } else if (event->connectionChangeData.status == PEER_CONNECTED) {
            CHECK(data == 0);
            connected++;
        } else {
            CHECK(event->connectionChangeData.ullConnectionId == id);
            CODE(event->connectionChangeData.hrConnectionFailedReason, S_OK);
            disconnected++;
        }
        PeerFreeData(event);
    }
    CODE(code, PEER_S_NO_EVENT_DATA);
    CHECK(connected == 1 && data == 1 && disconnected == 1);
    CHECK(listed_direct(me->group, id) == 0);
    free(sender);
    meet();
}

static void c28_bob(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    ULONGLONG id;
    meet();
    id = open_direct(me, events);
    send_number(me, id, 28);
    OK(close_direct(me, id));
    next_change(events, id, PEER_DISCONNECTED, S_OK);
    tell("closed");
    meet();
}

/* ---- Which one -------------------------------------------------------------------------------------------------- */

struct check {
    const char *name;
    void (*ann)(struct peer *);
    void (*bob)(struct peer *);
    void (*alone)(struct peer *);
};

static const struct check CHECKS[] = {
    {"c01", c01_ann, c01_bob, NULL}, {"c02", c01_ann, c02_bob, NULL}, {"c03", c03_ann, c03_bob, NULL},
    {"c04", c04_ann, c04_bob, NULL}, {"c05", c05_ann, c05_bob, NULL}, {"c06", c06_ann, c06_bob, NULL},
    {"c09", NULL, NULL, c09_alone},  {"c10", NULL, NULL, c10_alone},  {"c15", NULL, NULL, c15_alone},
    {"c16", c01_ann, c16_bob, NULL}, {"c18", c18_ann, c18_bob, NULL}, {"c19", c19_ann, c19_bob, NULL},
    {"c25", c25_ann, c25_bob, NULL}, {"c26", c26_ann, c26_bob, NULL}, {"c28", c28_ann, c28_bob, NULL},
};

int main(int count, char **arguments) {
    const struct check *check = NULL;
    struct peer me;
    CHECK(count == 3);
    for (size_t i = 0; i < sizeof CHECKS / sizeof *CHECKS; i++)
        if (strcmp(CHECKS[i].name, arguments[1]) == 0) check = &CHECKS[i];
    CHECK(check != NULL);
    if (strcmp(arguments[2], "ann") == 0) {
        me = create_and_invite();
        check->ann(&me);
        leave(&me);
    } else if (strcmp(arguments[2], "bob") == 0) {
        me = join_by_invitation();
        check->bob(&me);
        leave(&me);
    } else {
        me = create_alone();
        check->alone(&me);
    }
    say("done");
    return 0;
}
