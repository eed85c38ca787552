// SPDX-License-Identifier: MIT
/*
 * The inside of the whole: its loops, its listeners, and who may be accepted.
 *
 * Arrows: it stands on the loop; whoever works for all loops, or for their settings, includes it.
 */
#ifndef NET_NET_PRIV_H
#define NET_NET_PRIV_H

#include "base/counter.h"
#include "base/log.h"
#include "base/magic.h"
#include "net/loop_priv.h"
#include "net/net.h"
#include "thr/thr.h"

#include <stdatomic.h>

struct listener;

#define NET_MAGIC 0x2e7f0004u
#define NET_LISTENERS_MAX 32

struct net {
    unsigned magic;
    struct net_settings settings;
    const struct net_protocol *protocol;
    void *arg;
    struct loop *loops[NET_LOOPS_MAX];
    unsigned loop_count;
    struct listener *listeners[NET_LISTENERS_MAX];
    size_t listener_count;
    bool started, stopped;

    /* accepting, on loop 0's thread */
    bool accepting, accept_paused;
    struct loop_timer accept_timer;
    struct log_limit accept_log;
    int spare_fd; /* -1: none */
    struct loop_message stop_listening;
    hl_event *listening_stopped;

    /* shared */
    struct loop_message retry;
    atomic_bool retry_wanted, retry_posted;
    _Atomic uint64_t connections;
    struct counter accept_pauses, refused; /* loop 0 */
};

#endif
