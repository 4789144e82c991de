/* source.c: references of every kind → values. */
#include "vault/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "vault/internal.h"
#include "vault/sealed.h"

enum { NAMES_BYTES = 512 }; /* of the fields that are there, in a message */

/* What was read, at one place to the end of the set: leases are pointed at. */
struct kept_read {
    char *path;
    struct vault_read read;
};

struct source_set {
    const struct vault_settings *settings;
    const char *const *environment;
    struct vault *vault;
    struct sealed_source sealed;
    struct kept_read **reads;
    size_t read_count, read_capacity;
};

int source_set_new(const struct vault_settings *settings, const char *const *environment,
                   struct source_set **out, struct err *err)
{
    struct source_set *set = mem_new(1, sizeof(*set));

    if (!set)
        return err_nomem(err);
    set->settings = settings;
    set->environment = environment;
    *out = set;
    return 0;
}

static void free_read(struct kept_read *kept)
{
    vault_read_release(&kept->read);
    free(kept->path);
    free(kept);
}

void source_set_free(struct source_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->read_count; i++)
        free_read(set->reads[i]);
    free(set->reads);
    sealed_source_release(&set->sealed);
    vault_free(set->vault);
    free(set);
}

struct vault *source_vault(struct source_set *set)
{
    return set->vault;
}

int source_open_vault(struct source_set *set, struct vault **out, struct err *err)
{
    static const struct vault_settings nothing_said;

    if (!set->vault &&
        vault_open(set->settings ? set->settings : &nothing_said, &set->vault, err) != 0)
        return -1;
    set->vault->sealed = &set->sealed;
    *out = set->vault;
    return 0;
}

int source_forget(struct source_set *set, int64_t deadline_ms, struct err *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < set->read_count; i++) {
        if (set->reads[i]->read.lease.id)
            set->reads[kept++] = set->reads[i];
        else
            free_read(set->reads[i]);
    }
    set->read_count = kept;
    return sealed_source_renew(&set->sealed, deadline_ms, err);
}

static bool is_lease(const struct vault_lease *lease)
{
    return lease->id || lease->duration_ms > 0;
}

size_t source_leases(const struct source_set *set, struct source_lease *out, size_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < set->read_count; i++) {
        const struct kept_read *kept = set->reads[i];
        if (!is_lease(&kept->read.lease))
            continue;
        if (count < room)
            out[count] = (struct source_lease){kept->path, &kept->read.lease};
        count++;
    }
    return count;
}

size_t source_reads(const struct source_set *set, const struct vault_read **out, size_t room)
{
    for (size_t i = 0; i < set->read_count && i < room; i++)
        out[i] = &set->reads[i]->read;
    return set->read_count;
}

/* ---- one answer ----------------------------------------------------------------------------- */

static void absent(struct source_request *request)
{
    request->state = SOURCE_ABSENT;
    request->err.kind = ERR_SOURCE_MISSING;
}

static void failed(struct source_request *request, const struct err *err)
{
    request->state = SOURCE_FAILED;
    request->err = *err;
}

/* The value, unless it has a NUL: no environment and no argument could carry that. WHAT it is
 * of. */
static void answer(struct source_request *request, const char *bytes, size_t length,
                   const char *what)
{
    struct err err = ERR_INIT;

    if (length > 0 && memchr(bytes, '\0', length)) {
        (void)err_set(&err, ERR_SOURCE_DATA, "%s has a NUL byte in it", what);
        failed(request, &err);
    } else if (secret_set(&request->value, bytes, length, &err) != 0) {
        failed(request, &err);
    } else {
        request->state = SOURCE_SET;
        err_clear(&request->err);
    }
}

static size_t without_newline(const struct buf *b)
{
    return b->len > 0 && b->data[b->len - 1] == '\n' ? b->len - 1 : b->len;
}

/* ---- environment ---------------------------------------------------------------------------- */

const char *source_environment_get(const char *const *environment, const char *name)
{
    size_t length = strlen(name);

    for (const char *const *entry = environment; entry && *entry; entry++)
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            return *entry + length + 1;
    return NULL;
}

static void resolve_env(const struct source_set *set, struct source_request *request)
{
    const char *name = request->ref.path ? request->ref.path : request->variable;
    const char *value = name ? source_environment_get(set->environment, name) : NULL;

    if (value) {
        request->value = secret_borrow(value, strlen(value));
        request->state = SOURCE_SET;
        return;
    }
    (void)err_set(&request->err, ERR_SOURCE_MISSING, "the environment has no variable '%s'",
                  name ? name : "");
    absent(request);
}

/* ---- files ---------------------------------------------------------------------------------- */

int source_read_file(const char *path, bool guarded, struct buf *out, struct err *err)
{
    /* O_NONBLOCK: a pipe that nobody writes to is empty, and not waited for. */
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        (void)err_errno(err, ERR_FILE, "open '%s'", path);
        return err_at(err, path, 0, 0);
    }
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_errno(err, ERR_FILE, "look at '%s'", path);
    if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)) {
        (void)err_set(err, ERR_FILE, "'%s' is neither a file nor a pipe", path);
        return err_at(err, path, 0, 0);
    }
    if (guarded && S_ISREG(st.st_mode) && (st.st_mode & S_IWOTH)) {
        (void)err_set(err, ERR_FILE, "'%s' may be written by anybody", path);
        (void)err_at(err, path, 0, 0);
        return err_hint(err, "Take that right away: chmod o-w.");
    }
    return file_read_fd(fd, path, out, err);
}

static void resolve_file(struct source_request *request)
{
    const char *folder = request->ref.folder ? request->ref.folder : "";
    AUTO_BUF content = BUF_INIT(SOURCE_FILE_MAX_BYTES);
    AUTO_FREE char *path = file_join(folder, request->ref.path);
    struct err err = ERR_INIT;

    if (!path) {
        (void)err_nomem(&err);
        failed(request, &err);
        return;
    }
    if (source_read_file(path, false, &content, &err) == 0) {
        answer(request, buf_text(&content), without_newline(&content), path);
        return;
    }
    if (err.sys_errno == ENOENT || err.sys_errno == ENOTDIR) {
        request->err = err;
        absent(request);
        return;
    }
    failed(request, &err);
}

/* ---- the sealed store ------------------------------------------------------------------------ */

static void resolve_sealed(struct source_set *set, struct source_request *request,
                           int64_t deadline_ms)
{
    const char *folder = set->settings ? set->settings->folder : NULL;
    AUTO_SECRET value = SECRET_INIT;
    struct err err = ERR_INIT;

    if (sealed_source_get(&set->sealed, folder, request->ref.path, deadline_ms, &value, &err) ==
        0) {
        answer(request, secret_reveal(&value), secret_length(&value), "the sealed value");
    } else if (err.kind == ERR_SOURCE_MISSING) {
        request->err = err;
        absent(request);
    } else {
        failed(request, &err);
    }
}

/* ---- commands ------------------------------------------------------------------------------- */

static void resolve_command(const struct source_set *set, struct source_request *request,
                            int64_t deadline_ms)
{
    AUTO_BUF output = BUF_INIT(SOURCE_COMMAND_MAX_BYTES);
    struct err err = ERR_INIT;

    if (source_read_command(&request->ref, set->environment, deadline_ms, &output, &err) != 0)
        failed(request, &err);
    else
        answer(request, buf_text(&output), without_newline(&output), "what the command put out");
}

/* ---- Vault ---------------------------------------------------------------------------------- */

static const struct vault_read *find_read(const struct source_set *set, const char *path)
{
    for (size_t i = 0; i < set->read_count; i++)
        if (str_eq(set->reads[i]->path, path))
            return &set->reads[i]->read;
    return NULL;
}

/* READ moves into the set. */
static int keep_read(struct source_set *set, struct vault_read *read, struct err *err)
{
    if (mem_grow(&set->reads, set->read_count, &set->read_capacity, sizeof(struct kept_read *)) !=
        0)
        return err_nomem(err);
    struct kept_read *kept = mem_new(1, sizeof(*kept));
    if (!kept)
        return err_nomem(err);
    kept->path = mem_dup(read->path);
    if (!kept->path) {
        free(kept);
        return err_nomem(err);
    }
    kept->read = *read;
    kept->read.path = kept->path;
    *read = (struct vault_read){0};
    set->reads[set->read_count++] = kept;
    return 0;
}

int source_adopt(struct source_set *set, struct vault_read *read, struct err *err)
{
    return keep_read(set, read, err);
}

static void no_such_field(struct source_request *request, const struct vault_read *read)
{
    AUTO_BUF names = BUF_INIT(NAMES_BYTES);
    AUTO_FREE const char **all = mem_new(read->field_count + 1, sizeof(*all));

    for (size_t i = 0; i < read->field_count && all; i++)
        all[i] = read->fields[i].name;
    for (size_t i = 0; i < read->field_count; i++) {
        if (names.len + strlen(read->fields[i].name) + sizeof(", ...") > NAMES_BYTES) {
            buf_adds(&names, ", ...");
            break;
        }
        buf_addf(&names, "%s%s", i ? ", " : "", read->fields[i].name);
    }
    (void)err_set(&request->err, ERR_SOURCE_MISSING, "'%s' has no field '%s'; it has: %s",
                  read->path, request->ref.field, names.len ? buf_text(&names) : "none");
    const char *nearest = all ? str_nearest(request->ref.field, all) : NULL; /* else unhinted */
    if (nearest)
        (void)err_hint(&request->err, "Did you mean '%s'?", nearest);
    absent(request);
}

static void answer_from(struct source_request *request, const struct vault_read *read)
{
    const struct vault_field *field = vault_read_field(read, request->ref.field);
    struct err err = ERR_INIT;

    if (!field) {
        no_such_field(request, read);
        return;
    }
    if (!secret_is_set(&field->value)) {
        (void)err_set(&err, ERR_SOURCE_DATA, "the field '%s' of '%s' is of type %s", field->name,
                      read->path, field->type_name);
        (void)err_hint(&err, "A string, a whole number up to 2^53, true or false can be used.");
        failed(request, &err);
        return;
    }
    answer(request, secret_reveal(&field->value), secret_length(&field->value), "the value");
    request->version = read->version;
    request->lease = is_lease(&read->lease) ? &read->lease : NULL;
}

/* The distinct paths that REQUESTS ask Vault for and that were not answered before. */
static size_t wanted_paths(const struct source_set *set, const struct source_request *requests,
                           size_t count, struct vault_read *reads)
{
    size_t wanted = 0;

    for (size_t i = 0; i < count; i++) {
        const struct ref *ref = &requests[i].ref;
        bool known = ref->kind != REF_VAULT || find_read(set, ref->path);
        for (size_t k = 0; k < wanted && !known; k++)
            known = str_eq(reads[k].path, ref->path);
        if (!known)
            reads[wanted++].path = ref->path;
    }
    return wanted;
}

/* Every request of PATH that READ could not answer. */
static void spread_failure(struct source_request *requests, size_t count, const char *path,
                           const struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (requests[i].ref.kind != REF_VAULT || (path && !str_eq(requests[i].ref.path, path)))
            continue;
        failed(&requests[i], err);
        if (err->kind == ERR_SOURCE_MISSING)
            absent(&requests[i]);
    }
}

static int ask_vault(struct source_set *set, struct vault_read *reads, size_t wanted,
                     int64_t deadline_ms, struct err *err)
{
    struct vault *vault;

    if (wanted == 0)
        return 0;
    if (source_open_vault(set, &vault, err) != 0)
        return -1;
    struct err first; /* each read has its own, and those are looked at */
    int result = vault_read_all(vault, reads, wanted, deadline_ms, &first);
    (void)result;
    return 0;
}

static void resolve_vault(struct source_set *set, struct source_request *requests, size_t count,
                          int64_t deadline_ms)
{
    AUTO_FREE struct vault_read *reads = mem_new(count, sizeof(*reads));
    struct err err = ERR_INIT;

    if (!reads) {
        (void)err_nomem(&err);
        spread_failure(requests, count, NULL, &err);
        return;
    }
    size_t wanted = wanted_paths(set, requests, count, reads);
    if (ask_vault(set, reads, wanted, deadline_ms, &err) != 0)
        spread_failure(requests, count, NULL, &err);
    for (size_t i = 0; i < wanted && err.kind == ERR_NONE; i++) {
        struct err own = ERR_INIT;
        const char *path = reads[i].path;
        if (reads[i].err.kind != ERR_NONE)
            spread_failure(requests, count, path, &reads[i].err);
        else if (keep_read(set, &reads[i], &own) != 0)
            spread_failure(requests, count, path, &own);
    }
    for (size_t i = 0; i < wanted; i++)
        vault_read_release(&reads[i]);
    for (size_t i = 0; i < count; i++) {
        const struct ref *ref = &requests[i].ref;
        const struct vault_read *read = ref->kind == REF_VAULT ? find_read(set, ref->path) : NULL;
        if (read)
            answer_from(&requests[i], read);
    }
}

/* ---- all ------------------------------------------------------------------------------------ */

static void resolve_here(struct source_set *set, struct source_request *request,
                         int64_t deadline_ms)
{
    switch (request->ref.kind) {
    case REF_ENV:
        resolve_env(set, request);
        break;
    case REF_FILE:
        resolve_file(request);
        break;
    case REF_COMMAND:
        resolve_command(set, request, deadline_ms);
        break;
    case REF_SEALED:
        resolve_sealed(set, request, deadline_ms);
        break;
    case REF_NONE:
        (void)err_set(&request->err, ERR_SOURCE_MISSING, "its source is none");
        absent(request);
        break;
    case REF_VAULT: /* all together, before */
        break;
    }
}

int source_resolve(struct source_set *set, struct source_request *requests, size_t count,
                   int64_t deadline_ms, struct err *err)
{
    bool any_vault = false;

    for (size_t i = 0; i < count; i++) {
        any_vault = any_vault || requests[i].ref.kind == REF_VAULT;
        requests[i].state = SOURCE_ABSENT;
        requests[i].value = SECRET_INIT;
        requests[i].version = 0;
        requests[i].lease = NULL;
        err_clear(&requests[i].err);
    }
    if (any_vault)
        resolve_vault(set, requests, count, deadline_ms);
    for (size_t i = 0; i < count; i++)
        resolve_here(set, &requests[i], deadline_ms);
    for (size_t i = 0; i < count; i++) {
        if (requests[i].state != SOURCE_FAILED)
            continue;
        *err = requests[i].err;
        return requests[i].variable ? err_wrap(err, "%s", requests[i].variable) : -1;
    }
    return 0;
}
