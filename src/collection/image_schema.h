/*
 * image_schema.h - the columns of an image table
 *
 *     id            int64, not null       grows by one; what people and the page name a picture by
 *     vector        fixed_size_list<float>[dim], not null, unit length
 *     image_path    string, not null      as given at ingest, '/' separated
 *     metadata      map<string,string>, not null (may be empty)   title, category, price, ... all columns of the list
 *     timestamp     timestamp[ms], not null   when the picture was ingested, or its date column
 *     thumbnail     binary, nullable      a small JPEG
 *     content_hash  string, nullable      XXH3-128 of the file and of its metadata, 32 hex digits
 *
 * Table metadata: pennon.format = "1", pennon.embedder = identity, pennon.model = a name, pennon.preprocess = mode.
 * Tables written by others need only a vector column of the right width; the rest is used where present.
 */
#ifndef PN_COLLECTION_IMAGE_SCHEMA_H
#define PN_COLLECTION_IMAGE_SCHEMA_H

#include "column/type.h"

#define PN_COLUMN_ID "id"
#define PN_COLUMN_VECTOR "vector"
#define PN_COLUMN_IMAGE_PATH "image_path"
#define PN_COLUMN_METADATA "metadata"
#define PN_COLUMN_TIMESTAMP "timestamp"
#define PN_COLUMN_THUMBNAIL "thumbnail"
#define PN_COLUMN_CONTENT_HASH "content_hash"

#define PN_META_FORMAT "pennon.format"
#define PN_META_EMBEDDER "pennon.embedder"
#define PN_META_MODEL "pennon.model"
#define PN_META_PREPROCESS "pennon.preprocess"

PN_NODISCARD pn_status pn_image_schema_make(uint32_t dim, const char *embedder_identity,
                                            const char *model, const char *preprocess,
                                            pn_arena *arena, pn_schema *out, pn_error *err);

/* Is this a table we can search? Finds the vector column's dim. INVALID names what is missing or has another type. */
PN_NODISCARD pn_status pn_image_schema_check(const pn_schema *schema, const char *table,
                                             uint32_t *dim, pn_error *err);

#endif
