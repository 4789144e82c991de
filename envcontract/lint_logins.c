/* envcontract/lint_logins.c: no login of a database is rotated by two variables.
 *
 * Whoever rotates second takes the login away from the first one: its password is changed, or it may not log
 * in any more, while what the other variable publishes still names it. Roles belong to a server, and what
 * names the server here is its admin's URL. */
#include "envcontract/lint.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void login_uses_release(struct login_uses *uses)
{
    free(uses->list);
    *uses = (struct login_uses){0};
}

static void note(const struct look *look, struct login_uses *uses, const struct node *node,
                 const char *admin)
{
    const char *login = node_text(node);

    if (!login)
        return; /* said */
    if (mem_grow(&uses->list, uses->count, &uses->capacity, sizeof *uses->list) != 0) {
        look->d->no_memory = true;
        return;
    }
    uses->list[uses->count++] = (struct login_use){
        login, admin, node, look->one_profile ? look->profile : NULL, look->index};
}

void lint_note_logins(const struct look *look, struct said *said, const struct node *const *at)
{
    const struct node *database = node_member(look->d->files[0].root, "database");
    const struct node *logins = at[ROTATE_LOGINS];
    const char *admin = node_text(at[ROTATE_ADMIN]);

    if (!admin)
        admin = node_text(node_member(database, "admin_url"));
    if (at[ROTATE_LOGIN])
        note(look, said->logins, at[ROTATE_LOGIN], admin);
    for (const struct node *login = logins && logins->kind == NODE_ARRAY ? logins->first : NULL;
         login; login = login->next)
        note(look, said->logins, login, admin);
}

/* ---- two of them ------------------------------------------------------------------------------ */

static int compare_texts(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) : (a != NULL) - (b != NULL);
}

static int compare_roles(const struct login_use *a, const struct login_use *b)
{
    int by_login = strcmp(a->login, b->login);

    return by_login != 0 ? by_login : compare_texts(a->admin, b->admin);
}

/* The same role, then in the order of the contract. */
static int compare_uses(const void *left, const void *right)
{
    const struct login_use *a = left, *b = right;
    int by_role = compare_roles(a, b);

    return by_role != 0 ? by_role : (a->index > b->index) - (a->index < b->index);
}

/* Whether something lies over the variable in PROFILE, so that what holds for the rest does not. */
static bool lies_over(const struct contract_document *d, const struct login_use *use,
                      const char *profile)
{
    return node_member(node_member(d->base, "profiles"), profile) ||
           node_member(node_member(d->variables[use->index], "profiles"), profile);
}

static bool holds_in(const struct contract_document *d, const struct login_use *use,
                     const char *profile)
{
    return use->profile ? str_eq(use->profile, profile) : !lies_over(d, use, profile);
}

/* Whether there is a profile in which both are rotated. */
static bool meet(const struct contract_document *d, const struct login_use *a,
                 const struct login_use *b)
{
    if (a->index == b->index)
        return false;
    for (size_t i = 0; i < d->profile_count; i++)
        if (holds_in(d, a, d->profiles[i]) && holds_in(d, b, d->profiles[i]))
            return true;
    return d->profile_count == 0;
}

void lint_logins(struct contract_document *d, const struct login_uses *uses)
{
    size_t first = 0; /* of those with the same role */

    if (uses->count == 0)
        return;
    qsort(uses->list, uses->count, sizeof *uses->list, compare_uses);
    for (size_t i = 1; i < uses->count && !problems_full(d); i++) {
        const struct login_use *use = &uses->list[i];
        if (compare_roles(&uses->list[i - 1], use) != 0)
            first = i;
        for (size_t other = first; other < i; other++) {
            if (!meet(d, &uses->list[other], use))
                continue;
            problem(
                d, use->node, AT_VALUE,
                "Rotate it by one of both, which publishes for the other as a mirror; or let each "
                "have logins of its own.",
                "the login '%.*s' is rotated by '%.*s' already", SHOWN(use->login),
                SHOWN(d->names[uses->list[other].index]));
            break;
        }
    }
}
