// SPDX-License-Identifier: MIT
/*
 * The methods about the service itself: `ping`, by which clients and monitors see that it is there,
 * and `methods`, from which a client learns what it can ask for.
 */
#include "api/api_priv.h"

#include <unistd.h>

const struct api_param params_ping[] = {{.name = NULL}};
const struct api_param params_methods[] = {{.name = NULL}};

int run_ping(struct api_call *call, const cJSON *params, struct out result)
{
    (void)params;
    if (!trust_may_server(call->asker, TRUST_monitor))
        return 0; /* it is there: that much everybody sees who may connect */
    out_str(result, "version", HL_VERSION);
    out_i64(result, "pid", getpid());
    out_seconds(result, "uptime", clock_now_ns() - call->api->started_ns);
    out_health(result, call->api);
    return 0;
}

int run_methods(struct api_call *call, const cJSON *params, struct out result)
{
    (void)call, (void)params;
    struct out list = out_array(result, "methods");
    const struct api_method *method;
    for (size_t i = 0; (method = method_at(i)) != NULL; i++) {
        struct out row = out_array_object(list);
        out_str(row, "name", method->name);
        out_str(row, "summary", method->summary);
        struct out parameters = out_array(row, "parameters");
        for (const struct api_param *param = method->params; param->name != NULL; param++) {
            struct out entry = out_array_object(parameters);
            out_str(entry, "name", param->name);
            out_str(entry, "type", api_type_word(param->type));
            out_bool(entry, "required", param->required);
            out_str(entry, "what", param->what);
        }
    }
    return 0;
}
