#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A helper for bench/workers that does nothing with its jobs, as doc/examples/coproc.py reads them."""
import sys

jobs, answers = sys.stdin.buffer, sys.stdout.buffer
answers.write(b"ready 1\n")
answers.flush()
for line in jobs:
    word = line.split()
    jobs.read(int(word[2]) + 1)
    answers.write(b"result %s 0\n\n" % word[1])
    answers.flush()
