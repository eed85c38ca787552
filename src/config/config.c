// SPDX-License-Identifier: MIT
/*
 * The snapshot's life: find the file, read it, check it, hand it out, free it.
 *
 * Order: defaults, file, command line, the caller's own checks; each later one sees what the
 * earlier ones left. Mistakes are collected all the way and judged once at the end, so one run of
 * `hilerad --check-config` shows them all.
 */
#include "config/config.h"
#include "config/config_priv.h"

#include "base/log.h"
#include "base/magic.h"
#include "base/trusted.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the file ---- */

static int text_read(int fd, struct buf *text)
{
    for (;;) {
        int rc = buf_reserve(text, 16384);
        if (rc != 0)
            return rc;
        ssize_t got = read(fd, text->data + text->len, text->cap - text->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            return buf_append_char(text, '\0');
        text->len += (size_t)got;
        if (text->len > (size_t)CONFIG_FILE_MAX)
            return EFBIG;
    }
}

/* What it says is run, so nobody else may have a hand in it. */
static int file_read(const char *file, struct buf *text, struct trusted_error *refused)
{
    int fd;
    int rc = trusted_open(file, TRUSTED_CONFIGURATION, geteuid(), &fd, refused);
    if (rc != 0)
        return rc;
    rc = text_read(fd, text);
    close(fd);
    return rc;
}

static void file_error(const char *file, int rc, const struct trusted_error *refused,
                       struct config_errors *errors)
{
    if (rc == ENOENT)
        config_error(errors, file, 0, "there is no such file; name another with --config FILE");
    else if (rc == EFBIG)
        config_error(errors, file, 0, "larger than 1 MiB; is this a configuration file?");
    else if (rc == EINVAL)
        config_error(errors, file, 0, "not a regular file");
    else if (rc == EACCES)
        config_error(errors, file, 0, "%s", refused->text);
    else
        config_error(errors, file, 0, "can't be read: %s", strerrordesc_np(rc));
}

static int file_load(struct config *config, struct config_errors *errors)
{
    struct buf text = BUF_EMPTY;
    struct trusted_error refused;
    int rc = file_read(config->file, &text, &refused);
    if (rc == 0) {
        if (text_prepare(text.data, text.len - 1, config->file, errors))
            rc = parse_text(config, text.data, errors);
    } else if (rc != ENOMEM) {
        file_error(config->file, rc, &refused, errors);
        rc = 0;
    }
    buf_fini(&text);
    return rc;
}

/* ---- the snapshot ---- */

static int overrides_apply(struct config *config, const struct config_options *options,
                           struct config_errors *errors)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < options->override_count; i++) {
        const struct config_override *override = &options->override[i];
        struct config_place place = {override->option, 0, NULL, NULL};
        rc = settings_set(config, override->id, override->text, override->count, &place, errors);
    }
    for (unsigned i = 0; i < options->verbosity && config->log_level < LOG_LEVEL_DEBUG; i++)
        config->log_level++;
    return rc;
}

/* What a tube's section leaves open. */
static void tubes_complete(struct config *config)
{
    for (size_t i = 0; i < config->tube_count; i++) {
        struct config_tube *tube = &config->tube[i];
        if (tube->durability == 0)
            tube->durability = config->durability;
        if (tube->sync_interval == 0)
            tube->sync_interval = config->sync_interval;
    }
}

static int listen_default(struct config *config, const char *address, struct config_errors *errors)
{
    char *const text[] = {(char *)(uintptr_t)address};
    const struct config_place place = {"default", 0, NULL, NULL};
    return settings_set(config, CONFIG_DAEMON_listen, text, 1, &place, errors);
}

int config_load(struct config **out, const struct config_options *options,
                struct config_errors *errors)
{
    struct config *config = calloc(1, sizeof(*config));
    if (config == NULL)
        return ENOMEM;
    MAGIC_INIT(config, CONFIG_MAGIC);
    int rc = settings_defaults(config, CONFIG_SCOPE_DAEMON);
    if (rc == 0 && options->listen != NULL)
        rc = listen_default(config, options->listen, errors);
    if (rc == 0 && options->file != NULL) {
        config->file = strdup(options->file);
        rc = config->file != NULL ? file_load(config, errors) : ENOMEM;
    } else if (rc == 0 && options->text != NULL) {
        rc = parse_text(config, options->text, errors);
    }
    if (rc == 0)
        rc = overrides_apply(config, options, errors);
    tubes_complete(config);
    if (rc == 0 && options->check != NULL)
        options->check(config, errors);
    if (rc == 0 && errors->count > 0)
        rc = EINVAL;
    if (rc == 0)
        *out = config;
    else
        config_free(&config);
    return rc;
}

void config_free(struct config **config_p)
{
    if (*config_p == NULL)
        return;
    struct config *config;
    MAGIC_TAKE(config, config_p, CONFIG_MAGIC);
    for (size_t i = 0; i < config->pool_count; i++) {
        settings_fini(&config->pool[i], CONFIG_SCOPE_POOL);
        free(config->pool[i].name);
    }
    free(config->pool);
    for (size_t i = 0; i < config->tube_count; i++) {
        settings_fini(&config->tube[i], CONFIG_SCOPE_TUBE);
        free(config->tube[i].name);
    }
    free(config->tube);
    for (size_t i = 0; i < config->acl_count; i++) {
        settings_fini(&config->acl[i], CONFIG_SCOPE_ACL);
        free(config->acl[i].name);
    }
    free(config->acl);
    settings_fini(config, CONFIG_SCOPE_DAEMON);
    free(config->file);
    MAGIC_WIPE(config);
    free(config);
}

/* ---- where the file is ---- */

static int user_file(char **path)
{
    const char *base = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    *path = NULL;
    int len = 0;
    if (base != NULL && base[0] == '/')
        len = asprintf(path, "%s/hilera/hilerad.conf", base);
    else if (home != NULL && home[0] == '/')
        len = asprintf(path, "%s/.config/hilera/hilerad.conf", home);
    if (len < 0)
        *path = NULL;
    return len < 0 ? ENOMEM : 0;
}

int config_find_file(char **path, const char *system_file, bool root)
{
    char *file = NULL;
    int rc = 0;
    if (root)
        rc = (file = strdup(system_file)) == NULL ? ENOMEM : 0;
    else
        rc = user_file(&file);
    if (rc == 0 && file != NULL && access(file, F_OK) != 0)
        rc = errno;
    if (rc == ENOENT || rc == ENOTDIR || rc == ENOMEM) {
        free(file);
        file = NULL;
        rc = rc == ENOMEM ? rc : 0;
    }
    *path = file;
    return rc;
}
