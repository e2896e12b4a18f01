/*
 * ingest_item.c - making and ending one work item
 */
#include "ingest/ingest_item.h"

#include "base/alloc.h"
#include "base/limits.h"

/* A list row may carry long descriptions; more than this is not metadata. */
static const size_t MAX_ITEM_BYTES = 8u << 20;
static const size_t MAX_THUMBNAIL_BYTES = 8u << 20;

pn_ingest_item *pn_ingest_item_create(const char *path, const char *file)
{
    pn_ingest_item *item = pn_alloc_zero(sizeof *item);
    if (!item)
        return NULL;
    pn_arena_init(&item->arena, MAX_ITEM_BYTES);
    pn_buffer_init(&item->thumbnail, MAX_THUMBNAIL_BYTES);
    item->timestamp_ms = PN_INGEST_NO_TIME;
    item->path = pn_arena_strdup(&item->arena, path);
    item->file = pn_arena_strdup(&item->arena, file);
    if (item->path && item->file)
        return item;
    pn_ingest_item_free(item);
    return NULL;
}

void pn_ingest_item_free(pn_ingest_item *item)
{
    if (!item)
        return;
    pn_embed_input_free(&item->input);
    pn_free(item->vector);
    pn_buffer_reset(&item->thumbnail);
    pn_arena_reset(&item->arena);
    pn_free(item);
}

pn_status pn_ingest_item_check(const pn_ingest_item *item, pn_error *err)
{
    size_t n = strlen(item->path);
    if (n > PN_PATH_MAX_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "a path of %zu bytes, the limit is %d", n,
                       PN_PATH_MAX_BYTES);
    if (!pn_str_is_utf8(pn_str_of(item->path)))
        return pn_fail(err, PN_ERR_INVALID, "the path is not UTF-8");
    for (size_t i = 0; i < item->n_metadata; i++) {
        if (!pn_str_is_utf8(pn_str_of(item->metadata[i].key)))
            return pn_fail(err, PN_ERR_INVALID, "the name of metadata %zu is not UTF-8", i + 1);
        if (!pn_str_is_utf8(pn_str_of(item->metadata[i].value)))
            return pn_fail(err, PN_ERR_INVALID, "metadata \"%.60s\" is not UTF-8",
                           item->metadata[i].key);
    }
    return PN_OK;
}
