/*
 * compact_plan.h - which fragments to fold into one
 */
#ifndef PN_DATASET_COMPACT_PLAN_H
#define PN_DATASET_COMPACT_PLAN_H

#include "base/arena.h"
#include "base/status.h"
#include "dataset/compact.h"

/* What the plan looks at of a fragment. */
typedef struct pn_compact_item {
    uint64_t n_live, n_deleted; /* rows */
    uint64_t n_bytes;
    uint64_t class; /* only fragments of one class are folded together */
    bool is_barred; /* left alone, whatever it is like */
} pn_compact_item;

/* Fragments [first, first + n) become one. */
typedef struct pn_compact_group {
    size_t first, n;
} pn_compact_group;

/* Defaults where options have zeros. INVALID: a number that cannot be. */
PN_NODISCARD pn_status pn_compact_complete(pn_compact_options *options, pn_error *err);

/* The fragments of a version, for the plan; in arena. Options must be complete. */
PN_NODISCARD pn_status pn_compact_measure(pn_dataset *dataset, const pn_compact_options *options,
                                          pn_arena *arena, pn_compact_item **out, pn_error *err);

/* Groups in order, apart from each other, in arena. Options must be complete (no zeros that stand for defaults). */
PN_NODISCARD pn_status pn_compact_plan(const pn_compact_item *items, size_t n,
                                       const pn_compact_options *options, pn_arena *arena,
                                       pn_compact_group **groups, size_t *n_groups, pn_error *err);

#endif
