/* alembic.ini: any bytes give options or an error with its line. */
#include "migrations/internal.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const options[] = {"script_location", "version_locations", "k"};
    AUTO_ARENA arena = ARENA_INIT;
    struct err err = ERR_INIT;
    struct ini *ini = NULL;
    const char *value;

    if (ini_parse(&arena, "x.ini", (const char *)data, size, "/here", &ini, &err) != 0) {
        fuzz_check_error(&err, ERR_FILE);
        PROMISE(err.kind == ERR_RESOURCE || err.line > 0);
        return 0;
    }
    (void)ini_has_section(ini, "alembic");
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (ini_get(&arena, ini, "alembic", options[i], &value, &err) != 0)
            fuzz_check_error(&err, ERR_FILE);
    return 0;
}
