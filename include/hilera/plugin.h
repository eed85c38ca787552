// SPDX-License-Identifier: MIT
/*
 * Plug-ins: shared objects that run jobs inside of hilerad, on its worker threads.
 *
 * A plug-in is one constant table of functions under the name hl_plugin:
 *
 *     HL_PLUGIN_EXPORT const struct hl_plugin hl_plugin = {
 *         .abi = HL_PLUGIN_ABI, .size = sizeof(struct hl_plugin), .name = "count", .run =
 * count_run,
 *     };
 *
 * and a pool names its file: handler = plugin, plugin = "/path/count.so". It is loaded and checked
 * when the daemon starts (and by hilerad --check-config); a file that is none, or is of another
 * ABI, is refused with the reason.
 *
 * Order of calls: init once for each pool that names it; then run, by all worker threads of the
 * pool at once; cancel at any time while a run is under way; fini after the last run has returned;
 * then the file is unloaded, so threads that the plug-in started must have ended.
 *
 * What is handed over: whatever the daemon gives (host, job, their strings and bytes) stays the
 * daemon's and may only be read; `host` is valid from init to the end of fini, a job and its run
 * until that run returns. What the plug-in gives (the state, name and summary) stays its own.
 *
 * Worker threads have all signals blocked. A plug-in shares the daemon's memory: when it crashes
 * the daemon does, too; what is not trusted so far is better run by the handlers exec or coproc.
 *
 * Versions: abi changes when something here changes its meaning; such a plug-in has to be compiled
 * anew. Structs grow at their ends without that: each says its size, so both sides know which
 * members there are. New functions of the host are to be asked for by
 * `host->size > offsetof(struct hl_plugin_host, function)`.
 */
#ifndef HILERA_PLUGIN_H
#define HILERA_PLUGIN_H

#include <hilera/version.h>

#include <stdbool.h>
#include <stddef.h>

HL_BEGIN_DECLS

#define HL_PLUGIN_ABI 1

/* Marks the table, so that the daemon finds it whatever the compiler's flags are. */
#if defined(__cplusplus)
#define HL_PLUGIN_EXPORT extern "C" __attribute__((visibility("default")))
#else
#define HL_PLUGIN_EXPORT __attribute__((visibility("default")))
#endif

/* What became of a run. */
enum hl_plugin_verdict {
    HL_PLUGIN_DONE = 0,   /* the job is finished */
    HL_PLUGIN_FAILED = 1, /* by the rules: buried with the reason that was given, or tried again */
    HL_PLUGIN_RETRY = 2   /* it is to run again, as often as the rules allow, after the delay that
                             was given, or as they say */
};

enum hl_plugin_level {
    HL_PLUGIN_ERROR = 0,
    HL_PLUGIN_WARNING = 1,
    HL_PLUGIN_NOTICE = 2,
    HL_PLUGIN_INFO = 3,
    HL_PLUGIN_DEBUG = 4
};

/* One job. */
struct hl_plugin_job {
    size_t size; /* of this struct, in the daemon */
    uint64_t id;
    const char *tube;
    const void *body; /* body_len bytes; not a string */
    size_t body_len;
    uint32_t priority;
    uint32_t attempt; /* 1 for the first */
};

/* One run of a job, for the functions of the host; opaque. */
struct hl_plugin_run;

/*
 * What the daemon does for a plug-in. log and cancelled: from any thread; the others only from the
 * thread that is in run, and only with its own run.
 */
struct hl_plugin_host {
    uint32_t abi;
    uint32_t size; /* of this struct, in the daemon */
    /* A line for the daemon's log; an unknown level counts as debug. */
    void (*log)(const struct hl_plugin_host *host, enum hl_plugin_level level, const char *text);
    /* Appends to the job's output, which its result shows as stdout. ENOSPC: the pool's
     * output_limit is reached, and the result says that output is missing. */
    int (*output)(struct hl_plugin_run *run, const void *bytes, size_t len);
    /* A line about this job; its result shows them as stderr. ENOSPC as above. */
    int (*note)(struct hl_plugin_run *run, const char *text);
    /* How far it is, in percent (more than 100 counts as 100), and in words, or NULL. The result
     * shows the last. */
    void (*progress)(struct hl_plugin_run *run, unsigned percent, const char *text);
    /* Why it failed, or has to run again; copied, cut at 253 bytes. The last one counts. */
    void (*reason)(struct hl_plugin_run *run, const char *text);
    /* RETRY: how long to wait before; 0 or less: at once. */
    void (*retry_in)(struct hl_plugin_run *run, int64_t delay_ns);
    /* Whether cancel was asked for: for those who look now and then, instead of being called. */
    bool (*cancelled)(const struct hl_plugin_run *run);
};

/* What a plug-in promises. */
enum hl_plugin_trait {
    /* run never waits for anything and takes microseconds. Its workers then take several jobs at
     * once, which makes a small job much cheaper; a run that did take long would hold up those. */
    HL_PLUGIN_BRIEF = 1
};

/* The plug-in. `abi` and `size` stay the first two members in all versions. */
struct hl_plugin {
    uint32_t abi;        /* HL_PLUGIN_ABI */
    uint32_t size;       /* sizeof(struct hl_plugin) */
    const char *name;    /* for messages; must be there */
    const char *summary; /* a line for people; may be NULL */
    /*
     * Before anything else, once for each pool, on the daemon's main thread. `argument` are the
     * pool's arguments, `count` of them and a NULL. *state is handed to every other function. 0, or
     * an errno value, with a sentence in `why` (why_size bytes, cut and terminated): the daemon
     * then does not start. NULL: there is nothing to do, state is NULL.
     */
    int (*init)(const struct hl_plugin_host *host, int count, const char *const *argument,
                void **state, char *why, size_t why_size);
    /* Runs a job to its end. Must be there. Called by several threads at once. */
    enum hl_plugin_verdict (*run)(void *state, const struct hl_plugin_host *host,
                                  struct hl_plugin_run *run, const struct hl_plugin_job *job);
    /*
     * That run must end soon. Called from another thread than run's, at most once for each run, and
     * not after run has returned; it must not wait for run. If run still says DONE the job is done,
     * otherwise it is ready again. NULL: run looks at cancelled, or never takes long; nothing else
     * ends a run, and the daemon's end waits for it.
     */
    void (*cancel)(void *state, struct hl_plugin_run *run);
    /* After everything else; frees the state. Not called when init failed. NULL: nothing to do. */
    void (*fini)(void *state);
    /* Bits of enum hl_plugin_trait; 0: none. */
    uint32_t traits;
};

HL_END_DECLS

#endif
