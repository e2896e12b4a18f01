/*
 * wordpiece.h - a WordPiece vocabulary: words to ids
 *
 * Threads: immutable once loaded; may be shared.
 */
#ifndef PN_CLIP_WORDPIECE_H
#define PN_CLIP_WORDPIECE_H

#include "clip/bert_text.h"
#include "clip/piece_trie.h"

typedef struct pn_wordpiece {
    pn_piece_trie pieces;
    uint32_t n_pieces;
    uint32_t inside; /* node behind "##"; PN_PIECE_NONE: the vocabulary has no inner pieces */
    uint32_t unknown_id, start_id, end_id, pad_id; /* [UNK] [CLS] [SEP] [PAD] */
    pn_bert_case letters;
    uint64_t fingerprint;
} pn_wordpiece;

/*
 * Read a vocabulary: one piece a line, its number is its id. file is for messages.
 *
 * Errors: CORRUPT (no UTF-8, one of the four special pieces is missing), LIMIT, NOMEM. Reset in every case by
 * pn_wordpiece_reset().
 */
PN_NODISCARD pn_status pn_wordpiece_parse(const char *file, pn_str bytes, pn_bert_case letters,
                                          pn_wordpiece *out, pn_error *err);
PN_NODISCARD pn_status pn_wordpiece_load(const char *path, pn_bert_case letters, pn_wordpiece *out,
                                         pn_error *err);
void pn_wordpiece_reset(pn_wordpiece *wordpiece);

/*
 * Text -> [CLS] ids [SEP].
 *
 * max_ids  >= 2: a longer text is cut and [SEP] put last
 *
 * Errors:  LIMIT over PN_TEXT_MAX_BYTES; NOMEM.  Cost: near-linear in the text.
 */
PN_NODISCARD pn_status pn_wordpiece_encode(const pn_wordpiece *wordpiece, pn_str text,
                                           size_t max_ids, uint32_t *ids, size_t *n_ids,
                                           pn_error *err);

#endif
