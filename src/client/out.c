// SPDX-License-Identifier: MIT
/*
 * Standard output that notices when it fails, messages on standard error, colours and the
 * terminal's width.
 *
 * Everything is buffered by stdio and checked where it leaves: at out_flush and when the program
 * ends. A full disk is said; a closed pipe is not, because whoever closed it (`head`) wanted no
 * more; both have exit status EXIT_CODE_OUTPUT, whichever way the program ends, help texts
 * included.
 *
 * What is formatted here is mostly the daemon's or a job's, so all of it is made printable
 * (base/text.h); only out_style, and out_write, which knows what its bytes are, leave it alone.
 *
 * Colours are for terminals, and not if NO_COLOR is set (https://no-color.org) or TERM is dumb.
 */

#include "client/tool_priv.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

static bool out_failed;
static int out_errno; /* why the first write failed; stdio tells that once only */

static void out_failed_now(void)
{
    if (out_errno == 0)
        out_errno = errno;
}

static void out_end(void)
{
    if (out_flush() != EXIT_CODE_OK)
        _exit(interrupted() ? EXIT_CODE_INTERRUPTED : EXIT_CODE_OUTPUT);
}

/*
 * A closed descriptor would be given to the next socket or file, which then were read or written as
 * standard input or output. What takes its place is open the wrong way round, so that using it is
 * an error.
 */
static void out_fill(int fd, int flags)
{
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", flags) != fd)
        _exit(EXIT_CODE_FAILED);
}

void out_begin(void)
{
    out_fill(STDIN_FILENO, O_WRONLY);
    out_fill(STDOUT_FILENO, O_RDONLY);
    out_fill(STDERR_FILENO, O_RDWR);
    if (atexit(out_end) != 0)
        _exit(EXIT_CODE_FAILED);
}

void say(const char *format, ...)
{
    va_list args;
    struct buf line = BUF_EMPTY, printable = BUF_EMPTY;
    va_start(args, format);
    if (buf_vprintf(&line, format, args) == 0 &&
        text_show(&printable, line.data, line.len, TEXT_LINE) == 0)
        fprintf(stderr, "%shilera:%s %s\n", style_code(stderr, STYLE_BAD),
                style_code(stderr, STYLE_PLAIN), printable.data);
    va_end(args);
    buf_fini(&line);
    buf_fini(&printable);
}

void out_write(const void *bytes, size_t len)
{
    /* Checked at out_flush. */
    if (fwrite(bytes, 1, len, stdout) != len)
        out_failed_now();
}

void out_printf(const char *format, ...)
{
    va_list args;
    struct buf text = BUF_EMPTY, printable = BUF_EMPTY;
    va_start(args, format);
    if (buf_vprintf(&text, format, args) == 0 &&
        text_show(&printable, text.data, text.len, TEXT_PAGE) == 0 && printable.len > 0)
        out_write(printable.data, printable.len);
    va_end(args);
    buf_fini(&text);
    buf_fini(&printable);
}

void out_style(enum style style)
{
    const char *code = style_code(stdout, style);
    out_write(code, strlen(code));
}

enum exit_code out_json(const char *text, size_t len)
{
    struct buf printable = BUF_EMPTY;
    int rc = text_show(&printable, text, len, TEXT_JSON);
    if (rc == 0)
        rc = buf_append_char(&printable, '\n');
    if (rc == 0)
        out_write(printable.data, printable.len);
    else
        say("not enough memory");
    buf_fini(&printable);
    return rc == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

enum exit_code out_object(cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    enum exit_code code = EXIT_CODE_FAILED;
    if (text != NULL)
        code = out_json(text, strlen(text));
    else
        say("not enough memory");
    cJSON_free(text);
    return code;
}

void out_text(enum style style, const char *text)
{
    struct buf printable = BUF_EMPTY;
    if (text_show(&printable, text, strlen(text), TEXT_LINE) == 0 && printable.len > 0) {
        out_style(style);
        out_write(printable.data, printable.len);
        if (style != STYLE_PLAIN)
            out_style(STYLE_PLAIN);
    }
    buf_fini(&printable);
}

bool out_send(void)
{
    if (fflush(stdout) != 0)
        out_failed_now();
    return !out_is_broken();
}

enum exit_code out_flush(void)
{
    if (!out_failed && out_send())
        return EXIT_CODE_OK;
    if (!out_failed && out_errno != EPIPE && !interrupted())
        say("writing the output failed: %s",
            out_errno != 0 ? strerrordesc_np(out_errno) : "unknown error");
    out_failed = true;
    return interrupted() ? EXIT_CODE_INTERRUPTED : EXIT_CODE_OUTPUT;
}

bool out_is_broken(void)
{
    return out_failed || ferror(stdout);
}

bool out_is_terminal(void)
{
    return isatty(STDOUT_FILENO);
}

size_t out_width(void)
{
    struct winsize size;
    if (!out_is_terminal())
        return 0;
    const char *columns = getenv("COLUMNS");
    if (columns && atoi(columns) > 0)
        return (size_t)atoi(columns);
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

const char *style_code(FILE *stream, enum style style)
{
    static const char *const codes[] = {[STYLE_PLAIN] = "\x1b[0m",
                                        [STYLE_HEAD] = "\x1b[1m",
                                        [STYLE_GOOD] = "\x1b[32m",
                                        [STYLE_BAD] = "\x1b[31m"};
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    if (!isatty(fileno(stream)) || (no_color && *no_color) || !term || strcmp(term, "dumb") == 0)
        return "";
    return codes[style];
}

size_t text_width(const char *text)
{
    size_t width = 0;
    mbstate_t state = {0};
    for (size_t len = strlen(text); len > 0;) {
        wchar_t wide;
        size_t taken = mbrtowc(&wide, text, len, &state);
        int columns = taken > len || taken == 0 ? 1 : wcwidth(wide);
        if (taken > len || taken == 0) {
            taken = 1;
            memset(&state, 0, sizeof(state));
        }
        width += columns < 0 ? 1 : (size_t)columns;
        text += taken;
        len -= taken;
    }
    return width;
}
