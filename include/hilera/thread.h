// SPDX-License-Identifier: MIT
/*
 * Thread: Python's threading.Thread for C.
 *
 * Made with a target and a name, it runs nothing before hl_thread_start, and
 * starts once: for another run make another object. Semantics and corner cases
 * follow https://docs.python.org/3.13/library/threading.html#thread-objects;
 * where Python raises RuntimeError, the errno is named at the function.
 *
 * At program exit (return from main, or exit() from any thread) every started
 * thread that is not a daemon is joined and daemon threads are left running, to
 * end with the process. exit() called from a thread of ours does not wait for
 * that thread. The joining happens in an atexit handler registered when the
 * library is loaded, so after the handlers that the program itself registers.
 *
 * Ownership: hl_thread_new gives the caller one reference, hl_thread_free drops
 * it. A running thread keeps itself alive, so it may be freed at any time; what
 * is freed unjoined cleans up after itself when it ends.
 */
#ifndef HILERA_THREAD_H
#define HILERA_THREAD_H

#include <hilera/version.h>

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

HL_BEGIN_DECLS

typedef struct hl_thread hl_thread;

/* What a thread runs; `arg` is the one given in the options. */
typedef void (*hl_thread_target)(void *arg);

/* The daemon flag at creation: inherited from the creating thread, as in Python, or set. */
enum hl_thread_daemon { HL_DAEMON_INHERIT = 0, HL_DAEMON_NO, HL_DAEMON_YES };

/*
 * How a thread is made. All zero is a valid thread that does nothing.
 */
struct hl_thread_options {
    hl_thread_target target; /* what the default run calls; may be NULL */
    void *arg;               /* passed to target; not owned */
    const char *name;        /* copied; NULL or "": "Thread-N", N counting from 1 */
    enum hl_thread_daemon daemon;
    /*
     * The "subclass": called in place of hl_thread_run when the thread starts.
     * It may call hl_thread_run itself, as a Python subclass calls super().run().
     * `hl_thread_self_data` gives it the `data` below.
     */
    void (*run)(hl_thread *self);
    void *data;        /* for an overriding run; not owned */
    size_t stack_size; /* bytes, 0: the system's default; at least PTHREAD_STACK_MIN */
};

/* Makes a thread that is not running yet. EINVAL: the stack size is too small. ENOMEM. */
HL_API int hl_thread_new(hl_thread **out, const struct hl_thread_options *options);

/*
 * Starts it; is_alive is true when this returns.
 * EALREADY: started before, whether or not it has ended. EAGAIN: the system has no more threads
 * (the thread may be started again later, as in Python).
 */
HL_API int hl_thread_start(hl_thread *thread);

/*
 * Waits until it has ended, `timeout_ns` at most (HL_FOREVER; 0 or less looks without waiting).
 * May be repeated, and called by several threads. ETIMEDOUT: still running. EINVAL: not started
 * yet, or a foreign thread or the main thread's stand-in, which can't be joined. EDEADLK: it is the
 * calling thread.
 */
HL_API int hl_thread_join(hl_thread *thread, int64_t timeout_ns);

/* From just before run begins until just after it ended; always true for main and foreign threads.
 */
HL_API bool hl_thread_is_alive(const hl_thread *thread);

/* What run does unless overridden: calls the target once, if there is one. */
HL_API void hl_thread_run(hl_thread *self);

/* The `data` of the options. */
HL_API void *hl_thread_self_data(const hl_thread *self);

/*
 * The name: for people; need not be unique. It also appears, cut to 15 bytes, in /proc/PID/task.
 * get copies into `buffer` (always terminated) and returns buffer. set: EINVAL if empty.
 */
#define HL_THREAD_NAME_MAX 64 /* bytes with the terminating NUL; longer names are cut */
HL_API char *hl_thread_get_name(const hl_thread *thread, char *buffer, size_t size);
HL_API int hl_thread_set_name(hl_thread *thread, const char *name);

/* The daemon flag. set: EBUSY once it was started, also after its end (Python: RuntimeError). */
HL_API bool hl_thread_get_daemon(const hl_thread *thread);
HL_API int hl_thread_set_daemon(hl_thread *thread, bool daemon);

/* A number for this thread, unique in the process and never reused; 0 before it starts. */
HL_API uint64_t hl_thread_get_ident(const hl_thread *thread);

/* The kernel's thread id (gettid); 0 before it runs. */
HL_API pid_t hl_thread_get_native_id(const hl_thread *thread);

/*
 * The calling thread's object. A thread that this library did not start gets a stand-in: the main
 * thread "MainThread", any other "Dummy-N", which is alive, daemon and can't be joined; it goes
 * when the thread ends. Not a new reference: valid while the thread runs. Never NULL.
 */
HL_API hl_thread *hl_thread_current(void);

/* The object of the thread that loaded the library (in a forked child: the one that forked). */
HL_API hl_thread *hl_thread_main(void);

/* How many threads are alive: started ones, main, and foreign threads that have a stand-in. */
HL_API size_t hl_thread_active_count(void);

/* One more reference on the object / one less. Drop both kinds with hl_thread_free. */
HL_API hl_thread *hl_thread_ref(hl_thread *thread);
HL_API void hl_thread_free(hl_thread **thread);

/* What a thread is blocked on, for people who look from outside. */
struct hl_thread_info {
    char name[HL_THREAD_NAME_MAX];
    uint64_t ident;
    pid_t native_id;
    bool daemon;
    bool alive;
    /*
     * "" while it runs; else what it waits for: "lock", "event", "queue get", "queue put", "queue
     * join", "thread join", or what hl_thread_wait_begin was told, and the name of that object.
     */
    char waits_for[24];
    char object[HL_THREAD_NAME_MAX];
    int64_t waiting_ns; /* for how long already */
};

/*
 * Calls `visit` once for each living thread, in order of creation, with a copy of its state. No
 * lock of the library is held during the call. ENOMEM: nothing was visited.
 */
HL_API int hl_thread_enumerate(void (*visit)(const struct hl_thread_info *info, void *arg),
                               void *arg);

/*
 * For code that blocks in something the library doesn't know (an event loop, a read): what the
 * calling thread waits for, until _end. Both strings must stay valid until then.
 */
HL_API void hl_thread_wait_begin(const char *waits_for, const char *object);
HL_API void hl_thread_wait_end(void);

HL_END_DECLS

#endif
