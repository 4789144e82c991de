/* kv_path.c: the paths of requests about one secret of KV version 2.
 *
 * What is written has to be in the right place at once, so here nothing is guessed: the contract
 * says what the mount is, or Vault does. */
#include <string.h>

#include "base/str.h"
#include "vault/ask.h"

static int not_versioned(const char *path, size_t length, struct err *err)
{
    (void)err_set(
        err, ERR_CONTRACT,
        "'%s' is not in KV version 2: '%.*s' has no check-and-set, so that two who write at "
        "once could not be told apart, and no former versions",
        path, (int)length, path);
    return err_hint(err,
                    "Where it is KV version 1: `bao kv enable-versioning %.*s` makes it version "
                    "2 (and vault.kv in the contract then says so).",
                    (int)length, path);
}

/* Ask which mount PATH lies in, and remember it. */
static int look(struct vault *v, const char *path, int64_t deadline_ms, struct err *err)
{
    struct ask ask = ASK_INIT("GET", "find the mount of", NULL);
    int result = -1;

    if (ask_path(&ask, err, "sys/internal/ui/mounts", path, NULL) == 0)
        result = ask_for(v, &ask, deadline_ms, err);
    if (result == 0) {
        const json_t *data = ask_member(&ask, "data");
        const char *mount = json_string_value(json_object_get(data, "path"));
        const char *version = json_string_value(
            json_object_get(json_object_get(data, "options"), "version"));
        if (!mount)
            result = ask_unusable(v, &ask, "has no path", err);
        else if (mount_remember(v, mount, strlen(mount), str_eq(version, "2") ? 2 : 1) != 0)
            result = err_nomem(err);
    } else if (ask.call.status == 403) {
        (void)err_hint(err, "Vault says it to who may do anything below that mount; the contract's "
                            "vault.kv can say it, too.");
    }
    ask_release(v, &ask);
    return result;
}

int kv_settle(struct vault *v, const char *path, int64_t deadline_ms, size_t *mount_length,
              struct err *err)
{
    unsigned version;
    size_t length;

    if (!mount_find(v, path, &length, &version)) {
        if (look(v, path, deadline_ms, err) != 0)
            return -1;
        if (!mount_find(v, path, &length, &version))
            return err_set(err, ERR_SOURCE_DATA,
                           "find the mount of '%s': Vault names one that it does not lie in", path);
    }
    if (version != 2)
        return not_versioned(path, length, err);
    *mount_length = length;
    return 0;
}

int kv_path(struct vault *v, struct ask *ask, const char *path, const char *word, const char *query,
            int64_t deadline_ms, struct err *err)
{
    AUTO_BUF plain = BUF_INIT(VAULT_PATH_MAX_BYTES);
    AUTO_BUF encoded = BUF_INIT(VAULT_PATH_MAX_BYTES);
    size_t mount_length = 0;

    if (kv_settle(v, path, deadline_ms, &mount_length, err) != 0 ||
        path_beside(path, mount_length, word, &plain, err) != 0 ||
        path_encode(buf_text(&plain), &encoded, err) != 0)
        return -1;
    buf_adds(&encoded, query);
    if (buf_check(&encoded, ERR_CONTRACT, "the path of a request", err) != 0)
        return -1;
    char *taken = buf_take(&encoded);
    if (!taken)
        return err_nomem(err);
    free(ask->call.path);
    ask->call.path = taken;
    return 0;
}
