/*
 * topk.h - the k nearest seen so far: a bounded max-heap of (distance, id)
 *
 * The only priority queue in the house. The order is total: by distance, then by id, so that equal distances
 * (one row in seven of real catalogues has a twin) give the same answer whatever the order of arrival or the
 * number of threads. A NaN distance is never kept.
 * Threads: one at a time; merge per-thread heaps with pn_topk_merge().
 */
#ifndef PN_BASE_TOPK_H
#define PN_BASE_TOPK_H

#include "base/compiler.h"

typedef struct pn_candidate {
    float distance; /* less is nearer */
    uint64_t id;
} pn_candidate;

typedef struct pn_topk {
    pn_candidate *heap; /* [k], the caller's memory; heap[0] is the farthest kept */
    size_t k;
    size_t n;
} pn_topk;

/* Does a come before b? */
static inline bool pn_candidate_before(pn_candidate a, pn_candidate b)
{
    return a.distance < b.distance || (a.distance == b.distance && a.id < b.id);
}

/* heap holds k candidates, k >= 1, and must outlive the pn_topk. */
void pn_topk_init(pn_topk *topk, pn_candidate *heap, size_t k);

/* Keep it if it is among the k nearest so far. */
void pn_topk_push_slow(pn_topk *topk, pn_candidate candidate);
static inline void pn_topk_push(pn_topk *topk, float distance, uint64_t id)
{
    pn_candidate candidate = {distance, id};
    if (topk->n < topk->k || pn_candidate_before(candidate, topk->heap[0]))
        pn_topk_push_slow(topk, candidate);
}

void pn_topk_merge(pn_topk *into, const pn_topk *from);

/* Sort heap[0..n) nearest first. The pn_topk takes no more pushes afterwards. */
void pn_topk_sort(pn_topk *topk);

#endif
