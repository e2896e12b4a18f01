/*
 * local_search.c - the nearest rows of one version: which index, how far, and what exactly
 *
 * Every part of the table fills a heap of its own, and the k best of all are the answer. A part is what one index covers, or
 * all that is scanned. What k rows of the larger indexes reach spares the smaller ones, and the scan, looking closely at what is farther. An index is
 * passed over for a scan where few of its rows may be returned. It answers exactly, by the bounds of its copies, where that is asked, and
 * where it would have to look at half of itself to keep the promise; but a small one that was made like another always looks at all of
 * its codes.
 */
#include "collection/local_search.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "collection/run_list.h"

#include <math.h>

#define FEW_DELETED 0.9 /* when more than this share is left */
#define ROUNDING 1e-6f

typedef struct plan {
    const pn_local_scope *scope;
    const pn_engine_search *asked;
    pn_filtered *filtered;
    bool *scans_view;  /* [n_views] its fragments are scanned */
    bool *scans_lance; /* [n_views of lance] likewise; else only what it leaves out */
    pn_arena *arena;
    pn_run_list runs;
    uint64_t n_scanned, n_matching;
    double recall_rows; /* sum of rows * recall over the parts */
    uint64_t part_rows;
    size_t n_indexes;
    pn_topk *topk;
    pn_index_bar bar; /* of the indexes so far */
    pn_index_turned turned;
    pn_engine_search_stats *stats;
} plan;

/* ---- what is scanned */

/* The rows in both, in the arena; allowed NULL: all. */
static pn_status both(plan *p, const uint64_t *left, const uint64_t *allowed, size_t n_rows,
                      const uint64_t **out, pn_error *err)
{
    *out = left;
    if (!allowed)
        return PN_OK;
    size_t n_words = pn_words_for_bits(n_rows);
    uint64_t *words = PN_ARENA_NEW(p->arena, uint64_t, n_words + 1);
    if (!words)
        return pn_fail_nomem(err);
    for (size_t w = 0; w < n_words; w++)
        words[w] = left[w] & allowed[w];
    *out = words;
    return PN_OK;
}

static pn_status add_runs(plan *p, size_t i, const uint64_t *left, pn_error *err)
{
    const pn_rowset *allowed = p->filtered ? pn_filtered_rows(p->filtered) : NULL;
    pn_fragment_info fragment;
    pn_dataset_fragment(p->scope->dataset, i, &fragment);
    const pn_rowset_part *part = allowed ? pn_rowset_find(allowed, fragment.id) : NULL;
    if (allowed && !part)
        return PN_OK;
    const uint64_t *words = part ? part->words : NULL;
    size_t first = p->runs.n;
    if (left)
        PN_TRY(both(p, left, words, fragment.physical_rows, &words, err));
    PN_TRY(pn_run_list_add(&p->runs, p->scope->dataset, i, PN_COLUMN_VECTOR, p->scope->any_length,
                           words, err));
    for (; first < p->runs.n; first++)
        p->runs.runs[first].copy = pn_recent_rows_find(p->scope->recent, &p->runs.runs[first]);
    uint64_t n = fragment.physical_rows - fragment.deleted_rows;
    for (size_t w = 0; left && w < pn_words_for_bits(fragment.physical_rows); w++)
        n = (w > 0 ? n : 0) + pn_popcount64(left[w]);
    p->n_scanned += n;
    return PN_OK;
}

/* Everything that no index answers for. */
static pn_status collect_runs(plan *p, pn_error *err)
{
    const pn_index_views *views = p->scope->views;
    const pn_lance_views *lance = p->scope->lance;
    for (size_t i = 0; i < pn_dataset_n_fragments(p->scope->dataset); i++) {
        uint32_t view = views ? views->view_of[i] : PN_NO_VIEW;
        if (view != PN_NO_VIEW && !p->scans_view[view])
            continue;
        uint32_t theirs = lance && view == PN_NO_VIEW ? lance->view_of[i] : PN_NO_VIEW;
        bool is_listed = theirs != PN_NO_VIEW && !p->scans_lance[theirs];
        if (!is_listed || lance->left[i])
            PN_TRY(add_runs(p, i, is_listed ? lance->left[i] : NULL, err));
    }
    return PN_OK;
}

static pn_status scan(plan *p, pn_topk *into, pn_error *err)
{
    PN_TRY(collect_runs(p, err));
    if (p->runs.n == 0)
        return PN_OK;
    PN_TRY(pn_flat_search(p->runs.runs, p->runs.n, p->asked->query, p->scope->dim, p->bar.score,
                          p->scope->pool, p->asked->cancel, into, err));
    uint64_t n = p->filtered ? PN_MIN(p->n_scanned, p->n_matching) : p->n_scanned;
    p->stats->n_scanned += n;
    return PN_OK;
}

/* ---- what an index answers for */

static pn_status mask_of(const plan *p, size_t i, const pn_index_mask **out, pn_error *err)
{
    *out = pn_index_view_mask(&p->scope->views->views[i]);
    if (p->filtered)
        PN_TRY(pn_filtered_mask(p->filtered, p->scope->views, i, out, err));
    return PN_OK;
}

/* A filter may contradict the question, so that the usual gap has to be closed: then half of all searches look on beyond the partitions of their
 * effort. Deleted rows seldom do. Of many it is enough that no partition promises more than what was found; of few, that none promises more than it ever did
 * when searches were measured. */
static pn_index_effort choose_effort(const plan *p, const pn_index *index, pn_query_kind kind,
                                     double share, float *recall)
{
    float wanted = p->asked->min_recall > 0 ? p->asked->min_recall : PN_MIN_RECALL_DEFAULT;
    if (p->asked->partitions > 0)
        return pn_index_effort_at(index, kind, p->asked->partitions, recall);
    pn_index_effort effort = pn_index_effort_for(index, kind, wanted, share, p->topk->k, recall);
    float undeleted = pn_index_effort_for(index, kind, wanted, 1, p->topk->k, recall).gap;
    if (!p->filtered && isinf(undeleted))
        effort.gap =
            PN_MAX(effort.gap, share > FEW_DELETED ? PN_MAX(effort.widest_gap, 0.0f) : 0.0f);
    return effort;
}

/* All n rows of a view, by its copies where it has some. */
static pn_status search_view_exactly(plan *p, size_t i, const pn_index_mask *mask, uint64_t n,
                                     pn_topk *into, pn_error *err)
{
    const pn_index_view *view = &p->scope->views->views[i];
    const pn_index_query query = {.vector = p->asked->query,
                                  .kind = pn_index_kind_of(view->index, p->asked->query),
                                  .rows = &view->rows,
                                  .mask = mask,
                                  .cancel = p->asked->cancel};
    pn_index_info info;
    pn_index_stats stats;
    pn_index_info_get(view->index, &info);
    if (!info.has_copies) {
        p->scans_view[i] = true;
        return PN_OK;
    }
    PN_TRY(pn_index_search_exact(view->index, &query, p->scope->pool, into, &stats, err));
    p->stats->n_scanned += n;
    return PN_OK;
}

static pn_status search_view(plan *p, size_t i, bool exactly, pn_topk *into, pn_error *err)
{
    const pn_index_view *view = &p->scope->views->views[i];
    const pn_index_mask *mask;
    pn_index_info info;
    pn_index_stats stats;
    float recall;
    PN_TRY(mask_of(p, i, &mask, err));
    pn_index_info_get(view->index, &info);
    uint64_t n = mask ? pn_index_mask_count(mask) : info.n_listed;
    if (n <= (p->filtered ? PN_FEW_ROWS : 0)) {
        p->scans_view[i] = n > 0;
        return PN_OK;
    }
    if (exactly)
        return search_view_exactly(p, i, mask, n, into, err);
    pn_query_kind kind = pn_index_kind_of(view->index, p->asked->query);
    pn_index_effort effort =
        choose_effort(p, view->index, kind, (double)n / (double)info.n_listed, &recall);
    bool is_long = !info.scans_all && effort.partitions > info.n_partitions / 2;
    if (p->asked->partitions == 0 && (recall <= 0 || is_long))
        return search_view_exactly(p, i, mask, n, into, err);
    const pn_index_query query = {.vector = p->asked->query,
                                  .kind = kind,
                                  .effort = effort,
                                  .rows = &view->rows,
                                  .mask = mask,
                                  .bar = &p->bar,
                                  .turned = &p->turned,
                                  .cancel = p->asked->cancel};
    PN_TRY(pn_index_search(view->index, &query, into, &stats, err));
    p->bar.by_codes = stats.by_codes;
    p->stats->n_scanned += stats.n_scanned;
    p->stats->n_partitions += stats.n_partitions;
    p->recall_rows += (double)n * (double)recall;
    p->part_rows += n;
    p->n_indexes++;
    return PN_OK;
}

/* ---- what an index of LanceDB's answers for */

static pn_status search_lance(plan *p, const pn_lance_view *view, uint64_t n,
                              const pn_lance_effort *effort, pn_topk *into, pn_error *err)
{
    pn_lance_stats stats;
    const pn_lance_query query = {.vector = p->asked->query,
                                  .effort = *effort,
                                  .rows = &view->rows,
                                  .allowed = p->filtered ? pn_filtered_rows(p->filtered) : NULL,
                                  .cancel = p->asked->cancel};
    PN_TRY(pn_lance_ivf_search(view->ivf, &query, into, &stats, err));
    p->stats->n_scanned += stats.n_scanned;
    p->stats->n_partitions += stats.n_partitions;
    p->part_rows += n;
    p->n_indexes++;
    return PN_OK;
}

/* *searched false: its rows are to be scanned. */
static pn_status try_lance(plan *p, const pn_lance_view *view, pn_topk *into, bool *searched,
                           pn_error *err)
{
    const pn_lance_measure *measure;
    pn_lance_ivf_info info;
    float recall;
    uint64_t n = view->n_rows;
    if (p->filtered)
        n = pn_lance_view_count(view, pn_filtered_rows(p->filtered));
    *searched = false;
    if (n <= PN_FEW_ROWS)
        return PN_OK;
    PN_TRY(pn_lance_view_measure(view, p->scope->dim, p->scope->texts_folder, p->scope->pool,
                                 p->asked->cancel, &measure, err));
    pn_lance_ivf_info_get(view->ivf, &info);
    if (!measure)
        return PN_OK;
    const pn_lance_wish wish = {p->asked->query, (double)n / (double)info.n_rows, p->topk->k,
                                p->asked->min_recall > 0 ? p->asked->min_recall
                                                         : PN_MIN_RECALL_DEFAULT};
    pn_lance_effort effort =
        p->asked->partitions > 0
            ? pn_lance_ivf_effort_at(view->ivf, measure, &wish, p->asked->partitions, &recall)
            : pn_lance_ivf_effort_for(view->ivf, measure, &wish, &recall);
    if (p->asked->partitions == 0 && recall <= 0)
        return PN_OK;
    PN_TRY(search_lance(p, view, n, &effort, into, err));
    /* Vectors that are no numbers now and were some when the index was made: look at all. */
    *searched = into->n >= PN_MIN((uint64_t)into->k, n);
    p->recall_rows += *searched ? (double)n * (double)recall : 0;
    p->part_rows -= *searched ? 0 : n;
    p->n_indexes -= !*searched;
    if (!*searched)
        into->n = 0;
    return PN_OK;
}

/* What k rows reach is the bar of the parts to come; less a little, which is lost between scores and distances. */
static void add_part(plan *p, pn_topk *part)
{
    pn_topk_merge(p->topk, part);
    part->n = 0;
    if (p->topk->n == p->topk->k)
        p->bar.score = 1.0f - p->topk->heap[0].distance - ROUNDING;
}

static pn_status run(plan *p, pn_arena *arena, pn_error *err)
{
    const pn_index_views *views = p->scope->views;
    size_t n_views = views ? views->n_views : 0;
    pn_candidate *heap = PN_ARENA_NEW(arena, pn_candidate, p->topk->k);
    size_t n_lance = p->scope->lance ? p->scope->lance->n_views : 0;
    p->arena = arena;
    p->scans_view = PN_ARENA_NEW(arena, bool, n_views + 1);
    p->scans_lance = PN_ARENA_NEW(arena, bool, n_lance + 1);
    p->turned.values = PN_ARENA_NEW(arena, float, p->scope->dim);
    if (!heap || !p->scans_view || !p->scans_lance || !p->turned.values)
        return pn_fail_nomem(err);
    bool by_index = !p->filtered || p->n_matching > PN_FEW_ROWS;
    bool exactly = p->asked->exact || p->asked->min_recall >= 1;
    pn_topk part;
    pn_topk_init(&part, heap, p->topk->k);
    for (size_t i = 0; i < n_views; i++) {
        p->scans_view[i] = !by_index;
        if (by_index)
            PN_TRY(search_view(p, i, exactly, &part, err));
        add_part(p, &part);
    }
    for (size_t i = 0; i < n_lance; i++) {
        bool searched = false;
        if (by_index && !exactly)
            PN_TRY(try_lance(p, &p->scope->lance->views[i], &part, &searched, err));
        p->scans_lance[i] = !searched;
        add_part(p, &part);
    }
    PN_TRY(scan(p, &part, err));
    add_part(p, &part);
    pn_topk_sort(p->topk);
    return PN_OK;
}

/* With refine more are looked for than are asked for, and the nearest of them given. */
static pn_status run_refined(plan *p, pn_topk *wide, pn_arena *arena, pn_error *err)
{
    pn_topk *asked = p->topk;
    size_t k;
    if (p->asked->refine <= 1)
        return run(p, arena, err);
    pn_candidate *heap = NULL;
    if (pn_size_mul(asked->k, p->asked->refine, &k))
        heap = PN_ARENA_NEW(arena, pn_candidate, k);
    if (!heap)
        return pn_fail_nomem(err);
    pn_topk_init(wide, heap, k);
    p->topk = wide;
    PN_TRY(run(p, arena, err));
    pn_topk_merge(asked, wide);
    pn_topk_sort(asked);
    return PN_OK;
}

pn_status pn_local_search(const pn_local_scope *scope, pn_filtered *filtered,
                          const pn_engine_search *asked, pn_topk *topk,
                          pn_engine_search_stats *stats, pn_error *err)
{
    static const char *const plans[2][2] = {{"exact", "exact, prefiltered"},
                                            {"index", "index, prefiltered"}};
    pn_arena arena;
    pn_topk wide;
    uint64_t n_rows = pn_dataset_count_rows(scope->dataset);
    plan p = {.scope = scope,
              .asked = asked,
              .filtered = filtered,
              .n_matching = filtered ? pn_filtered_count(filtered) : n_rows,
              .topk = topk,
              .bar = {-INFINITY, -INFINITY},
              .stats = stats};
    *stats = (pn_engine_search_stats){.n_rows = n_rows, .n_matching = p.n_matching};
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = run_refined(&p, &wide, &arena, err);
    pn_arena_reset(&arena);
    pn_free(p.runs.runs);
    PN_TRY(status);
    uint64_t exact_rows = p.n_matching > p.part_rows ? p.n_matching - p.part_rows : 0;
    uint64_t all_rows = p.part_rows + exact_rows;
    stats->recall =
        all_rows > 0 ? (float)((p.recall_rows + (double)exact_rows) / (double)all_rows) : 1;
    stats->n_indexes = p.n_indexes;
    stats->plan = plans[p.n_indexes > 0][filtered != NULL];
    return PN_OK;
}
