/* The contract: any file gives a model or findings with a place; every profile can be selected. */
#include "envcontract/contract.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/fuzz/memory_file.h"

enum { REPORT_MAX_BYTES = 16 * 1024 * 1024 };

static void check_findings(const struct findings *findings)
{
    AUTO_BUF text = BUF_INIT(REPORT_MAX_BYTES);

    for (size_t i = 0; i < findings->count; i++) {
        PROMISE(findings->list[i].message && findings->list[i].message[0]);
        PROMISE(findings->list[i].rule && findings->list[i].rule[0]);
    }
    findings_write_text(findings, false, &text);
    for (size_t i = 0; i < text.len; i++)
        PROMISE((unsigned char)text.data[i] >= 0x20 || text.data[i] == '\n');
}

/* Hold it against values of several shapes, and against an environment of a few names. */
static void check_values(const struct contract *contract)
{
    static const char *const texts[] = {
        "", "7", "prod", "postgresql://u:p@[::1],h.%41:1/d?host=/s&a=b", "sk_live_x,https://h/"};
    static const char *const entries[] = {"A=1", "OLD=x", "ACME_X=", "PATH=/bin", NULL};
    AUTO_FINDINGS findings = FINDINGS_INIT;
    struct err err = ERR_INIT;
    struct contract_value *values = calloc(contract->variable_count + 1, sizeof *values);

    PROMISE(values);
    for (size_t i = 0; i < contract->variable_count; i++) {
        const char *text = texts[i % (sizeof texts / sizeof *texts)];
        values[i].resolved = i % 7 != 6;
        values[i].origin = VALUE_ENVIRONMENT;
        if (i % 11 != 10)
            values[i].bytes = secret_borrow(text, strlen(text));
    }
    if (contract_check(contract, values, &findings, &err) != 0 ||
        contract_check_environment(contract, values, entries, sizeof entries / sizeof *entries,
                                   &findings, &err) != 0)
        PROMISE(err.text[0] != '\0');
    check_findings(&findings);
    free(values);
}

static void select_and_lint(struct contract *contract, const char *profile)
{
    AUTO_FINDINGS findings = FINDINGS_INIT;
    struct err err = ERR_INIT;

    if (contract_select(contract, profile, NULL, &findings, &err) != 0)
        PROMISE(err.text[0] != '\0');
    else if (contract_lint(contract, &findings, &err) != 0)
        PROMISE(err.text[0] != '\0');
    else if (findings.errors == 0)
        check_values(contract);
    check_findings(&findings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory_file file = memory_file_of(data, size);
    AUTO_FINDINGS findings = FINDINGS_INIT;
    struct err err = ERR_INIT;
    struct contract *contract = NULL;

    if (contract_load(file.path, CLOCK_NEVER, &contract, &findings, &err) != 0) {
        fuzz_check_error(&err, ERR_FILE);
    } else {
        check_findings(&findings);
        if (findings.errors == 0) {
            select_and_lint(contract, NULL);
            for (const char *const *p = contract->profile_values; p && *p; p++)
                select_and_lint(contract, *p);
        }
        contract_free(contract);
    }
    memory_file_close(&file);
    return 0;
}
