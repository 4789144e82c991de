/* redact.c: see base/redact.h. */
#include "base/redact.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/redact_parts.h"
#include "base/redact_set.h"
#include "base/str.h"

enum {
    /* The longest of the forms: each byte as \uXXXX, and two quotes. */
    FORM_BYTES_MAX = SECRET_MAX_BYTES * 6 + 2,
    BYTE_VALUES = 256,
};

#define REDACTED "***"

struct known_value {
    struct secret bytes; /* ours */
    uint64_t age;        /* in which it was registered last */
};

/* What is replaced. Longest first, so that the first that fits at a place is the longest there. */
static struct {
    struct secret *forms;
    size_t count, capacity;
    bool starts[BYTE_VALUES];   /* whether some form starts with that byte */
    struct known_value *values; /* what the forms are of */
    size_t value_count, value_capacity;
    size_t short_count;
    uint64_t age;
} known;

static bool is_known(const struct secret *form)
{
    for (size_t i = 0; i < known.count; i++)
        if (secret_equal(&known.forms[i], form))
            return true;
    return false;
}

static int insert(struct secret form, struct err *err)
{
    if (mem_grow(&known.forms, known.count, &known.capacity, sizeof(*known.forms)) != 0)
        return err_nomem(err);
    size_t at = 0;
    while (at < known.count && secret_length(&known.forms[at]) >= secret_length(&form))
        at++;
    memmove(known.forms + at + 1, known.forms + at, (known.count - at) * sizeof(*known.forms));
    known.forms[at] = form;
    known.count++;
    known.starts[(unsigned char)*secret_reveal(&form)] = true;
    return 0;
}

/* Remember the LENGTH bytes at TEXT, copied into the slab, unless they are known already. */
static int insert_copy(const char *text, size_t length, struct err *err)
{
    /* A longer one never shows up whole in a line of the log or an error. */
    if (length < REDACT_MIN_BYTES || length > SECRET_MAX_BYTES)
        return 0;
    struct secret view = secret_borrow(text, length);
    if (is_known(&view))
        return 0;
    AUTO_SECRET copy = SECRET_INIT;
    if (secret_set(&copy, text, length, err) != 0 || insert(copy, err) != 0)
        return -1;
    copy = SECRET_INIT; /* owned by the table now, to the end of the process */
    return 0;
}

/* The form without its first SKIP and its last DROP bytes. */
static int insert_buf(const struct buf *form, size_t skip, size_t drop, struct err *err)
{
    if (buf_check(form, ERR_RESOURCE, "an encoded secret", err) != 0)
        return -1;
    return insert_copy(buf_text(form) + skip, form->len - skip - drop, err);
}

static int insert_forms(const char *bytes, size_t length, struct err *err)
{
    AUTO_BUF form = BUF_INIT(FORM_BYTES_MAX);

    str_add_percent(&form, bytes, length);
    if (insert_buf(&form, 0, 0, err) != 0)
        return -1;
    buf_clear(&form);
    str_add_base64(&form, bytes, length);
    size_t padding = length % 3 == 0 ? 0 : 3 - length % 3; /* often left out */
    if (insert_buf(&form, 0, padding, err) != 0)
        return -1;
    buf_clear(&form);
    str_add_json(&form, bytes, length);
    if (insert_buf(&form, 1, 1, err) != 0) /* without its quotes */
        return -1;
    buf_clear(&form);
    str_add_sanitised(&form, bytes, length);
    return insert_buf(&form, 0, 0, err);
}

/* Errors are made harmless where they are set, before they come past here. */
static int insert_err_form(const char *bytes, size_t length, struct err *err)
{
    struct err as_text = ERR_INIT;

    if (length >= ERR_TEXT_BYTES) /* cut there */
        return 0;
    (void)err_set(&as_text, ERR_DEFECT, "%s", bytes);
    int result = insert_copy(as_text.text, strlen(as_text.text), err);
    mem_wipe(&as_text, sizeof(as_text));
    return result;
}

/* VIEW, whose bytes are the table's own, and all its forms. */
static int insert_value(struct secret view, struct err *err)
{
    if ((!is_known(&view) && insert(view, err) != 0) ||
        insert_forms(secret_reveal(&view), secret_length(&view), err) != 0)
        return -1;
    return insert_err_form(secret_reveal(&view), secret_length(&view), err);
}

static struct known_value *find_value(const struct secret *value)
{
    for (size_t i = 0; i < known.value_count; i++)
        if (secret_equal(&known.values[i].bytes, value))
            return &known.values[i];
    return NULL;
}

int redact_register(const struct secret *value, struct err *err)
{
    AUTO_SECRET copy = SECRET_INIT;

    if (!secret_is_set(value) || secret_length(value) < REDACT_MIN_BYTES) {
        known.short_count += secret_is_set(value) && secret_length(value) > 0;
        return 0;
    }
    struct known_value *present = find_value(value);
    if (present) {
        present->age = known.age;
        return 0;
    }
    if (mem_grow(&known.values, known.value_count, &known.value_capacity, sizeof(*known.values)) !=
        0)
        return err_nomem(err);
    if (secret_set(&copy, secret_reveal(value), secret_length(value), err) != 0)
        return -1;
    struct secret view = secret_borrow(secret_reveal(&copy), secret_length(&copy));
    known.values[known.value_count++] = (struct known_value){copy, known.age};
    copy = SECRET_INIT; /* the table has it from here on, also when a form fails */
    return insert_value(view, err);
}

static int register_part(void *owner, const char *part, size_t length, struct err *err)
{
    const struct secret view = secret_borrow(part, length);

    (void)owner;
    return length < REDACT_MIN_BYTES ? 0 : redact_register(&view, err);
}

int redact_register_value(const struct secret *value, struct err *err)
{
    if (redact_register(value, err) != 0)
        return -1;
    return secret_is_set(value) ? redact_each_part(secret_reveal(value), secret_length(value),
                                                   register_part, NULL, err)
                                : 0;
}

/* ---- values that are none any more --------------------------------------------------------------- */

static void release_forms(struct secret *forms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        secret_release(&forms[i]);
    free(forms);
}

/* The forms of the first COUNT values anew: a form may be that of two. On failure they are as before. */
static int insert_first(size_t count, struct err *err)
{
    struct secret *forms = known.forms;
    size_t form_count = known.count, capacity = known.capacity;
    int result = 0;

    known.forms = NULL;
    known.count = known.capacity = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        const struct secret *bytes = &known.values[i].bytes;
        result = insert_value(secret_borrow(secret_reveal(bytes), secret_length(bytes)), err);
    }
    if (result == 0) {
        release_forms(forms, form_count);
        return 0;
    }
    release_forms(known.forms, known.count);
    known.forms = forms;
    known.count = form_count;
    known.capacity = capacity;
    return -1;
}

uint64_t redact_age(void)
{
    return known.age;
}

void redact_next_age(void)
{
    known.age++;
}

/* Those that stay for good first, then the youngest. */
static int by_age(const void *a, const void *b)
{
    uint64_t one = ((const struct known_value *)a)->age - 1; /* 0 is the largest then */
    uint64_t other = ((const struct known_value *)b)->age - 1;

    return one < other ? 1 : one > other ? -1 : 0;
}

int redact_forget(uint64_t before, size_t keep, size_t *forgotten, struct err *err)
{
    size_t former = 0;

    for (size_t i = 0; i < known.value_count; i++)
        former += known.values[i].age > 0 && known.values[i].age < before;
    *forgotten = former > keep ? former - keep : 0;
    if (*forgotten == 0)
        return 0;
    qsort(known.values, known.value_count, sizeof(*known.values), by_age);
    if (insert_first(known.value_count - *forgotten, err) != 0)
        return -1;
    for (size_t i = 0; i < *forgotten; i++) {
        struct known_value *last = &known.values[--known.value_count];
        secret_release(&last->bytes);
        *last = (struct known_value){0};
    }
    return 0;
}

void redact_inherit_nothing(void)
{
    release_forms(known.forms, known.count); /* what is the parent's is left alone */
    free(known.values);
    memset(&known, 0, sizeof known);
}

/* ---- in a stream, and in a text ------------------------------------------------------------------ */

int redact_add_known(struct redact_set *set, struct err *err)
{
    for (size_t i = 0; i < known.value_count; i++)
        if (redact_set_add(set, &known.values[i].bytes, err) != 0)
            return -1;
    return 0;
}

int redact_each(int (*visit)(void *context, const struct secret *value), void *context)
{
    for (size_t i = 0; i < known.value_count; i++) {
        int result = visit(context, &known.values[i].bytes);
        if (result != 0)
            return result;
    }
    return 0;
}

size_t redact_short_count(void)
{
    return known.short_count;
}

/* The length of the longest form that starts at BYTES, or 0. */
static size_t match(const char *bytes, size_t length)
{
    if (!known.starts[(unsigned char)*bytes])
        return 0;
    for (size_t i = 0; i < known.count; i++) {
        size_t n = secret_length(&known.forms[i]);
        if (n <= length && memcmp(bytes, secret_reveal(&known.forms[i]), n) == 0)
            return n;
    }
    return 0;
}

void redact_add(struct buf *out, const char *bytes, size_t length)
{
    size_t plain = 0; /* start of what has not been copied yet */
    size_t cover = 0; /* end of what is hidden */

    /* Looks inside of what is hidden already too: two values may overlap. */
    for (size_t i = 0; i < length; i++) {
        size_t n = match(bytes + i, length - i);
        if (n == 0)
            continue;
        if (i >= cover) {
            buf_add(out, bytes + plain, i - plain);
            buf_adds(out, REDACTED);
        }
        if (i + n > cover)
            cover = i + n;
        plain = cover;
    }
    if (plain < length)
        buf_add(out, bytes + plain, length - plain);
}
