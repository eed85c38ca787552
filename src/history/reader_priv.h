// SPDX-License-Identifier: MIT
/*
 * Who reads the file for those who may not wait for it: question.c and reader.c have the essays.
 */
#ifndef HISTORY_READER_PRIV_H
#define HISTORY_READER_PRIV_H

#include "history/history_priv.h"

/* What is answered out of the file, on the thread "records"; as history_ask. */
int question_read(struct history *history, struct history_question *question);

/* reader.c */

int reader_start(struct history *history);
/* Who still asks hears ECANCELED. */
void reader_stop(struct history *history);
void reader_wake(struct history *history);

#endif
