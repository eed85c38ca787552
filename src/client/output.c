// SPDX-License-Identifier: MIT
/*
 * What jobs wrote, out of the daemon's answer: exact bytes, also of what is no text (then the
 * answer has them in base 64 beside a readable form).
 */

#include "client/tool_output_priv.h"
#include "client/tool_priv.h"

#include "base/base64.h"
#include "base/jsonobj.h"

#include <inttypes.h>
#include <string.h>

enum exit_code output_print(const cJSON *result, const char *name, struct screen *screen)
{
    struct buf bytes = BUF_EMPTY;
    char key[32];
    const char *text;
    snprintf(key, sizeof(key), "%s_base64", name);
    int rc = jsonobj_get_str(result, key, &text) == 0
                 ? base64_decode(&bytes, text)
                 : buf_append_str(&bytes, field_text(result, name));
    if (rc == 0)
        rc = screen_write(screen, bytes.data, bytes.len);
    buf_fini(&bytes);
    if (rc == 0)
        return EXIT_CODE_OK;
    say("the daemon's answer has no readable %s: %s", name, strerrordesc_np(rc));
    return EXIT_CODE_OUTPUT;
}

static enum exit_code stream_print(const cJSON *result, const char *name, FILE *to, bool raw)
{
    struct screen screen;
    screen_begin(&screen, to, name, raw);
    enum exit_code code = output_print(result, name, &screen);
    if (screen_end(&screen) == 0)
        return code;
    say("not enough memory");
    return EXIT_CODE_FAILED;
}

/* Says so if a stream was cut. */
static void output_warn(const cJSON *result, uint64_t id, const char *name)
{
    char key[32];
    bool cut = false;
    snprintf(key, sizeof(key), "%s_truncated", name);
    if (jsonobj_get_bool(result, key, &cut) == 0 && cut)
        say("job %" PRIu64 ": its %s was longer than the daemon keeps; the rest is lost", id, name);
}

void output_warnings(const cJSON *result, uint64_t id, bool out, bool err)
{
    if (out)
        output_warn(result, id, "stdout");
    if (err)
        output_warn(result, id, "stderr");
}

enum exit_code output_print_all(const cJSON *result, uint64_t id, bool out, bool err, bool raw)
{
    enum exit_code code = EXIT_CODE_OK;
    if (out)
        code = stream_print(result, "stdout", stdout, raw);
    if (code == EXIT_CODE_OK && err)
        code = stream_print(result, "stderr", stderr, raw);
    output_warnings(result, id, out, err);
    return code;
}
