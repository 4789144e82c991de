/* tests/lib/pg.c: a throwaway PostgreSQL for one test program. */
#include "tests/lib/pg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 512, READY_TRIES = 3000, READY_PAUSE_MS = 10, START_TRIES = 3 };

struct pg {
    char binaries[PATH_BYTES], psql[PATH_BYTES + 8], folder[PATH_BYTES], data[PATH_BYTES + 8],
        certificate[PATH_BYTES + 16];
    unsigned port;
    pid_t pid;
};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(2);
}

static void __attribute__((format(printf, 3, 4)))
text(char *out, size_t room, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, room, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room)
        die("a path of the throwaway PostgreSQL is too long");
}

static char *made_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *made_text(const char *format, ...)
{
    char *out = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&out, format, args);
    va_end(args);
    if (n < 0)
        die("no memory");
    return out;
}

static void write_file(const char *path, const char *content, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    size_t length = strlen(content);
    if (fd < 0 || write(fd, content, length) != (ssize_t)length || close(fd) != 0)
        die("write %s: %s", path, strerror(errno));
}

/* AGENT_TEST_POSTGRES names a folder that may have no more than initdb and postgres. */
static void find_binaries(struct pg *pg)
{
    glob_t found = {0};
    const char *wanted = getenv("AGENT_TEST_POSTGRES");
    if (glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) != 0 || found.gl_pathc == 0)
        die("no PostgreSQL server in /usr/lib/postgresql: `make deps` installs it");
    const char *newest = found.gl_pathv[found.gl_pathc - 1];
    text(pg->binaries, sizeof(pg->binaries), "%.*s", (int)(strrchr(newest, '/') - newest), newest);
    globfree(&found);
    text(pg->psql, sizeof(pg->psql), "%s/psql", pg->binaries);
    if (wanted && *wanted)
        text(pg->binaries, sizeof(pg->binaries), "%s", wanted);
}

/* In a child: somebody whom PostgreSQL lets run it. */
static void become_postgres(void)
{
    if (geteuid() != 0)
        return;
    const struct passwd *who = getpwnam("postgres");
    if (!who || setgroups(0, NULL) != 0 || setgid(who->pw_gid) != 0 || setuid(who->pw_uid) != 0)
        die("can't become the user postgres: %s", strerror(errno));
}

static pid_t start(const char *const *argv, const char *log, int own_user)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid > 0)
        return pid;
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (out < 0 || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    if (!own_user)
        become_postgres();
    /* After the change of user, which clears it. SIGQUIT: stop at once. */
    if (prctl(PR_SET_PDEATHSIG, SIGQUIT) != 0 || getppid() != parent)
        _exit(126);
    (void)unsetenv("PGPORT");
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static void run(const struct pg *pg, const char *const *argv, int own_user)
{
    char log[PATH_BYTES + 16];
    int status = 0;
    text(log, sizeof(log), "%s/output", pg->folder);
    pid_t pid = start(argv, log, own_user);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        FILE *file = fopen(log, "re");
        char line[1024];
        while (file && fgets(line, sizeof(line), file))
            (void)fputs(line, stderr);
        die("%s failed with status %d", argv[0], status);
    }
}

static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        die("no free port: %s", strerror(errno));
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void make_folder(struct pg *pg)
{
    const char *base = getenv("TMPDIR");
    text(pg->folder, sizeof(pg->folder), "%s/agent-pg-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(pg->folder))
        die("mkdtemp: %s", strerror(errno));
    if (geteuid() == 0) {
        const struct passwd *who = getpwnam("postgres");
        if (!who || chown(pg->folder, who->pw_uid, who->pw_gid) != 0)
            die("there is no user postgres to run PostgreSQL as");
    }
    if (chmod(pg->folder, 0755) != 0) /* tests with other users come to the socket */
        die("chmod: %s", strerror(errno));
    text(pg->data, sizeof(pg->data), "%s/data", pg->folder);
    text(pg->certificate, sizeof(pg->certificate), "%s/server.crt", pg->folder);
}

static void make_cluster(struct pg *pg)
{
    char password[PATH_BYTES + 16];
    text(password, sizeof(password), "%s/password", pg->folder);
    write_file(password, PG_SUPERUSER_PASSWORD "\n", 0644); /* a password of a throwaway server */
    const char *const argv[] = {"tests/lib/initdb.sh",
                                pg->binaries,
                                pg->data,
                                password,
                                "-U",
                                "postgres",
                                "-A",
                                "trust",
                                "-E",
                                "UTF8",
                                "--locale",
                                "C",
                                NULL};
    run(pg, argv, 1);
}

static void make_certificate(const struct pg *pg)
{
    char key[PATH_BYTES + 16];
    text(key, sizeof(key), "%s/server.key", pg->folder);
    const char *const argv[] = {"/usr/bin/openssl",
                                "req",
                                "-x509",
                                "-newkey",
                                "ec",
                                "-pkeyopt",
                                "ec_paramgen_curve:prime256v1",
                                "-nodes",
                                "-days",
                                "2",
                                "-subj",
                                "/CN=localhost",
                                "-addext",
                                "subjectAltName=DNS:localhost",
                                "-keyout",
                                key,
                                "-out",
                                pg->certificate,
                                NULL};
    run(pg, argv, 0);
}

static void configure(const struct pg *pg, const char *settings)
{
    char path[PATH_BYTES + 32];
    char *conf = made_text(
        "listen_addresses = '127.0.0.1'\nport = %u\n"
        "unix_socket_directories = '%s'\nfsync = off\nfull_page_writes = off\n"
        "synchronous_commit = off\nshared_buffers = 16MB\nautovacuum = off\n"
        "log_statement = all\nssl = on\nssl_cert_file = '%s'\n"
        "ssl_key_file = '%s/server.key'\npassword_encryption = scram-sha-256\n%s\n",
        pg->port, pg->folder, pg->certificate, pg->folder, settings ? settings : "");
    text(path, sizeof(path), "%s/throwaway.conf", pg->data);
    write_file(path, conf, 0644);
    free(conf);
    text(path, sizeof(path), "%s/pg_hba.conf", pg->data);
    write_file(path,
               "local all all trust\n"
               "host  all refused 127.0.0.1/32 reject\n"
               "host  all all 127.0.0.1/32 scram-sha-256\n",
               0644);
    text(path, sizeof(path), "%s/postgresql.conf", pg->data);
    FILE *file = fopen(path, "ae");
    if (!file || fputs("\ninclude 'throwaway.conf'\n", file) < 0 || fclose(file) != 0)
        die("write %s: %s", path, strerror(errno));
}

/* The last line of postmaster.pid says so. */
static int is_ready(const struct pg *pg)
{
    char path[PATH_BYTES + 32], line[256];
    int ready = 0;
    text(path, sizeof(path), "%s/postmaster.pid", pg->data);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        ready = strncmp(line, "ready", 5) == 0;
    if (file)
        (void)fclose(file);
    return ready;
}

/* Nonzero when it runs; 0 when it ended by itself (the port was taken meanwhile). */
static int serve(struct pg *pg)
{
    char postgres[PATH_BYTES + 16], log[PATH_BYTES + 16];
    text(postgres, sizeof(postgres), "%s/postgres", pg->binaries);
    text(log, sizeof(log), "%s/log", pg->folder);
    const char *const argv[] = {postgres, "-D", pg->data, NULL};
    pg->pid = start(argv, log, 0);
    for (int i = 0; i < READY_TRIES; i++) {
        const struct timespec pause = {.tv_nsec = READY_PAUSE_MS * 1000000L};
        if (is_ready(pg))
            return 1;
        if (waitpid(pg->pid, NULL, WNOHANG) == pg->pid)
            return 0;
        (void)nanosleep(&pause, NULL);
    }
    die("the throwaway PostgreSQL does not become ready; its log: %s", log);
}

struct pg *pg_start(const char *settings)
{
    struct pg *pg = calloc(1, sizeof(*pg));
    if (!pg)
        die("no memory");
    find_binaries(pg);
    make_folder(pg);
    make_cluster(pg);
    make_certificate(pg);
    for (int i = 0; i < START_TRIES; i++) {
        pg->port = free_port();
        configure(pg, settings);
        if (serve(pg))
            return pg;
    }
    die("the throwaway PostgreSQL does not start; its log: %s/log", pg->folder);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

void pg_stop(struct pg *pg)
{
    if (!pg)
        return;
    (void)kill(pg->pid, SIGQUIT);
    while (waitpid(pg->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    (void)nftw(pg->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(pg);
}

const char *pg_socket_folder(const struct pg *pg)
{
    return pg->folder;
}

const char *pg_certificate(const struct pg *pg)
{
    return pg->certificate;
}

unsigned pg_port(const struct pg *pg)
{
    return pg->port;
}

char *pg_socket_url(const struct pg *pg, const char *user, const char *database)
{
    return made_text("postgresql://%s@/%s?host=%s&port=%u", user, database, pg->folder, pg->port);
}

char *pg_tcp_url(const struct pg *pg, const char *user, const char *password, const char *database,
                 const char *query)
{
    return made_text("postgresql://%s:%s@127.0.0.1:%u/%s%s", user, password, pg->port, database,
                     query);
}

/* From a file: what -c gets is one transaction, in which no database can be made. */
void pg_sql(const struct pg *pg, const char *database, const char *sql)
{
    char port[16], script[PATH_BYTES + 16];
    text(port, sizeof(port), "%u", pg->port);
    text(script, sizeof(script), "%s/script.sql", pg->folder);
    write_file(script, sql, 0600);
    const char *const argv[] = {pg->psql,   "-X", "-q",   "-v", "ON_ERROR_STOP=1", "-h",
                                pg->folder, "-p", port,   "-U", "postgres",        "-d",
                                database,   "-f", script, NULL};
    run(pg, argv, 1);
}
