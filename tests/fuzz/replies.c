// SPDX-License-Identifier: MIT
/*
 * What the server may answer: see replies.h. What was asked is told by the parser, which the target
 * has tested before; for each kind of request the table below has the words it can be answered
 * with. Bodies of answers are skipped by their length, which must fit.
 *
 * The broker is kept from one input to the next, so its limits are small: at 50 jobs it is full,
 * which is a good answer, too.
 */
#include "replies.h"

#include "base/log.h"
#include "front/front_priv.h"
#include "front/session_priv.h"
#include "history/history.h"

#include <hilera/version.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define JOBS_MAX 50

static struct {
    struct broker *broker;
    struct history *history;
    struct api *api;
    struct front *front;
    struct net *net;
    char dir[40];
    struct sockaddr_un addr;
} server;

static void offer(struct list *ends, void *arg)
{
    (void)arg;
    history_offer(server.history, ends);
}

static void take_in(void *arg)
{
    (void)arg;
    history_take_in(server.history);
}

static bool ends_at_exit;

static void server_stop(void)
{
    if (server.net == NULL)
        return;
    net_stop(server.net, 0);
    net_free(&server.net);
    front_free(&server.front);
    api_free(&server.api);
    broker_free(&server.broker);
    history_free(&server.history);
    (void)rmdir(server.dir);
}

static void server_start(void)
{
    const struct history_settings history = {
        .keep_ns = HL_SECOND, .keep_count = 100, .keep_bytes = 1 << 20};
    const struct broker_options broker = {
        .body_max = 1000, .jobs_max = JOBS_MAX, .ended = offer, .ended_after = take_in};
    const struct net_settings net = {.loops = 1};
    const struct front_settings front = {.loops = 1};
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(server.dir, sizeof(server.dir), "/tmp/hilera-fuzz.XXXXXX");
    ASSERT(mkdtemp(server.dir) != NULL);
    struct history_error refused;
    MUST(history_new(&server.history, &history, &refused));
    MUST(broker_new(&server.broker, &broker));
    const struct api_links links = {.broker = server.broker, .history = server.history};
    MUST(api_new(&server.api, &links));
    MUST(front_new(&server.front, &front, server.broker, server.api));
    MUST(net_new(&server.net, &net, &front_protocol, server.front));
    server.addr.sun_family = AF_UNIX;
    snprintf(server.addr.sun_path, sizeof(server.addr.sun_path), "%s/s", server.dir);
    struct net_error error;
    MUST(net_listen_unix(server.net, server.addr.sun_path, 0600, &error));
    MUST(net_start(server.net));
}

/* ---- the exchange ---- */

/* Sends all and reads all, in turns as it comes; the caller frees the answers. */
static char *exchange(const char *data, size_t len, size_t *got)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ASSERT(fd >= 0);
    MUST(connect(fd, (struct sockaddr *)&server.addr, sizeof(server.addr)) == 0 ? 0 : errno);
    struct buf answers = BUF_EMPTY;
    for (;;) {
        struct pollfd look = {.fd = fd, .events = (short)(POLLIN | (len > 0 ? POLLOUT : 0))};
        int polled = poll(&look, 1, 20000);
        if (polled < 0 && errno == EINTR)
            continue; /* libFuzzer's own alarm */
        ASSERT(polled == 1);
        if ((look.revents & POLLOUT) && len > 0) {
            ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
            /* it may have been told to close, and have closed */
            len = n > 0 ? len - (size_t)n : 0;
            data += n > 0 ? n : 0;
            if (len == 0)
                (void)shutdown(fd, SHUT_WR);
        }
        if (look.revents & (POLLIN | POLLHUP)) {
            char chunk[4096];
            ssize_t n = recv(fd, chunk, sizeof(chunk), 0);
            if (n <= 0 && errno != EAGAIN)
                break;
            if (n == 0)
                break;
            if (n > 0)
                MUST(buf_append(&answers, chunk, (size_t)n));
        }
    }
    close(fd);
    return buf_detach(&answers, got);
}

/* ---- what may be answered ---- */

struct cursor {
    const char *at, *end;
};

static bool announces_bytes(const char *word)
{
    static const char *const all[] = {"OK #", "ERROR #", "FOUND # #", "RESERVED # #",
                                      "RESERVED_TOKEN # # #"};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(word, all[i]) == 0)
            return true;
    return false;
}

/* The line at the cursor is one of the words, of which some announce bytes, and one answers. The
 * last number in it. */
static unsigned long expect_one_of(struct cursor *cursor, const char *const *words)
{
    const char *line = cursor->at;
    const char *end = memchr(line, '\n', (size_t)(cursor->end - line));
    ASSERT(end != NULL && end > line && end[-1] == '\r');
    cursor->at = end + 1;
    for (; *words != NULL; words++) {
        const char *word = *words;
        const char *at = line;
        unsigned long number = 0;
        bool announces = announces_bytes(word);
        for (; *word != '\0' && at < end; word++) {
            if (*word == '#' && *at >= '0' && *at <= '9')
                number = strtoul(at, (char **)(uintptr_t)&at, 10);
            else if (*word == '@')
                at = end - 1;
            else if (*word == *at)
                at++;
            else
                break;
        }
        if (*word != '\0' || at != end - 1)
            continue;
        if (announces) {
            ASSERT((size_t)(cursor->end - cursor->at) >= number + 2);
            cursor->at += number + 2;
            ASSERT(cursor->at[-2] == '\r' && cursor->at[-1] == '\n');
        }
        return number;
    }
    CANT_HAPPEN("an answer that this request can't have");
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* quit has none. */
static const char *const *const words_of[COMMAND_COUNT] = {
    [COMMAND_put] = WORDS("INSERTED #", "OUT_OF_MEMORY"),
    [COMMAND_peek] = WORDS("FOUND # #", "NOT_FOUND"),
    [COMMAND_peek_ready] = WORDS("FOUND # #", "NOT_FOUND"),
    [COMMAND_peek_delayed] = WORDS("FOUND # #", "NOT_FOUND"),
    [COMMAND_peek_buried] = WORDS("FOUND # #", "NOT_FOUND"),
    [COMMAND_reserve_with_timeout] = WORDS("RESERVED # #", "TIMED_OUT", "DEADLINE_SOON"),
    [COMMAND_reserve_job] = WORDS("RESERVED # #", "NOT_FOUND"),
    [COMMAND_reserve] = WORDS("RESERVED # #", "TIMED_OUT", "DEADLINE_SOON"),
    [COMMAND_delete] = WORDS("DELETED", "NOT_FOUND"),
    [COMMAND_release] = WORDS("RELEASED", "NOT_FOUND"),
    [COMMAND_bury] = WORDS("BURIED", "NOT_FOUND"),
    [COMMAND_kick] = WORDS("KICKED #"),
    [COMMAND_kick_job] = WORDS("KICKED", "NOT_FOUND"),
    [COMMAND_touch] = WORDS("TOUCHED", "NOT_FOUND"),
    [COMMAND_stats_job] = WORDS("OK #", "NOT_FOUND"),
    [COMMAND_stats_tube] = WORDS("OK #", "NOT_FOUND"),
    [COMMAND_stats] = WORDS("OK #"),
    [COMMAND_use] = WORDS("USING @"),
    [COMMAND_watch] = WORDS("WATCHING #"),
    [COMMAND_ignore] = WORDS("WATCHING #", "NOT_IGNORED"),
    [COMMAND_list_tubes_watched] = WORDS("OK #"),
    [COMMAND_list_tube_used] = WORDS("USING @"),
    [COMMAND_list_tubes] = WORDS("OK #"),
    [COMMAND_pause_tube] = WORDS("PAUSED", "NOT_FOUND"),
    [COMMAND_call] = WORDS("OK #", "ERROR #"),
    [COMMAND_hello] = WORDS("OK #"),
    [COMMAND_put_in_tube] = WORDS("INSERTED #", "OUT_OF_MEMORY"),
    [COMMAND_submit] = WORDS("INSERTED #", "OUT_OF_MEMORY", "ERROR #"),
    [COMMAND_reserve_batch] = WORDS("RESERVED_BATCH #", "TIMED_OUT", "DEADLINE_SOON"),
    [COMMAND_reserve_token] = WORDS("RESERVED_TOKEN # # #", "TIMED_OUT", "DEADLINE_SOON"),
    [COMMAND_reserve_job_token] = WORDS("RESERVED_TOKEN # # #", "NOT_FOUND"),
    [COMMAND_delete_token] = WORDS("DELETED", "STALE_TOKEN"),
    [COMMAND_release_token] = WORDS("RELEASED", "STALE_TOKEN"),
    [COMMAND_bury_token] = WORDS("BURIED", "STALE_TOKEN"),
    [COMMAND_touch_token] = WORDS("TOUCHED", "STALE_TOKEN"),
    [COMMAND_move] = WORDS("MOVED", "NOT_FOUND"),
    [COMMAND_clear_tube] = WORDS("CLEARED #", "NOT_FOUND"),
    [COMMAND_join] = WORDS("JOINED # # # #", "TIMED_OUT"),
};
static const char *const reserved_words[] = {"RESERVED # #", NULL};
static const char *const big_words[] = {"JOB_TOO_BIG", NULL};
static const char *const bad_words[] = {"BAD_FORMAT", NULL};
static const char *const unknown_words[] = {"UNKNOWN_COMMAND", NULL};
static const char *const end_words[] = {"EXPECTED_CRLF", NULL};

static bool is_put(const struct parser *parser)
{
    return parser->args->command == COMMAND_put || parser->args->command == COMMAND_put_in_tube;
}

/* The body that follows is taken as the session takes it; what answers it. */
static const char *const *body_words(struct parser *parser, char *body)
{
    const struct command_args *args = parser->args;
    bool fits = args->bytes <= (is_put(parser) ? 1000 : FRONT_CALL_SIZE_MAX);
    if (fits && args->junk)
        return bad_words;
    parser_body(parser, fits ? body : NULL, args->bytes);
    return NULL;
}

/* Of a submit: whether its head is coming, and what answers it when its body was there. */
static bool head_comes;
static const char *const *submit_words;
static const char *const refused_words[] = {"ERROR #", NULL};

static void submit_begins(struct parser *parser, char *body)
{
    size_t head = parser->args->count, both = head + parser->args->bytes;
    bool too_big = parser->args->bytes > 1000;
    submit_words = too_big ? big_words : refused_words;
    head_comes = !too_big && head <= FRONT_HEAD_MAX;
    if (head_comes)
        parser_part(parser, body, head);
    else
        parser_body(parser, NULL, both);
}

/* The head is there: the body follows, and is taken, or skipped. */
static void submit_goes_on(struct parser *parser, char *body)
{
    struct api_submit submit;
    char why[512] = "";
    int rc = api_submit_read(&submit, body, parser->args->count, why, sizeof(why));
    ASSERT(rc == 0 || (rc == EINVAL && why[0] != '\0'));
    head_comes = false;
    submit_words = rc == 0 ? words_of[COMMAND_submit] : refused_words;
    parser_body(parser, rc == 0 ? body : NULL, parser->args->bytes);
    if (rc == 0)
        api_submit_fini(&submit);
}

static const char *const *command_words(struct parser *parser, char *body)
{
    if (is_put(parser) || parser->args->command == COMMAND_call)
        return body_words(parser, body);
    if (parser->args->command == COMMAND_submit) {
        submit_begins(parser, body);
        return NULL;
    }
    return words_of[parser->args->command];
}

static const char *const *event_words(struct parser *parser, enum parser_event event, char *body)
{
    switch (event) {
    case PARSER_COMMAND:
        return command_words(parser, body);
    case PARSER_BAD_FORMAT:
        return bad_words;
    case PARSER_UNKNOWN:
        return unknown_words;
    case PARSER_BODY:
        if (is_put(parser) && parser->args->bytes > 1000)
            return big_words;
        if (parser->args->command == COMMAND_submit && !head_comes)
            return submit_words;
        if (parser->args->command == COMMAND_submit) {
            submit_goes_on(parser, body);
            return NULL;
        }
        return words_of[parser->args->command];
    case PARSER_BODY_BAD:
        return end_words;
    default:
        return NULL;
    }
}

static void expect_answer(struct cursor *cursor, const char *const *words)
{
    bool batch = words == words_of[COMMAND_reserve_batch] && cursor->at[0] == 'R';
    unsigned long count = expect_one_of(cursor, words);
    for (; batch && count > 0; count--)
        (void)expect_one_of(cursor, reserved_words);
}

/* Leases under a token outlive their connections, and nobody here waits for their TTR. */
static bool server_is_used_up(void)
{
    struct broker_stats stats;
    broker_stats(server.broker, &stats);
    return stats.count[JOB_RESERVED] > JOBS_MAX / 2;
}

void replies_check(const char *data, size_t len)
{
    if (server.net == NULL)
        server_start();
    if (!ends_at_exit)
        ends_at_exit = atexit(server_stop) == 0;
    size_t got = 0;
    char *answers = exchange(data, len, &got);
    static char body[FRONT_CALL_SIZE_MAX];
    ASSERT(answers != NULL);
    struct cursor cursor = {.at = answers, .end = answers + got};
    struct command_args args = {.id = 0};
    struct parser parser = {.args = &args};
    enum parser_event event;
    for (size_t used; (event = parser_next(&parser, data, len, &used)) != PARSER_MORE;) {
        data += used;
        len -= used;
        const char *const *words = event_words(&parser, event, body);
        if (words != NULL)
            expect_answer(&cursor, words);
        bool quits = event == PARSER_COMMAND && args.command == COMMAND_quit;
        if (quits || event == PARSER_STRANGER)
            break;
    }
    ASSERT(cursor.at == cursor.end);
    free(answers);
    if (server_is_used_up())
        server_stop();
}
