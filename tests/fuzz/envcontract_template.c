/* Templates of `compose`: what parses has pieces within its limits. */
#include <string.h>

#include "envcontract/internal.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA arena = ARENA_INIT;
    struct err err = ERR_INIT;
    struct template parsed;
    char *text = malloc(size + 1);

    PROMISE(text);
    memcpy(text, data, size);
    text[size] = '\0';
    if (template_parse(&arena, text, &parsed, &err) != 0) {
        fuzz_check_error(&err, ERR_CONTRACT);
        free(text);
        return 0;
    }
    size_t length = 0;
    for (size_t i = 0; i < parsed.count; i++) {
        const struct template_piece *piece = &parsed.pieces[i];
        length += piece->text_length;
        PROMISE(piece->filter_count <= TEMPLATE_MAX_FILTERS);
        PROMISE(!piece->name || piece->name[0]);
        PROMISE(piece->name || piece->text_length > 0);
    }
    PROMISE(length <= strlen(text));
    free(text);
    return 0;
}
