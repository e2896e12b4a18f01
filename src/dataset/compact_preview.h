/*
 * compact_preview.h - what a compaction would do, without doing it
 */
#ifndef PN_DATASET_COMPACT_PREVIEW_H
#define PN_DATASET_COMPACT_PREVIEW_H

#include "dataset/compact.h"

typedef struct pn_compact_preview {
    uint64_t n_old;   /* fragments that would be rewritten */
    uint64_t n_new;   /* that would come of them */
    uint64_t n_rows;  /* in those */
    uint64_t n_gone;  /* deleted rows that would be left out */
    uint64_t n_bytes; /* of data files that would be read */
} pn_compact_preview;

/* Of this version, and of the first round of it: what comes of that may be folded again. Errors: INVALID, as of a compaction. */
PN_NODISCARD pn_status pn_dataset_compact_preview(pn_dataset *dataset,
                                                  const pn_compact_options *options,
                                                  pn_compact_preview *out, pn_error *err);

#endif
