/* history.c: the receipts of one secret. */
#include "rotate/internal.h"

int rotate_history(const struct rotate_spec *spec, const struct rotate_context *context,
                   size_t most, struct rotate_receipt **out, size_t *count, struct err *err)
{
    struct rotation r = {.spec = spec, .context = context, .store = store_of(spec)};
    int result = r.store->history(&r, most, out, count, err);

    if (r.store->release)
        r.store->release(&r);
    return result == 0 ? 0 : err_wrap(err, "the history of '%s'", spec->variable);
}
