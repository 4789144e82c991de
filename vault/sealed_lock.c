/* sealed_lock.c: where the sealed store is, and the lock that a change of it is made under.
 *
 * The lock is flock(2) on the store's folder: nothing is left behind in the repository, a process
 * that dies gives it up, and the file itself may be replaced while others wait. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "vault/sealed_store.h"

#define STORE_NAME "sealed.json"
#define KEY_NAME   "agent/sealed.key"

enum {
    LOCK_FIRST_MS = 5,
    LOCK_CAP_MS = 200,
};

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

int sealed_path(const char *folder, char **out, struct err *err)
{
    const char *said = environment("AGENT_SEALED");
    char *path = said ? file_join("", said) : file_join(folder, STORE_NAME);

    if (!path)
        return err_nomem(err);
    *out = path;
    return 0;
}

int sealed_key_path(char **out, struct err *err)
{
    const char *said = environment("AGENT_SEALED_KEY_FILE");
    const char *config = environment("XDG_CONFIG_HOME"), *home = environment("HOME");
    char *path = NULL;

    if (said) {
        path = file_join("", said);
    } else if (config && config[0] == '/') { /* the specification: a relative one is not valid */
        path = file_join(config, KEY_NAME);
    } else if (home) {
        path = file_join(home, ".config/" KEY_NAME);
    } else {
        err_set(err, ERR_USAGE,
                "where is the sealed store's key file? There is neither HOME nor "
                "XDG_CONFIG_HOME");
        return err_hint(err, "Say it in AGENT_SEALED_KEY_FILE.");
    }
    if (!path)
        return err_nomem(err);
    *out = path;
    return 0;
}

int sealed_lock(const char *path, int64_t deadline_ms, int *fd, struct err *err)
{
    struct backoff backoff = {.base_ms = LOCK_FIRST_MS, .cap_ms = LOCK_CAP_MS};
    int64_t until = clock_earlier(deadline_ms, clock_in_ms(SEALED_LOCK_MS));
    AUTO_FREE char *folder = file_folder(path);

    if (!folder)
        return err_nomem(err);
    AUTO_FD lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0)
        return err_errno(err, ERR_FILE, "open '%s', the folder of the sealed store", folder);
    while (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_errno(err, ERR_FILE, "lock '%s', the folder of the sealed store", folder);
        if (!backoff_wait(&backoff, 0, until)) {
            err_set(err, ERR_FILE, "'%s' is being changed by somebody else", path);
            return err_hint(err, "'fuser %s' may say by whom.", folder);
        }
    }
    *fd = TAKE_FD(lock);
    return 0;
}
