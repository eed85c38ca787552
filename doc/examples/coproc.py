#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A helper for hilerad's handler coproc: change work() and name this file in hilerad.conf.

    pool "words" { tubes = {"words"} workers = 2 handler = coproc argv = {"python3", "/path/coproc.py"} }

It is started once for each worker thread that needs it, and gets one job after the other. What takes
long (imports, models, connections) belongs to the top, before the word "ready" is said.
"""
import sys

jobs = sys.stdin.buffer
answers = sys.stdout.buffer
sys.stdout = sys.stderr  # whatever prints must not get between the answers; it stands with the job's stderr


class Retry(Exception):
    """Raised by work(): the job is to run again in so many seconds."""

    def __init__(self, seconds, reason):
        super().__init__(reason)
        self.seconds = seconds


def say(line):
    answers.write(line.encode("utf-8", "replace") + b"\n")
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


say("ready 1")
for line in jobs:
    job = Job(line)
    try:
        result = work(job)
    except Retry as retry:
        say(f"retry {job.id} {retry.seconds} {one_line(retry)}")
    except Exception as error:
        say(f"fail {job.id} {one_line(f'{type(error).__name__}: {error}')}")
    else:
        answers.write(b"result %d %d\n%s\n" % (job.id, len(result), result))
        answers.flush()
