/*
 * test_sentencepiece_oracle.c - the library itself as the judge
 *
 * Debian's sentencepiece package has the library's programs (tools/install_packages.sh test). spm_train makes models of both kinds
 * with the options that change how texts are read, on a text made here; spm_encode and we encode thousands of texts that
 * nobody would write: any code points, bytes that are no UTF-8, blanks of all sorts, long words, cut and mixed lines. Every id
 * of every text has to be the same, also when the model comes as a tokenizer.json. Skipped where the programs are not installed.
 *
 * One text is one line for spm_encode, so no text has a line feed.
 */
#include "clip/sentencepiece.h"

#include "base/buffer.h"
#include "base/rng.h"
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

enum { N_CORPUS = 3000, N_TEXTS = 3000, ROOM = 1 << 17 };

typedef struct training {
    const char *options;
    unsigned
        unused_every; /* so many pieces apart, one is marked unused afterwards, which training never does */
} training;

static const training trainings[] = {
    {"--model_type=unigram --vocab_size=500", 0},
    {"--model_type=unigram --vocab_size=500", 5},
    {"--model_type=unigram --vocab_size=2000 --normalization_rule_name=nmt_nfkc_cf", 0},
    {"--model_type=unigram --vocab_size=900 --byte_fallback --split_digits "
     "--character_coverage=0.98",
     0},
    {"--model_type=unigram --vocab_size=1000 --normalization_rule_name=identity "
     "--add_dummy_prefix=false --remove_extra_whitespaces=false",
     0},
    {"--model_type=unigram --vocab_size=800 "
     "--user_defined_symbols=foo,foobar,\xE2\x96\x81\xE2\x96\x81,"
     "\xF0\x9F\x98\x80,red,re --control_symbols='<2de>'",
     0},
    {"--model_type=unigram --vocab_size=700 --treat_whitespace_as_suffix "
     "--normalization_rule_name=nfkc",
     0},
    {"--model_type=unigram --vocab_size=1500 --split_by_whitespace=false "
     "--split_by_unicode_script=false --split_by_number=false --max_sentencepiece_length=40",
     0},
    {"--model_type=bpe --vocab_size=500", 0},
    {"--model_type=bpe --vocab_size=500", 3},
    {"--model_type=bpe --vocab_size=8000 --byte_fallback --split_digits "
     "--normalization_rule_name=identity --add_dummy_prefix=false --remove_extra_whitespaces=false "
     "--allow_whitespace_only_pieces --pad_id=0 --eos_id=1 --bos_id=2 --unk_id=3",
     0},
    {"--model_type=bpe --vocab_size=1200 --normalization_rule_name=nmt_nfkc_cf "
     "--character_coverage=0.98",
     0},
    {"--model_type=bpe --vocab_size=900 --user_defined_symbols=foo,foobar,\xE2\x96\x81\xE2\x96\x81,"
     "\xF0\x9F\x98\x80,red,re --byte_fallback",
     0},
    {"--model_type=bpe --vocab_size=1500 --treat_whitespace_as_suffix --split_by_whitespace=false "
     "--split_by_unicode_script=false --split_by_number=false --max_sentencepiece_length=40",
     0},
};

static void add(pn_buffer *b, const void *bytes, size_t n)
{
    pn_error err = {0};
    assert_int_equal(pn_buffer_append(b, bytes, n, &err), PN_OK);
}

static void add_text(pn_buffer *b, const char *text)
{
    add(b, text, strlen(text));
}

static void add_code_point(pn_buffer *b, uint32_t c)
{
    uint8_t bytes[4];
    if (c != '\n' && (c < 0xD800 || c > 0xDFFF))
        add(b, bytes, (size_t)utf8proc_encode_char((utf8proc_int32_t)c, bytes));
}

/* ---- texts ---- */

static const char *const words[] = {"red",
                                    "dress",
                                    "shoes",
                                    "leather",
                                    "jacket",
                                    "women's",
                                    "running",
                                    "foo",
                                    "foobar",
                                    "the",
                                    "of",
                                    "a",
                                    "bag",
                                    "Size",
                                    "38.5",
                                    "2023",
                                    "XL",
                                    "cafe",
                                    "caf\xC3\xA9",
                                    "na\xC3\xAFve",
                                    "stra\xC3\x9F",
                                    "\xC4\xB0stanbul",
                                    "\xE7\xBA\xA2\xE8\x89\xB2",
                                    "\xE8\xBF\x9E\xE8\xA1\xA3\xE8\xA3\x99",
                                    "\xE6\x97\xA5\xE6\x9C\xAC",
                                    "\xED\x95\x9C\xEA\xB5\xAD",
                                    "\xD0\xBA\xD1\x80\xD0\xB0\xD1\x81\xD0\xBD\xD1\x8B\xD0\xB9",
                                    "\xCF\x83\xCE\xBF\xCF\x86\xCE\xAF\xCE\xB1",
                                    "\xEF\xBC\xA1\xEF\xBC\xA2",
                                    "\xEF\xAC\x81ne",
                                    "\xF0\x9F\x98\x80",
                                    "<s>",
                                    "</s>",
                                    "<unk>",
                                    "<0x41>",
                                    "<2de>",
                                    "1/2",
                                    "\xC2\xBD",
                                    "100%",
                                    "e-mail"};

static const char *const blanks[] = {
    " ",  "  ",           "\t", "\xC2\xA0",      "\xE3\x80\x80", "\xE2\x96\x81", "\xE2\x80\x8B",
    "\r", "\xE2\x80\xA9", "\v", " \xE2\x96\x81 "};

static void add_word(pn_buffer *b, pn_rng *rng)
{
    static const char *const syllables[] = {"ba", "lo",  "mi", "ter",      "sun",
                                            "ki", "ran", "ex", "\xC3\xA9", "qu"};
    if (pn_rng_below(rng, 3) > 0) {
        add_text(b, words[pn_rng_below(rng, PN_COUNT_OF(words))]);
        return;
    }
    for (uint64_t n = 1 + pn_rng_below(rng, 4); n > 0; n--)
        add_text(b, syllables[pn_rng_below(rng, PN_COUNT_OF(syllables))]);
}

static void add_sentence(pn_buffer *b, pn_rng *rng)
{
    for (uint64_t n = 1 + pn_rng_below(rng, 12); n > 0; n--) {
        add_word(b, rng);
        add_text(b, pn_rng_below(rng, 8) ? " " : ", ");
    }
}

/* A code point of one of the ranges where rules are, or any at all. */
static uint32_t any_code_point(pn_rng *rng)
{
    static const uint32_t ranges[][2] = {{1, 0x7F},          {0x80, 0x24F},      {0x300, 0x36F},
                                         {0x370, 0x5FF},     {0x600, 0x6FF},     {0x900, 0xDFF},
                                         {0x1100, 0x11FF},   {0x2000, 0x20CF},   {0x2100, 0x24FF},
                                         {0x2580, 0x2590},   {0x3000, 0x33FF},   {0x4E00, 0x9FFF},
                                         {0xAC00, 0xD7A3},   {0xF900, 0xFFFF},   {0x1D400, 0x1D7FF},
                                         {0x1F000, 0x1FAFF}, {0x2F800, 0x2FA1F}, {0, 0x10FFFF}};
    const uint32_t *range = ranges[pn_rng_below(rng, PN_COUNT_OF(ranges))];
    return range[0] + (uint32_t)pn_rng_below(rng, range[1] - range[0] + 1);
}

static void add_bytes(pn_buffer *b, pn_rng *rng, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)(pn_rng_below(rng, 3) ? 0x80 + pn_rng_below(rng, 0x80)
                                                      : pn_rng_below(rng, 0x80));
        if (byte != '\n')
            add(b, &byte, 1);
    }
}

static void add_blanks_and_words(pn_buffer *b, pn_rng *rng)
{
    for (uint64_t n = pn_rng_below(rng, 12); n > 0; n--) {
        if (pn_rng_below(rng, 2))
            add_word(b, rng);
        else
            add_text(b, blanks[pn_rng_below(rng, PN_COUNT_OF(blanks))]);
    }
}

/* A sentence in which single bytes are changed, left out or doubled. */
static void add_damaged(pn_buffer *b, pn_rng *rng)
{
    size_t start = b->n_bytes;
    add_sentence(b, rng);
    for (size_t i = start; i < b->n_bytes; i++)
        if (pn_rng_below(rng, 10) == 0)
            b->data[i] = (uint8_t)(b->data[i] ^ (1u << pn_rng_below(rng, 8)));
    for (size_t i = start; i < b->n_bytes; i++)
        if (b->data[i] == '\n')
            b->data[i] = '\0';
}

static void add_long_word(pn_buffer *b, pn_rng *rng)
{
    size_t start = b->n_bytes, n = 200 + (size_t)pn_rng_below(rng, 3000);
    add_word(b, rng);
    if (pn_rng_below(rng, 2))
        add_code_point(b, any_code_point(rng));
    for (size_t i = start; b->n_bytes - start < n && b->n_bytes > start; i++)
        add(b, &(uint8_t){b->data[i]}, 1);
}

static void add_hostile(pn_buffer *b, pn_rng *rng)
{
    switch (pn_rng_below(rng, 7)) {
    case 0:
        add_sentence(b, rng);
        break;
    case 1:
    case 2:
        for (uint64_t n = pn_rng_below(rng, 40); n > 0; n--)
            add_code_point(b, any_code_point(rng));
        break;
    case 3:
        add_bytes(b, rng, (size_t)pn_rng_below(rng, 60));
        break;
    case 4:
        add_blanks_and_words(b, rng);
        break;
    case 5:
        add_damaged(b, rng);
        break;
    default:
        if (pn_rng_below(rng, 6) == 0)
            add_long_word(b, rng);
        else
            for (uint64_t n = pn_rng_below(rng, 30); n > 0; n--)
                add_code_point(b, 32 + (uint32_t)pn_rng_below(rng, 95));
    }
}

typedef void (*add_fn)(pn_buffer *b, pn_rng *rng);

static void write_lines(const stage *s, const char *name, add_fn add_line, size_t n, uint64_t seed)
{
    pn_buffer b;
    pn_rng rng = pn_rng_seed(seed);
    pn_buffer_init(&b, 64u << 20);
    for (size_t i = 0; i < n; i++) {
        add_line(&b, &rng);
        add(&b, "\n", 1);
    }
    stage_write(s, name, b.data, b.n_bytes);
    pn_buffer_reset(&b);
}

/* ---- comparing ---- */

static void run_in(const stage *s, const char *program)
{
    char command[4096];
    int n = snprintf(command, sizeof command, "cd '%s' && %s", s->dir, program);
    assert_in_range(n, 1, sizeof command - 1);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

static void train(const stage *s, const char *options)
{
    char program[2048];
    int n = snprintf(program, sizeof program,
                     "spm_train --input=corpus --model_prefix=m --num_threads=1 "
                     "--hard_vocab_limit=false --minloglevel=2 %s >log 2>&1 || { cat log; false; }",
                     options);
    assert_in_range(n, 1, sizeof program - 1);
    run_in(s, program);
}

/* Mark every so-many-th piece as unused: behind its other fields, where the last one counts. The first pieces are special; no piece
 * of a trained model has 126 bytes, so lengths have one byte. */
static void mark_unused(const stage *s, unsigned every)
{
    pn_buffer b;
    size_t n, i = 0;
    uint8_t *bytes = golden_read_bytes(golden_join(s->dir, "m.model"), &n);
    pn_buffer_init(&b, 16u << 20);
    for (unsigned piece = 0; i < n && bytes[i] == 0x0A; piece++) {
        uint8_t length = bytes[i + 1];
        bool mark = piece > 10 && piece % every == 0;
        assert_true(length < 126);
        add(&b, &(uint8_t[]){0x0A, (uint8_t)(length + (mark ? 2 : 0))}, 2);
        add(&b, bytes + i + 2, length);
        if (mark)
            add(&b, "\x18\x05", 2);
        i += 2 + (size_t)length;
    }
    add(&b, bytes + i, n - i);
    stage_write(s, "m.model", b.data, b.n_bytes);
    pn_buffer_reset(&b);
    golden_bytes_free(bytes);
}

/* Are our ids of text what the line says? */
static bool same_as_line(const pn_sentencepiece *model, pn_str text, char *line, uint32_t *ids)
{
    size_t n = 0, i = 0;
    pn_error err = {0};
    if (pn_sentencepiece_encode(model, text, ids, ROOM, &n, &err) != PN_OK)
        fail_msg("%s", err.message);
    for (char *at = line; *at != '\0' && *at != '\n'; i++) {
        char *end = at;
        unsigned long id = strtoul(at, &end, 10);
        if (end == at || i >= n || ids[i] != id)
            return false;
        at = *end == ' ' ? end + 1 : end;
    }
    return i == n;
}

static void print_difference(size_t number, pn_str text)
{
    char hex[400];
    size_t n = PN_MIN(text.len, (size_t)190);
    for (size_t i = 0; i < n; i++)
        (void)snprintf(hex + 2 * i, 3, "%02X", (unsigned)(uint8_t)text.ptr[i]);
    hex[2 * n] = '\0';
    print_message("line %zu, %zu bytes differs: %s\n", number, text.len, hex);
}

static unsigned compare(const pn_sentencepiece *model, const char *dir)
{
    char *line = NULL;
    size_t capacity = 0, n_bytes, number = 0;
    unsigned differ = 0;
    uint32_t *ids = malloc(ROOM * sizeof *ids);
    uint8_t *bytes = golden_read_bytes(golden_join(dir, "texts"), &n_bytes);
    pn_str rest = pn_str_make((const char *)bytes, n_bytes);
    FILE *file = fopen(golden_join(dir, "ids"), "r");
    assert_non_null(file);
    assert_non_null(ids);
    while (getline(&line, &capacity, file) > 0) {
        pn_str text = pn_str_split(&rest, '\n');
        number++;
        if (same_as_line(model, text, line, ids))
            continue;
        if (differ++ < 5)
            print_difference(number, text);
    }
    (void)fclose(file);
    golden_bytes_free(bytes);
    free(line);
    free(ids);
    assert_int_equal(number, N_TEXTS);
    return differ;
}

/* The same texts by the tokenizer.json that a converter makes of the model; it has no words for unused pieces and suffixes. */
static unsigned compare_json(const stage *s, const training *t)
{
    size_t n;
    pn_sentencepiece *model = NULL;
    pn_error err = {0};
    if (t->unused_every > 0 || strstr(t->options, "whitespace_as_suffix"))
        return 0;
    uint8_t *bytes = golden_read_bytes(golden_join(s->dir, "m.model"), &n);
    json_t *json = spiece_json_make(bytes, n);
    golden_bytes_free(bytes);
    spiece_json_write(json, golden_join(s->dir, "tokenizer.json"));
    json_decref(json);
    if (pn_sentencepiece_load(golden_join(s->dir, "tokenizer.json"), PN_SENTENCEPIECE_AS_TRAINED,
                              &model, &err) != PN_OK)
        fail_msg("%s", err.message);
    unsigned differ = compare(model, s->dir);
    print_message("%5u pieces of tokenizer.json, %u texts differ\n",
                  pn_sentencepiece_get_traits(model)->n_pieces, differ);
    pn_sentencepiece_free(model);
    return differ;
}

static void encode__equals_the_library_for_every_kind_of_model(void **state)
{
    (void)state;
    stage s;
    unsigned differ = 0;
    if (system("command -v spm_train spm_encode >/dev/null 2>&1") != 0) {
        print_message("skipped: Debian's package sentencepiece is not installed\n");
        skip();
    }
    stage_make(&s);
    write_lines(&s, "corpus", add_sentence, N_CORPUS, 1);
    for (size_t i = 0; i < PN_COUNT_OF(trainings); i++) {
        pn_sentencepiece *model = NULL;
        pn_error err = {0};
        write_lines(&s, "texts", add_hostile, N_TEXTS, 100 + i);
        train(&s, trainings[i].options);
        if (trainings[i].unused_every > 0)
            mark_unused(&s, trainings[i].unused_every);
        run_in(&s, "spm_encode --model=m.model --output_format=id < texts > ids");
        if (pn_sentencepiece_load(golden_join(s.dir, "m.model"), PN_SENTENCEPIECE_AS_TRAINED,
                                  &model, &err) != PN_OK)
            fail_msg("%s", err.message);
        unsigned d = compare(model, s.dir);
        print_message("%5u pieces%s, %u of %d texts differ: %s\n",
                      pn_sentencepiece_get_traits(model)->n_pieces,
                      trainings[i].unused_every > 0 ? " (some unused)" : "", d, N_TEXTS,
                      trainings[i].options);
        differ += d + compare_json(&s, &trainings[i]);
        pn_sentencepiece_free(model);
    }
    stage_remove(&s);
    assert_int_equal(differ, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encode__equals_the_library_for_every_kind_of_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
