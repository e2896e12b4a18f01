/*
 * sentencepiece_bpe.c - merges by score
 *
 * The text begins as characters and user-defined symbols, which stay whole. Of all neighbours whose texts together are a piece, the
 * pair with the highest score is merged, the leftmost of equals, until there is none. (CLIP's byte-level BPE, byte_bpe.c, has a
 * list of merges instead and does all places of one merge at a time: other rules, other code.)
 *
 * Pieces of the kind "unused" are steps on the way: they may be merged and are taken apart again at the end, into the two they were
 * made of; of the last pair that was considered, when there were several. That is the library's rule.
 *
 * A heap by (score, position) holds the candidates; a stale one shows in the length of what it would make. n log n.
 * Source: Sennrich, Haddow, Birch 2016; the library's bpe_model.cc.
 */
#include "clip/sentencepiece_model.h"

typedef struct symbol {
    int32_t before, after; /* -1: none */
    uint32_t at, n_bytes;  /* 0 bytes: merged into its left neighbour */
    bool whole;            /* a user-defined symbol: never merged */
} symbol;

typedef struct candidate {
    float score;
    int32_t left, right;
    uint32_t n_bytes;
} candidate;

typedef struct merging {
    const pn_sentencepiece *model;
    pn_str text;
    symbol *symbols;
    size_t n_symbols;
    candidate *heap;
    size_t n_heap;
    uint16_t
        *split_at; /* [n_pieces]: of unused pieces, bytes of the left part; NULL: there are none */
} merging;

static bool comes_before(const candidate *a, const candidate *b)
{
    return a->score > b->score || (a->score == b->score && a->left < b->left);
}

static void heap_push(merging *m, candidate c)
{
    size_t i = m->n_heap++;
    while (i > 0 && comes_before(&c, &m->heap[(i - 1) / 2])) {
        m->heap[i] = m->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    m->heap[i] = c;
}

static candidate heap_pop(merging *m)
{
    candidate top = m->heap[0], last = m->heap[--m->n_heap];
    size_t i = 0;
    while (2 * i + 1 < m->n_heap) {
        size_t child = 2 * i + 1;
        if (child + 1 < m->n_heap && comes_before(&m->heap[child + 1], &m->heap[child]))
            child++;
        if (!comes_before(&m->heap[child], &last))
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return top;
}

static void consider(merging *m, int32_t left, int32_t right)
{
    if (left < 0 || right < 0 || m->symbols[left].whole || m->symbols[right].whole)
        return;
    const symbol *a = &m->symbols[left], *b = &m->symbols[right];
    pn_str together = {m->text.ptr + a->at, (size_t)a->n_bytes + b->n_bytes};
    if (together.len > PN_SENTENCEPIECE_MAX_PIECE_BYTES)
        return;
    uint32_t id = pn_piece_trie_find(&m->model->pieces, together);
    if (id == PN_PIECE_NONE)
        return;
    heap_push(m, (candidate){m->model->scores[id], left, right, (uint32_t)together.len});
    if (m->split_at && m->model->types[id] == PN_PIECE_UNUSED)
        m->split_at[id] = (uint16_t)a->n_bytes;
}

static void merge_all(merging *m)
{
    while (m->n_heap > 0) {
        candidate c = heap_pop(m);
        symbol *left = &m->symbols[c.left], *right = &m->symbols[c.right];
        if (left->n_bytes == 0 || right->n_bytes == 0 ||
            left->n_bytes + right->n_bytes != c.n_bytes)
            continue;
        left->n_bytes += right->n_bytes;
        right->n_bytes = 0;
        left->after = right->after;
        if (left->after >= 0)
            m->symbols[left->after].before = c.left;
        consider(m, left->before, c.left);
        consider(m, c.left, left->after);
    }
}

static void cut_symbols(merging *m)
{
    size_t n = 0;
    for (size_t at = 0; at < m->text.len; n++) {
        uint32_t id;
        pn_str rest = {m->text.ptr + at, m->text.len - at};
        size_t whole = pn_piece_trie_longest(&m->model->user_defined, PN_PIECE_ROOT, rest, &id);
        size_t length = whole > 0 ? whole : pn_sentencepiece_char_bytes(rest);
        m->symbols[n] = (symbol){.before = (int32_t)n - 1,
                                 .after = (int32_t)n + 1,
                                 .at = (uint32_t)at,
                                 .n_bytes = (uint32_t)length,
                                 .whole = whole > 0};
        at += length;
    }
    m->symbols[n - 1].after = -1;
    m->n_symbols = n;
}

/* Give out one symbol; unused pieces as the parts they were made of. The parts get shorter, so they are never more than the bytes
 * of the longest piece. */
static void put_symbol(const merging *m, pn_str all, pn_piece_sink *sink)
{
    pn_str todo[PN_SENTENCEPIECE_MAX_PIECE_BYTES + 1];
    size_t n = 0;
    todo[n++] = all;
    while (n > 0) {
        pn_str part = todo[--n];
        uint32_t id = pn_sentencepiece_id(m->model, part);
        size_t left = m->split_at && m->model->types[id] == PN_PIECE_UNUSED ? m->split_at[id] : 0;
        if (left == 0) {
            pn_piece_sink_put(sink, part, id);
            continue;
        }
        pn_assert(left < part.len);
        todo[n++] = (pn_str){part.ptr + left, part.len - left};
        todo[n++] = (pn_str){part.ptr, left};
    }
}

pn_status pn_sentencepiece_bpe(const pn_sentencepiece *model, pn_str text, pn_arena *arena,
                               pn_piece_sink *sink, pn_error *err)
{
    merging m = {.model = model,
                 .text = text,
                 .symbols = PN_ARENA_NEW(arena, symbol, text.len),
                 .heap = PN_ARENA_NEW(arena, candidate, 3 * text.len + 1),
                 .split_at =
                     model->n_unused > 0 ? PN_ARENA_NEW(arena, uint16_t, model->n_pieces) : NULL};
    if (!m.symbols || !m.heap || (model->n_unused > 0 && !m.split_at))
        return pn_fail_nomem(err);
    cut_symbols(&m);
    for (size_t i = 1; i < m.n_symbols; i++)
        consider(&m, (int32_t)i - 1, (int32_t)i);
    merge_all(&m);
    for (int32_t i = 0; i >= 0; i = m.symbols[i].after)
        put_symbol(&m, (pn_str){text.ptr + m.symbols[i].at, m.symbols[i].n_bytes}, sink);
    return PN_OK;
}
