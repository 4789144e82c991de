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

const char *ignored_signals(void)
{
    static char line[128];
    FILE *status = fopen("/proc/self/status", "re");

    while (status && fgets(line, sizeof(line), status))
        if (strncmp(line, "SigIgn:", sizeof("SigIgn:") - 1) == 0)
            break;
    if (!status || strncmp(line, "SigIgn:", sizeof("SigIgn:") - 1) != 0)
        fail_msg("/proc/self/status has no SigIgn");
    (void)fclose(status);
    return line;
}

void skip_under_valgrind(void)
{
    if (getenv("AGENT_UNDER_VALGRIND"))
        skip();
}
