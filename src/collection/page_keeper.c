/*
 * page_keeper.c - a thread between a table and the memory of its machine
 *
 * A look at what is in memory takes a bit for each page (mincore), 0.1 s for 10 GB: too much for every 5 ms. So the cheap number is asked
 * first, how much of files this process has mapped in all, and only when that grew by a sixteenth of the limit, or once a second while
 * searches run, the pages are counted. The system's read-ahead brings in pages that are not in that number; the second look finds them.
 *
 * Errors have nowhere to go and nothing to break: a version that cannot be read is told by who searches it.
 */
#include "collection/page_keeper.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "os/clock.h"
#include "os/cond.h"
#include "os/mapping.h"
#include "os/pool.h"
#include "os/process.h"

enum { BUSY_MS = 5, IDLE_MS = 1000, STEP_BYTES = 2 << 20, LOAD_BYTES = 16 << 20 };
#define NS_A_MS INT64_C(1000000)

/* Bytes of one file. */
typedef struct part {
    const pn_mapping *mapping;
    const char *path;
    size_t offset, n;
} part;

/* What a version consists of, in the order of the header's picture; one part behind another they are one line of bytes. */
typedef struct plan {
    pn_snapshot *snapshot; /* keeps the mappings; NULL: there is no plan */
    pn_arena arena;
    part *parts;
    size_t n_parts, capacity;
    uint64_t n_bytes;
    uint64_t kept;   /* bytes at the beginning */
    uint64_t loaded; /* of them */
    uint64_t hand;   /* where letting go goes on, at or behind kept */
} plan;

struct pn_page_keeper {
    pn_page_pin pin;
    void *context;
    pn_thread *thread; /* NULL: no limit was set yet */
    pthread_mutex_t mu;
    pthread_cond_t changed;
    uint64_t limit;           /* guarded by mu */
    bool stop;                /* guarded by mu */
    _Atomic unsigned n_begun; /* searches */
    _Atomic uint64_t n_rounds;
    _Atomic unsigned n_running;
    _Atomic bool is_idle; /* the thread sleeps for long */
    /* The thread's: */
    plan plan;
    uint64_t plan_limit; /* that kept was made for */
    uint64_t mapped;     /* of the process, at the last count */
    unsigned n_seen;     /* of n_begun */
    int64_t looked_ns;   /* when a newer version was last looked for */
    bool is_unsettled;   /* searches ran since the last count, or it left too much */
};

/* ---- the plan */

static pn_status add_part(plan *p, const part *one, pn_error *err)
{
    if (one->n == 0)
        return PN_OK;
    if (p->n_parts == p->capacity) {
        size_t capacity = PN_MAX(p->capacity * 2, 16);
        part *grown = PN_ARENA_NEW(&p->arena, part, capacity);
        if (!grown)
            return pn_fail_nomem(err);
        for (size_t i = 0; i < p->n_parts; i++)
            grown[i] = p->parts[i];
        p->parts = grown;
        p->capacity = capacity;
    }
    p->parts[p->n_parts++] = *one;
    p->n_bytes += one->n;
    return PN_OK;
}

static pn_status add_lists(plan *p, const pn_index_memory *m, pn_error *err)
{
    size_t end = m->copies_offset + m->copies_bytes, all = m->mapping->n_bytes;
    if (m->copies_bytes == 0)
        return add_part(p, &(part){m->mapping, m->path, 0, all}, err);
    PN_TRY(add_part(p, &(part){m->mapping, m->path, 0, m->copies_offset}, err));
    return add_part(p, &(part){m->mapping, m->path, end, all - end}, err);
}

/* Vectors that were decoded do not lie in the file's mapping, and are nobody's to let go. */
static pn_status add_vectors(plan *p, size_t fragment_i, pn_error *err)
{
    pn_dataset *dataset = p->snapshot->dataset;
    const pn_mapping *mapping;
    const char *path;
    const pn_vector_run *runs;
    size_t n_runs;
    PN_TRY(pn_dataset_column_memory(dataset, fragment_i, PN_COLUMN_VECTOR, &mapping, &path, err));
    PN_TRY(pn_dataset_vectors(dataset, fragment_i, PN_COLUMN_VECTOR, &runs, &n_runs, err));
    for (size_t i = 0; i < n_runs && mapping; i++) {
        uintptr_t start = (uintptr_t)mapping->data, at = (uintptr_t)runs[i].vectors;
        size_t n = (size_t)runs[i].n_rows * p->snapshot->dim * sizeof(float);
        if (at >= start && at - start <= mapping->n_bytes && n <= mapping->n_bytes - (at - start))
            PN_TRY(add_part(p, &(part){mapping, path, at - start, n}, err));
    }
    return PN_OK;
}

static pn_status fill(plan *p, pn_error *err)
{
    const pn_index_views *views;
    PN_TRY(pn_snapshot_views(p->snapshot, &views, err));
    size_t n_views = views ? views->n_views : 0;
    pn_index_memory *memory = PN_ARENA_NEW(&p->arena, pn_index_memory, n_views + 1);
    if (!memory)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n_views; i++) {
        pn_index_memory_get(views->views[i].index, &memory[i]);
        PN_TRY(add_lists(p, &memory[i], err));
    }
    for (size_t i = 0; i < n_views; i++) {
        const pn_index_memory *m = &memory[i];
        const part copies = {m->mapping, m->path, m->copies_offset, m->copies_bytes};
        PN_TRY(add_part(p, &copies, err));
    }
    for (size_t i = 0; i < pn_dataset_n_fragments(p->snapshot->dataset); i++)
        PN_TRY(add_vectors(p, i, err));
    return PN_OK;
}

static void reset_plan(plan *p)
{
    pn_snapshot_unref(p->snapshot);
    pn_arena_reset(&p->arena);
    *p = (plan){.snapshot = NULL};
    pn_arena_init(&p->arena, SIZE_MAX);
}

static void set_kept(pn_page_keeper *k, uint64_t limit)
{
    plan *p = &k->plan;
    p->kept = p->n_bytes <= limit ? p->n_bytes : limit / 4 * 3;
    p->hand = PN_MAX(p->hand, p->kept);
    p->loaded = 0;
    k->plan_limit = limit;
    k->mapped = 0; // count
}

static void renew_plan(pn_page_keeper *k, uint64_t limit)
{
    pn_snapshot *newest;
    pn_error ignored;
    k->looked_ns = pn_clock_monotonic_ns();
    if (k->pin(k->context, &newest, &ignored) != PN_OK)
        return;
    if (newest == k->plan.snapshot) {
        pn_snapshot_unref(newest);
        return;
    }
    reset_plan(&k->plan);
    k->plan.snapshot = newest;
    if (fill(&k->plan, &ignored) != PN_OK)
        reset_plan(&k->plan);
    set_kept(k, limit);
}

/* ---- along the line */

/* Call visit for the parts of bytes [from, to). False: it said to stop. */
static bool walk(const plan *p, uint64_t from, uint64_t to, bool (*visit)(void *, const part *),
                 void *context)
{
    uint64_t start = 0;
    for (size_t i = 0; i < p->n_parts && start < to; start += p->parts[i++].n) {
        uint64_t first = PN_MAX(from, start), end = PN_MIN(to, start + p->parts[i].n);
        if (first >= end)
            continue;
        part piece = p->parts[i];
        piece.offset += (size_t)(first - start);
        piece.n = (size_t)(end - first);
        if (!visit(context, &piece))
            return false;
    }
    return true;
}

static bool add_resident(void *context, const part *piece)
{
    uint64_t *n = context;
    *n += pn_mapping_resident(piece->mapping, piece->offset, piece->n);
    return true;
}

static bool load_part(void *context, const part *piece)
{
    (void)context;
    pn_mapping_load(piece->mapping, piece->offset, piece->n);
    return true;
}

typedef struct eviction {
    uint64_t excess; /* bytes that are to go yet */
    uint64_t walked;
} eviction;

/* In steps, until no more has to go. They end at multiples of STEP_BYTES in the file: the system keeps files in blocks of pages, which it lets
 * go whole. */
static bool evict_part(void *context, const part *piece)
{
    eviction *e = context;
    size_t n, end = piece->offset + piece->n;
    for (size_t at = piece->offset; at < end && e->excess > 0; at += n) {
        n = PN_MIN(end - at, STEP_BYTES - at % STEP_BYTES);
        size_t before = pn_mapping_resident(piece->mapping, at, n), after = 0;
        if (before > 0) {
            pn_mapping_evict(piece->mapping, piece->path, at, n);
            after = pn_mapping_resident(piece->mapping, at, n);
        }
        e->excess -= PN_MIN(e->excess, before - PN_MIN(before, after));
        e->walked += n;
    }
    return e->excess > 0;
}

/* Count, and let go what is too much. While searches run, and shortly after, more comes in behind our back: only a later look settles it. */
static void keep_below(pn_page_keeper *k, uint64_t limit, bool is_quiet)
{
    plan *p = &k->plan;
    uint64_t resident = 0;
    k->is_unsettled = !is_quiet;
    (void)walk(p, 0, p->n_bytes, add_resident, &resident); // which never stops
    if (resident > limit && p->kept < p->n_bytes) {
        uint64_t hand = p->hand < p->n_bytes ? p->hand : p->kept;
        eviction e = {.excess = resident - limit + limit / 16};
        if (walk(p, hand, p->n_bytes, evict_part, &e)) {
            e.walked = 0;
            hand = p->kept;
            (void)walk(p, p->kept, p->hand, evict_part, &e); // once around, and no further
        }
        p->hand = hand + e.walked;
        /* Pages that are just being read cannot go: the next time. */
        k->is_unsettled = !is_quiet || e.excess > 0;
    }
    k->mapped = pn_process_mapped_bytes();
}

/* ---- the thread */

static bool is_count_due(pn_page_keeper *k, uint64_t limit, bool looked)
{
    uint64_t mapped = pn_process_mapped_bytes();
    if (mapped < k->mapped)
        k->mapped = mapped;
    return k->mapped == 0 || mapped - k->mapped > limit / 16 || (looked && k->is_unsettled);
}

/* One round; false: there is nothing to do until something happens. */
static bool work(pn_page_keeper *k, uint64_t limit)
{
    plan *p = &k->plan;
    bool looks = pn_clock_monotonic_ns() - k->looked_ns >= IDLE_MS * NS_A_MS;
    unsigned n_begun = atomic_load(&k->n_begun);
    bool is_used = n_begun != k->n_seen || atomic_load(&k->n_running) > 0;
    k->n_seen = n_begun;
    k->is_unsettled = k->is_unsettled || is_used;
    if (looks)
        renew_plan(k, limit);
    if (!p->snapshot)
        return false;
    if (limit != k->plan_limit)
        set_kept(k, limit);
    if (is_count_due(k, limit, looks))
        keep_below(k, limit, looks && !is_used);
    if (p->loaded < p->kept) {
        uint64_t end = PN_MIN(p->kept, p->loaded + LOAD_BYTES);
        (void)walk(p, p->loaded, end, load_part, NULL); // which never stops
        p->loaded = end;
    }
    return is_used;
}

static void sleep_ms(pn_page_keeper *k, int64_t ms)
{
    const struct timespec until = pn_cond_deadline(ms);
    (void)pthread_cond_timedwait(&k->changed, &k->mu, &until); // on time, or sooner
}

static void keeper_main(void *context)
{
    pn_page_keeper *k = context;
    pthread_mutex_lock(&k->mu);
    while (!k->stop) {
        uint64_t limit = k->limit;
        if (limit == 0) {
            reset_plan(&k->plan);
            k->looked_ns = 0;
            pthread_cond_wait(&k->changed, &k->mu);
            continue;
        }
        pthread_mutex_unlock(&k->mu);
        bool goes_on = work(k, limit);
        atomic_fetch_add(&k->n_rounds, 1);
        bool loads = k->plan.loaded < k->plan.kept;
        pthread_mutex_lock(&k->mu);
        if (k->stop || loads)
            continue;
        atomic_store(&k->is_idle, !goes_on);
        if (goes_on || atomic_load(&k->n_begun) == k->n_seen)
            sleep_ms(k, goes_on ? BUSY_MS : IDLE_MS);
        atomic_store(&k->is_idle, false);
    }
    pthread_mutex_unlock(&k->mu);
}

pn_status pn_page_keeper_create(pn_page_pin pin, void *context, pn_page_keeper **out, pn_error *err)
{
    pn_page_keeper *k = pn_alloc_zero(sizeof *k);
    if (!k)
        return pn_fail_nomem(err);
    k->pin = pin;
    k->context = context;
    pn_arena_init(&k->plan.arena, SIZE_MAX);
    pthread_mutex_init(&k->mu, NULL);
    pn_cond_init(&k->changed);
    *out = k;
    return PN_OK;
}

void pn_page_keeper_free(pn_page_keeper *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->mu);
    keeper->stop = true;
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->mu);
    pn_thread_join(keeper->thread);
    reset_plan(&keeper->plan);
    pthread_cond_destroy(&keeper->changed);
    pthread_mutex_destroy(&keeper->mu);
    pn_free(keeper);
}

pn_status pn_page_keeper_set_limit(pn_page_keeper *keeper, uint64_t bytes, pn_error *err)
{
    pn_status status = PN_OK;
    pthread_mutex_lock(&keeper->mu);
    if (bytes > 0 && !keeper->thread)
        status = pn_thread_start(keeper_main, keeper, "pn-pages", &keeper->thread, err);
    if (status == PN_OK)
        keeper->limit = bytes;
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->mu);
    return status;
}

uint64_t pn_page_keeper_rounds(const pn_page_keeper *keeper)
{
    return atomic_load(&keeper->n_rounds);
}

void pn_page_keeper_search_begins(pn_page_keeper *keeper)
{
    atomic_fetch_add(&keeper->n_running, 1);
    atomic_fetch_add(&keeper->n_begun, 1);
    if (!atomic_load(&keeper->is_idle))
        return;
    pthread_mutex_lock(&keeper->mu);
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->mu);
}

void pn_page_keeper_search_ends(pn_page_keeper *keeper)
{
    atomic_fetch_sub(&keeper->n_running, 1);
}
