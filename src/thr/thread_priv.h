// SPDX-License-Identifier: MIT
/*
 * The thread object, shared by the files of this folder:
 *   thread.c    the life of one thread: new, start, join, end
 *   registry.c  all of them: current, main, foreign stand-ins, enumeration, exit, fork
 *   lock*.c     what each thread holds and which lock it waits for
 */
#ifndef THR_THREAD_PRIV_H
#define THR_THREAD_PRIV_H

#include "base/list.h"
#include "base/magic.h"

#include <hilera/lock.h>
#include <hilera/thread.h>

#include <pthread.h>
#include <stdatomic.h>

#define THREAD_MAGIC 0x7468726du

/* The word that joiners sleep on. Moves downwards in this list only (STARTING back to NEW if it
 * could not start). */
enum thread_state { THREAD_NEW = 0, THREAD_STARTING, THREAD_RUNNING, THREAD_ENDED };

/* Locks one thread may hold at once; more is taken for a mistake. */
#define THREAD_HELD_MAX 32

/* Pairs of lock-order nodes that this thread has found to be in order before (see lock_order.c). */
#define THREAD_ORDER_CACHE 64

struct held_lock {
    hl_lock *lock;
    const char *place;
};

struct hl_thread {
    unsigned magic;
    atomic_uint refs;
    struct list_node node; /* covered by the registry's mutex */

    /* Fixed from new to free. */
    hl_thread_target target;
    void *arg;
    void (*run)(hl_thread *self);
    void *data;
    size_t stack_size;
    bool stand_in; /* main, or foreign: the library did not start it */

    _Atomic uint32_t state;
    atomic_bool daemon; /* changed under the registry's mutex */
    atomic_bool reaped; /* pthread_join or pthread_detach was done */
    _Atomic uint64_t ident;
    _Atomic pid_t native_id;
    pthread_t handle; /* written by the thread itself before RUNNING */

    /* What people see; covered by `info`. */
    pthread_mutex_t info;
    char name[HL_THREAD_NAME_MAX];
    char waits_for[24];
    char object[HL_THREAD_NAME_MAX];
    int64_t waiting_since_ns;

    /* Locks. held and order_cache are the thread's own; waits_lock is covered by the registry's
     * mutex. */
    struct held_lock held[THREAD_HELD_MAX];
    unsigned held_count;
    uint64_t order_cache[THREAD_ORDER_CACHE];
    hl_lock *waits_lock;
};

/* The calling thread's object, NULL until it is asked for. */
extern _Thread_local hl_thread *thread_tls;

/* Makes a stand-in for the calling foreign thread. */
hl_thread *registry_adopt(void);

static inline hl_thread *thread_self(void)
{
    hl_thread *self = thread_tls;
    return __builtin_expect(self != NULL, 1) ? self : registry_adopt();
}

/* A bare object with one reference, not registered. ENOMEM. */
int thread_alloc(hl_thread **out, const char *name);
/* Gives it the next number. */
void thread_number_ident(hl_thread *thread);
/* The calling thread's `handle`, native id and tls. */
void thread_bind_self(hl_thread *self);

/* The mutex over the list of threads, waits_lock, and the start of threads. */
void registry_lock(void);
void registry_unlock(void);
/* With the mutex held. */
void registry_add(hl_thread *thread);
void registry_remove(hl_thread *thread); /* does nothing if it isn't in */
/* Makes the calling thread's own reference go with the last of its thread-local destructors. */
void registry_keep_until_exit(hl_thread *self);

/* Complains about locks that the thread still holds, and marks them as abandoned. */
void lock_order_thread_ends(hl_thread *self);

/* "Thread-1", "Timer-2", ... */
void thread_number_name(char *buffer, size_t size, const char *prefix);

#endif
