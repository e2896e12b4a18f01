/*
 * search.c - one pinned version from the question to the rows
 *
 * Rows named by "more like this" are their own nearest neighbours and nobody wants to see them again. So the search asks
 * for that many rows more and leaves them out: k rows come back whenever k others pass the filter.
 */
#include "search/search.h"

#include "base/limits.h"
#include "os/clock.h"

#include <inttypes.h>

typedef struct search_state {
    pn_engine *engine;
    pn_snapshot *snapshot;
    pn_arena arena;
    pn_engine_info info;
    pn_row_addr *addrs; /* of the answer */
    float *distances;
    size_t n;
} search_state;

static pn_status state_begin(search_state *state, pn_engine *engine, pn_error *err)
{
    *state = (search_state){.engine = engine};
    pn_arena_init(&state->arena, SIZE_MAX);
    PN_TRY(engine->pin(engine->self, &state->snapshot, err));
    engine->info(engine->self, state->snapshot, &state->info);
    return PN_OK;
}

static void state_end(search_state *state)
{
    if (state->snapshot)
        state->engine->unpin(state->engine->self, state->snapshot);
    pn_arena_reset(&state->arena);
}

static pn_status state_room(search_state *state, size_t n, pn_error *err)
{
    state->addrs = PN_ARENA_NEW(&state->arena, pn_row_addr, n + 1);
    state->distances = PN_ARENA_NEW(&state->arena, float, n + 1);
    return state->addrs && state->distances ? PN_OK : pn_fail_nomem(err);
}

static const char *no_blank_filter(const char *where)
{
    return where && pn_str_trim(pn_str_of(where)).len > 0 ? where : NULL;
}

static bool is_one_of(pn_row_addr addr, const pn_row_addr *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i] == addr)
            return true;
    return false;
}

static pn_status find_nearest(search_state *state, const pn_search_query *query,
                              const float *vector, const pn_row_addr *left_out, size_t n_left_out,
                              pn_engine_search_stats *stats, pn_error *err)
{
    pn_engine_search search = {.query = vector,
                               .k = query->k + n_left_out,
                               .filter = no_blank_filter(query->where),
                               .cancel = query->cancel,
                               .exact = query->exact,
                               .min_recall = query->min_recall,
                               .partitions = query->partitions,
                               .refine = query->refine};
    pn_candidate *heap = PN_ARENA_NEW(&state->arena, pn_candidate, search.k);
    if (!heap)
        return pn_fail_nomem(err);
    pn_topk topk;
    pn_topk_init(&topk, heap, search.k);
    PN_TRY(state->engine->search(state->engine->self, state->snapshot, &search, &topk, stats, err));
    PN_TRY(state_room(state, query->k, err));
    for (size_t i = 0; i < topk.n && state->n < query->k; i++) {
        if (is_one_of(heap[i].id, left_out, n_left_out))
            continue;
        state->addrs[state->n] = heap[i].id;
        state->distances[state->n++] = heap[i].distance;
    }
    return PN_OK;
}

static pn_status check_k(size_t k, pn_error *err)
{
    if (k < PN_SEARCH_K_MIN || k > PN_SEARCH_K_MAX)
        return pn_fail(err, PN_ERR_LIMIT, "%zu results asked for: the limits are %d and %d", k,
                       PN_SEARCH_K_MIN, PN_SEARCH_K_MAX);
    return PN_OK;
}

static pn_status check_recall(float min_recall, pn_error *err)
{
    /* 0: nobody asked. NaN fails, too */
    if (min_recall == 0 || (min_recall >= PN_SEARCH_RECALL_MIN && min_recall <= 1))
        return PN_OK;
    return pn_fail(err, PN_ERR_INVALID, "a recall of %g asked for: %g to 1 can be had",
                   (double)min_recall, (double)PN_SEARCH_RECALL_MIN);
}

static pn_status check_refine(uint32_t refine, pn_error *err)
{
    if (refine > PN_SEARCH_REFINE_MAX)
        return pn_fail(err, PN_ERR_INVALID, "refine %u: 1 to %d times as many rows",
                       (unsigned)refine, PN_SEARCH_REFINE_MAX);
    return PN_OK;
}

static pn_status run(search_state *state, pn_embedder *embedder, const pn_search_query *query,
                     pn_hits *hits, pn_error *err)
{
    int64_t start = pn_clock_monotonic_ns();
    PN_TRY(state_begin(state, state->engine, err));
    uint32_t dim = state->info.dim;
    float *vector = pn_arena_alloc_aligned(&state->arena, 64, dim * sizeof *vector);
    pn_row_addr *left_out = PN_ARENA_NEW(&state->arena, pn_row_addr, query->n_terms + 1);
    if (!vector || !left_out)
        return pn_fail_nomem(err);
    size_t n_left_out;
    const pn_query_embedder with = {embedder, query->how};
    PN_TRY(pn_query_vector(query->terms, query->n_terms, &with, state->engine, state->snapshot, dim,
                           vector, left_out, &n_left_out, err));
    int64_t embedded = pn_clock_monotonic_ns();

    pn_engine_search_stats stats = {0};
    PN_TRY(find_nearest(state, query, vector, left_out, n_left_out, &stats, err));
    int64_t found = pn_clock_monotonic_ns();
    PN_TRY(pn_hits_fetch(state->engine, state->snapshot, state->addrs, state->distances, state->n,
                         query->vectors, hits, err));
    int64_t end = pn_clock_monotonic_ns();
    hits->stats = stats;
    hits->times = (pn_search_times){
        .embed_ns = embedded - start, .fetch_ns = end - found, .total_ns = end - start};
    return PN_OK;
}

pn_status pn_search_run(pn_engine *engine, pn_embedder *embedder, const pn_search_query *query,
                        pn_hits *hits, pn_error *err)
{
    *hits = (pn_hits){0};
    PN_TRY(check_k(query->k, err));
    PN_TRY(check_recall(query->min_recall, err));
    PN_TRY(check_refine(query->refine, err));
    search_state state = {.engine = engine};
    pn_status status = run(&state, embedder, query, hits, err);
    state_end(&state);
    return status;
}

pn_status pn_search_get(pn_engine *engine, const int64_t *ids, size_t n, pn_search_vectors vectors,
                        pn_hits *hits, pn_error *err)
{
    *hits = (pn_hits){0};
    if (n > PN_SEARCH_K_MAX)
        return pn_fail(err, PN_ERR_LIMIT, "%zu rows asked for, the limit is %d", n,
                       PN_SEARCH_K_MAX);
    search_state state;
    pn_status status = state_begin(&state, engine, err);
    if (status == PN_OK)
        status = state_room(&state, n, err);
    for (size_t i = 0; i < n && status == PN_OK; i++)
        status = engine->find_id(engine->self, state.snapshot, ids[i], &state.addrs[i], err);
    if (status == PN_OK)
        status = pn_hits_fetch(engine, state.snapshot, state.addrs, NULL, n, vectors, hits, err);
    state_end(&state);
    return status;
}

/* Skips offset rows of a scan, then collects limit addresses. */
typedef struct page {
    uint64_t to_skip;
    pn_row_addr *addrs;
    size_t n, limit;
} page;

static pn_status collect(void *context, const pn_batch *batch, const pn_row_addr *addrs,
                         pn_error *err)
{
    page *p = context;
    for (size_t i = 0; i < batch->n_rows; i++) {
        if (p->to_skip > 0)
            p->to_skip--;
        else if (p->n < p->limit)
            p->addrs[p->n++] = addrs[i];
    }
    return p->n < p->limit ? PN_OK : pn_fail(err, PN_ERR_CANCELLED, "the page is full");
}

pn_status pn_search_list(pn_engine *engine, const char *where, uint64_t offset, size_t limit,
                         pn_search_vectors vectors, pn_hits *hits, pn_error *err)
{
    *hits = (pn_hits){0};
    PN_TRY(check_k(limit, err));
    search_state state;
    pn_status status = state_begin(&state, engine, err);
    if (status == PN_OK)
        status = state_room(&state, limit, err);
    if (status == PN_OK) {
        /* One narrow column is read to walk the rows; the engine reads those of the filter too. */
        const char *column = state.info.schema->fields[0].name;
        for (size_t i = 0; i < state.info.schema->n_fields; i++)
            if (strcmp(state.info.schema->fields[i].name, PN_COLUMN_ID) == 0)
                column = PN_COLUMN_ID;
        page p = {.to_skip = offset, .addrs = state.addrs, .limit = limit};
        status = engine->scan(engine->self, state.snapshot, &column, 1, no_blank_filter(where),
                              collect, &p, err);
        if (status == PN_ERR_CANCELLED && p.n == limit)
            status = PN_OK;
        state.n = p.n;
    }
    if (status == PN_OK)
        status =
            pn_hits_fetch(engine, state.snapshot, state.addrs, NULL, state.n, vectors, hits, err);
    state_end(&state);
    return status;
}
