/* agent/renew_hand.c: what a child hands over: values, what was read, who we are to Vault. */
#include <string.h>

#include "agent/renew_parts.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/redact.h"

enum { LEAST_BYTES = 8 }; /* of anything that is counted */

bool renew_is_lease(const struct vault_read *read)
{
    return read->lease.id != NULL;
}

bool renew_is_static(const struct vault_read *read)
{
    return !read->lease.id && read->lease.duration_ms > 0;
}

/* ---- the child writes ---------------------------------------------------------------------------- */

/* Plain parts of a value; the texts that it points at stay behind. */
struct value_head {
    enum value_origin origin;
    bool stale, resolved;
    int64_t stale_age_s;
};

static void put_value(const struct contract_value *value, struct buf *out)
{
    const struct value_head head = {value->origin, value->stale, value->resolved,
                                    value->stale_age_s};

    wire_put_struct(out, &head, sizeof head);
    wire_put_secret(out, &value->bytes);
}

/* What was set, and not inherited. */
static int put_inlines(const struct environment *e, struct buf *out, struct err *err)
{
    wire_put_number(out, (int64_t)e->owned_count);
    for (size_t i = 0; i < e->owned_count; i++) {
        const char *entry = secret_reveal(&e->owned[i]); /* "NAME=value" */
        const char *equals = strchr(entry, '=');
        AUTO_FREE char *name = mem_dup_n(entry, (size_t)(equals - entry));
        if (!name)
            return err_nomem(err);
        const struct secret value = secret_borrow(equals + 1, strlen(equals + 1));
        wire_put_text(out, name);
        wire_put_secret(out, &value);
    }
    return 0;
}

/* TYPE_NAME is a text of the program, which both processes are. */
struct field_head {
    enum vault_value_type type;
    const char *type_name;
};

struct read_head {
    unsigned version;
    int64_t written_at_ns, duration_ms, expires_ms;
    bool renewable;
};

static void put_read(const struct vault_read *read, struct buf *out)
{
    const struct read_head head = {read->version, read->written_at_ns, read->lease.duration_ms,
                                   read->lease.expires_ms, read->lease.renewable};

    wire_put_text(out, read->path);
    wire_put_text(out, read->lease.id);
    wire_put_struct(out, &head, sizeof head);
    wire_put_number(out, (int64_t)read->field_count);
    for (size_t i = 0; i < read->field_count; i++) {
        const struct field_head field = {read->fields[i].type, read->fields[i].type_name};
        wire_put_text(out, read->fields[i].name);
        wire_put_struct(out, &field, sizeof field);
        wire_put_secret(out, &read->fields[i].value);
    }
}

static int put_reads(const struct source_set *set, struct buf *out, struct err *err)
{
    size_t count = set ? source_reads(set, NULL, 0) : 0;
    AUTO_FREE const struct vault_read **reads = mem_new(count + 1, sizeof(*reads));

    if (!reads)
        return err_nomem(err);
    if (set)
        (void)source_reads(set, reads, count);
    wire_put_number(out, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        put_read(reads[i], out);
    return 0;
}

struct session_head {
    char method[sizeof((struct vault_session *)0)->method];
    bool logged_in, renewable, is_batch;
    int64_t duration_ms, expires_ms;
};

static int put_session(struct source_set *set, struct buf *out, struct err *err)
{
    struct vault_session session = {0};

    if (!set || !source_vault(set)) {
        wire_put_number(out, false);
        return 0;
    }
    if (vault_session_get(source_vault(set), &session, err) != 0)
        return -1;
    struct session_head head = {.logged_in = session.logged_in,
                                .renewable = session.renewable,
                                .is_batch = session.is_batch,
                                .duration_ms = session.duration_ms,
                                .expires_ms = session.expires_ms};
    memcpy(head.method, session.method, sizeof head.method);
    wire_put_number(out, true);
    wire_put_struct(out, &head, sizeof head);
    wire_put_secret(out, &session.token);
    wire_put_secret(out, &session.secret_id);
    vault_session_release(&session);
    return 0;
}

static int put_hidden_one(void *context, const struct secret *value)
{
    wire_put_secret(context, value);
    return 0;
}

static int count_one(void *context, const struct secret *value)
{
    (void)value;
    ++*(int64_t *)context;
    return 0;
}

static void put_hidden(struct buf *out)
{
    int64_t count = 0;

    (void)redact_each(count_one, &count);
    wire_put_number(out, count);
    (void)redact_each(put_hidden_one, out);
}

int renew_hand_put(const struct renew *r, struct buf *out, struct err *err)
{
    const struct job *job = r->job;
    size_t count = job->contract ? job->contract->variable_count : 0;

    wire_put_number(out, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        put_value(&job->values[i], out);
    if (!job->contract) {
        if (put_inlines(&job->environment, out, err) != 0)
            return -1;
    } else {
        wire_put_number(out, 0);
    }
    if (put_reads(job->sources, out, err) != 0 || put_session(job->sources, out, err) != 0)
        return -1;
    if (r->hides)
        put_hidden(out);
    else
        wire_put_number(out, 0);
    return 0;
}

/* ---- the parent reads ---------------------------------------------------------------------------- */

void renew_hand_release(struct renew_hand *hand)
{
    for (size_t i = 0; i < hand->value_count; i++)
        secret_release(&hand->values[i].bytes);
    for (size_t i = 0; i < hand->inline_count; i++) {
        free(hand->inlines[i].name);
        secret_release(&hand->inlines[i].value);
    }
    for (size_t i = 0; i < hand->read_count; i++) {
        free((void *)(uintptr_t)hand->reads[i].read.path);
        vault_read_release(&hand->reads[i].read);
    }
    for (size_t i = 0; i < hand->hidden_count; i++)
        secret_release(&hand->hidden[i]);
    free(hand->values);
    free(hand->inlines);
    free(hand->reads);
    free(hand->hidden);
    vault_session_release(&hand->session);
    *hand = (struct renew_hand){0};
}

static int take_values(struct wire *w, struct renew_hand *out, struct err *err)
{
    size_t count = wire_count(w, sizeof(struct value_head));

    out->values = mem_new(count, sizeof(*out->values));
    if (!out->values)
        return err_nomem(err);
    for (; out->value_count < count; out->value_count++) {
        struct contract_value *value = &out->values[out->value_count];
        struct value_head head;
        wire_struct(w, &head, sizeof head);
        *value = (struct contract_value){.origin = head.origin,
                                         .stale = head.stale,
                                         .resolved = head.resolved,
                                         .stale_age_s = head.stale_age_s};
        wire_secret(w, &value->bytes);
    }
    return 0;
}

static int take_inlines(struct wire *w, struct renew_hand *out, struct err *err)
{
    size_t count = wire_count(w, LEAST_BYTES);

    out->inlines = mem_new(count, sizeof(*out->inlines));
    if (!out->inlines)
        return err_nomem(err);
    for (; out->inline_count < count; out->inline_count++) {
        out->inlines[out->inline_count].name = wire_text(w);
        wire_secret(w, &out->inlines[out->inline_count].value);
    }
    return 0;
}

/* A static role whose rotation is overdue says that its password lasts for 0 s: it is a static role all
 * the same, and read again in a moment. */
static void mend_overdue(struct vault_read *read)
{
    bool is_overdue = read->path && strstr(read->path, "/static-creds/") && !read->lease.id &&
                      read->lease.duration_ms == 0;

    if (!is_overdue)
        return;
    read->lease.duration_ms = 1;
    read->lease.expires_ms = clock_in_ms(read->lease.duration_ms);
}

static int take_read(struct wire *w, struct vault_read *out, struct err *err)
{
    struct read_head head;

    out->path = wire_text(w);
    out->lease.id = wire_text(w);
    wire_struct(w, &head, sizeof head);
    out->version = head.version;
    out->written_at_ns = head.written_at_ns;
    out->lease.duration_ms = head.duration_ms;
    out->lease.expires_ms = head.expires_ms;
    out->lease.renewable = head.renewable;
    mend_overdue(out);
    size_t count = wire_count(w, sizeof(struct field_head));
    out->fields = mem_new(count, sizeof(*out->fields));
    if (!out->fields)
        return err_nomem(err);
    for (; out->field_count < count; out->field_count++) {
        struct vault_field *field = &out->fields[out->field_count];
        struct field_head field_head;
        field->name = wire_text(w);
        wire_struct(w, &field_head, sizeof field_head);
        field->type = field_head.type;
        field->type_name = field_head.type_name;
        wire_secret(w, &field->value);
    }
    return 0;
}

static int take_reads(struct wire *w, struct renew_hand *out, struct err *err)
{
    size_t count = wire_count(w, sizeof(struct read_head));

    out->reads = mem_new(count, sizeof(*out->reads));
    if (!out->reads)
        return err_nomem(err);
    while (out->read_count < count)
        if (take_read(w, &out->reads[out->read_count++].read, err) != 0)
            return -1;
    return 0;
}

static void take_session(struct wire *w, struct renew_hand *out)
{
    struct session_head head;

    out->has_session = wire_number(w) != 0;
    if (!out->has_session)
        return;
    wire_struct(w, &head, sizeof head);
    out->session = (struct vault_session){.logged_in = head.logged_in,
                                          .renewable = head.renewable,
                                          .is_batch = head.is_batch,
                                          .duration_ms = head.duration_ms,
                                          .expires_ms = head.expires_ms};
    memcpy(out->session.method, head.method, sizeof out->session.method);
    wire_secret(w, &out->session.token);
    wire_secret(w, &out->session.secret_id);
}

static int take_hidden(struct wire *w, struct renew_hand *out, struct err *err)
{
    size_t count = wire_count(w, LEAST_BYTES);

    out->hidden = mem_new(count, sizeof(*out->hidden));
    if (!out->hidden)
        return err_nomem(err);
    for (; out->hidden_count < count; out->hidden_count++)
        wire_secret(w, &out->hidden[out->hidden_count]);
    return 0;
}

int renew_hand_take(const struct job *job, struct wire *wire, struct renew_hand *out,
                    struct err *err)
{
    AUTO_RENEW_HAND hand = {0};

    if (take_values(wire, &hand, err) != 0 || take_inlines(wire, &hand, err) != 0 ||
        take_reads(wire, &hand, err) != 0)
        return -1;
    take_session(wire, &hand);
    if (take_hidden(wire, &hand, err) != 0 || wire_check(wire, err) != 0)
        return -1;
    if (hand.value_count != (job->contract ? job->contract->variable_count : 0))
        return err_set(err, ERR_DEFECT, "a worker handed back %zu values", hand.value_count);
    *out = hand;
    hand = (struct renew_hand){0};
    return 0;
}
