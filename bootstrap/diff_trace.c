/* bootstrap/diff_trace.c: whether an operation of a migration is about an object of the catalog.
 *
 * The operations are walked through from the last one backwards, and names are followed: what the
 * database calls users.mail may be people.email in the migration that made it. */
#include <string.h>

#include "base/str.h"
#include "bootstrap/diff_internal.h"

/* What the catalog's and the audit's words have in common; the others are the same word. */
static const struct {
    const char *kind, *type;
} types[] = {
    {"partition", "table"},    {"inheritance", "table"},  {"foreign table", "table"},
    {"aggregate", "function"}, {"procedure", "function"},
};

static bool is_of_type(const char *kind, const char *type)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_eq(types[i].kind, kind))
            return str_eq(types[i].type, type) || str_eq(kind, type);
    return str_eq(kind, type) || (str_eq(kind, "type") && str_eq(type, "domain"));
}

/* "a, b" of an operation and "a\nb" of the catalog. */
static bool same_columns(const char *listed, const char *lines)
{
    for (;;) {
        size_t length = strcspn(lines, "\n");
        if (strncmp(listed, lines, length) != 0)
            return false;
        listed += length;
        lines += length;
        if (!*lines || !*listed)
            return !*lines && !*listed;
        if (strncmp(listed, ", ", 2) != 0)
            return false;
        listed += 2;
        lines++;
    }
}

/* "users_age_check1" ends in "_check", but for its number. */
static bool ends_in(const char *name, const char *label)
{
    size_t length = strlen(name), wanted = strlen(label);
    while (length > 0 && name[length - 1] >= '0' && name[length - 1] <= '9')
        length--;
    return wanted == 0 || (length > wanted && name[length - wanted - 1] == '_' &&
                           strncmp(name + length - wanted, label, wanted) == 0);
}

/* A name that is not qualified may be of any schema. */
static bool in_schema(const struct catalog_object *o, const char *schema)
{
    const char *name = *o->parent ? o->parent : o->name;
    size_t length = strlen(schema);
    return length == 0 || name[0] == '"' ||
           (strncmp(name, schema, length) == 0 && name[length] == '.');
}

static bool is_column_touched(struct diff_wanted *w, const struct audit_touch *t)
{
    if (!str_eq(t->object, w->relation))
        return false;
    if (t->is_definition)
        return true;
    if (!str_eq(t->type, "column"))
        return false;
    return str_eq(*t->new_name ? t->new_name : t->column, w->word);
}

/* What has no name in the SQL goes by its table and its columns. */
static bool is_part_touched(struct diff_wanted *w, const struct audit_touch *t)
{
    const struct catalog_object *o = w->object;
    bool is_elsewhere = *t->table && !str_eq(t->table, t->object) &&
                        !str_eq(t->table, w->relation); /* ALTER INDEX names no table */
    if (!is_of_type(o->kind, t->type) || is_elsewhere)
        return false;
    if (*t->object)
        return str_eq(*t->new_name ? t->new_name : t->object, w->word);
    return o->automatic_name && *t->table && ends_in(w->word, t->label) &&
           (str_eq(t->label, "pkey") || same_columns(t->column, o->words)); /* a table has one */
}

static bool is_alone_touched(struct diff_wanted *w, const struct audit_touch *t)
{
    if (*t->column || (!t->is_grant && !is_of_type(w->object->kind, t->type)))
        return false;
    return str_eq(*t->new_name ? t->new_name : t->object, w->word);
}

/* Before the table, or the column, was called as it is called now. */
static void follow_name(struct diff_wanted *w, const struct audit_touch *t)
{
    if (!*t->new_name || *t->column)
        return;
    if (str_eq(t->type, "table") && str_eq(t->new_name, w->relation))
        w->relation = t->object;
}

bool diff_is_touched(struct diff_wanted *w, const struct audit_touch *t)
{
    const struct catalog_object *o = w->object;
    bool is_touched = false;
    if (!o || t->is_opaque || t->is_grant != str_eq(o->kind, "grant") || !in_schema(o, t->schema))
        return false;
    if (str_eq(o->kind, "column"))
        is_touched = is_column_touched(w, t);
    else if (*w->relation)
        is_touched = is_part_touched(w, t);
    else
        is_touched = is_alone_touched(w, t);
    if (!is_touched)
        follow_name(w, t);
    return is_touched;
}
