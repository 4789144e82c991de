/* rotate/place.h: where the value lies that a rotation writes, and the record's groups that hold it. */
#ifndef ROTATE_PLACE_H
#define ROTATE_PLACE_H

#include "rotate/internal.h"

#define PLACE_FIELDS "fields" /* the record's group of what is to be current */
#define PLACE_FORMER "former" /* and of what was */

/* The field that changes in any case: the value's, or the password's where it is composed. NULL: the
 * place has none. */
const char *place_field(const struct rotate_spec *spec);

/* Read the place, where that was not done yet in this run: a resumed step begins with nothing. */
MUST_USE int place_load(struct rotation *r, struct err *err);

/* The field NAME as it was read; NULL: there is none. */
const struct secret *place_current(const struct rotation *r, const char *name);

/* Let NAME become VALUE at promote, and its present value the former one. */
MUST_USE int place_stage(struct rotation *r, const char *name, const struct secret *value,
                         struct err *err);

/* As place_stage for a generated secret: in a URL it takes the password's place. Errors: ERR_CONTRACT. */
MUST_USE int place_stage_generated(struct rotation *r, const struct secret *value, struct err *err);

#endif
