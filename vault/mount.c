/* mount.c: which mount a path lies in: what the contract says, and what was found out. */
#include "vault/internal.h"

#include <string.h>

#include "base/mem.h"

bool mount_find(const struct vault *v, const char *path, size_t *length, unsigned *version)
{
    const struct vault_config *config = &v->config;
    bool found = false;

    *length = 0;
    for (size_t i = 0; i < config->kv_mount_count; i++) {
        size_t its_length = strlen(config->kv_mounts[i].mount);
        if (its_length >= *length && path_is_below(path, config->kv_mounts[i].mount, its_length)) {
            *length = its_length;
            *version = config->kv_mounts[i].version;
            found = true;
        }
    }
    for (size_t i = 0; i < v->mount_count; i++) {
        size_t its_length = strlen(v->mounts[i].path);
        if (its_length > *length && path_is_below(path, v->mounts[i].path, its_length)) {
            *length = its_length;
            *version = v->mounts[i].version;
            found = true;
        }
    }
    return found;
}

int mount_remember(struct vault *v, const char *path, size_t length, unsigned version)
{
    while (length > 0 && path[length - 1] == '/')
        length--;
    for (size_t i = 0; i < v->mount_count; i++)
        if (strlen(v->mounts[i].path) == length && memcmp(v->mounts[i].path, path, length) == 0)
            return 0;
    if (mem_grow(&v->mounts, v->mount_count, &v->mount_capacity, sizeof(*v->mounts)) != 0)
        return -1;
    char *copy = mem_dup_n(path, length);
    if (!copy)
        return -1;
    v->mounts[v->mount_count++] = (struct known_mount){copy, version};
    return 0;
}
