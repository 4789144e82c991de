/* Records and what hooks put out: what is read is read the same after it was written. */
#include <string.h>

#include "base/str.h"
#include "tests/fuzz/fuzz.h"
#include "vault/document.h"

static void check_entries(const struct document *doc)
{
    for (size_t i = 0; i < doc->count; i++) {
        const struct document_entry *entry = &doc->list[i];
        PROMISE(entry->name && secret_is_set(&entry->value));
        PROMISE(!memchr(secret_reveal(&entry->value), 0, secret_length(&entry->value)));
        PROMISE(!entry->group || document_has_group(doc, entry->group));
    }
}

static bool same_entry(const struct document *doc, const struct document_entry *entry)
{
    const struct secret *value = document_get(doc, entry->group, entry->name);

    return value && secret_equal(value, &entry->value);
}

static void check_round_trip(const struct document *doc)
{
    AUTO_SECRET text = SECRET_INIT;
    AUTO_DOCUMENT again = DOCUMENT_INIT;
    struct err err = ERR_INIT;

    if (document_write(doc, &text, &err) != 0) {
        fuzz_check_error(&err, ERR_USAGE); /* longer than a secret may be */
        return;
    }
    PROMISE(document_parse(secret_reveal(&text), secret_length(&text), "it", ERR_ROTATION, &again,
                           &err) == 0);
    PROMISE(again.count == doc->count && again.group_count == doc->group_count);
    for (size_t i = 0; i < doc->count; i++)
        PROMISE(same_entry(&again, &doc->list[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_DOCUMENT doc = DOCUMENT_INIT, known = DOCUMENT_INIT;
    struct err err = ERR_INIT;
    const char *bytes = (const char *)data;

    int strict = document_parse(bytes, size, "the record", ERR_ROTATION, &doc, &err);
    if (strict != 0)
        fuzz_check_error(&err, ERR_ROTATION);
    int loose = document_parse_known(bytes, size, "the record", ERR_SOURCE_DATA, &known, &err);
    if (loose != 0)
        fuzz_check_error(&err, ERR_SOURCE_DATA);
    PROMISE(strict != 0 || loose == 0);
    check_entries(&doc);
    check_entries(&known);
    if (strict == 0)
        check_round_trip(&doc);
    return 0;
}
