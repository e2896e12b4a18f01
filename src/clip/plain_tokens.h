/*
 * plain_tokens.h - {"token": id, ...}, which is all that most vocab.json are, read in one go
 *
 * A JSON library makes a tree of such a file before anybody looks at it: 50,000 strings and numbers, each in memory of its
 * own, and a hash table that is thrown away. That took 25 ms of every start.
 */
#ifndef PN_CLIP_PLAIN_TOKENS_H
#define PN_CLIP_PLAIN_TOKENS_H

#include "base/arena.h"
#include "base/str.h"

typedef struct pn_plain_token {
    pn_str text; /* without escapes; in the file's bytes or in the arena */
    uint32_t id; /* below PN_PLAIN_TOKEN_MAX_ID */
} pn_plain_token;

#define PN_PLAIN_TOKEN_MAX_ID 100000000u

/*
 * One object of texts and whole numbers, in the order of the file; a text may stand in it twice.
 *
 * json    the whole file; must outlive *out
 * arena   what *out and texts with escapes live in
 *
 * false: anything else, be it valid JSON or not, or no memory. Then nothing is known about the file, and the one who can
 * say what is wrong with it is a JSON library. So this knows no errors, and need not know all of JSON.
 */
PN_NODISCARD bool pn_plain_tokens_read(pn_str json, pn_arena *arena, pn_plain_token **out,
                                       size_t *n);

#endif
