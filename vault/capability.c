/* capability.c: what our token may do, and the policy that would let it. */
#include <string.h>

#include "base/str.h"
#include "vault/ask.h"

enum { RULE_MAX_BYTES = 256 * 1024 };

#define ALL_CAPABILITIES ((1U << 7) - 1)

static const struct {
    unsigned bit;
    const char *word;
} capabilities[] = {
    {VAULT_CAN_CREATE, "create"}, {VAULT_CAN_READ, "read"},     {VAULT_CAN_UPDATE, "update"},
    {VAULT_CAN_PATCH, "patch"},   {VAULT_CAN_DELETE, "delete"}, {VAULT_CAN_LIST, "list"},
    {VAULT_CAN_SUDO, "sudo"},
};

bool vault_need_is_met(const struct vault_need *need)
{
    return (need->had & need->wanted) == need->wanted ||
           (need->or_else != 0 && (need->had & need->or_else) == need->or_else);
}

/* The path of NEED as policies have it, not encoded. */
static int policy_path(const struct vault_need *need, size_t mount_length, struct buf *out,
                       struct err *err)
{
    if (need->kind != VAULT_NEED_PLAIN)
        return path_beside(need->path, mount_length,
                           need->kind == VAULT_NEED_DATA ? "data" : "metadata", out, err);
    buf_adds(out, need->path);
    return buf_check(out, ERR_CONTRACT, "the path of a request", err);
}

static unsigned bits_of(const json_t *words)
{
    unsigned bits = 0;

    for (size_t i = 0; i < json_array_size(words); i++) {
        const char *word = json_string_value(json_array_get(words, i));
        if (str_eq(word, "root"))
            bits |= ALL_CAPABILITIES;
        for (size_t k = 0; k < ARRAY_LEN(capabilities); k++)
            if (str_eq(word, capabilities[k].word))
                bits |= capabilities[k].bit;
    }
    return bits;
}

/* The path of each need, one behind the other's NUL. */
static int settle_paths(struct vault *v, const struct vault_need *needs, size_t count,
                        int64_t deadline_ms, struct buf *paths, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_BUF path = BUF_INIT(VAULT_PATH_MAX_BYTES);
        size_t mount_length = 0;
        if (needs[i].kind != VAULT_NEED_PLAIN &&
            kv_settle(v, needs[i].path, deadline_ms, &mount_length, err) != 0)
            return -1;
        if (policy_path(&needs[i], mount_length, &path, err) != 0)
            return -1;
        buf_add(paths, buf_text(&path), path.len + 1);
    }
    return buf_check(paths, ERR_CONTRACT, "the list of paths", err);
}

static int write_question(const struct buf *paths, size_t count, struct ask *ask, struct err *err)
{
    AUTO_BUF body = BUF_INIT(ASK_BODY_MAX_BYTES);
    struct json j = JSON_INIT(&body);
    const char *path = buf_text(paths);

    json_begin_object(&j, NULL);
    json_begin_array(&j, "paths");
    for (size_t i = 0; i < count; i++, path += strlen(path) + 1)
        json_add_string(&j, NULL, path);
    json_end_array(&j);
    json_end_object(&j);
    return ask_body(ask, &body, err);
}

int vault_capabilities(struct vault *v, struct vault_need *needs, size_t count, int64_t deadline_ms,
                       struct err *err)
{
    struct ask ask = ASK_INIT("POST", "ask what the token may do at", "\"update\"");
    AUTO_BUF paths = BUF_INIT(RULE_MAX_BYTES);
    int result = -1;

    if (count == 0)
        return 0;
    if (settle_paths(v, needs, count, deadline_ms, &paths, err) == 0 &&
        write_question(&paths, count, &ask, err) == 0 &&
        ask_path(&ask, err, "sys/capabilities-self", NULL) == 0)
        result = ask_for(v, &ask, deadline_ms, err);
    const json_t *data = ask_member(&ask, "data");
    if (result == 0 && !json_is_object(data))
        result = ask_unusable(v, &ask, "has no data", err);
    const char *path = buf_text(&paths);
    for (size_t i = 0; result == 0 && i < count; i++, path += strlen(path) + 1)
        needs[i].had = bits_of(json_object_get(data, path));
    ask_release(v, &ask);
    return result;
}

/* ---- the policy ----------------------------------------------------------------------------- */

static int known_path(const struct vault *v, const struct vault_need *need, struct buf *out,
                      struct err *err)
{
    unsigned version;
    size_t length;

    if (!mount_find(v, need->path, &length, &version))
        length = path_prefix(need->path, 1);
    return policy_path(need, length, out, err);
}

static void add_rule(const char *path, unsigned wanted, struct buf *out)
{
    const char *separator = "";

    buf_adds(out, "path ");
    str_add_json(out, path, strlen(path)); /* HCL quotes as JSON does */
    buf_adds(out, " {\n  capabilities = [");
    for (size_t i = 0; i < ARRAY_LEN(capabilities); i++) {
        if (!(wanted & capabilities[i].bit))
            continue;
        buf_addf(out, "%s\"%s\"", separator, capabilities[i].word);
        separator = ", ";
    }
    buf_adds(out, "]\n}\n");
}

int vault_policy_text(struct vault *v, const struct vault_need *needs, size_t count,
                      struct buf *out, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_BUF path = BUF_INIT(VAULT_PATH_MAX_BYTES);
        unsigned wanted = 0;
        bool was_said = false;
        if (known_path(v, &needs[i], &path, err) != 0)
            return -1;
        for (size_t k = 0; k < count; k++) {
            AUTO_BUF other = BUF_INIT(VAULT_PATH_MAX_BYTES);
            if (known_path(v, &needs[k], &other, err) != 0)
                return -1;
            bool is_same = str_eq(buf_text(&path), buf_text(&other));
            was_said = was_said || (is_same && k < i);
            wanted |= is_same ? needs[k].wanted : 0;
        }
        if (!was_said)
            add_rule(buf_text(&path), wanted, out);
    }
    return buf_check(out, ERR_RESOURCE, "the policy", err);
}
