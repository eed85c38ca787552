// SPDX-License-Identifier: MIT
/*
 * What every method needs: to be one, its parameters, the rights of who calls, and a result. What
 * some of them share besides has a header for each theme: filter_priv.h, rows_priv.h, sight_priv.h
 * and result_priv.h.
 *
 * A method finds its parameters checked (params.c): known, of their type, the required ones there.
 * It writes its result with the out_ functions, which go on without harm after memory ran out: the
 * dispatcher asks once, at the end.
 */
#ifndef API_API_PRIV_H
#define API_API_PRIV_H

#include "api/api.h"
#include "base/clock.h"
#include "base/jsonobj.h"
#include "base/magic.h"

#define API_MAGIC 0xa7100f01u
#define API_CALL_MAGIC 0xa7100f02u

struct api {
    unsigned magic;
    struct api_links links;
    int64_t started_ns;
};

/* ---- writing a result ---- */

struct out {
    cJSON *object;
    int *rc; /* 0, or the first error; shared with the objects inside */
};

void out_u64(struct out out, const char *name, uint64_t number);
void out_i64(struct out out, const char *name, int64_t number);
void out_str(struct out out, const char *name, const char *text);
void out_bool(struct out out, const char *name, bool value);
void out_null(struct out out, const char *name);
/* As decimal seconds. */
void out_seconds(struct out out, const char *name, int64_t ns);
/* `name` as text, and, if the bytes aren't UTF-8, name_base64 too. */
void out_bytes(struct out out, const char *name, const void *bytes, size_t len);
/* An object inside of it. */
struct out out_object(struct out out, const char *name);
/* An array inside of it, and an object or a text at the end of one. */
struct out out_array(struct out out, const char *name);
struct out out_array_object(struct out array);
void out_array_str(struct out array, const char *text);

/* health.c: "health", and "health_reason" when it isn't green. */
void out_health(struct out out, const struct api *api);

/* ---- parameters ---- */

enum api_type {
    API_ID,
    API_TUBE,
    API_SECONDS,
    API_STATE,
    API_COUNT,
    API_OFFSET,
    API_BOOL,
    API_POOL,
    API_WORKERS,
    API_TEXT,
    API_ANY_STATE, /* finished, too */
    API_OUTCOME
};

struct api_param {
    const char *name; /* NULL ends the list */
    enum api_type type;
    bool required;
    const char *what;
};

/* The word of a type in `methods`, static. */
const char *api_type_word(enum api_type type);
/* 0, or fails the call with EINVAL and a message that names the parameter and what would be right.
 */
int params_check(struct api_call *call, const struct api_param *params, const cJSON *given);
/* After params_check. Text: NULL if it is not there. Seconds: HL_FOREVER if it is not there. */
uint64_t params_id(const cJSON *given, const char *name);
const char *params_tube(const cJSON *given, const char *name);
const char *params_text(const cJSON *given, const char *name);
int64_t params_seconds(const cJSON *given, const char *name);
/* An id, a count or an offset. */
uint64_t params_u64(const cJSON *given, const char *name, uint64_t otherwise);
/* false if it is not there. */
bool params_bool(const cJSON *given, const char *name);
/* Of ANY_STATE. */
bool params_finished(const cJSON *given, const char *name);
/* JOB_OUTCOME_COUNT: it is not there. */
enum job_outcome_kind params_outcome(const cJSON *given, const char *name);
/* BROKER_STATE bits, 0 if it is not there. */
unsigned params_states(const cJSON *given, const char *name);
bool params_given(const cJSON *given, const char *name);

/* ---- methods ---- */

/* Where the right of a row is needed; methods.def says what each means. */
enum api_scope {
    API_SCOPE_NONE,
    API_SCOPE_SERVER,
    API_SCOPE_TUBE,
    API_SCOPE_TUBE_OR_ALL,
    API_SCOPE_POOL,
    API_SCOPE_JOBS,
    API_SCOPE_JOBS_TO,
    API_SCOPE_SEEN
};

struct api_method {
    const char *name;
    const char *summary;
    trust_rights right;
    enum api_scope scope;
    const struct api_param *params;
    /* 0: the result is written. EINPROGRESS: later. Others: api_fail was called. */
    int (*run)(struct api_call *call, const cJSON *params, struct out result);
    /* What came later; as run. NULL: the method never says EINPROGRESS. */
    int (*finish)(struct api_call *call, struct out result);
    /* What didn't come in time, as a message; NULL: it has no time, or finish has an answer then,
     * too. */
    void (*late)(const struct api_call *call, char *text, size_t size);
};

/* The row at that place; NULL behind the last. */
const struct api_method *method_at(size_t index);

/* Each family's parameters and functions. */
#define METHOD(name, finish, late, right, scope, summary)                                          \
    extern const struct api_param params_##name[];                                                 \
    int run_##name(struct api_call *call, const cJSON *params, struct out result);
#include "api/methods.def"
#undef METHOD
int finish_show(struct api_call *call, struct out result);
int finish_list(struct api_call *call, struct out result);
int finish_wait(struct api_call *call, struct out result);
void late_wait(const struct api_call *call, char *text, size_t size);
int finish_events(struct api_call *call, struct out result);
int finish_output(struct api_call *call, struct out result);
void late_output(const struct api_call *call, char *text, size_t size);
int finish_join(struct api_call *call, struct out result);
void late_join(const struct api_call *call, char *text, size_t size);
int finish_pool_drain(struct api_call *call, struct out result);
void late_pool_drain(const struct api_call *call, char *text, size_t size);

/* ---- rights.c: what who calls may ---- */

/* Whether the method may be run with these parameters, which are checked. EACCES: it has failed. */
int api_may_run(struct api_call *call, const cJSON *params);
/* Whether the asker may all of `need` in that tube. */
bool api_may_in(const struct api_call *call, const char *tube, trust_rights need);
/* On a job of that submitter there. */
bool api_may_on(const struct api_call *call, const char *tube, uint32_t submitter,
                trust_rights need);
/* The same for a job's record. */
bool api_may_record(const struct api_call *call, const struct job_record *record,
                    trust_rights need);
/* The same where there is no call any more. */
bool view_may_record(const struct trust_view *view, const struct job_record *record,
                     trust_rights need);
/* Any of them in that tube. */
bool api_may_any(const struct api_call *call, const char *tube, trust_rights any);
/* Whether no job is hidden from the caller. */
bool api_sees_all(const struct api_call *call);
/* Whether there was such a job; false where the caller may not know of all jobs. */
bool api_had(const struct api_call *call, uint64_t id);
/* EACCES; `tube` NULL: of the daemon, or of a job of any tube. */
int api_refuse(struct api_call *call, trust_rights need, const char *tube);
/* EACCES; likewise what the method needs for the job of call->id, with the tube that it is in. */
int api_refuse_job(struct api_call *call);

/* Answers with an error; returns it. */
int api_fail(struct api_call *call, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Of the call's own later. */
struct api_call *api_call_of(struct later *later);

#endif
