// SPDX-License-Identifier: MIT
/*
 * hilera access: what I may do here, or somebody else may, and which section of the daemon's
 * configuration gives it.
 *
 * The user's number and groups are looked up here: the daemon doesn't wait for lists of users.
 */

#include "client/tool_priv.h"

#include "base/json.h"
#include "base/jsonobj.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 1024

struct access_options {
    const char *user, *tube; /* NULL: oneself; none in particular */
};

static const struct argp_option access_argp_options[] = {
    {"tube", 't', "TUBE", 0, "Tell also what may be done in this tube", 0}, {0}};

static error_t access_parse(int key, char *arg, struct argp_state *state)
{
    struct access_options *options = state->input;
    switch (key) {
    case 't':
        options->tube = tube_option(arg, state);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            argp_error(state, "one user and one tube only, but there is also \"%s\"", arg);
        if (state->arg_num == 0)
            options->user = arg;
        else
            options->tube = tube_option(arg, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- who ---- */

/* A name, or a number that needn't be anybody's; ENOENT. `gid` is only written for who has one. */
static int user_find(const char *text, uint64_t *uid, const struct passwd **entry)
{
    bool number = json_parse_u64(text, uid) == 0 && *uid < UINT32_MAX;
    *entry = number ? getpwuid((uid_t)*uid) : getpwnam(text);
    if (*entry)
        *uid = (*entry)->pw_uid;
    return *entry || number ? 0 : ENOENT;
}

static int groups_append(struct buf *text, const struct passwd *entry)
{
    gid_t groups[GROUPS_MAX];
    int count = GROUPS_MAX, rc = 0;
    if (!entry)
        return buf_append_str(text, "");
    if (getgrouplist(entry->pw_name, entry->pw_gid, groups, &count) < 0)
        count = GROUPS_MAX;
    for (int i = 0; rc == 0 && i < count; i++)
        rc = buf_printf(text, "%s%u", i > 0 ? "," : "", groups[i]);
    return rc;
}

static int user_add(cJSON *params, uint64_t uid, const struct passwd *entry)
{
    struct buf groups = BUF_EMPTY;
    int rc = groups_append(&groups, entry);
    if (rc == 0)
        rc = jsonobj_add_u64(params, "uid", uid);
    if (rc == 0 && groups.len > 0)
        rc = jsonobj_add_str(params, "groups", groups.data);
    buf_fini(&groups);
    return rc;
}

/* ---- what ---- */

static void words_show(const cJSON *words, const char *none)
{
    const cJSON *word;
    const char *between = "";
    cJSON_ArrayForEach(word, words)
    {
        if (!cJSON_IsString(word))
            continue;
        out_printf("%s", between);
        out_text(STYLE_PLAIN, word->valuestring);
        between = " ";
    }
    if (*between == '\0')
        out_printf("%s", none);
}

static void section_show(const cJSON *section)
{
    out_printf("  acl ");
    out_text(STYLE_HEAD, field_text(section, "name"));
    out_printf(": ");
    words_show(cJSON_GetObjectItemCaseSensitive(section, "may"), "nothing");
    if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(section, "tubes")) > 0) {
        out_printf("; in tubes ");
        words_show(cJSON_GetObjectItemCaseSensitive(section, "tubes"), "");
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(section, "guarded")))
            out_printf(", guarded ones too");
    }
    out_printf("\n");
}

static enum exit_code access_show(const cJSON *answer)
{
    const cJSON *sections = cJSON_GetObjectItemCaseSensitive(answer, "sections"), *section;
    if (!cJSON_IsArray(sections)) {
        say("the daemon's answer has no sections");
        return EXIT_CODE_OUTPUT;
    }
    if (cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(answer, "uid")))
        out_printf("An anonymous peer, at the door ");
    else
        out_printf("uid %" PRIu64 ", at the door ", field_u64(answer, "uid"));
    out_text(STYLE_PLAIN, field_text(answer, "door"));
    out_printf("\n");
    if (cJSON_HasObjectItem(answer, "tube")) {
        out_printf("  may in the tube ");
        out_text(STYLE_HEAD, field_text(answer, "tube"));
        out_printf("%s: ", cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "tube_guarded"))
                               ? " (guarded)"
                               : "");
        words_show(cJSON_GetObjectItemCaseSensitive(answer, "in_tube"), "nothing");
        out_printf("\n");
    }
    out_printf("  may of the daemon: ");
    words_show(cJSON_GetObjectItemCaseSensitive(answer, "server"), "nothing");
    out_printf("\n");
    cJSON_ArrayForEach(section, sections)
    {
        section_show(section);
    }
    if (cJSON_GetArraySize(sections) == 0)
        out_printf("  no section of the configuration gives anything\n");
    return EXIT_CODE_OK;
}

enum exit_code command_access(struct tool *tool, int argc, char **argv)
{
    struct access_options options = {0};
    command_parse(tool, "access", access_argp_options, access_parse, &options,
                  "Without a user, for oneself. The rights are those of acl sections, explained in "
                  "hilerad.conf(5); a section counts with all others that fit.",
                  argc, argv);
    uint64_t uid = 0;
    const struct passwd *entry = NULL;
    if (options.user && user_find(options.user, &uid, &entry) != 0) {
        say("there is no user \"%s\"; a name or a number would be right", options.user);
        return EXIT_CODE_NOT_FOUND;
    }
    cJSON *params = cJSON_CreateObject();
    int rc = params ? 0 : ENOMEM;
    if (rc == 0 && options.user)
        rc = user_add(params, uid, entry);
    if (rc == 0 && options.tube)
        rc = jsonobj_add_str(params, "tube", options.tube);
    if (rc == 0)
        return link_show(tool, "access", params, access_show);
    cJSON_Delete(params);
    say("not enough memory");
    return EXIT_CODE_FAILED;
}
