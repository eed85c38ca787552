// SPDX-License-Identifier: MIT
/* What the commands of workers share: the tubes they take from, and the priority of a job that goes
 * back, which the protocol wants to be told. */

#include "client/tool_lease_priv.h"
#include "client/tool_priv.h"

#include "base/jsonobj.h"

#include <errno.h>
#include <stdlib.h>

#define PRIORITY_UNKNOWN 1024

int tubes_init(struct tubes *tubes, const struct argp_state *state)
{
    tubes->name = calloc((size_t)state->argc + 1, sizeof(*tubes->name));
    if (!tubes->name)
        return ENOMEM;
    tubes->name[0] = "default";
    tubes->count = 1;
    tubes->given = false;
    return 0;
}

void tubes_add(struct tubes *tubes, const char *arg, struct argp_state *state)
{
    if (!tubes->given)
        tubes->count = 0;
    tubes->given = true;
    tubes->name[tubes->count++] = tube_option(arg, state);
}

void tubes_fini(struct tubes *tubes)
{
    free(tubes->name);
    tubes->name = NULL;
}

int lease_facts(hl_client *client, uint64_t id, struct lease_facts *facts)
{
    char params[48];
    const char *text;
    size_t len;
    *facts = (struct lease_facts){.priority = PRIORITY_UNKNOWN};
    snprintf(params, sizeof(params), "{\"id\":%llu}", (unsigned long long)id);
    int rc = hl_client_call(client, "show", params, LINK_ANSWER_NS, &text, &len);
    cJSON *answer = NULL;
    if (rc == 0)
        rc = jsonobj_parse(&answer, text, len, NULL);
    const cJSON *job = cJSON_GetObjectItemCaseSensitive(answer, "job");
    const cJSON *ttr = cJSON_GetObjectItemCaseSensitive(job, "ttr");
    if (rc == 0 && cJSON_IsNumber(ttr)) {
        facts->priority = (uint32_t)field_u64(job, "priority");
        facts->attempt = field_u64(job, "reserves");
        facts->ttr_ns = field_seconds(job, "ttr");
        /* It becomes a variable of the command, whose scripts may trust it to be a name. */
        const char *tube = field_text(job, "tube");
        snprintf(facts->tube, sizeof(facts->tube), "%s", hl_client_tube_valid(tube) ? tube : "");
    } else if (rc == 0)
        rc = EPROTO;
    cJSON_Delete(answer);
    return rc;
}

uint32_t lease_priority(hl_client *client, uint64_t id)
{
    struct lease_facts facts;
    (void)lease_facts(client, id, &facts);
    return facts.priority;
}

int lease_give_back(const struct tool *tool, uint64_t id, uint64_t token)
{
    hl_client *client = NULL;
    int rc = link_open(tool, &client) == EXIT_CODE_OK ? 0 : ECONNREFUSED;
    if (rc == 0) {
        hl_client_set_interrupt(client, -1); /* it may have come already */
        rc = hl_client_release(client, id, token, lease_priority(client, id), 0, LINK_ANSWER_NS);
    }
    hl_client_free(&client);
    return rc;
}
