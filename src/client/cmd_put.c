// SPDX-License-Identifier: MIT
/*
 * hilera put: one job from the command line or standard input, or many from files or lines.
 *
 * Many go through feed.c. Standard input is read as it comes: before the tool waits for more of it,
 * the answers to what was sent are taken and their ids printed, so it also serves `tail -f`. A file
 * is one body and read whole; what can't be read is skipped and said.
 */

#include "client/tool_priv.h"
#include "client/tool_put_priv.h"

#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PUT_PRIORITY_DEFAULT 1024
#define PUT_TTR_DEFAULT_NS (60 * HL_SECOND)
#define PUT_READ_SIZE ((size_t)64 << 10)
/* The largest body any daemon takes; what is longer isn't read to its end. */
#define PUT_BODY_MAX ((size_t)1 << 30)

struct put_options {
    struct hl_client_put put;
    struct asked asked;
    bool file, lines, null, quiet;
    char **args;
    size_t arg_count;
};

static const struct argp_option put_argp_options[] = {
    {"tube", 't', "TUBE", 0, "The tube to put into (default: default)", 0},
    {"priority", 'p', "NUMBER", 0, "0 is the most urgent (default: 1024)", 0},
    {"delay", 'd', "TIME", 0, "Ready only after this time, such as 10s, 5m, 1h30m", 0},
    {"ttr", 'r', "TIME", 0, "A worker may have it for so long (default: 60s)", 0},
    {"file", 'f', NULL, 0, "The arguments are files, each one a job", 0},
    {"lines", 'l', NULL, 0, "Each line of standard input is a job", 0},
    {"null", '0', NULL, 0, "With --lines: lines end with a NUL", 0},
    {"quiet", 'q', NULL, 0, "Print no ids", 0},
    ASKED_OPTIONS,
#define RULE(...) ASKED_RULE_OPTION(__VA_ARGS__),
#include "client/rules.def"
#undef RULE
    {0}};

static const char put_doc[] =
    "The body is BODY, or standard input if there is none or it is \"-\". The ids of the jobs are "
    "printed, one a line, in the order of the inputs. Times are rounded up to whole seconds.\n\n"
    "  hilera put 'hello'\n"
    "  hilera put -t mail --delay 5m <message\n"
    "  hilera put -t gzip --file *.txt\n"
    "  seq 1000 | hilera put --lines";

static int64_t put_seconds(const char *option, const char *arg, struct argp_state *state)
{
    int64_t ns = duration_option(option, arg, state);
    if (ns / HL_SECOND >= UINT32_MAX)
        argp_error(state, "--%s %s is too long: the protocol ends at %u seconds", option, arg,
                   UINT32_MAX);
    return ns;
}

static void put_check(const struct put_options *put, struct argp_state *state)
{
    if (put->asked.key && (put->lines || put->file))
        argp_error(state, "--key is for one job: all of them would be the first one");
    if (put->asked.at && put->put.delay_ns > 0)
        argp_error(state, "--at and --delay exclude each other");
    if (put->lines && put->file)
        argp_error(state, "--lines and --file exclude each other");
    if (put->lines && put->arg_count > 0)
        argp_error(state,
                   "--lines reads standard input and takes no arguments, but there is \"%s\"",
                   put->args[0]);
    if (put->null && !put->lines)
        argp_error(state, "--null belongs to --lines");
    if (put->file && put->arg_count == 0)
        argp_error(state, "--file wants the names of files");
    if (!put->file && put->arg_count > 1)
        argp_error(state,
                   "one body only, but there are %zu arguments; put it in quotes, or use "
                   "--file if they are files",
                   put->arg_count);
}

static error_t put_parse(int key, char *arg, struct argp_state *state)
{
    struct put_options *put = state->input;
    uint64_t number;
    if (asked_parse(&put->asked, key, arg, state) == 0)
        return 0;
    switch (key) {
    case 't':
        if (!hl_client_tube_valid(arg))
            argp_error(state,
                       "\"%s\" is no name for a tube: it has 1 to %d characters of A-Z a-z "
                       "0-9 - + / ; . $ _ ( ) and does not begin with -",
                       arg, HL_CLIENT_TUBE_MAX);
        put->put.tube = arg;
        return 0;
    case 'p':
        if (json_parse_u64(arg, &number) != 0 || number > UINT32_MAX)
            argp_error(state, "--priority wants a number from 0 to %u, not \"%s\"", UINT32_MAX,
                       arg);
        put->put.priority = (uint32_t)number;
        return 0;
    case 'd':
        put->put.delay_ns = put_seconds("delay", arg, state);
        return 0;
    case 'r':
        put->put.ttr_ns = put_seconds("ttr", arg, state);
        return 0;
    case 'f':
        put->file = true;
        return 0;
    case 'l':
        put->lines = true;
        return 0;
    case '0':
        put->null = true;
        return 0;
    case 'q':
        put->quiet = true;
        return 0;
    case ARGP_KEY_ARGS:
        put->args = state->argv + state->next;
        put->arg_count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        put_check(put, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- reading ---- */

/* All of it. EFBIG: longer than any body. EINTR: Ctrl-C. */
static int read_all(int fd, struct buf *out)
{
    for (;;) {
        int rc = interrupt_wait(fd);
        if (rc == 0)
            rc = buf_reserve(out, PUT_READ_SIZE + 1);
        if (rc != 0)
            return rc;
        ssize_t got = read(fd, out->data + out->len, PUT_READ_SIZE);
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return errno;
        if (got == 0)
            return 0;
        if (got > 0)
            out->len += (size_t)got;
        if (out->len > PUT_BODY_MAX)
            return EFBIG;
    }
}

/* A named pipe is waited for without an end, and says nothing of a writer that never comes. One
 * that the shell has made, as <(...), has its writer, and no name of its own. ENOTSUP. */
static int file_check(int fd)
{
    struct stat status;
    struct statfs system;
    if (fstat(fd, &status) != 0)
        return errno;
    if (S_ISBLK(status.st_mode))
        return ENOTSUP;
    bool pipe = S_ISFIFO(status.st_mode);
    return pipe && (fstatfs(fd, &system) != 0 || system.f_type != PIPEFS_MAGIC) ? ENOTSUP : 0;
}

static int read_file(const char *path, struct buf *out)
{
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, out);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno;
    int rc = file_check(fd);
    if (rc == 0)
        rc = read_all(fd, out);
    close(fd);
    return rc;
}

static const char *read_error(int err)
{
    return err == EFBIG     ? "it is larger than any job may be"
           : err == ENOTSUP ? "it is a named pipe or a disk; read it with: put - <FILE"
                            : strerrordesc_np(err);
}

/* ---- one ---- */

static enum exit_code put_one(const struct tool *tool, hl_client *client, struct put_options *put)
{
    struct buf body = BUF_EMPTY;
    uint64_t id;
    int rc = 0;
    if (put->arg_count == 0 || strcmp(put->args[0], "-") == 0) {
        if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
            say("type the body of the job, and Ctrl-D at the end");
        rc = read_all(STDIN_FILENO, &body);
        put->put.body = body.data;
        put->put.len = body.len;
    } else {
        put->put.body = put->args[0];
        put->put.len = strlen(put->args[0]);
    }
    enum exit_code code = EXIT_CODE_OK;
    if (rc != 0) {
        code = rc == EINTR ? EXIT_CODE_INTERRUPTED : EXIT_CODE_FAILED;
        if (rc != EINTR)
            say("standard input can't be read: %s", read_error(rc));
    } else {
        rc = hl_client_put(client, &put->put, LINK_ANSWER_NS, &id);
        code = link_failed(client, rc, NULL);
    }
    if (code == EXIT_CODE_OK && !put->quiet)
        out_printf(tool->json ? "{\"id\":%llu}\n" : "%llu\n", (unsigned long long)id);
    buf_fini(&body);
    return code;
}

/* ---- many ---- */

static enum exit_code put_files(struct feed *feed, const struct put_options *put)
{
    enum exit_code code = EXIT_CODE_OK;
    struct buf body = BUF_EMPTY;
    for (size_t i = 0; code == EXIT_CODE_OK && i < put->arg_count; i++) {
        buf_clear(&body);
        int rc = read_file(put->args[i], &body);
        if (rc == EINTR)
            code = EXIT_CODE_INTERRUPTED;
        else if (rc != 0)
            feed_skip(feed, "%s: %s", put->args[i], read_error(rc));
        else
            code = feed_put(feed, body.data ? body.data : "", body.len, i + 1);
    }
    buf_fini(&body);
    return code;
}

/* Sends the lines that are complete, or at the end (`last`) also the rest. `*scanned` bytes hold no
 * end of line. */
static enum exit_code put_complete_lines(struct feed *feed, struct buf *in, char end, bool last,
                                         size_t *scanned, uint64_t *number)
{
    enum exit_code code = EXIT_CODE_OK;
    size_t start = 0;
    while (code == EXIT_CODE_OK && start < in->len) {
        const char *from = in->data + (*scanned > start ? *scanned : start);
        const char *stop = memchr(from, end, (size_t)(in->data + in->len - from));
        if (!stop && !last)
            break;
        size_t len = stop ? (size_t)(stop - in->data) - start : in->len - start;
        code = feed_put(feed, in->data + start, len, ++*number);
        start += len + (stop != NULL);
    }
    buf_consume(in, start);
    *scanned = in->len;
    return code;
}

static bool input_is_there(void)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

static enum exit_code put_lines(struct feed *feed, const struct put_options *put)
{
    enum exit_code code = EXIT_CODE_OK;
    struct buf in = BUF_EMPTY;
    size_t scanned = 0;
    uint64_t number = 0;
    ssize_t got = 1;
    while (code == EXIT_CODE_OK && got != 0) {
        if (!input_is_there())
            code = feed_settle(feed);
        if (code == EXIT_CODE_OK && interrupt_wait(STDIN_FILENO) == EINTR)
            code = EXIT_CODE_INTERRUPTED;
        if (code != EXIT_CODE_OK)
            break;
        if (buf_reserve(&in, PUT_READ_SIZE + 1) != 0) {
            feed_skip(feed, "line %llu: not enough memory", (unsigned long long)number + 1);
            break;
        }
        got = read(STDIN_FILENO, in.data + in.len, PUT_READ_SIZE);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0) {
            feed_skip(feed, "standard input can't be read: %s", read_error(errno));
            break;
        }
        in.len += (size_t)got;
        code = put_complete_lines(feed, &in, put->null ? '\0' : '\n', got == 0, &scanned, &number);
        if (in.len > PUT_BODY_MAX) {
            feed_skip(feed, "line %llu: %s", (unsigned long long)number + 1, read_error(EFBIG));
            break;
        }
    }
    buf_fini(&in);
    return code;
}

static enum exit_code put_many(const struct tool *tool, hl_client *client, struct put_options *put)
{
    const struct feed_options options = {.put = put->put,
                                         .json = tool->json,
                                         .quiet = put->quiet,
                                         .total = put->file ? put->arg_count : 0,
                                         .noun = "line",
                                         .names = put->file ? put->args : NULL};
    struct feed *feed = NULL;
    enum exit_code code = feed_new(&feed, client, &options);
    if (code == EXIT_CODE_OK)
        code = put->file ? put_files(feed, put) : put_lines(feed, put);
    return feed ? feed_end(&feed, code) : code;
}

enum exit_code command_put(struct tool *tool, int argc, char **argv)
{
    struct put_options put = {
        .put = {.tube = "default", .priority = PUT_PRIORITY_DEFAULT, .ttr_ns = PUT_TTR_DEFAULT_NS}};
    hl_client *client = NULL;
    asked_init(&put.asked);
    command_parse(tool, "put", put_argp_options, put_parse, &put, put_doc, argc, argv);
    char *head = put.asked.any ? asked_head(&put.asked, &put.put) : NULL;
    if (put.asked.any && head == NULL) {
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    put.put.head = head;
    enum exit_code code = link_open(tool, &client);
    if (code == EXIT_CODE_OK)
        code = put.file || put.lines ? put_many(tool, client, &put) : put_one(tool, client, &put);
    hl_client_free(&client);
    cJSON_free(head);
    return code;
}
