/*
 * pn_search.c - sections 5 and 7 of pennon.h: pictures out, rows by name
 *
 * The library's search polls an atomic flag; the public query has a function to ask. A search takes milliseconds to a second, so the
 * question is asked before it starts and the flag is there for what will last longer. A model's server may take longer than that:
 * waiting for it the function is asked again and again.
 */
#include "api/internal.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "search/search.h"

#include <inttypes.h>

static pn_status convert_term(const pn_query_term *given, pn_search_term *out, pn_error *err)
{
    pn_query_term term = PN_QUERY_TERM_INIT;
    PN_TRY(pn_take_struct(&term, sizeof term, given, err));
    *out = (pn_search_term){.weight = term.weight};
    switch (term.kind) {
    case PN_TERM_TEXT:
        out->kind = PN_SEARCH_TEXT;
        out->text = pn_str_of(term.text);
        return term.text ? PN_OK : pn_fail(err, PN_ERR_INVALID, "a text term without a text");
    case PN_TERM_IMAGE:
        out->kind = PN_SEARCH_IMAGE;
        out->image = term.image;
        out->image_bytes = term.image_bytes;
        out->image_name = term.image_name;
        return term.image ? PN_OK
                          : pn_fail(err, PN_ERR_INVALID, "a picture term without a picture");
    case PN_TERM_ID:
        out->kind = PN_SEARCH_ROW;
        out->id = term.id;
        return PN_OK;
    case PN_TERM_VECTOR:
        out->kind = PN_SEARCH_VECTOR;
        out->vector = term.vector;
        out->vector_dim = term.vector_dim;
        return term.vector ? PN_OK : pn_fail(err, PN_ERR_INVALID, "a vector term without a vector");
    }
    return pn_fail(err, PN_ERR_INVALID, "term kind %d is not known", (int)term.kind);
}

/* Terms of an older or newer header have another size: step by the size that the first one says. */
static pn_status convert_terms(const pn_query *query, pn_search_term *terms, bool *needs_model,
                               pn_error *err)
{
    *needs_model = false;
    for (size_t i = 0; i < query->n_terms; i++) {
        const unsigned char *first = (const unsigned char *)query->terms;
        pn_query_term at = PN_QUERY_TERM_INIT;
        PN_TAKE_OPTIONS(at, first + i * query->terms[0].struct_bytes, err);
        PN_TRY(convert_term(&at, &terms[i], err));
        *needs_model =
            *needs_model || terms[i].kind == PN_SEARCH_TEXT || terms[i].kind == PN_SEARCH_IMAGE;
    }
    return PN_OK;
}

static bool is_cancelled(void *context)
{
    const pn_query *query = context;
    return query->cancelled(query->context) != 0;
}

pn_status pn_table_search(pn_table *table, pn_model *model, const pn_query *query, pn_results **out,
                          pn_error *err)
{
    pn_query own = PN_QUERY_INIT;
    PN_TAKE_OPTIONS(own, query, err);
    if (own.n_terms > 0 && !own.terms)
        return pn_fail(err, PN_ERR_INVALID, "%zu search terms, but none are there", own.n_terms);
    if (own.n_terms > PN_SEARCH_MAX_TERMS)
        return pn_fail(err, PN_ERR_LIMIT, "%zu search terms, the limit is %d", own.n_terms,
                       PN_SEARCH_MAX_TERMS);
    pn_search_term terms[PN_SEARCH_MAX_TERMS];
    bool needs_model;
    PN_TRY(convert_terms(&own, terms, &needs_model, err));
    if (needs_model && model)
        PN_TRY(pn_table_check_identity(table, model->embedder, err));
    if (own.cancelled && own.cancelled(own.context))
        return pn_fail(err, PN_ERR_CANCELLED, "stopped");
    const pn_embed_how how = {PN_EMBED_QUERY, own.cancelled ? is_cancelled : NULL, &own};
    const pn_search_query asked = {.terms = terms,
                                   .how = &how,
                                   .n_terms = own.n_terms,
                                   .where = own.where,
                                   .exact = own.exact != 0,
                                   .min_recall = (float)own.min_recall,
                                   .partitions = own.effort,
                                   .refine = own.refine,
                                   .k = own.k ? own.k : PN_SEARCH_K_DEFAULT,
                                   .vectors = own.include_vectors ? PN_SEARCH_WITH_VECTORS
                                                                  : PN_SEARCH_WITHOUT_VECTORS};
    pn_hits hits;
    pn_status status =
        pn_search_run(table->engine, model ? model->embedder : NULL, &asked, &hits, err);
    if (status != PN_OK) {
        pn_hits_free(&hits);
        return status;
    }
    return pn_results_make(&hits, out, err);
}

static pn_status finish(pn_status status, pn_hits *hits, pn_results **out, pn_error *err)
{
    if (status == PN_OK)
        return pn_results_make(hits, out, err);
    pn_hits_free(hits);
    return status;
}

pn_status pn_table_get(pn_table *table, const int64_t *ids, size_t n, int include_vectors,
                       pn_results **out, pn_error *err)
{
    pn_hits hits;
    pn_status status = pn_search_get(
        table->engine, ids, n, include_vectors ? PN_SEARCH_WITH_VECTORS : PN_SEARCH_WITHOUT_VECTORS,
        &hits, err);
    return finish(status, &hits, out, err);
}

pn_status pn_table_list(pn_table *table, const char *where, uint64_t offset, uint32_t limit,
                        int include_vectors, pn_results **out, pn_error *err)
{
    pn_hits hits;
    pn_status status = pn_search_list(
        table->engine, where, offset, limit,
        include_vectors ? PN_SEARCH_WITH_VECTORS : PN_SEARCH_WITHOUT_VECTORS, &hits, err);
    return finish(status, &hits, out, err);
}

static const char *no_blank_filter(const char *where)
{
    return where && pn_str_trim(pn_str_of(where)).len > 0 ? where : NULL;
}

pn_status pn_table_count(pn_table *table, const char *where, uint64_t *out, pn_error *err)
{
    pn_engine *engine = table->engine;
    pn_snapshot *snapshot;
    PN_TRY(engine->pin(engine->self, &snapshot, err));
    pn_status status =
        engine->filter(engine->self, snapshot, no_blank_filter(where), NULL, out, err);
    engine->unpin(engine->self, snapshot);
    return status;
}

static pn_status take_thumbnail(pn_engine *engine, pn_snapshot *snapshot, int64_t id,
                                unsigned char **bytes, size_t *n_bytes, pn_error *err)
{
    static const char *const column[] = {PN_COLUMN_THUMBNAIL};
    pn_engine_info info;
    engine->info(engine->self, snapshot, &info);
    ptrdiff_t at = pn_schema_find(info.schema, pn_str_of(PN_COLUMN_THUMBNAIL));
    if (at < 0 || (info.schema->fields[at].type != PN_TYPE_BINARY &&
                   info.schema->fields[at].type != PN_TYPE_LARGE_BINARY))
        return pn_fail(err, PN_ERR_NOT_FOUND, "the table has no thumbnails");
    pn_row_addr addr;
    PN_TRY(engine->find_id(engine->self, snapshot, id, &addr, err));
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pn_batch batch;
    pn_status status =
        engine->take(engine->self, snapshot, &addr, 1, column, 1, &arena, &batch, err);
    if (status == PN_OK &&
        (!pn_array_is_valid(&batch.columns[0], 0) || pn_array_bytes(&batch.columns[0], 0).len == 0))
        status = pn_fail(err, PN_ERR_NOT_FOUND, "row %" PRId64 " has no thumbnail", id);
    if (status == PN_OK) {
        pn_str thumbnail = pn_array_bytes(&batch.columns[0], 0);
        unsigned char *copy = pn_alloc(thumbnail.len);
        if (copy) {
            memcpy(copy, thumbnail.ptr, thumbnail.len);
            *bytes = copy;
            *n_bytes = thumbnail.len;
        } else {
            status = pn_fail_nomem(err);
        }
    }
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_table_thumbnail(pn_table *table, int64_t id, unsigned char **bytes, size_t *n_bytes,
                             pn_error *err)
{
    pn_engine *engine = table->engine;
    pn_snapshot *snapshot;
    PN_TRY(engine->pin(engine->self, &snapshot, err));
    pn_status status = take_thumbnail(engine, snapshot, id, bytes, n_bytes, err);
    engine->unpin(engine->self, snapshot);
    return status;
}

pn_status pn_table_delete_where(pn_table *table, const char *where, uint64_t *n_deleted,
                                pn_error *err)
{
    uint64_t n;
    if (!no_blank_filter(where))
        return pn_fail(err, PN_ERR_INVALID, "deleting needs a filter; \"true\" deletes every row");
    PN_TRY(table->engine->delete_where(table->engine->self, where, &n, err));
    if (n_deleted)
        *n_deleted = n;
    return PN_OK;
}

/* Where the ids are no integers, results have addresses instead, which must not meet a column of the same numbers: 1.0 is not row 1. */
static pn_status check_ids(pn_engine *engine, pn_error *err)
{
    pn_snapshot *snapshot;
    pn_engine_info info;
    pn_arena arena;
    pn_status status = PN_OK;
    PN_TRY(engine->pin(engine->self, &snapshot, err));
    pn_arena_init(&arena, SIZE_MAX);
    engine->info(engine->self, snapshot, &info);
    ptrdiff_t at = pn_schema_find(info.schema, pn_str_of(PN_COLUMN_ID));
    if (at < 0) {
        status = pn_fail(err, PN_ERR_UNSUPPORTED,
                         "the table has no column \"id\": delete its rows by a filter");
    } else if (!pn_type_is_integer(info.schema->fields[at].type)) {
        const char *type = pn_type_text(&info.schema->fields[at], &arena);
        status = pn_fail(err, PN_ERR_UNSUPPORTED,
                         "the column \"id\" is of type %s, not of integers: delete by a filter",
                         type ? type : "unknown");
    }
    pn_arena_reset(&arena);
    engine->unpin(engine->self, snapshot);
    return status;
}

pn_status pn_table_delete_ids(pn_table *table, const int64_t *ids, size_t n, uint64_t *n_deleted,
                              pn_error *err)
{
    enum { IDS_PER_FILTER = 2048 };
    uint64_t total = 0;
    pn_status status = PN_OK;
    pn_buffer filter;
    PN_TRY(check_ids(table->engine, err));
    pn_buffer_init(&filter, 1u << 20);
    for (size_t done = 0; done < n && status == PN_OK; done += IDS_PER_FILTER) {
        uint64_t n_now = 0;
        pn_buffer_clear(&filter);
        status = pn_buffer_append_text(&filter, PN_COLUMN_ID " IN (", err);
        for (size_t i = done; i < n && i < done + IDS_PER_FILTER && status == PN_OK; i++)
            status =
                pn_buffer_append_format(&filter, err, "%s%" PRId64, i > done ? "," : "", ids[i]);
        if (status == PN_OK)
            status = pn_buffer_append(&filter, ")", 2, err); // with its NUL
        if (status == PN_OK)
            status = table->engine->delete_where(table->engine->self, (const char *)filter.data,
                                                 &n_now, err);
        total += n_now;
    }
    pn_buffer_reset(&filter);
    if (status == PN_OK && n_deleted)
        *n_deleted = total;
    return status;
}
