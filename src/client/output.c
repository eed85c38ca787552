// SPDX-License-Identifier: MIT
/*
 * What finished jobs wrote, out of the daemon's answer: exact bytes, also of what is no text (then
 * the answer has them in base 64 beside a readable form).
 */

#include "client/tool_priv.h"

#include "base/jsonobj.h"

#include <inttypes.h>
#include <string.h>

enum exit_code output_print(const cJSON *result, const char *name, FILE *to)
{
    struct buf bytes = BUF_EMPTY;
    char key[32];
    const char *text;
    snprintf(key, sizeof(key), "%s_base64", name);
    int rc = jsonobj_get_str(result, key, &text) == 0
                 ? base64_append(&bytes, text)
                 : buf_append_str(&bytes, field_text(result, name));
    if (rc == 0 && bytes.len > 0)
        (void)!fwrite(bytes.data, 1, bytes.len, to);
    buf_fini(&bytes);
    if (rc == 0)
        return EXIT_CODE_OK;
    say("the daemon's answer has no readable %s: %s", name, strerrordesc_np(rc));
    return EXIT_CODE_OUTPUT;
}

void output_warn(const cJSON *result, uint64_t id, const char *name)
{
    char key[32];
    bool cut = false;
    snprintf(key, sizeof(key), "%s_truncated", name);
    if (jsonobj_get_bool(result, key, &cut) == 0 && cut)
        say("job %" PRIu64 ": its %s was longer than the daemon keeps; the rest is lost", id, name);
}
