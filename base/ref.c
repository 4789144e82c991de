/* base/ref.c: the grammar of a source reference. */
#include "base/ref.h"

#include <string.h>

#include "base/str.h"

/* What a reference is made of, as pieces of its text. */
struct pieces {
    enum ref_kind kind;
    const char *path, *field; /* NULL: none */
    size_t path_length, field_length;
};

static const struct {
    const char *prefix;
    enum ref_kind kind;
} schemes[] = {
    {"env:", REF_ENV},
    {"vault:", REF_VAULT},
    {"sealed:", REF_SEALED},
    {"file:", REF_FILE},
};

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7F;
}

static bool has_control(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (is_control(bytes[i]))
            return true;
    }
    return false;
}

/* NULL, or what is wrong. Names are looked at loosely: "{name}" is still one before substitution. */
static const char *name_defect(const struct pieces *p)
{
    if (p->path_length == 0)
        return "names nothing behind the colon";
    for (size_t i = 0; i < p->path_length; i++) {
        if (p->path[i] == ' ' || p->path[i] == '=')
            return "has a blank or an equals sign in its name";
    }
    return NULL;
}

/* Vault's API takes a path as it is, and HTTP clients and proxies fold "..": the request would go
 * where the policy, and the reader of the contract, did not look. */
static const char *vault_path_defect(const char *path, size_t length)
{
    size_t segments = 0;

    for (size_t at = 0; at <= length; segments++) {
        const char *segment = path + at;
        size_t segment_length = 0;
        while (at + segment_length < length && segment[segment_length] != '/')
            segment_length++;
        if (segment_length == 0)
            return "has an empty segment in its path";
        if (segment[0] == '.' &&
            (segment_length == 1 || (segment_length == 2 && segment[1] == '.')))
            return "has '.' or '..' as a segment of its path";
        at += segment_length + 1;
    }
    return segments < 2 ? "has no path behind the mount" : NULL;
}

static const char *vault_defect(struct pieces *p)
{
    const char *hash = memchr(p->path, '#', p->path_length);
    if (!hash)
        return "has no '#' and field behind its path";

    p->field = hash + 1;
    p->field_length = p->path_length - (size_t)(p->field - p->path);
    p->path_length = (size_t)(hash - p->path);
    if (p->path_length > 0 && p->path[0] == '/') {
        p->path++;
        p->path_length--;
    }
    if (p->field_length == 0)
        return "has no field behind the '#'";
    if (memchr(p->field, '#', p->field_length))
        return "has more than one '#'";
    if (p->path_length == 0)
        return "has no path before the '#'";
    return vault_path_defect(p->path, p->path_length);
}

static const char *piece_defect(struct pieces *p)
{
    switch (p->kind) {
    case REF_ENV:
    case REF_SEALED:
        return name_defect(p);
    case REF_VAULT:
        return vault_defect(p);
    case REF_FILE:
        return p->path_length == 0 ? "names no file" : NULL;
    case REF_COMMAND:
    case REF_NONE:
        break;
    }
    return NULL;
}

/* Take TEXT apart without memory. NULL, or what is wrong with it, for behind *scheme ("vault:", or
 * NULL where it has none that is known). */
static const char *take_apart(const char *text, struct pieces *out, const char **scheme)
{
    size_t length = strlen(text);
    struct pieces pieces = {.kind = REF_NONE};
    const char *defect = "is none of the forms of a reference";

    *scheme = NULL;
    if (str_eq(text, "none") || str_eq(text, "env")) {
        out->kind = str_eq(text, "env") ? REF_ENV : REF_NONE;
        out->path = out->field = NULL;
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(schemes) && !*scheme; i++) {
        if (str_starts(text, schemes[i].prefix)) {
            *scheme = schemes[i].prefix;
            pieces.kind = schemes[i].kind;
            pieces.path = text + strlen(*scheme);
            pieces.path_length = length - strlen(*scheme);
        }
    }
    if (*scheme) {
        const char *trimmed = pieces.path;
        size_t trimmed_length = pieces.path_length;
        str_trim(&trimmed, &trimmed_length);
        if (trimmed_length != pieces.path_length)
            defect = "has white space at an end";
        else if (has_control(pieces.path, pieces.path_length))
            defect = "has a control character in it";
        else
            defect = piece_defect(&pieces);
    }
    if (!defect)
        *out = pieces;
    return defect;
}

int ref_parse(struct arena *a, const char *text, struct ref *out, struct err *err)
{
    struct pieces pieces;
    const char *scheme;
    const char *defect = take_apart(text, &pieces, &scheme);

    if (defect) {
        if (scheme)
            (void)err_set(err, ERR_CONTRACT, "the '%s' reference %s", scheme, defect);
        else
            (void)err_set(err, ERR_CONTRACT, "the source %s", defect);
        return err_hint(err, "A source is env, env:NAME, vault:PATH#FIELD, sealed:NAME, file:PATH "
                             "or none.");
    }

    struct ref ref = {.kind = pieces.kind};
    if (pieces.path && !(ref.path = arena_dup_n(a, pieces.path, pieces.path_length)))
        return err_nomem(err);
    if (pieces.field && !(ref.field = arena_dup_n(a, pieces.field, pieces.field_length)))
        return err_nomem(err);
    *out = ref;
    return 0;
}

const char *ref_behind(const char *text, enum ref_kind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (schemes[i].kind == kind && str_starts(text, schemes[i].prefix))
            return text + strlen(schemes[i].prefix);
    return NULL;
}

bool ref_is_inline(const char *value)
{
    struct pieces pieces;
    const char *scheme;

    return take_apart(value, &pieces, &scheme) == NULL && pieces.path && pieces.kind != REF_ENV;
}

/* A port, or "v" and a version, and then what ends it. */
static bool only_begins_alike(const char *behind_vault)
{
    bool is_ciphertext = *behind_vault == 'v';
    const char *digits = behind_vault + is_ciphertext;
    size_t count = strspn(digits, "0123456789");

    if (count == 0)
        return false;
    return is_ciphertext ? digits[count] == ':' : digits[count] == '\0' || digits[count] == '/';
}

bool ref_is_broken(const char *value)
{
    struct pieces pieces;
    const char *scheme;

    if (take_apart(value, &pieces, &scheme) == NULL || !scheme || value[strlen(scheme)] == ' ')
        return false;
    const char *behind_vault = ref_behind(value, REF_VAULT);
    return behind_vault ? !only_begins_alike(behind_vault) : !ref_behind(value, REF_ENV);
}

void ref_describe(const struct ref *ref, struct buf *out)
{
    switch (ref->kind) {
    case REF_NONE:
        buf_adds(out, "none");
        return;
    case REF_COMMAND: /* not its arguments: they may carry what is not for eyes */
        buf_addf(out, "command %s", ref->argv && ref->argv[0] ? ref->argv[0] : "without words");
        return;
    case REF_ENV:
        buf_adds(out, "env");
        if (ref->path)
            buf_addf(out, ":%s", ref->path);
        return;
    case REF_VAULT:
        buf_addf(out, "vault:%s#%s", ref->path, ref->field);
        return;
    case REF_SEALED:
        buf_addf(out, "sealed:%s", ref->path);
        return;
    case REF_FILE:
        buf_addf(out, "file:%s", ref->path);
        return;
    }
}
