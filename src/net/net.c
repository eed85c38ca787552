// SPDX-License-Identifier: MIT
/*
 * The whole of the network: its loops and listeners, started and stopped in order.
 *
 * Start: listeners are bound before any thread runs, so that a port in use stops the boot early and
 * nothing has to be undone under way. Stop: first nobody new (on loop 0's thread, since listeners
 * are its), then every loop lets its connections go, then the threads are joined. Loop 0 is told
 * last: connections it hands over to other loops are in their inboxes before the word to stop.
 */
#include "net/listener_priv.h"
#include "net/loop_priv.h"
#include "net/net_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int net_fail(struct net_error *error, int rc, const char *format, ...)
{
    if (error != NULL) {
        va_list args;
        va_start(args, format);
        vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
    }
    return rc;
}

int net_new(struct net **out, const struct net_settings *settings,
            const struct net_protocol *protocol, void *arg)
{
    ASSERT(protocol->open != NULL && protocol->input != NULL && protocol->received != NULL &&
           protocol->close != NULL);
    if (settings->loops > NET_LOOPS_MAX)
        return EINVAL;
    struct net *net = calloc(1, sizeof(*net));
    if (net == NULL)
        return ENOMEM;
    MAGIC_INIT(net, NET_MAGIC);
    net->spare_fd = -1;
    net->settings = *settings;
    net->protocol = protocol;
    net->arg = arg;
    unsigned count = settings->loops == 0 ? 1 : settings->loops;
    int rc = hl_event_new(&net->listening_stopped, "listeners");
    for (; rc == 0 && net->loop_count < count; net->loop_count += rc == 0)
        rc = loop_new(&net->loops[net->loop_count], net, net->loop_count);
    if (rc != 0) {
        net_free(&net);
        return rc;
    }
    *out = net;
    return 0;
}

const char *net_listener_name(const struct net *net, size_t index)
{
    MAGIC_CHECK(net, NET_MAGIC);
    return index < net->listener_count ? net->listeners[index]->name : NULL;
}

uint16_t net_listener_port(const struct net *net, size_t index)
{
    MAGIC_CHECK(net, NET_MAGIC);
    return index < net->listener_count ? net->listeners[index]->port : 0;
}

int net_start(struct net *net)
{
    MAGIC_CHECK(net, NET_MAGIC);
    ASSERT(!net->started);
    listeners_accept(net);
    int rc = 0;
    unsigned started = 0;
    /* Loop 0 last: it accepts, and by then every loop it hands over to runs. */
    for (unsigned i = net->loop_count; rc == 0 && i-- > 0; started += rc == 0)
        rc = loop_start(net->loops[i]);
    if (rc != 0) {
        for (unsigned i = net->loop_count; started > 0; started--) {
            loop_stop(net->loops[--i], 0);
            loop_join(net->loops[i]);
        }
        net->stopped = true;
        listeners_stop(net);
        return rc;
    }
    net->started = true;
    for (size_t i = 0; i < net->listener_count; i++)
        log_notice("listening on %s", net->listeners[i]->name);
    return 0;
}

static void stop_listening_here(struct loop_message *message, void *session)
{
    (void)session;
    struct net *net = CONTAINER_OF(message, struct net, stop_listening);
    listeners_stop(net);
    hl_event_set(net->listening_stopped);
}

void net_stop_listening(struct net *net)
{
    MAGIC_CHECK(net, NET_MAGIC);
    if (hl_event_is_set(net->listening_stopped))
        return;
    if (!net->started || net->stopped) {
        listeners_stop(net);
        return;
    }
    net->stop_listening =
        (struct loop_message){.to = {.loop = net->loops[0]}, .deliver = stop_listening_here};
    loop_post(&net->stop_listening);
    MUST(hl_event_wait(net->listening_stopped, HL_FOREVER));
}

void net_stop(struct net *net, int64_t grace_ns)
{
    MAGIC_CHECK(net, NET_MAGIC);
    net_stop_listening(net);
    if (!net->started || net->stopped)
        return;
    for (unsigned i = net->loop_count; i-- > 0;)
        loop_stop(net->loops[i], grace_ns);
    for (unsigned i = 0; i < net->loop_count; i++)
        loop_join(net->loops[i]);
    net->stopped = true;
}

void net_free(struct net **pointer)
{
    if (*pointer == NULL)
        return;
    struct net *net;
    MAGIC_TAKE(net, pointer, NET_MAGIC);
    ASSERT(!net->started || net->stopped);
    listeners_stop(net);
    for (unsigned i = 0; i < NET_LOOPS_MAX; i++)
        loop_free(&net->loops[i]);
    if (net->listening_stopped != NULL)
        hl_event_free(&net->listening_stopped);
    MAGIC_WIPE(net);
    free(net);
}

void net_stats(const struct net *net, struct net_stats *out)
{
    MAGIC_CHECK(net, NET_MAGIC);
    *out = (struct net_stats){.connections = atomic_load(&net->connections),
                              .accept_pauses = counter_get(&net->accept_pauses),
                              .refused = counter_get(&net->refused)};
    for (unsigned i = 0; i < net->loop_count; i++) {
        const struct loop *loop = net->loops[i];
        out->accepted += counter_get(&loop->accepted);
        out->bytes_in += counter_get(&loop->bytes_in);
        out->bytes_out += counter_get(&loop->bytes_out);
        out->turns += counter_get(&loop->turns);
        out->yields += counter_get(&loop->yields);
        out->stalls += counter_get(&loop->stalls);
        out->holds += counter_get(&loop->held_count);
    }
}

unsigned net_loop_count(const struct net *net)
{
    MAGIC_CHECK(net, NET_MAGIC);
    return net->loop_count;
}
