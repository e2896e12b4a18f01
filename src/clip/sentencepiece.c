/*
 * sentencepiece.c - text to ids
 *
 *     text -> normalise (the model's rules) -> pieces (unigram or BPE) -> ids
 *
 * There is no C interface to the sentencepiece library (its own are C++ and Python), and this house is C: so we read the model
 * files ourselves, and give exactly the ids the library gives. tests/clip/run_sentencepiece.sh holds us to that: it trains
 * models with the library's program and compares ids of thousands of hostile texts.
 *
 * A piece that the model does not know becomes the unknown id, a run of them just one; or, with byte fallback, a piece for
 * each of its bytes.
 * Source: Kudo, Richardson 2018; the library, version 0.1.97.
 */
#include "clip/sentencepiece.h"

#include "clip/sentencepiece_model.h"

const pn_sentencepiece_traits *pn_sentencepiece_get_traits(const pn_sentencepiece *model)
{
    return &model->traits;
}

bool pn_sentencepiece_find(const pn_sentencepiece *model, pn_str piece, uint32_t *id)
{
    uint32_t found = pn_piece_trie_find(&model->reserved, piece);
    if (found == PN_PIECE_NONE)
        found = pn_piece_trie_find(&model->pieces, piece);
    if (found != PN_PIECE_NONE)
        *id = found;
    return found != PN_PIECE_NONE;
}

uint32_t pn_sentencepiece_id(const pn_sentencepiece *model, pn_str piece)
{
    uint32_t id = model->unknown_id;
    return pn_sentencepiece_find(model, piece, &id) ? id : model->unknown_id;
}

size_t pn_sentencepiece_char_bytes(pn_str text)
{
    static const uint8_t by_first[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
    return PN_MIN((size_t)by_first[(uint8_t)text.ptr[0] >> 4], text.len);
}

static void put_id(pn_piece_sink *sink, uint32_t id)
{
    if (sink->n < sink->room)
        sink->ids[sink->n++] = id;
}

void pn_piece_sink_put(pn_piece_sink *sink, pn_str piece, uint32_t id)
{
    bool unknown = id == sink->model->unknown_id;
    if (unknown && sink->model->byte_fallback) {
        for (size_t i = 0; i < piece.len; i++)
            put_id(sink, sink->model->byte_ids[(uint8_t)piece.ptr[i]]);
    } else if (!unknown || !sink->after_unknown) {
        put_id(sink, id);
    }
    sink->after_unknown = unknown;
}

pn_status pn_sentencepiece_encode(const pn_sentencepiece *model, pn_str text, uint32_t *ids,
                                  size_t room, size_t *n_ids, pn_error *err)
{
    pn_piece_sink sink = {.model = model, .ids = ids, .room = room};
    pn_buffer normal;
    pn_arena arena;
    pn_buffer_init(&normal, PN_SENTENCEPIECE_MAX_TEXT_BYTES);
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_sentencepiece_normalise(model, text, &normal, err);
    pn_str all = {(const char *)normal.data, normal.n_bytes};
    if (status == PN_OK && all.len > 0)
        status = model->segmentation == PN_SEGMENT_UNIGRAM
                     ? pn_sentencepiece_unigram(model, all, &arena, &sink, err)
                     : pn_sentencepiece_bpe(model, all, &arena, &sink, err);
    if (status == PN_OK)
        *n_ids = sink.n;
    pn_arena_reset(&arena);
    pn_buffer_reset(&normal);
    return status;
}
