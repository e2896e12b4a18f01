/*
 * index_texts.h - the texts' vectors that the indexes of a table are calibrated with
 *
 *     <table>.lance/_pennon/index/texts.bin
 *
 * Kept beside the indexes, so that one can be built or merged without the model: by a background chore, or where a server would want
 * to be paid for every text. Little-endian: "pntexts1", u32 dim, u32 n, u64 hash of the rest, f32 [n][dim].
 */
#ifndef PN_COLLECTION_INDEX_TEXTS_H
#define PN_COLLECTION_INDEX_TEXTS_H

#include "base/arena.h"
#include "base/status.h"

enum { PN_INDEX_TEXTS_MAX = 4096 };

/* The folder is there already. INVALID: more than PN_INDEX_TEXTS_MAX. */
PN_NODISCARD pn_status pn_index_texts_write(const char *folder, const float *texts, size_t n,
                                            size_t dim, pn_error *err);
/* *n 0 when there are none, or of another length: a model's change. CORRUPT names the file. *texts is in arena. */
PN_NODISCARD pn_status pn_index_texts_read(const char *folder, size_t dim, pn_arena *arena,
                                           const float **texts, size_t *n, pn_error *err);

#endif
