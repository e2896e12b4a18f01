/*
 * sentencepiece.h - spiece.model and tokenizer.model: text to ids as the sentencepiece library gives them
 *
 * The library has C++ and Python interfaces but none in C, so we read its model files ourselves. Both kinds that are in use are
 * there, unigram and BPE, with the model's own normalisation rules, user-defined symbols and byte fallback; models of words
 * or characters are refused by name. Sampling, decoding and training are not our business.
 * Threads: immutable once loaded; may be shared.
 */
#ifndef PN_CLIP_SENTENCEPIECE_H
#define PN_CLIP_SENTENCEPIECE_H

#include "base/limits.h"
#include "base/status.h"
#include "base/str.h"

/* Compatibility forms take 11 times their bytes at most (U+FDFA); the rules of a hostile model could take any. */
#define PN_SENTENCEPIECE_MAX_TEXT_BYTES ((size_t)PN_TEXT_MAX_BYTES * 20)

typedef struct pn_sentencepiece pn_sentencepiece;

/* PN_SENTENCEPIECE_BARE: no blank in front of the text, whatever the model says; as SigLIP's tokenizer loads it. */
typedef enum pn_sentencepiece_prefix {
    PN_SENTENCEPIECE_AS_TRAINED,
    PN_SENTENCEPIECE_BARE
} pn_sentencepiece_prefix;

typedef struct pn_sentencepiece_traits {
    uint32_t n_pieces;      /* ids are below */
    bool is_bpe;            /* else unigram */
    int64_t end_id, pad_id; /* as trained; -1: has none */
    uint64_t fingerprint;   /* of the model's bytes */
} pn_sentencepiece_traits;

/*
 * Read a model from memory; nothing of bytes is kept. file is for messages.
 *
 * Errors:  CORRUPT (names the piece and the fault), UNSUPPORTED (the kind of model), LIMIT, NOMEM.
 */
PN_NODISCARD pn_status pn_sentencepiece_parse(const char *file, pn_str bytes,
                                              pn_sentencepiece_prefix prefix,
                                              pn_sentencepiece **out, pn_error *err);
PN_NODISCARD pn_status pn_sentencepiece_load(const char *path, pn_sentencepiece_prefix prefix,
                                             pn_sentencepiece **out, pn_error *err);
void pn_sentencepiece_free(pn_sentencepiece *model); /* NULL is welcome */

const pn_sentencepiece_traits *pn_sentencepiece_get_traits(const pn_sentencepiece *model);

/* The id of a piece, also of a control piece ("</s>"), by its text; false: there is none. */
bool pn_sentencepiece_find(const pn_sentencepiece *model, pn_str piece, uint32_t *id);

/*
 * Text -> ids; no start, no end. What is not UTF-8 is taken as the library takes it.
 *
 * room   for so many ids; the rest of a longer text is left out
 *
 * Errors:  LIMIT when the normalised text passes PN_SENTENCEPIECE_MAX_TEXT_BYTES; NOMEM.
 * Cost:    near-linear in the text, also for one word of the largest size.
 */
PN_NODISCARD pn_status pn_sentencepiece_encode(const pn_sentencepiece *model, pn_str text,
                                               uint32_t *ids, size_t room, size_t *n_ids,
                                               pn_error *err);

#endif
