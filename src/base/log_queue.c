// SPDX-License-Identifier: MIT
/*
 * The log's queue: lines between those who say something and the one thread that writes it.
 *
 * The other end of standard error may be a pipe that nobody reads, a terminal under Ctrl-S, or a
 * disk that is busy; each makes a write wait for as long as it likes. (Not blocking would be a
 * property of the open file, which the shell and everybody else who has it share.) So lines are put
 * into a ring here, which never waits, and one thread waits for all.
 *
 * The ring is bounded. What doesn't fit is dropped and counted, and a line tells the count when
 * there is room again; what was said before the gap is written before that line, what comes after
 * it behind.
 *
 * A line is written whole before the next one begins, whatever a single write takes of it. Without
 * space on a disk the rest is tried again each second. A line that can't be written at all (stderr
 * is closed, the reader of the pipe is gone) is counted as dropped, too.
 *
 * Locks: one plain mutex, below every other lock of the program. Under it bytes are copied, and
 * nothing else is done.
 */
#include "base/log_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Some thousand lines: SIGQUIT with hundreds of threads fits in. */
#define QUEUE_BYTES ((size_t)256 * 1024)
#define RETRY_MS 1000 /* without space on the disk */
#define NS_PER_SECOND INT64_C(1000000000)

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t filled;  /* for the thread that serves */
    pthread_cond_t written; /* for who waits until lines have left */
    char bytes[QUEUE_BYTES];
    size_t at, used;     /* the ring: lines, each with its newline */
    uint64_t put, taken; /* bytes, ever */
    uint64_t dropped;    /* lines, ever */
    uint64_t untold;     /* of these, those that no line has told of */
    bool open;           /* lines come here */
    bool closing;        /* it ends when nothing is left */
    bool writing;        /* it has a line in hand */
    bool failing;        /* it could not write the last one */
} queue = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static _Atomic bool is_open; /* as queue.open: lets the normal case do without the lock */

static void queue_lock(void)
{
    MUST(pthread_mutex_lock(&queue.mutex));
}

static void queue_unlock(void)
{
    MUST(pthread_mutex_unlock(&queue.mutex));
}

/* The child of a fork has neither the thread nor anything to tell of the lines. */
static void queue_forget(void)
{
    MUST(pthread_mutex_init(&queue.mutex, NULL));
    queue.open = queue.writing = false;
    queue.used = 0;
    atomic_store_explicit(&is_open, false, memory_order_release);
}

static void queue_init(void)
{
    pthread_condattr_t attr;
    MUST(pthread_condattr_init(&attr));
    MUST(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    MUST(pthread_cond_init(&queue.filled, NULL));
    MUST(pthread_cond_init(&queue.written, &attr));
    MUST(pthread_condattr_destroy(&attr));
    MUST(pthread_atfork(queue_lock, queue_unlock, queue_forget));
}

static void queue_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    MUST(pthread_once(&once, queue_init));
}

/* ---- the ring, all [held] ---- */

static void ring_add(const char *line, size_t len)
{
    size_t end = (queue.at + queue.used) % QUEUE_BYTES;
    size_t first = len < QUEUE_BYTES - end ? len : QUEUE_BYTES - end;
    memcpy(queue.bytes + end, line, first);
    memcpy(queue.bytes, line + first, len - first);
    queue.used += len;
    queue.put += len;
}

/* The oldest line. Its length. */
static size_t ring_take(char line[LOG_LINE_BYTES])
{
    size_t len = 0;
    do
        line[len] = queue.bytes[(queue.at + len) % QUEUE_BYTES];
    while (line[len++] != '\n');
    queue.at = (queue.at + len) % QUEUE_BYTES;
    queue.used -= len;
    queue.taken += len;
    return len;
}

/* The line that tells what is missing. Its length. */
static size_t gap_line(char line[LOG_LINE_BYTES])
{
    size_t len = log_line_make(line, LOG_LEVEL_WARNING,
                               "the log was not read for a while: %" PRIu64 " lines were left out",
                               queue.untold);
    queue.untold = 0;
    return len;
}

/* Before the next line, if both find room. */
static void gap_tell(size_t next)
{
    char line[LOG_LINE_BYTES];
    if (queue.untold == 0 || queue.failing || QUEUE_BYTES - queue.used < LOG_LINE_BYTES + next)
        return;
    size_t len = gap_line(line);
    ring_add(line, len);
}

/* ---- who says something ---- */

bool log_queue_put(const char *line, size_t len)
{
    if (!atomic_load_explicit(&is_open, memory_order_acquire))
        return false;
    queue_lock();
    bool open = queue.open;
    if (open) {
        gap_tell(len);
        if ((queue.untold > 0 && !queue.failing) || QUEUE_BYTES - queue.used < len) {
            queue.dropped++;
            queue.untold++;
        } else {
            ring_add(line, len);
        }
        MUST(pthread_cond_signal(&queue.filled));
    }
    queue_unlock();
    return open;
}

void log_stat(struct log_stat *stat)
{
    queue_lock();
    *stat = (struct log_stat){.dropped = queue.dropped, .pending = queue.used};
    queue_unlock();
}

/* ---- the thread that writes ---- */

/* EAGAIN: somebody who has the same open file made it so that it doesn't block. False: it is lost.
 */
static bool write_again(int error)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    switch (error) {
    case EINTR:
        return true;
    case EAGAIN:
        (void)poll(&ready, 1, -1);
        return true;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
    case ENOBUFS:
        (void)poll(NULL, 0, RETRY_MS);
        return true;
    default:
        return false;
    }
}

static bool write_whole(const char *line, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t wrote = write(STDERR_FILENO, line + done, len - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (!write_again(wrote < 0 ? errno : EIO))
            return false;
    }
    return true;
}

/* [held] What is to be written next. 0: nothing. */
static size_t line_next(char line[LOG_LINE_BYTES])
{
    if (queue.used > 0)
        return ring_take(line);
    return queue.untold > 0 && !queue.failing ? gap_line(line) : 0;
}

/* [held] Waits for a line. 0: there is none, and none will come. */
static size_t line_await(char line[LOG_LINE_BYTES], log_waits waits)
{
    size_t len;
    while ((len = line_next(line)) == 0 && !queue.closing) {
        queue_unlock();
        waits("lines");
        queue_lock();
        if (queue.used == 0 && !queue.closing)
            MUST(pthread_cond_wait(&queue.filled, &queue.mutex));
    }
    return len;
}

void log_queue_serve(log_waits waits)
{
    char line[LOG_LINE_BYTES];
    size_t len;
    queue_prepare();
    queue_lock();
    while ((len = line_await(line, waits)) > 0) {
        queue.writing = true;
        queue_unlock();
        waits("whoever reads it");
        bool good = write_whole(line, len);
        queue_lock();
        queue.writing = false;
        queue.failing = !good;
        if (!good) {
            queue.dropped++;
            queue.untold++;
        }
        MUST(pthread_cond_broadcast(&queue.written));
    }
    queue.open = false;
    atomic_store_explicit(&is_open, false, memory_order_release);
    MUST(pthread_cond_broadcast(&queue.written));
    queue_unlock();
}

/* ---- the beginning and the end ---- */

void log_queue_open(void)
{
    queue_prepare();
    queue_lock();
    queue.open = true;
    queue.closing = false;
    atomic_store_explicit(&is_open, true, memory_order_release);
    queue_unlock();
}

/* [held] Until what was put so far has left, or the time is over. */
static bool written_await(int64_t timeout_ns)
{
    struct timespec until;
    uint64_t upto = queue.put;
    MUST(clock_gettime(CLOCK_MONOTONIC, &until) != 0 ? errno : 0);
    int64_t until_ns = until.tv_nsec + timeout_ns % NS_PER_SECOND;
    until.tv_sec += timeout_ns / NS_PER_SECOND + until_ns / NS_PER_SECOND;
    until.tv_nsec = until_ns % NS_PER_SECOND;
    int rc = 0;
    while (rc == 0 && queue.open && (queue.taken < upto || queue.writing))
        rc = pthread_cond_timedwait(&queue.written, &queue.mutex, &until);
    return rc == 0;
}

void log_flush(int64_t timeout_ns)
{
    if (!atomic_load_explicit(&is_open, memory_order_acquire))
        return;
    queue_lock();
    (void)written_await(timeout_ns);
    queue_unlock();
}

bool log_queue_close(int64_t timeout_ns)
{
    queue_lock();
    queue.closing = true;
    MUST(pthread_cond_signal(&queue.filled));
    bool written = written_await(timeout_ns);
    queue_unlock();
    return written;
}
