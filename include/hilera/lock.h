// SPDX-License-Identifier: MIT
/*
 * Lock: mutual exclusion with an owner and built-in deadlock detection.
 *
 * As Python's threading.Lock, with one departure: a lock is owned by the thread that acquired it.
 * Python lets any thread release; here release by another thread, or of an unlocked lock, is EPERM,
 * and a second acquire by the owner is EDEADLK instead of a silent hang.
 *
 * Order checking is always on. Each lock belongs to a class with a rank; locks are acquired in
 * rising rank. Locks without a class have no rank, and their order is learnt: once some thread has
 * acquired B while it held A, acquiring A while holding B closes a cycle. Acquiring against the
 * rank, closing a cycle, and acquiring twice are each reported, once per pair, with both threads,
 * both locks and where each was taken, before anything blocks. After a report a wrong order goes on
 * (it is a danger, not yet a deadlock); an acquire that can't ever succeed (the owner itself, a
 * ring of threads that wait for each other without timeout, or a lock whose owner's thread has
 * ended) returns EDEADLK. A thread that ends with a lock is reported too; the lock stays taken for
 * good.
 */
#ifndef HILERA_LOCK_H
#define HILERA_LOCK_H

#include <hilera/version.h>

#include <stdbool.h>

HL_BEGIN_DECLS

typedef struct hl_lock hl_lock;
typedef struct hl_lock_class hl_lock_class;

/* Ranks run from 1 to this; a higher one is acquired later. */
#define HL_LOCK_RANK_MAX 1000000

/*
 * Registers a class, for the life of the process. `name` is copied. The same name with the same
 * rank gives the same class again. EEXIST: the name is taken with another rank. EINVAL: name empty
 * or rank outside 1..HL_LOCK_RANK_MAX. ENOMEM. Two locks of one class are never held together
 * (their ranks do not rise).
 */
HL_API int hl_lock_class_register(const hl_lock_class **out, const char *name, int rank);

/* `name` is copied, for reports (NULL: the class's name, or "lock"); class NULL: order is learnt.
 * ENOMEM. */
HL_API int hl_lock_new(hl_lock **out, const char *name, const hl_lock_class *lock_class);

/* Frees an unlocked lock that nobody waits for; anything else is a bug in the caller and stops the
 * program. */
HL_API void hl_lock_free(hl_lock **lock);

/* Blocks until it is ours. EDEADLK: it is ours already, or every thread in a ring waits for the
 * next, or its owner's thread has ended, before this call or during it. */
#define hl_lock_acquire(lock) hl_lock_acquire_at((lock), HL_FOREVER, HL_HERE)

/* Without waiting. EBUSY: somebody (the caller included) has it, as in Python's
 * acquire(blocking=False). */
#define hl_lock_try_acquire(lock) hl_lock_try_acquire_at((lock), HL_HERE)

/*
 * Waits `timeout_ns` at most. ETIMEDOUT. -1 and HL_FOREVER wait without end, 0 looks once, in
 * any order; EINVAL: another negative number. (Python: acquire(timeout=...).) EDEADLK: it is ours
 * already, or its owner's thread has ended.
 */
#define hl_lock_acquire_timed(lock, timeout_ns) hl_lock_acquire_at((lock), (timeout_ns), HL_HERE)

/* EPERM: not locked, or locked by another thread; nothing changed. */
HL_API int hl_lock_release(hl_lock *lock);

/* Whether anybody has it; true may be old news when it arrives, unless the caller has it. */
HL_API bool hl_lock_is_locked(const hl_lock *lock);
/* Whether the calling thread has it. */
HL_API bool hl_lock_is_mine(const hl_lock *lock);

/*
 * The scoped form: acquires now, releases when the enclosing block ends, however it is left.
 *
 *     {
 *         HL_LOCK_SCOPE(lock);
 *         ...
 *         if (nothing)
 *             return;      // released
 *     }                    // released
 *
 * An acquire that fails (EDEADLK) stops the program with a message: going on unlocked would be
 * worse.
 */
#define HL_LOCK_SCOPE(lock) HL_LOCK_SCOPE_(lock, __COUNTER__)
#define HL_LOCK_SCOPE_(lock, n) HL_LOCK_SCOPE__(lock, n)
#define HL_LOCK_SCOPE__(lock, n)                                                                   \
    __attribute__((cleanup(hl_lock_scope_leave), unused))                                          \
    hl_lock *hl_lock_scope_##n = /* NOLINT */                                                      \
        hl_lock_scope_enter((lock), HL_HERE)

/* The functions behind the macros; `place` must be a string that lives for ever. */
HL_API int hl_lock_acquire_at(hl_lock *lock, int64_t timeout_ns, const char *place);
HL_API int hl_lock_try_acquire_at(hl_lock *lock, const char *place);
HL_API hl_lock *hl_lock_scope_enter(hl_lock *lock, const char *place);
HL_API void hl_lock_scope_leave(hl_lock **lock);

/*
 * Where reports of deadlocks and wrong order go: one call per report, `text` of several lines
 * without the last newline. NULL: the default, which writes to stderr. The function runs on the
 * offending thread and must not acquire locks of this library. With HILERA_LOCK_ORDER=abort in the
 * environment the program stops after a report.
 */
typedef void (*hl_lock_report)(const char *text, void *arg);
HL_API void hl_lock_set_report(hl_lock_report report, void *arg);

HL_END_DECLS

#endif
