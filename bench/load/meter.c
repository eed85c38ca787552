// SPDX-License-Identifier: MIT
/*
 * The sections of a run. The processor times are read at the first answer after the warm-up and at
 * the end, so both stand outside of what is measured.
 */
#include "load/meter.h"

#include "base/assert.h"
#include "load/fault.h"

static void start(struct meter *meter, int64_t now_ns)
{
    struct section *section = &meter->sections[meter->count];
    meter->warming = false;
    meter->running = true;
    section->start_ns = now_ns;
    section->server = process_times(meter->server);
    section->self_cpu_ns = process_self_cpu_ns();
}

void meter_open(struct meter *meter, const char *name, uint64_t warm_ops, int64_t warm_until_ns,
                bool own_times)
{
    ASSERT(!meter->warming && !meter->running && meter->count < METER_SECTIONS_MAX);
    struct section *section = &meter->sections[meter->count];
    section->name = name;
    section->ops = 0;
    section->own_times = own_times;
    histogram_clear(&section->times);
    meter->warming = true;
    meter->warm_ops = warm_ops;
    meter->warm_until_ns = warm_until_ns;
}

void meter_answered(struct meter *meter, uint64_t count, int64_t now_ns)
{
    if (meter->running) {
        meter->sections[meter->count].ops += count;
    } else if (meter->warming) {
        meter->warm_ops -= count < meter->warm_ops ? count : meter->warm_ops;
        if (meter->warm_ops == 0 && now_ns >= meter->warm_until_ns)
            start(meter, now_ns);
    }
}

void meter_time(struct meter *meter, int64_t ns)
{
    if (meter->running)
        histogram_add(&meter->sections[meter->count].times, ns);
}

bool meter_has_some(const struct meter *meter)
{
    const struct section *section = &meter->sections[meter->count];
    return meter->running && section->ops > 0 && (!section->own_times || section->times.count > 0);
}

void meter_close(struct meter *meter, int64_t now_ns)
{
    struct section *section = &meter->sections[meter->count];
    if (!meter->running || section->ops == 0)
        failed("the run was over before its warm-up: give it more --jobs or --seconds");
    struct process_times end = process_times(meter->server);
    section->server.cpu_ns = end.cpu_ns - section->server.cpu_ns;
    section->server.user_ns = end.user_ns - section->server.user_ns;
    section->server.sys_ns = end.sys_ns - section->server.sys_ns;
    section->self_cpu_ns = process_self_cpu_ns() - section->self_cpu_ns;
    section->end_ns = now_ns;
    meter->running = false;
    meter->count++;
}
