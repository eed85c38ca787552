// SPDX-License-Identifier: MIT
/*
 * use <tube>: the tube that later puts of this connection go to. A tube exists as long as somebody
 * uses it; the new one is taken before the old one is let go, so using the same again keeps it.
 */
#include "front/front_priv.h"

#include <errno.h>
#include <string.h>

int parse_use(struct scan *scan, struct command_args *args)
{
    return scan_tube(scan, &args->name, &args->name_len);
}

void run_use(struct session *session, const struct command_args *args)
{
    static const char using[] = "USING ";
    struct broker_tube *tube;
    if (broker_use(session->front->broker, args->name, args->name_len, &tube) != 0) {
        reply_word(session, "OUT_OF_MEMORY\r\n");
        return;
    }
    broker_unuse(session->front->broker, &session->used);
    session->used = tube;
    char *space = conn_space(session->conn, sizeof(using) + JOB_TUBE_NAME_MAX + 2);
    memcpy(space, using, sizeof(using) - 1);
    memcpy(space + sizeof(using) - 1, args->name, args->name_len);
    memcpy(space + sizeof(using) - 1 + args->name_len, "\r\n", 2);
    conn_space_used(session->conn, sizeof(using) - 1 + args->name_len + 2);
}
