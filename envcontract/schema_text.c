/* envcontract/schema_text.c: a sentence for each key. */
#include "envcontract/schema.h"

#include "base/str.h"

const char *schema_text(const struct section *section, const struct key *key)
{
    (void)section, (void)key;
    return NULL;
}
