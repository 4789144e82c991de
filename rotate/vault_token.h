/* rotate/vault_token.h: the two kinds of `token`, told apart by spec->role. */
#ifndef ROTATE_VAULT_TOKEN_H
#define ROTATE_VAULT_TOKEN_H

#include "rotate/vault_common.h"

/* Under which name what we make says of which rotation it is. */
#define TOKEN_MARK "agent_rotation"

/* A Vault token kept in KV is replaced by another one like it. */
MUST_USE int token_stage(struct rotation *r, struct err *err);
MUST_USE int token_set(struct rotation *r, struct err *err);
MUST_USE int token_test(struct rotation *r, struct err *err);
MUST_USE int token_restore(struct rotation *r, struct err *err);
MUST_USE int token_retire(struct rotation *r, struct err *err);
MUST_USE int token_rollback(struct rotation *r, struct err *err);

/* A secret id of the AppRole spec->role. */
MUST_USE int secret_id_stage(struct rotation *r, struct err *err);
MUST_USE int secret_id_set(struct rotation *r, struct err *err);
MUST_USE int secret_id_test(struct rotation *r, struct err *err);
MUST_USE int secret_id_restore(struct rotation *r, struct err *err);
MUST_USE int secret_id_retire(struct rotation *r, struct err *err);
MUST_USE int secret_id_rollback(struct rotation *r, struct err *err);
MUST_USE int secret_id_plan(struct rotation *r, struct buf *out, bool *ready, struct err *err);

#endif
