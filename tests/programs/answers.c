// SPDX-License-Identifier: MIT
/*
 * answers SOCKET DIRECTORY: a daemon that says what stands in files, to see what the tool does with
 * it. It listens on the Unix socket, prints "ready", and serves one connection after another until
 * it is killed.
 *
 * `call METHOD` is answered with the file METHOD.json as its JSON, or else with the file METHOD as
 * it is; any other command, by its first word, with the file of that name as it is. A file
 * WORD.again is said over and over until the other side closes. What has no file is
 * UNKNOWN_COMMAND. In METHOD.json each word RISING becomes a number, greater by one each time, and
 * each word FALLING one that is less.
 *
 * The file `calls` in the directory gets the line of every command.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BUFFER (1 << 24)
#define WORD 64

static char input[BUFFER];
static size_t input_len;
static int directory, calls;

static bool say(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* The file's bytes, until the next call; NULL: there is none. */
static char *slurp(const char *word, const char *ending, size_t *len)
{
    static char text[BUFFER];
    char name[WORD + 8];
    (void)snprintf(name, sizeof(name), "%s%s", word, ending);
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    *len = 0;
    ssize_t n;
    while (*len < BUFFER && (n = read(fd, text + *len, BUFFER - *len)) > 0)
        *len += (size_t)n;
    close(fd);
    return text;
}

/* Puts a number in the place of each `word` of a text, in its memory of BUFFER bytes. */
static void number_all(char *text, size_t *len, const char *word, uint64_t *number, int step)
{
    char digits[24], *at;
    size_t from = 0;
    while ((at = memmem(text + from, *len - from, word, strlen(word))) != NULL) {
        *number += (uint64_t)(int64_t)step;
        size_t size = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)*number);
        char *behind = at + strlen(word);
        if (*len + size > BUFFER)
            break;
        memmove(at + size, behind, *len - (size_t)(behind - text));
        memcpy(at, digits, size);
        *len = *len + size - strlen(word);
        from = (size_t)(at - text) + size;
    }
}

static void numbers_fill(char *text, size_t *len)
{
    static uint64_t rising = 1000000000, falling = 1000000000;
    number_all(text, len, "RISING", &rising, 1);
    number_all(text, len, "FALLING", &falling, -1);
}

static bool answer(int fd, const char *word, bool call)
{
    static const char unknown[] = "UNKNOWN_COMMAND\r\n";
    char head[WORD];
    size_t len;
    char *text = slurp(word, ".again", &len);
    if (text != NULL) {
        while (say(fd, text, len))
            continue;
        return false;
    }
    text = call ? slurp(word, ".json", &len) : NULL;
    call = text != NULL;
    if (call)
        numbers_fill(text, &len);
    if (text == NULL)
        text = slurp(word, "", &len);
    if (text == NULL)
        return say(fd, unknown, sizeof(unknown) - 1);
    bool said = true;
    if (call) {
        (void)snprintf(head, sizeof(head), "OK %zu\r\n", len);
        said = say(fd, head, strlen(head));
    }
    return said && say(fd, text, len) && (!call || say(fd, "\r\n", 2));
}

/* Takes the first command with its body off the input; its word, "" if it isn't all there. */
static void command_take(char word[WORD], bool *call)
{
    char name[WORD];
    size_t body = 0;
    word[0] = '\0';
    char *end = memmem(input, input_len, "\r\n", 2);
    if (end == NULL)
        return;
    size_t used = (size_t)(end - input) + 2;
    *end = '\0';
    *call = sscanf(input, "call %63s %zu", name, &body) == 2;
    bool put = !*call && sscanf(input, "put %*u %*u %*u %zu", &body) == 1;
    if (*call || put)
        body += 2;
    if (input_len >= used + body) {
        if (!*call)
            (void)sscanf(input, "%63s", name);
        (void)snprintf(word, WORD, "%s", name);
        (void)dprintf(calls, "%s\n", input);
        input_len -= used + body;
        memmove(input, input + used + body, input_len);
    } else {
        *end = '\r';
    }
}

static void serve(int fd)
{
    char word[WORD];
    bool call = false;
    ssize_t n;
    input_len = 0;
    while ((n = read(fd, input + input_len, sizeof(input) - input_len)) > 0) {
        input_len += (size_t)n;
        for (command_take(word, &call); word[0] != '\0'; command_take(word, &call))
            if (!answer(fd, word, call))
                return;
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 3 || strlen(argv[1]) >= sizeof(address.sun_path))
        return 2;
    signal(SIGPIPE, SIG_IGN);
    strcpy(address.sun_path, argv[1]);
    directory = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    calls = openat(directory, "calls", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (calls < 0 || fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 16) != 0)
        return 3;
    if (puts("ready") < 0 || fflush(stdout) != 0 || fclose(stdout) != 0)
        return 3;
    for (;;) {
        int peer = accept(fd, NULL, NULL);
        if (peer < 0)
            return 3;
        serve(peer);
        close(peer);
    }
}
