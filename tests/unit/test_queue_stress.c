// SPDX-License-Identifier: MIT
// The queue under load: random operations against a plain model, crowds of producers and consumers
// with checksums, and timeouts that race with puts.

#include "base/clock.h"
#include "thr/thr.h"
#include "thr_queue.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>

// ---- random operations against a model ----

// Check notes each of its assertions in a file: too slow for some millions.
#define EQUAL(a, b) ASSERT((a) == (b))

enum { WAITERS = 24, ITEMS_MAX = 4096, STEPS = 20000, KEY = 100000 };

static int compare_keys(const void *a, const void *b)
{
    intptr_t left = (intptr_t)a / KEY;
    intptr_t right = (intptr_t)b / KEY;
    return (left > right) - (left < right);
}

enum line { LINE_NONE, LINE_GET, LINE_PUT, LINE_JOIN };

// What the model expects of an asynchronous waiter, beside the real one.
struct pair {
    struct hl_queue_waiter waiter;
    int calls, result;
    intptr_t number;
    int calls_due, result_due;
    intptr_t number_due;
    enum line line;
    intptr_t puts;
};

// The queue as one would write it without a thought for speed: arrays in order of arrival.
static struct model {
    enum hl_queue_order order;
    size_t maxsize;
    intptr_t item[ITEMS_MAX];
    size_t len;
    struct pair *waiting[WAITERS]; // all lines in one, the longest waiting first
    size_t waiting_len;
    size_t unfinished;
    bool shut_down;
} model;

static void pair_called(struct hl_queue_waiter *waiter, int result, void *item)
{
    struct pair *pair = waiter->arg;
    pair->calls++;
    pair->result = result;
    pair->number = (intptr_t)item;
}

static void model_leave(size_t place)
{
    model.waiting[place]->line = LINE_NONE;
    model.waiting_len--;
    memmove(&model.waiting[place], &model.waiting[place + 1],
            (model.waiting_len - place) * sizeof(model.waiting[0]));
}

static void model_due(struct pair *pair, int result, intptr_t number)
{
    pair->calls_due++;
    pair->result_due = result;
    pair->number_due = number;
}

// The longest waiting of a line leaves it, or NULL.
static struct pair *model_first(enum line line)
{
    for (size_t i = 0; i < model.waiting_len; i++) {
        struct pair *pair = model.waiting[i];
        if (pair->line != line)
            continue;
        model_leave(i);
        return pair;
    }
    return NULL;
}

static int model_put(intptr_t number)
{
    if (model.shut_down)
        return ESHUTDOWN;
    if (model.maxsize > 0 && model.len >= model.maxsize)
        return EAGAIN;
    model.unfinished++;
    struct pair *getter = model_first(LINE_GET);
    if (getter != NULL)
        model_due(getter, 0, number);
    else
        model.item[model.len++] = number;
    return 0;
}

static int model_get(intptr_t *number)
{
    if (model.len == 0)
        return model.shut_down ? ESHUTDOWN : EAGAIN;
    size_t best = model.order == HL_QUEUE_LIFO ? model.len - 1 : 0;
    if (model.order == HL_QUEUE_PRIORITY)
        for (size_t i = 1; i < model.len; i++)
            if (model.item[i] / KEY < model.item[best] / KEY)
                best = i;
    *number = model.item[best];
    model.len--;
    memmove(&model.item[best], &model.item[best + 1], (model.len - best) * sizeof(intptr_t));
    struct pair *putter = model_first(LINE_PUT);
    if (putter != NULL) {
        EQUAL(model_put(putter->puts), 0);
        model_due(putter, 0, 0);
    }
    return 0;
}

static void model_task_done(hl_queue *queue)
{
    EQUAL(hl_queue_task_done(queue), model.unfinished > 0 ? 0 : EINVAL);
    if (model.unfinished == 0 || --model.unfinished > 0)
        return;
    struct pair *joiner;
    while ((joiner = model_first(LINE_JOIN)) != NULL)
        model_due(joiner, 0, 0);
}

static void line_up(struct pair *pair, enum line line)
{
    pair->line = line;
    model.waiting[model.waiting_len++] = pair;
}

// One operation with an asynchronous waiter that is free, or a cancel of one that isn't.
static void step_async(hl_queue *queue, struct pair *pair, int what, intptr_t number)
{
    intptr_t got = 0;
    int rc;
    if (pair->line != LINE_NONE || what > 2) {
        EQUAL(hl_queue_cancel(queue, &pair->waiter), pair->line != LINE_NONE ? 0 : EALREADY);
        for (size_t i = 0; i < model.waiting_len; i++)
            if (model.waiting[i] == pair)
                model_leave(i);
        return;
    }
    switch (what) {
    case 0:
        rc = model_get(&got);
        if (rc == EAGAIN)
            line_up(pair, LINE_GET);
        else
            model_due(pair, rc, rc == 0 ? got : 0);
        EQUAL(hl_queue_get_async(queue, &pair->waiter), 0);
        break;
    case 1:
        rc = model_put(number);
        pair->puts = number;
        if (rc == EAGAIN)
            line_up(pair, LINE_PUT);
        else
            model_due(pair, rc, rc == 0 ? 0 : number);
        EQUAL(hl_queue_put_async(queue, item_of(number), &pair->waiter), 0);
        break;
    default:
        if (model.unfinished > 0)
            line_up(pair, LINE_JOIN);
        else
            model_due(pair, 0, 0);
        EQUAL(hl_queue_join_async(queue, &pair->waiter), 0);
        break;
    }
}

static void step(hl_queue *queue, struct pair pairs[], unsigned *seed, intptr_t serial)
{
    intptr_t number = (intptr_t)(rand_r(seed) % 5 + 1) * KEY + serial;
    void *item;
    intptr_t got;
    int rc;
    int what = rand_r(seed) % 10;
    if (what < 3 && model.len < ITEMS_MAX - WAITERS) {
        rc = model_put(number);
        EQUAL(hl_queue_put_nowait(queue, item_of(number)), rc);
    } else if (what < 6) {
        rc = model_get(&got);
        EQUAL(hl_queue_get_nowait(queue, &item), rc);
        if (rc == 0)
            EQUAL((intptr_t)item, got);
    } else if (what < 8) {
        model_task_done(queue);
    } else if (model.len < ITEMS_MAX - WAITERS) {
        step_async(queue, &pairs[rand_r(seed) % WAITERS], rand_r(seed) % 4, number);
    }
    EQUAL(hl_queue_qsize(queue), model.len);
    EQUAL(hl_queue_unfinished(queue), model.unfinished);
    for (int i = 0; i < WAITERS; i++) {
        EQUAL(pairs[i].calls, pairs[i].calls_due);
        if (pairs[i].calls > 0) {
            EQUAL(pairs[i].result, pairs[i].result_due);
            EQUAL(pairs[i].number, pairs[i].number_due);
        }
    }
}

static void run_model(enum hl_queue_order order, size_t maxsize, unsigned seed)
{
    static struct pair pairs[WAITERS];
    (void)printf("# order %d, maxsize %zu, seed %u\n", (int)order, maxsize, seed);
    model = (struct model){.order = order, .maxsize = maxsize};
    memset(pairs, 0, sizeof(pairs));
    for (int i = 0; i < WAITERS; i++)
        pairs[i].waiter = (struct hl_queue_waiter){.done = pair_called, .arg = &pairs[i]};
    hl_queue *queue;
    struct hl_queue_options options = {
        .order = order,
        .maxsize = (int64_t)maxsize,
        .compare = order == HL_QUEUE_PRIORITY ? compare_keys : NULL,
    };
    MUST(hl_queue_new(&queue, &options));
    for (intptr_t i = 1; i <= STEPS; i++)
        step(queue, pairs, &seed, i);

    struct pair *pair;
    model.shut_down = true;
    while ((pair = model_first(LINE_PUT)) != NULL)
        model_due(pair, ESHUTDOWN, pair->puts);
    while ((pair = model_first(LINE_GET)) != NULL)
        model_due(pair, ESHUTDOWN, 0);
    hl_queue_shutdown(queue, false);
    for (intptr_t i = STEPS + 1; i <= STEPS + 1000; i++)
        step(queue, pairs, &seed, i);
    while (model.unfinished > 0)
        model_task_done(queue);
    hl_queue_free(&queue);
}

START_TEST(it_does_what_a_plain_model_does)
{
    unsigned seed = (unsigned)time(NULL);
    for (int order = HL_QUEUE_FIFO; order <= HL_QUEUE_PRIORITY; order++)
        for (size_t maxsize = 0; maxsize <= 4; maxsize += 1 + maxsize)
            run_model((enum hl_queue_order)order, maxsize, seed++);
}
END_TEST

// ---- producers and consumers ----

enum { PRODUCERS = 4, CONSUMERS = 4, EACH = 4000 };

struct crowd {
    hl_queue *queue;
    atomic_int next;
    atomic_llong sum, count;
    bool many; // get several at once
};

static void produce(void *arg)
{
    struct crowd *crowd = arg;
    intptr_t producer = atomic_fetch_add(&crowd->next, 1);
    for (intptr_t i = 1; i <= EACH; i++)
        MUST(hl_queue_put(crowd->queue, item_of(producer * KEY + i), HL_FOREVER));
}

// Each consumer must see the items of each producer in their order.
static void consume(void *arg)
{
    struct crowd *crowd = arg;
    intptr_t last[PRODUCERS] = {0};
    void *items[16];
    size_t count = 1;
    int rc;
    for (;;) {
        rc = crowd->many ? hl_queue_get_many(crowd->queue, items, 16, &count, HL_FOREVER)
                         : hl_queue_get(crowd->queue, &items[0], HL_FOREVER);
        if (rc != 0)
            break;
        for (size_t i = 0; i < count; i++) {
            intptr_t number = (intptr_t)items[i];
            ASSERT(number % KEY > last[number / KEY]);
            last[number / KEY] = number % KEY;
            atomic_fetch_add(&crowd->sum, number);
            atomic_fetch_add(&crowd->count, 1);
            MUST(hl_queue_task_done(crowd->queue));
        }
    }
    ASSERT(rc == ESHUTDOWN);
}

static void run_crowd(int64_t maxsize, bool many)
{
    struct crowd crowd = {.queue = queue_made(maxsize), .many = many};
    hl_thread *producer[PRODUCERS];
    hl_thread *consumer[CONSUMERS];
    long long expected = 0;
    for (int i = 0; i < CONSUMERS; i++)
        consumer[i] = thread_launch(NULL, consume, &crowd);
    for (int i = 0; i < PRODUCERS; i++) {
        producer[i] = thread_launch(NULL, produce, &crowd);
        expected += (long long)i * KEY * EACH + (long long)EACH * (EACH + 1) / 2;
    }
    for (int i = 0; i < PRODUCERS; i++)
        thread_finish(&producer[i]);
    ck_assert_int_eq(hl_queue_join(crowd.queue, HL_FOREVER), 0);
    ck_assert_int_eq(atomic_load(&crowd.count), (long long)PRODUCERS * EACH);
    ck_assert_int_eq(atomic_load(&crowd.sum), expected);
    hl_queue_shutdown(crowd.queue, false);
    for (int i = 0; i < CONSUMERS; i++)
        thread_finish(&consumer[i]);
    hl_queue_free(&crowd.queue);
}

START_TEST(crowds_pass_every_item_once_and_in_order)
{
    static const int64_t sizes[] = {0, 1, 7};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        run_crowd(sizes[i], false);
        run_crowd(sizes[i], true);
    }
}
END_TEST

// ---- timeouts that race ----

struct hurried {
    hl_queue *queue;
    atomic_llong put, got, late_puts, late_gets;
    atomic_int next;
    atomic_bool over;
};

static void put_in_a_hurry(void *arg)
{
    struct hurried *hurried = arg;
    unsigned seed = (unsigned)atomic_fetch_add(&hurried->next, 1) + 1;
    for (intptr_t i = 1; i <= EACH / 2; i++) {
        int rc = hl_queue_put(hurried->queue, item_of(i), rand_r(&seed) % 30 * HL_MICROSECOND);
        ASSERT(rc == 0 || rc == ETIMEDOUT);
        atomic_fetch_add(rc == 0 ? &hurried->put : &hurried->late_puts, rc == 0 ? i : 1);
    }
}

static void get_in_a_hurry(void *arg)
{
    struct hurried *hurried = arg;
    unsigned seed = (unsigned)atomic_fetch_add(&hurried->next, 1) + 1;
    void *item;
    while (!atomic_load(&hurried->over) || !hl_queue_empty(hurried->queue)) {
        int rc = hl_queue_get(hurried->queue, &item, rand_r(&seed) % 30 * HL_MICROSECOND);
        ASSERT(rc == 0 || rc == ETIMEDOUT);
        if (rc == 0)
            MUST(hl_queue_task_done(hurried->queue));
        atomic_fetch_add(rc == 0 ? &hurried->got : &hurried->late_gets,
                         rc == 0 ? (intptr_t)item : 1);
    }
}

START_TEST(timeouts_race_with_partners_without_loss)
{
    for (int64_t maxsize = 1; maxsize <= 2; maxsize++) {
        struct hurried hurried = {.queue = queue_made(maxsize)};
        hl_thread *putter[PRODUCERS];
        hl_thread *getter[CONSUMERS];
        for (int i = 0; i < PRODUCERS; i++)
            putter[i] = thread_launch(NULL, put_in_a_hurry, &hurried);
        for (int i = 0; i < CONSUMERS; i++)
            getter[i] = thread_launch(NULL, get_in_a_hurry, &hurried);
        for (int i = 0; i < PRODUCERS; i++)
            thread_finish(&putter[i]);
        atomic_store(&hurried.over, true);
        for (int i = 0; i < CONSUMERS; i++)
            thread_finish(&getter[i]);
        ck_assert_int_eq(atomic_load(&hurried.put), atomic_load(&hurried.got));
        ck_assert_int_eq(hl_queue_join(hurried.queue, 0), 0);
        // Both outcomes must have been met, or nothing raced.
        ck_assert_int_gt(atomic_load(&hurried.got), 0);
        ck_assert_int_gt(atomic_load(&hurried.late_gets) + atomic_load(&hurried.late_puts), 0);
        hl_queue_free(&hurried.queue);
    }
}
END_TEST

START_TEST(a_getter_that_times_out_as_it_is_filled_has_the_item_or_leaves_it)
{
    struct taking taking = {.queue = queue_made(0), .timeout_ns = HL_SECOND};
    int filled = 0;
    clock_virtual_start(0);
    for (int i = 0; i < 400; i++) {
        hl_thread *thread = thread_launch(NULL, take_one, &taking);
        struct giving giving = {.queue = taking.queue, .timeout_ns = 0, .number = 5};
        park_await_sleepers(1);
        hl_thread *giver = thread_launch(NULL, give_one, &giving);
        clock_virtual_advance(HL_SECOND);
        thread_finish(&thread);
        thread_finish(&giver);
        ck_assert_int_eq(giving.rc, 0);
        ck_assert(taking.rc == 0 || taking.rc == ETIMEDOUT);
        ck_assert_uint_eq(hl_queue_qsize(taking.queue), taking.rc == 0 ? 0 : 1);
        filled += taking.rc == 0;
        void *item;
        if (taking.rc != 0)
            MUST(hl_queue_get_nowait(taking.queue, &item));
    }
    clock_virtual_stop();
    (void)printf("# %d of 400 were filled in time\n", filled);
    hl_queue_free(&taking.queue);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue stress");
    TCase *tcase = tcase_create("stress");
    tcase_add_test(tcase, it_does_what_a_plain_model_does);
    tcase_add_test(tcase, crowds_pass_every_item_once_and_in_order);
    tcase_add_test(tcase, timeouts_race_with_partners_without_loss);
    tcase_add_test(tcase, a_getter_that_times_out_as_it_is_filled_has_the_item_or_leaves_it);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
