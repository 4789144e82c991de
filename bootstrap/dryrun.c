/* bootstrap/dryrun.c: what bootstrap would do, as SQL that can be read; nothing is changed. */
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "bootstrap/apply.h"

static void add_script(const struct plan *plan, const struct message *message, struct buf *out)
{
    size_t copy = 0;
    for (size_t i = 0; i < message->part_count; i++) {
        const struct message_part *part = &message->parts[i];
        size_t end = i + 1 < message->part_count ? message->parts[i + 1].start : message->text.len;
        const struct sql_statement *s =
            part->source == SIZE_MAX ? NULL
                                     : &plan->sources[part->source].script.statements[part->entry];
        buf_add(out, buf_text(&message->text) + part->start, end - part->start);
        if (!s || s->class_ != SQL_COPY_DATA)
            continue;
        buf_add(out, message->copies[copy].data, message->copies[copy].length);
        buf_adds(out, "\\.\n");
        copy++;
    }
}

static int add_statements(struct run *run, bool *table_made, struct buf *out, struct err *err)
{
    AUTO_MESSAGE message = MESSAGE_INIT;
    struct message_cursor cursor = {.version_table_made = *table_made};
    for (bool more = true; more;) {
        if (message_next(run->settings, &run->plan, &cursor, &message, &more, err) != 0)
            return -1;
        add_script(&run->plan, &message, out);
    }
    *table_made = cursor.version_table_made;
    return 0;
}

static void add_header(const struct run *run, struct buf *out)
{
    const struct database_report *r = run->report;
    buf_addf(out, "-- %s\n-- state: %s%s%s\n", run->place, state_word(r->state), r->why ? ": " : "",
             r->why ? r->why : "");
    if (r->state == STATE_CURRENT)
        buf_adds(out, "-- bootstrap would do nothing\n");
    else if (r->state != STATE_FRESH)
        buf_adds(out,
                 "-- bootstrap would refuse (exit 6); below is what it does with a fresh one\n");
    else
        buf_adds(out, "-- bootstrap would run this, and look at it again from a new connection\n");
    const struct plan *p = &run->plan;
    if (p->settings_left_out || p->owners_left_out || p->made_plain)
        buf_addf(out, "-- left out: %zu settings, %zu OWNER TO; run without CONCURRENTLY: %zu\n",
                 p->settings_left_out, p->owners_left_out, p->made_plain);
}

static void add_command(const struct run *run, struct buf *out)
{
    buf_adds(out, "-- run, under a session lock:");
    for (size_t i = 0; run->settings->create_list && run->settings->create_list[i]; i++) {
        buf_addc(out, ' ');
        str_add_shell(out, run->settings->create_list[i], strlen(run->settings->create_list[i]));
    }
    buf_adds(out, "\n-- and, after the expected tables were found:\n");
}

static int write_plan(struct run *run, struct db *db, const struct look *look, struct buf *out,
                      struct err *err)
{
    const struct database_settings *s = run->settings;
    struct db_info info;
    size_t unused = 0;
    bool table_made = look->version_exists;
    db_info(db, &info);
    add_header(run, out);
    if (s->create == CREATE_COMMAND)
        add_command(run, out);
    lock_add_begin(run, info.server_version, out, &unused);
    if (s->create != CREATE_COMMAND) {
        buf_addf(out, "SELECT pg_try_advisory_xact_lock(%d, %" PRId32 ");\n", LOCK_CLASS,
                 lock_object(s));
        if (add_statements(run, &table_made, out, err) != 0)
            return -1;
    } else if (s->owner) {
        buf_adds(out, "SET LOCAL ROLE ");
        db_add_identifier(out, s->owner);
        buf_adds(out, ";\n");
    }
    if (!table_made)
        stamp_add_table(s, run->plan.version_width, out);
    stamp_add_rows(s, out);
    buf_adds(out, "COMMIT;\n");
    return 0;
}

int bootstrap_plan(const struct database_settings *settings, struct buf *out, struct err *err)
{
    AUTO_REPORT report = REPORT_INIT;
    AUTO_DB db = NULL;
    AUTO_LOOK look = LOOK_INIT;
    struct run run = {.settings = settings, .report = &report, .plan = PLAN_INIT};
    int rc = run_begin(&run, err);
    if (rc == 0 && settings->create == CREATE_SQL) /* here the files are what was asked about */
        rc = plan_load(settings, settings->deadline_ms, &run.plan, err);
    if (rc == 0)
        rc = run_open(&run, &db, err);
    if (rc == 0)
        rc = state_look(db, settings, run_deadline(&run, 1), &report, &look, err);
    if (rc == 0 && settings->create == CREATE_NONE)
        rc = run_refuse_without_create(&run, err);
    if (rc == 0 && settings->create == CREATE_EMIT)
        rc = plan_load(settings, run_deadline(&run, 0), &run.plan, err);
    if (rc == 0)
        rc = write_plan(&run, db, &look, out, err);
    run_end(&run);
    return rc == 0 ? buf_check(out, ERR_RESOURCE, "the plan", err) : rc;
}
