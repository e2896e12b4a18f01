/*
 * safetensors.h - tensors by name in mapped files
 *
 *     u64 little-endian header length n | n bytes of JSON, padded with blanks | data
 *     {"name": {"dtype": "F16", "shape": [768, 512], "data_offsets": [begin, end]}, ..., "__metadata__": {...}}
 *
 * A model is one such file, or several ("shards") with an index that says which tensor lies in which. Everything the
 * header claims is checked at opening; afterwards a tensor's bytes are there and have the size its shape says.
 * Source: the safetensors format description (docs/CLIP.md, Weights).
 * Threads: immutable after opening; may be shared.
 */
#ifndef PN_CLIP_SAFETENSORS_H
#define PN_CLIP_SAFETENSORS_H

#include "base/status.h"

typedef enum pn_dtype {
    PN_DTYPE_F32,
    PN_DTYPE_F16,
    PN_DTYPE_BF16,
    PN_DTYPE_I64,
    PN_DTYPE_OTHER /* valid, of known size, but no weight of ours */
} pn_dtype;

enum { PN_TENSOR_MAX_DIMS = 8 };

typedef struct pn_tensor {
    const char *name;
    const char *dtype_name; /* as in the file: "BF16" */
    pn_dtype dtype;
    uint32_t n_dims; /* 0: a scalar */
    uint64_t dims[PN_TENSOR_MAX_DIMS];
    size_t n_values;
    const uint8_t *data; /* in the mapping; not aligned to anything */
    size_t n_bytes;
} pn_tensor;

typedef struct pn_safetensors pn_safetensors;

/*
 * Open one file, or an index with its shards (a path that ends in ".json").
 *
 * Errors:  NOT_FOUND; CORRUPT (names the file, the tensor and the fault); LIMIT for a header, an index or a number of
 *          shards beyond base/limits.h; UNSUPPORTED for an unknown dtype; NOMEM, IO.
 * Cost:    maps and parses the header; no data is read.
 */
PN_NODISCARD pn_status pn_safetensors_open(const char *path, pn_safetensors **out, pn_error *err);

/* The same for a model's directory: model.safetensors.index.json, model.safetensors and their open_clip_ siblings,
 * in this order. NOT_FOUND says what was looked for, and points at pickled weights that it does not read. */
PN_NODISCARD pn_status pn_safetensors_open_directory(const char *dir, pn_safetensors **out,
                                                     pn_error *err);

/* One file that is in memory already; bytes must outlive *out. For tests and fuzzing. */
PN_NODISCARD pn_status pn_safetensors_open_memory(const uint8_t *bytes, size_t n,
                                                  pn_safetensors **out, pn_error *err);
void pn_safetensors_close(pn_safetensors *tensors); /* NULL is welcome */

/* Nobody will look at the data for a while: the mapped pages need not count as this process's memory. */
void pn_safetensors_rest(const pn_safetensors *tensors);

/* NULL when there is no tensor of this name. */
const pn_tensor *pn_safetensors_find(const pn_safetensors *tensors, const char *name);
/* In the order of their names. */
size_t pn_safetensors_count(const pn_safetensors *tensors);
const pn_tensor *pn_safetensors_at(const pn_safetensors *tensors, size_t i);

/* A number for the files' sizes and times: another one when any of them was replaced or written to. False for files in
 * memory, and when a file has gone since. */
PN_NODISCARD bool pn_safetensors_stamp(const pn_safetensors *tensors, uint64_t *out);

/* Bytes of all mapped files. */
uint64_t pn_safetensors_bytes(const pn_safetensors *tensors);

/* "[768, 3, 32, 32]", for messages. */
#define PN_SHAPE_TEXT_BYTES 192
void pn_shape_text(const uint64_t *dims, uint32_t n_dims, char out[PN_SHAPE_TEXT_BYTES]);

#endif
