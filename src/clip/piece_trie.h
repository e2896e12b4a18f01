/*
 * piece_trie.h - the pieces of a vocabulary, walked byte by byte
 *
 * Where a tokenizer asks "which pieces begin here?", it steps from the root with one byte after the other and meets all of
 * them on the way, in time linear in the longest.
 *
 *     uint32_t node = PN_PIECE_ROOT;
 *     for (i = at; i < n && (node = pn_piece_trie_step(trie, node, text[i])) != PN_PIECE_NONE; i++)
 *         if (pn_piece_trie_value(trie, node) != PN_PIECE_NONE) ... text[at..i] is a piece
 *
 * Threads: immutable once filled; may be shared then.
 */
#ifndef PN_CLIP_PIECE_TRIE_H
#define PN_CLIP_PIECE_TRIE_H

#include "base/status.h"
#include "base/str.h"

#define PN_PIECE_NONE UINT32_MAX
#define PN_PIECE_ROOT 0u

typedef struct pn_piece_edge pn_piece_edge;

/* All zero is an empty one. */
typedef struct pn_piece_trie {
    pn_piece_edge *edges; /* hash table: (node, byte) -> node */
    size_t n_slots, n_edges;
    uint32_t *values; /* of each node */
    size_t n_nodes, node_room;
} pn_piece_trie;

/* Add a piece with a value below PN_PIECE_NONE; a piece that is there gets the new value, *before is the old one or
 * PN_PIECE_NONE. NOMEM, LIMIT. */
PN_NODISCARD pn_status pn_piece_trie_put(pn_piece_trie *trie, pn_str piece, uint32_t value,
                                         uint32_t *before, pn_error *err);
void pn_piece_trie_free(pn_piece_trie *trie);

/* The node behind one more byte, or PN_PIECE_NONE. An empty trie has none. */
uint32_t pn_piece_trie_step(const pn_piece_trie *trie, uint32_t node, uint8_t byte);
/* The value of the piece that ends at node, or PN_PIECE_NONE. */
static inline uint32_t pn_piece_trie_value(const pn_piece_trie *trie, uint32_t node)
{
    return trie->values[node];
}

/* The node at which text ends when walked from `from`, or PN_PIECE_NONE. */
uint32_t pn_piece_trie_walk(const pn_piece_trie *trie, uint32_t from, pn_str text);
/* The value of exactly this piece, or PN_PIECE_NONE. */
uint32_t pn_piece_trie_find(const pn_piece_trie *trie, pn_str piece);
/* Bytes of the longest piece that text begins with, walked from `from`; 0: none. *value is written with it. */
size_t pn_piece_trie_longest(const pn_piece_trie *trie, uint32_t from, pn_str text,
                             uint32_t *value);

#endif
