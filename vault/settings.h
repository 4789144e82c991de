/* vault/settings.h: settings while they are read, shared by settings.c and settings_node.c. */
#ifndef VAULT_SETTINGS_H
#define VAULT_SETTINGS_H

#include "base/url.h"
#include "vault/internal.h"

enum { VAULT_AUTHORITIES_MAX_BYTES = 4 * 1024 * 1024 };

/* Everything while it is read. */
struct settings_reading {
    const struct vault_settings *settings;
    struct vault_config *config;
    struct err *err;
};

/* A copy of TEXT (NULL: nothing happens) into the configuration's arena. */
MUST_USE int settings_keep(struct settings_reading *r, const char **to, const char *text);

/* The boolean that BAO_<suffix> or VAULT_<suffix> says; *out stays as it is where neither does. */
MUST_USE int settings_read_bool(const char *suffix, bool *out, struct err *err);

/* The folder of certificate authorities PATH: those that OpenSSL would not find there by itself become
 * config->ca_bytes. Errors: ERR_FILE, also where there is none in it. */
MUST_USE int settings_read_folder(struct settings_reading *r, const char *path);

/* Which nodes there are. Errors: ERR_USAGE where the environment named one, else ERR_CONTRACT. */
MUST_USE int settings_read_nodes(struct settings_reading *r);

/* NAME (NULL: nothing happens) is what TLS asks for and checks, on every node that has TLS. */
MUST_USE int settings_name_servers(struct settings_reading *r, const char *name);

#endif
