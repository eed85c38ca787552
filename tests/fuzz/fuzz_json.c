// SPDX-License-Identifier: MIT
/*
 * Fuzz target: JSON, both ways. Any bytes must be tolerated, and what comes out must keep promises
 * that can be checked without knowing the answer:
 *
 *  - bytes as a JSON string are JSON, and read back they are what json_sanitize shows;
 *  - the pre-pass over integers changes nothing the second time, and turns no bad text into good;
 *  - what was parsed prints as JSON that prints the same when it is parsed again.
 *
 * With libFuzzer, in a build folder of its own ($top is the source tree):
 *
 *     $top/configure --enable-fuzzer CC=clang && make tests/fuzz/fuzz_json
 *     cd tests/fuzz && mkdir new
 *     ./fuzz_json -dict=$top/tests/fuzz/json.dict new $top/tests/fuzz/corpus/json
 *
 * 'make check' runs the corpus through fuzz_main.c instead.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/jsonobj.h"
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Sane limits of the test machine, so that running out of memory is no finding. */
#define INPUT_MAX ((size_t)1 << 20)

static void bytes_as_string(const char *bytes, size_t len)
{
    struct buf quoted = BUF_EMPTY, shown = BUF_EMPTY;
    cJSON *string = NULL;
    MUST(json_append_string(&quoted, bytes, len));
    MUST(json_sanitize(&shown, bytes, len));
    ASSERT(json_is_utf8(quoted.data, quoted.len));
    MUST(jsonobj_parse(&string, quoted.data, quoted.len, NULL));
    ASSERT(cJSON_IsString(string));
    ASSERT(strcmp(string->valuestring, shown.len > 0 ? shown.data : "") == 0);
    if (json_is_utf8(bytes, len) && memchr(bytes, 0, len) == NULL)
        ASSERT(shown.len == len && (len == 0 || memcmp(shown.data, bytes, len) == 0));
    cJSON_Delete(string);
    buf_fini(&shown);
    buf_fini(&quoted);
}

static bool plain_cjson_takes(const struct buf *text)
{
    cJSON *root = cJSON_ParseWithLengthOpts(text->data, text->len + 1, NULL, true);
    cJSON_Delete(root);
    return root != NULL;
}

static void quoting(const char *text, size_t len)
{
    struct buf plain = BUF_EMPTY, once = BUF_EMPTY, twice = BUF_EMPTY;
    MUST(buf_append(&plain, text, len));
    MUST(json_quote_integers(&once, text, len));
    ASSERT(once.len >= len);
    if (once.len > 0) {
        MUST(json_quote_integers(&twice, once.data, once.len));
        ASSERT(twice.len == once.len && memcmp(twice.data, once.data, once.len) == 0);
        /* cJSON reads numbers up to 63 characters; longer ones become good by quoting, and nothing
         * else does. */
        if (len < 64 && plain_cjson_takes(&once))
            ASSERT(plain_cjson_takes(&plain));
    }
    buf_fini(&twice);
    buf_fini(&once);
    buf_fini(&plain);
}

/* The text of `root`, which goes. */
static char *printed(cJSON **root)
{
    char *text = cJSON_PrintUnformatted(*root);
    ASSERT(text != NULL);
    cJSON_Delete(*root);
    *root = NULL;
    return text;
}

static void parsing(const char *text, size_t len)
{
    cJSON *root = NULL;
    size_t where = SIZE_MAX;
    int rc = jsonobj_parse(&root, text, len, &where);
    if (rc != 0) {
        ASSERT(rc == EINVAL && where <= len);
        return;
    }
    /* The first printing may turn a fraction of 16 digits into an integer, which is a string from
     * then on. */
    char *first = printed(&root);
    MUST(jsonobj_parse(&root, first, strlen(first), NULL));
    char *second = printed(&root);
    MUST(jsonobj_parse(&root, second, strlen(second), NULL));
    char *third = printed(&root);
    ASSERT(strcmp(second, third) == 0);
    cJSON_free(third);
    cJSON_free(second);
    cJSON_free(first);
}

static void number(const char *text, size_t len)
{
    struct buf copy = BUF_EMPTY, digits = BUF_EMPTY;
    uint64_t value = 0;
    MUST(buf_append(&copy, text, len));
    if (len > 0 && json_parse_u64(copy.data, &value) == 0) {
        MUST(buf_append_u64(&digits, value));
        const char *significant = copy.data + strspn(copy.data, "0");
        ASSERT(strcmp(*significant != '\0' ? significant : "0", digits.data) == 0);
    }
    buf_fini(&digits);
    buf_fini(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    if (size > INPUT_MAX)
        return 0;
    bytes_as_string(text, size);
    quoting(text, size);
    parsing(text, size);
    number(text, size);
    return 0;
}
