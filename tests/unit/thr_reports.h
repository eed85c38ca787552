// SPDX-License-Identifier: MIT
// For tests that cause reports of deadlocks and wrong order on purpose: collects the texts, and
// keeps the library from stopping the program after one, which the suite asks for everywhere else.
#ifndef THR_REPORTS_H
#define THR_REPORTS_H

#include "base/assert.h"

#include <hilera/lock.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPORTS_MAX 32

static struct {
    pthread_mutex_t mutex; // no hl_lock may be acquired in a report
    size_t count;
    char text[REPORTS_MAX][4096];
} reports = {.mutex = PTHREAD_MUTEX_INITIALIZER};

// The library looks at its environment in a constructor without priority: after this one.
__attribute__((constructor(101))) static void reports_do_not_abort(void)
{
    (void)unsetenv("HILERA_LOCK_ORDER");
}

static void reports_add(const char *text, void *arg)
{
    MUST(pthread_mutex_lock(&reports.mutex));
    ASSERT(arg == &reports);
    if (reports.count < REPORTS_MAX)
        (void)snprintf(reports.text[reports.count], sizeof(reports.text[0]), "%s", text);
    reports.count++;
    MUST(pthread_mutex_unlock(&reports.mutex));
}

static inline void reports_start(void)
{
    reports.count = 0;
    hl_lock_set_report(reports_add, &reports);
}

static inline void reports_stop(void)
{
    hl_lock_set_report(NULL, NULL);
}

static inline size_t reports_count(void)
{
    MUST(pthread_mutex_lock(&reports.mutex));
    size_t count = reports.count;
    MUST(pthread_mutex_unlock(&reports.mutex));
    return count;
}

// The report number `i` contains each of the words of a list that ends with NULL; else prints it.
static inline bool report_has(size_t i, const char *const words[])
{
    MUST(pthread_mutex_lock(&reports.mutex));
    bool all = i < reports.count;
    for (size_t w = 0; all && words[w] != NULL; w++) {
        all = strstr(reports.text[i], words[w]) != NULL;
        if (!all)
            (void)fprintf(stderr, "no \"%s\" in the report:\n%s\n", words[w], reports.text[i]);
    }
    MUST(pthread_mutex_unlock(&reports.mutex));
    return all;
}

#define REPORT_HAS(i, ...) report_has((i), (const char *const[]){__VA_ARGS__, NULL})

#endif
