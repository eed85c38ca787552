// SPDX-License-Identifier: MIT
/*
 * The file's characters, before libconfuse sees them.
 *
 * libconfuse 3.3 has a few habits that would mislead whoever wrote the file: it counts a line for
 * each C comment, so later messages name wrong lines; it refuses comments inside of lists; it skips
 * characters that it does not know, so that an unquoted * is lost; it takes the end of the file for
 * any number of closing braces; and a forgotten quote swallows the file up to the next one. So
 * comments are blanked here (the line breaks stay), and the rest is refused with the line where it
 * stands.
 *
 * Quoting as in libconfuse: "..." and '...', a backslash takes the next character along.
 */
#include "config/config_priv.h"

#include <ctype.h>
#include <string.h>

#define DEPTH_MAX 8 /* a list in a section is depth 2; more is the parser's to refuse */

struct scanner {
    char *at, *end;
    int line;
    int opened[DEPTH_MAX]; /* the lines of the braces that are open */
    size_t depth;
    bool in_word; /* inside an unquoted word, where // is part of it */
    bool good;
    const char *file;
    struct config_errors *errors;
};

static void blank(struct scanner *scanner)
{
    if (*scanner->at == '\n')
        scanner->line++;
    else
        *scanner->at = ' ';
    scanner->at++;
}

static void blank_line(struct scanner *scanner)
{
    while (scanner->at < scanner->end && *scanner->at != '\n')
        blank(scanner);
}

static bool starts(const struct scanner *scanner, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(scanner->end - scanner->at) >= len && memcmp(scanner->at, text, len) == 0;
}

static void blank_comment(struct scanner *scanner)
{
    int opened = scanner->line;
    blank(scanner);
    blank(scanner);
    while (scanner->at < scanner->end && !starts(scanner, "*/"))
        blank(scanner);
    if (scanner->at == scanner->end) {
        config_error(scanner->errors, scanner->file, opened,
                     "this comment is never closed; it ends with */");
        scanner->good = false;
        return;
    }
    blank(scanner);
    blank(scanner);
}

static void skip_quoted(struct scanner *scanner)
{
    char quote = *scanner->at++;
    while (scanner->at < scanner->end && *scanner->at != quote && *scanner->at != '\n') {
        if (*scanner->at == '\\' && scanner->at + 1 < scanner->end) {
            scanner->at++;
            scanner->line += *scanner->at == '\n';
        }
        scanner->at++;
    }
    if (scanner->at < scanner->end && *scanner->at == quote) {
        scanner->at++;
        return;
    }
    config_error(scanner->errors, scanner->file, scanner->line,
                 "the quote is not closed on its line; close it, or write a line break as \\n");
    scanner->good = false;
}

static void brace(struct scanner *scanner, char c)
{
    if (c == '}' && scanner->depth > 0)
        scanner->depth--;
    else if (c == '{' && scanner->depth < DEPTH_MAX)
        scanner->opened[scanner->depth++] = scanner->line;
}

/* A character outside of quotes and comments. */
static void plain(struct scanner *scanner)
{
    unsigned char c = (unsigned char)*scanner->at;
    if (c == '\n')
        scanner->line++;
    else if (c == '\r')
        *scanner->at = ' ';
    else if (c == '*' || (c == '+' && !starts(scanner, "+=")))
        config_error(scanner->errors, scanner->file, scanner->line,
                     "a \"%c\" can't stand outside of quotes; write the value as \"...\"", c);
    else if (c < ' ' && c != '\t') {
        config_error(scanner->errors, scanner->file, scanner->line,
                     "a control character (byte %d) stands here; is this a text file?", c);
        scanner->good = false;
        *scanner->at = ' ';
    }
    brace(scanner, (char)c);
    scanner->in_word = !isspace(c) && strchr("={}(),+", c) == NULL;
    scanner->at++;
}

bool text_prepare(char *text, size_t len, const char *file, struct config_errors *errors)
{
    struct scanner scanner = {
        .at = text, .end = text + len, .line = 1, .good = true, .file = file, .errors = errors};
    /* A file of the wrong kind is not worth a line for each of its bytes. */
    size_t most = errors->count + 20;
    while (scanner.at < scanner.end && errors->count < most) {
        char c = *scanner.at;
        if (c == '"' || c == '\'') {
            skip_quoted(&scanner);
            scanner.in_word = false;
        } else if (c == '#' || (starts(&scanner, "//") && !scanner.in_word)) {
            blank_line(&scanner);
        } else if (starts(&scanner, "/*")) {
            blank_comment(&scanner);
            scanner.in_word = false;
        } else {
            plain(&scanner);
        }
    }
    if (scanner.good && scanner.depth > 0) {
        config_error(errors, file, scanner.opened[scanner.depth - 1],
                     "the { of this line is never closed; a } is missing");
        scanner.good = false;
    }
    return scanner.good;
}
