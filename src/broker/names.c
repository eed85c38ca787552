// SPDX-License-Identifier: MIT
/*
 * Lists of tubes by name: see names.h. The names themselves are job/names.c's.
 */
#include "broker/state_priv.h"

#include <errno.h>
#include <string.h>

void broker_names_begin(struct broker_names *names, struct broker *broker)
{
    names->broker = broker;
    broker_lock(broker);
    name_reader_begin(&names->reader, &broker->ledger.names);
    broker_unlock(broker);
}

void broker_names_rewind(struct broker_names *names)
{
    names->reader.next = names->reader.first;
}

int broker_names_next(struct broker_names *names, char (*to)[JOB_TUBE_NAME_MAX + 1], size_t max,
                      size_t *count)
{
    struct name_reader *reader = &names->reader;
    *count = 0;
    broker_lock(names->broker);
    bool lost = reader->lost;
    while (!lost && *count < max && reader->next != NULL) {
        memcpy(to[(*count)++], reader->next->text, reader->next->len + 1);
        reader->next = name_behind(&names->broker->ledger.names, reader, reader->next);
    }
    broker_unlock(names->broker);
    return lost ? ESTALE : 0;
}

void broker_names_end(struct broker_names *names)
{
    struct broker *broker = names->broker;
    broker_lock(broker);
    name_reader_end(&names->reader);
    while (names_trim(&broker->ledger.names, BROKER_SLICE_MAX)) {
        broker_unlock(broker);
        broker_lock(broker);
    }
    broker_unlock(broker);
}
