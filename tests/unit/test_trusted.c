// SPDX-License-Identifier: MIT
/*
 * Ways that are to be trusted, and all that makes one not. What belongs to others is made by root
 * alone, so most of it is left out elsewhere, which is said. A race has another process that makes
 * and removes what the name leads to, as that user, while it is opened or made 2000 times.
 */
#include "base/trusted.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ME 61001 /* nobody has these on a system as it comes */
#define STRANGER 61002

static char base[PATH_MAX / 4];
static struct trusted_error error;

static char *in(const char *name)
{
    static char paths[8][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, PATH_MAX, "%s/%s", base, name);
    return path;
}

static void setup(void)
{
    const char *where = getenv("TMPDIR");
    snprintf(base, sizeof(base), "%s/trusted.XXXXXX", where != NULL ? where : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(base));
    ck_assert_int_eq(chmod(base, 0755), 0);
    umask(022);
}

static void teardown(void)
{
    char command[PATH_MAX];
    ck_assert_int_eq(chdir("/"), 0); /* one test goes into it, and tests may share a process */
    snprintf(command, sizeof(command), "rm -rf '%s'", base);
    ck_assert_int_eq(system(command), 0); // NOLINT(concurrency-mt-unsafe): one thread
}

static void file_make(const char *name, mode_t mode)
{
    int fd = open(in(name), O_WRONLY | O_CREAT | O_EXCL, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

static void directory_make(const char *name, mode_t mode)
{
    ck_assert_int_eq(mkdir(in(name), 0700), 0);
    ck_assert_int_eq(chmod(in(name), mode), 0);
}

static void give(const char *name, uid_t uid)
{
    ck_assert_int_eq(lchown(in(name), uid, uid), 0);
}

static int look(const char *name, enum trusted_kind kind, uid_t us)
{
    int fd, rc = trusted_open(in(name), kind, us, &fd, &error);
    if (rc == 0) {
        ck_assert_str_eq(error.text, "");
        ck_assert_int_eq(close(fd), 0);
    } else {
        ck_assert_int_eq(fd, -1);
        ck_assert_ptr_nonnull(strstr(error.text, in(name)));
    }
    return rc;
}

static void refused(const char *name, enum trusted_kind kind, uid_t us, const char *why)
{
    ck_assert_int_eq(look(name, kind, us), EACCES);
    ck_assert_msg(strstr(error.text, why) != NULL, "\"%s\" lacks \"%s\"", error.text, why);
}

/* ---- our own ---- */

START_TEST(ours_is_opened)
{
    uid_t us = geteuid();
    directory_make("d", 0755);
    file_make("d/f", 0644);
    ck_assert_int_eq(look("d/f", TRUSTED_CONFIGURATION, us), 0);
    ck_assert_int_eq(look("d/f", TRUSTED_PLUGIN, us), 0);
    ck_assert_int_eq(look("d/f", TRUSTED_PROGRAM, us), 0);
    ck_assert_int_eq(look("d", TRUSTED_STATE, us), 0);
    ck_assert_int_eq(look("d/", TRUSTED_STATE, us), 0);
    ck_assert_int_eq(look("d/../d/./f", TRUSTED_CONFIGURATION, us), 0);
    ck_assert_int_eq(chdir(in("d")), 0);
    int fd;
    ck_assert_int_eq(trusted_open("f", TRUSTED_CONFIGURATION, us, &fd, &error), 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    ck_assert_int_eq(trusted_open("../d/f", TRUSTED_CONFIGURATION, us, &fd, &error), 0);
    close(fd);
}
END_TEST

START_TEST(kinds_are_told_apart)
{
    uid_t us = geteuid();
    directory_make("d", 0755);
    file_make("f", 0644);
    ck_assert_int_eq(mkfifo(in("fifo"), 0600), 0);
    ck_assert_int_eq(look("d", TRUSTED_CONFIGURATION, us), EISDIR);
    ck_assert_int_eq(look("f", TRUSTED_STATE, us), ENOTDIR);
    ck_assert_int_eq(look("f/x", TRUSTED_CONFIGURATION, us), ENOTDIR);
    ck_assert_int_eq(look("fifo", TRUSTED_CONFIGURATION, us), EINVAL); /* and doesn't wait */
    ck_assert_int_eq(look("fifo", TRUSTED_STATE, us), EINVAL);
    ck_assert_int_eq(look("none", TRUSTED_CONFIGURATION, us), ENOENT);
    ck_assert_int_eq(look("none/x", TRUSTED_STATE, us), ENOENT);
    int fd;
    ck_assert_int_eq(trusted_open("/dev/null", TRUSTED_CONFIGURATION, us, &fd, &error), EINVAL);
    ck_assert_int_eq(trusted_open("", TRUSTED_CONFIGURATION, us, &fd, &error), ENOENT);
}
END_TEST

START_TEST(long_and_endless_ways_end)
{
    char path[3 * PATH_MAX];
    int fd;
    ck_assert_int_eq(chdir("/"), 0); /* on the way to the build folder there may be anything */
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    ck_assert_int_eq(trusted_open(path, TRUSTED_STATE, geteuid(), &fd, &error), ENAMETOOLONG);
    path[300] = '\0';
    ck_assert_int_eq(trusted_open(path, TRUSTED_STATE, geteuid(), &fd, &error), ENAMETOOLONG);
    ck_assert_int_eq(symlink("two", in("one")), 0);
    ck_assert_int_eq(symlink("one", in("two")), 0);
    ck_assert_int_eq(look("one", TRUSTED_CONFIGURATION, geteuid()), ELOOP);
    for (size_t i = 0; i < sizeof(path) - 1; i += 2)
        memcpy(path + i, "./", 2);
    path[PATH_MAX - 1] = '\0';
    ck_assert_int_eq(symlink(path, in("long")), 0);
    ck_assert_int_eq(look("long/one", TRUSTED_CONFIGURATION, geteuid()), ENAMETOOLONG);
}
END_TEST

START_TEST(links_of_ours_are_followed)
{
    uid_t us = geteuid();
    directory_make("d", 0755);
    directory_make("d/e", 0755);
    file_make("d/e/f", 0644);
    ck_assert_int_eq(symlink("d/e", in("near")), 0);
    ck_assert_int_eq(symlink(in("d/e"), in("far")), 0);
    ck_assert_int_eq(symlink("../e/f", in("d/e/up")), 0);
    ck_assert_int_eq(look("near/f", TRUSTED_CONFIGURATION, us), 0);
    ck_assert_int_eq(look("far/f", TRUSTED_CONFIGURATION, us), 0);
    ck_assert_int_eq(look("far/up", TRUSTED_CONFIGURATION, us), 0);
    ck_assert_int_eq(look("far", TRUSTED_STATE, us), 0);
}
END_TEST

START_TEST(others_may_not_write)
{
    uid_t us = geteuid();
    directory_make("open", 0777);
    directory_make("open/d", 0755);
    file_make("open/f", 0644);
    refused("open/f", TRUSTED_CONFIGURATION, us, "open; take that right away (chmod go-w");
    refused("open/d", TRUSTED_STATE, us, "everybody may write");
    refused("open", TRUSTED_STATE, us, "everybody may write");
    ck_assert_int_eq(chmod(in("open"), 01777), 0); /* nobody can take away what is ours there */
    ck_assert_int_eq(look("open/f", TRUSTED_CONFIGURATION, us), 0);
    ck_assert_int_eq(look("open", TRUSTED_RUNTIME, us), 0);
    refused("open", TRUSTED_STATE, us, "everybody may write");
    ck_assert_int_eq(chmod(in("open/f"), 0666), 0);
    refused("open/f", TRUSTED_CONFIGURATION, us, "everybody may write");
    refused("open/f", TRUSTED_PLUGIN, us, "everybody may write");
}
END_TEST

START_TEST(procfs_is_no_way)
{
    char path[64];
    int fd, file;
    file_make("f", 0644);
    file = open(in("f"), O_RDONLY);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    ck_assert_int_eq(trusted_open(path, TRUSTED_CONFIGURATION, geteuid(), &fd, &error), EACCES);
    ck_assert_ptr_nonnull(strstr(error.text, "procfs"));
    ck_assert_int_eq(symlink(path, in("link")), 0);
    refused("link", TRUSTED_CONFIGURATION, geteuid(), "procfs");
}
END_TEST

START_TEST(what_is_missing_is_made)
{
    const struct trusted_owner me = {.uid = geteuid(), .gid = getegid()};
    struct stat status;
    int fd;
    umask(0);
    ck_assert_int_eq(trusted_make(in("a/b/c"), TRUSTED_STATE, &me, &fd, &error), 0);
    ck_assert_int_eq(fstat(fd, &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0700);
    close(fd);
    ck_assert_int_eq(stat(in("a"), &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0700);
    ck_assert_int_eq(trusted_make(in("a/b/c"), TRUSTED_STATE, &me, &fd, &error), 0);
    close(fd);
    file_make("f", 0600);
    ck_assert_int_eq(trusted_make(in("f"), TRUSTED_STATE, &me, &fd, &error), ENOTDIR);
    ck_assert_int_eq(trusted_make(in("f/x"), TRUSTED_STATE, &me, &fd, &error), ENOTDIR);
    ck_assert_int_eq(symlink("nowhere", in("l")), 0);
    ck_assert_int_eq(trusted_make(in("l"), TRUSTED_STATE, &me, &fd, &error), 0);
    close(fd);
    ck_assert_int_eq(lstat(in("nowhere"), &status), 0);
}
END_TEST

/* ---- of others ---- */

START_TEST(strangers_are_refused)
{
    UNIT_NEEDS_ROOT("files of other users");
    directory_make("theirs", 0755);
    directory_make("theirs/d", 0755);
    file_make("theirs/f", 0644);
    file_make("f", 0644);
    give("theirs", STRANGER);
    give("f", STRANGER);
    refused("theirs/f", TRUSTED_CONFIGURATION, 0, "theirs belongs to uid 61002");
    refused("theirs/d", TRUSTED_STATE, 0, "theirs belongs to uid 61002");
    refused("theirs", TRUSTED_STATE, 0, "theirs belongs to uid 61002");
    refused("theirs", TRUSTED_RUNTIME, 0, "theirs belongs to uid 61002");
    refused("f", TRUSTED_CONFIGURATION, 0, "must belong to root (uid 0)");
    refused("f", TRUSTED_CONFIGURATION, ME, "must belong to root or uid 61001");
    ck_assert_int_eq(look("f", TRUSTED_CONFIGURATION, STRANGER), 0);
    ck_assert_int_eq(look("theirs", TRUSTED_STATE, STRANGER), 0);
    give("theirs", 0);
    refused("theirs", TRUSTED_STATE, ME, "belongs to root (uid 0), and hilerad works on it as");
    give("f", ME);
    ck_assert_int_eq(look("f", TRUSTED_CONFIGURATION, ME), 0);
    refused("f", TRUSTED_PROGRAM, 0, "must belong to root");
}
END_TEST

START_TEST(links_of_strangers_are_not_followed)
{
    UNIT_NEEDS_ROOT("files of other users");
    directory_make("sticky", 01777);
    file_make("f", 0644);
    ck_assert_int_eq(symlink("../f", in("sticky/l")), 0);
    ck_assert_int_eq(look("sticky/l", TRUSTED_CONFIGURATION, 0), 0);
    give("sticky/l", STRANGER);
    refused("sticky/l", TRUSTED_CONFIGURATION, 0, "belongs to uid 61002");
    refused("sticky/l", TRUSTED_CONFIGURATION, ME, "belongs to uid 61002");
    directory_make("sticky/d", 0755);
    give("sticky/d", STRANGER);
    file_make("sticky/d/f", 0644);
    refused("sticky/d/f", TRUSTED_CONFIGURATION, 0, "belongs to uid 61002");
}
END_TEST

START_TEST(root_for_another_keeps_to_one_owner)
{
    UNIT_NEEDS_ROOT("files of other users");
    directory_make("mine", 0755);
    directory_make("mine/roots", 0755);
    directory_make("mine/roots/d", 0700);
    give("mine", ME);
    give("mine/roots/d", ME);
    refused("mine/roots/d", TRUSTED_STATE, ME, "in a directory that isn't");
    give("mine/roots", ME);
    ck_assert_int_eq(look("mine/roots/d", TRUSTED_STATE, ME), 0);
}
END_TEST

START_TEST(a_group_is_somebody_else)
{
    UNIT_NEEDS_ROOT("files of other users");
    file_make("f", 0664);
    ck_assert_int_eq(look("f", TRUSTED_CONFIGURATION, 0), 0); /* root's own group */
    ck_assert_int_eq(chown(in("f"), 0, 61003), 0);
    ck_assert_int_eq(chmod(in("f"), 0664), 0);
    refused("f", TRUSTED_CONFIGURATION, 0, "a group may write");
    directory_make("d", 0775);
    ck_assert_int_eq(chown(in("d"), 0, 61003), 0);
    file_make("d/f", 0644);
    refused("d/f", TRUSTED_CONFIGURATION, 0, "a group may write");
    ck_assert_int_eq(chmod(in("d"), 02775), 0);
    refused("d/f", TRUSTED_PLUGIN, 0, "a group may write");
}
END_TEST

START_TEST(a_directory_is_given)
{
    const struct trusted_owner me = {.uid = ME, .gid = ME, .give = true};
    struct stat status;
    int fd;
    UNIT_NEEDS_ROOT("files of other users");
    umask(077);
    ck_assert_int_eq(trusted_make(in("a/b"), TRUSTED_STATE, &me, &fd, &error), 0);
    close(fd);
    ck_assert_int_eq(stat(in("a"), &status), 0);
    ck_assert(status.st_uid == 0 && (status.st_mode & 07777) == 0755);
    ck_assert_int_eq(stat(in("a/b"), &status), 0);
    ck_assert(status.st_uid == ME && status.st_gid == ME && (status.st_mode & 07777) == 0700);
    ck_assert_int_eq(trusted_make(in("a/b/c"), TRUSTED_STATE, &me, &fd, &error), EACCES);
    ck_assert_ptr_nonnull(strstr(error.text, "below a directory that isn't root's"));
    directory_make("theirs", 0755);
    give("theirs", STRANGER);
    ck_assert_int_eq(trusted_make(in("theirs/d"), TRUSTED_STATE, &me, &fd, &error), EACCES);
    ck_assert_int_ne(stat(in("theirs/d"), &status), 0);
}
END_TEST

/* Makes, links and removes the name as a stranger, until it is killed. */
static pid_t racer_start(const char *name, const char *victim)
{
    pid_t parent = getpid(), child = fork();
    ck_assert_int_ge(child, 0);
    if (child > 0)
        return child;
    char *path = in(name), *aside = in("aside");
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (setgroups(0, NULL) != 0 || setgid(STRANGER) != 0 || setuid(STRANGER) != 0 ||
        getppid() != parent)
        _exit(1);
    for (unsigned failed = 0;; failed++) /* most of it does fail */
        failed += (symlink(victim, path) != 0) + (rename(path, aside) != 0) +
                  (mkdir(path, 0755) != 0) + (rmdir(path) != 0) + (unlink(path) != 0);
}

static void race(const char *directory, mode_t mode)
{
    const struct trusted_owner me = {.uid = ME, .gid = ME, .give = true};
    char name[64];
    struct stat before, status;
    int made = 0;
    directory_make(directory, mode);
    if ((mode & S_ISVTX) == 0)
        give(directory, STRANGER);
    snprintf(name, sizeof(name), "%s/d", directory);
    directory_make("victim", 0711);
    ck_assert_int_eq(stat(in("victim"), &before), 0);
    pid_t racer = racer_start(name, in("victim"));
    for (int i = 0; i < 2000; i++) {
        int fd, rc = trusted_make(in(name), TRUSTED_STATE, &me, &fd, &error);
        ck_assert_int_eq(stat(in("victim"), &status), 0);
        ck_assert(status.st_uid == 0 && status.st_mode == before.st_mode);
        if (rc != 0)
            continue;
        made++;
        ck_assert_int_eq(fstat(fd, &status), 0);
        ck_assert(status.st_uid == ME && status.st_ino != before.st_ino);
        close(fd);
        ck_assert_int_eq(rmdir(in(name)), 0);
    }
    ck_assert_int_eq(kill(racer, SIGKILL), 0);
    ck_assert_int_eq(waitpid(racer, NULL, 0), racer);
    if ((mode & S_ISVTX) == 0)
        ck_assert_int_eq(made, 0);
    printf("# race below mode %o: made %d times of 2000\n", mode, made);
}

START_TEST(a_racer_gets_nothing)
{
    UNIT_NEEDS_ROOT("files of other users");
    race("sticky", 01777);
    ck_assert_int_eq(rmdir(in("victim")), 0);
    race("theirs", 0755);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trusted");
    TCase *all = tcase_create("trusted");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, ours_is_opened);
    tcase_add_test(all, kinds_are_told_apart);
    tcase_add_test(all, long_and_endless_ways_end);
    tcase_add_test(all, links_of_ours_are_followed);
    tcase_add_test(all, others_may_not_write);
    tcase_add_test(all, procfs_is_no_way);
    tcase_add_test(all, what_is_missing_is_made);
    tcase_add_test(all, strangers_are_refused);
    tcase_add_test(all, links_of_strangers_are_not_followed);
    tcase_add_test(all, root_for_another_keeps_to_one_owner);
    tcase_add_test(all, a_group_is_somebody_else);
    tcase_add_test(all, a_directory_is_given);
    tcase_add_test(all, a_racer_gets_nothing);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
