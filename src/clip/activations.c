/*
 * activations.c - one block of memory a forward pass
 *
 * The sizes come from a model's configuration, so every product is checked.
 */
#include "clip/activations.h"

#include "clip/block.h"

enum { LINE_FLOATS = 16 };

static size_t round_up(size_t n)
{
    return (n + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS;
}

size_t pn_row_stride(size_t n)
{
    return round_up(n) + LINE_FLOATS;
}

/* Put rows x stride floats behind *total; false when that does not fit. */
static bool place(size_t rows, size_t stride, size_t *offset, size_t *total)
{
    size_t n;
    *offset = *total;
    return pn_size_mul(rows, stride, &n) && pn_size_add(*total, n, total);
}

pn_status pn_activations_init(const pn_activation_sizes *sizes, pn_scratch *scratch,
                              pn_activations *out, pn_error *err)
{
    pn_activations a = {.x_stride = pn_row_stride(sizes->width),
                        .wide_stride = pn_row_stride(sizes->wide),
                        .scores_stride = pn_row_stride(sizes->longest)};
    a.attention_floats = pn_attention_floats(sizes->longest, sizes->head_width, a.scores_stride);
    const size_t row_floats = PN_MAX(a.x_stride, a.wide_stride) * sizes->row_bytes / sizeof(float);
    const size_t byte_floats = sizes->row_bytes ? pn_row_stride(row_floats) : 0;
    size_t total = 0, x, normed, wide, query, attention, rows_u8, steps, lows, indices, bytes;
    if (!place(sizes->rows, a.x_stride, &x, &total) ||
        !place(sizes->rows, a.x_stride, &normed, &total) ||
        !place(sizes->rows, a.wide_stride, &wide, &total) ||
        !place(sizes->sequences, a.x_stride, &query, &total) ||
        !place(sizes->threads, a.attention_floats, &attention, &total) ||
        !place(sizes->rows, byte_floats, &rows_u8, &total) ||
        !place(round_up(sizes->rows), 1, &steps, &total) ||
        !place(round_up(sizes->rows), 1, &lows, &total) ||
        !place(sizes->sequences + 1, 3 * sizeof(size_t) / sizeof(float), &indices, &total) ||
        !pn_size_mul(total, sizeof(float), &bytes))
        return pn_fail_nomem(err);
    a.scratch = scratch;
    a.memory = pn_scratch_take(scratch, bytes);
    if (!a.memory)
        return pn_fail_nomem(err);
    a.x = a.memory + x;
    a.normed = a.memory + normed;
    a.wide = a.memory + wide;
    a.query = a.memory + query;
    a.attention = a.memory + attention;
    a.bytes = (uint8_t *)(a.memory + rows_u8);
    a.bytes_stride = byte_floats * sizeof(float);
    a.steps = a.memory + steps;
    a.lows = a.memory + lows;
    a.indices = (size_t *)(void *)(a.memory + indices);
    *out = a;
    return PN_OK;
}

void pn_activations_reset(pn_activations *activations)
{
    if (activations->scratch)
        pn_scratch_give(activations->scratch, activations->memory);
    *activations = (pn_activations){0};
}
