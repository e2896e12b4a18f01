/*
 * lexer.h - the words of a filter
 */
#ifndef PN_FILTER_LEXER_H
#define PN_FILTER_LEXER_H

#include "filter/expr.h"

typedef enum pn_token_kind {
    PN_TOKEN_END,
    PN_TOKEN_NAME,        /* bare: a column, a function or a keyword */
    PN_TOKEN_QUOTED_NAME, /* "x" or `x`: never a keyword */
    PN_TOKEN_TEXT,        /* 'x' */
    PN_TOKEN_BYTES,       /* x'00ff' */
    PN_TOKEN_NUMBER,
    PN_TOKEN_OPERATOR
} pn_token_kind;

typedef struct pn_token {
    pn_token_kind kind;
    size_t offset; /* where it begins in the text */
    pn_str
        text; /* as written; for QUOTED_NAME, TEXT and BYTES the content, in the arena when it had doubled quotes */
} pn_token;

/* Take the token at *offset (white space and comments before it are skipped) and move *offset behind it. */
PN_NODISCARD pn_status pn_lex(const pn_filter_source *source, pn_arena *arena, size_t *offset,
                              pn_token *out, pn_error *err);

/* Is it valid UTF-8 without NUL, and short enough? */
PN_NODISCARD pn_status pn_lex_check(const pn_filter_source *source, pn_error *err);

/* Words that are never a bare column name. */
bool pn_lex_is_reserved(pn_str name);
/* May the name stand in a filter without quotes? */
bool pn_lex_is_bare(pn_str name);

#endif
