/*
 * tokenizer.h - byte-level BPE as CLIP uses it
 *
 * Loaded from what a model directory has: vocab.json + merges.txt, or tokenizer.json, or OpenAI's
 * bpe_simple_vocab_16e6.txt (unpacked).
 * Sizes come from the file. Cleaning as docs/CLIP.md says ("openai-lite"): invalid UTF-8 replaced, ligatures and
 * width forms, curly quotes, control characters, NFC, HTML entities twice, white space, lower case.
 * Threads: immutable once loaded; may be shared.
 */
#ifndef PN_CLIP_TOKENIZER_H
#define PN_CLIP_TOKENIZER_H

#include "base/status.h"
#include "base/str.h"

typedef struct pn_tokenizer pn_tokenizer;

/* NOT_FOUND (no tokenizer file in dir, names what was looked for), CORRUPT (names the file and the entry), LIMIT.
 * A directory without any tokenizer file but with an OpenAI-size vocabulary cannot be guessed: NOT_FOUND. */
PN_NODISCARD pn_status pn_tokenizer_load(const char *dir, pn_tokenizer **out, pn_error *err);
void pn_tokenizer_free(pn_tokenizer *tokenizer); /* NULL is welcome */

/*
 * Text -> [start] ids [end].
 *
 * max_ids  room in ids, the model's context length, >= 2: a longer text is cut and the end token put last
 * n_ids    how many were written; the padding is the caller's business
 *
 * Errors:  LIMIT over PN_TEXT_MAX_BYTES; NOMEM.
 * Cost:    near-linear in the text, also for one word of a megabyte.
 * Source:  OpenAI CLIP's simple_tokenizer; goldens in tests/clip.
 */
PN_NODISCARD pn_status pn_tokenizer_encode(const pn_tokenizer *tokenizer, pn_str text,
                                           size_t max_ids, uint32_t *ids, size_t *n_ids,
                                           pn_error *err);

uint32_t pn_tokenizer_vocabulary(const pn_tokenizer *tokenizer); /* number of ids */
uint32_t pn_tokenizer_start_id(const pn_tokenizer *tokenizer);
uint32_t pn_tokenizer_end_id(const pn_tokenizer *tokenizer);

/* Mix everything that decides its output into a fingerprint: 64 bits. */
uint64_t pn_tokenizer_fingerprint(const pn_tokenizer *tokenizer);

#endif
