// SPDX-License-Identifier: MIT
/*
 * One more connection, for questions: asks one thing, waits for the answer. For what happens before
 * and after the load, and for the counters that the run's own books are compared with.
 */
#ifndef LOAD_CONTROL_H
#define LOAD_CONTROL_H

#include "load/address.h"

#include <stdint.h>

struct control;

/* text_mark: what stands in front of the size of a text; not copied. patience: that long without
 * an answer ends the run. */
struct control *control_new(const struct address *address, const char *text_mark,
                            int64_t patience_ns);
void control_free(struct control **control);

/* Sends the line (without CR LF) and returns the answer's first line without CR LF, valid until
 * the next call. After the text's mark and its size the text is at *body. */
const char *control_ask(struct control *control, const char **body, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A number of a stats text: "key: 123". Ends the run if it is not there. */
uint64_t stats_number(const char *text, const char *key);

/* A word of a stats text into `value`, quotes taken off; "" if it is not there. */
void stats_word(const char *text, const char *key, char *value, size_t size);

#endif
