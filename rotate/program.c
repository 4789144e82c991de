/* program.c: run a program of the contract; see struct program. */
#include "rotate/program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/redact.h"
#include "base/str.h"
#include "base/url.h"
#include "rotate/place.h"

enum { HOW_BYTES = 256 };

static const char *const always[] = {"PATH", "HOME", "LANG"};

/* ---- its environment ----------------------------------------------------------------------------- */

/* The entry "NAME=value", or NULL. */
static const char *find_entry(const char *const *environment, const char *name)
{
    size_t length = strlen(name);

    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment;
    return NULL;
}

static size_t count_of(const char *const *list)
{
    size_t count = 0;

    while (list && list[count])
        count++;
    return count;
}

/* The entries that PROGRAM is to see; borrowed, NULL-terminated. The array is the caller's. */
static const char **environment_of(const struct rotation *r, const struct program *program)
{
    const char *const *all = r->context->environment;
    size_t named = count_of(program->environment), count = 0;
    const char **own = mem_new(ARRAY_LEN(always) + named + 1, sizeof(*own));

    for (size_t i = 0; own && i < ARRAY_LEN(always) + named; i++) {
        const char *name = i < ARRAY_LEN(always) ? always[i]
                                                 : program->environment[i - ARRAY_LEN(always)];
        const char *entry = find_entry(all, name);
        if (entry)
            own[count++] = entry;
    }
    return own;
}

/* ---- may it be run ------------------------------------------------------------------------------- */

static int check_file(const struct rotation *r, const struct program *program,
                      const char *const *environment, struct err *err)
{
    AUTO_FREE char *found = NULL;

    if (proc_find(program->argv[0], environment, r->context->folder, ERR_FILE, &found, err) != 0)
        return err_hint(err, err->sys_errno == EACCES
                                 ? "Run 'chmod +x' on it."
                                 : "A path with a slash starts at the contract's folder.");
    AUTO_FREE char *path = file_join(r->context->folder ? r->context->folder : "", found);
    if (!path)
        return err_nomem(err);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno == EACCES ? 0 /* executable and not readable: proc_run looks at its mode */
                               : err_errno(err, ERR_FILE, "open '%s'", path);
    return file_check_mode(fd, path, false, err);
}

int program_check(const struct rotation *r, const struct program *program, struct err *err)
{
    if (!program->argv || !program->argv[0])
        return err_set(err, ERR_CONTRACT, "%s: no command is given", program->what);
    AUTO_FREE const char **environment = environment_of(r, program);
    if (!environment)
        return err_nomem(err);
    return check_file(r, program, environment, err) == 0 ? 0 : err_wrap(err, "%s", program->what);
}

/* ---- what it may not show ------------------------------------------------------------------------ */

static int hide_bytes(const char *bytes, size_t length, struct err *err)
{
    AUTO_SECRET part = SECRET_INIT;

    if (secret_set(&part, bytes, length, err) != 0)
        return -1;
    return redact_register(&part, err);
}

/* A value of several lines comes out line by line. */
static int hide_lines(const char *text, size_t length, struct err *err)
{
    const char *end = text + length;

    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t line = (size_t)((newline ? newline : end) - text);
        if (hide_bytes(text, line, err) != 0)
            return -1;
        text += line + 1;
    }
    return 0;
}

static int hide(const struct secret *value, struct err *err)
{
    const char *text = secret_reveal(value);
    size_t length = secret_length(value);

    if (redact_register_value(value, err) != 0)
        return -1;
    return memchr(text, '\n', length) ? hide_lines(text, length, err) : 0;
}

static bool is_hidden(const struct rotation *r, const struct document_entry *entry)
{
    return entry->group && !str_eq(entry->name, r->spec->place.user_field) &&
           (str_eq(entry->group, PLACE_FIELDS) || str_eq(entry->group, PLACE_FORMER));
}

int program_hide(const struct rotation *r, const struct secret *value, struct err *err)
{
    const struct document *data = &r->record.data;
    const char *name = place_field(r->spec);

    for (size_t i = 0; i < data->count; i++)
        if (is_hidden(r, &data->list[i]) && hide(&data->list[i].value, err) != 0)
            return -1;
    const struct secret *current = name ? place_current(r, name) : NULL;
    if (current && hide(current, err) != 0)
        return -1;
    return value ? hide(value, err) : 0;
}

/* ---- running it ---------------------------------------------------------------------------------- */

/* Ran out of time: nobody knows what it did until then, so it is asked again. Anything else that is not
 * the machine's fault is its own. */
static int not_run(const struct proc_result *result, struct err *err)
{
    if (result->timed_out)
        return err_hint(err,
                        "What it did until then is not known: it is asked again, and told that "
                        "it is not the first time. Its time is the contract's 'timeout'.");
    if (err->kind == ERR_SOURCE_DOWN)
        err->kind = ERR_SOURCE_DATA;
    return -1;
}

static int run(const struct rotation *r, const struct program *program,
               const char *const *environment, struct proc_result *result, struct buf *output,
               struct err *err)
{
    int64_t limit = r->spec->timeout_ms > 0 ? r->spec->timeout_ms : PROGRAM_TIMEOUT_MS;
    const struct proc_request request = {
        .argv = program->argv,
        .environment = environment,
        .folder = r->context->folder,
        .input = program->input ? secret_reveal(program->input) : NULL,
        .input_length = program->input ? secret_length(program->input) : 0,
        .output = output,
        .show_stderr = true,
        .deadline_ms = clock_earlier(r->context->deadline_ms, clock_in_ms(limit)),
        .what = program->what,
    };
    if (proc_run(&request, ERR_SOURCE_DOWN, result, err) != 0)
        return not_run(result, err);
    if (result->signal == 0)
        return 0;
    AUTO_BUF how = BUF_INIT(HOW_BYTES);
    proc_describe(result, &how);
    return err_set(err, ERR_SOURCE_DATA, "%s: '%s' %s", program->what, program->argv[0],
                   buf_text(&how));
}

int program_run(struct rotation *r, const struct program *program, int *exit_code,
                struct secret *output, struct err *err)
{
    struct proc_result result = {0};
    AUTO_BUF text = BUF_INIT(ROTATE_OUTPUT_MAX_BYTES);

    if (program_check(r, program, err) != 0 || program_hide(r, NULL, err) != 0)
        return -1;
    AUTO_FREE const char **environment = environment_of(r, program);
    if (!environment)
        return err_nomem(err);
    /* Without a reader its stdout would be our stderr, unmasked. */
    if (run(r, program, environment, &result, &text, err) != 0)
        return -1;
    if (output && secret_set(output, buf_text(&text), text.len, err) != 0)
        return -1;
    *exit_code = result.exit_code;
    return 0;
}
