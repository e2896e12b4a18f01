/*
 * scan.c - rows in order, filtered: only what is needed is read
 *
 * For each batch of a fragment: read the filter's columns, evaluate, take away deleted rows; then read the columns asked for,
 * all rows of the batch at once when all of them match, the chosen ones otherwise.
 */
#include "base/alloc.h"
#include "base/limits.h"
#include "dataset/internal.h"
#include "filter/filter.h"

/* A page of our writer holds so many vectors of 512 floats. A batch that lies in one page is handed out as it is mapped; one that crosses into
 * the next is copied, at a thirtieth of the speed. */
enum { DEFAULT_BATCH_ROWS = 4096 };

struct pn_scan {
    pn_dataset *dataset;
    pn_arena arena;       /* schema, filter, column list */
    pn_arena batch_arena; /* of the batch in hand */
    pn_schema schema;     /* of the batches */
    size_t *columns;      /* indices in the dataset's schema */
    pn_filter *filter;    /* NULL: every row */
    pn_lance_memo *memo;
    size_t batch_rows;
    uint32_t first_id;
    uint64_t end_id;
    bool deleted_too;
    size_t fragment_i;
    uint32_t next_row;
};

static pn_status choose_columns(pn_scan *scan, const pn_scan_options *options, pn_error *err)
{
    const pn_schema *all = &scan->dataset->schema;
    size_t n = options->columns ? options->n_columns : all->n_fields;
    scan->columns = PN_ARENA_NEW(&scan->arena, size_t, n + 1);
    scan->schema = (pn_schema){.fields = PN_ARENA_NEW(&scan->arena, pn_field, n + 1),
                               .n_fields = n,
                               .metadata = all->metadata,
                               .n_metadata = all->n_metadata};
    if (!scan->columns || !scan->schema.fields)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        ptrdiff_t at =
            options->columns ? pn_schema_find(all, pn_str_of(options->columns[i])) : (ptrdiff_t)i;
        if (at < 0)
            return pn_fail(err, PN_ERR_INVALID, "%s: there is no column \"%s\"",
                           scan->dataset->path, options->columns[i]);
        scan->columns[i] = (size_t)at;
        scan->schema.fields[i] = all->fields[at];
    }
    return PN_OK;
}

pn_status pn_scan_begin(pn_dataset *dataset, const pn_scan_options *options, pn_scan **out,
                        pn_error *err)
{
    pn_status status = PN_OK;
    pn_scan *scan = pn_alloc_zero(sizeof *scan);
    if (!scan)
        return pn_fail_nomem(err);
    pn_arena_init(&scan->arena, SIZE_MAX);
    pn_arena_init(&scan->batch_arena, SIZE_MAX);
    scan->dataset = pn_dataset_ref(dataset);
    scan->batch_rows = options->batch_rows ? options->batch_rows : DEFAULT_BATCH_ROWS;
    scan->first_id = options->first_id;
    scan->end_id = options->end_id ? options->end_id : UINT64_MAX;
    scan->deleted_too = options->deleted_too;
    PN_GOTO(done, pn_lance_memo_create(&scan->memo, err));
    PN_GOTO(done, choose_columns(scan, options, err));
    if (options->filter)
        PN_GOTO(done, pn_filter_compile(pn_str_of(options->filter), &dataset->schema, &scan->arena,
                                        &scan->filter, err));
    *out = scan;
    scan = NULL;
done:
    pn_scan_end(scan);
    return status;
}

const pn_schema *pn_scan_schema(const pn_scan *scan)
{
    return &scan->schema;
}

/* Deleted rows of [first, first + n) out of the mask. */
static pn_status leave_out_deleted(pn_dataset *dataset, size_t fragment_i, uint32_t first, size_t n,
                                   pn_mask *mask, pn_error *err)
{
    const uint64_t *deleted;
    PN_TRY(pn_dataset_deletions(dataset, fragment_i, &deleted, err));
    for (size_t i = 0; deleted && i < n; i++)
        if (pn_word_bit_get(deleted, first + i))
            mask->words[i / 64] &= ~((uint64_t)1 << (i % 64));
    return PN_OK;
}

/* Which of rows [first, first + n) of a fragment pass the filter? */
static pn_status match(pn_dataset *dataset, const pn_filter *filter, size_t fragment_i,
                       uint32_t first, size_t n, pn_lance_memo *memo, pn_arena *arena, pn_mask *out,
                       pn_error *err)
{
    if (!filter)
        return pn_mask_create(n, true, arena, out, err);
    size_t n_columns;
    const size_t *columns = pn_filter_columns(filter, &n_columns);
    pn_array *arrays = PN_ARENA_NEW(arena, pn_array, dataset->schema.n_fields);
    if (!arrays)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n_columns; i++)
        PN_TRY(pn_fragment_read(dataset, fragment_i, &dataset->schema.fields[columns[i]], first, n,
                                memo, arena, &arrays[columns[i]], err));
    pn_batch batch = {.schema = &dataset->schema, .columns = arrays, .n_rows = n};
    return pn_filter_eval(filter, &batch, arena, out, err);
}

static pn_status read_columns(pn_scan *scan, uint32_t first, size_t n, const pn_mask *mask,
                              pn_batch *batch, const pn_row_addr **addrs, pn_error *err)
{
    size_t n_matching = pn_mask_count(mask), at = 0;
    uint32_t fragment_id = scan->dataset->fragments[scan->fragment_i].id;
    pn_array *arrays = PN_ARENA_NEW(&scan->batch_arena, pn_array, scan->schema.n_fields + 1);
    pn_row_addr *list = PN_ARENA_NEW(&scan->batch_arena, pn_row_addr, n_matching + 1);
    uint64_t *rows = PN_ARENA_NEW(&scan->batch_arena, uint64_t, n_matching + 1);
    if (!arrays || !list || !rows)
        return pn_fail_nomem(err);
    for (size_t i = pn_mask_next(mask, 0); i < n; i = pn_mask_next(mask, i + 1)) {
        rows[at] = first + i;
        list[at++] = pn_row_addr_make(fragment_id, first + (uint32_t)i);
    }
    for (size_t c = 0; c < scan->schema.n_fields; c++) {
        const pn_field *field = &scan->schema.fields[c];
        if (n_matching == n)
            PN_TRY(pn_fragment_read(scan->dataset, scan->fragment_i, field, first, n, scan->memo,
                                    &scan->batch_arena, &arrays[c], err));
        else
            PN_TRY(pn_fragment_take(scan->dataset, scan->fragment_i, field, rows, n_matching,
                                    scan->memo, &scan->batch_arena, &arrays[c], err));
    }
    *batch = (pn_batch){.schema = &scan->schema, .columns = arrays, .n_rows = n_matching};
    *addrs = list;
    return PN_OK;
}

pn_status pn_scan_next(pn_scan *scan, pn_batch *batch, const pn_row_addr **addrs, pn_error *err)
{
    while (scan->fragment_i < scan->dataset->n_fragments) {
        const pn_fragment *fragment = &scan->dataset->fragments[scan->fragment_i];
        uint32_t n_rows = fragment->n_rows, first = scan->next_row;
        bool is_asked = fragment->id >= scan->first_id && fragment->id < scan->end_id;
        if (first == n_rows || !is_asked) {
            scan->fragment_i++;
            scan->next_row = 0;
            pn_lance_memo_clear(scan->memo);
            continue;
        }
        size_t n = PN_MIN(scan->batch_rows, (size_t)(n_rows - first));
        pn_mask mask;
        pn_arena_reset(&scan->batch_arena);
        PN_TRY(match(scan->dataset, scan->filter, scan->fragment_i, first, n, scan->memo,
                     &scan->batch_arena, &mask, err));
        if (!scan->deleted_too)
            PN_TRY(leave_out_deleted(scan->dataset, scan->fragment_i, first, n, &mask, err));
        pn_status status = PN_OK;
        bool any = pn_mask_count(&mask) > 0;
        if (any)
            status = read_columns(scan, first, n, &mask, batch, addrs, err);
        scan->next_row = first + (uint32_t)n;
        if (any || status != PN_OK)
            return status;
    }
    *batch = (pn_batch){.schema = &scan->schema};
    *addrs = NULL;
    return PN_OK;
}

void pn_scan_end(pn_scan *scan)
{
    if (!scan)
        return;
    pn_lance_memo_free(scan->memo); // before the files that it points into
    pn_dataset_unref(scan->dataset);
    pn_arena_reset(&scan->arena);
    pn_arena_reset(&scan->batch_arena);
    pn_free(scan);
}

static pn_status filter_fragment(pn_dataset *dataset, const pn_filter *filter, size_t fragment_i,
                                 pn_rowset *out, pn_error *err)
{
    pn_arena arena;
    pn_lance_memo *memo = NULL;
    uint64_t n_rows = dataset->fragments[fragment_i].n_rows;
    pn_rowset_part *part;
    PN_TRY(
        pn_rowset_part_get(out, dataset->fragments[fragment_i].id, (uint32_t)n_rows, &part, err));
    pn_status status = pn_lance_memo_create(&memo, err);
    pn_arena_init(&arena, SIZE_MAX);
    for (uint64_t first = 0; first < n_rows && status == PN_OK; first += DEFAULT_BATCH_ROWS) {
        size_t n = PN_MIN((size_t)DEFAULT_BATCH_ROWS, (size_t)(n_rows - first));
        pn_mask mask;
        status = match(dataset, filter, fragment_i, (uint32_t)first, n, memo, &arena, &mask, err);
        if (status == PN_OK)
            status = leave_out_deleted(dataset, fragment_i, (uint32_t)first, n, &mask, err);
        if (status == PN_OK) // batches begin at multiples of 64
            memcpy(part->words + first / 64, mask.words, pn_words_for_bits(n) * sizeof *mask.words);
        pn_arena_reset(&arena);
    }
    pn_lance_memo_free(memo);
    return status;
}

pn_status pn_dataset_filter_rows(pn_dataset *dataset, pn_str filter, pn_rowset *out, pn_error *err)
{
    pn_arena arena;
    pn_filter *compiled;
    pn_rowset rows;
    pn_arena_init(&arena, SIZE_MAX);
    pn_rowset_init(&rows);
    pn_status status = pn_filter_compile(filter, &dataset->schema, &arena, &compiled, err);
    for (size_t i = 0; status == PN_OK && i < dataset->n_fragments; i++)
        status = filter_fragment(dataset, compiled, i, &rows, err);
    pn_arena_reset(&arena);
    if (status != PN_OK) {
        pn_rowset_reset(&rows);
        return status;
    }
    *out = rows;
    return PN_OK;
}
