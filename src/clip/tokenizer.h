/*
 * tokenizer.h - text to ids, as the model in a folder was trained to read
 *
 * Three kinds behind one door; the folder's files and what they say about themselves decide (tokenizer_choice.c):
 *
 *     CLIP           byte-level BPE   vocab.json + merges.txt, tokenizer.json, or OpenAI's bpe_simple_vocab_16e6.txt (unpacked)
 *     Chinese-CLIP   WordPiece        vocab.txt
 *     SigLIP         sentencepiece    spiece.model or tokenizer.model
 *
 * Sizes come from the files. Cleaning as docs/CLIP.md says, each as its reference does.
 * Threads: immutable once loaded; may be shared.
 */
#ifndef PN_CLIP_TOKENIZER_H
#define PN_CLIP_TOKENIZER_H

#include "base/status.h"
#include "base/str.h"

typedef struct pn_tokenizer pn_tokenizer;

typedef enum pn_tokenizer_case {
    PN_TOKENIZER_CASE_AS_FOUND, /* what the folder says, else what the kind of tokenizer does */
    PN_TOKENIZER_CASE_KEEP,
    PN_TOKENIZER_CASE_LOWER
} pn_tokenizer_case;

typedef enum pn_tokenizer_clean {
    PN_TOKENIZER_CLEAN_AS_FOUND,
    PN_TOKENIZER_CLEAN_NONE,
    PN_TOKENIZER_CLEAN_CANONICALIZE /* open_clip's: "_" to blank, punctuation removed, lower case */
} pn_tokenizer_clean;

/* What a caller knows better than the folder; WordPiece has case only, CLIP's BPE nothing to choose. */
typedef struct pn_tokenizer_options {
    pn_tokenizer_case letters;
    pn_tokenizer_clean clean; /* sentencepiece only */
    const char *pad;          /* sentencepiece only: the text of the pad piece; NULL: as found */
} pn_tokenizer_options;

/*
 * Load the tokenizer of the model in dir.
 *
 * options  NULL: all from the folder
 *
 * Errors:  NOT_FOUND (no tokenizer file in dir, names what was looked for), CORRUPT (names the file and the entry), UNSUPPORTED
 *          (names the kind), LIMIT. A directory without any tokenizer file but with an OpenAI-size vocabulary cannot be guessed:
 *          NOT_FOUND.
 */
PN_NODISCARD pn_status pn_tokenizer_load(const char *dir, const pn_tokenizer_options *options,
                                         pn_tokenizer **out, pn_error *err);
void pn_tokenizer_free(pn_tokenizer *tokenizer); /* NULL is welcome */

/*
 * Text -> [start] ids [end].
 *
 * max_ids  room in ids, the model's context length, >= 2: a longer text is cut and the end token put last
 * n_ids    how many were written; always max_ids when pn_tokenizer_pads(), else the padding is the caller's business
 *
 * Errors:  LIMIT over PN_TEXT_MAX_BYTES; NOMEM.
 * Cost:    near-linear in the text, also for one word of the largest size.
 * Source:  the references named in each kind's file; goldens in tests/clip.
 */
PN_NODISCARD pn_status pn_tokenizer_encode(const pn_tokenizer *tokenizer, pn_str text,
                                           size_t max_ids, uint32_t *ids, size_t *n_ids,
                                           pn_error *err);

#define PN_TOKENIZER_NO_ID UINT32_MAX

uint32_t pn_tokenizer_vocabulary(const pn_tokenizer *tokenizer); /* number of ids */
uint32_t pn_tokenizer_start_id(const pn_tokenizer *tokenizer);   /* SigLIP has none: NO_ID */
uint32_t pn_tokenizer_end_id(const pn_tokenizer *tokenizer);
uint32_t pn_tokenizer_pad_id(const pn_tokenizer *tokenizer);
/* Does the model look at all positions of its context, so that padding is part of the text? SigLIP does. */
bool pn_tokenizer_pads(const pn_tokenizer *tokenizer);
const char *
pn_tokenizer_kind_name(const pn_tokenizer *tokenizer); /* "bpe", "wordpiece", "sentencepiece" */

/* Mix everything that decides its output into a fingerprint: 64 bits. */
uint64_t pn_tokenizer_fingerprint(const pn_tokenizer *tokenizer);

#endif
