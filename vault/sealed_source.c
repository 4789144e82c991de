/* sealed_source.c: what `sealed:NAME` refers to. The store is read and opened at the first name;
 * the others find it open, or hear the same failure. */
#include "base/file.h"
#include "vault/sealed_store.h"

static int open_store(const char *folder, int64_t deadline_ms, struct sealed **out, struct err *err)
{
    const struct sealed_access access = {.deadline_ms = deadline_ms};
    AUTO_FREE char *path = NULL;
    struct sealed *store = NULL;

    if (sealed_path(folder ? folder : "", &path, err) != 0 || sealed_load(path, &store, err) != 0)
        return -1;
    if (sealed_unlock(store, &access, err) != 0) {
        sealed_free(store);
        return -1;
    }
    *out = store;
    return 0;
}

int sealed_source_get(struct sealed_source *source, const char *folder, const char *name,
                      int64_t deadline_ms, struct secret *out, struct err *err)
{
    if (!source->tried) {
        source->tried = true;
        if (open_store(folder, deadline_ms, &source->store, &source->err) == 0)
            err_clear(&source->err);
    }
    if (!source->store) {
        *err = source->err;
        return -1;
    }
    return sealed_get(source->store, name, out, err);
}

int sealed_source_renew(struct sealed_source *source, int64_t deadline_ms, struct err *err)
{
    const struct sealed_access access = {.deadline_ms = deadline_ms};
    struct sealed *again = NULL;

    if (!source->store) {
        *source = (struct sealed_source){0}; /* what failed may be mended by now */
        return 0;
    }
    if (sealed_load_again(source->store, &again, err) != 0)
        return -1;
    if (sealed_unlock(again, &access, err) != 0) {
        sealed_free(again);
        return -1;
    }
    sealed_free(source->store);
    source->store = again;
    return 0;
}

void sealed_source_release(struct sealed_source *source)
{
    sealed_free(source->store);
    *source = (struct sealed_source){0};
}
