/*
 * functions.h - the table of functions: name, arguments, result, and what they do
 *
 * Signature, a letter an argument:  t text  i integer  n number  s any scalar, as text  l list  m map  c list or map  a any scalar
 *                                   '?' those behind it may be left out, '*' the last one repeats
 */
#ifndef PN_FILTER_FUNCTIONS_H
#define PN_FILTER_FUNCTIONS_H

#include "filter/vec.h"

typedef enum pn_function_result {
    PN_RESULT_BOOL,
    PN_RESULT_INT,
    PN_RESULT_TEXT,
    PN_RESULT_SAME,    /* as the first argument */
    PN_RESULT_COMMON,  /* all arguments are brought to one kind: that */
    PN_RESULT_SECONDS, /* timestamps of a unit */
    PN_RESULT_MILLISECONDS,
    PN_RESULT_MICROSECONDS,
    PN_RESULT_NANOSECONDS,
    PN_RESULT_PARSED_TIME, /* to_timestamp(): rewritten to a cast or to seconds */
    PN_RESULT_NOW,         /* rewritten to a literal */
    PN_RESULT_REGEXP,      /* rewritten to PN_EXPR_REGEXP */
    PN_RESULT_KEYS,        /* lists made of the parts of a map */
    PN_RESULT_VALUES
} pn_function_result;

/* One row: NULL, or what is wrong with it (PN_FUNCTION_NO_MEMORY when that is it). *out is NULL on entry. */
typedef const char *(*pn_row_function)(pn_arena *arena, const pn_value *args, size_t n_args,
                                       pn_value *out);
/* All rows. */
typedef pn_status (*pn_vec_function)(const pn_vec *args, const pn_rows *rows, pn_vec *out,
                                     pn_error *err);

extern const char pn_function_no_memory[];

struct pn_function {
    const char *name;
    const char *signature;
    pn_function_result result;
    pn_row_function row; /* exactly one of the two, or none for those that bind rewrites */
    pn_vec_function whole;
    bool takes_nulls; /* otherwise a NULL argument gives NULL */
};

const pn_function *pn_function_find(pn_str name);
/* Names for "did you mean"; *n of them. */
const char *const *pn_function_names(size_t *n);

#endif
