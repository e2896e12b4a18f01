/*
 * pn_table.c - section 3 of pennon.h: opening tables, and what they say of themselves
 *
 * The identity of the model is recorded in the table's metadata when pennon makes the table. A table that another program
 * made has none; then only the dimension can be compared.
 */
#include "api/internal.h"

#include "api/facets.h"
#include "base/alloc.h"
#include "collection/local_engine.h"
#include "dataset/summary.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

static pn_status make_table(pn_library *library, const char *path, pn_engine *engine,
                            pn_table **out, pn_error *err)
{
    pn_table *table = pn_alloc_zero(sizeof *table);
    char *copy = pn_strdup(path);
    if (!table || !copy || pthread_mutex_init(&table->facets_mu, NULL) != 0) {
        pn_free(copy);
        pn_free(table);
        pn_engine_free(engine);
        return pn_fail_nomem(err);
    }
    pn_path_locks_init(&table->uploads);
    table->library = library;
    table->engine = engine;
    table->path = copy;
    *out = table;
    return PN_OK;
}

pn_status pn_table_open(pn_library *library, const char *path, pn_table **out, pn_error *err)
{
    pn_engine *engine;
    PN_TRY(pn_check_path(path, err));
    PN_TRY(pn_local_engine_open(path, library->pool, &engine, err));
    return make_table(library, path, engine, out, err);
}

pn_status pn_table_open_version(pn_library *library, const char *path, uint64_t version,
                                pn_table **out, pn_error *err)
{
    pn_engine *engine;
    PN_TRY(pn_check_path(path, err));
    PN_TRY(pn_local_engine_open_version(path, version, library->pool, &engine, err));
    return make_table(library, path, engine, out, err);
}

static pn_status create_engine(pn_library *library, const char *path, const pn_model *model,
                               pn_engine **out, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pn_schema schema;
    pn_status status =
        pn_image_schema_make(model->embedder->dim, model->embedder->identity, model->name,
                             model->embedder->preprocess, &arena, &schema, err);
    if (status == PN_OK)
        status = pn_local_engine_create(path, &schema, library->pool, out, err);
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_table_open_or_create(pn_library *library, const char *path, const pn_model *model,
                                  pn_table **out, pn_error *err)
{
    pn_error why = {0};
    pn_table *table;
    pn_status status = pn_table_open(library, path, &table, &why);
    if (status == PN_ERR_NOT_FOUND) {
        pn_engine *engine;
        status = create_engine(library, path, model, &engine, &why);
        if (status == PN_OK)
            return make_table(library, path, engine, out, err);
        if (status == PN_ERR_EXISTS) // another process was faster
            status = pn_table_open(library, path, &table, &why);
    }
    if (status != PN_OK)
        return pn_fail(err, status, "%s", why.message);
    status = pn_table_check_identity(table, model->embedder, err);
    if (status != PN_OK) {
        pn_table_close(table);
        return status;
    }
    *out = table;
    return PN_OK;
}

pn_status pn_table_set_read_consistency_interval(pn_table *table, double seconds, pn_error *err)
{
    static const double most = 86400;
    if (!(seconds >= 0 && seconds <= most))
        return pn_fail(err, PN_ERR_INVALID,
                       "read_consistency_interval: 0 to %.0f seconds are possible", most);
    pn_local_engine_set_consistency(table->engine, (int64_t)(seconds * 1e9));
    return PN_OK;
}

pn_status pn_table_set_index_cache_size(pn_table *table, double gigabytes, pn_error *err)
{
    static const double most = 1048576;
    if (!(gigabytes >= 0 && gigabytes <= most))
        return pn_fail(err, PN_ERR_INVALID, "index_cache_size: 0 to %.0f GB are possible", most);
    return pn_local_engine_set_index_cache(table->engine, (uint64_t)(gigabytes * (1 << 30)), err);
}

void pn_table_close(pn_table *table)
{
    if (!table)
        return;
    pn_engine_free(table->engine);
    pthread_mutex_destroy(&table->facets_mu);
    pn_path_locks_reset(&table->uploads);
    pn_free(table->facets);
    pn_free(table->path);
    pn_free(table);
}

static pn_status pin(pn_table *table, pn_snapshot **snapshot, pn_engine_info *info, pn_error *err)
{
    PN_TRY(table->engine->pin(table->engine->self, snapshot, err));
    table->engine->info(table->engine->self, *snapshot, info);
    return PN_OK;
}

pn_status pn_table_check_identity(pn_table *table, const pn_embedder *embedder, pn_error *err)
{
    pn_snapshot *snapshot;
    pn_engine_info info;
    PN_TRY(pin(table, &snapshot, &info, err));
    pn_status status = PN_OK;
    const char *recorded = pn_schema_metadata(info.schema, PN_META_EMBEDDER);
    const char *name = pn_schema_metadata(info.schema, PN_META_MODEL);
    const char *mode = pn_schema_metadata(info.schema, PN_META_PREPROCESS);
    if (info.dim != embedder->dim)
        status = pn_fail(err, PN_ERR_INVALID,
                         "%s holds vectors of %" PRIu32 " floats, the model \"%s\" makes %" PRIu32
                         ": use the model the table was made with, or another table",
                         table->path, info.dim, embedder->model, embedder->dim);
    else if (recorded && strcmp(recorded, embedder->identity) != 0)
        status = pn_fail(err, PN_ERR_INVALID,
                         "%s was made with model \"%s\" and preprocessing \"%s\" (%s), not with "
                         "\"%s\" (%s): vectors of "
                         "two models do not compare. Use that model, or ingest into another table",
                         table->path, name ? name : "?", mode ? mode : "?", recorded,
                         embedder->model, embedder->identity);
    table->engine->unpin(table->engine->self, snapshot);
    return status;
}

pn_status pn_table_check_model(pn_table *table, const pn_model *model, pn_error *err)
{
    return pn_table_check_identity(table, model->embedder, err);
}

static void copy_text(char *out, size_t room, const char *text)
{
    (void)snprintf(out, room, "%s", text ? text : ""); // a longer text is cut
}

pn_status pn_table_get_info(pn_table *table, pn_table_info *out, pn_error *err)
{
    pn_snapshot *snapshot;
    pn_engine_info info;
    PN_TRY(pin(table, &snapshot, &info, err));
    *out = (pn_table_info){.version = info.version,
                           .timestamp_ms = info.timestamp_ms,
                           .n_rows = info.n_rows,
                           .n_fragments = info.n_fragments,
                           .data_bytes = info.data_bytes,
                           .dim = info.dim};
    copy_text(out->model, sizeof out->model, pn_schema_metadata(info.schema, PN_META_MODEL));
    copy_text(out->preprocess, sizeof out->preprocess,
              pn_schema_metadata(info.schema, PN_META_PREPROCESS));
    copy_text(out->identity, sizeof out->identity,
              pn_schema_metadata(info.schema, PN_META_EMBEDDER));
    table->engine->unpin(table->engine->self, snapshot);
    return PN_OK;
}

pn_status pn_table_list_versions(pn_table *table, pn_version_entry **out, size_t *n, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pn_version_survey *versions;
    size_t n_versions;
    pn_status status = pn_dataset_survey_versions(table->path, &arena, &versions, &n_versions, err);
    if (status == PN_OK) {
        pn_version_entry *entries = pn_alloc_zero((n_versions + 1) * sizeof *entries);
        for (size_t i = 0; entries && i < n_versions; i++) {
            entries[i].version = versions[i].version;
            entries[i].timestamp_ms = versions[i].timestamp_ms;
            entries[i].n_rows = versions[i].n_rows;
            copy_text(entries[i].operation, sizeof entries[i].operation,
                      versions[i].problem ? "damaged" : versions[i].operation);
        }
        if (entries) {
            *out = entries;
            *n = n_versions;
        } else {
            status = pn_fail_nomem(err);
        }
    }
    pn_arena_reset(&arena);
    return status;
}

static json_t *schema_to_json(const pn_schema *schema, pn_arena *arena)
{
    json_t *all = json_array();
    for (size_t i = 0; all && i < schema->n_fields; i++) {
        const pn_field *field = &schema->fields[i];
        char *type = pn_type_text(field, arena);
        json_t *one = type ? json_pack("{s:s, s:s, s:b}", "name", field->name, "type", type,
                                       "nullable", (int)field->nullable)
                           : NULL;
        if (!one || json_array_append_new(all, one) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

pn_status pn_table_schema_json(pn_table *table, char **out, pn_error *err)
{
    pn_snapshot *snapshot;
    pn_engine_info info;
    PN_TRY(pin(table, &snapshot, &info, err));
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_json_detach(schema_to_json(info.schema, &arena), out, err);
    pn_arena_reset(&arena);
    table->engine->unpin(table->engine->self, snapshot);
    return status;
}

pn_status pn_table_facets_json(pn_table *table, size_t max_values, char **out, pn_error *err)
{
    pn_snapshot *snapshot;
    pn_engine_info info;
    PN_TRY(pin(table, &snapshot, &info, err));
    pn_status status = PN_OK;
    pthread_mutex_lock(&table->facets_mu);
    if (!table->facets || table->facets_version != info.version ||
        table->facets_max != max_values) {
        char *fresh;
        status = pn_facets_compute(table->engine, snapshot, max_values, &fresh, err);
        if (status == PN_OK) {
            pn_free(table->facets);
            table->facets = fresh;
            table->facets_version = info.version;
            table->facets_max = max_values;
        }
    }
    if (status == PN_OK) {
        char *copy = pn_strdup(table->facets);
        if (copy)
            *out = copy;
        else
            status = pn_fail_nomem(err);
    }
    pthread_mutex_unlock(&table->facets_mu);
    table->engine->unpin(table->engine->self, snapshot);
    return status;
}
