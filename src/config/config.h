// SPDX-License-Identifier: MIT
/*
 * hilerad's configuration: one file, read once at start, checked whole, and then a snapshot that
 * nobody changes.
 *
 * Every setting is a row of parameters.def and a field of the same name here; rules.def has both of
 * rules. Only src/daemon includes this header; the other modules get plain structs of settings from
 * it.
 *
 * Not thread-safe while loading (libconfuse's scanner is global): load on one thread. A loaded
 * snapshot is constant and may be read by all.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_GIB (INT64_C(1) << 30)
#define CONFIG_MILLISECOND INT64_C(1000000)
#define CONFIG_SECOND INT64_C(1000000000)
#define CONFIG_HOUR (INT64_C(3600) * 1000000000)

/* The ceiling for a file: far above any real one, so that a wrong path (a device, a video) is
 * noticed before it is read. */
#define CONFIG_FILE_MAX (INT64_C(1) << 20)

/* ---- the parameters ---- */

enum config_scope { CONFIG_SCOPE_DAEMON, CONFIG_SCOPE_POOL, CONFIG_SCOPE_TUBE, CONFIG_SCOPE_ACL };

enum config_type {
    CONFIG_TYPE_INT,
    CONFIG_TYPE_SIZE,
    CONFIG_TYPE_DURATION,
    CONFIG_TYPE_MODE,
    CONFIG_TYPE_SOCKET_MODE,
    CONFIG_TYPE_LEVEL,
    CONFIG_TYPE_COUNT,
    CONFIG_TYPE_AT_LIMIT,
    CONFIG_TYPE_DURABILITY,
    CONFIG_TYPE_YES_NO,
    CONFIG_TYPE_ACCESS,
    CONFIG_TYPE_BACKOFF,
    CONFIG_TYPE_LEFTOVERS,
    CONFIG_TYPE_PLACE,
    CONFIG_TYPE_WORD,
    CONFIG_TYPE_LIST,
    CONFIG_TYPE_LISTEN
};

enum config_at_limit { CONFIG_REFUSE, CONFIG_WAIT };

/* 0 is none of them. */
enum config_durability { CONFIG_COMMIT = 1, CONFIG_INTERVAL, CONFIG_MEMORY };

enum config_backoff { CONFIG_FIXED, CONFIG_EXPONENTIAL };

enum config_access { CONFIG_RULES, CONFIG_BEANSTALKD };

/* A socket_mode that the daemon chooses. */
#define CONFIG_MODE_AUTO INT64_C(-1)
enum config_leftovers { CONFIG_KILL, CONFIG_LEAVE };

/* The words that a PLACE may be in place of an absolute path. */
#define CONFIG_PLACE_AUTO "auto"
#define CONFIG_PLACE_NONE "none"

/* One number a parameter, in the order of the table. */
enum config_id {
#define PARAM(scope, name, type, initial, least, most, help) CONFIG_##scope##_##name,
#include "config/parameters.def"
#undef PARAM
    CONFIG_ID_COUNT
};

struct config_param {
    enum config_scope scope;
    enum config_type type;
    const char *name;
    const char *initial; /* the default, as text */
    int64_t least, most;
    size_t offset; /* of the field in struct config, config_pool, config_tube or config_acl */
    const char *help;
};

/* The row of a parameter; static storage. `id` below CONFIG_ID_COUNT. */
const struct config_param *config_param(enum config_id id);
/* The parameter of that name; CONFIG_ID_COUNT: there is none. */
enum config_id config_find(enum config_scope scope, const char *name);

/* Appends the allowed range as people write it ("1 to 64", "0s to 24h"); nothing if there is none.
 * ENOMEM. */
int config_param_range(const struct config_param *param, struct buf *out);

/* ---- the snapshot ---- */

struct config_list {
    char **item; /* `count` texts and a NULL behind them; never NULL once loaded */
    size_t count;
};

struct config_pool {
    char *name;
    int line[CONFIG_ID_COUNT]; /* where a parameter was set; 0: it has its default */
    int end_line;              /* where the section's brace closes */

    struct config_list tubes;
    int64_t workers;
    char *handler;
    struct config_list argv;
    char *plugin; /* "": not said */
    struct config_list arguments;
    int64_t output_limit;
    int64_t kill_after;
    char *directory; /* "": not said */
    struct config_list environment;
    int64_t umask; /* this and the limits: where `line` is not 0 */
    int64_t limit_as, limit_cpu, limit_fsize, limit_nofile, limit_nproc, limit_core;
    char *run_as; /* "": not said */
    int64_t no_new_privs;
    int64_t leftovers; /* enum config_leftovers */

    /* Rules (job/rules.h); one whose line is 0 isn't said. */
#define RULE_BOTH(name, ...) int64_t name;
#define RULE_TUBE(...)
#define RULE(where, ...) RULE_##where(__VA_ARGS__)
#include "config/rules.def"
#undef RULE
#undef RULE_TUBE
#undef RULE_BOTH
};

/* A tube whose jobs are kept otherwise than the rest. What its section doesn't say is filled in
 * from the top of the file. */
struct config_tube {
    char *name;
    int line[CONFIG_ID_COUNT]; /* as in a pool */
    int end_line;

    int64_t guarded;
    int64_t durability; /* an enum config_durability */
    int64_t sync_interval;

    /* Rules, likewise. */
#define RULE(where, name, ...) int64_t name;
#include "config/rules.def"
#undef RULE
};

/* Who may do what (trust/trust.h); words, not yet looked at. */
struct config_acl {
    char *name;
    int line[CONFIG_ID_COUNT]; /* as in a pool */
    int end_line;

    struct config_list users; /* names, numbers; with @ of groups */
    int64_t anyone;
    struct config_list doors;
    struct config_list tubes;
    int64_t guarded;
    struct config_list may;
};

struct config {
    unsigned magic;
    char *file;                /* NULL: built-in defaults, no file */
    int line[CONFIG_ID_COUNT]; /* as in a pool */

    struct config_list listen;
    int64_t socket_mode; /* CONFIG_MODE_AUTO, or bits */
    int64_t insecure;
    int64_t access;     /* an enum config_access */
    int64_t io_threads; /* 0: chosen from the processors */
    int64_t log_level;  /* an enum log_level */
    int64_t max_connections;
    int64_t max_line;
    int64_t max_output;
    int64_t max_held;
    int64_t max_job_size;
    int64_t max_jobs;
    int64_t max_bytes;
    int64_t max_tube_jobs;
    int64_t max_tube_bytes;
    int64_t at_limit;                 /* an enum config_at_limit */
    struct config_list command_users; /* names or numbers */
    int64_t grace;
    int64_t results_age;
    int64_t results_count;
    int64_t results_bytes;
    int64_t max_groups;
    int64_t group_keep;
    char *data_dir;
    int64_t durability; /* an enum config_durability */
    int64_t sync_interval;
    int64_t cache_size;
    int64_t segment_size;
    int64_t segment_size_max;

    struct config_pool *pool; /* in the order of the file */
    size_t pool_count;
    struct config_tube *tube; /* likewise */
    size_t tube_count;
    struct config_acl *acl; /* likewise */
    size_t acl_count;
};

/* ---- errors ---- */

/* Every mistake found. */
struct config_errors {
    struct config_mistake *mistake;
    size_t count; /* all of them, also those whose text there was no memory for */
    size_t kept;
};

struct config_mistake {
    int line;
    char *text; /* "FILE:LINE: what is wrong; what would be right" */
};

void config_errors_init(struct config_errors *errors);
void config_errors_fini(struct config_errors *errors);
/* Calls `each` with every text, in the order of the lines. */
void config_errors_each(struct config_errors *errors, void (*each)(const char *text));

/* Adds one. `file` may be a path, or whatever stands in its place ("--listen"); line 0: none. */
void config_error(struct config_errors *errors, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- loading ---- */

/* A parameter of the scope DAEMON whose value comes from the command line. */
struct config_override {
    enum config_id id;
    const char *option; /* for messages: "--listen" */
    char *const *text;
    size_t count; /* texts; 1 for what is no list */
};

struct config_options {
    const char *file;   /* NULL: no file, built-in defaults */
    const char *text;   /* without a file: what would stand in it; NULL: nothing */
    const char *listen; /* one address, in place of the default of `listen`; NULL: as the table */
    /* In place of the file's values; later ones go before earlier ones. */
    const struct config_override *override;
    size_t override_count;
    unsigned verbosity; /* so many levels more are logged than these say */
    /* Checks that need to know more than this module (handlers, tube names): called before the
     * verdict, also when there are errors already, so that one run reports them all. May be NULL.
     * What it sees is complete: a parameter in error has its default. */
    void (*check)(const struct config *config, struct config_errors *errors);
};

/*
 * Loads and checks. EINVAL: errors->count is at least 1 and nothing is loaded. ENOMEM. When the
 * file can't be read that is one of the errors, with the reason.
 */
int config_load(struct config **out, const struct config_options *options,
                struct config_errors *errors);
void config_free(struct config **config);

/*
 * The file to use when none is named: `system_file` for root; for others hilera/hilerad.conf below
 * $XDG_CONFIG_HOME (or ~/.config). *path is NULL when that does not exist, else the caller's to
 * free. ENOMEM; any other errno: it exists but can't be looked at, *path is set too.
 */
int config_find_file(char **path, const char *system_file, bool root);

/* ---- addresses ---- */

enum config_address_kind { CONFIG_ADDRESS_UNIX, CONFIG_ADDRESS_TCP };

#define CONFIG_HOST_MAX 64  /* a numeric IPv6 address with scope, or "localhost" */
#define CONFIG_PATH_MAX 108 /* of a Unix socket, with its NUL: sizeof(sockaddr_un.sun_path) */

struct config_address {
    enum config_address_kind kind;
    char path[CONFIG_PATH_MAX]; /* unix; "" for the usual socket */
    char host[CONFIG_HOST_MAX]; /* tcp: numeric, without brackets */
    uint16_t port;              /* tcp; 0: any free one */
};

/* Reads "unix", "unix:PATH" (absolute), "tcp:ADDRESS:PORT", "tcp:[IPV6]:PORT". EINVAL: *why
 * (static) says what is wrong and what would be right. */
int config_address_parse(const char *text, struct config_address *address, const char **why);
/* A Unix socket, or TCP that this machine's loopback alone reaches. */
bool config_address_is_local(const struct config_address *address);

#endif
