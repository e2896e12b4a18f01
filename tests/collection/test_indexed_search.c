/*
 * test_indexed_search.c - a table with indexes, against the same table searched exactly
 *
 * Rows come, go and are indexed in any order, by this engine and by another of the same table. Always: k rows whenever k pass, no
 * deleted one, distances that are those of the rows, and what was just added is found. On average: the recall that was asked for.
 */
#include "collection/local_engine.h"
#include "support/vector_table.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "collection/index_upkeep.h"
#include "column/builder.h"
#include "kernels/kernels.h"
#include "os/dir.h"
#include "os/fd.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { DIM = 16, ROWS = 41000, K = 10, TEXTS = 60 };

typedef struct world {
    pn_arena arena;
    char *folder, *path;
    pn_pool *pool;
    pn_engine *engine;
    pn_schema schema;
    vector_table table; /* row i has the id i */
    float *texts;
    bool *alive;
    size_t n; /* rows so far */
} world;

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

static void open_engine(world *w)
{
    pn_error err = {0};
    pn_engine_free(w->engine);
    check(pn_local_engine_open(w->path, w->pool, &w->engine, &err), &err);
}

static world *make_world(uint64_t seed)
{
    pn_error err = {0};
    pn_schema full;
    world *w = pn_alloc_zero(sizeof *w);
    assert_non_null(w);
    pn_arena_init(&w->arena, SIZE_MAX);
    vector_table_make(&(vector_table_options){ROWS, DIM, 200, 1, false, seed}, &w->table);
    w->texts = vector_table_texts(&w->table, TEXTS, seed);
    w->alive = pn_alloc_zero(ROWS);
    assert_non_null(w->alive);
    check(pn_image_schema_make(DIM, "test", "test model", "none", &w->arena, &full, &err), &err);
    full.n_fields = 3; /* id, vector, path */
    w->schema = (pn_schema){.fields = full.fields, .n_fields = 3};
    check(pn_dir_make_temporary("pennon-indexed", &w->arena, &w->folder, &err), &err);
    w->path = pn_path_join(&w->arena, w->folder, "images.lance");
    check(pn_pool_create(2, &w->pool, &err), &err);
    check(pn_local_engine_create(w->path, &full, w->pool, &w->engine, &err), &err);
    return w;
}

static void free_world(world *w)
{
    pn_error err = {0};
    pn_engine_free(w->engine);
    pn_pool_free(w->pool);
    check(pn_dir_remove_all(w->folder, &err), &err);
    vector_table_free(&w->table);
    pn_free(w->texts);
    pn_free(w->alive);
    pn_arena_reset(&w->arena);
    pn_free(w);
}

/* ---- rows that come and go */

static void build_columns(const world *w, pn_builder **b, size_t first, size_t n)
{
    pn_error err = {0};
    char text[32];
    for (size_t i = first; i < first + n; i++) {
        check(pn_builder_append_i64(b[0], (int64_t)i, &err), &err);
        check(pn_builder_append_floats(b[1], w->table.vectors + i * DIM, DIM, &err), &err);
        (void)snprintf(text, sizeof text, "%zu.jpg", i);
        check(pn_builder_append_bytes(b[2], text, strlen(text), &err), &err);
    }
}

static void append(world *w, size_t n)
{
    pn_error err = {0};
    pn_builder *builders[3];
    pn_array arrays[3];
    pn_snapshot *snapshot;
    assert_true(w->n + n <= ROWS);
    for (size_t c = 0; c < 3; c++)
        check(pn_builder_create(&w->schema.fields[c], 1 << 26, &builders[c], &err), &err);
    build_columns(w, builders, w->n, n);
    for (size_t c = 0; c < 3; c++)
        check(pn_builder_view(builders[c], &arrays[c], &err), &err);
    pn_batch batch = {.schema = &w->schema, .columns = arrays, .n_rows = n};
    check(w->engine->pin(w->engine->self, &snapshot, &err), &err);
    check(w->engine->append(w->engine->self, snapshot, &batch, NULL, &err), &err);
    w->engine->unpin(w->engine->self, snapshot);
    for (size_t c = 0; c < 3; c++)
        pn_builder_free(builders[c]);
    memset(w->alive + w->n, true, n);
    w->n += n;
}

static void delete_range(world *w, size_t first, size_t end)
{
    char text[80];
    uint64_t n;
    pn_error err = {0};
    (void)snprintf(text, sizeof text, "id >= %zu AND id < %zu", first, end);
    check(w->engine->delete_where(w->engine->self, text, &n, &err), &err);
    memset(w->alive + first, false, PN_MIN(end, w->n) - first);
}

static pn_engine_index_report build(world *w, pn_engine_index_options o)
{
    pn_error err = {0};
    pn_engine_index_report report;
    o.texts = w->texts;
    o.n_texts = TEXTS;
    o.pool = w->pool;
    check(w->engine->index_build(w->engine->self, &o, &report, &err), &err);
    return report;
}

static pn_engine_index_status status_of(world *w, pn_arena *arena)
{
    pn_error err = {0};
    pn_snapshot *snapshot;
    pn_engine_index_status status;
    check(w->engine->pin(w->engine->self, &snapshot, &err), &err);
    check(w->engine->index_status(w->engine->self, snapshot, arena, &status, &err), &err);
    w->engine->unpin(w->engine->self, snapshot);
    return status;
}

/* ---- questions */

typedef struct answer {
    pn_candidate found[K];
    size_t n;
    int64_t ids[K];
    pn_engine_search_stats stats;
} answer;

static answer ask_engine(pn_engine *engine, const pn_engine_search *asked)
{
    static const char *const columns[] = {PN_COLUMN_ID};
    pn_error err = {0};
    answer a = {.n = 0};
    pn_topk topk;
    pn_snapshot *snapshot;
    pn_arena arena;
    pn_batch batch;
    pn_row_addr addrs[K];
    pn_topk_init(&topk, a.found, K);
    pn_arena_init(&arena, SIZE_MAX);
    check(engine->pin(engine->self, &snapshot, &err), &err);
    check(engine->search(engine->self, snapshot, asked, &topk, &a.stats, &err), &err);
    a.n = topk.n;
    for (size_t i = 0; i < a.n; i++)
        addrs[i] = a.found[i].id;
    check(engine->take(engine->self, snapshot, addrs, a.n, columns, 1, &arena, &batch, &err), &err);
    for (size_t i = 0; i < a.n; i++)
        a.ids[i] = pn_array_i64(&batch.columns[0], i);
    engine->unpin(engine->self, snapshot);
    pn_arena_reset(&arena);
    return a;
}

static void check_answer(const world *w, const answer *a, const float *query)
{
    for (size_t i = 0; i < a->n; i++) {
        size_t id = (size_t)a->ids[i];
        float distance = 1 - pn_kernels_get()->dot_f32(query, w->table.vectors + id * DIM, DIM);
        assert_true(id < w->n && w->alive[id]);
        assert_true(fabsf(distance - a->found[i].distance) < 1e-5f);
        assert_true(i == 0 || pn_candidate_before(a->found[i - 1], a->found[i]));
    }
}

/* The share of the exact answer that was found. */
static double ask_as(world *w, pn_engine_search asked, pn_engine_search_stats *stats)
{
    answer found = ask_engine(w->engine, &asked);
    asked.exact = true;
    answer truth = ask_engine(w->engine, &asked);
    assert_int_equal(found.n, truth.n);
    assert_int_equal(found.n, PN_MIN((uint64_t)K, found.stats.n_matching));
    assert_int_equal(found.stats.n_matching, truth.stats.n_matching);
    assert_true(strncmp(truth.stats.plan, "exact", 5) == 0 && truth.stats.recall >= 1);
    check_answer(w, &found, asked.query);
    check_answer(w, &truth, asked.query);
    if (stats)
        *stats = found.stats;
    size_t good = 0;
    for (size_t i = 0; i < found.n; i++)
        good += found.found[i].distance <= truth.found[truth.n - 1].distance + 1e-6f;
    return found.n > 0 ? (double)good / (double)found.n : 1;
}

static double ask(world *w, const float *query, const char *filter, float min_recall,
                  pn_engine_search_stats *stats)
{
    const pn_engine_search asked = {
        .query = query, .k = K, .filter = filter, .min_recall = min_recall};
    return ask_as(w, asked, stats);
}

static void any_query(const world *w, pn_rng *rng, float *out)
{
    if (pn_rng_below(rng, 3) == 0)
        memcpy(out, w->texts + pn_rng_below(rng, TEXTS) * DIM, DIM * sizeof *out);
    else
        vector_table_picture(&w->table, rng, out);
}

static double mean_recall(world *w, pn_rng *rng, size_t n, const char *filter)
{
    double sum = 0;
    float query[DIM];
    for (size_t i = 0; i < n; i++) {
        any_query(w, rng, query);
        sum += ask(w, query, filter, 0, NULL);
    }
    return sum / (double)n;
}

/* ---- the tests */

static bool is_due(world *w)
{
    pn_error err = {0};
    pn_snapshot *snapshot;
    bool due;
    check(w->engine->pin(w->engine->self, &snapshot, &err), &err);
    check(w->engine->index_due(w->engine->self, snapshot, &due, &err), &err);
    w->engine->unpin(w->engine->self, snapshot);
    return due;
}

static pn_engine_upkeep_report fold(world *w)
{
    pn_error err = {0};
    pn_engine_upkeep_report report;
    const pn_engine_upkeep_options all = {.all = true, .retention_ms = -1};
    check(w->engine->upkeep(w->engine->self, &all, &report, &err), &err);
    return report;
}

static size_t count_fragments(world *w)
{
    pn_error err = {0};
    pn_snapshot *snapshot;
    pn_engine_info info;
    check(w->engine->pin_newest(w->engine->self, &snapshot, &err), &err);
    w->engine->info(w->engine->self, snapshot, &info);
    w->engine->unpin(w->engine->self, snapshot);
    return (size_t)info.n_fragments;
}

static size_t count_alive(const world *w, size_t end)
{
    size_t n = 0;
    for (size_t i = 0; i < end; i++)
        n += w->alive[i];
    return n;
}

/* The index answers for these rows, the rest is scanned; and both together are right. */
static void check_cover(world *w, pn_rng *rng, size_t n_covered)
{
    pn_arena arena;
    pn_engine_search_stats stats;
    float query[DIM];
    pn_arena_init(&arena, SIZE_MAX);
    pn_engine_index_status status = status_of(w, &arena);
    assert_int_equal(status.n_covered, n_covered);
    assert_int_equal(status.n_uncovered, count_alive(w, w->n) - n_covered);
    pn_arena_reset(&arena);
    any_query(w, rng, query);
    (void)ask(w, query, NULL, 0, &stats);
    assert_int_equal(stats.n_indexes, n_covered > 0);
    assert_true(mean_recall(w, rng, 60, NULL) > 0.93);
    assert_true(mean_recall(w, rng, 20, "id >= 1500 AND id < 15000") > 0.93);
    assert_true(mean_recall(w, rng, 20, "id < 30") > 0.99);
}

static void an_index__covers_what_was_folded(void **state)
{
    world *w = make_world(41);
    pn_rng rng = pn_rng_seed(42);
    (void)state;
    for (int i = 0; i < 30; i++)
        append(w, 800);
    size_t n = w->n;
    (void)build(w, (pn_engine_index_options){.all = true});
    append(w, 300);
    delete_range(w, 1000, 1010);
    delete_range(w, 5000, 7500); // two fragments whole, and parts of others
    delete_range(w, 23999, 24000);
    check_cover(w, &rng, count_alive(w, n));
    pn_engine_upkeep_report report = fold(w);
    assert_int_equal(report.n_made, 1);
    assert_int_equal(count_fragments(w), 2);
    check_cover(w, &rng, count_alive(w, n));
    delete_range(w, 0, 3200); // of the folded fragment: it is folded again, without them
    check_cover(w, &rng, count_alive(w, n));
    assert_int_equal(fold(w).n_made, 1);
    check_cover(w, &rng, count_alive(w, n));
    for (int i = 0; i < 12; i++)
        append(w, 1);
    delete_range(w, 15000, 15001);
    open_engine(w); // reads what the other one left
    check_cover(w, &rng, count_alive(w, n));
    (void)fold(w);
    check_cover(w, &rng, count_alive(w, n));
    append(w, 9000);
    (void)build(w,
                (pn_engine_index_options){.is_wanted = false}); // takes the old one along, or not
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    assert_int_equal(status_of(w, &arena).n_uncovered, 0);
    pn_arena_reset(&arena);
    assert_true(mean_recall(w, &rng, 60, NULL) > 0.93);
    free_world(w);
}

static void a_damaged_log_of_folds__costs_time_only(void **state)
{
    world *w = make_world(43);
    pn_rng rng = pn_rng_seed(44);
    pn_error err = {0};
    pn_buffer bytes;
    (void)state;
    for (int i = 0; i < 30; i++)
        append(w, 800);
    (void)build(w, (pn_engine_index_options){.all = true});
    delete_range(w, 10, 20);
    (void)fold(w);
    check_cover(w, &rng, w->n - 10);
    char *log = pn_path_join(&w->arena, w->path, "_pennon/index/folds.log");
    pn_buffer_init(&bytes, SIZE_MAX);
    check(pn_file_read(log, &bytes, &err), &err);
    for (size_t cut = 0; cut < 6; cut++) { // torn, and with a byte changed
        size_t at = bytes.n_bytes - 2 - cut * (bytes.n_bytes - 2) / 6;
        check(pn_file_write_atomic(log, bytes.data, at, &err), &err);
        open_engine(w);
        check_cover(w, &rng, 0);
        bytes.data[at - 1] ^= 1;
        check(pn_file_write_atomic(log, bytes.data, bytes.n_bytes, &err), &err);
        bytes.data[at - 1] ^= 1;
        open_engine(w);
        check_cover(w, &rng, 0);
    }
    check(pn_file_write_atomic(log, bytes.data, bytes.n_bytes, &err), &err);
    open_engine(w);
    check_cover(w, &rng, w->n - 10);
    pn_buffer_reset(&bytes);
    free_world(w);
}

static void search__uses_an_index(void **state)
{
    world *w = make_world(1);
    pn_rng rng = pn_rng_seed(2);
    pn_engine_search_stats stats;
    (void)state;
    for (size_t i = 0; i < 4; i++)
        append(w, 6000);
    (void)ask(w, w->texts, NULL, 0, &stats);
    assert_string_equal(stats.plan, "exact");
    assert_true(is_due(w));
    pn_engine_index_report report = build(w, (pn_engine_index_options){0});
    assert_int_equal(report.n_rows, 24000);
    assert_int_equal(report.n_replaced, 0);
    (void)ask(w, w->table.vectors, NULL, 0, &stats);
    assert_string_equal(stats.plan, "index");
    assert_true(stats.n_scanned < 12000 && stats.n_partitions > 0 && stats.n_indexes == 1);
    assert_true(stats.recall >= 0.95f && stats.recall < 1);
    assert_true(mean_recall(w, &rng, 100, NULL) > 0.93);
    assert_true(ask(w, w->texts, NULL, 1, &stats) >= 1);
    assert_string_equal(stats.plan, "exact");
    assert_int_equal(stats.n_scanned, 24000);
    assert_false(is_due(w));
    assert_int_equal(build(w, (pn_engine_index_options){0}).n_rows, 0); /* nothing is due */
    free_world(w);
}

static void search__looks_as_far_as_it_is_told(void **state)
{
    world *w = make_world(3);
    (void)state;
    append(w, 24000);
    (void)build(w, (pn_engine_index_options){0});
    uint64_t before = 0;
    for (uint32_t partitions = 1; partitions < 100; partitions *= 3) {
        pn_engine_search asked = {.query = w->texts, .k = K, .partitions = partitions};
        answer a = ask_engine(w->engine, &asked);
        assert_int_equal(a.n, K);
        assert_true(a.stats.n_partitions >= PN_MAX(partitions, before));
        assert_true(a.stats.n_partitions <= partitions + K);
        before = a.stats.n_partitions;
    }
    free_world(w);
}

static double recall_with(world *w, uint32_t partitions, uint32_t refine)
{
    double sum = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        const pn_engine_search asked = {
            .query = w->texts + i * DIM, .k = K, .partitions = partitions, .refine = refine};
        sum += ask_as(w, asked, NULL);
    }
    return sum / TEXTS;
}

/* In the same partitions more is found of what is there. */
static void search__refines(void **state)
{
    world *w = make_world(30);
    (void)state;
    append(w, 24000);
    (void)build(w, (pn_engine_index_options){0});
    append(w, 500);
    const double plain = recall_with(w, 13, 0), same = recall_with(w, 13, 1);
    const double refined = recall_with(w, 13, 20);
    assert_true(plain == same);
    if (!(refined > plain + 0.01))
        fail_msg("recall %.4f, refined %.4f", plain, refined);
    free_world(w);
}

/* From all rows to none: k whenever k pass, and the recall on average. */
static void search__with_filters(void **state)
{
    static const char *const filters[] = {"id >= 0",
                                          "id % 2 = 0",
                                          "id % 10 = 1",
                                          "id % 100 = 7",
                                          "id % 1000 = 3",
                                          "id = 77",
                                          "id % 2 = 2",
                                          "id < 12000",
                                          "id >= 20000",
                                          "id < 9000 OR id % 3 = 1",
                                          "image_path LIKE '%9.jpg'"};
    world *w = make_world(4);
    pn_rng rng = pn_rng_seed(5);
    (void)state;
    append(w, 20000);
    (void)build(w, (pn_engine_index_options){0});
    append(w, 5000);
    delete_range(w, 300, 900);
    for (size_t i = 0; i < PN_COUNT_OF(filters); i++) {
        double recall = mean_recall(w, &rng, 20, filters[i]);
        if (recall < 0.9)
            fail_msg("%s: recall %.3f", filters[i], recall);
    }
    free_world(w);
}

/* ---- thousands of filters, against plain loops */

/* Rows of a cluster lie together from now on: a range of ids is rows of one kind, as a category is. */
static void sort_by_cluster(world *w)
{
    float *sorted = pn_alloc_array((size_t)ROWS * DIM, sizeof *sorted);
    size_t n = 0;
    assert_non_null(sorted);
    for (uint32_t c = 0; c < w->table.options.n_clusters; c++)
        for (size_t i = 0; i < ROWS; i++)
            if (w->table.cluster[i] == c)
                memcpy(sorted + n++ * DIM, w->table.vectors + i * DIM, DIM * sizeof *sorted);
    assert_int_equal(n, ROWS);
    memcpy(w->table.vectors, sorted, (size_t)ROWS * DIM * sizeof *sorted);
    pn_free(sorted);
}

typedef struct condition {
    size_t kind, a, b;
} condition;

static condition any_condition(pn_rng *rng, size_t n, char *text, size_t n_text)
{
    static const size_t moduli[] = {2, 3, 7, 10, 100, 1000, 10000};
    double share = pn_rng_unit(rng);
    condition c = {.kind = pn_rng_below(rng, 4)};
    if (c.kind == 0) {
        c.a = moduli[pn_rng_below(rng, PN_COUNT_OF(moduli))], c.b = pn_rng_below(rng, c.a);
        (void)snprintf(text, n_text, "id %% %zu = %zu", c.a, c.b);
    } else if (c.kind == 1) { /* small ones are as frequent as large ones */
        c.a = pn_rng_below(rng, n), c.b = c.a + (size_t)(share * share * share * (double)n);
        (void)snprintf(text, n_text, "(id >= %zu AND id < %zu)", c.a, c.b);
    } else if (c.kind == 2) {
        c.a = pn_rng_below(rng, 10);
        (void)snprintf(text, n_text, "image_path LIKE '%%%zu.jpg'", c.a);
    } else {
        c.a = pn_rng_below(rng, n), c.b = pn_rng_below(rng, n);
        (void)snprintf(text, n_text, "id IN (%zu, %zu)", c.a, c.b);
    }
    return c;
}

static bool holds(condition c, size_t id)
{
    switch (c.kind) {
    case 0:
        return id % c.a == c.b;
    case 1:
        return id >= c.a && id < c.b;
    case 2:
        return id % 10 == c.a;
    default:
        return id == c.a || id == c.b;
    }
}

/* One to three conditions, each denied or not; passes [w->n]. How many live rows pass. */
static size_t any_filter(const world *w, pn_rng *rng, char *text, size_t n_text, bool *passes)
{
    size_t n_conditions = 1 + pn_rng_below(rng, 3), at = 0, n = 0;
    for (size_t i = 0; i < n_conditions; i++) {
        char one[96];
        bool both = pn_rng_below(rng, 2), denied = pn_rng_below(rng, 4) == 0;
        condition c = any_condition(rng, w->n, one, sizeof one);
        at += (size_t)snprintf(text + at, n_text - at, "%s%s%s",
                               i == 0 ? ""
                               : both ? " AND "
                                      : " OR ",
                               denied ? "NOT " : "", one);
        assert_true(at + 1 < n_text);
        if (i + 1 < n_conditions) { /* what stands so far is one operand of what follows */
            memmove(text + 1, text, at + 1);
            text[0] = '(';
            at++;
            text[at++] = ')';
            text[at] = '\0';
        }
        for (size_t id = 0; id < w->n; id++) {
            bool it = holds(c, id) != denied;
            passes[id] = i == 0 ? it : both ? passes[id] && it : passes[id] || it;
        }
    }
    for (size_t id = 0; id < w->n; id++)
        n += passes[id] = passes[id] && w->alive[id];
    return n;
}

static double check_filter(world *w, pn_rng *rng, const char *filter, const bool *passes,
                           size_t n_passing)
{
    float query[DIM];
    pn_candidate heap[K];
    pn_topk truth;
    size_t good = 0;
    any_query(w, rng, query);
    pn_topk_init(&truth, heap, K);
    for (size_t id = 0; id < w->n; id++)
        if (passes[id])
            pn_topk_push(
                &truth, 1 - pn_kernels_get()->dot_f32(query, w->table.vectors + id * DIM, DIM), id);
    pn_topk_sort(&truth);
    pn_engine_search asked = {
        .query = query, .k = K, .filter = filter, .exact = pn_rng_below(rng, 2)};
    answer found = ask_engine(w->engine, &asked);
    if (found.n != PN_MIN(n_passing, (size_t)K) || found.stats.n_matching != n_passing)
        fail_msg("%s: %zu rows of %zu", filter, found.n, n_passing);
    check_answer(w, &found, query);
    for (size_t i = 0; i < found.n; i++) {
        if (!passes[found.ids[i]])
            fail_msg("%s: row %" PRId64, filter, found.ids[i]);
        good += found.found[i].distance <= heap[truth.n - 1].distance + 1e-6f;
    }
    if (found.n > 0 && good < found.n && (asked.exact || found.stats.n_indexes == 0))
        fail_msg("%s: a scan found %zu of %zu", filter, good, found.n);
    return found.n > 0 ? (double)good / (double)found.n : 1;
}

static double mean_partitions(world *w)
{
    double sum = 0;
    pn_engine_search_stats stats;
    for (size_t i = 0; i < TEXTS; i++) {
        (void)ask(w, w->texts + i * DIM, NULL, 0.98f, &stats);
        sum += (double)stats.n_partitions / TEXTS;
    }
    return sum;
}

/* Few deleted rows cost nothing, and many no recall. */
static void search__looks_no_farther_for_deleted_rows(void **state)
{
    world *w = make_world(5);
    pn_rng rng = pn_rng_seed(6);
    (void)state;
    sort_by_cluster(w);
    append(w, 24000);
    (void)build(w, (pn_engine_index_options){0});
    double before = mean_partitions(w);
    delete_range(w, 0, 500);
    assert_true(mean_partitions(w) <= before * 1.02);
    delete_range(w, 500, 11000); /* of almost half of the clusters none is left */
    assert_true(mean_recall(w, &rng, 100, NULL) > 0.93);
    free_world(w);
}

static void search__with_thousands_of_filters(void **state)
{
    enum { FILTERS = 2400 };
    static bool passes[ROWS];
    world *w = make_world(20);
    pn_rng rng = pn_rng_seed(21);
    double recall = 0;
    size_t n_large = 0;
    (void)state;
    sort_by_cluster(w);
    append(w, 22000);
    (void)build(w, (pn_engine_index_options){0});
    append(w, 9000);
    (void)build(w, (pn_engine_index_options){0});
    append(w, 3000);
    delete_range(w, 300, 900);
    delete_range(w, 23000, 23050);
    for (size_t i = 0; i < FILTERS; i++) {
        char text[512];
        size_t n = any_filter(w, &rng, text, sizeof text, passes);
        recall += check_filter(w, &rng, text, passes, n) / FILTERS;
        n_large += n > 8192;
    }
    assert_true(n_large > FILTERS / 8); /* that an index may answer for */
    if (recall < 0.95)
        fail_msg("recall %.4f", recall);
    free_world(w);
}

static void check_newest(world *w)
{
    pn_engine_search asked = {.query = w->table.vectors + (w->n - 1) * DIM, .k = K};
    answer a = ask_engine(w->engine, &asked);
    assert_true(a.n > 0 && a.found[0].distance < 1e-5f);
    check_answer(w, &a, asked.query);
}

static void one_change(world *w, pn_rng *rng)
{
    size_t first = pn_rng_below(rng, w->n);
    switch (pn_rng_below(rng, 6)) {
    case 0:
    case 1:
    case 2:
        append(w, 1 + pn_rng_below(rng, pn_rng_below(rng, 3) ? 3000 : 5));
        check_newest(w);
        break;
    case 3:
        delete_range(w, first, PN_MIN(first + pn_rng_below(rng, 2000), w->n));
        break;
    case 4:
        open_engine(w);
        break;
    default:
        (void)build(w,
                    (pn_engine_index_options){.is_wanted = true, .all = pn_rng_below(rng, 4) == 0});
    }
}

static void search__of_a_table_that_lives(void **state)
{
    world *w = make_world(6);
    pn_rng rng = pn_rng_seed(7);
    size_t most = 0;
    (void)state;
    append(w, 3000);
    while (w->n < ROWS - 3000) {
        pn_arena arena;
        pn_arena_init(&arena, SIZE_MAX);
        one_change(w, &rng);
        if (mean_recall(w, &rng, 6, pn_rng_below(&rng, 3) ? NULL : "id % 3 = 0") < 0.7)
            fail_msg("recall at %zu rows", w->n);
        pn_engine_index_status s = status_of(w, &arena);
        most = PN_MAX(most, s.n_indexes);
        assert_int_equal(s.n_damaged, 0);
        pn_arena_reset(&arena);
    }
    (void)build(w, (pn_engine_index_options){.is_wanted = true});
    assert_true(mean_recall(w, &rng, 100, NULL) > 0.92);
    assert_true(most >= 1 && most <= 8);
    free_world(w);
}

static void expect_report(pn_engine_index_report report, uint64_t n_rows, size_t n_replaced)
{
    assert_int_equal(report.n_rows, n_rows);
    assert_int_equal(report.n_replaced, n_replaced);
}

static void index__grows_in_levels(void **state)
{
    world *w = make_world(15);
    pn_rng rng = pn_rng_seed(16);
    pn_engine_search_stats stats;
    (void)state;
    append(w, 24000);
    expect_report(build(w, (pn_engine_index_options){0}), 24000, 0);
    append(w, 1000);
    expect_report(build(w, (pn_engine_index_options){0}), 0, 0); /* too few */
    append(w, 24);
    expect_report(build(w, (pn_engine_index_options){0}), 1024, 0);
    append(w, 4076);
    expect_report(build(w, (pn_engine_index_options){0}), 5100, 1);
    append(w, 3100);
    expect_report(build(w, (pn_engine_index_options){0}), 8200, 1);
    (void)ask(w, w->table.vectors, NULL, 0, &stats);
    assert_int_equal(stats.n_indexes, 2);
    assert_true(mean_recall(w, &rng, 60, NULL) > 0.93);
    append(w, 8200);
    expect_report(build(w, (pn_engine_index_options){0}), 40400, 2);
    delete_range(w, 0, 20300);
    expect_report(build(w, (pn_engine_index_options){0}), 20100, 1); /* most of it is gone */
    assert_true(mean_recall(w, &rng, 60, NULL) > 0.93);
    free_world(w);
}

/* An index of a later version is used for an earlier one, of which it has rows too many, and the other way round. */
static void search__of_another_version(void **state)
{
    world *w = make_world(8);
    pn_error err = {0};
    pn_rng rng = pn_rng_seed(9);
    pn_engine *old;
    pn_snapshot *snapshot;
    pn_engine_info info;
    (void)state;
    append(w, 21000);
    check(w->engine->pin(w->engine->self, &snapshot, &err), &err);
    w->engine->info(w->engine->self, snapshot, &info);
    w->engine->unpin(w->engine->self, snapshot);
    delete_range(w, 0, 5000);
    append(w, 2000);
    (void)build(w, (pn_engine_index_options){0});
    check(pn_local_engine_open_version(w->path, info.version, w->pool, &old, &err), &err);
    for (size_t i = 0; i < 40; i++) {
        float query[DIM];
        any_query(w, &rng, query);
        pn_engine_search asked = {.query = query, .k = K};
        answer a = ask_engine(old, &asked);
        assert_int_equal(a.n, K);
        assert_int_equal(a.stats.n_matching, 21000);
        for (size_t j = 0; j < K; j++)
            assert_true(a.ids[j] < 21000);
    }
    pn_engine_index_report report;
    assert_int_equal(old->index_build(old->self, &(pn_engine_index_options){0}, &report, &err),
                     PN_ERR_INVALID);
    pn_engine_free(old);
    free_world(w);
}

/* Rows that were deleted when the index was built are not in it. They are found in the versions that have them. */
static void search__of_rows_that_came_back(void **state)
{
    enum { GONE = 3000 };
    world *w = make_world(17);
    pn_error err = {0};
    pn_engine *old;
    pn_dataset *newest, *restored;
    pn_engine_search_stats stats;
    (void)state;
    append(w, 10000);
    append(w, 11000);
    append(w, 200);
    check(pn_dataset_open(w->path, 0, &newest, &err), &err);
    uint64_t version = pn_dataset_version(newest);
    pn_dataset_unref(newest);
    delete_range(w, 0, GONE);
    delete_range(w, 21100, 21150);
    (void)build(w, (pn_engine_index_options){.is_wanted = true});
    (void)ask(w, w->table.vectors, NULL, 0, &stats);
    assert_string_equal(stats.plan, "index");
    check(pn_local_engine_open_version(w->path, version, w->pool, &old, &err), &err);
    check(pn_dataset_open(w->path, 0, &newest, &err), &err);
    check(pn_dataset_restore(newest, version, &restored, &err), &err);
    pn_engine *const engines[] = {old, w->engine};
    for (size_t e = 0; e < PN_COUNT_OF(engines); e++)
        for (size_t i = 0; i < 21200; i += i % 3 == 0 ? 1 : 97) {
            const pn_engine_search asked = {
                .query = w->table.vectors + i * DIM, .k = K, .exact = i % 2 == 0};
            answer a = ask_engine(engines[e], &asked);
            assert_int_equal(a.stats.n_matching, 21200);
            assert_int_equal(a.n, K);
            if (a.ids[0] != (int64_t)i && a.found[0].distance > 1e-6f && (asked.exact || i < GONE))
                fail_msg("row %zu is not found by its own vector", i);
            assert_true(asked.exact || a.stats.n_scanned < 21200); // the other file is in the index
        }
    pn_dataset_unref(newest);
    pn_dataset_unref(restored);
    pn_engine_free(old);
    free_world(w);
}

/* The format stands before the hash and the magic number, at the end. */
static void change_format(const char *path, uint8_t format)
{
    pn_error err = {0};
    pn_buffer bytes;
    pn_fd fd;
    pn_buffer_init(&bytes, SIZE_MAX);
    check(pn_file_read(path, &bytes, &err), &err);
    assert_int_equal(bytes.data[bytes.n_bytes - 24], 4);
    bytes.data[bytes.n_bytes - 24] = format;
    check(pn_path_remove(path, &err), &err);
    check(pn_fd_open(path, PN_OPEN_CREATE_NEW, &fd, &err), &err);
    check(pn_fd_write(fd, path, bytes.data, bytes.n_bytes, &err), &err);
    pn_fd_close(fd);
    pn_buffer_reset(&bytes);
}

static void index__of_an_older_format_is_built_again(void **state)
{
    world *w = make_world(10);
    pn_error err = {0};
    pn_engine_search_stats stats;
    pn_arena arena;
    size_t n;
    (void)state;
    pn_arena_init(&arena, SIZE_MAX);
    append(w, 20000);
    (void)build(w, (pn_engine_index_options){0});
    change_format(status_of(w, &arena).indexes[0].path, 1);
    open_engine(w);
    (void)ask(w, w->texts, NULL, 0, &stats);
    assert_string_equal(stats.plan, "exact");
    pn_engine_index_status s = status_of(w, &arena);
    assert_true(s.n_indexes == 0 && s.is_due && strstr(s.damage, "format 1, this program reads 4"));
    (void)build(w, (pn_engine_index_options){0});
    (void)ask(w, w->table.vectors, NULL, 0, &stats);
    assert_string_equal(stats.plan, "index");
    s = status_of(
        w, &arena); /* the old file is told of, and lies there until somebody drops indexes */
    assert_true(s.n_indexes == 1 && s.n_damaged == 1 && !s.is_due);
    check(w->engine->index_drop(w->engine->self, &n, &err), &err);
    assert_int_equal(n, 2);
    pn_arena_reset(&arena);
    free_world(w);
}

static void flip_a_byte(const char *path)
{
    pn_error err = {0};
    pn_buffer bytes;
    pn_fd fd;
    pn_buffer_init(&bytes, SIZE_MAX);
    check(pn_file_read(path, &bytes, &err), &err);
    bytes.data[bytes.n_bytes - 20] ^= 1; /* in the trailer */
    check(pn_path_remove(path, &err), &err);
    check(pn_fd_open(path, PN_OPEN_CREATE_NEW, &fd, &err), &err);
    check(pn_fd_write(fd, path, bytes.data, bytes.n_bytes, &err), &err);
    pn_fd_close(fd);
    pn_buffer_reset(&bytes);
}

static void index__that_is_damaged_is_left_out(void **state)
{
    world *w = make_world(10);
    pn_error err = {0};
    pn_engine_search_stats stats;
    pn_arena arena;
    size_t n;
    (void)state;
    pn_arena_init(&arena, SIZE_MAX);
    append(w, 20000);
    (void)build(w, (pn_engine_index_options){0});
    check(w->engine->index_check(w->engine->self, &err), &err);
    flip_a_byte(status_of(w, &arena).indexes[0].path);
    open_engine(w);
    (void)ask(w, w->texts, NULL, 0, &stats);
    assert_string_equal(stats.plan, "exact");
    pn_engine_index_status s = status_of(w, &arena);
    assert_int_equal(s.n_damaged, 1);
    assert_true(s.n_indexes == 0 && s.is_due && strstr(s.damage, ".idx") != NULL);
    assert_int_equal(w->engine->index_check(w->engine->self, &err), PN_ERR_CORRUPT);
    check(w->engine->index_drop(w->engine->self, &n, &err), &err);
    assert_int_equal(n, 1);
    (void)build(w, (pn_engine_index_options){0});
    check(w->engine->index_check(w->engine->self, &err), &err);
    (void)ask(w, w->table.vectors, NULL, 0, &stats);
    assert_string_equal(stats.plan, "index");
    check(w->engine->index_drop(w->engine->self, &n, &err), &err);
    (void)ask(w, w->table.vectors, NULL, 0, &stats);
    assert_string_equal(stats.plan, "exact");
    pn_arena_reset(&arena);
    free_world(w);
}

static void index__is_built_by_one_at_a_time(void **state)
{
    world *w = make_world(11);
    pn_error err = {0};
    pn_lockfile *lock;
    pn_engine_index_report report;
    size_t n;
    char folder[4096];
    (void)state;
    append(w, 2000);
    (void)snprintf(folder, sizeof folder, "%s/_pennon/index", w->path);
    check(pn_index_upkeep_lock(folder, &lock, &err), &err);
    pn_engine_index_options o = {.is_wanted = true};
    assert_int_equal(w->engine->index_build(w->engine->self, &o, &report, &err), PN_ERR_CONFLICT);
    assert_non_null(strstr(err.message, "_pennon/index"));
    assert_int_equal(w->engine->index_drop(w->engine->self, &n, &err), PN_ERR_CONFLICT);
    pn_lockfile_release(lock);
    assert_int_equal(w->engine->index_build(w->engine->self, &o, &report, &err), PN_OK);
    assert_int_equal(report.n_rows, 2000);
    free_world(w);
}

/* What a killed builder left is removed by the next, and never taken for an index. */
static void index__leftovers_are_removed(void **state)
{
    world *w = make_world(12);
    pn_error err = {0};
    pn_arena arena;
    char path[4096];
    (void)state;
    pn_arena_init(&arena, SIZE_MAX);
    append(w, 2000);
    (void)build(w, (pn_engine_index_options){.is_wanted = true});
    (void)snprintf(path, sizeof path, "%s/_pennon/index/x.idx.1.part", w->path);
    check(pn_file_write_atomic(path, "half", 4, &err), &err);
    assert_int_equal(status_of(w, &arena).n_damaged, 0);
    (void)build(w, (pn_engine_index_options){.all = true});
    assert_false(pn_path_exists(path));
    assert_int_equal(status_of(w, &arena).n_indexes, 1);
    pn_arena_reset(&arena);
    free_world(w);
}

/* ---- at the same time */

typedef struct at_once {
    world *w;
    atomic_bool is_over;
    atomic_int n_failed;
} at_once;

static void *ask_always(void *context)
{
    at_once *a = context;
    pn_engine *engine = a->w->engine;
    pn_rng rng = pn_rng_seed(13);
    while (!atomic_load(&a->is_over)) {
        float query[DIM];
        pn_candidate heap[K];
        pn_topk topk;
        pn_engine_search_stats stats;
        pn_snapshot *snapshot;
        any_query(a->w, &rng, query);
        pn_engine_search asked = {
            .query = query, .k = K, .filter = pn_rng_below(&rng, 3) ? NULL : "id % 2 = 0"};
        pn_topk_init(&topk, heap, K);
        if (engine->pin(engine->self, &snapshot, NULL) != PN_OK) {
            atomic_fetch_add(&a->n_failed, 1);
            continue;
        }
        if (engine->search(engine->self, snapshot, &asked, &topk, &stats, NULL) != PN_OK ||
            topk.n != K)
            atomic_fetch_add(&a->n_failed, 1);
        engine->unpin(engine->self, snapshot);
    }
    return NULL;
}

/* ---- LanceDB's format */

static pn_engine_lance_index lance_of(world *w, pn_arena *arena)
{
    pn_engine_index_status status = status_of(w, arena);
    assert_int_equal(status.n_lance, 1);
    return status.lance[0];
}

static void check_lance(world *w, pn_rng *rng, bool is_used)
{
    pn_engine_search_stats stats;
    float query[DIM];
    vector_table_picture(&w->table, rng, query);
    (void)ask(w, query, NULL, 0, &stats);
    assert_int_equal(stats.n_indexes, is_used);
    assert_string_equal(stats.plan, is_used ? "index" : "exact");
    assert_true(mean_recall(w, rng, 60, NULL) > 0.93);
    assert_true(mean_recall(w, rng, 20, "id >= 1500 AND id < 15000") > 0.93);
    assert_true(mean_recall(w, rng, 20, "id < 30") > 0.99);
}

/* Everything that a first search makes, with less and less memory refused. */
static void check_faults(world *w)
{
    pn_status status = PN_ERR_NOMEM;
    float query[DIM];
    pn_rng rng = pn_rng_seed(5);
    vector_table_picture(&w->table, &rng, query);
    for (int64_t n = 1; status != PN_OK; n += 1 + n / 8) {
        pn_error err = {0};
        pn_candidate heap[K];
        pn_topk topk;
        pn_snapshot *snapshot;
        pn_engine_search_stats stats;
        const pn_engine_search asked = {.query = query, .k = K};
        open_engine(w);
        check(w->engine->pin(w->engine->self, &snapshot, &err), &err);
        pn_topk_init(&topk, heap, K);
        pn_alloc_fail_after(n);
        status = w->engine->search(w->engine->self, snapshot, &asked, &topk, &stats, &err);
        pn_alloc_fail_after(0);
        w->engine->unpin(w->engine->self, snapshot);
        assert_true(status == PN_OK || status == PN_ERR_NOMEM);
        assert_true(status != PN_OK || topk.n == K);
    }
}

static void search__by_an_index_in_lancedbs_format(void **state)
{
    world *w = make_world(51);
    pn_rng rng = pn_rng_seed(52);
    pn_arena arena;
    pn_error err = {0};
    size_t n;
    (void)state;
    pn_arena_init(&arena, SIZE_MAX);
    append(w, 12000);
    append(w, 12000);
    (void)build(w, (pn_engine_index_options){.all = true}); // keeps the texts
    check(w->engine->index_drop(w->engine->self, &n, &err), &err);
    check_lance(w, &rng, false);
    pn_engine_index_report report = build(w, (pn_engine_index_options){.lancedb = true});
    assert_int_equal(report.n_rows, 24000);
    assert_int_equal(report.n_replaced, 0);
    check_lance(w, &rng, true);
    assert_null(lance_of(w, &arena).refused);
    assert_int_equal(lance_of(w, &arena).n_rows, 24000);
    delete_range(w, 1000, 2000);
    append(w, 3000);
    check_lance(w, &rng, true);
    assert_int_equal(lance_of(w, &arena).n_rows, 23000);
    open_engine(w);
    check_lance(w, &rng, true);
    /* The engine's own comes first. */
    (void)build(w, (pn_engine_index_options){.all = true});
    assert_int_equal(lance_of(w, &arena).n_rows, 0);
    check_lance(w, &rng, true);
    check(w->engine->index_drop(w->engine->self, &n, &err), &err);
    assert_int_equal(n, 1);
    check_faults(w);
    report = build(w, (pn_engine_index_options){.lancedb = true, .n_partitions = 10});
    assert_int_equal(report.n_rows, 26000);
    assert_int_equal(report.n_replaced, 1);
    assert_int_equal(lance_of(w, &arena).n_partitions, 10);
    check_lance(w, &rng, true);
    assert_true(fold(w).n_made > 0); // other addresses
    check_lance(w, &rng, false);
    check(w->engine->lance_drop(w->engine->self, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_int_equal(status_of(w, &arena).n_lance, 0);
    check_lance(w, &rng, false);
    check(w->engine->lance_drop(w->engine->self, &n, &err), &err);
    assert_int_equal(n, 0);
    pn_arena_reset(&arena);
    free_world(w);
}

static void search__while_rows_and_indexes_come_and_go(void **state)
{
    at_once a = {.w = make_world(14)};
    pthread_t threads[2];
    (void)state;
    append(a.w, 2000);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_always, &a), 0);
    for (size_t i = 0; i < 6; i++) {
        append(a.w, 1500);
        (void)build(a.w, (pn_engine_index_options){.is_wanted = true, .all = i % 3 == 2});
        delete_range(a.w, i * 300, i * 300 + 100);
    }
    atomic_store(&a.is_over, true);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&a.n_failed), 0);
    free_world(a.w);
}

/* Another program adds vectors as its model gave them, to a table of unit vectors. */
static void search__of_vectors_that_should_be_units(void **state)
{
    enum { N = 1500, STEP = 7 };
    world *w = make_world(16);
    pn_error err = {0};
    (void)state;
    for (size_t i = 0; i < N; i += STEP)
        for (size_t d = 0; d < DIM; d++)
            w->table.vectors[i * DIM + d] *= i % 2 ? 0.2f : 10;
    w->table.vectors[5 * DIM] = INFINITY;
    append(w, N);
    for (int turn = 0; turn < 4; turn++) { // scans twice, by an index, by one of low memory
        if (turn >= 2)
            (void)build(w, (pn_engine_index_options){
                               .is_wanted = true, .all = true, .low_memory = turn == 3});
        size_t n_asked = 0, n_found[2] = {0};
        for (size_t i = 0; i < N; i += STEP, n_asked++) {
            float query[DIM];
            memcpy(query, w->table.vectors + i * DIM, sizeof query);
            pn_kernels_get()->normalise_f32(query, DIM);
            for (int exact = 0; exact < 2; exact++) {
                const pn_engine_search asked = {.query = query, .k = K, .exact = exact};
                answer a = ask_engine(w->engine, &asked);
                assert_int_equal(a.n, K);
                assert_true(a.found[0].distance > -1e-5f);
                for (size_t k = 0; k < K; k++) {
                    n_found[exact] += a.ids[k] == (int64_t)i && fabsf(a.found[k].distance) < 1e-5f;
                    assert_true(a.ids[k] != 5);
                }
            }
        }
        assert_int_equal(n_found[1], n_asked);
        assert_true((double)n_found[0] >= 0.9 * (double)n_asked);
    }
    check(w->engine->index_drop(w->engine->self, &(size_t){0}, &err), &err);
    free_world(w);
}

/* ---- rows without a vector */

enum { WIDE = 512, WIDE_ROWS = 1300, AT_ONCE = 16 << 20 }; // what is decoded at once, bytes

static void wide_vector(size_t i, float *out)
{
    pn_rng rng = pn_rng_seed(i);
    memset(out, 0, WIDE * sizeof *out);
    for (size_t d = 0; d < DIM; d++)
        out[d] = (float)pn_rng_below(&rng, 2001) / 1000 - 1;
    pn_kernels_get()->normalise_f32(out, WIDE);
}

/* n_null rows without a vector, then n with; ids from `first` on. */
static void append_wide(world *w, const pn_schema *schema, size_t first, size_t n_null, size_t n)
{
    pn_error err = {0};
    pn_builder *b[3];
    pn_array arrays[3];
    pn_snapshot *snapshot;
    float vector[WIDE];
    for (size_t c = 0; c < 3; c++)
        check(pn_builder_create(&schema->fields[c], 1 << 27, &b[c], &err), &err);
    for (size_t i = first; i < first + n_null + n; i++) {
        wide_vector(i, vector);
        check(pn_builder_append_i64(b[0], (int64_t)i, &err), &err);
        check(i < first + n_null ? pn_builder_append_null(b[1], &err)
                                 : pn_builder_append_floats(b[1], vector, WIDE, &err),
              &err);
        check(pn_builder_append_bytes(b[2], "", 0, &err), &err);
    }
    for (size_t c = 0; c < 3; c++)
        check(pn_builder_view(b[c], &arrays[c], &err), &err);
    pn_batch batch = {.schema = schema, .columns = arrays, .n_rows = n_null + n};
    check(w->engine->pin(w->engine->self, &snapshot, &err), &err);
    check(w->engine->append(w->engine->self, snapshot, &batch, NULL, &err), &err);
    w->engine->unpin(w->engine->self, snapshot);
    for (size_t c = 0; c < 3; c++)
        pn_builder_free(b[c]);
}

/* Every 37th row with a vector is its own nearest, but those deleted. */
static void check_wide(world *w, size_t first, size_t first_left, const char *plan)
{
    float query[WIDE];
    for (size_t i = first; i < first + WIDE_ROWS; i += 37) {
        wide_vector(i, query);
        pn_engine_search asked = {.query = query, .k = K};
        answer found = ask_engine(w->engine, &asked);
        assert_string_equal(found.stats.plan, plan);
        asked.exact = true;
        answer truth = ask_engine(w->engine, &asked);
        assert_true(found.n == K && truth.n == K);
        assert_true((found.ids[0] == (int64_t)i) == (i >= first_left));
        assert_true((truth.ids[0] == (int64_t)i) == (i >= first_left));
    }
}

/* Where many rows in a row have no vector there is none in memory, and an index covers them all the same: else there would be none of their
 * fragment, or it would be due for ever. */
static void index__of_rows_without_vectors(void **state)
{
    const size_t n_null = AT_ONCE / (WIDE * sizeof(float)) + 100, first = n_null;
    world *w = make_world(15);
    pn_error err = {0};
    pn_schema full;
    pn_arena arena;
    (void)state;
    pn_arena_init(&arena, SIZE_MAX);
    pn_engine_free(w->engine);
    w->path = pn_path_join(&w->arena, w->folder, "wide.lance");
    check(pn_image_schema_make(WIDE, "test", "test model", "none", &w->arena, &full, &err), &err);
    full.fields[1].nullable = true;
    full.n_fields = 3;
    check(pn_local_engine_create(w->path, &full, w->pool, &w->engine, &err), &err);
    const pn_schema schema = {.fields = full.fields, .n_fields = 3};
    append_wide(w, &schema, 0, n_null, WIDE_ROWS);
    append_wide(w, &schema, 30000, 60, 0);
    check_wide(w, first, 0, "exact");
    pn_engine_index_options o = {.is_wanted = true, .pool = w->pool};
    pn_engine_index_report report;
    check(w->engine->index_build(w->engine->self, &o, &report, &err), &err);
    assert_int_equal(report.n_rows,
                     WIDE_ROWS +
                         100); // of nulls beside vectors nobody knows before they are looked at
    assert_int_equal(status_of(w, &arena).n_uncovered, 0);
    check_wide(w, first, 0, "index");
    uint64_t n_deleted;
    char text[40];
    (void)snprintf(text, sizeof text, "id < %zu", first + 55);
    check(w->engine->delete_where(w->engine->self, text, &n_deleted, &err), &err);
    assert_int_equal(n_deleted, first + 55);
    check_wide(w, first, first + 55, "index");
    (void)fold(w);
    append_wide(w, &schema, 40000, 20, 3);
    check_wide(w, first, first + 55, "index");
    check(w->engine->index_drop(w->engine->self, &(size_t){0}, &err), &err);
    o.lancedb = true;
    check(w->engine->index_build(w->engine->self, &o, &report, &err), &err);
    assert_true(report.n_rows >= WIDE_ROWS - 55);
    check_wide(w, first, first + 55, "exact"); // it is too small to be asked
    pn_arena_reset(&arena);
    free_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search__uses_an_index),
        cmocka_unit_test(an_index__covers_what_was_folded),
        cmocka_unit_test(a_damaged_log_of_folds__costs_time_only),
        cmocka_unit_test(search__looks_as_far_as_it_is_told),
        cmocka_unit_test(search__looks_no_farther_for_deleted_rows),
        cmocka_unit_test(search__refines),
        cmocka_unit_test(search__with_filters),
        cmocka_unit_test(search__with_thousands_of_filters),
        cmocka_unit_test(search__of_a_table_that_lives),
        cmocka_unit_test(index__grows_in_levels),
        cmocka_unit_test(search__of_another_version),
        cmocka_unit_test(search__of_rows_that_came_back),
        cmocka_unit_test(index__of_an_older_format_is_built_again),
        cmocka_unit_test(index__that_is_damaged_is_left_out),
        cmocka_unit_test(index__is_built_by_one_at_a_time),
        cmocka_unit_test(index__leftovers_are_removed),
        cmocka_unit_test(search__of_vectors_that_should_be_units),
        cmocka_unit_test(index__of_rows_without_vectors),
        cmocka_unit_test(search__by_an_index_in_lancedbs_format),
        cmocka_unit_test(search__while_rows_and_indexes_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
