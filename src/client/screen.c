// SPDX-License-Identifier: MIT
/*
 * Bodies, and what jobs wrote: as they are to a file or a pipe, made printable on a terminal, since
 * whoever puts a job or writes from one should not be able to send escape sequences to whoever
 * looks at it. --raw sends them on there, too.
 *
 * Bytes come in pieces of any length. A character that a piece ends within waits for its rest. What
 * isn't text is not shown on a terminal but counted, from the piece on in which it is found, and
 * its size is told in one line at the end.
 */

#include "client/tool_output_priv.h"
#include "client/tool_priv.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void screen_begin(struct screen *screen, FILE *to, const char *what, bool raw)
{
    *screen = (struct screen){.to = to, .what = what, .filtered = !raw && isatty(fileno(to))};
}

static void screen_put(struct screen *screen, const char *bytes, size_t len)
{
    if (len == 0)
        return;
    if (screen->to == stdout)
        out_write(bytes, len);
    else
        (void)!fwrite(bytes, 1, len, screen->to);
    screen->open_line = bytes[len - 1] != '\n';
}

/* All that is there, but what may be the beginning of a character. */
static int screen_show(struct screen *screen, const char *bytes, size_t len, size_t cut)
{
    struct buf shown = BUF_EMPTY;
    int rc = text_show(&shown, bytes, len - cut, TEXT_PAGE);
    if (rc == 0)
        screen_put(screen, shown.data, shown.len);
    buf_fini(&shown);
    memcpy(screen->cut, bytes + (len - cut), cut);
    screen->cut_len = cut;
    return rc;
}

int screen_write(struct screen *screen, const void *bytes, size_t len)
{
    struct buf all = BUF_EMPTY;
    if (len == 0)
        return 0;
    if (!screen->filtered) {
        screen_put(screen, bytes, len);
        return 0;
    }
    int rc = buf_append(&all, screen->cut, screen->cut_len);
    if (rc == 0)
        rc = buf_append(&all, bytes, len);
    if (rc == 0) {
        size_t cut = text_cut(all.data, all.len);
        if (screen->unshown == 0 && text_is_readable(all.data, all.len - cut)) {
            rc = screen_show(screen, all.data, all.len, cut);
        } else {
            screen->unshown += all.len;
            screen->cut_len = 0;
        }
    }
    buf_fini(&all);
    return rc;
}

int screen_end(struct screen *screen)
{
    struct buf line = BUF_EMPTY;
    int rc = 0;
    if (screen->cut_len > 0)
        rc = screen_show(screen, screen->cut, screen->cut_len, 0);
    if (rc == 0 && screen->unshown > 0) {
        if (screen->open_line)
            rc = buf_append_char(&line, '\n');
        if (rc == 0)
            rc = buf_printf(&line, "(%s: ", screen->what);
        if (rc == 0)
            rc = size_append(&line, (double)screen->unshown);
        if (rc == 0)
            rc = buf_append_str(&line, " that is no text; --raw shows it as it is)\n");
        if (rc == 0)
            screen_put(screen, line.data, line.len);
    }
    screen->unshown = 0;
    buf_fini(&line);
    return rc;
}
