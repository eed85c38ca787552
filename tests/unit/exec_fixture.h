// SPDX-License-Identifier: MIT
// What the tests of programs share: one pool whose handler is exec, on the tube "t", and the
// records of its jobs. Every function fails the test itself when something that must succeed
// doesn't.
#ifndef EXEC_FIXTURE_H
#define EXEC_FIXTURE_H

#include "engine.h"
#include "worker/worker.h"

extern struct broker *broker;
extern struct worker_pool *pool;
extern struct engine_records records;
extern struct handler_settings handler_settings; // for the pool, before it is started
extern struct job_rules pool_rules;              // likewise
extern char folder[64];                          // the test's own; at its end it must be empty

// Around each test. The second one waits for nobody: no process may be left.
void exec_setup(void);
void exec_teardown(void);

void start_pool(const char *const *argv, unsigned workers);
// Runs one job to its end; the record is the caller's only until the test ends.
const struct job_record *run(const char *const *argv, const char *body);
const struct job_record *run_shell(const char *script, const char *body);

void check_done(const struct job_record *record, const char *out, const char *err);
void check_failed(const struct job_record *record, int exit_status, int sig, const char *words);

#endif
