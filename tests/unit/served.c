// SPDX-License-Identifier: MIT
/*
 * What a client speaks to, for tests: see served.h. Going down checks that nothing is left: every
 * connection closed, every job's memory free (the sanitizer's part).
 */
#include "served.h"

#include "base/clock.h"
#include "halt.h"
#include "journal/journal.h"
#include "store/store.h"
#include "unit.h"

#include <hilera/version.h>

#include <string.h>

struct served served;

/* for the journal's thread */
static struct net *_Atomic served_net;

static void offer(struct list *ends, void *arg)
{
    (void)arg;
    history_offer(served.history, ends);
}

static void take_in(void *arg)
{
    (void)arg;
    history_take_in(served.history);
}

static void connections(struct api_connections *out, void *arg)
{
    (void)arg;
    struct net_stats stats;
    net_stats(served.net, &stats);
    *out = (struct api_connections){.open = stats.connections,
                                    .accepted = stats.accepted,
                                    .accept_pauses = stats.accept_pauses,
                                    .refused = stats.refused,
                                    .bytes_in = stats.bytes_in,
                                    .bytes_out = stats.bytes_out};
}

static void each_command(void (*visit)(const char *name, uint64_t count, void *to), void *to,
                         void *arg)
{
    (void)arg;
    front_each_command(served.front, visit, to);
}

static void published(void *arg)
{
    (void)arg;
    struct net *net = atomic_load(&served_net);
    if (net != NULL)
        net_reached(net);
}

static void journal_up(const struct store_options *options)
{
    struct store_options log = *options;
    struct store_recovered recovered;
    struct journal_error error = {""};
    log.published = published;
    int rc = broker_recover(served.broker, &log, &recovered, &error);
    ck_assert_msg(rc == 0, "%s", error.text);
    struct broker_taken taken;
    ck_assert_int_eq(broker_take_over(served.broker, NULL, &taken), 0);
}

static void net_up(unsigned loops)
{
    const struct front_settings front_settings = {.loops = loops};
    const struct net_settings net_settings = {
        .loops = loops, .gate = &front_gate, .gate_arg = served.broker};
    struct net_error error = {""};
    ck_assert_int_eq(front_new(&served.front, &front_settings, served.broker, served.api), 0);
    ck_assert_int_eq(
        net_new(&served.net, &net_settings, halt_protocol(&front_protocol), served.front), 0);
    peer_temp_make();
    peer_temp_path(served.path, "s");
    ck_assert_msg(net_listen_unix(served.net, served.path, 0600, &error) == 0, "%s", error.text);
    ck_assert_msg(net_listen_tcp(served.net, "127.0.0.1", 0, &error) == 0, "%s", error.text);
    atomic_store(&served_net, served.net);
    ck_assert_int_eq(net_start(served.net), 0);
}

void served_up(const struct served_options *options)
{
    served = (struct served){.path = ""};
    const struct broker_options broker_options = {.body_max = options->body_max,
                                                  .jobs_max = options->jobs_max,
                                                  .tube_jobs_max = options->tube_jobs_max,
                                                  .held_max = options->held_max,
                                                  .put_waits = options->put_waits,
                                                  .durability = options->level,
                                                  .trust = options->trust,
                                                  .ended = offer,
                                                  .ended_after = take_in};
    const struct history_settings history_settings = {.keep_ns =
                                                          options->forgets ? 0 : 3600 * HL_SECOND,
                                                      .keep_count = 100000,
                                                      .keep_bytes = 100 << 20};
    struct history_error history_error;
    ck_assert_int_eq(history_new(&served.history, &history_settings, &history_error), 0);
    ck_assert_int_eq(broker_new(&served.broker, &broker_options), 0);
    if (options->log != NULL)
        journal_up(options->log);
    struct api_links links = {.broker = served.broker, .history = served.history};
    if (!options->without_net) {
        links.connections = connections;
        links.commands = each_command;
    }
    ck_assert_int_eq(api_new(&served.api, &links), 0);
    if (!options->without_net)
        net_up(options->loops == 0 ? 1 : options->loops);
}

void served_down(void)
{
    if (served.net != NULL) {
        net_stop(served.net, 0);
        struct net_stats stats;
        net_stats(served.net, &stats);
        ck_assert_uint_eq(stats.connections, 0);
        (void)broker_stop(served.broker);
        atomic_store(&served_net, NULL);
        net_free(&served.net);
        front_free(&served.front);
        peer_temp_remove();
    }
    api_free(&served.api);
    broker_free(&served.broker);
    history_free(&served.history);
}

void served_setup_with(const struct served_options *options)
{
    clock_virtual_start(1000 * HL_SECOND);
    served_up(options);
}

void served_setup(void)
{
    served_setup_with(&(struct served_options){.loops = 1});
}

void served_teardown(void)
{
    served_down();
    clock_virtual_stop();
}

void served_setup_three(void)
{
    served_up(&(struct served_options){.loops = 3});
}

int served_connect(void)
{
    return peer_unix(served.path);
}

void served_ask(int fd, const char *say, const char *expect)
{
    peer_say(fd, say);
    peer_expect(fd, expect);
}

void served_exchange_all(const struct served_exchange *exchanges, size_t count, bool in_bytes)
{
    int fd = served_connect();
    struct unit_random random = peer_random();
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(exchanges[i].say);
        peer_send_in_pieces(fd, exchanges[i].say, len, in_bytes ? 1 : len, &random);
        peer_expect(fd, exchanges[i].expect);
    }
    peer_close(&fd);
}

void served_later(int64_t ns)
{
    clock_virtual_advance(ns);
    (void)broker_due(served.broker);
}

struct broker_stats served_stats(void)
{
    struct broker_stats stats;
    broker_stats(served.broker, &stats);
    return stats;
}

struct awaited {
    size_t offset;
    uint64_t value;
};

static bool stat_is(void *arg)
{
    const struct awaited *awaited = arg;
    struct broker_stats stats = served_stats();
    uint64_t value;
    memcpy(&value, (const char *)&stats + awaited->offset, sizeof(value));
    return value == awaited->value;
}

void served_until_stat(size_t offset, uint64_t value)
{
    struct awaited awaited = {.offset = offset, .value = value};
    peer_until(stat_is, &awaited);
}

uint64_t served_work(const char *tube, enum job_outcome_kind kind)
{
    struct broker_consumer *consumer;
    struct broker_lease lease;
    ck_assert_int_eq(broker_consumer_new(&consumer, served.broker, "test", &tube, 1), 0);
    ck_assert_int_eq(broker_take(consumer, &lease, 10 * HL_SECOND), 0);
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = kind;
    outcome.started_ns = lease.reserved_ns;
    outcome.ended_ns = clock_now_ns();
    if (kind == JOB_OUTCOME_FAILED)
        job_outcome_reason(&outcome, "because");
    else
        outcome.exit_status = 0;
    ck_assert_int_eq(buf_append(&outcome.out, "caf\xc3\xa9\n", 6), 0);
    ck_assert_int_eq(buf_append(&outcome.err, "\xff\n", 2), 0);
    ck_assert_int_eq(broker_settle(served.broker, lease.id, lease.token, &outcome), 0);
    uint64_t id = lease.id;
    job_outcome_fini(&outcome);
    broker_lease_fini(&lease);
    broker_consumer_free(&consumer);
    return id;
}

static bool connections_are(void *arg)
{
    struct net_stats stats;
    net_stats(served.net, &stats);
    return stats.connections == *(uint64_t *)arg;
}

void served_until_connections(uint64_t count)
{
    peer_until(connections_are, &count);
}
