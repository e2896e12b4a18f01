/*
 * lance_indexes.c - the vector indexes that LanceDB made of a table, and what they answer for
 *
 * An index folder is never changed, so what was found of it once holds: open indexes are kept from version to version by their uuid, as
 * is the reason why one was refused, unless it was the moment's (no memory, a fault of the disk).
 */
#include "collection/lance_indexes.h"

#include "base/alloc.h"
#include "collection/index_texts.h"
#include "collection/run_list.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct pn_lance_open {
    _Atomic unsigned n_refs;
    uint8_t uuid[16];
    pn_lance_ivf *ivf; /* NULL: refused */
    pn_error why;
    pthread_mutex_t mu;
    enum { NOT_YET, MEASURED, UNMEASURABLE } state; /* guarded by mu */
    pn_lance_measure measure;                       /* immutable once it is MEASURED */
};

static void unref_open(struct pn_lance_open *x)
{
    if (!x || atomic_fetch_sub(&x->n_refs, 1) != 1)
        return;
    pn_lance_ivf_close(x->ivf);
    pthread_mutex_destroy(&x->mu);
    pn_free(x);
}

void pn_lance_catalog_reset(pn_lance_catalog *catalog)
{
    for (size_t i = 0; i < catalog->n; i++)
        unref_open(catalog->opened[i]);
    pn_free(catalog->opened);
    *catalog = (pn_lance_catalog){0};
}

/* ---- opening ---- */

static int by_id(const void *a, const void *b)
{
    const pn_lance_covered *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static pn_status open_folder(const pn_vector_index *index, pn_dataset *dataset, size_t dim,
                             pn_arena *scratch, pn_lance_ivf **out, pn_error *err)
{
    pn_lance_covered *covered = PN_ARENA_NEW(scratch, pn_lance_covered, index->n_fragments + 1);
    if (!covered)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < index->n_fragments; i++) {
        pn_fragment_info f;
        pn_dataset_fragment(dataset, index->fragments[i], &f);
        covered[i] = (pn_lance_covered){f.id, f.physical_rows};
    }
    qsort(covered, index->n_fragments, sizeof *covered, by_id);
    return pn_lance_ivf_open(index->folder, dim, covered, index->n_fragments, out, err);
}

static struct pn_lance_open *find_open(const pn_lance_catalog *catalog, const uint8_t *uuid)
{
    for (size_t i = 0; i < catalog->n; i++)
        if (memcmp(catalog->opened[i]->uuid, uuid, 16) == 0)
            return catalog->opened[i];
    return NULL;
}

/* The index, opened before or now, with a reference; one that is refused has no ivf. */
static pn_status open_one(const pn_lance_catalog *catalog, const pn_vector_index *index,
                          pn_dataset *dataset, size_t dim, pn_arena *scratch,
                          struct pn_lance_open **out, pn_error *err)
{
    struct pn_lance_open *x = find_open(catalog, index->uuid);
    bool is_moment = x && !x->ivf && (x->why.status == PN_ERR_IO || index->refused);
    if (x && !is_moment) {
        atomic_fetch_add(&x->n_refs, 1);
        *out = x;
        return PN_OK;
    }
    x = pn_alloc_zero(sizeof *x);
    if (!x)
        return pn_fail_nomem(err);
    atomic_store(&x->n_refs, 1);
    pthread_mutex_init(&x->mu, NULL);
    memcpy(x->uuid, index->uuid, sizeof x->uuid);
    pn_status status = index->refused ? pn_fail(&x->why, PN_ERR_UNSUPPORTED, "%s", index->refused)
                                      : open_folder(index, dataset, dim, scratch, &x->ivf, &x->why);
    if (status == PN_ERR_NOMEM) {
        unref_open(x);
        return pn_fail_nomem(err);
    }
    *out = x;
    return PN_OK;
}

/* ---- views ---- */

typedef struct view_maker {
    pn_dataset *dataset;
    const char *column;
    size_t dim;
    bool any_length;
    const pn_index_views *own;
    pn_lance_views *views;
} view_maker;

static int by_fragment(const void *a, const void *b)
{
    const pn_lance_fragment *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Rows of a fragment that are there and not in the index. */
static pn_status find_left(view_maker *m, size_t i, const pn_fragment_info *f,
                           const uint64_t *listed, uint64_t *n_listed, pn_error *err)
{
    const uint64_t *deleted;
    uint64_t n_left = 0;
    size_t n_words = pn_words_for_bits(f->physical_rows);
    uint64_t *left = PN_ARENA_NEW(&m->views->arena, uint64_t, n_words + 1);
    if (!left)
        return pn_fail_nomem(err);
    PN_TRY(pn_dataset_deletions(m->dataset, i, &deleted, err));
    for (size_t w = 0; w < n_words; w++) {
        size_t n = PN_MIN((size_t)64, f->physical_rows - w * 64);
        uint64_t there = n == 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
        there &= deleted ? ~deleted[w] : ~(uint64_t)0;
        left[w] = there & ~listed[w];
        n_left += pn_popcount64(left[w]);
        *n_listed += pn_popcount64(there & listed[w]);
    }
    m->views->left[i] = n_left > 0 ? left : NULL;
    return PN_OK;
}

static pn_status copy_runs(view_maker *m, size_t i, const pn_flat_run **out, size_t *n,
                           pn_error *err)
{
    pn_run_list runs = {0};
    pn_status status = pn_run_list_add(&runs, m->dataset, i, m->column, m->any_length, NULL, err);
    pn_flat_run *copy = PN_ARENA_NEW(&m->views->arena, pn_flat_run, runs.n + 1);
    if (status == PN_OK && !copy)
        status = pn_fail_nomem(err);
    if (status == PN_OK && runs.n > 0)
        memcpy(copy, runs.runs, runs.n * sizeof *copy);
    *out = copy;
    *n = runs.n;
    pn_free(runs.runs);
    return status;
}

/* Fragment i of the dataset into the view, unless another index has it, or this one knows it otherwise. */
static pn_status add_fragment(view_maker *m, size_t i, pn_lance_view *view,
                              pn_lance_fragment *fragments, pn_lance_part *parts, pn_error *err)
{
    pn_fragment_info f;
    bool is_own = m->own && m->own->view_of[i] != PN_NO_VIEW;
    pn_dataset_fragment(m->dataset, i, &f);
    const uint64_t *listed = pn_lance_ivf_listed(view->ivf, f.id, f.physical_rows);
    if (is_own || m->views->view_of[i] != PN_NO_VIEW || !listed)
        return PN_OK;
    pn_lance_fragment *to = &fragments[view->rows.n];
    to->id = f.id;
    PN_TRY(copy_runs(m, i, &to->runs, &to->n_runs, err));
    PN_TRY(find_left(m, i, &f, listed, &view->n_rows, err));
    parts[view->rows.n] = (pn_lance_part){f.id, f.physical_rows, listed};
    m->views->view_of[i] = (uint32_t)m->views->n_views;
    view->rows.n++;
    return PN_OK;
}

static pn_status fill_view(view_maker *m, const pn_vector_index *index, pn_lance_view *view,
                           pn_error *err)
{
    pn_arena *arena = &m->views->arena;
    size_t n = index->n_fragments;
    pn_lance_fragment *fragments = PN_ARENA_NEW(arena, pn_lance_fragment, n + 1);
    pn_lance_part *parts = PN_ARENA_NEW(arena, pn_lance_part, n + 1);
    view->name = pn_arena_strdup(arena, index->name);
    if (!fragments || !parts || !view->name)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        PN_TRY(add_fragment(m, index->fragments[i], view, fragments, parts, err));
    qsort(fragments, view->rows.n, sizeof *fragments, by_fragment);
    view->rows.fragments = fragments;
    view->parts = parts;
    return PN_OK;
}

static pn_status refuse(view_maker *m, const pn_vector_index *index, const char *why, pn_error *err)
{
    pn_lance_refusal *to = &m->views->refused[m->views->n_refused];
    to->name = pn_arena_strdup(&m->views->arena, index->name);
    to->why = pn_arena_strdup(&m->views->arena, why);
    if (!to->name || !to->why)
        return pn_fail_nomem(err);
    m->views->n_refused++;
    return PN_OK;
}

static pn_status add_view(view_maker *m, const pn_vector_index *index, struct pn_lance_open *opened,
                          pn_error *err)
{
    if (!opened->ivf)
        return refuse(m, index, opened->why.message, err);
    pn_lance_view *view = &m->views->views[m->views->n_views];
    *view = (pn_lance_view){.opened = opened, .ivf = opened->ivf};
    PN_TRY(fill_view(m, index, view, err));
    atomic_fetch_add(&opened->n_refs, 1);
    m->views->n_views++;
    return PN_OK;
}

static pn_status make_views(view_maker *m, pn_lance_catalog *catalog, const pn_vector_index *list,
                            size_t n, pn_arena *scratch, pn_error *err)
{
    pn_arena *arena = &m->views->arena;
    size_t n_fragments = pn_dataset_n_fragments(m->dataset);
    pn_lance_catalog next = {pn_alloc_array(n + 1, sizeof(struct pn_lance_open *)), 0};
    m->views->views = PN_ARENA_NEW(arena, pn_lance_view, n + 1);
    m->views->refused = PN_ARENA_NEW(arena, pn_lance_refusal, n + 1);
    m->views->view_of = PN_ARENA_NEW(arena, uint32_t, n_fragments + 1);
    m->views->left = PN_ARENA_NEW(arena, uint64_t *, n_fragments + 1);
    pn_status status = PN_OK;
    if (!next.opened || !m->views->views || !m->views->refused || !m->views->view_of ||
        !m->views->left)
        status = pn_fail_nomem(err);
    for (size_t i = 0; status == PN_OK && i < n_fragments; i++)
        m->views->view_of[i] = PN_NO_VIEW;
    for (size_t i = 0; status == PN_OK && i < n; i++) {
        status = open_one(catalog, &list[i], m->dataset, m->dim, scratch, &next.opened[i], err);
        next.n += status == PN_OK;
        if (status == PN_OK)
            status = add_view(m, &list[i], next.opened[i], err);
    }
    if (status != PN_OK) {
        pn_lance_catalog_reset(&next);
        return status;
    }
    pn_lance_catalog_reset(catalog);
    *catalog = next;
    return PN_OK;
}

pn_status pn_lance_views_make(pn_lance_catalog *catalog, pn_dataset *dataset, const char *column,
                              size_t dim, bool any_length, const pn_index_views *own,
                              pn_lance_views **out, pn_error *err)
{
    pn_arena scratch;
    pn_vector_index *list;
    size_t n;
    pn_lance_views *views = pn_alloc_zero(sizeof *views);
    if (!views)
        return pn_fail_nomem(err);
    atomic_store(&views->n_refs, 1);
    pn_arena_init(&views->arena, SIZE_MAX);
    pn_arena_init(&scratch, SIZE_MAX);
    views->dataset = pn_dataset_ref(dataset);
    view_maker m = {dataset, column, dim, any_length, own, views};
    pn_status status = pn_dataset_vector_indexes(dataset, column, &scratch, &list, &n, err);
    if (status == PN_OK)
        status = make_views(&m, catalog, list, n, &scratch, err);
    pn_arena_reset(&scratch);
    if (status != PN_OK) {
        pn_lance_views_unref(views);
        return status;
    }
    *out = views;
    return PN_OK;
}

void pn_lance_views_unref(pn_lance_views *views)
{
    if (!views || atomic_fetch_sub(&views->n_refs, 1) != 1)
        return;
    for (size_t i = 0; i < views->n_views; i++)
        unref_open(views->views[i].opened);
    pn_arena_reset(&views->arena);
    pn_dataset_unref(views->dataset);
    pn_free(views);
}

/* ---- measuring ---- */

/* mu is held. */
static pn_status measure(const pn_lance_view *view, size_t dim, const char *texts_folder,
                         pn_pool *pool, const _Atomic bool *cancel, pn_error *err)
{
    pn_arena arena;
    pn_error why = {0};
    const float *texts;
    size_t n_texts;
    struct pn_lance_open *x = view->opened;
    pn_arena_init(&arena, SIZE_MAX);
    /* Damaged ones are told of where they are used for pennon's own indexes. */
    if (pn_index_texts_read(texts_folder, dim, &arena, &texts, &n_texts, &why) != PN_OK)
        n_texts = 0;
    pn_status status = pn_lance_ivf_measure(view->ivf, &view->rows, n_texts > 0 ? texts : NULL,
                                            n_texts, pool, cancel, &x->measure, &why);
    pn_arena_reset(&arena);
    if (status == PN_ERR_NOMEM || status == PN_ERR_CANCELLED)
        return pn_fail(err, status, "%s", why.message);
    x->state = status == PN_OK ? MEASURED : UNMEASURABLE;
    return PN_OK;
}

pn_status pn_lance_view_measure(const pn_lance_view *view, size_t dim, const char *texts_folder,
                                pn_pool *pool, const _Atomic bool *cancel,
                                const pn_lance_measure **out, pn_error *err)
{
    struct pn_lance_open *x = view->opened;
    pn_status status = PN_OK;
    pthread_mutex_lock(&x->mu);
    if (x->state == NOT_YET)
        status = measure(view, dim, texts_folder, pool, cancel, err);
    *out = x->state == MEASURED ? &x->measure : NULL;
    pthread_mutex_unlock(&x->mu);
    return status;
}

uint64_t pn_lance_view_count(const pn_lance_view *view, const pn_rowset *allowed)
{
    uint64_t n = 0;
    for (size_t i = 0; i < view->rows.n; i++) {
        const pn_lance_part *part = &view->parts[i];
        const pn_rowset_part *passing = pn_rowset_find(allowed, part->id);
        size_t n_words = passing ? pn_words_for_bits(part->n_rows) : 0;
        for (size_t w = 0; w < n_words; w++)
            n += pn_popcount64(passing->words[w] & part->listed[w]);
    }
    return n;
}
