/*
 * like.h - LIKE, ILIKE and the case of letters
 */
#ifndef PN_FILTER_LIKE_H
#define PN_FILTER_LIKE_H

#include "filter/expr.h"

typedef enum pn_case { PN_CASE_SENSITIVE, PN_CASE_IGNORED } pn_case;

/* escape: empty for the backslash. INVALID (a constant text in *fault) when the pattern ends in an escape. */
PN_NODISCARD pn_status pn_like_compile(pn_str pattern, pn_str escape, pn_case letter_case,
                                       pn_arena *arena, const pn_like **out, const char **fault);

/*
 * *matches: does all of text match? scratch holds the folded text of ILIKE for the length of the call; *steps is the work
 * that is left: LIMIT when it is used up, so that a pattern of many '_' and '%' cannot hold a server.
 */
PN_NODISCARD pn_status pn_like_match(const pn_like *like, pn_str text, pn_arena *scratch,
                                     uint64_t *steps, bool *matches);

typedef enum pn_letters { PN_LETTERS_LOWER, PN_LETTERS_UPPER, PN_LETTERS_FOLD } pn_letters;

/* Every character changed on its own (Unicode simple mappings); broken bytes stay. False: no memory. */
PN_NODISCARD bool pn_change_case(pn_str text, pn_letters letters, pn_arena *arena, pn_str *out);

/* Bytes of the character at the start of a text that is not empty; 1 for a broken one. */
size_t pn_character_bytes(pn_str text);

#endif
