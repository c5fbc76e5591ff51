/*
 * p2p_win.h - what console programs that were written for Windows' p2p.h take from windows.h: events and waiting, threads
 * and locks, times, types, wide text (p2p_win_text.h). On Windows it is empty: there windows.h has it all.
 *
 * Either include this instead of windows.h, or leave the source as it is and put the folder p2p-win, which has a
 * windows.h of this content, on the include path. Compile with -fshort-wchar, so that L"..." is UTF-16 as there, and link
 * with -lpeergroup -pthread. C99 and later, C++17 and later; GCC or Clang. Include it before the system's headers.
 *
 * Names and results are those of Windows. A HANDLE is an event object or a thread; there are no named objects, no
 * files, no processes and no windows. What is not here does not compile, which is better than what only seems to work.
 */
#ifndef P2P_WIN_H
#define P2P_WIN_H

#ifndef _WIN32

/* Makes the system's headers declare what is needed, where -std=c99 would hide it. */
#if !defined(_DEFAULT_SOURCE) && !defined(_GNU_SOURCE) && !defined(_POSIX_C_SOURCE)
#define _DEFAULT_SOURCE 1
#endif

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "p2p.h"

#ifdef __cplusplus
#define P2P_WIN_CAST(type, value) (reinterpret_cast<type>(value))
extern "C" {
#else
#define P2P_WIN_CAST(type, value) ((type)(value))
#endif
#define P2P_WIN_INLINE static inline P2P_UNUSED

/* ---- Types and words -------------------------------------------------------------------------------------------- */

#define VOID void
#define CONST const
#define CALLBACK
#define APIENTRY
#define __cdecl
#define __stdcall
#define __forceinline inline
#define _In_
#define _In_opt_
#define _Out_
#define _Out_opt_
#define _Inout_
#define UNREFERENCED_PARAMETER(name) ((void)(name))

typedef char CHAR;
typedef unsigned char UCHAR;
typedef int16_t SHORT;
typedef int INT;
typedef unsigned int UINT;
typedef int32_t LONG; /* 32 bits, whatever long has */
typedef int64_t LONGLONG;
typedef int64_t LONG64;
typedef uint64_t ULONG64;
typedef uint64_t DWORD64;
typedef uint64_t DWORDLONG;
typedef uint8_t BOOLEAN;
typedef size_t SIZE_T;
typedef intptr_t INT_PTR;
typedef intptr_t LONG_PTR;
typedef uintptr_t UINT_PTR;
typedef uintptr_t ULONG_PTR;
typedef uintptr_t DWORD_PTR;
typedef void *LPVOID;
typedef BYTE *LPBYTE;
typedef BOOL *PBOOL, *LPBOOL;
typedef WORD *PWORD, *LPWORD;
typedef DWORD *PDWORD, *LPDWORD;
typedef LONG *PLONG, *LPLONG;
typedef ULONG *PULONG;
typedef HANDLE *PHANDLE, *LPHANDLE;
typedef const char *LPCSTR, *PCSTR;
typedef char *PSTR;
typedef WCHAR *LPWSTR, *PWCHAR;
typedef const WCHAR *LPCWSTR;
typedef FILETIME *PFILETIME, *LPFILETIME;
typedef CRYPT_OBJID_BLOB CRYPT_DATA_BLOB;
typedef GUID UUID, IID, CLSID;
typedef GUID *LPGUID;

#if defined(UNICODE) || defined(_UNICODE)
typedef WCHAR TCHAR, *LPTSTR;
typedef const WCHAR *LPCTSTR;
#if __SIZEOF_WCHAR_T__ == 2
#define P2P_WIN_TEXT(text) L##text
#else
#define P2P_WIN_TEXT(text) u##text
#endif
#else
typedef char TCHAR, *LPTSTR;
typedef const char *LPCTSTR;
#define P2P_WIN_TEXT(text) text
#endif
#define TEXT(text) P2P_WIN_TEXT(text)
#define _T(text) P2P_WIN_TEXT(text)
#define _TEXT(text) P2P_WIN_TEXT(text)

typedef union LARGE_INTEGER {
    P2P_EXTENSION struct {
        DWORD LowPart;
        LONG HighPart;
    };
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

typedef union ULARGE_INTEGER {
    P2P_EXTENSION struct {
        DWORD LowPart;
        DWORD HighPart;
    };
    ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

#define MAKEWORD(low, high) ((WORD)((BYTE)(low) | (WORD)((WORD)(BYTE)(high) << 8)))
#define MAKELONG(low, high) ((LONG)((WORD)(low) | (DWORD)(WORD)(high) << 16))
#define LOBYTE(word) ((BYTE)((word) & 0xFF))
#define HIBYTE(word) ((BYTE)((word) >> 8 & 0xFF))
#define LOWORD(number) ((WORD)((number) & 0xFFFF))
#define HIWORD(number) ((WORD)((number) >> 16 & 0xFFFF))
#define ARRAYSIZE(array) (sizeof(array) / sizeof((array)[0]))
#define _countof(array) (sizeof(array) / sizeof((array)[0]))
#define ZeroMemory(to, size) memset((to), 0, (size))
#define SecureZeroMemory(to, size) p2p_win_wipe((to), (size))
#define FillMemory(to, size, byte) memset((to), (byte), (size))
#define CopyMemory(to, from, size) memcpy((to), (from), (size))
#define MoveMemory(to, from, size) memmove((to), (from), (size))

#ifdef __cplusplus
#define IsEqualGUID(a, b) (memcmp(&(a), &(b), sizeof(GUID)) == 0)
#else
#define IsEqualGUID(a, b) (memcmp((a), (b), sizeof(GUID)) == 0)
#endif
#include "p2p-win/guiddef.h" /* DEFINE_GUID */

#define MAX_PATH 260
#define NO_ERROR 0
#define ERROR_SUCCESS 0
#define ERROR_NOT_ENOUGH_MEMORY 8
#define ERROR_NOT_SUPPORTED 50
#define ERROR_INVALID_PARAMETER 87
#define ERROR_INSUFFICIENT_BUFFER 122
#define ERROR_IO_PENDING 997
#define ERROR_NO_UNICODE_TRANSLATION 1113

/* Clears memory also where the compiler sees no further use of it. */
P2P_WIN_INLINE void *p2p_win_wipe(void *to, size_t size) {
    volatile unsigned char *byte = P2P_WIN_CAST(volatile unsigned char *, to);
    while (size-- > 0) *byte++ = 0;
    return to;
}

/* ---- The last error: one per thread, for the functions of this file --------------------------------------------- */

/* One for all files of a program. */
extern __thread DWORD p2p_win_last_error;
__attribute__((weak)) __thread DWORD p2p_win_last_error;

P2P_WIN_INLINE DWORD GetLastError(void) { return p2p_win_last_error; }
P2P_WIN_INLINE void SetLastError(DWORD error) { p2p_win_last_error = error; }

P2P_WIN_INLINE BOOL p2p_win_done(HRESULT result) {
    if (FAILED(result)) SetLastError(ERROR_INVALID_HANDLE);
    return SUCCEEDED(result);
}

/* ---- Times: FILETIME counts 100 ns since 1601 -------------------------------------------------------------------- */

typedef struct SYSTEMTIME {
    WORD wYear;
    WORD wMonth;     /* 1 to 12 */
    WORD wDayOfWeek; /* 0 is Sunday */
    WORD wDay;
    WORD wHour;
    WORD wMinute;
    WORD wSecond;
    WORD wMilliseconds;
} SYSTEMTIME, *PSYSTEMTIME, *LPSYSTEMTIME;

#define P2P_WIN_SECOND 10000000ull
#define P2P_WIN_DAY (86400 * P2P_WIN_SECOND)
/* Days from 0000-03-01, where the calendar's reckoning begins, to 1601-01-01. */
#define P2P_WIN_DAYS_TO_1601 584694ull

P2P_WIN_INLINE ULONGLONG p2p_win_ticks(const FILETIME *time) {
    return (ULONGLONG)time->dwHighDateTime << 32 | time->dwLowDateTime;
}

P2P_WIN_INLINE FILETIME p2p_win_filetime(ULONGLONG ticks) {
    FILETIME time;
    time.dwLowDateTime = (DWORD)ticks;
    time.dwHighDateTime = (DWORD)(ticks >> 32);
    return time;
}

/* The time now. */
P2P_WIN_INLINE void GetSystemTimeAsFileTime(FILETIME *time) {
    struct timeval now;
    gettimeofday(&now, NULL);
    *time = p2p_win_filetime(((ULONGLONG)now.tv_sec + 11644473600ull) * P2P_WIN_SECOND + (ULONGLONG)now.tv_usec * 10);
}

/* -1, 0 or 1: the first is earlier, the same, later. */
P2P_WIN_INLINE LONG CompareFileTime(const FILETIME *a, const FILETIME *b) {
    ULONGLONG x = p2p_win_ticks(a), y = p2p_win_ticks(b);
    return (x > y) - (x < y);
}

/* Both take years from 1601 to 30827, in UTC. */
P2P_WIN_INLINE BOOL FileTimeToSystemTime(const FILETIME *time, SYSTEMTIME *out) {
    ULONGLONG ticks = p2p_win_ticks(time), days = ticks / P2P_WIN_DAY, rest = ticks % P2P_WIN_DAY;
    /* The year begins in March, so that the day that not all years have is its last. */
    ULONGLONG day = days + P2P_WIN_DAYS_TO_1601, era = day / 146097, year, month;
    day %= 146097;
    year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153;
    if (ticks >> 63) return SetLastError(ERROR_INVALID_PARAMETER), FALSE;
    out->wDay = (WORD)(day - (153 * month + 2) / 5 + 1);
    out->wMonth = (WORD)(month < 10 ? month + 3 : month - 9);
    out->wYear = (WORD)(year + 400 * era + (month >= 10));
    out->wDayOfWeek = (WORD)((days + 1) % 7);
    out->wHour = (WORD)(rest / (3600 * P2P_WIN_SECOND));
    out->wMinute = (WORD)(rest / (60 * P2P_WIN_SECOND) % 60);
    out->wSecond = (WORD)(rest / P2P_WIN_SECOND % 60);
    out->wMilliseconds = (WORD)(rest / 10000 % 1000);
    return TRUE;
}

P2P_WIN_INLINE BOOL SystemTimeToFileTime(const SYSTEMTIME *time, FILETIME *out) {
    static const BYTE lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    ULONGLONG y = time->wYear, m = time->wMonth, d = time->wDay, days;
    int leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    if (y < 1601 || y > 30827 || m < 1 || m > 12 || d < 1 || d > (ULONGLONG)lengths[m - 1] + (m == 2 && leap)
        || time->wHour > 23 || time->wMinute > 59 || time->wSecond > 59 || time->wMilliseconds > 999)
        return SetLastError(ERROR_INVALID_PARAMETER), FALSE;
    if (m < 3) y--;
    days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * (m < 3 ? m + 9 : m - 3) + 2) / 5 + d - 1 - P2P_WIN_DAYS_TO_1601;
    *out = p2p_win_filetime(days * P2P_WIN_DAY + time->wMilliseconds * 10000ull
                            + (time->wHour * 3600ull + time->wMinute * 60ull + time->wSecond) * P2P_WIN_SECOND);
    return TRUE;
}

P2P_WIN_INLINE void GetSystemTime(SYSTEMTIME *out) {
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    FileTimeToSystemTime(&now, out);
}

/* Milliseconds since some moment, never running back. */
P2P_WIN_INLINE ULONGLONG GetTickCount64(void) {
#ifdef CLOCK_MONOTONIC
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (ULONGLONG)now.tv_sec * 1000 + (ULONGLONG)now.tv_nsec / 1000000;
#else
#error "the system's headers hide its clock: include p2p_win.h before them"
#endif
}

P2P_WIN_INLINE DWORD GetTickCount(void) { return (DWORD)GetTickCount64(); }

P2P_WIN_INLINE void Sleep(DWORD milliseconds) {
    ULONGLONG end = GetTickCount64() + milliseconds;
    ULONGLONG left = milliseconds;
    do {
        /* A signal may end it early. */
        poll(NULL, 0, milliseconds == INFINITE || left > 60000 ? 60000 : (int)left);
        left = end - GetTickCount64();
    } while (milliseconds == INFINITE || (left != 0 && left <= milliseconds));
}

/* ---- Events and waiting ------------------------------------------------------------------------------------------ */

#define WAIT_OBJECT_0 0u
#define WAIT_TIMEOUT 258u
#define WAIT_FAILED 0xFFFFFFFFu
#define MAXIMUM_WAIT_OBJECTS 64
#define INVALID_HANDLE_VALUE P2P_WIN_CAST(HANDLE, (intptr_t)-1)

typedef struct SECURITY_ATTRIBUTES {
    DWORD nLength;
    LPVOID lpSecurityDescriptor;
    BOOL bInheritHandle;
} SECURITY_ATTRIBUTES, *PSECURITY_ATTRIBUTES, *LPSECURITY_ATTRIBUTES;

P2P_WIN_INLINE HANDLE p2p_win_event(BOOL manual_reset, BOOL initial_state, const void *name) {
    HANDLE event = NULL;
    if (name != NULL) return SetLastError(ERROR_NOT_SUPPORTED), event;
    event = P2PCreateEvent(manual_reset, initial_state);
    if (event == NULL) SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return event;
}

/* Of this process only: attributes are not looked at, and a name is ERROR_NOT_SUPPORTED. */
P2P_WIN_INLINE HANDLE CreateEventW(LPSECURITY_ATTRIBUTES attributes, BOOL manual_reset, BOOL initial_state, LPCWSTR name) {
    (void)attributes;
    return p2p_win_event(manual_reset, initial_state, name);
}

P2P_WIN_INLINE HANDLE CreateEventA(LPSECURITY_ATTRIBUTES attributes, BOOL manual_reset, BOOL initial_state, LPCSTR name) {
    (void)attributes;
    return p2p_win_event(manual_reset, initial_state, name);
}

#if defined(UNICODE) || defined(_UNICODE)
#define CreateEvent CreateEventW
#else
#define CreateEvent CreateEventA
#endif

P2P_WIN_INLINE BOOL SetEvent(HANDLE event) { return p2p_win_done(P2PSetEvent(event)); }
P2P_WIN_INLINE BOOL ResetEvent(HANDLE event) { return p2p_win_done(P2PResetEvent(event)); }
P2P_WIN_INLINE BOOL CloseHandle(HANDLE object) { return p2p_win_done(P2PCloseEvent(object)); }

/* WAIT_OBJECT_0, WAIT_TIMEOUT, or WAIT_FAILED for what is no handle or is closed meanwhile. */
P2P_WIN_INLINE DWORD WaitForSingleObject(HANDLE object, DWORD milliseconds) {
    HRESULT result = P2PWaitEvent(object, milliseconds);
    if (result == S_OK) return WAIT_OBJECT_0;
    if (result == S_FALSE) return WAIT_TIMEOUT;
    return SetLastError(ERROR_INVALID_HANDLE), WAIT_FAILED;
}

/* Milliseconds until then for poll, at most a minute; 0 if it is past. */
P2P_WIN_INLINE int p2p_win_left(ULONGLONG end, DWORD milliseconds) {
    ULONGLONG now = GetTickCount64();
    if (milliseconds == INFINITE) return 60000;
    return now >= end ? 0 : end - now > 60000 ? 60000 : (int)(end - now);
}

/* Whether it is signalled; it is not taken. */
P2P_WIN_INLINE int p2p_win_is_set(HANDLE object) {
    struct pollfd look;
    look.fd = P2PEventFd(object);
    look.events = POLLIN;
    return look.fd >= 0 && poll(&look, 1, 0) > 0;
}

/* Takes all that are signalled, or none: 1 if all, 0 if one was not, -1 if one is no handle. */
P2P_WIN_INLINE int p2p_win_take_all(DWORD count, const HANDLE *objects) {
    HRESULT result = S_OK;
    DWORD taken = 0;
    BYTE stays[MAXIMUM_WAIT_OBJECTS];
    for (; taken < count && (result = P2PWaitEvent(objects[taken], 0)) == S_OK; taken++)
        stays[taken] = (BYTE)p2p_win_is_set(objects[taken]);
    if (taken == count) return 1;
    /* Somebody else was faster with this one: put the others back. What stays signalled was never taken; who has reset it
     * meanwhile finds it so. */
    while (taken-- > 0)
        if (!stays[taken]) P2PSetEvent(objects[taken]);
    return FAILED(result) ? -1 : 0;
}

/* The first that is signalled, as WAIT_OBJECT_0 and its place, or when all are, WAIT_OBJECT_0. Unlike on Windows another
 * thread may for a moment see an event unsignalled while this one finds out whether all are. */
P2P_WIN_INLINE DWORD WaitForMultipleObjects(DWORD count, const HANDLE *objects, BOOL all, DWORD milliseconds) {
    ULONGLONG end = GetTickCount64() + milliseconds;
    struct pollfd waiting[MAXIMUM_WAIT_OBJECTS];
    DWORD i, j;
    if (count == 0 || count > MAXIMUM_WAIT_OBJECTS) return SetLastError(ERROR_INVALID_PARAMETER), WAIT_FAILED;
    for (i = 1; all && i < count; i++)
        for (j = 0; j < i; j++)
            if (objects[i] == objects[j]) return SetLastError(ERROR_INVALID_PARAMETER), WAIT_FAILED;
    for (;;) {
        DWORD quiet = 0;
        int left = p2p_win_left(end, milliseconds);
        for (i = 0; i < count; i++) {
            waiting[i].fd = P2PEventFd(objects[i]);
            waiting[i].events = POLLIN;
            if (waiting[i].fd < 0) return SetLastError(ERROR_INVALID_HANDLE), WAIT_FAILED;
        }
        poll(waiting, count, 0);
        for (i = 0; i < count; i++) {
            int taken = waiting[i].revents == 0 ? 0 : all ? 1 : p2p_win_take_all(1, &objects[i]);
            if (taken < 0) return SetLastError(ERROR_INVALID_HANDLE), WAIT_FAILED;
            if (taken > 0 && !all) return WAIT_OBJECT_0 + i;
            if (taken == 0) waiting[quiet++] = waiting[i];
        }
        if (quiet == 0) {
            int taken = p2p_win_take_all(count, objects);
            if (taken < 0) return SetLastError(ERROR_INVALID_HANDLE), WAIT_FAILED;
            if (taken > 0) return WAIT_OBJECT_0;
            /* One of them is quiet by now: which, is seen at once. */
            if (left != 0) continue;
        }
        if (left == 0) return WAIT_TIMEOUT;
        poll(waiting, quiet, left);
    }
}

/* ---- Threads and locks ------------------------------------------------------------------------------------------- */

typedef DWORD (*LPTHREAD_START_ROUTINE)(LPVOID);
typedef LPTHREAD_START_ROUTINE PTHREAD_START_ROUTINE;
typedef void (*WAITORTIMERCALLBACK)(PVOID context, BOOLEAN timed_out);

/* What a new thread is told, and the event that tells of its end. */
struct p2p_win_thread {
    LPTHREAD_START_ROUTINE start;
    LPVOID parameter;
    HANDLE ended;
};

P2P_WIN_INLINE void *p2p_win_thread_main(void *told) {
    struct p2p_win_thread thread = *P2P_WIN_CAST(struct p2p_win_thread *, told);
    free(told);
    thread.start(thread.parameter);
    /* Whoever closed the handle does not want to know. */
    P2PSetEvent(thread.ended);
    return NULL;
}

/* A thread; its handle is signalled when it has ended. Attributes and stack size are not looked at; flags must be 0. */
P2P_WIN_INLINE HANDLE CreateThread(LPSECURITY_ATTRIBUTES attributes, SIZE_T stack, LPTHREAD_START_ROUTINE start,
                                   LPVOID parameter, DWORD flags, LPDWORD id) {
    struct p2p_win_thread *told;
    HANDLE ended = NULL;
    pthread_t thread;
    (void)attributes, (void)stack;
    if (flags != 0) return SetLastError(ERROR_NOT_SUPPORTED), ended;
    ended = p2p_win_event(TRUE, FALSE, NULL);
    told = P2P_WIN_CAST(struct p2p_win_thread *, malloc(sizeof *told));
    if (ended != NULL && told != NULL) {
        HANDLE handle = ended;
        told->start = start;
        told->parameter = parameter;
        told->ended = ended;
        if (pthread_create(&thread, NULL, p2p_win_thread_main, told) == 0) {
            pthread_detach(thread);
            if (id != NULL) *id = 0;
            return handle;
        }
    }
    free(told);
    if (ended != NULL) P2PCloseEvent(ended);
    return SetLastError(ERROR_NOT_ENOUGH_MEMORY), P2P_WIN_CAST(HANDLE, NULL);
}

/* A lock that its holder may take again. */
typedef struct CRITICAL_SECTION {
    pthread_mutex_t mutex;
    pthread_cond_t freed;
    pthread_t owner;
    unsigned held;
} CRITICAL_SECTION, *PCRITICAL_SECTION, *LPCRITICAL_SECTION;

P2P_WIN_INLINE void InitializeCriticalSection(CRITICAL_SECTION *section) {
    pthread_mutex_init(&section->mutex, NULL);
    pthread_cond_init(&section->freed, NULL);
    section->held = 0;
}

P2P_WIN_INLINE void DeleteCriticalSection(CRITICAL_SECTION *section) {
    pthread_cond_destroy(&section->freed);
    pthread_mutex_destroy(&section->mutex);
}

P2P_WIN_INLINE void EnterCriticalSection(CRITICAL_SECTION *section) {
    pthread_mutex_lock(&section->mutex);
    while (section->held > 0 && !pthread_equal(section->owner, pthread_self()))
        pthread_cond_wait(&section->freed, &section->mutex);
    section->owner = pthread_self();
    section->held++;
    pthread_mutex_unlock(&section->mutex);
}

P2P_WIN_INLINE void LeaveCriticalSection(CRITICAL_SECTION *section) {
    pthread_mutex_lock(&section->mutex);
    if (--section->held == 0) pthread_cond_signal(&section->freed);
    pthread_mutex_unlock(&section->mutex);
}

P2P_WIN_INLINE LONG InterlockedIncrement(LONG volatile *value) { return __atomic_add_fetch(value, 1, __ATOMIC_SEQ_CST); }
P2P_WIN_INLINE LONG InterlockedDecrement(LONG volatile *value) { return __atomic_sub_fetch(value, 1, __ATOMIC_SEQ_CST); }
P2P_WIN_INLINE LONG InterlockedExchange(LONG volatile *value, LONG to) {
    return __atomic_exchange_n(value, to, __ATOMIC_SEQ_CST);
}
P2P_WIN_INLINE LONG InterlockedCompareExchange(LONG volatile *value, LONG to, LONG from) {
    __atomic_compare_exchange_n(value, &from, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return from;
}

/* ---- Functions that are called when an event is signalled -------------------------------------------------------- */

#define WT_EXECUTEDEFAULT 0u
#define WT_EXECUTELONGFUNCTION 16u
#define WT_EXECUTEONLYONCE 8u

/* Held by the thread that waits and by whoever registered. */
struct p2p_win_wait {
    HANDLE stop, object, ended, tell;
    WAITORTIMERCALLBACK call;
    PVOID context;
    DWORD milliseconds;
    ULONG flags;
    LONG volatile holders;
};

P2P_WIN_INLINE void p2p_win_release_wait(struct p2p_win_wait *wait) {
    HANDLE tell;
    if (InterlockedDecrement(&wait->holders) > 0) return;
    /* Both are done with it: the thread, and whoever said whom to tell. */
    tell = wait->tell;
    P2PCloseEvent(wait->stop);
    P2PCloseEvent(wait->ended);
    free(wait);
    if (tell != NULL) P2PSetEvent(tell);
}

P2P_WIN_INLINE DWORD p2p_win_wait_main(LPVOID told) {
    struct p2p_win_wait *wait = P2P_WIN_CAST(struct p2p_win_wait *, told);
    HANDLE objects[2];
    DWORD found;
    objects[0] = wait->stop;
    objects[1] = wait->object;
    do {
        found = WaitForMultipleObjects(2, objects, FALSE, wait->milliseconds);
        if (found == WAIT_OBJECT_0 + 1 || found == WAIT_TIMEOUT) wait->call(wait->context, found == WAIT_TIMEOUT);
    } while ((found == WAIT_OBJECT_0 + 1 || found == WAIT_TIMEOUT) && !(wait->flags & WT_EXECUTEONLYONCE));
    P2PSetEvent(wait->ended);
    p2p_win_release_wait(wait);
    return 0;
}

/* Calls a function on a thread of its own each time that an object is signalled, or that much time has passed. */
P2P_WIN_INLINE BOOL RegisterWaitForSingleObject(PHANDLE out, HANDLE object, WAITORTIMERCALLBACK call, PVOID context,
                                                ULONG milliseconds, ULONG flags) {
    struct p2p_win_wait *wait = P2P_WIN_CAST(struct p2p_win_wait *, calloc(1, sizeof *wait));
    HANDLE thread = NULL;
    if (wait == NULL) return SetLastError(ERROR_NOT_ENOUGH_MEMORY), FALSE;
    wait->stop = p2p_win_event(TRUE, FALSE, NULL);
    wait->ended = p2p_win_event(TRUE, FALSE, NULL);
    wait->object = object;
    wait->call = call;
    wait->context = context;
    wait->milliseconds = milliseconds;
    wait->flags = flags;
    wait->holders = 2;
    if (wait->stop != NULL && wait->ended != NULL) thread = CreateThread(NULL, 0, p2p_win_wait_main, wait, 0, NULL);
    if (thread == NULL) {
        wait->holders = 1;
        p2p_win_release_wait(wait);
        return FALSE;
    }
    P2PCloseEvent(thread);
    *out = P2P_WIN_CAST(HANDLE, wait);
    return TRUE;
}

/* Ends it. NULL: a call that runs goes on. INVALID_HANDLE_VALUE: returns when it has ended, so not from inside it. */
P2P_WIN_INLINE BOOL UnregisterWaitEx(HANDLE registration, HANDLE completion) {
    struct p2p_win_wait *wait = P2P_WIN_CAST(struct p2p_win_wait *, registration);
    if (wait == NULL) return SetLastError(ERROR_INVALID_HANDLE), FALSE;
    if (completion != INVALID_HANDLE_VALUE) wait->tell = completion;
    P2PSetEvent(wait->stop);
    if (completion == INVALID_HANDLE_VALUE) P2PWaitEvent(wait->ended, INFINITE);
    p2p_win_release_wait(wait);
    return TRUE;
}

P2P_WIN_INLINE BOOL UnregisterWait(HANDLE registration) { return UnregisterWaitEx(registration, NULL); }

/* ---- Sockets: there are none here; programs start them for the library's sake ------------------------------------ */

typedef struct WSADATA {
    WORD wVersion;
    WORD wHighVersion;
} WSADATA, *LPWSADATA;

P2P_WIN_INLINE int WSAStartup(WORD version, LPWSADATA data) {
    data->wVersion = data->wHighVersion = version;
    return 0;
}

P2P_WIN_INLINE int WSACleanup(void) { return 0; }

#ifdef __cplusplus
}
#endif

#include "p2p_win_text.h"

#endif /* !_WIN32 */

#endif /* P2P_WIN_H */
