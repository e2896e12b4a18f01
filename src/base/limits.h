/*
 * limits.h - every limit of the program, with its reason
 *
 * Reaching one is PN_ERR_LIMIT with the number in the message. A limit exists so that a file, a request or a
 * table from outside can never decide how much memory or time we spend.
 */
#ifndef PN_BASE_LIMITS_H
#define PN_BASE_LIMITS_H

#include <stdint.h>

/* Pictures. A 100-megapixel photo is the largest that ordinary cameras make; 8 bytes a pixel while decoding. */
#define PN_IMAGE_MAX_SIDE_PX 30000
#define PN_IMAGE_MAX_PIXELS 100000000
#define PN_IMAGE_MAX_FILE_BYTES (128u << 20)
/* Of an animation or a document, of which we show the first: finding it takes libwebp time in the square of their number. */
#define PN_IMAGE_MAX_FRAMES 10000
/* Of a progressive JPEG: each is a pass over all its blocks. Encoders write 10, by hand-made scripts up to 60. */
#define PN_IMAGE_MAX_SCANS 100
/* While decoding, as the file stores it: RGBA of 16 bits. */
#define PN_IMAGE_MAX_PIXEL_BYTES 8
/* Of one picture, from its first byte looked at: header and pixels; the processor's time. */
#define PN_IMAGE_MAX_MS 30000

/* Text. The tokenizer keeps 77 tokens; a longer question is cut after this many bytes of it were looked at. */
#define PN_TEXT_MAX_BYTES 65536

/* Names of pictures, as the kernel limits paths. */
#define PN_PATH_MAX_BYTES 4096

/* Models. MODEL files are mapped; headers are parsed. */
#define PN_SAFETENSORS_MAX_HEADER_BYTES (100u << 20)
#define PN_MODEL_MAX_JSON_BYTES (64u << 20)
#define PN_MODEL_MAX_SHARDS 1024
#define PN_EMBEDDING_MAX_DIM 8192
/* Of an index; longer vectors are searched without one. */
#define PN_INDEX_MAX_DIM 2048

/* Tables. */
#define PN_LANCE_MAX_COLUMNS 4096
#define PN_LANCE_MAX_PAGES (1u << 20)
#define PN_LANCE_MAX_METADATA_BYTES (256u << 20)
/* Values of a mini-block chunk: its levels are counted in 16 bits, and writers stay below half of that. */
#define PN_LANCE_MAX_CHUNK_VALUES (1u << 16)
/* What one read may decode: so much, and this many times the bytes of its pages. Runs and bit packing to zero bits have no
 * ratio of their own; pages of real tables stay below 300. Constants and nulls take rows times width, up to the first. */
#define PN_LANCE_READ_FREE_BYTES ((size_t)128 << 20)
#define PN_LANCE_READ_MAX_RATIO 1024
#define PN_LANCE_READ_MAX_BYTES ((size_t)4 << 30)
#define PN_SCHEMA_MAX_DEPTH 32
#define PN_SCHEMA_MAX_DEPTH_NODES (PN_SCHEMA_MAX_DEPTH + 2)
#define PN_ENCODING_MAX_DEPTH 16
#define PN_FIXED_LIST_MAX_DEPTH 4
#define PN_MANIFEST_MAX_BYTES (1u << 30)
#define PN_DATASET_MAX_FRAGMENTS (1u << 24)
#define PN_COMMIT_MAX_ATTEMPTS 40

/* Filters: depth bounds recursion, length bounds the parser's memory. */
#define PN_FILTER_MAX_BYTES 65536
#define PN_FILTER_MAX_DEPTH 128
#define PN_FILTER_MAX_NODES 16384

/* Searches. k rows are materialised with all their columns. */
#define PN_SEARCH_K_DEFAULT 10
#define PN_SEARCH_K_MIN 1
#define PN_SEARCH_K_MAX 10000
#define PN_SEARCH_RECALL_MIN 0.5f
#define PN_SEARCH_REFINE_MAX 100
#define PN_SEARCH_MAX_TERMS 32

/* Requests to the service. Depth bounds recursion; a question of 32 vectors of 8192 floats is the largest that
 * makes sense; pictures come as one string, so the number of values does not bound them, the body size does. */
#define PN_REQUEST_MAX_JSON_DEPTH 32
#define PN_REQUEST_MAX_JSON_VALUES 400000
#define PN_REQUEST_MAX_FIELDS 64
#define PN_REQUEST_MAX_METADATA 256
#define PN_REQUEST_MAX_METADATA_BYTES 65536
#define PN_REQUEST_MAX_PATH_BYTES 4096
#define PN_REQUEST_MAX_SOURCES 64
#define PN_RESPONSE_MAX_BYTES (256u << 20)
#define PN_RESPONSE_MAX_FAILURES 1000

/* Threads: more than this is a typing mistake. */
#define PN_MAX_THREADS 256

#endif
