/*
 * sentencepiece_json.c - the other file a sentencepiece model comes in
 *
 * Many folders hold a tokenizer.json and no spiece.model. It was made from one, and what the model is made of is all there:
 *
 *     tokenizer.json                                    sentencepiece.proto
 *     model.vocab       [[piece, score], ...]           pieces, in their order         Unigram
 *                       {piece: id, ...}                                               BPE
 *     model.merges      pairs, the first wins           scores: minus the place        BPE
 *     model.unk_id, unk_token                           which one is the unknown piece
 *     model.byte_fallback                               pieces like <0x41> are bytes
 *     added_tokens      special, or not                 control pieces, user-defined ones
 *     normalizer        Precompiled: base64             rules
 *                       Strip, or Replace of " {2,}"    extra white space is removed
 *     pre_tokenizer     Metaspace                       a blank in front, or none
 *
 * So it is written as the message that the library would have written and read by sentencepiece_model.c: one reader of models and
 * one set of checks. Ids are then those of the sentencepiece model, which the network was trained with. The library that runs
 * this file itself deviates from them in places (its normaliser goes by grapheme clusters, its BPE by pairs instead of scores).
 *
 * Two things the file does not say. A piece of score 0 that is no added token is a control piece: the score of others is the logarithm
 * of a probability. Pieces that the model marks as unused are normal here; published models have none. SigLIP's own steps in
 * front of the model (lower case, punctuation) are siglip_text.c's, as tokenizer_config.json names them; they are passed over here.
 */
#include "clip/sentencepiece_json.h"

#include "base/arena.h"
#include "base/base64.h"
#include "clip/internal.h"
#include "clip/sentencepiece_model.h"
#include "clip/vocabulary.h"

#include <sentencepiece.pb-c.h>
#include <stdio.h>

typedef Pn__Sentencepiece__Model message;
typedef Pn__Sentencepiece__Piece piece_message;

typedef struct reader {
    const char *path;
    const json_t *root, *model;
    pn_arena arena;
    piece_message *pieces; /* [n] */
    size_t n;
    pn_piece_trie ids; /* piece -> id */
    Pn__Sentencepiece__TrainerSpec trainer;
    Pn__Sentencepiece__NormalizerSpec normalizer;
} reader;

static const char *type_of(const json_t *object)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    return type ? type : "(none)";
}

static bool is_type(const json_t *object, const char *type)
{
    return strcmp(type_of(object), type) == 0;
}

static pn_str text_of(const json_t *string)
{
    return (pn_str){json_string_value(string), json_string_length(string)};
}

/* ---- pieces */

static pn_status make_pieces(reader *r, size_t n, pn_error *err)
{
    if (n == 0 || n >= PN_VOCABULARY_MAX_TOKENS)
        return pn_fail(err, n == 0 ? PN_ERR_CORRUPT : PN_ERR_LIMIT,
                       "%s: %zu pieces, 1 to %u are possible", r->path, n,
                       PN_VOCABULARY_MAX_TOKENS - 1);
    r->n = n;
    r->pieces = PN_ARENA_NEW(&r->arena, piece_message, n);
    return r->pieces ? PN_OK : pn_fail_nomem(err);
}

/* The text is json's and lives as long as the file. */
static pn_status put_piece(reader *r, size_t id, pn_str text, double score, pn_error *err)
{
    uint32_t before;
    piece_message *p = &r->pieces[id];
    if (text.len == 0 || text.len > PN_SENTENCEPIECE_MAX_PIECE_BYTES)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: piece %zu has %zu bytes", r->path, id, text.len);
    pn__sentencepiece__piece__init(p);
    p->has_piece = p->has_score = p->has_type = true;
    p->piece = (ProtobufCBinaryData){text.len, (uint8_t *)(uintptr_t)text.ptr}; // only packed
    p->score = (float)score;
    p->type = PN_PIECE_NORMAL;
    PN_TRY(pn_piece_trie_put(&r->ids, text, (uint32_t)id, &before, err));
    if (before != PN_PIECE_NONE)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: pieces %u and %zu are the same", r->path, before,
                       id);
    return PN_OK;
}

static pn_status read_unigram(reader *r, pn_error *err)
{
    const json_t *vocab = json_object_get(r->model, "vocab"), *unknown;
    PN_TRY(make_pieces(r, json_array_size(vocab), err));
    for (size_t i = 0; i < r->n; i++) {
        const json_t *row = json_array_get(vocab, i), *text = json_array_get(row, 0);
        const json_t *score = json_array_get(row, 1);
        if (json_array_size(row) != 2 || !json_is_string(text) || !json_is_number(score))
            return pn_fail(err, PN_ERR_CORRUPT, "%s: model.vocab: entry %zu is no [piece, score]",
                           r->path, i);
        PN_TRY(put_piece(r, i, text_of(text), json_number_value(score), err));
        if (json_number_value(score) == 0)
            r->pieces[i].type = PN_PIECE_CONTROL;
    }
    unknown = json_object_get(r->model, "unk_id");
    if (json_is_integer(unknown) && json_integer_value(unknown) >= 0 &&
        (size_t)json_integer_value(unknown) < r->n)
        r->pieces[json_integer_value(unknown)].type = PN_PIECE_UNKNOWN;
    r->trainer.model_type = PN_SEGMENT_UNIGRAM;
    return PN_OK;
}

static pn_status read_ids(reader *r, pn_error *err)
{
    json_t *vocab = json_object_get(r->model, "vocab"), *value;
    const char *key;
    size_t length;
    PN_TRY(make_pieces(r, json_object_size(vocab), err));
    json_object_keylen_foreach(vocab, key, length, value)
    {
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || (size_t)id >= r->n || r->pieces[id].has_piece)
            return pn_fail(err, PN_ERR_CORRUPT,
                           "%s: piece \"%.40s\" has no id of its own below %zu", r->path, key,
                           r->n);
        PN_TRY(put_piece(r, (size_t)id, (pn_str){key, length}, 0, err));
    }
    return PN_OK;
}

/* "a b" or ["a", "b"]: the piece that they make, or PN_PIECE_NONE. */
static uint32_t merged_piece(const reader *r, const json_t *merge)
{
    pn_str left = text_of(json_array_get(merge, 0)), right = text_of(json_array_get(merge, 1));
    if (json_is_string(merge)) {
        right = text_of(merge);
        left = pn_str_split(&right, ' ');
    }
    uint32_t node = left.ptr && left.len > 0 && right.ptr && right.len > 0
                        ? pn_piece_trie_walk(&r->ids, PN_PIECE_ROOT, left)
                        : PN_PIECE_NONE;
    node = node == PN_PIECE_NONE ? node : pn_piece_trie_walk(&r->ids, node, right);
    return node == PN_PIECE_NONE ? node : pn_piece_trie_value(&r->ids, node);
}

/* The better a piece's score, the earlier its merges: they were sorted by it. */
static pn_status read_bpe(reader *r, pn_error *err)
{
    const json_t *merges = json_object_get(r->model, "merges");
    float rank = 0;
    PN_TRY(read_ids(r, err));
    for (size_t i = 0; i < json_array_size(merges); i++) {
        uint32_t id = merged_piece(r, json_array_get(merges, i));
        if (id == PN_PIECE_NONE)
            return pn_fail(err, PN_ERR_CORRUPT, "%s: model.merges: entry %zu makes no piece",
                           r->path, i);
        if (r->pieces[id].score == 0)
            r->pieces[id].score = -++rank; // whole numbers up to 2^22 pieces
    }
    const json_t *unknown = json_object_get(r->model, "unk_token");
    uint32_t id =
        json_is_string(unknown) ? pn_piece_trie_find(&r->ids, text_of(unknown)) : PN_PIECE_NONE;
    if (id != PN_PIECE_NONE)
        r->pieces[id].type = PN_PIECE_UNKNOWN;
    r->trainer.model_type = PN_SEGMENT_BPE;
    return PN_OK;
}

static void mark_bytes(reader *r)
{
    char name[8];
    for (unsigned b = 0; b < 256; b++) {
        (void)snprintf(name, sizeof name, "<0x%02X>", b);
        uint32_t id = pn_piece_trie_find(&r->ids, pn_str_of(name));
        if (id != PN_PIECE_NONE)
            r->pieces[id].type = PN_PIECE_BYTE;
    }
}

/* Tokens added behind the vocabulary have no row in the model's weights. */
static pn_status mark_added(reader *r, pn_error *err)
{
    const json_t *added = json_object_get(r->root, "added_tokens");
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *token = json_array_get(added, i);
        const json_t *text = json_object_get(token, "content"), *id = json_object_get(token, "id");
        if (!json_is_string(text) || !json_is_integer(id))
            return pn_fail(err, PN_ERR_CORRUPT, "%s: added_tokens: entry %zu has no id and content",
                           r->path, i);
        uint32_t there = pn_piece_trie_find(&r->ids, text_of(text));
        if (there == PN_PIECE_NONE && json_integer_value(id) >= (json_int_t)r->n)
            continue;
        if ((json_int_t)there != json_integer_value(id))
            return pn_fail(err, PN_ERR_CORRUPT,
                           "%s: added_tokens: \"%.40s\" has another id in the vocabulary", r->path,
                           json_string_value(text));
        if (r->pieces[there].type != PN_PIECE_UNKNOWN)
            r->pieces[there].type = json_is_true(json_object_get(token, "special"))
                                        ? PN_PIECE_CONTROL
                                        : PN_PIECE_USER_DEFINED;
    }
    return PN_OK;
}

static int32_t id_of(const reader *r, const char *const *names)
{
    for (; *names; names++) {
        uint32_t id = pn_piece_trie_find(&r->ids, pn_str_of(*names));
        if (id != PN_PIECE_NONE)
            return (int32_t)id;
    }
    return -1;
}

static pn_status read_pieces(reader *r, pn_error *err)
{
    static const char *const ends[] = {"</s>", "<eos>", NULL}, *const pads[] = {"<pad>", NULL};
    bool unigram = is_type(r->model, "Unigram");
    if (!unigram && !is_type(r->model, "BPE"))
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: a model of the kind %s; Unigram and BPE are supported", r->path,
                       type_of(r->model));
    PN_TRY(unigram ? read_unigram(r, err) : read_bpe(r, err));
    r->trainer.byte_fallback = json_is_true(json_object_get(r->model, "byte_fallback"));
    if (r->trainer.byte_fallback)
        mark_bytes(r);
    PN_TRY(mark_added(r, err));
    r->trainer.has_model_type = r->trainer.has_byte_fallback = true;
    r->trainer.has_eos_id = r->trainer.has_pad_id = true;
    r->trainer.eos_id = id_of(r, ends);
    r->trainer.pad_id = id_of(r, pads);
    return PN_OK;
}

/* ---- normalisation */

static pn_status read_rules(reader *r, const json_t *step, pn_error *err)
{
    const json_t *text = json_object_get(step, "precompiled_charsmap");
    uint8_t *bytes;
    size_t n;
    pn_status status = json_is_string(text)
                           ? pn_base64_decode(text_of(text), &r->arena, &bytes, &n, err)
                           : pn_fail(err, PN_ERR_CORRUPT, "is not a text");
    if (status != PN_OK)
        return pn_fail_wrap(err, status == PN_ERR_INVALID ? PN_ERR_CORRUPT : status,
                            "%s: precompiled_charsmap: ", r->path);
    r->normalizer.precompiled_charsmap = (ProtobufCBinaryData){n, bytes};
    r->normalizer.has_precompiled_charsmap = true;
    return PN_OK;
}

/* Blanks made of runs of them, or of one (which only writes it as the model does), or what SigLIP takes out. */
static pn_status read_replace(reader *r, const json_t *step, pn_error *err)
{
    const json_t *pattern = json_object_get(step, "pattern");
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));
    const char *string = json_string_value(json_object_get(pattern, "String"));
    const char *content = json_string_value(json_object_get(step, "content"));
    bool to_blank =
        content && (strcmp(content, " ") == 0 || strcmp(content, PN_SENTENCEPIECE_SPACE) == 0);
    if (string && strcmp(string, " ") == 0 && to_blank)
        return PN_OK;
    if (regex && to_blank && (strcmp(regex, " {2,}") == 0 || strcmp(regex, "\\s+") == 0))
        r->normalizer.remove_extra_whitespaces = true;
    else if (!regex || !content || content[0] != '\0')
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: normalizer: Replace of \"%.60s\"", r->path,
                       regex    ? regex
                       : string ? string
                                : "(nothing)");
    return PN_OK;
}

static pn_status read_step(reader *r, const json_t *step, pn_error *err)
{
    if (is_type(step, "Precompiled"))
        return read_rules(r, step, err);
    if (is_type(step, "Replace"))
        return read_replace(r, step, err);
    if (is_type(step, "Strip"))
        r->normalizer.remove_extra_whitespaces = true;
    else if (!is_type(step, "Lowercase"))
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: normalizer: %s", r->path, type_of(step));
    return PN_OK;
}

/* One step before the pieces: a blank in front, or words cut at blanks, which removes them where there are more. Gemma's Split goes
 * by blanks that its normalizer has replaced: it never cuts. */
static pn_status read_cut(reader *r, const json_t *step, pn_error *err)
{
    const char *string =
        json_string_value(json_object_get(json_object_get(step, "pattern"), "String"));
    const char *scheme = json_string_value(json_object_get(step, "prepend_scheme"));
    if (is_type(step, "Metaspace"))
        r->normalizer.add_dummy_prefix =
            scheme ? strcmp(scheme, "never") != 0
                   : !json_is_false(json_object_get(step, "add_prefix_space"));
    else if (is_type(step, "WhitespaceSplit"))
        r->normalizer.remove_extra_whitespaces = true;
    else if (!is_type(step, "Split") || !string || strcmp(string, " ") != 0)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: pre_tokenizer: %s", r->path, type_of(step));
    return PN_OK;
}

typedef pn_status (*step_fn)(reader *r, const json_t *step, pn_error *err);

/* A step, or a sequence of them; null: none. */
static pn_status each_step(reader *r, const char *key, const char *list, step_fn read,
                           pn_error *err)
{
    const json_t *step = json_object_get(r->root, key);
    if (!step || json_is_null(step))
        return PN_OK;
    if (!is_type(step, "Sequence"))
        return read(r, step, err);
    const json_t *steps = json_object_get(step, list);
    for (size_t i = 0; i < json_array_size(steps); i++)
        PN_TRY(read(r, json_array_get(steps, i), err));
    return PN_OK;
}

static pn_status read_settings(reader *r, pn_error *err)
{
    r->normalizer.has_add_dummy_prefix = r->normalizer.has_remove_extra_whitespaces = true;
    r->normalizer.add_dummy_prefix = r->normalizer.remove_extra_whitespaces = false;
    PN_TRY(each_step(r, "normalizer", "normalizers", read_step, err));
    return each_step(r, "pre_tokenizer", "pretokenizers", read_cut, err);
}

/* ---- the door */

static pn_status pack(reader *r, pn_buffer *out, pn_error *err)
{
    message m = PN__SENTENCEPIECE__MODEL__INIT;
    m.n_pieces = r->n;
    m.pieces = PN_ARENA_NEW(&r->arena, piece_message *, r->n);
    if (!m.pieces)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < r->n; i++)
        m.pieces[i] = &r->pieces[i];
    m.trainer_spec = &r->trainer;
    m.normalizer_spec = &r->normalizer;
    PN_TRY(pn_buffer_reserve(out, pn__sentencepiece__model__get_packed_size(&m), err));
    out->n_bytes += pn__sentencepiece__model__pack(&m, out->data + out->n_bytes);
    return PN_OK;
}

pn_status pn_sentencepiece_read_json(const char *path, pn_buffer *out, pn_error *err)
{
    json_t *root = NULL;
    reader r = {.path = path};
    pn_status status = PN_OK;
    pn_arena_init(&r.arena, SIZE_MAX);
    pn__sentencepiece__trainer_spec__init(&r.trainer);
    pn__sentencepiece__normalizer_spec__init(&r.normalizer);
    PN_GOTO(done, pn_json_read(path, &root, err));
    r.root = root;
    r.model = json_object_get(root, "model");
    PN_GOTO(done, read_pieces(&r, err));
    PN_GOTO(done, read_settings(&r, err));
    status = pack(&r, out, err);
done:
    pn_piece_trie_free(&r.ids);
    pn_arena_reset(&r.arena);
    json_decref(root);
    return status;
}
