// SPDX-License-Identifier: MIT
/*
 * The configuration, put into each module's own settings, and checked where only a module knows
 * what is good: names of tubes, handlers, what a handler needs.
 *
 * The checks run while the file is loaded, so that their messages carry the line and stand among
 * those of the parser, and `hilerad --check-config` finds all that a start would.
 */
#include "daemon/access_priv.h"
#include "daemon/program_priv.h"
#include "daemon/settings_priv.h"

#include "base/nearest.h"
#include "broker/broker.h"
#include "config/config.h"
#include "history/history.h"
#include "journal/journal.h"
#include "worker/worker.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define IO_THREADS_CHOSEN_MAX 8 /* more have to be asked for */

/* The line of a parameter, or of the pool's end where it has its default. */
static int line_of(const struct config_pool *pool, enum config_id id)
{
    return pool->line[id] != 0 ? pool->line[id] : pool->end_line;
}

static void tubes_check(const struct config *config, const struct config_pool *pool,
                        struct config_errors *errors)
{
    char why[512];
    if (pool->tubes.count > 0 && worker_tubes_check((const char *const *)pool->tubes.item,
                                                    pool->tubes.count, why, sizeof(why)) != 0)
        config_error(errors, config->file, line_of(pool, CONFIG_POOL_tubes), "pool \"%s\": %s",
                     pool->name, why);
}

static void handler_unknown(const struct config *config, const struct config_pool *pool,
                            struct config_errors *errors)
{
    char names[256] = "";
    struct nearest nearest;
    nearest_init(&nearest, pool->handler);
    const struct handler *handler;
    for (size_t i = 0; (handler = handler_at(i)) != NULL; i++) {
        nearest_offer(&nearest, handler->name);
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, "%s%s", i == 0 ? "" : ", ", handler->name);
    }
    const char *near = nearest_best(&nearest);
    config_error(errors, config->file, line_of(pool, CONFIG_POOL_handler),
                 "pool \"%s\": there is no handler \"%s\"%s%s%s; there are: %s", pool->name,
                 pool->handler, near != NULL ? ", did you mean " : "", near != NULL ? near : "",
                 near != NULL ? "?" : "", names);
}

/* The parameter that a handler's complaint is about. */
static enum config_id handler_needs(const struct config_pool *pool)
{
    return pool->line[CONFIG_POOL_plugin] != 0 ? CONFIG_POOL_plugin : CONFIG_POOL_argv;
}

static void handler_check(const struct config *config, const struct config_pool *pool,
                          struct config_errors *errors)
{
    const struct handler *handler = handler_find(pool->handler);
    if (handler == NULL) {
        handler_unknown(config, pool, errors);
        return;
    }
    struct worker_pool_settings settings;
    char why[512];
    settings_of_pool(pool, &settings);
    int rc = handler->check(&settings.handler_settings, why, sizeof(why));
    /* Whatever the handler does with argv: nothing comes of it if the program is not there. */
    if (rc == 0 && pool->argv.count > 0)
        rc = program_check(pool->argv.item[0], why, sizeof(why));
    if (rc != 0)
        config_error(errors, config->file, line_of(pool, handler_needs(pool)), "pool \"%s\": %s",
                     pool->name, why);
}

/* The names of tubes; and segments, for which two parameters have to agree. */
static void kept_check(const struct config *config, struct config_errors *errors)
{
    for (size_t i = 0; i < config->tube_count; i++) {
        const struct config_tube *tube = &config->tube[i];
        if (job_tube_name_check(tube->name, strlen(tube->name)) != 0)
            config_error(errors, config->file, tube->end_line, "tube \"%s\" can't be; %s",
                         tube->name, job_tube_name_rule());
    }
    if (config->segment_size_max < config->segment_size)
        config_error(errors, config->file != NULL ? config->file : "built-in configuration",
                     config->line[CONFIG_DAEMON_segment_size_max],
                     "segment_size_max is less than segment_size; it must be the same or more");
}

/* Other machines get in by intent only. */
static void listen_check(const struct config *config, struct config_errors *errors)
{
    const char *why;
    for (size_t i = 0; config->insecure == 0 && i < config->listen.count; i++) {
        struct config_address address;
        if (config_address_parse(config->listen.item[i], &address, &why) != 0 ||
            config_address_is_local(&address))
            continue;
        int line = config->line[CONFIG_DAEMON_listen];
        config_error(errors, line != 0 && config->file != NULL ? config->file : "--listen", line,
                     "%s: other machines reach this address, in plain text, and nobody there is "
                     "known by name; if that is meant, say insecure = yes in the configuration, or "
                     "--insecure, and what they may: acl \"network\" { anyone = yes doors = "
                     "{\"network\"} tubes = {\"*\"} may = {\"beanstalk\"} }",
                     config->listen.item[i]);
    }
}

static void all_check(const struct config *config, bool names, struct config_errors *errors)
{
    kept_check(config, errors);
    listen_check(config, errors);
    acl_check(config, names, errors);
    for (size_t i = 0; i < config->pool_count; i++) {
        tubes_check(config, &config->pool[i], errors);
        handler_check(config, &config->pool[i], errors);
    }
}

void settings_check(const struct config *config, struct config_errors *errors)
{
    all_check(config, false, errors);
}

void settings_check_names(const struct config *config, struct config_errors *errors)
{
    all_check(config, true, errors);
}

/* ---- rules ---- */

_Static_assert((int)CONFIG_FIXED == (int)JOB_BACKOFF_FIXED &&
                   (int)CONFIG_EXPONENTIAL == (int)JOB_BACKOFF_EXPONENTIAL,
               "a kind of backoff is a rule as it stands");

/* Of a pool or a tube: those that the section has a line of. */
static struct job_rules rules_read(const void *section, const int *line, enum config_scope scope)
{
    struct job_rules rules = {.set = 0};
    const struct job_rule_row *row;
    for (size_t i = 0; (row = job_rule_at(i)) != NULL; i++) {
        enum config_id id = config_find(scope, row->flat);
        if (id == CONFIG_ID_COUNT || line[id] == 0)
            continue;
        int64_t value;
        memcpy(&value, (const char *)section + config_param(id)->offset, sizeof(value));
        job_rules_say(&rules, row->bit, value);
    }
    return rules;
}

struct job_rules settings_pool_rules(const struct config_pool *pool)
{
    return rules_read(pool, pool->line, CONFIG_SCOPE_POOL);
}

struct job_rules settings_rules(const struct config_tube *tube)
{
    return rules_read(tube, tube->line, CONFIG_SCOPE_TUBE);
}

/* ---- handlers ---- */

static const struct {
    enum handler_limit limit;
    enum config_id id;
} limits[HANDLER_LIMIT_COUNT] = {
    {HANDLER_LIMIT_as, CONFIG_POOL_limit_as},
    {HANDLER_LIMIT_cpu, CONFIG_POOL_limit_cpu},
    {HANDLER_LIMIT_fsize, CONFIG_POOL_limit_fsize},
    {HANDLER_LIMIT_nofile, CONFIG_POOL_limit_nofile},
    {HANDLER_LIMIT_nproc, CONFIG_POOL_limit_nproc},
    {HANDLER_LIMIT_core, CONFIG_POOL_limit_core},
};

/* A limit that isn't in the file isn't set, whatever number its field has. */
static void limits_set(const struct config_pool *pool, struct handler_settings *settings)
{
    for (size_t i = 0; i < HANDLER_LIMIT_COUNT; i++) {
        const char *field = (const char *)pool + config_param(limits[i].id)->offset;
        int64_t most = *(const int64_t *)(const void *)field;
        if (limits[i].limit == HANDLER_LIMIT_cpu)
            most /= HL_SECOND;
        settings->limit[limits[i].limit].set = pool->line[limits[i].id] != 0;
        settings->limit[limits[i].limit].most = (uint64_t)most;
    }
}

static enum handler_choice choice(const struct config_pool *pool, enum config_id id, int64_t value)
{
    return pool->line[id] == 0 ? HANDLER_AUTO : value != 0 ? HANDLER_YES : HANDLER_NO;
}

static enum handler_leftovers leftovers_of(const struct config_pool *pool)
{
    return pool->line[CONFIG_POOL_leftovers] == 0 ? HANDLER_LEFTOVERS_AUTO
           : pool->leftovers == CONFIG_KILL       ? HANDLER_LEFTOVERS_KILL
                                                  : HANDLER_LEFTOVERS_LEAVE;
}

void settings_of_pool(const struct config_pool *pool, struct worker_pool_settings *settings)
{
    *settings = (struct worker_pool_settings){
        .name = pool->name,
        .tubes = (const char *const *)pool->tubes.item,
        .tube_count = pool->tubes.count,
        .workers = (unsigned)pool->workers,
        .handler = pool->handler,
        .rules = settings_pool_rules(pool),
        .handler_settings = {
            .argv = (const char *const *)pool->argv.item,
            .plugin = pool->plugin,
            .arguments = (const char *const *)pool->arguments.item,
            .output_max = (size_t)pool->output_limit,
            .kill_after_ns = pool->kill_after,
            .directory = pool->directory,
            .environment =
                pool->environment.count > 0 ? (const char *const *)pool->environment.item : NULL,
            .run_as = pool->run_as,
            .no_new_privs = choice(pool, CONFIG_POOL_no_new_privs, pool->no_new_privs),
            .leftovers = leftovers_of(pool),
            .umask_set = pool->line[CONFIG_POOL_umask] != 0,
            .umask = (unsigned)pool->umask}};
    limits_set(pool, &settings->handler_settings);
}

enum durability settings_durability(int64_t durability)
{
    return durability == CONFIG_INTERVAL ? DURABILITY_INTERVAL
           : durability == CONFIG_MEMORY ? DURABILITY_MEMORY
                                         : DURABILITY_COMMIT;
}

struct journal_settings settings_of_journal(const struct config *config, const char *directory)
{
    return (struct journal_settings){.directory = directory,
                                     .segment_size = (uint32_t)config->segment_size,
                                     .segment_size_max = (uint32_t)config->segment_size_max};
}

struct broker_options settings_of_broker(const struct config *config)
{
    return (struct broker_options){.body_max = (size_t)config->max_job_size,
                                   .jobs_max = (uint64_t)config->max_jobs,
                                   .bytes_max = (uint64_t)config->max_bytes,
                                   .tube_jobs_max = (uint64_t)config->max_tube_jobs,
                                   .tube_bytes_max = (uint64_t)config->max_tube_bytes,
                                   .put_waits = config->at_limit == CONFIG_WAIT,
                                   .durability = settings_durability(config->durability),
                                   .interval_ns = config->sync_interval,
                                   .held_max = (uint64_t)config->max_held,
                                   .groups_max = (uint64_t)config->max_groups,
                                   .group_keep_ns = config->group_keep};
}

/* Half of the processors: the other half is for those who are served, and for the pools. One has
 * enough to do with the protocol only where several processors talk to it at once. */
static unsigned threads_chosen(void)
{
    cpu_set_t usable;
    int processors = sched_getaffinity(0, sizeof(usable), &usable) == 0 ? CPU_COUNT(&usable) : 1;
    int threads = processors / 2;
    return threads < 1 ? 1 : threads > IO_THREADS_CHOSEN_MAX ? IO_THREADS_CHOSEN_MAX : threads;
}

/* Of a worker that runs a program: both ends of three pipes and of its keeper's channel while it is
 * started, four to spare, and one to be stopped by. Of the rest: the log, listeners, three for each
 * loop, a client that looks on. */
#define DESCRIPTORS_WORKER 13
#define DESCRIPTORS_LOOP 4
#define DESCRIPTORS_OTHER 64
/* Where they are too few for all, connections have at least one of so many. */
#define DESCRIPTORS_PART 4

uint64_t settings_descriptors(const struct config *config)
{
    uint64_t workers = 0;
    for (size_t i = 0; i < config->pool_count; i++)
        workers += (uint64_t)config->pool[i].workers;
    return (uint64_t)config->max_connections + workers * DESCRIPTORS_WORKER +
           (uint64_t)settings_io_threads(config) * DESCRIPTORS_LOOP + DESCRIPTORS_OTHER;
}

uint64_t settings_descriptors_programs(const struct config *config)
{
    uint64_t workers = 0;
    for (size_t i = 0; i < config->pool_count; i++)
        if (handler_find(config->pool[i].handler)->programs)
            workers += (uint64_t)config->pool[i].workers;
    return workers * SETTINGS_DESCRIPTORS_PROGRAM;
}

uint64_t settings_connections(const struct config *config)
{
    struct rlimit limit;
    uint64_t wanted = (uint64_t)config->max_connections;
    uint64_t others = settings_descriptors(config) - wanted;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= others + wanted)
        return wanted;
    uint64_t left = limit.rlim_cur > others ? limit.rlim_cur - others : 0;
    uint64_t few = limit.rlim_cur / DESCRIPTORS_PART + 1; /* not all workers start at once */
    uint64_t most = left > few ? left : few;
    return most < wanted ? most : wanted;
}

unsigned settings_io_threads(const struct config *config)
{
    return config->io_threads != 0 ? (unsigned)config->io_threads : threads_chosen();
}

struct history_settings settings_of_history(const struct config *config)
{
    return (struct history_settings){.keep_ns = config->results_age,
                                     .keep_count = (uint64_t)config->results_count,
                                     .keep_bytes = (uint64_t)config->results_bytes};
}
