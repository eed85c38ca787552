// SPDX-License-Identifier: MIT
/*
 * The programs of pools: who starts them, and when they may.
 *
 * The spawner (src/spawn) is forked here, before the daemon has threads or files, with a table made
 * from the configuration; with -u it keeps root's rights when the daemon gives them up. Without a
 * pool that runs programs there is none.
 *
 * After a crash of a daemon its spawner and keepers need a moment to end what ran, and until then
 * none of it may run again. All of them hold a lock on programs.lock in the data directory, which
 * goes with the last of them. Whoever starts meanwhile serves at once, but its pools begin when it
 * has the lock.
 */
#include "daemon/daemon_priv.h"
#include "daemon/datadir_priv.h"
#include "daemon/program_priv.h"
#include "daemon/settings_priv.h"
#include "daemon/user_priv.h"

#include "base/log.h"
#include "base/magic.h"
#include "config/config.h"
#include "journal/journal.h"
#include "spawn/spawn.h"
#include "thr/thr.h"
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PROGRAMS_MAGIC 0xdae40002u

#define LOCK_FILE "programs.lock" /* in the data directory */
#define LOCK_LOOK_NS (50 * HL_MILLISECOND)

struct programs {
    unsigned magic;
    const struct user *user;
    struct spawner *spawner;                         /* NULL: no pool runs programs */
    unsigned row;                                    /* of the next pool */
    char socket[CONFIG_PATH_MAX + DATADIR_PATH_MAX]; /* "": the daemon has none */
    int lock_fd;                                     /* -1: nothing is locked */
    bool locked;
    struct daemon *daemon; /* of the waiter */
    hl_event *enough;      /* the waiter ends */
    hl_thread *waiter;     /* NULL: nobody waits */
};

/* ---- the table ---- */

/* Whether the system's service manager started the daemon. */
static bool is_service(void)
{
    return getppid() == 1 && getenv("INVOCATION_ID") != NULL;
}

/* The first Unix socket that the daemon is going to have. */
static void socket_find(const struct config *config, char *path, size_t size)
{
    char here[DATADIR_PATH_MAX];
    path[0] = '\0';
    for (size_t i = 0; i < config->listen.count; i++) {
        struct config_address address;
        const char *why;
        if (config_address_parse(config->listen.item[i], &address, &why) != 0 ||
            address.kind != CONFIG_ADDRESS_UNIX)
            continue;
        if (address.path[0] == '\0')
            (void)place_socket_path(path, size);
        else if (address.path[0] == '/')
            snprintf(path, size, "%s", address.path);
        else if (getcwd(here, sizeof(here)) != NULL)
            snprintf(path, size, "%s/%s", here, address.path);
        return;
    }
}

static void settings_fill(const struct programs *programs, struct handler_settings *settings)
{
    const struct user *user = programs->user;
    settings->user = user->change ? user->name : NULL;
    settings->socket = programs->socket;
    settings->apart = user->change || settings->run_as[0] != '\0' || is_service();
}

static void tell_root(const struct config_pool *pool, const struct handler_settings *settings)
{
    if (geteuid() == 0 && settings->run_as[0] == '\0' && settings->user == NULL)
        log_notice("pool \"%s\" runs its programs as root; run_as = \"USER\" for the pool, or -u "
                   "USER for all, is safer",
                   pool->name);
}

static int table_make(const struct programs *programs, const struct config *config,
                      struct worker_programs *table)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < config->pool_count; i++) {
        const struct config_pool *pool = &config->pool[i];
        const struct handler *handler = handler_find(pool->handler);
        struct worker_pool_settings settings;
        char why[512] = "";
        if (!handler->programs)
            continue;
        settings_of_pool(pool, &settings);
        settings_fill(programs, &settings.handler_settings);
        rc = worker_programs_add(table, handler, &settings.handler_settings, why, sizeof(why));
        if (rc == 0)
            tell_root(pool, &settings.handler_settings);
        else
            log_error("pool \"%s\": %s", pool->name, why[0] != '\0' ? why : strerrordesc_np(rc));
    }
    return rc;
}

int programs_start(struct programs **out, const struct config *config, const struct user *user)
{
    struct worker_programs *table = NULL;
    struct programs *programs = calloc(1, sizeof(*programs));
    int rc = programs != NULL ? worker_programs_new(&table, config->pool_count) : ENOMEM;
    size_t count = 0;
    if (rc == 0) {
        MAGIC_INIT(programs, PROGRAMS_MAGIC);
        programs->user = user;
        programs->lock_fd = -1;
        socket_find(config, programs->socket, sizeof(programs->socket));
        rc = table_make(programs, config, table);
        kin_warn(user, config);
    }
    if (rc == 0) {
        const struct spawn_program *rows = worker_programs_table(table, &count);
        rc = count > 0 ? spawner_start(&programs->spawner, rows, count) : 0;
        if (rc != 0)
            log_error("the process that starts programs: %s", strerrordesc_np(rc));
    } else
        log_error("programs: %s", strerrordesc_np(rc));
    worker_programs_free(&table);
    if (rc == 0)
        *out = programs;
    else
        free(programs);
    return rc;
}

void programs_settle(struct programs *programs, struct worker_pool_settings *settings)
{
    MAGIC_CHECK(programs, PROGRAMS_MAGIC);
    if (!handler_find(settings->handler)->programs)
        return;
    settings_fill(programs, &settings->handler_settings);
    settings->handler_settings.spawner = programs->spawner;
    settings->handler_settings.row = programs->row++;
}

/* ---- the lock ---- */

/* In the directory that was looked at, whatever has its name by now. */
static int lock_open(struct programs *programs, int directory)
{
    struct journal_error error = {""};
    int rc = user_assume(programs->user, &error);
    if (rc != 0) {
        log_error(LOCK_FILE ": %s", error.text);
        return rc;
    }
    programs->lock_fd =
        openat(directory, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    rc = programs->lock_fd < 0 ? errno : 0;
    user_resume(programs->user);
    if (rc != 0)
        log_error("data directory: " LOCK_FILE " can't be opened: %s", strerrordesc_np(rc));
    return rc;
}

static bool lock_try(struct programs *programs)
{
    if (flock(programs->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return false;
    programs->locked = true;
    return true;
}

int programs_lock(struct programs *programs, int directory)
{
    MAGIC_CHECK(programs, PROGRAMS_MAGIC);
    if (programs->spawner == NULL || directory < 0)
        return 0;
    int rc = lock_open(programs, directory);
    if (rc == 0)
        rc = spawner_hold(programs->spawner, programs->lock_fd);
    if (rc != 0)
        return rc;
    (void)lock_try(programs);
    return 0;
}

/* ---- pools begin ---- */

static int pools_start(const struct daemon *daemon, bool with_programs)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < daemon->pool_count; i++) {
        if (worker_pool_has_programs(daemon->pool[i]) != with_programs)
            continue;
        worker_pool_hold(daemon->pool[i], NULL);
        rc = worker_pool_start(daemon->pool[i]);
        if (rc != 0)
            log_error("pool %s: %s", worker_pool_name(daemon->pool[i]), strerrordesc_np(rc));
    }
    return rc;
}

static void waiter_run(void *arg)
{
    struct programs *programs = arg;
    while (!lock_try(programs))
        if (hl_event_wait(programs->enough, LOCK_LOOK_NS) == 0)
            return;
    log_notice("the programs of the daemon before have ended; pools begin");
    (void)pools_start(programs->daemon, true);
}

static int waiter_start(struct programs *programs)
{
    const struct hl_thread_options options = {
        .target = waiter_run, .arg = programs, .name = "programs", .daemon = HL_DAEMON_NO};
    int rc = hl_event_new(&programs->enough, "programs");
    if (rc == 0)
        rc = hl_thread_new(&programs->waiter, &options);
    if (rc == 0)
        rc = hl_thread_start(programs->waiter);
    if (rc != 0)
        hl_thread_free(&programs->waiter);
    return rc;
}

int programs_run(struct programs *programs, struct daemon *daemon)
{
    MAGIC_CHECK(programs, PROGRAMS_MAGIC);
    programs->daemon = daemon;
    int rc = pools_start(daemon, false);
    if (rc != 0)
        return rc;
    if (programs->lock_fd < 0 || programs->locked)
        return pools_start(daemon, true);
    log_notice("programs of the daemon before are still being ended; pools wait for that");
    for (size_t i = 0; i < daemon->pool_count; i++)
        if (worker_pool_has_programs(daemon->pool[i]))
            worker_pool_hold(daemon->pool[i], "programs of the daemon before are being ended");
    return waiter_start(programs);
}

void programs_wait_no_more(struct programs *programs)
{
    if (programs == NULL || programs->waiter == NULL)
        return;
    hl_event_set(programs->enough);
    (void)hl_thread_join(programs->waiter, HL_FOREVER);
    hl_thread_free(&programs->waiter);
}

void programs_end(struct programs **programs)
{
    if (*programs == NULL)
        return;
    struct programs *mine;
    MAGIC_TAKE(mine, programs, PROGRAMS_MAGIC);
    programs_wait_no_more(mine);
    pid_t left = spawner_end(&mine->spawner);
    if (left != 0)
        log_warning("pid %d, which a job has left behind, can't be killed (%s) and is not waited "
                    "for; until it has ended, a daemon that is started with this data directory "
                    "waits with its programs",
                    (int)left, strerrordesc_np(EPERM));
    if (mine->lock_fd >= 0)
        close(mine->lock_fd);
    hl_event_free(&mine->enough);
    MAGIC_WIPE(mine);
    free(mine);
}
