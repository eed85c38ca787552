// SPDX-License-Identifier: MIT
/*
 * Ending and starting a server. The one that is ended at first is somebody else's child and
 * can't be waited for: a descriptor of the process tells when it is gone. The one that was started
 * is a child; a handler of exit() ends it if the run ends early, since every way out of a run is
 * exit().
 */
#include "load/daemon.h"

#include "base/assert.h"
#include "load/fault.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 64

static pid_t child; /* 0: none */

void daemon_end(pid_t pid, int64_t patience_ns)
{
    int fd = pidfd_open(pid, 0);
    if (fd < 0)
        failed("the server's process %d can't be looked at: %s", (int)pid, strerrordesc_np(errno));
    struct pollfd gone = {fd, POLLIN, 0};
    if (pidfd_send_signal(fd, SIGTERM, NULL, 0) != 0)
        failed("the server can't be ended: %s", strerrordesc_np(errno));
    int ready;
    do
        ready = poll(&gone, 1, (int)(patience_ns / 1000000));
    while (ready < 0 && errno == EINTR);
    close(fd);
    if (ready <= 0)
        wrong("the server did not end in %" PRId64 " s", patience_ns / 1000000000);
}

static void child_kill(void)
{
    if (child <= 0)
        return;
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    child = 0;
}

static void spawn(char **argv)
{
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO) != 0)
        failed("not enough memory");
    posix_spawnattr_t attributes;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE); /* which the tool ignores */
    if (posix_spawnattr_init(&attributes) != 0 ||
        posix_spawnattr_setsigdefault(&attributes, &defaults) != 0 ||
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF) != 0)
        failed("not enough memory");
    int rc = posix_spawnp(&child, argv[0], &actions, &attributes, argv, environ);
    if (rc != 0) {
        child = 0;
        failed("%s can't be started: %s", argv[0], strerrordesc_np(rc));
    }
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
}

pid_t daemon_start(const char *command)
{
    static bool registered;
    char *words[WORDS_MAX + 1], *rest = NULL;
    size_t count = 0;
    char *text = need(strdup(command));
    ASSERT(child == 0);
    if (!registered && atexit(child_kill) != 0)
        failed("not enough memory");
    registered = true;
    for (char *word = strtok_r(text, " \t", &rest); word != NULL && count < WORDS_MAX;
         word = strtok_r(NULL, " \t", &rest))
        words[count++] = word;
    if (count == 0 || count == WORDS_MAX)
        unusable("a command has 1 to %d words, not those of \"%s\"", WORDS_MAX - 1, command);
    words[count] = NULL;
    spawn(words);
    free(text);
    return child;
}

void daemon_must_run(void)
{
    int status;
    if (waitpid(child, &status, WNOHANG) == 0)
        return;
    child = 0;
    if (WIFEXITED(status))
        wrong("the server, started again, ended with status %d", WEXITSTATUS(status));
    wrong("the server, started again, was ended by the signal %d", WTERMSIG(status));
}

void daemon_stop(int64_t patience_ns)
{
    daemon_must_run();
    daemon_end(child, patience_ns);
    (void)waitpid(child, NULL, 0);
    child = 0;
}
