/*
 * sentencepiece_json.h - tokenizer.json of the kinds "Unigram" and "BPE" as a sentencepiece model
 *
 * Threads: pure.
 */
#ifndef PN_CLIP_SENTENCEPIECE_JSON_H
#define PN_CLIP_SENTENCEPIECE_JSON_H

#include "base/buffer.h"
#include "base/status.h"

/*
 * Append the model that the file describes, as the sentencepiece library would have written it: what pn_sentencepiece_parse()
 * reads.
 *
 * Errors:  CORRUPT (names the file and the entry), UNSUPPORTED (the kind of model, or a step of normalisation that a sentencepiece
 *          model does not have), LIMIT, NOMEM.
 */
PN_NODISCARD pn_status pn_sentencepiece_read_json(const char *path, pn_buffer *out, pn_error *err);

#endif
