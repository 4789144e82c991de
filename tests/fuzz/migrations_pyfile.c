/* Revision files: any bytes give values with a line, or trouble with one. */
#include "migrations/internal.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA arena = ARENA_INIT;
    struct pyfile_space space = {0};
    struct pyfile py;
    struct err err = ERR_INIT;

    if (pyfile_read(&arena, &space, (const char *)data, size, &py, &err) != 0) {
        fuzz_check_error(&err, ERR_RESOURCE);
    } else if (py.trouble) {
        PROMISE(py.trouble[0] && py.trouble_line > 0);
    } else {
        PROMISE(py.message);
        for (size_t i = 0; i < PY_VARIABLES; i++) {
            const struct py_value *value = &py.values[i];
            PROMISE((value->kind != PY_COMPUTED && value->kind != PY_WRONG) ||
                    (value->why && value->why[0] && value->line > 0));
            PROMISE(value->kind != PY_TEXT || (value->count == 1 && value->items[0]));
        }
    }
    pyfile_space_release(&space);
    return 0;
}
