/* program_input.c: the JSON object that hooks and test commands read; see program_input.
 *
 * In every step `current` is what was current when the rotation began, and `pending` what is to be so, as
 * whole as the place is: of a place with a user and a password both, also when the user does not change. */
#include <string.h>

#include "base/str.h"
#include "rotate/place.h"
#include "rotate/program.h"

enum { PROTOCOL_VERSION = 1 };

#define CURRENT "current"
#define PENDING "pending"

/* The fields of the record's group THEIRS, as the group OURS. */
static int add_group(struct document *out, const char *ours, const struct document *record,
                     const char *theirs, struct err *err)
{
    for (size_t i = 0; i < record->count; i++) {
        const struct document_entry *entry = &record->list[i];
        if (str_eq(entry->group, theirs) &&
            document_set(out, ours, entry->name, &entry->value, err) != 0)
            return -1;
    }
    return 0;
}

/* The place's fields, as GROUP. */
static int add_place(const struct rotation *r, struct document *out, const char *group,
                     struct err *err)
{
    const struct rotate_place *place = &r->spec->place;
    const char *const names[] = {place->value_field, place->user_field, place->password_field};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct secret *value = names[i] ? place_current(r, names[i]) : NULL;
        if (value && document_set(out, group, names[i], value, err) != 0)
            return -1;
    }
    return 0;
}

/* What the record has goes before what the place has, which may be the new one by now. PENDING is its
 * group, or NULL. */
static int add_secrets(struct rotation *r, struct document *out, bool current, const char *pending,
                       struct err *err)
{
    const struct document *record = &r->record.data;

    if ((current || pending) && place_load(r, err) != 0)
        return -1;
    if (current && (add_place(r, out, CURRENT, err) != 0 ||
                    add_group(out, CURRENT, record, PLACE_FORMER, err) != 0))
        return -1;
    if (!pending)
        return 0;
    return add_place(r, out, PENDING, err) != 0 ? -1
                                                : add_group(out, PENDING, record, pending, err);
}

/* Beyond 1 the step may have been done before, and the answer lost. */
static int64_t attempt_of(const struct rotation *r)
{
    int64_t attempt = r->attempt > 0 ? (int64_t)r->attempt : 1;

    return r->resumed && attempt == 1 ? 2 : attempt;
}

static int describe(struct rotation *r, const char *step, struct document *out, struct err *err)
{
    const char *profile = r->context->profile;

    if (document_set_number(out, NULL, "version", PROTOCOL_VERSION, err) != 0 ||
        document_set_text(out, NULL, "name", r->spec->variable, err) != 0 ||
        document_set_text(out, NULL, "step", step, err) != 0 ||
        document_set_text(out, NULL, "id", record_id(&r->record), err) != 0 ||
        document_set_text(out, NULL, "profile", profile ? profile : "", err) != 0 ||
        document_set_number(out, NULL, "attempt", attempt_of(r), err) != 0)
        return -1;
    return document_add_group(out, CURRENT, err) != 0 ? -1 : document_add_group(out, PENDING, err);
}

/* `config` may be deeper than a document is: its text becomes the last member. */
static int write_input(struct rotation *r, const char *step, bool current, const char *pending,
                       struct secret *out, struct err *err)
{
    AUTO_DOCUMENT document = DOCUMENT_INIT;
    AUTO_SECRET text = SECRET_INIT;
    AUTO_BUF whole = BUF_INIT(SECRET_MAX_BYTES);

    if (describe(r, step, &document, err) != 0 ||
        add_secrets(r, &document, current, pending, err) != 0 ||
        document_write(&document, &text, err) != 0)
        return -1;
    const char *open = secret_reveal(&text);
    const char *end = memrchr(open, '}', secret_length(&text));
    if (!end)
        return err_set(err, ERR_DEFECT, "a document that has no end");
    buf_add(&whole, open, (size_t)(end - open));
    buf_addf(&whole, ",\"config\":%s}\n", r->spec->config_json ? r->spec->config_json : "{}");
    if (buf_check(&whole, ERR_CONTRACT, "what a program is told", err) != 0)
        return -1;
    return secret_set(out, buf_text(&whole), whole.len, err);
}

int program_input(struct rotation *r, const char *step, bool current, bool pending,
                  struct secret *out, struct err *err)
{
    return write_input(r, step, current, pending ? PLACE_FIELDS : NULL, out, err);
}

int program_former_is_refused(struct rotation *r, struct err *err)
{
    const char *name = place_field(r->spec);
    struct program program = {.argv = r->spec->test_command,
                              .environment = r->spec->environment,
                              .what = "the command of 'test', with the former value"};
    AUTO_SECRET input = SECRET_INIT;
    int exit_code = 0;

    if (!program.argv || !name || !record_former(&r->record, name))
        return 0;
    if (write_input(r, "test", false, PLACE_FORMER, &input, err) != 0)
        return -1;
    program.input = &input;
    if (program_run(r, &program, &exit_code, NULL, err) != 0)
        return -1;
    if (exit_code != 0)
        return 0;
    return err_set(err, ERR_VIOLATION,
                   "the command of 'test' ('%s') still accepts the former value", program.argv[0]);
}
