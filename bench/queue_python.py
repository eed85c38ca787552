#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Python's side of bench/queue: queue_python.py WORKLOAD COUNT prints nanoseconds per item.

The same work as in queue.c, with queue.Queue and threading.Thread. Each consumer ends at a None.
"""

import queue
import sys
import threading
import time


def uncontended(count):
    q = queue.Queue()
    start = time.perf_counter_ns()
    for i in range(count):
        q.put(i)
        q.get()
        q.task_done()
    return time.perf_counter_ns() - start


def pairs(count, producers, consumers, maxsize):
    q = queue.Queue(maxsize)
    sums = [0] * consumers

    def produce():
        for i in range(1, count // producers + 1):
            q.put(i)

    def consume(n):
        while (item := q.get()) is not None:
            sums[n] += item
            q.task_done()
        q.task_done()

    threads = [threading.Thread(target=consume, args=(n,)) for n in range(consumers)]
    for t in threads:
        t.start()
    makers = [threading.Thread(target=produce) for _ in range(producers)]
    start = time.perf_counter_ns()
    for t in makers:
        t.start()
    for t in makers:
        t.join()
    q.join()
    took = time.perf_counter_ns() - start
    for _ in threads:
        q.put(None)
    for t in threads:
        t.join()
    each = count // producers
    if sum(sums) != producers * each * (each + 1) // 2:
        sys.exit("items were lost")
    return took


WORKLOADS = {
    "uncontended": uncontended,
    "1p1c": lambda count: pairs(count, 1, 1, 0),
    "4p4c": lambda count: pairs(count, 4, 4, 0),
    "handoff": lambda count: pairs(count, 1, 1, 1),
}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in WORKLOADS:
        sys.exit(f"usage: queue_python.py {'|'.join(WORKLOADS)} COUNT")
    items = int(sys.argv[2])
    print(WORKLOADS[sys.argv[1]](items) / items)
