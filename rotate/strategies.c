/* strategies.c: which of them is meant. */
#include "rotate/internal.h"

static const struct strategy *const strategies[ROTATE_STRATEGY_COUNT] = {
    [ROTATE_PG_TWO_LOGIN] = &strategy_pg_two_login,
    [ROTATE_PG_LOGIN] = &strategy_pg_login,
    [ROTATE_VAULT_STATIC] = &strategy_vault_static,
    [ROTATE_VAULT_ROOT] = &strategy_vault_root,
    [ROTATE_VAULT_DYNAMIC] = &strategy_vault_dynamic,
    [ROTATE_RANDOM] = &strategy_random,
    [ROTATE_HOOK] = &strategy_hook,
    [ROTATE_MANUAL] = &strategy_manual,
    [ROTATE_TOKEN] = &strategy_token,
};

const struct strategy *strategy_of(enum rotate_strategy kind)
{
    return strategies[kind];
}
