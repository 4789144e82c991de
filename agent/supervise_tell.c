/* agent/supervise_tell.c: who supervises with us is told what the application is about to do. */
#include <stddef.h>

#include "agent/supervise_parts.h"

enum way { GOES_ON, STARTS_ANEW, ENDS };

/* What a state leads to. */
static enum way way_of(enum supervise_state state)
{
    switch (state) {
    case SUPERVISE_RESTARTING:
    case SUPERVISE_CLEARING:
        return STARTS_ANEW;
    case SUPERVISE_STOPPING:
    case SUPERVISE_SWEEPING:
    case SUPERVISE_ENDED:
        return ENDS;
    case SUPERVISE_PREPARING:
    case SUPERVISE_RUNNING:
    case SUPERVISE_DELAYED:
    case SUPERVISE_STATE_COUNT:
        break;
    }
    return GOES_ON;
}

void supervise_tell_way(const struct supervisor *s, enum supervise_state before)
{
    enum way way = way_of(s->state);

    if (way == way_of(before) || way == GOES_ON || s->group == 0)
        return; /* where it goes on again its start says so */
    if (s->settings && s->settings->ending)
        s->settings->ending(s->settings->owner, way == STARTS_ANEW);
}

void supervise_tell_forwarded(const struct supervisor *s)
{
    if (s->settings->forwarded)
        s->settings->forwarded(s->settings->owner, s->came);
}
