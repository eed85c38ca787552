// SPDX-License-Identifier: MIT
/*
 * hilera-exec: becomes a program, after changing what posix_spawn can't change in a child.
 *
 *     hilera-exec [umask=022] [limit=NAME:NUMBER]... [groups=1,2] [user=UID:GID] [no_new_privs]
 *                 -- PROGRAM [ARGUMENT]...
 *
 * The daemon runs it in front of a job's program, and only for pools that ask for one of these. It
 * is linked statically and does next to nothing, so that it costs little beside the program.
 *
 * Descriptor 3 is the daemon's ear. What goes wrong here is written to it, as struct exec_fault,
 * and so can't be taken for an exit status of the program; when the program begins, the descriptor
 * closes without a word.
 *
 * Order: the mask and the limits first, since root may raise them; then groups before user, for
 * afterwards it isn't allowed any more; no_new_privs last. A new thing to set is one more row of
 * `settings`.
 */
#include "worker/exec_fault_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUPS_MAX 1024
#define STATUS_USAGE 64 /* EX_USAGE: not started by the daemon */

static const struct {
    const char *name;
    int resource;
} limits[] = {
#define LIMIT(name, which) {#name, RLIMIT_##which},
#include "worker/limits.def"
#undef LIMIT
};

/* A number up to the end of the text or to `end`, which then is skipped. */
static bool number_read(const char **text, int base, char end, unsigned long long *number)
{
    char *stop;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *number = strtoull(*text, &stop, base);
    if (errno != 0 || (*stop != '\0' && *stop != end))
        return false;
    *text = *stop == '\0' ? stop : stop + 1;
    return true;
}

static int umask_apply(const char *text)
{
    unsigned long long mask;
    if (!number_read(&text, 8, '\0', &mask) || mask > 0777)
        return EINVAL;
    umask((mode_t)mask);
    return 0;
}

static int limit_apply(const char *text)
{
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        size_t len = strlen(limits[i].name);
        unsigned long long most;
        if (strncmp(text, limits[i].name, len) != 0 || text[len] != ':')
            continue;
        text += len + 1;
        if (!number_read(&text, 10, '\0', &most))
            return EINVAL;
        const struct rlimit limit = {.rlim_cur = (rlim_t)most, .rlim_max = (rlim_t)most};
        return setrlimit((unsigned)limits[i].resource, &limit) == 0 ? 0 : errno;
    }
    return EINVAL;
}

static int groups_apply(const char *text)
{
    static gid_t groups[GROUPS_MAX];
    size_t count = 0;
    while (*text != '\0') {
        unsigned long long group;
        if (count == GROUPS_MAX || !number_read(&text, 10, ',', &group))
            return EINVAL;
        groups[count++] = (gid_t)group;
    }
    return setgroups(count, groups) == 0 ? 0 : errno;
}

/* That the way back is closed is tried out, not assumed. */
static int user_apply(const char *text)
{
    unsigned long long user, group;
    if (!number_read(&text, 10, ':', &user) || !number_read(&text, 10, '\0', &group))
        return EINVAL;
    gid_t gid = (gid_t)group;
    uid_t uid = (uid_t)user;
    if (setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        return errno;
    return uid != 0 && setuid(0) == 0 ? EPERM : 0;
}

static int no_new_privs_apply(const char *text)
{
    if (*text != '\0')
        return EINVAL;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

static const struct {
    const char *name;
    int (*apply)(const char *text);
} settings[] = {
    {"umask=", umask_apply},
    {"limit=", limit_apply},
    {"groups=", groups_apply},
    {"user=", user_apply},
    {"no_new_privs", no_new_privs_apply},
};

static int setting_apply(const char *text)
{
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        size_t len = strlen(settings[i].name);
        if (strncmp(text, settings[i].name, len) == 0)
            return settings[i].apply(text + len);
    }
    return EINVAL;
}

/* Tells the daemon, who knows from it that the program never ran; the status is nobody's. */
_Noreturn static void fail(int error, const char *doing)
{
    struct exec_fault fault = {.error = error};
    snprintf(fault.doing, sizeof(fault.doing), "%s", doing);
    /* At once: the daemon kills it as soon as it has read that, and what a sanitizer would start
     * for its last look would be left over. */
    _exit(write(EXEC_FAULT_FD, &fault, sizeof(fault)) == (ssize_t)sizeof(fault) ? 126 : 125);
}

int main(int argc, char **argv)
{
    int program = 1;
    while (program < argc && strcmp(argv[program], "--") != 0)
        program++;
    if (program + 1 >= argc || fcntl(EXEC_FAULT_FD, F_SETFD, FD_CLOEXEC) != 0) {
        static const char usage[] = "hilera-exec is run by hilerad, not by hand\n";
        return write(STDERR_FILENO, usage, sizeof(usage) - 1) > 0 ? STATUS_USAGE : STATUS_USAGE + 1;
    }
    for (int i = 1; i < program; i++) {
        int rc = setting_apply(argv[i]);
        if (rc != 0)
            fail(rc, argv[i]);
    }
    execvp(argv[program + 1], argv + program + 1);
    fail(errno, "");
}
