/* vault/engine_internal.h: what engine.c, engine_token.c and engine_approle.c share. */
#ifndef VAULT_ENGINE_INTERNAL_H
#define VAULT_ENGINE_INTERNAL_H

#include "vault/ask.h"
#include "vault/engine.h"

/* The strings of ARRAY; none where it is no array. */
MUST_USE int engine_take_list(const json_t *array, struct vault_list *out, struct err *err);

/* Have ASK's path asked for its list. */
MUST_USE int engine_query_list(struct ask *ask, struct err *err);

/* Send it: the names that its answer lists, none where there is nothing. */
MUST_USE int engine_list(struct vault *v, struct ask *ask, int64_t deadline_ms,
                         struct vault_list *out, struct err *err);

/* {NAME: VALUE}. VALUE is borrowed until the ask is released: errors are cleared of it. A text is no
 * secret, and is copied. */
MUST_USE int engine_secret_body(struct ask *ask, const char *name, const struct secret *value,
                                struct err *err);
MUST_USE int engine_text_body(struct ask *ask, const char *name, const char *text, struct err *err);

/* The secret NAME of OBJECT, which the answer has to have. */
MUST_USE int engine_take_secret(struct vault *v, struct ask *ask, const json_t *object,
                                const char *name, struct secret *out, struct err *err);

/* Have TOKEN end itself. A dead one is refused with 403. */
MUST_USE int engine_end_as(struct vault *v, const struct secret *token, int64_t deadline_ms,
                           struct err *err);

#endif
