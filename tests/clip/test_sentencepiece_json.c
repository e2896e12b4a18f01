/*
 * test_sentencepiece_json.c - tokenizer.json gives the ids of the model it was made from
 *
 * The golden models are turned into such files as the usual converter does (support/spiece_json.h); every golden string and
 * thousands of random texts then have the same ids by either file. The oracle test does the same for the models it trains.
 */
#include "clip/sentencepiece.h"

#include "base/buffer.h"
#include "base/rng.h"
#include "clip/tokenizer.h"
#include "support/golden.h"
#include "support/spiece_json.h"
#include "support/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <utf8proc.h>

#define TOKENIZERS "golden/clip/tokenizer"

enum { N_TEXTS = 3000, ROOM = 4096, CONTEXT = 64, TEXT_BYTES = 512 };

static uint8_t *read_golden(const char *name, size_t *n)
{
    char path[GOLDEN_PATH_BYTES];
    golden_require(TOKENIZERS, path);
    return golden_read_bytes(golden_join(path, name), n);
}

static json_t *json_of(const char *golden)
{
    size_t n;
    uint8_t *bytes = read_golden(golden, &n);
    json_t *json = spiece_json_make(bytes, n);
    golden_bytes_free(bytes);
    return json;
}

/* A folder with one tokenizer in it: the golden model under the name it has at the hub, or tokenizer.json. */
static void stage_tokenizer(stage *s, const char *golden, const char *name, const char *class)
{
    char config[128];
    size_t n;
    stage_make(s);
    (void)snprintf(config, sizeof config, "{\"tokenizer_class\": \"%s\"}", class);
    stage_write_text(s, "tokenizer_config.json", config);
    if (strcmp(name, "tokenizer.json") == 0) {
        json_t *json = json_of(golden);
        spiece_json_write(json, golden_join(s->dir, name));
        json_decref(json);
        return;
    }
    uint8_t *bytes = read_golden(golden, &n);
    stage_write(s, name, bytes, n);
    golden_bytes_free(bytes);
}

static pn_tokenizer *load(const stage *s)
{
    pn_tokenizer *t = NULL;
    pn_error err = {0};
    if (pn_tokenizer_load(s->dir, NULL, &t, &err) != PN_OK)
        fail_msg("%s", err.message);
    return t;
}

/* Words, any characters, and bytes that are no UTF-8. */
static pn_str random_text(pn_rng *rng, char out[TEXT_BYTES])
{
    static const char *const words[] = {"red",          "shoes",    "Caf\xC3\xA9",  "</s>", "<unk>",
                                        "don't",        "24/7",     "\xEF\xBC\xA1", " ",    "\t",
                                        "\xE2\x96\x81", "\xC2\xBD", "\xE7\xBA\xA2", "ing",  "un",
                                        "\xE3\x80\x80"};
    size_t n = 0;
    for (uint64_t i = pn_rng_below(rng, 24); i > 0; i--) {
        uint64_t kind = pn_rng_below(rng, 8);
        const char *word = words[pn_rng_below(rng, PN_COUNT_OF(words))];
        uint8_t bytes[4] = {(uint8_t)(0x80 + pn_rng_below(rng, 0x80))};
        utf8proc_int32_t c = (utf8proc_int32_t)(kind < 2   ? pn_rng_below(rng, 0x250)
                                                : kind < 3 ? pn_rng_below(rng, 0xD800)
                                                           : 'a' + pn_rng_below(rng, 26));
        size_t length = kind == 7 ? strlen(word)
                        : kind == 6 && pn_rng_below(rng, 4) == 0
                            ? 1
                            : (size_t)utf8proc_encode_char(PN_MAX(c, 1), bytes);
        memcpy(out + n, kind == 7 ? (const char *)word : (const char *)bytes, length);
        n += length;
    }
    return pn_str_make(out, n);
}

static void expect_same(const pn_tokenizer *a, const pn_tokenizer *b, pn_str text)
{
    uint32_t x[CONTEXT], y[CONTEXT];
    size_t n = 0, m = 0;
    pn_error err = {0};
    assert_int_equal(pn_tokenizer_encode(a, text, CONTEXT, x, &n, &err), PN_OK);
    assert_int_equal(pn_tokenizer_encode(b, text, CONTEXT, y, &m, &err), PN_OK);
    if (n != m || memcmp(x, y, n * sizeof *x) != 0)
        fail_msg("differs: \"%.*s\"", (int)text.len, text.ptr);
}

static size_t compare_golden_strings(const pn_tokenizer *a, const pn_tokenizer *b, const char *name)
{
    char path[GOLDEN_PATH_BYTES], *line = NULL;
    size_t capacity = 0, n = 0;
    golden_require(TOKENIZERS, path);
    FILE *file = fopen(golden_join(path, name), "r");
    assert_non_null(file);
    for (; getline(&line, &capacity, file) > 0; n++) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL), *text = json_object_get(row, "text");
        expect_same(a, b, pn_str_make(json_string_value(text), json_string_length(text)));
        json_decref(row);
    }
    free(line);
    (void)fclose(file);
    return n;
}

static void folders__have_the_same_ids_by_either_file(void **state)
{
    (void)state;
    static const struct {
        const char *golden, *strings, *name, *class;
    } rows[] = {{"sp-unigram.model", "sp-unigram.jsonl", "spiece.model", "SiglipTokenizer"},
                {"sp-unigram.model", "sp-unigram.jsonl", "spiece.model", "T5TokenizerFast"},
                {"sp-bpe.model", "sp-bpe.jsonl", "tokenizer.model", "GemmaTokenizerFast"}};
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        stage s, j;
        char text[TEXT_BYTES];
        pn_rng rng = pn_rng_seed(i);
        stage_tokenizer(&s, rows[i].golden, rows[i].name, rows[i].class);
        stage_tokenizer(&j, rows[i].golden, "tokenizer.json", rows[i].class);
        pn_tokenizer *a = load(&s), *b = load(&j);
        assert_int_equal(pn_tokenizer_end_id(a), pn_tokenizer_end_id(b));
        assert_int_equal(pn_tokenizer_pad_id(a), pn_tokenizer_pad_id(b));
        assert_int_equal(pn_tokenizer_vocabulary(a), pn_tokenizer_vocabulary(b));
        assert_in_range(compare_golden_strings(a, b, rows[i].strings), 25, 10000);
        for (size_t n = 0; n < N_TEXTS; n++)
            expect_same(a, b, random_text(&rng, text));
        pn_tokenizer_free(a);
        pn_tokenizer_free(b);
        stage_remove(&s);
        stage_remove(&j);
    }
}

/* ---- files that must be refused */

static void expect_refusal(const stage *s, const json_t *json, pn_status want, const char *named)
{
    pn_tokenizer *t = NULL;
    pn_error err = {0};
    spiece_json_write(json, golden_join(s->dir, "tokenizer.json"));
    pn_status status = pn_tokenizer_load(s->dir, NULL, &t, &err);
    if (status != want || !strstr(err.message, named))
        fail_msg("%d: \"%s\" does not say \"%s\"", (int)status, err.message, named);
    assert_null(t);
}

typedef struct damage {
    const char *key, *inner; /* json[key][inner], or json[key] */
    const char *value;
    pn_status status;
    const char *named;
} damage;

static void expect_refusals(const char *golden, const char *class, const damage *rows, size_t n)
{
    stage s;
    stage_tokenizer(&s, golden, "tokenizer.json", class);
    for (size_t i = 0; i < n; i++) {
        json_t *json = json_of(golden), *value = json_loads(rows[i].value, JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        json_t *object = rows[i].inner ? json_object_get(json, rows[i].key) : json;
        json_object_set_new(object, rows[i].inner ? rows[i].inner : rows[i].key, value);
        expect_refusal(&s, json, rows[i].status, rows[i].named);
        json_decref(json);
    }
    stage_remove(&s);
}

static void unigram__what_cannot_be_read_is_named(void **state)
{
    (void)state;
    static const damage rows[] = {
        {"model", "type", "\"WordPiece\"", PN_ERR_UNSUPPORTED, "WordPiece"},
        {"model", NULL, "null", PN_ERR_UNSUPPORTED, "(none)"},
        {"model", "vocab", "[]", PN_ERR_CORRUPT, "0 pieces"},
        {"model", "vocab", "[[\"a\"]]", PN_ERR_CORRUPT, "entry 0"},
        {"model", "vocab", "[[\"a\", \"b\"]]", PN_ERR_CORRUPT, "entry 0"},
        {"model", "vocab", "[[\"a\", -1], [\"a\", -2]]", PN_ERR_CORRUPT, "0 and 1"},
        {"model", "vocab", "[[\"\", -1]]", PN_ERR_CORRUPT, "0 bytes"},
        {"model", "vocab", "[[\"a\", -1e99]]", PN_ERR_CORRUPT, "another id"},
        {"model", "unk_id", "null", PN_ERR_CORRUPT, "no unknown piece"},
        {"added_tokens", NULL, "[{\"id\": 1}]", PN_ERR_CORRUPT, "entry 0"},
        {"added_tokens", NULL, "[{\"id\": 5, \"content\": \"</s>\"}]", PN_ERR_CORRUPT,
         "another id"},
        {"added_tokens", NULL, "[{\"id\": 5, \"content\": \"nowhere\"}]", PN_ERR_CORRUPT,
         "another id"},
        {"normalizer", NULL, "{\"type\": \"NFKC\"}", PN_ERR_UNSUPPORTED, "normalizer: NFKC"},
        {"normalizer", NULL, "{\"type\": \"Precompiled\"}", PN_ERR_CORRUPT, "precompiled_charsmap"},
        {"normalizer", NULL, "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"A*\"}",
         PN_ERR_CORRUPT, "precompiled_charsmap"},
        {"normalizer", NULL, "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAAAAAA\"}",
         PN_ERR_CORRUPT, "rules"},
        {"normalizer", NULL,
         "{\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}, \"content\": \"b\"}",
         PN_ERR_UNSUPPORTED, "Replace of \"a\""},
        {"pre_tokenizer", NULL, "{\"type\": \"ByteLevel\"}", PN_ERR_UNSUPPORTED, "ByteLevel"}};
    expect_refusals("sp-unigram.model", "SiglipTokenizer", rows, PN_COUNT_OF(rows));
}

static void bpe__what_cannot_be_read_is_named(void **state)
{
    (void)state;
    static const damage rows[] = {
        {"model", "vocab", "{\"a\": 1}", PN_ERR_CORRUPT, "\"a\""},
        {"model", "vocab", "{\"a\": 0, \"b\": 0}", PN_ERR_CORRUPT, "no id of its own"},
        {"model", "merges", "[\"a nowhere\"]", PN_ERR_CORRUPT, "entry 0"},
        {"model", "merges", "[[\"a\"]]", PN_ERR_CORRUPT, "entry 0"},
        {"model", "merges", "[3]", PN_ERR_CORRUPT, "entry 0"},
        {"pre_tokenizer", NULL, "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"x\"}}",
         PN_ERR_UNSUPPORTED, "Split"}};
    expect_refusals("sp-bpe.model", "GemmaTokenizer", rows, PN_COUNT_OF(rows));
}

static void json__alone_does_not_say_which_tokenizer_it_is(void **state)
{
    (void)state;
    stage s;
    stage_tokenizer(&s, "sp-unigram.model", "tokenizer.json", "SiglipTokenizer");
    stage_write_text(&s, "tokenizer_config.json", "{}");
    stage_write_text(&s, "config.json", "{\"model_type\": \"siglip\"}");
    json_t *json = json_of("sp-unigram.model");
    expect_refusal(&s, json, PN_ERR_NOT_FOUND, "tokenizer_config.json");
    json_decref(json);
    stage_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders__have_the_same_ids_by_either_file),
        cmocka_unit_test(unigram__what_cannot_be_read_is_named),
        cmocka_unit_test(bpe__what_cannot_be_read_is_named),
        cmocka_unit_test(json__alone_does_not_say_which_tokenizer_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
