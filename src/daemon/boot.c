// SPDX-License-Identifier: MIT
/*
 * The daemon as a whole: built from below, started, stopped in reverse.
 *
 * Order of the start: what keeps (the data directory, history, the broker, which is filled from the
 * directory), what works (pools, housekeeping), what talks (api, front, net). Threads start only
 * after everything is built and the addresses are ours, so that a port in use stops the start
 * before any job runs; connections are accepted last.
 *
 * Order of the stop: no new connections and jobs, running jobs finish, timers, the last answers go
 * out as soon as they are true, the last commit, and then everything is freed from above, the
 * journal at last.
 *
 * When the journal fails, nothing that is answered from then on would be kept. The daemon then
 * stops by itself, with status 1, so that its supervisor starts it anew from what is on the disk.
 * To add a part: a field in struct daemon, a step in daemon_build, and its counterpart in
 * daemon_free, in the mirrored place.
 */
#include "daemon/access_priv.h"
#include "daemon/daemon_priv.h"
#include "daemon/datadir_priv.h"
#include "daemon/settings_priv.h"
#include "daemon/user_priv.h"

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "broker/broker.h"
#include "config/config.h"
#include "front/front.h"
#include "history/history.h"
#include "house/house.h"
#include "journal/journal.h"
#include "net/net.h"
#include "thr/thr.h"
#include "trust/trust.h"
#include "worker/worker.h"

#include <hilera/lock.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DAEMON_MAGIC 0xdae40001u

/* How long answers that were given may take to leave when the daemon stops. A client that does not
 * read for so long is not worth a later stop. */
#define FLUSH_NS (2 * HL_SECOND)

/* In the data directory. */
#define HISTORY_FILE "history.db"

/* ---- wires between modules ---- */

/* With the broker's lock. */
static void ends_offer(struct list *ends, void *arg)
{
    struct daemon *daemon = arg;
    history_offer(daemon->history, ends);
}

static void ends_take_in(void *arg)
{
    struct daemon *daemon = arg;
    history_take_in(daemon->history); /* what it can't take is lost, and it counts that */
}

/* From any thread; the lock makes what is told last what is true last. */
static void consumers_rest(void *arg)
{
    struct daemon *daemon = arg;
    HL_LOCK_SCOPE(daemon->rest_lock);
    broker_rest(daemon->broker, history_wants_rest(daemon->history));
}

/* A question of the broker's has one of history's in its memory. */
static struct broker_key_question *asked_with(struct later *later)
{
    struct history_question *question = CONTAINER_OF(later, struct history_question, later);
    return CONTAINER_OF((char(*)[BROKER_QUESTION_MEMORY])question, struct broker_key_question,
                        memory);
}

static struct history_question *question_of(struct broker_key_question *asked)
{
    _Static_assert(sizeof(struct history_question) <= sizeof(asked->memory), "too little memory");
    return (struct history_question *)(void *)asked->memory;
}

/* On history's thread. */
static void key_answered(struct later *later)
{
    struct broker_key_question *asked = asked_with(later);
    asked->id = question_of(asked)->key.id; /* 0 where the file can't be read */
    later_tell(&asked->later, later->result);
}

static bool key_cancel(struct later *later)
{
    struct broker_key_question *asked = CONTAINER_OF(later, struct broker_key_question, later);
    return later_cancel(&question_of(asked)->later) && later_leave(later);
}

static int key_kept(struct broker_key_question *asked, void *arg)
{
    struct daemon *daemon = arg;
    struct history_question *question = question_of(asked);
    bool may_wait = asked->later.fire != NULL;
    *question = (struct history_question){
        .later.fire = may_wait ? key_answered : NULL,
        .asks = HISTORY_ASK_KEY,
        .key = {.tube = asked->tube, .key = asked->key, .submitter = asked->submitter}};
    later_wait(&asked->later, key_cancel);
    int rc = history_ask(daemon->history, question);
    if (rc == EINPROGRESS)
        return rc;
    (void)later_leave(&asked->later);
    if (rc == EAGAIN)
        return rc;
    asked->id = question->key.id;
    return 0;
}

/* On history's thread, which begins when records come: after the broker was filled. */
static void results_durable(uint64_t number, void *arg)
{
    const struct daemon *daemon = arg;
    broker_results_durable(daemon->broker, number);
}

/* Under history's lock; it looks at numbers and takes none. */
static int end_reached(const struct ticket *ticket, void *arg)
{
    const struct daemon *daemon = arg;
    return broker_ticket_state(daemon->broker, ticket);
}

/* On history's thread. */
static void end_want(const struct ticket *ticket, void *arg)
{
    const struct daemon *daemon = arg;
    broker_lead_elsewhere(daemon->broker, ticket);
}

static void results_purge(void *arg)
{
    struct daemon *daemon = arg;
    history_purge(daemon->history);
}

static void connections_tell(struct api_connections *out, void *arg)
{
    const struct daemon *daemon = arg;
    struct net_stats stats;
    net_stats(daemon->net, &stats);
    *out = (struct api_connections){.open = stats.connections,
                                    .accepted = stats.accepted,
                                    .accept_pauses = stats.accept_pauses,
                                    .refused = stats.refused,
                                    .bytes_in = stats.bytes_in,
                                    .bytes_out = stats.bytes_out};
}

static void commands_tell(void (*visit)(const char *name, uint64_t count, void *to), void *to,
                          void *arg)
{
    const struct daemon *daemon = arg;
    front_each_command(daemon->front, visit, to);
}

static void datadir_show(struct api_store *out, void *arg)
{
    const struct daemon *daemon = arg;
    datadir_tell(daemon->datadir, out);
}

/* On any thread; loops with answers that wait for it look again, and so does history. */
static void datadir_published(void *arg)
{
    struct daemon *daemon = arg;
    struct net *net = atomic_load(&daemon->gated);
    if (daemon->history != NULL)
        history_reached(daemon->history);
    if (net != NULL)
        net_reached(net);
}

/* On any thread. The main thread sees the descriptor and stops; those who wait are hung up on. */
static void datadir_failed(int error, void *arg)
{
    struct daemon *daemon = arg;
    datadir_published(daemon);
    uint64_t one = 1;
    atomic_store(&daemon->failed, error);
    MUST(write(daemon->failed_fd, &one, sizeof(one)) == sizeof(one) ? 0 : errno);
}

static int draining_set(bool draining, void *arg)
{
    return daemon_set_draining(arg, draining);
}

/* ---- steps of the start ---- */

static int failed(int rc, const char *what)
{
    if (rc != 0)
        log_error("%s: %s", what, strerrordesc_np(rc));
    return rc;
}

/* Beside the journal, so as its user; in memory where there is none. */
static int history_build(struct daemon *daemon, const struct user *user)
{
    char path[DATADIR_PATH_MAX + sizeof("/" HISTORY_FILE)];
    struct history_settings settings = settings_of_history(daemon->config);
    struct journal_error refused = {""};
    struct history_error error = {""};
    struct api_store about;
    datadir_tell(daemon->datadir, &about);
    if (about.directory != NULL) {
        snprintf(path, sizeof(path), "%s/" HISTORY_FILE, about.directory);
        settings.path = path;
        settings.durable = results_durable;
        settings.reached = end_reached;
        settings.want = end_want;
        settings.rest = consumers_rest;
        settings.arg = daemon;
    }
    int rc = user_assume(user, &refused);
    if (rc != 0) {
        log_error("history: %s", refused.text);
        return rc;
    }
    rc = history_new(&daemon->history, &settings, &error);
    user_resume(user);
    if (rc != 0)
        log_error("history: %s", error.text);
    return rc;
}

static int broker_build(struct daemon *daemon, const struct user *user)
{
    struct broker_options options = settings_of_broker(daemon->config);
    /* Where no result is kept, none is made. */
    if (history_is_on(daemon->history)) {
        options.ended = ends_offer;
        options.ended_after = ends_take_in;
        options.key_kept = key_kept;
        options.last_result = history_last(daemon->history);
    }
    options.records_arg = daemon;
    options.trust = daemon->trust;
    options.daemon_uid = user->change ? user->uid : geteuid();
    int rc = broker_new(&daemon->broker, &options);
    for (size_t i = 0; rc == 0 && i < daemon->config->tube_count; i++) {
        const struct config_tube *tube = &daemon->config->tube[i];
        const struct job_rules rules = settings_rules(tube);
        if (rules.set != 0)
            rc = broker_tube_rules(daemon->broker, tube->name, strlen(tube->name), &rules);
    }
    return rc;
}

static int datadir_fill(struct daemon *daemon)
{
    const struct datadir_hooks hooks = {.published = datadir_published,
                                        .failed = datadir_failed,
                                        .history = daemon->history,
                                        .arg = daemon};
    return datadir_recover(daemon->datadir, daemon->broker, &hooks);
}

static int programs_hold(struct daemon *daemon)
{
    return programs_lock(daemon->programs, datadir_directory(daemon->datadir));
}

static int pools_build(struct daemon *daemon)
{
    size_t count = daemon->config->pool_count;
    daemon->pool = calloc(count + 1, sizeof(struct worker_pool *));
    if (daemon->pool == NULL)
        return failed(ENOMEM, "pools");
    for (size_t i = 0; i < count; i++) {
        struct worker_pool_settings settings;
        char why[512] = "";
        settings_of_pool(&daemon->config->pool[i], &settings);
        settings.handler_settings.trust = daemon->trust;
        programs_settle(daemon->programs, &settings);
        int rc = worker_pool_new(&daemon->pool[i], &settings, daemon->broker, why, sizeof(why));
        if (rc != 0) {
            log_error("pool \"%s\": %s", settings.name, why[0] ? why : strerrordesc_np(rc));
            return rc;
        }
        daemon->pool_count++;
    }
    return 0;
}

static int house_build(struct daemon *daemon)
{
    const struct house_settings settings = {
        .broker = daemon->broker, .purge = results_purge, .purge_arg = daemon};
    return house_new(&daemon->house, &settings);
}

static int api_build(struct daemon *daemon)
{
    const struct api_links links = {.broker = daemon->broker,
                                    .history = daemon->history,
                                    .house = daemon->house,
                                    .pools = daemon->pool,
                                    .pool_count = daemon->pool_count,
                                    .connections = connections_tell,
                                    .commands = commands_tell,
                                    .store = datadir_show,
                                    .drain = draining_set,
                                    .arg = daemon};
    return api_new(&daemon->api, &links);
}

static int doors_build(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    const struct front_settings front = {.trust = daemon->trust,
                                         .loops = settings_io_threads(config),
                                         .line_max = (uint32_t)config->max_line};
    const struct net_settings net = {.loops = front.loops,
                                     .connections_max = (size_t)settings_connections(config),
                                     .output_max = (size_t)config->max_output,
                                     .gate = daemon->datadir != NULL ? &front_gate : NULL,
                                     .gate_arg = daemon->broker};
    int rc = front_new(&daemon->front, &front, daemon->broker, daemon->api);
    if (rc == 0)
        rc = net_new(&daemon->net, &net, &front_protocol, daemon->front);
    if (rc == 0)
        atomic_store(&daemon->gated, daemon->net);
    return rc;
}

static int listener_open(struct daemon *daemon, const char *text, const struct user *user)
{
    struct config_address address;
    struct net_error error = {""};
    const char *why;
    char path[CONFIG_PATH_MAX];
    int rc = config_address_parse(text, &address, &why);
    if (rc != 0)
        CANT_HAPPEN("an address that was checked");
    if (address.kind == CONFIG_ADDRESS_TCP) {
        rc = net_listen_tcp(daemon->net, address.host, address.port, &error);
    } else {
        const struct net_owner owner = access_socket_owner(user);
        if (address.path[0] == '\0')
            rc = place_socket(path, sizeof(path), &error);
        if (rc == 0)
            rc = net_listen_unix_for(daemon->net, address.path[0] != '\0' ? address.path : path,
                                     access_socket_mode(daemon->config, daemon->trust, user),
                                     &owner, &error);
    }
    if (rc != 0)
        log_error("can't listen on %s: %s", text, error.text);
    return rc;
}

static int listeners_open(struct daemon *daemon, const struct user *user)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < daemon->config->listen.count; i++)
        rc = listener_open(daemon, daemon->config->listen.item[i], user);
    return rc;
}

static int daemon_build(struct daemon *daemon, const struct user *user)
{
    int rc =
        failed(hl_lock_new(&daemon->drain_lock, "drain", lock_class(LOCK_CLASS_drain)), "lock");
    if (rc == 0)
        rc = failed(hl_lock_new(&daemon->rest_lock, "rest", lock_class(LOCK_CLASS_rest)), "lock");
    if (rc == 0)
        rc = access_build(&daemon->trust, daemon->config, user);
    if (rc == 0)
        rc = datadir_open(&daemon->datadir, daemon->config, user);
    if (rc == 0)
        rc = programs_hold(daemon);
    if (rc == 0)
        rc = history_build(daemon, user);
    if (rc == 0)
        rc = failed(broker_build(daemon, user), "broker");
    if (rc == 0)
        rc = datadir_fill(daemon);
    if (rc == 0)
        rc = pools_build(daemon);
    if (rc == 0)
        rc = failed(house_build(daemon), "housekeeping");
    if (rc == 0)
        rc = failed(api_build(daemon), "api");
    if (rc == 0)
        rc = failed(doors_build(daemon), "network");
    if (rc == 0)
        rc = listeners_open(daemon, user);
    return rc;
}

static int daemon_run(struct daemon *daemon)
{
    int rc = programs_run(daemon->programs, daemon);
    if (rc == 0)
        rc = failed(house_start(daemon->house), "housekeeping");
    if (rc == 0)
        rc = failed(front_start(daemon->front), "group lookups");
    if (rc == 0)
        rc = failed(net_start(daemon->net), "network");
    return rc;
}

int daemon_start(struct daemon **out, const struct config *config, const struct user *user,
                 struct programs *programs)
{
    struct daemon *daemon = calloc(1, sizeof(*daemon));
    if (daemon == NULL)
        return failed(ENOMEM, "hilerad");
    MAGIC_INIT(daemon, DAEMON_MAGIC);
    daemon->config = config;
    daemon->programs = programs;
    daemon->failed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = daemon->failed_fd < 0 ? failed(errno, "eventfd") : 0;
    if (rc == 0)
        rc = daemon_build(daemon, user);
    /* Everything is opened that takes root's rights. The journal's threads run, and become that
     * user with this one. */
    if (rc == 0)
        rc = user_become(user);
    if (rc == 0)
        rc = daemon_run(daemon);
    if (rc == 0) {
        *out = daemon;
        return 0;
    }
    daemon_finish(daemon, 0);
    (void)daemon_free(&daemon);
    return rc;
}

/* ---- the stop ---- */

void daemon_drain(struct daemon *daemon)
{
    MAGIC_CHECK(daemon, DAEMON_MAGIC);
    programs_wait_no_more(daemon->programs);
    net_stop_listening(daemon->net);
    daemon_drain_for_good(daemon);
    for (size_t i = 0; i < daemon->pool_count; i++)
        worker_pool_quiesce(daemon->pool[i]);
}

/* The pools wait side by side, and what is left in any of them is ended in all at the same time. */
void daemon_finish(struct daemon *daemon, int64_t grace_ns)
{
    MAGIC_CHECK(daemon, DAEMON_MAGIC);
    programs_wait_no_more(daemon->programs);
    int64_t deadline_ns = clock_deadline(grace_ns);
    bool late = false;
    for (size_t i = 0; i < daemon->pool_count; i++)
        late |= worker_pool_await(daemon->pool[i], deadline_ns - clock_now_ns()) != 0;
    if (late)
        daemon_hurry(daemon);
    for (size_t i = 0; i < daemon->pool_count; i++)
        worker_pool_stop(daemon->pool[i], 0);
}

void daemon_hurry(struct daemon *daemon)
{
    MAGIC_CHECK(daemon, DAEMON_MAGIC);
    for (size_t i = 0; i < daemon->pool_count; i++)
        worker_pool_hurry(daemon->pool[i]);
}

int daemon_free(struct daemon **daemon_p)
{
    struct daemon *daemon;
    MAGIC_TAKE(daemon, daemon_p, DAEMON_MAGIC);
    if (daemon->house != NULL)
        house_stop(daemon->house);
    if (daemon->net != NULL)
        net_stop(daemon->net, FLUSH_NS);
    int rc = datadir_stop(daemon->datadir);
    net_free(&daemon->net);
    front_free(&daemon->front);
    api_free(&daemon->api);
    house_free(&daemon->house);
    for (size_t i = 0; i < daemon->pool_count; i++)
        worker_pool_free(&daemon->pool[i]);
    free(daemon->pool);
    history_free(&daemon->history); /* its last words are the broker's */
    broker_free(&daemon->broker);
    trust_free(&daemon->trust);
    datadir_close(&daemon->datadir);
    hl_lock_free(&daemon->rest_lock);
    hl_lock_free(&daemon->drain_lock);
    if (daemon->failed_fd >= 0)
        close(daemon->failed_fd);
    MAGIC_WIPE(daemon);
    free(daemon);
    return rc;
}
