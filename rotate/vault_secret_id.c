/* vault_secret_id.c: the strategy `token` where the contract names a role: a secret id of that AppRole.
 *
 * Each one that we make carries the id of its rotation as metadata. One whose answer was lost is found by
 * it among the role's, ended, and made again. */
#include "base/mem.h"
#include "base/str.h"
#include "rotate/place.h"
#include "rotate/vault_token.h"

#define STATE_ACCESSOR "accessor" /* of the new one */
#define DEFAULT_MOUNT  "approle"
#define AUTO_FACTS     CLEANUP(vault_secret_id_facts_release) struct vault_secret_id_facts

static const char *mount_of(const struct rotation *r)
{
    return r->spec->mount ? r->spec->mount : DEFAULT_MOUNT;
}

static void needs_path(const struct rotation *r, const char *rest, struct buf *out)
{
    buf_addf(out, "auth/%s/role/%s/%s", mount_of(r), r->spec->role, rest);
}

enum { NEEDS = 4 };

struct needs {
    struct buf paths[NEEDS];
    struct vault_need list[NEEDS];
};

static void needs_release(struct needs *needs)
{
    for (size_t i = 0; i < NEEDS; i++)
        buf_release(&needs->paths[i]);
}

static void needs_of(const struct rotation *r, struct needs *out)
{
    static const struct {
        const char *rest;
        unsigned wanted;
    } wanted[NEEDS] = {
        {"role-id", VAULT_CAN_READ},
        {"secret-id", VAULT_CAN_UPDATE | VAULT_CAN_LIST},
        {"secret-id/lookup", VAULT_CAN_UPDATE},
        {"secret-id/destroy", VAULT_CAN_UPDATE},
    };

    for (size_t i = 0; i < NEEDS; i++) {
        out->paths[i] = BUF_INIT(ENGINE_PATH_BYTES);
        needs_path(r, wanted[i].rest, &out->paths[i]);
        out->list[i] = (struct vault_need){
            .path = buf_text(&out->paths[i]), .kind = VAULT_NEED_PLAIN, .wanted = wanted[i].wanted};
    }
}

static int look_at(struct rotation *r, struct vault *v, const struct secret *secret_id,
                   struct vault_secret_id_facts *out, struct err *err)
{
    return vault_secret_id_lookup(v, mount_of(r), r->spec->role, secret_id, r->context->deadline_ms,
                                  out, err);
}

int secret_id_stage(struct rotation *r, struct err *err)
{
    CLEANUP(needs_release) struct needs needs;
    AUTO_SECRET role_id = SECRET_INIT;
    struct vault *v;

    needs_of(r, &needs);
    if (!place_field(r->spec))
        return err_set(err, ERR_CONTRACT, "'%s' has no field that a rotation could write",
                       r->spec->variable);
    if (engine_vault(r, &v, err) != 0 || engine_check_needs(r, needs.list, NEEDS, err) != 0)
        return -1;
    return vault_role_id_read(v, mount_of(r), r->spec->role, r->context->deadline_ms, &role_id,
                              err);
}

/* ---- set ----------------------------------------------------------------------------------------- */

/* Whether the secret id of ACCESSOR is one that this rotation made. */
static int is_ours(struct rotation *r, struct vault *v, const char *accessor, bool *ours,
                   struct err *err)
{
    AUTO_FACTS facts = {0};

    if (vault_secret_id_lookup_accessor(v, mount_of(r), r->spec->role, accessor,
                                        r->context->deadline_ms, &facts, err) != 0)
        return -1;
    *ours = facts.is_there &&
            str_eq(document_text(&facts.meta, NULL, TOKEN_MARK), record_id(&r->record));
    return 0;
}

/* What was made, and whose answer was lost. */
static int end_orphans(struct rotation *r, struct vault *v, struct err *err)
{
    AUTO_LIST accessors = {0};

    if (vault_secret_ids_list(v, mount_of(r), r->spec->role, r->context->deadline_ms, &accessors,
                              err) != 0)
        return err_wrap(err, "list the secret ids of '%s'", r->spec->role);
    for (size_t i = 0; i < accessors.count; i++) {
        bool ours = false;
        if (is_ours(r, v, accessors.items[i], &ours, err) != 0)
            return -1;
        if (!ours)
            continue;
        if (vault_secret_id_destroy_accessor(v, mount_of(r), r->spec->role, accessors.items[i],
                                             r->context->deadline_ms, err) != 0)
            return err_wrap(err, "end a secret id whose answer was lost");
        engine_say(r, "a secret id whose answer was lost was ended");
    }
    return 0;
}

int secret_id_set(struct rotation *r, struct err *err)
{
    AUTO_DOCUMENT meta = DOCUMENT_INIT;
    AUTO_SECRET secret_id = SECRET_INIT;
    AUTO_FREE char *accessor = NULL;
    struct vault *v;

    if (record_field(&r->record, place_field(r->spec))) /* made, and recorded */
        return 0;
    if (place_load(r, err) != 0 || engine_vault(r, &v, err) != 0 ||
        (r->resumed && end_orphans(r, v, err) != 0))
        return -1;
    if (document_set_text(&meta, NULL, TOKEN_MARK, record_id(&r->record), err) != 0)
        return -1;
    if (vault_secret_id_new(v, mount_of(r), r->spec->role, &meta, r->context->deadline_ms,
                            &secret_id, &accessor, err) != 0)
        return err_wrap(err, "make a secret id of '%s'", r->spec->role);
    if (place_stage(r, place_field(r->spec), &secret_id, err) != 0 ||
        record_state_set(&r->record, STATE_ACCESSOR, accessor ? accessor : "", err) != 0)
        return -1;
    return engine_keep_record(r, err);
}

/* ---- test ---------------------------------------------------------------------------------------- */

static int try_it(struct rotation *r, struct vault *v, const struct secret *secret_id,
                  bool *accepted, struct err *err)
{
    AUTO_SECRET role_id = SECRET_INIT;

    if (vault_role_id_read(v, mount_of(r), r->spec->role, r->context->deadline_ms, &role_id, err) !=
        0)
        return -1;
    return vault_approle_login_try(v, mount_of(r), &role_id, secret_id, r->context->deadline_ms,
                                   accepted, err);
}

int secret_id_test(struct rotation *r, struct err *err)
{
    const struct secret *secret_id = record_field(&r->record, place_field(r->spec));
    AUTO_FACTS facts = {0};
    bool accepted = false;
    struct vault *v;

    if (!secret_id)
        return err_set(err, ERR_DEFECT, "the record has no secret id to test");
    if (engine_vault(r, &v, err) != 0 || look_at(r, v, secret_id, &facts, err) != 0)
        return -1;
    if (!facts.is_there)
        return err_set(err, ERR_VIOLATION, "Vault does not know the new secret id");
    if (facts.uses_left == 1) {
        engine_say(r, "the new secret id is for one log-in, which a test would use up: not tried");
        return 0;
    }
    if (try_it(r, v, secret_id, &accepted, err) != 0)
        return err_wrap(err, "log in with the new secret id");
    if (accepted)
        return 0;
    (void)err_set(err, ERR_VIOLATION, "Vault refuses a log-in with the new secret id");
    return err_hint(err, "Look at the role's secret_id_bound_cidrs: the log-in came from here.");
}

/* ---- the ways back, and the end ------------------------------------------------------------------- */

int secret_id_restore(struct rotation *r, struct err *err)
{
    const struct secret *secret_id = record_field(&r->record, place_field(r->spec));
    struct vault *v;

    if (engine_vault(r, &v, err) != 0)
        return -1;
    if (!secret_id) /* one may have been made all the same */
        return end_orphans(r, v, err);
    return vault_secret_id_destroy(v, mount_of(r), r->spec->role, secret_id,
                                   r->context->deadline_ms, err) == 0
               ? 0
               : err_wrap(err, "end the new secret id");
}

int secret_id_rollback(struct rotation *r, struct err *err)
{
    const struct secret *former = record_former(&r->record, place_field(r->spec));
    AUTO_FACTS facts = {0};
    struct vault *v;

    if (!former)
        return err_set(err, ERR_VIOLATION, "there was no secret id before");
    if (engine_vault(r, &v, err) != 0 || look_at(r, v, former, &facts, err) != 0)
        return -1;
    return facts.is_there ? 0
                          : err_set(err, ERR_VIOLATION, "the former secret id has ended already");
}

int secret_id_retire(struct rotation *r, struct err *err)
{
    const struct secret *former = record_former(&r->record, place_field(r->spec));
    bool accepted = false;
    struct vault *v;

    if (!former)
        return 0;
    if (engine_vault(r, &v, err) != 0)
        return -1;
    if (vault_secret_id_destroy(v, mount_of(r), r->spec->role, former, r->context->deadline_ms,
                                err) != 0)
        return err_wrap(err, "end the former secret id");
    if (try_it(r, v, former, &accepted, err) != 0)
        return err_wrap(err, "log in with the former secret id");
    return accepted ? err_set(err, ERR_VIOLATION, "the former secret id still logs in") : 0;
}

int secret_id_plan(struct rotation *r, struct buf *out, bool *ready, struct err *err)
{
    CLEANUP(needs_release) struct needs needs;

    needs_of(r, &needs);
    buf_addf(out, "  a new secret id of '%s' at 'auth/%s' is made; the present one is destroyed\n",
             r->spec->role, mount_of(r));
    return engine_plan_needs(r, needs.list, NEEDS, out, ready, err);
}
