/* envcontract/output_systemd.c: values for EnvironmentFile= (systemd.exec(5)).
 *
 * Its parser keeps a line break inside of quotes, takes a backslash off before " \ ` $ there, and
 * refuses the whole file for what is not UTF-8, Unicode's noncharacters included. A variable with a
 * control character other than tab and line break is dropped by older versions, with no more than a
 * line in the journal; nobody here knows which version will read it, so those are refused. */
#include "envcontract/output.h"

#include <string.h>

#include "base/str.h"

/* The kernel's MAX_ARG_STRLEN: no process can be started with more in one variable. */
enum { ENTRY_MAX_BYTES = 128 * 1024 - 1 };

/* U+FDD0 to U+FDEF, and the last two code points of every plane. BYTES is one valid sequence. */
static bool is_noncharacter(const unsigned char *bytes, size_t length)
{
    if (length == 3)
        return bytes[0] == 0xef && ((bytes[1] == 0xb7 && bytes[2] >= 0x90 && bytes[2] <= 0xaf) ||
                                    (bytes[1] == 0xbf && bytes[2] >= 0xbe));
    return length == 4 && (bytes[1] & 0x0f) == 0x0f && bytes[2] == 0xbf && bytes[3] >= 0xbe;
}

static bool is_control(unsigned char c)
{
    return (c < ' ' && c != '\t' && c != '\n') || c == 0x7f;
}

static refusal defect(const struct outgoing *value)
{
    for (size_t at = 0, step; at < value->length; at += step) {
        const char *here = value->bytes + at;
        if ((step = str_utf8(here, value->length - at)) == 0)
            return "a value that is not UTF-8, for which systemd refuses the file";
        if (is_noncharacter((const unsigned char *)here, step))
            return "a noncharacter of Unicode in the value, for which systemd refuses the file";
        if (is_control((unsigned char)*here))
            return "a control character in the value, for which older systemd drops the variable";
    }
    if (strlen(value->name) + 1 + value->length > ENTRY_MAX_BYTES)
        return "a value of 128 KiB or more, which no process can be started with";
    return NULL;
}

refusal output_systemd(struct value_writer *w, const struct outgoing *value)
{
    refusal why = defect(value);

    if (why)
        return why;
    buf_addf(w->out, "%s=", value->name);
    if (output_is_plain(value)) {
        buf_add(w->out, value->bytes, value->length);
    } else {
        buf_addc(w->out, '"');
        for (size_t i = 0; i < value->length; i++) {
            if (strchr("\"\\`$", value->bytes[i])) /* NUL was refused before */
                buf_addc(w->out, '\\');
            buf_addc(w->out, value->bytes[i]);
        }
        buf_addc(w->out, '"');
    }
    buf_addc(w->out, '\n');
    return NULL;
}
