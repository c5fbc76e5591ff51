/*
 * Taking a membership back, wholly or in part: revoke revoke|demote ann|bob
 *
 * Ann has made the group and invited Bob, and Bob has opened a direct connection to her. "revoke": Ann takes his
 * membership back; the connection ends at both ends, each is told why, and Bob is out. "demote": Ann makes him an
 * administrator, and then a member again; the connection stays.
 */
#include "common.h"

static const GUID CHAT = {0x5d2b6a1e, 0x0002, 0x4000, {0x80, 0, 0, 0, 0, 0, 0, 1}};

/* The next event, however often the member came and went before, must say that it is another member than before. */
static void next_update(struct queue queue, PCWSTR who, HRESULT detail) {
    for (;;) {
        PEER_GROUP_EVENT_DATA *event = next_event(queue);
        const PEER_EVENT_MEMBER_CHANGE_DATA *change = &event->memberChangeData;
        int found;
        CHECK(event->eventType == PEER_GROUP_EVENT_MEMBER_CHANGED);
        CHECK(change->dwSize == sizeof *change);
        found = change->changeType == PEER_MEMBER_UPDATED && same(change->pwzIdentity, who)
                && P2PGetEventDetail(event) == detail;
        PeerFreeData(event);
        if (found) return;
    }
}

/* The end of a connection whose member was revoked; what is behind its reason. */
static HRESULT next_end(struct queue queue, ULONGLONG id) {
    PEER_GROUP_EVENT_DATA *event = next_event(queue);
    const PEER_EVENT_CONNECTION_CHANGE_DATA *change = &event->connectionChangeData;
    HRESULT detail = P2PGetEventDetail(event);
    CHECK(event->eventType == PEER_GROUP_EVENT_DIRECT_CONNECTION);
    CHECK(change->ullConnectionId == id && change->status == PEER_DISCONNECTED);
    CODE(change->hrConnectionFailedReason, PEER_E_CONNECTION_FAILED);
    PeerFreeData(event);
    return detail;
}

/* ---- Revoked ---------------------------------------------------------------------------------------------------- */

static void revoke_ann(struct peer *me) {
    struct queue direct = listen_for_direct(me->group), members = listen_for_members(me->group);
    ULONGLONG id;
    meet();
    id = next_change(direct, 0, PEER_CONNECTED, S_OK);
    hear("tried");
    /* Not a reason, not oneself. */
    CODE(P2PGroupRevoke(me->group, me->other, 2), E_INVALIDARG);
    CODE(P2PGroupRevoke(me->group, me->name, P2P_REASON_UNSPECIFIED), E_INVALIDARG);
    OK(P2PGroupRevoke(me->group, me->other, P2P_REASON_KEY_COMPROMISE));
    CODE(next_end(direct, id), CRYPT_E_REVOKED);
    next_update(members, me->other, CRYPT_E_REVOKED);
    CHECK(count_members(me->group, me->other) == 0 && count_members(me->group, me->name) == 1);
    CODE(PeerGroupSendData(me->group, id, &CHAT, 1, &id), PEER_E_CONNECTION_NOT_FOUND);
    /* Once more changes nothing. */
    OK(P2PGroupRevoke(me->group, me->other, P2P_REASON_KEY_COMPROMISE));
    no_event(direct);
    meet();
    stop_listening(direct);
    stop_listening(members);
}

static void revoke_bob(struct peer *me) {
    const PEER_GROUP_EVENT_TYPE types[] = {PEER_GROUP_EVENT_CONNECTION_FAILED};
    struct queue direct = listen_for_direct(me->group), members = listen_for_members(me->group);
    struct queue failed = listen_for(me->group, 1, types);
    PEER_GROUP_EVENT_DATA *event;
    ULONGLONG id;
    HRESULT detail;
    DWORD status;
    meet();
    OK(PeerGroupOpenDirectConnection(me->group, me->other, &me->address, &id));
    next_change(direct, id, PEER_CONNECTED, S_OK);
    /* A member has no say over the group's creator, nor over anybody else. */
    CODE(P2PGroupRevoke(me->group, me->other, P2P_REASON_UNSPECIFIED), PEER_E_NOT_AUTHORIZED);
    tell("tried");
    /* It may hear that it is out before it hears why. */
    detail = next_end(direct, id);
    CHECK(detail == CRYPT_E_REVOKED || detail == S_OK);
    next_update(members, me->name, CRYPT_E_REVOKED);
    event = next_event(failed);
    CHECK(event->eventType == PEER_GROUP_EVENT_CONNECTION_FAILED);
    CODE(event->hrConnectionFailedReason, PEER_E_NOT_AUTHORIZED);
    PeerFreeData(event);
    OK(PeerGroupGetStatus(me->group, &status));
    CHECK(status == 0);
    meet();
    stop_listening(direct);
    stop_listening(members);
    stop_listening(failed);
}

/* ---- Demoted ---------------------------------------------------------------------------------------------------- */

/* Whether this member is an administrator, as far as is known here. */
static int is_admin(HGROUP group, PCWSTR who) {
    PVOID *items = get_member(group, who);
    const PEER_CREDENTIAL_INFO *credential = ((const PEER_MEMBER *)items[0])->pCredentialInfo;
    int found = 0;
    for (ULONG i = 0; i < credential->cRoles; i++)
        if (memcmp(&credential->pRoles[i], &PEER_GROUP_ROLE_ADMIN, sizeof(GUID)) == 0) found = 1;
    PeerFreeData(items);
    return found;
}

/* Issues an administrator's membership to a member, made from what is known of it, and puts it into the group. The role
 * that it has comes along. */
static void promote(HGROUP group, PCWSTR who) {
    PVOID *items = get_member(group, who);
    PEER_CREDENTIAL_INFO credential = *((const PEER_MEMBER *)items[0])->pCredentialInfo;
    PEER_ROLE_ID role = PEER_GROUP_ROLE_ADMIN;
    const FILETIME usual = {0, 0};
    credential.cRoles = 1;
    credential.pRoles = &role;
    credential.ftValidityStart = credential.ftValidityEnd = usual;
    OK(PeerGroupIssueCredentials(group, who, &credential, PEER_GROUP_STORE_CREDENTIALS, NULL));
    PeerFreeData(items);
}

static void demote_ann(struct peer *me) {
    struct queue direct = listen_for_direct(me->group), members = listen_for_members(me->group);
    ULONGLONG id;
    meet();
    id = next_change(direct, 0, PEER_CONNECTED, S_OK);
    /* He is a member: there is nothing to take away. */
    CODE(P2PGroupDemote(me->group, me->other, 1, &PEER_GROUP_ROLE_MEMBER), E_INVALIDARG);
    promote(me->group, me->other);
    while (!is_admin(me->group, me->other)) PeerFreeData(next_event(members));
    hear("tried");
    CODE(P2PGroupDemote(me->group, me->other, 0, NULL), E_INVALIDARG);
    CODE(P2PGroupDemote(me->group, me->other, 1, &CHAT), PEER_E_INVALID_ROLE_PROPERTY);
    CHECK(is_admin(me->group, me->other));
    OK(P2PGroupDemote(me->group, me->other, 1, &PEER_GROUP_ROLE_MEMBER));
    next_update(members, me->other, CRYPT_E_REVOKED);
    while (is_admin(me->group, me->other)) PeerFreeData(next_event(members));
    CHECK(count_members(me->group, me->other) == 1);
    OK(PeerGroupSendData(me->group, id, &CHAT, sizeof id, &id));
    meet();
    stop_listening(direct);
    stop_listening(members);
}

static void demote_bob(struct peer *me) {
    struct queue direct = listen_for_direct(me->group), members = listen_for_members(me->group);
    PEER_GROUP_EVENT_DATA *event;
    ULONGLONG id;
    meet();
    OK(PeerGroupOpenDirectConnection(me->group, me->other, &me->address, &id));
    next_change(direct, id, PEER_CONNECTED, S_OK);
    CODE(P2PGroupDemote(me->group, me->other, 1, &PEER_GROUP_ROLE_MEMBER), PEER_E_NOT_AUTHORIZED);
    while (!is_admin(me->group, me->name)) PeerFreeData(next_event(members));
    /* An administrator now, but below Ann. */
    CODE(P2PGroupDemote(me->group, me->other, 1, &PEER_GROUP_ROLE_MEMBER), PEER_E_NOT_AUTHORIZED);
    CODE(P2PGroupRevoke(me->group, me->other, P2P_REASON_UNSPECIFIED), PEER_E_NOT_AUTHORIZED);
    tell("tried");
    /* The connection stands all the time. */
    event = next_event(direct);
    CHECK(event->eventType == PEER_GROUP_EVENT_INCOMING_DATA && event->incomingData.ullConnectionId == id);
    PeerFreeData(event);
    while (is_admin(me->group, me->name)) PeerFreeData(next_event(members));
    meet();
    stop_listening(direct);
    stop_listening(members);
}

int main(int count, char **arguments) {
    int demote, ann;
    struct peer me;
    CHECK(count == 3);
    demote = strcmp(arguments[1], "demote") == 0;
    ann = strcmp(arguments[2], "ann") == 0;
    me = ann ? create_and_invite() : join_by_invitation();
    if (ann)
        (demote ? demote_ann : revoke_ann)(&me);
    else
        (demote ? demote_bob : revoke_bob)(&me);
    leave(&me);
    say("done");
    return 0;
}
