/* source_command.c: what a source's command puts out. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "vault/internal.h"
#include "vault/source.h"

enum {
    STDERR_KEPT_BYTES = 4 * 1024,
    HOW_BYTES = 8 * 1024,  /* how a command ended, with its last words */
    COMMAND_VARIABLES = 3, /* PATH, HOME, LANG */
};

static void add_last_line(const struct buf *text, struct buf *out)
{
    const char *start = buf_text(text);
    size_t length = text->len;

    str_trim(&start, &length);
    const char *newline = memrchr(start, '\n', length);
    if (newline) {
        length -= (size_t)(newline + 1 - start);
        start = newline + 1;
    }
    if (length > 0)
        buf_adds(out, ": ");
    buf_add(out, start, length);
}

/* Nobody else may have written what we execute. */
static int check_command(const struct proc_request *request, struct err *err)
{
    AUTO_FREE char *path = NULL;

    if (proc_find(request->argv[0], request->environment, request->folder, ERR_FILE, &path, err) !=
        0)
        return -1;
    AUTO_FREE char *joined = file_join(request->folder ? request->folder : "", path);
    if (!joined)
        return err_nomem(err);
    AUTO_FD fd = open(joined, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno == EACCES ? 0 /* executable and not readable: not looked at */
                               : err_errno(err, ERR_FILE, "open '%s'", joined);
    return file_check_mode(fd, joined, false, err);
}

/* Run it; its stdout is in OUT, or *err says how it ended. */
static int run_command(const struct proc_request *request, struct err *err)
{
    struct proc_result result = {0};
    AUTO_BUF how = BUF_INIT(HOW_BYTES);

    if (check_command(request, err) != 0)
        return -1;
    if (proc_run(request, ERR_SOURCE_DOWN, &result, err) != 0) {
        if (!result.timed_out && err->kind == ERR_SOURCE_DOWN)
            err->kind = ERR_SOURCE_DATA; /* it can't be started, or said too much */
        return -1;
    }
    if (result.exit_code == 0)
        return 0;
    proc_describe(&result, &how);
    add_last_line(request->error_output, &how);
    return err_set(err, ERR_SOURCE_DATA, "the command '%s' %s", request->argv[0], buf_text(&how));
}

int source_read_command(const struct ref *ref, const char *const *environment, int64_t deadline_ms,
                        struct buf *out, struct err *err)
{
    static const char *const names[COMMAND_VARIABLES] = {"PATH", "HOME", "LANG"};
    const char *own[COMMAND_VARIABLES + 1] = {NULL};
    AUTO_BUF error_output = BUF_INIT(STDERR_KEPT_BYTES);
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = source_environment_get(environment, names[i]);
        if (value) /* the entry, which starts before its value */
            own[count++] = value - strlen(names[i]) - 1;
    }
    const struct proc_request command = {
        .argv = ref->argv,
        .environment = own,
        .folder = ref->folder,
        .output = out,
        .error_output = &error_output,
        .deadline_ms = clock_earlier(deadline_ms, clock_in_ms(SOURCE_COMMAND_MS)),
        .what = "the source's command", /* whose it is, whoever asked for the value says */
    };
    return run_command(&command, err);
}
