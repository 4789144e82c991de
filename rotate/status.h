/* rotate/status.h: what an age means. */
#ifndef ROTATE_STATUS_H
#define ROTATE_STATUS_H

#include "rotate/rotate.h"

/* Fill state and due from what was found: last_rotated, an open record's state, what could not be looked at.
 * NOW is in Unix seconds. Due is an age over `every`, overdue over one and a quarter of it; of a soaking
 * one the end of grace counts in the same way. */
void status_judge(struct rotate_status *status, const struct rotate_spec *spec, int64_t now);

#endif
