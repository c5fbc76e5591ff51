/*
 * Mistakes that a program can make, one by one: misuse MISTAKE
 *
 * Each must end in a documented code, with the group still working afterwards. Freeing what is not a block of the library
 * is the one mistake that has no code: a debug build of the library ends the process, a release build ignores it.
 */
#include "common.h"

static const GUID CHAT = {0x5d2b6a1e, 0x0001, 0x4000, {0x80, 0, 0, 0, 0, 0, 0, 1}};

/* Every function with null where it needs something. */
static void null(struct peer *me) {
    PEER_GROUP_EVENT_REGISTRATION entry = {PEER_GROUP_EVENT_STATUS_CHANGED, NULL};
    HANDLE event = P2PCreateEvent(FALSE, FALSE);
    HPEEREVENT queue;
    HPEERENUM members, groups;
    HGROUP group;
    ULONG count = 1;
    PVOID *items;
    PWSTR text;
    PEER_GROUP_PROPERTIES *properties;
    P2P_STATISTICS *statistics;
    HCRYPTPROV key;
    ULONGLONG id;
    PEER_ADDRESS address = me->address;
    OK(PeerGroupEnumMembers(me->group, 0, NULL, &members));
    CODE(PeerGroupStartup(PEER_GROUP_VERSION, NULL), E_INVALIDARG);
    CODE(PeerIdentityCreate(NULL, NULL, 0, NULL), E_INVALIDARG);
    CODE(PeerIdentityDelete(NULL), E_INVALIDARG);
    CODE(PeerIdentityGetXML(me->name, NULL), E_INVALIDARG);
    CODE(PeerIdentityGetFriendlyName(NULL, &text), E_INVALIDARG);
    CODE(PeerIdentityGetFriendlyName(me->name, NULL), E_INVALIDARG);
    CODE(PeerIdentitySetFriendlyName(NULL, me->name), E_INVALIDARG);
    CODE(PeerIdentityGetDefault(NULL), E_INVALIDARG);
    CODE(PeerIdentityGetCryptKey(NULL, &key), E_INVALIDARG);
    CODE(PeerIdentityGetCryptKey(me->name, NULL), E_INVALIDARG);
    CODE(PeerIdentityExport(NULL, me->name, &text), E_INVALIDARG);
    CODE(PeerIdentityExport(me->name, NULL, &text), E_INVALIDARG);
    CODE(PeerIdentityExport(me->name, me->name, NULL), E_INVALIDARG);
    CODE(PeerIdentityImport(NULL, me->name, &text), E_INVALIDARG);
    CODE(PeerIdentityImport(me->name, NULL, &text), E_INVALIDARG);
    CODE(PeerIdentityImport(me->name, me->name, NULL), E_INVALIDARG);
    CODE(PeerCreatePeerName(NULL, NULL, &text), E_INVALIDARG);
    CODE(PeerCreatePeerName(me->name, NULL, NULL), E_INVALIDARG);
    CODE(PeerEnumIdentities(NULL), E_INVALIDARG);
    CODE(PeerEnumGroups(NULL, &groups), E_INVALIDARG);
    CHECK(groups == NULL);
    CODE(PeerEnumGroups(me->name, NULL), E_INVALIDARG);
    CODE(P2PKeyGenerate(NULL), E_INVALIDARG);
    CODE(P2PKeyImportPkcs8(NULL, 1, &key), E_INVALIDARG);
    CODE(P2PKeyImportPkcs8((const BYTE *)"x", 1, NULL), E_INVALIDARG);
    CODE(P2PKeyRelease(0), HRESULT_FROM_WIN32(ERROR_INVALID_HANDLE));
    CHECK(text == NULL && key == 0);
    CODE(PeerGroupCreate(NULL, &group), E_INVALIDARG);
    CODE(PeerGroupCreate(NULL, NULL), E_INVALIDARG);
    CODE(PeerGroupOpen(NULL, me->name, NULL, &group), E_INVALIDARG);
    CODE(PeerGroupOpen(me->name, NULL, NULL, &group), E_INVALIDARG);
    CODE(PeerGroupOpen(me->name, me->name, NULL, NULL), E_INVALIDARG);
    CODE(PeerGroupJoin(me->name, NULL, NULL, &group), E_INVALIDARG);
    CODE(PeerGroupJoin(me->name, me->name, NULL, NULL), E_INVALIDARG);
    CHECK(group == NULL);
    CODE(PeerGroupConnect(NULL), PEER_E_INVALID_GROUP);
    CODE(PeerGroupConnectByAddress(NULL, 0, NULL), PEER_E_INVALID_GROUP);
    CODE(PeerGroupConnectByAddress(me->group, 1, NULL), E_INVALIDARG);
    CODE(PeerGroupConnectByAddress(me->group, 0, &address), E_INVALIDARG);
    CODE(PeerGroupClose(NULL), PEER_E_INVALID_GROUP);
    CODE(PeerGroupDelete(me->name, NULL), E_INVALIDARG);
    CODE(PeerGroupGetStatus(me->group, NULL), E_INVALIDARG);
    CODE(PeerGroupGetStatus(NULL, NULL), E_INVALIDARG);
    CODE(PeerGroupGetProperties(me->group, NULL), E_INVALIDARG);
    CODE(PeerGroupGetProperties(NULL, &properties), PEER_E_INVALID_GROUP);
    CODE(PeerGroupSetProperties(me->group, NULL), E_INVALIDARG);
    CODE(PeerGroupSetProperties(NULL, NULL), PEER_E_INVALID_GROUP);
    CODE(P2PGetStatistics(me->group, NULL), E_INVALIDARG);
    CODE(P2PGetStatistics(NULL, &statistics), PEER_E_INVALID_GROUP);
    CHECK(properties == NULL && statistics == NULL);
    CODE(PeerGroupCreateInvitation(me->group, NULL, NULL, 0, NULL, &text), E_INVALIDARG);
    CODE(PeerGroupCreateInvitation(me->group, me->name, NULL, 0, NULL, NULL), E_INVALIDARG);
    CODE(PeerGroupParseInvitation(NULL, NULL), E_INVALIDARG);
    CODE(PeerGroupCreatePasswordInvitation(NULL, &text), PEER_E_INVALID_GROUP);
    CODE(PeerGroupCreatePasswordInvitation(me->group, NULL), E_INVALIDARG);
    CODE(PeerGroupCreatePasswordInvitation(me->group, &text), PEER_E_INVALID_GROUP_PROPERTIES);
    CODE(PeerGroupPasswordJoin(me->name, NULL, me->name, NULL, &group), E_INVALIDARG);
    CODE(PeerGroupPasswordJoin(me->name, me->name, NULL, NULL, &group), PEER_E_INVITATION_NOT_TRUSTED);
    CODE(PeerGroupPasswordJoin(me->name, me->name, me->name, NULL, NULL), E_INVALIDARG);
    CODE(PeerGroupResumePasswordAuthentication(NULL, NULL), PEER_E_INVALID_GROUP);
    CODE(PeerGroupResumePasswordAuthentication(me->group, NULL), E_INVALIDARG);
    CODE(PeerGroupIssueCredentials(NULL, me->name, NULL, 0, &text), PEER_E_INVALID_GROUP);
    CODE(PeerGroupIssueCredentials(me->group, NULL, NULL, 0, &text), E_INVALIDARG);
    CODE(PeerGroupIssueCredentials(me->group, me->name, NULL, 0, NULL), E_INVALIDARG);
    CHECK(text == NULL);
    CODE(P2PGroupRevoke(NULL, me->name, P2P_REASON_UNSPECIFIED), PEER_E_INVALID_GROUP);
    CODE(P2PGroupRevoke(me->group, NULL, P2P_REASON_UNSPECIFIED), E_INVALIDARG);
    CODE(P2PGroupDemote(NULL, me->name, 1, &PEER_GROUP_ROLE_MEMBER), PEER_E_INVALID_GROUP);
    CODE(P2PGroupDemote(me->group, NULL, 1, &PEER_GROUP_ROLE_MEMBER), E_INVALIDARG);
    CODE(P2PGroupDemote(me->group, me->name, 1, NULL), E_INVALIDARG);
    CODE(P2PGroupDemote(me->group, me->name, 0, &PEER_GROUP_ROLE_MEMBER), E_INVALIDARG);
    CODE(PeerGroupOpenDirectConnection(me->group, NULL, &address, &id), E_INVALIDARG);
    CODE(PeerGroupOpenDirectConnection(me->group, me->name, NULL, &id), E_INVALIDARG);
    CODE(PeerGroupOpenDirectConnection(me->group, me->name, &address, NULL), E_INVALIDARG);
    CODE(PeerGroupSendData(me->group, 1, NULL, 1, &id), E_INVALIDARG);
    CODE(PeerGroupSendData(me->group, 1, &CHAT, 0, NULL), E_INVALIDARG);
    CODE(PeerGroupSendData(NULL, 1, &CHAT, 1, &id), PEER_E_INVALID_GROUP);
    CODE(PeerGroupRegisterEvent(me->group, NULL, 1, &entry, &queue), E_INVALIDARG);
    CODE(PeerGroupRegisterEvent(me->group, event, 1, NULL, &queue), E_INVALIDARG);
    CODE(PeerGroupRegisterEvent(me->group, event, 0, &entry, &queue), E_INVALIDARG);
    CODE(PeerGroupRegisterEvent(me->group, event, 1, &entry, NULL), E_INVALIDARG);
    CHECK(queue == NULL);
    CODE(PeerGroupUnregisterEvent(NULL), E_INVALIDARG);
    CODE(PeerGroupGetEventData(NULL, NULL), E_INVALIDARG);
    CODE(PeerGroupEnumMembers(me->group, 0, NULL, NULL), E_INVALIDARG);
    CODE(PeerGroupEnumConnections(me->group, 3, NULL), E_INVALIDARG);
    CODE(PeerGetItemCount(members, NULL), E_INVALIDARG);
    CODE(PeerGetItemCount(NULL, &count), E_INVALIDARG);
    CODE(PeerGetNextItem(members, NULL, &items), E_INVALIDARG);
    CODE(PeerGetNextItem(members, &count, NULL), E_INVALIDARG);
    CODE(PeerEndEnumeration(NULL), E_INVALIDARG);
    CODE(P2PGetEventDetail(NULL), E_INVALIDARG);
    CODE(P2PSetEvent(NULL), E_INVALIDARG);
    PeerFreeData(NULL);
    OK(PeerEndEnumeration(members));
    OK(P2PCloseEvent(event));
}

/* Handles that were good once. */
static void stale(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    PEER_GROUP_EVENT_DATA *event;
    HPEERENUM members;
    PWSTR name = group_name(me->group);
    HGROUP group;
    ULONG count = 1;
    PVOID *items;
    OK(PeerGroupOpen(me->name, name, NULL, &group));
    OK(PeerGroupClose(group));
    OK(PeerGroupEnumMembers(me->group, 0, NULL, &members));
    OK(PeerEndEnumeration(members));
    stop_listening(events);
    CODE(PeerGroupConnect(group), PEER_E_INVALID_GROUP);
    CODE(PeerGroupClose(group), PEER_E_INVALID_GROUP);
    CODE(P2PGroupRevoke(group, me->name, P2P_REASON_UNSPECIFIED), PEER_E_INVALID_GROUP);
    CODE(PeerGroupSendData(group, 1, &CHAT, 1, &count), PEER_E_INVALID_GROUP);
    CODE(PeerGroupEnumMembers(group, 0, NULL, &members), PEER_E_INVALID_GROUP);
    CHECK(members == NULL);
    CODE(PeerGroupUnregisterEvent(events.registration), E_INVALIDARG);
    CODE(PeerGroupGetEventData(events.registration, &event), E_INVALIDARG);
    CHECK(event == NULL);
    CODE(PeerGetNextItem(members, &count, &items), E_INVALIDARG);
    CHECK(count == 0 && items == NULL);
    CODE(P2PCloseEvent(events.event), E_INVALIDARG);
    CODE(P2PWaitEvent(events.event, 0), E_INVALIDARG);
    /* The event object may go before its registration: then nobody sees the signals, and that is all. */
    events = listen_for_direct(me->group);
    OK(P2PCloseEvent(events.event));
    CODE(PeerGroupGetEventData(events.registration, &event), PEER_S_NO_EVENT_DATA);
    OK(PeerGroupUnregisterEvent(events.registration));
    free(name);
}

/* Handles of one kind where another is due. */
static void foreign(struct peer *me) {
    struct queue events = listen_for_direct(me->group);
    PEER_GROUP_EVENT_REGISTRATION entry = {PEER_GROUP_EVENT_STATUS_CHANGED, NULL};
    PEER_GROUP_EVENT_DATA *event;
    HPEERENUM members;
    HPEEREVENT queue;
    ULONG count;
    OK(PeerGroupEnumMembers(me->group, 0, NULL, &members));
    CODE(PeerGroupConnect((HGROUP)events.registration), PEER_E_INVALID_GROUP);
    CODE(PeerGroupClose((HGROUP)members), PEER_E_INVALID_GROUP);
    CODE(PeerGroupGetEventData((HPEEREVENT)me->group, &event), E_INVALIDARG);
    CODE(PeerGroupUnregisterEvent((HPEEREVENT)members), E_INVALIDARG);
    CODE(PeerGetItemCount((HPEERENUM)me->group, &count), E_INVALIDARG);
    CODE(PeerEndEnumeration((HPEERENUM)events.registration), E_INVALIDARG);
    CODE(P2PSetEvent((HANDLE)me->group), E_INVALIDARG);
    CODE(P2PCloseEvent((HANDLE)events.registration), E_INVALIDARG);
    CODE(PeerGroupRegisterEvent(me->group, (HANDLE)me->group, 1, &entry, &queue), E_INVALIDARG);
    CODE(P2PGetEventDetail((const PEER_GROUP_EVENT_DATA *)me->group), E_INVALIDARG);
    OK(PeerEndEnumeration(members));
    stop_listening(events);
}

static void free_twice(struct peer *me) {
    PWSTR xml;
    OK(PeerIdentityGetXML(me->name, &xml));
    PeerFreeData(xml);
    say("now");
    PeerFreeData(xml);
}

static void free_nested(struct peer *me) {
    HPEERENUM members;
    ULONG count = 1;
    PVOID *items;
    OK(PeerGroupEnumMembers(me->group, 0, NULL, &members));
    OK(PeerGetNextItem(members, &count, &items));
    say("now");
    PeerFreeData(((PEER_MEMBER *)items[0])->pwzIdentity);
    CHECK(same(((PEER_MEMBER *)items[0])->pwzIdentity, me->name));
    PeerFreeData(items);
    OK(PeerEndEnumeration(members));
}

static void free_foreign(struct peer *me) {
    int local = 0;
    (void)me;
    say("now");
    PeerFreeData(&local);
    CHECK(local == 0);
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(struct peer *);
    } mistakes[] = {
        {"null", null},           {"stale", stale},           {"foreign", foreign},
        {"free-twice", free_twice}, {"free-nested", free_nested}, {"free-foreign", free_foreign},
    };
    void (*run)(struct peer *) = NULL;
    struct peer me;
    DWORD status;
    CHECK(count == 2);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        if (strcmp(mistakes[i].name, arguments[1]) == 0) run = mistakes[i].run;
    CHECK(run != NULL);
    me = create_alone();
    run(&me);
    /* Nothing was lost. */
    OK(PeerGroupGetStatus(me.group, &status));
    CHECK(status == PEER_GROUP_STATUS_LISTENING);
    leave(&me);
    say("done");
    return 0;
}
