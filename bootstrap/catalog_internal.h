/* bootstrap/catalog_internal.h: what the files of the catalog share; catalog.h is for the others.
 *
 * Every statement of the catalog's message gives rows of the same columns (CATALOG_COLUMNS), so
 * that one reader takes them all. */
#ifndef BOOTSTRAP_CATALOG_INTERNAL_H
#define BOOTSTRAP_CATALOG_INTERNAL_H

#include "bootstrap/catalog.h"

/* The columns of a row. A kind that starts with '#' is not an object: "#context" and
 * "#uncounted". */
#define CATALOG_COLUMNS(X)                                                                     \
    X(CELL_KIND)                                                                               \
    X(CELL_NAME)       /* qualified and quoted where needed */                                 \
    X(CELL_DEFINITION) /* with at most one zone */                                             \
    X(CELL_COMMENT)                                                                            \
    X(CELL_PARENT_KIND)                                                                        \
    X(CELL_PARENT)                                                                             \
    X(CELL_WORD)     /* its name, raw */                                                       \
    X(CELL_RELATION) /* its table's name, raw */                                               \
    X(CELL_WORDS)    /* columns' names, raw, one a line: what an automatic name is made of */  \
    X(CELL_LABEL)    /* what an automatic name ends in: "key"; NULL where none is ever made */ \
    X(CELL_POSITION) /* of a column */                                                         \
    X(CELL_BROKEN)   /* "t": an invalid index */

enum catalog_cell {
#define X(cell) cell,
    CATALOG_COLUMNS(X)
#undef X
        CELL_COUNT
};

/* Around what history changes (expressions): between these two bytes casts are looked at. */
#define ZONE_BEGIN '\x01'
#define ZONE_END   '\x02'

/* Statements as templates: {word arguments} is a text of catalog_sql.c's table, {15 text},
 * {15-16 text} and {-16 text} are for these major versions of the server alone. NULL-terminated. */
extern const char *const catalog_relation_statements[]; /* catalog_sql_relation.c */
extern const char *const catalog_code_statements[];     /* catalog_sql_code.c */
extern const char *const catalog_database_statements[]; /* catalog_sql_database.c */
extern const char *const catalog_grant_statements[];    /* catalog_sql_grant.c */

/* BEGIN, the settings, every statement, COMMIT. */
void catalog_add_sql(const struct database_settings *settings, int server_version, struct buf *out);

/* Whether NAME is what PostgreSQL makes of RELATION, COLUMNS (one a line) and LABEL, with or
 * without a number behind it; also where the table has had another name since. */
bool catalog_name_is_automatic(const char *name, const char *relation, const char *columns,
                               const char *label);

/* Append OBJECT's definition, RAW with its zone's marks, without what only history has put
 * there. */
void catalog_add_loose(const struct catalog *catalog, const struct catalog_object *object,
                       const char *raw, struct buf *out);

#endif
