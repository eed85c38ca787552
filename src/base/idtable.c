// SPDX-License-Identifier: MIT
/*
 * Pages of 64 pointers, found by the upper bits of the id in a hash map, which is therefore 64
 * times smaller than the table and seldom changes: rehashing it is short even with millions of ids.
 * The page of the last put and that of the last removal are at hand without the map: ids that come
 * and go in order touch it once in 64 times.
 *
 * A page goes when it is empty, but the one that became empty last stays: a queue that is put to
 * and emptied all the time works in one page without allocating.
 *
 * The order of the pages is beside the map, for walks in order of id; nothing else needs it.
 *
 * The size of a page is a compromise between the dense case (larger is leaner) and the one old id
 * that keeps a page for itself (smaller is leaner).
 */
#include "base/idtable.h"

#include "base/magic.h"

#include <errno.h>
#include <stdlib.h>

#define IDTABLE_PAGE_MAGIC 0x1d7ab1e0u
#define PAGE_IDS 64

struct idtable_page {
    unsigned magic;
    unsigned used; /* slots that aren't NULL */
    uint64_t number;
    void *slot[PAGE_IDS];
};

void idtable_init(struct idtable *table)
{
    *table = (struct idtable){.len = 0};
    idmap_init(&table->pages);
    idorder_init(&table->order);
}

static void page_free(struct idtable_page *page)
{
    MAGIC_CHECK(page, IDTABLE_PAGE_MAGIC);
    MAGIC_WIPE(page);
    free(page);
}

void idtable_fini(struct idtable *table)
{
    size_t cursor = 0;
    struct idtable_page *page;
    while ((page = idmap_next(&table->pages, &cursor)) != NULL)
        page_free(page);
    idmap_fini(&table->pages);
    idorder_fini(&table->order);
    idtable_init(table);
}

static struct idtable_page *page_get(const struct idtable *table, uint64_t id)
{
    uint64_t number = id / PAGE_IDS;
    if (table->removed_page != NULL && table->removed_page->number == number)
        return table->removed_page;
    if (table->put_page != NULL && table->put_page->number == number)
        return table->put_page;
    return idmap_get(&table->pages, number);
}

static struct idtable_page *page_make(struct idtable *table, uint64_t id)
{
    struct idtable_page *page = calloc(1, sizeof(*page));
    if (page == NULL)
        return NULL;
    MAGIC_INIT(page, IDTABLE_PAGE_MAGIC);
    page->number = id / PAGE_IDS;
    if (idorder_add(&table->order, page->number, &table->pages) != 0 ||
        idmap_put(&table->pages, page->number, page) != 0) {
        page_free(page);
        return NULL;
    }
    return page;
}

int idtable_put(struct idtable *table, uint64_t id, void *value)
{
    ASSERT(value != NULL);
    struct idtable_page *page = page_get(table, id);
    if (page == NULL)
        page = page_make(table, id);
    if (page == NULL)
        return ENOMEM;
    void **slot = &page->slot[id % PAGE_IDS];
    if (*slot != NULL)
        return EEXIST;
    *slot = value;
    table->put_page = page;
    page->used++;
    table->len++;
    if (table->empty == page)
        table->empty = NULL;
    return 0;
}

void *idtable_get(const struct idtable *table, uint64_t id)
{
    const struct idtable_page *page = page_get(table, id);
    return page == NULL ? NULL : page->slot[id % PAGE_IDS];
}

void idtable_replace(struct idtable *table, uint64_t id, void *value)
{
    struct idtable_page *page = page_get(table, id);
    ASSERT(value != NULL && page != NULL && page->slot[id % PAGE_IDS] != NULL);
    page->slot[id % PAGE_IDS] = value;
}

/* The page is empty: it takes the place of the one kept so far. */
static void page_retire(struct idtable *table, struct idtable_page *page)
{
    struct idtable_page *before = table->empty;
    table->empty = page;
    if (before == NULL)
        return;
    ASSERT(before->used == 0 && before != page);
    idmap_remove(&table->pages, before->number);
    if (table->put_page == before)
        table->put_page = NULL;
    if (table->removed_page == before)
        table->removed_page = NULL;
    page_free(before);
}

void *idtable_remove(struct idtable *table, uint64_t id)
{
    struct idtable_page *page = page_get(table, id);
    if (page == NULL || page->slot[id % PAGE_IDS] == NULL)
        return NULL;
    void *value = page->slot[id % PAGE_IDS];
    page->slot[id % PAGE_IDS] = NULL;
    table->removed_page = page;
    table->len--;
    if (--page->used == 0)
        page_retire(table, page);
    return value;
}

void *idtable_next(const struct idtable *table, struct idtable_cursor *cursor)
{
    for (;;) {
        if (cursor->page == NULL || cursor->slot == PAGE_IDS) {
            cursor->page = idmap_next(&table->pages, &cursor->page_cursor);
            cursor->slot = 0;
            if (cursor->page == NULL)
                return NULL;
        }
        while (cursor->slot < PAGE_IDS) {
            void *value = cursor->page->slot[cursor->slot++];
            if (value != NULL)
                return value;
        }
    }
}

void *idtable_from(struct idtable *table, uint64_t *id)
{
    uint64_t at = *id;
    const struct idtable_page *page = page_get(table, at);
    for (;;) {
        for (uint64_t slot = at % PAGE_IDS; page != NULL && slot < PAGE_IDS; slot++)
            if (page->slot[slot] != NULL) {
                *id = page->number * PAGE_IDS + slot;
                return page->slot[slot];
            }
        uint64_t number = at / PAGE_IDS + 1;
        if (number > UINT64_MAX / PAGE_IDS || !idorder_next(&table->order, &number, &table->pages))
            return NULL;
        page = idmap_get(&table->pages, number);
        at = number * PAGE_IDS;
    }
}
