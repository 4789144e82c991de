/* agent/seal_keys.c: `agent seal init`, `rekey`, `list`: who can open the sealed store. */
#include "agent/seal.h"
#include "base/log.h"
#include "base/str.h"

#define DEFAULT_LABEL "owner"

/* ---- showing -------------------------------------------------------------------------------- */

void seal_add_recipients(const struct seal *s, struct json *json)
{
    struct sealed_recipient_view view;

    json_add_string(json, "store", s->path);
    json_begin_array(json, "recipients");
    for (size_t i = 0; i < sealed_recipient_count(s->store); i++) {
        sealed_recipient(s->store, i, &view);
        json_begin_object(json, NULL);
        json_add_string(json, "label", view.label);
        json_add_string(json, "public_key", view.public_key);
        json_add_bool(json, "passphrase", view.by_passphrase);
        json_end_object(json);
    }
    json_end_array(json);
}

static void add_recipient_lines(const struct seal *s, struct buf *out)
{
    struct sealed_recipient_view view;
    size_t widest = 0;

    for (size_t i = 0; i < sealed_recipient_count(s->store); i++) {
        sealed_recipient(s->store, i, &view);
        size_t width = strlen(view.label);
        widest = width > widest ? width : widest;
    }
    buf_adds(out, "recipients\n");
    for (size_t i = 0; i < sealed_recipient_count(s->store); i++) {
        sealed_recipient(s->store, i, &view);
        buf_addf(out, "  %-*s  %s\n", (int)widest, view.label,
                 view.by_passphrase ? "a passphrase" : view.public_key);
    }
}

/* The names of variables, or what rotations keep beside them. */
static void add_names(const struct seal *s, bool records, const char *key, struct json *json)
{
    json_begin_array(json, key);
    for (size_t i = 0; i < sealed_count(s->store); i++)
        if (sealed_is_record(sealed_name(s->store, i)) == records)
            json_add_string(json, NULL, sealed_name(s->store, i));
    json_end_array(json);
}

static void add_name_lines(const struct seal *s, bool records, const char *title, struct buf *out)
{
    size_t shown = 0;

    for (size_t i = 0; i < sealed_count(s->store); i++) {
        if (sealed_is_record(sealed_name(s->store, i)) != records)
            continue;
        buf_addf(out, "%s  %s\n", shown++ == 0 ? title : "", sealed_name(s->store, i));
    }
    if (shown == 0 && !records)
        buf_adds(out, title);
}

static int show_list(const struct seal *s)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);

    if (s->call->common.json) {
        document_begin(&json, "seal", true);
        seal_add_recipients(s, &json);
        add_names(s, false, "names", &json);
        add_names(s, true, "rotations", &json);
        return document_print(&json, 0);
    }
    add_recipient_lines(s, &out);
    add_name_lines(s, false, "names\n", &out);
    add_name_lines(s, true, "of rotations\n", &out);
    return text_print(&out, 0);
}

/* Needs no key: names and recipients are in the clear. */
int seal_list(struct seal *s, struct err *err)
{
    return sealed_load(s->path, &s->store, err) != 0 ? -1 : show_list(s);
}

/* ---- init ----------------------------------------------------------------------------------- */

/* What init made. */
struct made {
    char *key_path; /* NULL: a passphrase */
    bool new_key;
    char public_key[SEALED_PUBLIC_BYTES];
};

static void made_release(struct made *made)
{
    free(made->key_path);
}

static int show_made(const struct seal *s, const struct made *made)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);

    if (s->call->common.json) {
        document_begin(&json, "seal", true);
        if (s->store)
            seal_add_recipients(s, &json);
        json_add_string(&json, "key_file", made->key_path);
        json_add_bool(&json, "new_key", made->new_key);
        json_add_string(&json, "public_key", made->key_path ? made->public_key : NULL);
        return document_print(&json, 0);
    }
    if (s->store)
        buf_addf(&out, "store       %s\n", s->path);
    if (made->key_path)
        buf_addf(&out, "key file    %s (%s)\npublic key  %s\n", made->key_path,
                 made->new_key ? "new: keep a copy where the repository is not" : "was there",
                 made->public_key);
    return text_print(&out, 0);
}

static bool wants_passphrase(const struct seal *s)
{
    return s->access.passphrase_file || s->access.ask_passphrase;
}

static int add_first(struct seal *s, struct made *made, struct err *err)
{
    const char *label = s->options->label ? s->options->label : DEFAULT_LABEL;
    AUTO_SECRET passphrase = SECRET_INIT;

    if (!wants_passphrase(s))
        return sealed_add_recipient(s->store, label, made->public_key, err);
    if (sealed_passphrase(s->access.passphrase_file, label, true, s->access.deadline_ms,
                          &passphrase, err) != 0)
        return -1;
    return sealed_add_passphrase(s->store, label, &passphrase, err);
}

static int make_key(struct made *made, struct err *err)
{
    if (sealed_key_path(&made->key_path, err) != 0)
        return -1;
    return sealed_key_make(made->key_path, made->public_key, &made->new_key, err);
}

static int make_store(struct seal *s, struct made *made, struct err *err)
{
    if (sealed_lock(s->path, s->call->deadline_ms, &s->lock, err) != 0 ||
        sealed_new(s->path, &s->store, err) != 0)
        return -1;
    if (!wants_passphrase(s) && make_key(made, err) != 0)
        return -1;
    if (add_first(s, made, err) != 0 || sealed_rekey(s->store, err) != 0 ||
        sealed_save(s->store, err) != 0)
        return -1;
    log_line(LOG_INFO,
             "sealed store made; so that git keeps both sides' lines of a merge: echo "
             "'sealed.json merge=union' >> .gitattributes",
             "store", s->path, NULL);
    return 0;
}

int seal_init(struct seal *s, struct err *err)
{
    CLEANUP(made_release) struct made made = {0};

    if (s->options->key_only && (wants_passphrase(s) || s->options->label))
        return err_set(err, ERR_USAGE,
                       "--key-only makes a key file alone: it takes no passphrase "
                       "and no label");
    if ((s->options->key_only ? make_key(&made, err) : make_store(s, &made, err)) != 0)
        return -1;
    return show_made(s, &made);
}

/* ---- rekey ---------------------------------------------------------------------------------- */

static int check_rekey(const struct seal_options *o, struct err *err)
{
    bool passphrase = str_eq(o->add, "passphrase");

    if (o->add && !o->label)
        return err_set(err, ERR_USAGE, "--add needs a --label, by which it is known later");
    if (!o->add && o->label)
        return err_set(err, ERR_USAGE, "--label belongs to --add");
    if (o->new_passphrase_file && !passphrase)
        return err_set(err, ERR_USAGE, "--new-passphrase-file belongs to --add passphrase");
    return 0;
}

static int add_another(struct seal *s, struct err *err)
{
    const struct seal_options *o = s->options;
    AUTO_SECRET passphrase = SECRET_INIT;

    if (!o->add)
        return 0;
    if (!str_eq(o->add, "passphrase"))
        return sealed_add_recipient(s->store, o->label, o->add, err);
    if (sealed_passphrase(o->new_passphrase_file, o->label, true, s->access.deadline_ms,
                          &passphrase, err) != 0)
        return -1;
    return sealed_add_passphrase(s->store, o->label, &passphrase, err);
}

static int remove_one(struct seal *s, struct err *err)
{
    const char *label = s->options->remove;

    if (!label)
        return 0;
    if (sealed_remove_recipient(s->store, label, err) != 0)
        return -1;
    if (sealed_keeps_us(s->store) || s->options->force)
        return 0;
    err_set(err, ERR_USAGE, "without '%s' the key that opened the store could not open it again",
            label);
    return err_hint(err, "Say --force when that is meant.");
}

int seal_rekey(struct seal *s, struct err *err)
{
    if (check_rekey(s->options, err) != 0 || seal_open(s, true, err) != 0)
        return -1;
    /* The one that goes first: its label may be the new one's. */
    if (remove_one(s, err) != 0 || add_another(s, err) != 0 || sealed_rekey(s->store, err) != 0 ||
        sealed_save(s->store, err) != 0)
        return -1;
    if (s->options->remove)
        log_line(LOG_WARN,
                 "what was sealed up to now stays readable for who has been removed, in the "
                 "repository's history: replace those secrets",
                 "removed", s->options->remove, NULL);
    return show_list(s);
}
