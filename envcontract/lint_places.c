/* envcontract/lint_places.c: no place is written to by the rotations of two variables.
 *
 * Each would take the other's value for its own former one, and end it: what one of them published stops
 * working at the other's retire, and neither record knows of that. A mirror that lies where another rotation
 * writes is replaced by it in the same way. */
#include "envcontract/lint.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum {
    PLACES_MAX_BYTES = 16 * 1024 * 1024,
    COPIES = 2, /* of a reference: substituted, and taken apart */
};

#define DATA "data/"

struct place_uses place_uses_new(void)
{
    return (struct place_uses){.texts = ARENA_INIT, .bytes_left = PLACES_MAX_BYTES};
}

void place_uses_release(struct place_uses *uses)
{
    free(uses->list);
    arena_release(&uses->texts);
    *uses = (struct place_uses){0};
}

/* ---- one place -------------------------------------------------------------------------------- */

static bool may_take(const struct look *look, struct place_uses *uses, size_t bytes)
{
    if (uses->bytes_left >= bytes) {
        uses->bytes_left -= bytes;
        return true;
    }
    if (uses->bytes_left > 0)
        problem(look->d, NULL, AT_KEY, "Split the contract.",
                "the places that rotations write to have more than %d bytes together",
                PLACES_MAX_BYTES);
    uses->bytes_left = 0;
    return false;
}

/* PATH without the data/ that may stand behind its mount: where nobody says what that is, the first segment. */
static const char *plain_path(const struct look *look, struct place_uses *uses, const char *path)
{
    size_t length = lint_kv_mount(look, path).length;

    if (length == 0)
        length = strcspn(path, "/");
    if (!path[length] || !str_starts(path + length + 1, DATA))
        return path;
    const char *rest = path + length + 1 + strlen(DATA);
    const char *plain = arena_printf(&uses->texts, "%.*s/%s", (int)length, path, rest);
    look->d->no_memory = look->d->no_memory || !plain;
    return plain;
}

static void add(const struct look *look, struct place_uses *uses, const struct place_use *use)
{
    if (mem_grow(&uses->list, uses->count, &uses->capacity, sizeof *uses->list) != 0)
        look->d->no_memory = true;
    else
        uses->list[uses->count++] = *use;
}

/* What TEXT refers to in PROFILE, as USE's place; FIELD: another one of the same secret, or NULL. */
static void note_in(const struct look *look, struct place_uses *uses, const char *text,
                    const char *profile, const char *field, struct place_use use)
{
    struct contract_document *d = look->d;
    struct err err = ERR_INIT;
    struct ref ref = {.kind = REF_NONE};
    const char *whole = source_substitute(d, &uses->texts, text, d->names[look->index], profile);

    if (!whole || !may_take(look, uses, COPIES * strlen(whole) + sizeof use))
        return;
    if (ref_parse(&uses->texts, whole, &ref, &err) != 0) {
        d->no_memory = d->no_memory || err.kind == ERR_RESOURCE; /* else it was said */
        return;
    }
    if (ref.kind != REF_SEALED && (ref.kind != REF_VAULT || lint_is_of_engine(ref.path)))
        return;
    use.path = ref.kind == REF_VAULT ? plain_path(look, uses, ref.path) : NULL;
    use.field = field ? field : ref.kind == REF_VAULT ? ref.field : ref.path;
    if (!d->no_memory)
        add(look, uses, &use);
}

/* Where the text of VALUE is another one in each profile, it is noted for each by itself. */
static void note(const struct look *look, struct place_uses *uses, const struct node *value,
                 const char *field, struct place_use use)
{
    const struct contract_document *d = look->d;
    const char *text = node_text(value);

    if (!value || !text || value->count > KEY_SOURCE_MAX_BYTES)
        return; /* said */
    use.by.profiles = look->profiles;
    use.by.index = look->index;
    if (d->profile_count == 0 || !strstr(text, "{profile}")) {
        note_in(look, uses, text, look->profile, field, use);
        return;
    }
    for (size_t i = 0; i < d->profile_count && uses->bytes_left > 0; i++) {
        use.by.profiles = UINT32_C(1) << i;
        if (look->profiles & use.by.profiles)
            note_in(look, uses, text, d->profiles[i], field, use);
    }
}

/* ---- the places of a variable ------------------------------------------------------------------- */

static bool is_of_base(const struct node *node)
{
    const struct node *top = node;

    while (top->parent && top->parent->parent)
        top = top->parent;
    return str_eq(top->key, "base");
}

/* Where the variable itself says it, if it does: what lies in `base` is every variable's. */
static const struct node *own_or(const struct look *look, const struct node *first,
                                 const struct node *second)
{
    return !is_of_base(first)              ? first
           : second && !is_of_base(second) ? second
                                           : look->d->variables[look->index];
}

static void note_value(const struct look *look, struct place_uses *uses,
                       const struct node *const *at)
{
    const char *strategy = node_text(at[ROTATE_STRATEGY]);
    const struct node *source = look->layers.at[VARIABLE_SOURCE];
    bool is_composed = source && source->kind == NODE_OBJECT;
    const struct node *value = is_composed ? node_member(source, "password") : source;
    struct place_use use = {
        .by.node = own_or(look, look->layers.at[VARIABLE_ROTATE], source),
    };

    if (!strategy || str_starts(strategy, "vault-")) /* Vault keeps what it makes */
        return;
    note(look, uses, value, NULL, use);
    if (is_composed && str_eq(strategy, "pg-two-login"))
        note(look, uses, node_member(source, "user"), NULL, use);
    if (!str_eq(strategy, "random") || node_integer(at[ROTATE_KEEP], 0) <= 0 || !node_text(value))
        return;
    const char *former = arena_printf(&uses->texts, "%s_PREVIOUS", look->d->names[look->index]);
    if (!former)
        look->d->no_memory = true;
    else if (may_take(look, uses, strlen(former) + 1))
        note(look, uses, value, former, use);
}

void lint_note_places(const struct look *look, struct said *said, const struct node *const *at)
{
    struct place_uses *uses = said->places;
    const struct node *mirrors = at[ROTATE_MIRRORS];
    const struct node *item = mirrors && mirrors->kind == NODE_ARRAY ? mirrors->first : NULL;

    if (uses->bytes_left == 0 || str_eq(node_text(at[ROTATE_STRATEGY]), "none"))
        return;
    note_value(look, uses, at);
    for (; item && uses->bytes_left > 0 && !look->d->no_memory; item = item->next) {
        struct place_use use = {.by.node = own_or(look, item, NULL), .is_mirror = true};
        note(look, uses, item, NULL, use);
    }
}

/* ---- two of them ------------------------------------------------------------------------------ */

_Static_assert(offsetof(struct place_use, by) == 0, "a use is where its place is");

static const struct place_use *place_of(const struct use *use)
{
    return (const struct place_use *)use;
}

static int compare_texts(const char *a, const char *b)
{
    return a == b ? 0 : strcmp(a ? a : "", b ? b : "");
}

static int compare_places(const struct place_use *a, const struct place_use *b)
{
    int by_path = compare_texts(a->path, b->path); /* none is empty */

    return by_path != 0 ? by_path : compare_texts(a->field, b->field);
}

/* The same place, then in the order of the contract, the value before its mirrors. */
static int compare_uses(const void *left, const void *right)
{
    const struct place_use *a = left, *b = right;
    int by_place = compare_places(a, b);

    if (by_place != 0)
        return by_place;
    if (a->by.index != b->by.index)
        return a->by.index > b->by.index ? 1 : -1;
    return (int)a->is_mirror - (int)b->is_mirror;
}

/* Which place that is, and where the other one is said. */
static void add_place(const struct place_use *use, struct message *out)
{
    if (use->path)
        message_addf(out, "'vault:%.*s#%.*s'", SHOWN(use->path), SHOWN(use->field));
    else
        message_addf(out, "'sealed:%.*s'", SHOWN(use->field));
}

static void add_line(const struct contract_document *d, const struct node *node,
                     const struct node *here, struct message *out)
{
    message_addf(out, " (line %u", node->key ? node->key_line : node->line);
    if (node->file != here->file)
        message_addf(out, " of '%.*s'", SHOWN(d->files[node->file].path));
    message_addf(out, ")");
}

static void say(struct contract_document *d, const struct place_use *use,
                const struct place_use *other)
{
    const char *hint = "Rotate it by one of both, and let the other one only read it; or let each "
                       "have a field of its own.";
    struct message text = {0};

    message_addf(&text, use->is_mirror ? "a mirror of '%.*s' is " : "'%.*s' rotates ",
                 SHOWN(d->names[use->by.index]));
    add_place(use, &text);
    if (use->by.index == other->by.index) {
        hint = "Take it away: a rotation writes its own place by itself.";
        message_addf(&text, ", which is what it rotates");
    } else {
        message_addf(&text,
                     other->is_mirror ? ", which is a mirror of '%.*s'" : ", which '%.*s' rotates",
                     SHOWN(d->names[other->by.index]));
        add_line(d, other->by.node, use->by.node, &text);
    }
    problem(d, use->by.node, use->by.node->key ? AT_KEY : AT_VALUE, hint, "%s", text.text);
}

/* Of a mirror: the value of the same variable at the same place, or NULL. */
static const struct use *own_value(const struct use *const owners[static CONTRACT_MAX_PROFILES],
                                   const struct place_use *use)
{
    for (size_t i = 0; use->is_mirror && i < CONTRACT_MAX_PROFILES; i++)
        if ((use->by.profiles & UINT32_C(1) << i) && owners[i] != &use->by &&
            !place_of(owners[i])->is_mirror)
            return owners[i];
    return NULL;
}

void lint_places(struct contract_document *d, const struct place_uses *uses)
{
    const struct use *owners[CONTRACT_MAX_PROFILES] = {NULL};

    if (uses->count > 0) /* qsort takes no NULL */
        qsort(uses->list, uses->count, sizeof *uses->list, compare_uses);
    for (size_t i = 0; i < uses->count && !problems_full(d); i++) {
        const struct place_use *use = &uses->list[i];
        if (i > 0 && compare_places(use - 1, use) != 0)
            memset(owners, 0, sizeof owners);
        const struct use *other = lint_take(owners, &use->by);
        if (!other)
            other = own_value(owners, use);
        if (other)
            say(d, use, place_of(other));
    }
}
