/* Looks codes up in p2p.dll as a program for Windows does. */
#include <windows.h>
#include <stdio.h>
#include <string.h>

static int shows(HMODULE library, DWORD code, const char *wanted) {
    char text[512];
    DWORD flags = FORMAT_MESSAGE_FROM_HMODULE | FORMAT_MESSAGE_IGNORE_INSERTS;
    DWORD length = FormatMessageA(flags, library, code, 0, text, sizeof text, NULL);
    printf("0x%08lX: %s", code, length == 0 ? "nothing\n" : text);
    return length != 0 && strstr(text, wanted) != NULL;
}

int main(void) {
    HMODULE library = LoadLibraryA("p2p.dll");
    if (library == NULL) return 1;
    /* PEER_E_CONNECTION_NOT_FOUND, PEER_E_INVALID_GROUP, PEER_S_NO_EVENT_DATA, CRYPT_E_REVOKED */
    if (!shows(library, 0x80630103, "connection") || !shows(library, 0x80632093, "group")) return 2;
    if (!shows(library, 0x00630002, "empty") || !shows(library, 0x80092010, "revoked")) return 3;
    return shows(library, 0x80631234, "") ? 4 : 0;
}
