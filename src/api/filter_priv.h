// SPDX-License-Identifier: MIT
/*
 * Choosing jobs by tube, state, age, name, group and tag, a page at a time. filter.c does it.
 */
#ifndef API_FILTER_PRIV_H
#define API_FILTER_PRIV_H

#include "api/api_priv.h"

#define API_FILTER_PARAMS                                                                          \
    API_FILTER_PARAMS_OF(API_STATE, "jobs of this state only: ready, delayed, reserved or buried")
#define API_FILTER_PARAMS_OF(state_type, state_what)                                               \
    {.name = "tube", .type = API_TUBE, .what = "jobs of this tube only"},                          \
        {.name = "state", .type = (state_type), .what = (state_what)},                             \
        {.name = "older",                                                                          \
         .type = API_SECONDS,                                                                      \
         .what = "jobs that were put at least so many seconds ago"},                               \
        {.name = "younger",                                                                        \
         .type = API_SECONDS,                                                                      \
         .what = "jobs that were put less than so many seconds ago"},                              \
        {.name = "name", .type = API_TEXT, .what = "jobs of this name only"},                      \
        {.name = "group", .type = API_TEXT, .what = "jobs of this group only"},                    \
        {.name = "tag", .type = API_TEXT, .what = "jobs that have this tag only"},                 \
        {.name = "from", .type = API_ID, .what = "begin at this id: the \"next\" of a page"},      \
        {.name = "until",                                                                          \
         .type = API_ID,                                                                           \
         .what = "end at this id: the \"until\" of the first page; without it, the last id"},      \
    {                                                                                              \
        .name = "limit", .type = API_COUNT, .what = "so many jobs at most"                         \
    }

/* After params_check. limit SIZE_MAX if it is not there. */
void filter_read(const cJSON *params, struct broker_filter *filter, struct broker_page *page);
/* Whether there is any condition. */
bool filter_given(const cJSON *params);
/* Adds "next", "until" and "examined"; that is what was found where the caller may not see all that
 * was looked at. */
void out_page(const struct api_call *call, struct out out, const struct broker_page *page);

#endif
