/* envcontract/lint_rotate.c: what a schema cannot say about `rotate`. */
#include "envcontract/lint.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { CYCLE_SHOWN = 8 }; /* names of one */

/* ---- keys by strategy ----------------------------------------------------------------------- */

#define BIT(key) (1UL << (key))

/* Keys that only some strategies have. */
static const enum rotate_key own_keys[] = {
    ROTATE_LOGINS, ROTATE_OWNER,      ROTATE_LOGIN, ROTATE_ADMIN, ROTATE_PASSWORD,
    ROTATE_MOUNT,  ROTATE_ROLE,       ROTATE_BYTES, ROTATE_AS,    ROTATE_LENGTH,
    ROTATE_KEEP,   ROTATE_CONNECTION, ROTATE_STEPS, ROTATE_WHY,   ROTATE_ALPHABET,
};

static const struct {
    const char *strategy;
    unsigned long keys; /* of own_keys, those that it has */
} strategies[] = {
    {"pg-two-login",
     BIT(ROTATE_LOGINS) | BIT(ROTATE_OWNER) | BIT(ROTATE_ADMIN) | BIT(ROTATE_PASSWORD)},
    {"pg-login", BIT(ROTATE_LOGIN) | BIT(ROTATE_OWNER) | BIT(ROTATE_ADMIN) | BIT(ROTATE_PASSWORD)},
    {"vault-static", BIT(ROTATE_MOUNT) | BIT(ROTATE_ROLE) | BIT(ROTATE_ADMIN)},
    {"vault-root", BIT(ROTATE_MOUNT) | BIT(ROTATE_CONNECTION) | BIT(ROTATE_ADMIN)},
    {"vault-dynamic", BIT(ROTATE_MOUNT) | BIT(ROTATE_ROLE) | BIT(ROTATE_ADMIN)},
    {"random", BIT(ROTATE_BYTES) | BIT(ROTATE_AS) | BIT(ROTATE_LENGTH) | BIT(ROTATE_ALPHABET) |
                   BIT(ROTATE_KEEP)},
    {"hook", BIT(ROTATE_BYTES) | BIT(ROTATE_AS) | BIT(ROTATE_LENGTH) | BIT(ROTATE_ALPHABET)},
    {"manual", BIT(ROTATE_STEPS)},
    {"token", BIT(ROTATE_MOUNT) | BIT(ROTATE_ROLE)},
    {"none", BIT(ROTATE_WHY)},
};
_Static_assert(ROTATE_KEY_COUNT < 8 * sizeof(unsigned long), "a key has no bit");

bool rotation_has_key(const char *strategy, enum rotate_key key)
{
    bool is_own = false;

    for (size_t i = 0; i < ARRAY_LEN(own_keys); i++)
        is_own = is_own || own_keys[i] == key;
    for (size_t i = 0; is_own && i < ARRAY_LEN(strategies); i++)
        if (str_eq(strategy, strategies[i].strategy))
            return (strategies[i].keys & BIT(key)) != 0;
    return true; /* every strategy has it, or the strategy is not known: said */
}

/* Keys without which a strategy can do nothing. */
static const struct {
    const char *strategy;
    enum rotate_key key;
    const char *text;
} needs[] = {
    {"pg-two-login", ROTATE_LOGINS, "this strategy needs 'logins'"},
    {"pg-two-login", ROTATE_OWNER, "this strategy needs 'owner'"},
    {"vault-static", ROTATE_MOUNT, "this strategy needs 'mount'"},
    {"vault-static", ROTATE_ROLE, "this strategy needs 'role'"},
    {"vault-root", ROTATE_MOUNT, "this strategy needs 'mount'"},
    {"vault-root", ROTATE_CONNECTION, "this strategy needs 'connection'"},
    {"vault-dynamic", ROTATE_MOUNT, "this strategy needs 'mount'"},
    {"vault-dynamic", ROTATE_ROLE, "this strategy needs 'role'"},
    {"hook", ROTATE_HOOK, "this strategy needs 'hook'"},
};

bool rotation_needs_key(const char *strategy, enum rotate_key key)
{
    for (size_t i = 0; i < ARRAY_LEN(needs); i++)
        if (needs[i].key == key && str_eq(needs[i].strategy, strategy))
            return true;
    return false;
}

/* One is idle while the other is used. */
static bool are_two(const struct node *logins)
{
    return logins->kind != NODE_ARRAY /* said */ ||
           (logins->count == ROTATION_LOGINS &&
            !str_eq(node_text(logins->first), node_text(logins->first->next)));
}

static void look_at_needs(const struct look *look, struct said *said, const struct node *rotate,
                          const struct node *const *at, const char *strategy)
{
    for (size_t i = 0; i < ARRAY_LEN(needs); i++)
        if (str_eq(needs[i].strategy, strategy) && !at[needs[i].key])
            lint_say(look, said, rotate, AT_KEY, NULL, needs[i].text);
    if (at[ROTATE_LOGINS] && !are_two(at[ROTATE_LOGINS]))
        lint_say(look, said, at[ROTATE_LOGINS], AT_VALUE, "They take turns.",
                 "'logins' are not two different names");
}

static void look_at_keys(const struct look *look, struct said *said, const struct node *const *at,
                         const char *strategy)
{
    for (int key = 0; key < ROTATE_KEY_COUNT; key++) {
        if (at[key] && !rotation_has_key(strategy, (enum rotate_key)key))
            lint_say(look, said, at[key], AT_KEY, "It belongs to another strategy: take it away.",
                     "this strategy has no such key");
    }
}

/* ---- periods -------------------------------------------------------------------------------- */

static void look_at_periods(const struct look *look, struct said *said,
                            const struct node *const *at)
{
    const struct node *stale = look->layers.at[VARIABLE_STALE_OK];
    int64_t every = node_duration_ms(at[ROTATE_EVERY], -1);
    int64_t grace = node_duration_ms(at[ROTATE_GRACE], -1);

    if (every >= 0 && grace >= every)
        lint_say(look, said, at[ROTATE_GRACE], AT_VALUE,
                 "The former secret is to be gone when the next one comes.",
                 "'grace' is not shorter than 'every'");
    if (grace >= 0 && node_duration_ms(stale, -1) > grace)
        lint_say(look, said, stale, AT_VALUE,
                 "A stale value would be used when the former secret works no longer.",
                 "'stale_ok' is longer than 'grace'");
}

/* ---- sources -------------------------------------------------------------------------------- */

/* Of a composed value the user and the password are what a rotation writes. */
static bool is_login_part(const struct contract_part *part)
{
    return str_eq(part->name, "user") || str_eq(part->name, "password");
}

static bool has_login_parts(const struct contract_variable *variable)
{
    for (size_t i = 0; i < variable->part_count; i++)
        if (is_login_part(&variable->parts[i]))
            return true;
    return false;
}

bool lint_is_of_engine(const char *path)
{
    static const char *const words[] = {"/creds", "/static-creds", "/static-cred"};
    const char *role = strrchr(path, '/');

    for (size_t i = 0; role && i < ARRAY_LEN(words); i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(role - path) > length && memcmp(role - length, words[i], length) == 0)
            return true;
    }
    return false;
}

/* The others have the secret made by Vault, which keeps it. */
static bool strategy_writes(const char *strategy)
{
    return !str_starts(strategy, "vault-");
}

/* What the written parts have in common. */
struct written {
    bool unwritable; /* one of them is the environment, a file or a command */
    bool scattered;  /* they are not one KV path or the sealed store */
    bool nowhere;    /* what is to change is an engine's, or has no source at all */
};

static struct written written_parts(const struct contract_variable *variable)
{
    struct written written = {0};
    bool logins_only = has_login_parts(variable);
    const struct ref *first = NULL;

    for (size_t i = 0; i < variable->part_count; i++) {
        const struct ref *ref = &variable->parts[i].ref;
        if (logins_only && !is_login_part(&variable->parts[i]))
            continue;
        bool kv = ref->kind == REF_VAULT && ref->path && !lint_is_of_engine(ref->path);
        const char *part = variable->parts[i].name;
        written.nowhere = written.nowhere || ((!part || str_eq(part, "password")) && !kv &&
                                              (ref->kind == REF_VAULT || ref->kind == REF_NONE));
        written.unwritable = written.unwritable || ref->kind == REF_ENV || ref->kind == REF_FILE ||
                             ref->kind == REF_COMMAND;
        written.scattered = written.scattered || (!kv && ref->kind != REF_SEALED) ||
                            (first &&
                             (first->kind != ref->kind || (kv && !str_eq(first->path, ref->path))));
        first = first ? first : ref;
    }
    return written;
}

struct kv_mount lint_kv_mount(const struct look *look, const char *path)
{
    const struct node *vault = node_member(look->d->files[0].root, "vault");
    const struct node *over = look->profile
                                  ? node_member(node_member(vault, "profiles"), look->profile)
                                  : NULL;
    const struct node *kv = node_member(over, "kv");

    if (!kv)
        kv = node_member(vault, "kv");
    for (const struct node *mount = kv && kv->kind == NODE_OBJECT ? kv->first : NULL; mount;
         mount = mount->next) {
        size_t length = strlen(mount->key);
        if (length > 0 && mount->key[length - 1] == '/')
            length--; /* as Vault lists it */
        if (length > 0 && strncmp(path, mount->key, length) == 0 && path[length] == '/')
            return (struct kv_mount){length, node_integer(mount, 0)};
    }
    return (struct kv_mount){0};
}

/* Whether the contract says that PATH's mount is of KV version 1. */
static bool is_in_kv_1(const struct look *look, const char *path)
{
    return lint_kv_mount(look, path).version == 1;
}

/* Two runners that write there could not be told apart. */
static bool is_without_versions(const struct look *look)
{
    const struct contract_variable *variable = &look->variable;
    bool logins_only = has_login_parts(variable);

    for (size_t i = 0; i < variable->part_count; i++) {
        const struct ref *ref = &variable->parts[i].ref;
        bool written = !logins_only || is_login_part(&variable->parts[i]);
        if (written && ref->kind == REF_VAULT && ref->path && is_in_kv_1(look, ref->path))
            return true;
    }
    return false;
}

/* Whether NODE, a variable's key, lies in a profile over it. */
static bool is_in_profile(const struct node *node)
{
    return node && node->parent && node->parent->parent &&
           str_eq(node->parent->parent->key, "profiles");
}

/* A profile that takes the value from elsewhere, as a developer's machine does, has no rotation; one
 * that says both means both. */
static void look_at_source(const struct look *look, struct said *said, const struct node *rotate,
                           const char *strategy)
{
    const struct node *source = look->layers.at[VARIABLE_SOURCE];
    struct written written = written_parts(&look->variable);

    if (is_in_profile(source) && !is_in_profile(rotate))
        return;
    if (written.unwritable)
        lint_say(look, said, source ? source : rotate, source ? AT_VALUE : AT_KEY,
                 "Keep it in Vault or in the sealed store, or say {\"strategy\": \"none\", "
                 "\"why\": \"…\"}.",
                 "what comes from the environment, a file or a command is not rotated");
    else if (is_without_versions(look))
        lint_say(look, said, source, AT_VALUE, "Move it to a mount of version 2.",
                 "a secret in KV version 1, which has no check-and-set, is not rotated");
    else if (written.nowhere && strategy_writes(strategy))
        lint_say(look, said, source ? source : rotate, source ? AT_VALUE : AT_KEY,
                 "What an engine makes is rotated by vault-dynamic, vault-static or vault-root; a "
                 "secret in KV has another word than 'creds' before its name.",
                 "this strategy writes the new value, and there is no place for it");
    else if (written.scattered && !node_member(look->d->files[0].root, "records"))
        lint_say(
            look, said, rotate, AT_KEY,
            "Add \"records\": \"vault:secret/…/.agent/{name}\" to the contract: the state of a "
            "rotation is kept there.",
            "a source that is not one KV path, and no 'records'");
}

/* ---- the whole ------------------------------------------------------------------------------ */

void lint_rotation(const struct look *look, struct said *said)
{
    const struct node *rotate = look->layers.at[VARIABLE_ROTATE];
    const struct node *at[ROTATE_KEY_COUNT] = {NULL};

    if (!rotate || rotate->kind != NODE_OBJECT)
        return;
    keys_merge(rotate, at, ROTATE_KEY_COUNT);
    const char *strategy = node_text(at[ROTATE_STRATEGY]);
    if (!at[ROTATE_STRATEGY])
        lint_say(look, said, rotate, AT_KEY,
                 "One of pg-two-login, pg-login, vault-static, vault-root, vault-dynamic, random, "
                 "hook, manual, token, none.",
                 "'rotate' has no 'strategy'");
    if (strategy) {
        look_at_keys(look, said, at, strategy);
        look_at_needs(look, said, rotate, at, strategy);
    }
    look_at_periods(look, said, at);
    lint_note_logins(look, said, at);
    lint_note_places(look, said, at);
    if (strategy && !str_eq(strategy, "none") && look->d->source_bytes_left > 0)
        look_at_source(look, said, rotate, strategy);
}

/* One of what is done when a secret is current: a command, or a signal to the process of a file. */
static void look_at_after(struct contract_document *d, const struct node *entry)
{
    bool command = node_member(entry, "command") != NULL;
    bool signal = node_member(entry, "signal") != NULL;
    bool pidfile = node_member(entry, "pidfile") != NULL;

    if (entry->kind == NODE_OBJECT && (command ? signal || pidfile : !signal || !pidfile))
        problem(d, entry, AT_VALUE, "Either \"command\", or \"signal\" and \"pidfile\".",
                "an entry of 'after' that is neither a command nor a signal with its pidfile");
}

static void each_item(struct contract_document *d, const struct node *list,
                      void (*visit)(struct contract_document *d, const struct node *item))
{
    for (const struct node *item = list && list->kind == NODE_ARRAY ? list->first : NULL; item;
         item = item->next)
        visit(d, item);
}

static void look_at_mirror(struct contract_document *d, const struct node *item)
{
    source_check_written(d, item, false);
}

void lint_rotation_names(struct contract_document *d, const struct node *object)
{
    const struct node *rotate = node_member(object, "rotate");
    const struct node *depends_on = node_member(rotate, "depends_on");
    const struct node *test = node_member(rotate, "test");

    sections_check_url_variable(d, node_member(rotate, "admin"));
    each_item(d, node_member(rotate, "after"), look_at_after);
    each_item(d, node_member(rotate, "mirrors"), look_at_mirror);
    if (test && test->kind == NODE_OBJECT && !node_member(test, "command"))
        problem(d, test, AT_VALUE, NULL, "'test' has no 'command'");
    if (!depends_on || depends_on->kind != NODE_ARRAY)
        return;
    for (const struct node *item = depends_on->first; item; item = item->next)
        if (node_text(item) && item->count > 0)
            (void)relation_variable(d, item, AT_VALUE, item->text);
}

/* ---- cycles --------------------------------------------------------------------------------- */

/* A variable and those before which it is rotated, as one list for all: an order that holds in one
 * profile only would be none for people, so what lies over in a profile counts everywhere. */
struct edge {
    unsigned before, after; /* BEFORE is rotated first */
    const struct node *node;
};

struct order {
    struct contract_document *d;
    struct edge *edges; /* sorted by `before` */
    size_t count;
    unsigned *waits_for;          /* of each variable: how many are still to come before it */
    size_t *first;                /* of each variable: its edges begin there */
    unsigned *ready;              /* a queue */
    const struct edge **waits_by; /* of each variable that is left: one of those it waits for */
};

static void order_release(struct order *o)
{
    free(o->edges);
    free(o->waits_for);
    free(o->first);
    free(o->ready);
    free(o->waits_by);
}

/* The edges of OBJECT's `depends_on`; O->edges may be NULL: count only. */
static void add_edges(struct order *o, unsigned variable, const struct node *object)
{
    const struct node *depends_on = node_member(node_member(object, "rotate"), "depends_on");

    if (!depends_on || depends_on->kind != NODE_ARRAY)
        return;
    for (const struct node *item = depends_on->first; item; item = item->next) {
        long before = node_text(item) ? document_find(o->d, item->text) : -1;
        if (before < 0)
            continue;
        if (o->edges)
            o->edges[o->count] = (struct edge){(unsigned)before, variable, item};
        o->count++;
    }
}

static void collect(struct order *o)
{
    o->count = 0;
    for (size_t i = 0; i < o->d->variable_count; i++) {
        const struct node *profiles = node_member(o->d->variables[i], "profiles");
        add_edges(o, (unsigned)i, o->d->variables[i]);
        if (!profiles || profiles->kind != NODE_OBJECT)
            continue;
        for (const struct node *over = profiles->first; over; over = over->next)
            add_edges(o, (unsigned)i, over);
    }
}

static int compare_edges(const void *left, const void *right)
{
    const struct edge *a = left, *b = right;

    return (a->before > b->before) - (a->before < b->before);
}

static bool prepare(struct order *o)
{
    size_t variables = o->d->variable_count;

    o->edges = mem_new(o->count + 1, sizeof *o->edges);
    o->waits_for = mem_new(variables + 1, sizeof *o->waits_for);
    o->first = mem_new(variables + 1, sizeof *o->first);
    o->ready = mem_new(variables + 1, sizeof *o->ready);
    o->waits_by = mem_new(variables + 1, sizeof(void *));
    if (!o->edges || !o->waits_for || !o->first || !o->ready || !o->waits_by)
        return false;
    collect(o);
    qsort(o->edges, o->count, sizeof *o->edges, compare_edges);
    for (size_t i = 0, at = 0; i <= variables; i++) {
        o->first[i] = at;
        while (at < o->count && o->edges[at].before == i)
            o->waits_for[o->edges[at++].after]++;
    }
    return true;
}

/* Take away what can be rotated in some order; what is left waits for itself. */
static size_t take_away(struct order *o)
{
    size_t done = 0, queued = 0;

    for (size_t i = 0; i < o->d->variable_count; i++)
        if (o->waits_for[i] == 0)
            o->ready[queued++] = (unsigned)i;
    for (; done < queued; done++)
        for (size_t at = o->first[o->ready[done]]; at < o->first[o->ready[done] + 1]; at++)
            if (--o->waits_for[o->edges[at].after] == 0)
                o->ready[queued++] = o->edges[at].after;
    return o->d->variable_count - done;
}

/* A cycle that LAST's chain of predecessors runs into, from there on once around. */
static void say_cycle(const struct order *o, unsigned last)
{
    struct message names = {0};
    size_t count = 0;
    unsigned at = last;

    do {
        if (count++ < CYCLE_SHOWN)
            message_addf(&names, "%s, ", o->d->names[at]);
        at = o->waits_by[at]->before;
    } while (at != last);
    problem(o->d, o->waits_by[last]->node, AT_VALUE, "Take one of these 'depends_on' away.",
            "a cycle, each after the next one: %s%s%s", names.text,
            count > CYCLE_SHOWN ? "…, " : "", o->d->names[last]);
}

/* Each variable that is left waits for another one that is: going from one to the next ends in a
 * cycle. ROUND says in which walk a variable was seen. */
static void say_cycles(struct order *o, unsigned *round)
{
    unsigned now = 0;

    for (size_t i = 0; i < o->count; i++)
        if (o->waits_for[o->edges[i].before] > 0 && o->waits_for[o->edges[i].after] > 0)
            o->waits_by[o->edges[i].after] = &o->edges[i];
    for (size_t i = 0; i < o->d->variable_count && !problems_full(o->d); i++) {
        unsigned at = (unsigned)i;
        now++;
        while (o->waits_by[at] && round[at] == 0) {
            round[at] = now;
            at = o->waits_by[at]->before;
        }
        if (o->waits_by[at] && round[at] == now)
            say_cycle(o, at);
    }
}

void lint_rotation_cycles(struct contract_document *d)
{
    CLEANUP(order_release) struct order o = {.d = d};
    AUTO_FREE unsigned *round = mem_new(d->variable_count + 1, sizeof *round);

    collect(&o); /* counts */
    if (o.count == 0)
        return;
    if (!round || !prepare(&o))
        d->no_memory = true;
    else if (take_away(&o) > 0)
        say_cycles(&o, round);
}
