/*
 * index_catalog.c - the indexes of a table, and what they cover of a version
 *
 * The folder's time of change says whether files came or went, so that a search of an unchanged table pays for one stat(). Open
 * indexes and masks are counted: a version that is searched keeps both, whatever happens to the files.
 *
 * A fragment of an index that a version does not have may have been folded into another one: the log of folds (fold_log.h) tells
 * where its rows are now, and its runs are pieces of that fragment's vectors. A fragment is covered by one index whole, or not at all,
 * because what is left of it would have to be scanned: so only when all of its rows are found in the index.
 *
 * A mask costs a look at every row, 10 ms for three million; with rows coming in all day there is a version every second. So a
 * mask is shared between versions until rows of its fragments are deleted.
 */
#include "collection/index_catalog.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/bits.h"
#include "base/hash.h"
#include "base/str.h"
#include "collection/moved_rows.h"
#include "kernels/kernels.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTLED_NS 50000000

struct pn_open_index {
    _Atomic unsigned n_refs;
    pn_index *index;
    char *path;
    /* A bit a row that is not listed: known to be no number, whose vector then is not read in every version anew. */
    _Atomic uint64_t *no_numbers;
};

struct pn_shared_mask {
    _Atomic unsigned n_refs;
    pn_index_mask *mask;
    uint64_t made_of; /* hash of the fragments that are there, and of their deletions */
};

struct pn_index_catalog {
    char *folder;
    struct pn_open_index **indexes; /* largest first */
    size_t n_indexes;
    int64_t changed_ns; /* of the folder, when it was read; -1: never */
    uint64_t generation;
    size_t n_damaged;
    pn_error damage;
    pn_fold_log *folds;
};

/* ---- counted things */

static void unref_index(struct pn_open_index *x)
{
    if (!x || atomic_fetch_sub(&x->n_refs, 1) != 1)
        return;
    pn_index_close(x->index);
    pn_free(x->no_numbers);
    pn_free(x->path);
    pn_free(x);
}

static void unref_mask(struct pn_shared_mask *mask)
{
    if (!mask || atomic_fetch_sub(&mask->n_refs, 1) != 1)
        return;
    pn_index_mask_free(mask->mask);
    pn_free(mask);
}

/* ---- the catalog */

pn_status pn_index_catalog_create(const char *table, pn_index_catalog **out, pn_error *err)
{
    static const char below[] = "/_pennon/index";
    pn_index_catalog *c = pn_alloc_zero(sizeof *c);
    size_t n = strlen(table) + sizeof below;
    char *folder = pn_alloc(n);
    if (!c || !folder) {
        pn_free(c);
        pn_free(folder);
        return pn_fail_nomem(err);
    }
    (void)snprintf(folder, n, "%s%s", table, below);
    c->folder = folder;
    c->changed_ns = -1;
    pn_status status = pn_fold_log_create(folder, &c->folds, err);
    if (status != PN_OK) {
        pn_index_catalog_free(c);
        return status;
    }
    *out = c;
    return PN_OK;
}

static void close_all(pn_index_catalog *c)
{
    for (size_t i = 0; i < c->n_indexes; i++)
        unref_index(c->indexes[i]);
    pn_free(c->indexes);
    c->indexes = NULL;
    c->n_indexes = 0;
}

void pn_index_catalog_free(pn_index_catalog *catalog)
{
    if (!catalog)
        return;
    close_all(catalog);
    pn_fold_log_free(catalog->folds);
    pn_free(catalog->folder);
    pn_free(catalog);
}

const char *pn_index_catalog_folder(const pn_index_catalog *catalog)
{
    return catalog->folder;
}

uint64_t pn_index_catalog_generation(const pn_index_catalog *catalog)
{
    return catalog->generation;
}

size_t pn_index_catalog_damaged(const pn_index_catalog *catalog, const char **why)
{
    *why = catalog->damage.message;
    return catalog->n_damaged;
}

static struct pn_open_index *find_open(const pn_index_catalog *c, const char *path)
{
    for (size_t i = 0; i < c->n_indexes; i++)
        if (strcmp(c->indexes[i]->path, path) == 0)
            return c->indexes[i];
    return NULL;
}

static pn_status open_index(const char *path, struct pn_open_index *x, pn_error *err)
{
    pn_index_info info;
    x->path = pn_strdup(path);
    if (!x->path)
        return pn_fail_nomem(err);
    PN_TRY(pn_index_open(path, &x->index, err));
    pn_index_info_get(x->index, &info);
    size_t n_words = pn_words_for_bits((size_t)(info.n_rows - info.n_listed)) + 1;
    x->no_numbers = pn_alloc_zero(n_words * sizeof *x->no_numbers);
    return x->no_numbers ? PN_OK : pn_fail_nomem(err);
}

/* An index that is open already, or opened now; *out NULL when it cannot be. */
static pn_status open_one(pn_index_catalog *c, const char *path, struct pn_open_index **out,
                          pn_error *err)
{
    struct pn_open_index *x = find_open(c, path);
    *out = NULL;
    if (x) {
        atomic_fetch_add(&x->n_refs, 1);
        *out = x;
        return PN_OK;
    }
    x = pn_alloc_zero(sizeof *x);
    if (!x)
        return pn_fail_nomem(err);
    atomic_store(&x->n_refs, 1);
    pn_error why = {0};
    pn_status status = open_index(path, x, &why);
    if (status != PN_OK) {
        unref_index(x);
        if (status == PN_ERR_NOMEM)
            return pn_fail_nomem(err);
        if (status == PN_ERR_NOT_FOUND)
            return PN_OK; /* it went away while we looked */
        c->damage = why;
        c->n_damaged++;
        return PN_OK;
    }
    *out = x;
    return PN_OK;
}

static uint64_t listed(const struct pn_open_index *x)
{
    pn_index_info info;
    pn_index_info_get(x->index, &info);
    return info.n_listed;
}

/* Largest first; names, which are sorted already, decide among equals. */
static void sort_by_size(struct pn_open_index **x, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0 && listed(x[j]) > listed(x[j - 1]); j--) {
            struct pn_open_index *kept = x[j];
            x[j] = x[j - 1];
            x[j - 1] = kept;
        }
}

static bool is_same_set(const pn_index_catalog *c, struct pn_open_index *const *opened, size_t n)
{
    return n == c->n_indexes &&
           (n == 0 || memcmp(c->indexes, opened, n * sizeof(struct pn_open_index *)) == 0);
}

static pn_status open_all(pn_index_catalog *c, pn_arena *arena, pn_error *err)
{
    char **names;
    size_t n_names, n = 0;
    PN_TRY(pn_dir_list(c->folder, arena, &names, &n_names, err));
    struct pn_open_index **opened = pn_alloc_array(n_names + 1, sizeof(struct pn_open_index *));
    if (!opened)
        return pn_fail_nomem(err);
    c->n_damaged = 0;
    pn_status status = PN_OK;
    for (size_t i = 0; status == PN_OK && i < n_names; i++) {
        if (!pn_str_ends_with(pn_str_of(names[i]), PN_INDEX_SUFFIX))
            continue;
        char *path = pn_path_join(arena, c->folder, names[i]);
        status = path ? open_one(c, path, &opened[n], err) : pn_fail_nomem(err);
        n += status == PN_OK && opened[n] != NULL;
    }
    if (status != PN_OK) {
        for (size_t i = 0; i < n; i++)
            unref_index(opened[i]);
        pn_free(opened);
        return status;
    }
    sort_by_size(opened, n);
    c->generation += !is_same_set(c, opened, n);
    close_all(c);
    c->indexes = opened;
    c->n_indexes = n;
    return PN_OK;
}

pn_status pn_index_catalog_refresh(pn_index_catalog *c, pn_error *err)
{
    pn_file_info info;
    pn_error nothing;
    pn_status status = pn_path_info(c->folder, &info, &nothing);
    if (status == PN_ERR_NOT_FOUND) {
        c->generation += c->n_indexes > 0;
        close_all(c);
        c->changed_ns = -1;
        return PN_OK;
    }
    if (status != PN_OK)
        return pn_fail(err, status, "%s", nothing.message);
    PN_TRY(pn_fold_log_refresh(c->folds, err));
    if (info.changed_ns == c->changed_ns)
        return PN_OK;
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    status = open_all(c, &arena, err);
    pn_arena_reset(&arena);
    PN_TRY(status);
    /* The clock of folders ticks every few milliseconds: what comes within the same tick would not be seen. */
    bool is_settled = pn_clock_wall_ns() - info.changed_ns > SETTLED_NS;
    c->changed_ns = is_settled ? info.changed_ns : -1;
    return PN_OK;
}

/* ---- views */

/* A fragment of the dataset, to be found by its id or by the file of its vectors. */
typedef struct place {
    uint32_t id, n_rows;
    const char *file;
    size_t at;
} place;

typedef struct view_maker {
    pn_dataset *dataset;
    const char *column;
    size_t dim;
    bool any_length;
    const pn_fold_log *folds;
    pn_index_views *views;
    place *places;  /* [fragments of the dataset], sorted by id */
    place *by_file; /* the same, sorted by file */
    size_t n_places;
    pn_arena arena; /* of one view in the making */
    uint32_t
        *covered; /* [n_places] rows of a fragment that the view has, by its place in the dataset */
} view_maker;

/* Where a fragment of an index is in the dataset; at SIZE_MAX: it is gone, or another index has it. */
typedef struct found {
    size_t at;
    bool is_moved;
    pn_moved_rows rows; /* of a moved one */
} found;

static int by_id(const void *a, const void *b)
{
    const place *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_file(const void *a, const void *b)
{
    const place *x = a, *y = b;
    return strcmp(x->file, y->file);
}

static pn_status sort_places(view_maker *m, pn_error *err)
{
    m->n_places = pn_dataset_n_fragments(m->dataset);
    m->places = pn_alloc_array(m->n_places + 1, sizeof *m->places);
    m->by_file = pn_alloc_array(m->n_places + 1, sizeof *m->by_file);
    m->covered = pn_alloc_array(m->n_places + 1, sizeof *m->covered);
    if (!m->places || !m->by_file || !m->covered)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < m->n_places; i++) {
        pn_fragment_info f;
        pn_dataset_fragment(m->dataset, i, &f);
        const char *file = pn_dataset_column_file(m->dataset, i, m->column);
        m->places[i] = m->by_file[i] = (place){f.id, f.physical_rows, file, i};
    }
    qsort(m->places, m->n_places, sizeof *m->places, by_id);
    qsort(m->by_file, m->n_places, sizeof *m->by_file, by_file);
    return PN_OK;
}

static bool is_free(const view_maker *m, const place *p)
{
    return m->views->view_of[p->at] == PN_NO_VIEW;
}

/* Files that rows may have come to, not looked at yet. */
enum { MAX_TRAILS = 64, MAX_FOLDS = 256 };
typedef struct trails {
    pn_moved_rows rows[MAX_TRAILS];
    size_t n;
} trails;

/* Behind every fold of the file that these rows are in; that of the last line is looked at first. */
static pn_status follow_all(view_maker *m, const pn_moved_rows *rows, trails *t, pn_error *err)
{
    size_t n;
    const pn_fold_part *parts = pn_fold_log_find(m->folds, rows->file, &n);
    for (size_t i = 0; i < n && t->n < MAX_TRAILS; i++) {
        bool moved;
        PN_TRY(pn_moved_rows_follow(&parts[i], &m->arena, rows, &t->rows[t->n], &moved, err));
        t->n += moved && t->rows[t->n].n_runs > 0;
    }
    return PN_OK;
}

/*
 * Folds lead from one file to another; each makes a new one, so this ends. A log that says otherwise is given up. Some lead nowhere:
 * those that came to nothing, or belong to other versions.
 */
static pn_status find_moved(view_maker *m, const pn_index_fragment *wanted, found *out,
                            pn_error *err)
{
    trails t = {.n = 0};
    pn_moved_rows rows;
    PN_TRY(pn_moved_rows_begin(wanted->name, wanted->n_rows, &m->arena, &rows, err));
    PN_TRY(follow_all(m, &rows, &t, err));
    for (int i = 0; i < MAX_FOLDS && t.n > 0; i++) {
        rows = t.rows[--t.n];
        const place key = {.file = rows.file},
                    *p = bsearch(&key, m->by_file, m->n_places, sizeof key, by_file);
        if (!p) {
            PN_TRY(follow_all(m, &rows, &t, err));
            continue;
        }
        const pn_moved_run *last = &rows.runs[rows.n_runs - 1];
        if (is_free(m, p) && last->at + (uint64_t)last->n_rows <= p->n_rows) {
            out->rows = rows;
            out->at = p->at;
            out->is_moved = true;
        }
        return PN_OK;
    }
    return PN_OK;
}

static pn_status find_fragment(view_maker *m, const pn_index_fragment *wanted, found *out,
                               pn_error *err)
{
    const place key = {.id = wanted->id},
                *p = bsearch(&key, m->places, m->n_places, sizeof key, by_id);
    *out = (found){.at = SIZE_MAX};
    if (!p || p->n_rows != wanted->n_rows || strcmp(p->file, wanted->name) != 0)
        return find_moved(m, wanted, out, err);
    if (is_free(m, p))
        out->at = p->at;
    return PN_OK;
}

/* Fragments whose rows are not all in this index are left to scans. */
static void leave_incomplete(const view_maker *m, const pn_index_view *view, found *places,
                             size_t n)
{
    memset(m->covered, 0, m->n_places * sizeof *m->covered);
    for (size_t i = 0; i < n; i++)
        if (places[i].at != SIZE_MAX)
            m->covered[places[i].at] += places[i].is_moved
                                            ? (uint32_t)pn_moved_rows_count(&places[i].rows)
                                            : view->fragments[i].n_rows;
    for (size_t i = 0; i < n; i++) {
        pn_fragment_info f = {0};
        if (places[i].at != SIZE_MAX)
            pn_dataset_fragment(m->dataset, places[i].at, &f);
        if (places[i].at != SIZE_MAX && m->covered[places[i].at] != f.physical_rows)
            places[i].at = SIZE_MAX;
    }
}

static pn_status add_runs(const view_maker *m, const found *where, pn_run_list *list, pn_error *err)
{
    if (where->is_moved)
        return pn_moved_rows_add(&where->rows, m->dataset, where->at, m->column, m->any_length,
                                 &m->views->arena, list, err);
    return pn_whole_rows_add(m->dataset, where->at, m->column, m->any_length, &m->views->arena,
                             list, err);
}

/* The runs of the fragments that are this view's. */
static pn_status fill_runs(const view_maker *m, pn_index_view *view, const found *places, size_t n,
                           pn_error *err)
{
    pn_run_list list = {0};
    pn_status status = PN_OK;
    for (size_t i = 0; status == PN_OK && i < n; i++) {
        view->fragments[i].n_runs = 0;
        if (places[i].at == SIZE_MAX)
            continue;
        size_t before = list.n;
        status = add_runs(m, &places[i], &list, err);
        view->fragments[i].n_runs = list.n - before;
    }
    view->runs = list.runs;
    PN_TRY(status);
    for (size_t i = 0, at = 0; i < n; at += view->fragments[i++].n_runs)
        view->fragments[i].runs = places[i].at != SIZE_MAX ? list.runs + at : NULL;
    return pn_vector_rows_init(view->fragments, n, m->dim, m->any_length, &view->rows, err);
}

/* The fragments are this view's from now on. */
static void claim(const view_maker *m, const found *places, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (places[i].at != SIZE_MAX)
            m->views->view_of[places[i].at] = (uint32_t)(m->views->n_views - 1);
}

/* Has this version a row of a fragment that the index does not list? Then it was deleted when the index was built, and is not here: the
 * version is an older one, or was restored. */
static bool lacks_rows(struct pn_open_index *x, const pn_index_view *view, size_t fragment_i)
{
    const uint32_t *all, *offsets;
    size_t n = pn_index_unlisted(x->index, fragment_i, &offsets);
    (void)pn_index_unlisted(x->index, 0, &all); // where its bits begin
    for (size_t i = 0; i < n && view->fragments[fragment_i].n_runs > 0; i++) {
        size_t bit = (size_t)(offsets - all) + i;
        uint64_t ordinal = view->rows.fragment_starts[fragment_i] + offsets[i];
        _Atomic uint64_t *word = &x->no_numbers[bit / 64];
        if (pn_vector_rows_is_deleted(&view->rows, ordinal) ||
            (atomic_load_explicit(word, memory_order_relaxed) >> bit % 64 & 1) != 0)
            continue;
        if (isfinite(pn_kernels_get()->norm_f32(pn_vector_rows_at(&view->rows, ordinal),
                                                view->rows.dim)))
            return true;
        atomic_fetch_or_explicit(word, (uint64_t)1 << bit % 64, memory_order_relaxed);
    }
    return false;
}

/* Fragments with rows that the index does not list are left to scans, whole. *left: there are some. */
static void leave_lacking(struct pn_open_index *x, const pn_index_view *view, found *places,
                          size_t n, bool *left)
{
    *left = false;
    for (size_t i = 0; i < n; i++) {
        size_t at = places[i].at;
        if (at == SIZE_MAX || !lacks_rows(x, view, i))
            continue;
        *left = true;
        for (size_t k = 0; k < n; k++) // of several that were folded into it
            places[k].at = places[k].at == at ? SIZE_MAX : places[k].at;
    }
}

/* What a mask depends on: which fragments are there, and what was deleted of them. */
static uint64_t hash_deletions(const pn_index_view *view, bool *is_needed)
{
    uint64_t hash = 0;
    *is_needed = false;
    for (size_t i = 0; i < view->rows.n_fragments; i++) {
        const pn_index_fragment *f = &view->fragments[i];
        const uint64_t *deleted = f->n_runs > 0 ? f->runs[0].deleted : NULL;
        uint64_t parts[3] = {hash, f->n_runs > 0, 0};
        if (deleted)
            parts[2] = pn_hash64(deleted, ((size_t)f->n_rows + 63) / 64 * sizeof *deleted);
        hash = pn_hash64(parts, sizeof parts);
        *is_needed |= f->n_runs == 0 || deleted != NULL;
    }
    return hash;
}

/* The mask of a view: an earlier one when nothing was deleted since. */
static pn_status find_mask(pn_index_view *view, const pn_index_views *before, pn_error *err)
{
    bool is_needed;
    uint64_t made_of = hash_deletions(view, &is_needed);
    if (!is_needed)
        return PN_OK;
    for (size_t i = 0; before && i < before->n_views; i++) {
        struct pn_shared_mask *mask = before->views[i].mask;
        if (before->views[i].index != view->index || !mask || mask->made_of != made_of)
            continue;
        atomic_fetch_add(&mask->n_refs, 1);
        view->mask = mask;
        return PN_OK;
    }
    struct pn_shared_mask *mask = pn_alloc_zero(sizeof *mask);
    if (!mask)
        return pn_fail_nomem(err);
    atomic_store(&mask->n_refs, 1);
    mask->made_of = made_of;
    pn_status status = pn_index_mask_make(view->index, &view->rows, NULL, &mask->mask, err);
    if (status != PN_OK) {
        pn_free(mask);
        return status;
    }
    view->mask = mask;
    return PN_OK;
}

static pn_status fill_view(view_maker *m, struct pn_open_index *x, pn_index_view *view,
                           found *places, const pn_index_views *before, pn_error *err)
{
    pn_index_info info;
    bool left;
    pn_index_info_get(view->index, &info);
    for (size_t i = 0; i < info.n_fragments; i++) {
        pn_index_fragment_get(view->index, i, &view->fragments[i]);
        PN_TRY(find_fragment(m, &view->fragments[i], &places[i], err));
    }
    leave_incomplete(m, view, places, info.n_fragments);
    PN_TRY(fill_runs(m, view, places, info.n_fragments, err));
    leave_lacking(x, view, places, info.n_fragments, &left);
    if (left) {
        pn_vector_rows_reset(&view->rows);
        pn_free(view->runs);
        PN_TRY(fill_runs(m, view, places, info.n_fragments, err));
    }
    claim(m, places, info.n_fragments);
    PN_TRY(find_mask(view, before, err));
    view->n_rows = view->mask ? pn_index_mask_count(view->mask->mask) : info.n_listed;
    return PN_OK;
}

static pn_status add_view(view_maker *m, struct pn_open_index *opened, const pn_index_views *before,
                          pn_error *err)
{
    pn_index_info info;
    pn_index_info_get(opened->index, &info);
    if (info.dim != m->dim)
        return PN_OK; /* of a column that went away */
    pn_index_view *view = &m->views->views[m->views->n_views];
    found *places = PN_ARENA_NEW(&m->arena, found, info.n_fragments + 1);
    *view =
        (pn_index_view){.index = opened->index,
                        .path = opened->path,
                        .fragments = pn_alloc_array(info.n_fragments + 1, sizeof *view->fragments)};
    m->views->opened[m->views->n_views++] = opened;
    atomic_fetch_add(&opened->n_refs, 1);
    pn_status status = places && view->fragments ? fill_view(m, opened, view, places, before, err)
                                                 : pn_fail_nomem(err);
    pn_arena_reset(&m->arena);
    return status;
}

static void count_rows(pn_index_views *views)
{
    for (size_t i = 0; i < pn_dataset_n_fragments(views->dataset); i++) {
        pn_fragment_info f;
        pn_dataset_fragment(views->dataset, i, &f);
        uint64_t alive = f.physical_rows - f.deleted_rows;
        *(views->view_of[i] != PN_NO_VIEW ? &views->n_covered : &views->n_uncovered) += alive;
    }
}

pn_status pn_index_views_make(const pn_index_catalog *c, pn_dataset *dataset, const char *column,
                              size_t dim, bool any_length, const pn_index_views *before,
                              pn_index_views **out, pn_error *err)
{
    pn_index_views *views = pn_alloc_zero(sizeof *views);
    if (!views)
        return pn_fail_nomem(err);
    atomic_store(&views->n_refs, 1);
    pn_arena_init(&views->arena, SIZE_MAX);
    views->dataset = pn_dataset_ref(dataset);
    views->generation = c->generation;
    views->views = pn_alloc_zero((c->n_indexes + 1) * sizeof *views->views);
    views->opened = pn_alloc_zero((c->n_indexes + 1) * sizeof(struct pn_open_index *));
    size_t n_fragments = pn_dataset_n_fragments(dataset);
    views->view_of = pn_alloc_array(n_fragments + 1, sizeof *views->view_of);
    for (size_t i = 0; views->view_of && i < n_fragments; i++)
        views->view_of[i] = PN_NO_VIEW;
    pn_status status = views->views && views->opened && views->view_of ? PN_OK : pn_fail_nomem(err);
    view_maker m = {.dataset = dataset,
                    .column = column,
                    .dim = dim,
                    .any_length = any_length,
                    .folds = c->folds,
                    .views = views};
    pn_arena_init(&m.arena, SIZE_MAX);
    if (status == PN_OK)
        status = sort_places(&m, err);
    for (size_t i = 0; status == PN_OK && i < c->n_indexes; i++)
        status = add_view(&m, c->indexes[i], before, err);
    pn_free(m.places);
    pn_free(m.by_file);
    pn_free(m.covered);
    pn_arena_reset(&m.arena);
    if (status != PN_OK) {
        pn_index_views_unref(views);
        return status;
    }
    count_rows(views);
    *out = views;
    return PN_OK;
}

pn_index_views *pn_index_views_ref(pn_index_views *views)
{
    atomic_fetch_add(&views->n_refs, 1);
    return views;
}

void pn_index_views_unref(pn_index_views *views)
{
    if (!views || atomic_fetch_sub(&views->n_refs, 1) != 1)
        return;
    for (size_t i = 0; i < views->n_views; i++) {
        pn_vector_rows_reset(&views->views[i].rows);
        unref_mask(views->views[i].mask);
        pn_free(views->views[i].fragments);
        pn_free(views->views[i].runs);
        unref_index(views->opened[i]);
    }
    pn_free(views->views);
    pn_free(views->opened);
    pn_free(views->view_of);
    pn_arena_reset(&views->arena);
    pn_dataset_unref(views->dataset);
    pn_free(views);
}

const pn_index_mask *pn_index_view_mask(const pn_index_view *view)
{
    return view->mask ? view->mask->mask : NULL;
}

/* The rows of a fragment of the index that are allowed, as the index counts them; *out NULL: none. */
static pn_status allowed_words(const pn_index_fragment *fragment, const pn_rowset *allowed,
                               pn_arena *arena, const uint64_t **out, pn_error *err)
{
    *out = NULL;
    if (fragment->n_runs == 0)
        return PN_OK;
    uint32_t id = fragment->runs[0].fragment_id;
    const pn_rowset_part *part = pn_rowset_find(allowed, id);
    if (!part)
        return PN_OK;
    *out = part->words;
    if (id == fragment->id)
        return PN_OK;
    uint64_t *words = PN_ARENA_NEW(arena, uint64_t, pn_words_for_bits(fragment->n_rows) + 1);
    if (!words)
        return pn_fail_nomem(err);
    pn_moved_words(fragment->runs, fragment->n_runs, part->words, words);
    *out = words;
    return PN_OK;
}

pn_status pn_index_view_filter(const pn_index_view *view, const pn_rowset *allowed,
                               pn_index_mask **out, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    const uint64_t **words = PN_ARENA_NEW(&arena, const uint64_t *, view->rows.n_fragments + 1);
    pn_status status = words ? PN_OK : pn_fail_nomem(err);
    for (size_t i = 0; status == PN_OK && i < view->rows.n_fragments; i++)
        status = allowed_words(&view->fragments[i], allowed, &arena, &words[i], err);
    if (status == PN_OK)
        status = pn_index_mask_make(view->index, &view->rows, words, out, err);
    pn_arena_reset(&arena);
    return status;
}
