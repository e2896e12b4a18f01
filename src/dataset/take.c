/*
 * take.c - rows by address
 *
 * Addresses are sorted, so that each fragment and each page is looked at once; the columns are then put into the order that
 * was asked for.
 */
#include "base/alloc.h"
#include "dataset/internal.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct wanted {
    pn_row_addr addr;
    uint32_t place; /* in the caller's order */
} wanted;

static int compare(const void *left, const void *right)
{
    const wanted *a = left, *b = right;
    if (a->addr != b->addr)
        return a->addr < b->addr ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* A run of the sorted addresses in one fragment. */
typedef struct group {
    size_t fragment_i, n;
    uint64_t *rows;
} group;

static pn_status make_group(pn_dataset *dataset, const wanted *sorted, size_t n_left,
                            pn_arena *arena, group *out, pn_error *err)
{
    const uint64_t *deleted;
    uint32_t id = (uint32_t)(sorted[0].addr >> 32);
    out->fragment_i = pn_dataset_find_fragment(dataset, id);
    if (out->fragment_i == SIZE_MAX)
        return pn_fail(err, PN_ERR_NOT_FOUND, "%s: there is no row %" PRIu64, dataset->path,
                       sorted[0].addr);
    PN_TRY(pn_dataset_deletions(dataset, out->fragment_i, &deleted, err));
    for (out->n = 0; out->n < n_left && (uint32_t)(sorted[out->n].addr >> 32) == id; out->n++)
        continue;
    out->rows = PN_ARENA_NEW(arena, uint64_t, out->n);
    if (!out->rows)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < out->n; i++) {
        uint32_t row = (uint32_t)sorted[i].addr;
        if (row >= dataset->fragments[out->fragment_i].n_rows ||
            (deleted && pn_word_bit_get(deleted, row)))
            return pn_fail(err, PN_ERR_NOT_FOUND, "%s: there is no row %" PRIu64, dataset->path,
                           sorted[i].addr);
        out->rows[i] = row;
    }
    return PN_OK;
}

static pn_status take_column(pn_dataset *dataset, const pn_field *field, const group *groups,
                             size_t n_groups, const uint32_t *order, size_t n, pn_arena *scratch,
                             pn_arena *arena, pn_array *out, pn_error *err)
{
    pn_array *parts = PN_ARENA_NEW(scratch, pn_array, n_groups), all;
    const pn_array **list = PN_ARENA_NEW(scratch, const pn_array *, n_groups);
    if (!parts || !list)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n_groups; i++) {
        PN_TRY(pn_fragment_take(dataset, groups[i].fragment_i, field, groups[i].rows, groups[i].n,
                                NULL, scratch, &parts[i], err));
        list[i] = &parts[i];
    }
    PN_TRY(pn_array_concat(list, n_groups, scratch, &all, err));
    return pn_array_gather(&all, order, n, arena, out, err);
}

static pn_status choose_schema(pn_dataset *dataset, const char *const *columns, size_t n_columns,
                               pn_arena *arena, pn_schema *out, pn_error *err)
{
    size_t n = columns ? n_columns : dataset->schema.n_fields;
    *out = (pn_schema){.fields = PN_ARENA_NEW(arena, pn_field, n + 1),
                       .n_fields = n,
                       .metadata = dataset->schema.metadata,
                       .n_metadata = dataset->schema.n_metadata};
    if (!out->fields)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        ptrdiff_t at =
            columns ? pn_schema_find(&dataset->schema, pn_str_of(columns[i])) : (ptrdiff_t)i;
        if (at < 0)
            return pn_fail(err, PN_ERR_INVALID, "%s: there is no column \"%s\"", dataset->path,
                           columns[i]);
        out->fields[i] = dataset->schema.fields[at];
    }
    return PN_OK;
}

static pn_status take_sorted(pn_dataset *dataset, const wanted *sorted, size_t n,
                             const pn_schema *schema, pn_arena *scratch, pn_arena *arena,
                             pn_array *arrays, pn_error *err)
{
    group *groups = PN_ARENA_NEW(scratch, group, n + 1);
    uint32_t *order = PN_ARENA_NEW(scratch, uint32_t, n + 1);
    size_t n_groups = 0;
    if (!groups || !order)
        return pn_fail_nomem(err);
    for (size_t at = 0; at < n; at += groups[n_groups++].n)
        PN_TRY(make_group(dataset, sorted + at, n - at, scratch, &groups[n_groups], err));
    for (size_t i = 0; i < n; i++)
        order[sorted[i].place] = (uint32_t)i;
    for (size_t c = 0; c < schema->n_fields; c++)
        PN_TRY(take_column(dataset, &schema->fields[c], groups, n_groups, order, n, scratch, arena,
                           &arrays[c], err));
    return PN_OK;
}

pn_status pn_dataset_take(pn_dataset *dataset, const pn_row_addr *addrs, size_t n,
                          const char *const *columns, size_t n_columns, pn_arena *arena,
                          pn_batch *out, pn_error *err)
{
    pn_schema *schema = PN_ARENA_NEW(arena, pn_schema, 1);
    if (!schema)
        return pn_fail_nomem(err);
    PN_TRY(choose_schema(dataset, columns, n_columns, arena, schema, err));
    pn_array *arrays = PN_ARENA_NEW(arena, pn_array, schema->n_fields + 1);
    if (!arrays)
        return pn_fail_nomem(err);
    pn_arena scratch;
    pn_arena_init(&scratch, SIZE_MAX);
    pn_status status = PN_OK;
    wanted *sorted = PN_ARENA_NEW(&scratch, wanted, n + 1);
    if (!sorted)
        status = pn_fail_nomem(err);
    for (size_t i = 0; sorted && i < n; i++)
        sorted[i] = (wanted){addrs[i], (uint32_t)i};
    if (sorted)
        qsort(sorted, n, sizeof *sorted, compare);
    if (status == PN_OK && n > 0)
        status = take_sorted(dataset, sorted, n, schema, &scratch, arena, arrays, err);
    pn_arena_reset(&scratch);
    if (status == PN_OK)
        *out = (pn_batch){.schema = schema, .columns = arrays, .n_rows = n};
    return status;
}
