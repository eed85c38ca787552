// SPDX-License-Identifier: MIT
/*
 * The configuration as the modules want it (settings.c), and what it leaves to the daemon: the
 * usual socket (place.c), and tubes whose jobs are commands (guard.c).
 */
#ifndef DAEMON_SETTINGS_PRIV_H
#define DAEMON_SETTINGS_PRIV_H

#include "broker/broker.h"
#include "config/config.h"
#include "history/history.h"
#include "journal/journal.h"
#include "net/net.h"
#include "worker/worker.h"

/* ---- settings.c: the configuration as the modules want it ---- */

/* For config_load: what only the modules can say of the pools, and of who may what. */
void settings_check(const struct config *config, struct config_errors *errors);
/* The same; and users and groups that don't exist are mistakes, which a start only warns of. */
void settings_check_names(const struct config *config, struct config_errors *errors);
/* Of one pool; points into the configuration. programs_settle adds who starts its programs. */
void settings_of_pool(const struct config_pool *pool, struct worker_pool_settings *settings);
struct journal_settings settings_of_journal(const struct config *config, const char *directory);
/* Of an enum config_durability. */
enum durability settings_durability(int64_t durability);
/* Those that the section says. */
struct job_rules settings_rules(const struct config_tube *tube);
struct job_rules settings_pool_rules(const struct config_pool *pool);
struct broker_options settings_of_broker(const struct config *config);
struct history_settings settings_of_history(const struct config *config);
/* As configured, or chosen from the processors this process may use: half of them, 1 to 8. */
unsigned settings_io_threads(const struct config *config);
/* Descriptors that may be open at once, with max_connections of them taken by connections. */
uint64_t settings_descriptors(const struct config *config);
/* Of one program while it is started: both ends of three pipes and of its keeper's channel. */
#define SETTINGS_DESCRIPTORS_PROGRAM 8
/* The same for all programs that pools may run at once; 0: they run none. */
uint64_t settings_descriptors_programs(const struct config *config);
/* max_connections, or as many as this process may have descriptors for. */
uint64_t settings_connections(const struct config *config);

/* ---- place.c: the usual socket ---- */

/*
 * The path of the usual socket and its directory, made if it isn't there (0755 for root, else
 * 0700): $RUNTIME_DIRECTORY (set by systemd), or /run/hilera for root, or $XDG_RUNTIME_DIR/hilera.
 * EACCES: it isn't to be trusted, as where XDG_RUNTIME_DIR is somebody else's. Any errno: the error
 * says what to do.
 */
int place_socket(char *path, size_t size, struct net_error *error);
/* The path alone; nothing is made. ENOENT, ENAMETOOLONG: "". */
int place_socket_path(char *path, size_t size);

/* ---- guard.c: where jobs are commands ---- */

/* Whether a pool that runs commands serves that tube. */
bool guard_has(const struct config *config, const char *tube, size_t len);

#endif
