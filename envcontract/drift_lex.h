/* envcontract/drift_lex.h: what the two tokenisers share (drift_token.c, drift_script_token.c). */
#ifndef ENVCONTRACT_DRIFT_LEX_H
#define ENVCONTRACT_DRIFT_LEX_H

#include "envcontract/drift_read.h"

enum {
    LEX_MAX_NESTED = 16, /* strings with code in them, within one another; deeper ones are text */
};

/* False: no memory, and d->no_memory is set. */
bool token_push(struct drift *d, enum drift_kind kind, char sign, size_t start, size_t length);

bool lex_is_name_byte(char c);
size_t lex_name_end(const struct drift *d, size_t at);
size_t lex_line_end(const struct drift *d, size_t at);

#endif
