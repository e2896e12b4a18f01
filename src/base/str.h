/*
 * str.h - borrowed text: pointer and length
 *
 * A pn_str never owns and need not end in NUL; whoever hands one out says what keeps it alive.
 * Numbers are read and written without the locale. Threads: all functions are pure.
 */
#ifndef PN_BASE_STR_H
#define PN_BASE_STR_H

#include "base/compiler.h"

#include <string.h>

typedef struct pn_str {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;
} pn_str;

/* A key and its value, both NUL-terminated: schema metadata, configuration. */
typedef struct pn_kv {
    const char *key;
    const char *value;
} pn_kv;

#define PN_STR_LITERAL(text) ((pn_str){(text), sizeof(text) - 1})
#define PN_STR_FORMAT "%.*s"
#define PN_STR_ARG(s) (int)(s).len, (s).ptr ? (s).ptr : ""

static inline pn_str pn_str_make(const char *ptr, size_t len)
{
    return (pn_str){ptr, len};
}

static inline pn_str pn_str_of(const char *text)
{
    return (pn_str){text, text ? strlen(text) : 0};
}

static inline bool pn_str_equal(pn_str a, pn_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool pn_str_is(pn_str a, const char *text)
{
    return pn_str_equal(a, pn_str_of(text));
}

/* Bytewise order; for UTF-8 this is code point order. Negative, zero or positive. */
int pn_str_compare(pn_str a, pn_str b);

/* ASCII only: SQL keywords, HTTP headers. */
bool pn_str_equal_ignore_case(pn_str a, pn_str b);
bool pn_str_starts_with(pn_str text, const char *prefix);
bool pn_str_ends_with(pn_str text, const char *suffix);

/* Without ASCII white space at both ends. */
pn_str pn_str_trim(pn_str text);

/* How often a byte occurs. */
size_t pn_str_count(pn_str text, char c);

/* The value of a hexadecimal digit; -1: it is none. */
int pn_hex_digit(char c);

/* Take the part before the first separator off *rest and return it; *rest becomes what follows. When there is no
 * separator, all of it, and *rest has ptr NULL. Loop while (rest.ptr). */
pn_str pn_str_split(pn_str *rest, char separator);

/* The whole of text as a number, with a '.' whatever the locale; false otherwise (empty, trailing bytes, overflow).
 * pn_str_to_double also takes "inf" and "nan" never. */
PN_NODISCARD bool pn_str_to_i64(pn_str text, int64_t *out);
PN_NODISCARD bool pn_str_to_u64(pn_str text, uint64_t *out);
PN_NODISCARD bool pn_str_to_double(pn_str text, double *out);

/* Shortest decimal that reads back as the same value, as JSON would write it. out holds PN_NUMBER_TEXT_BYTES. */
#define PN_NUMBER_TEXT_BYTES 40
void pn_format_double(double value, char out[PN_NUMBER_TEXT_BYTES]);
void pn_format_float(float value, char out[PN_NUMBER_TEXT_BYTES]);

/* Cut an unfinished UTF-8 character off the end of a text that was cut to fit its buffer. */
void pn_text_trim_partial(char *text);

/* Is all of text well-formed UTF-8 (no surrogates, no overlong forms)? */
bool pn_str_is_utf8(pn_str text);

#endif
