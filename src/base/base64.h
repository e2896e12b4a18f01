/*
 * base64.h - bytes inside JSON (RFC 4648). Threads: pure, but for the arena.
 */
#ifndef PN_BASE_BASE64_H
#define PN_BASE_BASE64_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"
#include "base/str.h"

/*
 * text   the standard or the URL alphabet, with or without padding; ASCII white space is skipped; a browser's
 *        "data:image/png;base64," in front is welcome
 * out    in arena, *n_bytes of them; at least one
 *
 * Errors: INVALID names the position of the first wrong character; NOMEM when the arena is full.
 */
PN_NODISCARD pn_status pn_base64_decode(pn_str text, pn_arena *arena, uint8_t **out,
                                        size_t *n_bytes, pn_error *err);

/* n bytes as text behind out, standard alphabet, with padding. Errors: NOMEM, LIMIT (out's maximum). */
PN_NODISCARD pn_status pn_base64_append(const uint8_t *bytes, size_t n, pn_buffer *out,
                                        pn_error *err);

#endif
