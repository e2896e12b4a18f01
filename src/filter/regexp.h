/*
 * regexp.h - regular expressions, by PCRE2 with limits
 */
#ifndef PN_FILTER_REGEXP_H
#define PN_FILTER_REGEXP_H

#include "filter/expr.h"

/* flags: any of i m s x. The compiled pattern lives in arena. INVALID: what is wrong in message. */
PN_NODISCARD pn_status pn_regexp_compile(pn_str pattern, pn_str flags, pn_arena *arena,
                                         const pn_regexp **out, char *message,
                                         size_t message_bytes);

/* out yes/no for the valid, active rows of text. LIMIT when a row takes too long. */
PN_NODISCARD pn_status pn_regexp_eval(const pn_regexp *regexp, const pn_vec *text,
                                      const pn_rows *rows, pn_vec *out, char *message,
                                      size_t message_bytes);

#endif
