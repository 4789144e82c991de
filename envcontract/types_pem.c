/* envcontract/types_pem.c: blocks of PEM, as keys and certificates come.
 *
 * RFC 7468: "-----BEGIN LABEL-----", base64, "-----END LABEL-----", several of them, and text
 * before, between and behind them that nobody reads. Behind a BEGIN there may be headers and an
 * empty line, as RFC 1421 has it and OpenSSL still writes it for keys with a passphrase. */
#include "envcontract/types.h"

struct line {
    const char *text;
    size_t length; /* without white space at its end */
};

/* A block that is open. */
struct block {
    struct line label;
    size_t digits, padding; /* of its base64 so far */
    bool in_headers, has_headers;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool next_line(const char *bytes, size_t length, size_t *at, struct line *out)
{
    if (*at >= length)
        return false;
    const char *begin = bytes + *at, *end = memchr(begin, '\n', length - *at);
    size_t whole = end ? (size_t)(end - begin) : length - *at;
    *at += whole + 1;
    *out = (struct line){.text = begin, .length = whole};
    while (out->length > 0 && is_blank(begin[out->length - 1]))
        out->length--;
    return true;
}

/* Whether LINE is "-----WORD LABEL-----". A label has no two dashes in a row (RFC 7468, 3). */
static bool is_edge(const struct line *line, const char *word, struct line *label)
{
    static const char dashes[] = "-----";
    size_t dash = sizeof dashes - 1, begin = dash + strlen(word);
    if (line->length <= begin + dash || memcmp(line->text, dashes, dash) != 0 ||
        memcmp(line->text + dash, word, begin - dash) != 0 ||
        memcmp(line->text + line->length - dash, dashes, dash) != 0)
        return false;
    *label = (struct line){.text = line->text + begin, .length = line->length - begin - dash};
    return !memmem(label->text, label->length, "--", 2);
}

/* One line of base64 inside of BLOCK. */
static bool take_body(struct block *block, const struct line *line, size_t at,
                      struct trouble *trouble)
{
    if (line->length == 0)
        return trouble_at(trouble, at, "an empty line inside of a block");
    for (size_t i = 0; i < line->length; i++) {
        char c = line->text[i];
        if (c == '=' && block->padding < 2)
            block->padding++;
        else if ((!is_alphanumeric(c) && c != '+' && c != '/') || block->padding > 0)
            return trouble_at(trouble, at + i, "no base64");
        block->digits++;
    }
    return true;
}

/* A line between BEGIN and END. */
static bool take_line(struct block *block, const struct line *line, size_t at,
                      struct trouble *trouble)
{
    bool header = memchr(line->text, ':', line->length) != NULL;
    if (block->in_headers && header) {
        block->has_headers = true;
        return true;
    }
    if (block->in_headers && block->has_headers) { /* a header goes on, or they end */
        block->in_headers = line->length > 0;
        return true;
    }
    block->in_headers = false;
    return take_body(block, line, at, trouble);
}

static bool close_block(const struct block *block, const struct line *label, size_t at,
                        struct trouble *trouble)
{
    if (label->length != block->label.length ||
        memcmp(label->text, block->label.text, label->length) != 0)
        return trouble_at(trouble, at, "an END that is not its BEGIN's");
    if (block->digits == 0)
        return trouble_at(trouble, at, "an END with nothing before it");
    if (block->digits % 4 != 0)
        return trouble_at(trouble, at, "base64 that is cut short before the END");
    return true;
}

/* No block was found: mostly because a tool took the line breaks away. */
static bool no_block(const char *bytes, size_t length, struct trouble *trouble)
{
    if (memmem(bytes, length, "-----BEGIN ", 11) && !memchr(bytes, '\n', length)) {
        trouble->hint = "A file keeps the line breaks; many env files need quotes around them.";
        return trouble_at(trouble, NO_PLACE,
                          memmem(bytes, length, "\\n", 2)
                              ? "its line breaks are there as a backslash and an n"
                              : "its line breaks are gone");
    }
    return trouble_at(trouble, NO_PLACE, "no BEGIN on a line of its own");
}

bool types_is_pem(const char *bytes, size_t length, struct trouble *trouble)
{
    struct block block = {0};
    struct line line, label;
    size_t blocks = 0, opened = 0;
    bool open = false;
    for (size_t at = 0, begin = 0; next_line(bytes, length, &at, &line); begin = at) {
        if (is_edge(&line, "BEGIN ", &label)) {
            if (open)
                return trouble_at(trouble, begin, "a BEGIN inside of a block");
            block = (struct block){.label = label, .in_headers = true};
            opened = begin;
            open = true;
        } else if (is_edge(&line, "END ", &label)) {
            if (!open)
                return trouble_at(trouble, begin, "an END without its BEGIN");
            if (!close_block(&block, &label, begin, trouble))
                return false;
            open = false;
            blocks++;
        } else if (open && !take_line(&block, &line, begin, trouble)) {
            return false;
        }
    }
    if (open)
        return trouble_at(trouble, opened, "a BEGIN without its END");
    return blocks > 0 || no_block(bytes, length, trouble);
}
