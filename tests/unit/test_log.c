// SPDX-License-Identifier: MIT
/*
 * The log: form of a line, levels, escapes, the cut, one write a line (seen through a pipe that
 * keeps the borders of writes), errno, and the limit on repeated messages.
 */
#include "base/clock.h"
#include "base/log.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define LINE_MAX_BYTES 4096

struct caught {
    int count;
    enum log_level level;
    char line[LINE_MAX_BYTES + 64];
};

static struct caught caught;

static void catch_line(enum log_level level, const char *line, void *arg)
{
    struct caught *into = arg;
    into->count++;
    into->level = level;
    snprintf(into->line, sizeof(into->line), "%s", line);
}

static void setup(void)
{
    caught = (struct caught){0};
    log_set_sink(catch_line, &caught);
    log_set_level(LOG_LEVEL_NOTICE);
    log_set_format(LOG_FORMAT_PLAIN);
    clock_virtual_start(0);
}

static void teardown(void)
{
    clock_virtual_stop();
    log_set_sink(NULL, NULL);
}

/* What stands behind the thread's name. */
static const char *text_of(const char *line)
{
    const char *text = strstr(line, "] ");
    ck_assert_ptr_nonnull(text);
    return text + 2;
}

START_TEST(a_plain_line)
{
    char before[16];
    ck_assert_int_eq(pthread_getname_np(pthread_self(), before, sizeof(before)), 0);
    ck_assert_int_eq(pthread_setname_np(pthread_self(), "scribe"), 0);
    clock_virtual_advance(3661 * SECOND + 123456789);
    log_warning("%d green %s", 10, "bottles");
    pthread_setname_np(pthread_self(), before);
    ck_assert_str_eq(caught.line, "2026-01-01T01:01:01.123456Z warning [scribe] 10 green bottles");
    ck_assert_int_eq(caught.level, LOG_LEVEL_WARNING);
}
END_TEST

static const char *const level_words[] = {"error", "warning", "notice", "info", "debug"};
static const int level_count = sizeof(level_words) / sizeof(level_words[0]);

START_TEST(a_line_for_systemd)
{
    char expected[32];
    log_set_format(LOG_FORMAT_SYSTEMD);
    log_set_level(LOG_LEVEL_DEBUG);
    log_message((enum log_level)_i, "text");
    snprintf(expected, sizeof(expected), "<%d>text", 3 + _i);
    ck_assert_str_eq(caught.line, expected);
}
END_TEST

START_TEST(levels_have_words)
{
    enum log_level level = LOG_LEVEL_ERROR;
    ck_assert_int_eq(log_level_parse(level_words[_i], &level), 0);
    ck_assert_int_eq((int)level, _i);
    ck_assert_str_eq(log_level_name(level), level_words[_i]);
}
END_TEST

START_TEST(other_words_are_no_levels)
{
    static const char *const bad[] = {"", "Error", "err", "notice ", "verbose", NULL};
    enum log_level level = LOG_LEVEL_INFO;
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(log_level_parse(bad[i], &level), EINVAL);
    ck_assert_int_eq(level, LOG_LEVEL_INFO);
}
END_TEST

START_TEST(messages_above_the_level_are_dropped)
{
    ck_assert_int_eq(log_get_level(), LOG_LEVEL_NOTICE);
    log_info("no");
    log_debug("no");
    ck_assert_int_eq(caught.count, 0);
    log_notice("yes");
    log_error("yes");
    ck_assert_int_eq(caught.count, 2);
    log_set_level(LOG_LEVEL_ERROR);
    log_warning("no");
    ck_assert_int_eq(caught.count, 2);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("yes");
    ck_assert_int_eq(caught.count, 3);
}
END_TEST

static const struct {
    const char *said, *shown;
} escapes[] = {
    {"line\nfeed", "line\\nfeed"},
    {"\r\t\x1b[31m\x7f", "\\r\\t\\x1b[31m\\x7f"},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"\xff\xc3(", "\\xff\\xc3("},
    {"cut \xe2\x82", "cut \\xe2\\x82"},
    {"C1 \xc2\x9b", "C1 \\xc2\\x9b"},
    {"\xe2\x80\xa8\xe2\x80\xa9", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9"},
    {"back\\slash", "back\\slash"},
    {"", ""},
};
static const int escape_count = sizeof(escapes) / sizeof(escapes[0]);

START_TEST(nothing_outside_can_fake_a_line)
{
    log_notice("%s", escapes[_i].said);
    ck_assert_str_eq(text_of(caught.line), escapes[_i].shown);
}
END_TEST

START_TEST(a_long_line_is_cut_between_characters)
{
    /* Three bytes each: wherever the limit falls, for each of three shifts. */
    char text[3 * LINE_MAX_BYTES] = "";
    size_t len = (size_t)_i;
    memset(text, 'x', len);
    for (int i = 0; i < LINE_MAX_BYTES / 2; i++, len += 3)
        memcpy(text + len, "\xe2\x82\xac", 4);
    log_notice("%s", text);
    size_t line_len = strlen(caught.line);
    ck_assert_uint_le(line_len, LINE_MAX_BYTES - 1); /* the newline comes on top */
    ck_assert_uint_ge(line_len, LINE_MAX_BYTES - 1 - 2);
    ck_assert_str_eq(caught.line + line_len - 6, "\xe2\x82\xac...");
    ck_assert_ptr_null(strstr(caught.line, "\\x"));
}
END_TEST

START_TEST(a_line_just_within_is_not_cut)
{
    log_set_format(LOG_FORMAT_SYSTEMD);
    char text[LINE_MAX_BYTES];
    size_t most = LINE_MAX_BYTES - strlen("<5>...\n");
    memset(text, 'y', most);
    text[most] = '\0';
    log_notice("%s", text);
    ck_assert_str_eq(caught.line + 3, text);
    log_notice("%sz", text);
    ck_assert_uint_eq(strlen(caught.line), LINE_MAX_BYTES - 1);
    ck_assert_str_eq(caught.line + 3 + most, "...");
}
END_TEST

START_TEST(errno_survives)
{
    static struct log_limit limit;
    limit = (struct log_limit){0};
    errno = ENOTTY;
    log_notice("%m");
    ck_assert_int_eq(errno, ENOTTY);
    ck_assert_str_eq(text_of(caught.line), strerror(ENOTTY));
    errno = EXDEV;
    log_debug("dropped");
    ck_assert_int_eq(errno, EXDEV);
    log_limited(&limit, LOG_LEVEL_NOTICE, "%m");
    ck_assert_int_eq(errno, EXDEV);
    ck_assert_str_eq(text_of(caught.line), strerror(EXDEV));
    log_limited(&limit, LOG_LEVEL_NOTICE, "left out");
    ck_assert_int_eq(errno, EXDEV);
    ck_assert_int_eq(caught.count, 2);
}
END_TEST

START_TEST(repeated_messages_are_limited_and_counted)
{
    static struct log_limit limit;
    limit = (struct log_limit){0};
    for (int i = 0; i < 5; i++)
        log_limited(&limit, LOG_LEVEL_ERROR, "no disk %d", i);
    ck_assert_int_eq(caught.count, 1);
    ck_assert_str_eq(text_of(caught.line), "no disk 0");
    clock_virtual_advance(SECOND - 1);
    log_limited(&limit, LOG_LEVEL_ERROR, "no disk");
    ck_assert_int_eq(caught.count, 1);
    clock_virtual_advance(1);
    log_limited(&limit, LOG_LEVEL_ERROR, "no disk");
    ck_assert_str_eq(text_of(caught.line), "no disk (and 5 more like it, left out)");
    clock_virtual_advance(SECOND);
    log_limited(&limit, LOG_LEVEL_ERROR, "no disk");
    ck_assert_str_eq(text_of(caught.line), "no disk");
    ck_assert_int_eq(caught.count, 3);
}
END_TEST

START_TEST(a_limit_counts_what_its_level_lets_through)
{
    static struct log_limit limit;
    limit = (struct log_limit){0};
    log_limited(&limit, LOG_LEVEL_DEBUG, "dropped by its level");
    log_limited(&limit, LOG_LEVEL_NOTICE, "heard");
    ck_assert_str_eq(text_of(caught.line), "heard");
}
END_TEST

START_TEST(a_limit_outlives_a_change_of_clocks)
{
    static struct log_limit limit;
    limit = (struct log_limit){0};
    clock_virtual_advance(1000 * SECOND);
    log_limited(&limit, LOG_LEVEL_NOTICE, "late");
    clock_virtual_stop();
    clock_virtual_start(0);
    log_limited(&limit, LOG_LEVEL_NOTICE, "early");
    ck_assert_int_eq(caught.count, 2);
}
END_TEST

START_TEST(the_count_stays_where_the_message_is_cut)
{
    static struct log_limit limit;
    limit = (struct log_limit){0};
    char text[2 * LINE_MAX_BYTES];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_limited(&limit, LOG_LEVEL_NOTICE, "%s", text);
    log_limited(&limit, LOG_LEVEL_NOTICE, "%s", text);
    clock_virtual_advance(SECOND);
    log_limited(&limit, LOG_LEVEL_NOTICE, "%s", text);
    ck_assert_ptr_nonnull(strstr(caught.line, "xxx... (and 1 more like it, left out)"));
    ck_assert_uint_eq(strlen(caught.line), LINE_MAX_BYTES - 1);
}
END_TEST

/* ---- what really goes to stderr ---- */

#define WRITERS 4
#define LINES 200

static void *write_lines(void *arg)
{
    static struct log_limit limit;
    char filler[600];
    memset(filler, *(const char *)arg, sizeof(filler) - 1);
    filler[sizeof(filler) - 1] = '\0';
    for (int i = 0; i < LINES; i++) {
        log_notice("%s", filler);
        log_limited(&limit, LOG_LEVEL_DEBUG, "never");
    }
    return NULL;
}

struct reader {
    int fd;
    int lines, bad;
};

/* A packet pipe gives one write a read (pipe(2), O_DIRECT): each must be one whole line of one
 * thread. */
static void *read_lines(void *arg)
{
    struct reader *reader = arg;
    char packet[LINE_MAX_BYTES + 1];
    ssize_t got;
    while ((got = read(reader->fd, packet, LINE_MAX_BYTES)) > 0) {
        packet[got] = '\0';
        const char *text = strstr(packet, "] ");
        if (text == NULL || strspn(text + 2, (char[]){text[2], '\0'}) != 599 ||
            packet[got - 1] != '\n' || strchr(packet, '\n') != packet + got - 1)
            reader->bad++;
        reader->lines++;
    }
    return NULL;
}

START_TEST(a_line_is_one_write)
{
    log_set_sink(NULL, NULL);
    int ends[2], stderr_before = dup(STDERR_FILENO);
    ck_assert_int_ge(stderr_before, 0);
    ck_assert_int_eq(pipe2(ends, O_DIRECT | O_CLOEXEC), 0);
    ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    struct reader reader = {ends[0], 0, 0};
    char letters[WRITERS] = {'a', 'b', 'c', 'd'};
    pthread_t reading, writing[WRITERS];
    ck_assert_int_eq(pthread_create(&reading, NULL, read_lines, &reader), 0);
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&writing[i], NULL, write_lines, &letters[i]), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writing[i], NULL);
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    pthread_join(reading, NULL);
    close(ends[0]);
    ck_assert_int_eq(reader.bad, 0);
    ck_assert_int_eq(reader.lines, (intmax_t)WRITERS * LINES);
}
END_TEST

START_TEST(a_closed_stderr_is_survived)
{
    log_set_sink(NULL, NULL);
    int stderr_before = dup(STDERR_FILENO);
    ck_assert_int_ge(stderr_before, 0);
    close(STDERR_FILENO);
    errno = ENOTTY;
    log_error("to nobody");
    int after = errno;
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    ck_assert_int_eq(after, ENOTTY);
}
END_TEST

static struct log_limit shared_limit;

static void *knock(void *arg)
{
    (void)arg;
    for (int i = 0; i < LINES; i++)
        log_limited(&shared_limit, LOG_LEVEL_NOTICE, "knock");
    return NULL;
}

/* How many a line says were left out. */
static int left_out(const char *line)
{
    const char *tail = strstr(line, "(and ");
    return tail != NULL ? (int)strtol(tail + strlen("(and "), NULL, 10) : 0;
}

START_TEST(a_limit_is_shared_by_threads)
{
    pthread_t knocking[WRITERS];
    shared_limit = (struct log_limit){0};
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&knocking[i], NULL, knock, NULL), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(knocking[i], NULL);
    /* Time stands: one got through. The others are told of with it or with the next, none twice. */
    ck_assert_int_eq(caught.count, 1);
    int told = left_out(caught.line);
    clock_virtual_advance(SECOND);
    log_limited(&shared_limit, LOG_LEVEL_NOTICE, "knock");
    ck_assert_int_eq(caught.count, 2);
    ck_assert_int_eq(told + left_out(caught.line), WRITERS * LINES - 1);
}
END_TEST

/* ---- the queue ---- */

#define NUMBERED 6000 /* lines: twice what the queue holds */

/* Standard error is one end of something; the other is read, or isn't. */
struct elsewhere {
    int before, end;
    pthread_t serving;
};

static void wait_noted(const char *object)
{
    ck_assert_str_ne(object, "");
}

static void *serve(void *arg)
{
    (void)arg;
    log_queue_serve(wait_noted);
    return NULL;
}

static void elsewhere_begin(struct elsewhere *to, int ours, int end)
{
    log_set_sink(NULL, NULL);
    to->end = end;
    to->before = dup(STDERR_FILENO);
    ck_assert_int_ge(to->before, 0);
    ck_assert_int_eq(dup2(ours, STDERR_FILENO), STDERR_FILENO);
    close(ours);
    log_queue_open(); /* before the thread: the one before may have left it closing */
    ck_assert_int_eq(pthread_create(&to->serving, NULL, serve, NULL), 0);
}

static void elsewhere_end(struct elsewhere *to)
{
    ck_assert(log_queue_close(60 * SECOND));
    ck_assert_int_eq(pthread_join(to->serving, NULL), 0);
    dup2(to->before, STDERR_FILENO);
    close(to->before);
}

/* What came through: lines "number N" that rise by one, but for gaps of which a line tells. */
struct heard {
    int fd;
    size_t piece; /* how much is read at once */
    uint64_t next, missing, gaps, bad;
};

static void line_heard(struct heard *heard, const char *line)
{
    const char *number = strstr(line, "] number ");
    const char *gap = strstr(line, "for a while: ");
    if (number != NULL && strtoull(number + strlen("] number "), NULL, 10) == heard->next) {
        heard->next++;
    } else if (gap != NULL) {
        uint64_t missing = strtoull(gap + strlen("for a while: "), NULL, 10);
        heard->next += missing;
        heard->missing += missing;
        heard->gaps++;
    } else {
        heard->bad++;
    }
}

static void *hear(void *arg)
{
    struct heard *heard = arg;
    char line[LINE_MAX_BYTES], piece[512];
    size_t len = 0;
    ssize_t got;
    while ((got = read(heard->fd, piece, heard->piece)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (piece[i] != '\n') {
                line[len++] = piece[i];
                continue;
            }
            line[len] = '\0';
            line_heard(heard, line);
            len = 0;
        }
    }
    heard->bad += len > 0;
    return NULL;
}

static void say_numbers(uint64_t from, uint64_t to)
{
    static const char padding[] = "................................................";
    for (uint64_t i = from; i < to; i++)
        log_notice("number %llu %s", (unsigned long long)i, padding);
}

START_TEST(nobody_waits_for_a_pipe_that_is_not_read)
{
    int ends[2];
    struct elsewhere to;
    struct log_stat before, stat;
    log_stat(&before);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    elsewhere_begin(&to, ends[1], ends[0]);
    say_numbers(0, NUMBERED);
    log_stat(&stat);
    ck_assert_uint_gt(stat.dropped, before.dropped);
    ck_assert_uint_gt(stat.pending, 0);
    ck_assert_msg(!log_queue_close(0), "it can't have been written");
    log_queue_open();
    struct heard heard = {.fd = ends[0], .piece = 512};
    pthread_t hearing;
    ck_assert_int_eq(pthread_create(&hearing, NULL, hear, &heard), 0);
    log_flush(60 * SECOND);
    say_numbers(NUMBERED, NUMBERED + 1);
    elsewhere_end(&to);
    pthread_join(hearing, NULL);
    close(ends[0]);
    ck_assert_uint_eq(heard.bad, 0);
    ck_assert_uint_ge(heard.gaps, 1);
    ck_assert_uint_eq(heard.missing, stat.dropped - before.dropped);
    ck_assert_uint_eq(heard.next, NUMBERED + 1);
}
END_TEST

/* Short writes and EAGAIN: the other end takes less than a line, and somebody made it not block. */
START_TEST(no_line_is_torn)
{
    int ends[2], least = 1;
    struct elsewhere to;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, 0), 0);
    elsewhere_begin(&to, ends[1], ends[0]);
    struct heard heard = {.fd = ends[0], .piece = 7};
    pthread_t hearing;
    ck_assert_int_eq(pthread_create(&hearing, NULL, hear, &heard), 0);
    say_numbers(0, 500);
    elsewhere_end(&to);
    pthread_join(hearing, NULL);
    close(ends[0]);
    ck_assert_uint_eq(heard.bad, 0);
    ck_assert_uint_eq(heard.next, 500);
}
END_TEST

START_TEST(a_reader_that_is_gone_is_counted)
{
    int ends[2];
    struct elsewhere to;
    struct log_stat before, stat;
    log_stat(&before);
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    elsewhere_begin(&to, ends[1], -1);
    say_numbers(0, 10);
    log_flush(60 * SECOND);
    elsewhere_end(&to);
    log_stat(&stat);
    ck_assert_uint_ge(stat.dropped - before.dropped, 10);
    ck_assert_uint_eq(stat.pending, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_plain_line);
    tcase_add_loop_test(tcase, a_line_for_systemd, 0, level_count);
    tcase_add_loop_test(tcase, levels_have_words, 0, level_count);
    tcase_add_test(tcase, other_words_are_no_levels);
    tcase_add_test(tcase, messages_above_the_level_are_dropped);
    tcase_add_loop_test(tcase, nothing_outside_can_fake_a_line, 0, escape_count);
    tcase_add_loop_test(tcase, a_long_line_is_cut_between_characters, 0, 3);
    tcase_add_test(tcase, a_line_just_within_is_not_cut);
    tcase_add_test(tcase, errno_survives);
    tcase_add_test(tcase, repeated_messages_are_limited_and_counted);
    tcase_add_test(tcase, a_limit_counts_what_its_level_lets_through);
    tcase_add_test(tcase, a_limit_outlives_a_change_of_clocks);
    tcase_add_test(tcase, the_count_stays_where_the_message_is_cut);
    tcase_add_test(tcase, a_line_is_one_write);
    tcase_add_test(tcase, a_closed_stderr_is_survived);
    tcase_add_test(tcase, a_limit_is_shared_by_threads);
    tcase_add_test(tcase, nobody_waits_for_a_pipe_that_is_not_read);
    tcase_add_test(tcase, no_line_is_torn);
    tcase_add_test(tcase, a_reader_that_is_gone_is_counted);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
