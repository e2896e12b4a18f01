/*
 * tokenizer_choice.h - which tokenizer a folder has, and what its files say about it
 */
#ifndef PN_CLIP_TOKENIZER_CHOICE_H
#define PN_CLIP_TOKENIZER_CHOICE_H

#include "base/arena.h"
#include "clip/bert_text.h"
#include "clip/siglip_text.h"
#include "clip/tokenizer.h"

typedef enum pn_tokenizer_kind {
    PN_TOKENIZER_ANY, /* only while it is open */
    PN_TOKENIZER_BYTE_BPE,
    PN_TOKENIZER_WORDPIECE,
    PN_TOKENIZER_SENTENCEPIECE
} pn_tokenizer_kind;

typedef struct pn_tokenizer_choice {
    pn_tokenizer_kind kind;
    const char *path;          /* of the vocabulary or model; NULL: byte-level BPE finds its own */
    pn_bert_case bert_case;    /* of WordPiece */
    pn_siglip_settings siglip; /* of sentencepiece */
} pn_tokenizer_choice;

/* Look at the files of dir. Texts in *out live in arena. Errors: as pn_tokenizer_load(). */
PN_NODISCARD pn_status pn_tokenizer_choose(const char *dir, const pn_tokenizer_options *options,
                                           pn_arena *arena, pn_tokenizer_choice *out,
                                           pn_error *err);

#endif
