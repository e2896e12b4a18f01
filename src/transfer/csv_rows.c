/*
 * csv_rows.c - rows of comma-separated values (RFC 4180)
 *
 * Not by libcsv, which reads the lists of an ingest: to it a line without a character is no row, but here it is the null of a table with
 * one column; it takes blanks away around fields; and it pushes fields where an import wants to pull rows.
 *
 *     state        "              ,            line end       else
 *     start        -> quoted      null, next   null, row      -> bare
 *     bare         wrong          next         row            keep
 *     quoted       -> closed      keep         keep           keep
 *     closed       keep, quoted   next         row            wrong       ("" within quotes is one quote)
 *
 * Runs of characters to keep are taken at once.
 */
#include "transfer/csv_rows.h"

#include <inttypes.h>
#include <string.h>

typedef struct csv_field {
    size_t first, n;
    bool is_null;
} csv_field;

typedef enum csv_state { CSV_START, CSV_BARE, CSV_QUOTED, CSV_CLOSED } csv_state;

void pn_csv_row_init(pn_csv_row *row)
{
    *row = (pn_csv_row){0};
    pn_buffer_init(&row->bytes, PN_TEXT_MAX_LINE_BYTES);
    pn_buffer_init(&row->fields, PN_TEXT_MAX_LINE_BYTES);
}

void pn_csv_row_reset(pn_csv_row *row)
{
    pn_buffer_reset(&row->bytes);
    pn_buffer_reset(&row->fields);
}

pn_str pn_csv_row_field(const pn_csv_row *row, size_t i)
{
    csv_field field;
    pn_assert(i < row->n);
    memcpy(&field, row->fields.data + i * sizeof field, sizeof field);
    if (field.is_null)
        return (pn_str){NULL, 0};
    return pn_str_make(row->bytes.data ? (const char *)row->bytes.data + field.first : "", field.n);
}

static pn_status end_field(pn_csv_row *row, size_t first, csv_state state, pn_error *err)
{
    csv_field field = {first, row->bytes.n_bytes - first, state == CSV_START};
    row->n++;
    return pn_buffer_append(&row->fields, &field, sizeof field, err);
}

static pn_status wrong(const pn_csv_row *row, const char *what, pn_error *err)
{
    return pn_fail(err, PN_ERR_INVALID, "line %" PRIu64 ", field %zu: %s", row->line, row->n + 1,
                   what);
}

/* Characters at text that are kept as they are. */
static size_t plain_run(pn_str text, csv_state state)
{
    size_t n = 0;
    if (state == CSV_CLOSED)
        return 0;
    if (state == CSV_QUOTED) {
        const char *quote = memchr(text.ptr, '"', text.len);
        return quote ? (size_t)(quote - text.ptr) : text.len;
    }
    while (n < text.len && text.ptr[n] != ',' && text.ptr[n] != '"' && text.ptr[n] != '\r' &&
           text.ptr[n] != '\n')
        n++;
    return n;
}

/* Takes a comma, a quote, or what may not stand where it stands. */
static pn_status take_special(pn_csv_row *row, char c, csv_state *state, size_t *first,
                              pn_error *err)
{
    if (c == ',') {
        PN_TRY(end_field(row, *first, *state, err));
        *first = row->bytes.n_bytes;
        *state = CSV_START;
        return PN_OK;
    }
    if (c == '"' && *state == CSV_CLOSED) {
        *state = CSV_QUOTED;
        return pn_buffer_append(&row->bytes, "\"", 1, err);
    }
    if (*state == CSV_CLOSED)
        return wrong(row, "text behind the closing quote", err);
    if (c != '"')
        return wrong(row, "a carriage return without quotes around it", err);
    if (*state == CSV_BARE)
        return wrong(row, "a quote in a field that does not begin with one", err);
    *state = *state == CSV_START ? CSV_QUOTED : CSV_CLOSED;
    return PN_OK;
}

/* The line end at text: its length, 0 when there is none. */
static size_t line_end(pn_str text)
{
    if (text.ptr[0] == '\n')
        return 1;
    return text.ptr[0] == '\r' && text.len > 1 && text.ptr[1] == '\n' ? 2 : 0;
}

/* The next piece of a row: a run, a line end (*ended), or a special character. Its length. */
static pn_status take_piece(pn_csv_row *row, pn_str text, csv_state *state, size_t *first,
                            size_t *n_taken, bool *ended, pn_error *err)
{
    size_t run = plain_run(text, *state);
    if (run > 0) {
        *n_taken = run;
        *state = *state == CSV_START ? CSV_BARE : *state;
        return pn_buffer_append(&row->bytes, text.ptr, run, err);
    }
    size_t n_end = *state != CSV_QUOTED ? line_end(text) : 0;
    *ended = n_end > 0;
    *n_taken = *ended ? n_end : 1;
    return *ended ? PN_OK : take_special(row, text.ptr[0], state, first, err);
}

pn_status pn_csv_row_read(pn_text_source *source, pn_csv_row *row, bool *is_end, pn_error *err)
{
    csv_state state = CSV_START;
    size_t first = 0, at = 0;
    bool ended = false;
    pn_buffer_clear(&row->bytes);
    pn_buffer_clear(&row->fields);
    row->n = 0;
    row->line = source->line + 1;
    while (!ended) {
        size_t n;
        PN_TRY(pn_text_source_fill(source, at + 2, err)); // "\r\n" is seen whole
        pn_str text = pn_text_source_peek(source);
        if (at == text.len)
            break;
        PN_TRY(take_piece(row, pn_str_make(text.ptr + at, text.len - at), &state, &first, &n,
                          &ended, err));
        at += n;
    }
    *is_end = at == 0;
    if (*is_end)
        return PN_OK;
    if (state == CSV_QUOTED)
        return wrong(row, "a quote that is never closed", err);
    source->line += pn_str_count(pn_str_make(pn_text_source_peek(source).ptr, at), '\n');
    pn_text_source_take(source, at);
    return end_field(row, first, state, err);
}

static bool needs_quotes(pn_str text)
{
    if (text.len == 0)
        return true; // or it would be a null
    for (size_t i = 0; i < text.len; i++)
        if (memchr(",\"\r\n", text.ptr[i], 4))
            return true;
    // Other readers take blanks away, and a mark of byte order.
    return text.ptr[0] == ' ' || text.ptr[0] == '\t' || text.ptr[text.len - 1] == ' ' ||
           text.ptr[text.len - 1] == '\t' || (unsigned char)text.ptr[0] == 0xEF;
}

pn_status pn_csv_append_field(pn_str text, pn_buffer *out, pn_error *err)
{
    if (!text.ptr)
        return PN_OK;
    if (!needs_quotes(text))
        return pn_buffer_append(out, text.ptr, text.len, err);
    PN_TRY(pn_buffer_append(out, "\"", 1, err));
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            PN_TRY(pn_buffer_append(out, "\"", 1, err));
        PN_TRY(pn_buffer_append(out, &text.ptr[i], 1, err));
    }
    return pn_buffer_append(out, "\"", 1, err);
}
