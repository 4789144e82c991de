/* base/redact_forms.h: the shapes in which a program puts out a value. */
#ifndef BASE_REDACT_FORMS_H
#define BASE_REDACT_FORMS_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/* What is done with one form: LENGTH bytes, which are gone after the call. */
typedef int (*redact_form_sink)(void *owner, const char *form, size_t length, struct err *err);

/* Call SINK for the LENGTH bytes of VALUE and for what encoders make of them, some of it more than once:
 *   itself
 *   percent-encoded, by encoders that leave only RFC 3986's unreserved bytes, or the slash, or what
 *   JavaScript leaves; upper and lower case; a blank as %20 and as +
 *   base64 in both alphabets, with padding and without, and what base64 of a longer text has of it at
 *   each of the three places at which it can begin there; of the value by itself also in lines of 76 letters
 *   (base64 of coreutils, MIME; LF or CR LF) and of 64 (openssl). Where a longer text is cut into lines the
 *   cut can be at any letter: that is not among them.
 *   a JSON string's inside as it is written by those who escape the least, all that is not ASCII, the
 *   slash, or what HTML would read
 * -1: what SINK said, or memory is gone. */
MUST_USE int redact_each_form(const char *value, size_t length, redact_form_sink sink, void *owner,
                              struct err *err);

#endif
