/*
 * piece_trie.c - one hash table for all edges
 *
 * Nodes are numbers; an edge is a slot with the key (node, byte) and the node it leads to. A vocabulary of 256,000 pieces has
 * about a million edges, 16 bytes each, at most two thirds full. A double array would take half of that, but its
 * construction is the harder half of the idea, and no load time or memory of a model shows the difference.
 */
#include "clip/piece_trie.h"

#include "base/alloc.h"

#include <inttypes.h>

enum { MAX_NODES = 1 << 26 };

struct pn_piece_edge {
    uint64_t key; /* node << 8 | byte, plus 1; 0: free */
    uint32_t child;
};

static pn_piece_edge *slot_of(pn_piece_edge *edges, size_t n_slots, uint64_t key)
{
    uint64_t hash = key * 0x9E3779B97F4A7C15u;
    size_t i = (size_t)(hash >> 24) & (n_slots - 1);
    while (edges[i].key != 0 && edges[i].key != key)
        i = (i + 1) & (n_slots - 1);
    return &edges[i];
}

static uint64_t key_of(uint32_t node, uint8_t byte)
{
    return ((uint64_t)node << 8 | byte) + 1;
}

static pn_status grow_edges(pn_piece_trie *trie, pn_error *err)
{
    size_t n_slots = trie->n_slots > 0 ? trie->n_slots * 2 : 256;
    if (trie->n_edges * 3 < trie->n_slots * 2)
        return PN_OK;
    pn_piece_edge *edges = pn_alloc_array(n_slots, sizeof *edges);
    if (!edges)
        return pn_fail_nomem(err);
    memset(edges, 0, n_slots * sizeof *edges);
    for (size_t i = 0; i < trie->n_slots; i++)
        if (trie->edges[i].key != 0)
            *slot_of(edges, n_slots, trie->edges[i].key) = trie->edges[i];
    pn_free(trie->edges);
    trie->edges = edges;
    trie->n_slots = n_slots;
    return PN_OK;
}

static pn_status new_node(pn_piece_trie *trie, uint32_t *node, pn_error *err)
{
    if (trie->n_nodes == MAX_NODES)
        return pn_fail(err, PN_ERR_LIMIT, "pieces with more than %d different beginnings",
                       MAX_NODES);
    if (trie->n_nodes == trie->node_room) {
        size_t room = trie->node_room > 0 ? trie->node_room * 2 : 256;
        uint32_t *values = pn_realloc(trie->values, room * sizeof *values);
        if (!values)
            return pn_fail_nomem(err);
        trie->values = values;
        trie->node_room = room;
    }
    trie->values[trie->n_nodes] = PN_PIECE_NONE;
    *node = (uint32_t)trie->n_nodes++;
    return PN_OK;
}

pn_status pn_piece_trie_put(pn_piece_trie *trie, pn_str piece, uint32_t value, uint32_t *before,
                            pn_error *err)
{
    uint32_t node = PN_PIECE_ROOT;
    pn_assert(value != PN_PIECE_NONE);
    if (trie->n_nodes == 0)
        PN_TRY(new_node(trie, &node, err));
    for (size_t i = 0; i < piece.len; i++) {
        PN_TRY(grow_edges(trie, err));
        uint64_t key = key_of(node, (uint8_t)piece.ptr[i]);
        pn_piece_edge *edge = slot_of(trie->edges, trie->n_slots, key);
        if (edge->key == 0) {
            PN_TRY(new_node(trie, &edge->child, err));
            edge->key = key;
            trie->n_edges++;
        }
        node = edge->child;
    }
    *before = trie->values[node];
    trie->values[node] = value;
    return PN_OK;
}

void pn_piece_trie_free(pn_piece_trie *trie)
{
    pn_free(trie->edges);
    pn_free(trie->values);
    *trie = (pn_piece_trie){0};
}

uint32_t pn_piece_trie_step(const pn_piece_trie *trie, uint32_t node, uint8_t byte)
{
    if (trie->n_slots == 0)
        return PN_PIECE_NONE;
    const pn_piece_edge *edge = slot_of(trie->edges, trie->n_slots, key_of(node, byte));
    return edge->key != 0 ? edge->child : PN_PIECE_NONE;
}

uint32_t pn_piece_trie_walk(const pn_piece_trie *trie, uint32_t from, pn_str text)
{
    uint32_t node = trie->n_nodes > 0 ? from : PN_PIECE_NONE;
    for (size_t i = 0; i < text.len && node != PN_PIECE_NONE; i++)
        node = pn_piece_trie_step(trie, node, (uint8_t)text.ptr[i]);
    return node;
}

uint32_t pn_piece_trie_find(const pn_piece_trie *trie, pn_str piece)
{
    uint32_t node = pn_piece_trie_walk(trie, PN_PIECE_ROOT, piece);
    return node == PN_PIECE_NONE ? PN_PIECE_NONE : trie->values[node];
}

size_t pn_piece_trie_longest(const pn_piece_trie *trie, uint32_t from, pn_str text, uint32_t *value)
{
    size_t longest = 0;
    uint32_t node = from;
    for (size_t i = 0; i < text.len; i++) {
        node = pn_piece_trie_step(trie, node, (uint8_t)text.ptr[i]);
        if (node == PN_PIECE_NONE)
            break;
        if (trie->values[node] != PN_PIECE_NONE) {
            longest = i + 1;
            *value = trie->values[node];
        }
    }
    return longest;
}
