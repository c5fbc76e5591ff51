/*
 * Joining by password: password password ann|bob
 *
 * Ann makes a group that whoever knows a password may join. Bob mistypes it, is asked again, and is in. Then Ann changes
 * the group's comment, which only she may.
 */
#include "common.h"

static struct queue listen_for_one(HGROUP group, PEER_GROUP_EVENT_TYPE type) { return listen_for(group, 1, &type); }

/* The next event must be of this type, and carry nothing. */
static void next_of_type(struct queue queue, PEER_GROUP_EVENT_TYPE type) {
    PEER_GROUP_EVENT_DATA *event = next_event(queue);
    CHECK(event->eventType == type && event->dwStatus == 0);
    PeerFreeData(event);
}

static struct peer make_group(void) {
    struct peer me = {0};
    PEER_GROUP_PROPERTIES properties = {0};
    start();
    make_identity(&me, "Ann");
    properties.dwSize = sizeof properties;
    properties.dwAuthenticationSchemes = PEER_GROUP_GMC_AUTHENTICATION | PEER_GROUP_PASSWORD_AUTHENTICATION;
    properties.groupPasswordRole = PEER_GROUP_ROLE_MEMBER;
    properties.pwzGroupPassword = wide("short");
    CODE(PeerGroupCreate(&properties, &me.group), PEER_E_PASSWORD_DOES_NOT_MEET_POLICY);
    free(properties.pwzGroupPassword);
    properties.pwzGroupPassword = wide("open sesame");
    OK(PeerGroupCreate(&properties, &me.group));
    free(properties.pwzGroupPassword);
    go_online(me.group, PEER_GROUP_STATUS_LISTENING);
    return me;
}

static void ann(void) {
    struct peer me = make_group();
    struct queue changed = listen_for_one(me.group, PEER_GROUP_EVENT_PROPERTY_CHANGED);
    PEER_GROUP_EVENT_DATA *event;
    PEER_GROUP_PROPERTIES *properties;
    PWSTR invitation, comment = wide("Sundays, bring a board");
    OK(PeerGroupCreatePasswordInvitation(me.group, &invitation));
    tell_text(invitation);
    PeerFreeData(invitation);
    hear("in");
    OK(PeerGroupGetProperties(me.group, &properties));
    CHECK(properties->pwzGroupPassword == NULL);
    properties->pwzComment = comment;
    OK(PeerGroupSetProperties(me.group, properties));
    /* It is queued when the call returns. */
    OK(PeerGroupGetEventData(changed.registration, &event));
    CHECK(event->eventType == PEER_GROUP_EVENT_PROPERTY_CHANGED);
    PeerFreeData(event);
    PeerFreeData(properties);
    meet();
    free(comment);
    stop_listening(changed);
    leave(&me);
}

static void bob(void) {
    struct peer me = {0};
    struct queue rejected, online, changed;
    DWORD status;
    PEER_GROUP_PROPERTIES *properties;
    PEER_INVITATION_INFO *info;
    HGROUP again;
    PWSTR invitation, wrong = wide("open barley"), right = wide("open sesame");
    PWSTR comment = wide("Sundays, bring a board");
    start();
    make_identity(&me, "Bob");
    invitation = hear_text();
    OK(PeerGroupParseInvitation(invitation, &info));
    CHECK(info->authScheme == PEER_GROUP_PASSWORD_AUTHENTICATION && info->pwzSubjectPeerName == NULL);
    PeerFreeData(info);
    OK(PeerGroupPasswordJoin(me.name, invitation, wrong, NULL, &me.group));
    CODE(PeerGroupGetProperties(me.group, &properties), PEER_E_GROUP_NOT_READY);
    rejected = listen_for_one(me.group, PEER_GROUP_EVENT_AUTHENTICATION_FAILED);
    online = listen_for_one(me.group, PEER_GROUP_EVENT_STATUS_CHANGED);
    OK(PeerGroupConnect(me.group));
    next_of_type(rejected, PEER_GROUP_EVENT_AUTHENTICATION_FAILED);
    /* Asked again, the user types more carefully. */
    OK(PeerGroupPasswordJoin(me.name, invitation, right, NULL, &again));
    OK(PeerGroupResumePasswordAuthentication(me.group, rejected.registration));
    for (OK(PeerGroupGetStatus(me.group, &status)); (status & PEER_GROUP_STATUS_HAS_CONNECTIONS) == 0;) {
        PEER_GROUP_EVENT_DATA *event = next_event(online);
        CHECK(event->eventType == PEER_GROUP_EVENT_STATUS_CHANGED);
        status = (DWORD)event->dwStatus;
        PeerFreeData(event);
    }
    OK(PeerGroupClose(again));
    CODE(PeerGroupPasswordJoin(me.name, invitation, right, NULL, &again), PEER_S_ALREADY_A_MEMBER);
    OK(PeerGroupClose(again));
    /* Only who made the group changes its properties. */
    changed = listen_for_one(me.group, PEER_GROUP_EVENT_PROPERTY_CHANGED);
    for (;;) {
        HRESULT code = PeerGroupGetProperties(me.group, &properties);
        if (code == S_OK) break;
        CODE(code, PEER_E_GROUP_NOT_READY);
        next_of_type(changed, PEER_GROUP_EVENT_PROPERTY_CHANGED);
    }
    CODE(PeerGroupSetProperties(me.group, properties), PEER_E_NOT_AUTHORIZED);
    tell("in");
    while (!same(properties->pwzComment, comment)) {
        PeerFreeData(properties);
        next_of_type(changed, PEER_GROUP_EVENT_PROPERTY_CHANGED);
        OK(PeerGroupGetProperties(me.group, &properties));
    }
    PeerFreeData(properties);
    meet();
    free(invitation);
    free(wrong);
    free(right);
    free(comment);
    stop_listening(rejected);
    stop_listening(online);
    stop_listening(changed);
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
