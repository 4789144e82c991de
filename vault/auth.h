/* vault/auth.h: logging in, shared by auth.c (where a token comes from), auth_value.c (what the
 * contract's settings say), auth_login.c (the ways to log in) and auth_wrapped.c (a secret id that
 * comes wrapped). */
#ifndef VAULT_AUTH_H
#define VAULT_AUTH_H

#include "vault/internal.h"

/* How a value is cleaned: tokens and ids lose the white space around them, a password one newline
 * at its end, which editors and `echo` add. */
enum cleaning { TRIM, DROP_NEWLINE };

/* A setting of the contract: NAME is its key, TEXT env:NAME, file:PATH, sealed:NAME or, where that may
 * stand in a contract, the value. */
struct setting {
    const char *name, *text;
    bool literal_is_fine;
    enum cleaning how;
};

/* Its value; *out stays unset when the variable is not set or empty. */
MUST_USE int auth_read_setting(const struct vault *v, const struct setting *setting,
                               struct secret *out, struct err *err);

/* The setting, or where the contract has none VAULT_<suffix> or the file that VAULT_<suffix>_FILE
 * names, as others do it too. */
MUST_USE int auth_read_setting_or(const struct vault *v, const struct setting *setting,
                                  const char *suffix, struct secret *out, struct err *err);
MUST_USE int auth_read_role_id(const struct vault *v, struct secret *out, struct err *err);

/* A file's content, cleaned. */
MUST_USE int auth_read_file(const char *path, enum cleaning how, struct secret *out,
                            struct err *err);

/* Have FROM as our token; SOURCE says where it is from. */
MUST_USE int auth_take_token(struct vault *v, const struct secret *from, const char *source,
                             struct err *err);

/* "there is no WHAT to log in to Vault with", and HOW to mend it. */
int auth_lacks(const char *what, const char *how, struct err *err);

/* Where a method is mounted, without slashes at the ends: the setting, or USUAL. The caller's. */
MUST_USE int auth_mount(const struct vault *v, const char *usual, char **out, struct err *err);

/* One way to log in (auth_login.c). */
struct login_method;

/* The row of METHOD, or of the one that vault_identity calls WORD; NULL: it is no log-in. */
const struct login_method *auth_login_method(enum vault_auth_method method);
const struct login_method *auth_login_word(const char *word);
const char *auth_login_name(const struct login_method *method); /* that word, static */

/* Log in: v->token, v->method and what the token lasts. */
MUST_USE int auth_log_in(struct vault *v, const struct login_method *method, int64_t deadline_ms,
                         struct err *err);

/* The secret id that WRAPPING, a wrapping token, stands for. Its creation path is looked at before: it
 * has to be that of a secret id of our mount, and of our role where one is named. Works once: the
 * answer's loss is an error that says so. */
MUST_USE int auth_unwrap_secret_id(struct vault *v, const struct secret *wrapping,
                                   int64_t deadline_ms, struct secret *out, struct err *err);

#endif
