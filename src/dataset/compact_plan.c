/*
 * compact_plan.c - which fragments to fold into one
 *
 * Rows keep their order, so only neighbours are folded. A fragment is small when it has less than half of what one should have.
 *
 * FULL: each run of small neighbours is cut into groups of up to a full fragment. What is left of a run is one fragment, or
 * neighbours that two by two have more than one should have.
 *
 * TIERED: folding the same rows again with each insert would cost their square. A fragment's level is the number of digits of its
 * rows to the base of `fanout`; when a run of neighbours up to some level has `fanout` of that level, it becomes one of the next
 * level. A row so is rewritten once a level: six times until there are a million, of inserts of one row each.
 *
 *     rows     1000 100 100 10 1 1 1 1 1 1 1 1 1 1        ten of level 0
 *     fold     1000 100 100 10 [10................]       and so on, as far up as it goes, before anything is written
 *
 * So of each level fewer than `fanout` fragments stay in a run, 54 for a million rows at a fanout of 10, however they came. Small
 * ones that got shut in between larger ones, where nothing comes any more, are folded without waiting, and so are those that
 * together are full. Nor does anything come where the next fragment is of another class: there four of a run are enough, of
 * any level, so that a table with many indexes has few fragments still.
 *
 * Both: a fragment of which too much is deleted is rewritten, alone when it has no small neighbours.
 */
#include "dataset/compact_plan.h"

enum { CLOSED_RUN = 4 };

typedef struct bundle {
    size_t first, n; /* fragments */
    pn_compact_item sum;
    bool small, rotten; /* rotten: too much of it is deleted */
    unsigned level;
} bundle;

static unsigned level_of(uint64_t n_rows, uint64_t fanout)
{
    unsigned level = 0;
    for (; n_rows >= fanout; n_rows /= fanout)
        level++;
    return level;
}

static void judge(bundle *b, const pn_compact_options *o)
{
    b->small = !b->sum.is_barred && b->sum.n_live < o->target_rows / 2 &&
               b->sum.n_bytes < o->target_bytes / 2;
    b->rotten = !b->sum.is_barred && b->sum.n_deleted > 0 &&
                (double)b->sum.n_deleted * 100 >=
                    (double)(b->sum.n_live + b->sum.n_deleted) * o->deleted_percent;
    b->level = level_of(b->sum.n_live, o->fanout);
}

/* Bundles [first, first + n) become one, without their deleted rows; returns how many there are now. */
static size_t fold(bundle *bundles, size_t n_bundles, size_t first, size_t n,
                   const pn_compact_options *o)
{
    bundle *into = &bundles[first];
    for (size_t i = 1; i < n; i++) {
        into->n += bundles[first + i].n;
        into->sum.n_live += bundles[first + i].sum.n_live;
        into->sum.n_bytes += bundles[first + i].sum.n_bytes;
    }
    into->sum.n_deleted = 0;
    judge(into, o);
    for (size_t i = first + n; i < n_bundles; i++)
        bundles[i - n + 1] = bundles[i];
    return n_bundles - n + 1;
}

/* How many bundles from `at` on may be folded together, up to `level`: neighbours, small, of one class, together no more than a
 * full fragment. *full: the next one would fit but for that, so what comes of these is not small any more. */
static size_t stretch(const bundle *bundles, size_t n, size_t at, unsigned level,
                      const pn_compact_options *o, bool *full)
{
    uint64_t rows = 0, bytes = 0;
    size_t end = at;
    *full = false;
    for (; end < n && !*full; end++) {
        const bundle *b = &bundles[end];
        if (!b->small || b->level > level || b->sum.class != bundles[at].sum.class)
            break;
        rows += b->sum.n_live;
        bytes += b->sum.n_bytes;
        *full = rows > o->target_rows || bytes > o->target_bytes;
    }
    return end - at - *full;
}

static size_t fold_full(bundle *bundles, size_t n, const pn_compact_options *o)
{
    for (size_t at = 0; at < n; at++) {
        bool full;
        size_t here = stretch(bundles, n, at, UINT32_MAX, o, &full);
        if (here > 1)
            n = fold(bundles, n, at, here, o);
    }
    return n;
}

/* Is the stretch worth it: enough of the level, or shut in, or at the end of its class? */
static bool is_due(const bundle *bundles, size_t n, size_t at, size_t here, unsigned level,
                   const pn_compact_options *o)
{
    size_t n_of_level = 0;
    for (size_t i = at; i < at + here; i++)
        n_of_level += bundles[i].level == level;
    bool before = at == 0 || (bundles[at - 1].sum.class == bundles[at].sum.class &&
                              bundles[at - 1].level > level);
    bool same = at + here < n && bundles[at + here].sum.class == bundles[at].sum.class;
    bool behind = same && bundles[at + here].level > level;
    bool closed = at + here < n && !same && here >= CLOSED_RUN;
    return n_of_level >= o->fanout || (n_of_level > 0 && (closed || (before && behind)));
}

static size_t fold_level(bundle *bundles, size_t n, unsigned level, const pn_compact_options *o)
{
    for (size_t at = 0; at < n; at++) {
        bool full;
        size_t here = stretch(bundles, n, at, level, o, &full);
        if (here > 1 && (full || is_due(bundles, n, at, here, level, o)))
            n = fold(bundles, n, at, here, o);
        else if (here > 1)
            at += here - 1;
    }
    return n;
}

static size_t fold_tiers(bundle *bundles, size_t n, const pn_compact_options *o)
{
    unsigned highest = level_of(o->target_rows, o->fanout);
    for (unsigned level = 0; level <= highest; level++)
        n = fold_level(bundles, n, level, o);
    return n;
}

pn_status pn_compact_plan(const pn_compact_item *items, size_t n, const pn_compact_options *options,
                          pn_arena *arena, pn_compact_group **groups, size_t *n_groups,
                          pn_error *err)
{
    bundle *bundles = PN_ARENA_NEW(arena, bundle, n + 1);
    pn_compact_group *list = PN_ARENA_NEW(arena, pn_compact_group, n + 1);
    if (!bundles || !list)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        bundles[i] = (bundle){.first = i, .n = 1, .sum = items[i]};
        judge(&bundles[i], options);
    }
    n = options->mode == PN_COMPACT_FULL ? fold_full(bundles, n, options)
                                         : fold_tiers(bundles, n, options);
    *n_groups = 0;
    for (size_t i = 0; i < n; i++)
        if (bundles[i].n > 1 || bundles[i].rotten)
            list[(*n_groups)++] = (pn_compact_group){bundles[i].first, bundles[i].n};
    *groups = list;
    return PN_OK;
}
