/* Derived documents. An input that begins with '<' or '#' is a text with markers, which is merged; any
 * other is a contract, of which every kind of document is made. What was made is not made anew. */
#include "envcontract/docs.h"

#include <string.h>

#include "base/clock.h"
#include "tests/fuzz/memory_file.h"

static void merge(const struct docs_layout *layout, const char *text, size_t length)
{
    AUTO_BUF out = BUF_INIT(DOCS_FILE_MAX_BYTES), again = BUF_INIT(DOCS_FILE_MAX_BYTES);
    const struct docs_present present = {.path = "document", .text = text, .length = length};
    struct err err = ERR_INIT;

    if (docs_merge(layout, &present, &out, &err) != 0) {
        fuzz_check_error(&err, ERR_FILE);
        return;
    }
    const struct docs_present made = {
        .path = "document", .text = buf_text(&out), .length = out.len};
    PROMISE(docs_merge(layout, &made, &again, &err) == 0);
    PROMISE(out.len == again.len && memcmp(buf_text(&out), buf_text(&again), out.len) == 0);
}

static void merge_input(const uint8_t *data, size_t size)
{
    static const char *const known[] = {"one", "two", "three", NULL};
    static const struct docs_block blocks[] = {
        {.name = "three", .text = "3\n", .length = 2},
        {.name = "one", .text = "1\n\n1\n", .length = 5},
    };
    const struct docs_layout layout = {.comments = data[0] == '#',
                                       .known = known,
                                       .blocks = blocks,
                                       .block_count = ARRAY_LEN(blocks)};

    merge(&layout, (const char *)data, size);
}

static void render(struct contract *contract, enum docs_kind kind)
{
    static const char *const heads[] = {NULL};
    const struct docs_migrations migrations = {.heads = heads, .absent = "none was read"};
    const struct docs_file file = {
        .path = "document",
        .kind = kind,
        .profile = kind == DOCS_ENV_EXAMPLE && contract->profile_values
                       ? contract->profile_values[0]
                       : NULL,
    };
    AUTO_BUF out = BUF_INIT(DOCS_FILE_MAX_BYTES), again = BUF_INIT(DOCS_FILE_MAX_BYTES);
    struct docs_present present = {.path = "document"};
    struct err err = ERR_INIT;

    if (docs_render(contract, &file, &migrations, &present, &out, &err) != 0) {
        fuzz_check_error(&err, ERR_FILE); /* longer than its ceiling */
        return;
    }
    for (size_t i = 0; i < out.len && kind != DOCS_ENV_EXAMPLE; i++) /* a default is as it is */
        PROMISE((unsigned char)out.data[i] >= 0x20 || out.data[i] == '\n');
    present.text = buf_text(&out);
    present.length = out.len;
    PROMISE(docs_render(contract, &file, &migrations, &present, &again, &err) == 0);
    PROMISE(out.len == again.len && memcmp(buf_text(&out), buf_text(&again), out.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FINDINGS findings = FINDINGS_INIT;
    struct err err = ERR_INIT;
    struct contract *contract = NULL;

    if (size > 0 && (data[0] == '<' || data[0] == '#')) {
        merge_input(data, size);
        return 0;
    }
    struct memory_file file = memory_file_of(data, size);
    if (contract_load(file.path, CLOCK_NEVER, &contract, &findings, &err) == 0) {
        for (int kind = 0; findings.errors == 0 && kind < DOCS_KIND_COUNT; kind++)
            render(contract, (enum docs_kind)kind);
        contract_free(contract);
    }
    memory_file_close(&file);
    return 0;
}
