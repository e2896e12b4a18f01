/*
 * buffer.c - doubling growth up to the stated maximum
 *
 * The memory follows the maximum too: the last step of growth goes to it and not past it. Only the NUL behind a text may lie one
 * byte further, so that a full buffer can still be read as text.
 */
#include "base/buffer.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_CAPACITY_BYTES = 256 };

void pn_buffer_init(pn_buffer *buffer, size_t max_bytes)
{
    *buffer = (pn_buffer){.max_bytes = max_bytes};
}

void pn_buffer_reset(pn_buffer *buffer)
{
    pn_free(buffer->data);
    pn_buffer_init(buffer, buffer->max_bytes);
}

void pn_buffer_trim(pn_buffer *buffer, size_t kept_bytes)
{
    if (buffer->capacity > kept_bytes)
        pn_buffer_reset(buffer);
    pn_buffer_clear(buffer);
}

static pn_status check_limit(const pn_buffer *buffer, size_t extra, pn_error *err)
{
    size_t needed;
    if (!pn_size_add(buffer->n_bytes, extra, &needed) || needed > buffer->max_bytes)
        return pn_fail(err, PN_ERR_LIMIT, "%zu bytes and %zu more: the limit is %zu",
                       buffer->n_bytes, extra, buffer->max_bytes);
    return PN_OK;
}

/* needed is at most max_bytes, or one more: the NUL of a text is not content. */
static pn_status grow(pn_buffer *buffer, size_t needed, pn_error *err)
{
    if (needed <= buffer->capacity)
        return PN_OK;
    size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY_BYTES;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    if (capacity > buffer->max_bytes)
        capacity = PN_MAX(needed, buffer->max_bytes);
    uint8_t *data = pn_realloc(buffer->data, capacity);
    if (!data)
        return pn_fail_nomem(err);
    buffer->data = data;
    buffer->capacity = capacity;
    return PN_OK;
}

pn_status pn_buffer_reserve(pn_buffer *buffer, size_t extra, pn_error *err)
{
    PN_TRY(check_limit(buffer, extra, err));
    return grow(buffer, buffer->n_bytes + extra, err);
}

pn_status pn_buffer_append(pn_buffer *buffer, const void *bytes, size_t n, pn_error *err)
{
    PN_TRY(pn_buffer_reserve(buffer, n, err));
    if (n > 0)
        memcpy(buffer->data + buffer->n_bytes, bytes, n);
    buffer->n_bytes += n;
    return PN_OK;
}

pn_status pn_buffer_append_fill(pn_buffer *buffer, uint8_t byte, size_t n, pn_error *err)
{
    PN_TRY(pn_buffer_reserve(buffer, n, err));
    if (n > 0)
        memset(buffer->data + buffer->n_bytes, byte, n);
    buffer->n_bytes += n;
    return PN_OK;
}

pn_status pn_buffer_append_text(pn_buffer *buffer, const char *text, pn_error *err)
{
    return pn_buffer_append(buffer, text, strlen(text), err);
}

pn_status pn_buffer_append_format(pn_buffer *buffer, pn_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return pn_fail(err, PN_ERR_BUG, "cannot format \"%s\"", format);
    PN_TRY(check_limit(buffer, (size_t)n, err));
    PN_TRY(grow(buffer, buffer->n_bytes + (size_t)n + 1, err));
    va_start(args, format);
    (void)vsnprintf((char *)buffer->data + buffer->n_bytes, (size_t)n + 1, format,
                    args); // measured above
    va_end(args);
    buffer->n_bytes += (size_t)n;
    return PN_OK;
}

char *pn_buffer_text(pn_buffer *buffer)
{
    if (buffer->n_bytes == SIZE_MAX || grow(buffer, buffer->n_bytes + 1, NULL) != PN_OK)
        return NULL;
    buffer->data[buffer->n_bytes] = '\0';
    return (char *)buffer->data;
}

uint8_t *pn_buffer_detach(pn_buffer *buffer)
{
    uint8_t *data = buffer->data;
    pn_buffer_init(buffer, buffer->max_bytes);
    return data;
}
