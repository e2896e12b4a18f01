/*
 * siglip_text.h - what SigLIP's tokenizers do around a sentencepiece model
 *
 * Threads: immutable once made; may be shared.
 */
#ifndef PN_CLIP_SIGLIP_TEXT_H
#define PN_CLIP_SIGLIP_TEXT_H

#include "clip/sentencepiece.h"

/* open_clip's cleaning in front of any tokenizer of another library; NONE: the text is not open_clip's. */
typedef enum pn_siglip_clean {
    PN_SIGLIP_CLEAN_NONE,
    PN_SIGLIP_CLEAN_WHITESPACE,  /* repaired as CLIP's texts are, white space collapsed */
    PN_SIGLIP_CLEAN_LOWER,       /* and lower case */
    PN_SIGLIP_CLEAN_CANONICALIZE /* and without punctuation, "_" a blank */
} pn_siglip_clean;

/* PLAIN: the model as it is. CANONICAL: Hugging Face's SiglipTokenizer. */
typedef enum pn_siglip_style { PN_SIGLIP_PLAIN, PN_SIGLIP_CANONICAL } pn_siglip_style;

typedef enum pn_siglip_case { PN_SIGLIP_KEEP_CASE, PN_SIGLIP_LOWER_CASE } pn_siglip_case;

typedef struct pn_siglip_settings {
    pn_siglip_clean clean;
    pn_siglip_style style;
    pn_siglip_case letters;
    const char *end, *pad,
        *unknown; /* texts of the special pieces; NULL: as the model was trained */
} pn_siglip_settings;

typedef struct pn_siglip_text pn_siglip_text;

/* Errors: those of pn_sentencepiece_load(); CORRUPT, naming the special piece that the model does not have. */
PN_NODISCARD pn_status pn_siglip_text_load(const char *path, const pn_siglip_settings *settings,
                                           pn_siglip_text **out, pn_error *err);
void pn_siglip_text_free(pn_siglip_text *text); /* NULL is welcome */

/* Text -> ids, end, and the pad id up to max_ids; a longer text is cut and the end put last. LIMIT, NOMEM. */
PN_NODISCARD pn_status pn_siglip_text_encode(const pn_siglip_text *me, pn_str text, size_t max_ids,
                                             uint32_t *ids, pn_error *err);

uint32_t pn_siglip_text_vocabulary(const pn_siglip_text *me);
uint32_t pn_siglip_text_end_id(const pn_siglip_text *me);
uint32_t pn_siglip_text_pad_id(const pn_siglip_text *me);
uint64_t pn_siglip_text_fingerprint(const pn_siglip_text *me);

#endif
