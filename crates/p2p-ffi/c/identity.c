/*
 * An identity that moves to another machine: identity out FILE | identity in FILE
 *
 * `out` makes an identity and writes it to FILE under a password; `in`, with another P2P_HOME, takes it from there. The
 * password is the line on standard input. What is stored on the way is public or encrypted.
 */
#include "common.h"

/* The password, from standard input. The caller frees it. */
static PWSTR ask(void) { return wide(hear_line()); }

static void out(const char *path) {
    PWSTR password = ask(), name, text, friendly = wide("Ann"), classifier = wide("laptop");
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    OK(PeerIdentityCreate(classifier, friendly, 0, &name));
    OK(PeerIdentityExport(name, password, &text));
    /* Base64 and names in ASCII: one byte for each unit. */
    for (PWSTR at = text; *at != 0; at++) CHECK(*at < 0x80 && fputc(*at, file) != EOF);
    CHECK(fclose(file) == 0);
    PeerFreeData(text);
    PeerFreeData(name);
    free(classifier);
    free(friendly);
    free(password);
}

/* What stands in a file. The caller frees it. */
static PWSTR contents(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = (char *)allocate(65537);
    PWSTR units;
    CHECK(file != NULL);
    CHECK(fread(text, 1, 65536, file) > 0 && feof(file));
    CHECK(fclose(file) == 0);
    units = wide(text);
    free(text);
    return units;
}

/* The names of all identities must be just this one. */
static void only(PCWSTR name, PCWSTR friendly) {
    HPEERENUM identities;
    ULONG count = 10;
    PVOID *items;
    const PEER_NAME_PAIR *pair;
    OK(PeerEnumIdentities(&identities));
    OK(PeerGetNextItem(identities, &count, &items));
    CHECK(count == 1);
    pair = (const PEER_NAME_PAIR *)items[0];
    CHECK(pair->dwSize == sizeof *pair && same(pair->pwzPeerName, name) && same(pair->pwzFriendlyName, friendly));
    PeerFreeData(items);
    OK(PeerEndEnumeration(identities));
}

static void in(const char *path) {
    PWSTR password = ask(), wrong = wide("not the password"), text = contents(path), name, again, found, built;
    PWSTR friendly = wide("Ann"), renamed = wide("Ann at home"), classifier = wide("phone");
    HCRYPTPROV key;
    HPEERENUM groups;
    ULONG count;
    CODE(PeerIdentityImport(text, wrong, &name), E_INVALIDARG);
    CODE(P2PGetLastErrorDetail(), CRYPT_E_BAD_MSG);
    CHECK(name == NULL);
    CODE(PeerIdentityGetDefault(&name), PEER_E_NOT_FOUND);
    OK(PeerIdentityImport(text, password, &name));
    CODE(PeerIdentityImport(text, password, &again), PEER_E_ALREADY_EXISTS);
    OK(PeerIdentityGetDefault(&found));
    CHECK(same(found, name));
    PeerFreeData(found);
    only(name, friendly);
    OK(PeerIdentitySetFriendlyName(name, renamed));
    only(name, renamed);
    OK(PeerCreatePeerName(name, classifier, &built));
    CHECK(built[40] == '.' && same(built + 41, classifier) && memcmp(built, name, 40 * sizeof *name) == 0);
    PeerFreeData(built);
    OK(PeerEnumGroups(name, &groups));
    OK(PeerGetItemCount(groups, &count));
    CHECK(count == 0);
    OK(PeerEndEnumeration(groups));
    /* Its key is its own: no second identity has it. */
    OK(PeerIdentityGetCryptKey(name, &key));
    CODE(PeerIdentityCreate(NULL, NULL, key, &again), PEER_E_ALREADY_EXISTS);
    OK(PeerIdentityDelete(name));
    OK(PeerIdentityCreate(NULL, NULL, key, &again));
    CHECK(memcmp(again, name, 40 * sizeof *name) == 0);
    OK(P2PKeyRelease(key));
    PeerFreeData(again);
    PeerFreeData(name);
    free(classifier);
    free(renamed);
    free(friendly);
    free(text);
    free(wrong);
    free(password);
}

int main(int count, char **arguments) {
    CHECK(count == 3);
    if (strcmp(arguments[1], "out") == 0)
        out(arguments[2]);
    else
        in(arguments[2]);
    say("done");
    return 0;
}
