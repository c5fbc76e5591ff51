/*
 * A process without files, without memory, or on a system without IPv6: exhausted files|memory|ipv6
 *
 * Limits of the process stand for the system's; they need no privilege. Only around the calls: what we say needs files too.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

#ifdef __linux__
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

/* Returns the former limit. */
static rlim_t limit(int resource, rlim_t value) {
    struct rlimit limits;
    rlim_t before;
    CHECK(getrlimit(resource, &limits) == 0);
    before = limits.rlim_cur;
    limits.rlim_cur = value < limits.rlim_max ? value : limits.rlim_max;
    CHECK(setrlimit(resource, &limits) == 0);
    return before;
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

/* No file or socket can be opened. */
static void files(void) {
    PEER_VERSION_DATA version;
    struct peer ann = {0};
    PWSTR text = NULL, name = wide("Another name");
    HRESULT started, renamed, shown;
    rlim_t before;
    make_identity(&ann, "Ann");
    before = limit(RLIMIT_NOFILE, 0);
    started = PeerGroupStartup(PEER_GROUP_VERSION, &version);
    renamed = PeerIdentitySetFriendlyName(ann.name, name);
    shown = PeerIdentityGetXML(ann.name, &text);
    limit(RLIMIT_NOFILE, before);
    CODE(started, E_OUTOFMEMORY);
    CODE(renamed, E_OUTOFMEMORY);
    CODE(shown, E_OUTOFMEMORY);
    CHECK(text == NULL && version.wVersion == 0);
    CODE(PeerGroupShutdown(), PEER_E_NOT_INITIALIZED);
    /* With files again, everything works. */
    OK(PeerIdentitySetFriendlyName(ann.name, name));
    start();
    OK(PeerGroupShutdown());
    PeerFreeData(ann.name);
    free(name);
}

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

/* A group by password cannot be made, changed, joined or moved without the 64 MiB over which a password is stretched. */
static void memory(void) {
#ifdef __linux__
    PEER_GROUP_PROPERTIES wanted = {0}, *properties;
    struct peer ann = {0}, bob = {0};
    HGROUP group, other = NULL, joined = NULL;
    PWSTR invitation, name = NULL, there = NULL, text = NULL, good;
    HRESULT created, changed, taken, exported, imported;
    unsigned long pages;
    rlim_t before;
    FILE *file;
    start();
    make_identity(&ann, "Ann");
    make_identity(&bob, "Bob");
    wanted.dwSize = sizeof wanted;
    wanted.dwAuthenticationSchemes = PEER_GROUP_GMC_AUTHENTICATION | PEER_GROUP_PASSWORD_AUTHENTICATION;
    wanted.pwzGroupPassword = wide("correct horse");
    wanted.groupPasswordRole = PEER_GROUP_ROLE_MEMBER;
    OK(PeerGroupCreate(&wanted, &group));
    OK(PeerGroupCreatePasswordInvitation(group, &invitation));
    OK(PeerGroupExportConfig(group, wanted.pwzGroupPassword, &good));
    OK(PeerGroupGetProperties(group, &properties));
    properties->pwzGroupPassword = wanted.pwzGroupPassword;
    file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%lu", &pages) == 1 && fclose(file) == 0);
    before = limit(RLIMIT_AS, (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (16 << 20));
    created = PeerGroupCreate(&wanted, &other);
    changed = PeerGroupSetProperties(group, properties);
    taken = PeerGroupPasswordJoin(bob.name, invitation, wanted.pwzGroupPassword, NULL, &joined);
    exported = PeerGroupExportConfig(group, wanted.pwzGroupPassword, &text);
    imported = PeerGroupImportConfig(good, wanted.pwzGroupPassword, TRUE, &name, &there);
    limit(RLIMIT_AS, before);
    CODE(created, E_OUTOFMEMORY);
    CODE(changed, E_OUTOFMEMORY);
    CODE(taken, E_OUTOFMEMORY);
    CODE(exported, E_OUTOFMEMORY);
    CODE(imported, E_OUTOFMEMORY);
    CHECK(other == NULL && joined == NULL && text == NULL && name == NULL && there == NULL);
    /* With memory again, everything works. */
    OK(PeerGroupSetProperties(group, properties));
    OK(PeerGroupPasswordJoin(bob.name, invitation, wanted.pwzGroupPassword, NULL, &joined));
    OK(PeerGroupShutdown());
    PeerFreeData(properties);
    PeerFreeData(invitation);
    PeerFreeData(good);
    PeerFreeData(ann.name);
    PeerFreeData(bob.name);
    free(wanted.pwzGroupPassword);
#else
    say("skipped: how much memory a process has is read as on Linux");
#endif
}

/* ---- IPv6 ------------------------------------------------------------------------------------------------------- */

/* From here on the system says that it has no such family, as one does that was built without it. */
static void ipv6(void) {
#ifdef __linux__
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program;
    PEER_VERSION_DATA version;
    program.len = sizeof steps / sizeof *steps;
    program.filter = steps;
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
    CHECK(socket(AF_INET6, SOCK_DGRAM, 0) == -1 && errno == EAFNOSUPPORT);
    CODE(PeerGroupStartup(PEER_GROUP_VERSION, &version), PEER_E_IPV6_NOT_INSTALLED);
    CHECK(version.wVersion == 0);
    CODE(PeerGroupShutdown(), PEER_E_NOT_INITIALIZED);
#else
    say("skipped: IPv6 is taken away as on Linux");
#endif
}

int main(int count, char **arguments) {
    CHECK(count == 2);
    if (strcmp(arguments[1], "files") == 0)
        files();
    else if (strcmp(arguments[1], "memory") == 0)
        memory();
    else
        ipv6();
    say("done");
    return 0;
}
