/* write_metadata.c: beside a secret of KV version 2: its versions, its custom metadata. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/ask.h"

/* ---- versions ------------------------------------------------------------------------------- */

void vault_kv_history_release(struct vault_kv_history *history)
{
    free(history->list);
    document_release(&history->custom);
    *history = (struct vault_kv_history){0};
}

static int older_first(const void *a, const void *b)
{
    unsigned left = ((const struct vault_kv_version *)a)->version;
    unsigned right = ((const struct vault_kv_version *)b)->version;

    return left < right ? -1 : left > right;
}

static struct vault_kv_version version_of(const char *key, const json_t *facts)
{
    int64_t number = 0;
    int64_t deleted_at = vault_json_time(json_object_get(facts, "deletion_time"));

    if (str_to_int64(key, strlen(key), &number) != 0 || number <= 0 || number > UINT32_MAX)
        number = 0;
    return (struct vault_kv_version){
        .version = (unsigned)number,
        .written_at = vault_json_time(json_object_get(facts, "created_time")),
        .deleted = deleted_at > 0 && deleted_at <= clock_unix_seconds(),
        .destroyed = json_is_true(json_object_get(facts, "destroyed")),
    };
}

static int take_history(const json_t *data, struct vault_kv_history *out, struct err *err)
{
    json_t *versions = json_object_get(data, "versions"), *facts;
    json_t *custom = json_object_get(data, "custom_metadata");
    struct vault_kv_history history = {0};
    const char *key;

    history.newest = kv_version_number(json_object_get(data, "current_version"));
    history.list = mem_new(json_object_size(versions) + 1, sizeof(*history.list));
    if (!history.list)
        return err_nomem(err);
    json_object_foreach(versions, key, facts)
    {
        struct vault_kv_version version = version_of(key, facts);
        if (version.version > 0)
            history.list[history.count++] = version;
    }
    qsort(history.list, history.count, sizeof(*history.list), older_first);
    if (json_is_object(custom) && document_from_json(custom, "custom metadata", ERR_SOURCE_DATA,
                                                     true, &history.custom, err) != 0) {
        vault_kv_history_release(&history);
        return -1;
    }
    *out = history;
    return 0;
}

int vault_kv_versions(struct vault *v, const char *path, int64_t deadline_ms,
                      struct vault_kv_history *out, struct err *err)
{
    struct ask ask = ASK_INIT("GET", "list the versions at", "\"read\"");
    int result = -1;

    if (kv_path(v, &ask, path, "metadata", "", deadline_ms, err) == 0 &&
        ask_send(v, &ask, deadline_ms, err) == 0) {
        const json_t *data = ask_member(&ask, "data");
        if (ask.call.status == 200 && json_is_object(data)) {
            result = take_history(data, out, err);
        } else if (ask_is_missing(&ask)) {
            *out = (struct vault_kv_history){0};
            result = 0;
        } else {
            result = ask.call.status == 200 ? ask_unusable(v, &ask, "has no data", err)
                                            : ask_error(v, &ask, err);
        }
    }
    ask_release(v, &ask);
    return result;
}

int vault_kv_set_max_versions(struct vault *v, const char *path, unsigned count,
                              int64_t deadline_ms, enum vault_written *outcome, struct err *err)
{
    struct ask ask = ASK_INIT("POST", "set how many versions are kept at",
                              "\"create\", \"update\"");
    AUTO_BUF body = BUF_INIT(ASK_BODY_MAX_BYTES);
    int result = -1;

    buf_addf(&body, "{\"max_versions\":%u}", count);
    ask.call.once = true;
    if (ask_body(&ask, &body, err) == 0 &&
        kv_path(v, &ask, path, "metadata", "", deadline_ms, err) == 0 &&
        ask_send(v, &ask, deadline_ms, err) == 0)
        result = ask_outcome(v, &ask, outcome, err);
    ask_release(v, &ask);
    return result;
}

/* ---- custom metadata ------------------------------------------------------------------------ */

static int check_pairs(const struct vault_pair *pairs, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = pairs[i].text ? strlen(pairs[i].text) : 1;
        if (length < 1 || length > VAULT_CUSTOM_MAX_BYTES)
            return err_set(err, ERR_DEFECT,
                           "the custom metadata '%s' would have %zu bytes: 1 to %d fit",
                           pairs[i].name, length, VAULT_CUSTOM_MAX_BYTES);
    }
    return 0;
}

static const struct vault_pair *find_pair(const struct vault_pair *pairs, size_t count,
                                          const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(pairs[i].name, name))
            return &pairs[i];
    return NULL;
}

/* What stands there, with PAIRS in it: {"custom_metadata": {...}}. Where the server counts the
 * changes of metadata, its count goes along, so that another one's change between is not lost. */
static void write_merged(const json_t *data, const struct vault_pair *pairs, size_t count,
                         struct buf *out)
{
    json_t *there = json_object_get(data, "custom_metadata"), *value;
    const json_t *changes = json_object_get(data, "current_metadata_version");
    struct json j = JSON_INIT(out);
    const char *name;

    json_begin_object(&j, NULL);
    if (json_is_integer(changes))
        json_add_int(&j, "metadata_cas", json_integer_value(changes));
    json_begin_object(&j, "custom_metadata");
    json_object_foreach(there, name,
                        value) if (json_is_string(value) && !find_pair(pairs, count, name))
        json_add_string_n(&j, name, json_string_value(value), json_string_length(value));
    for (size_t i = 0; i < count; i++)
        if (pairs[i].text)
            json_add_string(&j, pairs[i].name, pairs[i].text);
    json_end_object(&j);
    json_end_object(&j);
}

/* Without the right to patch, or where nothing is yet: read it, write all of it. */
static int write_whole(struct vault *v, const char *path, const struct vault_pair *pairs,
                       size_t count, int64_t deadline_ms, enum vault_written *outcome,
                       struct err *err)
{
    struct ask read = ASK_INIT("GET", "read", "\"read\"");
    struct ask write = ASK_INIT("POST", "write", "\"create\", \"update\"");
    AUTO_BUF body = BUF_INIT(ASK_BODY_MAX_BYTES);
    int result = -1;

    if (kv_path(v, &read, path, "metadata", "", deadline_ms, err) == 0 &&
        ask_send(v, &read, deadline_ms, err) == 0) {
        bool is_known = ask_is_missing(&read) ||
                        (read.call.status == 200 && json_is_object(ask_member(&read, "data")));
        if (is_known)
            result = 0;
        else
            result = read.call.status == 200 ? ask_unusable(v, &read, "has no data", err)
                                             : ask_error(v, &read, err);
    }
    if (result == 0) {
        write_merged(ask_member(&read, "data"), pairs, count, &body);
        write.call.once = true;
        result = ask_body(&write, &body, err) != 0 ||
                         kv_path(v, &write, path, "metadata", "", deadline_ms, err) != 0 ||
                         ask_send(v, &write, deadline_ms, err) != 0
                     ? -1
                     : ask_outcome(v, &write, outcome, err);
    }
    ask_release(v, &read);
    ask_release(v, &write);
    return result;
}

static void write_patch(const struct vault_pair *pairs, size_t count, struct buf *out)
{
    struct json j = JSON_INIT(out);

    json_begin_object(&j, NULL);
    json_begin_object(&j, "custom_metadata");
    for (size_t i = 0; i < count; i++)
        json_add_string(&j, pairs[i].name, pairs[i].text);
    json_end_object(&j);
    json_end_object(&j);
}

int vault_kv_custom_patch(struct vault *v, const char *path, const struct vault_pair *pairs,
                          size_t count, int64_t deadline_ms, enum vault_written *outcome,
                          struct err *err)
{
    struct ask ask = ASK_INIT("PATCH", "patch", "\"patch\"");
    AUTO_BUF body = BUF_INIT(ASK_BODY_MAX_BYTES);
    int result = -1;

    if (check_pairs(pairs, count, err) != 0)
        return -1;
    write_patch(pairs, count, &body);
    ask.call.once = ask.call.is_patch = ask.refusal_is_expected = true;
    bool was_sent = ask_body(&ask, &body, err) == 0 &&
                    kv_path(v, &ask, path, "metadata", "", deadline_ms, err) == 0 &&
                    ask_send(v, &ask, deadline_ms, err) == 0;
    int status = ask.call.status;
    bool is_refused = status == 403 || status == 404 || status == 405;
    if (was_sent && !is_refused)
        result = ask_outcome(v, &ask, outcome, err);
    ask_release(v, &ask);
    if (was_sent && is_refused)
        return write_whole(v, path, pairs, count, deadline_ms, outcome, err);
    return result;
}
