// SPDX-License-Identifier: MIT
/*
 * The ledger: what is true of the jobs. Tubes, the jobs in their containers, groups, keys and
 * counts; and the changes by which all of that becomes something else.
 *
 * It knows no journal, no connection and nobody who waits, and apply knows no clock. What stands
 * above (the broker, with its overlay of connections and workers) is told by a table of functions,
 * and has its own part of each tube behind struct tube.
 *
 * This is the face of the folder; what is in it has a header each:
 *
 *   state.h     the ledger itself
 *   tube.h      tubes, and the containers of their jobs
 *   group.h     groups, and what they count
 *   key.h       which job has a key
 *   table.h     jobs by id, and their places in the journal; who put them; tokens
 *   change.h    what happens to a job or a tube, as one value
 *   apply.h     changes carried out
 *   entry.h     what is true as entries of the journal
 *   resolve.h   entries as changes
 *
 * One lock covers all of it: the domain of the tubes' queues. Functions marked HELD need it
 * (held.h).
 *
 * One object, one container: job_container(state) says where a job is kept, and every container is
 * a heap that writes the job's place into job->pos:
 *
 *   ready     tube->ready (a queue core)  by priority, id
 *   delayed   tube->delayed               by deadline
 *   buried    tube->buried                by order of burial
 *   reserved  the overlay's               see struct ledger_hooks
 *
 * Coming back never fails: each delayed or reserved job has the promise of a slot in its tube's
 * ready heap (base/heap.h), kept by tube_job_move. So leases, delays and connections can end
 * without memory.
 *
 * Arrows: job, thr and base below; store and broker above.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include "ledger/apply.h"
#include "ledger/change.h"
#include "ledger/entry.h"
#include "ledger/group.h"
#include "ledger/key.h"
#include "ledger/resolve.h"
#include "ledger/state.h"
#include "ledger/table.h"
#include "ledger/tube.h"

#endif
