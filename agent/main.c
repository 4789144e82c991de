/* agent/main.c: set the process up, then hand over to the table of commands. */
#include "agent/cmd.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/proc.h"

/* What is written is written and what was secret is wiped by now. exit() would call the ends of some
 * forty libraries of others, each of which can crash or wait, for 2 % of a bootstrap's processor time. */
static _Noreturn void leave(int code)
{
#ifdef REPORT_AT_EXIT /* sanitizers and coverage do */
    exit(code);
#else
    _exit(code);
#endif
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;

    if (proc_harden(argc, &err) != 0) {
        log_err(&err, err_exit_code(err.kind));
        leave(err_exit_code(err.kind));
    }
    leave(command_main(argv));
}
