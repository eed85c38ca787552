// SPDX-License-Identifier: MIT
/*
 * hilera reserve: a job for a worker that is a script.
 *
 * It is reserved under a token, so the lease outlives this program: `hilera done ID TOKEN`,
 * release, touch and bury --token settle it from anywhere, until its TTR is over. The first line
 * has id and token; all behind it is the body, byte for byte.
 */

#include "client/tool_lease_priv.h"
#include "client/tool_output_priv.h"
#include "client/tool_priv.h"

#include "base/jsonobj.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* What the answer may take beside the wait. */
#define ANSWER_NS LINK_ANSWER_NS

struct reserve_options {
    struct tubes tubes;
    int64_t wait_ns;
    bool raw;
};

enum { RESERVE_RAW = 1000 };

static const struct argp_option reserve_argp_options[] = {
    {"tube", 't', "TUBE", 0, "A tube to take from, may be given several times (default: default)",
     0},
    {"timeout", 'T', "TIME", 0, "Wait this long at most, such as 10s; 0 doesn't wait", 0},
    {"raw", RESERVE_RAW, NULL, 0, "The body goes to a terminal as it is, too", 0},
    {0}};

static error_t reserve_parse(int key, char *arg, struct argp_state *state)
{
    struct reserve_options *reserve = state->input;
    switch (key) {
    case 't':
        tubes_add(&reserve->tubes, arg, state);
        return 0;
    case 'T':
        reserve->wait_ns = duration_option("timeout", arg, state);
        return 0;
    case RESERVE_RAW:
        reserve->raw = true;
        return 0;
    case ARGP_KEY_INIT:
        return tubes_init(&reserve->tubes, state);
    default:
        return command_no_arguments(key, arg, state);
    }
}

static enum exit_code reserve_print_json(const struct hl_client_job *job)
{
    char token[24];
    cJSON *line = cJSON_CreateObject();
    snprintf(token, sizeof(token), "%" PRIu64, job->token);
    bool good = line && jsonobj_add_u64(line, "id", job->id) == 0 &&
                jsonobj_add_str(line, "token", token) == 0 &&
                jsonobj_add_bytes(line, "body", job->body, job->len) == 0;
    enum exit_code code = out_object(good ? line : NULL);
    cJSON_Delete(line);
    return code;
}

/* A job that nobody will hear of goes back at once. */
static enum exit_code reserve_print(const struct tool *tool, hl_client *client,
                                    const struct hl_client_job *job, bool raw)
{
    struct screen screen;
    uint64_t id = job->id, token = job->token;
    enum exit_code code = EXIT_CODE_OK;
    if (tool->json) {
        code = reserve_print_json(job);
    } else {
        out_printf("%" PRIu64 " %" PRIu64 "\n", id, token);
        screen_begin(&screen, stdout, "the body", raw);
        if (screen_write(&screen, job->body, job->len) != 0 || screen_end(&screen) != 0)
            code = EXIT_CODE_FAILED;
    }
    if (code == EXIT_CODE_OK)
        code = out_flush();
    if (code != EXIT_CODE_OK)
        (void)hl_client_release(client, id, token, lease_priority(client, id), 0, LINK_ANSWER_NS);
    return code;
}

enum exit_code command_reserve(struct tool *tool, int argc, char **argv)
{
    struct reserve_options reserve = {.wait_ns = HL_FOREVER};
    command_parse(tool, "reserve", reserve_argp_options, reserve_parse, &reserve,
                  "Prints id and token in a line, and behind it the body. The job is held until "
                  "\"hilera done ID TOKEN\", release, or bury --token, from anywhere; or until its "
                  "TTR is over, which \"hilera touch ID TOKEN\" begins anew: then it is ready "
                  "again.\n\n  hilera reserve -t mail --timeout 1m | { read id token; sendmail -t "
                  "&& hilera done $id $token; }",
                  argc, argv);
    hl_client *client = NULL;
    struct hl_client_job job;
    enum exit_code code = link_open(tool, &client);
    if (code == EXIT_CODE_OK)
        code = link_failed(
            client,
            hl_client_watch(client, reserve.tubes.name, reserve.tubes.count, LINK_ANSWER_NS), NULL);
    if (code == EXIT_CODE_OK) {
        int64_t wait_ns = reserve.wait_ns;
        int rc = hl_client_reserve(
            client, wait_ns, wait_ns < HL_FOREVER - ANSWER_NS ? wait_ns + ANSWER_NS : HL_FOREVER,
            &job);
        code = rc == 0 ? reserve_print(tool, client, &job, reserve.raw)
                       : link_failed(client, rc, NULL);
        if (rc == EINTR && hl_client_reserve_end(client, LINK_ANSWER_NS, &job) == 0)
            (void)lease_give_back(tool, job.id, job.token);
    }
    hl_client_free(&client);
    tubes_fini(&reserve.tubes);
    return code;
}
