// SPDX-License-Identifier: MIT
/*
 * Loading a plug-in: from a path to a table of functions that may be called, or a sentence about
 * why not.
 *
 * A wrong file must not crash the daemon. So the symbol is asked for its own entry in the file's
 * symbol table before a byte of it is read: it must be data, and as long as the table claims to be.
 * The version is read first, then the size, then the pointers that the size covers. What can't be
 * kept out is the file's constructors, which run when it is loaded: that is what loading means.
 *
 * Everything is bound at once (RTLD_NOW), so that a function the file lacks is a message at the
 * start and no crash in the middle of a job; its names stay its own (RTLD_LOCAL).
 */
#include "worker/plugin_priv.h"

#include "base/trusted.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TABLE_NAME "hl_plugin"

/* Of the first version: what every table has at least. */
#define TABLE_SIZE_MIN (offsetof(struct hl_plugin, fini) + sizeof(void *))

/* It becomes a part of this process. The loader opens it by its name once more, on a way that
 * nobody else can change. */
static int path_trust(const char *path, char *why, size_t why_size)
{
    struct trusted_error refused;
    int fd;
    if (trusted_open(path, TRUSTED_PLUGIN, geteuid(), &fd, &refused) == 0) {
        close(fd);
        return 0;
    }
    snprintf(why, why_size, "%s", refused.text);
    return EINVAL;
}

static int path_check(const char *path, char *why, size_t why_size)
{
    if (path == NULL || path[0] == '\0')
        snprintf(why, why_size,
                 "the handler plugin needs a file, like plugin = \"/usr/lib/hilera/count.so\"");
    else if (path[0] != '/')
        snprintf(why, why_size,
                 "plugin = \"%s\" is not an absolute path, like \"/usr/lib/hilera/count.so\"",
                 path);
    else if (access(path, R_OK) != 0)
        snprintf(why, why_size, "the plug-in %s can't be read: %s", path, strerrordesc_np(errno));
    else
        return path_trust(path, why, why_size);
    return EINVAL;
}

/* How many bytes the symbol has in its file; 0: it is no data, or nobody knows. */
static size_t table_extent(const void *symbol)
{
    Dl_info info;
    void *extra = NULL;
    if (dladdr1(symbol, &info, &extra, RTLD_DL_SYMENT) == 0 || extra == NULL)
        return 0;
    const ElfW(Sym) *entry = extra;
    return ELF64_ST_TYPE(entry->st_info) == STT_OBJECT ? entry->st_size : 0;
}

/* `extent` bytes of the table can be read. */
static int table_check(const char *path, const struct hl_plugin *table, size_t extent, char *why,
                       size_t why_size)
{
    if (extent < sizeof(table->abi) + sizeof(table->size))
        snprintf(why, why_size,
                 "%s is no plug-in: its %s is no table; it must be a struct hl_plugin "
                 "(hilera-plugin(3))",
                 path, TABLE_NAME);
    else if (table->abi != HL_PLUGIN_ABI)
        snprintf(why, why_size,
                 "the plug-in %s has ABI %u, this hilerad has %d; compile it with the "
                 "<hilera/plugin.h> that belongs to it",
                 path, table->abi, HL_PLUGIN_ABI);
    else if (table->size < TABLE_SIZE_MIN || table->size > extent)
        snprintf(why, why_size,
                 "the plug-in %s says that its table has %u bytes, and it has %zu; it must say "
                 ".size = sizeof(struct hl_plugin), which is %zu at least",
                 path, table->size, extent, TABLE_SIZE_MIN);
    else if (table->name == NULL || table->name[0] == '\0')
        snprintf(why, why_size, "the plug-in %s has no name; it must set .name", path);
    else if (table->run == NULL)
        snprintf(why, why_size, "the plug-in %s has no function run; it must set .run", path);
    else
        return 0;
    return EINVAL;
}

/* dlerror's text begins with the path as a rule; people need it once. */
static void loader_said(const char *path, char *why, size_t why_size)
{
    const char *text = dlerror();
    size_t len = strlen(path);
    if (text == NULL)
        text = "the loader gives no reason";
    else if (strncmp(text, path, len) == 0 && strncmp(text + len, ": ", 2) == 0)
        text += len + 2;
    snprintf(why, why_size, "the plug-in %s can't be loaded: %s", path, text);
}

int plugin_load(const char *path, void **library, const struct hl_plugin **table, char *why,
                size_t why_size)
{
    int rc = path_check(path, why, why_size);
    if (rc != 0)
        return rc;
    void *loaded = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (loaded == NULL) {
        loader_said(path, why, why_size);
        return EINVAL;
    }
    const struct hl_plugin *found = dlsym(loaded, TABLE_NAME);
    if (found == NULL) {
        snprintf(why, why_size,
                 "%s is no plug-in: it has no symbol %s; it must define "
                 "HL_PLUGIN_EXPORT const struct hl_plugin %s",
                 path, TABLE_NAME, TABLE_NAME);
        rc = EINVAL;
    } else
        rc = table_check(path, found, table_extent(found), why, why_size);
    if (rc != 0) {
        plugin_unload(&loaded);
        return rc;
    }
    *library = loaded;
    *table = found;
    return 0;
}

void plugin_unload(void **library)
{
    if (*library != NULL)
        (void)dlclose(*library);
    *library = NULL;
}
