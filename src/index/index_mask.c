/*
 * index_mask.c - which rows of an index a search may return
 *
 * A filter knows rows by fragment and offset, a search by their position in the lists. The mask translates once, so that a search
 * tests one bit, skips partitions without a row, and expects the best of n rows where n are left: a partition of which a filter
 * lets two rows pass is less promising than its neighbour of which all may pass.
 */
#include "index/internal.h"

#include "base/alloc.h"
#include "base/bits.h"

#include <math.h>
#include <string.h>

/* The greatest of n normal numbers is about sqrt(2 ln n) standard deviations above their mean. */
static float reach_of(double variance, uint32_t n)
{
    return n > 0 ? (float)sqrt(variance * 2 * log(PN_MAX(n, 2u))) : 0;
}

pn_status pn_index_reaches(const pn_index *index, const uint32_t *counts, float **reaches,
                           pn_error *err)
{
    size_t n_regions = index->facts.n_regions, n = index->facts.n_partitions;
    double wide = index->facts.residual > 0 ? 1 / (double)index->facts.residual : 0;
    for (size_t book = 0; book < index->facts.n_books; book++) {
        const float *spreads = index->spreads + book * n;
        float *out = pn_alloc_array(n_regions + n, sizeof *out);
        if (!out)
            return pn_fail_nomem(err);
        for (size_t r = 0; r < n_regions; r++)
            out[r] = reach_of(1 + (double)index->region_spreads[r] * wide, counts[r]);
        for (size_t p = 0; p < n; p++)
            out[n_regions + p] = reach_of((double)spreads[p], counts[n_regions + p]);
        reaches[book] = out;
    }
    return PN_OK;
}

/* Set the bits of a fragment's rows that are allowed, and not deleted. */
static void mark_fragment(const pn_index *x, const pn_vector_rows *rows, size_t f,
                          const uint64_t *allowed, pn_index_mask *mask)
{
    const pn_index_fragment *fragment = &rows->fragments[f];
    const uint64_t *deleted = fragment->runs[0].deleted;
    const uint32_t *positions = x->positions + rows->fragment_starts[f];
    for (uint32_t first = 0; first < fragment->n_rows; first += 64) {
        uint32_t n = PN_MIN(fragment->n_rows - first, 64u);
        uint64_t left = n == 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
        left &= allowed ? allowed[first / 64] : ~(uint64_t)0;
        left &= deleted ? ~deleted[first / 64] : ~(uint64_t)0;
        for (; left != 0; left &= left - 1) {
            uint32_t at = positions[first + pn_lowest_bit(left)];
            if (at != PN_NOT_LISTED)
                mask->bits[at / 64] |= (uint64_t)1 << at % 64;
        }
    }
}

static uint32_t count_bits(const uint64_t *bits, uint32_t first, uint32_t end)
{
    uint32_t n = 0;
    for (uint32_t at = first; at < end;) {
        uint32_t upto = PN_MIN(end, at / 64 * 64 + 64), width = upto - at;
        uint64_t word = bits[at / 64] >> at % 64;
        if (width < 64)
            word &= ((uint64_t)1 << width) - 1;
        n += (uint32_t)pn_popcount64(word);
        at = upto;
    }
    return n;
}

static void count(const pn_index *x, pn_index_mask *mask)
{
    size_t n_regions = x->facts.n_regions;
    for (size_t r = 0; r < n_regions; r++)
        for (size_t p = x->region_starts[r]; p < x->region_starts[r + 1]; p++) {
            uint32_t n = count_bits(mask->bits, x->starts[p], x->starts[p + 1]);
            mask->counts[n_regions + p] = n;
            mask->counts[r] += n;
            mask->n_rows += n;
        }
}

pn_status pn_index_mask_make(const pn_index *x, const pn_vector_rows *rows,
                             const uint64_t *const *allowed, pn_index_mask **out, pn_error *err)
{
    size_t n = x->facts.n_regions + x->facts.n_partitions;
    PN_TRY(pn_index_check_rows(x, rows, false, err));
    pn_index_mask *mask = pn_alloc_zero(sizeof *mask);
    if (!mask)
        return pn_fail_nomem(err);
    mask->bits = pn_alloc_zero((size_t)(x->facts.n_listed / 64 + 1) * sizeof *mask->bits);
    mask->counts = pn_alloc_zero(n * sizeof *mask->counts);
    if (!mask->bits || !mask->counts) {
        pn_index_mask_free(mask);
        return pn_fail_nomem(err);
    }
    for (size_t f = 0; f < rows->n_fragments; f++)
        if (rows->fragments[f].n_runs > 0 && (!allowed || allowed[f]))
            mark_fragment(x, rows, f, allowed ? allowed[f] : NULL, mask);
    count(x, mask);
    pn_status status = pn_index_reaches(x, mask->counts, mask->reaches, err);
    if (status != PN_OK) {
        pn_index_mask_free(mask);
        return status;
    }
    *out = mask;
    return PN_OK;
}

uint64_t pn_index_mask_count(const pn_index_mask *mask)
{
    return mask->n_rows;
}

void pn_index_mask_free(pn_index_mask *mask)
{
    if (!mask)
        return;
    pn_free(mask->bits);
    pn_free(mask->counts);
    for (size_t b = 0; b < PN_INDEX_BOOKS; b++)
        pn_free(mask->reaches[b]);
    pn_free(mask);
}
