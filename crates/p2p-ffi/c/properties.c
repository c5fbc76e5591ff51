/*
 * What a group says of itself: properties properties ann|bob
 *
 * Ann makes a group with properties and changes them; Bob sees the first and the second state, by event and by call, and
 * may change nothing. What is wrong is refused and changes nothing; what was changed is there after closing.
 */
#include "common.h"

#define DAY 86400u

static PWSTR read_back(HGROUP group, PEER_GROUP_PROPERTIES **properties) {
    OK(PeerGroupGetProperties(group, properties));
    CHECK((*properties)->dwSize == sizeof **properties);
    CHECK((*properties)->pwzGroupPassword == NULL && (*properties)->pwzCloud != NULL);
    CHECK((*properties)->dwAuthenticationSchemes == PEER_GROUP_GMC_AUTHENTICATION);
    return (*properties)->pwzComment;
}

/* All that the two have in common, with this comment. */
static void expect(HGROUP group, PCWSTR creator, const char *comment, DWORD flags) {
    PEER_GROUP_PROPERTIES *properties;
    PWSTR expected = wide(comment), name = wide("Chess"), classifier = wide("club");
    CHECK(same(read_back(group, &properties), expected));
    CHECK(same(properties->pwzFriendlyName, name) && same(properties->pwzClassifier, classifier));
    CHECK(same(properties->pwzCreatorPeerName, creator));
    CHECK(properties->dwFlags == flags && properties->ulMemberDataLifetime == DAY);
    CHECK(properties->ulPresenceLifetime == 600);
    PeerFreeData(properties);
    free(expected);
    free(name);
    free(classifier);
}

static void fill(PEER_GROUP_PROPERTIES *properties) {
    memset(properties, 0, sizeof *properties);
    properties->dwSize = sizeof *properties;
    properties->dwFlags = PEER_MEMBER_DATA_OPTIONAL;
    properties->pwzClassifier = wide("club");
    properties->pwzFriendlyName = wide("Chess");
    properties->pwzComment = wide("Sundays");
    properties->ulMemberDataLifetime = DAY;
    properties->ulPresenceLifetime = 600;
}

static void empty(PEER_GROUP_PROPERTIES *properties) {
    free(properties->pwzClassifier);
    free(properties->pwzFriendlyName);
    free(properties->pwzComment);
}

/* A text of so many units. The caller frees it. */
static PWSTR of_length(size_t units) {
    PWSTR text = (PWSTR)allocate((units + 1) * sizeof(WCHAR));
    for (size_t i = 0; i < units; i++) text[i] = 'x';
    return text;
}

/* No group comes of these. */
static void refused_at_first(void) {
    PEER_GROUP_PROPERTIES good, bad;
    PWSTR long_text = of_length(256);
    HGROUP group;
    fill(&good);
    bad = good, bad.dwSize--;
    CODE(PeerGroupCreate(&bad, &group), E_INVALIDARG);
    bad = good, bad.dwFlags = 8;
    CODE(PeerGroupCreate(&bad, &group), PEER_E_INVALID_GROUP_PROPERTIES);
    bad = good, bad.pwzCloud = good.pwzComment;
    CODE(PeerGroupCreate(&bad, &group), PEER_E_NO_CLOUD);
    bad = good, bad.pwzClassifier = long_text;
    CODE(PeerGroupCreate(&bad, &group), PEER_E_CLASSIFIER_TOO_LONG);
    bad = good, bad.pwzGroupPeerName = good.pwzComment;
    CODE(PeerGroupCreate(&bad, &group), PEER_E_INVALID_GROUP_PROPERTIES);
    bad = good, bad.pwzCreatorPeerName = good.pwzComment;
    CODE(PeerGroupCreate(&bad, &group), PEER_E_INVALID_PEER_NAME);
    bad = good, bad.pwzFriendlyName = long_text;
    CODE(PeerGroupCreate(&bad, &group), PEER_E_INVALID_FRIENDLY_NAME);
    bad = good, bad.pwzComment = long_text;
    CODE(PeerGroupCreate(&bad, &group), PEER_E_INVALID_GROUP_PROPERTIES);
    bad = good, bad.ulMemberDataLifetime = 28799;
    CODE(PeerGroupCreate(&bad, &group), PEER_E_INVALID_GROUP_PROPERTIES);
    bad = good, bad.ulPresenceLifetime = 299;
    CODE(PeerGroupCreate(&bad, &group), PEER_E_INVALID_GROUP_PROPERTIES);
    bad = good, bad.dwAuthenticationSchemes = 4;
    CODE(PeerGroupCreate(&bad, &group), PEER_E_INVALID_GROUP_PROPERTIES);
    bad = good, bad.pwzGroupPassword = good.pwzComment;
    CODE(PeerGroupCreate(&bad, &group), PEER_E_INVALID_GROUP_PROPERTIES);
    CHECK(group == NULL);
    empty(&good);
    free(long_text);
}

/* What cannot change, and what cannot be: after each, all is as it was. */
static void refused_later(const struct peer *me) {
    PEER_GROUP_PROPERTIES *known, bad;
    PWSTR other = wide("other"), long_text = of_length(256);
    read_back(me->group, &known);
    bad = *known, bad.dwSize = 0;
    CODE(PeerGroupSetProperties(me->group, &bad), E_INVALIDARG);
    bad = *known, bad.pwzClassifier = other;
    CODE(PeerGroupSetProperties(me->group, &bad), PEER_E_INVALID_GROUP_PROPERTIES);
    bad = *known, bad.pwzGroupPeerName = me->name;
    CODE(PeerGroupSetProperties(me->group, &bad), PEER_E_INVALID_GROUP_PROPERTIES);
    bad = *known, bad.pwzCreatorPeerName = known->pwzGroupPeerName;
    CODE(PeerGroupSetProperties(me->group, &bad), PEER_E_INVALID_GROUP_PROPERTIES);
    bad = *known, bad.pwzComment = long_text;
    CODE(PeerGroupSetProperties(me->group, &bad), PEER_E_INVALID_GROUP_PROPERTIES);
    bad = *known, bad.ulPresenceLifetime = 1;
    CODE(PeerGroupSetProperties(me->group, &bad), PEER_E_INVALID_GROUP_PROPERTIES);
    PeerFreeData(known);
    expect(me->group, me->name, "Sundays", PEER_MEMBER_DATA_OPTIONAL);
    free(other);
    free(long_text);
}

static void ann(void) {
    const PEER_GROUP_EVENT_TYPE types[] = {PEER_GROUP_EVENT_PROPERTY_CHANGED};
    struct peer me = {0};
    struct queue changed;
    PEER_GROUP_PROPERTIES properties, *known;
    PEER_GROUP_EVENT_DATA *event;
    PWSTR comment = wide("Sundays and Mondays"), name;
    start();
    make_identity(&me, "Ann");
    refused_at_first();
    fill(&properties);
    OK(PeerGroupCreate(&properties, &me.group));
    empty(&properties);
    expect(me.group, me.name, "Sundays", PEER_MEMBER_DATA_OPTIONAL);
    go_online(me.group, PEER_GROUP_STATUS_LISTENING);
    invite(me.group);
    tell_text(me.name);
    hear("seen");
    changed = listen_for(me.group, 1, types);
    refused_later(&me);
    no_event(changed);
    read_back(me.group, &known);
    known->pwzComment = comment;
    known->dwFlags = PEER_DISABLE_PRESENCE;
    OK(PeerGroupSetProperties(me.group, known));
    name = copy(known->pwzGroupPeerName);
    PeerFreeData(known);
    OK(PeerGroupGetEventData(changed.registration, &event));
    CHECK(event->eventType == PEER_GROUP_EVENT_PROPERTY_CHANGED);
    PeerFreeData(event);
    expect(me.group, me.name, "Sundays and Mondays", PEER_DISABLE_PRESENCE);
    hear("seen");
    stop_listening(changed);
    /* On disk, too. */
    OK(PeerGroupClose(me.group));
    OK(PeerGroupOpen(me.name, name, NULL, &me.group));
    expect(me.group, me.name, "Sundays and Mondays", PEER_DISABLE_PRESENCE);
    meet();
    free(comment);
    free(name);
    leave(&me);
}

static void bob(void) {
    const PEER_GROUP_EVENT_TYPE types[] = {PEER_GROUP_EVENT_PROPERTY_CHANGED};
    struct peer me;
    struct queue changed;
    PEER_GROUP_PROPERTIES *properties;
    PEER_GROUP_EVENT_DATA *event;
    PWSTR creator;
    start();
    me = join_as("Bob");
    creator = hear_text();
    changed = listen_for(me.group, 1, types);
    /* Meeting a member and hearing of the properties are two things. */
    while (PeerGroupGetProperties(me.group, &properties) == PEER_E_GROUP_NOT_READY) PeerFreeData(next_event(changed));
    expect(me.group, creator, "Sundays", PEER_MEMBER_DATA_OPTIONAL);
    CODE(PeerGroupSetProperties(me.group, properties), PEER_E_NOT_AUTHORIZED);
    PeerFreeData(properties);
    /* Here it may have been queued before the call above. */
    while (PeerGroupGetEventData(changed.registration, &event) == S_OK) PeerFreeData(event);
    tell("seen");
    event = next_event(changed);
    CHECK(event->eventType == PEER_GROUP_EVENT_PROPERTY_CHANGED);
    PeerFreeData(event);
    expect(me.group, creator, "Sundays and Mondays", PEER_DISABLE_PRESENCE);
    tell("seen");
    meet();
    free(creator);
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
