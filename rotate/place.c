/* place.c: see rotate/place.h. */
#include "rotate/place.h"

const char *place_field(const struct rotate_spec *spec)
{
    return spec->place.value_field ? spec->place.value_field : spec->place.password_field;
}

int place_load(struct rotation *r, struct err *err)
{
    if (r->current.count > 0)
        return 0;
    return r->store->read_current(r, &r->current, &r->current_version, err);
}

const struct secret *place_current(const struct rotation *r, const char *name)
{
    return document_get(&r->current, NULL, name);
}

int place_stage(struct rotation *r, const char *name, const struct secret *value, struct err *err)
{
    struct document *data = &r->record.data;
    const struct secret *present = place_current(r, name);

    if (document_set(data, PLACE_FIELDS, name, value, err) != 0)
        return -1;
    if (!present) /* it is the first one */
        return document_add_group(data, PLACE_FORMER, err);
    return document_set(data, PLACE_FORMER, name, present, err);
}

/* PASSWORD in the URL that is there now. */
static int stage_in_url(struct rotation *r, const struct secret *password, struct err *err)
{
    const char *name = r->spec->place.value_field;
    const struct secret *url = place_current(r, name);
    AUTO_SECRET changed = SECRET_INIT;

    if (!url) {
        (void)err_set(err, ERR_CONTRACT,
                      "'%s' is a URL whose password is to be replaced, and field '%s' of '%s' has "
                      "none yet",
                      r->spec->variable, name, r->spec->place.path ? r->spec->place.path : "");
        return err_hint(err, "Write the URL there first, with any password.");
    }
    if (surgery_replace_login(url, NULL, password, &changed, err) != 0)
        return err_wrap(err, "replace the password in '%s'", r->spec->variable);
    return place_stage(r, name, &changed, err);
}

int place_stage_generated(struct rotation *r, const struct secret *value, struct err *err)
{
    const char *name = place_field(r->spec);

    if (!name)
        return err_set(err, ERR_CONTRACT, "'%s' has no field that a rotation could write",
                       r->spec->variable);
    if (r->spec->place.value_field && r->spec->place.value_is_url)
        return stage_in_url(r, value, err);
    return place_stage(r, name, value, err);
}
