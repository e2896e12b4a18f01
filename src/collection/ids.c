/*
 * ids.c - a sorted array of (id, address)
 *
 * Ids are mostly in order already, so sorting costs little; a look-up is a binary search.
 */
#include "collection/ids.h"

#include "base/alloc.h"
#include "base/keyset.h"
#include "collection/image_schema.h"
#include "dataset/manifest.h"

#include <stdlib.h>

typedef struct entry {
    int64_t id;
    pn_row_addr addr;
} entry;

struct pn_id_index {
    entry *entries;
    size_t n;
};

static int compare(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return a->addr < b->addr ? -1 : a->addr > b->addr;
}

/* The column to walk, and whether it is the ids. */
static const char *id_column(const pn_dataset *dataset, bool *is_id)
{
    const pn_schema *schema = pn_dataset_schema(dataset);
    ptrdiff_t at = pn_schema_find(schema, pn_str_of(PN_COLUMN_ID));
    *is_id = at >= 0 && pn_type_is_integer(schema->fields[at].type);
    return *is_id ? PN_COLUMN_ID : schema->fields[0].name;
}

static pn_status fill(pn_id_index *index, pn_dataset *dataset, pn_error *err)
{
    bool is_id;
    const char *column = id_column(dataset, &is_id);
    pn_scan_options options = {.columns = &column, .n_columns = 1};
    pn_scan *scan;
    size_t capacity = (size_t)pn_dataset_count_rows(dataset);
    index->entries = pn_alloc_array(capacity + 1, sizeof *index->entries);
    if (!index->entries)
        return pn_fail_nomem(err);
    PN_TRY(pn_scan_begin(dataset, &options, &scan, err));
    pn_status status = PN_OK;
    for (;;) {
        pn_batch batch;
        const pn_row_addr *addrs;
        status = pn_scan_next(scan, &batch, &addrs, err);
        if (status != PN_OK || batch.n_rows == 0)
            break;
        for (size_t i = 0; i < batch.n_rows && index->n < capacity; i++)
            if (!is_id || pn_array_is_valid(&batch.columns[0], i))
                index->entries[index->n++] = (entry){
                    is_id ? pn_array_i64(&batch.columns[0], i) : (int64_t)addrs[i], addrs[i]};
    }
    pn_scan_end(scan);
    if (status == PN_OK && index->n > 0)
        qsort(index->entries, index->n, sizeof *index->entries, compare);
    return status;
}

pn_status pn_id_index_make(pn_dataset *dataset, pn_id_index **out, pn_error *err)
{
    pn_id_index *index = pn_alloc_zero(sizeof *index);
    if (!index)
        return pn_fail_nomem(err);
    pn_status status = fill(index, dataset, err);
    if (status != PN_OK) {
        pn_id_index_free(index);
        return status;
    }
    *out = index;
    return PN_OK;
}

void pn_id_index_free(pn_id_index *index)
{
    if (!index)
        return;
    pn_free(index->entries);
    pn_free(index);
}

bool pn_id_index_find(const pn_id_index *index, int64_t id, pn_row_addr *out)
{
    size_t low = 0, high = index->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->entries[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == index->n || index->entries[low].id != id)
        return false;
    *out = index->entries[low].addr;
    return true;
}

static pn_status largest(pn_scan *scan, bool is_id, int64_t *out, pn_error *err)
{
    for (;;) {
        pn_batch batch;
        const pn_row_addr *addrs;
        PN_TRY(pn_scan_next(scan, &batch, &addrs, err));
        if (batch.n_rows == 0)
            return PN_OK;
        for (size_t i = 0; i < batch.n_rows; i++)
            if (!is_id)
                *out = PN_MAX(*out, (int64_t)addrs[i]);
            else if (pn_array_is_valid(&batch.columns[0], i))
                *out = PN_MAX(*out, pn_array_i64(&batch.columns[0], i));
    }
}

static pn_status next_id(pn_dataset *dataset, pn_scan_options options, int64_t *out, pn_error *err)
{
    bool is_id;
    const char *column = id_column(dataset, &is_id);
    int64_t most = -1;
    pn_scan *scan;
    options.columns = &column;
    options.n_columns = 1;
    PN_TRY(pn_scan_begin(dataset, &options, &scan, err));
    pn_status status = largest(scan, is_id, &most, err);
    pn_scan_end(scan);
    PN_TRY(status);
    if (most == INT64_MAX)
        return pn_fail(err, PN_ERR_LIMIT, "the table has used up its ids");
    *out = most + 1;
    return PN_OK;
}

pn_status pn_next_id(pn_dataset *dataset, uint32_t first_fragment, int64_t *out, pn_error *err)
{
    return next_id(dataset, (pn_scan_options){.first_id = first_fragment}, out, err);
}

/* Files that were looked at before are left out: versions have most of theirs in common. */
static pn_status next_id_of_version(pn_dataset *dataset, pn_keyset *seen, int64_t *out,
                                    pn_error *err)
{
    bool is_id, is_new;
    const char *column = id_column(dataset, &is_id);
    for (size_t i = 0; is_id && i < pn_dataset_n_fragments(dataset); i++) {
        pn_fragment_info info;
        int64_t next;
        const char *file = pn_dataset_column_file(dataset, i, column);
        pn_dataset_fragment(dataset, i, &info);
        PN_TRY(pn_keyset_add(seen, pn_str_of(file), &is_new, err));
        if (!is_new || file[0] == '\0')
            continue;
        const pn_scan_options one = {
            .first_id = info.id, .end_id = (uint64_t)info.id + 1, .deleted_too = true};
        PN_TRY(next_id(dataset, one, &next, err));
        *out = PN_MAX(*out, next);
    }
    return PN_OK;
}

pn_status pn_next_id_ever(const char *table, int64_t *out, pn_error *err)
{
    pn_arena arena;
    pn_version_list list = {.n = 0};
    pn_keyset *seen = NULL;
    int64_t next = 0;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_manifest_list(table, &arena, &list, err);
    if (status == PN_OK)
        status = pn_keyset_create(&seen, err);
    for (size_t i = 0; i < list.n && status == PN_OK; i++) {
        pn_dataset *dataset;
        pn_error why = {0};
        status = pn_dataset_open(table, list.versions[i], &dataset, &why);
        if (pn_is_damage(status) || status == PN_ERR_NOT_FOUND || status == PN_ERR_UNSUPPORTED) {
            status = PN_OK; // its rows are nobody's
            continue;
        }
        if (status != PN_OK) {
            status = pn_fail(err, status, "%s", why.message);
            break;
        }
        status = next_id_of_version(dataset, seen, &next, err);
        pn_dataset_unref(dataset);
    }
    pn_keyset_free(seen);
    pn_arena_reset(&arena);
    if (status == PN_OK)
        *out = next;
    return status;
}
