#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A helper for bench/workers that does nothing with its jobs: as many with each read and write as there are.

    coproc_helper.py [WINDOW]
"""
import os
import sys

os.write(1, b"ready 1 %s\n" % (sys.argv[1].encode() if len(sys.argv) > 1 else b"1"))
got = b""
while more := os.read(0, 65536):
    got += more
    at = 0
    answers = []
    while (end := got.find(b"\n", at)) >= 0:
        word = got[at:end].split()
        if word[0] != b"job":  # back, stop: it is answered already
            at = end + 1
            continue
        stop = end + int(word[2]) + 2
        if stop > len(got):
            break
        answers.append(b"result %s 0\n\n" % word[1])
        at = stop
    got = got[at:]
    os.write(1, b"".join(answers))
