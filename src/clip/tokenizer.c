/*
 * tokenizer.c - one door, three kinds
 *
 * Which kind a folder has is decided in tokenizer_choice.c; what each does is told in byte_bpe.c, wordpiece.c and siglip_text.c.
 * The fingerprint is that of the kind: for BPE the hash of the vocabulary's files alone, as it was before there were others, so
 * that tables embedded then keep their model.
 */
#include "clip/tokenizer.h"

#include "base/alloc.h"
#include "clip/byte_bpe.h"
#include "clip/tokenizer_choice.h"
#include "clip/wordpiece.h"

struct pn_tokenizer {
    pn_tokenizer_kind kind;
    pn_vocabulary vocabulary; /* of BYTE_BPE */
    pn_wordpiece wordpiece;   /* of WORDPIECE */
    pn_siglip_text *siglip;   /* of SENTENCEPIECE */
    uint32_t n_ids, start_id, end_id, pad_id;
    uint64_t fingerprint;
};

static pn_status load_byte_bpe(const char *dir, pn_tokenizer *t, pn_error *err)
{
    PN_TRY(pn_vocabulary_load(dir, &t->vocabulary, err));
    t->n_ids = t->vocabulary.n_tokens;
    t->start_id = t->vocabulary.start_id;
    t->end_id = t->vocabulary.end_id;
    t->pad_id = 0; // as the reference's tokenize(); no model looks at it
    t->fingerprint = t->vocabulary.fingerprint;
    return PN_OK;
}

static pn_status load_wordpiece(const pn_tokenizer_choice *choice, pn_tokenizer *t, pn_error *err)
{
    PN_TRY(pn_wordpiece_load(choice->path, choice->bert_case, &t->wordpiece, err));
    t->n_ids = t->wordpiece.n_pieces;
    t->start_id = t->wordpiece.start_id;
    t->end_id = t->wordpiece.end_id;
    t->pad_id = t->wordpiece.pad_id;
    t->fingerprint = t->wordpiece.fingerprint;
    return PN_OK;
}

static pn_status load_sentencepiece(const pn_tokenizer_choice *choice, pn_tokenizer *t,
                                    pn_error *err)
{
    PN_TRY(pn_siglip_text_load(choice->path, &choice->siglip, &t->siglip, err));
    t->n_ids = pn_siglip_text_vocabulary(t->siglip);
    t->start_id = PN_TOKENIZER_NO_ID;
    t->end_id = pn_siglip_text_end_id(t->siglip);
    t->pad_id = pn_siglip_text_pad_id(t->siglip);
    t->fingerprint = pn_siglip_text_fingerprint(t->siglip);
    return PN_OK;
}

static pn_status load(const char *dir, const pn_tokenizer_options *options, pn_tokenizer *t,
                      pn_error *err)
{
    pn_arena arena;
    pn_tokenizer_choice choice = {0};
    pn_arena_init(&arena, 1u << 20);
    pn_status status = pn_tokenizer_choose(dir, options, &arena, &choice, err);
    t->kind = choice.kind;
    if (status == PN_OK)
        status = choice.kind == PN_TOKENIZER_WORDPIECE       ? load_wordpiece(&choice, t, err)
                 : choice.kind == PN_TOKENIZER_SENTENCEPIECE ? load_sentencepiece(&choice, t, err)
                                                             : load_byte_bpe(dir, t, err);
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_tokenizer_load(const char *dir, const pn_tokenizer_options *options,
                            pn_tokenizer **out, pn_error *err)
{
    pn_tokenizer *tokenizer = pn_alloc_zero(sizeof *tokenizer);
    if (!tokenizer)
        return pn_fail_nomem(err);
    pn_status status = load(dir, options, tokenizer, err);
    if (status != PN_OK) {
        pn_tokenizer_free(tokenizer);
        return status;
    }
    *out = tokenizer;
    return PN_OK;
}

void pn_tokenizer_free(pn_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    pn_vocabulary_free(&tokenizer->vocabulary);
    pn_wordpiece_reset(&tokenizer->wordpiece);
    pn_siglip_text_free(tokenizer->siglip);
    pn_free(tokenizer);
}

pn_status pn_tokenizer_encode(const pn_tokenizer *t, pn_str text, size_t max_ids, uint32_t *ids,
                              size_t *n_ids, pn_error *err)
{
    if (t->kind == PN_TOKENIZER_WORDPIECE)
        return pn_wordpiece_encode(&t->wordpiece, text, max_ids, ids, n_ids, err);
    if (t->kind == PN_TOKENIZER_BYTE_BPE)
        return pn_byte_bpe_encode(&t->vocabulary, text, max_ids, ids, n_ids, err);
    PN_TRY(pn_siglip_text_encode(t->siglip, text, max_ids, ids, err));
    *n_ids = max_ids;
    return PN_OK;
}

uint32_t pn_tokenizer_vocabulary(const pn_tokenizer *tokenizer)
{
    return tokenizer->n_ids;
}

uint32_t pn_tokenizer_start_id(const pn_tokenizer *tokenizer)
{
    return tokenizer->start_id;
}

uint32_t pn_tokenizer_end_id(const pn_tokenizer *tokenizer)
{
    return tokenizer->end_id;
}

uint32_t pn_tokenizer_pad_id(const pn_tokenizer *tokenizer)
{
    return tokenizer->pad_id;
}

bool pn_tokenizer_pads(const pn_tokenizer *tokenizer)
{
    return tokenizer->kind == PN_TOKENIZER_SENTENCEPIECE;
}

const char *pn_tokenizer_kind_name(const pn_tokenizer *tokenizer)
{
    static const char *const names[] = {[PN_TOKENIZER_ANY] = "",
                                        [PN_TOKENIZER_BYTE_BPE] = "bpe",
                                        [PN_TOKENIZER_WORDPIECE] = "wordpiece",
                                        [PN_TOKENIZER_SENTENCEPIECE] = "sentencepiece"};
    return names[tokenizer->kind];
}

uint64_t pn_tokenizer_fingerprint(const pn_tokenizer *tokenizer)
{
    return tokenizer->fingerprint;
}
