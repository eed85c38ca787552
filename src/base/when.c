// SPDX-License-Identifier: MIT
/*
 * RFC 3339 in and out. The calendar is the C library's (timegm, gmtime_r); reading is by hand,
 * since strptime knows neither fractions nor what comes behind.
 */
#include "base/when.h"

#include "base/assert.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

/* Exactly so many digits. */
static bool digits(const char **at, int count, int *number)
{
    *number = 0;
    for (; count > 0; count--, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        *number = *number * 10 + (**at - '0');
    }
    return true;
}

static bool one_of(const char **at, const char *these)
{
    if (**at == '\0' || strchr(these, **at) == NULL)
        return false;
    (*at)++;
    return true;
}

static bool read_date_and_time(const char **at, struct tm *tm)
{
    return digits(at, 4, &tm->tm_year) && one_of(at, "-") && digits(at, 2, &tm->tm_mon) &&
           one_of(at, "-") && digits(at, 2, &tm->tm_mday) && one_of(at, "Tt ") &&
           digits(at, 2, &tm->tm_hour) && one_of(at, ":") && digits(at, 2, &tm->tm_min) &&
           one_of(at, ":") && digits(at, 2, &tm->tm_sec);
}

/* Behind the point; what is finer than nanoseconds is left out. */
static bool read_fraction(const char **at, int64_t *ns)
{
    int64_t unit = NS_PER_S / 10;
    const char *first = *at;
    for (*ns = 0; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
        *ns += unit * (**at - '0');
    return *at > first;
}

/* Seconds that the zone is ahead. */
static bool read_zone(const char **at, int *ahead_s)
{
    int hours, minutes;
    *ahead_s = 0;
    if (one_of(at, "Zz"))
        return true;
    bool west = **at == '-';
    if (!one_of(at, "+-") || !digits(at, 2, &hours) || !one_of(at, ":") || !digits(at, 2, &minutes))
        return false;
    *ahead_s = (hours * 60 + minutes) * (west ? -60 : 60);
    return hours < 24 && minutes < 60;
}

/* What timegm made of it is what was said; a leap second counts as the next one. */
static bool exists(const struct tm *said)
{
    struct tm tm = *said;
    if (said->tm_sec > 60)
        return false;
    tm.tm_sec = 0;
    if (timegm(&tm) == (time_t)-1 && said->tm_year != 69)
        return false;
    return tm.tm_mon == said->tm_mon && tm.tm_mday == said->tm_mday &&
           tm.tm_hour == said->tm_hour && tm.tm_min == said->tm_min;
}

int when_parse(const char *text, int64_t *ns)
{
    struct tm tm = {.tm_isdst = 0};
    const char *at = text;
    int64_t fraction_ns = 0;
    int ahead_s;
    if (!read_date_and_time(&at, &tm) || (one_of(&at, ".") && !read_fraction(&at, &fraction_ns)) ||
        !read_zone(&at, &ahead_s) || *at != '\0')
        return EINVAL;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (!exists(&tm))
        return EINVAL;
    int64_t seconds = (int64_t)timegm(&tm) - ahead_s;
    if (seconds < 0 || seconds > INT64_MAX / NS_PER_S - 1)
        return ERANGE;
    *ns = seconds * NS_PER_S + fraction_ns;
    return 0;
}

void when_format(char text[WHEN_SIZE], int64_t ns)
{
    struct tm tm;
    time_t seconds = ns > 0 ? ns / NS_PER_S : 0;
    ASSERT(gmtime_r(&seconds, &tm) != NULL);
    size_t len = strftime(text, WHEN_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    if (ns % NS_PER_S > 0) {
        len += (size_t)snprintf(text + len, WHEN_SIZE - len, ".%09lld", (long long)(ns % NS_PER_S));
        while (text[len - 1] == '0')
            len--;
    }
    memcpy(text + len, "Z", 2);
}
