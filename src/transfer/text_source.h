/*
 * text_source.h - bytes from a callback, by lines
 *
 * Holds what was read and not yet taken; looking ahead costs what is looked at. Threads: one.
 */
#ifndef PN_TRANSFER_TEXT_SOURCE_H
#define PN_TRANSFER_TEXT_SOURCE_H

#include "base/buffer.h"
#include "base/str.h"

/* Up to n bytes into out; *n_read 0: the end. */
typedef pn_status (*pn_read_some)(void *context, void *out, size_t n, size_t *n_read,
                                  pn_error *err);

typedef struct pn_text_source {
    pn_read_some read; /* NULL: there is only what is in memory */
    void *context;
    pn_buffer bytes; /* read and not taken: from at on */
    size_t at;
    bool ended;       /* nothing comes behind bytes */
    uint64_t n_taken; /* bytes, of all that was read */
    uint64_t line;    /* number of the last one taken, from 1 */
} pn_text_source;

/* A line of more than this is no row of a table. */
enum { PN_TEXT_MAX_LINE_BYTES = 256 << 20 };

void pn_text_source_init(pn_text_source *source, pn_read_some read, void *context);
void pn_text_source_reset(pn_text_source *source);

/* At least n more bytes, unless the end comes before. LIMIT for a line that is too long. */
PN_NODISCARD pn_status pn_text_source_fill(pn_text_source *source, size_t n, pn_error *err);
/* The next line, whole, if there is one. LIMIT likewise. */
PN_NODISCARD pn_status pn_text_source_fill_line(pn_text_source *source, pn_error *err);
/* What is there to be looked at without taking it. Lives until the next call. */
pn_str pn_text_source_peek(const pn_text_source *source);
void pn_text_source_take(pn_text_source *source, size_t n);

/* The next line without its end ("\n" or "\r\n"); *is_end: there is none. Lives until the next call. */
PN_NODISCARD pn_status pn_text_source_line(pn_text_source *source, pn_str *out, bool *is_end,
                                           pn_error *err);

#endif
