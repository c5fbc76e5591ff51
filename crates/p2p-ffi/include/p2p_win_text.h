/*
 * p2p_win_text.h - wide text for p2p_win.h, which includes it: UTF-16 on a system whose own wide characters have 32 bits.
 *
 * With -fshort-wchar the names of C and Windows - wcslen, wprintf, wmain ... - become functions of this file, because the
 * system's own would read 32 bits at a time. What is written goes out as UTF-8, what is read comes in as UTF-8. Formats
 * mean what they mean on Windows: "l" is 32 bits, in wide formats "%s" is wide text and "%S" narrow, in narrow formats
 * the other way round. std::wstring and std::wcout belong to the system and cannot be used with -fshort-wchar:
 * std::basic_string<char16_t> and std::cout can.
 */
#ifndef P2P_WIN_TEXT_H
#define P2P_WIN_TEXT_H

#ifdef __cplusplus
/* Before the names below are given away. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <string>
#endif
#include <stdarg.h>
#include <stdio.h>
#include <wchar.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Text --------------------------------------------------------------------------------------------------------- */

P2P_WIN_INLINE size_t p2p_win_wcslen(const WCHAR *text) {
    size_t length = 0;
    while (text[length] != 0) length++;
    return length;
}

P2P_WIN_INLINE size_t p2p_win_wcsnlen(const WCHAR *text, size_t most) {
    size_t length = 0;
    while (length < most && text[length] != 0) length++;
    return length;
}

P2P_WIN_INLINE WCHAR *p2p_win_wcscpy(WCHAR *to, const WCHAR *from) {
    memcpy(to, from, (p2p_win_wcslen(from) + 1) * sizeof *to);
    return to;
}

P2P_WIN_INLINE WCHAR *p2p_win_wcsncpy(WCHAR *to, const WCHAR *from, size_t count) {
    size_t length = p2p_win_wcsnlen(from, count), i;
    memcpy(to, from, length * sizeof *to);
    for (i = length; i < count; i++) to[i] = 0;
    return to;
}

P2P_WIN_INLINE WCHAR *p2p_win_wcscat(WCHAR *to, const WCHAR *from) {
    p2p_win_wcscpy(to + p2p_win_wcslen(to), from);
    return to;
}

P2P_WIN_INLINE int p2p_win_wcsncmp(const WCHAR *a, const WCHAR *b, size_t count) {
    size_t i;
    for (i = 0; i < count; i++)
        if (a[i] != b[i] || a[i] == 0) return (a[i] > b[i]) - (a[i] < b[i]);
    return 0;
}

P2P_WIN_INLINE int p2p_win_wcscmp(const WCHAR *a, const WCHAR *b) { return p2p_win_wcsncmp(a, b, (size_t)-1); }

/* Small letters of ASCII count as large ones; all else as it is. */
P2P_WIN_INLINE int p2p_win_wcsnicmp(const WCHAR *a, const WCHAR *b, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        unsigned x = a[i], y = b[i];
        if (x >= 'a' && x <= 'z') x -= 'a' - 'A';
        if (y >= 'a' && y <= 'z') y -= 'a' - 'A';
        if (x != y || x == 0) return (x > y) - (x < y);
    }
    return 0;
}

P2P_WIN_INLINE int p2p_win_wcsicmp(const WCHAR *a, const WCHAR *b) { return p2p_win_wcsnicmp(a, b, (size_t)-1); }

P2P_WIN_INLINE WCHAR *p2p_win_wcsrchr(const WCHAR *text, WCHAR wanted) {
    size_t i = p2p_win_wcslen(text) + 1;
    while (i-- > 0)
        if (text[i] == wanted) return (WCHAR *)(text + i);
    return NULL;
}

P2P_WIN_INLINE WCHAR *p2p_win_wcschr(const WCHAR *text, WCHAR wanted) {
    for (;; text++) {
        if (*text == wanted) return (WCHAR *)text;
        if (*text == 0) return NULL;
    }
}

P2P_WIN_INLINE WCHAR *p2p_win_wcsstr(const WCHAR *text, const WCHAR *wanted) {
    size_t length = p2p_win_wcslen(wanted);
    for (;; text++) {
        if (p2p_win_wcsncmp(text, wanted, length) == 0) return (WCHAR *)text;
        if (*text == 0) return NULL;
    }
}

P2P_WIN_INLINE WCHAR *p2p_win_wcsdup(const WCHAR *text) {
    size_t size = (p2p_win_wcslen(text) + 1) * sizeof *text;
    WCHAR *copy = P2P_WIN_CAST(WCHAR *, malloc(size));
    return copy == NULL ? copy : P2P_WIN_CAST(WCHAR *, memcpy(copy, text, size));
}

/* The number at the beginning of a text, which ends before the first unit that is not ASCII. */
P2P_WIN_INLINE LONGLONG p2p_win_number(const WCHAR *text, WCHAR **end, int base) {
    char narrow[80];
    char *stop;
    LONGLONG number;
    size_t i = 0;
    for (; i < sizeof narrow - 1 && text[i] != 0 && text[i] < 0x80; i++) narrow[i] = (char)text[i];
    narrow[i] = 0;
    number = strtoll(narrow, &stop, base);
    if (end != NULL) *end = (WCHAR *)(text + (stop - narrow));
    return number;
}

P2P_WIN_INLINE int p2p_win_wtoi(const WCHAR *text) { return (int)p2p_win_number(text, NULL, 10); }

P2P_WIN_INLINE LONG p2p_win_wcstol(const WCHAR *text, WCHAR **end, int base) {
    LONGLONG number = p2p_win_number(text, end, base);
    return number > INT32_MAX ? INT32_MAX : number < INT32_MIN ? INT32_MIN : (LONG)number;
}

/* Bounded copies: 0, or an error code with the text cut off to nothing. */
P2P_WIN_INLINE int p2p_win_wcsncat_s(WCHAR *to, size_t size, const WCHAR *from, size_t most) {
    size_t begin = to == NULL ? size : p2p_win_wcsnlen(to, size), length = from == NULL ? 0 : p2p_win_wcsnlen(from, most);
    if (from == NULL || begin + length >= size) {
        if (to != NULL && size > 0) to[0] = 0;
        return from == NULL || to == NULL || size == 0 ? 22 : 34;
    }
    memcpy(to + begin, from, length * sizeof *to);
    to[begin + length] = 0;
    return 0;
}

P2P_WIN_INLINE int p2p_win_wcscat_s(WCHAR *to, size_t size, const WCHAR *from) {
    return p2p_win_wcsncat_s(to, size, from, (size_t)-1);
}

P2P_WIN_INLINE int p2p_win_wcsncpy_s(WCHAR *to, size_t size, const WCHAR *from, size_t most) {
    if (to != NULL && size > 0) to[0] = 0;
    return p2p_win_wcsncat_s(to, size, from, most);
}

P2P_WIN_INLINE int p2p_win_wcscpy_s(WCHAR *to, size_t size, const WCHAR *from) {
    return p2p_win_wcsncpy_s(to, size, from, (size_t)-1);
}

#define STRSAFE_E_INSUFFICIENT_BUFFER ((HRESULT)0x8007007A)
#define STRSAFE_E_INVALID_PARAMETER ((HRESULT)0x80070057)

/* As much as fits, always ended. */
P2P_WIN_INLINE HRESULT StringCchCopyW(WCHAR *to, size_t size, const WCHAR *from) {
    size_t length = p2p_win_wcslen(from);
    if (size == 0 || size > INT32_MAX) return STRSAFE_E_INVALID_PARAMETER;
    if (length >= size) length = size - 1;
    memcpy(to, from, length * sizeof *to);
    to[length] = 0;
    return from[length] == 0 ? S_OK : STRSAFE_E_INSUFFICIENT_BUFFER;
}

P2P_WIN_INLINE HRESULT StringCchCatW(WCHAR *to, size_t size, const WCHAR *from) {
    size_t begin = p2p_win_wcsnlen(to, size);
    return begin == size ? STRSAFE_E_INVALID_PARAMETER : StringCchCopyW(to + begin, size - begin, from);
}

P2P_WIN_INLINE HRESULT StringCchLengthW(const WCHAR *text, size_t most, size_t *length) {
    size_t found = text == NULL ? most : p2p_win_wcsnlen(text, most);
    if (length != NULL) *length = found == most ? 0 : found;
    return found == most ? STRSAFE_E_INVALID_PARAMETER : S_OK;
}

P2P_WIN_INLINE int lstrlenW(const WCHAR *text) { return text == NULL ? 0 : (int)p2p_win_wcslen(text); }
P2P_WIN_INLINE int lstrcmpW(const WCHAR *a, const WCHAR *b) { return p2p_win_wcscmp(a, b); }
P2P_WIN_INLINE int lstrcmpiW(const WCHAR *a, const WCHAR *b) { return p2p_win_wcsicmp(a, b); }

/* ---- UTF-8 and UTF-16 --------------------------------------------------------------------------------------------- */

#define CP_ACP 0u
#define CP_UTF8 65001u
#define MB_ERR_INVALID_CHARS 8u
#define WC_ERR_INVALID_CHARS 128u
#define P2P_WIN_NO_CHARACTER 0xFFFDu

/* The next character of a text that goes on until the end; what is none is U+FFFD, and counted. */
P2P_WIN_INLINE uint32_t p2p_win_from_utf8(const unsigned char **text, const unsigned char *end, unsigned *broken) {
    static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};
    uint32_t first = *(*text)++, character = first;
    int more = first < 0x80 ? 0 : first >= 0xC2 && first < 0xE0 ? 1 : (first & 0xF0) == 0xE0 ? 2 : first >= 0xF0 && first < 0xF5 ? 3 : -1;
    int i;
    if (more > 0) character = first & (0x3Fu >> more);
    for (i = 0; i < more && *text < end && (**text & 0xC0) == 0x80; i++) character = character << 6 | (*(*text)++ & 0x3Fu);
    if (more >= 0 && i == more && character >= least[more] && character < 0x110000 && (character & ~0x7FFu) != 0xD800)
        return character;
    ++*broken;
    return P2P_WIN_NO_CHARACTER;
}

P2P_WIN_INLINE uint32_t p2p_win_from_utf16(const WCHAR **text, const WCHAR *end, unsigned *broken) {
    uint32_t first = *(*text)++;
    if ((first & ~0x7FFu) != 0xD800) return first;
    if (first < 0xDC00 && *text < end && ((uint32_t)**text & ~0x3FFu) == 0xDC00)
        return 0x10000 + ((first & 0x3FF) << 10 | (*(*text)++ & 0x3FFu));
    ++*broken;
    return P2P_WIN_NO_CHARACTER;
}

/* Bytes of a character; how many. */
P2P_WIN_INLINE int p2p_win_utf8(uint32_t character, char out[4]) {
    int more = character < 0x80 ? 0 : character < 0x800 ? 1 : character < 0x10000 ? 2 : 3, i;
    static const unsigned char marks[4] = {0, 0xC0, 0xE0, 0xF0};
    out[0] = (char)(marks[more] | character >> (6 * more));
    for (i = 1; i <= more; i++) out[i] = (char)(0x80 | (character >> (6 * (more - i)) & 0x3F));
    return more + 1;
}

/* Units of a character; how many. */
P2P_WIN_INLINE int p2p_win_utf16(uint32_t character, WCHAR out[2]) {
    if (character < 0x10000) return out[0] = (WCHAR)character, 1;
    out[0] = (WCHAR)(0xD800 | (character - 0x10000) >> 10);
    out[1] = (WCHAR)(0xDC00 | (character & 0x3FF));
    return 2;
}

/* Both code pages that are known here are UTF-8. A length of -1 is a text with its end; a size of 0 asks for the size. */
P2P_WIN_INLINE int MultiByteToWideChar(UINT page, DWORD flags, const char *from, int length, WCHAR *to, int size) {
    const unsigned char *text = P2P_WIN_CAST(const unsigned char *, from);
    const unsigned char *end = text + (length < 0 ? strlen(from) + 1 : (size_t)length);
    unsigned broken = 0;
    int written = 0;
    if (page != CP_UTF8 && page != CP_ACP) return SetLastError(ERROR_INVALID_PARAMETER), 0;
    while (text < end) {
        WCHAR units[2];
        int count = p2p_win_utf16(p2p_win_from_utf8(&text, end, &broken), units);
        if (size > 0 && written + count > size) return SetLastError(ERROR_INSUFFICIENT_BUFFER), 0;
        if (size > 0) memcpy(to + written, units, (size_t)count * sizeof *to);
        written += count;
    }
    if (broken > 0 && (flags & MB_ERR_INVALID_CHARS)) return SetLastError(ERROR_NO_UNICODE_TRANSLATION), 0;
    return written;
}

P2P_WIN_INLINE int WideCharToMultiByte(UINT page, DWORD flags, const WCHAR *from, int length, char *to, int size,
                                       const char *replacement, BOOL *replaced) {
    const WCHAR *end = from + (length < 0 ? p2p_win_wcslen(from) + 1 : (size_t)length);
    unsigned broken = 0;
    int written = 0;
    (void)replacement;
    if (page != CP_UTF8 && page != CP_ACP) return SetLastError(ERROR_INVALID_PARAMETER), 0;
    while (from < end) {
        char bytes[4];
        int count = p2p_win_utf8(p2p_win_from_utf16(&from, end, &broken), bytes);
        if (size > 0 && written + count > size) return SetLastError(ERROR_INSUFFICIENT_BUFFER), 0;
        if (size > 0) memcpy(to + written, bytes, (size_t)count);
        written += count;
    }
    if (replaced != NULL) *replaced = broken > 0;
    if (broken > 0 && (flags & WC_ERR_INVALID_CHARS)) return SetLastError(ERROR_NO_UNICODE_TRANSLATION), 0;
    return written;
}

#include "p2p_win_print.h"

#ifdef __cplusplus
}
#endif

/* ---- The names of C, for texts of 16 bits ------------------------------------------------------------------------- */

#if __SIZEOF_WCHAR_T__ == 2
#define wcslen p2p_win_wcslen
#define wcsnlen p2p_win_wcsnlen
#define wcscpy p2p_win_wcscpy
#define wcsncpy p2p_win_wcsncpy
#define wcscat p2p_win_wcscat
#define wcscmp p2p_win_wcscmp
#define wcsncmp p2p_win_wcsncmp
#define _wcsicmp p2p_win_wcsicmp
#define _wcsnicmp p2p_win_wcsnicmp
#define wcschr p2p_win_wcschr
#define wcsrchr p2p_win_wcsrchr
#define wcsstr p2p_win_wcsstr
#define _wcsdup p2p_win_wcsdup
#define wcsdup p2p_win_wcsdup
#define _wtoi p2p_win_wtoi
#define wcstol p2p_win_wcstol
#define wcscpy_s p2p_win_wcscpy_s
#define wcsncpy_s p2p_win_wcsncpy_s
#define wcscat_s p2p_win_wcscat_s
#define printf p2p_win_printf
#define fprintf p2p_win_fprintf
#define wprintf p2p_win_wprintf
#define fwprintf p2p_win_fwprintf
#define vwprintf p2p_win_vwprintf
#define vfwprintf p2p_win_vfwprintf
#define swprintf p2p_win_swprintf
#define _snwprintf p2p_win_swprintf
#define swprintf_s p2p_win_swprintf
#define vswprintf p2p_win_vswprintf
#define _vsnwprintf p2p_win_vswprintf
#define vswprintf_s p2p_win_vswprintf
#define putwchar p2p_win_putwchar
#define fputws p2p_win_fputws
#define _putws p2p_win_putws
#define fgetws p2p_win_fgetws
#ifdef __cplusplus
namespace std {
using ::p2p_win_fprintf;
using ::p2p_win_printf;
using ::p2p_win_wcscmp;
using ::p2p_win_wcslen;
using ::p2p_win_wprintf;
} // namespace std
#endif
#endif

#endif /* P2P_WIN_TEXT_H */
