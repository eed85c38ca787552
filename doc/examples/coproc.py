#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A helper for hilerad's handler coproc: change work() and name this file in hilerad.conf.

    pool "words" { tubes = {"words"} workers = 2 handler = coproc argv = {"python3", "/path/coproc.py"} }

It is started once for each worker thread that needs it, does one job after the other, and has up to
WINDOW of them here. A thread reads them, so what has not begun can go to another worker that is free.
What takes long (imports, models, connections) belongs to the top, before the word "ready" is said.
"""
import collections
import os
import sys
import threading

WINDOW = 16  # for jobs of a few milliseconds and less; longer ones gain nothing by it

jobs = sys.stdin.buffer
answers = sys.stdout.buffer
sys.stdout = sys.stderr  # whatever prints must not get between the answers; it stands with the job's stderr


speaking = threading.Lock()  # one thread at a time writes
waiting = collections.OrderedDict()  # jobs that have not begun, by id
changed = threading.Condition()  # of waiting; None in it: there will be no more


class Retry(Exception):
    """Raised by work(): the job is to run again in so many seconds."""

    def __init__(self, seconds, reason):
        super().__init__(reason)
        self.seconds = seconds


def say(line, result=b""):
    with speaking:
        answers.write(line.encode("utf-8", "replace") + b"\n" + result)
        answers.flush()


def one_line(text):
    return " ".join(str(text).split())[:1000]


class Job:
    def __init__(self, line):
        _, number, length, attempt, priority, self.tube = line.decode().split()
        self.id, self.attempt, self.priority = int(number), int(attempt), int(priority)
        self.body = jobs.read(int(length))
        jobs.read(1)  # the line feed behind the body

    def progress(self, percent, text=""):
        say(f"progress {self.id} {int(percent)} {one_line(text)}")

    def log(self, text):
        say(f"log {self.id} {one_line(text)}")


def work(job):
    """The result's bytes. Any exception but Retry: the job has failed."""
    if job.body == b"not yet" and job.attempt == 1:
        raise Retry(0, "it is the first attempt")
    words = job.body.split()
    job.progress(50, "counted")
    job.log(f"attempt {job.attempt} in {job.tube}")
    if not words:
        raise ValueError("there is no word in it")
    return b"%d words\n" % len(words)


def read():
    """Runs in a thread of its own, to hear of what happens while there is work."""
    for line in jobs:
        word = line.split()
        with changed:
            if word[0] == b"job":
                job = Job(line)
                waiting[job.id] = job
            elif waiting.pop(int(word[1]), None):  # back, stop: it has not begun
                say(f"back {int(word[1])}")
            # else it has begun, or is over. A stop ends this process then, if the job goes on.
            changed.notify()
    with changed:
        waiting[None] = None
        changed.notify()


def do(job):
    try:
        result = work(job)
    except Retry as retry:
        say(f"retry {job.id} {retry.seconds} {one_line(retry)}")
    except Exception as error:
        say(f"fail {job.id} {one_line(f'{type(error).__name__}: {error}')}")
    else:
        say(f"result {job.id} {len(result)}", result + b"\n")


say(f"ready 1 {WINDOW}")
threading.Thread(target=read, daemon=True).start()
while True:
    with changed:
        changed.wait_for(lambda: waiting)
        number, job = waiting.popitem(last=False)
    if number is None:
        os._exit(0)  # the reader is at its end, and no job is left
    do(job)
