/*
 * topk.c - binary max-heap; the root is the one to beat
 */
#include "base/topk.h"

#include <math.h>
#include <stdlib.h>

void pn_topk_init(pn_topk *topk, pn_candidate *heap, size_t k)
{
    pn_assert(k >= 1);
    *topk = (pn_topk){.heap = heap, .k = k};
}

static void sift_up(pn_candidate *heap, size_t i)
{
    pn_candidate moving = heap[i];
    while (i > 0 && pn_candidate_before(heap[(i - 1) / 2], moving)) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = moving;
}

static void sift_down(pn_candidate *heap, size_t n)
{
    pn_candidate moving = heap[0];
    size_t i = 0;
    while (2 * i + 1 < n) {
        size_t child = 2 * i + 1;
        if (child + 1 < n && pn_candidate_before(heap[child], heap[child + 1]))
            child++;
        if (!pn_candidate_before(moving, heap[child]))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = moving;
}

void pn_topk_push_slow(pn_topk *topk, pn_candidate candidate)
{
    if (isnan(candidate.distance))
        return;
    if (topk->n < topk->k) {
        topk->heap[topk->n++] = candidate;
        sift_up(topk->heap, topk->n - 1);
    } else {
        topk->heap[0] = candidate;
        sift_down(topk->heap, topk->n);
    }
}

void pn_topk_merge(pn_topk *into, const pn_topk *from)
{
    for (size_t i = 0; i < from->n; i++)
        pn_topk_push(into, from->heap[i].distance, from->heap[i].id);
}

static int compare(const void *left, const void *right)
{
    const pn_candidate *a = left, *b = right;
    return pn_candidate_before(*a, *b) ? -1 : pn_candidate_before(*b, *a);
}

void pn_topk_sort(pn_topk *topk)
{
    qsort(topk->heap, topk->n, sizeof topk->heap[0], compare);
}
