// SPDX-License-Identifier: MIT
/*
 * hilerad: from the command line to the end.
 *
 * main puts the process in order, loads the configuration, starts the daemon, waits for signals and
 * stops it; or does one task (task.c) and ends. Exit status: 0 after a stop that was asked for, 1
 * when it could not start or had to stop, 64 for a wrong command line; of a task: its own.
 */
#include "daemon/access_priv.h"
#include "daemon/daemon_priv.h"
#include "daemon/options_priv.h"
#include "daemon/process_priv.h"
#include "daemon/settings_priv.h"
#include "daemon/user_priv.h"

#include "base/log.h"
#include "config/config.h"
#include "thr/thr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where root's configuration is; configure decides. */
#define SYSTEM_FILE HILERA_SYSCONFDIR "/hilera/hilerad.conf"

static void mistake_print(const char *text)
{
    line_print(stderr, "hilerad: %s", text);
}

static int fail(int rc, const char *what)
{
    fprintf(stderr, "hilerad: %s: %s\n", what, strerrordesc_np(rc));
    return rc;
}

/* A daemon that is started with nothing said serves `hilera run`. Not one that is told where to
 * listen: it may stand in for a beanstalkd, which has no tubes that nobody asked for. */
static const char personal[] = "pool run { tubes = {run} handler = command workers = 2 }\n";

/* Whoever only asks what is wrong hears of all of it. */
static bool checks_names(const struct options *options)
{
    return options->task != NULL && options->task->key == KEY_TASK_CHECK_CONFIG;
}

/* Loads it, with every mistake printed. Any errno. */
static int configuration_load(struct config **out, const struct options *options,
                              const struct user *user)
{
    char *found = NULL;
    int rc = 0;
    if (options->config_file == NULL)
        rc = config_find_file(&found, SYSTEM_FILE, geteuid() == 0);
    if (rc != 0) {
        rc = fail(rc, found != NULL ? found : "looking for the configuration");
        free(found);
        return rc;
    }
    struct config_errors errors;
    config_errors_init(&errors);
    const struct config_options load = {
        .file = options->config_file != NULL ? options->config_file : found,
        .text = options->listen_count == 0 ? personal : NULL,
        .override = options->override,
        .override_count = options->override_count,
        .verbosity = options->verbosity,
        .listen = access_is_personal() ? "unix" : NULL,
        .check = checks_names(options) ? settings_check_names : settings_check};
    rc = config_load(out, &load, &errors);
    config_errors_each(&errors, mistake_print);
    if (rc != 0 && errors.count == 0)
        fail(rc, "loading the configuration");
    config_errors_fini(&errors);
    free(found);
    return rc == 0 ? user_check(user, *out) : rc;
}

/* A report of the lock order check (hl_lock_set_report): lines for the log. Where the program is to
 * stop at one (the tests), it must have left before. */
static void lock_reported(const char *text, void *arg)
{
    const bool *last = arg;
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        log_error("%.*s", (int)len, text);
        text += len + (text[len] == '\n');
    }
    if (*last)
        log_flush(HL_SECOND);
}

/* Whether what is written to stderr arrives in systemd's journal: $JOURNAL_STREAM names the device
 * and inode it had when the service was started, and is inherited by much that writes elsewhere
 * (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    char here[64];
    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
        return false;
    snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, here) == 0;
}

static void log_prepare(const struct config *config)
{
    log_set_level((enum log_level)config->log_level);
    if (stderr_is_journal())
        log_set_format(LOG_FORMAT_SYSTEMD);
    static bool last;
    const char *policy = getenv("HILERA_LOCK_ORDER");
    last = policy != NULL && strcmp(policy, "abort") == 0;
    hl_lock_set_report(lock_reported, &last);
}

/* What is told when all of it runs, and nothing that could fail is left. */
static void ready_say(struct daemon *daemon, void *arg)
{
    const struct options *options = arg;
    options_log(options);
    access_log(daemon->config);
    process_descriptors_suffice(SETTINGS_DESCRIPTORS_PROGRAM,
                                settings_descriptors_programs(daemon->config));
    const char *file = daemon->config->file;
    if (daemon->datadir == NULL)
        log_notice("nothing is kept over a restart: jobs and results are in memory only, as %s",
                   options->memory ? "--memory asks" : "data_dir = none asks");
    log_notice("hilerad %s is ready; pools: %zu, configuration: %s", hl_version(),
               daemon->pool_count, file != NULL ? file : "built in");
    notify_send("READY=1", NOTIFY_PATIENCE_MS);
    if (options->ready_fd >= 0)
        notify_ready_fd(options->ready_fd, daemon->net);
}

/* From loaded configuration to clean end, with the log's thread. Returns main's status. */
static int serve_logged(const struct config *config, struct options *options,
                        const struct user *user, struct programs *programs)
{
    struct daemon *daemon = NULL;
    if (daemon_start(&daemon, config, user, programs) != 0)
        return 1;
    int served = signals_serve(daemon, ready_say, options);
    int kept = daemon_free(&daemon);
    log_notice("hilerad has stopped");
    return served == 0 && kept == 0 ? 0 : 1;
}

static int serve(const struct config *config, struct options *options, const struct user *user)
{
    struct programs *programs = NULL;
    process_signals();
    notify_init();
    log_prepare(config);
    if (programs_start(&programs, config, user) != 0)
        return 1;
    process_descriptors(settings_descriptors(config));
    int rc = ending_watch();
    if (rc == 0)
        rc = log_thread_start();
    if (rc != 0)
        log_error("the log: %s", strerrordesc_np(rc));
    int status = rc == 0 ? serve_logged(config, options, user, programs) : 1;
    programs_end(&programs);
    log_thread_stop();
    ending_expected();
    return status;
}

/* A task, with the configuration if it wants that. Returns main's status. */
static int task_do(const struct options *options, const struct user *user)
{
    const struct task *task = options->task;
    struct config *config = NULL;
    if (task->configured && configuration_load(&config, options, user) != 0) {
        config_free(&config);
        return task->unconfigured;
    }
    const struct task_order order = {
        .config = config, .user = user, .argument = options->task_argument};
    int status = task->run(&order);
    config_free(&config);
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    struct config *config = NULL;
    memory_prepare();
    int rc = process_stdio();
    if (rc == 0)
        rc = options_parse(&options, argc, argv);
    if (rc == 0)
        rc = process_close(options.ready_fd);
    if (rc != 0)
        return fail(rc, "start") != 0;
    int status = 1;
    struct user user;
    if (user_find(&user, options.user) != 0)
        status = 1;
    else if (options.task != NULL)
        status = task_do(&options, &user);
    else if (configuration_load(&config, &options, &user) == 0)
        status = serve(config, &options, &user);
    config_free(&config);
    options_fini(&options);
    return status;
}
