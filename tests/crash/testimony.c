// SPDX-License-Identifier: MIT
/*
 * What a daemon says of a job: see testimony.h. Of priority, tube, releases, burials and kicks the
 * oracle knows what they must be, for each fate; of reserves and timeouts, which nobody waits for,
 * what they must be at least.
 */
#include "testimony.h"

#include "base/clock.h"

#include <hilera/thread.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void stats_text(const struct buf *stats, const char *key, char *to, size_t size)
{
    char line[64];
    snprintf(line, sizeof(line), "\n%s: ", key);
    const char *found = strstr(stats->data, line);
    to[0] = '\0';
    if (found == NULL)
        return;
    found += strlen(line);
    size_t len = strcspn(found, "\r\n");
    snprintf(to, size, "%.*s", (int)(len < size ? len : size - 1), found);
}

uint64_t stats_number(const struct buf *stats, const char *key)
{
    char text[32];
    stats_text(stats, key, text, sizeof(text));
    return strtoull(text, NULL, 10);
}

void testimony_read(struct testimony *said, const struct buf *stats, int64_t from_ns)
{
    char name[80];
    *said = (struct testimony){.from_ns = from_ns, .to_ns = clock_wall_ns()};
    stats_text(stats, "state", said->state, sizeof(said->state));
    stats_text(stats, "tube", name, sizeof(name));
    size_t quoted = name[0] == '"';
    snprintf(said->tube, sizeof(said->tube), "%s", name + quoted);
    if (quoted)
        said->tube[strcspn(said->tube, "\"")] = '\0';
    said->pri = stats_number(stats, "pri");
    said->ttr = stats_number(stats, "ttr");
    said->reserves = stats_number(stats, "reserves");
    said->timeouts = stats_number(stats, "timeouts");
    said->kicks = stats_number(stats, "kicks");
    said->releases = stats_number(stats, "releases");
    said->buries = stats_number(stats, "buries");
    said->left_s = (int64_t)stats_number(stats, "time-left");
}

static bool counts_fit(const struct testimony *said, const struct fate *fate)
{
    return said->releases == fate->releases && said->buries == fate->buries &&
           said->kicks == fate->kicks && said->reserves >= fate->reserves &&
           said->timeouts >= fate->timeouts;
}

bool testimony_fits(const struct oracle *oracle, const struct testimony *said,
                    const struct fate *fate)
{
    bool ready = strcmp(said->state, "ready") == 0;
    if (fate->kind == FATE_GONE || fate->pri != said->pri || !counts_fit(said, fate) ||
        strcmp(oracle->tubes[fate->tube].name, said->tube) != 0)
        return false;
    if (fate->kind == FATE_READY)
        return ready;
    if (fate->kind == FATE_BURIED)
        return strcmp(said->state, "buried") == 0;
    if (ready)
        return fate->due_from_ns <= said->to_ns;
    int64_t left_ns = said->left_s * HL_SECOND;
    return strcmp(said->state, "delayed") == 0 &&
           left_ns >= fate->due_from_ns - said->to_ns - ROUNDING_NS &&
           left_ns <= fate->due_to_ns - said->from_ns + ROUNDING_NS;
}

/* ---- in words ---- */

void testimony_say(const struct testimony *said, struct buf *out)
{
    (void)buf_printf(out,
                     "%s in %s with priority %" PRIu64 ", time left %" PRId64
                     " s, reserved %" PRIu64 ", timed out %" PRIu64 ", released %" PRIu64
                     ", buried %" PRIu64 ", kicked %" PRIu64 " times",
                     said->state, said->tube, said->pri, said->left_s, said->reserves,
                     said->timeouts, said->releases, said->buries, said->kicks);
}

void fate_say(const struct oracle *oracle, const struct fate *fate, int64_t now_ns, struct buf *out)
{
    static const char *const names[] = {[FATE_GONE] = "gone",
                                        [FATE_READY] = "ready",
                                        [FATE_DELAYED] = "delayed",
                                        [FATE_BURIED] = "buried"};
    (void)buf_printf(out, "%s", names[fate->kind]);
    if (fate->kind == FATE_GONE)
        return;
    (void)buf_printf(out, " in %s with priority %" PRIu32, oracle->tubes[fate->tube].name,
                     fate->pri);
    if (fate->kind == FATE_DELAYED)
        (void)buf_printf(out, " for another %.3f to %.3f s",
                         (double)(fate->due_from_ns - now_ns) / HL_SECOND,
                         (double)(fate->due_to_ns - now_ns) / HL_SECOND);
    (void)buf_printf(out,
                     ", reserved %" PRIu32 " and timed out %" PRIu32 " or more, released %" PRIu32
                     ", buried %" PRIu32 ", kicked %" PRIu32 " times",
                     fate->reserves, fate->timeouts, fate->releases, fate->buries, fate->kicks);
}
