/*
 * pn_index.c - section 8 of pennon.h: indexes
 *
 * The engine has a flag that ends a build, the public options a function to ask: it is asked whenever there is progress to tell.
 */
#include "api/internal.h"

#include "api/facets.h"
#include "collection/index_texts.h"
#include "os/clock.h"
#include "search/typical_texts.h"

#include <jansson.h>
#include <stdatomic.h>

enum { LEAST_TEXTS = 20, TEXTS_AT_ONCE = 32, TEXTS_OF_A_SERVER = 64 };

/* ---- the texts to calibrate with */

typedef struct texts {
    const pn_str *texts;
    size_t n;
    float *vectors; /* [n][dim]; in the arena */
} texts;

static pn_status given_texts(const pn_index_options *options, pn_arena *arena, texts *out,
                             pn_error *err)
{
    if (options->n_texts < LEAST_TEXTS || options->n_texts > PN_INDEX_TEXTS_MAX)
        return pn_fail(err, PN_ERR_INVALID, "%zu texts to calibrate with: %d to %d are needed",
                       options->n_texts, (int)LEAST_TEXTS, (int)PN_INDEX_TEXTS_MAX);
    pn_str *copy = PN_ARENA_NEW(arena, pn_str, options->n_texts);
    if (!copy)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < options->n_texts; i++) {
        if (!options->texts[i])
            return pn_fail(err, PN_ERR_INVALID, "text %zu to calibrate with is NULL", i);
        copy[i] = pn_str_of(options->texts[i]);
    }
    *out = (texts){.texts = copy, .n = options->n_texts};
    return PN_OK;
}

/* A server may want to be paid for every text, so it is asked for fewer. */
static pn_status typical_texts(const pn_model *model, pn_arena *arena, texts *out)
{
    *out = (texts){.texts = pn_typical_texts(arena), .n = PN_TYPICAL_TEXTS};
    if (pn_model_check_local(model, NULL) != PN_OK)
        out->n = TEXTS_OF_A_SERVER;
    return out->texts ? PN_OK : PN_ERR_NOMEM;
}

static pn_status embed(pn_embedder *embedder, const pn_index_options *options, pn_arena *arena,
                       texts *t, pn_error *err)
{
    size_t dim = embedder->dim;
    t->vectors = pn_arena_alloc_aligned(arena, 64, t->n * dim * sizeof *t->vectors);
    if (!t->vectors)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < t->n; i += TEXTS_AT_ONCE) {
        size_t n = PN_MIN(t->n - i, (size_t)TEXTS_AT_ONCE);
        const pn_embed_how how = {.urgency = PN_EMBED_BULK};
        if (options->progress)
            options->progress(options->context, "texts", (double)i / (double)t->n);
        if (options->cancelled && options->cancelled(options->context))
            return pn_fail(err, PN_ERR_CANCELLED, "stopped");
        PN_TRY(embedder->embed_texts(embedder->self, t->texts + i, n, &how, t->vectors + i * dim,
                                     err));
    }
    return PN_OK;
}

static pn_status status_of(pn_table *table, pn_arena *arena, pn_engine_index_status *out,
                           pn_error *err)
{
    pn_engine *engine = table->engine;
    pn_snapshot *snapshot;
    PN_TRY(engine->pin(engine->self, &snapshot, err));
    pn_status status = engine->index_status(engine->self, snapshot, arena, out, err);
    engine->unpin(engine->self, snapshot);
    return status;
}

static pn_status find_texts(const pn_engine_index_status *now, pn_model *model,
                            const pn_index_options *options, pn_arena *arena, texts *out,
                            pn_error *err)
{
    *out = (texts){0};
    if (options->texts && !model)
        return pn_fail(err, PN_ERR_INVALID, "texts to calibrate with need a model");
    if (!model || (!options->texts && now->n_texts > 0))
        return PN_OK;
    if (options->texts)
        PN_TRY(given_texts(options, arena, out, err));
    else if (typical_texts(model, arena, out) != PN_OK)
        return pn_fail_nomem(err);
    return embed(model->embedder, options, arena, out, err);
}

/* ---- building */

typedef struct asked {
    const pn_index_options *options;
    atomic_bool cancel;
} asked;

static void on_progress(void *context, const char *stage, double done)
{
    asked *a = context;
    if (a->options->progress)
        a->options->progress(a->options->context, stage, done);
    if (a->options->cancelled && a->options->cancelled(a->options->context))
        atomic_store(&a->cancel, true);
}

static pn_status ask_due(pn_table *table, bool *out, pn_error *err)
{
    pn_engine *engine = table->engine;
    pn_snapshot *snapshot;
    PN_TRY(engine->pin(engine->self, &snapshot, err));
    pn_status status = engine->index_due(engine->self, snapshot, out, err);
    engine->unpin(engine->self, snapshot);
    return status;
}

static pn_status build(pn_table *table, pn_model *model, const pn_index_options *options,
                       pn_arena *arena, pn_engine_index_report *report, pn_error *err)
{
    texts t;
    pn_engine_index_status now;
    asked a = {.options = options};
    *report = (pn_engine_index_report){0};
    bool is_due = true;
    if (options->if_due)
        PN_TRY(ask_due(table, &is_due, err));
    if (!is_due)
        return PN_OK;
    PN_TRY(status_of(table, arena, &now, err));
    if (now.are_texts_damaged && !options->texts) // others in their place would be chosen unasked
        return pn_fail(err, PN_ERR_CORRUPT, "%s", now.damage);
    PN_TRY(find_texts(&now, options->lancedb ? NULL : model, options, arena, &t, err));
    const pn_engine_index_options engine_options = {
        .all = options->all != 0,
        .is_wanted = !options->if_due,
        .low_memory = options->low_memory != 0,
        .lancedb = options->lancedb != 0,
        .n_partitions = options->n_partitions,
        .texts = t.vectors,
        .n_texts = t.n,
        .pool = options->one_thread ? NULL : table->library->pool,
        .cancel = &a.cancel,
        .progress = on_progress,
        .context = &a};
    pn_engine *engine = table->engine;
    return engine->index_build(engine->self, &engine_options, report, err);
}

pn_status pn_table_index_build(pn_table *table, pn_model *model, const pn_index_options *options,
                               pn_index_report *out, pn_error *err)
{
    pn_index_options own = PN_INDEX_OPTIONS_INIT;
    pn_index_report ours = PN_INDEX_REPORT_INIT;
    pn_engine_index_report report;
    pn_arena arena;
    int64_t start = pn_clock_monotonic_ns();
    PN_TAKE_OPTIONS(own, options, err);
    if (own.lancedb && (own.all || own.low_memory || own.texts || own.if_due))
        return pn_fail(err, PN_ERR_INVALID,
                       "an index in LanceDB's format is one of the whole table "
                       "and without texts: no all, low_memory, texts, if_due");
    if (model)
        PN_TRY(pn_table_check_identity(table, model->embedder, err));
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = build(table, model, &own, &arena, &report, err);
    pn_arena_reset(&arena);
    PN_TRY(status);
    ours.n_rows = report.n_rows;
    ours.n_replaced = report.n_replaced;
    ours.seconds = (double)(pn_clock_monotonic_ns() - start) * 1e-9;
    return out ? pn_give_struct(&ours, sizeof ours, out, err) : PN_OK;
}

/* ---- what there is */

static const char *file_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static json_t *index_to_json(const pn_engine_index *index)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "file", file_of(index->path),
                     "bytes", (json_int_t)index->file_bytes, "table_version",
                     (json_int_t)index->table_version, "rows", (json_int_t)index->n_rows,
                     "rows_built", (json_int_t)index->n_listed, "partitions",
                     (json_int_t)index->n_partitions, "calibrated_for_texts", index->has_texts,
                     "low_memory", !index->has_copies);
}

static json_t *lance_to_json(const pn_engine_lance_index *index)
{
    if (index->refused)
        return json_pack("{s:s, s:s}", "name", index->name, "refused", index->refused);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "name", index->name, "kind", index->kind,
                     "distance", index->metric, "rows", (json_int_t)index->n_rows, "partitions",
                     (json_int_t)index->n_partitions, "bytes", (json_int_t)index->file_bytes);
}

static json_t *status_to_json(const pn_engine_index_status *status)
{
    json_t *indexes = json_array(), *lance = json_array();
    for (size_t i = 0; i < status->n_indexes; i++)
        json_array_append_new(indexes, index_to_json(&status->indexes[i]));
    for (size_t i = 0; i < status->n_lance; i++)
        json_array_append_new(lance, lance_to_json(&status->lance[i]));
    return json_pack(
        "{s:I, s:I, s:b, s:I, s:I, s:s?, s:o, s:o}", "covered", (json_int_t)status->n_covered,
        "uncovered", (json_int_t)status->n_uncovered, "due", status->is_due, "texts",
        (json_int_t)status->n_texts, "damaged", (json_int_t)status->n_damaged, "damage",
        status->n_damaged > 0 ? status->damage : NULL, "indexes", indexes, "lancedb", lance);
}

pn_status pn_table_index_status_json(pn_table *table, char **out, pn_error *err)
{
    pn_arena arena;
    pn_engine_index_status now;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = status_of(table, &arena, &now, err);
    if (status == PN_OK)
        status = pn_json_detach(status_to_json(&now), out, err);
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_table_index_check(pn_table *table, pn_error *err)
{
    return table->engine->index_check(table->engine->self, err);
}

pn_status pn_table_index_drop(pn_table *table, size_t *n_dropped, pn_error *err)
{
    size_t n;
    PN_TRY(table->engine->index_drop(table->engine->self, &n, err));
    if (n_dropped)
        *n_dropped = n;
    return PN_OK;
}

pn_status pn_table_index_drop_lancedb(pn_table *table, size_t *n_dropped, pn_error *err)
{
    size_t n;
    PN_TRY(table->engine->lance_drop(table->engine->self, &n, err));
    if (n_dropped)
        *n_dropped = n;
    return PN_OK;
}
