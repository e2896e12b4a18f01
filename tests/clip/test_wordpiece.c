/*
 * test_wordpiece.c - ids against Chinese-CLIP's own tokenizer, BERT's rules one by one, and vocabularies that must be refused
 */
#include "clip/wordpiece.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "clip/tokenizer.h"
#include "os/clock.h"
#include "support/golden.h"
#include "support/stage.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { CONTEXT = 52 };

/* A folder as the hub has it, with the published vocabulary. */
static pn_tokenizer *load_published(const char *config)
{
    stage s;
    char path[GOLDEN_PATH_BYTES];
    size_t n;
    pn_tokenizer *t = NULL;
    pn_error err = {0};
    golden_require("golden/clip/bert-vocab-zh.txt", path);
    stage_make(&s);
    uint8_t *bytes = golden_read_bytes(path, &n);
    stage_write(&s, "vocab.txt", bytes, n);
    golden_bytes_free(bytes);
    if (config)
        stage_write_text(&s, "tokenizer_config.json", config);
    pn_status status = pn_tokenizer_load(s.dir, NULL, &t, &err);
    stage_remove(&s);
    if (status != PN_OK)
        fail_msg("%s", err.message);
    return t;
}

static bool has_ids(const pn_tokenizer *t, const json_t *row)
{
    uint32_t ids[CONTEXT];
    size_t n = 0;
    pn_error err = {0};
    const json_t *text = json_object_get(row, "text"), *want = json_object_get(row, "ids");
    if (pn_tokenizer_encode(t, pn_str_make(json_string_value(text), json_string_length(text)),
                            CONTEXT, ids, &n, &err) != PN_OK)
        fail_msg("%s", err.message);
    bool same = n == json_array_size(want);
    for (size_t i = 0; same && i < n; i++)
        same = (json_int_t)ids[i] == json_integer_value(json_array_get(want, i));
    return same;
}

static void encode__equals_chinese_clip_on_every_golden_string(void **state)
{
    (void)state;
    char path[GOLDEN_PATH_BYTES], *line = NULL;
    size_t capacity = 0;
    unsigned n = 0, same = 0;
    golden_require("golden/clip/tokenizer/chinese-wordpiece.jsonl", path);
    pn_tokenizer *t = load_published(NULL);
    assert_int_equal(pn_tokenizer_vocabulary(t), 21128);
    assert_int_equal(pn_tokenizer_start_id(t), 101);
    assert_int_equal(pn_tokenizer_end_id(t), 102);
    assert_int_equal(pn_tokenizer_pad_id(t), 0);
    assert_false(pn_tokenizer_pads(t));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (getline(&line, &capacity, file) > 0) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
        bool ok = has_ids(t, row);
        n++;
        same += ok;
        if (!ok)
            print_message("differs: %.200s\n", line);
        json_decref(row);
    }
    free(line);
    (void)fclose(file);
    pn_tokenizer_free(t);
    assert_true(n >= 40);
    assert_int_equal(same, n);
}

/* ids of the model's own texts, as they were fed to it. */
static void encode__gives_the_ids_the_model_was_run_with(void **state)
{
    (void)state;
    char dir[GOLDEN_PATH_BYTES], path[GOLDEN_PATH_BYTES];
    golden_array want;
    pn_tokenizer *t = NULL;
    pn_error err = {0};
    json_error_t fault;
    golden_require("golden/clip/models/chinese-clip", dir);
    golden_require("golden/clip/models/texts.json", path);
    json_t *all = json_load_file(path, 0, &fault);
    json_t *texts = json_object_get(all, "chinese");
    golden_load(golden_join(dir, "golden/input_ids.npy"), 'i', &want);
    if (pn_tokenizer_load(dir, NULL, &t, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_true(json_array_size(texts) >= want.dims[0]);
    for (size_t i = 0; i < want.dims[0]; i++) {
        uint32_t ids[CONTEXT] = {0};
        size_t n = 0;
        const json_t *text = json_array_get(texts, i);
        assert_int_equal(
            pn_tokenizer_encode(t, pn_str_of(json_string_value(text)), CONTEXT, ids, &n, &err),
            PN_OK);
        assert_memory_equal(ids, want.i32 + i * want.dims[1], sizeof ids);
    }
    json_decref(all);
    golden_free(&want);
    pn_tokenizer_free(t);
}

/* ---- the text ---- */

static void expect_words(const char *text, size_t len, pn_bert_case letters, const char *want)
{
    pn_buffer out;
    pn_error err = {0};
    pn_buffer_init(&out, 1u << 20);
    assert_int_equal(pn_bert_text(pn_str_make(text, len), letters, &out, &err), PN_OK);
    assert_string_equal(pn_buffer_text(&out), want);
    pn_buffer_reset(&out);
}

#define WORDS(text, want) expect_words(text, sizeof(text) - 1, PN_BERT_UNCASED, want)

static void bert_text__follows_each_rule(void **state)
{
    (void)state;
    WORDS("", "");
    WORDS(" \t\r\n\xE3\x80\x80 a  b ", "a b");
    WORDS("a\0b\xEF\xBF\xBD"
          "c\x01"
          "d\xE2\x80\x8B"
          "e",
          "abcde"); // control, format, U+FFFD
    WORDS("a\xFF\xC3"
          "b",
          "ab"); // invalid bytes
    WORDS("a\xE2\x80\xA8"
          "b",
          "a b"); // line separator
    WORDS("a\xE7\xBA\xA2"
          "b\xE8\x89\xB2",
          "a \xE7\xBA\xA2 b \xE8\x89\xB2");
    WORDS("\xE3\x81\x82\xE3\x81\x84", "\xE3\x81\x82\xE3\x81\x84"); // kana stay together
    WORDS("\xED\x95\x9C", "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB"); // hangul, decomposed
    WORDS("Caf\xC3\x89 \xC3\x85", "cafe a");
    WORDS("\xC4\xB0", "i"); // the dot is a mark
    WORDS("\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3", "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x82");
    WORDS("it's 3.5%", "it ' s 3 . 5 %");
    WORDS("a$b^c`d", "a $ b ^ c ` d"); // all of ASCII's signs
    WORDS("\xE2\x82\xAC"
          "5",
          "\xE2\x82\xAC"
          "5"); // other currency is none
    WORDS("\xEF\xBC\x8C\xE3\x80\x82", "\xEF\xBC\x8C \xE3\x80\x82");
    WORDS("\xCD\xBE", ";"); // a semicolon by NFD
    /* spacing marks with classes 224 and 216 are sorted, those of class 0 are a border, nonspacing ones go */
    WORDS("a\xE3\x80\xAE\xCC\x81\xF0\x9D\x85\xA5", "a\xF0\x9D\x85\xA5\xE3\x80\xAE");
    WORDS("a\xE3\x80\xAE"
          "b\xF0\x9D\x85\xA5",
          "a\xE3\x80\xAE"
          "b\xF0\x9D\x85\xA5");
    expect_words("\xC3\x89 X\xE7\xBA\xA2.", 8, PN_BERT_CASED, "\xC3\x89 X \xE7\xBA\xA2 .");
}

/* ---- words ---- */

static const char small[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\nun\n##aff\n##able\nrun\r\n##ning\n\na\n##a\n,\n";

static size_t encode_small(const char *text, size_t max_ids, uint32_t *ids)
{
    pn_wordpiece w;
    pn_error err = {0};
    size_t n = 0;
    if (pn_wordpiece_parse("small", pn_str_make(small, sizeof small - 1), PN_BERT_UNCASED, &w,
                           &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(w.n_pieces, 13);
    assert_int_equal(pn_wordpiece_encode(&w, pn_str_of(text), max_ids, ids, &n, &err), PN_OK);
    pn_wordpiece_reset(&w);
    return n;
}

static void expect_small(const char *text, size_t n_want, const uint32_t *want)
{
    uint32_t ids[CONTEXT];
    assert_int_equal(encode_small(text, CONTEXT, ids), n_want);
    assert_memory_equal(ids, want, n_want * sizeof *ids);
}

static void encode__takes_the_longest_piece(void **state)
{
    (void)state;
    char word[202];
    expect_small("unaffable", 5, (const uint32_t[]){2, 4, 5, 6, 3});
    expect_small("Running, a", 6, (const uint32_t[]){2, 7, 8, 12, 10, 3});
    expect_small("unaffablex run", 4, (const uint32_t[]){2, 1, 7, 3}); // no piece for the rest
    expect_small("##aff", 5, (const uint32_t[]){2, 1, 1, 1, 3});       // not an inner piece
    expect_small("[SEP]", 5, (const uint32_t[]){2, 1, 1, 1, 3});       // plain text
    memset(word, 'a', sizeof word);
    word[201] = '\0';
    expect_small(word, 3, (const uint32_t[]){2, 1, 3}); // 201 characters
    word[200] = '\0';
    uint32_t ids[CONTEXT];
    assert_int_equal(encode_small(word, CONTEXT, ids), CONTEXT);
    assert_int_equal(ids[1], 10);
    assert_int_equal(ids[CONTEXT - 2], 11);
    assert_int_equal(ids[CONTEXT - 1], 3);
}

static void encode__cuts_and_still_ends(void **state)
{
    (void)state;
    for (size_t room = 2; room <= 7; room++) {
        uint32_t ids[8];
        ids[room] = 0xABCD;
        assert_int_equal(encode_small("a a a a a a a a", room, ids), room);
        assert_int_equal(ids[0], 2);
        assert_int_equal(ids[room - 1], 3);
        assert_int_equal(ids[room], 0xABCD);
    }
}

static void encode__is_quick_for_one_long_word(void **state)
{
    (void)state;
    static const char *const patterns[] = {"a",
                                           ".",
                                           "a ",
                                           "\xE7\xBA\xA2",
                                           "\xCC\x81",
                                           "\xFF",
                                           "\xE3\x80\xAE\xF0\x9D\x85\xA5",
                                           "\xCE\xA3'",
                                           "\xED\x95\x9C"};
    pn_tokenizer *t = load_published(NULL);
    char *text = malloc(PN_TEXT_MAX_BYTES + 1);
    assert_non_null(text);
    for (size_t p = 0; p < PN_COUNT_OF(patterns); p++) {
        uint32_t ids[CONTEXT];
        size_t n = 0, step = strlen(patterns[p]);
        pn_error err = {0};
        for (size_t i = 0; i + step <= PN_TEXT_MAX_BYTES; i += step)
            memcpy(text + i, patterns[p], step);
        int64_t start = pn_clock_monotonic_ns();
        assert_int_equal(pn_tokenizer_encode(t, pn_str_make(text, PN_TEXT_MAX_BYTES / step * step),
                                             CONTEXT, ids, &n, &err),
                         PN_OK);
        double ms = (double)(pn_clock_monotonic_ns() - start) / 1e6;
        print_message("64 KiB of %s: %.1f ms\n", patterns[p], ms);
        assert_true(ms < 2000);
    }
    uint32_t ids[CONTEXT];
    size_t n = 12345;
    pn_error err = {0};
    assert_int_equal(
        pn_tokenizer_encode(t, pn_str_make(text, PN_TEXT_MAX_BYTES + 1), CONTEXT, ids, &n, &err),
        PN_ERR_LIMIT);
    assert_int_equal(n, 12345);
    free(text);
    pn_tokenizer_free(t);
}

static void expect_refusal(const char *text, size_t len, const char *named)
{
    pn_wordpiece w;
    pn_error err = {0};
    pn_status status =
        pn_wordpiece_parse("vocab.txt", pn_str_make(text, len), PN_BERT_UNCASED, &w, &err);
    pn_wordpiece_reset(&w);
    assert_int_equal(status, PN_ERR_CORRUPT);
    if (!strstr(err.message, named))
        fail_msg("\"%s\" does not say \"%s\"", err.message, named);
}

static void parse__refuses_what_is_no_vocabulary(void **state)
{
    (void)state;
    expect_refusal("", 0, "[UNK]");
    expect_refusal("[UNK]\n[CLS]\n[PAD]\n", 18, "[SEP]");
    expect_refusal("[UNK]\n[CLS]\n[SEP]\n", 18, "[PAD]");
    expect_refusal("[UNK]\n\xFF\n", 8, "UTF-8");
}

static void fingerprint__changes_with_the_case(void **state)
{
    (void)state;
    pn_tokenizer *a = load_published(NULL);
    pn_tokenizer *b =
        load_published("{\"tokenizer_class\": \"BertTokenizer\", \"do_lower_case\": false}");
    assert_true(pn_tokenizer_fingerprint(a) != pn_tokenizer_fingerprint(b));
    pn_tokenizer_free(a);
    pn_tokenizer_free(b);
}

static void tokenizer__reports_missing_memory_and_leaks_nothing(void **state)
{
    (void)state;
    stage s;
    stage_make(&s);
    stage_write(&s, "vocab.txt", small, sizeof small - 1);
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
            status = pn_tokenizer_encode(t, PN_STR_LITERAL("Un, run"), CONTEXT, ids, &n_ids, &err);
        pn_alloc_fail_after(0);
        pn_tokenizer_free(t);
        assert_true(status == PN_OK || status == PN_ERR_NOMEM);
        assert_int_equal(pn_alloc_live(), live);
    }
    assert_int_equal(status, PN_OK);
    stage_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encode__equals_chinese_clip_on_every_golden_string),
        cmocka_unit_test(encode__gives_the_ids_the_model_was_run_with),
        cmocka_unit_test(bert_text__follows_each_rule),
        cmocka_unit_test(encode__takes_the_longest_piece),
        cmocka_unit_test(encode__cuts_and_still_ends),
        cmocka_unit_test(encode__is_quick_for_one_long_word),
        cmocka_unit_test(parse__refuses_what_is_no_vocabulary),
        cmocka_unit_test(fingerprint__changes_with_the_case),
        cmocka_unit_test(tokenizer__reports_missing_memory_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
