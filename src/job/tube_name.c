// SPDX-License-Identifier: MIT
/*
 * Tube names: the rule of the beanstalk protocol, which every door of hilera keeps.
 */
#include "job/job.h"

#include <errno.h>
#include <string.h>

static bool byte_allowed(char c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("-+/;.$_()", c) != NULL;
}

int job_tube_name_check(const char *name, size_t len)
{
    ASSERT(name != NULL);
    if (len == 0)
        return EINVAL;
    if (len > JOB_TUBE_NAME_MAX)
        return ENAMETOOLONG;
    if (name[0] == '-')
        return EINVAL;
    for (size_t i = 0; i < len; i++)
        if (!byte_allowed(name[i]))
            return EINVAL;
    return 0;
}

const char *job_tube_name_rule(void)
{
    return "a tube's name is 1 to 200 bytes of A-Z a-z 0-9 - + / ; . $ _ ( ), not beginning with -";
}
