/*
 * copy_bound.h - the most that a row's score may be, by an 8-bit copy of it
 *
 * With c what a copy is relative to (a centroid, or the mean of a run), r the rest of the row, r' its copy, q' the rounded query, all of them with their
 * lengths |.| as real numbers,
 *
 *     q . v  =  q . c + q . r  <=  q' . c + q' . r'  +  |q| |r - r'|  +  |q - q'| (|c| + |r'|)
 *
 * by Cauchy and Schwarz. |r - r'| is kept beside the copy, rounded up. Whatever is computed in floats is off by what all terms together
 * may reach, (|c| + |r'|) |q|, times half a unit of the last place for every step of the longest chain of additions, which is that of the portable
 * sums, dim / 4; here it is four times as much. A distance is 1 - score in floats, which keeps the order; scores apart by more
 * than that rounding keep their distances apart, and the same allowance covers it.
 *
 * The bound does not ask that vectors have unit length: one of a million has a copy of a million, and an allowance to match.
 */
#ifndef PN_INDEX_COPY_BOUND_H
#define PN_INDEX_COPY_BOUND_H

#include "index/internal.h"
#include "kernels/kernels.h"

#include <math.h>

typedef struct pn_copy_bound {
    float length;    /* |q|, rounded up */
    float allowance; /* of |q - q'| and rounding, for a |c| + |r'| of 1 */
    float widest;    /* |x| of bytes is at most their scale times this */
} pn_copy_bound;

static inline pn_copy_bound pn_copy_bound_of(const float *query, size_t dim,
                                             const pn_query16 *rounded)
{
    const float last_place = 1.1920929e-7f, chain = (float)dim / 4 + 16;
    float length = pn_kernels_get()->norm_f32(query, dim) * (1 + chain * last_place);
    return (pn_copy_bound){length, rounded->lost + 2 * chain * last_place * PN_MAX(length, 1.0f),
                           128 * sqrtf((float)dim)};
}

/* |x| of bytes, at most. */
static inline float pn_copy_bound_length(const pn_copy_bound *b, float scale)
{
    return b->widest * scale;
}

/* What is added to q' . c + q' . r'; lengths: |c| + |r'|. Of vectors that are all but zero, too, it covers what a distance rounds away. */
static inline float pn_copy_bound_slack(const pn_copy_bound *b, float lengths, float error)
{
    return b->length * error + b->allowance * PN_MAX(lengths, 1.0f);
}

#endif
