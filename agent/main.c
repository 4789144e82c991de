/* agent/main.c: set the process up, then hand over to the table of commands. */
#include "agent/cmd.h"
#include "base/log.h"
#include "base/proc.h"

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;

    if (proc_harden(argc, &err) != 0) {
        log_err(&err, err_exit_code(err.kind));
        return err_exit_code(err.kind);
    }
    return command_main(argv);
}
