// SPDX-License-Identifier: MIT
/*
 * The life of one thread: new -> start -> running -> ended, each once.
 *
 * An object is counted: one reference is the caller's, one belongs to the running thread and is
 * dropped by the last of its thread-local destructors, so hl_thread_current works to the very end.
 * `state` is the word that joiners sleep on. Whoever joins first also reaps the pthread, so that
 * after a join the system's thread is gone, too; a thread that is freed without a join is detached.
 */
#include "thr/thread_priv.h"

#include "thr/thr.h"

#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic uint64_t last_ident;

void thread_number_ident(hl_thread *thread)
{
    atomic_store(&thread->ident, atomic_fetch_add(&last_ident, 1) + 1);
}

void thread_number_name(char *buffer, size_t size, const char *prefix)
{
    /* One row a kind: each counts by itself, as Python's "Thread-N" and "Dummy-N" do. */
    static struct {
        const char *prefix;
        atomic_uint last;
    } kind[] = {{"Thread", 0}, {"Timer", 0}, {"Dummy", 0}};

    for (size_t i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
        if (strcmp(kind[i].prefix, prefix) != 0)
            continue;
        (void)snprintf(buffer, size, "%s-%u", prefix, atomic_fetch_add(&kind[i].last, 1) + 1);
        return;
    }
    CANT_HAPPEN("a kind of thread name without a counter");
}

/* Copies as much as fits and terminates. */
static void copy_text(char *to, size_t size, const char *from)
{
    size_t len = strnlen(from, size - 1);
    memcpy(to, from, len);
    to[len] = '\0';
}

int thread_alloc(hl_thread **out, const char *name)
{
    hl_thread *thread = calloc(1, sizeof(*thread));
    if (thread == NULL)
        return ENOMEM;
    MAGIC_INIT(thread, THREAD_MAGIC);
    atomic_init(&thread->refs, 1);
    list_node_init(&thread->node);
    MUST(pthread_mutex_init(&thread->info, NULL));
    if (name == NULL || name[0] == '\0')
        thread_number_name(thread->name, sizeof(thread->name), "Thread");
    else
        copy_text(thread->name, sizeof(thread->name), name);
    *out = thread;
    return 0;
}

int hl_thread_new(hl_thread **out, const struct hl_thread_options *options)
{
    if (options->stack_size != 0 && options->stack_size < (size_t)PTHREAD_STACK_MIN)
        return EINVAL;
    hl_thread *thread;
    int rc = thread_alloc(&thread, options->name);
    if (rc != 0)
        return rc;
    thread->target = options->target;
    thread->arg = options->arg;
    thread->run = options->run != NULL ? options->run : hl_thread_run;
    thread->data = options->data;
    thread->stack_size = options->stack_size;
    atomic_init(&thread->daemon, options->daemon == HL_DAEMON_INHERIT
                                     ? hl_thread_get_daemon(thread_self())
                                     : options->daemon == HL_DAEMON_YES);
    *out = thread;
    return 0;
}

hl_thread *hl_thread_ref(hl_thread *thread)
{
    MAGIC_CHECK(thread, THREAD_MAGIC);
    atomic_fetch_add_explicit(&thread->refs, 1, memory_order_relaxed);
    return thread;
}

void hl_thread_free(hl_thread **thread_ptr)
{
    if (*thread_ptr == NULL)
        return;
    hl_thread *thread;
    MAGIC_TAKE(thread, thread_ptr, THREAD_MAGIC);
    if (atomic_fetch_sub_explicit(&thread->refs, 1, memory_order_acq_rel) != 1)
        return;
    ASSERT(!list_node_linked(&thread->node));
    if (!thread->stand_in && atomic_load(&thread->state) == THREAD_ENDED &&
        !atomic_exchange(&thread->reaped, true))
        MUST(pthread_detach(thread->handle));
    MUST(pthread_mutex_destroy(&thread->info));
    MAGIC_WIPE(thread);
    free(thread);
}

void hl_thread_run(hl_thread *self)
{
    MAGIC_CHECK(self, THREAD_MAGIC);
    if (self->target != NULL)
        self->target(self->arg);
}

void *hl_thread_self_data(const hl_thread *self)
{
    MAGIC_CHECK(self, THREAD_MAGIC);
    return self->data;
}

void thread_bind_self(hl_thread *self)
{
    self->handle = pthread_self();
    atomic_store(&self->native_id, (pid_t)syscall(SYS_gettid));
    thread_tls = self;
}

static void *thread_entry(void *arg)
{
    hl_thread *self = arg;
    thread_bind_self(self);
    registry_keep_until_exit(self);

    MUST(pthread_mutex_lock(&self->info));
    (void)prctl(PR_SET_NAME, self->name); /* the kernel cuts it to 15 bytes */
    atomic_store(&self->state, THREAD_RUNNING);
    MUST(pthread_mutex_unlock(&self->info));

    self->run(self);

    lock_order_thread_ends(self);
    registry_lock();
    registry_remove(self);
    registry_unlock();
    MUST(pthread_mutex_lock(&self->info));
    atomic_store(&self->state, THREAD_ENDED);
    MUST(pthread_mutex_unlock(&self->info));
    park_wake(&self->state, INT_MAX);
    return NULL;
}

static int create_pthread(hl_thread *thread)
{
    pthread_attr_t attr;
    int rc = pthread_attr_init(&attr);
    if (rc != 0)
        return rc;
    pthread_t handle; /* the thread writes its own before it says RUNNING */
    if (thread->stack_size != 0)
        rc = pthread_attr_setstacksize(&attr, thread->stack_size);
    if (rc == 0)
        rc = pthread_create(&handle, &attr, thread_entry, thread);
    MUST(pthread_attr_destroy(&attr));
    return rc;
}

int hl_thread_start(hl_thread *thread)
{
    MAGIC_CHECK(thread, THREAD_MAGIC);
    registry_lock();
    if (thread->stand_in || atomic_load(&thread->state) != THREAD_NEW) {
        registry_unlock();
        return EALREADY;
    }
    atomic_store(&thread->state, THREAD_STARTING);
    thread_number_ident(thread);
    registry_add(thread);
    registry_unlock();

    hl_thread *running = hl_thread_ref(thread); /* its own, dropped at its very end */
    int rc = create_pthread(thread);
    if (rc == 0)
        return 0;
    registry_lock();
    registry_remove(thread);
    atomic_store(&thread->ident, 0);
    atomic_store(&thread->state, THREAD_NEW);
    registry_unlock();
    park_wake(&thread->state, INT_MAX);
    hl_thread_free(&running);
    return rc;
}

int hl_thread_join(hl_thread *thread, int64_t timeout_ns)
{
    MAGIC_CHECK(thread, THREAD_MAGIC);
    if (thread->stand_in)
        return EINVAL;
    if (thread == thread_tls)
        return EDEADLK;
    uint32_t state = atomic_load(&thread->state);
    if (state == THREAD_NEW)
        return EINVAL;
    if (state != THREAD_ENDED) {
        if (timeout_ns <= 0)
            return ETIMEDOUT;
        char name[HL_THREAD_NAME_MAX];
        hl_thread_wait_begin("thread join", hl_thread_get_name(thread, name, sizeof(name)));
        int64_t deadline_ns = clock_deadline(timeout_ns);
        bool late = false;
        while ((state = atomic_load(&thread->state)) != THREAD_ENDED && state != THREAD_NEW &&
               !late)
            late = park_wait(&thread->state, state, deadline_ns) == ETIMEDOUT;
        hl_thread_wait_end();
        state = atomic_load(&thread->state);
        if (state == THREAD_NEW)
            return EINVAL; /* the start failed meanwhile */
        if (state != THREAD_ENDED)
            return ETIMEDOUT;
    }
    if (!atomic_exchange(&thread->reaped, true))
        MUST(pthread_join(thread->handle, NULL));
    return 0;
}

bool hl_thread_is_alive(const hl_thread *thread)
{
    MAGIC_CHECK(thread, THREAD_MAGIC);
    uint32_t state = atomic_load(&thread->state);
    return state == THREAD_STARTING || state == THREAD_RUNNING;
}

char *hl_thread_get_name(const hl_thread *thread, char *buffer, size_t size)
{
    MAGIC_CHECK(thread, THREAD_MAGIC);
    pthread_mutex_t *info =
        (pthread_mutex_t *)&thread->info; /* the object is ours, not the caller's to keep const */
    MUST(pthread_mutex_lock(info));
    if (size > 0)
        copy_text(buffer, size, thread->name);
    MUST(pthread_mutex_unlock(info));
    return buffer;
}

int hl_thread_set_name(hl_thread *thread, const char *name)
{
    MAGIC_CHECK(thread, THREAD_MAGIC);
    if (name == NULL || name[0] == '\0')
        return EINVAL;
    MUST(pthread_mutex_lock(&thread->info));
    copy_text(thread->name, sizeof(thread->name), name);
    /* Before RUNNING the thread names itself; after that the handle is only good until ENDED, which
     * `info` keeps off. */
    if (atomic_load(&thread->state) == THREAD_RUNNING) {
        char kernel_name[16];
        copy_text(kernel_name, sizeof(kernel_name), name);
        (void)pthread_setname_np(thread->handle, kernel_name);
    }
    MUST(pthread_mutex_unlock(&thread->info));
    return 0;
}

bool hl_thread_get_daemon(const hl_thread *thread)
{
    MAGIC_CHECK(thread, THREAD_MAGIC);
    return atomic_load(&thread->daemon);
}

int hl_thread_set_daemon(hl_thread *thread, bool daemon)
{
    MAGIC_CHECK(thread, THREAD_MAGIC);
    int rc = 0;
    registry_lock();
    if (thread->stand_in || atomic_load(&thread->state) != THREAD_NEW)
        rc = EBUSY;
    else
        atomic_store(&thread->daemon, daemon);
    registry_unlock();
    return rc;
}

uint64_t hl_thread_get_ident(const hl_thread *thread)
{
    MAGIC_CHECK(thread, THREAD_MAGIC);
    return atomic_load(&thread->ident);
}

pid_t hl_thread_get_native_id(const hl_thread *thread)
{
    MAGIC_CHECK(thread, THREAD_MAGIC);
    return atomic_load(&thread->native_id);
}

void hl_thread_wait_begin(const char *waits_for, const char *object)
{
    hl_thread *self = thread_self();
    int64_t now_ns = clock_now_ns();
    MUST(pthread_mutex_lock(&self->info));
    copy_text(self->waits_for, sizeof(self->waits_for), waits_for);
    copy_text(self->object, sizeof(self->object), object);
    self->waiting_since_ns = now_ns;
    MUST(pthread_mutex_unlock(&self->info));
}

void hl_thread_wait_end(void)
{
    hl_thread *self = thread_self();
    MUST(pthread_mutex_lock(&self->info));
    self->waits_for[0] = '\0';
    self->object[0] = '\0';
    MUST(pthread_mutex_unlock(&self->info));
}
