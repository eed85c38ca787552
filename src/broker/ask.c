// SPDX-License-Identifier: MIT
/*
 * Whether somebody may do that with a job: asked under the lock, with the job in hand, by every
 * call that takes an id. So nobody can ask by an id what he may not ask by the tube, and a job that
 * he may not see is, for him, one that never was.
 *
 * The decision is trust.h's: a load and a comparison.
 */
#include "broker/ask_priv.h"
#include "broker/owner_priv.h"

#include <errno.h>

static int answer(enum trust_verdict verdict)
{
    return verdict == TRUST_MAY ? 0 : verdict == TRUST_DENIED ? EACCES : ENOENT;
}

int job_ask(const struct trust_view *asker, const struct job *job, trust_rights need)
{
    uint16_t tube_class = job->tube->trust_class;
    if (trust_ask(asker, tube_class, need, JOB_NOBODY) == TRUST_MAY) /* whosever it is */
        return 0;
    return answer(trust_ask(asker, tube_class, need, submitter_of(job)));
}

bool uid_is_owner(const struct broker *broker, uint32_t uid)
{
    return uid == 0 || uid == broker->options.daemon_uid;
}

bool asker_is_owner(const struct broker *broker, const struct trust_view *asker)
{
    return asker->trust == NULL || uid_is_owner(broker, asker->uid);
}

/*
 * The jobs of a guarded tube are run in the name of who put them, so nobody but he may bring one
 * there. The name of a tube is the asker's own words: what he may not see there is no secret.
 */
int job_ask_move(const struct trust_view *asker, const struct job *job, const char *name,
                 size_t len)
{
    const struct broker *broker = broker_of(job->tube);
    int rc = job_ask(asker, job, TRUST_edit);
    uint16_t to = trust_tube_class(broker->options.trust, name, len);
    if (rc == 0 && trust_ask(asker, to, TRUST_put, JOB_NOBODY) != TRUST_MAY)
        rc = EACCES;
    if (rc != 0 || !trust_class_is_guarded(broker->options.trust, to) ||
        asker_is_owner(broker, asker))
        return rc;
    uint32_t submitter = submitter_of(job);
    return submitter != JOB_NOBODY && submitter == asker->uid ? 0 : EACCES;
}
