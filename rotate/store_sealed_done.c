/* store_sealed_done.c: what stays of a rotation in the sealed store: NAME.receipts, a document with a group
 * for each receipt and one for the last that was done. */
#include "rotate/store_sealed.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"

enum { GROUP_BYTES = 32 };

#define RECEIPT_GROUP "receipt." /* and its number, from 1 */
#define LAST          "last"     /* the group of the last one that was done */
#define NEXT          "next"     /* the number of the next receipt */

static void group_name(int64_t number, char out[static GROUP_BYTES])
{
    (void)snprintf(out, GROUP_BYTES, RECEIPT_GROUP "%lld", (long long)number);
}

/* The members of GROUP in FROM (NULL: at its top) become those of TO_GROUP. */
static int copy_group(const struct document *from, const char *group, struct document *to,
                      const char *to_group, struct err *err)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct document_entry *entry = &from->list[i];
        int64_t number;
        if (!str_eq(entry->group, group))
            continue;
        bool is_number = document_number(from, group, entry->name, &number);
        if ((is_number ? document_set_number(to, to_group, entry->name, number, err)
                       : document_set(to, to_group, entry->name, &entry->value, err)) != 0)
            return -1;
    }
    return 0;
}

static int add_receipt(struct document *all, const struct rotate_receipt *receipt, struct err *err)
{
    AUTO_DOCUMENT doc = DOCUMENT_INIT;
    char group[GROUP_BYTES];
    int64_t next = 1;

    (void)document_number(all, NULL, NEXT, &next); /* the first one */
    group_name(next - 1, group);
    if (str_eq(document_text(all, group, "id"), receipt->id))
        return 0; /* written before a crash */
    group_name(next, group);
    if (receipt_write(receipt, &doc, err) != 0 || copy_group(&doc, NULL, all, group, err) != 0 ||
        document_set_number(all, NULL, NEXT, next + 1, err) != 0)
        return -1;
    if (str_eq(receipt->result, "done") && copy_group(&doc, NULL, all, LAST, err) != 0)
        return -1;
    group_name(next - ROTATE_RECEIPTS_KEPT, group);
    document_remove_group(all, group);
    return 0;
}

int64_t sealed_last_rotated(const struct document *all)
{
    return store_time(document_text(all, LAST, "at"));
}

int sealed_note_done(struct rotation *r, const struct rotate_receipt *receipt, struct err *err)
{
    AUTO_BUF name = BUF_INIT(SEALED_RECORD_NAME_BYTES);
    AUTO_SEALED_OPENED opened = SEALED_OPENED_INIT;
    AUTO_DOCUMENT all = DOCUMENT_INIT;
    bool there;

    if (sealed_name_of(r->spec, SEALED_RECEIPTS, &name, err) != 0 ||
        sealed_open_for(r, true, &opened, err) != 0 ||
        sealed_read_document(opened.store, buf_text(&name), &all, &there, err) != 0 ||
        add_receipt(&all, receipt, err) != 0 ||
        sealed_set_document(opened.store, buf_text(&name), &all, err) != 0)
        return -1;
    return sealed_save(opened.store, err);
}

int sealed_history(struct rotation *r, size_t most, struct rotate_receipt **out, size_t *count,
                   struct err *err)
{
    AUTO_BUF name = BUF_INIT(SEALED_RECORD_NAME_BYTES);
    AUTO_SEALED_OPENED opened = SEALED_OPENED_INIT;
    AUTO_DOCUMENT all = DOCUMENT_INIT;
    size_t found = 0;
    int64_t next = 1;
    bool there;

    if (sealed_name_of(r->spec, SEALED_RECEIPTS, &name, err) != 0 ||
        sealed_open_for(r, false, &opened, err) != 0 ||
        sealed_read_document(opened.store, buf_text(&name), &all, &there, err) != 0)
        return -1;
    AUTO_FREE struct rotate_receipt *list = mem_new(ROTATE_RECEIPTS_KEPT + 1, sizeof(*list));
    if (!list)
        return err_nomem(err);
    (void)document_number(&all, NULL, NEXT, &next);
    for (int64_t i = next - 1; i > 0 && found < ROTATE_RECEIPTS_KEPT && found < most; i--) {
        AUTO_DOCUMENT receipt = DOCUMENT_INIT;
        char group[GROUP_BYTES];
        group_name(i, group);
        if (!document_has_group(&all, group))
            continue;
        if (copy_group(&all, group, &receipt, NULL, err) != 0)
            return -1;
        receipt_read(&receipt, &list[found++]);
    }
    *out = TAKE_POINTER(list);
    *count = found;
    return 0;
}
