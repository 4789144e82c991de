/* envcontract/keys.c: the tables of keys.h, and the walk that holds a tree against them. */
#include "envcontract/keys.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum { HINT_BYTES = 512, LISTED_KEYS = 12 }; /* a longer table is not listed in a hint */

static const char *const words_auth_method[] = {"token", "approle", "userpass", "kubernetes",
                                                "jwt",   "cert",    NULL};
static const char *const words_expose[] = {"app", "agent", NULL};
static const char *const words_level[] = {"error", "warning", NULL};
static const char *const words_strategy[] = {
    "pg-two-login", "pg-login", "vault-static", "vault-root", "vault-dynamic", "random", "hook",
    "manual",       "token",    "none",         NULL};
static const char *const words_password[] = {"verifier", "plain", NULL};
static const char *const words_encoding[] = {"base64", "base64url", "hex", NULL};
static const char *const words_empty[] = {"missing", "ok", NULL};
static const char *const words_stamp_style[] = {"alembic", "plain", NULL};
static const char *const words_state[] = {
    "fresh",     "current",    "behind",     "unknown-revision", "lost-stamp", "unstamped",
    "redundant", "stamp-only", "incomplete", "invisible",        NULL};

#define DOCS_WORD(kind, word, name) word,
static const char *const words_docs_kind[] = {DOCS_KINDS(DOCS_WORD) NULL};
#undef DOCS_WORD

/* Designated initialisers cannot stand in parentheses. NOLINTBEGIN(bugprone-macro-parentheses) */
#define NOTHING       .section = NULL
#define SECTION(name) .section = &section_##name
#define WORDS(name)   .words = words_##name
#define NO_ZERO(hint) .no_zero = hint
#define KEY_ROW(id, name_, kind_, status_, detail_) \
    {.name = (name_), .kind = (kind_), .status = (status_), detail_},
#define TABLE(name, ROWS) static const struct key keys_##name[] = {ROWS(KEY_ROW)}
#define SECTION_OF(name_, table, title_) \
    .name = #name_, .title = (title_), .keys = keys_##table, .count = ARRAY_LEN(keys_##table)
/* NOLINTEND(bugprone-macro-parentheses) */
#define PLAIN_SECTION(name, ROWS, title) \
    TABLE(name, ROWS);                   \
    static const struct section section_##name = {SECTION_OF(name, name, "'" title "'")}

/* Sections that lie in themselves. */
static const struct section section_variable_profile, section_vault_profile;

PLAIN_SECTION(profile, PROFILE_KEYS, "profile");
PLAIN_SECTION(auth, AUTH_KEYS, "auth");
PLAIN_SECTION(unknown, UNKNOWN_KEYS, "unknown");
PLAIN_SECTION(fence, FENCE_KEYS, "fences");
PLAIN_SECTION(group, GROUP_KEYS, "groups");
PLAIN_SECTION(rule, RULE_KEYS, "rules");
PLAIN_SECTION(alias, ALIAS_KEYS, "aliases");
PLAIN_SECTION(deprecated, DEPRECATED_KEYS, "deprecated");
PLAIN_SECTION(authority, AUTHORITY_KEYS, "authority");
PLAIN_SECTION(url, URL_KEYS, "url");
PLAIN_SECTION(path, PATH_KEYS, "path");
PLAIN_SECTION(item, ITEM_KEYS, "item");
PLAIN_SECTION(after, AFTER_KEYS, "after");
PLAIN_SECTION(test, TEST_KEYS, "test");
PLAIN_SECTION(rotate, ROTATE_KEYS, "rotate");
PLAIN_SECTION(create, CREATE_KEYS, "create");
PLAIN_SECTION(stamp, STAMP_KEYS, "stamp");
PLAIN_SECTION(database, DATABASE_KEYS, "database");
PLAIN_SECTION(guard_ignore, GUARD_IGNORE_KEYS, "ignore");
PLAIN_SECTION(guard, GUARD_KEYS, "guard");
PLAIN_SECTION(stale, STALE_KEYS, "stale");
PLAIN_SECTION(run, RUN_KEYS, "run");
PLAIN_SECTION(file, FILE_KEYS, "files");
PLAIN_SECTION(doc, DOC_KEYS, "docs");

TABLE(vault, VAULT_KEYS);
static const struct section section_vault = {SECTION_OF(vault, vault, "'vault'")};
static const struct section section_vault_profile = {
    SECTION_OF(vault_profile, vault, "a profile of 'vault'"), .nullable = true, .in_profile = true};

TABLE(variable, VARIABLE_KEYS);
static const struct section section_variable = {SECTION_OF(variable, variable, "a variable"),
                                                .nullable = true};
static const struct section section_variable_profile = {
    SECTION_OF(variable_profile, variable, "a profile of a variable"), .nullable = true,
    .in_profile = true};

TABLE(top, TOP_KEYS);
const struct section section_top = {SECTION_OF(top, top, "the contract")};
TABLE(included, INCLUDED_KEYS);
const struct section section_included = {SECTION_OF(included, included, "an included file")};

/* key_id is one byte. */
_Static_assert(ARRAY_LEN(keys_variable) < UCHAR_MAX && ARRAY_LEN(keys_rotate) < UCHAR_MAX,
               "a table has more keys than key_id can name");

static const struct key *find_key(const struct section *section, const char *name)
{
    for (size_t i = 0; i < section->count; i++) {
        if (section->keys[i].name[0] == name[0] && str_eq(section->keys[i].name, name))
            return &section->keys[i];
    }
    return NULL;
}

/* "Known here are a, b, c." where that fits a line or two. */
static void list_keys(const struct section *section, char hint[static HINT_BYTES])
{
    AUTO_BUF text = BUF_INIT(HINT_BYTES - 1);

    for (size_t i = 0; i < section->count; i++)
        buf_addf(&text, "%s%s", i == 0 ? "Known here are " : ", ", section->keys[i].name);
    buf_addc(&text, '.');
    (void)snprintf(hint, HINT_BYTES, "%s", buf_text(&text));
}

static void unknown_key(struct contract_document *d, const struct section *section,
                        const struct node *member)
{
    const char *names[UCHAR_MAX + 1];
    char hint[HINT_BYTES];

    if (problems_full(d))
        return; /* looking for the nearest one is work */
    for (size_t i = 0; i < section->count; i++)
        names[i] = section->keys[i].name;
    names[section->count] = NULL;
    (void)nearest_hint(d, member->key, names, section->count, hint);
    if (!hint[0] && section->count <= LISTED_KEYS)
        list_keys(section, hint);
    problem(d, member, AT_KEY, hint, "unknown key '%.*s' in %s", SHOWN(member->key),
            section->title);
}

static void check_member(struct contract_document *d, const struct section *section,
                         struct node *member)
{
    const struct key *key = find_key(section, member->key);

    if (!key) {
        unknown_key(d, section, member);
        return;
    }
    member->key_id = (unsigned char)(1 + (key - section->keys));
    if (section->in_profile && key->kind == KIND_SECTION_MAP) {
        problem(d, member, AT_KEY, NULL, "'%s' cannot stand inside a profile", key->name);
    } else if (member->kind == NODE_NULL && section->nullable) {
        return; /* takes the key away */
    } else {
        kind_check(d, key, member);
    }
}

void keys_check(struct contract_document *d, const struct section *section, struct node *object)
{
    for (struct node *member = object->first; member; member = member->next)
        check_member(d, section, member);
}

void keys_merge(const struct node *object, const struct node **merged, size_t count)
{
    if (!object || object->kind != NODE_OBJECT)
        return;
    for (const struct node *member = object->first; member; member = member->next) {
        if (member->key_id > 0 && member->key_id <= count)
            merged[member->key_id - 1] = member->kind == NODE_NULL ? NULL : member;
    }
}
