/* base/quote.c: the half of str.h that writes bytes for somebody else's reader. */
#include "base/str.h"

#include <string.h>

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Whether C is one of the characters of SET; NUL is not. */
static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

void str_add_percent(struct buf *b, const char *bytes, size_t length)
{
    static const char hex[] = "0123456789ABCDEF"; /* RFC 3986, 2.1: upper case */

    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (is_alphanumeric(bytes[i]) || is_one_of(bytes[i], "-._~")) {
            buf_addc(b, bytes[i]);
        } else {
            const char escape[] = {'%', hex[byte >> 4], hex[byte & 15]};
            buf_add(b, escape, sizeof escape);
        }
    }
}

int str_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

int str_percent_decode(struct buf *b, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '%' &&
            (length - i < 3 || str_hex_digit(bytes[i + 1]) < 0 || str_hex_digit(bytes[i + 2]) < 0))
            return -1;
    }
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '%') {
            buf_addc(b, (char)(str_hex_digit(bytes[i + 1]) * 16 + str_hex_digit(bytes[i + 2])));
            i += 2;
        } else {
            buf_addc(b, bytes[i]);
        }
    }
    return 0;
}

void str_add_base64(struct buf *b, const void *bytes, size_t length)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = bytes;

    for (; length > 0;) {
        size_t taken = length < 3 ? length : 3;
        unsigned group = (unsigned)at[0] << 16 | (taken > 1 ? (unsigned)at[1] << 8 : 0) |
                         (taken > 2 ? (unsigned)at[2] : 0);
        const char digits[] = {
            alphabet[group >> 18],
            alphabet[group >> 12 & 63],
            taken > 1 ? alphabet[group >> 6 & 63] : '=',
            taken > 2 ? alphabet[group & 63] : '=',
        };
        buf_add(b, digits, sizeof digits);
        at += taken;
        length -= taken;
    }
}

int str_base64_length(const char *text, size_t length, size_t *decoded)
{
    size_t digits = length;
    bool standard = false, url = false;

    while (digits > 0 && text[digits - 1] == '=')
        digits--;
    if (digits % 4 == 1 || (digits < length && (length % 4 != 0 || length - digits > 2)))
        return -1;
    for (size_t i = 0; i < digits; i++) {
        standard = standard || is_one_of(text[i], "+/");
        url = url || is_one_of(text[i], "-_");
        if (!is_alphanumeric(text[i]) && !is_one_of(text[i], "+/-_"))
            return -1;
    }
    if (standard && url)
        return -1;
    *decoded = digits / 4 * 3 + (digits % 4 ? digits % 4 - 1 : 0);
    return 0;
}

static void add_json_escape(struct buf *b, char c)
{
    static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";

    if (is_one_of(c, named)) {
        buf_addc(b, '\\');
        buf_addc(b, letters[strchr(named, c) - named]);
    } else {
        buf_addf(b, "\\u%04x", (unsigned)(unsigned char)c);
    }
}

void str_add_json(struct buf *b, const char *bytes, size_t length)
{
    buf_addc(b, '"');
    for (size_t i = 0; i < length;) {
        size_t sequence = str_utf8(bytes + i, length - i);
        if (sequence == 0)
            buf_adds(b, "\xEF\xBF\xBD"); /* U+FFFD REPLACEMENT CHARACTER */
        else if ((unsigned char)bytes[i] < 0x20 || is_one_of(bytes[i], "\"\\"))
            add_json_escape(b, bytes[i]);
        else
            buf_add(b, bytes + i, sequence);
        i += sequence ? sequence : 1;
    }
    buf_addc(b, '"');
}

void str_add_shell(struct buf *b, const char *bytes, size_t length)
{
    bool plain = length > 0;
    for (size_t i = 0; i < length && plain; i++)
        plain = is_alphanumeric(bytes[i]) || is_one_of(bytes[i], "@%+=:,./_-");
    if (plain) {
        buf_add(b, bytes, length);
        return;
    }

    buf_addc(b, '\'');
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\'')
            buf_adds(b, "'\\''");
        else
            buf_addc(b, bytes[i]);
    }
    buf_addc(b, '\'');
}

/* A valid sequence that a terminal may obey: C0, DEL, C1, and the controls that turn the direction
 * of text (Unicode's Bidi_Control), with which a line can be made to read as another. */
static bool is_control(const char *s, size_t length)
{
    const unsigned char *byte = (const unsigned char *)s;

    if (length == 1)
        return byte[0] < 0x20 || byte[0] == 0x7F;
    if (length == 2) /* U+0080..U+009F, U+061C */
        return (byte[0] == 0xC2 && byte[1] < 0xA0) || (byte[0] == 0xD8 && byte[1] == 0x9C);
    if (length == 3 && byte[0] == 0xE2 && byte[1] == 0x80) /* U+200E, 200F, 202A..202E */
        return byte[2] == 0x8E || byte[2] == 0x8F || (byte[2] >= 0xAA && byte[2] <= 0xAE);
    if (length == 3 && byte[0] == 0xE2 && byte[1] == 0x81) /* U+2066..2069 */
        return byte[2] >= 0xA6 && byte[2] <= 0xA9;
    return false;
}

size_t str_sanitise_step(const char *bytes, size_t length, char piece[static STR_PIECE_BYTES],
                         size_t *piece_length)
{
    static const char hex[] = "0123456789abcdef";
    size_t sequence = str_utf8(bytes, length);

    if (sequence > 0 && !is_control(bytes, sequence)) {
        memcpy(piece, bytes, sequence);
        *piece_length = sequence;
        return sequence;
    }

    size_t escaped = sequence ? sequence : 1;
    for (size_t i = 0; i < escaped; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        const char escape[] = {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
        memcpy(piece + i * sizeof escape, escape, sizeof escape);
    }
    *piece_length = escaped * 4;
    return escaped;
}

void str_add_sanitised(struct buf *b, const char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        char piece[STR_PIECE_BYTES];
        size_t piece_length;
        at += str_sanitise_step(bytes + at, length - at, piece, &piece_length);
        buf_add(b, piece, piece_length);
    }
}

size_t str_put_utf8(uint32_t point, char *out)
{
    size_t length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

    if (length == 1) {
        out[0] = (char)point;
        return 1;
    }
    for (size_t i = length - 1; i > 0; i--, point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3F));
    out[0] = (char)((0xF00 >> length & 0xFF) | point);
    return length;
}

/* Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t str_utf8(const char *s, size_t n)
{
    const unsigned char *byte = (const unsigned char *)s;
    size_t length;

    if (n == 0)
        return 0;
    if (byte[0] < 0x80)
        return 1;
    if (byte[0] >= 0xC2 && byte[0] <= 0xDF)
        length = 2;
    else if (byte[0] >= 0xE0 && byte[0] <= 0xEF)
        length = 3;
    else if (byte[0] >= 0xF0 && byte[0] <= 0xF4)
        length = 4;
    else
        return 0;
    if (n < length)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((byte[i] & 0xC0) != 0x80)
            return 0;
    }
    if ((byte[0] == 0xE0 && byte[1] < 0xA0) || (byte[0] == 0xED && byte[1] > 0x9F) ||
        (byte[0] == 0xF0 && byte[1] < 0x90) || (byte[0] == 0xF4 && byte[1] > 0x8F))
        return 0;
    return length;
}
