/* tests/lib/unit.c: what every unit test shares. */
#include "tests/lib/unit.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void assert_text_has(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("'%s' is not in '%s'", part, text ? text : "(null)");
}

void assert_text_lacks(const char *text, const char *part)
{
    if (text && strstr(text, part))
        fail_msg("'%s' is in '%s'", part, text);
}

/* The line of /proc/self/status that begins with NAME. Valid until the next call. */
static const char *status_line(const char *name)
{
    static char line[128];
    FILE *status = fopen("/proc/self/status", "re");

    while (status && fgets(line, sizeof(line), status))
        if (strncmp(line, name, strlen(name)) == 0)
            break;
    if (!status || strncmp(line, name, strlen(name)) != 0)
        fail_msg("/proc/self/status has no %s", name);
    (void)fclose(status);
    return line;
}

const char *ignored_signals(void)
{
    return status_line("SigIgn:");
}

long peak_kib(void)
{
    return strtol(status_line("VmHWM:") + sizeof("VmHWM:") - 1, NULL, 10);
}

void skip_under_valgrind(void)
{
    if (getenv("AGENT_UNDER_VALGRIND"))
        skip();
}
