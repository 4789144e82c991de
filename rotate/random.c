/* random.c: keys that nobody but the application has to accept: sessions, signatures, tokens of ours.
 *
 * With `keep` the former ones are published beside the new one, in the field <NAME>_PREVIOUS of the same
 * place, so that what was signed before is still verified. They become current in the same write. */
#include <string.h>

#include "rotate/generate.h"
#include "rotate/place.h"

#define PREVIOUS_SUFFIX   "_PREVIOUS"
#define DEFAULT_SEPARATOR ","

enum { NAME_MAX_BYTES = 512 }; /* of a field */

static const char *separator_of(const struct rotate_spec *spec)
{
    return spec->separator && *spec->separator ? spec->separator : DEFAULT_SEPARATOR;
}

/* Where the item at TEXT[0 .. LEFT) ends. */
static size_t item_length(const char *text, size_t left, const char *separator)
{
    const char *next = memmem(text, left, separator, strlen(separator));

    return next ? (size_t)(next - text) : left;
}

/* At most COUNT items of the list TEXT, each with the separator before it. */
static void add_items(struct buf *out, const struct secret *list, const char *separator,
                      size_t count)
{
    const char *text = secret_reveal(list);
    size_t left = secret_length(list);

    while (count > 0 && left > 0) {
        size_t length = item_length(text, left, separator);
        if (length > 0) {
            buf_adds(out, separator);
            buf_add(out, text, length);
            count--;
        }
        size_t skipped = length < left ? length + strlen(separator) : left;
        text += skipped;
        left -= skipped;
    }
}

/* FORMER, and behind it those that were former already: newest first, spec->keep in all. */
static int list_former(const struct rotation *r, const struct secret *former,
                       const struct secret *earlier, struct secret *out, struct err *err)
{
    const char *separator = separator_of(r->spec);
    size_t length = secret_length(former);
    AUTO_BUF text = BUF_INIT(SECRET_MAX_BYTES);

    if (r->spec->keep > 1 && item_length(secret_reveal(former), length, separator) < length) {
        (void)err_set(err, ERR_CONTRACT,
                      "the present value of '%s' has the separator '%s' in it, so that it can't be "
                      "kept in a list",
                      r->spec->variable, separator);
        return err_hint(err, "Choose another 'separator', or \"keep\": 1.");
    }
    buf_add(&text, secret_reveal(former), length);
    if (earlier && r->spec->keep > 1)
        add_items(&text, earlier, separator, r->spec->keep - 1);
    if (buf_check(&text, ERR_CONTRACT, "the list of former values", err) != 0)
        return -1;
    return secret_set(out, buf_text(&text), text.len, err);
}

static int previous_name(const struct rotation *r, struct buf *out, struct err *err)
{
    buf_addf(out, "%s" PREVIOUS_SUFFIX, r->spec->variable);
    return buf_check(out, ERR_CONTRACT, "the field of former values", err);
}

/* What is former now is published as <NAME>_PREVIOUS. */
static int stage_previous(struct rotation *r, struct err *err)
{
    AUTO_BUF name = BUF_INIT(NAME_MAX_BYTES);
    const struct secret *former = place_current(r, place_field(r->spec));
    AUTO_SECRET list = SECRET_INIT;

    if (!former || secret_length(former) == 0) /* it is the first one */
        return 0;
    if (previous_name(r, &name, err) != 0)
        return -1;
    const struct secret *earlier = place_current(r, buf_text(&name));
    if (list_former(r, former, earlier, &list, err) != 0)
        return -1;
    return place_stage(r, buf_text(&name), &list, err);
}

static int random_stage(struct rotation *r, struct err *err)
{
    AUTO_SECRET value = SECRET_INIT;

    if (generate_value(r->spec, &value, err) != 0 || place_stage_generated(r, &value, err) != 0)
        return -1;
    return r->spec->keep > 0 ? stage_previous(r, err) : 0;
}

static int random_retire(struct rotation *r, struct err *err)
{
    (void)err;
    if (r->spec->keep > 0)
        engine_say(r,
                   "the former value is published in '%s" PREVIOUS_SUFFIX
                   "' until %zu more rotation%s: the application decides what it still accepts",
                   r->spec->variable, r->spec->keep, r->spec->keep == 1 ? "" : "s");
    else
        engine_say(r, "nothing outside keeps the former value, so there is nothing to be ended");
    return 0;
}

static int random_plan(struct rotation *r, struct buf *out, bool *ready, struct err *err)
{
    AUTO_SECRET value = SECRET_INIT;

    if (generate_value(r->spec, &value, err) != 0) {
        *ready = false;
        return -1;
    }
    buf_addf(out, "  nobody outside is touched: a new value of %zu characters is generated\n",
             secret_length(&value));
    if (r->spec->keep > 0)
        buf_addf(out, "  %zu former value%s stay%s published as '%s" PREVIOUS_SUFFIX "'\n",
                 r->spec->keep, r->spec->keep == 1 ? "" : "s", r->spec->keep == 1 ? "s" : "",
                 r->spec->variable);
    return 0;
}

/* The former needs nothing to work again. What was published beside it becomes what it was before; where
 * there was nothing, the value that is withdrawn now, since something may have been signed with it. */
static int random_rollback(struct rotation *r, struct err *err)
{
    AUTO_BUF name = BUF_INIT(NAME_MAX_BYTES);
    const struct secret *withdrawn = record_field(&r->record, place_field(r->spec));

    if (previous_name(r, &name, err) != 0)
        return -1;
    if (!withdrawn || !record_field(&r->record, buf_text(&name)) ||
        record_former(&r->record, buf_text(&name)))
        return 0;
    struct secret value = *withdrawn; /* setting may move what that points at */
    return document_set(&r->record.data, PLACE_FORMER, buf_text(&name), &value, err);
}

const struct strategy strategy_random = {
    .kind = ROTATE_RANDOM,
    .overlap = "what accepts the former value is the application's affair: see 'keep'",
    .reads_current = true,
    .promotes = true,
    .stage = random_stage,
    .retire = random_retire,
    .rollback = random_rollback,
    .plan = random_plan,
};
