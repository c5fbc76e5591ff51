/* An honest peer in C, as a program written for p2p.h would be: the same orders and answers as the actor in Rust.
 * Orders come as lines of words separated by tabs; what happens is told by a thread of its own. */
#include <p2p.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 65536

static const GUID TEXT = {0x7e110000, 0x0000, 0x4000, {0x80, 0, 0, 0, 0, 0, 0, 1}};
static HGROUP group;
static HPEEREVENT queue;
static HANDLE ready;
static PWSTR identity;

/* The codes of this play; any other is shown as its number. */
static const char *name_of(HRESULT hr)
{
    switch (hr) {
    case S_OK: return "S_OK";
    case PEER_E_CONNECTION_NOT_FOUND: return "PEER_E_CONNECTION_NOT_FOUND";
    case PEER_E_CONNECTION_FAILED: return "PEER_E_CONNECTION_FAILED";
    case PEER_E_CONNECTION_REFUSED: return "PEER_E_CONNECTION_REFUSED";
    case PEER_E_CONNECTION_NOT_AUTHENTICATED: return "PEER_E_CONNECTION_NOT_AUTHENTICATED";
    case PEER_E_INVALID_GROUP: return "PEER_E_INVALID_GROUP";
    case PEER_E_NOT_INITIALIZED: return "PEER_E_NOT_INITIALIZED";
    default: return "HRESULT";
    }
}

static void code_line(HRESULT hr)
{
    printf("ok\tcode=%s (0x%08" PRIX32 ")\n", name_of(hr), (uint32_t)hr);
}

static int failed(const char *call, HRESULT hr)
{
    if (SUCCEEDED(hr))
        return 0;
    printf("err\t%s: %s (0x%08" PRIX32 ")\n", call, name_of(hr), (uint32_t)hr);
    return 1;
}

/* ASCII to UTF-16; the caller frees. */
static WCHAR *wide(const char *text)
{
    size_t i, n = strlen(text);
    WCHAR *out = malloc((n + 1) * sizeof *out);
    if (out == NULL)
        abort();
    for (i = 0; i <= n; i++)
        out[i] = (WCHAR)(unsigned char)text[i];
    return out;
}

static void print_text(PCWSTR text)
{
    for (; text != NULL && *text != 0; text++)
        putchar(*text >= 0x20 && *text < 0x7f ? (int)*text : '?');
}

static void print_hex(PCWSTR text)
{
    for (; *text != 0; text++)
        printf("%02x", (unsigned)(*text & 0xff));
}

static void tell(const PEER_GROUP_EVENT_DATA *event)
{
    static const char *const CHANGE[] = {"", "CONNECTED", "DISCONNECTED", "FAILED"};
    flockfile(stdout);
    if (event->eventType == PEER_GROUP_EVENT_DIRECT_CONNECTION) {
        const PEER_EVENT_CONNECTION_CHANGE_DATA *data = &event->connectionChangeData;
        printf("event\tdirect\t%s\tid=%016" PRIx64 "\tcode=%s (0x%08" PRIX32 ")\n", CHANGE[data->status],
               data->ullConnectionId, name_of(data->hrConnectionFailedReason), (uint32_t)data->hrConnectionFailedReason);
    } else if (event->eventType == PEER_GROUP_EVENT_INCOMING_DATA) {
        const PEER_EVENT_INCOMING_DATA *data = &event->incomingData;
        printf("event\tdata\tid=%016" PRIx64 "\ttext=%.*s\n", data->ullConnectionId, (int)data->data.cbData,
               (const char *)data->data.pbData);
    } else if (event->eventType == PEER_GROUP_EVENT_STATUS_CHANGED) {
        printf("event\tstatus\t%d\n", (int)event->dwStatus);
    } else if (event->eventType == PEER_GROUP_EVENT_CONNECTION_FAILED) {
        printf("event\tconnection-failed\tcode=0x%08" PRIX32 "\n", (uint32_t)event->hrConnectionFailedReason);
    }
    fflush(stdout);
    funlockfile(stdout);
}

static void *listen_to_events(void *unused)
{
    PEER_GROUP_EVENT_DATA *event;
    (void)unused;
    while (P2PWaitEvent(ready, INFINITE) == S_OK) {
        HRESULT hr;
        while ((hr = PeerGroupGetEventData(queue, &event)) == S_OK) {
            tell(event);
            PeerFreeData(event);
        }
        if (hr != PEER_S_NO_EVENT_DATA)
            break; /* unregistered: the play is over */
    }
    return NULL;
}

static void do_identity(const char *name)
{
    WCHAR *friendly = wide(name);
    PWSTR xml = NULL;
    HRESULT hr = PeerIdentityCreate(NULL, friendly, 0, &identity);
    free(friendly);
    if (failed("PeerIdentityCreate", hr) || failed("PeerIdentityGetXML", PeerIdentityGetXML(identity, &xml)))
        return;
    printf("ok\tname=");
    print_text(identity);
    printf("\txml=");
    print_hex(xml);
    printf("\n");
    PeerFreeData(xml);
}

static void do_join(const char *line, pthread_t *thread)
{
    PEER_GROUP_EVENT_REGISTRATION wanted[4];
    PEER_INVITATION_INFO *info = NULL;
    WCHAR *invitation = wide(line);
    HRESULT hr = PeerGroupParseInvitation(invitation, &info);
    if (!failed("PeerGroupParseInvitation", hr)) {
        hr = PeerGroupJoin(identity, invitation, NULL, &group);
        if (!failed("PeerGroupJoin", hr)) {
            memset(wanted, 0, sizeof wanted);
            wanted[0].eventType = PEER_GROUP_EVENT_STATUS_CHANGED;
            wanted[1].eventType = PEER_GROUP_EVENT_DIRECT_CONNECTION;
            wanted[2].eventType = PEER_GROUP_EVENT_INCOMING_DATA;
            wanted[3].eventType = PEER_GROUP_EVENT_CONNECTION_FAILED;
            ready = P2PCreateEvent(FALSE, FALSE);
            hr = PeerGroupRegisterEvent(group, ready, 4, wanted, &queue);
            if (!failed("PeerGroupRegisterEvent", hr)) {
                pthread_create(thread, NULL, listen_to_events, NULL);
                printf("ok\tgroup=");
                print_text(info->pwzGroupPeerName);
                printf("\tname=");
                print_text(info->pwzGroupFriendlyName);
                printf("\tissuer=");
                print_text(info->pwzIssuerFriendlyName);
                printf("\n");
            }
        }
        PeerFreeData(info);
    }
    free(invitation);
}

/* The first address of a member, if it is present. */
static int address_of(PCWSTR name, PEER_ADDRESS *address)
{
    HPEERENUM members;
    PVOID *items = NULL;
    ULONG count = 1;
    int found = 0;
    if (PeerGroupEnumMembers(group, 0, name, &members) != S_OK)
        return 0;
    if (PeerGetNextItem(members, &count, &items) == S_OK && count == 1) {
        const PEER_MEMBER *member = items[0];
        if (member->cAddresses > 0) {
            *address = member->pAddresses[0];
            found = 1;
        }
    }
    PeerFreeData(items);
    PeerEndEnumeration(members);
    return found;
}

static void do_open(const char *text)
{
    WCHAR *name = wide(text);
    PEER_ADDRESS address;
    ULONGLONG id = 0;
    if (!address_of(name, &address)) {
        printf("err\tnobody knows where that peer is\n");
    } else if (!failed("PeerGroupOpenDirectConnection", PeerGroupOpenDirectConnection(group, name, &address, &id))) {
        printf("ok\tid=%016" PRIx64 "\n", id);
    }
    free(name);
}

static void do_connections(void)
{
    HPEERENUM connections;
    ULONG count = 0;
    if (failed("PeerGroupEnumConnections", PeerGroupEnumConnections(group, PEER_CONNECTION_DIRECT, &connections)))
        return;
    if (!failed("PeerGetItemCount", PeerGetItemCount(connections, &count)))
        printf("ok\tcount=%u\n", (unsigned)count);
    PeerEndEnumeration(connections);
}

static void obey(char *words[], int count, pthread_t *thread)
{
    if (strcmp(words[0], "identity") == 0 && count == 2)
        do_identity(words[1]);
    else if (strcmp(words[0], "join") == 0 && count == 2)
        do_join(words[1], thread);
    else if (strcmp(words[0], "connect") == 0)
        code_line(PeerGroupConnect(group));
    else if (strcmp(words[0], "open") == 0 && count == 2)
        do_open(words[1]);
    else if (strcmp(words[0], "send") == 0 && count == 3)
        code_line(PeerGroupSendData(group, strtoull(words[1], NULL, 16), &TEXT, (ULONG)strlen(words[2]), words[2]));
    else if (strcmp(words[0], "close") == 0 && count == 2)
        code_line(PeerGroupCloseDirectConnection(group, strtoull(words[1], NULL, 16)));
    else if (strcmp(words[0], "connections") == 0)
        do_connections();
    else
        printf("err\tno such order: %s\n", words[0]);
}

int main(void)
{
    static char line[LINE_MAX_BYTES];
    PEER_VERSION_DATA version;
    pthread_t thread;
    HRESULT hr = PeerGroupStartup(PEER_GROUP_VERSION, &version);
    memset(&thread, 0, sizeof thread);
    if (failed("PeerGroupStartup", hr))
        return 1;
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *words[3];
        int count = 0;
        char *word;
        line[strcspn(line, "\n")] = '\0';
        for (word = strtok(line, "\t"); word != NULL && count < 3; word = strtok(NULL, "\t"))
            words[count++] = word;
        if (count == 1 && strcmp(words[0], "quit") == 0)
            break;
        if (count > 0)
            obey(words, count, &thread);
        fflush(stdout);
    }
    /* The thread ends when its queue is gone; the event object outlives both. */
    if (queue != NULL) {
        PeerGroupClose(group);
        PeerGroupUnregisterEvent(queue);
        P2PSetEvent(ready);
        pthread_join(thread, NULL);
        P2PCloseEvent(ready);
    }
    PeerFreeData(identity);
    hr = PeerGroupShutdown();
    printf("ok\n");
    return SUCCEEDED(hr) ? 0 : 1;
}
