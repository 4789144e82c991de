/* base/signals.h: signals by their names: "TERM", "SIGTERM", "RTMIN+3", "RTMAX-1". */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include <stddef.h>

enum {
    SIGNAL_NAME_BYTES = 16, /* the longest is "SIGRTMIN+30" */
    SIGNAL_REAL_TIME = 30,  /* RTMIN+30 is RTMAX */
};

/* Names that signal(7) has for this machine. */
/* clang-format off */
#define SIGNAL_NAMES(X)                                                        \
    X(HUP) X(INT) X(QUIT) X(ILL) X(TRAP) X(ABRT) X(BUS) X(FPE)                 \
    X(KILL) X(USR1) X(SEGV) X(USR2) X(PIPE) X(ALRM) X(TERM) X(STKFLT)          \
    X(CHLD) X(CONT) X(STOP) X(TSTP) X(TTIN) X(TTOU) X(URG) X(XCPU)             \
    X(XFSZ) X(VTALRM) X(PROF) X(WINCH) X(IO) X(PWR) X(SYS)
/* clang-format on */

/* The number that NAME stands for, upper case and with or without SIG; 0: none. Numbers are not
 * taken: they mean another signal on another machine. */
int signal_by_name(const char *name, size_t length);

/* "SIGTERM", "SIGRTMIN+3" into OUT, which it returns; "signal 0" for what is none. */
const char *signal_name(int number, char out[static SIGNAL_NAME_BYTES]);

#endif
