/*
 * Who is in the group, and who is here: members members ann|bob
 *
 * Bob joins, goes, and comes back; Ann sees him come, be away, and come again, by events and by lists. A list that was
 * begun keeps what it showed, whatever happens meanwhile. Then she renews his membership, and both see that.
 */
#include "common.h"

/* The list of members with these flags, and oneself first. */
static HPEERENUM list(HGROUP group, DWORD flags, PCWSTR who, ULONG expected) {
    HPEERENUM members;
    ULONG count;
    OK(PeerGroupEnumMembers(group, flags, who, &members));
    OK(PeerGetItemCount(members, &count));
    CHECK(count == expected);
    return members;
}

/* Takes one item: this member, here or not. */
static void next_is(HPEERENUM members, PCWSTR who, const char *friendly_name, int present) {
    PWSTR name = wide(friendly_name);
    const PEER_MEMBER *member;
    ULONG count = 1;
    PVOID *items;
    OK(PeerGetNextItem(members, &count, &items));
    CHECK(count == 1);
    member = (const PEER_MEMBER *)items[0];
    CHECK(member->dwSize == sizeof *member && same(member->pwzIdentity, who) && member->pwzAttributes == NULL);
    CHECK(member->dwFlags == (present ? (DWORD)PEER_MEMBER_PRESENT : 0) && (member->ullNodeId != 0) == present);
    CHECK(!present || (member->cAddresses > 0 && member->pAddresses[0].dwSize == sizeof(PEER_ADDRESS)));
    CHECK(member->pCredentialInfo->dwSize == sizeof *member->pCredentialInfo);
    CHECK(member->pCredentialInfo->cRoles > 0 && member->pCredentialInfo->pPublicKey != NULL);
    CHECK(same(member->pCredentialInfo->pwzFriendlyName, name));
    PeerFreeData(items);
    free(name);
}

static void end(HPEERENUM members) {
    ULONG count = 1;
    PVOID *items;
    OK(PeerGetNextItem(members, &count, &items));
    CHECK(count == 0 && items == NULL);
    OK(PeerEndEnumeration(members));
    CODE(PeerEndEnumeration(members), E_INVALIDARG);
}

/* Mistakes in what is asked for. */
static void wrong(HGROUP group, PCWSTR nobody) {
    HPEERENUM members;
    PWSTR text = wide("nobody");
    CODE(PeerGroupEnumMembers(group, 2, NULL, &members), E_INVALIDARG);
    CODE(PeerGroupEnumMembers(group, 0, text, &members), E_INVALIDARG);
    CHECK(members == NULL);
    end(list(group, 0, nobody, 0));
    free(text);
}

static void ann(void) {
    struct peer me = create_alone();
    struct queue members = listen_for_members(me.group);
    HPEERENUM before, without, everybody, here;
    PWSTR bob, stranger;
    before = list(me.group, 0, NULL, 1);
    OK(PeerIdentityCreate(NULL, NULL, 0, &stranger));
    wrong(me.group, stranger);
    invite(me.group);
    bob = hear_text();
    wait_for_member(members, bob, PEER_MEMBER_JOINED);
    wait_for_member(members, bob, PEER_MEMBER_CONNECTED);
    everybody = list(me.group, 0, NULL, 2);
    here = list(me.group, PEER_MEMBER_PRESENT, bob, 1);
    next_is(everybody, me.name, "Ann", 1);
    /* Away: still a member, and every list that was begun shows what was. */
    tell("go");
    wait_for_member(members, bob, PEER_MEMBER_DISCONNECTED);
    without = list(me.group, PEER_MEMBER_PRESENT, NULL, 1);
    next_is(without, me.name, "Ann", 1);
    end(without);
    end(list(me.group, PEER_MEMBER_PRESENT, bob, 0));
    without = list(me.group, 0, bob, 1);
    next_is(without, bob, "Bob", 0);
    end(without);
    next_is(everybody, bob, "Bob", 1);
    end(everybody);
    next_is(here, bob, "Bob", 1);
    end(here);
    next_is(before, me.name, "Ann", 1);
    end(before);
    /* Back, and renewed. */
    tell("come");
    wait_for_member(members, bob, PEER_MEMBER_CONNECTED);
    no_event(members);
    OK(PeerGroupIssueCredentials(me.group, bob, NULL, PEER_GROUP_STORE_CREDENTIALS, NULL));
    wait_for_member(members, bob, PEER_MEMBER_UPDATED);
    CHECK(count_members(me.group, NULL) == 2);
    meet();
    free(bob);
    PeerFreeData(stranger);
    stop_listening(members);
    leave(&me);
}

static void bob(void) {
    struct peer me;
    struct queue members;
    PEER_GROUP_EVENT_DATA *event;
    PWSTR group;
    start();
    me = join_as("Bob");
    tell_text(me.name);
    group = only_group(me.name);
    hear("go");
    OK(PeerGroupClose(me.group));
    hear("come");
    OK(PeerGroupOpen(me.name, group, NULL, &me.group));
    members = listen_for_members(me.group);
    go_online(me.group, PEER_GROUP_STATUS_LISTENING | PEER_GROUP_STATUS_HAS_CONNECTIONS);
    wait_for_member(members, me.name, PEER_MEMBER_UPDATED);
    CHECK(count_members(me.group, NULL) == 2);
    meet();
    /* A queue outlives the group's handle, and ends with the registration. */
    OK(PeerGroupClose(me.group));
    while (PeerGroupGetEventData(members.registration, &event) == S_OK) PeerFreeData(event);
    stop_listening(members);
    OK(PeerGroupShutdown());
    free(group);
    PeerFreeData(me.name);
}

int main(int count, char **arguments) {
    CHECK(count == 3);
    if (strcmp(arguments[2], "ann") == 0)
        ann();
    else
        bob();
    say("done");
    return 0;
}
