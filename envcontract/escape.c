/* envcontract/escape.c: the escapes of a JSON string, decoded where they lie. */
#include "envcontract/document.h"

#include <string.h>

static unsigned hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    return (unsigned)((c | 0x20) - 'a') + 10;
}

/* The four digits of the \uXXXX at AT; skip_escape has seen them. */
static unsigned code_unit(const char *at)
{
    return hex_digit(at[2]) << 12 | hex_digit(at[3]) << 8 | hex_digit(at[4]) << 4 |
           hex_digit(at[5]);
}

static char *put_utf8(char *to, unsigned c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xE0 | c >> 12);
        } else {
            *to++ = (char)(0xF0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
    }
    *to++ = (char)(0x80 | (c & 0x3F));
    return to;
}

/* The character of the \u escape at *AT (a pair of them beyond U+FFFF); steps behind it. 0: NUL, or
 * half a pair. */
static unsigned unicode_escape(const char **at, const char *end)
{
    unsigned first = code_unit(*at), second;

    *at += 6;
    if (first < 0xD800 || first > 0xDFFF)
        return first;
    if (first > 0xDBFF || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return 0;
    second = code_unit(*at);
    *at += 6;
    if (second < 0xDC00 || second > 0xDFFF)
        return 0;
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

int text_decode(char *text, size_t *length)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *at = text, *end = text + *length;
    char *to = text;

    while (at < end) {
        if (*at != '\\') {
            *to++ = *at++;
        } else if (at[1] != 'u') {
            *to++ = meanings[strchr(letters, at[1]) - letters];
            at += 2;
        } else {
            unsigned c = unicode_escape(&at, end);
            if (c == 0)
                return -1;
            to = put_utf8(to, c);
        }
    }
    *length = (size_t)(to - text);
    return 0;
}
