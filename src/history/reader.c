// SPDX-License-Identifier: MIT
/*
 * The thread "records": reads the file of finished jobs, and is the only one that does.
 *
 * It answers questions in the order in which they came, and without any it goes on filling the
 * filter of keys, a part at a time, so a question waits for one part at most. There are no more
 * questions than there are connections and threads, as each has one at a time.
 *
 * The thread sleeps on an event. It clears it before it looks, so nothing that is told in between
 * is missed.
 */
#include "base/clock.h"
#include "history/reader_priv.h"

#include <errno.h>

void reader_wake(struct history *history)
{
    atomic_fetch_add(&history->reader_bell, 1);
    park_wake(&history->reader_bell, 1);
}

/* The question that was asked first, which can't be cancelled from now on; NULL: none. *fill: a
 * part of the filter is to be made, *until: not before then. false: it is over. */
static bool work_next(struct history *history, struct history_question **question, bool *fill,
                      int64_t *until)
{
    HL_LOCK_SCOPE(history->lock);
    *question = NULL;
    if (history->asked_no_more)
        return false;
    struct list_node *node = list_pop(&history->asked);
    if (node != NULL) {
        *question = CONTAINER_OF(node, struct history_question, later.node);
        (*question)->is_read = true;
    }
    *fill = keys_wanted(history);
    *until = keys_due(history);
    return true;
}

static void question_answer(struct history *history, struct history_question *question)
{
    struct list fire;
    list_init(&fire);
    int rc = question_read(history, question);
    hl_lock_acquire(history->lock);
    later_ready(&question->later, rc, &fire);
    hl_lock_release(history->lock);
    later_fire(&fire);
}

static void reader_main(void *arg)
{
    struct history *history = arg;
    struct history_question *question;
    bool fill;
    int64_t from_ns;
    uint32_t seen = atomic_load(&history->reader_bell);
    while (work_next(history, &question, &fill, &from_ns)) {
        if (question != NULL)
            question_answer(history, question);
        else if (fill && from_ns <= clock_now_ns())
            keys_fill(history);
        else {
            hl_thread_wait_begin("history", "questions");
            (void)park_wait(&history->reader_bell, seen, fill ? from_ns : CLOCK_NEVER);
            hl_thread_wait_end();
        }
        seen = atomic_load(&history->reader_bell);
    }
}

int reader_start(struct history *history)
{
    int rc = hl_thread_new(&history->reader, &(struct hl_thread_options){.target = reader_main,
                                                                         .arg = history,
                                                                         .name = "records",
                                                                         .daemon = HL_DAEMON_NO});
    if (rc == 0)
        rc = hl_thread_start(history->reader);
    if (rc != 0)
        hl_thread_free(&history->reader);
    return rc;
}

void reader_stop(struct history *history)
{
    struct list fire;
    struct list_node *node;
    if (history->reader == NULL)
        return;
    list_init(&fire);
    hl_lock_acquire(history->lock);
    history->asked_no_more = true;
    while ((node = list_first(&history->asked)) != NULL)
        later_ready(CONTAINER_OF(node, struct later, node), ECANCELED, &fire);
    hl_lock_release(history->lock);
    reader_wake(history);
    later_fire(&fire);
    MUST(hl_thread_join(history->reader, HL_FOREVER));
    hl_thread_free(&history->reader);
}
