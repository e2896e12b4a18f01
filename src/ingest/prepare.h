/*
 * prepare.h - the bytes of a picture -> what the embedder takes, a thumbnail, a content hash
 */
#ifndef PN_INGEST_PREPARE_H
#define PN_INGEST_PREPARE_H

#include "embed/embedder.h"
#include "image/decode.h"
#include "ingest/ingest_item.h"

/* Hash of the file and of everything the list says of it, into item->content_hash. */
PN_NODISCARD pn_status pn_prepare_hash(pn_ingest_item *item, const void *bytes, size_t n,
                                       pn_error *err);

/* How a picture is decoded for this embedder and a thumbnail of that side (0: none). */
pn_decode_options pn_prepare_decoding(const pn_embedder *embedder, uint32_t thumbnail_px);

/* Decode; fill item->input and, when thumbnail_px is not 0, item->thumbnail. Threads: any, one item a thread. */
PN_NODISCARD pn_status pn_prepare_picture(pn_ingest_item *item, const void *bytes, size_t n,
                                          pn_embedder *embedder, uint32_t thumbnail_px,
                                          pn_error *err);

#endif
