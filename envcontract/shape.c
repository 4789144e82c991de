/* envcontract/shape.c: a value described without a piece of it, and the text that says so. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "envcontract/internal.h"

void message_addv(struct message *m, const char *format, va_list args)
{
    static const char dots[] = "...";
    size_t room = sizeof m->text - m->length;
    if (room == 1)
        return; /* full: a list may have a thousand more */
    int length = vsnprintf(m->text + m->length, room, format, args);
    if (length < 0) { /* no memory for a wide character: there are none */
        m->text[m->length] = '\0';
    } else if ((size_t)length < room) {
        m->length += (size_t)length;
    } else {
        m->length = sizeof m->text - 1;
        memcpy(m->text + sizeof m->text - sizeof dots, dots, sizeof dots);
    }
}

void message_addf(struct message *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    message_addv(m, format, args);
    va_end(args);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

size_t shape_characters(const char *bytes, size_t length)
{
    size_t count = 0;
    for (size_t at = 0; at < length; count++) {
        size_t step = (unsigned char)bytes[at] < 0x80 ? 1 : str_utf8(bytes + at, length - at);
        at += step ? step : 1;
    }
    return count;
}

void shape_add_length(struct message *out, const char *bytes, size_t length)
{
    size_t count = shape_characters(bytes, length);
    message_addf(out, "%zu character%s", count, count == 1 ? "" : "s");
}

static bool has_bad_utf8(const char *bytes, size_t length, size_t *place)
{
    for (size_t at = 0; at < length;) {
        size_t step = (unsigned char)bytes[at] < 0x80 ? 1 : str_utf8(bytes + at, length - at);
        if (step == 0) {
            *place = at;
            return true;
        }
        at += step;
    }
    return false;
}

void shape_add_oddities(struct message *out, const char *bytes, size_t length)
{
    size_t begin = 0, end = length, place;
    while (begin < end && is_space(bytes[begin]))
        begin++;
    while (end > begin && is_space(bytes[end - 1]))
        end--;
    if (length > 0 && begin == end) {
        message_addf(out, ", nothing but white space");
        return;
    }
    if (begin > 0)
        message_addf(out, ", white space at the start");
    if (end < length)
        message_addf(out, ", %s at the end",
                     bytes[length - 1] == '\n' ? "a line break" : "white space");
    if (end - begin >= 2 && (bytes[begin] == '"' || bytes[begin] == '\'') &&
        bytes[begin] == bytes[end - 1])
        message_addf(out, ", quotes around it");
    if (end > begin && memchr(bytes + begin, '\n', end - begin))
        message_addf(out, ", a line break inside");
    if (has_bad_utf8(bytes, length, &place))
        message_addf(out, ", no UTF-8 at byte %zu", place + 1);
}
