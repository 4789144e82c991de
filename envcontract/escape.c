/* envcontract/escape.c: the escapes of a JSON string, decoded where they lie. */
#include "envcontract/document.h"

#include <string.h>

#include "base/str.h"

/* The four digits of the \uXXXX at AT; skip_escape has seen them. */
static unsigned code_unit(const char *at)
{
    unsigned unit = 0;

    for (int i = 2; i < 6; i++)
        unit = unit << 4 | (unsigned)str_hex_digit(at[i]);
    return unit;
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
            to += str_put_utf8(c, to);
        }
    }
    *length = (size_t)(to - text);
    return 0;
}
