// SPDX-License-Identifier: MIT
/*
 * The version of the library that runs, for programs that were built against another one's headers.
 */
#include <hilera/version.h>

const char *hl_version(void)
{
    return HL_VERSION;
}
