/*
 * vector_table.c - clusters of vectors from a seed
 */
#include "support/vector_table.h"

#include "base/alloc.h"
#include "base/bits.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static void *own(void *memory)
{
    assert_non_null(memory);
    return memory;
}

static void to_length(float *v, size_t dim, double length)
{
    double sum = 0;
    for (size_t d = 0; d < dim; d++)
        sum += (double)v[d] * (double)v[d];
    for (size_t d = 0; d < dim; d++)
        v[d] = (float)((double)v[d] / sqrt(sum) * length);
}

static void around(const float *middle, size_t dim, double spread, pn_rng *rng, float *out)
{
    for (size_t d = 0; d < dim; d++)
        out[d] = middle[d] + (float)(spread * pn_rng_normal(rng) / sqrt(1 + (double)d));
}

static void fill(vector_table *t)
{
    const vector_table_options *o = &t->options;
    pn_rng rng = pn_rng_seed(o->seed);
    for (size_t c = 0; c < o->n_clusters; c++) {
        float *middle = t->middles + c * o->dim;
        for (size_t d = 0; d < o->dim; d++)
            middle[d] = (float)pn_rng_normal(&rng);
        to_length(middle, o->dim, 1);
    }
    for (size_t i = 0; i < o->n_rows; i++) {
        t->cluster[i] = (uint32_t)pn_rng_below(&rng, o->n_clusters);
        around(t->middles + t->cluster[i] * o->dim, o->dim, 0.3, &rng, t->vectors + i * o->dim);
        to_length(t->vectors + i * o->dim, o->dim,
                  o->any_length ? 0.5 + 4.5 * pn_rng_unit(&rng) : 1);
    }
}

/* Two runs each, the second begins at any row. */
static void cut_fragments(vector_table *t)
{
    static const char *const names[] = {"a.lance", "b.lance", "c.lance", "d.lance",
                                        "e.lance", "f.lance", "g.lance", "h.lance"};
    const vector_table_options *o = &t->options;
    for (size_t f = 0; f < o->n_fragments; f++) {
        uint32_t first = (uint32_t)(o->n_rows * f / o->n_fragments);
        uint32_t n = (uint32_t)(o->n_rows * (f + 1) / o->n_fragments) - first, half = n / 3;
        uint32_t id = (uint32_t)(2 * f + 1);
        const float *vectors = t->vectors + first * o->dim;
        t->starts[f] = first;
        t->starts[f + 1] = first + n;
        t->deleted[f] = own(pn_alloc_zero(pn_words_for_bits(n + 1) * sizeof(uint64_t)));
        pn_flat_run run = {.vectors = vectors,
                           .fragment_id = id,
                           .n_rows = half,
                           .deleted = t->deleted[f],
                           .any_length = o->any_length};
        t->runs[2 * f] = run;
        run.vectors = vectors + half * o->dim;
        run.first_row = half;
        run.n_rows = n - half;
        t->runs[2 * f + 1] = run;
        t->fragments[f] = (pn_index_fragment){
            .id = id, .n_rows = n, .name = names[f], .runs = &t->runs[2 * f], .n_runs = 2};
    }
}

void vector_table_make(const vector_table_options *o, vector_table *t)
{
    assert_true(o->n_fragments <= VECTOR_TABLE_MAX_FRAGMENTS);
    *t = (vector_table){.options = *o,
                        .vectors = own(pn_alloc_array(o->n_rows * o->dim, sizeof(float))),
                        .middles = own(pn_alloc_array(o->n_clusters * o->dim, sizeof(float))),
                        .cluster = own(pn_alloc_array(o->n_rows, sizeof(uint32_t)))};
    fill(t);
    cut_fragments(t);
    assert_int_equal(
        pn_vector_rows_init(t->fragments, o->n_fragments, o->dim, o->any_length, &t->rows, NULL),
        PN_OK);
}

void vector_table_free(vector_table *t)
{
    pn_vector_rows_reset(&t->rows);
    pn_free(t->vectors);
    pn_free(t->middles);
    pn_free(t->cluster);
    for (size_t f = 0; f < t->options.n_fragments; f++)
        pn_free(t->deleted[f]);
}

void vector_table_picture(const vector_table *t, pn_rng *rng, float *out)
{
    const vector_table_options *o = &t->options;
    around(t->middles + pn_rng_below(rng, o->n_clusters) * o->dim, o->dim, 0.3, rng, out);
    to_length(out, o->dim, 1);
}

float *vector_table_texts(const vector_table *t, size_t n, uint64_t seed)
{
    size_t dim = t->options.dim;
    pn_rng rng = pn_rng_seed(seed);
    float *texts = own(pn_alloc_array(n * dim, sizeof *texts));
    float *middle = own(pn_alloc_array(dim, sizeof *middle));
    for (size_t d = 0; d < dim; d++)
        middle[d] = d % 2 ? 0.5f : -0.5f;
    to_length(middle, dim, 1);
    for (size_t i = 0; i < n; i++) {
        around(middle, dim, 0.3, &rng, texts + i * dim);
        const float *towards = t->middles + pn_rng_below(&rng, t->options.n_clusters) * dim;
        for (size_t d = 0; d < dim; d++)
            texts[i * dim + d] += 0.2f * towards[d];
        to_length(texts + i * dim, dim, 1);
    }
    pn_free(middle);
    return texts;
}

static size_t fragment_of(const vector_table *t, size_t row)
{
    size_t f = 0;
    while (row >= t->starts[f + 1])
        f++;
    return f;
}

void vector_table_delete(vector_table *t, size_t row)
{
    size_t f = fragment_of(t, row);
    pn_word_bit_set(t->deleted[f], row - t->starts[f]);
}

bool vector_table_is_deleted(const vector_table *t, size_t row)
{
    size_t f = fragment_of(t, row);
    return pn_word_bit_get(t->deleted[f], row - t->starts[f]);
}

size_t vector_table_row(const vector_table *t, uint64_t addr)
{
    for (size_t f = 0; f < t->options.n_fragments; f++)
        if (t->fragments[f].id == addr >> 32) {
            assert_true((uint32_t)addr < t->fragments[f].n_rows);
            return t->starts[f] + (uint32_t)addr;
        }
    fail_msg("an address of no fragment");
    return 0;
}
