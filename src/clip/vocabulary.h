/*
 * vocabulary.h - tokens and merges of a tokenizer, from the files people have
 */
#ifndef PN_CLIP_VOCABULARY_H
#define PN_CLIP_VOCABULARY_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

#define PN_TOKEN_START "<|startoftext|>"
#define PN_TOKEN_END "<|endoftext|>"
#define PN_VOCABULARY_MAX_TOKENS (1u << 22)

typedef struct pn_vocabulary_slot pn_vocabulary_slot;
typedef struct pn_merge_slot pn_merge_slot;

typedef struct pn_vocabulary {
    pn_arena arena;
    uint32_t n_tokens; /* ids are below */
    uint32_t start_id, end_id;
    uint32_t bytes[256], last_bytes[256]; /* ids of the byte symbols, and of those with </w> */
    uint64_t fingerprint;
    pn_vocabulary_slot *tokens; /* hash table: text -> id */
    size_t n_token_slots;
    pn_merge_slot *merges; /* hash table: pair of ids -> rank, id */
    size_t n_merge_slots;
} pn_vocabulary;

/* vocab.json + merges.txt, or tokenizer.json, or bpe_simple_vocab_16e6.txt (OpenAI's list of merges), of the folder. NOT_FOUND names what was looked for; CORRUPT the file and the
 * entry. Reset in every case by pn_vocabulary_free(). */
PN_NODISCARD pn_status pn_vocabulary_load(const char *dir, pn_vocabulary *out, pn_error *err);
void pn_vocabulary_free(pn_vocabulary *vocabulary);

/* Is there a merge of this pair? */
bool pn_vocabulary_merge(const pn_vocabulary *vocabulary, uint32_t left, uint32_t right,
                         uint32_t *rank, uint32_t *merged);

#endif
