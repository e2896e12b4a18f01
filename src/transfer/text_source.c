/*
 * text_source.c - bytes from a callback, by lines
 *
 * What was taken stays in front of the buffer until more has to be read: then it goes in one move, so that a byte is moved once for
 * each megabyte that is read.
 */
#include "transfer/text_source.h"

#include <inttypes.h>
#include <string.h>

enum { READ_BYTES = 1 << 20 };

void pn_text_source_init(pn_text_source *source, pn_read_some read, void *context)
{
    *source = (pn_text_source){.read = read, .context = context, .ended = !read};
    pn_buffer_init(&source->bytes, (size_t)PN_TEXT_MAX_LINE_BYTES + (size_t)2 * READ_BYTES);
}

void pn_text_source_reset(pn_text_source *source)
{
    pn_buffer_reset(&source->bytes);
    source->at = 0;
}

pn_str pn_text_source_peek(const pn_text_source *source)
{
    return pn_str_make(source->bytes.data ? (const char *)source->bytes.data + source->at : "",
                       source->bytes.n_bytes - source->at);
}

void pn_text_source_take(pn_text_source *source, size_t n)
{
    pn_assert(n <= source->bytes.n_bytes - source->at);
    source->at += n;
    source->n_taken += n;
}

static pn_status read_more(pn_text_source *source, pn_error *err)
{
    size_t n;
    pn_buffer *bytes = &source->bytes;
    if (source->at > 0) {
        memmove(bytes->data, bytes->data + source->at, bytes->n_bytes - source->at);
        bytes->n_bytes -= source->at;
        source->at = 0;
    }
    if (bytes->n_bytes > PN_TEXT_MAX_LINE_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "line %" PRIu64 " has over %d bytes", source->line + 1,
                       PN_TEXT_MAX_LINE_BYTES);
    PN_TRY(pn_buffer_reserve(bytes, READ_BYTES, err));
    PN_TRY(source->read(source->context, bytes->data + bytes->n_bytes, READ_BYTES, &n, err));
    bytes->n_bytes += n;
    source->ended = n == 0;
    return PN_OK;
}

pn_status pn_text_source_fill(pn_text_source *source, size_t n, pn_error *err)
{
    while (source->bytes.n_bytes - source->at < n && !source->ended)
        PN_TRY(read_more(source, err));
    return PN_OK;
}

/* The end of the next line, read as far as that; NULL: it ends with the source. */
static pn_status find_end(pn_text_source *source, const char **end, pn_error *err)
{
    size_t looked = 0;
    for (;;) {
        pn_str there = pn_text_source_peek(source);
        *end = there.len > looked ? memchr(there.ptr + looked, '\n', there.len - looked) : NULL;
        looked = there.len;
        if (*end || source->ended)
            return PN_OK;
        PN_TRY(read_more(source, err));
    }
}

pn_status pn_text_source_fill_line(pn_text_source *source, pn_error *err)
{
    const char *end;
    return find_end(source, &end, err);
}

pn_status pn_text_source_line(pn_text_source *source, pn_str *out, bool *is_end, pn_error *err)
{
    const char *end;
    PN_TRY(find_end(source, &end, err));
    pn_str there = pn_text_source_peek(source);
    *is_end = there.len == 0;
    if (*is_end)
        return PN_OK;
    size_t n = end ? (size_t)(end - there.ptr) : there.len;
    pn_text_source_take(source, n + (end != NULL));
    source->line++;
    *out = pn_str_make(there.ptr, n > 0 && there.ptr[n - 1] == '\r' ? n - 1 : n);
    return PN_OK;
}
