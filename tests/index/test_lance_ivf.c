/*
 * test_lance_ivf.c - the vector indexes that LanceDB made of the fixture tables, whole and damaged
 *
 * Codes are right when the distances that they give are those that LanceDB's client printed. A damaged index is refused by name, or it
 * opens and answers with rows that are there, at their exact distances.
 */
#include "index/lance_ivf_parts.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/expected.h"
#include "support/faults.h"
#include "support/golden.h"
#include "support/scratch_folder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { K = 10 };

typedef struct fixture {
    pn_arena arena;
    char *table, *folder; /* of the index */
    json_t *search;
    pn_lance_file *data;
    size_t dim;
    pn_flat_run run;
    pn_lance_fragment fragment;
    pn_lance_rows rows;
    pn_lance_covered covered;
} fixture;

static void must(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("status %d: %s", (int)status, err->message);
}

/* The only thing in a folder. */
static char *only_entry(pn_arena *arena, const char *folder)
{
    char **names;
    size_t n;
    pn_error err = {0};
    must(pn_dir_list(folder, arena, &names, &n, &err), &err);
    assert_int_equal(n, 1);
    return pn_path_join(arena, folder, names[0]);
}

static void load(const char *name, fixture *f)
{
    char root[GOLDEN_PATH_BYTES];
    pn_error err = {0};
    pn_array array;
    golden_require("lance/fixtures/index", root);
    *f = (fixture){0};
    pn_arena_init(&f->arena, SIZE_MAX);
    f->table = pn_arena_printf(&f->arena, "%s/%s.lance", root, name);
    f->folder = only_entry(&f->arena, pn_path_join(&f->arena, f->table, "_indices"));
    f->search = expected_load(pn_arena_printf(&f->arena, "%s/%s.search.json", root, name));
    char *data = only_entry(&f->arena, pn_path_join(&f->arena, f->table, "data"));
    must(pn_lance_file_open(data, &f->data, &err), &err);
    const pn_schema *schema = pn_lance_file_schema(f->data);
    ptrdiff_t i = pn_schema_find(schema, pn_str_of("vector"));
    assert_true(i >= 0);
    f->dim = (size_t)schema->fields[i].size;
    int32_t column = pn_lance_file_leaf_column(f->data, (size_t)i);
    uint64_t n = pn_lance_file_rows(f->data);
    must(pn_lance_file_read(f->data, &schema->fields[i], &column, 1, 0, n, NULL, &f->arena, &array,
                            &err),
         &err);
    f->run = (pn_flat_run){
        .vectors = pn_array_floats(&array, 0), .n_rows = (uint32_t)n, .any_length = true};
    f->fragment = (pn_lance_fragment){0, &f->run, 1};
    f->rows = (pn_lance_rows){&f->fragment, 1};
    f->covered = (pn_lance_covered){0, (uint32_t)n};
}

static void unload(fixture *f)
{
    json_decref(f->search);
    pn_lance_file_close(f->data);
    pn_arena_reset(&f->arena);
}

static pn_lance_ivf *open_index(const fixture *f, const char *folder)
{
    pn_lance_ivf *ivf;
    pn_error err = {0};
    must(pn_lance_ivf_open(folder, f->dim, &f->covered, 1, &ivf, &err), &err);
    return ivf;
}

/* ---- codes ---- */

/* What the index makes of a row, as LanceDB's distances do. */
static void rebuild(const pn_lance_ivf *ivf, uint64_t position, float *out)
{
    size_t p = 0, width = ivf->n_subs > 0 ? ivf->dim / ivf->n_subs : 0;
    while (position >= ivf->starts[p + 1])
        p++;
    uint64_t n = ivf->starts[p + 1] - ivf->starts[p], at = position - ivf->starts[p];
    for (size_t i = 0; i < ivf->dim && ivf->is_flat; i++)
        out[i] = ivf->runs[0].vectors[position * ivf->dim + i];
    for (size_t m = 0; m < ivf->n_subs; m++) {
        uint8_t code = ivf->codes[ivf->starts[p] * ivf->n_subs + m * n + at];
        const float *word = ivf->codebook + (m * PN_LANCE_PQ_ENTRIES + code) * width;
        for (size_t i = 0; i < width; i++)
            out[m * width + i] =
                word[i] +
                (ivf->metric == PN_LANCE_DOT ? 0 : ivf->centroids[p * ivf->dim + m * width + i]);
    }
}

static uint64_t position_of(const pn_lance_ivf *ivf, uint64_t id)
{
    for (uint64_t i = 0; i < ivf->n_rows; i++)
        if (ivf->ids[i] == id)
            return i;
    fail_msg("row %zu is not in the index", (size_t)id);
    return 0;
}

static void read_query(const json_t *list, size_t dim, bool unit, float *out)
{
    double square = 0;
    for (size_t i = 0; i < dim; i++) {
        double x = json_number_value(json_array_get(list, i));
        out[i] = (float)x;
        square += x * x;
    }
    for (size_t i = 0; i < dim && unit; i++)
        out[i] = (float)(out[i] / sqrt(square));
}

/* The distance that LanceDB printed for a row, from what the index has of it. */
static double distance_of(const pn_lance_ivf *ivf, const float *query, const float *row)
{
    double square = 0, dot = 0;
    for (size_t i = 0; i < ivf->dim; i++) {
        square += ((double)query[i] - (double)row[i]) * ((double)query[i] - (double)row[i]);
        dot += (double)query[i] * (double)row[i];
    }
    if (ivf->metric == PN_LANCE_DOT || (ivf->metric == PN_LANCE_COSINE && ivf->is_flat))
        return 1 - dot;
    return square;
}

static void check_codes(const char *name, const char *kind, const char *metric)
{
    fixture f;
    size_t q, i;
    json_t *answer, *pair;
    pn_lance_ivf_info info;
    load(name, &f);
    pn_lance_ivf *ivf = open_index(&f, f.folder);
    pn_lance_ivf_info_get(ivf, &info);
    assert_string_equal(info.kind, kind);
    assert_string_equal(info.metric, metric);
    assert_int_equal(info.n_rows, f.run.n_rows);
    assert_int_equal(info.n_partitions, 4);
    float *query = PN_ARENA_NEW(&f.arena, float, f.dim),
          *row = PN_ARENA_NEW(&f.arena, float, f.dim);
    json_array_foreach(json_object_get(f.search, "ann"), q, answer)
    {
        bool unit = ivf->metric == PN_LANCE_COSINE;
        read_query(json_array_get(json_object_get(f.search, "queries"), q), f.dim, unit, query);
        json_array_foreach(answer, i, pair)
        {
            double want = json_number_value(json_array_get(pair, 1));
            uint64_t id = (uint64_t)json_integer_value(json_array_get(pair, 0));
            rebuild(ivf, position_of(ivf, id), row);
            double length = 0;
            for (size_t d = 0; d < f.dim; d++)
                length += (double)row[d] * (double)row[d];
            for (size_t d = 0; d < f.dim && unit && ivf->is_flat; d++)
                row[d] = (float)(row[d] / sqrt(length));
            double got = distance_of(ivf, query, row);
            if (fabs(got - want) > 1e-4 * (1 + fabs(want)))
                fail_msg("%s, query %zu, row %zu: %g, LanceDB says %g", name, q, (size_t)id, got,
                         want);
        }
    }
    pn_lance_ivf_close(ivf);
    unload(&f);
}

static void codes__give_the_distances_that_the_client_prints(void **state)
{
    (void)state;
    check_codes("ivf_pq", "IVF_PQ", "l2");
    check_codes("ivf_pq_cosine", "IVF_PQ", "cosine");
    check_codes("ivf_flat", "IVF_FLAT", "l2");
    check_codes("ivf_flat_cosine", "IVF_FLAT", "cosine");
    check_codes("ivf_flat_dot", "IVF_FLAT", "dot");
}

static void scores__are_products_with_what_the_codes_stand_for(void **state)
{
    static const char *const names[] = {"ivf_pq", "ivf_pq_cosine", "ivf_flat", "ivf_flat_dot"};
    (void)state;
    for (size_t t = 0; t < PN_COUNT_OF(names); t++) {
        fixture f;
        pn_error err = {0};
        pn_lance_tables tables;
        load(names[t], &f);
        pn_lance_ivf *ivf = open_index(&f, f.folder);
        float *query = PN_ARENA_NEW(&f.arena, float, f.dim),
              *row = PN_ARENA_NEW(&f.arena, float, f.dim);
        read_query(json_array_get(json_object_get(f.search, "queries"), 1), f.dim, true, query);
        must(pn_lance_tables_make(ivf, query, &f.arena, &tables, &err), &err);
        for (size_t p = 0; p < ivf->n_partitions; p++) {
            size_t n = (size_t)(ivf->starts[p + 1] - ivf->starts[p]);
            float *scores = PN_ARENA_NEW(&f.arena, float, n + 1);
            pn_lance_scores(ivf, &tables, p, 0, n, scores);
            for (size_t i = 0; i < n; i++) {
                double want = 0;
                rebuild(ivf, ivf->starts[p] + i, row);
                for (size_t d = 0; d < f.dim; d++)
                    want += (double)query[d] * (double)row[d];
                assert_true(fabs((double)scores[i] - want) < 1e-4);
            }
        }
        pn_lance_ivf_close(ivf);
        unload(&f);
    }
}

/* ---- searches ---- */

/* The k nearest by looking at all, with the same masks. */
static void scan(const fixture *f, const float *query, const uint64_t *allowed, pn_topk *out)
{
    pn_error err = {0};
    pn_flat_run run = f->run;
    run.allowed = allowed;
    must(pn_flat_search(&run, 1, query, f->dim, -INFINITY, NULL, NULL, out, &err), &err);
}

static void assert_same(const pn_topk *a, const pn_topk *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->heap[i].id, b->heap[i].id);
        assert_true(a->heap[i].distance == b->heap[i].distance);
    }
}

static void search_all(const fixture *f, const pn_lance_ivf *ivf, const float *query,
                       const pn_rowset *allowed)
{
    pn_candidate heap[K], truth[K];
    pn_topk top, want;
    pn_lance_stats stats;
    pn_error err = {0};
    const pn_lance_query asked = {.vector = query,
                                  .effort = {(uint32_t)ivf->n_partitions, f->run.n_rows},
                                  .rows = &f->rows,
                                  .allowed = allowed};
    pn_topk_init(&top, heap, K);
    pn_topk_init(&want, truth, K);
    const pn_rowset_part *part = allowed ? pn_rowset_find(allowed, 0) : NULL;
    must(pn_lance_ivf_search(ivf, &asked, &top, &stats, &err), &err);
    scan(f, query, part ? part->words : NULL, &want);
    assert_same(&top, &want);
    assert_int_equal(stats.n_scanned, ivf->n_rows);
}

static void search__with_all_effort_is_a_scan(void **state)
{
    static const char *const names[] = {"ivf_pq", "ivf_pq_cosine", "ivf_flat", "ivf_flat_cosine",
                                        "ivf_flat_dot"};
    (void)state;
    for (size_t t = 0; t < PN_COUNT_OF(names); t++) {
        fixture f;
        pn_error err = {0};
        pn_rowset allowed;
        pn_rowset_part *part;
        load(names[t], &f);
        pn_lance_ivf *ivf = open_index(&f, f.folder);
        float *query = PN_ARENA_NEW(&f.arena, float, f.dim);
        uint64_t *deleted = PN_ARENA_NEW(&f.arena, uint64_t, pn_words_for_bits(f.run.n_rows));
        pn_rowset_init(&allowed);
        must(pn_rowset_part_get(&allowed, 0, f.run.n_rows, &part, &err), &err);
        for (uint32_t i = 0; i < f.run.n_rows; i++) {
            if (i % 3 == 1)
                pn_word_bit_set(part->words, i);
            if (i % 5 == 0)
                pn_word_bit_set(deleted, i);
        }
        for (size_t q = 0; q < 4; q++) {
            read_query(json_array_get(json_object_get(f.search, "queries"), q), f.dim, true, query);
            f.run.deleted = NULL;
            search_all(&f, ivf, query, NULL);
            search_all(&f, ivf, query, &allowed);
            f.run.deleted = deleted;
            search_all(&f, ivf, query, NULL);
            search_all(&f, ivf, query, &allowed);
        }
        pn_rowset_reset(&allowed);
        pn_lance_ivf_close(ivf);
        unload(&f);
    }
}

static void search__gives_k_rows_with_the_least_effort(void **state)
{
    (void)state;
    fixture f;
    pn_error err = {0};
    pn_candidate heap[300];
    pn_topk top;
    pn_lance_stats stats;
    load("ivf_pq_cosine", &f);
    pn_lance_ivf *ivf = open_index(&f, f.folder);
    float *query = PN_ARENA_NEW(&f.arena, float, f.dim);
    read_query(json_array_get(json_object_get(f.search, "queries"), 2), f.dim, true, query);
    const pn_lance_query asked = {.vector = query, .effort = {1, 1}, .rows = &f.rows};
    pn_topk_init(&top, heap, 300); // more than a partition has
    must(pn_lance_ivf_search(ivf, &asked, &top, &stats, &err), &err);
    assert_int_equal(top.n, 300);
    assert_true(stats.n_partitions > 1);
    for (size_t i = 1; i < top.n; i++)
        assert_true(pn_candidate_before(top.heap[i - 1], top.heap[i]));
    const _Atomic bool yes = true;
    const pn_lance_query stopped = {
        .vector = query, .effort = {1, 1}, .rows = &f.rows, .cancel = &yes};
    top.n = 0;
    assert_int_equal(pn_lance_ivf_search(ivf, &stopped, &top, &stats, &err), PN_ERR_CANCELLED);
    pn_lance_ivf_close(ivf);
    unload(&f);
}

/* ---- effort ---- */

static void effort__what_was_measured_is_what_is_found(void **state)
{
    (void)state;
    fixture f;
    pn_error err = {0};
    pn_lance_measure measure;
    float recall;
    load("ivf_pq_cosine", &f);
    pn_lance_ivf *ivf = open_index(&f, f.folder);
    must(pn_lance_ivf_measure(ivf, &f.rows, NULL, 0, NULL, NULL, &measure, &err), &err);
    assert_int_equal(measure.probes[measure.n_probe_levels - 1], ivf->n_partitions);
    /* All rows are in the sample: more effort finds no less, and all of it everything. */
    for (size_t p = 0; p < measure.n_probe_levels; p++)
        for (size_t r = 1; r < measure.n_refine_levels; r++)
            assert_true(measure.kinds[0].recall[0][p][r] >=
                        measure.kinds[0].recall[0][p][r - 1] - 0.01f);
    assert_true(
        measure.kinds[0].recall[0][measure.n_probe_levels - 1][measure.n_refine_levels - 1] == 1);
    assert_false(measure.kinds[PN_LANCE_TEXTS].is_measured);
    float *row = PN_ARENA_NEW(&f.arena, float, f.dim);
    read_query(json_array_get(json_object_get(f.search, "queries"), 2), f.dim, true, row);
    pn_lance_wish wish = {row, 1, K, 0.8f};
    pn_lance_effort some = pn_lance_ivf_effort_for(ivf, &measure, &wish, &recall);
    assert_true(recall >= 0.8f);
    size_t found = 0, wanted = 0;
    for (uint32_t self = 0; self < f.run.n_rows; self += 2) {
        pn_candidate heap[K + 1], truth[K + 1];
        pn_topk top, want;
        pn_lance_stats stats;
        float *query = PN_ARENA_NEW(&f.arena, float, f.dim);
        double square = 0;
        for (size_t i = 0; i < f.dim; i++) {
            query[i] = f.run.vectors[self * f.dim + i];
            square += (double)query[i] * (double)query[i];
        }
        for (size_t i = 0; i < f.dim; i++)
            query[i] = (float)(query[i] / sqrt(square));
        pn_topk_init(&top, heap, K + 1); // one is the row itself
        pn_topk_init(&want, truth, K + 1);
        some.refined += some.refined > 1; // likewise
        const pn_lance_query asked = {.vector = query, .effort = some, .rows = &f.rows};
        must(pn_lance_ivf_search(ivf, &asked, &top, &stats, &err), &err);
        some.refined -= some.refined > 1;
        scan(&f, query, NULL, &want);
        for (size_t i = 0; i < want.n; i++)
            for (size_t j = 0; j < top.n && want.heap[i].id != self; j++)
                found += want.heap[i].id == top.heap[j].id;
        wanted += want.n - 1;
    }
    double got = (double)found / (double)wanted;
    if (fabs(got - (double)recall) > 0.06)
        fail_msg("promised %.3f, found %.3f", (double)recall, got);
    pn_lance_effort one = pn_lance_ivf_effort_at(ivf, &measure, &wish, 1, &recall);
    assert_int_equal(one.partitions, 1);
    assert_true(recall > 0);
    /* What cannot be promised is not. */
    wish.k = 100000;
    (void)pn_lance_ivf_effort_for(ivf, &measure, &wish, &recall);
    assert_true(recall == 0);
    wish.k = K;
    wish.min_recall = 1.1f;
    (void)pn_lance_ivf_effort_for(ivf, &measure, &wish, &recall);
    assert_true(recall == 0);
    wish.min_recall = 0.8f;
    for (size_t i = 0; i < f.dim; i++)
        row[i] = 0;
    (void)pn_lance_ivf_effort_for(ivf, &measure, &wish, &recall);
    assert_true(recall == 0); // unlike all that was asked
    (void)pn_lance_ivf_effort_at(ivf, &measure, &wish, 2, &recall);
    assert_true(recall == 0);
    pn_lance_ivf_close(ivf);
    unload(&f);
}

/* ---- refused ---- */

static void assert_refused(const char *name, pn_status status, const char *word)
{
    fixture f;
    pn_lance_ivf *ivf;
    pn_error err = {0};
    load(name, &f);
    assert_int_equal(pn_lance_ivf_open(f.folder, f.dim, &f.covered, 1, &ivf, &err), status);
    if (!strstr(err.message, word) || !strstr(err.message, ".idx"))
        fail_msg("%s: \"%s\" does not say \"%s\"", name, err.message, word);
    unload(&f);
}

static void other_kinds__are_refused_by_name(void **state)
{
    (void)state;
    assert_refused("ivf_rq", PN_ERR_UNSUPPORTED, "IVF_RQ");
    assert_refused("hnsw_sq", PN_ERR_UNSUPPORTED, "IVF_HNSW_SQ");
    assert_refused("hnsw_pq", PN_ERR_UNSUPPORTED, "IVF_HNSW_PQ");
    assert_refused("ivf_pq_4bit", PN_ERR_UNSUPPORTED, "4 bits");
}

static void another_table__is_refused(void **state)
{
    (void)state;
    fixture f;
    pn_lance_ivf *ivf;
    pn_error err = {0};
    load("ivf_pq", &f);
    assert_int_equal(pn_lance_ivf_open(f.folder, f.dim / 2, &f.covered, 1, &ivf, &err),
                     PN_ERR_CORRUPT); // vectors of another length
    pn_lance_covered fewer = {0, f.run.n_rows - 1};
    assert_int_equal(pn_lance_ivf_open(f.folder, f.dim, &fewer, 1, &ivf, &err), PN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "beyond"));
    /* Fragments that have gone since are passed over. */
    pn_lance_covered other = {7, f.run.n_rows};
    must(pn_lance_ivf_open(f.folder, f.dim, &other, 1, &ivf, &err), &err);
    assert_null(pn_lance_ivf_listed(ivf, 0, f.run.n_rows));
    const uint64_t *words = pn_lance_ivf_listed(ivf, 7, f.run.n_rows);
    assert_non_null(words);
    assert_int_equal(words[0], 0);
    assert_null(pn_lance_ivf_listed(ivf, 7, f.run.n_rows + 1));
    pn_lance_ivf_close(ivf);
    assert_int_equal(pn_lance_ivf_open("/nowhere", f.dim, &f.covered, 1, &ivf, &err),
                     PN_ERR_NOT_FOUND);
    unload(&f);
}

/* ---- damage ---- */

typedef struct pair {
    uint8_t *bytes[2];
    size_t n[2];
    char *folder, *paths[2];
} pair;

static void read_pair(fixture *f, scratch_folder *s, pair *out)
{
    static const char *const names[] = {"index.idx", "auxiliary.idx"};
    out->folder = s->path;
    for (size_t i = 0; i < 2; i++) {
        out->bytes[i] = golden_read_bytes(pn_path_join(&f->arena, f->folder, names[i]), &out->n[i]);
        out->paths[i] = scratch_path(s, names[i]);
        golden_write_bytes(out->paths[i], out->bytes[i], out->n[i]);
    }
}

/* Open what is there; true when it opened, and then its answers are of the table. */
static bool try_pair(const fixture *f, const pair *p, const float *query)
{
    pn_lance_ivf *ivf;
    pn_error err = {0};
    pn_candidate heap[K];
    pn_topk top;
    pn_lance_stats stats;
    pn_status status = pn_lance_ivf_open(p->folder, f->dim, &f->covered, 1, &ivf, &err);
    if (status != PN_OK) {
        assert_non_null(strstr(err.message, ".idx"));
        return false;
    }
    const pn_lance_query asked = {.vector = query, .effort = {2, 50}, .rows = &f->rows};
    pn_topk_init(&top, heap, K);
    must(pn_lance_ivf_search(ivf, &asked, &top, &stats, &err), &err);
    for (size_t i = 0; i < top.n; i++) {
        const pn_flat_run *run;
        const float *x = pn_lance_vector_at(&f->rows, f->dim, top.heap[i].id, &run);
        assert_non_null(x);
        double dot = 0, square = 0;
        for (size_t d = 0; d < f->dim; d++) {
            dot += (double)x[d] * (double)query[d];
            square += (double)x[d] * (double)x[d];
        }
        assert_true(fabs(1 - dot / sqrt(square) - (double)top.heap[i].distance) < 1e-5);
        assert_true(i == 0 || top.heap[i].id != top.heap[i - 1].id);
    }
    pn_lance_ivf_close(ivf);
    return true;
}

static void damage(const char *name, scratch_folder *s)
{
    fixture f;
    pair p;
    load(name, &f);
    read_pair(&f, s, &p);
    float *query = PN_ARENA_NEW(&f.arena, float, f.dim);
    read_query(json_array_get(json_object_get(f.search, "queries"), 0), f.dim, true, query);
    assert_true(try_pair(&f, &p, query));
    pn_rng rng = pn_rng_seed(7);
    size_t n_opened = 0, n_refused = 0;
    for (size_t file = 0; file < 2; file++) {
        /* The whole of the coarse file's tail, and of the other one's: that is where what leads somewhere is. */
        size_t tail = PN_MIN(p.n[file], (size_t)2500);
        uint8_t *copy = pn_alloc(p.n[file]);
        for (size_t turn = 0; turn < 600; turn++) {
            memcpy(copy, p.bytes[file], p.n[file]);
            size_t at =
                turn % 2 ? p.n[file] - 1 - pn_rng_below(&rng, tail) : pn_rng_below(&rng, p.n[file]);
            copy[at] = (uint8_t)(copy[at] ^ (1u << pn_rng_below(&rng, 8)));
            golden_write_bytes(p.paths[file], copy, p.n[file]);
            bool opened = try_pair(&f, &p, query);
            n_opened += opened;
            n_refused += !opened;
        }
        for (size_t turn = 0; turn < 60; turn++) {
            golden_write_bytes(p.paths[file], p.bytes[file], pn_rng_below(&rng, p.n[file]));
            assert_false(try_pair(&f, &p, query));
        }
        golden_write_bytes(p.paths[file], p.bytes[file], p.n[file]);
        pn_free(copy);
    }
    assert_true(n_opened > 0 && n_refused > 0);
    for (size_t i = 0; i < 2; i++)
        golden_bytes_free(p.bytes[i]);
    unload(&f);
}

static void damaged_codes__are_refused_or_answer_with_rows_of_the_table(void **state)
{
    damage("ivf_pq_cosine", *state);
}

static void damaged_vectors__are_refused_or_answer_with_rows_of_the_table(void **state)
{
    damage("ivf_flat", *state);
}

/* ---- faults ---- */

static pn_status all_of_it(void *context, pn_error *err)
{
    fixture *f = context;
    pn_lance_ivf *ivf;
    pn_candidate heap[K];
    pn_topk top;
    pn_lance_stats stats;
    const float *query = f->run.vectors; // of any length: only the work counts
    PN_TRY(pn_lance_ivf_open(f->folder, f->dim, &f->covered, 1, &ivf, err));
    pn_topk_init(&top, heap, K);
    const pn_lance_query asked = {.vector = query, .effort = {2, 50}, .rows = &f->rows};
    pn_status status = pn_lance_ivf_search(ivf, &asked, &top, &stats, err);
    pn_lance_ivf_close(ivf);
    return status;
}

/* Measuring allocates for every query: some of those that fail. */
static void measure_with_faults(const fixture *f)
{
    pn_error err = {0};
    pn_lance_measure measure;
    pn_lance_ivf *ivf = open_index(f, f->folder);
    pn_status status = PN_ERR_NOMEM;
    for (int64_t n = 1; status != PN_OK; n += 1 + n / 2) {
        int64_t live = pn_alloc_live();
        pn_alloc_fail_after(n);
        status = pn_lance_ivf_measure(ivf, &f->rows, NULL, 0, NULL, NULL, &measure, &err);
        pn_alloc_fail_after(0);
        assert_true(status == PN_OK || status == PN_ERR_NOMEM);
        assert_int_equal(pn_alloc_live(), live);
        assert_true(status != PN_OK || n > 100);
    }
    pn_lance_ivf_close(ivf);
}

static void memory__that_is_refused_is_told_of(void **state)
{
    (void)state;
    fixture f;
    load("ivf_pq_cosine", &f);
    assert_true(faults_each_allocation(all_of_it, &f) > 10);
    measure_with_faults(&f);
    unload(&f);
    load("ivf_flat", &f);
    assert_true(faults_each_allocation(all_of_it, &f) > 10);
    measure_with_faults(&f);
    unload(&f);
}

#define IN_A_FOLDER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, scratch_folder_setup, scratch_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes__give_the_distances_that_the_client_prints),
        cmocka_unit_test(scores__are_products_with_what_the_codes_stand_for),
        cmocka_unit_test(search__with_all_effort_is_a_scan),
        cmocka_unit_test(search__gives_k_rows_with_the_least_effort),
        cmocka_unit_test(effort__what_was_measured_is_what_is_found),
        cmocka_unit_test(other_kinds__are_refused_by_name),
        cmocka_unit_test(another_table__is_refused),
        IN_A_FOLDER(damaged_codes__are_refused_or_answer_with_rows_of_the_table),
        IN_A_FOLDER(damaged_vectors__are_refused_or_answer_with_rows_of_the_table),
        cmocka_unit_test(memory__that_is_refused_is_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
