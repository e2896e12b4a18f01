/*
 * probe.h - what the table has already: path -> content
 *
 * Read from the table once, then looked up for every picture: the same path with the same content is skipped, with
 * another content it is replaced. Forty bytes a row: 120 MB for three million.
 * Threads: pn_probe_find() from any thread; pn_probe_load() by one, at any time.
 */
#ifndef PN_INGEST_PROBE_H
#define PN_INGEST_PROBE_H

#include "base/hash.h"
#include "collection/engine.h"

typedef struct pn_probe pn_probe;

typedef struct pn_probe_entry {
    int64_t id; /* -1: the table has no ids */
    bool same_content;
} pn_probe_entry;

/* An empty one. */
PN_NODISCARD pn_status pn_probe_create(pn_probe **out, pn_error *err);
void pn_probe_free(pn_probe *probe); /* NULL is welcome */

/* Read paths and content hashes of this version, in place of what was known. */
PN_NODISCARD pn_status pn_probe_load(pn_probe *probe, pn_engine *engine, pn_snapshot *snapshot,
                                     pn_error *err);

/* Is the path in the table? content_hash as in the table's column. Of several rows with one path the last. */
PN_NODISCARD bool pn_probe_find(pn_probe *probe, const char *path, const char *content_hash,
                                pn_probe_entry *out);

#endif
