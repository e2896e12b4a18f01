/*
 * byte_bpe.c - byte-level BPE
 *
 *     text -> clean -> pieces -> bytes -> symbols, the last one with </w> -> merges by rank -> ids
 *
 * A piece is, at each place, the first of: a special token, 's 't 're 've 'm 'll 'd, a run of letters, one digit, a run
 * of anything else but white space. Each byte has a printable symbol (GPT-2's table); the vocabulary is a list of symbol
 * strings, so we keep it as it is in the file and look strings up.
 *
 * Merging keeps the symbols in a linked list and the candidate pairs in a heap by (rank, position): a word of n bytes costs
 * n log n, so that one of 64 KiB is no trouble. All occurrences of the best pair are merged left to right, as the
 * reference does, which the position in the heap's order gives.
 * Source: Sennrich, Haddow, Birch 2016; OpenAI CLIP's simple_tokenizer.
 */
#include "clip/byte_bpe.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/hash.h"
#include "base/limits.h"
#include "clip/text_clean.h"

#include <stdlib.h>
#include <utf8proc.h>

/* ---- pieces ---- */

static size_t character(pn_str text, size_t at, utf8proc_category_t *category,
                        utf8proc_int32_t *code)
{
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text.ptr + at,
                                          (utf8proc_ssize_t)(text.len - at), code);
    pn_assert(n > 0); // cleaned text is valid
    *category = utf8proc_category(*code);
    return (size_t)n;
}

static bool is_letter(utf8proc_category_t c)
{
    return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}

static bool is_number(utf8proc_category_t c)
{
    return c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO;
}

static bool is_blank(utf8proc_category_t c, utf8proc_int32_t code)
{
    return (c >= UTF8PROC_CATEGORY_ZS && c <= UTF8PROC_CATEGORY_ZP) ||
           (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x1F) || code == 0x85;
}

static size_t contraction(pn_str text, size_t at)
{
    /* the pattern ignores case, and to Unicode the long s is an s */
    static const char *const endings[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'\xC5\xBF"};
    pn_str rest = {text.ptr + at, text.len - at};
    for (size_t i = 0; i < PN_COUNT_OF(endings); i++)
        if (pn_str_starts_with(rest, endings[i]))
            return strlen(endings[i]);
    return 0;
}

typedef enum piece_kind { PIECE_WORD, PIECE_START, PIECE_END } piece_kind;

/* The piece at or behind *at; false at the end of the text. */
static bool next_piece(pn_str text, size_t *at, pn_str *piece, piece_kind *kind)
{
    utf8proc_category_t category;
    utf8proc_int32_t code;
    size_t n = 0;
    while (*at < text.len && (n = character(text, *at, &category, &code), is_blank(category, code)))
        *at += n;
    if (*at >= text.len)
        return false;
    pn_str rest = {text.ptr + *at, text.len - *at};
    *kind = pn_str_starts_with(rest, PN_TOKEN_START) ? PIECE_START
            : pn_str_starts_with(rest, PN_TOKEN_END) ? PIECE_END
                                                     : PIECE_WORD;
    size_t length = *kind == PIECE_START ? strlen(PN_TOKEN_START)
                    : *kind == PIECE_END ? strlen(PN_TOKEN_END)
                                         : contraction(text, *at);
    if (length == 0) {
        bool letters = is_letter(category), number = is_number(category);
        length = n;
        while (!number && *at + length < text.len) {
            n = character(text, *at + length, &category, &code);
            if (letters ? !is_letter(category)
                        : is_letter(category) || is_number(category) || is_blank(category, code))
                break;
            length += n;
        }
    }
    *piece = (pn_str){rest.ptr, length};
    *at += length;
    return true;
}

/* ---- merges ---- */

typedef struct symbol {
    uint32_t token;
    int32_t before, after; /* -1: none */
} symbol;

typedef struct candidate {
    uint32_t rank, merged;
    int32_t left;                     /* index of the left symbol */
    uint32_t left_token, right_token; /* as they were: a stale candidate does not match any more */
} candidate;

typedef struct merging {
    const pn_vocabulary *vocabulary;
    symbol *symbols;
    candidate *heap;
    size_t n_heap;
    int32_t *changed; /* left ends of the pairs that the merges of one rank made */
} merging;

static bool comes_before(const candidate *a, const candidate *b)
{
    return a->rank < b->rank || (a->rank == b->rank && a->left < b->left);
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

static void consider(merging *m, int32_t left)
{
    candidate c = {.left = left};
    if (left < 0 || m->symbols[left].after < 0)
        return;
    c.left_token = m->symbols[left].token;
    c.right_token = m->symbols[m->symbols[left].after].token;
    if (pn_vocabulary_merge(m->vocabulary, c.left_token, c.right_token, &c.rank, &c.merged))
        heap_push(m, c);
}

/* Merge one candidate, unless one of its two was merged with another neighbour meanwhile. */
static bool merge_one(merging *m, candidate c)
{
    symbol *left = &m->symbols[c.left];
    if (left->token != c.left_token || left->after < 0 ||
        m->symbols[left->after].token != c.right_token)
        return false;
    symbol *right = &m->symbols[left->after];
    left->token = c.merged;
    right->token = UINT32_MAX;
    left->after = right->after;
    if (left->after >= 0)
        m->symbols[left->after].before = c.left;
    return true;
}

/* Rank by rank. New pairs wait until all old pairs of the rank are done: one of them may have a lower rank (a token can
 * be made in two ways) and must not overtake. */
static void merge_all(merging *m)
{
    while (m->n_heap > 0) {
        uint32_t rank = m->heap[0].rank;
        size_t n_changed = 0;
        while (m->n_heap > 0 && m->heap[0].rank == rank) {
            candidate c = heap_pop(m);
            if (!merge_one(m, c))
                continue;
            m->changed[n_changed++] = m->symbols[c.left].before;
            m->changed[n_changed++] = c.left;
        }
        for (size_t i = 0; i < n_changed; i++)
            consider(m, m->changed[i]);
    }
}

/* ids of one piece, at most room of them; returns how many. */
static pn_status encode_piece(const pn_vocabulary *vocabulary, pn_str piece, uint32_t *ids,
                              size_t room, size_t *n_ids, pn_arena *arena, pn_error *err)
{
    size_t n = piece.len;
    merging m = {.vocabulary = vocabulary,
                 .symbols = PN_ARENA_NEW(arena, symbol, n),
                 .heap = PN_ARENA_NEW(arena, candidate, 3 * n + 1),
                 .changed = PN_ARENA_NEW(arena, int32_t, 2 * n + 1)};
    if (!m.symbols || !m.heap || !m.changed)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)piece.ptr[i];
        m.symbols[i] =
            (symbol){.token = i + 1 == n ? vocabulary->last_bytes[byte] : vocabulary->bytes[byte],
                     .before = (int32_t)i - 1,
                     .after = i + 1 == n ? -1 : (int32_t)i + 1};
    }
    for (size_t i = 0; i + 1 < n; i++)
        consider(&m, (int32_t)i);
    merge_all(&m);
    *n_ids = 0;
    for (int32_t i = 0; i >= 0 && *n_ids < room; i = m.symbols[i].after)
        ids[(*n_ids)++] = m.symbols[i].token;
    return PN_OK;
}

static pn_status encode_clean(const pn_vocabulary *vocabulary, pn_str text, size_t max_ids,
                              uint32_t *ids, size_t *n_ids, pn_error *err)
{
    pn_arena arena;
    pn_str piece;
    piece_kind kind;
    size_t at = 0, n = 0, added;
    pn_status status = PN_OK;
    pn_arena_init(&arena, SIZE_MAX);
    ids[n++] = vocabulary->start_id;
    while (status == PN_OK && n < max_ids && next_piece(text, &at, &piece, &kind)) {
        if (kind != PIECE_WORD) {
            ids[n++] = kind == PIECE_START ? vocabulary->start_id : vocabulary->end_id;
            continue;
        }
        pn_arena_mark mark = pn_arena_get_mark(&arena);
        status = encode_piece(vocabulary, piece, ids + n, max_ids - n, &added, &arena, err);
        pn_arena_rewind(&arena, mark);
        n += status == PN_OK ? added : 0;
    }
    pn_arena_reset(&arena);
    if (status != PN_OK)
        return status;
    n = PN_MIN(n, max_ids - 1); // the end token stands last, also in a text that was cut
    ids[n++] = vocabulary->end_id;
    *n_ids = n;
    return PN_OK;
}

pn_status pn_byte_bpe_encode(const pn_vocabulary *vocabulary, pn_str text, size_t max_ids,
                             uint32_t *ids, size_t *n_ids, pn_error *err)
{
    pn_buffer clean;
    pn_assert(max_ids >= 2);
    if (text.len > PN_TEXT_MAX_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "a text of %zu bytes, the limit is %d", text.len,
                       PN_TEXT_MAX_BYTES);
    pn_buffer_init(&clean, (size_t)PN_TEXT_MAX_BYTES * 20);
    pn_status status = pn_text_clean(text, &clean, err);
    if (status == PN_OK)
        status = encode_clean(vocabulary, (pn_str){(const char *)clean.data, clean.n_bytes},
                              max_ids, ids, n_ids, err);
    pn_buffer_reset(&clean);
    return status;
}
