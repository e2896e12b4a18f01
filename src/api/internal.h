/*
 * internal.h - what the handles of pennon.h are made of
 */
#ifndef PN_API_INTERNAL_H
#define PN_API_INTERNAL_H

#include <pennon.h>

#include "base/status.h"
#include "base/str.h"
#include "collection/engine.h"
#include "embed/hosted.h"
#include "embed/local.h"
#include "ingest/path_locks.h"
#include "os/pool.h"
#include "search/results.h"

#include <pthread.h>

struct pn_library {
    pn_pool *pool;
};

struct pn_model {
    pn_library *library;
    pn_embedder *embedder;
    char *name;
    char *directory;
};

struct pn_table {
    pn_library *library;
    char *path;
    pn_engine *engine;
    pthread_mutex_t facets_mu;
    char *facets;            /* of facets_version; guarded by facets_mu */
    uint64_t facets_version; /* 0: none; guarded by facets_mu */
    size_t facets_max;       /* guarded by facets_mu */
    pn_path_locks uploads;   /* of pn_ingest_one() */
};

struct pn_results {
    pn_hits hits;
    pn_pair *pairs;     /* all hits' metadata, one behind another; in the hits' arena */
    size_t *first_pair; /* [hits.n]; likewise */
};

/* Take the caller's struct, of whatever age, into ours: the fields it has, and our defaults for the rest. NULL: all of
 * them. INVALID when its first field cannot be its size. */
PN_NODISCARD pn_status pn_take_struct(void *ours, size_t our_bytes, const void *theirs,
                                      pn_error *err);
#define PN_TAKE_OPTIONS(ours, theirs, err)                                                         \
    PN_TRY(pn_take_struct(&(ours), sizeof(ours), (theirs), (err)))

/* The other way: what the caller's struct has room for. */
PN_NODISCARD pn_status pn_give_struct(const void *ours, size_t our_bytes, void *theirs,
                                      pn_error *err);

/* Faults that a test asks for by PN_FAULT, from whatever is called first: the program has a copy of os of its own. */
void pn_library_faults(void);

/* INVALID: no path. */
PN_NODISCARD pn_status pn_check_path(const char *path, pn_error *err);

/* UNSUPPORTED when a server computes the model. */
PN_NODISCARD pn_status pn_model_check_local(const pn_model *model, pn_error *err);

/* Refuse the model when the recorded identity of this version of the table differs. */
PN_NODISCARD pn_status pn_table_check_identity(pn_table *table, const pn_embedder *embedder,
                                               pn_error *err);

/* Hits as results; takes the hits over, also on failure. */
PN_NODISCARD pn_status pn_results_make(pn_hits *hits, pn_results **out, pn_error *err);

#endif
