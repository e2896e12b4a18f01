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
#include "base/limits.h"
#include "base/status.h"
#include "column/type.h"

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
    bool is_bits; /* width 1 (times items), from a 1-bit encoding */
    /* Fixed-size lists, from the outermost in: items in each value; a byte an item when some may be null, or NULL. */
    size_t n_items[PN_FIXED_LIST_MAX_DEPTH];
    const uint8_t *item_valid[PN_FIXED_LIST_MAX_DEPTH];
} pn_values;

typedef struct pn_decoder {
    pn_arena *arena;
    const char *where;    /* "file, column": for messages */
    size_t max_bytes;     /* of one decoded buffer */
    const pn_field *leaf; /* what the values are; NULL: levels and other numbers */
    pn_error *err;
} pn_decoder;

/* Bytes of a value of a column as it is decoded: a boolean has one, a packed struct those of its members in a row. 0: it varies. */
size_t pn_values_width(const pn_field *leaf, bool *is_bits);
bool pn_values_are_variable(const pn_field *leaf);

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
/* Strings whose bytes are symbols of a table (FSST). */
PN_NODISCARD pn_status pn_values_expand_symbols(pn_decoder *d, const ProtobufCBinaryData *table,
                                                const pn_values *packed, pn_values *out);
/* zstd frame with a known size behind it; also for Arrow buffers. */
PN_NODISCARD pn_status pn_zstd_decompress(pn_decoder *d, pn_slice from, size_t n,
                                          const uint8_t **out);
PN_NODISCARD pn_status pn_lz4_frame_decompress(pn_decoder *d, pn_slice from, size_t n,
                                               const uint8_t **out);

/* A buffer behind its size: 1 lz4, u32 size and block; 2 zstd, u64 size and frame. */
PN_NODISCARD pn_status pn_values_decompress(pn_decoder *d, int scheme, pn_slice from,
                                            pn_slice *out);

/* Number of buffers that this encoding takes in the mini-block form; 0 when it is not supported. */
/* CORRUPT or UNSUPPORTED when the members are not those of d->leaf. */
PN_NODISCARD pn_status pn_values_check_packed(pn_decoder *d, const Pn__Lance__PackedStruct *how);
const char *pn_values_encoding_name(const Pn__Lance__Compression *how); /* for messages */
size_t pn_values_count_buffers(const Pn__Lance__Compression *how);

#endif
