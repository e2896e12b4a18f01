/*
 * model_list.h - the models on this machine
 * Threads: pure calls.
 */
#ifndef PN_EMBED_MODEL_LIST_H
#define PN_EMBED_MODEL_LIST_H

#include "base/arena.h"
#include "base/status.h"

typedef struct pn_model_entry {
    const char *spec;            /* what to give as a model: a hub name, or a folder */
    const char *directory;       /* "" when the cache has the name and no snapshot to use */
    const char *where;           /* "cache" or "folder" */
    const char *family, *layout; /* "" when it is nothing we know */
    uint32_t dim;                /* 0: only the weights would tell */
    uint64_t weights_bytes;
    const char *problem; /* why it cannot be opened; "" */
} pn_model_entry;

/* What is in the hub cache, then in each folder: the folder itself when it is a model, else the models right in it. Sorted by
 * spec within each. A cache that is not there is empty; a folder that is not there is NOT_FOUND. Only headers and configurations are
 * read: a model without a problem here may still have a damaged weight. All is in arena. */
PN_NODISCARD pn_status pn_model_list(const char *const *folders, size_t n_folders, pn_arena *arena,
                                     pn_model_entry **out, size_t *n, pn_error *err);

#endif
