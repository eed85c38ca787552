// SPDX-License-Identifier: MIT
/*
 * jsonvalue PATH...: reads one JSON text from standard input and prints, a line each, what stands
 * at the paths: members and indices with dots between, as in "sections.0.ops". For the scenario
 * tests, so that JSON is read by a parser and not by patterns. Status 1: no JSON, or nothing at a
 * path.
 */
#include "base/jsonobj.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (4u << 20)

static const cJSON *value_at(const cJSON *value, char *path)
{
    char *rest = NULL;
    for (char *name = strtok_r(path, ".", &rest); name != NULL && value != NULL;
         name = strtok_r(NULL, ".", &rest)) {
        if (cJSON_IsArray(value))
            value = cJSON_GetArrayItem(value, (int)strtol(name, NULL, 10));
        else
            value = cJSON_GetObjectItemCaseSensitive(value, name);
    }
    return value;
}

static int value_print(const cJSON *value)
{
    if (cJSON_IsString(value))
        return puts(value->valuestring) < 0;
    char *text = cJSON_PrintUnformatted(value);
    int rc = text == NULL || puts(text) < 0;
    free(text);
    return rc;
}

int main(int argc, char **argv)
{
    static char text[TEXT_MAX];
    size_t len = fread(text, 1, sizeof(text), stdin);
    cJSON *root = NULL;
    int rc = jsonobj_parse(&root, text, len, NULL) != 0;
    if (rc != 0)
        (void)fprintf(stderr, "jsonvalue: this is no JSON\n");
    for (int i = 1; i < argc && rc == 0; i++) {
        const cJSON *value = value_at(root, argv[i]);
        rc = value == NULL || value_print(value);
        if (value == NULL)
            (void)fprintf(stderr, "jsonvalue: nothing is there\n");
    }
    cJSON_Delete(root);
    return rc;
}
