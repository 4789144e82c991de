/* vault.c: the client as others see it: opened, asked, released. */
#include "vault/vault.h"

#include "base/mem.h"
#include "base/str.h"
#include "vault/internal.h"

int vault_open(const struct vault_settings *settings, struct vault **out, struct err *err)
{
    struct vault *v = mem_new(1, sizeof(*v));

    if (!v)
        return err_nomem(err);
    /* jansson's trees hold what Vault answered. Blocks that were made before are freed all the
     * same: the wiping allocators are malloc's own underneath. */
    vault_json_use_memory();
    v->token_expires_ms = CLOCK_NEVER;
    if (vault_config_read(settings, &v->config, err) != 0) {
        free(v);
        return -1;
    }
    *out = v;
    return 0;
}

void vault_free(struct vault *v)
{
    if (!v)
        return;
    ahead_free(v);
    http_free(v->http);
    secret_release(&v->token);
    secret_release(&v->secret_id);
    for (size_t i = 0; i < v->mount_count; i++)
        free(v->mounts[i].path);
    free(v->mounts);
    for (size_t i = 0; i < v->warning_count; i++)
        free(v->warnings[i]);
    free(v->warnings);
    free(v->index);
    vault_config_release(&v->config);
    free(v);
}

const char *vault_address(const struct vault *v)
{
    return v->config.nodes[v->node].address;
}

/* ---- reading -------------------------------------------------------------------------------- */

static void forget_answer(struct vault_read *read)
{
    vault_fields_free(read->fields, read->field_count);
    free(read->lease.id);
    read->fields = NULL;
    read->field_count = 0;
    read->version = 0;
    read->written_at_ns = 0;
    read->lease = (struct vault_lease){.expires_ms = CLOCK_NEVER};
    err_clear(&read->err);
}

void vault_read_release(struct vault_read *read)
{
    forget_answer(read);
    *read = (struct vault_read){0};
}

const struct vault_field *vault_read_field(const struct vault_read *read, const char *name)
{
    for (size_t i = 0; i < read->field_count; i++)
        if (str_eq(read->fields[i].name, name))
            return &read->fields[i];
    return NULL;
}

int vault_read_all(struct vault *v, struct vault_read *reads, size_t count, int64_t deadline_ms,
                   struct err *err)
{
    int64_t deadline = clock_earlier(deadline_ms, clock_in_ms(v->config.deadline_ms));

    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        forget_answer(&reads[i]);
    if (distinct_read_all(v, reads, count, deadline, err) != 0) {
        for (size_t i = 0; i < count; i++) { /* all or nothing, when it was not the server's word */
            forget_answer(&reads[i]);
            reads[i].err = *err;
        }
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        if (reads[i].err.kind != ERR_NONE) {
            *err = reads[i].err;
            return -1;
        }
    return 0;
}
