/*
 * bert_text.h - text to words as BERT has them, before they are looked up
 */
#ifndef PN_CLIP_BERT_TEXT_H
#define PN_CLIP_BERT_TEXT_H

#include "base/buffer.h"
#include "base/str.h"

typedef enum pn_bert_case { PN_BERT_UNCASED, PN_BERT_CASED } pn_bert_case;

/* Append the words of text with one blank between them, valid UTF-8. Threads: pure. */
PN_NODISCARD pn_status pn_bert_text(pn_str text, pn_bert_case letters, pn_buffer *out,
                                    pn_error *err);

#endif
