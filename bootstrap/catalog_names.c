/* bootstrap/catalog_names.c: the names that PostgreSQL makes by itself.
 *
 * Source: PostgreSQL's makeObjectName, ChooseRelationName, ChooseIndexNameAddition and
 * ChooseForeignKeyConstraintNameAddition, which agree since version 12: relation, columns, label,
 * joined by '_', cut to 63 bytes by shortening the longer of the first two, and a number behind the
 * label while the name is taken. A cut does not go through a character of UTF-8. */
#include <string.h>

#include "base/str.h"
#include "bootstrap/catalog_internal.h"

enum {
    NAME_BYTES = 63,                 /* NAMEDATALEN - 1 */
    ADDITION_BYTES = 2 * NAME_BYTES, /* columns are added until there are 64 bytes */
};

/* The longest start of TEXT with at most ROOM bytes that does not end inside a character. */
static size_t clip(const char *text, size_t room)
{
    size_t at = 0, step, length = strlen(text);
    while (at < length && (step = str_utf8(text + at, length - at)) > 0 && at + step <= room)
        at += step;
    return at;
}

/* Columns come one a line; they are joined by '_' until there is enough. */
static void join_columns(const char *columns, char out[static ADDITION_BYTES + 2])
{
    size_t used = 0;
    while (*columns && used < NAME_BYTES + 1) {
        size_t length = strcspn(columns, "\n");
        if (used > 0)
            out[used++] = '_';
        size_t part = length < NAME_BYTES ? length : NAME_BYTES;
        memcpy(out + used, columns, part);
        used += part;
        columns += length + (columns[length] == '\n');
    }
    out[used] = '\0';
}

/* What stands before the label: "relation_columns" or "relation", cut. */
static void make_stem(const char *relation, const char *columns, size_t label_length,
                      char out[static NAME_BYTES + 1])
{
    size_t first = strlen(relation), second = strlen(columns);
    size_t overhead = label_length + 1 + (second > 0);
    size_t room = overhead < NAME_BYTES ? NAME_BYTES - overhead : 0;
    while (first + second > room) {
        if (first > second)
            first--;
        else
            second--;
    }
    size_t used = clip(relation, first);
    memcpy(out, relation, used);
    if (*columns) {
        out[used++] = '_';
        second = clip(columns, second);
        memcpy(out + used, columns, second);
        used += second;
    }
    out[used] = '\0';
}

/* "_key" or "_key17" at the end of NAME: its length, or 0. */
static size_t label_at_end(const char *name, const char *label)
{
    size_t length = strlen(name), digits = 0, wanted = strlen(label);
    while (digits < length && name[length - 1 - digits] >= '0' && name[length - 1 - digits] <= '9')
        digits++;
    if (length < digits + wanted + 1 || name[length - digits - wanted - 1] != '_' ||
        memcmp(name + length - digits - wanted, label, wanted) != 0)
        return 0;
    return digits + wanted + 1;
}

bool catalog_name_is_automatic(const char *name, const char *relation, const char *columns,
                               const char *label)
{
    char addition[ADDITION_BYTES + 2], stem[NAME_BYTES + 1];
    size_t tail = *label ? label_at_end(name, label) : 0;
    if (tail == 0)
        return false;
    size_t length = strlen(name) - tail;
    join_columns(columns, addition);
    make_stem(relation, addition, tail - 1, stem);
    if (strlen(stem) == length && memcmp(stem, name, length) == 0)
        return true;
    /* Made while the table was called otherwise: the columns and the label are what is left of it.
     * A key without columns in its name ("users_pkey") has its label alone; a CHECK has too
     * little. */
    size_t added = strlen(addition);
    if (added == 0)
        return str_eq(label, "pkey");
    return length > added + 1 && name[length - added - 1] == '_' &&
           memcmp(name + length - added, addition, added) == 0;
}
