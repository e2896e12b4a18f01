/*
 * test_sentencepiece.c - ids of the two golden models, SigLIP's handling on top, and models that must be refused
 *
 * The library as an oracle on thousands of texts is test_sentencepiece_oracle.c. Here: what it said once about 60 texts, models
 * built by hand for the rules that training does not reach (unused pieces, equal sums, nested user-defined symbols), damaged
 * files, missing memory, and words of a megabyte.
 */
#include "clip/sentencepiece.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "base/rng.h"
#include "clip/tokenizer.h"
#include "os/clock.h"
#include "support/golden.h"
#include "support/stage.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define TOKENIZERS "golden/clip/tokenizer"

enum { CONTEXT = 64, ROOM = 4096 };

static bool same_ids(const uint32_t *ids, size_t n, const json_t *want)
{
    if (json_array_size(want) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((json_int_t)ids[i] != json_integer_value(json_array_get(want, i)))
            return false;
    return true;
}

/* Call check(row, data) for each line of a golden file; it returns whether the row is as wanted. */
static void each_row(const char *name, bool (*check)(const json_t *row, const void *data),
                     const void *data, unsigned least)
{
    char path[GOLDEN_PATH_BYTES], *line = NULL;
    size_t capacity = 0;
    unsigned n = 0, same = 0;
    golden_require(TOKENIZERS, path);
    FILE *file = fopen(golden_join(path, name), "r");
    assert_non_null(file);
    while (getline(&line, &capacity, file) > 0) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
        assert_non_null(row);
        bool ok = check(row, data);
        n++;
        same += ok;
        if (!ok)
            print_message("differs: %.200s\n", line);
        json_decref(row);
    }
    free(line);
    (void)fclose(file);
    assert_true(n >= least);
    assert_int_equal(same, n);
}

static pn_sentencepiece *load_golden(const char *name)
{
    char path[GOLDEN_PATH_BYTES];
    pn_sentencepiece *model = NULL;
    pn_error err = {0};
    golden_require(TOKENIZERS, path);
    if (pn_sentencepiece_load(golden_join(path, name), PN_SENTENCEPIECE_AS_TRAINED, &model, &err) !=
        PN_OK)
        fail_msg("%s", err.message);
    return model;
}

static pn_str text_of(const json_t *row)
{
    const json_t *text = json_object_get(row, "text");
    return pn_str_make(json_string_value(text), json_string_length(text));
}

static bool has_library_ids(const json_t *row, const void *model)
{
    uint32_t ids[ROOM];
    size_t n = 0;
    pn_error err = {0};
    if (pn_sentencepiece_encode(model, text_of(row), ids, ROOM, &n, &err) != PN_OK)
        fail_msg("%s", err.message);
    return same_ids(ids, n, json_object_get(row, "sp_ids"));
}

static void encode__equals_the_library_on_every_golden_string(void **state)
{
    (void)state;
    pn_sentencepiece *unigram = load_golden("sp-unigram.model");
    each_row("sp-unigram.jsonl", has_library_ids, unigram, 25);
    assert_false(pn_sentencepiece_get_traits(unigram)->is_bpe);
    assert_int_equal(pn_sentencepiece_get_traits(unigram)->end_id, 1);
    pn_sentencepiece_free(unigram);
    pn_sentencepiece *bpe = load_golden("sp-bpe.model");
    each_row("sp-bpe.jsonl", has_library_ids, bpe, 25);
    assert_true(pn_sentencepiece_get_traits(bpe)->is_bpe);
    pn_sentencepiece_free(bpe);
}

/* ---- SigLIP ---- */

static bool has_siglip_ids(const json_t *row, const void *tokenizer)
{
    uint32_t ids[CONTEXT];
    size_t n = 0;
    pn_error err = {0};
    const json_t *want = json_object_get(row, "siglip_ids");
    if (!want)
        return true;
    if (pn_tokenizer_encode(tokenizer, text_of(row), CONTEXT, ids, &n, &err) != PN_OK)
        fail_msg("%s", err.message);
    return same_ids(ids, n, want);
}

static pn_tokenizer *load_tokenizer(const stage *s, const pn_tokenizer_options *options)
{
    pn_tokenizer *t = NULL;
    pn_error err = {0};
    if (pn_tokenizer_load(s->dir, options, &t, &err) != PN_OK)
        fail_msg("%s", err.message);
    return t;
}

/* A folder with one golden model under the name it has at the hub. */
static void stage_model(stage *s, const char *golden, const char *name)
{
    char path[GOLDEN_PATH_BYTES];
    size_t n;
    golden_require(TOKENIZERS, path);
    stage_make(s);
    uint8_t *bytes = golden_read_bytes(golden_join(path, golden), &n);
    stage_write(s, name, bytes, n);
    golden_bytes_free(bytes);
}

static void siglip__equals_its_tokenizer_on_every_golden_string(void **state)
{
    (void)state;
    stage s;
    stage_model(&s, "sp-unigram.model", "spiece.model");
    stage_write_text(&s, "tokenizer_config.json",
                     "{\"tokenizer_class\": \"SiglipTokenizer\", \"do_lower_case\": true,"
                     " \"pad_token\": \"</s>\", \"eos_token\": {\"content\": \"</s>\"}}");
    pn_tokenizer *t = load_tokenizer(&s, NULL);
    each_row("sp-unigram.jsonl", has_siglip_ids, t, 25);
    assert_true(pn_tokenizer_pads(t));
    assert_int_equal(pn_tokenizer_pad_id(t), 1);
    assert_int_equal(pn_tokenizer_end_id(t), 1);
    assert_int_equal(pn_tokenizer_start_id(t), PN_TOKENIZER_NO_ID);
    assert_string_equal(pn_tokenizer_kind_name(t), "sentencepiece");
    pn_tokenizer_free(t);
    stage_remove(&s);
}

static void siglip__is_what_a_bare_model_file_is_taken_for(void **state)
{
    (void)state;
    stage s;
    stage_model(&s, "sp-unigram.model", "spiece.model");
    pn_tokenizer *t = load_tokenizer(&s, NULL);
    each_row("sp-unigram.jsonl", has_siglip_ids, t, 25);
    pn_tokenizer_free(t);
    stage_remove(&s);
}

static void siglip__model_has_the_ids_it_was_run_with(void **state)
{
    (void)state;
    char dir[GOLDEN_PATH_BYTES];
    golden_array want;
    json_error_t fault;
    pn_tokenizer *t = NULL;
    pn_error err = {0};
    golden_require("golden/clip/models/siglip", dir);
    golden_load(golden_join(dir, "golden/input_ids.npy"), 'i', &want);
    json_t *texts = json_load_file(golden_join(dir, "golden/texts.json"), 0, &fault);
    assert_int_equal(want.dims[0], json_array_size(texts));
    if (pn_tokenizer_load(dir, NULL, &t, &err) != PN_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < want.dims[0]; i++) {
        uint32_t ids[CONTEXT];
        size_t n = 0, context = want.dims[1];
        const json_t *text = json_array_get(texts, i);
        assert_int_equal(
            pn_tokenizer_encode(t, pn_str_of(json_string_value(text)), context, ids, &n, &err),
            PN_OK);
        assert_int_equal(n, context);
        assert_memory_equal(ids, want.i32 + i * context, context * sizeof *ids);
    }
    json_decref(texts);
    golden_free(&want);
    pn_tokenizer_free(t);
}

static void expect_ids_equal(const pn_tokenizer *t, const char *text, const pn_sentencepiece *model,
                             const char *plain, uint32_t end, uint32_t pad)
{
    uint32_t ids[CONTEXT], want[CONTEXT];
    size_t n = 0, n_want = 0;
    pn_error err = {0};
    assert_int_equal(pn_tokenizer_encode(t, pn_str_of(text), CONTEXT, ids, &n, &err), PN_OK);
    assert_int_equal(n, CONTEXT);
    assert_int_equal(
        pn_sentencepiece_encode(model, pn_str_of(plain), want, CONTEXT - 1, &n_want, &err), PN_OK);
    want[n_want++] = end;
    while (n_want < CONTEXT)
        want[n_want++] = pad;
    assert_memory_equal(ids, want, sizeof ids);
}

/* open_clip repairs and canonicalises, then runs the bare model: Marqo-fashionSigLIP. */
static void siglip__of_open_clip_is_canonicalised(void **state)
{
    (void)state;
    stage s;
    stage_model(&s, "sp-unigram.model", "spiece.model");
    stage_write_text(&s, "open_clip_config.json",
                     "{\"model_cfg\": {\"text_cfg\": {\"hf_tokenizer_name\": \"x\","
                     " \"tokenizer_kwargs\": {\"clean\": \"canonicalize\"}}}}");
    pn_sentencepiece *model = load_golden("sp-unigram.model");
    pn_tokenizer *t = load_tokenizer(&s, NULL);
    expect_ids_equal(t, " Hello_World, it&#39;s  <b>RED</b>!", model, "hello world its bredb", 1,
                     1);
    expect_ids_equal(t, "", model, "", 1, 1);
    expect_ids_equal(t, "</s>", model, "s", 1, 1);
    pn_tokenizer_free(t);
    stage_write_text(&s, "tokenizer_config.json",
                     "{\"tokenizer_class\": \"T5TokenizerFast\", \"pad_token\": \"<pad>\"}");
    t = load_tokenizer(&s, NULL);
    expect_ids_equal(t, "A_b", model, "a b", 1, 0);
    pn_tokenizer_free(t);
    const pn_tokenizer_options bare = {PN_TOKENIZER_CASE_AS_FOUND, PN_TOKENIZER_CLEAN_NONE, "</s>"};
    t = load_tokenizer(&s, &bare);
    expect_ids_equal(t, "A_b!", model, "A_b!", 1, 1);
    pn_tokenizer_free(t);
    pn_sentencepiece_free(model);
    stage_remove(&s);
}

/* SigLIP 2: Gemma's BPE, lower case, end 1, pad 0, punctuation stays. */
static void siglip__of_gemma_is_lower_case(void **state)
{
    (void)state;
    stage s;
    stage_model(&s, "sp-bpe.model", "tokenizer.model");
    stage_write_text(&s, "tokenizer_config.json",
                     "{\"tokenizer_class\": \"GemmaTokenizer\", \"add_bos_token\": false,"
                     " \"add_eos_token\": true}");
    pn_sentencepiece *model = load_golden("sp-bpe.model");
    pn_tokenizer *t = load_tokenizer(&s, NULL);
    expect_ids_equal(t, "  Two RED Shoes! \xC3\x84\xF0\x9F\x98\x80 \xCE\xA3", model,
                     "  two red shoes! \xC3\xA4\xF0\x9F\x98\x80 \xCF\x83", 1, 0);
    uint64_t lower = pn_tokenizer_fingerprint(t);
    pn_tokenizer_free(t);
    const pn_tokenizer_options keep = {.letters = PN_TOKENIZER_CASE_KEEP};
    t = load_tokenizer(&s, &keep);
    expect_ids_equal(t, "RED \xFF", model, "RED \xFF", 1, 0);
    assert_true(pn_tokenizer_fingerprint(t) != lower);
    pn_tokenizer_free(t);
    pn_sentencepiece_free(model);
    stage_remove(&s);
}

static void siglip__cuts_and_still_ends(void **state)
{
    (void)state;
    stage s;
    stage_model(&s, "sp-unigram.model", "spiece.model");
    pn_tokenizer *t = load_tokenizer(&s, NULL);
    for (size_t room = 2; room < 12; room++) {
        uint32_t ids[16];
        size_t n = 0;
        pn_error err = {0};
        ids[room] = 0xABCD;
        assert_int_equal(pn_tokenizer_encode(t, PN_STR_LITERAL("a b c d e f g h i j k l m n o p"),
                                             room, ids, &n, &err),
                         PN_OK);
        assert_int_equal(n, room);
        assert_int_equal(ids[room - 1], 1);
        assert_true(ids[room - 2] != 1);
        assert_int_equal(ids[room], 0xABCD);
    }
    pn_tokenizer_free(t);
    stage_remove(&s);
}

/* ---- models made by hand ---- */

typedef struct piece {
    const char *text;
    float score;
    int type;
} piece;

static void put_varint(pn_buffer *b, uint64_t v)
{
    pn_error err = {0};
    do {
        uint8_t byte = (uint8_t)((v & 0x7F) | (v > 0x7F ? 0x80 : 0));
        assert_int_equal(pn_buffer_append(b, &byte, 1, &err), PN_OK);
        v >>= 7;
    } while (v > 0);
}

static void put_bytes(pn_buffer *b, unsigned field, const void *bytes, size_t n)
{
    pn_error err = {0};
    put_varint(b, field << 3 | 2);
    put_varint(b, n);
    assert_int_equal(pn_buffer_append(b, bytes, n, &err), PN_OK);
}

static void put_piece(pn_buffer *b, const piece *p)
{
    pn_buffer one;
    pn_error err = {0};
    pn_buffer_init(&one, 1u << 20);
    put_bytes(&one, 1, p->text, strlen(p->text));
    put_varint(&one, 2 << 3 | 5);
    assert_int_equal(pn_buffer_append(&one, &p->score, 4, &err), PN_OK);
    put_varint(&one, 3 << 3);
    put_varint(&one, (uint64_t)p->type);
    put_bytes(b, 1, one.data, one.n_bytes);
    pn_buffer_reset(&one);
}

enum { UNIGRAM = 1, BPE = 2 };

/* A model of pieces up to one without text; no rules, no blank in front. */
static void build(pn_buffer *b, int model_type, const piece *pieces)
{
    uint8_t trainer[] = {3 << 3, (uint8_t)model_type};
    static const uint8_t normalizer[] = {3 << 3, 0, 4 << 3, 0};
    pn_buffer_init(b, 32u << 20);
    for (; pieces->text; pieces++)
        put_piece(b, pieces);
    put_bytes(b, 2, trainer, sizeof trainer);
    put_bytes(b, 3, normalizer, sizeof normalizer);
}

static pn_str view(const pn_buffer *b)
{
    return pn_str_make((const char *)b->data, b->n_bytes);
}

static void expect(int model_type, const piece *pieces, const char *text, size_t n_want,
                   const uint32_t *want)
{
    pn_buffer b;
    pn_error err = {0};
    pn_sentencepiece *model = NULL;
    uint32_t ids[ROOM];
    size_t n = 0;
    build(&b, model_type, pieces);
    if (pn_sentencepiece_parse("hand", view(&b), PN_SENTENCEPIECE_AS_TRAINED, &model, &err) !=
        PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(pn_sentencepiece_encode(model, pn_str_of(text), ids, ROOM, &n, &err), PN_OK);
    assert_int_equal(n, n_want);
    assert_memory_equal(ids, want, n * sizeof *ids);
    pn_sentencepiece_free(model);
    pn_buffer_reset(&b);
}

static void bpe__takes_unused_pieces_apart_again(void **state)
{
    (void)state;
    const piece pieces[] = {{"<unk>", 0, 2}, {"a", -9, 1},   {"b", -9, 1},    {"c", -9, 1},
                            {"ab", -1, 5},   {"abc", -2, 1}, {"abab", -3, 5}, {NULL, 0, 0}};
    expect(BPE, pieces, "ab", 2, (const uint32_t[]){1, 2});
    expect(BPE, pieces, "abc", 1, (const uint32_t[]){5});
    expect(BPE, pieces, "abab", 4, (const uint32_t[]){1, 2, 1, 2});
    expect(BPE, pieces, "ababc", 3, (const uint32_t[]){1, 2, 5});
}

static void bpe__leaves_user_defined_symbols_whole(void **state)
{
    (void)state;
    const piece pieces[] = {{"<unk>", 0, 2}, {"a", -9, 1},   {"b", -9, 1}, {"ab", 0, 4},
                            {"abb", 0, 4},   {"aba", -1, 1}, {NULL, 0, 0}};
    expect(BPE, pieces, "abba", 2, (const uint32_t[]){4, 1});
    expect(BPE, pieces, "aba", 2, (const uint32_t[]){3, 1});
}

static void unigram__keeps_the_first_of_equal_sums(void **state)
{
    (void)state;
    const piece pieces[] = {{"<unk>", 0, 2}, {"a", -1, 1},  {"b", -1, 1}, {"c", -1, 1},
                            {"ab", -2, 1},   {"bc", -2, 1}, {NULL, 0, 0}};
    expect(UNIGRAM, pieces, "abc", 2, (const uint32_t[]){1, 5}); // a+bc is met before ab+c
    expect(UNIGRAM, pieces, "bc", 1, (const uint32_t[]){5});
    expect(UNIGRAM, pieces, "axyb", 3, (const uint32_t[]){1, 0, 2}); // unknown ones are one
}

static void unigram__passes_over_unused_pieces(void **state)
{
    (void)state;
    const piece pieces[] = {
        {"<unk>", 0, 2}, {"a", -1, 1}, {"b", -1, 5}, {"ab", -1, 5}, {NULL, 0, 0}};
    expect(UNIGRAM, pieces, "ab", 2, (const uint32_t[]){1, 0});
}

static void expect_refusal(int model_type, const piece *pieces, pn_status want, const char *named)
{
    pn_buffer b;
    pn_error err = {0};
    pn_sentencepiece *model = NULL;
    build(&b, model_type, pieces);
    pn_status status =
        pn_sentencepiece_parse("hand", view(&b), PN_SENTENCEPIECE_AS_TRAINED, &model, &err);
    pn_buffer_reset(&b);
    assert_int_equal(status, want);
    if (!strstr(err.message, named))
        fail_msg("\"%s\" does not say \"%s\"", err.message, named);
    assert_null(model);
}

static void parse__refuses_what_cannot_be_used(void **state)
{
    (void)state;
    char longest[600];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    const piece a = {"a", -1, 1}, unknown = {"<unk>", 0, 2}, none = {NULL, 0, 0};
    expect_refusal(3, (const piece[]){unknown, a, none}, PN_ERR_UNSUPPORTED, "words");
    expect_refusal(4, (const piece[]){unknown, a, none}, PN_ERR_UNSUPPORTED, "characters");
    expect_refusal(9, (const piece[]){unknown, a, none}, PN_ERR_UNSUPPORTED, "type 9");
    expect_refusal(BPE, (const piece[]){none}, PN_ERR_CORRUPT, "0 pieces");
    expect_refusal(BPE, (const piece[]){a, none}, PN_ERR_CORRUPT, "no unknown piece");
    expect_refusal(BPE, (const piece[]){unknown, none}, PN_ERR_CORRUPT, "no piece that a text");
    expect_refusal(BPE, (const piece[]){unknown, a, {"<u>", 0, 2}, none}, PN_ERR_CORRUPT,
                   "two unknown");
    expect_refusal(BPE, (const piece[]){unknown, a, a, none}, PN_ERR_CORRUPT, "1 and 2");
    expect_refusal(BPE, (const piece[]){unknown, {"", 0, 1}, none}, PN_ERR_CORRUPT, "empty");
    expect_refusal(BPE, (const piece[]){unknown, {"a", NAN, 1}, none}, PN_ERR_CORRUPT, "score");
    expect_refusal(BPE, (const piece[]){unknown, {"a", 0, 7}, none}, PN_ERR_UNSUPPORTED, "7");
    expect_refusal(BPE, (const piece[]){unknown, {longest, 0, 1}, none}, PN_ERR_LIMIT, "599");
    expect_refusal(BPE, (const piece[]){unknown, a, {"<0x41>", 0, 6}, none}, PN_ERR_CORRUPT,
                   "without byte fallback");
    expect_refusal(BPE, (const piece[]){unknown, a, {"b", 0, 3}, none}, PN_ERR_UNSUPPORTED,
                   "control piece 2");
}

/* Every cut-off and many single changed bytes of a real model: refused, or loaded and able to encode. */
static void parse__survives_damage(void **state)
{
    (void)state;
    char path[GOLDEN_PATH_BYTES];
    size_t n;
    pn_rng rng = pn_rng_seed(7);
    golden_require(TOKENIZERS "/sp-unigram.model", path);
    uint8_t *bytes = golden_read_bytes(path, &n);
    for (unsigned i = 0; i < 600; i++) {
        pn_sentencepiece *model = NULL;
        pn_error err = {0};
        size_t at = (size_t)pn_rng_below(&rng, n), length = i % 2 ? n : at;
        uint8_t before = bytes[at];
        bytes[at] ^= i % 2 ? (uint8_t)(1u << (i / 2 % 8)) : 0;
        pn_status status = pn_sentencepiece_parse("damaged", pn_str_make((char *)bytes, length),
                                                  PN_SENTENCEPIECE_AS_TRAINED, &model, &err);
        if (status == PN_OK) {
            uint32_t ids[CONTEXT];
            size_t n_ids = 0;
            status = pn_sentencepiece_encode(
                model, PN_STR_LITERAL("a Red \xEF\xBC\xA6\xE2\x84\xA2 caf\xC3\xA9\xFF"), ids,
                CONTEXT, &n_ids, &err);
            for (size_t k = 0; k < n_ids; k++)
                assert_true(ids[k] < pn_sentencepiece_get_traits(model)->n_pieces);
        }
        assert_true(status == PN_OK || err.message[0] != '\0');
        pn_sentencepiece_free(model);
        bytes[at] = before;
    }
    golden_bytes_free(bytes);
}

static void parse__bounds_what_a_small_file_can_cost(void **state)
{
    (void)state;
    pn_buffer b;
    pn_error err = {0};
    pn_sentencepiece *model = NULL;
    pn_buffer_init(&b, 16u << 20);
    for (size_t i = 0; i < (8u << 20) / 2; i++)
        assert_int_equal(pn_buffer_append(&b, "\x0A\x00", 2, &err), PN_OK);
    uint64_t before = pn_alloc_asked_bytes();
    pn_status status =
        pn_sentencepiece_parse("empty pieces", view(&b), PN_SENTENCEPIECE_AS_TRAINED, &model, &err);
    uint64_t cost = pn_alloc_asked_bytes() - before;
    assert_true(status == PN_ERR_LIMIT || status == PN_ERR_CORRUPT);
    print_message("8 MiB of empty pieces: %.0f MiB asked for, %s\n", (double)cost / (1 << 20),
                  err.message);
    assert_true(cost < (uint64_t)600 << 20);
    pn_buffer_reset(&b);
}

static void encode__is_quick_for_one_long_word(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "a",    "ab",           "the ", "\xC3\xA9",     "\xF0\x9F\x98\x80",
        "\xFF", "\xE2\x96\x81", " ",    "\xEF\xB7\xBA", "1"};
    pn_sentencepiece *models[] = {load_golden("sp-unigram.model"), load_golden("sp-bpe.model")};
    enum { BYTES = 1 << 20 };
    char *text = malloc(BYTES);
    assert_non_null(text);
    for (size_t m = 0; m < 2; m++)
        for (size_t p = 0; p < PN_COUNT_OF(patterns); p++) {
            uint32_t ids[CONTEXT];
            size_t n = 0, step = strlen(patterns[p]);
            pn_error err = {0};
            for (size_t i = 0; i + step <= BYTES; i += step)
                memcpy(text + i, patterns[p], step);
            int64_t start = pn_clock_monotonic_ns();
            pn_status status = pn_sentencepiece_encode(
                models[m], pn_str_make(text, BYTES / step * step), ids, CONTEXT, &n, &err);
            double ms = (double)(pn_clock_monotonic_ns() - start) / 1e6;
            assert_true(status == PN_OK || status == PN_ERR_LIMIT); // 11 times as long: too long
            print_message("%s, 1 MiB of %s: %.0f ms\n", m ? "bpe" : "unigram", patterns[p], ms);
            assert_true(ms < 20000); // a quadratic one would take hours
        }
    free(text);
    pn_sentencepiece_free(models[0]);
    pn_sentencepiece_free(models[1]);
}

static void tokenizer__reports_missing_memory_and_leaks_nothing(void **state)
{
    (void)state;
    stage s;
    stage_model(&s, "sp-unigram.model", "spiece.model");
    pn_status status = PN_ERR_NOMEM;
    int64_t live = pn_alloc_live();
    for (int64_t n = 1; status != PN_OK && n < 500; n++) {
        pn_tokenizer *t = NULL;
        pn_error err = {0};
        uint32_t ids[CONTEXT];
        size_t n_ids;
        pn_alloc_fail_after(n);
        status = pn_tokenizer_load(s.dir, NULL, &t, &err);
        if (status == PN_OK)
            status = pn_tokenizer_encode(t, PN_STR_LITERAL("caf\xC3\xA9 </s> & shoes"), CONTEXT,
                                         ids, &n_ids, &err);
        pn_alloc_fail_after(0);
        pn_tokenizer_free(t);
        assert_true(status == PN_OK || status == PN_ERR_NOMEM);
        assert_int_equal(pn_alloc_live(), live);
    }
    assert_int_equal(status, PN_OK);
    stage_remove(&s);
}

static void expect_folder_refusal(const stage *s, pn_status want, const char *named)
{
    pn_tokenizer *t = NULL;
    pn_error err = {0};
    assert_int_equal(pn_tokenizer_load(s->dir, NULL, &t, &err), want);
    if (!strstr(err.message, named))
        fail_msg("\"%s\" does not say \"%s\"", err.message, named);
    assert_null(t);
}

static void tokenizer__refuses_by_name(void **state)
{
    (void)state;
    stage s;
    stage_make(&s);
    stage_write_text(&s, "config.json", "{\"model_type\": \"siglip\"}");
    expect_folder_refusal(&s, PN_ERR_NOT_FOUND, "spiece.model");
    stage_write_text(&s, "tokenizer.json", "{\"model\": {\"type\": \"Unigram\"}}");
    expect_folder_refusal(&s, PN_ERR_NOT_FOUND, "tokenizer_config.json");
    stage_remove(&s);
    stage_model(&s, "sp-bpe.model", "tokenizer.model");
    stage_write_text(&s, "tokenizer_config.json", "{\"tokenizer_class\": \"LlamaTokenizer\"}");
    expect_folder_refusal(&s, PN_ERR_UNSUPPORTED, "LlamaTokenizer");
    stage_write_text(&s, "tokenizer_config.json",
                     "{\"tokenizer_class\": \"GemmaTokenizer\", \"add_bos_token\": true}");
    expect_folder_refusal(&s, PN_ERR_UNSUPPORTED, "add_bos_token");
    stage_write_text(&s, "tokenizer_config.json",
                     "{\"tokenizer_class\": \"GemmaTokenizer\", \"eos_token\": \"<nope>\"}");
    expect_folder_refusal(&s, PN_ERR_CORRUPT, "<nope>");
    stage_write_text(&s, "tokenizer_config.json", "{\"tokenizer_class\": \"GemmaTokenizer\"}");
    stage_write_text(&s, "open_clip_config.json",
                     "{\"model_cfg\": {\"text_cfg\": {\"tokenizer_kwargs\": {\"clean\": \"x\"}}}}");
    expect_folder_refusal(&s, PN_ERR_UNSUPPORTED, "tokenizer_kwargs.clean");
    stage_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encode__equals_the_library_on_every_golden_string),
        cmocka_unit_test(siglip__equals_its_tokenizer_on_every_golden_string),
        cmocka_unit_test(siglip__is_what_a_bare_model_file_is_taken_for),
        cmocka_unit_test(siglip__model_has_the_ids_it_was_run_with),
        cmocka_unit_test(siglip__of_open_clip_is_canonicalised),
        cmocka_unit_test(siglip__of_gemma_is_lower_case),
        cmocka_unit_test(siglip__cuts_and_still_ends),
        cmocka_unit_test(bpe__takes_unused_pieces_apart_again),
        cmocka_unit_test(bpe__leaves_user_defined_symbols_whole),
        cmocka_unit_test(unigram__keeps_the_first_of_equal_sums),
        cmocka_unit_test(unigram__passes_over_unused_pieces),
        cmocka_unit_test(parse__refuses_what_cannot_be_used),
        cmocka_unit_test(parse__survives_damage),
        cmocka_unit_test(parse__bounds_what_a_small_file_can_cost),
        cmocka_unit_test(encode__is_quick_for_one_long_word),
        cmocka_unit_test(tokenizer__reports_missing_memory_and_leaks_nothing),
        cmocka_unit_test(tokenizer__refuses_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
