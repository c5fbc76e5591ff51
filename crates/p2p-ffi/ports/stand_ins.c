/*
 * What p2p_win.h stands in for, compared with what Windows does: the same source is a program for both, and each check
 * holds on both. It needs no group.
 *
 * mingw-w64:   x86_64-w64-mingw32-gcc -municode stand_ins.c -o stand_ins.exe
 * elsewhere:   cc stand_ins.c $(pkg-config --cflags --libs peergroup peergroup-windows) -o stand_ins
 */
#ifndef UNICODE
#define UNICODE
#endif
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0601
#endif
#define __USE_MINGW_ANSI_STDIO 0 /* the formats of Windows itself */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define CHECK(what)                                              \
    do {                                                         \
        if (!(what)) {                                           \
            printf("line %d: not so: %s\n", __LINE__, #what);    \
            exit(1);                                             \
        }                                                        \
    } while (0)

static void events(void) {
    HANDLE automatic = CreateEvent(NULL, FALSE, TRUE, NULL), manual = CreateEvent(NULL, TRUE, FALSE, NULL);
    HANDLE both[2];
    CHECK(automatic != NULL && manual != NULL);
    CHECK(WaitForSingleObject(automatic, 0) == WAIT_OBJECT_0);
    CHECK(WaitForSingleObject(automatic, 0) == WAIT_TIMEOUT);
    CHECK(SetEvent(manual) && WaitForSingleObject(manual, 0) == WAIT_OBJECT_0);
    CHECK(WaitForSingleObject(manual, INFINITE) == WAIT_OBJECT_0 && ResetEvent(manual));
    CHECK(WaitForSingleObject(manual, 1) == WAIT_TIMEOUT);

    both[0] = manual;
    both[1] = automatic;
    CHECK(WaitForMultipleObjects(2, both, FALSE, 1) == WAIT_TIMEOUT);
    CHECK(SetEvent(automatic));
    CHECK(WaitForMultipleObjects(2, both, TRUE, 20) == WAIT_TIMEOUT);
    CHECK(WaitForMultipleObjects(2, both, FALSE, INFINITE) == WAIT_OBJECT_0 + 1);
    CHECK(WaitForMultipleObjects(2, both, FALSE, 0) == WAIT_TIMEOUT);
    CHECK(SetEvent(automatic) && SetEvent(manual));
    CHECK(WaitForMultipleObjects(2, both, TRUE, INFINITE) == WAIT_OBJECT_0);
    CHECK(WaitForSingleObject(automatic, 0) == WAIT_TIMEOUT && WaitForSingleObject(manual, 0) == WAIT_OBJECT_0);
    CHECK(WaitForMultipleObjects(0, both, FALSE, 0) == WAIT_FAILED && GetLastError() == ERROR_INVALID_PARAMETER);
    CHECK(CloseHandle(automatic) && CloseHandle(manual));
    CHECK(!SetEvent(automatic) && GetLastError() == ERROR_INVALID_HANDLE);
    CHECK(WaitForSingleObject(manual, 0) == WAIT_FAILED);
    CHECK(!CloseHandle(manual));
}

static LONG volatile total;
static CRITICAL_SECTION lock;
static int guarded;

static DWORD WINAPI count_up(LPVOID parameter) {
    int i;
    for (i = 0; i < 1000; i++) {
        InterlockedIncrement(&total);
        EnterCriticalSection(&lock);
        EnterCriticalSection(&lock); /* its holder may */
        guarded++;
        LeaveCriticalSection(&lock);
        LeaveCriticalSection(&lock);
    }
    *(int *)parameter = 1;
    return 0;
}

static void threads(void) {
    HANDLE running[4];
    int done[4] = {0, 0, 0, 0}, i;
    InitializeCriticalSection(&lock);
    for (i = 0; i < 4; i++) CHECK((running[i] = CreateThread(NULL, 0, count_up, &done[i], 0, NULL)) != NULL);
    CHECK(WaitForMultipleObjects(4, running, TRUE, 60000) == WAIT_OBJECT_0);
    CHECK(WaitForSingleObject(running[0], 0) == WAIT_OBJECT_0); /* stays signalled */
    for (i = 0; i < 4; i++) CHECK(done[i] == 1 && CloseHandle(running[i]));
    CHECK(total == 4000 && guarded == 4000);
    DeleteCriticalSection(&lock);
    CHECK(InterlockedDecrement(&total) == 3999 && InterlockedExchange(&total, 5) == 3999);
    CHECK(InterlockedCompareExchange(&total, 7, 6) == 5 && InterlockedCompareExchange(&total, 7, 5) == 5 && total == 7);
}

static HANDLE called;
static LONG volatile calls, timeouts;

static void CALLBACK on_signal(PVOID context, BOOLEAN timed_out) {
    if (timed_out) InterlockedIncrement(&timeouts);
    if (context == &calls) InterlockedIncrement(&calls);
    SetEvent(called);
}

static void registered_waits(void) {
    HANDLE event = CreateEvent(NULL, FALSE, FALSE, NULL), wait = NULL, ended = CreateEvent(NULL, FALSE, FALSE, NULL);
    called = CreateEvent(NULL, FALSE, FALSE, NULL);
    CHECK(RegisterWaitForSingleObject(&wait, event, on_signal, (PVOID)&calls, INFINITE, WT_EXECUTEDEFAULT));
    CHECK(SetEvent(event) && WaitForSingleObject(called, 60000) == WAIT_OBJECT_0);
    CHECK(SetEvent(event) && WaitForSingleObject(called, 60000) == WAIT_OBJECT_0);
    CHECK(UnregisterWaitEx(wait, INVALID_HANDLE_VALUE));
    CHECK(calls == 2 && timeouts == 0);
    CHECK(SetEvent(event) && WaitForSingleObject(called, 50) == WAIT_TIMEOUT); /* nobody is there any more */
    CHECK(ResetEvent(event));
    CHECK(RegisterWaitForSingleObject(&wait, event, on_signal, NULL, 1, WT_EXECUTEONLYONCE));
    CHECK(WaitForSingleObject(called, 60000) == WAIT_OBJECT_0 && WaitForSingleObject(called, 50) == WAIT_TIMEOUT);
    CHECK(UnregisterWaitEx(wait, INVALID_HANDLE_VALUE));
    CHECK(calls == 2 && timeouts == 1);
    /* Whoever asks to be told of the end is told, also when nothing runs any more. */
    CHECK(RegisterWaitForSingleObject(&wait, event, on_signal, NULL, INFINITE, WT_EXECUTEONLYONCE));
    CHECK(SetEvent(event) && WaitForSingleObject(called, 60000) == WAIT_OBJECT_0);
    Sleep(100);
    UnregisterWaitEx(wait, ended);
    CHECK(WaitForSingleObject(ended, 30000) == WAIT_OBJECT_0);
    CHECK(RegisterWaitForSingleObject(&wait, event, on_signal, NULL, INFINITE, WT_EXECUTEDEFAULT));
    UnregisterWaitEx(wait, ended);
    CHECK(WaitForSingleObject(ended, 30000) == WAIT_OBJECT_0);
    CHECK(CloseHandle(event) && CloseHandle(called) && CloseHandle(ended));
}

static void is_date(DWORD high, DWORD low, int year, int month, int day, int week_day, int hour, int minute, int second, int ms) {
    FILETIME time, back;
    SYSTEMTIME date;
    time.dwHighDateTime = high;
    time.dwLowDateTime = low;
    CHECK(FileTimeToSystemTime(&time, &date));
    CHECK(date.wYear == year && date.wMonth == month && date.wDay == day && date.wDayOfWeek == week_day);
    CHECK(date.wHour == hour && date.wMinute == minute && date.wSecond == second && date.wMilliseconds == ms);
    CHECK(SystemTimeToFileTime(&date, &back));
    time.dwLowDateTime -= (DWORD)((((ULONGLONG)high << 32) + low) % 10000);
    CHECK(CompareFileTime(&time, &back) == 0);
}

static void times(void) {
    FILETIME now, later;
    SYSTEMTIME date;
    ULONGLONG begun = GetTickCount64();
    is_date(0, 0, 1601, 1, 1, 1, 0, 0, 0, 0);
    is_date(0x019DB1DE, 0xD53E8000, 1970, 1, 1, 4, 0, 0, 0, 0);
    is_date(0x01BF8247, 0xEBCC8000, 2000, 2, 29, 2, 0, 0, 0, 0);
    is_date(0x01DB5BE0, 0x19BA18F0, 2024, 12, 31, 2, 23, 59, 59, 999);
    is_date(0x01DB5BE0, 0x19BA4000, 2025, 1, 1, 3, 0, 0, 0, 0);
    is_date(0x00FF856B, 0x8AED0000, 1828, 12, 1, 1, 0, 0, 0, 0);
    memset(&date, 0, sizeof date);
    date.wYear = 2023, date.wMonth = 2, date.wDay = 30;
    CHECK(!SystemTimeToFileTime(&date, &now));
    date.wYear = 2024, date.wDay = 29;
    CHECK(SystemTimeToFileTime(&date, &now));
    later.dwHighDateTime = 0x80000000u, later.dwLowDateTime = 0;
    CHECK(!FileTimeToSystemTime(&later, &date));
    GetSystemTimeAsFileTime(&now);
    Sleep(20);
    GetSystemTimeAsFileTime(&later);
    CHECK(CompareFileTime(&now, &later) < 0 && CompareFileTime(&later, &now) > 0);
    CHECK(GetTickCount64() - begun >= 15);
}

static void text(void) {
    WCHAR buffer[16], *copy, *end;
    CHECK(wcslen(L"") == 0 && wcslen(L"h\x00E9llo") == 5);
    CHECK(wcscmp(L"abc", L"abd") < 0 && wcscmp(L"b", L"abc") > 0 && wcsncmp(L"abx", L"aby", 2) == 0);
    CHECK(_wcsicmp(L"Peer", L"pEER") == 0 && _wcsicmp(L"a", L"b") < 0);
    CHECK(wcschr(L"a.b.c", L'.')[1] == 'b' && wcsrchr(L"a.b.c", L'.')[1] == 'c' && wcschr(L"a", L'z') == NULL);
    CHECK(wcscmp(wcsstr(L"0.classifier", L"class"), L"classifier") == 0 && wcsstr(L"a", L"b") == NULL);
    CHECK(wcscmp(wcscat(wcscpy(buffer, L"one"), L" two"), L"one two") == 0);
    copy = _wcsdup(buffer);
    CHECK(copy != NULL && wcscmp(copy, buffer) == 0);
    free(copy);
    CHECK(wcstol(L"-12x", &end, 10) == -12 && *end == 'x' && _wtoi(L"42") == 42);
    CHECK(lstrlenW(NULL) == 0 && lstrlenW(L"abc") == 3 && lstrcmpW(L"a", L"a") == 0);
    /* A letter of two bytes, one of three, one of four: 1, 1 and 2 units. */
    CHECK(MultiByteToWideChar(CP_UTF8, 0, "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", -1, NULL, 0) == 5);
    CHECK(MultiByteToWideChar(CP_UTF8, 0, "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", -1, buffer, 16) == 5);
    CHECK(buffer[0] == 0xE9 && buffer[1] == 0x20AC && buffer[2] == 0xD83D && buffer[3] == 0xDE00 && buffer[4] == 0);
    CHECK(WideCharToMultiByte(CP_UTF8, 0, buffer, -1, NULL, 0, NULL, NULL) == 10);
    CHECK(MultiByteToWideChar(CP_UTF8, 0, "abc", -1, buffer, 3) == 0 && GetLastError() == ERROR_INSUFFICIENT_BUFFER);
    CHECK(MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, "\xC0\x80", 2, buffer, 16) == 0);
    CHECK(GetLastError() == ERROR_NO_UNICODE_TRANSLATION);
}

static WCHAR out[64];

static int is(const WCHAR *wanted) {
    if (wcscmp(out, wanted) == 0) return 1;
    wprintf(L"'%ls' instead of '%ls'\n", out, wanted);
    return 0;
}

#define FORMATTED(wanted, ...) CHECK((_snwprintf(out, 64, __VA_ARGS__), is(wanted)))

static void formats(void) {
    FORMATTED(L"Ann and Bob", L"%s and %S", L"Ann", "Bob");
    FORMATTED(L"Ann and Bob", L"%ls and %hs", L"Ann", "Bob");
    FORMATTED(L"[  ab][ab  ][abc]", L"[%4s][%-4s][%.3s]", L"ab", L"ab", L"abcd");
    FORMATTED(L"[ ab][ab ]", L"[%*s][%*s]", 3, L"ab", -3, L"ab");
    FORMATTED(L"-5 5 0005 +5", L"%d %u %04d %+d", -5, 5u, 5, 5);
    FORMATTED(L"0x80630103", L"0x%08lX", (DWORD)0x80630103u);
    FORMATTED(L"4294967295 -1", L"%lu %ld", (DWORD)0xFFFFFFFFu, (LONG)-1);
    FORMATTED(L"18446744073709551615", L"%I64u", (ULONGLONG)-1);
    FORMATTED(L"18446744073709551615", L"%llu", (ULONGLONG)-1);
    FORMATTED(L"65535 -1", L"%hu %hd", (unsigned short)65535, (short)-1);
    FORMATTED(L"x=y 100%", L"%c=%c 100%%", L'x', L'y');
    FORMATTED(L"1.50 -0.25", L"%.2f %g", 1.5, -0.25);
    FORMATTED(L"(null)", L"%s", (const WCHAR *)NULL);
    printf("%S, %s, %lu, %ls\n", L"wide in narrow", "narrow", (DWORD)7, L"wide");
    wprintf(L"%s, %S, %c\n", L"wide", "narrow in wide", L'!');
}

int main(void) {
    events();
    threads();
    registered_waits();
    times();
    text();
    formats();
    printf("done\n");
    return 0;
}
