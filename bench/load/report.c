// SPDX-License-Identifier: MIT
/*
 * The report. Times are in microseconds, memory in bytes; a figure that can't be known (the
 * processor time of a server elsewhere) is "-" in the text and not in the JSON at all.
 */
#include "load/report.h"

#include "base/jsonobj.h"
#include "load/fault.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static double us(int64_t ns)
{
    return (double)ns / 1000;
}

static double seconds_of(const struct section *section)
{
    int64_t ns = section->end_ns - section->start_ns;
    return ns > 0 ? (double)ns / 1e9 : 1e-9;
}

/* The part of the processor time that is the user's, by the kernel's ticks. */
static double user_part(const struct process_times *times)
{
    int64_t all = times->user_ns + times->sys_ns;
    return all > 0 ? (double)times->user_ns / (double)all : 0;
}

/* ---- text ---- */

static void cell(double value, bool known, int digits)
{
    if (known)
        printf(" %11.*f", digits, value);
    else
        printf(" %11s", "-");
}

static void section_print(const struct run *run, const struct section *section)
{
    const struct histogram *times = &section->times;
    double ops = (double)section->ops, cpu = us(section->server.cpu_ns) / ops;
    bool known = run->server.pid != 0, timed = times->count > 0;
    printf("%-10s %10" PRIu64 " %8.3f %11.0f", section->name, section->ops, seconds_of(section),
           ops / seconds_of(section));
    cell(us(histogram_at(times, 0.5)), timed, 1);
    cell(us(histogram_at(times, 0.99)), timed, 1);
    cell(us(histogram_at(times, 0.999)), timed, 1);
    cell(us(times->max_ns), timed, 1);
    cell(cpu, known, 3);
    cell(us(section->self_cpu_ns) / ops, true, 3);
    printf("\n");
}

static void text_print(const struct run *run)
{
    const struct options *o = &run->options;
    const struct ledger_counts *counts = ledger_counts(run->ledger);
    printf("%s (%s) at %s: connections %" PRIu64 ", depth %" PRIu64 ", size %" PRIu64
           ", seed %" PRIu64 "\n",
           o->mix->name, run->server_name, o->server, o->connections, o->depth, o->size, o->seed);
    if (run->meter.count > 0)
        printf("%-10s %10s %8s %11s %11s %11s %11s %11s %11s %11s\n", "", "ops", "seconds", "ops/s",
               "p50 us", "p99 us", "p99.9 us", "max us", "server us/op", "own us/op");
    for (size_t i = 0; i < run->meter.count; i++)
        section_print(run, &run->meter.sections[i]);
    for (size_t i = 0; i < run->value_count; i++)
        printf("%s %.10g\n", run->values[i].name, run->values[i].number);
    if (run->server.pid != 0)
        printf("server resident %.1f MB\n", (double)run->resident / 1e6);
    printf("every answer was right: %" PRIu64 " jobs put, %" PRIu64 " reserves, %" PRIu64
           " deletes\n",
           counts->put, counts->reserved, counts->deleted);
}

/* ---- JSON ---- */

static void done(int rc)
{
    if (rc != 0)
        failed("not enough memory");
}

static void number_add(cJSON *object, const char *name, double value)
{
    char text[40];
    (void)snprintf(text, sizeof(text), "%.10g", value);
    need(cJSON_AddRawToObject(object, name, text));
}

static cJSON *times_json(const struct histogram *times)
{
    cJSON *object = need(cJSON_CreateObject());
    number_add(object, "p50", us(histogram_at(times, 0.5)));
    number_add(object, "p99", us(histogram_at(times, 0.99)));
    number_add(object, "p999", us(histogram_at(times, 0.999)));
    number_add(object, "max", us(times->max_ns));
    done(jsonobj_add_u64(object, "count", times->count));
    return object;
}

static cJSON *section_json(const struct run *run, const struct section *section)
{
    cJSON *object = need(cJSON_CreateObject());
    double ops = (double)section->ops;
    done(jsonobj_add_str(object, "name", section->name));
    done(jsonobj_add_u64(object, "ops", section->ops));
    number_add(object, "seconds", seconds_of(section));
    number_add(object, "ops_per_s", ops / seconds_of(section));
    if (section->times.count > 0)
        done(jsonobj_add_item(object, "latency_us", times_json(&section->times)));
    if (run->server.pid != 0) {
        double cpu = us(section->server.cpu_ns) / ops, user = user_part(&section->server);
        number_add(object, "cpu_us_per_op", cpu);
        number_add(object, "cpu_user_us_per_op", cpu * user);
        number_add(object, "cpu_sys_us_per_op", cpu * (1 - user));
    }
    number_add(object, "own_cpu_us_per_op", us(section->self_cpu_ns) / ops);
    return object;
}

static void options_json(cJSON *root, const struct options *o)
{
    done(jsonobj_add_str(root, "mix", o->mix->name));
    done(jsonobj_add_str(root, "server", o->server));
    done(jsonobj_add_u64(root, "connections", o->connections));
    done(jsonobj_add_u64(root, "depth", o->depth));
    done(jsonobj_add_u64(root, "size", o->size));
    done(jsonobj_add_u64(root, "tubes", o->tubes));
    done(jsonobj_add_u64(root, "waiters", o->waiters));
    done(jsonobj_add_u64(root, "seed", o->seed));
}

static void json_print(const struct run *run)
{
    const struct ledger_counts *counts = ledger_counts(run->ledger);
    cJSON *root = need(cJSON_CreateObject());
    options_json(root, &run->options);
    done(jsonobj_add_str(root, "server_version", run->server_name));
    cJSON *sections = need(cJSON_AddArrayToObject(root, "sections"));
    for (size_t i = 0; i < run->meter.count; i++)
        cJSON_AddItemToArray(sections, section_json(run, &run->meter.sections[i]));
    cJSON *values = need(cJSON_AddObjectToObject(root, "values"));
    for (size_t i = 0; i < run->value_count; i++)
        number_add(values, run->values[i].name, run->values[i].number);
    if (run->server.pid != 0)
        done(jsonobj_add_i64(root, "resident_bytes", run->resident));
    cJSON *jobs = need(cJSON_AddObjectToObject(root, "jobs"));
    done(jsonobj_add_u64(jobs, "put", counts->put));
    done(jsonobj_add_u64(jobs, "inserted", counts->inserted));
    done(jsonobj_add_u64(jobs, "reserved", counts->reserved));
    done(jsonobj_add_u64(jobs, "released", counts->released));
    done(jsonobj_add_u64(jobs, "deleted", counts->deleted));
    char *text = need(cJSON_PrintUnformatted(root));
    printf("%s\n", text);
    free(text);
    cJSON_Delete(root);
}

void report_print(const struct run *run)
{
    if (run->options.json)
        json_print(run);
    else
        text_print(run);
    if (fflush(stdout) != 0)
        failed("the report could not be written");
}
