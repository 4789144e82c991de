#include "base/signals.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"

static const struct {
    const char *name;
    int number;
} names[] = {
#define NAMED(name) {#name, SIG##name},
    SIGNAL_NAMES(NAMED)
#undef NAMED
};

/* "+3" behind RTMIN, "-3" behind RTMAX, or nothing: how far it is from there; -1: none of these. */
static int offset_of(const char *text, size_t length, char sign)
{
    int64_t offset = 0;

    if (length == 0)
        return 0;
    if (text[0] != sign || length > 3 || (text[1] == '0' && length > 2) ||
        str_to_int64(text + 1, length - 1, &offset) != 0 || offset < 0 || offset > SIGNAL_REAL_TIME)
        return -1;
    return (int)offset;
}

int signal_by_name(const char *name, size_t length)
{
    enum { PREFIX = 3, REAL_TIME = 5 };

    if (length > PREFIX && memcmp(name, "SIG", PREFIX) == 0) {
        name += PREFIX;
        length -= PREFIX;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strlen(names[i].name) == length && memcmp(names[i].name, name, length) == 0)
            return names[i].number;
    if (length < REAL_TIME)
        return 0;
    bool from_below = memcmp(name, "RTMIN", REAL_TIME) == 0;
    if (!from_below && memcmp(name, "RTMAX", REAL_TIME) != 0)
        return 0;
    int offset = offset_of(name + REAL_TIME, length - REAL_TIME, from_below ? '+' : '-');
    if (offset < 0)
        return 0;
    return from_below ? SIGRTMIN + offset : SIGRTMAX - offset;
}

const char *signal_name(int number, char out[static SIGNAL_NAME_BYTES])
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].number == number) {
            (void)snprintf(out, SIGNAL_NAME_BYTES, "SIG%s", names[i].name);
            return out;
        }
    }
    if (number >= SIGRTMIN && number <= SIGRTMAX)
        (void)snprintf(out, SIGNAL_NAME_BYTES, "SIGRTMIN+%d", number - SIGRTMIN);
    else
        (void)snprintf(out, SIGNAL_NAME_BYTES, "signal %d", number);
    return out;
}
