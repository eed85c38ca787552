// SPDX-License-Identifier: MIT
// Bodies that are commands, taken apart. Commands that run are run.test's.

#include "spawned.h"
#include "unit.h"
#include "worker/command_priv.h"
#include "worker/worker_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_bad(const char *body, const char *words)
{
    struct command command;
    char why[256] = "";
    ck_assert_msg(command_read(&command, body, strlen(body), why, sizeof(why)) == EINVAL, "%s",
                  body);
    ck_assert_msg(strstr(why, words) != NULL, "%s: \"%s\" doesn't say \"%s\"", body, why, words);
}

START_TEST(everything_is_read)
{
    static const char body[] =
        "{\"argv\":[\"ls\",\"-l\",\"\"],\"cwd\":\"/tmp\",\"umask\":\"027\",\"stdin\":\"in\\n\","
        "\"env\":{\"A\":\"1\",\"HILERA_JOB_ID\":\"7\",\"EMPTY\":\"\"}}";
    struct command command;
    char why[256];
    ck_assert_int_eq(command_read(&command, body, strlen(body), why, sizeof(why)), 0);
    ck_assert_str_eq(command.argv[0], "ls");
    ck_assert_str_eq(command.argv[1], "-l");
    ck_assert_str_eq(command.argv[2], "");
    ck_assert_ptr_null(command.argv[3]);
    ck_assert_str_eq(command.directory, "/tmp");
    ck_assert_str_eq(command.input, "in\n");
    ck_assert(command.has_umask);
    ck_assert_uint_eq(command.umask, 027);
    ck_assert_uint_eq(command.env_count, 2); // what the run sets isn't the job's to say
    ck_assert_str_eq(command.env[0], "A=1");
    ck_assert_str_eq(command.env[1], "EMPTY=");
    command_fini(&command);
    ck_assert_ptr_null(command.argv);
}
END_TEST

// {"base64":...} stands for bytes that no text has, and env may be an array.
START_TEST(bytes_are_read)
{
    static const char body[] =
        "{\"argv\":[\"printf\",{\"base64\":\"//4K\"},{\"base64\":\"\"},\"\\u00ff\"],"
        "\"cwd\":{\"base64\":\"L/8=\"},\"stdin\":{\"base64\":\"YQBi\"},"
        "\"env\":[\"A=1\",{\"base64\":\"/z3+\"},\"HILERA_TUBE=x\"]}";
    struct command command;
    char why[256];
    ck_assert_int_eq(command_read(&command, body, strlen(body), why, sizeof(why)), 0);
    ck_assert_str_eq(command.argv[1], "\xff\xfe\n");
    ck_assert_str_eq(command.argv[2], "");
    ck_assert_str_eq(command.argv[3], "\xc3\xbf");
    ck_assert_ptr_null(command.argv[4]);
    ck_assert_str_eq(command.directory, "/\xff");
    ck_assert_uint_eq(command.input_len, 3);
    ck_assert_mem_eq(command.input, "a\0b", 3);
    ck_assert_uint_eq(command.env_count, 2);
    ck_assert_str_eq(command.env[0], "A=1");
    ck_assert_str_eq(command.env[1], "\xff=\xfe");
    ck_assert_ptr_null(command.env[2]);
    command_fini(&command);
    static const char named[] = "{\"argv\":[\"a\"],\"env\":{\"A\":{\"base64\":\"/g==\"}}}";
    ck_assert_int_eq(command_read(&command, named, strlen(named), why, sizeof(why)), 0);
    ck_assert_str_eq(command.env[0], "A=\xfe");
    command_fini(&command);
}
END_TEST

START_TEST(what_is_no_bytes)
{
    check_bad("{\"argv\":[{\"base64\":\"YQBi\"}]}", "without a NUL");
    check_bad("{\"argv\":[{\"base64\":\"YQ=\"}]}", "texts only");
    check_bad("{\"argv\":[{\"base64\":1}]}", "texts only");
    check_bad("{\"argv\":[{\"base64\":\"YQ==\",\"x\":1}]}", "texts only");
    check_bad("{\"argv\":[{\"hex\":\"61\"}]}", "texts only");
    check_bad("{\"argv\":[{}]}", "texts only");
    check_bad("{\"argv\":[{\"base64\":\"\"}]}", "not empty");
    check_bad("{\"argv\":[\"a\"],\"cwd\":{\"base64\":\"YQ==\"}}", "absolute path");
    check_bad("{\"argv\":[\"a\"],\"cwd\":{\"base64\":\"\"}}", "absolute path");
    check_bad("{\"argv\":[\"a\"],\"stdin\":{\"base64\":\"!\"}}", "\"stdin\" must be");
    check_bad("{\"argv\":[\"a\"],\"env\":[\"A\"]}", "no variable");
    check_bad("{\"argv\":[\"a\"],\"env\":[\"=1\"]}", "no variable");
    check_bad("{\"argv\":[\"a\"],\"env\":[1]}", "no variable");
    check_bad("{\"argv\":[\"a\"],\"env\":{\"A\":{\"base64\":\"AA==\"}}}", "no variable");
    check_bad("{\"argv\":[\"a\"],\"env\":\"A=1\"}", "object such as");
}
END_TEST

START_TEST(argv_is_enough)
{
    static const char body[] = "{\"argv\":[\"true\"]}";
    struct command command;
    char why[256];
    ck_assert_int_eq(command_read(&command, body, strlen(body), why, sizeof(why)), 0);
    ck_assert_ptr_null(command.env);
    ck_assert_ptr_null(command.directory);
    ck_assert_ptr_null(command.input);
    ck_assert(!command.has_umask);
    command_fini(&command);
}
END_TEST

START_TEST(what_is_none)
{
    check_bad("", "not JSON");
    check_bad("ls -l", "not JSON, from byte 0 of 5 on");
    check_bad("{\"argv\":[\"ls\"]} x", "not JSON");
    check_bad("{\"argv\":[\"l\\u0000s\"]}", "not JSON");
    check_bad("[\"ls\"]", "not an object");
    check_bad("{}", "no \"argv\"");
    check_bad("{\"cwd\":\"/\"}", "no \"argv\"");
    check_bad("{\"argv\":\"ls\"}", "an array of");
    check_bad("{\"argv\":[]}", "an array of");
    check_bad("{\"argv\":[\"ls\",1]}", "texts only");
    check_bad("{\"argv\":[\"\"]}", "not empty");
    check_bad("{\"argv\":[\"ls\"],\"argv\":[\"rm\"]}", "\"argv\" is there twice");
    check_bad("{\"argv\":[\"ls\"],\"cwd\":\"tmp\"}", "absolute path");
    check_bad("{\"argv\":[\"ls\"],\"cwd\":1}", "absolute path");
    check_bad("{\"argv\":[\"ls\"],\"umask\":18}", "octal");
    check_bad("{\"argv\":[\"ls\"],\"umask\":\"1000\"}", "octal");
    check_bad("{\"argv\":[\"ls\"],\"umask\":\"08\"}", "octal");
    check_bad("{\"argv\":[\"ls\"],\"umask\":\"\"}", "octal");
    check_bad("{\"argv\":[\"ls\"],\"umask\":\"-1\"}", "octal");
    check_bad("{\"argv\":[\"ls\"],\"stdin\":[]}", "\"stdin\" must be a text");
    check_bad("{\"argv\":[\"ls\"],\"env\":{\"A\":1}}", "\"A\" is no variable");
    check_bad("{\"argv\":[\"ls\"],\"env\":{\"A=B\":\"1\"}}", "\"A=B\" is no variable");
    check_bad("{\"argv\":[\"ls\"],\"env\":{\"\":\"1\"}}", "is no variable");
    check_bad("{\"argv\":[\"ls\"],\"dir\":\"/\"}", "\"dir\" is not a member");
}
END_TEST

START_TEST(too_many_words)
{
    size_t size = 32 + 4097 * 4;
    char *body = calloc(1, size);
    ck_assert_ptr_nonnull(body);
    strcpy(body, "{\"argv\":[\"x\"");
    char *at = body + strlen(body);
    for (int i = 0; i < 4096; i++)
        at = stpcpy(at, ",\"\"");
    strcpy(at, "]}");
    check_bad(body, "1 to 4096");
    free(body);
}
END_TEST

// ---- who may have commands run ----

#define RUNNER 65531
#define OTHER 65532

// What becomes of a body that is no command: it is looked at only if its submitter may run it.
static void check_run(const struct trust *trust, uint32_t submitter, const char *reason)
{
    struct worker_pool_settings pool = {.handler = "command", .handler_settings = {.trust = trust}};
    char why[256] = "";
    void *state;
    spawned_begin(&pool);
    ck_assert_msg(handler_command.open(&pool.handler_settings, &state, why, sizeof(why)) == 0, "%s",
                  why);
    struct job_body *body;
    struct job_outcome outcome;
    ck_assert_int_eq(job_body_new(&body, 2), 0);
    memcpy(body->bytes, "no", 2);
    const struct broker_lease lease = {
        .id = 1, .tube = "commands", .body = body, .submitter = submitter, .authorised = true};
    job_outcome_init(&outcome);
    struct handler_call call = {.lease = &lease, .outcome = &outcome};
    handler_command.run(state, &call);
    ck_assert_int_eq(outcome.kind, JOB_OUTCOME_BURIED);
    ck_assert_msg(strstr(outcome.reason, reason) != NULL, "uid %u: \"%s\" doesn't say \"%s\"",
                  submitter, outcome.reason, reason);
    job_outcome_fini(&outcome);
    job_body_unref(&body);
    handler_command.close(&state);
    spawned_end();
}

START_TEST(the_submitter_is_asked_for_again)
{
    static const char *const guarded[] = {"commands"}, *const others[] = {"other"};
    static const uint32_t runners[] = {RUNNER}, both[] = {RUNNER, OTHER};
    const struct trust_rule rules[] = {{.name = "run",
                                        .users = runners,
                                        .user_count = 1,
                                        .tubes = guarded,
                                        .tube_count = 1,
                                        .guarded = true,
                                        .may = TRUST_put | TRUST_run},
                                       {.name = "elsewhere",
                                        .users = both,
                                        .user_count = 2,
                                        .tubes = others,
                                        .tube_count = 1,
                                        .guarded = true,
                                        .may = TRUST_put | TRUST_run}};
    struct trust_settings settings = {.rules = rules,
                                      .rule_count = 2,
                                      .guarded = guarded,
                                      .guarded_count = 1,
                                      .daemon_uid = (uint32_t)geteuid()};
    struct trust *trust;
    char why[256] = "";
    ck_assert_msg(trust_new(&trust, &settings, why, sizeof(why)) == 0, "%s", why);
    check_run(trust, 0, "not a command");
    check_run(trust, (uint32_t)geteuid(), "not a command");
    check_run(trust, RUNNER, "not a command");
    check_run(trust, OTHER, "uid 65532 put it, and may not");
    check_run(trust, JOB_NOBODY, "not put as a command");
    trust_free(&trust);
    // The rule is gone.
    settings.rule_count = 0;
    ck_assert_msg(trust_new(&trust, &settings, why, sizeof(why)) == 0, "%s", why);
    check_run(trust, RUNNER, "(or not any more)");
    check_run(trust, 0, "not a command");
    trust_free(&trust);
    check_run(NULL, RUNNER, "(or not any more)");
    check_run(NULL, 0, "not a command");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("command");
    TCase *tcase = tcase_create("command");
    tcase_add_test(tcase, everything_is_read);
    tcase_add_test(tcase, the_submitter_is_asked_for_again);
    tcase_add_test(tcase, bytes_are_read);
    tcase_add_test(tcase, what_is_no_bytes);
    tcase_add_test(tcase, argv_is_enough);
    tcase_add_test(tcase, what_is_none);
    tcase_add_test(tcase, too_many_words);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
