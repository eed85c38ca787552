// SPDX-License-Identifier: MIT
/*
 * Jobs as JSON (result.c, options.c), and tubes and pools (method_stats.c).
 */
#ifndef API_RESULT_PRIV_H
#define API_RESULT_PRIV_H

#include "api/api_priv.h"

/* `read`, and the call's rights: whether the program's own words are told (reasons, progress). */
void out_view(const struct api_call *call, struct out job, const struct job_view *view);
/* "earlier": how the attempts of a job that isn't finished ended; nothing if there were none. */
void out_past(const struct api_call *call, struct out job, const struct job_view *view);
void out_record(struct out job, const struct job_record *record, bool read);
/* What a job told of its progress. */
void out_progress(struct out job, int percent, const char *text);
/* Adds that of a job that runs here, if it told any. */
void out_running(const struct api_call *call, struct out job, const struct job_view *view);
/* options.c: what was asked for with a job, as far as it was. */
void out_labels(struct out job, const char *name, const char *group, const char *key,
                const char *tags, size_t tags_size);
void out_options(struct out job, const struct job_view *view);
/* A row of a list: that, and how it ended in short. */
void out_row(struct out job, const struct job_record *record, bool read);
/* Adds "result" of a job that had an attempt; `read`: with what it wrote. */
void out_result(struct out job, const struct job_record *record, bool read);

/* method_stats.c: a tube's counters, a pool's, with the tubes that the caller may see. */
void out_tube(struct out row, const char *name, const struct broker_stats *stats);
void out_pool(const struct api_call *call, struct out row, const struct worker_pool *pool);

#endif
