/*
 * csv_rows.h - rows of comma-separated values (RFC 4180), read and written
 *
 * A field that is empty and stands without quotes is a null; "" is an empty text. Line ends are "\r\n" or "\n"; within quotes they are
 * part of the field. Threads: one.
 */
#ifndef PN_TRANSFER_CSV_ROWS_H
#define PN_TRANSFER_CSV_ROWS_H

#include "transfer/text_source.h"

typedef struct pn_csv_row {
    pn_buffer bytes;  /* of all fields */
    pn_buffer fields; /* of csv_field */
    size_t n;
    uint64_t line; /* where it begins */
} pn_csv_row;

void pn_csv_row_init(pn_csv_row *row);
void pn_csv_row_reset(pn_csv_row *row);
/* Field i; ptr NULL: a null. Lives until the next row is read. */
pn_str pn_csv_row_field(const pn_csv_row *row, size_t i);

/* *is_end: there is no further row. INVALID names the line: a quote that is never closed, text behind a closing one, a quote in the middle
 * of a field without. */
PN_NODISCARD pn_status pn_csv_row_read(pn_text_source *source, pn_csv_row *row, bool *is_end,
                                       pn_error *err);

/* One field behind out, in quotes where it needs them; the commas are the caller's. text.ptr NULL: a null, which is nothing. */
PN_NODISCARD pn_status pn_csv_append_field(pn_str text, pn_buffer *out, pn_error *err);

#endif
