// SPDX-License-Identifier: MIT
/*
 * Durations as people write and read them.
 *
 * In: a number with a unit, several of them in a row ("1h30m"), a decimal fraction ("1.5h"), or a
 * bare number of seconds. Out: two units at most, which is as exact as a reader needs. Exact to the
 * nanosecond inside; nothing passes through floating point.
 */

#include "client/tool_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const struct unit {
    const char *name;
    int64_t ns;
} units[] = {
    {"ms", HL_MILLISECOND},  {"s", HL_SECOND},        {"m", 60 * HL_SECOND},
    {"min", 60 * HL_SECOND}, {"h", 3600 * HL_SECOND}, {"d", 24 * (3600 * HL_SECOND)},
};

/* Up to nine digits behind the point, which is as far as nanoseconds of a second go. */
#define FRACTION_DIGITS 9

/* Reads "12" or "12.5" off the text: whole part, and the fraction in units of 10^-9. */
static int take_number(const char **text, int64_t *whole, int64_t *fraction)
{
    const char *at = *text;
    *whole = *fraction = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(*whole, 10, whole) ||
            __builtin_add_overflow(*whole, *at - '0', whole))
            return ERANGE;
    if (at == *text)
        return EINVAL;
    if (*at == '.') {
        int digits = 0;
        for (at++; *at >= '0' && *at <= '9'; at++, digits++)
            if (digits < FRACTION_DIGITS)
                *fraction = *fraction * 10 + (*at - '0');
        if (digits == 0)
            return EINVAL;
        for (; digits < FRACTION_DIGITS; digits++)
            *fraction *= 10;
    }
    *text = at;
    return 0;
}

/* The unit at the text; a bare number is seconds only if it is all there is. */
static const struct unit *take_unit(const char **text, bool alone)
{
    size_t len = strspn(*text, "abcdefghijklmnopqrstuvwxyz");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if ((len == 0 && alone && **text == '\0' && units[i].ns == HL_SECOND) ||
            (len > 0 && strlen(units[i].name) == len && strncmp(*text, units[i].name, len) == 0)) {
            *text += len;
            return &units[i];
        }
    return NULL;
}

int duration_parse(const char *text, int64_t *ns)
{
    const char *at = text;
    int64_t sum = 0;
    do {
        bool alone = at == text;
        int64_t whole, fraction, part;
        int rc = take_number(&at, &whole, &fraction);
        const struct unit *unit = rc == 0 ? take_unit(&at, alone) : NULL;
        if (rc == 0 && !unit)
            rc = EINVAL;
        if (rc != 0)
            return rc;
        /* fraction < 10^9 and ns < 10^14: split, so that the product fits. */
        int64_t fraction_ns = unit->ns >= HL_SECOND ? fraction * (unit->ns / HL_SECOND)
                                                    : fraction / (HL_SECOND / unit->ns);
        if (__builtin_mul_overflow(whole, unit->ns, &part) ||
            __builtin_add_overflow(sum, part, &sum) ||
            __builtin_add_overflow(sum, fraction_ns, &sum))
            return ERANGE;
    } while (*at != '\0');
    *ns = sum;
    return 0;
}

int duration_append(struct buf *out, int64_t ns)
{
    uint64_t rest = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    int rc = ns < 0 ? buf_append_char(out, '-') : 0;
    if (rc != 0)
        return rc;
    uint64_t us = rest / 1000, s = us / 1000000, minutes = s / 60, hours = minutes / 60;
    if (us < 1000)
        return buf_printf(out, us == 0 ? "0 s" : "%" PRIu64 " us", us);
    if (s < 1)
        return buf_printf(out, "%" PRIu64 " ms", us / 1000);
    if (minutes < 1)
        return buf_printf(out, "%" PRIu64 ".%02" PRIu64 " s", s, us / 10000 % 100);
    if (hours < 1)
        return buf_printf(out, "%" PRIu64 " min %02" PRIu64 " s", minutes, s % 60);
    if (hours < 24)
        return buf_printf(out, "%" PRIu64 " h %02" PRIu64 " min", hours, minutes % 60);
    return buf_printf(out, "%" PRIu64 " d %02" PRIu64 " h", hours / 24, hours % 24);
}

int64_t duration_option(const char *option, const char *text, struct argp_state *state)
{
    int64_t ns = 0;
    int rc = duration_parse(text, &ns);
    if (rc == ERANGE)
        argp_error(state, "--%s %s is too long", option, text);
    if (rc != 0)
        argp_error(state, "--%s wants a duration such as 30, 10s, 5m or 1h30m, not \"%s\"", option,
                   text);
    return ns;
}
