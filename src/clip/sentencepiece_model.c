/*
 * sentencepiece_model.c - the model file, read and checked
 *
 * A protobuf message (sentencepiece.proto): pieces with score and type, how they were trained, how texts are normalised. It is
 * unpacked into an arena with a bound, because a message of two bytes can claim a structure of sixty: what a real model needs is
 * about ten times its file.
 *
 * What the library refuses is refused here too: an empty piece, the same piece twice, no unknown piece or two, byte pieces without
 * byte fallback or fewer than 256 with it. Beyond that: a piece with a NUL, of more than 512 bytes, with a score that is not
 * finite, or of a type we do not know; and a control piece that a text could reach, for which the library fails text by text.
 */
#include "clip/sentencepiece_model.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "clip/sentencepiece_json.h"
#include "clip/vocabulary.h"
#include "os/fd.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <sentencepiece.pb-c.h>
#include <stdio.h>

enum { MAX_UNPACKED_RATIO = 32, FREE_UNPACKED_BYTES = 1 << 16 };

typedef Pn__Sentencepiece__Model message;
typedef Pn__Sentencepiece__Piece piece_message;

/* ---- the message ---- */

typedef struct unpacking {
    pn_arena arena;
    size_t n_bytes, max_bytes;
    bool no_memory;
} unpacking;

static void *take(void *self, size_t n)
{
    unpacking *u = self;
    if (n > u->max_bytes - u->n_bytes)
        u->n_bytes = u->max_bytes; // full: unpack() tells this from no memory
    else
        u->n_bytes += n;
    if (u->n_bytes == u->max_bytes)
        return NULL;
    void *memory = pn_arena_alloc(&u->arena, n);
    u->no_memory |= memory == NULL;
    return memory;
}

static void give(void *self, void *memory)
{
    (void)self, (void)memory; // the arena goes as a whole
}

static pn_status unpack(const char *file, pn_str bytes, unpacking *u, message **out, pn_error *err)
{
    ProtobufCAllocator allocator = {take, give, u};
    u->max_bytes = bytes.len * MAX_UNPACKED_RATIO + FREE_UNPACKED_BYTES;
    pn_arena_init(&u->arena, SIZE_MAX);
    *out = pn__sentencepiece__model__unpack(&allocator, bytes.len, (const uint8_t *)bytes.ptr);
    if (*out)
        return PN_OK;
    if (u->n_bytes == u->max_bytes)
        return pn_fail(err, PN_ERR_LIMIT, "%s: %zu bytes unpack to more than %zu", file, bytes.len,
                       u->max_bytes);
    return u->no_memory ? pn_fail_nomem(err)
                        : pn_fail(err, PN_ERR_CORRUPT, "%s: not a sentencepiece model", file);
}

/* ---- pieces ---- */

static bool is_reserved(int32_t type)
{
    return type == PN_PIECE_UNKNOWN || type == PN_PIECE_CONTROL || type == PN_PIECE_BYTE;
}

static pn_status check_piece(const char *file, size_t i, const piece_message *p, pn_error *err)
{
    if (p->piece.len == 0)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: piece %zu is empty", file, i);
    if (p->piece.len > PN_SENTENCEPIECE_MAX_PIECE_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "%s: piece %zu has %zu bytes, the limit is %d", file, i,
                       p->piece.len, PN_SENTENCEPIECE_MAX_PIECE_BYTES);
    if (memchr(p->piece.data, '\0', p->piece.len))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: piece %zu has a NUL in it", file, i);
    if (!isfinite(p->score))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: piece %zu has no finite score", file, i);
    if (p->type < PN_PIECE_NORMAL || p->type > PN_PIECE_BYTE)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: piece %zu is of an unknown type, %" PRId32,
                       file, i, p->type);
    return PN_OK;
}

static pn_status add_byte(pn_sentencepiece *m, const char *file, uint32_t i, pn_str text,
                          pn_error *err)
{
    char name[8];
    if (!m->byte_fallback)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: piece %" PRIu32 " is a byte in a model without byte fallback", file, i);
    for (unsigned b = 0; b < 256; b++) {
        (void)snprintf(name, sizeof name, "<0x%02X>", b);
        if (pn_str_is(text, name)) {
            m->byte_ids[b] = i;
            return PN_OK;
        }
    }
    return pn_fail(err, PN_ERR_CORRUPT, "%s: piece %" PRIu32 " is no byte like <0x41>", file, i);
}

static pn_status add_piece(pn_sentencepiece *m, const char *file, uint32_t i,
                           const piece_message *p, pn_error *err)
{
    pn_str text = {(const char *)p->piece.data, p->piece.len};
    uint32_t before;
    m->scores[i] = p->score;
    m->types[i] = (uint8_t)p->type;
    PN_TRY(
        pn_piece_trie_put(is_reserved(p->type) ? &m->reserved : &m->pieces, text, i, &before, err));
    if (before != PN_PIECE_NONE)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: pieces %" PRIu32 " and %" PRIu32 " are the same",
                       file, before, i);
    if (p->type == PN_PIECE_BYTE)
        return add_byte(m, file, i, text, err);
    if (p->type == PN_PIECE_USER_DEFINED)
        return pn_piece_trie_put(&m->user_defined, text, i, &before, err);
    if (p->type == PN_PIECE_UNUSED)
        m->n_unused++;
    if (p->type == PN_PIECE_UNKNOWN) {
        if (m->unknown_id != PN_PIECE_NONE)
            return pn_fail(err, PN_ERR_CORRUPT, "%s: two unknown pieces, %" PRIu32 " and %" PRIu32,
                           file, m->unknown_id, i);
        m->unknown_id = i;
    }
    if (p->type == PN_PIECE_NORMAL) {
        m->min_score = PN_MIN(m->min_score, p->score);
        m->max_score = PN_MAX(m->max_score, p->score);
    }
    return PN_OK;
}

/* BPE looks pieces up by text, reserved ones first: one of those must not be a thing that texts have. */
static pn_status check_reach(const pn_sentencepiece *m, const char *file, size_t i,
                             const piece_message *p, pn_error *err)
{
    pn_str text = {(const char *)p->piece.data, p->piece.len};
    if (m->segmentation == PN_SEGMENT_BPE && p->type == PN_PIECE_CONTROL &&
        (pn_sentencepiece_char_bytes(text) == text.len ||
         pn_piece_trie_find(&m->pieces, text) != PN_PIECE_NONE))
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: control piece %zu can stand in a text", file,
                       i);
    return PN_OK;
}

static pn_status add_pieces(pn_sentencepiece *m, const char *file, const message *in, pn_error *err)
{
    if (in->n_pieces == 0 || in->n_pieces >= PN_VOCABULARY_MAX_TOKENS)
        return pn_fail(err, in->n_pieces == 0 ? PN_ERR_CORRUPT : PN_ERR_LIMIT,
                       "%s: %zu pieces, 1 to %u are possible", file, in->n_pieces,
                       PN_VOCABULARY_MAX_TOKENS - 1);
    m->n_pieces = (uint32_t)in->n_pieces;
    m->scores = PN_ARENA_NEW(&m->arena, float, in->n_pieces);
    m->types = PN_ARENA_NEW(&m->arena, uint8_t, in->n_pieces);
    if (!m->scores || !m->types)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < in->n_pieces; i++) {
        PN_TRY(check_piece(file, i, in->pieces[i], err));
        PN_TRY(add_piece(m, file, (uint32_t)i, in->pieces[i], err));
    }
    for (size_t i = 0; i < in->n_pieces; i++)
        PN_TRY(check_reach(m, file, i, in->pieces[i], err));
    if (m->unknown_id == PN_PIECE_NONE)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: no unknown piece", file);
    if (m->pieces.n_nodes == 0)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: no piece that a text could have", file);
    for (unsigned b = 0; m->byte_fallback && b < 256; b++)
        if (m->byte_ids[b] == PN_PIECE_NONE)
            return pn_fail(err, PN_ERR_CORRUPT, "%s: byte fallback, but no piece <0x%02X>", file,
                           b);
    return PN_OK;
}

/* ---- settings ---- */

static pn_status read_trainer(pn_sentencepiece *m, const char *file,
                              const Pn__Sentencepiece__TrainerSpec *t, pn_error *err)
{
    static const char *const refused[] = {[3] = "words", [4] = "characters"};
    if (t->model_type == 3 || t->model_type == 4)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: a sentencepiece model of %s; unigram and BPE are supported", file,
                       refused[t->model_type]);
    if (t->model_type != PN_SEGMENT_UNIGRAM && t->model_type != PN_SEGMENT_BPE)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: a sentencepiece model of type %" PRId32, file,
                       t->model_type);
    m->segmentation = (pn_segmentation)t->model_type;
    m->byte_fallback = t->byte_fallback;
    m->space_as_suffix = t->treat_whitespace_as_suffix;
    m->traits.end_id = t->eos_id;
    m->traits.pad_id = t->pad_id;
    return PN_OK;
}

static pn_status read_normalizer(pn_sentencepiece *m, const char *file,
                                 const Pn__Sentencepiece__NormalizerSpec *n,
                                 pn_sentencepiece_prefix prefix, pn_error *err)
{
    pn_str rules = {(const char *)n->precompiled_charsmap.data, n->precompiled_charsmap.len};
    m->add_dummy_prefix = n->add_dummy_prefix && prefix == PN_SENTENCEPIECE_AS_TRAINED;
    m->remove_extra_spaces = n->remove_extra_whitespaces;
    m->escape_spaces = n->escape_whitespaces;
    if (rules.len == 0)
        return PN_OK;
    char *kept = pn_arena_alloc(&m->arena, rules.len);
    if (!kept)
        return pn_fail_nomem(err);
    memcpy(kept, rules.ptr, rules.len);
    pn_status status = pn_charsmap_parse((pn_str){kept, rules.len}, &m->charsmap, err);
    return status == PN_OK ? status : pn_fail_wrap(err, status, "%s: ", file);
}

static pn_status read_model(pn_sentencepiece *m, const char *file, const message *in,
                            pn_sentencepiece_prefix prefix, pn_error *err)
{
    const Pn__Sentencepiece__TrainerSpec usual_trainer = PN__SENTENCEPIECE__TRAINER_SPEC__INIT;
    const Pn__Sentencepiece__NormalizerSpec usual_normalizer =
        PN__SENTENCEPIECE__NORMALIZER_SPEC__INIT;
    PN_TRY(read_trainer(m, file, in->trainer_spec ? in->trainer_spec : &usual_trainer, err));
    PN_TRY(read_normalizer(m, file, in->normalizer_spec ? in->normalizer_spec : &usual_normalizer,
                           prefix, err));
    PN_TRY(add_pieces(m, file, in, err));
    if (m->traits.end_id < 0 || m->traits.end_id >= m->n_pieces)
        m->traits.end_id = -1;
    if (m->traits.pad_id < 0 || m->traits.pad_id >= m->n_pieces)
        m->traits.pad_id = -1;
    m->traits.n_pieces = m->n_pieces;
    m->traits.is_bpe = m->segmentation == PN_SEGMENT_BPE;
    return PN_OK;
}

pn_status pn_sentencepiece_parse(const char *file, pn_str bytes, pn_sentencepiece_prefix prefix,
                                 pn_sentencepiece **out, pn_error *err)
{
    unpacking u = {.n_bytes = 0};
    message *in = NULL;
    pn_status status = PN_OK;
    if (bytes.len > PN_SENTENCEPIECE_MAX_FILE_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "%s: %zu bytes, the limit is %u", file, bytes.len,
                       PN_SENTENCEPIECE_MAX_FILE_BYTES);
    pn_sentencepiece *m = pn_alloc_zero(sizeof *m);
    if (!m)
        return pn_fail_nomem(err);
    pn_arena_init(&m->arena, SIZE_MAX);
    m->unknown_id = PN_PIECE_NONE;
    m->min_score = FLT_MAX; // as the library begins; FLT_MIN is the least positive number
    m->max_score = FLT_MIN;
    memset(m->byte_ids, 0xFF, sizeof m->byte_ids);
    PN_GOTO(done, unpack(file, bytes, &u, &in, err));
    PN_GOTO(done, read_model(m, file, in, prefix, err));
    m->traits.fingerprint = pn_hash64(bytes.ptr, bytes.len);
    *out = m;
    m = NULL;
done:
    pn_arena_reset(&u.arena);
    pn_sentencepiece_free(m);
    return status;
}

pn_status pn_sentencepiece_load(const char *path, pn_sentencepiece_prefix prefix,
                                pn_sentencepiece **out, pn_error *err)
{
    pn_buffer bytes;
    pn_buffer_init(&bytes, PN_SENTENCEPIECE_MAX_FILE_BYTES);
    pn_status status = pn_str_ends_with(pn_str_of(path), ".json")
                           ? pn_sentencepiece_read_json(path, &bytes, err)
                           : pn_file_read(path, &bytes, err);
    if (status == PN_OK)
        status = pn_sentencepiece_parse(path, (pn_str){(const char *)bytes.data, bytes.n_bytes},
                                        prefix, out, err);
    pn_buffer_reset(&bytes);
    return status;
}

void pn_sentencepiece_free(pn_sentencepiece *model)
{
    if (!model)
        return;
    pn_piece_trie_free(&model->pieces);
    pn_piece_trie_free(&model->reserved);
    pn_piece_trie_free(&model->user_defined);
    pn_arena_reset(&model->arena);
    pn_free(model);
}
