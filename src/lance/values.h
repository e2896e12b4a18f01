/*
 * values.h - compressed values -> plain values
 *
 * One message, Compression, describes how values are packed; it nests. Its buffers come in two forms: the mini-block form, a
 * list of buffers in a chunk, and the block form, one buffer (levels, dictionaries). All sizes are untrusted.
 */
#ifndef PN_LANCE_VALUES_H
#define PN_LANCE_VALUES_H

#include <lance.pb-c.h>

#include "base/arena.h"
#include "base/status.h"

typedef struct pn_slice {
    const uint8_t *data;
    size_t n;
} pn_slice;

/* n values: fixed width (width bytes each; booleans are one byte each, 0 or 1) or variable (offsets [n + 1] into data). */
typedef struct pn_values {
    size_t n;
    bool variable;
    size_t width;
    const uint8_t *data;
    const int64_t *offsets;
    bool is_bits;              /* width 1, from a 1-bit encoding */
    const uint8_t *item_valid; /* fixed-size lists with nullable items: a byte an item, or NULL */
    size_t n_items;            /* in each value, when item_valid is there */
} pn_values;

typedef struct pn_decoder {
    pn_arena *arena;
    const char *where; /* "file, column": for messages */
    size_t max_bytes;  /* of one decoded buffer */
    pn_error *err;
} pn_decoder;

/* Mini-block form. n_buffers is how many the encoding may use, exactly. */
PN_NODISCARD pn_status pn_values_decode(pn_decoder *d, const Pn__Lance__Compression *how,
                                        const pn_slice *buffers, size_t n_buffers, size_t n,
                                        pn_values *out);
/* Block form. */
PN_NODISCARD pn_status pn_values_decode_block(pn_decoder *d, const Pn__Lance__Compression *how,
                                              pn_slice block, size_t n, pn_values *out);
/* One value of a full-zip page whose values are variable: its stored bytes -> its bytes. */
PN_NODISCARD pn_status pn_values_decode_one(pn_decoder *d, const Pn__Lance__Compression *how,
                                            pn_slice stored, pn_slice *out);
/* zstd frame with a known size behind it; also for Arrow buffers. */
PN_NODISCARD pn_status pn_zstd_decompress(pn_decoder *d, pn_slice from, size_t n,
                                          const uint8_t **out);
PN_NODISCARD pn_status pn_lz4_frame_decompress(pn_decoder *d, pn_slice from, size_t n,
                                               const uint8_t **out);

/* Number of buffers that this encoding takes in the mini-block form; 0 when it is not supported. */
size_t pn_values_count_buffers(const Pn__Lance__Compression *how);

#endif
