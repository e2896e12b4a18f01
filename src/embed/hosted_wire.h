/*
 * hosted_wire.h - the words of a Roboflow Inference compatible server: requests, answers, refusals
 *
 *     POST /clip/embed_image  {"clip_version_id": "ViT-B-16", "image": [{"type": "base64", "value": "..."}, ...]}
 *     POST /clip/embed_text   {"clip_version_id": "ViT-B-16", "text": ["...", ...]}
 *         200                 {"embeddings": [[0.1, ...], ...], "time": 0.02}
 *         anything else       {"message": "..."}, {"detail": "..."}, or no JSON at all
 *
 * Threads: pure calls.
 */
#ifndef PN_EMBED_HOSTED_WIRE_H
#define PN_EMBED_HOSTED_WIRE_H

#include "base/buffer.h"
#include "embed/embedder.h"

enum {
    PN_HOSTED_BATCH = 8, /* what the server takes in one request */
    PN_HOSTED_MAX_BODY_BYTES = 48 << 20,
    PN_HOSTED_MAX_ANSWER_BYTES =
        4 << 20, /* 8 vectors of 8192 floats at 32 characters, and as much again */
    PN_HOSTED_REFUSAL_BYTES = 240
};

/* Append a request's body. version is plain letters (hosted.h); texts must be UTF-8 (INVALID). */
PN_NODISCARD pn_status pn_hosted_write_pictures(const char *version, const pn_embed_input *inputs,
                                                size_t n, pn_buffer *out, pn_error *err);
PN_NODISCARD pn_status pn_hosted_write_texts(const char *version, const pn_str *texts, size_t n,
                                             pn_buffer *out, pn_error *err);

/*
 * The n vectors of an answer, as unit vectors.
 *
 * dim   what they must have; 0: whatever the first one has
 * out   [n][*out_dim], the caller's: pn_free()
 *
 * Errors: IO for whatever the server has done wrong: no JSON, another number of vectors, another dimension, values that are no
 *         finite numbers, a vector of zeros. NOMEM.
 */
PN_NODISCARD pn_status pn_hosted_read_answer(const void *bytes, size_t n_bytes, size_t n,
                                             uint32_t dim, float **out, uint32_t *out_dim,
                                             pn_error *err);

/* What the server says in an answer that is none: cut, without control characters, without the secret. "": nothing. */
void pn_hosted_read_refusal(const void *bytes, size_t n_bytes, const char *secret,
                            char out[PN_HOSTED_REFUSAL_BYTES]);

/* Put asterisks in the place of the secret, as it is and as it stands in a URL, in letters of any case, wherever it occurs in the text. NULL: none. */
void pn_hosted_hide(char *text, const char *secret);

/* As it stands in a URL: whatever is not a letter, a digit or one of -._~ becomes %XX. Appended without a NUL. */
PN_NODISCARD pn_status pn_hosted_write_escaped(const char *text, pn_buffer *out, pn_error *err);

#endif
