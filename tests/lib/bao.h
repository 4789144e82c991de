/* tests/lib/bao.h: a throwaway OpenBao for one test program.
 *
 * A dev server on a free port of 127.0.0.1, in memory, with its own files in a temporary folder. It
 * is stopped by its pid and dies with the test. What fails here (no bao installed, too) ends the test
 * program with a text: there is nothing that a test could do about it. */
#ifndef TESTS_LIB_BAO_H
#define TESTS_LIB_BAO_H

#include <stdbool.h>
#include <stddef.h>

#define BAO_ROOT_TOKEN "canary-root-7c1e"

struct bao;

struct bao *bao_start(bool tls);
void bao_stop(struct bao *bao);
const char *bao_address(const struct bao *bao);
unsigned bao_port(const struct bao *bao);
const char *bao_ca_file(const struct bao *bao); /* TLS only */
const char *bao_folder(const struct bao *bao);  /* for the test's own files; removed with it */

/* Run its command line as root: bao_run(bao, "kv", "put", ..., NULL). The output, without its last
 * newline, is the caller's. A failure ends the test program. */
char *bao_run(const struct bao *bao, const char *word, ...) __attribute__((sentinel));

/* Write the policy NAME, whose text is RULES, over what it was. */
void bao_policy(const struct bao *bao, const char *name, const char *rules);

#endif
