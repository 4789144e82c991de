/* pg_place.c: who is in the place now, and what goes there; see rotate/pg_roles.h. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "rotate/pg_roles.h"
#include "rotate/place.h"

static bool is_url(const struct rotate_place *place)
{
    return place->value_field && place->value_is_url;
}

static int user_of_url(const struct rotation *r, char **out, struct err *err)
{
    const struct secret *url = place_current(r, r->spec->place.value_field);
    struct db_target target = {0};
    if (!url)
        return 0;
    if (db_target_parse(url, r->spec->variable, &target, err) != 0)
        return -1;
    char *user = TAKE_POINTER(target.user);
    db_target_release(&target);
    if (*user)
        *out = user;
    else
        free(user);
    return 0;
}

int pg_place_user(struct rotation *r, char **out, struct err *err)
{
    const struct rotate_place *place = &r->spec->place;
    char *user = NULL;
    if (place->user_field) {
        const char *text = document_text(&r->current, NULL, place->user_field);
        user = text ? mem_dup(text) : NULL;
        if (text && !user)
            return err_nomem(err);
    } else if (is_url(place) && user_of_url(r, &user, err) != 0) {
        return -1;
    }
    *out = user;
    return 0;
}

int pg_place_password(const struct rotation *r, struct secret *out, struct err *err)
{
    size_t length = r->spec->length > 0 ? r->spec->length : PG_PASSWORD_LENGTH;
    if (generate_password(length, r->spec->alphabet, out, err) != 0)
        return err_wrap(err, "a new password for '%s'", r->spec->variable);
    return 0;
}

int pg_place_database(struct rotation *r, char **out, struct err *err)
{
    AUTO_SECRET url = SECRET_INIT;
    AUTO_FREE char *user = NULL;
    struct db_target target = {0};
    bool there = r->current.count > 0;
    if (pg_place_user(r, &user, err) != 0)
        return -1;
    if ((there ? login_url(r, NULL, user ? user : r->spec->login, &url, err)
               : login_admin_url(r, &url, err)) != 0 ||
        db_target_parse(&url, there ? r->spec->variable : r->spec->admin, &target, err) != 0)
        return -1;
    /* Without a name libpq takes the user's. */
    char *database = mem_dup(*target.database ? target.database : target.user);
    db_target_release(&target);
    if (!database)
        return err_nomem(err);
    *out = database;
    return 0;
}

/* ---- what goes there -------------------------------------------------------------------------------- */

static int stage_url(struct rotation *r, const char *user, const struct secret *password,
                     struct err *err)
{
    const char *field = r->spec->place.value_field;
    const struct secret *present = place_current(r, field);
    AUTO_SECRET admin = SECRET_INIT;
    AUTO_SECRET changed = SECRET_INIT;
    if (!present && login_admin_url(r, &admin, err) != 0)
        return -1;
    if (surgery_replace_login(present ? present : &admin, user, password, &changed, err) != 0)
        return err_wrap(err, "the new URL of '%s'", r->spec->variable);
    return place_stage(r, field, &changed, err);
}

static int stage_user(struct rotation *r, const char *user, struct err *err)
{
    AUTO_SECRET name = SECRET_INIT;
    if (!r->spec->place.user_field) {
        err_set(err, ERR_CONTRACT,
                "'%s' has no place for a user's name, and with two logins it changes",
                r->spec->variable);
        return err_hint(err, "Let the value be a URL, or compose it of a 'user' and a 'password'; "
                             "for a password alone there is the strategy pg-login.");
    }
    if (secret_set(&name, user, strlen(user), err) != 0)
        return -1;
    return place_stage(r, r->spec->place.user_field, &name, err);
}

int pg_place_stage(struct rotation *r, const char *user, const struct secret *password,
                   struct err *err)
{
    if (is_url(&r->spec->place))
        return stage_url(r, user, password, err);
    const char *field = place_field(r->spec);
    if (!field)
        return err_set(err, ERR_CONTRACT, "'%s' has no field that a rotation could write",
                       r->spec->variable);
    if (user && stage_user(r, user, err) != 0)
        return -1;
    return place_stage(r, field, password, err);
}

/* ---- what is in the record --------------------------------------------------------------------------- */

int pg_password_of(struct rotation *r, const char *group, const char *login, struct secret *out,
                   struct err *err)
{
    struct db_target target = {0};
    AUTO_SECRET url = SECRET_INIT;
    if (login_url(r, group, login, &url, err) != 0 ||
        db_target_parse(&url, r->spec->variable, &target, err) != 0)
        return -1;
    if (!str_eq(target.user, login)) {
        err_set(err, ERR_CONTRACT, "with the %s values '%s' would log in as '%s', not as '%s'",
                str_eq(group, PLACE_FIELDS) ? "pending" : "former", r->spec->variable, target.user,
                login);
        db_target_release(&target);
        return -1;
    }
    *out = target.password;
    target.password = SECRET_INIT; /* moved */
    db_target_release(&target);
    return 0;
}

int pg_probe(struct rotation *r, const char *group, const char *login, bool *works, struct err *err)
{
    AUTO_DB db = NULL;
    struct err answer = ERR_INIT;
    *works = login_with(r, group, login, &db, &answer) == 0;
    if (*works || login_was_refused(&answer))
        return 0;
    *err = answer;
    return -1;
}
