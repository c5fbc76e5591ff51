/*
 * A message for one member and nobody else: whisper whisper ann|bob
 *
 * Ann has made the group. The other process holds two members, Bob and Eve. Ann looks Bob up among the members, opens a
 * direct connection to him, and whispers; he answers on the same connection. Eve, who has a connection of her own to Ann
 * and listens to everything, hears nothing of it.
 */
#include "common.h"

static const GUID WHISPER = {0x5d2b6a1e, 0x0003, 0x4000, {0x80, 0, 0, 0, 0, 0, 0, 1}};
static const GUID ANOTHER = {0x5d2b6a1e, 0x0003, 0x4000, {0x80, 0, 0, 0, 0, 0, 0, 2}};

#define SIZE 40

static void send_to(HGROUP group, ULONGLONG id, const GUID *type, uint32_t number) {
    char data[SIZE] = {0};
    memcpy(data, &number, sizeof number);
    OK(PeerGroupSendData(group, id, type, sizeof data, data));
}

/* Messages of one type only; without connection changes this does not make the node accept connections either. */
static struct queue listen_for_type(HGROUP group, const GUID *type) {
    PEER_GROUP_EVENT_REGISTRATION entry = {PEER_GROUP_EVENT_INCOMING_DATA, NULL};
    struct queue queue;
    GUID copied = *type;
    entry.pType = &copied;
    queue.event = P2PCreateEvent(FALSE, FALSE);
    OK(PeerGroupRegisterEvent(group, queue.event, 1, &entry, &queue.registration));
    return queue;
}

/* Opens a connection to a member that is present, at the first of the addresses that it is known by. */
static ULONGLONG open_to(HGROUP group, PCWSTR who, struct queue direct) {
    PVOID *items = get_member(group, who);
    const PEER_MEMBER *member = (const PEER_MEMBER *)items[0];
    ULONGLONG id;
    CHECK(member->dwFlags == PEER_MEMBER_PRESENT && member->cAddresses > 0 && same(member->pwzIdentity, who));
    OK(PeerGroupOpenDirectConnection(group, member->pwzIdentity, &member->pAddresses[0], &id));
    PeerFreeData(items);
    return next_change(direct, id, PEER_CONNECTED, S_OK);
}

static void ann(void) {
    struct peer me = create_alone();
    struct queue members = listen_for_members(me.group), direct = listen_for_direct(me.group);
    ULONGLONG to_bob, to_eve;
    PWSTR bob, eve;
    invite(me.group);
    invite(me.group);
    bob = hear_text();
    eve = hear_text();
    wait_for_member(members, bob, PEER_MEMBER_CONNECTED);
    wait_for_member(members, eve, PEER_MEMBER_CONNECTED);
    to_bob = open_to(me.group, bob, direct);
    to_eve = open_to(me.group, eve, direct);
    CHECK(to_bob != to_eve && listed_direct(me.group, 0) == 2);
    send_to(me.group, to_bob, &WHISPER, 1);
    next_data(direct, to_bob, &WHISPER, SIZE, 2);
    /* Whatever had strayed to Eve would have come before this. */
    send_to(me.group, to_eve, &ANOTHER, 3);
    next_data(direct, to_eve, &ANOTHER, SIZE, 4);
    OK(PeerGroupCloseDirectConnection(me.group, to_bob));
    next_change(direct, to_bob, PEER_DISCONNECTED, S_OK);
    /* What is closed carries nothing more, and the other one stands. */
    CODE(PeerGroupSendData(me.group, to_bob, &WHISPER, 0, &to_bob), PEER_E_CONNECTION_NOT_FOUND);
    CHECK(listed_direct(me.group, to_eve) == 1);
    meet();
    free(bob);
    free(eve);
    stop_listening(members);
    stop_listening(direct);
    leave(&me);
}

static void bob(void) {
    struct peer me, eve;
    struct queue direct, whispers, eves, eves_whispers;
    ULONGLONG id, eves_id;
    PWSTR sender = NULL, found = NULL;
    start();
    me = join_as("Bob");
    eve = join_as("Eve");
    direct = listen_for_direct(me.group);
    whispers = listen_for_type(me.group, &WHISPER);
    eves = listen_for_direct(eve.group);
    eves_whispers = listen_for_type(eve.group, &WHISPER);
    tell_text(me.name);
    tell_text(eve.name);
    id = next_change(direct, 0, PEER_CONNECTED, S_OK);
    next_data(direct, id, &WHISPER, SIZE, 1);
    next_data(whispers, id, &WHISPER, SIZE, 1);
    CHECK(listed(me.group, PEER_CONNECTION_DIRECT, id, NULL, &sender) == 1);
    send_to(me.group, id, &WHISPER, 2);
    eves_id = next_change(eves, 0, PEER_CONNECTED, S_OK);
    CHECK(listed(eve.group, PEER_CONNECTION_DIRECT, eves_id, NULL, &found) == 1 && same(sender, found));
    next_data(eves, eves_id, &ANOTHER, SIZE, 3);
    no_event(eves);
    no_event(eves_whispers);
    send_to(eve.group, eves_id, &ANOTHER, 4);
    next_change(direct, id, PEER_DISCONNECTED, S_OK);
    no_event(whispers);
    meet();
    free(sender);
    free(found);
    stop_listening(direct);
    stop_listening(whispers);
    stop_listening(eves);
    stop_listening(eves_whispers);
    OK(PeerGroupClose(eve.group));
    PeerFreeData(eve.name);
    leave(&me);
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
