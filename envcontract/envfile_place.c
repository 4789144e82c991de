/* envcontract/envfile_place.c: what is wrong with a value is to be mended where it stands. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "envcontract/internal.h"

/* One line of the file that sets a name. */
struct place {
    const char *entry; /* NAME=value */
    unsigned line;
};

static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

static int by_name(const void *left, const void *right)
{
    const struct place *a = left, *b = right;

    return compare_names(a->entry, strcspn(a->entry, "="), b->entry, strcspn(b->entry, "="));
}

static int name_to_place(const void *key, const void *element)
{
    const char *name = key;
    const struct place *place = element;

    return compare_names(name, strlen(name), place->entry, strcspn(place->entry, "="));
}

/* What the contract itself has wrong stays where that is. */
static bool is_about_a_value(const struct finding *finding, const char *path)
{
    return finding->variable && !str_eq(finding->rule, "contract") && !str_eq(finding->file, path);
}

int envfile_place(const struct envfile_lines *lines, struct findings *findings, struct err *err)
{
    AUTO_FREE struct place *places = mem_new(lines->count + 1, sizeof *places);
    const char *path = arena_dup(&findings->arena, lines->path);

    if (!places || !path)
        return err_nomem(err);
    for (size_t i = 0; i < lines->count; i++)
        places[i] = (struct place){lines->entries[i], lines->lines[i]};
    qsort(places, lines->count, sizeof *places, by_name);
    for (size_t i = 0; i < findings->count; i++) {
        struct finding *finding = &findings->list[i];
        if (!is_about_a_value(finding, path))
            continue;
        const struct place *place = bsearch(finding->variable, places, lines->count, sizeof *places,
                                            name_to_place);
        if (!place)
            continue; /* not in the file: the contract says what should be */
        finding->file = path;
        finding->line = place->line;
        finding->column = 1;
    }
    findings_sort(findings);
    return 0;
}
