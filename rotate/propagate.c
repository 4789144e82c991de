/* propagate.c: what comes behind promote: `after` and `mirrors`.
 *
 * Each has a mark of its own in the record, written as soon as it was done, so that a repetition does only
 * what is missing. A command whose runner died before its mark is run again: it has to bear that. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/ref.h"
#include "base/str.h"
#include "rotate/internal.h"
#include "vault/sealed.h"

enum {
    MARK_BYTES = 64,
    PID_FILE_BYTES = 64,
    MIRROR_TRIES = 16,
    MIRROR_BACKOFF_MS = 10,
    MIRROR_BACKOFF_MAX_MS = 200,
    FAILURES_BYTES = 4 * 1024,
};

/* ---- after ----------------------------------------------------------------------------------- */

static int run_command(struct rotation *r, const struct rotate_after *after, struct err *err)
{
    struct program program = {.argv = after->command,
                              .environment = r->spec->environment,
                              .what = "the command of 'after'"};
    int exit_code = 0;

    if (program_run(r, &program, &exit_code, NULL, err) != 0)
        return -1;
    if (exit_code == 0)
        return 0;
    return err_set(err, ERR_VIOLATION, "'%s' ended with %d", after->command[0], exit_code);
}

static int send_signal(struct rotation *r, const struct rotate_after *after, struct err *err)
{
    AUTO_BUF text = BUF_INIT(PID_FILE_BYTES);
    char *path = file_join(r->context->folder, after->pidfile);
    int64_t pid = 0;

    if (!path)
        return err_nomem(err);
    int result = file_read_all(path, &text, err);
    free(path);
    if (result != 0)
        return -1;
    const char *start = buf_text(&text);
    size_t length = text.len;
    str_trim(&start, &length);
    if (str_to_int64(start, length, &pid) != 0 || pid < 1 || pid > INT32_MAX)
        return err_set(err, ERR_FILE, "the pidfile '%s' has no process id", after->pidfile);
    if (kill((pid_t)pid, after->signal) != 0)
        return err_errno(err, ERR_VIOLATION, "send SIG%s to the process %lld of '%s'",
                         sigabbrev_np(after->signal), (long long)pid, after->pidfile);
    return 0;
}

/* ---- mirrors --------------------------------------------------------------------------------- */

static int mirror_to_kv(struct rotation *r, const struct ref *ref, const struct secret *value,
                        struct err *err)
{
    struct backoff backoff = {.base_ms = MIRROR_BACKOFF_MS, .cap_ms = MIRROR_BACKOFF_MAX_MS};
    AUTO_DOCUMENT fields = DOCUMENT_INIT;
    struct vault *vault = NULL;

    if (document_set(&fields, NULL, ref->field, value, err) != 0 ||
        r->context->vault(r->context->owner, &vault, err) != 0)
        return -1;
    for (int tries = 1;; tries++) {
        AUTO_VAULT_KV there = {.state = VAULT_KV_MISSING};
        enum vault_written outcome = VAULT_IN_DOUBT;
        struct err doubt = ERR_INIT;
        unsigned version = 0;
        if (vault_kv_read(vault, ref->path, r->context->deadline_ms, &there, err) != 0)
            return -1;
        const struct secret *now = document_get(&there.data, NULL, ref->field);
        if (there.state == VAULT_KV_THERE && now && secret_equal(now, value))
            return 0;
        int result = there.state == VAULT_KV_THERE
                         ? vault_kv_patch(vault, ref->path, &fields, there.version,
                                          r->context->deadline_ms, &outcome, &version, &doubt)
                         : vault_kv_put(vault, ref->path, &fields, there.version,
                                        r->context->deadline_ms, &outcome, &version, &doubt);
        if (result != 0) {
            *err = doubt;
            return -1;
        }
        if (outcome == VAULT_WRITTEN)
            return 0;
        if (tries < MIRROR_TRIES && backoff_wait(&backoff, 0, r->context->deadline_ms))
            continue;
        if (outcome == VAULT_IN_DOUBT)
            *err = doubt;
        else
            err_set(err, ERR_SOURCE_DOWN, "others wrote it %d times meanwhile", tries);
        return -1;
    }
}

static int mirror_to_sealed(struct rotation *r, const struct ref *ref, const struct secret *value,
                            struct err *err)
{
    const struct sealed_access access = {.deadline_ms = r->context->deadline_ms};
    const char *path = r->context->sealed_path;
    struct sealed *store = NULL;
    bool changed = false;
    AUTO_FD lock = -1;

    if (sealed_lock(path, r->context->deadline_ms, &lock, err) != 0 ||
        sealed_load(path, &store, err) != 0)
        return -1;
    int result = sealed_unlock(store, &access, err) == 0 &&
                         sealed_set(store, ref->path, value, false, &changed, err) == 0 &&
                         (!changed || sealed_save(store, err) == 0)
                     ? 0
                     : -1;
    sealed_free(store);
    return result;
}

static int mirror(struct rotation *r, const char *text, const char *group, struct err *err)
{
    AUTO_ARENA arena = ARENA_INIT;
    AUTO_SECRET value = SECRET_INIT;
    struct ref ref;

    if (ref_parse(&arena, text, &ref, err) != 0 || rotation_value(r, group, &value, err) != 0)
        return -1;
    if (ref.kind == REF_VAULT)
        return mirror_to_kv(r, &ref, &value, err);
    if (ref.kind == REF_SEALED)
        return mirror_to_sealed(r, &ref, &value, err);
    return err_set(err, ERR_CONTRACT, "only a KV path or the sealed store can be written");
}

/* ---- all of them ----------------------------------------------------------------------------- */

struct item {
    const char *kind; /* "promoted", "mirrors", "after" */
    size_t index;
};

static int do_item(struct rotation *r, const struct item *item, const char *group, struct err *err)
{
    if (str_eq(item->kind, "promoted"))
        return r->strategy->promoted(r, err);
    if (str_eq(item->kind, "mirrors"))
        return mirror(r, r->spec->mirrors[item->index], group, err);
    const struct rotate_after *after = &r->spec->after[item->index];
    return after->command ? run_command(r, after, err) : send_signal(r, after, err);
}

static bool has_mark(const struct rotation *r, const char *kind, size_t index)
{
    char mark[MARK_BYTES];

    (void)snprintf(mark, sizeof(mark), "%s.%zu", kind, index);
    return document_text(&r->record.data, "marks", mark) != NULL;
}

bool propagate_is_done(const struct rotation *r)
{
    if (r->strategy->promoted && !has_mark(r, "promoted", 0))
        return false;
    for (size_t i = 0; r->spec->mirrors && r->spec->mirrors[i]; i++)
        if (!has_mark(r, "mirrors", i))
            return false;
    for (size_t i = 0; i < r->spec->after_count; i++)
        if (!has_mark(r, "after", i))
            return false;
    return true;
}

/* Do it unless it has its mark. A failure is added to FAILURES; -1 only where the record is lost to us. */
static int go_over(struct rotation *r, const struct item *item, const char *group,
                   struct buf *failures, struct err *first, struct err *err)
{
    char mark[MARK_BYTES], now[CLOCK_RFC3339_BYTES];
    struct err failure = ERR_INIT;

    if (has_mark(r, item->kind, item->index))
        return 0;
    if (do_item(r, item, group, &failure) != 0) {
        buf_addf(failures, "%s%s[%zu]: %s", failures->len > 0 ? "; " : "", item->kind, item->index,
                 failure.text);
        if (first->kind == ERR_NONE)
            *first = failure;
        return 0;
    }
    (void)snprintf(mark, sizeof(mark), "%s.%zu", item->kind, item->index);
    clock_rfc3339(clock_unix_seconds(), now);
    if (document_set_text(&r->record.data, "marks", mark, now, err) != 0)
        return -1;
    return engine_keep_record(r, err);
}

int propagate_all(struct rotation *r, const char *group, struct err *err)
{
    AUTO_BUF failures = BUF_INIT(FAILURES_BYTES);
    struct err first = ERR_INIT;

    const struct item promoted = {"promoted", 0};
    if (r->strategy->promoted && str_eq(group, "fields") &&
        go_over(r, &promoted, group, &failures, &first, err) != 0)
        return -1;
    /* Mirrors first: what a command starts may read them. */
    for (struct item item = {"mirrors", 0}; r->spec->mirrors && r->spec->mirrors[item.index];
         item.index++)
        if (go_over(r, &item, group, &failures, &first, err) != 0)
            return -1;
    for (struct item item = {"after", 0}; item.index < r->spec->after_count; item.index++)
        if (go_over(r, &item, group, &failures, &first, err) != 0)
            return -1;
    if (first.kind == ERR_NONE)
        return 0;
    err_set(err, first.kind == ERR_ROTATION ? ERR_VIOLATION : first.kind, "%s",
            buf_text(&failures));
    return *first.hint ? err_hint(err, "%s", first.hint) : -1;
}
