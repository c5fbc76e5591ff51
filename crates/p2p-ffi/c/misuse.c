/*
 * Mistakes that a program can make, one by one: misuse MISTAKE
 *
 * "sweep" goes through every parameter of every function (calls.h) with null, handles that were closed, handles of every
 * other kind, memory that was freed, and random values; "list" says which functions these are.
 *
 * Each must end in a documented code, with the group still working afterwards. Freeing what is not a block of the library
 * is the one mistake that has no code: a debug build of the library ends the process, a release build ignores it.
 */
#include "calls.h"

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

/* ---- Every parameter of every function -------------------------------------------------------------------------- */

/* As many units as are ever looked at (64 Ki), and one more: where the library reads on, a checked build ends. */
#define ENDLESS 65537u
#define RANDOM_VALUES 8
#define BAD_MAX 40

/* One of each: good values, and what was good once. */
static struct {
    value good[OUT_NUMBER + 1];
    value stale[KEY + 1];
    value freed_block;
    WCHAR surrogate[3];
    PWSTR endless;
    PEER_ADDRESS address, wrong_address;
    PEER_GROUP_PROPERTIES properties, wrong_properties;
    PEER_CREDENTIAL_INFO credential;
    PEER_ROLE_ID roles[1], wrong_roles[1];
    PEER_GROUP_EVENT_REGISTRATION entries[1], wrong_entries[1];
    FILETIME time;
    BYTE bytes[16];
    /* Where results go: 64 bits, whatever they are. */
    value out;
} fixture;

static value address_of(const void *pointer) { return (value)(uintptr_t)pointer; }

static value random_value(void) {
    static value state = 0x9e3779b97f4a7c15u;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}

/* A handle of each kind. They are the caller's to close. */
static void open_handles(const struct peer *me, value *handles) {
    HPEERENUM members;
    HPEEREVENT queue;
    HCRYPTPROV key;
    HANDLE event = P2PCreateEvent(TRUE, TRUE);
    OK(PeerGroupEnumMembers(me->group, 0, NULL, &members));
    OK(PeerGroupRegisterEvent(me->group, event, 1, fixture.entries, &queue));
    OK(P2PKeyGenerate(&key));
    handles[QUEUE] = address_of(queue);
    handles[ENUMERATION] = address_of(members);
    handles[EVENT] = address_of(event);
    handles[KEY] = key;
}

static void close_handles(const value *v) {
    OK(call_PeerGroupUnregisterEvent(&v[QUEUE]));
    OK(call_PeerEndEnumeration(&v[ENUMERATION]));
    OK(call_P2PCloseEvent(&v[EVENT]));
    OK(call_P2PKeyRelease(&v[KEY]));
}

static void furnish(struct peer *me) {
    PWSTR xml, group = only_group(me->name), invitation;
    struct peer guest = {0};
    HGROUP second;
    fixture.entries[0].eventType = PEER_GROUP_EVENT_STATUS_CHANGED;
    fixture.wrong_entries[0].eventType = (PEER_GROUP_EVENT_TYPE)7;
    fixture.properties.dwSize = sizeof fixture.properties;
    fixture.wrong_properties = fixture.properties, fixture.wrong_properties.dwSize += 8;
    fixture.address = me->address, fixture.address.dwSize = sizeof fixture.address;
    fixture.address.sin6.sin6_family = P2P_AF_INET6, fixture.address.sin6.sin6_port = 0x0100;
    fixture.address.sin6.sin6_addr.u.Byte[15] = 1;
    fixture.wrong_address = fixture.address, fixture.wrong_address.dwSize--;
    fixture.roles[0] = PEER_GROUP_ROLE_MEMBER;
    fixture.wrong_roles[0] = CHAT;
    fixture.credential.dwSize = sizeof fixture.credential;
    fixture.surrogate[0] = 'x', fixture.surrogate[1] = 0xD83E;
    fixture.endless = (PWSTR)allocate(ENDLESS * sizeof(WCHAR));
    for (size_t i = 0; i < ENDLESS; i++) fixture.endless[i] = 'x';
    OK(PeerGroupOpen(me->name, group, NULL, &second));
    open_handles(me, fixture.stale);
    close_handles(fixture.stale);
    OK(PeerGroupClose(second));
    fixture.stale[GROUP] = address_of(second);
    open_handles(me, fixture.good);
    fixture.good[GROUP] = address_of(me->group);
    make_identity(&guest, "Guest");
    OK(PeerIdentityGetXML(guest.name, &xml));
    OK(PeerGroupCreateInvitation(me->group, xml, NULL, 0, NULL, &invitation));
    fixture.good[NAME] = address_of(me->name), fixture.good[NOBODY] = address_of(guest.name);
    fixture.good[TEXT] = fixture.good[CLOUD] = address_of(wide("some text")), fixture.good[XML] = address_of(xml);
    fixture.good[INVITED] = address_of(invitation), fixture.good[ADDRESS] = address_of(&fixture.address);
    fixture.good[PROPERTIES] = address_of(&fixture.properties);
    fixture.good[CREDENTIAL] = address_of(&fixture.credential), fixture.good[ROLES] = address_of(fixture.roles);
    fixture.good[TIME] = address_of(&fixture.time), fixture.good[TYPE] = address_of(&CHAT);
    fixture.good[BYTES] = address_of(fixture.bytes), fixture.good[ENTRIES] = address_of(fixture.entries);
    fixture.good[NUMBER] = fixture.good[COUNT] = 1;
    for (int what = OUT_BLOCK; what <= OUT_NUMBER; what++) fixture.good[what] = address_of(&fixture.out);
    fixture.freed_block = address_of(group), free(group);
}

static void clear_out(void) {
    close_handles(fixture.good);
    PeerFreeData((PVOID)(uintptr_t)fixture.good[NOBODY]);
    PeerFreeData((PVOID)(uintptr_t)fixture.good[XML]);
    PeerFreeData((PVOID)(uintptr_t)fixture.good[INVITED]);
    free((PVOID)(uintptr_t)fixture.good[TEXT]);
    free(fixture.endless);
}

/* What does not belong into a parameter of this kind; how many values that are. */
static unsigned bad_values(int what, value *bad) {
    unsigned count = 0;
    if (what <= KEY) {
        bad[count++] = fixture.stale[what];
        for (int kind = GROUP; kind <= KEY; kind++)
            if (kind != what) bad[count++] = fixture.good[kind], bad[count++] = fixture.stale[kind];
    }
    if (what <= KEY || what == EVENT_DATA) {
        /* Looked up, never followed: whatever lies there, or does not. */
        bad[count++] = fixture.freed_block;
        bad[count++] = address_of(&fixture);
        bad[count++] = UINTPTR_MAX;
        for (int i = 0; i < RANDOM_VALUES; i++) bad[count++] = (uintptr_t)random_value();
    }
    if (what >= NAME && what <= INVITED) {
        bad[count++] = address_of(fixture.surrogate);
        bad[count++] = address_of(fixture.endless);
    }
    if (what == NAME || what == NOBODY || what == XML || what == INVITED) bad[count++] = fixture.good[TEXT];
    if (what == ADDRESS) bad[count++] = address_of(&fixture.wrong_address);
    if (what == PROPERTIES) bad[count++] = address_of(&fixture.wrong_properties);
    if (what == ROLES) bad[count++] = address_of(fixture.wrong_roles);
    if (what == ENTRIES) bad[count++] = address_of(fixture.wrong_entries);
    if (what == COUNT) bad[count++] = 0, bad[count++] = UINT32_MAX;
    if (what == NUMBER)
        for (int i = 0; i < RANDOM_VALUES; i++) bad[count++] = random_value();
    CHECK(count < BAD_MAX);
    return count;
}

/* What a call gave, given back. */
static void give_back(int what) {
    const value *v = &fixture.out;
    if (*v == 0) return;
    if (what == OUT_BLOCK) call_PeerFreeData(v);
    if (what == OUT_GROUP) OK(call_PeerGroupClose(v));
    if (what == OUT_QUEUE) OK(call_PeerGroupUnregisterEvent(v));
    if (what == OUT_ENUMERATION) OK(call_PeerEndEnumeration(v));
    if (what == OUT_KEY) OK(call_P2PKeyRelease(v));
}

/* The code of a bad value at this place. 0: any failure. */
static HRESULT due(int what, value bad) {
    if (what == GROUP) return PEER_E_INVALID_GROUP;
    if (what == KEY) return HRESULT_FROM_WIN32(ERROR_INVALID_HANDLE);
    if (what == QUEUE || what == ENUMERATION || what == EVENT || what == EVENT_DATA) return E_INVALIDARG;
    return bad == 0 ? E_INVALIDARG : S_OK;
}

static void try_one(const struct row *row, unsigned place, value bad) {
    value values[PARAMETERS_MAX] = {0};
    const int mask = OPTIONAL - 1, what = row->parameters[place] & mask;
    /* Another number may be as good; null may be too. */
    int allowed = what == NUMBER || what == COUNT || (bad == 0 && (row->parameters[place] & OPTIONAL) != 0);
    HRESULT code, expected = due(what, bad);
    int failed;
    for (unsigned i = 0; row->parameters[i] != END; i++) values[i] = fixture.good[row->parameters[i] & mask];
    values[place] = bad;
    fixture.out = 0;
    call_P2PSetEvent(&fixture.good[EVENT]);
    code = row->call(values);
    failed = FAILED(code) && code != E_UNEXPECTED && (expected == S_OK || code == expected || code == row->otherwise);
    if (!failed && (!allowed || code == E_UNEXPECTED)) {
        printf("%s, parameter %u, is 0x%08lX with 0x%llX\n", row->name, place, (unsigned long)(uint32_t)code,
               (unsigned long long)bad);
        fflush(stdout);
        exit(1);
    }
    for (unsigned i = 0; row->parameters[i] != END; i++) give_back(row->parameters[i] & mask);
    CHECK(SUCCEEDED(code) || fixture.out == 0);
}

static void sweep(struct peer *me) {
    unsigned tried = 0;
    furnish(me);
    for (size_t i = 0; i < ROWS_COUNT; i++) {
        const struct row *row = &ROWS[i];
        for (unsigned place = 0; row->parameters[place] != END; place++) {
            value bad[BAD_MAX];
            unsigned count = bad_values(row->parameters[place] & (OPTIONAL - 1), bad);
            bad[count++] = 0;
            for (unsigned n = 0; n < count; n++, tried++) try_one(row, place, bad[n]);
        }
        CODE(PeerGroupConnect(me->group), PEER_S_ALREADY_CONNECTED);
    }
    printf("%u mistakes in %u functions\n", tried, (unsigned)ROWS_COUNT);
    clear_out();
}

/* ---- Freeing ---------------------------------------------------------------------------------------------------- */

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

/* A block that is never freed: what `cargo xtask sanitize` must not overlook. */
static void forget(struct peer *me) {
    PWSTR xml;
    OK(PeerIdentityGetXML(me->name, &xml));
}

static void free_handle(struct peer *me) {
    say("now");
    PeerFreeData(me->group);
}

static void free_invented(struct peer *me) {
    (void)me;
    say("now");
    PeerFreeData((LPCVOID)(uintptr_t)0x10);
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(struct peer *);
    } mistakes[] = {
        {"null", null},
        {"stale", stale},
        {"foreign", foreign},
        {"sweep", sweep},
        {"forget", forget},
        {"free-twice", free_twice},
        {"free-nested", free_nested},
        {"free-foreign", free_foreign},
        {"free-handle", free_handle},
        {"free-invented", free_invented},
    };
    void (*run)(struct peer *) = NULL;
    struct peer me;
    DWORD status;
    CHECK(count == 2);
    if (strcmp(arguments[1], "list") == 0) {
        for (size_t i = 0; i < ROWS_COUNT; i++) say(ROWS[i].name);
        return 0;
    }
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
