/* envcontract/lint_logins.c: no login of a database is rotated by two variables.
 *
 * Whoever rotates second takes the login away from the first one: its password is changed, or it may not log
 * in any more, while what the other variable publishes still names it. Roles belong to a server, and what
 * names the server here is its admin's URL. */
#include "envcontract/lint.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { NAME_BYTES = 63 }; /* of a role, at most (NAMEDATALEN) */

_Static_assert(CONTRACT_MAX_PROFILES <= 32, "a look's profiles are 32 bits");

void login_uses_release(struct login_uses *uses)
{
    free(uses->list);
    *uses = (struct login_uses){0};
}

static void note(const struct look *look, struct login_uses *uses, const struct node *node,
                 long admin)
{
    const char *login = node_text(node);

    if (!login)
        return; /* said */
    if (mem_grow(&uses->list, uses->count, &uses->capacity, sizeof *uses->list) != 0) {
        look->d->no_memory = true;
        return;
    }
    uses->list[uses->count++] = (struct login_use){
        .by = {node, look->profiles, look->index}, .login = login, .admin = admin};
}

void lint_note_logins(const struct look *look, struct said *said, const struct node *const *at)
{
    const struct node *logins = at[ROTATE_LOGINS];
    const struct node *database = node_member(look->d->files[0].root, "database");
    const struct node *url = at[ROTATE_ADMIN] ? at[ROTATE_ADMIN]
                                              : node_member(database, "admin_url");
    long admin = node_text(url) ? document_find(look->d, node_text(url)) : -1;

    if (at[ROTATE_LOGIN])
        note(look, said->logins, at[ROTATE_LOGIN], admin);
    if (!logins || logins->kind != NODE_ARRAY || logins->count != ROTATION_LOGINS)
        return; /* said, where they are there and not two */
    for (const struct node *login = logins->first; login; login = login->next)
        note(look, said->logins, login, admin);
}

/* ---- two of them ------------------------------------------------------------------------------ */

/* A name that is longer is the same to PostgreSQL. */
static int compare_roles(const struct login_use *a, const struct login_use *b)
{
    int by_login = a->login == b->login ? 0 : strncmp(a->login, b->login, NAME_BYTES);

    return by_login != 0 ? by_login : (a->admin > b->admin) - (a->admin < b->admin);
}

/* The same role, then in the order of the contract. */
static int compare_uses(const void *left, const void *right)
{
    const struct login_use *a = left, *b = right;
    int by_role = compare_roles(a, b);

    return by_role != 0 ? by_role : (a->by.index > b->by.index) - (a->by.index < b->by.index);
}

const struct use *lint_take(const struct use *owners[static CONTRACT_MAX_PROFILES],
                            const struct use *use)
{
    const struct use *other = NULL;

    for (size_t i = 0; i < CONTRACT_MAX_PROFILES; i++) {
        if (!(use->profiles & UINT32_C(1) << i))
            continue;
        if (!owners[i])
            owners[i] = use;
        else if (!other && owners[i]->index != use->index)
            other = owners[i];
    }
    return other;
}

void lint_logins(struct contract_document *d, const struct login_uses *uses)
{
    const struct use *owners[CONTRACT_MAX_PROFILES] = {NULL};

    if (uses->count > 0) /* qsort takes no NULL */
        qsort(uses->list, uses->count, sizeof *uses->list, compare_uses);
    for (size_t i = 0; i < uses->count && !problems_full(d); i++) {
        const struct login_use *use = &uses->list[i];
        if (i > 0 && compare_roles(use - 1, use) != 0)
            memset(owners, 0, sizeof owners);
        const struct use *other = lint_take(owners, &use->by);
        if (other)
            problem(
                d, use->by.node, AT_VALUE,
                "Rotate it by one of both, which publishes for the other as a mirror; or let each "
                "have logins of its own.",
                "the login '%.*s' is rotated by '%.*s' already", SHOWN(use->login),
                SHOWN(d->names[other->index]));
    }
}
