/*
 * A disk that is full, files that may not be touched, memory that has run out: storage full|locked|memory
 *
 * Limits of the process stand for the disk and the memory; they need no privilege. File modes mean nothing to the
 * superuser, so a process of his becomes somebody else first.
 */
#define _XOPEN_SOURCE 700

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"

/* Who has the right to nothing, on every system. */
#define NOBODY 65534

static const char *home;

/* ---- Paths ------------------------------------------------------------------------------------------------------ */

/* The folder of an identity, of its only group (name NULL: that folder), or a file in it. The caller frees it. */
static char *join(const char *folder, const char *name) {
    char *path = (char *)allocate(strlen(folder) + strlen(name) + 2);
    sprintf(path, "%s/%s", folder, name);
    return path;
}

static char *identities(void) { return join(home, "identities"); }

static char *of_identity(PCWSTR name, const char *file) {
    char authority[41] = {0}, *folder = identities(), *own, *path;
    for (int i = 0; i < 40; i++) authority[i] = (char)name[i];
    own = join(folder, authority);
    path = join(own, file);
    free(folder);
    free(own);
    return path;
}

static char *of_group(PCWSTR name, const char *file) {
    char *groups = of_identity(name, "groups"), *own = NULL, *path;
    struct dirent *entry;
    DIR *folder = opendir(groups);
    CHECK(folder != NULL);
    while ((entry = readdir(folder)) != NULL)
        if (entry->d_name[0] != '.') own = join(groups, entry->d_name);
    CHECK(closedir(folder) == 0 && own != NULL);
    path = join(own, file);
    free(groups);
    free(own);
    return path;
}

/* ---- A home with all that can fail ------------------------------------------------------------------------------- */

/* Ann has a group; Bob has been invited into it; Eve was exported and deleted. */
static struct {
    PWSTR ann, bob, group, bobs_invitation, eve, password, name;
} all;

static HGROUP make_group(HRESULT *code) {
    PEER_GROUP_PROPERTIES properties = {0};
    HGROUP group;
    properties.dwSize = sizeof properties;
    *code = PeerGroupCreate(&properties, &group);
    return group;
}

static void furnish(void) {
    struct peer eve = {0}, ann = {0}, bob = {0};
    HRESULT code;
    PWSTR xml;
    start();
    all.password = wide("correct horse");
    all.name = wide("Another name");
    make_identity(&ann, "Ann");
    make_identity(&bob, "Bob");
    make_identity(&eve, "Eve");
    all.ann = ann.name;
    all.bob = bob.name;
    OK(PeerIdentityExport(eve.name, all.password, &all.eve));
    OK(PeerIdentityDelete(eve.name));
    PeerFreeData(eve.name);
    ann.group = make_group(&code);
    OK(code);
    all.group = group_name(ann.group);
    OK(PeerIdentityGetXML(all.bob, &xml));
    OK(PeerGroupCreateInvitation(ann.group, xml, NULL, 0, NULL, &all.bobs_invitation));
    PeerFreeData(xml);
    OK(PeerGroupClose(ann.group));
}

static void leave_all(void) {
    OK(PeerGroupShutdown());
    PeerFreeData(all.ann);
    PeerFreeData(all.bob);
    PeerFreeData(all.bobs_invitation);
    PeerFreeData(all.eve);
    free(all.group);
    free(all.password);
    free(all.name);
}

/* All calls that store something, in their order here. */
enum { CREATE, IMPORT, RENAME, MAKE_DEFAULT, GROUP, JOIN, CALLS };

static HRESULT store_something(int call) {
    HRESULT code = E_UNEXPECTED;
    HGROUP group = NULL;
    PWSTR text = NULL;
    if (call == CREATE) code = PeerIdentityCreate(NULL, all.name, 0, &text);
    if (call == IMPORT) code = PeerIdentityImport(all.eve, all.password, &text);
    if (call == RENAME) code = PeerIdentitySetFriendlyName(all.ann, all.name);
    if (call == MAKE_DEFAULT) code = PeerIdentityGetXML(NULL, &text);
    if (call == GROUP) group = make_group(&code);
    if (call == JOIN) code = PeerGroupJoin(all.bob, all.bobs_invitation, NULL, &group);
    CHECK(code == S_OK || (text == NULL && group == NULL));
    if (group != NULL) OK(PeerGroupClose(group));
    PeerFreeData(text);
    return code;
}

/* How many identities there are, and what Ann is called. */
static ULONG count_identities(void) {
    HPEERENUM identities;
    ULONG count;
    OK(PeerEnumIdentities(&identities));
    OK(PeerGetItemCount(identities, &count));
    OK(PeerEndEnumeration(identities));
    return count;
}

static void ann_is(const char *expected) {
    PWSTR found, due = wide(expected);
    OK(PeerIdentityGetFriendlyName(all.ann, &found));
    CHECK(same(found, due));
    PeerFreeData(found);
    free(due);
}

/* ---- Full ------------------------------------------------------------------------------------------------------- */

static void limit(int resource, rlim_t value) {
    struct rlimit limits;
    CHECK(getrlimit(resource, &limits) == 0);
    limits.rlim_cur = value < limits.rlim_max ? value : limits.rlim_max;
    CHECK(setrlimit(resource, &limits) == 0);
}

/* What is changed in a group that is open: a membership taken back, the properties. */
enum { REVOKE, DESCRIBE, CHANGES };

static HRESULT change_something(HGROUP group, int change) {
    PEER_GROUP_PROPERTIES *properties;
    HRESULT code = E_UNEXPECTED;
    PWSTR xml;
    if (change == REVOKE) {
        OK(PeerIdentityGetXML(all.bob, &xml));
        code = P2PGroupRevoke(group, xml, P2P_REASON_UNSPECIFIED);
        PeerFreeData(xml);
    }
    if (change == DESCRIBE) {
        OK(PeerGroupGetProperties(group, &properties));
        properties->pwzComment = all.name;
        code = PeerGroupSetProperties(group, properties);
        PeerFreeData(properties);
    }
    return code;
}

/* The group is as before after each that failed. */
static void full_in_a_group(void) {
    PEER_GROUP_PROPERTIES *properties;
    HGROUP group;
    for (int change = 0; change < CHANGES; change++) {
        HRESULT code;
        OK(PeerGroupOpen(all.ann, all.group, NULL, &group));
        limit(RLIMIT_FSIZE, 0);
        code = change_something(group, change);
        limit(RLIMIT_FSIZE, RLIM_INFINITY);
        CODE(code, PEER_E_DISK_FULL);
        OK(PeerGroupGetProperties(group, &properties));
        CHECK(properties->pwzComment[0] == 0);
        PeerFreeData(properties);
        OK(PeerGroupClose(group));
    }
    OK(PeerGroupOpen(all.ann, all.group, NULL, &group));
    for (int change = 0; change < CHANGES; change++) OK(change_something(group, change));
    OK(PeerGroupClose(group));
}

static void full(void) {
    char *chosen = join(home, "default");
    /* Else writing past the limit ends the process. */
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    furnish();
    CHECK(unlink(chosen) == 0); /* so that MAKE_DEFAULT has something to make */
    for (int call = 0; call < CALLS; call++) {
        HRESULT code;
        if (call == GROUP) continue; /* below: it needs a default identity */
        /* Only around the call: what we say is written to a file too. */
        limit(RLIMIT_FSIZE, 0);
        code = store_something(call);
        limit(RLIMIT_FSIZE, RLIM_INFINITY);
        CODE(code, PEER_E_DISK_FULL);
    }
    CHECK(count_identities() == 2);
    ann_is("Ann");
    OK(store_something(MAKE_DEFAULT));
    {
        HRESULT code;
        limit(RLIMIT_FSIZE, 0);
        code = store_something(GROUP);
        limit(RLIMIT_FSIZE, RLIM_INFINITY);
        CODE(code, PEER_E_DISK_FULL);
    }
    /* With room again, everything works. */
    for (int call = 0; call < CALLS; call++) OK(store_something(call));
    CHECK(count_identities() == 5);
    ann_is("Another name");
    full_in_a_group();
    leave_all();
    free(chosen);
}

/* ---- Locked ----------------------------------------------------------------------------------------------------- */

/* While a file or folder has these rights, each call in turn gives this code. Frees the path. */
static void with_mode(char *path, mode_t mode, mode_t before, int call, HRESULT expected) {
    CHECK(chmod(path, mode) == 0);
    CODE(store_something(call), expected);
    CHECK(chmod(path, before) == 0);
    free(path);
}

static void locked(void) {
    HGROUP group;
    PWSTR text;
    char *path;
    if (geteuid() == 0) {
        CHECK(chown(home, NOBODY, (gid_t)-1) == 0);
        CHECK(setuid(NOBODY) == 0);
    }
    furnish();
    /* Folders into which nothing may be written. */
    with_mode(identities(), 0500, 0700, CREATE, E_ACCESSDENIED);
    with_mode(identities(), 0500, 0700, IMPORT, E_ACCESSDENIED);
    with_mode(of_identity(all.ann, "."), 0500, 0700, RENAME, E_ACCESSDENIED);
    with_mode(of_identity(all.ann, "groups"), 0500, 0700, GROUP, E_ACCESSDENIED);
    with_mode(of_identity(all.bob, "."), 0500, 0700, JOIN, E_ACCESSDENIED);
    CHECK(count_identities() == 2);
    ann_is("Ann");
    /* A key that may not be read, and a certificate. */
    with_mode(of_identity(all.ann, "key"), 0, 0600, RENAME, PEER_E_NO_KEY_ACCESS);
    with_mode(of_identity(all.ann, "key"), 0, 0600, GROUP, PEER_E_NO_KEY_ACCESS);
    with_mode(of_identity(all.bob, "key"), 0, 0600, JOIN, PEER_E_NO_KEY_ACCESS);
    path = of_identity(all.ann, "certificate");
    CHECK(chmod(path, 0) == 0);
    CODE(PeerIdentityGetXML(all.ann, &text), E_ACCESSDENIED);
    CODE(PeerIdentityExport(all.ann, all.password, &text), E_ACCESSDENIED);
    CHECK(text == NULL);
    CHECK(chmod(path, 0600) == 0);
    free(path);
    /* The database of a group, and its folder. */
    path = of_group(all.ann, "members.redb");
    CHECK(chmod(path, 0) == 0);
    CODE(PeerGroupOpen(all.ann, all.group, NULL, &group), PEER_E_DATABASE_ACCESSDENIED);
    CHECK(group == NULL);
    CHECK(chmod(path, 0600) == 0);
    free(path);
    path = of_group(all.ann, ".");
    CHECK(chmod(path, 0500) == 0);
    CODE(PeerGroupDelete(all.ann, all.group), E_ACCESSDENIED);
    CHECK(chmod(path, 0700) == 0);
    free(path);
    OK(PeerGroupOpen(all.ann, all.group, NULL, &group));
    OK(PeerGroupClose(group));
    for (int call = 0; call < CALLS; call++) OK(store_something(call));
    leave_all();
}

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

static void memory(void) {
#ifdef __linux__
    unsigned long pages;
    FILE *file;
    HRESULT exported, imported;
    PWSTR text, name;
    furnish();
    file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%lu", &pages) == 1 && fclose(file) == 0);
    /* Room for everything but the 64 MiB over which a password is stretched. */
    limit(RLIMIT_AS, (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (16 << 20));
    exported = PeerIdentityExport(all.ann, all.password, &text);
    imported = PeerIdentityImport(all.eve, all.password, &name);
    limit(RLIMIT_AS, RLIM_INFINITY);
    CODE(exported, E_OUTOFMEMORY);
    CODE(imported, E_OUTOFMEMORY);
    CHECK(text == NULL && name == NULL && count_identities() == 2);
    OK(PeerIdentityExport(all.ann, all.password, &text));
    PeerFreeData(text);
    OK(store_something(IMPORT));
    leave_all();
#else
    say("skipped: how much memory a process has is read as on Linux");
#endif
}

int main(int count, char **arguments) {
    home = getenv("P2P_HOME");
    CHECK(count == 2 && home != NULL);
    if (strcmp(arguments[1], "full") == 0)
        full();
    else if (strcmp(arguments[1], "locked") == 0)
        locked();
    else
        memory();
    say("done");
    return 0;
}
