// SPDX-License-Identifier: MIT
/*
 * What the files of this folder share: text in, values out, and the parser between.
 */
#ifndef CONFIG_PRIV_H
#define CONFIG_PRIV_H

#include "config/config.h"

#define CONFIG_MAGIC 0xc0f19a7eu

/* ---- value.c: one value ---- */

/*
 * Reads a number of one of the types whose field is an int64_t. EINVAL: not of that form.
 * ERANGE: does not fit 63 bits.
 */
int value_parse(enum config_type type, const char *text, int64_t *value);
/* Writes it back in the shortest form that value_parse reads as the same. ENOMEM. */
int value_print(enum config_type type, int64_t value, struct buf *out);
/* How a value of the type looks, for messages: "a number of bytes (65535, 64K, 10M, 2G)". */
const char *value_form(enum config_type type);

int list_add(struct config_list *list, const char *text);
void list_clear(struct config_list *list);

/* ---- settings.c: fields by table row ---- */

static inline bool type_is_list(enum config_type type)
{
    return type == CONFIG_TYPE_LIST || type == CONFIG_TYPE_LISTEN;
}

/* One text, a char * of the snapshot's own. */
static inline bool type_is_text(enum config_type type)
{
    return type == CONFIG_TYPE_WORD || type == CONFIG_TYPE_PLACE;
}

/* Where a parameter's values come from, for messages. */
struct config_place {
    const char *file;
    int line;
    const char *word, *name; /* of the section: "pool", "gzip"; NULL at the top */
};

/*
 * Puts `count` texts into the field of `base` (a struct config, config_pool or config_tube) that
 * belongs to the parameter. What is wrong is added to errors, and the field left as it was. ENOMEM
 * only.
 */
int settings_set(void *base, enum config_id id, char *const *text, size_t count,
                 const struct config_place *place, struct config_errors *errors);
/* "pool", "tube"; NULL for the top of the file. Static. */
const char *settings_word(enum config_scope scope);
/* Every parameter of the scope gets its default. ENOMEM. */
int settings_defaults(void *base, enum config_scope scope);
/* Frees what the fields of the scope own. */
void settings_fini(void *base, enum config_scope scope);
/* The name of the scope that is nearest to `name`, or NULL if none is near. */
const char *settings_nearest(enum config_scope scope, const char *name);

/* ---- text.c: the file before the parser sees it ---- */

/*
 * Checks the characters of the file and blanks its comments in place; the lines keep their numbers.
 * What is wrong is added to errors; false: so wrong that the parser would only make more of it.
 */
bool text_prepare(char *text, size_t len, const char *file, struct config_errors *errors);

/* ---- parse.c: libconfuse ---- */

/* Reads the prepared text into `config`, which holds its defaults. ENOMEM only; mistakes are added
 * to errors. */
int parse_text(struct config *config, const char *text, struct config_errors *errors);

#endif
