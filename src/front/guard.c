// SPDX-License-Identifier: MIT
/*
 * Who is on the other side, where it matters: for jobs that are commands (api_guards). A connection
 * is trusted if it is a Unix socket's and was made by a user whom the API trusts; that doesn't
 * change, so the system is asked once. What such a connection puts there is marked, since the
 * handler takes nothing else.
 */
#include "front/front_priv.h"

bool session_is_trusted(struct session *session)
{
    uid_t uid;
    if (session->trust == TRUST_UNKNOWN)
        session->trust =
            conn_peer_uid(session->conn, &uid) == 0 && api_trusts(session->front->api, uid)
                ? TRUST_YES
                : TRUST_NO;
    return session->trust == TRUST_YES;
}

bool session_may_put(struct session *session, const char *tube, size_t len)
{
    return !api_guards(session->front->api, tube, len) || session_is_trusted(session);
}

bool session_vouches(const struct session *session, const char *tube, size_t len)
{
    return session->trust == TRUST_YES && api_guards(session->front->api, tube, len);
}
