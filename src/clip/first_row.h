/*
 * first_row.h - the keys and values of the row that all texts begin with
 *
 * With a causal mask the row of <start> sees nothing but itself: in every block its k and v are the same numbers in every text. The
 * first text leaves them here, and no later one computes that row again: 7 rows for a text of 8 tokens.
 *
 * Threads: any. Whoever begins to fill is alone with that; until it is complete the others find nothing.
 */
#ifndef PN_CLIP_FIRST_ROW_H
#define PN_CLIP_FIRST_ROW_H

#include "base/status.h"

typedef struct pn_first_row pn_first_row;

/* Room for n_floats. NULL: no memory. */
PN_NODISCARD pn_first_row *pn_first_row_create(size_t n_floats);
void pn_first_row_free(pn_first_row *row); /* NULL is welcome */

/* What was kept for texts that begin with this token; NULL: nothing. */
const float *pn_first_row_find(const pn_first_row *row, uint32_t token);

/* Where to put it, for one caller, which has to call the second. NULL: it is there already, or on its way. */
float *pn_first_row_begin(pn_first_row *row, uint32_t token);
void pn_first_row_end(pn_first_row *row);

#endif
