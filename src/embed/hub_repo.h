/*
 * hub_repo.h - what a model's repository on a hub holds, and what of it pennon reads
 * Threads: pure.
 */
#ifndef PN_EMBED_HUB_REPO_H
#define PN_EMBED_HUB_REPO_H

#include "base/arena.h"
#include "os/digest.h"

enum { PN_HUB_MAX_FILES = 10000, PN_HUB_MAX_LIST_BYTES = 16 << 20 };

typedef struct pn_hub_file {
    const char *name; /* of plain letters, without folders */
    uint64_t n_bytes;
    const char *digest; /* lower-case hex */
    pn_digest_kind kind;
} pn_hub_file;

typedef struct pn_hub_repo {
    const char *commit;
    pn_hub_file *files; /* small ones first */
    size_t n;
} pn_hub_repo;

/*
 * Read the hub's answer to /api/models/OWNER/NAME/revision/R?blobs=true and choose: configuration, tokenizer and preprocessing,
 * and the weights that pn_clip_open() would take, with their shards.
 *
 * name  for messages
 * out   in arena
 *
 * Errors: CORRUPT (not such an answer; a file name that would leave the folder; a file without size or digest), NOT_FOUND (no
 *         safetensors: says what there is instead), LIMIT, NOMEM.
 */
PN_NODISCARD pn_status pn_hub_repo_parse(const char *json, size_t n_bytes, const char *name,
                                         pn_arena *arena, pn_hub_repo *out, pn_error *err);

#endif
