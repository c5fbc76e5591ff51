/*
 * Who may bring whom: invite invite ann|bob
 *
 * Ann makes the group and invites Bob as one who may invite, until a day that she chooses. Bob looks at the invitation,
 * joins with it, and invites Carl, who is a plain member: he may not invite. An invitation that was touched, that is for
 * somebody else, or that asks for more than its maker has, is refused each with its code.
 */
#include "common.h"

/* In intervals of 100 ns. */
#define SECOND 10000000u

static FILETIME filetime(ULONGLONG value) {
    FILETIME time;
    time.dwLowDateTime = (DWORD)value;
    time.dwHighDateTime = (DWORD)(value >> 32);
    return time;
}

static ULONGLONG value_of(FILETIME time) { return (ULONGLONG)time.dwHighDateTime << 32 | time.dwLowDateTime; }

/* How long this member is a member. */
static FILETIME end_of(HGROUP group, PCWSTR who) {
    PVOID *items = get_member(group, who);
    FILETIME end = ((const PEER_MEMBER *)items[0])->pCredentialInfo->ftValidityEnd;
    PeerFreeData(items);
    return end;
}

static void ann(void) {
    struct peer me = create_alone();
    struct queue members = listen_for_members(me.group);
    PEER_ROLE_ID roles[2] = {PEER_GROUP_ROLE_INVITING_MEMBER, PEER_GROUP_ROLE_MEMBER};
    FILETIME end = end_of(me.group, me.name), late = filetime(value_of(end) + 1), past = filetime(1);
    PWSTR bob, carl, invitation, other;
    end = filetime(value_of(end) - SECOND);
    bob = hear_text();
    /* What cannot be granted. */
    CODE(PeerGroupCreateInvitation(me.group, bob, &past, 0, NULL, &invitation), PEER_E_INVALID_TIME_PERIOD);
    CODE(PeerGroupCreateInvitation(me.group, bob, &late, 0, NULL, &invitation), PEER_E_INVALID_TIME_PERIOD);
    roles[1].Data1++;
    CODE(PeerGroupCreateInvitation(me.group, bob, NULL, 2, roles, &invitation), PEER_E_INVALID_ROLE_PROPERTY);
    roles[1].Data1--;
    CODE(PeerGroupCreateInvitation(me.group, me.name, NULL, 0, NULL, &invitation), E_INVALIDARG);
    CHECK(invitation == NULL);
    OK(PeerIdentityGetXML(me.name, &other));
    CODE(PeerGroupCreateInvitation(me.group, other, NULL, 0, NULL, &invitation), PEER_E_CIRCULAR_CHAIN_DETECTED);
    PeerFreeData(other);
    OK(PeerGroupCreateInvitation(me.group, bob, &end, 2, roles, &invitation));
    tell_text(me.name);
    tell_text(invitation);
    PeerFreeData(invitation);
    free(bob);
    /* Both are here, each by the invitation of another. */
    bob = hear_text();
    carl = hear_text();
    wait_for_member(members, carl, PEER_MEMBER_CONNECTED);
    CHECK(count_members(me.group, NULL) == 3 && count_members(me.group, bob) == 1);
    {
        PVOID *items = get_member(me.group, carl);
        const PEER_CREDENTIAL_INFO *credential = ((const PEER_MEMBER *)items[0])->pCredentialInfo;
        CHECK(same(credential->pwzIssuerPeerName, bob) && credential->cRoles == 1);
        CHECK(memcmp(credential->pRoles, &PEER_GROUP_ROLE_MEMBER, sizeof(GUID)) == 0);
        CHECK(value_of(credential->ftValidityEnd) <= value_of(end));
        PeerFreeData(items);
    }
    meet();
    free(bob);
    free(carl);
    stop_listening(members);
    leave(&me);
}

/* What is in the invitation. */
static void check_invitation(PCWSTR invitation, PCWSTR subject, PCWSTR issuer) {
    PEER_INVITATION_INFO *info;
    PWSTR friendly_name = wide("Bob");
    unsigned inviting = 0;
    OK(PeerGroupParseInvitation(invitation, &info));
    CHECK(info->dwSize == sizeof *info && info->dwFlags == 0);
    CHECK(same(info->pwzSubjectPeerName, subject) && same(info->pwzIssuerPeerName, issuer));
    CHECK(same(info->pwzSubjectFriendlyName, friendly_name));
    CHECK(info->authScheme == PEER_GROUP_GMC_AUTHENTICATION && info->pSubjectPublicKey != NULL);
    CHECK(info->cRoles == 2 && value_of(info->ftValidityStart) < value_of(info->ftValidityEnd));
    for (ULONG i = 0; i < info->cRoles; i++)
        inviting += memcmp(&info->pRoles[i], &PEER_GROUP_ROLE_INVITING_MEMBER, sizeof(GUID)) == 0;
    CHECK(inviting == 1);
    PeerFreeData(info);
    free(friendly_name);
}

/* Every kind of invitation that does not let anybody in. */
static void refused(PWSTR invitation, PCWSTR me, PCWSTR carl) {
    PEER_INVITATION_INFO *info;
    size_t length = 0;
    HGROUP group;
    while (invitation[length] != 0) length++;
    /* One unit in the middle, where the certificates are, and one unit too few. */
    invitation[length / 2] ^= 1;
    CODE(PeerGroupJoin(me, invitation, NULL, &group), PEER_E_INVITATION_NOT_TRUSTED);
    CODE(PeerGroupParseInvitation(invitation, &info), PEER_E_INVITATION_NOT_TRUSTED);
    invitation[length / 2] ^= 1;
    invitation[length - 1] ^= 1;
    CODE(PeerGroupParseInvitation(invitation, &info), PEER_E_INVITATION_NOT_TRUSTED);
    invitation[length - 1] ^= 1;
    CHECK(info == NULL);
    CODE(PeerGroupJoin(carl, invitation, NULL, &group), PEER_E_INVITATION_NOT_TRUSTED);
    CODE(PeerGroupPasswordJoin(me, invitation, me, NULL, &group), PEER_E_INVITATION_NOT_TRUSTED);
    CHECK(group == NULL);
}

static void bob(void) {
    struct peer me = {0}, carl = {0};
    PWSTR xml, issuer, invitation, carls, more;
    PEER_ROLE_ID admin = PEER_GROUP_ROLE_ADMIN;
    HGROUP again;
    start();
    make_identity(&me, "Bob");
    make_identity(&carl, "Carl");
    OK(PeerIdentityGetXML(me.name, &xml));
    tell_text(xml);
    PeerFreeData(xml);
    issuer = hear_text();
    invitation = hear_text();
    check_invitation(invitation, me.name, issuer);
    refused(invitation, me.name, carl.name);
    OK(PeerGroupJoin(me.name, invitation, NULL, &me.group));
    CODE(PeerGroupJoin(me.name, invitation, NULL, &again), PEER_E_GROUP_IN_USE);
    go_online(me.group, PEER_GROUP_STATUS_LISTENING | PEER_GROUP_STATUS_HAS_CONNECTIONS);
    OK(PeerIdentityGetXML(carl.name, &xml));
    CODE(PeerGroupCreateInvitation(me.group, xml, NULL, 1, &admin, &more), PEER_E_NOT_AUTHORIZED);
    OK(PeerGroupCreateInvitation(me.group, xml, NULL, 0, NULL, &carls));
    PeerFreeData(xml);
    OK(PeerGroupJoin(carl.name, carls, NULL, &carl.group));
    go_online(carl.group, PEER_GROUP_STATUS_LISTENING | PEER_GROUP_STATUS_HAS_CONNECTIONS);
    OK(PeerIdentityGetXML(me.name, &xml));
    CODE(PeerGroupCreateInvitation(carl.group, xml, NULL, 0, NULL, &more), PEER_E_NOT_AUTHORIZED);
    CHECK(more == NULL);
    PeerFreeData(xml);
    tell_text(me.name);
    tell_text(carl.name);
    meet();
    free(issuer);
    free(invitation);
    PeerFreeData(carls);
    OK(PeerGroupClose(carl.group));
    PeerFreeData(carl.name);
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
