// SPDX-License-Identifier: MIT
/*
 * The inside of the folder spawn: the messages, and who does what.
 *
 * Every message is one packet of a SOCK_SEQPACKET pair, a struct in the machine's own form (both
 * ends are the same program, forked), some with descriptors beside it.
 *
 *   control, broker to spawner
 *     order HOLD    1 descriptor: the lock of programs
 *     order KEEPER  1 descriptor: the channel of a new keeper, of that row, under that key
 *     order BURY    1 descriptor: closed when keeper `key` and all it had to keep are gone; before
 *                   that the pid of one is written into it that may not be killed, if there is any
 *   control, spawner to broker
 *     a pid         the broker has gone, and nothing is left but what may not be killed
 *   a keeper's channel, from the broker
 *     start         3 descriptors: input, output, errors; texts behind it, one after the other with
 *                   their NULs: tube, directory if there is one, argv, env. With a fourth one, a
 *                   sealed memfd, the texts are in that
 *     ask SIGNAL, CLEAN
 *   a keeper's channel, to the broker
 *     answer        one for each spawn_word, and READY when the keeper is there
 *
 * A run is start -> ENDED or FAILED; where the program left others behind, then CLEAN -> CLEANED.
 */
#ifndef SPAWN_SPAWN_PRIV_H
#define SPAWN_SPAWN_PRIV_H

#include "spawn/spawn.h"

#include <signal.h>

#define SPAWN_INLINE_MAX ((size_t)32 * 1024)     /* texts in the packet itself */
#define SPAWN_TEXT_MAX ((size_t)8 * 1024 * 1024) /* more than any system lets a program have */
#define SPAWN_PATIENCE_MS 10000                  /* for a new keeper */

enum spawn_verb {
    SPAWN_HOLD = 1,
    SPAWN_KEEPER,
    SPAWN_BURY,
    SPAWN_START,
    SPAWN_SIGNAL,
    SPAWN_CLEAN
};

#define SPAWN_READY 100 /* a word of answers beside enum spawn_word */

struct spawn_order {
    uint32_t verb, row;
    uint64_t key;
};

struct spawn_ask {
    uint32_t verb;
    int32_t sig;    /* SIGNAL */
    uint32_t all;   /* CLEAN */
    uint32_t again; /* CLEAN: the job runs again, by the next daemon */
};

enum { SPAWN_HAS_UMASK = 1, SPAWN_HAS_DIRECTORY = 2, SPAWN_HAS_ENV = 4, SPAWN_TELL = 8 };

struct spawn_start {
    uint32_t verb; /* SPAWN_START */
    uint32_t flags;
    uint64_t id;
    uint32_t attempt, pri;
    int64_t submitted_ns;
    uint32_t umask;
    uint32_t argc, envc;
    uint32_t len; /* of the texts */
};

struct spawn_answer {
    uint32_t word;
    struct spawn_news news;
};

/* ---- packet.c ---- */

#define PACKET_FDS_MAX 4

struct packet {
    size_t len;
    size_t fd_count;
    int fds[PACKET_FDS_MAX];
    _Alignas(8) char bytes[sizeof(struct spawn_start) + SPAWN_INLINE_MAX];
};

/* In two parts, the second of which may be empty. EPIPE: nobody is at the other end. */
int packet_send(int fd, const void *head, size_t head_len, const void *text, size_t text_len,
                const int *fds, size_t fd_count);
/* EPIPE: there will be no more. EAGAIN: not now (`flags` MSG_DONTWAIT). EMFILE: it came without its
 * descriptors, and is dropped. */
int packet_receive(int fd, struct packet *packet, int flags);
void packet_close(struct packet *packet);

/* ---- order.c: a start as texts, and back ---- */

/* What a keeper reads from a start: pointers into the packet or `map`. */
struct order {
    const struct spawn_start *head;
    const char *tube;
    const char *directory; /* NULL */
    char **argv, **env;    /* NULL: not given; each with a NULL at its end */
    char **list;           /* has both */
    char *none[2];         /* that list, if neither says anything: no memory is needed */
    char *map;             /* of a memfd; NULL */
    size_t map_len;
};

/* `texts`, of text_len bytes, is the caller's to free. E2BIG, ENOMEM. */
int order_pack(const struct spawn_job *job, struct spawn_start *head, char **texts,
               size_t *text_len);
/* A sealed memfd with them. EMFILE, ENOMEM. */
int order_seal(const char *texts, size_t len, int *fd);
/* EPROTO: it isn't in order. ENOMEM. To be freed with order_fini in any case. */
int order_read(struct order *order, const struct packet *packet);
void order_fini(struct order *order);

/* ---- begin.c: a program's start ---- */

/* Shared by a keeper, its children until their exec, and the spawner. */
struct spawn_shared {
    volatile int step; /* enum spawn_step: what failed; 0: nothing */
    volatile int error;
    volatile int index; /* of a limit */
    volatile int left;  /* the keeper stays behind for what a program left */
};

struct begin {
    const struct spawn_program *row;
    char *const *argv;
    char *const *env;
    char *const *paths; /* to be tried one after the other */
    const char *directory;
    bool has_umask;
    mode_t umask;
    const int *fds;
    bool spared; /* the keeper is, when memory runs out: begin_is_spared */
    pid_t keeper;
    struct spawn_shared *shared;
    /* NULL; or, in the child, which may stand ready for long: returns when fds and env are set,
     * else ends the child. It may make system calls and no more, but for the keeper's own memory.
     */
    void (*wait)(void *arg);
    void *arg;
};

/* Whether the calling process is less likely to be killed than others when the system has no memory
 * left, as a service often is (oom_score_adj). */
bool begin_is_spared(void);
/* Its pid, or -1 and errno. shared->step tells how it went. */
pid_t begin_program(const struct begin *begin);

/* ---- places.c: which files a name may mean ---- */

/* For begin.paths; freed by one free. NULL: out of memory. */
char **places_of(const char *name, char *const *env, const char *fallback);

/* ---- children.c: those of the calling process ---- */

/* Their pids, up to `max`; returns how many. ENOSYS in *error: there is no /proc. */
size_t children_list(pid_t *pids, size_t max, int *error);
/* One of them; 0: there is none, or no /proc. */
pid_t children_first(void);
/* Whether there are any, once those that have ended are collected. */
bool children_are_left(void);
/* Kills and collects all of them, and those that come in their place. EPERM: some are left that may
 * not be killed; ENOSYS. */
int children_end(void);
/* The same with those of one process group only. */
int children_end_group(pid_t group);

/* ---- keeper.c ---- */

/* The life of a keeper, in its own process. `lock` -1: there is none. */
_Noreturn void keeper_main(const struct spawn_program *row, int channel, int lock,
                           struct spawn_shared *shared);

/* ---- settle.c ---- */

/* What spawner and keepers have in common: a session, a name, signals. *unblocked is the mask for
 * ppoll, under which SIGCHLD interrupts. */
void spawn_settle_in(const char *name, sigset_t *unblocked);

/* ---- spawner.c ---- */

_Noreturn void spawner_main(int control, const struct spawn_program *table, size_t count);

#endif
