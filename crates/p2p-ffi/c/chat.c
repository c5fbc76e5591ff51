/*
 * Two people, one line each way of getting in touch, one conversation.
 *
 *   chat id       ID_FILE               writes what an identity shows of itself
 *   chat host     ID_FILE INVITATION    makes a group, invites that identity, prints what it says
 *   chat guest    INVITATION            joins, and says what stands on standard input
 *
 * The guest runs "id" and hands the file over; the host answers with an invitation; then both are online and the guest
 * opens a direct connection to the host.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p2p.h"

#define WAIT_MS 60000
#define TEXT_MAX 65536

static const GUID LINE = {0x6f1d3c52, 0x9a0e, 0x4b7d, {0x8f, 0x21, 0x5c, 0x1e, 0x77, 0x0b, 0x93, 0xd4}};

static HRESULT check(HRESULT code, const char *call) {
    if (SUCCEEDED(code)) return code;
    fprintf(stderr, "%s failed: 0x%08lX, behind it 0x%08lX\n", call, (unsigned long)(uint32_t)code,
            (unsigned long)(uint32_t)P2PGetLastErrorDetail());
    exit(1);
}

#define CHECK(call) check((call), #call)

/* The files here are ASCII; the library speaks UTF-16. */
static void write_text(const char *path, PCWSTR text) {
    FILE *file = fopen(path, "w");
    if (file == NULL) exit((perror(path), 1));
    for (; *text != 0; text++) fputc(*text, file);
    if (fclose(file) != 0) exit((perror(path), 1));
}

static PCWSTR read_text(const char *path) {
    static WCHAR text[TEXT_MAX];
    FILE *file = fopen(path, "r");
    int c, length = 0;
    if (file == NULL) exit((perror(path), 1));
    while ((c = fgetc(file)) != EOF && length < TEXT_MAX - 1) text[length++] = (WCHAR)c;
    fclose(file);
    text[length] = 0;
    return text;
}

struct events {
    HANDLE signal;
    HPEEREVENT queue;
};

/* Asks for everything that this program wants to hear. Doing so is also what lets others open direct connections. */
static struct events listen(HGROUP group) {
    PEER_GROUP_EVENT_REGISTRATION kinds[] = {
        {PEER_GROUP_EVENT_STATUS_CHANGED, NULL},
        {PEER_GROUP_EVENT_CONNECTION_FAILED, NULL},
        {PEER_GROUP_EVENT_DIRECT_CONNECTION, NULL},
        {PEER_GROUP_EVENT_INCOMING_DATA, NULL},
    };
    struct events events;
    events.signal = P2PCreateEvent(FALSE, FALSE);
    if (events.signal == NULL) exit((fputs("no event object\n", stderr), 1));
    CHECK(PeerGroupRegisterEvent(group, events.signal, 4, kinds, &events.queue));
    return events;
}

static PEER_GROUP_EVENT_DATA *next(struct events events) {
    PEER_GROUP_EVENT_DATA *event;
    while (CHECK(PeerGroupGetEventData(events.queue, &event)) == PEER_S_NO_EVENT_DATA)
        if (CHECK(P2PWaitEvent(events.signal, WAIT_MS)) == S_FALSE) exit((fputs("nothing happens\n", stderr), 1));
    if (event->eventType == PEER_GROUP_EVENT_CONNECTION_FAILED) CHECK(event->hrConnectionFailedReason);
    return event;
}

/* Connects, and waits until the group's status has these bits. */
static void go_online(HGROUP group, struct events events, int bits) {
    int status = 0;
    CHECK(PeerGroupConnect(group));
    while ((status & bits) != bits) {
        PEER_GROUP_EVENT_DATA *event = next(events);
        if (event->eventType == PEER_GROUP_EVENT_STATUS_CHANGED) status = (int)event->dwStatus;
        PeerFreeData(event);
    }
}

/* Waits until a direct connection has got so far. */
static void wait_for(struct events events, PEER_CONNECTION_STATUS status) {
    for (int done = 0; !done;) {
        PEER_GROUP_EVENT_DATA *event = next(events);
        if (event->eventType == PEER_GROUP_EVENT_DIRECT_CONNECTION) {
            CHECK(event->connectionChangeData.hrConnectionFailedReason);
            done = event->connectionChangeData.status == status;
        }
        PeerFreeData(event);
    }
}

static void host(const char *id_file, const char *invitation_file) {
    PEER_GROUP_PROPERTIES properties = {0};
    struct events events;
    PWSTR me, invitation;
    HGROUP group;
    int talking = 1;
    properties.dwSize = sizeof properties;
    CHECK(PeerIdentityGetXML(NULL, &me)); /* makes the default identity if there is none */
    CHECK(PeerGroupCreate(&properties, &group));
    events = listen(group);
    go_online(group, events, PEER_GROUP_STATUS_LISTENING); /* so that the invitation can say where */
    CHECK(PeerGroupCreateInvitation(group, read_text(id_file), NULL, 0, NULL, &invitation));
    write_text(invitation_file, invitation);
    puts("waiting");
    fflush(stdout);
    wait_for(events, PEER_CONNECTED);
    while (talking) {
        PEER_GROUP_EVENT_DATA *event = next(events);
        if (event->eventType == PEER_GROUP_EVENT_INCOMING_DATA)
            printf("guest: %.*s\n", (int)event->incomingData.data.cbData, (char *)event->incomingData.data.pbData);
        if (event->eventType == PEER_GROUP_EVENT_DIRECT_CONNECTION)
            talking = event->connectionChangeData.status != PEER_DISCONNECTED;
        PeerFreeData(event);
    }
    CHECK(PeerGroupClose(group));
    PeerFreeData(invitation);
    PeerFreeData(me);
}

static void guest(const char *invitation_file) {
    struct events events;
    HPEERENUM neighbours;
    PEER_CONNECTION_INFO **found;
    ULONGLONG id;
    ULONG count = 1;
    HGROUP group;
    char line[1000];
    CHECK(PeerGroupJoin(NULL, read_text(invitation_file), NULL, &group));
    events = listen(group);
    go_online(group, events, PEER_GROUP_STATUS_HAS_CONNECTIONS);
    CHECK(PeerGroupEnumConnections(group, PEER_CONNECTION_NEIGHBOR, &neighbours));
    CHECK(PeerGetNextItem(neighbours, &count, (PVOID **)&found));
    if (count == 0) exit((fputs("the host has left\n", stderr), 1));
    CHECK(PeerGroupOpenDirectConnection(group, found[0]->pwzPeerId, &found[0]->address, &id));
    wait_for(events, PEER_CONNECTED);
    while (fgets(line, sizeof line, stdin) != NULL)
        CHECK(PeerGroupSendData(group, id, &LINE, (ULONG)strcspn(line, "\n"), line));
    CHECK(PeerGroupCloseDirectConnection(group, id)); /* all that was sent still arrives */
    wait_for(events, PEER_DISCONNECTED);
    PeerFreeData(found);
    CHECK(PeerEndEnumeration(neighbours));
    CHECK(PeerGroupClose(group));
}

int main(int count, char **arguments) {
    PEER_VERSION_DATA version;
    PWSTR xml;
    CHECK(PeerGroupStartup(PEER_GROUP_VERSION, &version));
    if (count == 3 && strcmp(arguments[1], "id") == 0) {
        CHECK(PeerIdentityGetXML(NULL, &xml));
        write_text(arguments[2], xml);
        PeerFreeData(xml);
    } else if (count == 4 && strcmp(arguments[1], "host") == 0) {
        host(arguments[2], arguments[3]);
    } else if (count == 3 && strcmp(arguments[1], "guest") == 0) {
        guest(arguments[2]);
    } else {
        fputs("chat id ID_FILE | chat host ID_FILE INVITATION | chat guest INVITATION\n", stderr);
        return 2;
    }
    CHECK(PeerGroupShutdown());
    return 0;
}
