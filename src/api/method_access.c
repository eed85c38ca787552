// SPDX-License-Identifier: MIT
/*
 * The method `access`: what somebody may do here, and which sections of the configuration give it.
 *
 * Everybody may ask about himself. About others asks who has the right to admin; who asks brings
 * the user's number and groups along, because looking them up may take long, which a thread that
 * serves must not.
 */
#include "api/api_priv.h"

#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define GROUPS_MAX 1024

const struct api_param params_access[] = {
    {.name = "uid",
     .type = API_OFFSET,
     .what = "the number of a user, as if over the Unix socket; without it, the caller"},
    {.name = "groups",
     .type = API_TEXT,
     .what = "the numbers of that user's groups, with commas between them"},
    {.name = "tube", .type = API_TUBE, .what = "tell also what may be done in this tube"},
    {.name = NULL},
};

/* ---- who ---- */

/* EINVAL: the call has failed. */
static int groups_read(struct api_call *call, const char *text, gid_t *groups, size_t *count)
{
    char word[16];
    *count = 0;
    while (text != NULL && *text != '\0') {
        size_t len = strcspn(text, ",");
        uint64_t number;
        snprintf(word, sizeof(word), "%.*s", (int)(len < sizeof(word) ? len : sizeof(word)), text);
        if (len >= sizeof(word) || json_parse_u64(word, &number) != 0 || number >= UINT32_MAX ||
            *count == GROUPS_MAX)
            return api_fail(call, EINVAL,
                            "parameter \"groups\" is no list of at most %d numbers of groups; "
                            "\"27,1000\" would be right",
                            GROUPS_MAX);
        groups[(*count)++] = (gid_t)number;
        text += len + (text[len] == ',');
    }
    return 0;
}

/* EACCES, EINVAL: the call has failed. */
static int view_find(struct api_call *call, const cJSON *params, struct trust_view *view)
{
    *view = *call->asker;
    if (!params_given(params, "uid"))
        return 0;
    uint64_t uid = params_u64(params, "uid", 0);
    if (!trust_may_server(call->asker, TRUST_admin))
        return api_refuse(call, TRUST_admin, NULL);
    if (uid >= JOB_NOBODY)
        return api_fail(call, EINVAL, "parameter \"uid\" is no number of a user: 0 to %u",
                        JOB_NOBODY - 1);
    gid_t groups[GROUPS_MAX];
    size_t count;
    int rc = groups_read(call, params_text(params, "groups"), groups, &count);
    if (rc != 0)
        return rc;
    const struct trust_peer peer = {
        .door = TRUST_UNIX, .uid = (uint32_t)uid, .groups = groups, .group_count = count};
    if (call->asker->trust != NULL)
        trust_view_of(view, call->asker->trust, &peer);
    return 0;
}

/* ---- what ---- */

static void out_rights(struct out out, const char *name, trust_rights rights)
{
    struct out list = out_array(out, name);
    for (unsigned i = 0; i < TRUST_RIGHT_COUNT; i++)
        if ((rights >> i & 1) != 0)
            out_array_str(list, trust_right_word((enum trust_right_bit)i));
}

static void out_section(struct out sections, const struct trust_view *view,
                        const struct trust_rule *rule, const char *tube)
{
    struct out section = out_array_object(sections);
    out_str(section, "name", rule->name);
    struct out tubes = out_array(section, "tubes");
    for (size_t i = 0; i < rule->tube_count; i++)
        out_array_str(tubes, rule->tubes[i]);
    out_bool(section, "guarded", rule->guarded);
    out_rights(section, "may", rule->may);
    if (tube != NULL)
        out_rights(section, "in_tube", trust_rule_gives(view->trust, rule, view->door, tube));
}

static void out_sections(struct out result, const struct trust_view *view, const char *tube)
{
    struct out sections = out_array(result, "sections");
    if (view->trust == NULL)
        return;
    for (size_t i = 0; i < trust_rule_count(view->trust); i++)
        if (trust_view_fits(view, i))
            out_section(sections, view, trust_rule_at(view->trust, i), tube);
}

int run_access(struct api_call *call, const cJSON *params, struct out result)
{
    struct trust_view view;
    const char *tube = params_tube(params, "tube");
    int rc = view_find(call, params, &view);
    if (rc != 0)
        return rc;
    if (view.uid != JOB_NOBODY)
        out_u64(result, "uid", view.uid);
    else
        out_null(result, "uid");
    out_str(result, "door", trust_door_word(view.door));
    out_rights(result, "server", view.server);
    if (tube != NULL) {
        uint16_t tube_class = trust_tube_class(view.trust, tube, strlen(tube));
        out_str(result, "tube", tube);
        out_bool(result, "tube_guarded", trust_class_is_guarded(view.trust, tube_class));
        out_rights(result, "in_tube", trust_rights_on(&view, tube_class, JOB_NOBODY));
    }
    out_sections(result, &view, tube);
    return 0;
}
