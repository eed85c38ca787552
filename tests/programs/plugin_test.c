// SPDX-License-Identifier: MIT
// A plug-in that does what its job says, for test_plugin: every verdict, every function of the
// host, and runs that end only when they are cancelled.
//
// Words: "done", "fail TEXT", "fail" (no reason), "retry" (done at the second attempt), "later" (a
// retry without saying when), "verdict N", "arguments", "speak", "flood", "job", "block" and
// "block done" (until cancelled; the verdict then), "look" (until it is cancelled, by looking).

#include <hilera/plugin.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    unsigned cancels;
    char copy[64];
};

static int test_init(const struct hl_plugin_host *host, int count, const char *const *argument,
                     void **state, char *why, size_t why_size)
{
    if (host->abi != HL_PLUGIN_ABI || host->size != sizeof(*host) || argument[count] != NULL)
        return EPROTO;
    if (count > 0 && strcmp(argument[0], "refuse") == 0) {
        if (count > 1)
            snprintf(why, why_size, "%s", argument[1]);
        return EBUSY;
    }
    if (count > 0 && strcmp(argument[0], "refuse oddly") == 0)
        return -1;
    struct test *test = calloc(1, sizeof(*test));
    if (test == NULL)
        return ENOMEM;
    pthread_mutex_init(&test->mutex, NULL);
    pthread_cond_init(&test->moved, NULL);
    snprintf(test->copy, sizeof(test->copy), "%s", count > 0 ? argument[0] : "none");
    host->log(host, HL_PLUGIN_NOTICE, "test starts");
    *state = test;
    return 0;
}

static void test_fini(void *state)
{
    struct test *test = state;
    pthread_cond_destroy(&test->moved);
    pthread_mutex_destroy(&test->mutex);
    free(test);
}

static void test_cancel(void *state, struct hl_plugin_run *run)
{
    (void)run;
    struct test *test = state;
    pthread_mutex_lock(&test->mutex);
    test->cancels++;
    pthread_cond_broadcast(&test->moved);
    pthread_mutex_unlock(&test->mutex);
}

static void block(struct test *test, const struct hl_plugin_host *host)
{
    pthread_mutex_lock(&test->mutex);
    host->log(host, HL_PLUGIN_NOTICE, "blocked");
    while (test->cancels == 0)
        pthread_cond_wait(&test->moved, &test->mutex);
    pthread_mutex_unlock(&test->mutex);
}

static enum hl_plugin_verdict speak(const struct hl_plugin_host *host, struct hl_plugin_run *run)
{
    if (host->output(run, "one\0two", 7) != 0 || host->note(run, "a note") != 0 ||
        host->note(run, "another") != 0)
        return HL_PLUGIN_FAILED;
    host->progress(run, 30, NULL);
    host->progress(run, 3000, "nearly there");
    host->log(host, HL_PLUGIN_ERROR, "an error\nof two lines");
    host->log(host, (enum hl_plugin_level)99, "a debug message");
    return host->cancelled(run) ? HL_PLUGIN_FAILED : HL_PLUGIN_DONE;
}

static enum hl_plugin_verdict flood(const struct hl_plugin_host *host, struct hl_plugin_run *run)
{
    int last = 0;
    for (int i = 0; i < 100; i++)
        last = host->output(run, "0123456789", 10);
    return last == ENOSPC && host->note(run, "12345678901234567890123456") == ENOSPC
               ? HL_PLUGIN_DONE
               : HL_PLUGIN_FAILED;
}

static enum hl_plugin_verdict describe(const struct hl_plugin_host *host, struct hl_plugin_run *run,
                                       const struct hl_plugin_job *job)
{
    char text[128];
    int len = snprintf(text, sizeof(text), "%llu %s %u %u %zu", (unsigned long long)job->id,
                       job->tube, job->attempt, job->priority, job->body_len);
    return job->size == sizeof(*job) && host->output(run, text, (size_t)len) == 0
               ? HL_PLUGIN_DONE
               : HL_PLUGIN_FAILED;
}

static enum hl_plugin_verdict test_run(void *state, const struct hl_plugin_host *host,
                                       struct hl_plugin_run *run, const struct hl_plugin_job *job)
{
    struct test *test = state;
    char word[64];
    snprintf(word, sizeof(word), "%.*s", (int)job->body_len, (const char *)job->body);
    if (strncmp(word, "fail", 4) == 0) {
        if (word[4] == ' ')
            host->reason(run, word + 5);
        return HL_PLUGIN_FAILED;
    }
    if (strcmp(word, "retry") == 0) {
        host->reason(run, "not yet");
        host->retry_in(run, 0);
        return job->attempt > 1 ? HL_PLUGIN_DONE : HL_PLUGIN_RETRY;
    }
    if (strcmp(word, "later") == 0)
        return HL_PLUGIN_RETRY;
    if (strncmp(word, "verdict ", 8) == 0)
        return (enum hl_plugin_verdict)atoi(word + 8);
    if (strcmp(word, "arguments") == 0)
        return host->output(run, test->copy, strlen(test->copy)) == 0 ? HL_PLUGIN_DONE
                                                                      : HL_PLUGIN_FAILED;
    if (strcmp(word, "speak") == 0)
        return speak(host, run);
    if (strcmp(word, "flood") == 0)
        return flood(host, run);
    if (strcmp(word, "job") == 0)
        return describe(host, run, job);
    if (strncmp(word, "block", 5) == 0) {
        block(test, host);
        return word[5] == ' ' ? HL_PLUGIN_DONE : HL_PLUGIN_FAILED;
    }
    if (strcmp(word, "look") == 0) {
        host->log(host, HL_PLUGIN_NOTICE, "blocked");
        while (!host->cancelled(run))
            sched_yield();
        return HL_PLUGIN_RETRY;
    }
    return strcmp(word, "done") == 0 ? HL_PLUGIN_DONE : HL_PLUGIN_FAILED;
}

HL_PLUGIN_EXPORT const struct hl_plugin hl_plugin = {.abi = HL_PLUGIN_ABI,
                                                     .size = sizeof(struct hl_plugin),
                                                     .name = "test",
                                                     .summary = "does what its job says",
                                                     .init = test_init,
                                                     .run = test_run,
                                                     .cancel = test_cancel,
                                                     .fini = test_fini};
