/*
 * ingest_item.h - one picture on its way through the pipeline
 *
 * Made by source, filled by the decoders, turned into a row by image_row. It owns everything it points to.
 * Threads: owned by one stage at a time.
 */
#ifndef PN_INGEST_INGEST_ITEM_H
#define PN_INGEST_INGEST_ITEM_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/str.h"
#include "embed/embedder.h"

#define PN_INGEST_NO_TIME INT64_MIN

typedef struct pn_ingest_item {
    pn_arena arena;
    const char *path; /* the picture's name in the table */
    const char *file; /* where its bytes are */
    const pn_kv *metadata;
    size_t n_metadata;
    int64_t timestamp_ms; /* PN_INGEST_NO_TIME: none was given */

    /* Filled by the decoder: */
    char content_hash[PN_HASH_TEXT_BYTES];
    pn_embed_input input; /* what the embedder's embed_images takes; owned */
    pn_buffer thumbnail;  /* empty: none */
    bool replaces;        /* the table has another content under this path */
    int64_t id;           /* of the row it replaces */
    float *vector;        /* [dim], unit length; owned (pn_alloc) */
} pn_ingest_item;

/* NULL: no memory. path and file are copied. */
pn_ingest_item *pn_ingest_item_create(const char *path, const char *file);
void pn_ingest_item_free(pn_ingest_item *item); /* NULL is welcome */

/* Can it become a row? LIMIT for the path's length; INVALID for texts that are not UTF-8, which no column may hold. */
PN_NODISCARD pn_status pn_ingest_item_check(const pn_ingest_item *item, pn_error *err);

#endif
