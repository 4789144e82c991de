/* log.c: see base/log.h. */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/redact.h"
#include "base/str.h"

enum {
    TEXT_BYTES_MAX = 1024 * 1024, /* of one message or value as it was given */
    SHOWN_BYTES_MAX = 4 * 1024,   /* of it in the line */
    LINE_BYTES_MAX = 256 * 1024,  /* several of them, each byte escaped */
    SINK_PATIENCE_MS = 200,
    PROGRESS_FIRST_MS = 2000,
    PROGRESS_AGAIN_MS = 10000,
    PROGRESS_TERMINAL_MS = 100, /* between two rewrites of the line */
    ERR_TRIES = 2,              /* of a line that memory runs out for */
    BARE_LINE_BYTES = 512,      /* of an error that no memory is left for */
};

#define CLEAR_LINE "\r\033[K"

static struct {
    enum log_format format;
    enum log_level least;
    bool color;
    bool on_terminal_line; /* a progress line stands there unfinished */
    bool hurried;          /* no line is waited for */
    unsigned dropped;      /* lines since the last that went out */
    uint64_t all_dropped;  /* since the process began */
    bool torn;             /* the last one went out in part */
} log_state = {.least = LOG_INFO};

static const char *const level_words[] = {"error", "warn", "info", "debug"};
static const char *const level_colors[] = {"\033[31m", "\033[33m", "\033[32m", "\033[2m"};

void log_setup(enum log_format format, enum log_level least, bool color)
{
    log_state.format = format;
    log_state.least = least;
    log_state.color = color;
}

void log_hurry(bool on)
{
    log_state.hurried = on;
}

bool log_enabled(enum log_level level)
{
    return level <= log_state.least;
}

/* ---- the sink ---------------------------------------------------------------------------- */

/* Write to stderr without blocking. The descriptor is a blocking one and stays it: its flags are
 * shared with other processes. Those may fill the pipe between our poll and our write, and of a terminal
 * poll says no more than that there is room for a byte. So the kernel is told not to wait: of a pipe by
 * RWF_NOWAIT (from Linux 6.5), of a socket by MSG_DONTWAIT, of a terminal and of an older kernel's pipe by a
 * descriptor of our own. Where it can't be told, a piece of PIPE_BUF bytes into a pipe does not block once
 * poll has said that there is room. */
static ssize_t write_now(const char *bytes, size_t length)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct stat st;

    if (fstat(STDERR_FILENO, &st) != 0)
        return -1;
    if (S_ISSOCK(st.st_mode))
        return send(STDERR_FILENO, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (S_ISFIFO(st.st_mode)) {
        ssize_t n = pwritev2(STDERR_FILENO, &piece, 1, -1, RWF_NOWAIT);
        if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL))
            return n;
    }
    AUTO_FD own = file_open_unshared(STDERR_FILENO);
    return write(own >= 0 ? own : STDERR_FILENO, bytes, length);
}

static bool put(const char *bytes, size_t length)
{
    /* One line is waited for; behind a dropped one there is no use in waiting again. */
    bool waits = log_state.dropped == 0 && !log_state.hurried;
    int64_t deadline = clock_in_ms(waits ? SINK_PATIENCE_MS : 0);
    size_t done = 0;

    while (done < length) {
        struct pollfd sink = {.fd = STDERR_FILENO, .events = POLLOUT};
        int ready = poll(&sink, 1, (int)clock_left_ms(deadline));
        if (ready < 0 && errno == EINTR && !clock_passed(deadline))
            continue;
        if (ready <= 0 || !(sink.revents & POLLOUT))
            break;
        size_t piece = length - done < PIPE_BUF ? length - done : PIPE_BUF;
        ssize_t n = write_now(bytes + done, piece);
        if (n > 0)
            done += (size_t)n;
        else if ((errno != EINTR && errno != EAGAIN) || clock_passed(deadline))
            break;
    }
    if (done > 0)
        log_state.torn = done < length;
    return done == length;
}

/* Every byte that this file puts out goes through here, except for texts that are our own constants.
 * False: there was no memory for the line. One that stderr does not take is counted, and that is all. */
static bool sink(const struct buf *line)
{
    AUTO_BUF out = BUF_INIT(LINE_BYTES_MAX + sizeof(CLEAR_LINE) + 1);

    if (log_state.torn)
        buf_addc(&out, '\n');
    if (log_state.on_terminal_line) {
        buf_adds(&out, CLEAR_LINE);
        log_state.on_terminal_line = false;
    }
    redact_add(&out, line->data, line->len);
    bool whole = !line->no_memory && !line->too_long && !out.no_memory && !out.too_long;
    if (whole && out.len > 0 && put(out.data, out.len)) {
        log_state.dropped = 0;
    } else {
        log_state.dropped++;
        log_state.all_dropped++;
    }
    return whole;
}

/* ---- lines ------------------------------------------------------------------------------- */

/* TEXT without secrets, cut. Before anything else is done to it: escapes or the cut could take a
 * secret apart, so that the sink would not know it. */
static void redact_and_cut(struct buf *out, const char *text)
{
    redact_add(out, text, strnlen(text, TEXT_BYTES_MAX));
    if (out->len <= SHOWN_BYTES_MAX)
        return;
    AUTO_BUF cut = BUF_INIT(out->max);
    buf_add(&cut, out->data, SHOWN_BYTES_MAX);
    buf_adds(&cut, "...");
    buf_move(out, &cut);
}

static void clean(struct buf *out, const char *text)
{
    AUTO_BUF redacted = BUF_INIT(TEXT_BYTES_MAX);

    redact_and_cut(&redacted, text);
    str_add_sanitised(out, buf_text(&redacted), redacted.len);
    if (redacted.no_memory)
        out->no_memory = true;
}

static void add_json_text(struct buf *line, const char *text)
{
    AUTO_BUF cleaned = BUF_INIT(LINE_BYTES_MAX);

    clean(&cleaned, text);
    str_add_json(line, buf_text(&cleaned), cleaned.len);
    if (cleaned.no_memory)
        line->no_memory = true;
}

/* A value of key=value that a reader could not tell from what follows is put into quotes, with
 * backslashes before quotes and backslashes: so \xHH outside of a pair stands for a byte. */
static void add_value(struct buf *line, const char *value)
{
    AUTO_BUF redacted = BUF_INIT(TEXT_BYTES_MAX);
    AUTO_BUF quoted = BUF_INIT(TEXT_BYTES_MAX);

    redact_and_cut(&redacted, value);
    const char *text = buf_text(&redacted);
    bool quotes = *text == '\0' || strpbrk(text, " \"'=\\");
    for (const char *c = text; *c; c++) {
        if (quotes && (*c == '"' || *c == '\\'))
            buf_addc(&quoted, '\\');
        buf_addc(&quoted, *c);
    }
    buf_adds(line, quotes ? "\"" : "");
    str_add_sanitised(line, buf_text(&quoted), quoted.len);
    buf_adds(line, quotes ? "\"" : "");
    if (redacted.no_memory || quoted.no_memory)
        line->no_memory = true;
}

static void begin(struct buf *line, enum log_level level, const char *message)
{
    if (log_state.format == LOG_JSON) {
        char now[CLOCK_RFC3339_BYTES];
        clock_rfc3339(clock_unix_seconds(), now);
        buf_addf(line, "{\"ts\":\"%s\",\"level\":\"%s\",\"msg\":", now, level_words[level]);
        add_json_text(line, message);
        return;
    }
    if (log_state.color)
        buf_addf(line, "%s%s\033[0m ", level_colors[level], level_words[level]);
    else
        buf_addf(line, "%s ", level_words[level]);
    clean(line, message);
}

static void add_pair(struct buf *line, const char *key, const char *value)
{
    if (!value)
        return;
    if (log_state.format == LOG_JSON) {
        buf_addc(line, ',');
        add_json_text(line, key);
        buf_addc(line, ':');
        add_json_text(line, value);
        return;
    }
    buf_addf(line, " %s=", key);
    add_value(line, value);
}

static void add_number(struct buf *line, const char *key, long long number)
{
    buf_addf(line, log_state.format == LOG_JSON ? ",\"%s\":%lld" : " %s=%lld", key, number);
}

static void finish(struct buf *line)
{
    buf_adds(line, log_state.format == LOG_JSON ? "}\n" : "\n");
}

/* Say that lines are missing as soon as one can be said again. */
static void report_dropped(void)
{
    if (log_state.dropped == 0)
        return;
    AUTO_BUF line = BUF_INIT(LINE_BYTES_MAX);
    begin(&line, LOG_WARN, "log lines were dropped, stderr did not take them");
    add_number(&line, "count", log_state.dropped);
    finish(&line);
    unsigned before = log_state.dropped;
    (void)sink(&line);
    if (log_state.dropped > 0) { /* the report itself is not one of the lost lines */
        log_state.dropped = before;
        log_state.all_dropped--;
    }
}

uint64_t log_dropped(void)
{
    return log_state.all_dropped;
}

void log_line(enum log_level level, const char *message, ...)
{
    if (!log_enabled(level))
        return;
    report_dropped();
    AUTO_BUF line = BUF_INIT(LINE_BYTES_MAX);
    begin(&line, level, message);
    va_list args;
    va_start(args, message);
    const char *key;
    while ((key = va_arg(args, const char *)) != NULL)
        add_pair(&line, key, va_arg(args, const char *));
    va_end(args);
    finish(&line);
    (void)sink(&line); /* it is counted among the lost ones */
}

void log_msg(enum log_level level, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    AUTO_BUF message = BUF_INIT(TEXT_BYTES_MAX);
    va_list args;
    va_start(args, format);
    buf_addv(&message, format, args);
    va_end(args);
    if (message.too_long) /* the format is still better than nothing */
        log_line(level, format, NULL);
    else
        log_line(level, buf_text(&message), NULL);
}

/* ---- errors ------------------------------------------------------------------------------ */

static void add_err_json(struct buf *line, const struct err *err, int exit_code)
{
    begin(line, LOG_ERROR, err->text);
    add_number(line, "code", exit_code);
    add_pair(line, "kind", err_word(err->kind));
    add_pair(line, "sqlstate", err->sqlstate[0] ? err->sqlstate : NULL);
    add_pair(line, "file", err->file[0] ? err->file : NULL);
    if (err->line > 0)
        add_number(line, "line", err->line);
    if (err->column > 0)
        add_number(line, "column", err->column);
    add_pair(line, "hint", err->hint[0] ? err->hint : NULL);
    finish(line);
}

static void add_err_text(struct buf *line, const struct err *err)
{
    AUTO_BUF text = BUF_INIT(TEXT_BYTES_MAX);

    /* As compilers put it, so that editors jump to the place. */
    if (err->file[0] && err->line > 0 && err->column > 0)
        buf_addf(&text, "%s:%u:%u: ", err->file, err->line, err->column);
    else if (err->file[0] && err->line > 0)
        buf_addf(&text, "%s:%u: ", err->file, err->line);
    if (text.len > 0 && str_starts(err->text, buf_text(&text)))
        buf_clear(&text); /* the text begins with it itself */
    buf_adds(&text, err->text);
    begin(line, LOG_ERROR, buf_text(&text));
    finish(line);
    if (text.no_memory)
        line->no_memory = true;
    if (!err->hint[0])
        return;
    buf_adds(line, log_state.color ? "\033[36mhint\033[0m " : "hint ");
    clean(line, err->hint);
    finish(line);
}

/* An error is never blank, not even where no memory is left to take secrets out of its text: then its
 * kind is said, in words of ours. */
static void put_bare_error(const struct err *err, int exit_code)
{
    char line[BARE_LINE_BYTES];
    const char *meaning = err_meaning(err->kind), *word = err_word(err->kind);
    int length;

    if (log_state.format == LOG_JSON)
        length = snprintf(line, sizeof line,
                          "{\"level\":\"error\",\"msg\":\"%s; no memory is left to say more\","
                          "\"code\":%d,\"kind\":\"%s\"}\n",
                          meaning, exit_code, word);
    else
        length = snprintf(line, sizeof line,
                          "error %s; no memory is left to say more (exit code %d, %s)\n", meaning,
                          exit_code, word);
    if (length > 0 && (size_t)length < sizeof line)
        (void)put(line, (size_t)length); /* nothing is left to say it with */
}

void log_err(const struct err *err, int exit_code)
{
    report_dropped();
    for (int tries = 0; tries < ERR_TRIES; tries++) {
        AUTO_BUF line = BUF_INIT(LINE_BYTES_MAX);
        if (log_state.format == LOG_JSON)
            add_err_json(&line, err, exit_code);
        else
            add_err_text(&line, err);
        if (sink(&line))
            return;
    }
    put_bare_error(err, exit_code);
}

/* ---- progress ---------------------------------------------------------------------------- */

static bool is_due(const struct log_progress *p, long long now, bool terminal)
{
    if (now - p->started_ms < PROGRESS_FIRST_MS)
        return false;
    return p->said_ms == 0 ||
           now - p->said_ms >= (terminal ? PROGRESS_TERMINAL_MS : PROGRESS_AGAIN_MS);
}

void log_progress(struct log_progress *p, const char *format, ...)
{
    long long now = clock_now_ms();
    bool terminal = log_state.format == LOG_TEXT && isatty(STDERR_FILENO) == 1;

    if (p->started_ms == 0)
        p->started_ms = now;
    if (!log_enabled(LOG_INFO) || !is_due(p, now, terminal))
        return;
    p->said_ms = now;
    AUTO_BUF message = BUF_INIT(TEXT_BYTES_MAX);
    va_list args;
    va_start(args, format);
    buf_addv(&message, format, args);
    va_end(args);
    if (!terminal) {
        log_line(LOG_INFO, buf_text(&message), NULL);
        return;
    }
    AUTO_BUF line = BUF_INIT(LINE_BYTES_MAX);
    buf_adds(&line, CLEAR_LINE);
    clean(&line, buf_text(&message));
    (void)sink(&line); /* the next one says more */
    log_state.on_terminal_line = true;
    p->on_line = true;
}

int64_t log_progress_due_ms(const struct log_progress *p)
{
    if (p->started_ms == 0 || !log_enabled(LOG_INFO))
        return CLOCK_NEVER;
    return p->said_ms == 0 ? p->started_ms + PROGRESS_FIRST_MS : p->said_ms + PROGRESS_AGAIN_MS;
}

void log_progress_end(struct log_progress *p)
{
    if (p->on_line && log_state.on_terminal_line) {
        log_state.on_terminal_line = false;
        (void)put(CLEAR_LINE, strlen(CLEAR_LINE));
    }
    *p = (struct log_progress){0};
}
