// SPDX-License-Identifier: MIT
/*
 * How a job ended: waiting for it, and showing it, for the commands wait and run.
 */

#include "client/tool_field_priv.h"
#include "client/tool_output_priv.h"
#include "client/tool_priv.h"

#include "base/clock.h"
#include "base/jsonobj.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What state such a job has that is finished, but whose record is gone: done or deleted, nobody
 * knows. */
static const char forgotten[] = "finished";

const char *ended_outcome(const cJSON *answer)
{
    const cJSON *job = cJSON_GetObjectItemCaseSensitive(answer, "job");
    const char *outcome = field_text(cJSON_GetObjectItemCaseSensitive(job, "result"), "outcome");
    return outcome[0] != '\0' ? outcome : field_text(job, "state");
}

enum exit_code ended_code(const char *outcome)
{
    if (outcome[0] == '\0')
        return EXIT_CODE_OUTPUT;
    if (strcmp(outcome, forgotten) == 0)
        return EXIT_CODE_NOT_FOUND;
    return strcmp(outcome, "done") == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

enum exit_code ended_print(const cJSON *answer, uint64_t id, bool raw)
{
    const cJSON *job = cJSON_GetObjectItemCaseSensitive(answer, "job");
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(job, "result");
    return result == NULL ? EXIT_CODE_OK : output_print_all(result, id, true, true, raw);
}

int ended_line(struct buf *line, uint64_t id, const cJSON *answer)
{
    const cJSON *job = cJSON_GetObjectItemCaseSensitive(answer, "job");
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(job, "result");
    const cJSON *ran = cJSON_GetObjectItemCaseSensitive(result, "duration");
    const char *reason = field_text(result, "reason");
    if (reason[0] == '\0')
        reason = field_text(job, "reason");
    int rc = buf_printf(line, "job %" PRIu64 " %s", id, ended_outcome(answer));
    if (rc == 0 && reason[0] != '\0')
        rc = buf_printf(line, ": %s", reason);
    if (rc == 0 && ran && cJSON_IsNumber(ran)) {
        rc = buf_append_str(line, ", ran ");
        if (rc == 0)
            rc = field_append(line, ran);
    }
    return rc;
}

static cJSON *wait_params(uint64_t id, int64_t timeout_ns)
{
    cJSON *params = cJSON_CreateObject();
    if (params && jsonobj_add_u64(params, "id", id) == 0 &&
        (timeout_ns == HL_FOREVER || jsonobj_add_seconds(params, "timeout", timeout_ns) == 0))
        return params;
    cJSON_Delete(params);
    return NULL;
}

enum exit_code ended_await(hl_client *client, uint64_t id, int64_t deadline_ns, const char **text,
                           size_t *len)
{
    int64_t left_ns = HL_FOREVER, patience_ns = HL_FOREVER;
    if (deadline_ns != CLOCK_NEVER) {
        left_ns = deadline_ns - clock_now_ns();
        left_ns = left_ns > 0 ? left_ns : 0;
        patience_ns = left_ns < HL_FOREVER - LINK_ANSWER_NS ? left_ns + LINK_ANSWER_NS : HL_FOREVER;
    }
    cJSON *params = wait_params(id, left_ns);
    if (params == NULL) {
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    return link_call(client, "wait", params, patience_ns, text, len);
}
