/*
 * sentencepiece_model.h - a sentencepiece model in memory, for the files that work with it
 */
#ifndef PN_CLIP_SENTENCEPIECE_MODEL_H
#define PN_CLIP_SENTENCEPIECE_MODEL_H

#include "base/arena.h"
#include "base/buffer.h"
#include "clip/charsmap.h"
#include "clip/piece_trie.h"
#include "clip/sentencepiece.h"

/* The longest piece of a published model has 93 bytes (31 blanks). The longest match at every byte of a text takes this many
 * steps at most. */
#define PN_SENTENCEPIECE_MAX_PIECE_BYTES 512
#define PN_SENTENCEPIECE_MAX_FILE_BYTES (16u << 20)
#define PN_SENTENCEPIECE_SPACE "\xE2\x96\x81" /* U+2581, stands for a blank */

typedef enum pn_piece_type {
    PN_PIECE_NORMAL = 1,
    PN_PIECE_UNKNOWN,
    PN_PIECE_CONTROL,
    PN_PIECE_USER_DEFINED,
    PN_PIECE_UNUSED,
    PN_PIECE_BYTE
} pn_piece_type;

typedef enum pn_segmentation { PN_SEGMENT_UNIGRAM = 1, PN_SEGMENT_BPE } pn_segmentation;

struct pn_sentencepiece {
    pn_arena arena;
    pn_sentencepiece_traits traits;
    pn_segmentation segmentation;
    bool byte_fallback, space_as_suffix, add_dummy_prefix, remove_extra_spaces, escape_spaces;
    uint32_t n_pieces, unknown_id, n_unused;
    float *scores;              /* [n_pieces] */
    uint8_t *types;             /* [n_pieces], pn_piece_type */
    float min_score, max_score; /* of the normal pieces */
    uint32_t byte_ids[256];     /* with byte_fallback */
    pn_piece_trie pieces;       /* normal, user-defined, unused */
    pn_piece_trie reserved;     /* unknown, control, bytes: found by name, never in a text */
    pn_piece_trie user_defined;
    pn_charsmap charsmap;
};

/* What a text becomes: one id after the other; those that have no room are counted no more. */
typedef struct pn_piece_sink {
    const pn_sentencepiece *model;
    uint32_t *ids;
    size_t n, room;
    bool after_unknown; /* runs of unknown pieces are one */
} pn_piece_sink;

void pn_piece_sink_put(pn_piece_sink *sink, pn_str piece, uint32_t id);

/* Bytes of the first character, by its first byte: as the library, which does not look at the others. */
size_t pn_sentencepiece_char_bytes(pn_str text);
/* The id of a piece by its text, reserved ones first; the unknown piece's when there is none. */
uint32_t pn_sentencepiece_id(const pn_sentencepiece *model, pn_str piece);

/* Append the normalised text. LIMIT when it does not fit out. */
PN_NODISCARD pn_status pn_sentencepiece_normalise(const pn_sentencepiece *model, pn_str text,
                                                  pn_buffer *out, pn_error *err);

/* Cut normalised text into pieces. */
PN_NODISCARD pn_status pn_sentencepiece_unigram(const pn_sentencepiece *model, pn_str text,
                                                pn_arena *arena, pn_piece_sink *sink,
                                                pn_error *err);
PN_NODISCARD pn_status pn_sentencepiece_bpe(const pn_sentencepiece *model, pn_str text,
                                            pn_arena *arena, pn_piece_sink *sink, pn_error *err);

#endif
