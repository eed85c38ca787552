// SPDX-License-Identifier: MIT
// Three workers square the numbers that one producer puts on a queue. Build it with
//     cc producer_consumer.c -o producer_consumer $(pkg-config --cflags --libs hilera)
#include <hilera/queue.h>
#include <hilera/thread.h>
#include <stdio.h>
#include <stdlib.h>

static void must(int rc) // what can fail returns 0 or an errno value
{
    if (rc != 0)
        abort();
}

static void work(void *queue)
{
    void *item;
    while (hl_queue_get(queue, &item, HL_FOREVER) == 0) { // until it is shut down and empty
        long *number = item;
        *number *= *number;
        must(hl_queue_task_done(queue));
    }
}

int main(void)
{
    static long numbers[100];
    hl_thread *worker[3];
    hl_queue *queue;
    must(hl_queue_new(&queue, &(struct hl_queue_options){.name = "numbers", .maxsize = 8}));
    for (int i = 0; i < 3; i++) {
        must(hl_thread_new(&worker[i], &(struct hl_thread_options){.target = work, .arg = queue}));
        must(hl_thread_start(worker[i]));
    }
    for (int i = 0; i < 100; i++) {
        numbers[i] = i + 1;
        must(hl_queue_put(queue, &numbers[i], HL_FOREVER)); // waits while 8 are inside
    }
    must(hl_queue_join(queue, HL_FOREVER)); // until all 100 are finished
    long sum = 0;
    for (int i = 0; i < 100; i++)
        sum += numbers[i];
    printf("the squares of 1 to 100 add up to %ld\n", sum);
    hl_queue_shutdown(queue, false);
    for (int i = 0; i < 3; i++) {
        must(hl_thread_join(worker[i], HL_FOREVER));
        hl_thread_free(&worker[i]);
    }
    hl_queue_free(&queue);
    return 0;
}
