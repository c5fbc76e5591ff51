/*
 * What the functions of the library return in this program, written down for docs/p2p-h.md.
 *
 * From here on each function that gives a code goes through seen(). The test that runs the program names itself in
 * P2P_SEEN_BY and an empty file in P2P_SEEN_FILE; without them nothing is written. The file is opened before main and
 * written when the program ends by itself: what a program does to its own limits and rights in between does not matter.
 */
#ifndef SEEN_H
#define SEEN_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p2p.h"

/* Far more than there are functions and codes in one program. */
#define SEEN_MAX 4096u

static struct {
    FILE *file;
    const char *by;
    struct {
        const char *name;
        HRESULT code;
        int written;
    } pairs[SEEN_MAX];
    unsigned count;
} seen_here;

static inline void seen_write(void) {
    unsigned i;
    for (i = 0; i < seen_here.count && i < SEEN_MAX; i++)
        if (seen_here.pairs[i].written)
            fprintf(seen_here.file, "%s %08lX %s\n", seen_here.pairs[i].name,
                    (unsigned long)(uint32_t)seen_here.pairs[i].code, seen_here.by);
    fclose(seen_here.file);
}

__attribute__((constructor)) static void seen_begin(void) {
    const char *path = getenv("P2P_SEEN_FILE");
    seen_here.by = getenv("P2P_SEEN_BY");
    if (path == NULL || seen_here.by == NULL) return;
    seen_here.file = fopen(path, "a");
    if (seen_here.file == NULL || atexit(seen_write) != 0) abort();
}

/* Threads may write a pair twice, which is no harm. Names are compared as pointers first: usually they are the same. */
static inline HRESULT seen(const char *name, HRESULT code) {
    unsigned i, count = __atomic_load_n(&seen_here.count, __ATOMIC_ACQUIRE);
    if (seen_here.file == NULL) return code;
    for (i = 0; i < count && i < SEEN_MAX; i++)
        if (__atomic_load_n(&seen_here.pairs[i].written, __ATOMIC_ACQUIRE) && seen_here.pairs[i].code == code &&
            (seen_here.pairs[i].name == name || strcmp(seen_here.pairs[i].name, name) == 0))
            return code;
    i = __atomic_fetch_add(&seen_here.count, 1u, __ATOMIC_ACQ_REL);
    if (i >= SEEN_MAX) abort();
    seen_here.pairs[i].name = name;
    seen_here.pairs[i].code = code;
    __atomic_store_n(&seen_here.pairs[i].written, 1, __ATOMIC_RELEASE);
    return code;
}

#define SEEN(name, arguments) seen(#name, (name)arguments)

#define PeerGroupStartup(...) SEEN(PeerGroupStartup, (__VA_ARGS__))
#define PeerGroupShutdown(...) SEEN(PeerGroupShutdown, (__VA_ARGS__))
#define PeerIdentityCreate(...) SEEN(PeerIdentityCreate, (__VA_ARGS__))
#define PeerIdentityDelete(...) SEEN(PeerIdentityDelete, (__VA_ARGS__))
#define PeerIdentityGetXML(...) SEEN(PeerIdentityGetXML, (__VA_ARGS__))
#define PeerIdentityGetFriendlyName(...) SEEN(PeerIdentityGetFriendlyName, (__VA_ARGS__))
#define PeerIdentitySetFriendlyName(...) SEEN(PeerIdentitySetFriendlyName, (__VA_ARGS__))
#define PeerIdentityGetDefault(...) SEEN(PeerIdentityGetDefault, (__VA_ARGS__))
#define PeerIdentityGetCryptKey(...) SEEN(PeerIdentityGetCryptKey, (__VA_ARGS__))
#define PeerIdentityExport(...) SEEN(PeerIdentityExport, (__VA_ARGS__))
#define PeerIdentityImport(...) SEEN(PeerIdentityImport, (__VA_ARGS__))
#define PeerCreatePeerName(...) SEEN(PeerCreatePeerName, (__VA_ARGS__))
#define PeerEnumIdentities(...) SEEN(PeerEnumIdentities, (__VA_ARGS__))
#define PeerEnumGroups(...) SEEN(PeerEnumGroups, (__VA_ARGS__))
#define PeerGroupCreate(...) SEEN(PeerGroupCreate, (__VA_ARGS__))
#define PeerGroupOpen(...) SEEN(PeerGroupOpen, (__VA_ARGS__))
#define PeerGroupJoin(...) SEEN(PeerGroupJoin, (__VA_ARGS__))
#define PeerGroupConnect(...) SEEN(PeerGroupConnect, (__VA_ARGS__))
#define PeerGroupConnectByAddress(...) SEEN(PeerGroupConnectByAddress, (__VA_ARGS__))
#define PeerGroupClose(...) SEEN(PeerGroupClose, (__VA_ARGS__))
#define PeerGroupDelete(...) SEEN(PeerGroupDelete, (__VA_ARGS__))
#define PeerGroupGetProperties(...) SEEN(PeerGroupGetProperties, (__VA_ARGS__))
#define PeerGroupSetProperties(...) SEEN(PeerGroupSetProperties, (__VA_ARGS__))
#define PeerGroupGetStatus(...) SEEN(PeerGroupGetStatus, (__VA_ARGS__))
#define PeerGroupCreateInvitation(...) SEEN(PeerGroupCreateInvitation, (__VA_ARGS__))
#define PeerGroupParseInvitation(...) SEEN(PeerGroupParseInvitation, (__VA_ARGS__))
#define PeerGroupIssueCredentials(...) SEEN(PeerGroupIssueCredentials, (__VA_ARGS__))
#define P2PGroupRevoke(...) SEEN(P2PGroupRevoke, (__VA_ARGS__))
#define P2PGroupDemote(...) SEEN(P2PGroupDemote, (__VA_ARGS__))
#define PeerGroupCreatePasswordInvitation(...) SEEN(PeerGroupCreatePasswordInvitation, (__VA_ARGS__))
#define PeerGroupPasswordJoin(...) SEEN(PeerGroupPasswordJoin, (__VA_ARGS__))
#define PeerGroupResumePasswordAuthentication(...) SEEN(PeerGroupResumePasswordAuthentication, (__VA_ARGS__))
#define PeerGroupExportConfig(...) SEEN(PeerGroupExportConfig, (__VA_ARGS__))
#define PeerGroupImportConfig(...) SEEN(PeerGroupImportConfig, (__VA_ARGS__))
#define PeerGroupPeerTimeToUniversalTime(...) SEEN(PeerGroupPeerTimeToUniversalTime, (__VA_ARGS__))
#define PeerGroupUniversalTimeToPeerTime(...) SEEN(PeerGroupUniversalTimeToPeerTime, (__VA_ARGS__))
#define PeerGroupEnumMembers(...) SEEN(PeerGroupEnumMembers, (__VA_ARGS__))
#define PeerGroupEnumConnections(...) SEEN(PeerGroupEnumConnections, (__VA_ARGS__))
#define PeerGroupOpenDirectConnection(...) SEEN(PeerGroupOpenDirectConnection, (__VA_ARGS__))
#define PeerGroupCloseDirectConnection(...) SEEN(PeerGroupCloseDirectConnection, (__VA_ARGS__))
#define PeerGroupSendData(...) SEEN(PeerGroupSendData, (__VA_ARGS__))
#define PeerGroupRegisterEvent(...) SEEN(PeerGroupRegisterEvent, (__VA_ARGS__))
#define PeerGroupUnregisterEvent(...) SEEN(PeerGroupUnregisterEvent, (__VA_ARGS__))
#define PeerGroupGetEventData(...) SEEN(PeerGroupGetEventData, (__VA_ARGS__))
#define PeerGetItemCount(...) SEEN(PeerGetItemCount, (__VA_ARGS__))
#define PeerGetNextItem(...) SEEN(PeerGetNextItem, (__VA_ARGS__))
#define PeerEndEnumeration(...) SEEN(PeerEndEnumeration, (__VA_ARGS__))
#define P2PSetEvent(...) SEEN(P2PSetEvent, (__VA_ARGS__))
#define P2PResetEvent(...) SEEN(P2PResetEvent, (__VA_ARGS__))
#define P2PWaitEvent(...) SEEN(P2PWaitEvent, (__VA_ARGS__))
#define P2PCloseEvent(...) SEEN(P2PCloseEvent, (__VA_ARGS__))
#define P2PGetStatistics(...) SEEN(P2PGetStatistics, (__VA_ARGS__))
#define P2PKeyGenerate(...) SEEN(P2PKeyGenerate, (__VA_ARGS__))
#define P2PKeyImportPkcs8(...) SEEN(P2PKeyImportPkcs8, (__VA_ARGS__))
#define P2PKeyRelease(...) SEEN(P2PKeyRelease, (__VA_ARGS__))

#endif
