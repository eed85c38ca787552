// SPDX-License-Identifier: MIT
/*
 * use <tube>: the tube that later puts of this connection go to. A tube exists as long as somebody
 * uses it; the new one is taken before the old one is let go, so using the same again keeps it.
 */
#include "front/front_priv.h"

int parse_use(struct scan *scan, struct command_args *args)
{
    return scan_tube(scan, &args->name, &args->name_len);
}

void run_use(struct session *session, const struct command_args *args)
{
    struct broker_tube *tube;
    if (broker_use(session->front->broker, args->name, args->name_len, &tube) != 0) {
        reply_word(session, "OUT_OF_MEMORY\r\n");
        return;
    }
    broker_unuse(session->front->broker, &session->used);
    session->used = tube;
    reply_word(session, "USING ");
    conn_write(session->conn, args->name, args->name_len);
    reply_word(session, "\r\n");
}
