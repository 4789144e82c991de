/* redact_forms.c: see base/redact_forms.h. */
#include "base/redact_forms.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/str.h"

enum {
    /* The longest form: each byte as \uXXXX. */
    FORM_BYTES_MAX = SECRET_MAX_BYTES * 6 + 8,
    BASE64_GROUP = 3, /* bytes that become four letters */
    BASE64_LETTERS = 4,
    BITS_OF_BYTE = 8,
    BITS_OF_LETTER = 6,
    FIRST_SURROGATE = 0xd800,
    SECOND_SURROGATE = 0xdc00,
    FIRST_BEYOND_16_BITS = 0x10000,
    HALF_BITS = 10, /* of a code point, in each surrogate */
    HALF_MASK = 0x3ff,
};

struct forms {
    redact_form_sink sink;
    void *owner;
    struct buf *text; /* the form at hand */
};

static int put(struct forms *f, size_t skip, size_t drop, struct err *err)
{
    if (buf_check(f->text, ERR_RESOURCE, "an encoded secret", err) != 0)
        return -1;
    if (skip + drop >= f->text->len)
        return 0;
    return f->sink(f->owner, f->text->data + skip, f->text->len - skip - drop, err);
}

/* ---- percent-encoding ----------------------------------------------------------------------- */

struct percent_style {
    const char *plain; /* bytes that stay besides letters, digits and -._~ */
    bool plus;         /* a blank becomes + */
    bool lower;
};

static const struct percent_style percent_styles[] = {
    {"", false, false}, {"", false, true},       {"/", false, false},
    {"/", false, true}, {"!'()*", false, false}, {"!'()*", false, true},
    {"", true, false},  {"", true, true},        {"/:@!$&'()*+,;=", false, false},
};

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c));
}

static int put_percent(struct forms *f, const struct percent_style *style, const char *value,
                       size_t length, struct err *err)
{
    const char *digits = style->lower ? "0123456789abcdef" : "0123456789ABCDEF";

    buf_clear(f->text);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)value[i];
        if (is_unreserved(c) || (c != '\0' && strchr(style->plain, c))) {
            buf_addc(f->text, (char)c);
        } else if (c == ' ' && style->plus) {
            buf_addc(f->text, '+');
        } else {
            buf_addc(f->text, '%');
            buf_addc(f->text, digits[c >> 4]);
            buf_addc(f->text, digits[c & 0xf]);
        }
    }
    return put(f, 0, 0, err);
}

static int put_all_percent(struct forms *f, const char *value, size_t length, struct err *err)
{
    size_t plain = 0;

    while (plain < length && is_unreserved((unsigned char)value[plain]))
        plain++;
    if (plain == length)
        return 0; /* it stays as it is */
    for (size_t i = 0; i < ARRAY_LEN(percent_styles); i++)
        if (put_percent(f, &percent_styles[i], value, length, err) != 0)
            return -1;
    return 0;
}

/* ---- base64 --------------------------------------------------------------------------------- */

/* The form without its first SKIP and its last DROP letters, in both alphabets. */
static int put_alphabets(struct forms *f, size_t skip, size_t drop, struct err *err)
{
    bool differs = false;

    if (put(f, skip, drop, err) != 0)
        return -1;
    for (size_t i = 0; i < f->text->len; i++) {
        char c = f->text->data[i];
        if (c == '+' || c == '/') {
            f->text->data[i] = c == '+' ? '-' : '_';
            differs = true;
        }
    }
    return differs ? put(f, skip, drop, err) : 0;
}

static void encode(struct forms *f, size_t before, const char *value, size_t length)
{
    static const char others[BASE64_GROUP] = {0};
    AUTO_BUF whole = BUF_INIT(SECRET_MAX_BYTES + BASE64_GROUP);

    buf_add(&whole, others, before);
    buf_add(&whole, value, length);
    buf_clear(f->text);
    str_add_base64(f->text, whole.data, whole.len);
    f->text->no_memory |= whole.no_memory;
    f->text->too_long |= whole.too_long;
}

static const struct {
    size_t letters;
    const char *end;
} line_styles[] = {{76, "\n"}, {76, "\r\n"}, {64, "\n"}};

/* The LENGTH letters at LETTERS as lines, where they are more than one. */
static int put_lines(struct forms *f, const char *letters, size_t length, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(line_styles); i++) {
        size_t line = line_styles[i].letters;
        if (length <= line)
            continue;
        buf_clear(f->text);
        for (size_t at = 0; at < length; at += line) {
            if (at > 0)
                buf_adds(f->text, line_styles[i].end);
            buf_add(f->text, letters + at, length - at < line ? length - at : line);
        }
        if (put(f, 0, 0, err) != 0)
            return -1;
    }
    return 0;
}

/* By itself: with its padding, and what is there of it before a line's end or more. */
static int put_all_lines(struct forms *f, const char *value, size_t length, struct err *err)
{
    AUTO_BUF letters = BUF_INIT(FORM_BYTES_MAX);

    str_add_base64(&letters, value, length);
    if (buf_check(&letters, ERR_RESOURCE, "an encoded secret", err) != 0 ||
        put_lines(f, buf_text(&letters), letters.len, err) != 0)
        return -1;
    return put_lines(f, buf_text(&letters), length * BITS_OF_BYTE / BITS_OF_LETTER, err);
}

static int put_all_base64(struct forms *f, const char *value, size_t length, struct err *err)
{
    encode(f, 0, value, length); /* alone: with its padding, and without */
    size_t padding = length % BASE64_GROUP == 0 ? 0 : BASE64_GROUP - length % BASE64_GROUP;
    if (put_alphabets(f, 0, 0, err) != 0)
        return -1;
    encode(f, 0, value, length);
    if (put_alphabets(f, 0, padding, err) != 0)
        return -1;
    /* In a longer text: the letters that are made of its own bits alone. */
    for (size_t before = 0; before < BASE64_GROUP; before++) {
        encode(f, before, value, length);
        size_t first = (before * BITS_OF_BYTE + BITS_OF_LETTER - 1) / BITS_OF_LETTER;
        size_t end = (before + length) * BITS_OF_BYTE / BITS_OF_LETTER;
        if (f->text->len >= end && put_alphabets(f, first, f->text->len - end, err) != 0)
            return -1;
    }
    return put_all_lines(f, value, length, err);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

struct json_style {
    bool ascii;        /* what is not ASCII as \uXXXX, a pair of them beyond 16 bits */
    const char *plain; /* of "/<>&": what is not escaped all the same */
};

static const struct json_style json_styles[] = {
    {false, "/<>&"},                 /* RFC 8259's least */
    {true, "/<>&"},  {false, "<>&"}, /* \/ */
    {true, "<>&"},   {false, "/"},   /* \u003c: for what ends up in HTML */
};

static void add_unit(struct buf *text, unsigned unit)
{
    buf_addf(text, "\\u%04x", unit);
}

/* The sequence of LENGTH bytes at TEXT, valid UTF-8 of two bytes at least. */
static uint32_t code_point(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    uint32_t code = s[0] & (0xffU >> (length + 1));

    for (size_t i = 1; i < length; i++)
        code = code << 6 | (s[i] & 0x3fU);
    return code;
}

static void add_beyond_ascii(struct buf *text, const char *from, size_t length)
{
    uint32_t code = code_point(from, length);

    if (code < FIRST_BEYOND_16_BITS) {
        add_unit(text, code);
        return;
    }
    code -= FIRST_BEYOND_16_BITS;
    add_unit(text, FIRST_SURROGATE + (code >> HALF_BITS));
    add_unit(text, SECOND_SURROGATE + (code & HALF_MASK));
}

static void add_ascii(struct buf *text, const struct json_style *style, unsigned char c)
{
    static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *at = c ? strchr(named, c) : NULL;

    if (at) {
        buf_addc(text, '\\');
        buf_addc(text, letters[at - named]);
    } else if (c < ' ' || (strchr("<>&", c) && !strchr(style->plain, c))) {
        add_unit(text, c);
    } else {
        if (c == '/' && !strchr(style->plain, c))
            buf_addc(text, '\\');
        buf_addc(text, (char)c);
    }
}

static int put_json(struct forms *f, const struct json_style *style, const char *value,
                    size_t length, struct err *err)
{
    buf_clear(f->text);
    for (size_t i = 0, step; i < length; i += step) {
        step = str_utf8(value + i, length - i);
        if (step == 1)
            add_ascii(f->text, style, (unsigned char)value[i]);
        else if (step > 1 && style->ascii)
            add_beyond_ascii(f->text, value + i, step);
        else if (step > 1)
            buf_add(f->text, value + i, step);
        else
            return 0; /* not UTF-8: no JSON has it */
    }
    return put(f, 0, 0, err);
}

/* ---- all of them ---------------------------------------------------------------------------- */

int redact_each_form(const char *value, size_t length, redact_form_sink sink, void *owner,
                     struct err *err)
{
    AUTO_BUF text = BUF_INIT(FORM_BYTES_MAX);
    struct forms forms = {sink, owner, &text};
    int result = sink(owner, value, length, err);

    if (result == 0)
        result = put_all_percent(&forms, value, length, err);
    if (result == 0)
        result = put_all_base64(&forms, value, length, err);
    for (size_t i = 0; result == 0 && i < ARRAY_LEN(json_styles); i++)
        result = put_json(&forms, &json_styles[i], value, length, err);
    return result;
}
