// SPDX-License-Identifier: MIT
/*
 * Who speaks another protocol: what the bytes before a connection's first good command give away.
 *
 * A web page can make a browser send a request to a port of its own machine, whose body could hold
 * commands; so can a server that fetches what it is told to. What they can't choose is how their
 * first bytes look: a request line, a header field, a TLS hello, a word of another protocol's,
 * bytes that no command has. (One that lets them be chosen wholly, as gopher, isn't told apart.)
 * The parser asks here as long as it has seen no good command, and a stranger's connection is
 * closed without an answer, before what is behind those lines is read. Nothing is asked any more
 * once a good command was there.
 *
 * Somebody who types, and errs, is no stranger until STRANGER_ERRORS lines were bad.
 */
#include "front/stranger_priv.h"

#include <string.h>
#include <strings.h>

/* What curl says first of all to a server of dict://. */
#define DICT_HELLO "CLIENT "

/* The first byte of a TLS hello in the form of SSL 2; that of others is a control byte. */
#define SSL2_HELLO '\x80'

unsigned stranger_match(unsigned state, const char *bytes, size_t len)
{
    static const char pattern[] = STRANGER_PATTERN;
    for (size_t i = 0; i < len && state < STRANGER_MATCHED; i++) {
        char c = (char)(bytes[i] >= 'a' && bytes[i] <= 'z' ? bytes[i] - 'a' + 'A' : bytes[i]);
        /* The pattern has its first byte only once, so that no other beginning is under way. */
        state = c == pattern[state] ? state + 1 : c == pattern[0];
    }
    return state;
}

/* A header field: a word and a colon. */
static bool is_field(const char *line, size_t len)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    size_t word = 0;
    while (word < len &&
           ((line[word] >= 'a' && line[word] <= 'z') || (line[word] >= 'A' && line[word] <= 'Z') ||
            (line[word] >= '0' && line[word] <= '9') ||
            (line[word] != '\0' && strchr(others, line[word]) != NULL)))
        word++;
    return word > 0 && word < len && line[word] == ':';
}

/* A request without its version: a method in capitals, a blank, and a path or an address. */
static bool begins_request(const char *line, size_t len)
{
    size_t method = 0;
    while (method < len && line[method] >= 'A' && line[method] <= 'Z')
        method++;
    if (method == 0 || method + 1 >= len || line[method] != ' ')
        return false;
    const char *target = line + method + 1;
    return target[0] == '/' || target[0] == '*' ||
           (method == 7 && memcmp(line, "CONNECT", 7) == 0) ||
           (len - method > 4 && strncasecmp(target, "http", 4) == 0);
}

bool stranger_bytes(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];
        if ((c >= 0 && c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f)
            return true;
    }
    return false;
}

bool stranger_line(const char *line, size_t len)
{
    return stranger_match(0, line, len) == STRANGER_MATCHED || is_field(line, len) ||
           begins_request(line, len) ||
           (len >= sizeof(DICT_HELLO) - 1 && memcmp(line, DICT_HELLO, sizeof(DICT_HELLO) - 1) == 0);
}

bool stranger_begins(const char *data, size_t len)
{
    if (stranger_bytes(data, len) || (len > 0 && data[0] == SSL2_HELLO))
        return true;
    const char *end = data + len, *newline;
    for (const char *at = data;
         at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL; at = newline + 1)
        if (stranger_line(at, (size_t)(newline - at)))
            return true;
    return false;
}
