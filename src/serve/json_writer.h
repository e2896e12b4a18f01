/*
 * json_writer.h - JSON out: one pass into a buffer, commas and escapes taken care of
 *
 *     pn_json_writer json;
 *     pn_json_begin(&json, &buffer);
 *     pn_json_open(&json, '{');
 *     pn_json_key(&json, "id");  pn_json_i64(&json, 12);
 *     pn_json_close(&json, '}');
 *     status = pn_json_end(&json, err);       the first failure of all the calls above
 *
 * Errors stick: after the first one the calls do nothing, so that only the end is checked.
 * Threads: one at a time.
 */
#ifndef PN_SERVE_JSON_WRITER_H
#define PN_SERVE_JSON_WRITER_H

#include "base/buffer.h"

typedef struct pn_json_writer {
    pn_buffer *out; /* borrowed */
    pn_error err;
    pn_status status;
    bool needs_comma;
    unsigned depth;
} pn_json_writer;

/* Appends to out, whose maximum bounds the text: reaching it is LIMIT. */
void pn_json_begin(pn_json_writer *json, pn_buffer *out);
PN_NODISCARD pn_status pn_json_end(pn_json_writer *json, pn_error *err);

void pn_json_open(pn_json_writer *json, char bracket);  /* '{' or '[' */
void pn_json_close(pn_json_writer *json, char bracket); /* '}' or ']' */
void pn_json_key(pn_json_writer *json, const char *key);

/* Bytes that are not UTF-8 become U+FFFD, one for each byte: a table written by others may hold anything, JSON not. */
void pn_json_text(pn_json_writer *json, const char *text); /* NULL: null */
void pn_json_text_n(pn_json_writer *json, const char *text, size_t n);
void pn_json_i64(pn_json_writer *json, int64_t value);
void pn_json_u64(pn_json_writer *json, uint64_t value);
void pn_json_double(pn_json_writer *json,
                    double value); /* null when not finite: JSON has no such number */
void pn_json_float(pn_json_writer *json,
                   float value); /* the shortest text that reads back as this float */
void pn_json_bool(pn_json_writer *json, bool value);
void pn_json_null(pn_json_writer *json);
/* Text that is JSON already. */
void pn_json_raw(pn_json_writer *json, const char *text);
/* "2024-03-17T00:00:00.000Z"; null outside the years 0 to 9999, which is how "no time" (INT64_MIN) is told. */
void pn_json_time_ms(pn_json_writer *json, int64_t ms_since_1970);

#endif
