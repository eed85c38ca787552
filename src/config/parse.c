// SPDX-License-Identifier: MIT
/*
 * libconfuse, driven by the table.
 *
 * Every parameter is declared to it as a text or a list of texts; what the texts mean is
 * settings.c's business. Its messages are put into our words on the way through.
 *
 * It stops at the first name it does not know. To report all of them, the text is first read "dry",
 * as often as it takes: each unknown name found is declared too, as a list, which also takes a
 * plain value, and the next round gets past it. The last round is the real one and does all
 * reporting. An unknown section, and any error of syntax, does end the reading, since nobody can
 * tell how it was meant to go on.
 *
 * libconfuse's callbacks carry no argument and its scanner is global, so the reader's state hangs
 * on one static pointer: one load at a time, on one thread.
 */
#include "config/config_priv.h"

#include "base/assert.h"

#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN_MAX 32  /* each costs one reading of the file; nobody corrects more in one go */
#define NAME_MAX_LEN 32 /* with "-1024" behind it still well inside a thread's name */

#define SCOPES (CONFIG_SCOPE_ACL + 1)

struct unknown {
    enum config_scope scope;
    char *name;
    bool reported;
};

struct reader {
    struct config *config;
    struct config_errors *errors;
    struct unknown unknown[UNKNOWN_MAX];
    size_t unknown_count;
    bool dry;
    bool found;                        /* dry: this round met a new unknown name */
    int rc;                            /* ENOMEM */
    int section_line[CONFIG_ID_COUNT]; /* of the section being read */
};

static struct reader *reader;

static enum config_scope scope_of(const cfg_t *cfg)
{
    for (unsigned i = 0; i < SCOPES; i++) {
        const char *word = settings_word((enum config_scope)i);
        if (word != NULL && strcmp(cfg->name, word) == 0)
            return (enum config_scope)i;
    }
    return CONFIG_SCOPE_DAEMON;
}

/* ---- unknown names ---- */

static struct unknown *unknown_find(enum config_scope scope, const char *name)
{
    for (size_t i = 0; i < reader->unknown_count; i++)
        if (reader->unknown[i].scope == scope && strcmp(reader->unknown[i].name, name) == 0)
            return &reader->unknown[i];
    return NULL;
}

static void unknown_report(cfg_t *cfg, const char *name)
{
    enum config_scope scope = scope_of(cfg), other = CONFIG_SCOPE_DAEMON;
    const char *file = reader->config->file;
    const char *nearest = settings_nearest(scope, name);
    while (other < SCOPES && config_find(other, name) == CONFIG_ID_COUNT)
        other++;
    if (scope == CONFIG_SCOPE_ACL &&
        (strcmp(name, "tokens") == 0 || strcmp(name, "certificates") == 0))
        config_error(reader->errors, file, cfg->line,
                     "%s are not there yet; whom an acl fits is said by users and anyone", name);
    else if (other == CONFIG_SCOPE_DAEMON)
        config_error(reader->errors, file, cfg->line,
                     "%s belongs to the top of the file, not into a %s", name,
                     settings_word(scope));
    else if (other < SCOPES)
        config_error(reader->errors, file, cfg->line, "%s belongs into a %s: %s \"NAME\" { ... }",
                     name, settings_word(other), settings_word(other));
    else if (nearest != NULL)
        config_error(reader->errors, file, cfg->line, "unknown parameter %s; did you mean %s?",
                     name, nearest);
    else
        config_error(reader->errors, file, cfg->line,
                     "unknown parameter %s; hilerad.conf(5) lists all of them", name);
}

/* libconfuse met a name it was not told of, and will stop. */
static void unknown_met(cfg_t *cfg, const char *name)
{
    if (!reader->dry) {
        unknown_report(cfg, name);
        return;
    }
    if (reader->unknown_count == UNKNOWN_MAX || unknown_find(scope_of(cfg), name) != NULL)
        return;
    char *copy = strdup(name);
    if (copy == NULL) {
        reader->rc = ENOMEM;
        return;
    }
    struct unknown *unknown = &reader->unknown[reader->unknown_count++];
    unknown->scope = scope_of(cfg);
    unknown->name = copy;
    unknown->reported = false;
    reader->found = true;
}

/* ---- libconfuse's messages ---- */

static const struct wording {
    const char *theirs;         /* its format, with the word in question as only argument */
    const char *before, *after; /* ours, around that word */
} wordings[] = {
    {"missing equal sign after option '%s'", "an equal sign is missing behind ",
     ": it is written NAME = VALUE"},
    {"missing opening brace for section '%s'", "a { is missing: ", " \"NAME\" { ... }"},
    {"missing title for section '%s'", "the name is missing: ", " \"NAME\" { ... }"},
    {"found duplicate title '%s'", "there is a \"",
     "\" already; each pool, tube and acl needs a name of its own"},
    {"attempt to append to non-list option '%s'", "+= adds to lists; ",
     " holds one value and takes ="},
    {"unexpected token '%s'", "\"",
     "\" makes no sense here; values are written NAME = VALUE or NAME = {\"a\", \"b\"}"},
    {"unexpected closing brace", "this } closes nothing; is there one too many?", NULL},
    {"premature end of file", "the file ends in the middle of a setting", NULL},
};

__attribute__((format(printf, 2, 0))) static void error_met(cfg_t *cfg, const char *format,
                                                            va_list args)
{
    va_list copy;
    va_copy(copy, args);
    const char *word = strstr(format, "'%s'") != NULL ? va_arg(copy, const char *) : "";
    va_end(copy);
    struct config_errors *errors = reader->errors;
    const char *file = reader->config->file;
    if (strcmp(format, "no such option '%s'") == 0) {
        unknown_met(cfg, word);
        return;
    }
    if (reader->dry)
        return;
    if (strcmp(format, wordings[0].theirs) == 0 && unknown_find(scope_of(cfg), word) != NULL) {
        unknown_report(cfg, word);
        return;
    }
    for (size_t i = 0; i < sizeof(wordings) / sizeof(wordings[0]); i++) {
        if (strcmp(format, wordings[i].theirs) != 0)
            continue;
        bool whole = wordings[i].after == NULL;
        config_error(errors, file, cfg->line, "%s%s%s", wordings[i].before, whole ? "" : word,
                     whole ? "" : wordings[i].after);
        return;
    }
    char text[512];
    vsnprintf(text, sizeof(text), format, args);
    config_error(errors, file, cfg->line, "%s", text);
}

/* ---- values ---- */

/* Called for each value, and once more at the end of a list: remembers the line. */
static int value_met(cfg_t *cfg, cfg_opt_t *opt)
{
    if (reader->dry)
        return 0;
    enum config_scope scope = scope_of(cfg);
    enum config_id id = config_find(scope, opt->name);
    if (id == CONFIG_ID_COUNT) {
        struct unknown *unknown = unknown_find(scope, opt->name);
        ASSERT(unknown != NULL);
        if (!unknown->reported)
            unknown_report(cfg, opt->name);
        unknown->reported = true;
        return 0;
    }
    int *line =
        scope == CONFIG_SCOPE_DAEMON ? &reader->config->line[id] : &reader->section_line[id];
    if (*line != 0 && !type_is_list(config_param(id)->type))
        config_error(reader->errors, reader->config->file, cfg->line,
                     "%s is set a second time; line %d has it already", opt->name, *line);
    *line = cfg->line;
    return 0;
}

/* Called for each value of a list, before value_met; libconfuse has emptied the list where an = was
 * in front of it. */
static int item_met(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    *(const char **)result = value;
    enum config_scope scope = scope_of(cfg);
    enum config_id id = config_find(scope, opt->name);
    if (reader->dry || id == CONFIG_ID_COUNT || opt->nvalues != 1)
        return 0;
    int line = scope == CONFIG_SCOPE_DAEMON ? reader->config->line[id] : reader->section_line[id];
    if (line != 0)
        config_error(reader->errors, reader->config->file, cfg->line,
                     "%s is set a second time; line %d has it already, and %s += {...} adds to it",
                     opt->name, line, opt->name);
    return 0;
}

/* Puts what one section (or the top of the file) has set into `base`. */
static int section_take(cfg_t *cfg, void *base, int *line)
{
    const char *word = settings_word(scope_of(cfg));
    bool top = word == NULL;
    for (unsigned id = 0; id < CONFIG_ID_COUNT; id++) {
        const struct config_param *param = config_param((enum config_id)id);
        if (param->scope != scope_of(cfg))
            continue;
        cfg_opt_t *opt = cfg_getopt(cfg, param->name);
        ASSERT(opt != NULL);
        if ((opt->flags & CFGF_MODIFIED) == 0 || (opt->nvalues == 0 && !type_is_list(param->type)))
            continue;
        char **text = calloc((size_t)opt->nvalues + 1, sizeof(*text));
        if (text == NULL)
            return ENOMEM;
        bool whole = true; /* libconfuse says nothing when memory was short for one */
        for (unsigned i = 0; i < opt->nvalues; i++) {
            text[i] = opt->values[i]->string;
            whole = whole && text[i] != NULL;
        }
        /* An empty list calls nobody: all that is known is the section it stands in. */
        if (line[id] == 0 && !top)
            line[id] = cfg->line;
        struct config_place place = {reader->config->file, line[id], word,
                                     top ? NULL : cfg_title(cfg)};
        int rc = !whole ? ENOMEM
                        : settings_set(base, (enum config_id)id, text, opt->nvalues, &place,
                                       reader->errors);
        free(text);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static bool name_good(const char *name)
{
    size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return good > 0 && name[good] == '\0' && good <= NAME_MAX_LEN;
}

static int pool_take(cfg_t *section)
{
    struct config *config = reader->config;
    size_t count = config->pool_count;
    struct config_pool *grown = reallocarray(config->pool, count + 1, sizeof(*grown));
    if (grown == NULL)
        return ENOMEM;
    config->pool = grown;
    struct config_pool *pool = &grown[count];
    memset(pool, 0, sizeof(*pool));
    config->pool_count++;
    pool->end_line = section->line;
    memcpy(pool->line, reader->section_line, sizeof(pool->line));
    pool->name = strdup(cfg_title(section));
    int rc = pool->name == NULL ? ENOMEM : settings_defaults(pool, CONFIG_SCOPE_POOL);
    if (rc == 0)
        rc = section_take(section, pool, pool->line);
    if (rc != 0)
        return rc;
    if (!name_good(pool->name))
        config_error(reader->errors, config->file, pool->end_line,
                     "pool \"%s\": a pool's name has 1 to %d letters, digits, dots, dashes, "
                     "underscores",
                     pool->name, NAME_MAX_LEN);
    if (pool->tubes.count == 0 && pool->line[CONFIG_POOL_tubes] == 0)
        config_error(reader->errors, config->file, pool->end_line,
                     "pool \"%s\" has no tubes; say which it serves: tubes = {\"NAME\"}",
                     pool->name);
    return 0;
}

static int tube_take(cfg_t *section)
{
    struct config *config = reader->config;
    size_t count = config->tube_count;
    struct config_tube *grown = reallocarray(config->tube, count + 1, sizeof(*grown));
    if (grown == NULL)
        return ENOMEM;
    config->tube = grown;
    struct config_tube *tube = &grown[count];
    memset(tube, 0, sizeof(*tube));
    config->tube_count++;
    tube->end_line = section->line;
    memcpy(tube->line, reader->section_line, sizeof(tube->line));
    tube->name = strdup(cfg_title(section));
    int rc = tube->name == NULL ? ENOMEM : settings_defaults(tube, CONFIG_SCOPE_TUBE);
    return rc != 0 ? rc : section_take(section, tube, tube->line);
}

static int acl_take(cfg_t *section)
{
    struct config *config = reader->config;
    size_t count = config->acl_count;
    struct config_acl *grown = reallocarray(config->acl, count + 1, sizeof(*grown));
    if (grown == NULL)
        return ENOMEM;
    config->acl = grown;
    struct config_acl *acl = &grown[count];
    memset(acl, 0, sizeof(*acl));
    config->acl_count++;
    acl->end_line = section->line;
    memcpy(acl->line, reader->section_line, sizeof(acl->line));
    acl->name = strdup(cfg_title(section));
    int rc = acl->name == NULL ? ENOMEM : settings_defaults(acl, CONFIG_SCOPE_ACL);
    if (rc == 0)
        rc = section_take(section, acl, acl->line);
    if (rc == 0 && !name_good(acl->name))
        config_error(reader->errors, config->file, acl->end_line,
                     "acl \"%s\": an acl's name has 1 to %d letters, digits, dots, dashes, "
                     "underscores",
                     acl->name, NAME_MAX_LEN);
    return rc;
}

static int (*const section_takers[SCOPES])(cfg_t *section) = {[CONFIG_SCOPE_POOL] = pool_take,
                                                              [CONFIG_SCOPE_TUBE] = tube_take,
                                                              [CONFIG_SCOPE_ACL] = acl_take};

/* The closing brace of a section: the newest one, since two of one name are refused. */
static int section_met(cfg_t *cfg, cfg_opt_t *opt)
{
    (void)cfg;
    if (reader->dry)
        return 0;
    cfg_t *section = opt->values[opt->nvalues - 1]->section;
    if (reader->rc == 0)
        reader->rc = section_takers[scope_of(section)](section);
    memset(reader->section_line, 0, sizeof(reader->section_line));
    return reader->rc;
}

/* ---- rounds ---- */

/* Fills `opt` with the scope's parameters, what is unknown, and the end. */
static cfg_opt_t *declare(cfg_opt_t *opt, enum config_scope scope)
{
    for (unsigned id = 0; id < CONFIG_ID_COUNT; id++) {
        const struct config_param *param = config_param((enum config_id)id);
        if (param->scope != scope)
            continue;
        if (type_is_list(param->type)) {
            *opt = (cfg_opt_t)CFG_STR_LIST(param->name, NULL, CFGF_NODEFAULT);
            opt->parsecb = item_met;
        } else
            *opt = (cfg_opt_t)CFG_STR(param->name, NULL, CFGF_NODEFAULT);
        opt++->validcb = value_met;
    }
    for (size_t i = 0; i < reader->unknown_count; i++) {
        if (reader->unknown[i].scope != scope)
            continue;
        *opt = (cfg_opt_t)CFG_STR_LIST(reader->unknown[i].name, NULL, CFGF_NODEFAULT);
        opt++->validcb = value_met;
    }
    return opt;
}

static int round_run(const char *text)
{
    cfg_opt_t section[SCOPES][CONFIG_ID_COUNT + UNKNOWN_MAX + 1];
    cfg_opt_t root[CONFIG_ID_COUNT + UNKNOWN_MAX + SCOPES];
    cfg_opt_t *opt = declare(root, CONFIG_SCOPE_DAEMON);
    for (unsigned i = 0; i < SCOPES; i++) {
        const char *word = settings_word((enum config_scope)i);
        if (word == NULL)
            continue;
        *declare(section[i], (enum config_scope)i) = (cfg_opt_t)CFG_END();
        *opt = (cfg_opt_t)CFG_SEC(word, section[i], CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
        opt++->validcb = section_met;
    }
    *opt = (cfg_opt_t)CFG_END();

    reader->found = false;
    cfg_t *cfg = cfg_init(root, CFGF_NONE);
    if (cfg == NULL)
        return ENOMEM;
    cfg_set_error_function(cfg, error_met);
    size_t before = reader->errors->count;
    int parsed = cfg_parse_buf(cfg, text);
    if (!reader->dry && reader->rc == 0)
        reader->rc = section_take(cfg, reader->config, reader->config->line);
    cfg_free(cfg);
    /* It stops without a word only when memory is short. */
    if (!reader->dry && parsed != CFG_SUCCESS && reader->errors->count == before)
        reader->rc = ENOMEM;
    return reader->rc;
}

int parse_text(struct config *config, const char *text, struct config_errors *errors)
{
    struct reader here = {.config = config, .errors = errors, .dry = true};
    ASSERT(reader == NULL);
    reader = &here;
    int rc;
    do
        rc = round_run(text);
    while (rc == 0 && here.found);
    if (rc == 0) {
        here.dry = false;
        rc = round_run(text);
    }
    for (size_t i = 0; i < here.unknown_count; i++)
        free(here.unknown[i].name);
    reader = NULL;
    return rc;
}
