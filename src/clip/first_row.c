/*
 * first_row.c - numbers that are written once
 *
 *     EMPTY --begin--> FILLING --end--> READY
 *
 * Only who made the first step writes the token and the values, and only who sees READY reads them. A model has one start token; a
 * caller's own ids may begin with another one, and if they came first, all texts are computed in full, as they were before.
 */
#include "clip/first_row.h"

#include "base/alloc.h"

#include <stdatomic.h>

enum { EMPTY, FILLING, READY };

struct pn_first_row {
    _Atomic int state;
    uint32_t token; /* this and the values: who fills writes, and READY publishes */
    float values[];
};

pn_first_row *pn_first_row_create(size_t n_floats)
{
    size_t bytes;
    if (!pn_size_mul(n_floats, sizeof(float), &bytes) ||
        !pn_size_add(bytes, sizeof(pn_first_row), &bytes))
        return NULL;
    return pn_alloc_zero(bytes);
}

void pn_first_row_free(pn_first_row *row)
{
    pn_free(row);
}

const float *pn_first_row_find(const pn_first_row *row, uint32_t token)
{
    const bool found = atomic_load_explicit(&row->state, memory_order_acquire) == READY;
    return found && row->token == token ? row->values : NULL;
}

float *pn_first_row_begin(pn_first_row *row, uint32_t token)
{
    int state = EMPTY;
    if (!atomic_compare_exchange_strong(&row->state, &state, FILLING))
        return NULL;
    row->token = token;
    return row->values;
}

void pn_first_row_end(pn_first_row *row)
{
    atomic_store_explicit(&row->state, READY, memory_order_release);
}
