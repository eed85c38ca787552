// SPDX-License-Identifier: MIT
// The configuration: each type of value, each kind of mistake with its line, the snapshot, and
// where the file is looked for.

#include "base/log.h"
#include "config/config_priv.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char file[64];
static struct config *config;
static struct config_errors errors;
static struct buf said;

static void file_make(void)
{
    strcpy(file, "/tmp/test_config.XXXXXX"); // who may write on the way to the build folder?
    int fd = mkstemp(file);
    ck_assert_int_ge(fd, 0);
    close(fd);
    config_errors_init(&errors);
    buf_init(&said);
}

static void file_remove(void)
{
    unlink(file);
    config_free(&config);
    config_errors_fini(&errors);
    buf_fini(&said);
}

static void file_write(const char *text, size_t len)
{
    FILE *stream = fopen(file, "w");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(text, 1, len, stream), len);
    ck_assert_int_eq(fclose(stream), 0);
}

// Each message without the file's name: "3: grace ..." or "--listen: ...".
static void said_add(const char *text)
{
    size_t len = strlen(file);
    bool of_file = strncmp(text, file, len) == 0 && text[len] == ':';
    ck_assert_int_eq(buf_printf(&said, "%s\n", of_file ? text + len + 1 : text), 0);
}

static int load_options(struct config_options *options)
{
    config_free(&config);
    config_errors_fini(&errors);
    buf_clear(&said);
    options->file = file;
    int rc = config_load(&config, options, &errors);
    config_errors_each(&errors, said_add);
    ck_assert_int_eq(buf_append_char(&said, '\0'), 0);
    return rc;
}

static int load(const char *text)
{
    struct config_options options = {0};
    file_write(text, strlen(text));
    return load_options(&options);
}

// The file is refused, with just this text.
static void refused(const char *text, const char *expected)
{
    int rc = load(text);
    ck_assert_msg(rc == EINVAL && strcmp(said.data, expected) == 0,
                  "%s\n-- was answered (%d) with\n%s\n-- and not with\n%s", text, rc, said.data,
                  expected);
    ck_assert_ptr_null(config);
}

static void accepted(const char *text)
{
    int rc = load(text);
    ck_assert_msg(rc == 0, "%s\n-- was refused with\n%s", text, said.data);
    ck_assert_uint_eq(errors.count, 0);
}

/* ---- files that are good ---- */

START_TEST(empty_file_is_all_defaults)
{
    accepted("");
    ck_assert_str_eq(config->file, file);
    ck_assert_uint_eq(config->listen.count, 2);
    ck_assert_str_eq(config->listen.item[0], "unix");
    ck_assert_str_eq(config->listen.item[1], "tcp:127.0.0.1:11300");
    ck_assert_ptr_null(config->listen.item[2]);
    ck_assert_int_eq(config->socket_mode, CONFIG_MODE_AUTO);
    ck_assert_int_eq(config->access, CONFIG_RULES);
    ck_assert_int_eq(config->insecure, 0);
    ck_assert_uint_eq(config->acl_count, 0);
    ck_assert_int_eq(config->max_job_size, 65535);
    ck_assert_int_eq(config->log_level, LOG_LEVEL_NOTICE);
    ck_assert_int_eq(config->io_threads, 0);
    ck_assert_int_eq(config->max_line, 224);
    ck_assert_int_eq(config->max_output, 256 << 10);
    ck_assert_int_eq(config->at_limit, CONFIG_REFUSE);
    ck_assert_uint_eq(config->pool_count, 0);
}
END_TEST

static void rights_landed(void)
{
    ck_assert_int_eq(config->access, CONFIG_BEANSTALKD);
    ck_assert_int_eq(config->insecure, 1);
    ck_assert_int_eq(config->tube[0].guarded, 1);
    ck_assert_uint_eq(config->acl_count, 2);
    ck_assert_str_eq(config->acl[0].name, "web");
    ck_assert_str_eq(config->acl[0].users.item[1], "@staff");
    ck_assert_str_eq(config->acl[0].tubes.item[0], "a-*");
    ck_assert_str_eq(config->acl[0].may.item[1], "see");
    ck_assert_int_eq(config->acl[0].anyone, 0);
    ck_assert_int_eq(config->acl[1].anyone, 1);
    ck_assert_int_eq(config->acl[1].guarded, 1);
    ck_assert_str_eq(config->acl[1].doors.item[0], "loopback");
}

START_TEST(every_parameter_lands_in_its_field)
{
    accepted("listen = {\"unix:/a\", tcp:127.0.0.1:1, 'unix'}\n"
             "socket_mode = 0600\nio_threads = 3\nlog_level = debug\nmax_connections = 77\n"
             "max_job_size = 2M\nmax_jobs = 5\nmax_bytes = 9K\ngrace = 90s\n"
             "max_line = 64K max_output = 1M max_held = 3 max_tube_jobs = 4 max_tube_bytes = 2K\n"
             "at_limit = wait\n"
             "results_age = 2d\nresults_count = 10\nresults_bytes = 1G group_keep = 90s"
             " max_groups = 12\n"
             "pool \"gzip\" {\n tubes = {\"a\", \"b\"}\n workers = 4\n handler = \"null\"\n"
             " argv = {\"gzip\", \"-c\"}\n output_limit = 1M\n kill_after = 250ms\n"
             " directory = \"/srv\" environment = {PATH, \"A=b\"} umask = 027 limit_core = 0\n"
             " limit_cpu = 90s limit_nofile = 64 run_as = \"www:www\" no_new_privs = yes\n}\n"
             "pool other { tubes = c }\n"
             "access = beanstalkd insecure = yes tube t { guarded = yes }\n"
             "acl web { users = {www, \"@staff\"} tubes = {\"a-*\"} may = {put, see} }\n"
             "acl all { anyone = yes doors = {loopback} guarded = yes }\n");
    rights_landed();
    ck_assert_uint_eq(config->listen.count, 3);
    ck_assert_str_eq(config->listen.item[1], "tcp:127.0.0.1:1");
    ck_assert_int_eq(config->socket_mode, 0600);
    ck_assert_int_eq(config->io_threads, 3);
    ck_assert_int_eq(config->log_level, LOG_LEVEL_DEBUG);
    ck_assert_int_eq(config->max_connections, 77);
    ck_assert_int_eq(config->max_job_size, 2 << 20);
    ck_assert_int_eq(config->max_jobs, 5);
    ck_assert_int_eq(config->max_bytes, 9 << 10);
    ck_assert_int_eq(config->max_line, 64 << 10);
    ck_assert_int_eq(config->max_output, 1 << 20);
    ck_assert_int_eq(config->max_held, 3);
    ck_assert_int_eq(config->max_tube_jobs, 4);
    ck_assert_int_eq(config->max_tube_bytes, 2 << 10);
    ck_assert_int_eq(config->at_limit, CONFIG_WAIT);
    ck_assert_int_eq(config->grace, INT64_C(90000000000));
    ck_assert_int_eq(config->results_age, 48 * CONFIG_HOUR);
    ck_assert_int_eq(config->results_count, 10);
    ck_assert_int_eq(config->results_bytes, CONFIG_GIB);
    ck_assert_int_eq(config->group_keep, 90 * CONFIG_SECOND);
    ck_assert_int_eq(config->max_groups, 12);
    ck_assert_int_eq(config->line[CONFIG_DAEMON_max_jobs], 7);
    ck_assert_uint_eq(config->pool_count, 2);
    const struct config_pool *pool = &config->pool[0];
    ck_assert_str_eq(pool->name, "gzip");
    ck_assert_uint_eq(pool->tubes.count, 2);
    ck_assert_str_eq(pool->tubes.item[1], "b");
    ck_assert_int_eq(pool->workers, 4);
    ck_assert_str_eq(pool->handler, "null");
    ck_assert_uint_eq(pool->argv.count, 2);
    ck_assert_str_eq(pool->argv.item[1], "-c");
    ck_assert_ptr_null(pool->argv.item[2]);
    ck_assert_int_eq(pool->output_limit, 1 << 20);
    ck_assert_int_eq(pool->kill_after, 250000000);
    ck_assert_int_eq(pool->line[CONFIG_POOL_tubes], 16);
    ck_assert_str_eq(pool->directory, "/srv");
    ck_assert_uint_eq(pool->environment.count, 2);
    ck_assert_str_eq(pool->environment.item[1], "A=b");
    ck_assert_int_eq(pool->umask, 027);
    ck_assert_int_ne(pool->line[CONFIG_POOL_limit_core], 0);
    ck_assert_int_eq(pool->limit_core, 0);
    ck_assert_int_eq(pool->line[CONFIG_POOL_limit_as], 0);
    ck_assert_int_eq(pool->limit_cpu, INT64_C(90000000000));
    ck_assert_int_eq(pool->limit_nofile, 64);
    ck_assert_str_eq(pool->run_as, "www:www");
    ck_assert_int_eq(pool->no_new_privs, 1);
    ck_assert_int_eq(pool->end_line, 24);
    pool = &config->pool[1];
    ck_assert_str_eq(pool->name, "other");
    ck_assert_int_eq(pool->workers, 1);
    ck_assert_str_eq(pool->handler, "exec");
    ck_assert_uint_eq(pool->argv.count, 0);
    ck_assert_ptr_null(pool->argv.item[0]);
    ck_assert_int_eq(pool->line[CONFIG_POOL_workers], 0);
}
END_TEST

START_TEST(what_is_kept_and_how)
{
    accepted("");
    ck_assert_str_eq(config->data_dir, "auto");
    ck_assert_int_eq(config->durability, CONFIG_COMMIT);
    ck_assert_int_eq(config->sync_interval, 50 * CONFIG_MILLISECOND);
    ck_assert_int_eq(config->segment_size, 2 << 20);
    ck_assert_int_eq(config->segment_size_max, 32 << 20);
    config_free(&config);
    accepted("data_dir = /var/lib/other durability = interval sync_interval = 20ms\n"
             "cache_size = 1G segment_size = 64K segment_size_max = 1M\n");
    ck_assert_str_eq(config->data_dir, "/var/lib/other");
    ck_assert_int_eq(config->durability, CONFIG_INTERVAL);
    ck_assert_int_eq(config->sync_interval, 20 * CONFIG_MILLISECOND);
    ck_assert_int_eq(config->cache_size, CONFIG_GIB);
    ck_assert_int_eq(config->segment_size, 65536);
    ck_assert_int_eq(config->segment_size_max, 1 << 20);
}
END_TEST

START_TEST(tube_has_what_its_section_says_and_else_what_the_top_says)
{
    accepted("tube a { durability = memory }\ntube \"b\" { sync_interval = 1s }\ntube c { }\n"
             "durability = interval\nsync_interval = 5ms\n"
             "pool a { tubes = a }\n"); // a pool and a tube may have one name
    ck_assert_uint_eq(config->tube_count, 3);
    const struct config_tube *tube = config->tube;
    ck_assert_str_eq(tube[0].name, "a");
    ck_assert_int_eq(tube[0].line[CONFIG_TUBE_durability], 1);
    ck_assert_int_eq(tube[0].durability, CONFIG_MEMORY);
    ck_assert_int_eq(tube[0].sync_interval, 5 * CONFIG_MILLISECOND);
    ck_assert_str_eq(tube[1].name, "b");
    ck_assert_int_eq(tube[1].durability, CONFIG_INTERVAL);
    ck_assert_int_eq(tube[1].sync_interval, 1000 * CONFIG_MILLISECOND);
    ck_assert_int_eq(tube[2].durability, CONFIG_INTERVAL);
    ck_assert_int_eq(tube[2].sync_interval, 5 * CONFIG_MILLISECOND);
}
END_TEST

START_TEST(comments_may_stand_anywhere)
{
    accepted("# one\n// two\n/* three */ grace /* four */ = 5s # five\n"
             "listen = { # six\n unix, // seven\n /* eight\n nine */ tcp:127.0.0.1:1\n}\n"
             "pool a/**/{ tubes = {'#no', \"/*no*/\"} handler = null }\n# end");
    ck_assert_int_eq(config->grace, INT64_C(5000000000));
    ck_assert_int_eq(config->line[CONFIG_DAEMON_grace], 3);
    ck_assert_uint_eq(config->listen.count, 2);
    ck_assert_str_eq(config->pool[0].tubes.item[0], "#no");
    ck_assert_str_eq(config->pool[0].tubes.item[1], "/*no*/");
    ck_assert_int_eq(config->pool[0].end_line, 9);
}
END_TEST

START_TEST(lines_may_end_with_carriage_returns)
{
    accepted("grace = 5s\r\nio_threads = 2\r\n");
    ck_assert_int_eq(config->io_threads, 2);
}
END_TEST

START_TEST(texts_keep_what_is_quoted)
{
    accepted(
        "pool a { tubes = t argv = {'a\"b', \"c'd\", \"e\\\"f\", 'g\\'h', \"\", \"x\\ny\"} }\n");
    const struct config_list *argv = &config->pool[0].argv;
    ck_assert_uint_eq(argv->count, 6);
    ck_assert_str_eq(argv->item[0], "a\"b");
    ck_assert_str_eq(argv->item[1], "c'd");
    ck_assert_str_eq(argv->item[2], "e\"f");
    ck_assert_str_eq(argv->item[3], "g'h");
    ck_assert_str_eq(argv->item[4], "");
    ck_assert_str_eq(argv->item[5], "x\ny");
}
END_TEST

START_TEST(list_grows_by_plus_equals)
{
    accepted("pool a { tubes = {t} tubes += {u, v} }\n");
    ck_assert_uint_eq(config->pool[0].tubes.count, 3);
    ck_assert_str_eq(config->pool[0].tubes.item[2], "v");
}
END_TEST

/* ---- mistakes ---- */

static const struct {
    const char *text, *expected;
} mistakes[] = {
    {"\ngraec = 10s\n", "2: unknown parameter graec; did you mean grace?\n"},
    {"xyzzy = {a, b}\n", "1: unknown parameter xyzzy; hilerad.conf(5) lists all of them\n"},
    {"pool a {\n tubes = t\n worker = 4\n}\n",
     "3: unknown parameter worker; did you mean workers?\n"},
    {"pol \"a\" { tubes = t }\n", "1: unknown parameter pol; did you mean pool?\n"},
    {"workers = 4\n", "1: workers belongs into a pool: pool \"NAME\" { ... }\n"},
    {"pool a { tubes = t\n grace = 4\n}\n",
     "2: grace belongs to the top of the file, not into a pool\n"},
    {"tube a { durability = often }\n",
     "1: tube \"a\": durability = \"often\"; it must be commit, interval or memory\n"},
    {"tube a {\n workers = 1\n}\n", "2: workers belongs into a pool: pool \"NAME\" { ... }\n"},
    {"tube a { grace = 1s }\n", "1: grace belongs to the top of the file, not into a tube\n"},
    {"tube a { }\ntube a { }\n",
     "2: there is a \"a\" already; each pool, tube and acl needs a name of its own\n"},
    {"data_dir = var\n", "1: data_dir = \"var\"; it must be an absolute path, auto or none\n"},
    {"durability = default\n",
     "1: durability = \"default\"; it must be commit, interval or memory\n"},
    {"io_threads = 65\n",
     "1: io_threads = \"65\"; it must be a whole number, or auto: auto, 1 to 64\n"},
    {"io_threads = many\n",
     "1: io_threads = \"many\"; it must be a whole number, or auto: auto, 1 to 64\n"},
    {"at_limit = block\n", "1: at_limit = \"block\"; it must be refuse or wait\n"},
    {"max_line = 223\n", "1: max_line = \"223\"; it must be a number of bytes, such as 65535, "
                         "64K, 10M, 2G: 224 to 64K\n"},
    {"grace = 2d\n", "1: grace = \"2d\"; it must be a time, such as 500ms, 10s, 5m, 1h, 7d: 0 to "
                     "1d\n"},
    {"max_jobs = -1\n", "1: max_jobs = \"-1\"; it must be a whole number: 0 or more\n"},
    {"max_job_size = 2G\n",
     "1: max_job_size = \"2G\"; it must be a number of bytes, such as 65535, "
     "64K, 10M, 2G: 1 to 1G\n"},
    {"log_level = loud\n",
     "1: log_level = \"loud\"; it must be one of error, warning, notice, info, debug\n"},
    {"socket_mode = rw\n",
     "1: socket_mode = \"rw\"; it must be auto, or permissions in octal, such as 0660: 0000 to "
     "0777\n"},
    {"acl a {\n tokens = {x}\n}\n",
     "2: tokens are not there yet; whom an acl fits is said by users and anyone\n"},
    {"acl \"a b\" {\n users = x\n}\n",
     "3: acl \"a b\": an acl's name has 1 to 32 letters, digits, dots, dashes, underscores\n"},
    {"access = all\n", "1: access = \"all\"; it must be rules or beanstalkd\n"},
    {"listen = {}\n", " listen is empty; it takes 1 to 64 entries\n"},
    {"listen = {unix, 11300}\n",
     "1: listen \"11300\": an address is unix, unix:PATH or tcp:ADDRESS:PORT\n"},
    {"pool a {\n workers = 2\n}\n",
     "3: pool \"a\" has no tubes; say which it serves: tubes = {\"NAME\"}\n"},
    {"pool a {\n}\n", "2: pool \"a\" has no tubes; say which it serves: tubes = {\"NAME\"}\n"},
    {"pool a { tubes = {} }\n", "1: pool \"a\": tubes is empty; it takes 1 to 1024 entries\n"},
    {"pool a {\n tubes = t\n workers = 1025\n}\n",
     "3: pool \"a\": workers = \"1025\"; it must be a whole number: 1 to 1024\n"},
    {"pool a { tubes = t handler = \"\" }\n",
     "1: pool \"a\": handler is empty; leave it out to get its default\n"},
    {"pool \"\" { tubes = t }\n", "1: pool \"\": a pool's name has 1 to 32 letters, digits, dots, "
                                  "dashes, underscores\n"},
    {"pool \"a b\" { tubes = t }\n", "1: pool \"a b\": a pool's name has 1 to 32 letters, digits, "
                                     "dots, dashes, underscores\n"},
    {"pool a { tubes = t }\n\npool a { tubes = u }\n",
     "3: there is a \"a\" already; each pool, tube and acl needs a name of its own\n"},
    {"pool { tubes = t }\n", "1: the name is missing: pool \"NAME\" { ... }\n"},
    {"pool a tubes = t\n", "1: a { is missing: pool \"NAME\" { ... }\n"},
    {"grace 10s\n", "1: an equal sign is missing behind grace: it is written NAME = VALUE\n"},
    {"grace += 10s\n", "1: += adds to lists; grace holds one value and takes =\n"},
    {"grace = {10s}\n", "1: \"{\" makes no sense here; values are written NAME = VALUE or NAME = "
                        "{\"a\", \"b\"}\n"},
    {"grace = 10s }\n", "1: this } closes nothing; is there one too many?\n"},
    {"pool a {\n tubes = t\n", "1: the { of this line is never closed; a } is missing\n"},
    {"io_threads = 1\ngrace =", "2: the file ends in the middle of a setting\n"},
    {"pool a { tubes = t ${x { y }\n", "1: the { of this line is never closed; a } is missing\n"},
    {"grace = 1s\n\ngrace = 2s\n", "3: grace is set a second time; line 1 has it already\n"},
    {"listen = {unix}\nlisten = {\nunix}\n",
     "3: listen is set a second time; line 1 has it already, and listen += {...} adds to it\n"},
    {"pool a {\ntubes = {t, u\n}", "1: the { of this line is never closed; a } is missing\n"},
    {"grace = 1s\n/* never\nclosed", "2: this comment is never closed; it ends with */\n"},
    {"pool a { tubes = \"t\n}\n",
     "1: the quote is not closed on its line; close it, or write a line break as \\n\n"},
    {"pool a { tubes = t argv = {ls, *} }\n",
     "1: a \"*\" can't stand outside of quotes; write the value as \"...\"\n"},
    {"grace = \001\n", "1: a control character (byte 1) stands here; is this a text file?\n"},
    {"pool a { tubes = t argv = \"\\999\" }\n", "1: bad escape sequence '\\999'\n"},
};

START_TEST(mistake_is_named_with_its_line)
{
    refused(mistakes[_i].text, mistakes[_i].expected);
}
END_TEST

START_TEST(all_mistakes_are_reported_in_order)
{
    refused("io_threads = 100\n"
            "foo = {1, 2}\n"
            "pool one {\n workers = 0\n bar = 7\n}\n"
            "foo = 3\n"
            "listen = {unix:x, unix, tcp:y}\n",
            "1: io_threads = \"100\"; it must be a whole number, or auto: auto, 1 to 64\n"
            "2: unknown parameter foo; hilerad.conf(5) lists all of them\n"
            "4: pool \"one\": workers = \"0\"; it must be a whole number: 1 to 1024\n"
            "5: unknown parameter bar; hilerad.conf(5) lists all of them\n"
            "6: pool \"one\" has no tubes; say which it serves: tubes = {\"NAME\"}\n"
            "8: listen \"unix:x\": the path of a Unix socket must be absolute: "
            "unix:/run/hilera/hilera.sock\n"
            "8: listen \"tcp:y\": a TCP address ends in a port from 0 to 65535: "
            "tcp:127.0.0.1:11300\n");
}
END_TEST

START_TEST(unknown_names_are_counted_to_a_limit)
{
    struct buf text = BUF_EMPTY;
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(buf_printf(&text, "unheard%d = 1\n", i), 0);
    ck_assert_int_eq(load(text.data), EINVAL);
    ck_assert_uint_eq(errors.count, 33);
    buf_fini(&text);
}
END_TEST

START_TEST(binary_file_gets_a_few_lines_only)
{
    char bytes[4096];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i % 7);
    struct config_options options = {0};
    file_write(bytes, sizeof(bytes));
    ck_assert_int_eq(load_options(&options), EINVAL);
    ck_assert_uint_le(errors.count, 20);
    ck_assert_uint_ge(errors.count, 1);
}
END_TEST

// Whatever stands in the file: an answer, and no message without a reason.
START_TEST(garbled_files_are_survived)
{
    static const char good[] = "listen = {unix, 'tcp:127.0.0.1:1'} grace = \"5s\" # c\n"
                               "pool \"a\" { tubes = {t} /* c */ argv += {x, y} }\n";
    static const char bytes[] = "{}=+\"'\\#/*\n\r\t ,()$a1\xff";
    unsigned seed = 7;
    for (int round = 0; round < 2000; round++) {
        char text[sizeof(good)];
        memcpy(text, good, sizeof(good));
        for (int change = 0; change <= round % 4; change++) {
            seed = seed * 1103515245 + 12345;
            text[(seed >> 8) % (sizeof(good) - 1)] = bytes[(seed >> 20) % (sizeof(bytes) - 1)];
        }
        int rc = load(text);
        ck_assert(rc == 0 || rc == EINVAL);
        ck_assert((rc == 0) == (errors.count == 0));
    }
}
END_TEST

START_TEST(file_that_is_none)
{
    struct config_options options = {0};
    unlink(file);
    ck_assert_int_eq(load_options(&options), EINVAL);
    ck_assert_str_eq(said.data, " there is no such file; name another with --config FILE\n");
    ck_assert_int_eq(mkdir(file, 0700), 0);
    ck_assert_int_eq(load_options(&options), EINVAL);
    ck_assert_str_eq(said.data, " can't be read: Is a directory\n");
    ck_assert_int_eq(rmdir(file), 0);
    ck_assert_int_eq(mkfifo(file, 0700), 0);
    ck_assert_int_eq(load_options(&options), EINVAL);
    ck_assert_str_eq(said.data, " not a regular file\n");
    unlink(file);
    file_write("", 0);
    ck_assert_int_eq(truncate(file, CONFIG_FILE_MAX + 1), 0);
    ck_assert_int_eq(load_options(&options), EINVAL);
    ck_assert_str_eq(said.data, " larger than 1 MiB; is this a configuration file?\n");
}
END_TEST

/* ---- command line, checks, places ---- */

START_TEST(command_line_goes_before_the_file)
{
    char *listen[] = {(char[]){"tcp:127.0.0.1:7"}};
    char *level[] = {(char[]){"info"}}, *threads[] = {(char[]){"7"}};
    const struct config_override override[] = {
        {CONFIG_DAEMON_listen, "--listen", listen, 1},
        {CONFIG_DAEMON_log_level, "--log-level", level, 1},
        {CONFIG_DAEMON_io_threads, "--threads", threads, 1},
    };
    struct config_options options = {.override = override, .override_count = 3};
    const char text[] = "listen = unix:/x\nlog_level = error\nio_threads = 2\n";
    file_write(text, strlen(text));
    ck_assert_int_eq(load_options(&options), 0);
    ck_assert_uint_eq(config->listen.count, 1);
    ck_assert_str_eq(config->listen.item[0], "tcp:127.0.0.1:7");
    ck_assert_int_eq(config->log_level, LOG_LEVEL_INFO);
    ck_assert_int_eq(config->io_threads, 7);

    listen[0][0] = 'x';
    strcpy(level[0], "loud");
    strcpy(threads[0], "x");
    ck_assert_int_eq(load_options(&options), EINVAL);
    ck_assert_str_eq(said.data,
                     "--listen: listen \"xcp:127.0.0.1:7\": an address is unix, unix:PATH or "
                     "tcp:ADDRESS:PORT\n"
                     "--log-level: log_level = \"loud\"; it must be one of error, warning, notice, "
                     "info, debug\n"
                     "--threads: io_threads = \"x\"; it must be a whole number, or auto: auto, 1 "
                     "to 64\n");
}
END_TEST

START_TEST(verbosity_raises_the_level)
{
    struct config_options options = {.verbosity = 1};
    const char text[] = "log_level = warning\n";
    file_write(text, strlen(text));
    ck_assert_int_eq(load_options(&options), 0);
    ck_assert_int_eq(config->log_level, LOG_LEVEL_NOTICE);
    options.verbosity = 3;
    ck_assert_int_eq(load_options(&options), 0);
    ck_assert_int_eq(config->log_level, LOG_LEVEL_DEBUG);
    options.verbosity = 77;
    ck_assert_int_eq(load_options(&options), 0);
    ck_assert_int_eq(config->log_level, LOG_LEVEL_DEBUG);
}
END_TEST

static void check_pools(const struct config *all, struct config_errors *found)
{
    for (size_t i = 0; i < all->pool_count; i++)
        config_error(found, all->file, all->pool[i].line[CONFIG_POOL_tubes], "pool %s seen",
                     all->pool[i].name);
}

START_TEST(own_checks_are_reported_among_the_others)
{
    struct config_options options = {.check = check_pools};
    const char text[] = "grace = x\npool a {\n tubes = t\n}\nio_threads = x\n";
    file_write(text, strlen(text));
    ck_assert_int_eq(load_options(&options), EINVAL);
    ck_assert_uint_eq(errors.count, 3);
    ck_assert_ptr_nonnull(strstr(said.data, "\n3: pool a seen\n5: "));
}
END_TEST

START_TEST(file_is_found_for_root_and_user)
{
    char *path = NULL;
    ck_assert_int_eq(config_find_file(&path, file, true), 0);
    ck_assert_str_eq(path, file);
    free(path);
    ck_assert_int_eq(config_find_file(&path, "/nowhere/hilerad.conf", true), 0);
    ck_assert_ptr_null(path);

    char dir[] = "/tmp/test_config.XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    char below[64], whole[96];
    snprintf(below, sizeof(below), "%s/hilera", dir);
    snprintf(whole, sizeof(whole), "%s/hilerad.conf", below);
    setenv("XDG_CONFIG_HOME", dir, 1);
    ck_assert_int_eq(config_find_file(&path, file, false), 0);
    ck_assert_ptr_null(path);
    ck_assert_int_eq(mkdir(below, 0700), 0);
    FILE *stream = fopen(whole, "w");
    ck_assert_ptr_nonnull(stream);
    fclose(stream);
    ck_assert_int_eq(config_find_file(&path, file, false), 0);
    ck_assert_str_eq(path, whole);
    free(path);
    // A relative XDG_CONFIG_HOME counts as none, as its specification says.
    setenv("XDG_CONFIG_HOME", ".", 1);
    setenv("HOME", "/nowhere", 1);
    ck_assert_int_eq(config_find_file(&path, file, false), 0);
    ck_assert_ptr_null(path);
    unlink(whole);
    rmdir(below);
    rmdir(dir);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *good = tcase_create("good files");
    tcase_add_checked_fixture(good, file_make, file_remove);
    tcase_add_test(good, empty_file_is_all_defaults);
    tcase_add_test(good, every_parameter_lands_in_its_field);
    tcase_add_test(good, what_is_kept_and_how);
    tcase_add_test(good, tube_has_what_its_section_says_and_else_what_the_top_says);
    tcase_add_test(good, comments_may_stand_anywhere);
    tcase_add_test(good, lines_may_end_with_carriage_returns);
    tcase_add_test(good, texts_keep_what_is_quoted);
    tcase_add_test(good, list_grows_by_plus_equals);
    tcase_add_test(good, command_line_goes_before_the_file);
    tcase_add_test(good, verbosity_raises_the_level);
    tcase_add_test(good, file_is_found_for_root_and_user);
    suite_add_tcase(suite, good);

    TCase *bad = tcase_create("mistakes");
    tcase_add_checked_fixture(bad, file_make, file_remove);
    tcase_add_loop_test(bad, mistake_is_named_with_its_line, 0, COUNT(mistakes));
    tcase_add_test(bad, all_mistakes_are_reported_in_order);
    tcase_add_test(bad, unknown_names_are_counted_to_a_limit);
    tcase_add_test(bad, binary_file_gets_a_few_lines_only);
    tcase_add_test(bad, garbled_files_are_survived);
    tcase_add_test(bad, file_that_is_none);
    tcase_add_test(bad, own_checks_are_reported_among_the_others);
    suite_add_tcase(suite, bad);

    return unit_main(suite);
}
