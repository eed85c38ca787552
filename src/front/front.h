// SPDX-License-Identifier: MIT
/*
 * The beanstalk door: the protocol that clients of beanstalkd speak, plus `call`, which leads to
 * the table of methods in api.h. A front is the protocol (net.h) for net_new, and its argument:
 *
 *     front_new(&front, &settings, broker, api);
 *     net_new(&net, &net_settings, &front_protocol, front);
 *
 * Answers are byte for byte those of beanstalkd 1.13, but for its two framing bugs: a stray CR and
 * an overlong line each get one BAD_FORMAT, and the connection goes on. A connection whose first
 * bytes are of HTTP or TLS is closed.
 */
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include "api/api.h"
#include "broker/broker.h"
#include "net/net.h"
#include "trust/trust.h"

#include <stddef.h>
#include <stdint.h>

#define FRONT_LINE_MAX 224 /* with CR LF, as beanstalkd; the default */
/* The least that a line of a command may have which beanstalkd doesn't: the longest is put-in-tube,
 * with a name of 200 bytes and four numbers of ten digits, 258 bytes. */
#define FRONT_ADDED_LINE_MAX 288
#define FRONT_HEAD_MAX 4096                   /* bytes of the head of a `submit` */
#define FRONT_CALL_SIZE_MAX ((size_t)1 << 20) /* parameters of one `call` */

struct front;

struct front_settings {
    const struct trust *trust; /* who may what; NULL: everybody everything, for tests */
    unsigned loops;            /* as net_settings.loops */
    uint32_t line_max; /* bytes of a line with CR LF, at most NET_READ_SIZE; 0: FRONT_LINE_MAX.
                          Lines of added commands may have FRONT_ADDED_LINE_MAX in any case. */
};

/* `broker` and `api` must outlive it. A body may have as many bytes as the broker takes. ENOMEM. */
int front_new(struct front **out, const struct front_settings *settings, struct broker *broker,
              struct api *api);
/* What it does beside the loops: before net_start. EAGAIN: no more threads. */
int front_start(struct front *front);
/* After net_stop. */
void front_free(struct front **front);

/* For net_new; its argument is the struct front. */
extern const struct net_protocol front_protocol;

/*
 * For net_settings.gate, with the broker as gate_arg: answers wait until what they tell is as
 * durable as promised. Must be there if the broker has a journal. Its `published` hook has to call
 * net_reached.
 */
extern const struct net_gate front_gate;

/* How often each command was executed; `name` is beanstalkd's ("put", "stats-job"). Any thread. */
void front_each_command(const struct front *front,
                        void (*visit)(const char *name, uint64_t count, void *arg), void *arg);

#endif
