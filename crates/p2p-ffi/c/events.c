/*
 * What only C can show of event objects and of the process: events WHAT
 *
 * "poll": the descriptor of an event object is readable exactly while it is signalled. "fork": a child does not have its
 * parent's library. "second": a group that one process has open is in use for another one of the same home.
 */
#define _POSIX_C_SOURCE 200809L

#include "common.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

static int readable(HANDLE event) {
    struct pollfd descriptor = {P2PEventFd(event), POLLIN, 0};
    CHECK(descriptor.fd >= 0);
    return poll(&descriptor, 1, 0) == 1;
}

static void objects(void) {
    HANDLE manual = P2PCreateEvent(TRUE, TRUE), automatic = P2PCreateEvent(FALSE, FALSE);
    CHECK(readable(manual) && !readable(automatic));
    OK(P2PWaitEvent(manual, INFINITE));
    CHECK(readable(manual));
    OK(P2PResetEvent(manual));
    CHECK(!readable(manual));
    OK(P2PSetEvent(automatic));
    OK(P2PSetEvent(automatic));
    CHECK(readable(automatic));
    OK(P2PWaitEvent(automatic, 0));
    CHECK(!readable(automatic));
    CODE(P2PWaitEvent(automatic, 0), S_FALSE);
    OK(P2PCloseEvent(manual));
    OK(P2PCloseEvent(automatic));
}

/* A program that lives in a poll loop: when the descriptor is readable, reset, then take all there is. */
static void by_poll(void) {
    struct peer me = create_alone();
    const PEER_GROUP_EVENT_TYPE types[] = {PEER_GROUP_EVENT_STATUS_CHANGED};
    PWSTR name = group_name(me.group);
    struct queue events;
    struct pollfd descriptor;
    PEER_GROUP_EVENT_DATA *event;
    objects();
    OK(PeerGroupClose(me.group));
    OK(PeerGroupOpen(me.name, name, NULL, &me.group));
    events = listen_for(me.group, 1, types);
    CHECK(!readable(events.event));
    OK(PeerGroupConnect(me.group));
    descriptor.fd = P2PEventFd(events.event);
    descriptor.events = POLLIN;
    CHECK(poll(&descriptor, 1, (int)PATIENCE_MS) == 1);
    OK(P2PResetEvent(events.event));
    OK(PeerGroupGetEventData(events.registration, &event));
    CHECK(event->eventType == PEER_GROUP_EVENT_STATUS_CHANGED && event->dwStatus == PEER_GROUP_STATUS_LISTENING);
    OK(P2PGetEventDetail(event));
    PeerFreeData(event);
    no_event(events);
    stop_listening(events);
    free(name);
    leave(&me);
}

static void child(HGROUP group, HANDLE event, HPEERENUM members) {
    PEER_VERSION_DATA version;
    PEER_GROUP_PROPERTIES properties = {0};
    ULONG count;
    HGROUP own;
    DWORD status;
    CODE(PeerGroupGetStatus(group, &status), PEER_E_NOT_INITIALIZED);
    CODE(PeerGroupShutdown(), PEER_E_NOT_INITIALIZED);
    CODE(P2PSetEvent(event), E_INVALIDARG);
    CODE(PeerGetItemCount(members, &count), E_INVALIDARG);
    /* It may start one of its own. */
    OK(PeerGroupStartup(PEER_GROUP_VERSION, &version));
    CODE(PeerGroupGetStatus(group, &status), PEER_E_INVALID_GROUP);
    properties.dwSize = sizeof properties;
    OK(PeerGroupCreate(&properties, &own));
    OK(PeerGroupGetStatus(own, &status));
    OK(PeerGroupShutdown());
}

static void by_fork(void) {
    struct peer me = create_alone();
    HANDLE event = P2PCreateEvent(FALSE, FALSE);
    HPEERENUM members;
    DWORD status;
    int result;
    pid_t pid;
    OK(PeerGroupEnumMembers(me.group, 0, NULL, &members));
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        child(me.group, event, members);
        _exit(0);
    }
    CHECK(waitpid(pid, &result, 0) == pid);
    CHECK(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    /* What the child did is nothing to the parent. */
    OK(PeerGroupGetStatus(me.group, &status));
    CHECK(status == PEER_GROUP_STATUS_LISTENING);
    OK(PeerEndEnumeration(members));
    OK(P2PCloseEvent(event));
    leave(&me);
}

/* The second process waits until the first one says something. */
static void heard(int pipe) {
    char byte;
    CHECK(read(pipe, &byte, 1) == 1);
}

static void said(int pipe) {
    CHECK(write(pipe, "", 1) == 1);
}

static void second(PCWSTR identity, PCWSTR group_name) {
    HGROUP group;
    start();
    CODE(PeerGroupOpen(identity, group_name, NULL, &group), PEER_E_GROUP_IN_USE);
    CHECK(group == NULL);
    CODE(PeerGroupDelete(identity, group_name), PEER_E_GROUP_IN_USE);
    CODE(PeerIdentityDelete(identity), PEER_E_GROUPS_EXIST);
}

static void by_second(void) {
    int to_second[2], to_first[2], result;
    struct peer me;
    PWSTR name;
    DWORD status;
    pid_t pid;
    CHECK(pipe(to_second) == 0 && pipe(to_first) == 0);
    pid = fork(); /* before anything is started: two plain processes */
    CHECK(pid >= 0);
    if (pid == 0) {
        WCHAR names[2][200] = {{0}, {0}};
        HGROUP group;
        CHECK(read(to_second[0], names, sizeof names) == (ssize_t)sizeof names);
        second(names[0], names[1]);
        said(to_first[1]);
        heard(to_second[0]);
        /* Closed there, it opens here. */
        OK(PeerGroupOpen(names[0], names[1], NULL, &group));
        OK(PeerGroupShutdown());
        _exit(0);
    }
    me = create_alone();
    name = group_name(me.group);
    {
        WCHAR names[2][200] = {{0}, {0}};
        for (size_t i = 0; me.name[i] != 0; i++) names[0][i] = me.name[i];
        for (size_t i = 0; name[i] != 0; i++) names[1][i] = name[i];
        CHECK(write(to_second[1], names, sizeof names) == (ssize_t)sizeof names);
    }
    heard(to_first[0]);
    OK(PeerGroupGetStatus(me.group, &status));
    CHECK(status == PEER_GROUP_STATUS_LISTENING);
    OK(PeerGroupClose(me.group));
    said(to_second[1]);
    CHECK(waitpid(pid, &result, 0) == pid);
    CHECK(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    OK(PeerGroupShutdown());
    free(name);
    PeerFreeData(me.name);
}

int main(int count, char **arguments) {
    CHECK(count == 2);
    if (strcmp(arguments[1], "poll") == 0) by_poll();
    if (strcmp(arguments[1], "fork") == 0) by_fork();
    if (strcmp(arguments[1], "second") == 0) by_second();
    say("done");
    return 0;
}
