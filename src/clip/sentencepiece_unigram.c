/*
 * sentencepiece_unigram.c - the most probable pieces
 *
 * A piece has a log probability; the best cut of a text has the largest sum. Viterbi: for each place the best cut that ends
 * there, from the best cuts that end where its last piece begins.
 *
 *     place    0        3        5     ...      bytes
 *              |--the---|--re----|
 *              |-----there-------|              the larger sum stays; the one met first when both are equal
 *
 * A character without a piece of its own is unknown, at 10 below the worst piece. User-defined symbols cost next to nothing, so
 * that they win.
 *
 * The numbers are the library's, with its types: sums are kept in float, a candidate is added and compared in double. In
 * float alone other cuts win where two sums are closer than a rounding.
 * Source: Kudo 2018, "Subword Regularization"; the library's unigram_model.cc, EncodeOptimized.
 */
#include "clip/sentencepiece_model.h"

/* The best cut that ends at a place. */
typedef struct place {
    float sum;
    int32_t begins; /* where its last piece begins; -1: no cut yet */
    int32_t next;   /* on the best way through: where the next piece ends */
    uint32_t id;
} place;

static void offer(place *at, double sum, int32_t begins, uint32_t id)
{
    if (at->begins >= 0 && sum <= (double)at->sum)
        return;
    at->sum = (float)sum;
    at->begins = begins;
    at->id = id;
}

static double score_of(const pn_sentencepiece *model, uint32_t id, size_t n_bytes)
{
    if (model->types[id] == PN_PIECE_USER_DEFINED)
        return (double)((float)n_bytes * model->max_score) - 0.1;
    return (double)model->scores[id];
}

/* Offer all pieces that begin at `begins`; the unknown one when none of them is just the character there. */
static void offer_pieces(const pn_sentencepiece *model, pn_str text, size_t begins,
                         size_t char_bytes, place *places)
{
    const double before = (double)places[begins].sum;
    const float unknown_score = model->min_score - 10.0f;
    bool character = false;
    uint32_t node = PN_PIECE_ROOT;
    for (size_t i = begins; i < text.len; i++) {
        node = pn_piece_trie_step(&model->pieces, node, (uint8_t)text.ptr[i]);
        if (node == PN_PIECE_NONE)
            break;
        uint32_t id = pn_piece_trie_value(&model->pieces, node);
        size_t n = i + 1 - begins;
        if (id == PN_PIECE_NONE || model->types[id] == PN_PIECE_UNUSED)
            continue;
        offer(&places[i + 1], score_of(model, id, n) + before, (int32_t)begins, id);
        character |= n == char_bytes;
    }
    if (!character)
        offer(&places[begins + char_bytes], (double)(unknown_score + places[begins].sum),
              (int32_t)begins, model->unknown_id);
}

pn_status pn_sentencepiece_unigram(const pn_sentencepiece *model, pn_str text, pn_arena *arena,
                                   pn_piece_sink *sink, pn_error *err)
{
    place *places = PN_ARENA_NEW(arena, place, text.len + 1);
    if (!places)
        return pn_fail_nomem(err);
    for (size_t i = 0; i <= text.len; i++)
        places[i].begins = -1;
    for (size_t i = 0; i < text.len;) {
        size_t n = pn_sentencepiece_char_bytes((pn_str){text.ptr + i, text.len - i});
        offer_pieces(model, text, i, n, places);
        i += n;
    }
    for (int32_t ends = (int32_t)text.len; ends > 0; ends = places[ends].begins)
        places[places[ends].begins].next = ends;
    for (int32_t begins = 0; begins < (int32_t)text.len; begins = places[begins].next) {
        const place *end = &places[places[begins].next];
        pn_piece_sink_put(sink, (pn_str){text.ptr + begins, (size_t)(places[begins].next - begins)},
                          end->id);
    }
    return PN_OK;
}
