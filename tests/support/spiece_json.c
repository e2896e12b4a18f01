/*
 * spiece_json.c - what transformers' convert_slow_tokenizer makes of a model
 *
 * Unigram: pieces with their scores, in order. BPE: pieces with their ids, and all pairs of pieces that make a third, those of the
 * best scores first. Control, unknown and user-defined pieces are added tokens; the rules of normalisation are base64.
 */
#include "support/spiece_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants them first */
#include <cmocka.h>
#include <sentencepiece.pb-c.h>

typedef Pn__Sentencepiece__Model message;
typedef Pn__Sentencepiece__Piece piece;

static json_t *text_of(const piece *p)
{
    json_t *text = json_stringn((const char *)p->piece.data, p->piece.len);
    assert_non_null(text);
    return text;
}

static json_t *base64(const uint8_t *bytes, size_t n)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc(n / 3 * 4 + 5), *at = text;
    assert_non_null(text);
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < n ? bytes[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            *at++ = i + k <= n ? letters[bits >> (18 - 6 * k) & 63] : '=';
    }
    json_t *out = json_stringn(text, (size_t)(at - text));
    free(text);
    return out;
}

static json_t *added_tokens(const message *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->n_pieces; i++)
        if (m->pieces[i]->type >= 2 && m->pieces[i]->type <= 4)
            json_array_append_new(list, json_pack("{sIsosb}", "id", (json_int_t)i, "content",
                                                  text_of(m->pieces[i]), "special",
                                                  m->pieces[i]->type != 4));
    return list;
}

static json_t *normalizer(const Pn__Sentencepiece__NormalizerSpec *n)
{
    json_t *steps = json_array();
    if (n->precompiled_charsmap.len > 0)
        json_array_append_new(
            steps, json_pack("{ssso}", "type", "Precompiled", "precompiled_charsmap",
                             base64(n->precompiled_charsmap.data, n->precompiled_charsmap.len)));
    if (n->remove_extra_whitespaces) {
        json_array_append_new(
            steps, json_pack("{sssbsb}", "type", "Strip", "strip_left", 0, "strip_right", 1));
        json_array_append_new(steps, json_pack("{sss{ss}ss}", "type", "Replace", "pattern", "Regex",
                                               " {2,}", "content", "\xE2\x96\x81"));
    }
    return json_pack("{ssso}", "type", "Sequence", "normalizers", steps);
}

static json_t *unigram(const message *m)
{
    json_t *vocab = json_array();
    int unknown = 0;
    for (size_t i = 0; i < m->n_pieces; i++) {
        json_array_append_new(
            vocab, json_pack("[of]", text_of(m->pieces[i]), (double)m->pieces[i]->score));
        if (m->pieces[i]->type == 2)
            unknown = (int)i;
    }
    return json_pack("{sssosi}", "type", "Unigram", "vocab", vocab, "unk_id", unknown);
}

typedef struct merge {
    const piece *whole;
    size_t left_bytes;
    json_int_t left, right; /* ids */
} merge;

/* As the converter sorts them: by the score of the whole, then by the parts' ids. */
static int by_score(const void *a, const void *b)
{
    const merge *x = a, *y = b;
    if (x->whole->score != y->whole->score)
        return x->whole->score > y->whole->score ? -1 : 1;
    if (x->left != y->left)
        return x->left < y->left ? -1 : 1;
    return x->right < y->right ? -1 : x->right > y->right;
}

static json_int_t find(const json_t *vocab, const uint8_t *text, size_t n)
{
    const json_t *id = json_object_getn(vocab, (const char *)text, n);
    return id ? json_integer_value(id) : -1;
}

static void add_merges(const json_t *vocab, const piece *p, merge **merges, size_t *n)
{
    for (size_t cut = 1; cut < p->piece.len; cut++) {
        json_int_t left = find(vocab, p->piece.data, cut);
        json_int_t right = find(vocab, p->piece.data + cut, p->piece.len - cut);
        if (left < 0 || right < 0)
            continue;
        *merges = realloc(*merges, (*n + 1) * sizeof **merges);
        assert_non_null(*merges);
        (*merges)[(*n)++] = (merge){p, cut, left, right};
    }
}

static json_t *merge_list(const message *m, const json_t *vocab)
{
    merge *merges = NULL;
    size_t n = 0;
    for (size_t i = 0; i < m->n_pieces; i++)
        add_merges(vocab, m->pieces[i], &merges, &n);
    if (n > 0)
        qsort(merges, n, sizeof *merges, by_score);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const char *text = (const char *)merges[i].whole->piece.data;
        size_t cut = merges[i].left_bytes;
        json_array_append_new(
            list, json_pack("[oo]", json_stringn(text, cut),
                            json_stringn(text + cut, merges[i].whole->piece.len - cut)));
    }
    free(merges);
    return list;
}

static json_t *bpe(const message *m)
{
    json_t *vocab = json_object(), *unknown = NULL;
    for (size_t i = 0; i < m->n_pieces; i++) {
        const piece *p = m->pieces[i];
        json_object_setn_new(vocab, (const char *)p->piece.data, p->piece.len,
                             json_integer((json_int_t)i));
        if (p->type == 2)
            unknown = text_of(p);
    }
    json_t *merges = merge_list(m, vocab);
    return json_pack("{sssososo}", "type", "BPE", "vocab", vocab, "merges", merges, "unk_token",
                     unknown);
}

json_t *spiece_json_make(const uint8_t *model, size_t n)
{
    message *m = pn__sentencepiece__model__unpack(NULL, n, model);
    assert_non_null(m);
    json_t *inner = m->trainer_spec->model_type == 1 ? unigram(m) : bpe(m);
    json_object_set_new(inner, "byte_fallback", json_boolean(m->trainer_spec->byte_fallback));
    json_t *out =
        json_pack("{sssososo s{sssssssb}}", "version", "1.0", "added_tokens", added_tokens(m),
                  "normalizer", normalizer(m->normalizer_spec), "model", inner, "pre_tokenizer",
                  "type", "Metaspace", "replacement", "\xE2\x96\x81", "prepend_scheme",
                  m->normalizer_spec->add_dummy_prefix ? "always" : "never", "split", 1);
    assert_non_null(out);
    pn__sentencepiece__model__free_unpacked(m, NULL);
    return out;
}

void spiece_json_write(const json_t *json, const char *path)
{
    assert_int_equal(json_dump_file(json, path, JSON_REAL_PRECISION(17)), 0);
}
