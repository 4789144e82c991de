/* envcontract/drift_script.c: the names that JavaScript and TypeScript ask the environment for.
 *
 *   process.env.X  process.env["X"]  "X" in process.env  const {A, B: b = 1} = process.env
 *   import.meta.env.X  Deno.env.get("X")  Bun.env.X  and  const env = process.env; env.X
 *   (process.env as any).X  const {env: e} = process
 *
 * Setting or deleting a name is no use of it. */
#include "envcontract/drift_read.h"

#include <string.h>

#include "base/str.h"

enum {
    MAX_BOUND = 32,                 /* names that stand for the environment in one file */
    MAX_DESTRUCTURED_TOKENS = 4096, /* looked back over for the brace of {A, B} = process.env */
    MAX_INDEX_TOKENS = 256,
};

struct script_names {
    struct drift *d;
    unsigned starts[MAX_BOUND], lengths[MAX_BOUND];
    size_t count;
};

static void add_token(struct drift *d, size_t i)
{
    const struct drift_token *token = &d->tokens[i];

    drift_add(d, DRIFT_READ, d->text + token->start, token->length, token->start);
}

/* Whether what ends before token I is assigned to: `=`, and neither `==` nor `=>`. */
static bool is_assigned(const struct drift *d, size_t i)
{
    return token_is(d, i, '=') && !token_is(d, i + 1, '=') && !token_is(d, i + 1, '>');
}

/* What Vite itself puts into import.meta.env. */
static bool is_of_vite(const struct drift *d, size_t i)
{
    static const char *const names[] = {"MODE", "DEV", "PROD", "SSR", "BASE_URL"};

    for (size_t k = 0; k < ARRAY_LEN(names); k++)
        if (token_has(d, i, names[k], strlen(names[k])))
            return true;
    return false;
}

/* ---- {A, B: b} = process.env ---------------------------------------------------------------- */

/* The brace that the one at token I closes. SIZE_MAX: it is too far away, or there is none. */
static size_t opening_brace(const struct drift *d, size_t i)
{
    size_t depth = 0;

    for (size_t most = MAX_DESTRUCTURED_TOKENS; most > 0; i--, most--) {
        char sign = d->tokens[i].sign;
        if (sign == '}' || sign == ']' || sign == ')')
            depth++;
        else if ((sign == '{' || sign == '[' || sign == '(') && --depth == 0)
            return i;
        if (i == 0)
            break;
    }
    return SIZE_MAX;
}

/* The names between the braces at tokens OPEN and CLOSE: each one that begins an entry. */
static void read_destructured(struct drift *d, size_t open, size_t close, bool is_vites)
{
    size_t depth = 0;

    for (size_t i = open; i < close; i++) {
        char sign = d->tokens[i].sign;
        if (sign == '{' || sign == '[' || sign == '(')
            depth++;
        else if (sign == '}' || sign == ']' || sign == ')')
            depth--;
        bool begins = depth == 1 && (i == open || sign == ',');
        if (!begins || i + 1 >= close)
            continue;
        bool is_name = d->tokens[i + 1].kind == TOKEN_NAME || d->tokens[i + 1].kind == TOKEN_STRING;
        if (is_name && !(is_vites && is_of_vite(d, i + 1)))
            add_token(d, i + 1);
        else if (token_is(d, i + 1, '['))
            drift_add_computed(d, d->tokens[i + 1].start);
    }
}

/* ---- what is done with the environment ------------------------------------------------------ */

static void read_index(struct drift *d, size_t i, bool is_deleted)
{
    size_t end = token_closing(d, i, MAX_INDEX_TOKENS);

    if (is_deleted || is_assigned(d, end + 1))
        return;
    if (d->tokens[i + 1].kind == TOKEN_STRING && end == i + 2)
        add_token(d, i + 1);
    else
        drift_add_computed(d, d->tokens[i].start);
}

/* Whether token I is something's attribute, and not `this`'s: a field of a class is a name, too. */
static bool is_attribute(const struct drift *d, size_t i)
{
    return i > 0 && token_is(d, i - 1, '.') && !(i > 1 && token_is_name(d, i - 2, "this"));
}

/* Token I is a name of the environment from here on. */
static void bind(struct script_names *names, size_t i)
{
    const struct drift_token *token = &names->d->tokens[i];

    if (token->kind != TOKEN_NAME || names->count == MAX_BOUND)
        return;
    names->starts[names->count] = token->start;
    names->lengths[names->count++] = token->length;
}

/* `env = process.env`: another name for it. `{A} = process.env`: names of it. EQUALS is the sign. */
static void read_assignment(struct script_names *names, size_t equals, bool is_vites)
{
    struct drift *d = names->d;

    if (equals == 0)
        return;
    if (token_is(d, equals - 1, '}')) {
        size_t open = opening_brace(d, equals - 1);
        if (token_is(d, open, '{'))
            read_destructured(d, open, equals - 1, is_vites);
    } else if (!is_attribute(d, equals - 1)) {
        bind(names, equals - 1);
    }
}

/* {env} = process, {env: e} = process, {env: {A, B}} = process; EQUALS is the sign. */
static void read_process(struct script_names *names, size_t equals)
{
    struct drift *d = names->d;
    size_t open = equals > 0 && token_is(d, equals - 1, '}') ? opening_brace(d, equals - 1)
                                                             : SIZE_MAX;

    for (size_t i = open, depth = 0; i < equals; i++) {
        char sign = d->tokens[i].sign;
        depth += sign == '{' || sign == '[' || sign == '(';
        depth -= sign == '}' || sign == ']' || sign == ')';
        if (depth != 1 || !(i == open || sign == ',') || !token_is_name(d, i + 1, "env"))
            continue;
        if (!token_is(d, i + 2, ':'))
            bind(names, i + 1);
        else if (token_is(d, i + 3, '{'))
            read_destructured(d, i + 3, token_closing(d, i + 3, MAX_DESTRUCTURED_TOKENS), false);
        else
            bind(names, i + 3);
        return;
    }
}

/* Whether the parenthesis at token I only groups: none of a call's. */
static bool only_groups(const struct drift *d, size_t i)
{
    static const char *const words[] = {"return", "await", "typeof", "case",   "in",
                                        "of",     "yield", "delete", "default"};

    if (!token_is(d, i, '('))
        return false;
    if (i == 0)
        return true;
    for (size_t k = 0; k < ARRAY_LEN(words); k++)
        if (token_is_name(d, i - 1, words[k]))
            return true;
    return d->tokens[i - 1].kind == TOKEN_SIGN && !strchr(")]", d->tokens[i - 1].sign);
}

/* TypeScript: (process.env as T) and (<T>process.env): what stands behind the parenthesis, when the
 * environment is tokens FIRST to END - 1; else END. */
static size_t behind_cast(const struct drift *d, size_t first, size_t end)
{
    size_t open = first - 1, close = end, depth = 0;

    if (first > 0 && token_is(d, open, '>'))
        for (size_t most = MAX_INDEX_TOKENS; open > 0 && most > 0 && !token_is(d, open, '(');
             most--)
            open--;
    if (first == 0 || !only_groups(d, open))
        return end;
    for (size_t most = MAX_INDEX_TOKENS; most > 0; close++, most--) {
        char sign = d->tokens[close].sign;
        if (d->tokens[close].kind == TOKEN_END || (sign == ')' && depth == 0))
            break;
        if (close == end && !token_is_name(d, close, "as") && sign != '!')
            return end;
        depth += sign == '(' || sign == '{' || sign == '[';
        depth -= depth > 0 && (sign == ')' || sign == '}' || sign == ']');
    }
    return token_is(d, close, ')') ? close + 1 : end;
}

/* env.NAME, whose name is token I. A method of every object (env.hasOwnProperty("X")) is none. */
static void read_member(struct drift *d, size_t i, bool is_vites)
{
    if (!token_is(d, i + 1, '(')) {
        if (!is_assigned(d, i + 1) && !(is_vites && is_of_vite(d, i)))
            add_token(d, i);
    } else if (token_is_name(d, i, "hasOwnProperty") && d->tokens[i + 2].kind == TOKEN_STRING &&
               token_is(d, i + 3, ')')) {
        add_token(d, i + 2);
    }
}

/* The environment is the expression of tokens FIRST to END - 1. */
static void read_env(struct script_names *names, size_t first, size_t end, bool is_vites)
{
    struct drift *d = names->d;
    bool is_deleted = first > 0 && token_is_name(d, first - 1, "delete");
    size_t i = behind_cast(d, first, end);

    if (token_is(d, i, '?') && token_is(d, i + 1, '.'))
        i += token_is(d, i + 2, '[') ? 2 : 1;
    if (token_is(d, i, '!')) /* TypeScript: process.env!.X */
        i++;
    if (token_is(d, i, '.') && d->tokens[i + 1].kind == TOKEN_NAME) {
        if (!is_deleted)
            read_member(d, i + 1, is_vites);
    } else if (token_is(d, i, '[')) {
        read_index(d, i, is_deleted);
    } else if (first > 1 && token_is_name(d, first - 1, "in") &&
               d->tokens[first - 2].kind == TOKEN_STRING) {
        add_token(d, first - 2);
    } else if (first > 0 && token_is(d, first - 1, '=')) {
        read_assignment(names, first - 1, is_vites);
    }
}

/* The token behind `process.env`, when that begins at token I; else 0. */
static size_t process_env_end(const struct drift *d, size_t i)
{
    bool is_process = token_is_name(d, i, "process") || token_is_name(d, i, "Bun");
    size_t dot = i + 1 + (token_is(d, i + 1, '?') ? 1 : 0);

    return is_process && token_is(d, dot, '.') && token_is_name(d, dot + 1, "env") ? dot + 2 : 0;
}

static bool is_meta_env(const struct drift *d, size_t i)
{
    return token_is_name(d, i, "import") && token_is(d, i + 1, '.') &&
           token_is_name(d, i + 2, "meta") && token_is(d, i + 3, '.') &&
           token_is_name(d, i + 4, "env");
}

/* Deno.env.get("X") at token I. */
static bool is_deno_get(const struct drift *d, size_t i)
{
    return token_is_name(d, i, "Deno") && token_is(d, i + 1, '.') &&
           token_is_name(d, i + 2, "env") && token_is(d, i + 3, '.') &&
           token_is_name(d, i + 4, "get") && token_is(d, i + 5, '(');
}

/* Whether token I is a name that stands for the environment: no attribute, no key, no declaration. */
static bool is_bound(const struct script_names *names, size_t i)
{
    const struct drift *d = names->d;

    if (is_attribute(d, i))
        return false;
    for (size_t k = 0; k < names->count; k++)
        if (token_has(d, i, d->text + names->starts[k], names->lengths[k]))
            return true;
    return false;
}

/* `import { env } from "node:process"` at token I, `import`; with `env as e`. */
static void read_import(struct script_names *names, size_t i)
{
    const struct drift *d = names->d;
    size_t close = token_is(d, i + 1, '{') ? token_closing(d, i + 1, MAX_INDEX_TOKENS) : 0;

    if (close == 0 || !token_is_name(d, close + 1, "from") ||
        !(token_has(d, close + 2, "process", 7) || token_has(d, close + 2, "node:process", 12)))
        return;
    for (size_t k = i + 2; k < close; k++) {
        if (!token_is_name(d, k, "env"))
            continue;
        bind(names, token_is_name(d, k + 1, "as") && k + 2 < close ? k + 2 : k);
        return;
    }
}

void drift_read_script(struct drift *d)
{
    struct script_names names = {.d = d};

    if (!drift_tokenise_script(d))
        return;
    for (size_t i = 0; d->tokens[i].kind != TOKEN_END; i++) {
        if (d->tokens[i].kind != TOKEN_NAME)
            continue;
        size_t end = process_env_end(d, i);
        if (end > 0) {
            read_env(&names, i, end, false);
            i = end - 1;
        } else if (is_meta_env(d, i)) {
            read_env(&names, i, i + 5, true);
            i += 4;
        } else if (is_deno_get(d, i)) {
            read_index(d, i + 5, false);
            i += 5;
        } else if (token_is_name(d, i, "import")) {
            read_import(&names, i);
        } else if (token_is_name(d, i, "process") && i > 0 && token_is(d, i - 1, '=') &&
                   !token_is(d, i + 1, '.')) {
            read_process(&names, i - 1);
        } else if (names.count > 0 && is_bound(&names, i)) {
            read_env(&names, i, i + 1, false);
        }
    }
}
