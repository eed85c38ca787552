// SPDX-License-Identifier: MIT
/*
 * Choosing jobs, for the methods that do: the parameters of a filter and of a page, and what a page
 * answers. "next" is where to go on, null at the end; with it and "until" of the first answer a
 * client walks over all jobs once, however many come and go meanwhile.
 */
#include "api/api_priv.h"
#include "api/filter_priv.h"

void filter_read(const cJSON *params, struct broker_filter *filter, struct broker_page *page)
{
    int64_t older_ns = params_seconds(params, "older");
    *filter = (struct broker_filter){.tube = params_tube(params, "tube"),
                                     .states = params_states(params, "state"),
                                     .name = params_text(params, "name"),
                                     .group = params_text(params, "group"),
                                     .tag = params_text(params, "tag"),
                                     .older_ns = older_ns == HL_FOREVER ? 0 : older_ns,
                                     .younger_ns = params_seconds(params, "younger")};
    *page = (struct broker_page){.from = params_u64(params, "from", 0),
                                 .until = params_u64(params, "until", 0),
                                 .limit = params_u64(params, "limit", SIZE_MAX)};
}

bool filter_given(const cJSON *params)
{
    static const char *const names[] = {"tube", "state", "older", "younger",
                                        "name", "group", "tag"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (params_given(params, names[i]))
            return true;
    return false;
}

void out_page(const struct api_call *call, struct out out, const struct broker_page *page)
{
    if (page->next != 0)
        out_u64(out, "next", page->next);
    else
        out_null(out, "next");
    out_u64(out, "until", page->until);
    out_u64(out, "examined", api_sees_all(call) ? page->examined : page->found);
}
