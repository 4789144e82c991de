/* pyproject.toml: any bytes give values of a known kind or an error with its line. */
#include "migrations/internal.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA arena = ARENA_INIT;
    struct err err = ERR_INIT;
    struct toml_wanted wanted[] = {{.name = "script_location"}, {.name = "k"}};

    if (toml_read(&arena, "pyproject.toml", (const char *)data, size, wanted, ARRAY_LEN(wanted),
                  &err) != 0) {
        fuzz_check_error(&err, ERR_FILE);
        PROMISE(err.kind == ERR_RESOURCE || err.line > 0);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        const struct toml_value *value = &wanted[i].value;
        PROMISE(value->kind != TOML_TEXT || value->text);
        for (size_t k = 0; k < value->count; k++)
            PROMISE(value->texts[k]);
    }
    return 0;
}
