/*
 * hub_pull.h - a model from a hub to this machine
 *
 * Nothing here happens unless a person asks for it: opening a model never downloads.
 * Threads: any; two pulls into one place exclude each other, across processes.
 */
#ifndef PN_EMBED_HUB_PULL_H
#define PN_EMBED_HUB_PULL_H

#include "base/arena.h"
#include "base/status.h"

#define PN_HUB_BASE_DEFAULT "https://huggingface.co"

typedef struct pn_hub_progress {
    const char *file;
    size_t file_i, n_files;
    uint64_t file_done_bytes, file_bytes;
    uint64_t done_bytes, total_bytes; /* of all files */
    uint64_t came_bytes;              /* by this call: without what was there before it */
    double seconds;
} pn_hub_progress;

typedef struct pn_hub_options {
    const char *base;     /* NULL: PN_HUB_BASE_DEFAULT */
    const char *revision; /* branch, tag or commit; NULL: "main" */
    const char *
        directory; /* a folder for the files themselves; NULL: the hub cache, where pn_clip_locate() finds them */
    const char *token; /* for the base's own scheme, host and port; NULL: none */
    uint32_t pause_ms; /* before a second attempt; 0: the default of http_get.h */
    void (*progress)(void *context, const pn_hub_progress *progress);
    bool (*cancelled)(void *context);
    void *context;
} pn_hub_options;

/*
 * Download what pennon reads of the repository "owner/model": hub_repo.h. A file that is there already is not fetched again; a part
 * is continued; size and digest are checked before a file gets its name. When the call fails nothing is lost but a file that was
 * wrong, and the next call goes on.
 *
 *     <cache>/models--owner--model/blobs/<digest>             the bytes; "<digest>.incomplete" until they are whole
 *                                  snapshots/<commit>/<file>  symbolic links to them
 *                                  refs/<revision>            <commit>; written last
 *
 * dir  in arena: the folder to open
 *
 * Errors: INVALID (name, revision, URL), NOT_FOUND (no such model, or no weights for us), CORRUPT (size, digest, names),
 *         CONFLICT (another pull of it is running), CANCELLED, LIMIT, IO, NOMEM.
 */
PN_NODISCARD pn_status pn_hub_pull(const char *name, const pn_hub_options *options, pn_arena *arena,
                                   char **dir, pn_error *err);

#endif
