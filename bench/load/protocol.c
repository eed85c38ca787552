// SPDX-License-Identifier: MIT
/*
 * The table of protocols, and what is looked up in it.
 */
#include "load/protocol.h"

#include <string.h>

static const struct protocol *const protocols[] = {
#define PROTOCOL(name) &protocol_##name,
#include "load/protocols.def"
#undef PROTOCOL
};

const struct protocol *protocol_find(const char **address)
{
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        size_t len = strlen(protocols[i]->name);
        if (strncmp(*address, protocols[i]->name, len) == 0 && (*address)[len] == ':') {
            *address += len + 1;
            return protocols[i];
        }
    }
    return protocols[0];
}

bool protocol_has(const struct protocol *protocol, const char *mix)
{
    size_t len = strlen(mix);
    const char *at = protocol->mixes;
    if (at == NULL)
        return true;
    for (; *at != '\0'; at += strcspn(at, " "), at += strspn(at, " "))
        if (strcspn(at, " ") == len && strncmp(at, mix, len) == 0)
            return true;
    return false;
}
