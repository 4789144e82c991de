/* auth_value.c: the values that a log-in is made with: read where the contract says they are. */
#include "vault/auth.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { NAME_BYTES = 128 };

int auth_check_header_value(const char **text, size_t *length, const char *source, struct err *err)
{
    str_trim(text, length);
    if (*length == 0)
        return err_set(err, ERR_USAGE, "%s is empty", source);
    if (*length > VAULT_HEADER_VALUE_MAX_BYTES)
        return err_set(err, ERR_USAGE, "%s is longer than %d bytes", source,
                       VAULT_HEADER_VALUE_MAX_BYTES);
    for (size_t i = 0; i < *length; i++) {
        unsigned char c = (unsigned char)(*text)[i];
        if (c < 0x21 || c > 0x7e) {
            (void)err_set(err, ERR_USAGE,
                          "%s has a byte at position %zu that can't be sent in a header", source,
                          i + 1);
            return err_hint(err, "Blanks, control bytes and what is not ASCII are refused inside.");
        }
    }
    return 0;
}

static int keep(const char *text, size_t length, enum cleaning how, struct secret *out,
                struct err *err)
{
    if (how == TRIM)
        str_trim(&text, &length);
    else if (length > 0 && text[length - 1] == '\n')
        length -= length > 1 && text[length - 2] == '\r' ? 2 : 1;
    return secret_set(out, text, length, err);
}

int auth_read_file(const char *path, enum cleaning how, struct secret *out, struct err *err)
{
    AUTO_BUF content = BUF_INIT(VAULT_FILE_MAX_BYTES);

    if (source_read_file(path, true, &content, err) != 0)
        return -1;
    return keep(buf_text(&content), content.len, how, out, err);
}

static int from_sealed(const struct vault *v, const char *name, enum cleaning how,
                       struct secret *out, struct err *err)
{
    struct sealed_source own = {0};
    AUTO_SECRET value = SECRET_INIT;
    int result = sealed_source_get(v->sealed ? v->sealed : &own, v->config.folder, name,
                                   CLOCK_NEVER, &value, err);

    sealed_source_release(&own);
    return result != 0 ? -1 : keep(secret_reveal(&value), secret_length(&value), how, out, err);
}

int auth_read_setting(const struct vault *v, const struct setting *setting, struct secret *out,
                      struct err *err)
{
    const char *text = setting->text, *behind;

    if ((behind = ref_behind(text, REF_ENV))) {
        const char *value = getenv(behind);
        return value && *value ? keep(value, strlen(value), setting->how, out, err) : 0;
    }
    if ((behind = ref_behind(text, REF_FILE))) {
        AUTO_FREE char *path = file_join(v->config.folder, behind);
        if (!path)
            return err_nomem(err);
        return auth_read_file(path, setting->how, out, err) == 0
                   ? 0
                   : err_wrap(err, "the contract's vault.auth.%s", setting->name);
    }
    if ((behind = ref_behind(text, REF_SEALED)))
        return from_sealed(v, behind, setting->how, out, err) == 0
                   ? 0
                   : err_wrap(err, "the contract's vault.auth.%s", setting->name);
    if (setting->literal_is_fine)
        return keep(text, strlen(text), setting->how, out, err);
    (void)err_set(err, ERR_CONTRACT,
                  "the contract's vault.auth.%s is none of env:NAME, file:PATH and sealed:NAME",
                  setting->name);
    return err_hint(err, "A secret is not written into a contract.");
}

int auth_read_setting_or(const struct vault *v, const struct setting *setting, const char *suffix,
                         struct secret *out, struct err *err)
{
    char file_suffix[NAME_BYTES];
    const char *name, *value;

    if (setting->text)
        return auth_read_setting(v, setting, out, err);
    value = vault_environment(suffix, NULL);
    if (value)
        return keep(value, strlen(value), setting->how, out, err);
    (void)snprintf(file_suffix, sizeof file_suffix, "%s_FILE", suffix);
    value = vault_environment(file_suffix, &name);
    if (!value)
        return 0;
    return auth_read_file(value, setting->how, out, err) == 0 ? 0 : err_wrap(err, "%s", name);
}

int auth_read_role_id(const struct vault *v, struct secret *out, struct err *err)
{
    const struct setting setting = {"role_id", v->config.role_id, true, TRIM};

    return auth_read_setting_or(v, &setting, "ROLE_ID", out, err);
}
