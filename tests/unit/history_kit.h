// SPDX-License-Identifier: MIT
// What the tests of the file of finished jobs share: a history in a temporary directory, records
// that tell whether they came back whole, and ways to wait until they are durable.
#ifndef HISTORY_KIT_H
#define HISTORY_KIT_H

#include "history/history.h"
#include "unit.h"

#include <hilera/event.h>

struct kit {
    char directory[64], path[80];
    struct history_settings settings; // for the next db_open; linger_ns is short
    struct history *history;
    hl_event *event; // set when more is durable
    _Atomic uint64_t durable;
};
extern struct kit kit;

// For fixtures: the directory; nothing is opened yet. Afterwards: closed, and removed.
void db_up(void);
void db_down(void);

// Opens and closes the history.
void db_open(void);
void db_close(void);
// The hooks `ended` and `ended_after` of a broker whose ends it gets.
void db_offer(struct list *ends, void *arg);
void db_take_in(void *arg);
// What opening says; it must be refused.
int db_open_refused(char text[512]);

// A record of which every field follows from its id.
struct job_record *db_record(uint64_t id);
// With so many bytes of output.
struct job_record *db_record_sized(uint64_t id, size_t size);
// Fails unless the record is db_record(id).
void db_check(const struct job_record *record, uint64_t id);

// Adds db_record(id); its number.
uint64_t db_add(uint64_t id);
// Adds any; takes it over.
uint64_t db_add_record(struct job_record *record);
// Adds those ids and waits until they are durable.
void db_fill(uint64_t first, uint64_t last);
void db_await(uint64_t number);
// Whether it is there; if so it must be whole.
bool db_has(uint64_t id);
struct history_stats db_stats(void);
// Until a field of the statistics is that number.
void db_await_stat(size_t offset, uint64_t value);

// SQL on the file by a connection of its own; the first column of the first row.
int64_t db_sql(const char *text);
// The file's size in bytes, with its log's.
uint64_t db_file_size(void);
// Names in the directory that begin so.
unsigned db_files(const char *prefix);

#endif
