/*
 * test_tokenizer.c - ids against OpenAI's tokenizer, and files that must be refused
 *
 * 582 strings with OpenAI's full vocabulary (its merges file is unpacked into a temporary folder), the small vocabularies
 * of the models in each file format, and a plain quadratic merge as the oracle for long and repetitive words.
 */
#include "clip/tokenizer.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/rng.h"
#include "support/golden.h"
#include "support/stage.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define SMALL "golden/clip/models/clip-quickgelu"

enum { CONTEXT = 77 };

static pn_tokenizer *load(const char *dir)
{
    pn_tokenizer *tokenizer = NULL;
    pn_error err = {0};
    if (pn_tokenizer_load(dir, NULL, &tokenizer, &err) != PN_OK)
        fail_msg("%s", err.message);
    return tokenizer;
}

static size_t encode(const pn_tokenizer *t, const char *text, size_t len, uint32_t ids[CONTEXT])
{
    size_t n = 0;
    pn_error err = {0};
    if (pn_tokenizer_encode(t, pn_str_make(text, len), CONTEXT, ids, &n, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_in_range(n, 2, CONTEXT);
    return n;
}

/* OpenAI's merges, unpacked, as the only file of a folder. */
static void stage_openai(stage *s)
{
    char path[GOLDEN_PATH_BYTES], command[2 * GOLDEN_PATH_BYTES + 64];
    golden_require("golden/clip/bpe_simple_vocab_16e6.txt.gz", path);
    stage_make(s);
    (void)snprintf(command, sizeof command, "gzip -dc '%s' > '%s/bpe_simple_vocab_16e6.txt'", path,
                   s->dir);
    assert_int_equal(system(command), 0);
}

static bool same_ids(const uint32_t *ids, size_t n, const json_t *want)
{
    if (json_array_size(want) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((json_int_t)ids[i] != json_integer_value(json_array_get(want, i)))
            return false;
    return true;
}

typedef struct tally {
    const char *need;
    unsigned n, same;
} tally;

static void count_line(const pn_tokenizer *t, const char *line, tally *tallies, size_t n_tallies)
{
    uint32_t ids[CONTEXT];
    json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
    assert_non_null(row);
    json_t *text = json_object_get(row, "text");
    const char *need = json_string_value(json_object_get(row, "needs"));
    size_t n = encode(t, json_string_value(text), json_string_length(text), ids);
    bool same = same_ids(ids, n, json_object_get(row, "ids"));
    for (size_t i = 0; i < n_tallies; i++) {
        if (strcmp(tallies[i].need, need) == 0) {
            tallies[i].n++;
            tallies[i].same += same;
        }
    }
    if (!same)
        print_message("differs (%s): %.150s\n", need, line);
    json_decref(row);
}

static void encode__equals_openai_on_every_golden_string(void **state)
{
    (void)state;
    tally tallies[] = {{"plain", 0, 0},
                       {"nfc", 0, 0},
                       {"unescape", 0, 0},
                       {"ftfy-lite", 0, 0},
                       {"ftfy-encoding", 0, 0}};
    stage s;
    char path[GOLDEN_PATH_BYTES], *line = NULL;
    size_t capacity = 0;
    golden_require("golden/clip/tokenizer/clip-bpe.jsonl", path);
    stage_openai(&s);
    pn_tokenizer *t = load(s.dir);
    assert_int_equal(pn_tokenizer_vocabulary(t), 49408);
    assert_int_equal(pn_tokenizer_start_id(t), 49406);
    assert_int_equal(pn_tokenizer_end_id(t), 49407);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (getline(&line, &capacity, file) > 0)
        count_line(t, line, tallies, PN_COUNT_OF(tallies));
    (void)fclose(file);
    free(line);
    pn_tokenizer_free(t);
    stage_remove(&s);
    for (size_t i = 0; i < PN_COUNT_OF(tallies); i++)
        print_message("%-14s %u of %u\n", tallies[i].need, tallies[i].same, tallies[i].n);
    for (size_t i = 0; i + 1 < PN_COUNT_OF(tallies); i++)
        assert_int_equal(tallies[i].same, tallies[i].n);
}

static void check_model(const char *model)
{
    char dir[GOLDEN_PATH_BYTES], texts_path[GOLDEN_PATH_BYTES];
    golden_array want;
    golden_require(model, dir);
    golden_require("golden/clip/models/texts.json", texts_path);
    golden_load(golden_join(dir, "golden/input_ids.npy"), 'i', &want);
    json_t *root = json_load_file(texts_path, 0, NULL), *texts = json_object_get(root, "clip");
    assert_int_equal(json_array_size(texts), want.dims[0]);
    assert_int_equal(want.dims[1], CONTEXT);
    pn_tokenizer *t = load(dir);
    assert_int_equal(pn_tokenizer_vocabulary(t), 1000);
    for (size_t i = 0; i < want.dims[0]; i++) {
        uint32_t ids[CONTEXT];
        const json_t *text = json_array_get(texts, i);
        size_t n = encode(t, json_string_value(text), json_string_length(text), ids);
        for (size_t k = 0; k < CONTEXT; k++)
            if ((k < n ? ids[k] : 0) != (uint32_t)want.i32[i * CONTEXT + k])
                fail_msg("%s: text %zu, position %zu", model, i, k);
    }
    pn_tokenizer_free(t);
    json_decref(root);
    golden_free(&want);
}

static void encode__equals_the_small_models(void **state)
{
    (void)state;
    check_model("golden/clip/models/clip-quickgelu");     // vocab.json + merges.txt
    check_model("golden/clip/models/clip-gelu");          // tokenizer.json
    check_model("golden/clip/models/clip-rect-openclip"); // all of them
}

/* ---- merging against the plain way ---- */

/* A vocabulary of bytes and the given merges, as OpenAI's format. */
static pn_tokenizer *load_merges(stage *s, const char *merges)
{
    stage_make(s);
    stage_write_text(s, "bpe_simple_vocab_16e6.txt", merges);
    return load(s->dir);
}

/* Merging as the definition has it, on strings: the pair of the lowest rank, everywhere, left to right, until none. */
static size_t merge_plainly(const char *word, const char *const *pairs, size_t n_pairs,
                            char symbols[][64])
{
    size_t n = strlen(word);
    for (size_t i = 0; i < n; i++)
        (void)snprintf(symbols[i], 64, "%c%s", word[i], i + 1 == n ? "</w>" : "");
    for (;;) {
        char pair[160];
        size_t best = n_pairs, kept = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            (void)snprintf(pair, sizeof pair, "%.63s %.63s", symbols[i], symbols[i + 1]);
            for (size_t r = 0; r < best; r++)
                if (strcmp(pair, pairs[r]) == 0)
                    best = r;
        }
        if (best == n_pairs)
            return n;
        for (size_t i = 0; i < n; i++, kept++) {
            if (i + 1 < n)
                (void)snprintf(pair, sizeof pair, "%.63s %.63s", symbols[i], symbols[i + 1]);
            bool merge = i + 1 < n && strcmp(pair, pairs[best]) == 0;
            char joined[160];
            (void)snprintf(joined, sizeof joined, "%.63s%.63s", symbols[i],
                           merge ? symbols[i + 1] : "");
            assert_true(strlen(joined) < 64);
            (void)memcpy(symbols[kept], joined, 64);
            i += merge;
        }
        n = kept;
    }
}

/* The id of a symbol: '!' and its followers, the same with </w> from 256, then the first merge that makes it. */
static uint32_t id_of(const char *symbol, const char *const *pairs, size_t n_pairs)
{
    size_t n = strlen(symbol);
    if (n == 1)
        return (uint32_t)(symbol[0] - '!');
    if (n == 5 && strcmp(symbol + 1, "</w>") == 0)
        return (uint32_t)(symbol[0] - '!') + 256;
    for (size_t r = 0; r < n_pairs; r++) {
        char joined[160];
        const char *blank = strchr(pairs[r], ' ');
        (void)snprintf(joined, sizeof joined, "%.*s%s", (int)(blank - pairs[r]), pairs[r],
                       blank + 1);
        if (strcmp(joined, symbol) == 0)
            return (uint32_t)(512 + r);
    }
    fail_msg("no symbol %s", symbol);
    return 0;
}

static void check_word(const pn_tokenizer *t, const char *word, const char *const *pairs,
                       size_t n_pairs)
{
    char symbols[70][64];
    uint32_t ids[CONTEXT];
    size_t want = merge_plainly(word, pairs, n_pairs, symbols);
    size_t n = encode(t, word, strlen(word), ids);
    if (n != want + 2)
        fail_msg("%s: %zu symbols, expected %zu", word, n - 2, want);
    for (size_t i = 0; i < want; i++)
        if (ids[i + 1] != id_of(symbols[i], pairs, n_pairs))
            fail_msg("%s: symbol %zu is not %s", word, i, symbols[i]);
}

/* vocab.json and merges.txt with the ids of id_of(). */
static void stage_pairs(stage *s, const char *const *pairs, size_t n_pairs)
{
    char merges[2048] = "#version: test\n";
    char dir[GOLDEN_PATH_BYTES];
    golden_require(SMALL, dir);
    json_t *vocab = json_object(), *small = json_load_file(golden_join(dir, "vocab.json"), 0, NULL),
           *id;
    const char *text;
    json_object_foreach(small, text, id) if (json_integer_value(id) < 512)
        json_object_set(vocab, text, id);
    for (size_t r = 0; r < n_pairs; r++) {
        char joined[64];
        const char *blank = strchr(pairs[r], ' ');
        (void)snprintf(joined, sizeof joined, "%.*s%s", (int)(blank - pairs[r]), pairs[r],
                       blank + 1);
        if (!json_object_get(vocab, joined))
            json_object_set_new(vocab, joined, json_integer((json_int_t)(512 + r)));
        (void)strncat(merges, pairs[r], sizeof merges - strlen(merges) - 1);
        (void)strncat(merges, "\n", sizeof merges - strlen(merges) - 1);
    }
    json_object_set_new(vocab, "<|startoftext|>", json_integer(600));
    json_object_set_new(vocab, "<|endoftext|>", json_integer(601));
    char *dumped = json_dumps(vocab, 0);
    stage_make(s);
    stage_write_text(s, "vocab.json", dumped);
    stage_write_text(s, "merges.txt", merges);
    free(dumped);
    json_decref(vocab);
    json_decref(small);
}

static void merges__equal_the_definition_on_random_words(void **state)
{
    (void)state;
    /* overlapping and repeating pairs; abc is made in two ways, and "abc ab" comes before the second of them */
    static const char *const pairs[] = {"a a",     "b c",  "aa a",     "abc ab", "a bc",
                                        "a b",     "ab c", "c a",      "a c",    "aa aa",
                                        "abc abc", "b b",  "bb b</w>", "b c</w>"};
    stage s;
    pn_rng rng = pn_rng_seed(7);
    stage_pairs(&s, pairs, PN_COUNT_OF(pairs));
    pn_tokenizer *t = load(s.dir);
    for (int round = 0; round < 5000; round++) {
        char word[64];
        size_t n = 1 + pn_rng_below(&rng, 60);
        for (size_t i = 0; i < n; i++)
            word[i] = (char)('a' + pn_rng_below(&rng, 3));
        word[n] = '\0';
        check_word(t, word, pairs, PN_COUNT_OF(pairs));
    }
    pn_tokenizer_free(t);
    stage_remove(&s);
}

static void merges__of_one_rank_are_not_overtaken(void **state)
{
    (void)state;
    /* without b c, "abcab" needs the first "ab c" and would then take the "ab" of the second */
    static const char *const pairs[] = {"abc ab", "a b", "ab c", "abc abc", "x a"};
    stage s;
    stage_pairs(&s, pairs, PN_COUNT_OF(pairs));
    pn_tokenizer *t = load(s.dir);
    check_word(t, "abcabcx", pairs, PN_COUNT_OF(pairs));
    check_word(t, "abcabcabcx", pairs, PN_COUNT_OF(pairs));
    check_word(t, "abcabx", pairs, PN_COUNT_OF(pairs));
    pn_tokenizer_free(t);
    stage_remove(&s);
}

/* ---- text from outside ---- */

static void encode__is_quick_for_one_long_word(void **state)
{
    (void)state;
    static const char *const letters[] = {"a",
                                          "ab",
                                          "\xC3\xA9",
                                          "&amp;",
                                          "&",
                                          "'s",
                                          "\xF0\x9F\x98\x80",
                                          "\xFF",
                                          "\xE1\x84\x80\xE1\x85\xA1",
                                          "\xCC\x81",
                                          "&lt;"};
    stage s;
    stage_openai(&s);
    pn_tokenizer *t = load(s.dir);
    char *text = malloc(PN_TEXT_MAX_BYTES);
    for (size_t i = 0; i < PN_COUNT_OF(letters); i++) {
        uint32_t ids[CONTEXT];
        size_t unit = strlen(letters[i]), n = 0;
        for (; n + unit <= PN_TEXT_MAX_BYTES; n += unit)
            memcpy(text + n, letters[i], unit);
        clock_t start = clock(); /* of the processor: a process that had to wait is not slow */
        (void)encode(t, text, n, ids);
        double ms = (double)(clock() - start) * 1e3 / CLOCKS_PER_SEC;
        print_message("%zu bytes of %s: %.1f ms\n", n, letters[i], ms);
        assert_true(ms < 2000);
    }
    free(text);
    pn_tokenizer_free(t);
    stage_remove(&s);
}

static void encode__refuses_what_is_too_long(void **state)
{
    (void)state;
    char dir[GOLDEN_PATH_BYTES];
    golden_require(SMALL, dir);
    pn_tokenizer *t = load(dir);
    pn_error err = {0};
    uint32_t ids[CONTEXT];
    size_t n = 12345;
    char *text = calloc(1, PN_TEXT_MAX_BYTES + 1);
    pn_status status =
        pn_tokenizer_encode(t, pn_str_make(text, PN_TEXT_MAX_BYTES + 1), CONTEXT, ids, &n, &err);
    assert_int_equal(status, PN_ERR_LIMIT);
    assert_int_equal(n, 12345);
    free(text);
    pn_tokenizer_free(t);
}

static void encode__cuts_and_still_ends(void **state)
{
    (void)state;
    char dir[GOLDEN_PATH_BYTES];
    golden_require(SMALL, dir);
    pn_tokenizer *t = load(dir);
    pn_error err = {0};
    uint32_t ids[8];
    for (size_t room = 2; room <= 7; room++) {
        size_t n = 0;
        ids[room] = 0xABCD;
        assert_int_equal(
            pn_tokenizer_encode(t, PN_STR_LITERAL("1 2 3 4 5 6 7 8 9"), room, ids, &n, &err),
            PN_OK);
        assert_int_equal(n, room);
        assert_int_equal(ids[0], pn_tokenizer_start_id(t));
        assert_int_equal(ids[n - 1], pn_tokenizer_end_id(t));
        assert_int_equal(ids[room], 0xABCD);
    }
    size_t n = 0;
    assert_int_equal(pn_tokenizer_encode(t, (pn_str){NULL, 0}, 8, ids, &n, &err), PN_OK);
    assert_int_equal(n, 2); // no words: start, end
    pn_tokenizer_free(t);
}

static void encode__reports_missing_memory_and_leaks_nothing(void **state)
{
    (void)state;
    char dir[GOLDEN_PATH_BYTES];
    golden_require(SMALL, dir);
    pn_status status = PN_ERR_NOMEM;
    int64_t live = pn_alloc_live();
    for (int64_t n = 1; status != PN_OK && n < 500; n++) {
        pn_tokenizer *t = NULL;
        pn_error err = {0};
        uint32_t ids[CONTEXT];
        size_t n_ids;
        pn_alloc_fail_after(n);
        status = pn_tokenizer_load(dir, NULL, &t, &err);
        if (status == PN_OK)
            status = pn_tokenizer_encode(t, PN_STR_LITERAL("caf\xC3\xA9 &amp; shoes"), CONTEXT, ids,
                                         &n_ids, &err);
        pn_alloc_fail_after(0);
        pn_tokenizer_free(t);
        assert_true(status == PN_OK || status == PN_ERR_NOMEM);
        assert_int_equal(pn_alloc_live(), live);
    }
    assert_int_equal(status, PN_OK);
}

/* ---- files that must be refused ---- */

static void expect_refusal(const stage *s, pn_status want, const char *named)
{
    pn_tokenizer *t = NULL;
    pn_error err = {0};
    pn_status status = pn_tokenizer_load(s->dir, NULL, &t, &err);
    if (status != want || !strstr(err.message, named))
        fail_msg("status %d, expected %d naming \"%s\": %s", (int)status, (int)want, named,
                 err.message);
    assert_null(t);
}

static void load__names_the_file_and_the_entry_at_fault(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text, *named;
        pn_status status;
    } rows[] = {
        {"merges.txt", "#version\na b c\n", "merges.txt", PN_ERR_CORRUPT},
        {"merges.txt", "#version\nqqqq zzzz\n", "qqqq", PN_ERR_CORRUPT},
        {"merges.txt", "#version\nlonely\n", "merges.txt", PN_ERR_CORRUPT},
        {"vocab.json", "{\"a\": 1", "vocab.json", PN_ERR_CORRUPT},
        {"vocab.json", "[1, 2]", "vocab.json", PN_ERR_CORRUPT},
        {"vocab.json", "", "vocab.json", PN_ERR_CORRUPT},
        {"vocab.json", "{\"odd\": -1}", "odd", PN_ERR_CORRUPT},
        {"vocab.json", "{\"odd\": \"x\"}", "odd", PN_ERR_CORRUPT},
        {"vocab.json", "{\"odd\": 99999999999}", "odd", PN_ERR_CORRUPT},
        {"vocab.json", "{\"odd\": 3, \"odd\": 4}", "odd", PN_ERR_CORRUPT},
        {"vocab.json", "{\"first\": 3, \"twin\": 3}", "3", PN_ERR_CORRUPT},
        {"vocab.json", "{\"a\": 1}", "vocab.json", PN_ERR_CORRUPT},
    };
    char dir[GOLDEN_PATH_BYTES];
    golden_require(SMALL, dir);
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        stage s;
        stage_make(&s);
        stage_copy(&s, dir, "vocab.json");
        stage_copy(&s, dir, "merges.txt");
        stage_write_text(&s, rows[i].file, rows[i].text);
        expect_refusal(&s, rows[i].status, rows[i].named);
        stage_remove(&s);
    }
}

static void load__refuses_other_tokenizers(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}", "[]", "{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 0.5]]}}",
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}}",
        "{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [[\"a\"]]}, \"added_tokens\": [3]}"};
    for (size_t i = 0; i < PN_COUNT_OF(texts); i++) {
        stage s;
        pn_tokenizer *t = NULL;
        pn_error err = {0};
        stage_make(&s);
        stage_write_text(&s, "tokenizer.json", texts[i]);
        pn_status status = pn_tokenizer_load(s.dir, NULL, &t, &err);
        assert_true(status == PN_ERR_CORRUPT || status == PN_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, "tokenizer.json"));
        stage_remove(&s);
    }
}

static void load__says_what_it_looked_for(void **state)
{
    (void)state;
    stage s;
    stage_make(&s);
    expect_refusal(&s, PN_ERR_NOT_FOUND, "tokenizer.json");
    stage_write_text(&s, "vocab.json", "{}");
    expect_refusal(&s, PN_ERR_NOT_FOUND, "merges.txt");
    stage_remove(&s);
}

static void load__takes_merges_as_pairs(void **state)
{
    (void)state;
    char dir[GOLDEN_PATH_BYTES];
    golden_require("golden/clip/models/clip-gelu", dir);
    json_t *root = json_load_file(golden_join(dir, "tokenizer.json"), 0, NULL);
    json_t *merges = json_object_get(json_object_get(root, "model"), "merges"), *merge;
    size_t i;
    json_array_foreach(merges, i, merge)
    {
        const char *text = json_string_value(merge), *blank = text ? strchr(text, ' ') : NULL;
        if (blank)
            json_array_set_new(merges, i,
                               json_pack("[s#, s]", text, (int)(blank - text), blank + 1));
    }
    stage s;
    stage_make(&s);
    char *text = json_dumps(root, JSON_COMPACT);
    stage_write_text(&s, "tokenizer.json", text);
    pn_tokenizer *a = load(dir), *b = load(s.dir);
    uint32_t left[CONTEXT], right[CONTEXT];
    const char *words = "the thin white shirts, others";
    size_t n = encode(a, words, strlen(words), left);
    assert_int_equal(encode(b, words, strlen(words), right), n);
    assert_memory_equal(left, right, n * sizeof *left);
    pn_tokenizer_free(a);
    pn_tokenizer_free(b);
    free(text);
    json_decref(root);
    stage_remove(&s);
}

/* What Python's str.lower() and the reference's pattern do; the goldens have few of these. */
static void encode__lowers_and_splits_as_the_reference(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b; // texts of equal ids
    } rows[] = {
        {"\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3", "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x82"}, // final sigma
        {"A\xCE\xA3\xCC\x81", "a\xCF\x82\xCC\x81"},       // behind it a mark only
        {"A\xCE\xA3:B", "a\xCF\x83:b"},                   // the colon stands inside a word
        {"A.\xCE\xA3 B", "a.\xCF\x82 b"},                 // and so does the full stop
        {"\xE2\x85\xA0\xCE\xA3", "\xE2\x85\xB0\xCF\x82"}, // a Roman numeral has case
        {"\xCE\xA3 \xCE\xA3", "\xCF\x83 \xCF\x83"},
        {"\xC4\xB0stanbul", "i\xCC\x87stanbul"},
        {"it'\xC5\xBF"
         "abc",
         "it '\xC5\xBF abc"},
        {"  IT'S\t\n2x4 ", "it 's 2 x 4"},
        {"a&amp;amp;lt;b", "a<b"},
    };
    stage s;
    stage_openai(&s);
    pn_tokenizer *t = load(s.dir);
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        uint32_t a[CONTEXT], b[CONTEXT];
        size_t n = encode(t, rows[i].a, strlen(rows[i].a), a);
        if (encode(t, rows[i].b, strlen(rows[i].b), b) != n || memcmp(a, b, n * sizeof *a) != 0)
            fail_msg("row %zu: %s is not %s", i, rows[i].a, rows[i].b);
    }
    pn_tokenizer_free(t);
    stage_remove(&s);
}

static void fingerprint__changes_with_the_merges(void **state)
{
    (void)state;
    stage one, two;
    pn_tokenizer *a = load_merges(&one, "#v\na b\nb c\n"), *b = load_merges(&two, "#v\nb c\na b\n");
    assert_true(pn_tokenizer_fingerprint(a) != pn_tokenizer_fingerprint(b));
    assert_int_equal(pn_tokenizer_vocabulary(a), 516);
    pn_tokenizer_free(a);
    pn_tokenizer_free(b);
    stage_remove(&one);
    stage_remove(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encode__equals_the_small_models),
        cmocka_unit_test(encode__refuses_what_is_too_long),
        cmocka_unit_test(encode__cuts_and_still_ends),
        cmocka_unit_test(encode__reports_missing_memory_and_leaks_nothing),
        cmocka_unit_test(load__names_the_file_and_the_entry_at_fault),
        cmocka_unit_test(load__refuses_other_tokenizers),
        cmocka_unit_test(load__says_what_it_looked_for),
        cmocka_unit_test(load__takes_merges_as_pairs),
        cmocka_unit_test(encode__equals_openai_on_every_golden_string),
        cmocka_unit_test(merges__equal_the_definition_on_random_words),
        cmocka_unit_test(merges__of_one_rank_are_not_overtaken),
        cmocka_unit_test(encode__lowers_and_splits_as_the_reference),
        cmocka_unit_test(encode__is_quick_for_one_long_word),
        cmocka_unit_test(fingerprint__changes_with_the_merges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
