/* Answers of Vault: what is no JSON is named without quoting it, what is gives fields. */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "vault/internal.h"

static void read_fields(const json_t *object)
{
    struct vault_field *fields = NULL;
    size_t count = 0;
    struct err err = ERR_INIT;

    if (vault_json_fields(object, "the answer", &fields, &count, &err) != 0) {
        fuzz_check_error(&err, ERR_SOURCE_DATA);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        PROMISE(fields[i].name != NULL && fields[i].type_name != NULL);
        bool has_text = fields[i].type != VAULT_OTHER && fields[i].type != VAULT_NULL;
        PROMISE(has_text == secret_is_set(&fields[i].value));
        PROMISE(!has_text ||
                !memchr(secret_reveal(&fields[i].value), 0, secret_length(&fields[i].value)));
    }
    vault_fields_free(fields, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF body = BUF_INIT(VAULT_BODY_MAX_BYTES);
    AUTO_BUF texts = BUF_INIT(VAULT_BODY_MAX_BYTES);
    AUTO_JSON json = NULL;
    struct err err = ERR_INIT;
    struct vault_lease lease = {0};

    vault_json_use_memory();
    buf_add(&body, data, size);
    (void)vault_json_errors(&body, &texts);
    buf_clear(&body);
    buf_add(&body, data, size);
    if (vault_json_parse(&body, "the answer", &json, &err) != 0) {
        fuzz_check_error(&err, ERR_SOURCE_DATA);
        return 0;
    }
    read_fields(json);
    read_fields(json_object_get(json, "data"));
    read_fields(json_object_get(json_object_get(json, "data"), "data"));
    if (lease_from_answer(json, true, 0, &lease, &err) == 0) {
        PROMISE(lease.duration_ms >= 0);
        free(lease.id);
    }
    return 0;
}
