// SPDX-License-Identifier: MIT
/*
 * Tasks: what hilerad does once, in place of serving, and then ends. Each is a row here, a row of
 * options.c and a file.
 *
 * They share what exit statuses mean: 0, all is well; 1, it was done, and something is wrong with
 * what was found (damage, mistakes); 2, it could not be done. What they find goes to standard
 * output, a line each; why they could not goes to standard error.
 */
#include "daemon/access_priv.h"
#include "daemon/options_priv.h"
#include "daemon/program_priv.h"

#include "trust/trust.h"

#include <stdio.h>

static int check_config_run(const struct task_order *order)
{
    const char *file = order->config->file;
    struct trust *trust = NULL;
    if (access_build(&trust, order->config, order->user) != 0)
        return 1;
    kin_warn(order->user, order->config);
    printf("%s: ok\n", file != NULL ? file : "built-in configuration");
    access_print(order->config, trust, order->user);
    trust_free(&trust);
    return task_said(0) == 0 ? 0 : 1;
}

static const struct task tasks[] = {
    {.key = KEY_TASK_CHECK_CONFIG,
     .name = "--check-config",
     .wants = "",
     .configured = true,
     .unconfigured = 1,
     .run = check_config_run},
    {.key = KEY_TASK_CHECK,
     .name = "--check",
     .wants = "--check DIR",
     .arguments = 1,
     .run = check_run},
    {.key = KEY_TASK_SALVAGE,
     .name = "--salvage",
     .wants = "--salvage DIR NEWDIR",
     .arguments = 2,
     .run = salvage_run},
    {.key = KEY_TASK_IMPORT,
     .name = "--import-beanstalkd",
     .wants = "--import-beanstalkd DIR",
     .arguments = 1,
     .configured = true,
     .unconfigured = 2,
     .run = import_run},
};

const struct task *task_find(int key)
{
    for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
        if (tasks[i].key == key)
            return &tasks[i];
    return NULL;
}
