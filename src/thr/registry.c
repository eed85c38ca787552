// SPDX-License-Identifier: MIT
/*
 * All threads: who is current, who is main, stand-ins for threads that the library did not start,
 * enumeration, and what happens at exit and after a fork.
 *
 * One mutex covers the list, the start of threads, and which lock each thread waits for
 * (lock_ring.c walks that). It is a plain pthread mutex below every hl_lock, and nothing else is
 * acquired under it but a thread's `info`.
 *
 * The end: a thread's last reference of its own goes with a thread-local destructor. Destructors of
 * the program that run later and use the library get a fresh stand-in, whose destructor then runs
 * in the next round.
 */
#include "thr/lock_priv.h"
#include "thr/park_priv.h"
#include "thr/thr.h"
#include "thr/thread_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

_Thread_local hl_thread *thread_tls;

static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list registry = {{&registry.head, &registry.head}}; /* of hl_thread, by age */
static size_t registry_count;
static hl_thread *main_thread;
static pthread_key_t self_key;

void registry_lock(void)
{
    MUST(pthread_mutex_lock(&registry_mutex));
}

void registry_unlock(void)
{
    MUST(pthread_mutex_unlock(&registry_mutex));
}

void registry_add(hl_thread *thread)
{
    list_append(&registry, &thread->node);
    registry_count++;
}

void registry_remove(hl_thread *thread)
{
    if (!list_node_linked(&thread->node))
        return;
    list_remove(&thread->node);
    registry_count--;
}

void registry_keep_until_exit(hl_thread *self)
{
    MUST(pthread_setspecific(self_key, self));
}

/* The last of a thread: `value` is the reference it held on its own object. */
static void self_key_ends(void *value)
{
    hl_thread *self = value;
    lock_order_thread_ends(self);
    /* Also for a thread that left the registry when its run ended: whoever found it as the owner of
     * a lock that a destructor took is done with it once the mutex is ours. */
    registry_lock();
    registry_remove(self);
    registry_unlock();
    if (self->stand_in) {
        MUST(pthread_mutex_lock(&self->info)); /* keeps set_name off the handle */
        atomic_store(&self->state, THREAD_ENDED);
        MUST(pthread_mutex_unlock(&self->info));
    }
    thread_tls = NULL;
    hl_thread_free(&self);
}

static hl_thread *stand_in_new(const char *name)
{
    hl_thread *self;
    if (thread_alloc(&self, name) != 0)
        CANT_HAPPEN("no memory for the stand-in of a foreign thread");
    self->stand_in = true;
    self->run = hl_thread_run;
    thread_number_ident(self);
    atomic_store(&self->state, THREAD_RUNNING);
    thread_bind_self(self);
    registry_lock();
    registry_add(self);
    registry_unlock();
    return self;
}

hl_thread *registry_adopt(void)
{
    char name[HL_THREAD_NAME_MAX];
    thread_number_name(name, sizeof(name), "Dummy");
    hl_thread *self = stand_in_new(name);
    atomic_store(&self->daemon, true);
    registry_keep_until_exit(self);
    return self;
}

hl_thread *hl_thread_current(void)
{
    return thread_self();
}

hl_thread *hl_thread_main(void)
{
    return main_thread;
}

size_t hl_thread_active_count(void)
{
    registry_lock();
    size_t count = registry_count;
    registry_unlock();
    return count;
}

static void describe(hl_thread *thread, int64_t now_ns, struct hl_thread_info *info)
{
    memset(info, 0, sizeof(*info));
    info->ident = hl_thread_get_ident(thread);
    info->native_id = hl_thread_get_native_id(thread);
    info->daemon = hl_thread_get_daemon(thread);
    info->alive = hl_thread_is_alive(thread);
    MUST(pthread_mutex_lock(&thread->info));
    memcpy(info->name, thread->name, sizeof(info->name));
    memcpy(info->waits_for, thread->waits_for, sizeof(info->waits_for));
    memcpy(info->object, thread->object, sizeof(info->object));
    if (info->waits_for[0] != '\0' && now_ns > thread->waiting_since_ns)
        info->waiting_ns = now_ns - thread->waiting_since_ns;
    MUST(pthread_mutex_unlock(&thread->info));
}

int hl_thread_enumerate(void (*visit)(const struct hl_thread_info *info, void *arg), void *arg)
{
    int64_t now_ns = clock_now_ns();
    registry_lock();
    struct hl_thread_info *infos = calloc(registry_count, sizeof(*infos));
    size_t count = 0;
    if (infos != NULL) {
        for (struct list_node *node = list_first(&registry); node != NULL;
             node = list_next(&registry, node))
            describe(CONTAINER_OF(node, hl_thread, node), now_ns, &infos[count++]);
    }
    registry_unlock();
    if (infos == NULL)
        return ENOMEM;
    for (size_t i = 0; i < count; i++)
        visit(&infos[i], arg);
    free(infos);
    return 0;
}

/* ---- the end of the program ---- */

/* A thread that the exit has to wait for, with a reference; NULL when there is none left. */
static hl_thread *next_to_join(void)
{
    hl_thread *found = NULL;
    registry_lock();
    for (struct list_node *node = list_first(&registry); node != NULL && found == NULL;
         node = list_next(&registry, node)) {
        hl_thread *thread = CONTAINER_OF(node, hl_thread, node);
        if (!thread->stand_in && thread != thread_tls && !atomic_load(&thread->daemon))
            found = hl_thread_ref(thread);
    }
    registry_unlock();
    return found;
}

/* Joins every thread that is not a daemon, those they start meanwhile included. EINVAL: its start
 * failed while we waited, so it isn't in the registry any more. */
static void join_all_at_exit(void)
{
    hl_thread *thread;
    while ((thread = next_to_join()) != NULL) {
        int rc = hl_thread_join(thread, HL_FOREVER);
        ASSERT(rc == 0 || rc == EINVAL);
        hl_thread_free(&thread);
    }
}

/*
 * ---- fork: only the calling thread goes on in the child, and becomes its main thread ----
 *
 * The mutexes of the whole library are acquired before, in the order in which they nest, so that
 * none is left taken by a thread that the child doesn't have. A thread's `info` is not among them:
 * it covers nothing that can be half changed but a text, so the child makes it anew.
 */

static void fork_prepare(void)
{
    registry_lock();
    lock_order_fork_prepare();
    lock_class_fork_prepare();
    lock_report_fork_prepare();
}

static void fork_done(void)
{
    lock_report_fork_done();
    lock_class_fork_done();
    lock_order_fork_done();
}

static void fork_parent(void)
{
    fork_done();
    registry_unlock();
}

static void fork_child(void)
{
    fork_done();
    hl_thread *self = thread_tls;
    struct list_node *node = list_first(&registry);
    while (node != NULL) {
        hl_thread *thread = CONTAINER_OF(node, hl_thread, node);
        node = list_next(&registry, node);
        MUST(pthread_mutex_init(&thread->info, NULL));
        if (thread == self)
            continue;
        /* It isn't there any more. Its memory stays: it may have been in the middle of anything. */
        registry_remove(thread);
        atomic_store(&thread->reaped, true);
        atomic_store(&thread->state, THREAD_ENDED);
    }
    MUST(pthread_mutex_init(&registry_mutex, NULL));
    if (self == NULL) { /* a thread that we never heard of: a main thread like any other */
        self = stand_in_new("MainThread");
        registry_keep_until_exit(self);
    }
    atomic_store(&self->native_id, (pid_t)syscall(SYS_gettid));
    main_thread = self;
}

/* Before main, or when the library is loaded: the calling thread is taken for the main one. */
__attribute__((constructor)) static void thr_init(void)
{
    park_init();
    lock_order_init();
    MUST(pthread_key_create(&self_key, self_key_ends));
    main_thread = stand_in_new("MainThread");
    MUST(pthread_atfork(fork_prepare, fork_parent, fork_child));
    MUST(atexit(join_all_at_exit));
}
