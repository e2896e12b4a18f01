/*
 * clip_table.c - see the header
 */
#include "clip_table.h"

#include "base/alloc.h"
#include "column/builder.h"
#include "os/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static pn_error err;

void clip_stop(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(2);
}

static void must(pn_status status, const pn_error *why)
{
    if (status != PN_OK)
        clip_stop("failed: %s", why->message);
}

static const float *map(clip_table *t, size_t i, const char *data, const char *name, size_t *rows)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", data, name);
    must(pn_mapping_open(path, &t->maps[i], &err), &err);
    *rows = t->maps[i].n_bytes / (CLIP_DIM * sizeof(float));
    return (const float *)t->maps[i].data;
}

void clip_table_create(const char *data, const char *folder, unsigned n_threads, clip_table *out)
{
    pn_schema full;
    *out = (clip_table){.n_base = 0};
    out->base = map(out, 0, data, "base.f32", &out->n_base);
    out->queries[0] = map(out, 1, data, "qi.f32", &out->n_queries[0]);
    out->queries[1] = map(out, 2, data, "qt.f32", &out->n_queries[1]);
    out->texts = map(out, 3, data, "ct.f32", &out->n_texts);
    pn_arena_init(&out->arena, SIZE_MAX);
    must(pn_image_schema_make(CLIP_DIM, "bench", "bench", "none", &out->arena, &full, &err), &err);
    full.n_fields = 2; /* id, vector */
    out->schema = (pn_schema){.fields = full.fields, .n_fields = 2};
    if (n_threads != 1)
        must(pn_pool_create(n_threads, &out->pool, &err), &err);
    must(pn_local_engine_create(folder, &full, out->pool, &out->engine, &err), &err);
}

void clip_table_free(clip_table *table)
{
    pn_engine_free(table->engine);
    pn_pool_free(table->pool);
    pn_arena_reset(&table->arena);
    for (size_t i = 0; i < PN_COUNT_OF(table->maps); i++)
        pn_mapping_close(&table->maps[i]);
}

void clip_table_append(clip_table *table, const float *vectors, const uint32_t *rows, size_t n,
                       int64_t first_id)
{
    pn_error why;
    pn_engine *engine = table->engine;
    pn_builder *builders[2];
    pn_array arrays[2];
    pn_snapshot *snapshot;
    for (size_t c = 0; c < 2; c++)
        must(pn_builder_create(&table->schema.fields[c], (size_t)1 << 31, &builders[c], &why),
             &why);
    for (size_t i = 0; i < n; i++) {
        const float *row = vectors + (rows ? rows[i] : i) * CLIP_DIM;
        must(pn_builder_append_i64(builders[0], first_id + (int64_t)i, &why), &why);
        must(pn_builder_append_floats(builders[1], row, CLIP_DIM, &why), &why);
    }
    for (size_t c = 0; c < 2; c++)
        must(pn_builder_view(builders[c], &arrays[c], &why), &why);
    pn_batch batch = {.schema = &table->schema, .columns = arrays, .n_rows = n};
    must(engine->pin(engine->self, &snapshot, &why), &why);
    must(engine->append(engine->self, snapshot, &batch, NULL, &why), &why);
    engine->unpin(engine->self, snapshot);
    for (size_t c = 0; c < 2; c++)
        pn_builder_free(builders[c]);
}

void clip_table_delete(clip_table *table, int64_t first, int64_t end)
{
    pn_error why;
    char filter[96];
    uint64_t n;
    snprintf(filter, sizeof filter, "id >= %lld AND id < %lld", (long long)first, (long long)end);
    must(table->engine->delete_where(table->engine->self, filter, &n, &why), &why);
}

uint64_t clip_table_build_index(clip_table *table, bool all)
{
    pn_error why;
    pn_engine_index_options options = {.all = all,
                                       .is_wanted = all,
                                       .texts = table->texts,
                                       .n_texts = table->n_texts,
                                       .pool = table->pool};
    pn_engine_index_report report;
    must(table->engine->index_build(table->engine->self, &options, &report, &why), &why);
    return report.n_rows;
}

void clip_table_search(clip_table *table, const float *query, const char *filter, bool exact,
                       clip_answer *out)
{
    static const char *const columns[] = {PN_COLUMN_ID};
    pn_error why;
    pn_engine *engine = table->engine;
    pn_candidate heap[CLIP_K];
    pn_row_addr addrs[CLIP_K];
    pn_topk topk;
    pn_arena arena;
    pn_batch batch;
    pn_snapshot *snapshot;
    pn_engine_search asked = {.query = query, .k = CLIP_K, .filter = filter, .exact = exact};
    int64_t start = pn_clock_monotonic_ns();
    pn_topk_init(&topk, heap, CLIP_K);
    pn_arena_init(&arena, SIZE_MAX);
    must(engine->pin(engine->self, &snapshot, &why), &why);
    out->pin_ns = pn_clock_monotonic_ns() - start;
    must(engine->search(engine->self, snapshot, &asked, &topk, &out->stats, &why), &why);
    out->n = topk.n;
    for (size_t i = 0; i < topk.n; i++)
        addrs[i] = heap[i].id;
    must(engine->take(engine->self, snapshot, addrs, topk.n, columns, 1, &arena, &batch, &why),
         &why);
    for (size_t i = 0; i < topk.n; i++) {
        out->distances[i] = heap[i].distance;
        out->ids[i] = pn_array_i64(&batch.columns[0], i);
    }
    engine->unpin(engine->self, snapshot);
    out->ns = pn_clock_monotonic_ns() - start;
    pn_arena_reset(&arena);
}

double clip_recall(const clip_answer *answer, const clip_answer *truth)
{
    size_t right = 0;
    if (truth->n == 0)
        return answer->n == 0;
    for (size_t i = 0; i < answer->n; i++)
        right += answer->distances[i] <= truth->distances[truth->n - 1] + 1e-6f;
    return (double)PN_MIN(right, truth->n) / (double)truth->n;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

double clip_percentile_us(int64_t *ns, size_t n, double share)
{
    if (n == 0)
        return 0;
    qsort(ns, n, sizeof *ns, by_value);
    return (double)ns[(size_t)((double)n * share)] * 1e-3;
}
