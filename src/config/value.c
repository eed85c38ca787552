// SPDX-License-Identifier: MIT
/*
 * Values of the configuration, one at a time: text to number and back.
 *
 * Everything here is pure. libconfuse hands over texts only; that its own number types are not used
 * has a reason: they stop at the first bad number and know neither units nor ranges, and all
 * mistakes of a file are to be reported in one run.
 *
 * A new type is a row in each of the functions below and in the table's comment.
 */
#include "config/config_priv.h"

#include "base/assert.h"
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* From the largest down: value_print takes the first that divides. */
static const struct unit size_units[] = {
    {"G", INT64_C(1) << 30}, {"M", INT64_C(1) << 20}, {"K", INT64_C(1) << 10}, {"", 1}};
static const struct unit duration_units[] = {{"d", 24 * CONFIG_HOUR},
                                             {"h", CONFIG_HOUR},
                                             {"m", INT64_C(60) * 1000000000},
                                             {"s", INT64_C(1) * 1000000000},
                                             {"ms", 1000000},
                                             {"us", 1000},
                                             {"ns", 1},
                                             {"", INT64_C(1) * 1000000000}};
static const struct unit no_units[] = {{"", 1}};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Whole numbers with a unit behind; no sign, no space, no fraction. */
static int unit_parse(const char *text, int base, const struct unit *unit, size_t count,
                      int64_t *value)
{
    if (!isdigit((unsigned char)text[0]))
        return EINVAL;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, base);
    if (errno == ERANGE)
        return ERANGE;
    for (size_t i = 0; i < count; i++)
        if (strcmp(end, unit[i].name) == 0)
            return __builtin_mul_overflow(number, unit[i].factor, value) ? ERANGE : 0;
    return EINVAL;
}

static int unit_print(int64_t value, const struct unit *unit, size_t count, struct buf *out)
{
    size_t i = 0;
    while (i + 1 < count && (value == 0 || value % unit[i].factor != 0))
        i++;
    return buf_printf(out, "%" PRId64 "%s", value / unit[i].factor, unit[i].name);
}

static const char auto_word[] = "auto";
static const char *const at_limit_words[] = {[CONFIG_REFUSE] = "refuse", [CONFIG_WAIT] = "wait"};

static const char *const durability_words[] = {
    [CONFIG_COMMIT] = "commit", [CONFIG_INTERVAL] = "interval", [CONFIG_MEMORY] = "memory"};

static const char *const yes_no_words[] = {"no", "yes"};
static const char *const access_words[] = {
    [CONFIG_RULES] = "rules", [CONFIG_BEANSTALKD] = "beanstalkd"};
static const char *const backoff_words[] = {
    [CONFIG_FIXED] = "fixed", [CONFIG_EXPONENTIAL] = "exponential"};
static const char *const leftovers_words[] = {[CONFIG_KILL] = "kill", [CONFIG_LEAVE] = "leave"};

/* Its number; NULL entries are no words. */
static int word_parse(const char *const *words, size_t count, const char *text, int64_t *value)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i] == NULL || strcmp(text, words[i]) != 0)
            continue;
        *value = (int64_t)i;
        return 0;
    }
    return EINVAL;
}

int value_parse(enum config_type type, const char *text, int64_t *value)
{
    enum log_level level;
    switch (type) {
    case CONFIG_TYPE_INT:
        return unit_parse(text, 10, no_units, COUNT(no_units), value);
    case CONFIG_TYPE_SIZE:
        return unit_parse(text, 10, size_units, COUNT(size_units), value);
    case CONFIG_TYPE_DURATION:
        return unit_parse(text, 10, duration_units, COUNT(duration_units), value);
    case CONFIG_TYPE_MODE:
        return unit_parse(text, 8, no_units, COUNT(no_units), value);
    case CONFIG_TYPE_SOCKET_MODE:
        if (strcmp(text, auto_word) != 0)
            return unit_parse(text, 8, no_units, COUNT(no_units), value);
        *value = CONFIG_MODE_AUTO;
        return 0;
    case CONFIG_TYPE_LEVEL:
        if (log_level_parse(text, &level) != 0)
            return EINVAL;
        *value = level;
        return 0;
    case CONFIG_TYPE_COUNT:
        if (strcmp(text, auto_word) != 0)
            return unit_parse(text, 10, no_units, COUNT(no_units), value);
        *value = 0;
        return 0;
    case CONFIG_TYPE_AT_LIMIT:
        return word_parse(at_limit_words, COUNT(at_limit_words), text, value);
    case CONFIG_TYPE_DURABILITY:
        return word_parse(durability_words, COUNT(durability_words), text, value);
    case CONFIG_TYPE_YES_NO:
        return word_parse(yes_no_words, COUNT(yes_no_words), text, value);
    case CONFIG_TYPE_ACCESS:
        return word_parse(access_words, COUNT(access_words), text, value);
    case CONFIG_TYPE_BACKOFF:
        return word_parse(backoff_words, COUNT(backoff_words), text, value);
    case CONFIG_TYPE_LEFTOVERS:
        return word_parse(leftovers_words, COUNT(leftovers_words), text, value);
    case CONFIG_TYPE_PLACE:
    case CONFIG_TYPE_WORD:
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_LISTEN:
        break;
    }
    CANT_HAPPEN("not a number type");
}

int value_print(enum config_type type, int64_t value, struct buf *out)
{
    switch (type) {
    case CONFIG_TYPE_SIZE:
        return unit_print(value, size_units, COUNT(size_units), out);
    case CONFIG_TYPE_DURATION:
        return unit_print(value, duration_units, COUNT(duration_units), out);
    case CONFIG_TYPE_SOCKET_MODE:
        if (value == CONFIG_MODE_AUTO)
            return buf_append_str(out, auto_word);
        return buf_printf(out, "%04" PRIo64, (uint64_t)value);
    case CONFIG_TYPE_MODE:
        return buf_printf(out, "%04" PRIo64, (uint64_t)value);
    case CONFIG_TYPE_LEVEL:
        return buf_append_str(out, log_level_name((enum log_level)value));
    case CONFIG_TYPE_AT_LIMIT:
        return buf_append_str(out, at_limit_words[value]);
    case CONFIG_TYPE_DURABILITY:
        return buf_append_str(out, durability_words[value]);
    case CONFIG_TYPE_YES_NO:
        return buf_append_str(out, yes_no_words[value]);
    case CONFIG_TYPE_ACCESS:
        return buf_append_str(out, access_words[value]);
    case CONFIG_TYPE_BACKOFF:
        return buf_append_str(out, backoff_words[value]);
    case CONFIG_TYPE_LEFTOVERS:
        return buf_append_str(out, leftovers_words[value]);
    case CONFIG_TYPE_COUNT:
        if (value == 0)
            return buf_append_str(out, auto_word);
        return buf_printf(out, "%" PRId64, value);
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_LISTEN: /* a list's range is a number of entries */
        return buf_printf(out, "%" PRId64, value);
    case CONFIG_TYPE_WORD:
    case CONFIG_TYPE_PLACE:
        break;
    }
    CANT_HAPPEN("not a number type");
}

const char *value_form(enum config_type type)
{
    switch (type) {
    case CONFIG_TYPE_INT:
        return "a whole number";
    case CONFIG_TYPE_SIZE:
        return "a number of bytes, such as 65535, 64K, 10M, 2G";
    case CONFIG_TYPE_DURATION:
        return "a time, such as 500ms, 10s, 5m, 1h, 7d";
    case CONFIG_TYPE_MODE:
        return "permissions in octal, such as 0660";
    case CONFIG_TYPE_SOCKET_MODE:
        return "auto, or permissions in octal, such as 0660";
    case CONFIG_TYPE_LEVEL:
        return "one of error, warning, notice, info, debug";
    case CONFIG_TYPE_COUNT:
        return "a whole number, or auto";
    case CONFIG_TYPE_AT_LIMIT:
        return "refuse or wait";
    case CONFIG_TYPE_DURABILITY:
        return "commit, interval or memory";
    case CONFIG_TYPE_YES_NO:
        return "yes or no";
    case CONFIG_TYPE_ACCESS:
        return "rules or beanstalkd";
    case CONFIG_TYPE_BACKOFF:
        return "fixed or exponential";
    case CONFIG_TYPE_LEFTOVERS:
        return "kill or leave";
    case CONFIG_TYPE_PLACE:
        return "an absolute path, auto or none";
    case CONFIG_TYPE_WORD:
        return "a word";
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_LISTEN:
        return "a list, such as {\"a\", \"b\"}";
    }
    CANT_HAPPEN("no such type");
}

int list_add(struct config_list *list, const char *text)
{
    char **item = reallocarray(list->item, list->count + 2, sizeof(*item));
    if (item == NULL)
        return ENOMEM;
    list->item = item;
    item[list->count] = text != NULL ? strdup(text) : NULL;
    if (text != NULL && item[list->count] == NULL)
        return ENOMEM;
    if (text != NULL)
        item[++list->count] = NULL;
    return 0;
}

void list_clear(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->item[i]);
    free(list->item);
    *list = (struct config_list){NULL, 0};
}
