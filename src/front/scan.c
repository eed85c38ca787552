// SPDX-License-Identifier: MIT
/*
 * Reading arguments by beanstalkd's rules: any number of blanks before a number, leading zeros, no
 * sign, no overflow. A name is the whole rest of the line, so that a blank too many makes it a bad
 * name. Nothing here needs the line to be terminated.
 */
#include "front/command_priv.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

int scan_u64(struct scan *scan, uint64_t *number)
{
    const char *at = scan->at, *end = scan->end;
    while (at < end && *at == ' ')
        at++;
    const char *first = at;
    uint64_t value = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return EINVAL;
    scan->at = at;
    *number = value;
    return at > first ? 0 : EINVAL;
}

int scan_u32(struct scan *scan, uint32_t *number)
{
    uint64_t value;
    if (scan_u64(scan, &value) != 0 || value > UINT32_MAX)
        return EINVAL;
    *number = (uint32_t)value;
    return 0;
}

static bool is_white(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

int scan_lax_u32(struct scan *scan, uint32_t *number)
{
    while (scan->at < scan->end && is_white(*scan->at))
        scan->at++;
    bool negative = scan->at < scan->end && *scan->at == '-';
    if (scan->at < scan->end && (negative || *scan->at == '+'))
        scan->at++;
    uint64_t value;
    if (scan->at == scan->end || *scan->at == ' ' || scan_u64(scan, &value) != 0)
        return EINVAL;
    *number = (uint32_t)(negative ? -value : value);
    return 0;
}

int scan_tube(struct scan *scan, const char **name, size_t *len)
{
    *name = scan->at;
    *len = (size_t)(scan->end - scan->at);
    scan->at = scan->end;
    return job_tube_name_check(*name, *len) == 0 ? 0 : EINVAL;
}

int scan_tube_word(struct scan *scan, const char **name, size_t *len)
{
    *name = scan->at;
    while (!scan_ended(scan) && *scan->at != ' ')
        scan->at++;
    *len = (size_t)(scan->at - *name);
    return job_tube_name_check(*name, *len) == 0 ? 0 : EINVAL;
}

int scan_timeout(struct scan *scan, uint32_t *seconds)
{
    return scan_u32(scan, seconds) == 0 && *seconds <= INT_MAX ? 0 : EINVAL;
}

int scan_word(struct scan *scan, const char **word, size_t *len)
{
    while (scan->at < scan->end && *scan->at == ' ')
        scan->at++;
    *word = scan->at;
    while (scan->at < scan->end &&
           ((*scan->at >= 'a' && *scan->at <= 'z') || (*scan->at >= '0' && *scan->at <= '9') ||
            *scan->at == '_' || *scan->at == '-'))
        scan->at++;
    *len = (size_t)(scan->at - *word);
    return *len > 0 ? 0 : EINVAL;
}

int scan_rest(struct scan *scan)
{
    size_t rest = (size_t)(scan->end - scan->at);
    bool bad = memchr(scan->at, '\0', rest) != NULL || memchr(scan->at, '\r', rest) != NULL;
    scan->at = scan->end;
    return bad ? EINVAL : 0;
}

int parse_id(struct scan *scan, struct command_args *args)
{
    return scan_u64(scan, &args->id) == 0 && scan_ended(scan) ? 0 : EINVAL;
}

int parse_name(struct scan *scan, struct command_args *args)
{
    return scan_tube(scan, &args->name, &args->name_len);
}

int parse_nothing(struct scan *scan, struct command_args *args)
{
    (void)args;
    return scan_ended(scan) ? 0 : EINVAL;
}
