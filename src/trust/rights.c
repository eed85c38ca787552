// SPDX-License-Identifier: MIT
/*
 * The words of rights, bundles and doors.
 */
#include "base/assert.h"
#include "trust/trust_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert(TRUST_RIGHT_COUNT <= 8 * sizeof(trust_rights), "a bit for each right");

static const char *const words[] = {
#define RIGHT(id, word, what) word,
#include "trust/rights.def"
#undef RIGHT
};

static const struct bundle {
    const char *word;
    trust_rights rights;
} bundles[] = {
#define BUNDLE(word, rights) {word, rights},
#include "trust/bundles.def"
#undef BUNDLE
};

static const char *const doors[] = {
    [TRUST_UNIX] = "unix", [TRUST_LOOPBACK] = "loopback", [TRUST_NETWORK] = "network"};

const char *trust_right_word(enum trust_right_bit bit)
{
    ASSERT(bit < TRUST_RIGHT_COUNT);
    return words[bit];
}

int trust_rights_parse(const char *word, trust_rights *rights, bool *is_bundle)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i], word) != 0)
            continue;
        *rights = (trust_rights)(1u << i);
        if (is_bundle != NULL)
            *is_bundle = false;
        return 0;
    }
    for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
        if (strcmp(bundles[i].word, word) != 0)
            continue;
        *rights = bundles[i].rights;
        if (is_bundle != NULL)
            *is_bundle = true;
        return 0;
    }
    return ENOENT;
}

const char *trust_rights_list(void)
{
    static const char list[] =
#define RIGHT(id, word, what) word ", "
#include "trust/rights.def"
#undef RIGHT
        "or one of the bundles"
#define BUNDLE(word, rights) " " word
#include "trust/bundles.def"
#undef BUNDLE
        ;
    return list;
}

void trust_rights_text(trust_rights rights, char *text, size_t size)
{
    size_t at = 0;
    snprintf(text, size, "nothing");
    for (unsigned i = 0; i < TRUST_RIGHT_COUNT && at < size; i++) {
        if ((rights >> i & 1) == 0)
            continue;
        int n = snprintf(text + at, size - at, "%s%s", at > 0 ? ", " : "", words[i]);
        at += n > 0 ? (size_t)n : 0;
    }
}

const char *trust_door_word(enum trust_door door)
{
    ASSERT(door < TRUST_DOOR_COUNT);
    return doors[door];
}

int trust_door_parse(const char *word, enum trust_door *door)
{
    for (unsigned i = 0; i < TRUST_DOOR_COUNT; i++) {
        if (strcmp(doors[i], word) != 0)
            continue;
        *door = (enum trust_door)i;
        return 0;
    }
    return ENOENT;
}
