/* tests/lib/owner.h: who a file's owner and its group are, whatever this machine says.
 *
 * For one test program: it defines getpwuid_r and getgrgid_r in front of libc's. Every user is called
 * ada, and so is every group. */
#ifndef TESTS_LIB_OWNER_H
#define TESTS_LIB_OWNER_H

#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#define OWNER_NAME "ada"

/* Of every group, NULL-terminated: none is listed, which is how a user's own group is. */
static const char *owner_members[3];

/* Whether the owner's own group is another one than ours. */
static bool owner_is_elsewhere;

int getpwuid_r(uid_t uid, struct passwd *out, char *bytes, size_t room, struct passwd **found)
{
    (void)bytes;
    (void)room;
    static char name[] = OWNER_NAME;
    *out = (struct passwd){
        .pw_name = name, .pw_uid = uid, .pw_gid = getegid() + (owner_is_elsewhere ? 1 : 0)};
    *found = out;
    return 0;
}

int getgrgid_r(gid_t gid, struct group *out, char *bytes, size_t room, struct group **found)
{
    (void)bytes;
    (void)room;
    static char name[] = OWNER_NAME;
    *out = (struct group){
        .gr_name = name, .gr_gid = gid, .gr_mem = (char **)(uintptr_t)owner_members};
    *found = out;
    return 0;
}

/* NULL: there is none of that place. */
static inline void owner_set_members(const char *first, const char *second)
{
    owner_members[0] = first;
    owner_members[1] = second;
}

#endif
