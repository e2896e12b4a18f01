/*
 * test_lance_ivf_build.c - an index in LanceDB's format: what is in it, and that it is found again
 *
 * Codes are compared with plain loops over the centroids and codewords that the files have; the files themselves with those of
 * another number of threads, byte by byte. That LanceDB takes them is asked of LanceDB (tests/lance_client).
 */
#include "index/lance_ivf_build.h"

#include "base/alloc.h"
#include "index/lance_ivf_parts.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/golden.h"
#include "support/scratch_folder.h"
#include "support/vector_table.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { ROWS = 3000, DIM = 32, FRAGMENTS = 3, K = 10 };

static void must(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("status %d: %s", (int)status, err->message);
}

typedef struct fixture {
    vector_table table;
    pn_lance_covered covered[FRAGMENTS];
    pn_lance_fragment fragments[FRAGMENTS];
    pn_lance_rows rows;
    char *folder;
    pn_lance_built built;
    pn_lance_ivf *ivf;
} fixture;

static char *new_folder(scratch_folder *s, const char *name)
{
    pn_error err = {0};
    char *folder = scratch_path(s, name);
    must(pn_dir_make(folder, &err), &err);
    return folder;
}

static void make(scratch_folder *s, bool any_length, fixture *f)
{
    pn_error err = {0};
    *f = (fixture){0};
    vector_table_make(&(vector_table_options){ROWS, DIM, 40, FRAGMENTS, any_length, 3}, &f->table);
    for (size_t row = 11; row < ROWS; row += 17)
        vector_table_delete(&f->table, row);
    f->table.vectors[100 * DIM + 5] = NAN;
    for (size_t i = 0; i < FRAGMENTS; i++) {
        const pn_index_fragment *from = &f->table.fragments[i];
        f->covered[i] = (pn_lance_covered){from->id, from->n_rows};
        f->fragments[i] = (pn_lance_fragment){from->id, from->runs, from->n_runs};
    }
    f->rows = (pn_lance_rows){f->fragments, FRAGMENTS};
    f->folder = new_folder(s, "built");
    const pn_lance_build_options o = {.n_partitions = 20, .seed = 1};
    must(pn_lance_ivf_build(&f->table.rows, &o, f->folder, &f->built, &err), &err);
    must(pn_lance_ivf_open(f->folder, DIM, f->covered, FRAGMENTS, &f->ivf, &err), &err);
}

static void unmake(fixture *f)
{
    pn_lance_ivf_close(f->ivf);
    vector_table_free(&f->table);
}

static bool is_listed(const fixture *f, size_t row)
{
    return !vector_table_is_deleted(&f->table, row) && row != 100;
}

static void rows__are_listed_once_but_for_deleted_ones_and_no_numbers(void **state)
{
    fixture f;
    pn_lance_ivf_info info;
    uint64_t n = 0;
    make(*state, false, &f);
    pn_lance_ivf_info_get(f.ivf, &info);
    for (size_t row = 0; row < ROWS; row++) {
        uint64_t addr = pn_vector_rows_addr(&f.table.rows, row);
        uint32_t id = (uint32_t)(addr >> 32), n_rows = 0;
        for (size_t i = 0; i < FRAGMENTS; i++)
            n_rows = f.covered[i].id == id ? f.covered[i].n_rows : n_rows;
        const uint64_t *words = pn_lance_ivf_listed(f.ivf, id, n_rows);
        assert_non_null(words);
        assert_true(pn_word_bit_get(words, (uint32_t)addr) == is_listed(&f, row));
        n += is_listed(&f, row);
    }
    assert_int_equal(info.n_rows, n);
    assert_int_equal(f.built.n_rows, n);
    assert_int_equal(info.n_partitions, 20);
    assert_int_equal(info.code_bytes, DIM / 8);
    assert_string_equal(info.kind, "IVF_PQ");
    assert_string_equal(info.metric, "cosine");
    assert_int_equal(info.file_bytes, f.built.coarse_bytes + f.built.fine_bytes);
    unmake(&f);
}

static double square(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

static void check_row(const fixture *f, size_t p, uint64_t at)
{
    const pn_lance_ivf *x = f->ivf;
    float unit[DIM];
    size_t row = vector_table_row(&f->table, x->ids[x->starts[p] + at]);
    size_t width = DIM / x->n_subs;
    uint64_t n = x->starts[p + 1] - x->starts[p];
    assert_true(pn_vector_rows_copy(&f->table.rows, row, unit));
    const float *c = x->centroids + p * DIM;
    for (size_t other = 0; other < x->n_partitions; other++)
        assert_true(square(unit, c, DIM) <= square(unit, x->centroids + other * DIM, DIM) + 1e-5);
    for (size_t i = 0; i < DIM; i++)
        unit[i] -= c[i];
    for (size_t sub = 0; sub < x->n_subs; sub++) {
        const float *words = x->codebook + sub * PN_LANCE_PQ_ENTRIES * width;
        uint8_t code = x->codes[x->starts[p] * x->n_subs + sub * n + at];
        double got = square(unit + sub * width, words + code * width, width);
        for (size_t w = 0; w < PN_LANCE_PQ_ENTRIES; w++)
            assert_true(got <= square(unit + sub * width, words + w * width, width) + 1e-5);
    }
}

static void codes__are_of_the_nearest_centroids_and_codewords(void **state)
{
    for (int any_length = 0; any_length < 2; any_length++) {
        fixture f;
        scratch_folder *s = *state;
        if (any_length)
            assert_int_equal(pn_dir_remove_all(scratch_path(s, "built"), NULL), PN_OK);
        make(s, any_length, &f);
        for (size_t p = 0; p < f.ivf->n_partitions; p++)
            for (uint64_t at = 0; at < f.ivf->starts[p + 1] - f.ivf->starts[p]; at += 5)
                check_row(&f, p, at);
        unmake(&f);
    }
}

static void files__are_the_same_for_any_number_of_threads(void **state)
{
    static const char *const names[] = {"index.idx", "auxiliary.idx"};
    fixture f;
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_pool *pool;
    pn_lance_built again;
    make(s, false, &f);
    must(pn_pool_create(3, &pool, &err), &err);
    char *other = new_folder(s, "other");
    const pn_lance_build_options o = {.n_partitions = 20, .seed = 1, .pool = pool};
    must(pn_lance_ivf_build(&f.table.rows, &o, other, &again, &err), &err);
    for (size_t i = 0; i < 2; i++) {
        size_t n, m;
        uint8_t *a = golden_read_bytes(pn_path_join(&s->arena, f.folder, names[i]), &n);
        uint8_t *b = golden_read_bytes(pn_path_join(&s->arena, other, names[i]), &m);
        assert_int_equal(n, m);
        assert_memory_equal(a, b, n);
        golden_bytes_free(a);
        golden_bytes_free(b);
    }
    pn_pool_free(pool);
    unmake(&f);
}

/* Pictures like the rows, and texts, which lie elsewhere: as much is found of either as is promised. */
static void check_recall(const fixture *f, const pn_lance_measure *measure, const float *queries,
                         size_t n, float wanted)
{
    double found = 0, promised = 0;
    for (size_t q = 0; q < n; q++) {
        pn_error err = {0};
        pn_candidate heap[K], truth[K];
        pn_topk top, want;
        pn_lance_stats stats;
        float recall;
        const float *query = queries + q * DIM;
        const pn_lance_wish wish = {query, 1, K, wanted};
        const pn_lance_query asked = {.vector = query,
                                      .effort =
                                          pn_lance_ivf_effort_for(f->ivf, measure, &wish, &recall),
                                      .rows = &f->rows};
        pn_topk_init(&top, heap, K);
        pn_topk_init(&want, truth, K);
        must(pn_lance_ivf_search(f->ivf, &asked, &top, &stats, &err), &err);
        must(pn_flat_search(f->table.runs, f->table.rows.n_runs, query, DIM, -INFINITY, NULL, NULL,
                            &want, &err),
             &err);
        assert_int_equal(top.n, K);
        for (size_t i = 0; i < K; i++)
            for (size_t j = 0; j < K; j++)
                found += truth[i].id == heap[j].id;
        promised += (double)recall;
    }
    print_message("  %.3f wanted, %.3f promised, %.3f found\n", (double)wanted,
                  promised / (double)n, found / (double)(n * K));
    assert_true(found / (double)(n * K) >= promised / (double)n - 0.04);
}

static void recall__is_what_was_promised(void **state)
{
    static const size_t QUERIES = 100;
    fixture f;
    pn_error err = {0};
    pn_lance_measure measure;
    pn_rng rng = pn_rng_seed(5);
    make(*state, false, &f);
    float *texts = vector_table_texts(&f.table, 300, 8);
    float *pictures = pn_alloc_array(QUERIES * DIM, sizeof *pictures);
    for (size_t q = 0; q < QUERIES; q++)
        vector_table_picture(&f.table, &rng, pictures + q * DIM);
    must(pn_lance_ivf_measure(f.ivf, &f.rows, texts, 200, NULL, NULL, &measure, &err), &err);
    assert_true(measure.kinds[PN_LANCE_PICTURES].is_measured);
    assert_true(measure.kinds[PN_LANCE_TEXTS].is_measured);
    check_recall(&f, &measure, pictures, QUERIES, 0.8f);
    check_recall(&f, &measure, pictures, QUERIES, 0.95f);
    check_recall(&f, &measure, texts + (size_t)200 * DIM, QUERIES, 0.8f);
    check_recall(&f, &measure, texts + (size_t)200 * DIM, QUERIES, 0.95f);
    pn_free(pictures);
    pn_free(texts);
    unmake(&f);
}

static void few_rows_and_stops__are_told_of(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    vector_table table;
    pn_lance_built built;
    vector_table_make(&(vector_table_options){900, DIM, 10, 1, false, 3}, &table);
    pn_lance_build_options o = {.seed = 1};
    assert_int_equal(pn_lance_ivf_build(&table.rows, &o, s->path, &built, &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "900"));
    vector_table_free(&table);
    vector_table_make(&(vector_table_options){2000, DIM, 10, 1, false, 3}, &table);
    const _Atomic bool yes = true;
    o.cancel = &yes;
    assert_int_equal(pn_lance_ivf_build(&table.rows, &o, s->path, &built, &err), PN_ERR_CANCELLED);
    o.cancel = NULL;
    assert_int_equal(pn_lance_ivf_build(&table.rows, &o, "/nowhere", &built, &err),
                     PN_ERR_NOT_FOUND);
    /* The disk is full. */
    pn_fd_fault_after(4, 28);
    assert_int_equal(pn_lance_ivf_build(&table.rows, &o, s->path, &built, &err), PN_ERR_IO);
    pn_fd_fault_after(0, 0);
    vector_table_free(&table);
}

static void memory__that_is_refused_is_told_of(void **state)
{
    scratch_folder *s = *state;
    vector_table table;
    pn_status status = PN_ERR_NOMEM;
    vector_table_make(&(vector_table_options){1000, 8, 10, 1, false, 3}, &table);
    for (int64_t n = 1; status != PN_OK; n += 1 + n / 6) {
        pn_error err = {0};
        pn_lance_built built;
        const pn_lance_build_options o = {.seed = 1, .n_partitions = 2};
        char *folder = new_folder(s, "faults");
        int64_t live = pn_alloc_live();
        pn_alloc_fail_after(n);
        status = pn_lance_ivf_build(&table.rows, &o, folder, &built, &err);
        pn_alloc_fail_after(0);
        assert_true(status == PN_OK || status == PN_ERR_NOMEM);
        assert_int_equal(pn_alloc_live(), live);
        assert_int_equal(pn_dir_remove_all(folder, &err), PN_OK);
        assert_true(status != PN_OK || n > 20);
    }
    vector_table_free(&table);
}

#define IN_A_FOLDER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, scratch_folder_setup, scratch_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(rows__are_listed_once_but_for_deleted_ones_and_no_numbers),
        IN_A_FOLDER(codes__are_of_the_nearest_centroids_and_codewords),
        IN_A_FOLDER(files__are_the_same_for_any_number_of_threads),
        IN_A_FOLDER(recall__is_what_was_promised),
        IN_A_FOLDER(few_rows_and_stops__are_told_of),
        IN_A_FOLDER(memory__that_is_refused_is_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
