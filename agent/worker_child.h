/* agent/worker_child.h: what a forked child is before its work begins (agent/worker.c's own). */
#ifndef AGENT_WORKER_CHILD_H
#define AGENT_WORKER_CHILD_H

#include <sys/types.h>

/* In the child of PARENT: it dies with it, and before it where memory runs out; of its descriptors it has 0, 1,
 * 2, INPUT and OUTPUT; signals that ask for the end end it, and others are the parent's. Ends the process where
 * the parent has gone already. */
void worker_settle_in(int input, int output, pid_t parent);

#endif
