// SPDX-License-Identifier: MIT
/*
 * Many jobs through one connection, without waiting for each.
 *
 * A window of puts is on the way at any time; ids are printed as the answers come, in the order of
 * the inputs. A ring remembers which input each put on the way was, so that a refusal can name it.
 * One refused job does not stop the others; a daemon that is stopping does, since it refuses all,
 * and so does an output that nobody reads.
 *
 * After Ctrl-C nothing more is sent, but what was sent is still answered for a moment, so that
 * every job that exists has its id on the output.
 */

#include "client/tool_priv.h"
#include "client/tool_progress_priv.h"
#include "client/tool_put_priv.h"

#include "base/jsonobj.h"
#include "base/magic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define FEED_MAGIC 0xfeed5a1du
/* Jobs on the way: enough that a commit of the daemon, which answers all that came until then, is
 * shared by thousands. */
#define FEED_WINDOW 8192
#define FEED_FLUSH 1024 /* ids, between two writes of the output */
#define FEED_WINDOW_BYTES ((size_t)1 << 20)
/* Refusals that are shown one by one. */
#define FEED_SHOWN 10
/* How long an interrupted feed waits for the answers to what it has sent. */
#define FEED_GRACE_NS (2 * HL_SECOND)

struct feed {
    unsigned magic;
    hl_client *client;
    struct feed_options options;
    struct progress progress;
    uint64_t accepted, refused, skipped;
    bool draining; /* the daemon takes no more */
    uint64_t number[FEED_WINDOW];
    size_t first; /* of the ring; as many as are pending */
};

enum exit_code feed_new(struct feed **out, hl_client *client, const struct feed_options *options)
{
    struct feed *feed = calloc(1, sizeof(*feed));
    if (!feed) {
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    MAGIC_INIT(feed, FEED_MAGIC);
    feed->client = client;
    feed->options = *options;
    progress_begin(&feed->progress);
    *out = feed;
    int rc = hl_client_use(client, options->put.tube, LINK_ANSWER_NS);
    feed->options.put.tube = NULL;
    return link_failed(client, rc, NULL);
}

static void feed_name(const struct feed *feed, uint64_t number, char *text, size_t size)
{
    if (feed->options.names)
        snprintf(text, size, "%s", feed->options.names[number - 1]);
    else
        snprintf(text, size, "%s %" PRIu64, feed->options.noun, number);
}

/* Says the first few; the end tells how many there were. */
static void feed_complain(struct feed *feed, const char *text)
{
    progress_hide(&feed->progress);
    uint64_t before = feed->refused + feed->skipped;
    if (before < FEED_SHOWN)
        say("%s", text);
    else if (before == FEED_SHOWN)
        say("(more like these are not shown)");
}

static void feed_refused(struct feed *feed, uint64_t number, int err)
{
    char name[4096], text[4400];
    feed_name(feed, number, name, sizeof(name));
    snprintf(text, sizeof(text), "%s: %s", name, hl_client_error(feed->client));
    feed_complain(feed, text);
    feed->refused++;
    feed->draining = feed->draining || err == EHOSTDOWN;
    if (!feed->options.json)
        return;
    cJSON *line = cJSON_CreateObject();
    if (line && jsonobj_add_bytes(line, "input", name, strlen(name)) == 0 &&
        jsonobj_add_str(line, "code", hl_client_error_code(feed->client)) == 0 &&
        jsonobj_add_str(line, "message", hl_client_error(feed->client)) == 0)
        (void)out_object(line);
    cJSON_Delete(line);
}

/* Without printf, which for a million ids takes longer than the puts. */
static void feed_print_id(const struct feed *feed, uint64_t id)
{
    char text[32];
    char *at = text + sizeof(text);
    *--at = '\n';
    if (feed->options.json)
        *--at = '}';
    do
        *--at = (char)('0' + id % 10);
    while ((id /= 10) > 0);
    if (feed->options.json)
        out_write("{\"id\":", 6);
    out_write(at, (size_t)(text + sizeof(text) - at));
}

static enum exit_code feed_accepted(struct feed *feed, uint64_t id)
{
    feed->accepted++;
    if (feed->options.quiet)
        return EXIT_CODE_OK;
    if (out_is_terminal())
        progress_hide(&feed->progress);
    feed_print_id(feed, id);
    return feed->accepted % FEED_FLUSH == 0 ? out_flush() : EXIT_CODE_OK;
}

/* The next answer. */
static enum exit_code feed_receive(struct feed *feed, int64_t timeout_ns)
{
    struct hl_client_reply reply;
    size_t pending = hl_client_pending(feed->client);
    int rc = hl_client_receive(feed->client, &reply, timeout_ns);
    if (rc != 0) {
        progress_hide(&feed->progress);
        enum exit_code code = link_failed(feed->client, rc, NULL);
        if (code != EXIT_CODE_INTERRUPTED)
            say("jobs put: %" PRIu64 ", jobs of which it is not known: %zu", feed->accepted,
                pending);
        return code;
    }
    uint64_t number = feed->number[feed->first];
    feed->first = (feed->first + 1) % FEED_WINDOW;
    enum exit_code code = EXIT_CODE_OK;
    if (reply.result == 0)
        code = feed_accepted(feed, reply.id);
    else
        feed_refused(feed, number, reply.result);
    progress_update(&feed->progress, feed->accepted + feed->refused, feed->options.total,
                    feed->refused + feed->skipped);
    return code;
}

enum exit_code feed_put(struct feed *feed, const void *body, size_t len, uint64_t number)
{
    MAGIC_CHECK(feed, FEED_MAGIC);
    enum exit_code code = EXIT_CODE_OK;
    while (code == EXIT_CODE_OK && (hl_client_pending(feed->client) == FEED_WINDOW ||
                                    hl_client_unsent(feed->client) >= FEED_WINDOW_BYTES))
        code = feed_receive(feed, LINK_ANSWER_NS);
    if (code != EXIT_CODE_OK)
        return code;
    if (interrupted())
        return EXIT_CODE_INTERRUPTED;
    if (feed->draining)
        return EXIT_CODE_REFUSED;
    size_t last = (feed->first + hl_client_pending(feed->client)) % FEED_WINDOW;
    feed->number[last] = number;
    feed->options.put.body = body;
    feed->options.put.len = len;
    int rc = hl_client_send_put(feed->client, &feed->options.put);
    return link_failed(feed->client, rc, NULL);
}

enum exit_code feed_settle(struct feed *feed)
{
    MAGIC_CHECK(feed, FEED_MAGIC);
    enum exit_code code = EXIT_CODE_OK;
    while (code == EXIT_CODE_OK && hl_client_pending(feed->client) > 0)
        code = feed_receive(feed, LINK_ANSWER_NS);
    enum exit_code flushed = out_flush();
    return code != EXIT_CODE_OK ? code : flushed;
}

void feed_skip(struct feed *feed, const char *format, ...)
{
    MAGIC_CHECK(feed, FEED_MAGIC);
    struct buf text = BUF_EMPTY;
    va_list args;
    va_start(args, format);
    if (buf_vprintf(&text, format, args) == 0)
        feed_complain(feed, text.data);
    va_end(args);
    buf_fini(&text);
    feed->skipped++;
}

enum exit_code feed_end(struct feed **feed_ptr, enum exit_code code)
{
    struct feed *feed;
    MAGIC_TAKE(feed, feed_ptr, FEED_MAGIC);
    if (code == EXIT_CODE_OK || code == EXIT_CODE_REFUSED) {
        enum exit_code settled = feed_settle(feed);
        code = settled != EXIT_CODE_OK ? settled : code;
    }
    if (code == EXIT_CODE_INTERRUPTED) {
        hl_client_set_interrupt(feed->client, -1);
        while (hl_client_pending(feed->client) > 0 &&
               feed_receive(feed, FEED_GRACE_NS) == EXIT_CODE_OK)
            continue;
        (void)out_flush();
    }
    progress_hide(&feed->progress);
    if (code == EXIT_CODE_INTERRUPTED)
        say("interrupted; jobs put: %" PRIu64, feed->accepted);
    else if (feed->refused + feed->skipped > 0)
        say("jobs put: %" PRIu64 ", refused: %" PRIu64 ", inputs not read: %" PRIu64,
            feed->accepted, feed->refused, feed->skipped);
    if (code == EXIT_CODE_OK && feed->refused > 0)
        code = EXIT_CODE_REFUSED;
    if (code == EXIT_CODE_OK && feed->skipped > 0)
        code = EXIT_CODE_FAILED;
    MAGIC_WIPE(feed);
    free(feed);
    return code;
}
