// SPDX-License-Identifier: MIT
/*
 * Commands that take several turns of their connection: those that go through as many jobs as a
 * tube has, and those whose answer is longer than what may wait for a reader.
 *
 * A task does a part at a time and is asked for the next one when the others of its loop had their
 * turns, and when there is room in the connection's output (conn_go_on). Nothing else of the
 * connection is executed meanwhile. If the client goes, the task ends where it is; one that merely
 * sends no more gets its answer.
 */
#include "front/task_priv.h"

static void task_step(struct session *session)
{
    struct task *task = session->task;
    if (task->kind->step(session, task)) {
        conn_go_on(session->conn);
        return;
    }
    session->task = NULL;
    task->kind->release(task);
}

void task_start(struct session *session, struct task *task)
{
    ASSERT(session->task == NULL);
    session->task = task;
    task_step(session);
}

void task_go_on(struct session *session)
{
    ASSERT(session->task != NULL);
    task_step(session);
}

void task_abandon(struct session *session)
{
    struct task *task = session->task;
    session->task = NULL;
    if (task != NULL)
        task->kind->release(task);
}
