/*
 * A group that moves to another machine with its identity: moving
 *
 * One process plays both machines, each with a home of its own below P2P_HOME. Ann makes a group; what goes over is her
 * identity and the group's configuration, each as text under a password.
 */
#define _POSIX_C_SOURCE 200809L

#include "common.h"

static void start_at(const char *home) {
    PEER_VERSION_DATA version;
    CHECK(setenv("P2P_HOME", home, 1) == 0);
    OK(PeerGroupStartup(PEER_GROUP_VERSION, &version));
}

/* The time that a group has is UTC, for whoever has met a member. */
static void times(HGROUP group, HRESULT expected) {
    FILETIME utc = {0x89ABCDEF, 0x01DC4567}, time = {0, 0}, end = {0, 0x80000000};
    CODE(PeerGroupUniversalTimeToPeerTime(group, &utc, &time), expected);
    if (expected != S_OK) {
        CHECK(time.dwLowDateTime == 0 && time.dwHighDateTime == 0);
        return;
    }
    OK(PeerGroupPeerTimeToUniversalTime(group, &time, &time));
    CHECK(memcmp(&time, &utc, sizeof time) == 0);
    OK(PeerGroupPeerTimeToUniversalTime(group, &end, &end));
    CHECK(end.dwLowDateTime == 0xFFFFFFFF && end.dwHighDateTime == 0x7FFFFFFF);
}

/* What goes over. Copies: what the library gave is given back. */
struct moved {
    PWSTR identity, config, name, group;
};

static struct moved go_away(PCWSTR password) {
    struct moved moved;
    PEER_GROUP_PROPERTIES properties, *known;
    PWSTR empty = wide(""), text;
    HGROUP group;
    OK(PeerIdentityCreate(NULL, NULL, 0, &text));
    moved.name = copy(text);
    PeerFreeData(text);
    memset(&properties, 0, sizeof properties);
    properties.dwSize = sizeof properties;
    OK(PeerGroupCreate(&properties, &group));
    OK(PeerGroupGetProperties(group, &known));
    moved.group = copy(known->pwzGroupPeerName);
    PeerFreeData(known);
    times(group, S_OK);
    /* The group's key is here: it does not go without a password. */
    CODE(PeerGroupExportConfig(group, empty, &text), E_INVALIDARG);
    CHECK(text == NULL);
    OK(PeerGroupExportConfig(group, password, &text));
    moved.config = copy(text);
    PeerFreeData(text);
    OK(PeerIdentityExport(moved.name, password, &text));
    moved.identity = copy(text);
    PeerFreeData(text);
    OK(PeerGroupClose(group));
    CODE(PeerGroupExportConfig(group, password, &text), PEER_E_INVALID_GROUP);
    free(empty);
    return moved;
}

static void arrive(struct moved moved, PCWSTR password) {
    PWSTR wrong = wide("not the password"), name, group_name;
    HGROUP group;
    PEER_GROUP_PROPERTIES *properties;
    CODE(PeerGroupImportConfig(moved.config, password, FALSE, &name, &group_name), PEER_E_IDENTITY_NOT_FOUND);
    CHECK(name == NULL && group_name == NULL);
    OK(PeerIdentityImport(moved.identity, password, &name));
    PeerFreeData(name);
    CODE(PeerGroupImportConfig(moved.config, wrong, FALSE, &name, &group_name), E_INVALIDARG);
    CODE(P2PGetLastErrorDetail(), CRYPT_E_BAD_MSG);
    CODE(PeerGroupOpen(moved.name, moved.group, NULL, &group), PEER_E_NOT_FOUND);
    OK(PeerGroupImportConfig(moved.config, password, FALSE, &name, &group_name));
    CHECK(same(name, moved.name) && same(group_name, moved.group));
    PeerFreeData(name);
    PeerFreeData(group_name);
    CODE(PeerGroupImportConfig(moved.config, password, FALSE, &name, &group_name), PEER_E_ALREADY_EXISTS);
    OK(PeerGroupOpen(moved.name, moved.group, NULL, &group));
    CODE(PeerGroupImportConfig(moved.config, password, TRUE, &name, &group_name), PEER_E_GROUP_IN_USE);
    /* What the group knows, its members tell: there is none yet. */
    CODE(PeerGroupGetProperties(group, &properties), PEER_E_GROUP_NOT_READY);
    times(group, PEER_E_GROUP_NOT_READY);
    OK(PeerGroupClose(group));
    OK(PeerGroupImportConfig(moved.config, password, TRUE, &name, &group_name));
    PeerFreeData(name);
    PeerFreeData(group_name);
    free(wrong);
}

int main(void) {
    const char *home = getenv("P2P_HOME");
    PWSTR password = wide("correct horse");
    struct moved moved;
    char homes[2][4096];
    CHECK(home != NULL && strlen(home) < sizeof homes[0] - 8);
    for (int i = 0; i < 2; i++) sprintf(homes[i], "%s/%s", home, i == 0 ? "one" : "two");
    start_at(homes[0]);
    moved = go_away(password);
    OK(PeerGroupShutdown());
    start_at(homes[1]);
    arrive(moved, password);
    OK(PeerGroupShutdown());
    free(moved.identity);
    free(moved.config);
    free(moved.name);
    free(moved.group);
    free(password);
    say("done");
    return 0;
}
