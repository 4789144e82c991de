/* vault_token.c: the strategy `token`: what Vault itself is logged in to with, kept in KV. Here Vault tokens;
 * secret ids of an AppRole are vault_secret_id.c's.
 *
 * Both are shown once, when they are made, so each carries the id of its rotation, and is in the record
 * before anything else is done. A token whose answer was lost is looked for by it where the policy allows
 * to list all tokens; else it ends with its time, and that is said. */
#include "rotate/vault_token.h"

#include "base/mem.h"
#include "base/str.h"
#include "rotate/place.h"

enum {
    TEXT_BYTES = 64,
    SEARCHED_TOKENS = 1000, /* one request each */
    LOOKS = 4,
    LOOK_BACKOFF_MS = 20,
    LOOK_BACKOFF_MAX_MS = 200,
};

#define STATE_ACCESSOR "accessor"        /* of the new one */
#define STATE_FORMER   "former_accessor" /* of the one that it replaces */

#define AUTO_FACTS CLEANUP(vault_token_facts_release) struct vault_token_facts

/* ---- stage --------------------------------------------------------------------------------------- */

static int look_at(struct rotation *r, const struct secret *token, struct vault_token_facts *out,
                   struct err *err)
{
    struct vault *v;

    if (engine_vault(r, &v, err) != 0)
        return -1;
    return vault_token_lookup(v, token, r->context->deadline_ms, out, err);
}

/* The present one, which the next is to be like. */
static int look_at_present(struct rotation *r, struct vault_token_facts *out, struct err *err)
{
    const char *name = place_field(r->spec);

    if (!name || place_load(r, err) != 0)
        return name ? -1
                    : err_set(err, ERR_CONTRACT, "'%s' has no field that a rotation could write",
                              r->spec->variable);
    const struct secret *present = place_current(r, name);
    if (!present || secret_length(present) == 0) {
        (void)err_set(err, ERR_SOURCE_MISSING, "there is no token yet that another could be like");
        return err_hint(err, "Make the first one with 'vault token create' and write it there.");
    }
    if (look_at(r, present, out, err) != 0)
        return err_wrap(err, "look at the present token");
    if (out->is_alive)
        return 0;
    (void)err_set(err, ERR_VIOLATION,
                  "the present token has ended: what it was allowed is not known any more");
    return err_hint(err, "Make a new one with 'vault token create' and write it there.");
}

/* Where it is made: behind a token role, or without a parent, since it is to outlive this run. And where the
 * former is ended and then asked for: a right that is missing there would be found out when it is too late. */
static int check_policy(struct rotation *r, const struct vault_token_facts *facts, struct err *err)
{
    AUTO_BUF path = BUF_INIT(ENGINE_PATH_BYTES);

    if (facts->role)
        buf_addf(&path, "auth/token/create/%s", facts->role);
    else
        buf_adds(&path, "auth/token/create-orphan");
    struct vault_need needs[] = {
        {.path = buf_text(&path),
         .kind = VAULT_NEED_PLAIN,
         .wanted = facts->role ? VAULT_CAN_UPDATE : VAULT_CAN_UPDATE | VAULT_CAN_SUDO},
        {.path = "auth/token/lookup", .kind = VAULT_NEED_PLAIN, .wanted = VAULT_CAN_UPDATE},
        {.path = "auth/token/revoke", .kind = VAULT_NEED_PLAIN, .wanted = VAULT_CAN_UPDATE}};
    return engine_check_needs(r, needs, ARRAY_LEN(needs), err);
}

int token_stage(struct rotation *r, struct err *err)
{
    AUTO_FACTS facts = {0};

    if (look_at_present(r, &facts, err) != 0)
        return -1;
    if (str_eq(facts.type, "batch"))
        return err_set(
            err, ERR_CONTRACT,
            "the present token is a batch token: those can't be ended before their time");
    if (facts.accessor && record_state_set(&r->record, STATE_FORMER, facts.accessor, err) != 0)
        return -1;
    return check_policy(r, &facts, err);
}

/* ---- set ----------------------------------------------------------------------------------------- */

static int make(struct rotation *r, const struct vault_token_facts *like, struct secret *token,
                char **accessor, struct err *err)
{
    struct vault_token_wish wish = vault_token_like(like);
    AUTO_DOCUMENT meta = DOCUMENT_INIT;
    struct vault *v;

    if (document_copy(&meta, &like->meta, err) != 0 ||
        document_set_text(&meta, NULL, TOKEN_MARK, record_id(&r->record), err) != 0 ||
        engine_vault(r, &v, err) != 0)
        return -1;
    wish.meta = &meta;
    wish.orphan = !wish.role; /* a role says that itself */
    return vault_token_create(v, &wish, r->context->deadline_ms, token, accessor, err);
}

/* It is in the record, or it is ended. */
static int keep(struct rotation *r, const struct secret *token, const char *accessor,
                struct err *err)
{
    struct err late = ERR_INIT;
    struct vault *v;

    if (place_stage(r, place_field(r->spec), token, err) == 0 &&
        record_state_set(&r->record, STATE_ACCESSOR, accessor, err) == 0 &&
        engine_keep_record(r, err) == 0)
        return 0;
    if (engine_vault(r, &v, &late) == 0 &&
        vault_token_revoke_accessor(v, accessor, r->context->deadline_ms, &late) == 0) {
        document_remove(&r->record.data, PLACE_FIELDS, place_field(r->spec));
        return -1;
    }
    engine_warn(r,
                "the token with the accessor '%s' was made, could not be recorded, and could not "
                "be ended: %s",
                accessor, late.text);
    return -1;
}

/* Whether the token of ACCESSOR is one that this rotation made: then it is ended. */
static int end_if_ours(struct rotation *r, struct vault *v, const char *accessor, bool *ended,
                       struct err *err)
{
    AUTO_FACTS facts = {0};

    if (vault_token_lookup_accessor(v, accessor, r->context->deadline_ms, &facts, err) != 0)
        return -1;
    if (!facts.is_alive ||
        !str_eq(document_text(&facts.meta, NULL, TOKEN_MARK), record_id(&r->record)))
        return 0;
    if (vault_token_revoke_accessor(v, accessor, r->context->deadline_ms, err) != 0)
        return -1;
    *ended = true;
    engine_say(r, "a token whose answer was lost was ended");
    return 0;
}

/* As end_if_ours, again where it could not be looked at: one that is just being ended is still listed,
 * and refused to whoever asks about it. */
static int end_surely(struct rotation *r, struct vault *v, const char *accessor, bool *ended,
                      struct err *err)
{
    struct backoff backoff = {.base_ms = LOOK_BACKOFF_MS, .cap_ms = LOOK_BACKOFF_MAX_MS};

    for (int looks = 1;; looks++) {
        if (end_if_ours(r, v, accessor, ended, err) == 0)
            return 0;
        if (looks == LOOKS || !backoff_wait(&backoff, 0, r->context->deadline_ms))
            return -1;
    }
}

/* What was made, and whose answer was lost, among all tokens: where a policy allows to look, and there
 * are not too many. False: it may be there still. */
static bool end_orphans(struct rotation *r)
{
    AUTO_LIST accessors = {0};
    struct err ignored = ERR_INIT; /* then it is said that one may be left */
    bool ended = false, all = true;
    struct vault *v;

    if (engine_vault(r, &v, &ignored) != 0 ||
        vault_token_accessors(v, r->context->deadline_ms, &accessors, &ignored) != 0 ||
        accessors.count > SEARCHED_TOKENS)
        return false;
    for (size_t i = 0; i < accessors.count; i++)
        all = end_surely(r, v, accessors.items[i], &ended, &ignored) == 0 && all;
    return ended || all;
}

static void say_lost(struct rotation *r, const struct vault_token_facts *like)
{
    AUTO_BUF time = BUF_INIT(TEXT_BYTES);
    int64_t ttl = like->period_ms > 0 ? like->period_ms : like->creation_ttl_ms;

    str_add_duration(&time, ttl);
    engine_warn(
        r,
        "a token that was made before its answer was lost may be left: its metadata has " TOKEN_MARK
        "=%s, nobody has it, and it ends %s%s",
        record_id(&r->record), ttl > 0 ? "by itself after " : "when it is revoked",
        ttl > 0 ? buf_text(&time) : "");
}

int token_set(struct rotation *r, struct err *err)
{
    AUTO_FACTS like = {0};
    AUTO_SECRET token = SECRET_INIT;
    AUTO_FREE char *accessor = NULL;

    if (record_field(&r->record, place_field(r->spec))) /* made, and recorded */
        return 0;
    if (look_at_present(r, &like, err) != 0)
        return -1;
    if (r->resumed && !end_orphans(r))
        say_lost(r, &like);
    if (make(r, &like, &token, &accessor, err) != 0)
        return err_wrap(err, "make a token");
    return keep(r, &token, accessor ? accessor : "", err);
}

/* ---- test ---------------------------------------------------------------------------------------- */

/* Children end with their parent. */
static int outlives_us(struct rotation *r, const struct vault_token_facts *made, struct err *err)
{
    AUTO_FACTS own = {0};
    struct vault_identity identity;
    struct vault *v;

    if (made->orphan)
        return 0;
    if (engine_vault(r, &v, err) != 0 || vault_self(v, r->context->deadline_ms, &own, err) != 0)
        return -1;
    vault_identity(v, &identity);
    if (!identity.logged_in && !str_eq(own.accessor, record_state(&r->record, STATE_FORMER)))
        return 0;
    (void)err_set(err, ERR_VIOLATION,
                  "the new token is a child of the one that agent uses, and would end with it");
    return err_hint(err, "Set orphan=true at the token role '%s'.", made->role ? made->role : "");
}

static bool has_policy(const struct vault_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (str_eq(list->items[i], name))
            return true;
    return false;
}

static int check_policies(const struct vault_list *made, const struct vault_list *former,
                          struct err *err)
{
    for (size_t i = 0; i < former->count; i++)
        if (!has_policy(made, former->items[i]))
            return err_set(err, ERR_VIOLATION, "the new token lacks the policy '%s' of the former",
                           former->items[i]);
    return 0;
}

int token_test(struct rotation *r, struct err *err)
{
    const struct secret *token = record_field(&r->record, place_field(r->spec));
    const struct secret *present = record_former(&r->record, place_field(r->spec));
    AUTO_FACTS made = {0}, former = {0};

    if (!token || !present)
        return err_set(err, ERR_DEFECT, "the record has no token to test");
    if (look_at(r, token, &made, err) != 0 || look_at(r, present, &former, err) != 0)
        return err_wrap(err, "look at the new token");
    if (!made.is_alive)
        return err_set(err, ERR_VIOLATION, "Vault does not know the new token");
    if (former.is_alive && check_policies(&made.policies, &former.policies, err) != 0)
        return -1;
    return outlives_us(r, &made, err);
}

/* ---- the ways back, and the end ------------------------------------------------------------------- */

int token_restore(struct rotation *r, struct err *err)
{
    const struct secret *token = record_field(&r->record, place_field(r->spec));
    struct vault *v;

    if (!token && end_orphans(r))
        return 0;
    if (!token) {
        engine_say(r,
                   "if a token was made before its answer was lost, its metadata has " TOKEN_MARK
                   "=%s: nobody has it, and it ends with its time",
                   record_id(&r->record));
        return 0;
    }
    if (engine_vault(r, &v, err) != 0)
        return -1;
    return vault_token_revoke(v, token, r->context->deadline_ms, err) == 0
               ? 0
               : err_wrap(err, "end the new token");
}

int token_rollback(struct rotation *r, struct err *err)
{
    const struct secret *former = record_former(&r->record, place_field(r->spec));
    AUTO_FACTS facts = {0};

    if (!former)
        return err_set(err, ERR_VIOLATION, "there was no token before");
    if (look_at(r, former, &facts, err) != 0)
        return err_wrap(err, "look at the former token");
    return facts.is_alive ? 0 : err_set(err, ERR_VIOLATION, "the former token has ended already");
}

/* Ending the token that we use ourselves would leave the record open for good. */
static int is_not_ours(struct rotation *r, struct vault *v, struct err *err)
{
    AUTO_FACTS own = {0};

    if (vault_self(v, r->context->deadline_ms, &own, err) != 0)
        return -1;
    if (!own.accessor || !str_eq(own.accessor, record_state(&r->record, STATE_FORMER)))
        return 0;
    (void)err_set(err, ERR_ROTATION, "the former token is the one that agent uses at this moment");
    return err_hint(err, "agent rotate --resume %s, with the new token, ends it.",
                    r->spec->variable);
}

int token_retire(struct rotation *r, struct err *err)
{
    const struct secret *former = record_former(&r->record, place_field(r->spec));
    AUTO_FACTS facts = {0};
    struct vault *v;

    if (!former)
        return 0;
    if (engine_vault(r, &v, err) != 0 || is_not_ours(r, v, err) != 0)
        return -1;
    if (vault_token_revoke(v, former, r->context->deadline_ms, err) != 0)
        return err_wrap(err, "end the former token");
    if (look_at(r, former, &facts, err) != 0)
        return err_wrap(err, "look at the former token");
    return facts.is_alive ? err_set(err, ERR_VIOLATION, "the former token still works") : 0;
}

/* ---- the strategy -------------------------------------------------------------------------------- */

static int stage(struct rotation *r, struct err *err)
{
    return r->spec->role ? secret_id_stage(r, err) : token_stage(r, err);
}

static int set(struct rotation *r, struct err *err)
{
    return r->spec->role ? secret_id_set(r, err) : token_set(r, err);
}

static int test(struct rotation *r, struct err *err)
{
    return r->spec->role ? secret_id_test(r, err) : token_test(r, err);
}

static int restore(struct rotation *r, struct err *err)
{
    return r->spec->role ? secret_id_restore(r, err) : token_restore(r, err);
}

static int retire(struct rotation *r, struct err *err)
{
    return r->spec->role ? secret_id_retire(r, err) : token_retire(r, err);
}

static int rollback(struct rotation *r, struct err *err)
{
    return r->spec->role ? secret_id_rollback(r, err) : token_rollback(r, err);
}

static int plan(struct rotation *r, struct buf *out, bool *ready, struct err *err)
{
    AUTO_FACTS facts = {0};
    struct err why = ERR_INIT;

    if (r->spec->role)
        return secret_id_plan(r, out, ready, err);
    buf_adds(out,
             "  another token like the present one is made; the present one is revoked, with its "
             "children and leases\n");
    if (look_at_present(r, &facts, &why) == 0 && check_policy(r, &facts, &why) == 0)
        return 0;
    *ready = false;
    buf_addf(out, "  %s\n", why.text);
    if (*why.hint)
        buf_addf(out, "  %s\n", why.hint);
    return 0;
}

const struct strategy strategy_token = {
    .kind = ROTATE_TOKEN,
    .overlap = "both work until `retire`",
    .reads_current = true,
    .promotes = true,
    .ends_former = true,
    .stage = stage,
    .set = set,
    .test = test,
    .restore = restore,
    .retire = retire,
    .rollback = rollback,
    .plan = plan,
};
