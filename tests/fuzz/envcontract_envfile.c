/* Env files: each entry is NAME=value, each problem has its line. */
#include <string.h>

#include "envcontract/contract.h"
#include "tests/fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory_file file = memory_file_of(data, size);
    AUTO_FINDINGS findings = FINDINGS_INIT;
    AUTO_ARENA arena = ARENA_INIT;
    struct err err = ERR_INIT;
    const char *const *entries = NULL;

    if (envfile_read(file.path, &arena, &entries, &findings, &err) != 0) {
        fuzz_check_error(&err, ERR_FILE);
    } else {
        for (const char *const *entry = entries; *entry; entry++)
            PROMISE(strchr(*entry, '=') && (*entry)[0] != '=');
        for (size_t i = 0; i < findings.count; i++)
            PROMISE(findings.list[i].line > 0 && findings.list[i].message[0]);
    }
    memory_file_close(&file);
    return 0;
}
