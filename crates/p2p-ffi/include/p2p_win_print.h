/*
 * p2p_win_print.h - formatted text for p2p_win_text.h, which includes it.
 */
#ifndef P2P_WIN_PRINT_H
#define P2P_WIN_PRINT_H

/* Where formatted text goes: a file in UTF-8, or units in memory. */
struct p2p_win_sink {
    FILE *file;
    WCHAR *units;
    size_t size;
    size_t count; /* units so far, also those that had no place */
    int failed;
};

P2P_WIN_INLINE void p2p_win_put(struct p2p_win_sink *sink, uint32_t character) {
    WCHAR units[2];
    char bytes[4];
    int i, count = p2p_win_utf16(character, units);
    if (sink->file != NULL) {
        size_t length = (size_t)p2p_win_utf8(character, bytes);
        if (fwrite(bytes, 1, length, sink->file) != length) sink->failed = 1;
    }
    for (i = 0; i < count; i++, sink->count++)
        if (sink->units != NULL && sink->count < sink->size) sink->units[sink->count] = units[i];
}

P2P_WIN_INLINE void p2p_win_pad(struct p2p_win_sink *sink, int width, size_t length) {
    for (; width > 0 && (size_t)width > length; width--) p2p_win_put(sink, ' ');
}

/* A text, wide or narrow; precision: how many units or bytes at most, -1 for all. */
P2P_WIN_INLINE void p2p_win_put_text(struct p2p_win_sink *sink, const void *text, int wide, int left, int width, int precision) {
    const WCHAR *units = P2P_WIN_CAST(const WCHAR *, text);
    const unsigned char *bytes = P2P_WIN_CAST(const unsigned char *, text);
    unsigned broken = 0;
    size_t length = 0;
    if (text == NULL) bytes = P2P_WIN_CAST(const unsigned char *, "(null)"), wide = 0;
    while ((precision < 0 || length < (size_t)precision) && (wide ? units[length] != 0 : bytes[length] != 0)) length++;
    if (!left) p2p_win_pad(sink, width, length);
    if (wide) {
        const WCHAR *end = units + length;
        while (units < end) p2p_win_put(sink, p2p_win_from_utf16(&units, end, &broken));
    } else {
        const unsigned char *end = bytes + length;
        while (bytes < end) p2p_win_put(sink, p2p_win_from_utf8(&bytes, end, &broken));
    }
    if (left) p2p_win_pad(sink, width, length);
}

/* How long an argument is: as on Windows "l" is 32 bits, "ll", "j" and "I64" are 64. */
enum p2p_win_length { P2P_WIN_INT, P2P_WIN_CHAR, P2P_WIN_SHORT, P2P_WIN_LONG, P2P_WIN_64, P2P_WIN_POINTER };

/* One directive: what stands between the percent sign and the letter. */
struct p2p_win_directive {
    char flags[6];
    int left;
    int width;
    int precision;
    enum p2p_win_length length;
};

P2P_WIN_INLINE const WCHAR *p2p_win_length_of(const WCHAR *at, enum p2p_win_length *length) {
    *length = P2P_WIN_INT;
    if (at[0] == 'I' && at[1] == '6' && at[2] == '4') return *length = P2P_WIN_64, at + 3;
    if (at[0] == 'I' && at[1] == '3' && at[2] == '2') return at + 3;
    if (at[0] == 'l' && at[1] == 'l') return *length = P2P_WIN_64, at + 2;
    if (at[0] == 'h' && at[1] == 'h') return *length = P2P_WIN_CHAR, at + 2;
    if (at[0] == 'j') return *length = P2P_WIN_64, at + 1;
    if (at[0] == 'z' || at[0] == 't' || at[0] == 'I') return *length = P2P_WIN_POINTER, at + 1;
    if (at[0] == 'h') return *length = P2P_WIN_SHORT, at + 1;
    if (at[0] == 'l' || at[0] == 'w') return *length = P2P_WIN_LONG, at + 1;
    return at;
}

/* A number through the system's own printf: letter is one of d i u o x X c p and the floating ones. */
P2P_WIN_INLINE void p2p_win_put_number(struct p2p_win_sink *sink, const struct p2p_win_directive *how, char letter,
                                       ULONGLONG number, double real) {
    char format[24], text[512];
    int i, floating = strchr("fFeEgGaA", letter) != NULL, width = how->width > 400 ? 400 : how->width;
    int precision = how->precision > 60 ? 60 : how->precision;
    snprintf(format, sizeof format, "%%%s*.*%s%c", how->flags, floating ? "" : "ll", letter);
    if (floating) {
        snprintf(text, sizeof text, format, width, precision, real);
    } else {
        snprintf(text, sizeof text, format, width, precision, number);
    }
    for (i = 0; text[i] != 0; i++) p2p_win_put(sink, (unsigned char)text[i]);
}

/* An integer of that length, widened. */
P2P_WIN_INLINE ULONGLONG p2p_win_widened(ULONGLONG value, enum p2p_win_length length, int is_signed) {
    switch (length) {
    case P2P_WIN_CHAR: return is_signed ? (ULONGLONG)(int8_t)value : (uint8_t)value;
    case P2P_WIN_SHORT: return is_signed ? (ULONGLONG)(int16_t)value : (uint16_t)value;
    case P2P_WIN_INT:
    case P2P_WIN_LONG: return is_signed ? (ULONGLONG)(int32_t)value : (uint32_t)value;
    default: return value;
    }
}

/* The whole of it; wide says what "%s" is. -1 if the file could not be written. */
P2P_WIN_INLINE int p2p_win_format(struct p2p_win_sink *sink, int wide, const WCHAR *at, va_list *arguments) {
    const WCHAR *end = at + p2p_win_wcslen(at);
    unsigned broken = 0;
    while (at < end) {
        struct p2p_win_directive how = {{0}, 0, 0, -1, P2P_WIN_INT};
        size_t flags = 0;
        int letter, text_is_wide;
        if (*at != '%') {
            p2p_win_put(sink, p2p_win_from_utf16(&at, end, &broken));
            continue;
        }
        for (at++; *at == '-' || *at == '+' || *at == ' ' || *at == '#' || *at == '0'; at++) {
            how.left |= *at == '-';
            if (flags < sizeof how.flags - 1 && strchr(how.flags, (char)*at) == NULL) how.flags[flags++] = (char)*at;
        }
        if (*at == '*') {
            how.width = va_arg(*arguments, int), at++;
            if (how.width < 0) how.left = 1, how.width = how.width == INT32_MIN ? 0 : -how.width;
            if (how.left && strchr(how.flags, '-') == NULL && flags < sizeof how.flags - 1) how.flags[flags++] = '-';
        }
        for (; *at >= '0' && *at <= '9'; at++) how.width = how.width > 100000 ? how.width : how.width * 10 + (*at - '0');
        if (*at == '.') {
            how.precision = 0;
            if (*++at == '*') how.precision = va_arg(*arguments, int), at++;
            for (; *at >= '0' && *at <= '9'; at++)
                how.precision = how.precision > 100000 ? how.precision : how.precision * 10 + (*at - '0');
        }
        at = p2p_win_length_of(at, &how.length);
        letter = *at == 0 ? 0 : *at++;
        text_is_wide = how.length == P2P_WIN_LONG || (how.length != P2P_WIN_SHORT && (letter == 's' || letter == 'c') == wide);
        switch (letter) {
        case 's':
        case 'S':
            p2p_win_put_text(sink, va_arg(*arguments, const void *), text_is_wide, how.left, how.width, how.precision);
            break;
        case 'c':
        case 'C': {
            WCHAR one[2] = {0, 0};
            one[0] = (WCHAR)va_arg(*arguments, int);
            p2p_win_put_text(sink, one, 1, how.left, how.width, 1);
            break;
        }
        case 'd':
        case 'i':
        case 'u':
        case 'o':
        case 'x':
        case 'X': {
            int is_signed = letter == 'd' || letter == 'i';
            ULONGLONG value;
            if (how.length == P2P_WIN_64) value = va_arg(*arguments, ULONGLONG);
            else if (how.length == P2P_WIN_POINTER) value = is_signed ? (ULONGLONG)va_arg(*arguments, intptr_t) : va_arg(*arguments, uintptr_t);
            else value = va_arg(*arguments, unsigned);
            p2p_win_put_number(sink, &how, (char)letter, p2p_win_widened(value, how.length, is_signed), 0);
            break;
        }
        case 'p':
            how.precision = (int)(2 * sizeof(void *));
            p2p_win_put_number(sink, &how, 'X', P2P_WIN_CAST(uintptr_t, va_arg(*arguments, void *)), 0);
            break;
        case 'f':
        case 'F':
        case 'e':
        case 'E':
        case 'g':
        case 'G':
        case 'a':
        case 'A': p2p_win_put_number(sink, &how, (char)letter, 0, va_arg(*arguments, double)); break;
        case 0: break;
        default: p2p_win_put(sink, (uint32_t)letter); break; /* "%%" among them; "%n" writes nowhere */
        }
    }
    return sink->failed ? -1 : (int)sink->count;
}

P2P_WIN_INLINE int p2p_win_vfwprintf(FILE *file, const WCHAR *format, va_list arguments) {
    struct p2p_win_sink sink = {file, NULL, 0, 0, 0};
    va_list copy;
    int count;
    va_copy(copy, arguments);
    count = p2p_win_format(&sink, 1, format, &copy);
    va_end(copy);
    return count;
}

/* Into memory: always ended, and -1 if it does not fit. */
P2P_WIN_INLINE int p2p_win_vswprintf(WCHAR *to, size_t size, const WCHAR *format, va_list arguments) {
    struct p2p_win_sink sink = {NULL, to, size, 0, 0};
    va_list copy;
    int count;
    va_copy(copy, arguments);
    count = p2p_win_format(&sink, 1, format, &copy);
    va_end(copy);
    if (size > 0) to[sink.count < size ? sink.count : size - 1] = 0;
    return sink.count < size ? count : -1;
}

/* A narrow format, as UTF-8. */
P2P_WIN_INLINE int p2p_win_vfprintf(FILE *file, const char *format, va_list arguments) {
    struct p2p_win_sink sink = {file, NULL, 0, 0, 0};
    int length = MultiByteToWideChar(CP_UTF8, 0, format, -1, NULL, 0), count = -1;
    WCHAR *wide = P2P_WIN_CAST(WCHAR *, malloc((size_t)length * sizeof(WCHAR)));
    va_list copy;
    if (wide == NULL) return -1;
    MultiByteToWideChar(CP_UTF8, 0, format, -1, wide, length);
    va_copy(copy, arguments);
    count = p2p_win_format(&sink, 0, wide, &copy);
    va_end(copy);
    free(wide);
    return count;
}

#define P2P_WIN_WITH_ARGUMENTS(call)  \
    va_list arguments;                \
    int count;                        \
    va_start(arguments, format);      \
    count = call;                     \
    va_end(arguments);                \
    return count

P2P_WIN_INLINE int p2p_win_vwprintf(const WCHAR *format, va_list arguments) {
    return p2p_win_vfwprintf(stdout, format, arguments);
}
P2P_WIN_INLINE int p2p_win_wprintf(const WCHAR *format, ...) {
    P2P_WIN_WITH_ARGUMENTS(p2p_win_vfwprintf(stdout, format, arguments));
}
P2P_WIN_INLINE int p2p_win_fwprintf(FILE *file, const WCHAR *format, ...) {
    P2P_WIN_WITH_ARGUMENTS(p2p_win_vfwprintf(file, format, arguments));
}
P2P_WIN_INLINE int p2p_win_swprintf(WCHAR *to, size_t size, const WCHAR *format, ...) {
    P2P_WIN_WITH_ARGUMENTS(p2p_win_vswprintf(to, size, format, arguments));
}
P2P_WIN_INLINE int p2p_win_printf(const char *format, ...) {
    P2P_WIN_WITH_ARGUMENTS(p2p_win_vfprintf(stdout, format, arguments));
}
P2P_WIN_INLINE int p2p_win_fprintf(FILE *file, const char *format, ...) {
    P2P_WIN_WITH_ARGUMENTS(p2p_win_vfprintf(file, format, arguments));
}
P2P_WIN_INLINE HRESULT StringCchPrintfW(WCHAR *to, size_t size, const WCHAR *format, ...) {
    va_list arguments;
    int count;
    if (size == 0 || size > INT32_MAX) return STRSAFE_E_INVALID_PARAMETER;
    va_start(arguments, format);
    count = p2p_win_vswprintf(to, size, format, arguments);
    va_end(arguments);
    return count < 0 ? STRSAFE_E_INSUFFICIENT_BUFFER : S_OK;
}

P2P_WIN_INLINE int p2p_win_fputws(const WCHAR *text, FILE *file) {
    struct p2p_win_sink sink = {file, NULL, 0, 0, 0};
    p2p_win_put_text(&sink, text, 1, 0, 0, -1);
    return sink.failed ? -1 : 0;
}
P2P_WIN_INLINE int p2p_win_putws(const WCHAR *text) {
    return p2p_win_fputws(text, stdout) < 0 || fputc('\n', stdout) == EOF ? -1 : 0;
}
P2P_WIN_INLINE wint_t p2p_win_putwchar(WCHAR unit) {
    WCHAR text[2] = {0, 0};
    text[0] = unit;
    return p2p_win_fputws(text, stdout) < 0 ? WEOF : unit;
}

/* The rest of a line with its end, at most size - 1 units; NULL at the end of the file. */
P2P_WIN_INLINE WCHAR *p2p_win_fgetws(WCHAR *to, int size, FILE *file) {
    int count = 0, c = 0;
    /* A character may need two units, which is never more than its bytes. */
    while (count + 2 < size && c != '\n' && (c = fgetc(file)) != EOF) {
        unsigned char bytes[4];
        const unsigned char *at = bytes;
        unsigned broken = 0;
        int length = 1, more = c < 0xC0 ? 0 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
        bytes[0] = (unsigned char)c;
        while (length <= more) {
            int next = fgetc(file);
            if (next == EOF) break;
            if ((next & 0xC0) != 0x80) {
                ungetc(next, file);
                break;
            }
            bytes[length++] = (unsigned char)next;
        }
        count += p2p_win_utf16(p2p_win_from_utf8(&at, bytes + length, &broken), to + count);
    }
    if (size > 0) to[count] = 0;
    return count > 0 ? to : NULL;
}

/* ---- wmain -------------------------------------------------------------------------------------------------------- */

/* Calls a main function that takes wide arguments. */
P2P_WIN_INLINE int p2p_win_main(int (*wide_main)(int, WCHAR **), int count, char **arguments) {
    WCHAR **wide = P2P_WIN_CAST(WCHAR **, calloc((size_t)count + 1, sizeof *wide));
    int i;
    for (i = 0; wide != NULL && i < count; i++) {
        int length = MultiByteToWideChar(CP_UTF8, 0, arguments[i], -1, NULL, 0);
        wide[i] = P2P_WIN_CAST(WCHAR *, malloc((size_t)length * sizeof(WCHAR)));
        if (wide[i] == NULL) return ERROR_NOT_ENOUGH_MEMORY;
        MultiByteToWideChar(CP_UTF8, 0, arguments[i], -1, wide[i], length);
    }
    return wide == NULL ? ERROR_NOT_ENOUGH_MEMORY : wide_main(count, wide);
}

/* A definition of "int wmain(int argc, wchar_t *argv[])" becomes two: itself under another name, and main. */
#define wmain(count, arguments)                                                   \
    p2p_win_wide_main(count, arguments);                                          \
    int main(int p2p_win_count, char **p2p_win_arguments) {                       \
        return p2p_win_main(p2p_win_wide_main, p2p_win_count, p2p_win_arguments); \
    }                                                                             \
    int p2p_win_wide_main(count, arguments)
#if defined(UNICODE) || defined(_UNICODE)
#define _tmain wmain
#else
#define _tmain main
#endif

#endif /* P2P_WIN_PRINT_H */
