// SPDX-License-Identifier: MIT
/*
 * The connection of a command, and what an error means: one line for people, one exit code for
 * scripts.
 *
 * Every command gets its connection here, so the choice of the address (--socket, --host, the
 * default) and the advice that follows a failure stand in one place. The daemon's refusals are told
 * apart from failures of this side by the code that the library hands out with them.
 */

#include "client/tool_priv.h"

#include "base/jsonobj.h"

#include <errno.h>
#include <string.h>

/* In one answer; the figures of 100,000 tubes are two millions. */
#define VALUES_MAX 4000000
#define LINK_CONNECT_NS (10 * HL_SECOND)

static void link_advise(const struct tool *tool, const hl_client *client, int err)
{
    const char *text = hl_client_error(client);
    bool unix_socket = tool->socket || !tool->host;
    if (err == EINTR)
        return;
    if (err == EINVAL || err == ENAMETOOLONG || err == ENXIO || err == ENOMEM)
        say("%s", text);
    else if (err == EACCES)
        say("%s: this user may not use that socket; run it as one who may, or name another socket "
            "with --socket",
            text);
    else if (unix_socket)
        say("%s: start it with 'systemctl start hilerad' or 'hilerad', or name its socket with "
            "--socket",
            text);
    else
        say("%s: is hilerad running there, and does it listen on TCP?", text);
}

enum exit_code link_open(const struct tool *tool, hl_client **client)
{
    int rc = hl_client_new(client);
    if (rc != 0) {
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    interrupt_catch();
    hl_client_set_interrupt(*client, interrupt_fd());
    if (tool->socket || !tool->host)
        rc = hl_client_connect_unix(*client, tool->socket, LINK_CONNECT_NS);
    else
        rc = hl_client_connect_tcp(*client, tool->host, LINK_CONNECT_NS);
    if (rc == 0)
        return EXIT_CODE_OK;
    link_advise(tool, *client, rc);
    if (rc == EINVAL || rc == ENAMETOOLONG)
        return EXIT_CODE_USAGE;
    return rc == EINTR ? EXIT_CODE_INTERRUPTED : EXIT_CODE_NO_DAEMON;
}

enum exit_code link_code(const hl_client *client, int err)
{
    bool refused = hl_client_error_code(client)[0] != '\0';
    switch (err) {
    case 0:
        return EXIT_CODE_OK;
    case ENOENT:
        return refused ? EXIT_CODE_NOT_FOUND : EXIT_CODE_FAILED;
    case ETIMEDOUT:
        return EXIT_CODE_TIMED_OUT;
    case EINTR:
        return refused ? EXIT_CODE_REFUSED : EXIT_CODE_INTERRUPTED;
    default:
        break;
    }
    if (refused)
        return EXIT_CODE_REFUSED;
    if (!hl_client_is_connected(client))
        return err == EPROTO || err == ENOSYS ? EXIT_CODE_OUTPUT : EXIT_CODE_NO_DAEMON;
    return err == EINVAL || err == ERANGE || err == EMSGSIZE ? EXIT_CODE_USAGE : EXIT_CODE_FAILED;
}

enum exit_code link_failed(const hl_client *client, int err, const char *doing)
{
    enum exit_code code = link_code(client, err);
    if (code != EXIT_CODE_INTERRUPTED && code != EXIT_CODE_OK)
        say("%s%s%s", doing ? doing : "", doing ? ": " : "", hl_client_error(client));
    return code;
}

enum exit_code link_call(hl_client *client, const char *method, cJSON *params, int64_t timeout_ns,
                         const char **text, size_t *len)
{
    char *json = params ? cJSON_PrintUnformatted(params) : NULL;
    if (params && !json) {
        cJSON_Delete(params);
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    int rc = hl_client_call(client, method, json, timeout_ns, text, len);
    cJSON_free(json);
    cJSON_Delete(params);
    return link_failed(client, rc, NULL);
}

/* Each value takes some sixty bytes of memory, and two of the text. */
static bool has_too_many_values(const char *text, size_t len)
{
    size_t count = 0;
    bool inside = false;
    for (size_t i = 0; i < len && count <= VALUES_MAX; i++) {
        if (text[i] == '"')
            inside = !inside;
        else if (inside && text[i] == '\\')
            i++;
        else if (!inside)
            count += text[i] == ',' || text[i] == '[' || text[i] == '{';
    }
    return count > VALUES_MAX;
}

enum exit_code link_parse(const char *text, size_t len, cJSON **object)
{
    if (has_too_many_values(text, len)) {
        say("the daemon's answer has more than %d values in it", VALUES_MAX);
        return EXIT_CODE_OUTPUT;
    }
    int rc = jsonobj_parse(object, text, len, NULL);
    if (rc == 0 && cJSON_IsObject(*object))
        return EXIT_CODE_OK;
    if (rc == 0) {
        cJSON_Delete(*object);
        *object = NULL;
    }
    if (rc == ENOMEM)
        say("not enough memory");
    else
        say("the daemon's answer is not a JSON object: %.*s", (int)(len < 60 ? len : 60), text);
    return rc == ENOMEM ? EXIT_CODE_FAILED : EXIT_CODE_OUTPUT;
}

static enum exit_code link_show_answer(const struct tool *tool, const char *text, size_t len,
                                       enum exit_code (*show)(const cJSON *answer))
{
    cJSON *answer = NULL;
    if (tool->json)
        return out_json(text, len);
    enum exit_code code = link_parse(text, len, &answer);
    if (code == EXIT_CODE_OK)
        code = show(answer);
    cJSON_Delete(answer);
    return code;
}

enum exit_code link_show_within(const struct tool *tool, const char *method, cJSON *params,
                                int64_t timeout_ns, enum exit_code (*show)(const cJSON *answer))
{
    hl_client *client = NULL;
    const char *text;
    size_t len;
    enum exit_code code = link_open(tool, &client);
    if (code == EXIT_CODE_OK)
        code = link_call(client, method, params, timeout_ns, &text, &len);
    else
        cJSON_Delete(params);
    if (code == EXIT_CODE_OK)
        code = link_show_answer(tool, text, len, show);
    hl_client_free(&client);
    return code;
}

enum exit_code link_show(const struct tool *tool, const char *method, cJSON *params,
                         enum exit_code (*show)(const cJSON *answer))
{
    return link_show_within(tool, method, params, LINK_ANSWER_NS, show);
}
