/* order.c: what depends on another secret is rotated after it, and otherwise the contract's order holds. */
#include "base/mem.h"
#include "base/str.h"
#include "rotate/rotate.h"

static size_t find(const struct rotate_spec *specs, size_t count, const char *variable)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(specs[i].variable, variable))
            return i;
    return count;
}

/* Whether everything that SPEC comes after is done, or is not among what is rotated now. */
static bool is_ready(const struct rotate_spec *specs, size_t count, const struct rotate_spec *spec,
                     const bool *done)
{
    for (const char *const *name = spec->depends_on; name && *name; name++) {
        size_t before = find(specs, count, *name);
        if (before < count && !done[before])
            return false;
    }
    return true;
}

static int cycle(const struct rotate_spec *specs, size_t count, const bool *done, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (!done[i])
            return err_set(err, ERR_CONTRACT, "'%s' is to be rotated after itself: 'depends_on'",
                           specs[i].variable);
    return err_set(err, ERR_DEFECT, "no order was found, and there is no cycle");
}

int rotate_order(const struct rotate_spec *specs, size_t count, size_t *order, struct err *err)
{
    AUTO_FREE bool *done = mem_new(count + 1, sizeof(*done));
    size_t placed = 0;

    if (!done)
        return err_nomem(err);
    while (placed < count) {
        size_t next = 0;
        while (next < count && (done[next] || !is_ready(specs, count, &specs[next], done)))
            next++;
        if (next == count)
            return cycle(specs, count, done, err);
        done[next] = true;
        order[placed++] = next;
    }
    return 0;
}
