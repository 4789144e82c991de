/* The sealed store: an error with its place, or a store that is written as it was read. What begins
 * with an 'a' is a public key. */
#include <string.h>

#include "tests/fuzz/memory_file.h"
#include "vault/sealed_store.h"

/* What was read comes back the same when it is written and read again. */
static void check_again(const struct sealed *store, const struct buf *text)
{
    AUTO_BUF once_more = BUF_INIT(SEALED_MAX_BYTES);
    struct err err = ERR_INIT;
    struct memory_file file = memory_file_of((const uint8_t *)buf_text(text), text->len);
    struct sealed *again = NULL;

    PROMISE(sealed_load(file.path, &again, &err) == 0);
    memory_file_close(&file);
    PROMISE(sealed_count(again) == sealed_count(store));
    PROMISE(sealed_recipient_count(again) == sealed_recipient_count(store));
    sealed_write_text(again, &once_more);
    PROMISE(once_more.len == text->len && memcmp(once_more.data, text->data, text->len) == 0);
    sealed_free(again);
}

static void read_store(const char *path)
{
    AUTO_BUF text = BUF_INIT(SEALED_MAX_BYTES);
    struct err err = ERR_INIT;
    struct sealed *store = NULL;

    if (sealed_load(path, &store, &err) != 0) {
        fuzz_check_error(&err, ERR_FILE);
        PROMISE(!store && (err.kind == ERR_RESOURCE || (err.line > 0 && err.column > 0)));
        return;
    }
    PROMISE(sealed_recipient_count(store) > 0);
    for (size_t i = 0; i < sealed_count(store); i++) {
        PROMISE(sealed_is_record(sealed_name(store, i)) ||
                sealed_check_name(sealed_name(store, i), &err) == 0);
        PROMISE(i == 0 || strcmp(sealed_name(store, i - 1), sealed_name(store, i)) < 0);
    }
    sealed_write_text(store, &text);
    if (!text.no_memory && !text.too_long)
        check_again(store, &text);
    sealed_free(store);
}

/* One text for each key. */
static void read_key(const uint8_t *data, size_t size)
{
    uint8_t key[CRYPT_KEY_BYTES];
    char text[SEALED_PUBLIC_BYTES * 2] = "";
    struct err err = ERR_INIT;

    memcpy(text, data, size < sizeof text - 1 ? size : sizeof text - 1);
    if (sealed_public_parse(text, key, &err) != 0) {
        fuzz_check_error(&err, ERR_USAGE);
    } else {
        char again[SEALED_PUBLIC_BYTES];
        sealed_public_text(key, again);
        PROMISE(strcmp(again, text) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 'a') {
        read_key(data, size);
        return 0;
    }
    struct memory_file file = memory_file_of(data, size);
    read_store(file.path);
    memory_file_close(&file);
    return 0;
}
