/*
 * golden_vectors.h - vectors of a model that somebody else has computed, and what a difference looks like
 *
 * pennon-golden.json lies beside the model:
 *
 *     {"format": "pennon-golden", "version": 1, "made_by": "...",
 *      "files": {"model.safetensors": "<SHA-256>"},                                   may be missing
 *      "texts": [{"text": "...", "ids": [...], "vector": [...]}, ...],                ids may be missing
 *      "pictures": [{"name": "...", "file": "<a PNG in base64>", "vector": [...]}, ...]}
 *
 * Threads: immutable once read.
 */
#ifndef PN_EMBED_GOLDEN_VECTORS_H
#define PN_EMBED_GOLDEN_VECTORS_H

#include "base/arena.h"
#include "embed/embedder.h"

#define PN_GOLDEN_FILE "pennon-golden.json"

enum { PN_GOLDEN_MAX_BYTES = 32 << 20, PN_GOLDEN_MAX_ENTRIES = 1000, PN_GOLDEN_TEXT_BYTES = 420 };

typedef struct pn_golden_text {
    pn_str text;
    const uint32_t *ids;
    size_t n_ids; /* 0: not said */
    const float *vector;
} pn_golden_text;

typedef struct pn_golden_picture {
    const char *name;
    const uint8_t *bytes;
    size_t n_bytes;
    const float *vector;
} pn_golden_picture;

typedef struct pn_golden_file {
    const char *name, *sha256;
} pn_golden_file;

typedef struct pn_golden {
    const char *path;
    pn_golden_text *texts;
    pn_golden_picture *pictures;
    pn_golden_file *files;
    size_t n_texts, n_pictures, n_files;
    uint32_t dim;
} pn_golden;

/* All of out is in arena. Errors: NOT_FOUND, CORRUPT (names the entry), LIMIT, NOMEM, IO. */
PN_NODISCARD pn_status pn_golden_read(const char *path, pn_arena *arena, pn_golden *out,
                                      pn_error *err);

typedef struct pn_golden_report {
    double image_cosine, text_cosine; /* the least; 1 when there are none */
    bool passed;
    char problem
        [PN_GOLDEN_TEXT_BYTES]; /* what the difference looks like, and where to look; "" when passed */
} pn_golden_report;

/*
 * Embed what is in golden and compare.
 *
 * embedder  a local one (local.h)
 * dir       the model's folder, where golden's files lie
 * least     the cosine that is good enough
 *
 * When pictures differ, other preprocessings are tried (filter, mode, mean and deviation, order of the channels) until one gives the
 * golden vectors: that one is named.
 * Errors: those of embedding. A difference is no error: report->passed.
 */
PN_NODISCARD pn_status pn_golden_check(const pn_golden *golden, pn_embedder *embedder,
                                       const char *dir, double least, pn_golden_report *report,
                                       pn_error *err);

#endif
