/*
 * test_scan.c - scans, filters, rows by address and vectors against a plain list of ids
 *
 * A table goes through random appends and deletes; a set of ids beside it says what should be there. The files on disk are
 * shared by all versions, so a few threads read different versions at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/rng.h"
#include "column/builder.h"
#include "dataset/dataset.h"
#include "os/dir.h"
#include "os/pool.h"
#include "support/golden.h"
#include "support/small_table.h"

enum { MAX_IDS = 4000, N_VERSIONS = 24 };

typedef struct history {
    pn_arena arena;
    char *folder, *table;
    pn_dataset *versions[N_VERSIONS];
    bool there[N_VERSIONS][MAX_IDS];
} history;

static int setup(void **state)
{
    history *h = calloc(1, sizeof *h);
    pn_rng rng = pn_rng_seed(21);
    int64_t next_id = 0;
    pn_arena_init(&h->arena, SIZE_MAX);
    assert_int_equal(pn_dir_make_temporary("test_scan", &h->arena, &h->folder, NULL), PN_OK);
    h->table = pn_path_join(&h->arena, h->folder, "t.lance");
    assert_int_equal(small_table_create(h->table, &h->versions[0], NULL), PN_OK);
    for (int v = 1; v < N_VERSIONS; v++) {
        memcpy(h->there[v], h->there[v - 1], sizeof h->there[v]);
        if (v % 3 != 0) {
            size_t n = 1 + pn_rng_below(&rng, 300);
            assert_true(next_id + (int64_t)n <= MAX_IDS);
            assert_int_equal(
                small_table_append(h->versions[v - 1], next_id, n, NULL, &h->versions[v], NULL),
                PN_OK);
            for (size_t i = 0; i < n; i++)
                h->there[v][next_id++] = true;
        } else {
            char filter[64];
            uint64_t n;
            int modulus = 3 + (int)pn_rng_below(&rng, 9), rest = (int)pn_rng_below(&rng, 3);
            (void)snprintf(filter, sizeof filter, "id %% %d = %d", modulus, rest);
            assert_int_equal(
                small_table_delete(h->versions[v - 1], filter, &n, &h->versions[v], NULL), PN_OK);
            for (int id = rest; id < MAX_IDS; id += modulus)
                h->there[v][id] = false;
        }
    }
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    history *h = *state;
    for (int v = 0; v < N_VERSIONS; v++)
        pn_dataset_unref(h->versions[v]);
    pn_status status = pn_dir_remove_all(h->folder, NULL);
    pn_arena_reset(&h->arena);
    free(h);
    return status != PN_OK;
}

/* Is version v what it should be? No assertions: it runs in threads. */
static bool version_is_right(history *h, int v, size_t batch_rows)
{
    pn_scan *scan;
    pn_scan_options options = PN_SCAN_OPTIONS_INIT;
    static const char *const columns[] = {"vector", "id"};
    options.columns = columns;
    options.n_columns = 2;
    options.batch_rows = batch_rows;
    if (pn_scan_begin(h->versions[v], &options, &scan, NULL) != PN_OK)
        return false;
    bool right = true;
    int64_t last = -1;
    for (;;) {
        pn_batch batch;
        const pn_row_addr *addrs;
        right = right && pn_scan_next(scan, &batch, &addrs, NULL) == PN_OK;
        if (!right || batch.n_rows == 0)
            break;
        for (size_t i = 0; i < batch.n_rows; i++) {
            int64_t id = pn_array_i64(&batch.columns[1], i);
            for (int64_t skipped = last + 1; skipped < id; skipped++)
                right = right && !h->there[v][skipped];
            right = right && id > last && h->there[v][id] && (i == 0 || addrs[i] > addrs[i - 1]);
            right = right && pn_array_floats(&batch.columns[0], i)[0] == (float)id;
            last = id;
        }
    }
    for (int64_t skipped = last + 1; skipped < MAX_IDS; skipped++)
        right = right && !h->there[v][skipped];
    pn_scan_end(scan);
    return right;
}

static void scans__see_their_version_only(void **state)
{
    history *h = *state;
    for (int v = 0; v < N_VERSIONS; v++) {
        assert_true(version_is_right(h, v, 0));
        assert_true(version_is_right(h, v, 1 + (size_t)v * 5));
    }
}

typedef struct shared {
    history *h;
    atomic_int n_wrong;
} shared;

static void read_one(void *context, size_t i, unsigned worker)
{
    shared *s = context;
    (void)worker;
    const pn_vector_run *runs;
    size_t n_runs;
    pn_dataset *t = s->h->versions[i % N_VERSIONS];
    if (!version_is_right(s->h, (int)(i % N_VERSIONS), 64))
        s->n_wrong++;
    for (size_t f = 0; f < pn_dataset_n_fragments(t); f++)
        if (pn_dataset_vectors(t, f, "vector", &runs, &n_runs, NULL) != PN_OK)
            s->n_wrong++;
}

static void threads__share_versions_and_files(void **state)
{
    shared s = {.h = *state};
    pn_pool *pool;
    assert_int_equal(pn_pool_create(4, &pool, NULL), PN_OK);
    pn_pool_for(pool, N_VERSIONS * 4, read_one, &s);
    pn_pool_free(pool);
    assert_int_equal(s.n_wrong, 0);
}

static void filters__give_rows_and_rowsets(void **state)
{
    history *h = *state;
    static const struct {
        const char *filter;
        int modulus, rest, least;
    } cases[] = {{"id % 2 = 0", 2, 0, 0},
                 {"id >= 500 AND id % 4 = 1", 4, 1, 500},
                 {"metadata['mod'] = '2' AND id % 3 = 2", 3, 2, 0},
                 {"name IS NULL", 7, 3, 0},
                 {"id < 0", 1, 0, MAX_IDS}};
    for (size_t c = 0; c < PN_COUNT_OF(cases); c++) {
        pn_error err = {0};
        pn_scan *scan;
        pn_rowset rows;
        pn_dataset *t = h->versions[N_VERSIONS - 1];
        size_t n_want = 0, n_got = 0;
        static const char *const columns[] = {"id"};
        pn_scan_options options = PN_SCAN_OPTIONS_INIT;
        options.columns = columns;
        options.n_columns = 1;
        options.filter = cases[c].filter;
        for (int id = cases[c].least; id < MAX_IDS; id++)
            n_want += h->there[N_VERSIONS - 1][id] && id % cases[c].modulus == cases[c].rest &&
                      !(c == 2 && id % 5 == 0);
        if (pn_dataset_filter_rows(t, pn_str_of(cases[c].filter), &rows, &err) != PN_OK)
            fail_msg("%s", err.message);
        assert_int_equal(pn_rowset_count(&rows), n_want);
        assert_int_equal(pn_scan_begin(t, &options, &scan, &err), PN_OK);
        for (;;) {
            pn_batch batch;
            const pn_row_addr *addrs;
            assert_int_equal(pn_scan_next(scan, &batch, &addrs, &err), PN_OK);
            if (batch.n_rows == 0)
                break;
            for (size_t i = 0; i < batch.n_rows; i++) {
                int64_t id = pn_array_i64(&batch.columns[0], i);
                assert_true(id >= cases[c].least && id % cases[c].modulus == cases[c].rest);
                assert_true(pn_rowset_has(&rows, addrs[i]));
            }
            n_got += batch.n_rows;
        }
        assert_int_equal(n_got, n_want);
        pn_scan_end(scan);
        pn_rowset_reset(&rows);
    }
}

/* Of one fragment after another, deleted rows among them: each row that its file has, once. */
static void a_fragment_alone__is_read_with_its_deleted_rows(void **state)
{
    history *h = *state;
    static const char *const columns[] = {"id"};
    pn_dataset *t = h->versions[N_VERSIONS - 1];
    size_t n_physical = 0;
    for (size_t f = 0; f < pn_dataset_n_fragments(t); f++) {
        pn_error err = {0};
        pn_scan *scan;
        pn_batch batch = {.n_rows = 1};
        const pn_row_addr *addrs;
        pn_fragment_info info;
        uint32_t next = 0;
        pn_dataset_fragment(t, f, &info);
        pn_scan_options options = {.columns = columns, .n_columns = 1, .batch_rows = 100};
        options.first_id = info.id;
        options.end_id = (uint64_t)info.id + 1;
        options.deleted_too = true;
        assert_int_equal(pn_scan_begin(t, &options, &scan, &err), PN_OK);
        while (batch.n_rows > 0) {
            assert_int_equal(pn_scan_next(scan, &batch, &addrs, &err), PN_OK);
            for (size_t i = 0; i < batch.n_rows; i++)
                assert_true(addrs[i] == pn_row_addr_make(info.id, next++));
        }
        pn_scan_end(scan);
        assert_int_equal(next, info.physical_rows);
        n_physical += next;
    }
    assert_true(n_physical > pn_dataset_count_rows(t));
}

static void mistakes__are_refused_by_name(void **state)
{
    history *h = *state;
    pn_error err = {0};
    pn_scan *scan;
    pn_batch batch;
    pn_rowset rows;
    const pn_vector_run *runs;
    size_t n_runs;
    pn_dataset *t = h->versions[N_VERSIONS - 1];
    static const char *const columns[] = {"idd"};
    pn_scan_options options = {.columns = columns, .n_columns = 1};
    assert_int_equal(pn_scan_begin(t, &options, &scan, &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "\"idd\""));
    options = (pn_scan_options){.filter = "colour = 1"};
    assert_int_equal(pn_scan_begin(t, &options, &scan, &err), PN_ERR_INVALID);
    assert_int_equal(pn_dataset_filter_rows(t, pn_str_of("id ="), &rows, &err), PN_ERR_INVALID);
    assert_int_equal(pn_dataset_vectors(t, 0, "name", &runs, &n_runs, &err), PN_ERR_INVALID);
    pn_row_addr addr = pn_row_addr_make(4711, 0);
    assert_int_equal(pn_dataset_take(t, &addr, 1, NULL, 0, &h->arena, &batch, &err),
                     PN_ERR_NOT_FOUND);
    assert_int_equal(pn_dataset_take(t, &addr, 0, NULL, 0, &h->arena, &batch, &err), PN_OK);
    assert_int_equal(batch.n_rows, 0);
}

/* Every row's vector, deleted ones included, in runs that cover the fragment. */
static void vectors__are_mapped_runs_of_all_rows(void **state)
{
    history *h = *state;
    pn_dataset *t = h->versions[N_VERSIONS - 1];
    for (size_t f = 0; f < pn_dataset_n_fragments(t); f++) {
        pn_error err = {0};
        const pn_vector_run *runs, *again;
        size_t n_runs;
        pn_fragment_info info;
        uint32_t at = 0;
        pn_dataset_fragment(t, f, &info);
        assert_int_equal(pn_dataset_vectors(t, f, "vector", &runs, &n_runs, &err), PN_OK);
        for (size_t r = 0; r < n_runs; at += runs[r++].n_rows) {
            assert_int_equal(runs[r].first_row, at);
            assert_int_equal((uintptr_t)runs[r].vectors % 64, 0);
            for (uint32_t i = 0; i < runs[r].n_rows * SMALL_TABLE_DIM; i++)
                assert_true(runs[r].vectors[i] - runs[r].vectors[0] ==
                            (float)(i / SMALL_TABLE_DIM) +
                                (float)(i % SMALL_TABLE_DIM) / SMALL_TABLE_DIM);
        }
        assert_int_equal(at, info.physical_rows);
        assert_int_equal(pn_dataset_vectors(t, f, "vector", &again, &n_runs, &err), PN_OK);
        assert_ptr_equal(again, runs); // made once
    }
}

/* Nullable, short, of another version: decoded, with NaN where there is no number. */
static void vectors_of_others__become_runs_too(void **state)
{
    (void)state;
    char root[GOLDEN_PATH_BYTES];
    golden_require("lance/fixtures", root);
    static const char *const columns[] = {"vec64", "vec64null", "vec4", "vec4null", "vec4inner"};
    static const char *const tables[] = {"v2.2/vectors70.lance", "v2.1/vectors70.lance"};
    for (size_t c = 0; c < PN_COUNT_OF(columns) * PN_COUNT_OF(tables); c++) {
        pn_error err = {0};
        pn_dataset *t;
        pn_scan *scan;
        pn_batch batch;
        const pn_row_addr *addrs;
        const pn_vector_run *runs;
        size_t n_runs, n_nan = 0, at = 0, run = 0;
        const char *column = columns[c % PN_COUNT_OF(columns)];
        pn_scan_options options = {.columns = &column, .n_columns = 1};
        assert_int_equal(
            pn_dataset_open(golden_join(root, tables[c / PN_COUNT_OF(columns)]), 0, &t, &err),
            PN_OK);
        if (pn_dataset_vectors(t, 0, column, &runs, &n_runs, &err) != PN_OK)
            fail_msg("%s", err.message);
        assert_int_equal(pn_scan_begin(t, &options, &scan, &err), PN_OK);
        assert_int_equal(pn_scan_next(scan, &batch, &addrs, &err), PN_OK);
        assert_int_equal(batch.n_rows, 70);
        const pn_array *values = &batch.columns[0];
        size_t dim = (size_t)values->field->size;
        for (size_t i = 0; i < 70; i++, at++) {
            if (at == runs[run].n_rows) {
                run++;
                at = 0;
            }
            for (size_t k = 0; k < dim; k++) {
                float got = runs[run].vectors[at * dim + k];
                bool valid = pn_array_is_valid(values, i) &&
                             pn_array_is_valid(&values->children[0], i * dim + k);
                n_nan += !valid;
                assert_true(valid ? got == pn_array_floats(values, i)[k] : isnan(got));
            }
        }
        assert_int_equal(n_nan > 0, strstr(column, "null") || strstr(column, "inner"));
        pn_scan_end(scan);
        pn_dataset_unref(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scans__see_their_version_only),
        cmocka_unit_test(threads__share_versions_and_files),
        cmocka_unit_test(filters__give_rows_and_rowsets),
        cmocka_unit_test(a_fragment_alone__is_read_with_its_deleted_rows),
        cmocka_unit_test(mistakes__are_refused_by_name),
        cmocka_unit_test(vectors__are_mapped_runs_of_all_rows),
        cmocka_unit_test(vectors_of_others__become_runs_too),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
