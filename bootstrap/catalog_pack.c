/* bootstrap/catalog_pack.c: a catalog as bytes, for another process of the same program.
 *
 * Texts that end with a NUL, one after the other: how many objects, context, what is not compared; then
 * for each object its flags, its position and its texts in the order of `texts_of`. Who reads the bytes
 * keeps them in one piece, and the catalog points into it. */
#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/catalog_internal.h"

enum {
    PACKED_TEXTS = 9,   /* of an object, without the loose one */
    FLAG_AUTOMATIC = 1, /* automatic_name */
    FLAG_BROKEN = 2,
    FLAG_LOOSE = 4, /* a text more: loose is another than the definition */
    FLAGS_ALL = FLAG_AUTOMATIC | FLAG_BROKEN | FLAG_LOOSE,
};

static void texts_of(struct catalog_object *o, const char **out[static PACKED_TEXTS])
{
    const char **const texts[PACKED_TEXTS] = {
        &o->kind,   &o->name, &o->definition, &o->cosmetic, &o->parent_kind,
        &o->parent, &o->word, &o->relation,   &o->words,
    };
    memcpy(out, texts, sizeof(texts));
}

static void add_text(struct buf *out, const char *text)
{
    buf_add(out, text, strlen(text) + 1);
}

static void add_number(struct buf *out, size_t number)
{
    buf_addf(out, "%zu", number);
    buf_addc(out, '\0');
}

void catalog_pack(const struct catalog *catalog, struct buf *out)
{
    add_number(out, catalog->count);
    add_text(out, catalog->context);
    add_text(out, catalog->not_compared);
    for (size_t i = 0; i < catalog->count; i++) {
        struct catalog_object o = catalog->objects[i];
        const char **texts[PACKED_TEXTS];
        bool is_loose = o.loose != o.definition;
        texts_of(&o, texts);
        add_number(out, (o.automatic_name ? FLAG_AUTOMATIC : 0u) | (o.broken ? FLAG_BROKEN : 0u) |
                            (is_loose ? FLAG_LOOSE : 0u));
        add_number(out, (size_t)o.position);
        for (size_t k = 0; k < PACKED_TEXTS; k++)
            add_text(out, *texts[k]);
        if (is_loose)
            add_text(out, o.loose);
    }
}

/* ---- and back ---------------------------------------------------------------------------------- */

struct unpacking {
    const char *at, *end;
    bool is_short; /* the bytes ended too early, or are none of ours */
};

static const char *take_text(struct unpacking *u)
{
    const char *text = u->at;
    const char *nul = text < u->end ? memchr(text, '\0', (size_t)(u->end - text)) : NULL;
    if (!nul) {
        u->is_short = true;
        return "";
    }
    u->at = nul + 1;
    return text;
}

static size_t take_number(struct unpacking *u, size_t max)
{
    const char *text = take_text(u);
    int64_t number = 0;
    if (str_to_int64(text, strlen(text), &number) != 0 || number < 0 || (size_t)number > max) {
        u->is_short = true;
        return 0;
    }
    return (size_t)number;
}

static void take_object(struct unpacking *u, struct catalog_object *o)
{
    const char **texts[PACKED_TEXTS];
    size_t flags = take_number(u, FLAGS_ALL);
    o->position = (long)take_number(u, LONG_MAX);
    o->automatic_name = (flags & FLAG_AUTOMATIC) != 0;
    o->broken = (flags & FLAG_BROKEN) != 0;
    texts_of(o, texts);
    for (size_t k = 0; k < PACKED_TEXTS; k++)
        *texts[k] = take_text(u);
    o->loose = (flags & FLAG_LOOSE) != 0 ? take_text(u) : o->definition;
}

int catalog_unpack(const char *bytes, size_t length, struct catalog *out, struct err *err)
{
    AUTO_CATALOG made = CATALOG_INIT;
    const char *copy = arena_dup_n(&made.arena, bytes, length);
    if (!copy)
        return err_nomem(err);
    struct unpacking u = {.at = copy, .end = copy + length};
    size_t count = take_number(&u, length);
    made.context = take_text(&u);
    made.not_compared = take_text(&u);
    made.objects = mem_new(count + 1, sizeof(*made.objects));
    if (!made.objects)
        return err_nomem(err);
    for (; made.count < count && !u.is_short; made.count++)
        take_object(&u, &made.objects[made.count]);
    if (u.is_short || u.at != u.end)
        return err_set(err, ERR_DEFECT, "a catalog of %zu bytes was cut off at object %zu of %zu",
                       length, made.count, count);
    *out = made;
    made = CATALOG_INIT; /* moved */
    return 0;
}
