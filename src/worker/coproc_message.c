// SPDX-License-Identifier: MIT
/*
 * What a line of a helper says: a verb, as a rule the id of a job, perhaps a number, perhaps a
 * text. The verbs are the table below; another one is a row there, and what it means is the talk's.
 *
 * Nothing here knows a job: whether an id is the right one is not a question of form.
 */
#include "worker/coproc_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct form {
    const char *word;
    bool has_number, has_text;
    uint64_t number_max;
    const char *number_words; /* behind "it said WORD" when the number is none */
};

static const struct form forms[] = {
    [COPROC_READY] = {.word = "ready"},
    [COPROC_BEGIN] = {.word = "begin"},
    [COPROC_BACK] = {.word = "back"},
    [COPROC_RESULT] = {.word = "result",
                       .has_number = true,
                       .number_max = SIZE_MAX - 1,
                       .number_words = "without a length in bytes behind the id"},
    [COPROC_RETRY] = {.word = "retry",
                      .has_number = true,
                      .has_text = true,
                      .number_max = COPROC_RETRY_MAX_S,
                      .number_words = "without whole seconds, 0 to " HL_STRINGIFY(
                          COPROC_RETRY_MAX_S) ", behind the id"},
    [COPROC_FAIL] = {.word = "fail", .has_text = true},
    [COPROC_PROGRESS] = {.word = "progress",
                         .has_number = true,
                         .has_text = true,
                         .number_max = UINT64_MAX,
                         .number_words = "without a number behind the id"},
    [COPROC_LOG] = {.word = "log", .has_text = true},
};

#define FORMS (sizeof(forms) / sizeof(forms[0]))

static int wrong(char *why, size_t why_size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int wrong(char *why, size_t why_size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, why_size, format, args);
    va_end(args);
    return EPROTO;
}

/* The next word, cut off; NULL: none. What remains is *at. */
static char *word_take(char **at)
{
    char *word = *at + strspn(*at, " ");
    if (*word == '\0')
        return NULL;
    char *end = word + strcspn(word, " ");
    *at = *end == '\0' ? end : end + 1;
    *end = '\0';
    return word;
}

/* A word of digits only. false: it is none, or does not fit. */
static bool number_read(const char *word, uint64_t *number)
{
    if (word == NULL || *word == '\0')
        return false;
    uint64_t sum = 0;
    for (; *word != '\0'; word++) {
        unsigned digit = (unsigned)(*word - '0');
        if (digit > 9 || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, digit, &sum))
            return false;
    }
    *number = sum;
    return true;
}

static int ready_read(struct coproc_message *message, char *rest, char *why, size_t why_size)
{
    uint64_t version;
    const char *first = word_take(&rest), *second = word_take(&rest);
    if (!number_read(first, &version) || version != COPROC_VERSION)
        return wrong(why, why_size,
                     "it said \"ready %.40s\"; this hilerad speaks version %d: \"ready %d\"",
                     first != NULL ? first : "", COPROC_VERSION, COPROC_VERSION);
    message->number = 1;
    if (second != NULL && (!number_read(second, &message->number) || message->number == 0))
        return wrong(why, why_size, "it said \"ready 1 %.40s\"; a window is a number from 1",
                     second);
    return 0;
}

static int job_line_read(struct coproc_message *message, const struct form *form, char *rest,
                         char *why, size_t why_size)
{
    if (!number_read(word_take(&rest), &message->id))
        return wrong(why, why_size, "it said \"%s\" without the id of a job", form->word);
    if (form->has_number &&
        (!number_read(word_take(&rest), &message->number) || message->number > form->number_max))
        return wrong(why, why_size, "it said \"%s\" %s", form->word, form->number_words);
    if (message->verb == COPROC_PROGRESS && message->number > 100)
        message->number = 100;
    if (form->has_text)
        message->text = rest;
    return 0;
}

int coproc_message_read(struct coproc_message *message, char *line, bool greeted, char *why,
                        size_t why_size)
{
    char said[41];
    snprintf(said, sizeof(said), "%s", line);
    char *rest = line;
    const char *verb = word_take(&rest);
    size_t which = 0;
    while (which < FORMS && (verb == NULL || strcmp(verb, forms[which].word) != 0))
        which++;
    if (!greeted && which != COPROC_READY)
        return wrong(why, why_size, "it said \"%s\" first; it must say \"ready %d\"", said,
                     COPROC_VERSION);
    if (which == FORMS || (greeted && which == COPROC_READY))
        return wrong(
            why, why_size,
            "it said \"%s\"; a line begins with begin, back, result, retry, fail, progress or log",
            said);
    *message = (struct coproc_message){
        .verb = (enum coproc_verb)which, .word = forms[which].word, .text = ""};
    return which == COPROC_READY ? ready_read(message, rest, why, why_size)
                                 : job_line_read(message, &forms[which], rest, why, why_size);
}
