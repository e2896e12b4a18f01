/*
 * buffer.h - growable bytes with a maximum
 *
 * Born with the most it may ever hold, so that input from outside cannot grow it past a known bound.
 * The append functions return PN_ERR_LIMIT or PN_ERR_NOMEM and leave the buffer as it was.
 * Threads: one at a time.
 */
#ifndef PN_BASE_BUFFER_H
#define PN_BASE_BUFFER_H

#include "base/status.h"

typedef struct pn_buffer {
    uint8_t *data; /* owned; NULL while capacity is 0 */
    size_t n_bytes;
    size_t capacity;
    size_t max_bytes;
} pn_buffer;

void pn_buffer_init(pn_buffer *buffer, size_t max_bytes);
void pn_buffer_reset(pn_buffer *buffer); /* frees; can be used again */
static inline void pn_buffer_clear(pn_buffer *buffer)
{
    buffer->n_bytes = 0;
}

/* Cleared; the memory is kept where it is at most kept_bytes. */
void pn_buffer_trim(pn_buffer *buffer, size_t kept_bytes);

/* Room for extra more bytes behind n_bytes. */
PN_NODISCARD pn_status pn_buffer_reserve(pn_buffer *buffer, size_t extra, pn_error *err);
PN_NODISCARD pn_status pn_buffer_append(pn_buffer *buffer, const void *bytes, size_t n,
                                        pn_error *err);
PN_NODISCARD pn_status pn_buffer_append_fill(pn_buffer *buffer, uint8_t byte, size_t n,
                                             pn_error *err);
PN_NODISCARD pn_status pn_buffer_append_text(pn_buffer *buffer, const char *text, pn_error *err);
PN_NODISCARD PN_PRINTF(3, 4) pn_status
    pn_buffer_append_format(pn_buffer *buffer, pn_error *err, const char *format, ...);

/* Ensure a NUL behind the content (not counted in n_bytes) and return it as text; NULL when there is no memory.
 * The text lives until the buffer changes. */
PN_NODISCARD char *pn_buffer_text(pn_buffer *buffer);

/* Give the bytes to the caller, who frees them with pn_free(); the buffer is empty afterwards. May be NULL. */
uint8_t *pn_buffer_detach(pn_buffer *buffer);

#endif
