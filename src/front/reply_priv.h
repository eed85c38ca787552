// SPDX-License-Identifier: MIT
/*
 * Answers: the words of the protocol, and what follows them; reply.c.
 */
#ifndef FRONT_REPLY_PRIV_H
#define FRONT_REPLY_PRIV_H

#include "front/session_priv.h"

/* What refusals are called that any command can have: EIO INTERNAL_ERROR, EACCES NOT_ALLOWED, those
 * for want of room OUT_OF_MEMORY; others as said. With CR LF. */
void reply_refusal(struct session *session, int rc, const char *otherwise);

#define reply_word(session, word) conn_write((session)->conn, (word), sizeof(word) - 1)
/* "WORD number\r\n" */
void reply_number(struct session *session, const char *word, uint64_t number);
/* "WORD done failed deleted\r\n" */
void reply_totals(struct session *session, const char *word, const struct broker_totals *totals);
/* "WORD name\r\n"; a tube's name */
void reply_name(struct session *session, const char *word, const char *name, size_t len);
/* "FOUND id bytes\r\n" body "\r\n"; takes the reference over. */
void reply_job(struct session *session, const char *word, uint64_t id, struct job_body **body);
/* "WORD id token bytes\r\n" body "\r\n"; takes the lease's reference over. */
void reply_lease(struct session *session, const char *word, struct broker_lease *lease);
/* "WORD bytes\r\n" text "\r\n"; takes the text over and leaves it empty. */
void reply_text(struct session *session, const char *word, struct buf *text);
/* "OK bytes\r\n" text "\r\n", or OUT_OF_MEMORY where rc says that the text isn't complete. */
void reply_yaml(struct session *session, int rc, struct buf *yaml);

#endif
