/* Code and files as drift reads them. The first byte says which reader; the rest is the text. What is
 * taken from it are names, each with a place inside of the text. */
#include <string.h>

#include "base/clock.h"
#include "envcontract/drift_read.h"
#include "tests/fuzz/memory_file.h"

static drift_reader *const readers[] = {
    drift_read_python, drift_read_script,     drift_read_shell,
    drift_read_yaml,   drift_read_dockerfile, drift_read_dotenv,
};

static const char contract_text[] =
    "{\"contract\": 1, \"vars\": {\"A\": {}, \"APP_PORT\": {}, \"SMTP__HOST\": {\"aliases\": "
    "[{\"name\": \"MAIL_HOST\"}]}, \"lower\": {}}}";

/* Loaded once: what a reader may look up does not change. */
static struct contract *the_contract(void)
{
    static struct contract *contract;
    static struct findings findings;
    struct err err = ERR_INIT;

    if (contract)
        return contract;
    struct memory_file file = memory_file_of((const uint8_t *)contract_text,
                                             sizeof contract_text - 1);
    PROMISE(contract_load(file.path, CLOCK_NEVER, &contract, &findings, &err) == 0);
    PROMISE(findings.errors == 0);
    memory_file_close(&file);
    return contract;
}

/* The table, kept from input to input: emptying it would cost more than reading one. */
static struct drift *the_table(struct findings *findings)
{
    static struct drift table;
    struct err err = ERR_INIT;

    if (!table.slots || table.name_count > 2 * table.declared_count + DRIFT_MAX_SHOWN) {
        drift_release(&table);
        PROMISE(drift_begin(&table, the_contract(), findings, &err) == 0);
    }
    table.findings = findings;
    table.warnings = 0;
    return &table;
}

static void check_names(struct drift *d, size_t lines)
{
    for (size_t i = 0; i < d->name_count; i++) {
        struct drift_name *name = &d->names[i];
        if (name->best == DRIFT_USES)
            continue;
        PROMISE(name->length > 0 && drift_is_name(name->text, name->length));
        PROMISE(name->line >= 1 && name->line <= lines && name->file);
        name->best = DRIFT_USES; /* for the next input */
        memset(name->counts, 0, sizeof name->counts);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > DRIFT_MAX_FILE_BYTES)
        return 0;
    AUTO_FINDINGS findings = FINDINGS_INIT;
    struct drift *d = the_table(&findings);
    drift_reader *reader = readers[data[0] % ARRAY_LEN(readers)];
    char *text = malloc(size); /* of just that size: a read beyond it is seen */
    PROMISE(text);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    size_t lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';

    drift_read_text(d, reader, ".github/workflows/a.yml", text, size - 1);
    check_names(d, lines);
    for (size_t i = 0; i < findings.count; i++)
        PROMISE(findings.list[i].severity == FINDING_WARNING && findings.list[i].line <= lines);
    free(text);
    return 0;
}
