/*
 * byte_bpe.h - byte-level BPE as CLIP uses it
 */
#ifndef PN_CLIP_BYTE_BPE_H
#define PN_CLIP_BYTE_BPE_H

#include "clip/vocabulary.h"

/* Text -> [start] ids [end], at most max_ids >= 2 of them. LIMIT over PN_TEXT_MAX_BYTES; NOMEM. Threads: pure. */
PN_NODISCARD pn_status pn_byte_bpe_encode(const pn_vocabulary *vocabulary, pn_str text,
                                          size_t max_ids, uint32_t *ids, size_t *n_ids,
                                          pn_error *err);

#endif
