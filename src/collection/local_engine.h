/*
 * local_engine.h - a Lance table on this machine behind the engine's door
 */
#ifndef PN_COLLECTION_LOCAL_ENGINE_H
#define PN_COLLECTION_LOCAL_ENGINE_H

#include "collection/engine.h"

/* Open the table in the folder path. pool is borrowed, may be NULL.
 * Errors: NOT_FOUND, CORRUPT, UNSUPPORTED; INVALID when it has no usable vector column. */
PN_NODISCARD pn_status pn_local_engine_open(const char *path, pn_pool *pool, pn_engine **out,
                                            pn_error *err);

/* One version, whatever is committed later; its changes are refused. NOT_FOUND when there is none of that number. */
PN_NODISCARD pn_status pn_local_engine_open_version(const char *path, uint64_t version,
                                                    pn_pool *pool, pn_engine **out, pn_error *err);

/* Make an empty table there, with the columns of image_schema.h, and open it. EXISTS. */
PN_NODISCARD pn_status pn_local_engine_create(const char *path, const pn_schema *schema,
                                              pn_pool *pool, pn_engine **out, pn_error *err);

/* How long a reader may be given a version after it was seen to be the newest; 0, as at first: it is always looked for a newer one. What is
 * committed through this engine is seen at once. Of an engine that pn_local_engine_open() or its like made. */
void pn_local_engine_set_consistency(pn_engine *engine, int64_t interval_ns);

/* Small data files are folded until they have half of this or more; as soon as neighbours amount to it they become one. 0: nothing is
 * folded unasked. At first PN_COMPACTION_BYTES_DEFAULT. Of an engine as above. */
void pn_local_engine_set_compaction(pn_engine *engine, uint64_t bytes);

/* Bytes of indexes and mapped vectors that are kept in memory, and not exceeded (page_keeper.h); 0, as at first: what the system keeps. Of
 * an engine as above. */
PN_NODISCARD pn_status pn_local_engine_set_index_cache(pn_engine *engine, uint64_t bytes,
                                                       pn_error *err);
/* For tests: how often it was looked since what lies in memory. */
uint64_t pn_local_engine_memory_rounds(const pn_engine *engine);

#endif
