// SPDX-License-Identifier: MIT
// A plug-in for hilerad that counts the bytes, lines and words of each job's body. Build it with
//     cc -shared -fPIC plugin_count.c -o count.so $(pkg-config --cflags hilera)
// and let a pool of hilerad.conf use it:
//     pool "count" { tubes = {"texts"} handler = plugin plugin = "/path/count.so" arguments =
//     {"lines"} }
// Without arguments it prints all three numbers, with one of bytes, lines, words that one.
#include <ctype.h>
#include <errno.h>
#include <hilera/plugin.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {"bytes", "lines", "words"};

// Called once for each pool. The state is what run gets: here the name that was asked for, or NULL.
static int count_init(const struct hl_plugin_host *host, int count, const char *const *argument,
                      void **state, char *why, size_t why_size)
{
    for (int i = 0; i < 3 && count == 1; i++)
        if (strcmp(argument[0], names[i]) == 0)
            *state = (void *)names[i];
    if (count > 1 || (count == 1 && *state == NULL)) {
        snprintf(why, why_size, "its argument is one of bytes, lines and words");
        return EINVAL;
    }
    host->log(host, HL_PLUGIN_INFO, "ready to count");
    return 0;
}

// Called for each job, by several threads at once: whatever it changes in the state needs a lock.
static enum hl_plugin_verdict count_run(void *state, const struct hl_plugin_host *host,
                                        struct hl_plugin_run *run, const struct hl_plugin_job *job)
{
    const unsigned char *text = job->body;
    unsigned long number[3] = {job->body_len, 0, 0}; // as in `names`
    for (size_t i = 0; i < job->body_len; i++) {
        if (i % (1 << 20) == 0) { // each MiB: how far we are, and whether we are still wanted
            host->progress(run, (unsigned)(i * 100 / job->body_len), "counting");
            if (host->cancelled(run))
                return HL_PLUGIN_RETRY; // the daemon stops; the job is ready again
        }
        number[1] += text[i] == '\n';
        number[2] += !isspace(text[i]) && (i == 0 || isspace(text[i - 1]));
    }
    if (memchr(text, 0, job->body_len) != NULL) {
        host->reason(run, "this is no text: it has a NUL in it");
        return HL_PLUGIN_FAILED; // buried with that reason
    }
    host->progress(run, 100, NULL);
    for (int i = 0; i < 3; i++) {
        char line[64];
        int len = snprintf(line, sizeof(line), "%s %lu\n", names[i], number[i]);
        if (state == NULL || state == names[i])
            host->output(run, line, (size_t)len); // the result's stdout
    }
    return HL_PLUGIN_DONE;
}

HL_PLUGIN_EXPORT const struct hl_plugin hl_plugin = {
    .abi = HL_PLUGIN_ABI,
    .size = sizeof(struct hl_plugin),
    .name = "count",
    .summary = "counts bytes, lines and words",
    .init = count_init,
    .run = count_run,
};
