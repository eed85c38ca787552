// SPDX-License-Identifier: MIT
/*
 * submit <head-bytes> <body-bytes> CR LF <json head> <body> CR LF: a put with everything that may
 * be asked for with a job. The head is read by the API (api_submit_read), which knows its members;
 * the body goes straight into the job, as that of a put.
 *
 * A head that is refused is answered as a refused `call` is, ERROR and an object with code and
 * message, after its body was skipped: what stands behind the body is a command again. Sizes are
 * refused first, as by put, then the head, then what put refuses.
 *
 * A key that is known is answered with the id of the job that has it, as if that one had just been
 * put.
 */
#include "front/front_priv.h"
#include "front/put_priv.h"
#include "front/reply_priv.h"
#include "front/rights_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUBMIT_MAGIC 0x50b3171du
#define WHY_MAX 768
#define HEAD_COST_BYTES 32 /* are read in the time of a small command */

struct pending_submit {
    unsigned magic;
    size_t body_len;
    struct api_submit read; /* after the head has come */
    bool is_read;
    int refused; /* why: an errno, and in words */
    char why[WHY_MAX];
    size_t head_len;
    char head[];
};

int parse_submit(struct scan *scan, struct command_args *args)
{
    if (scan_u32(scan, &args->count) != 0 || scan_u32(scan, &args->bytes) != 0)
        return EINVAL;
    return scan_ended(scan) ? 0 : EINVAL;
}

void submit_abandon(struct session *session)
{
    if (session->submit == NULL)
        return;
    struct pending_submit *submit;
    MAGIC_TAKE(submit, &session->submit, SUBMIT_MAGIC);
    if (submit->is_read)
        api_submit_fini(&submit->read);
    MAGIC_WIPE(submit);
    free(submit);
}

static void error_tell(struct session *session, int error, const char *why)
{
    struct api_call call = {.error = 0};
    api_call_refuse(&call, error, why);
    if (call.answer.len > 0)
        reply_text(session, "ERROR", &call.answer);
    else
        reply_word(session, "OUT_OF_MEMORY\r\n");
    api_call_fini(&call);
}

/* The body was skipped, or is given back by who asks. */
static void refusal_tell(struct session *session)
{
    error_tell(session, session->submit->refused, session->submit->why);
    submit_abandon(session);
}

bool submit_no_room(struct session *session, int error)
{
    const char *why = api_no_room(error);
    if (why != NULL)
        error_tell(session, error, why);
    return why != NULL;
}

void submit_refuse(struct session *session, int error, const char *why)
{
    MAGIC_CHECK(session->submit, SUBMIT_MAGIC);
    session->submit->refused = error;
    snprintf(session->submit->why, WHY_MAX, "%s", why);
    refusal_tell(session);
}

/* The tube that the head names, or the used one. */
static const char *tube_name(const struct session *session)
{
    const char *name = session->submit->read.tube;
    return name != NULL ? name : broker_tube_name(session->used);
}

/* EACCES, and the reason in submit->why. */
static int tube_check(struct session *session)
{
    const char *name = tube_name(session);
    bool used = session->submit->read.tube == NULL;
    if (used ? (session->in_used & TRUST_put) != 0
             : rights_in(session, name, strlen(name), TRUST_put))
        return 0;
    rights_denied(session, TRUST_put, name, strlen(name));
    trust_deny_text(session->submit->why, WHY_MAX, &session->view, TRUST_put, name);
    return EACCES;
}

/* A hold of this put's own. */
static int tube_of(struct session *session, struct tube **tube)
{
    const char *name = tube_name(session);
    return broker_use(session->front->broker, name, strlen(name), tube);
}

static void head_arrived(struct session *session)
{
    struct pending_submit *submit = session->submit;
    MAGIC_CHECK(submit, SUBMIT_MAGIC);
    struct api_submit *read = &submit->read;
    conn_charge(session->conn, submit->head_len / HEAD_COST_BYTES);
    int rc = api_submit_read(read, submit->head, submit->head_len, submit->why, WHY_MAX);
    submit->is_read = rc == 0;
    if (rc == 0)
        rc = tube_check(session);
    if (rc == EINVAL || rc == EACCES) {
        submit->refused = rc;
        session_skip_body(session, submit->body_len, refusal_tell);
        return;
    }
    struct tube *tube;
    if (rc == 0)
        rc = tube_of(session, &tube);
    if (rc != 0) {
        size_t body_len = submit->body_len;
        submit_abandon(session);
        session_refuse_body(session, body_len, "OUT_OF_MEMORY\r\n");
        return;
    }
    if (rights_guarded(session, tube)) {
        read->options.set |= JOB_OPTION_AUTHORISED;
        read->options.authorised = 1;
    }
    session->put_elsewhere = true;
    session->put = (struct broker_put_spec){.tube = tube,
                                            .submitter = session->view.uid,
                                            .pri = read->pri,
                                            .delay_ns = read->delay_ns,
                                            .client = &session->client,
                                            .ttr_ns = read->ttr_ns,
                                            .options = &read->options,
                                            .awaited = read->awaited};
    put_body(session, submit->body_len);
}

void do_submit(struct session *session, const struct command_args *args)
{
    size_t both = (size_t)args->count + args->bytes;
    if (args->bytes > session->front->body_max) {
        session_refuse_body(session, both, "JOB_TOO_BIG\r\n");
        return;
    }
    bool fits = args->count <= FRONT_HEAD_MAX;
    struct pending_submit *submit = calloc(1, sizeof(*submit) + (fits ? args->count : 0));
    if (submit == NULL) {
        session_refuse_body(session, both, "OUT_OF_MEMORY\r\n");
        return;
    }
    MAGIC_INIT(submit, SUBMIT_MAGIC);
    submit->head_len = args->count;
    submit->body_len = args->bytes;
    session->submit = submit;
    broker_client_produces(&session->client);
    if (!fits) {
        submit->refused = EINVAL;
        snprintf(submit->why, WHY_MAX, "the head has %u bytes, and may have %d", args->count,
                 FRONT_HEAD_MAX);
        session_skip_body(session, both, refusal_tell);
        return;
    }
    session_part(session, submit->head, submit->head_len, head_arrived);
}
