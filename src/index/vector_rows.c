/*
 * vector_rows.c - from an ordinal to a vector: a binary search over the runs, a few hundred at most
 */
#include "index/vector_rows.h"

#include "base/alloc.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

/* The runs of a fragment have to cover it, in order. */
static pn_status check_fragment(const pn_index_fragment *fragment, pn_error *err)
{
    uint64_t next = 0;
    if (fragment->n_runs == 0)
        return PN_OK;
    for (size_t i = 0; i < fragment->n_runs; i++) {
        if (fragment->runs[i].first_row != next)
            break;
        next += fragment->runs[i].n_rows;
    }
    if (next != fragment->n_rows)
        return pn_fail(err, PN_ERR_INVALID, "fragment %u: its vectors do not cover its %u rows",
                       fragment->id, fragment->n_rows);
    return PN_OK;
}

pn_status pn_vector_rows_init(const pn_index_fragment *fragments, size_t n_fragments, size_t dim,
                              bool any_length, pn_vector_rows *out, pn_error *err)
{
    pn_vector_rows rows = {
        .fragments = fragments, .n_fragments = n_fragments, .dim = dim, .any_length = any_length};
    for (size_t i = 0; i < n_fragments; i++) {
        PN_TRY(check_fragment(&fragments[i], err));
        rows.n_runs += fragments[i].n_runs;
        rows.n_rows += fragments[i].n_rows;
    }
    if (rows.n_rows > UINT32_MAX - 1)
        return pn_fail(err, PN_ERR_LIMIT, "an index over more than 4,294,967,294 rows");
    rows.runs = pn_alloc_array(rows.n_runs + 1, sizeof(void *)); /* pointers, borrowed */
    rows.starts = pn_alloc_array(rows.n_runs + 1, sizeof *rows.starts);
    rows.fragment_starts = pn_alloc_array(n_fragments + 1, sizeof *rows.fragment_starts);
    if (!rows.runs || !rows.starts || !rows.fragment_starts) {
        pn_vector_rows_reset(&rows);
        return pn_fail_nomem(err);
    }
    uint64_t start = 0;
    size_t n = 0;
    for (size_t i = 0; i < n_fragments; i++) {
        rows.fragment_starts[i] = start;
        for (size_t r = 0; r < fragments[i].n_runs; r++) {
            rows.runs[n] = &fragments[i].runs[r];
            rows.starts[n++] = start + fragments[i].runs[r].first_row;
        }
        start += fragments[i].n_rows;
    }
    rows.starts[n] = rows.fragment_starts[n_fragments] = start;
    *out = rows;
    return PN_OK;
}

void pn_vector_rows_reset(pn_vector_rows *rows)
{
    pn_free(rows->runs);
    pn_free(rows->starts);
    pn_free(rows->fragment_starts);
    *rows = (pn_vector_rows){0};
}

/* The last of n starts that is not above the ordinal. */
static size_t last_start(const uint64_t *starts, size_t n, uint64_t ordinal)
{
    size_t low = 0, high = n;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (starts[middle] <= ordinal)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static size_t run_of(const pn_vector_rows *rows, uint64_t ordinal)
{
    return last_start(rows->starts, rows->n_runs, ordinal);
}

pn_row_addr pn_vector_rows_addr(const pn_vector_rows *rows, uint64_t ordinal)
{
    size_t i = run_of(rows, ordinal);
    const pn_flat_run *run = rows->runs[i];
    return pn_row_addr_make(run->fragment_id,
                            run->first_row + (uint32_t)(ordinal - rows->starts[i]) + run->shift);
}

const float *pn_vector_rows_at(const pn_vector_rows *rows, uint64_t ordinal)
{
    size_t i = run_of(rows, ordinal);
    return rows->runs[i]->vectors + (ordinal - rows->starts[i]) * rows->dim;
}

bool pn_vector_rows_is_deleted(const pn_vector_rows *rows, uint64_t ordinal)
{
    size_t i = run_of(rows, ordinal);
    const pn_flat_run *run = rows->runs[i];
    uint64_t row = run->first_row + (ordinal - rows->starts[i]);
    return run->deleted && (run->deleted[row / 64] >> row % 64 & 1) != 0;
}

uint64_t pn_vector_rows_count(const pn_vector_rows *rows)
{
    uint64_t n = 0;
    for (size_t f = 0; f < rows->n_fragments; f++) {
        const pn_index_fragment *fragment = &rows->fragments[f];
        if (fragment->n_runs == 0)
            continue;
        const uint64_t *deleted = fragment->runs[0].deleted;
        n += fragment->n_rows;
        for (uint32_t row = 0; deleted && row < fragment->n_rows; row++)
            n -= deleted[row / 64] >> row % 64 & 1;
    }
    return n;
}

bool pn_vector_rows_copy(const pn_vector_rows *rows, uint64_t ordinal, float *out)
{
    const float *vector = pn_vector_rows_at(rows, ordinal);
    const pn_kernels *kernels = pn_kernels_get();
    float length = kernels->norm_f32(vector, rows->dim);
    if (!isfinite(length)) {
        memset(out, 0, rows->dim * sizeof *out);
        return false;
    }
    memcpy(out, vector, rows->dim * sizeof *out);
    if (rows->any_length || pn_vector_divisor(length, false) != 1)
        kernels->normalise_f32(out, rows->dim);
    return true;
}
