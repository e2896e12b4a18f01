/*
 * test_clip_golden.c - whole models against vectors of the reference implementations
 *
 * Every layout and type of the plain CLIP family. The goldens are of PyTorch in f32 (of the rounded weights for f16 and
 * bf16), so all of them have to meet the same bounds: 2e-5 on unit vectors, cosine 0.999999.
 */
#include "base/alloc.h"
#include "clip/block.h"
#include "clip/clip.h"
#include "support/golden.h"
#include "support/stage.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define MODELS "golden/clip/models/"

typedef struct model_row {
    const char *name, *golden; /* golden: whose vectors it has to give */
    const char *config;        /* a file to take from there, or NULL */
    const char *layout, *type, *activation;
} model_row;

static const model_row models[] = {
    {"clip-quickgelu", "clip-quickgelu", NULL, "huggingface", "f32", "quick_gelu"},
    {"clip-quickgelu-f16", "clip-quickgelu-f16", NULL, "huggingface", "f16", "quick_gelu"},
    {"clip-quickgelu-bf16", "clip-quickgelu-bf16", NULL, "huggingface", "bf16", "quick_gelu"},
    {"clip-quickgelu-sharded", "clip-quickgelu-f16", NULL, "huggingface", "f16", "quick_gelu"},
    {"clip-quickgelu-openclip", "clip-quickgelu-f16", NULL, "open_clip", "f16", "quick_gelu"},
    /* heads of 16 cannot be read off a shape: the twin's configuration comes with it */
    {"clip-quickgelu-openai", "clip-quickgelu-f16", "config.json", "openai", "f16", "quick_gelu"},
    {"clip-gelu", "clip-gelu", NULL, "huggingface", "f32", "gelu"},
    {"clip-rect-openclip", "clip-rect-openclip", NULL, "open_clip", "f32", "gelu"},
    {"clip-resnet-openai", "clip-resnet-openai", NULL, "open_clip", "f32", "quick_gelu"},
    {"chinese-clip", "chinese-clip", NULL, "huggingface", "f32", "quick_gelu"},
    {"chinese-clip-original", "chinese-clip", "config.json", "openai", "f32", "quick_gelu"},
    {"siglip", "siglip", NULL, "huggingface", "f32", "gelu_tanh"},
    {"siglip-openclip", "siglip", NULL, "open_clip", "f32", "gelu_tanh"},
};

/* The model's own files, and the tokenizer of the one it shares goldens with. */
static void stage_model(stage *s, const model_row *row)
{
    static const char *const tokenizer[] = {"vocab.json", "merges.txt", "vocab.txt", "spiece.model",
                                            "tokenizer_config.json"};
    char dir[GOLDEN_PATH_BYTES], golden[GOLDEN_PATH_BYTES], name[256];
    (void)snprintf(name, sizeof name, MODELS "%s", row->golden);
    golden_require(name, golden);
    (void)snprintf(name, sizeof name, MODELS "%s", row->name);
    golden_require(name, dir);
    stage_make(s);
    for (size_t i = 0; i < PN_COUNT_OF(tokenizer); i++)
        stage_copy(s, golden, tokenizer[i]);
    if (row->config)
        stage_copy(s, golden, row->config);
    stage_copy_all(s, dir);
}

static pn_clip *open_model(const char *dir, pn_pool *pool)
{
    pn_clip *clip = NULL;
    pn_error err = {0};
    const pn_clip_options options = {.pool = pool, .cache = ""};
    if (pn_clip_open(dir, &options, &clip, &err) != PN_OK)
        fail_msg("%s", err.message);
    return clip;
}

static const char *golden_of(const model_row *row, const char *file)
{
    static char path[GOLDEN_PATH_BYTES];
    char name[256];
    (void)snprintf(name, sizeof name, MODELS "%s/golden/%s", row->golden, file);
    if (!golden_find(name, path))
        fail_msg("no %s", name);
    return path;
}

/* As pn_clip_embed_ids() wants it: the padded rows as they are, with the length up to the padding. */
typedef struct id_rows {
    uint32_t *ids;
    size_t *lengths;
    size_t n;
} id_rows;

static id_rows load_ids(const model_row *row, const pn_clip *clip)
{
    golden_array array;
    golden_load(golden_of(row, "input_ids.npy"), 'i', &array);
    size_t context = pn_clip_get_info(clip)->context;
    assert_int_equal(array.dims[1], context);
    id_rows r = {.n = array.dims[0]};
    r.ids = malloc(array.n * sizeof *r.ids);
    r.lengths = malloc(r.n * sizeof *r.lengths);
    assert_true(r.ids && r.lengths);
    for (size_t i = 0; i < array.n; i++)
        r.ids[i] = (uint32_t)array.i32[i];
    for (size_t i = 0; i < r.n; i++) {
        r.lengths[i] = context;
        while (r.lengths[i] > 1 && r.ids[i * context + r.lengths[i] - 1] == 0)
            r.lengths[i]--;
    }
    golden_free(&array);
    return r;
}

static void free_ids(id_rows *r)
{
    free(r->ids);
    free(r->lengths);
}

static void expect_vectors(const model_row *row, const char *file, const float *got, bool unit)
{
    golden_array want;
    golden_load(golden_of(row, file), 'f', &want);
    double difference = unit ? golden_max_difference(got, want.f32, want.n)
                             : golden_max_relative(got, want.f32, want.n, 1.0);
    double cosine = golden_min_row_cosine(got, want.f32, want.dims[0], want.dims[1]);
    print_message("  %-24s %-18s %s %.1e  1 - cosine %.1e\n", row->name, file,
                  unit ? "absolute" : "relative", difference, 1 - cosine);
    assert_true(difference <= (unit ? 2e-5 : 1e-4));
    assert_true(cosine >= 0.999999);
    golden_free(&want);
}

static void check_images(const model_row *row, const pn_clip *clip, pn_pool *pool)
{
    const pn_clip_info *info = pn_clip_get_info(clip);
    golden_array pixels;
    pn_error err = {0};
    golden_load(golden_of(row, "pixel_values.npy"), 'f', &pixels);
    assert_int_equal(pixels.dims[2], info->image_height);
    assert_int_equal(pixels.dims[3], info->image_width);
    float *out = malloc(pixels.dims[0] * info->dim * sizeof *out);
    assert_int_equal(
        pn_clip_embed_images(clip, pixels.f32, pixels.dims[0], PN_CLIP_RAW, pool, out, &err),
        PN_OK);
    expect_vectors(row, "image_features.npy", out, false);
    assert_int_equal(
        pn_clip_embed_images(clip, pixels.f32, pixels.dims[0], PN_CLIP_UNIT, pool, out, &err),
        PN_OK);
    expect_vectors(row, "image_embeds.npy", out, true);
    free(out);
    golden_free(&pixels);
}

static void check_texts(const model_row *row, const pn_clip *clip, pn_pool *pool)
{
    id_rows r = load_ids(row, clip);
    pn_error err = {0};
    float *out = malloc(r.n * pn_clip_get_info(clip)->dim * sizeof *out);
    assert_int_equal(pn_clip_embed_ids(clip, r.ids, r.lengths, r.n, PN_CLIP_RAW, pool, out, &err),
                     PN_OK);
    expect_vectors(row, "text_features.npy", out, false);
    /* the whole padded row gives the same: the model's own rule finds the end */
    for (size_t i = 0; i < r.n; i++)
        r.lengths[i] = pn_clip_get_info(clip)->context;
    assert_int_equal(pn_clip_embed_ids(clip, r.ids, r.lengths, r.n, PN_CLIP_UNIT, pool, out, &err),
                     PN_OK);
    expect_vectors(row, "text_embeds.npy", out, true);
    free(out);
    free_ids(&r);
}

static void models__give_the_vectors_of_the_reference(void **state)
{
    (void)state;
    char found[GOLDEN_PATH_BYTES];
    /* before anything is owned: a skipped test does not come back */
    golden_require(MODELS "clip-quickgelu", found);
    pn_pool *pool = NULL;
    pn_error err = {0};
    assert_int_equal(pn_pool_create(2, &pool, &err), PN_OK);
    for (size_t i = 0; i < PN_COUNT_OF(models); i++) {
        const model_row *row = &models[i];
        stage s;
        stage_model(&s, row);
        pn_clip *clip = open_model(s.dir, pool);
        const pn_clip_info *info = pn_clip_get_info(clip);
        assert_string_equal(info->layout, row->layout);
        assert_string_equal(info->weights_type, row->type);
        assert_string_equal(info->activation, row->activation);
        check_images(row, clip, pool);
        check_texts(row, clip, pool);
        pn_clip_close(clip);
        stage_remove(&s);
    }
    pn_pool_free(pool);
}

static void logits__are_those_of_the_reference(void **state)
{
    (void)state;
    stage s;
    const model_row *row = &models[0];
    stage_model(&s, row);
    pn_clip *clip = open_model(s.dir, NULL);
    golden_array images, texts, want;
    golden_load(golden_of(row, "image_embeds.npy"), 'f', &images);
    golden_load(golden_of(row, "text_embeds.npy"), 'f', &texts);
    golden_load(golden_of(row, "logits_per_image.npy"), 'f', &want);
    double scale = pn_clip_get_info(clip)->logit_scale;
    for (size_t i = 0; i < images.dims[0]; i++)
        for (size_t j = 0; j < texts.dims[0]; j++) {
            double cosine = golden_cosine(images.f32 + i * images.dims[1],
                                          texts.f32 + j * texts.dims[1], images.dims[1]);
            assert_true(fabs(cosine * scale - (double)want.f32[i * texts.dims[0] + j]) < 2e-3);
        }
    golden_free(&images);
    golden_free(&texts);
    golden_free(&want);
    pn_clip_close(clip);
    stage_remove(&s);
}

static void fingerprint__is_the_same_in_every_layout(void **state)
{
    (void)state;
    char first[33] = "";
    for (size_t i = 0; i < PN_COUNT_OF(models); i++) {
        if (strcmp(models[i].golden, "clip-quickgelu-f16") != 0)
            continue;
        stage s;
        stage_model(&s, &models[i]);
        pn_clip *clip = open_model(s.dir, NULL);
        const char *fingerprint = pn_clip_get_info(clip)->fingerprint;
        assert_int_equal(strlen(fingerprint), 32);
        if (first[0] == '\0')
            memcpy(first, fingerprint, sizeof first);
        else
            assert_string_equal(fingerprint, first);
        pn_clip_close(clip);
        stage_remove(&s);
    }
}

/* One thread, two, three; alone, together: not one bit may change. */
static void embeddings__do_not_depend_on_threads_or_neighbours(void **state)
{
    (void)state;
    const model_row *row = &models[6];
    stage s;
    stage_model(&s, row);
    pn_clip *clip = open_model(s.dir, NULL);
    const size_t dim = pn_clip_get_info(clip)->dim, context = pn_clip_get_info(clip)->context;
    golden_array pixels;
    golden_load(golden_of(row, "pixel_values.npy"), 'f', &pixels);
    id_rows r = load_ids(row, clip);
    const size_t picture = pixels.n / pixels.dims[0];
    float *all = malloc(r.n * dim * sizeof *all), *one = malloc(r.n * dim * sizeof *one);
    pn_error err = {0};
    assert_int_equal(
        pn_clip_embed_images(clip, pixels.f32, pixels.dims[0], PN_CLIP_UNIT, NULL, all, &err),
        PN_OK);
    for (unsigned threads = 1; threads <= 3; threads++) {
        pn_pool *pool = NULL;
        assert_int_equal(pn_pool_create(threads, &pool, &err), PN_OK);
        for (size_t i = 0; i < pixels.dims[0]; i++)
            assert_int_equal(pn_clip_embed_images(clip, pixels.f32 + i * picture, 1, PN_CLIP_UNIT,
                                                  pool, one + i * dim, &err),
                             PN_OK);
        assert_memory_equal(one, all, pixels.dims[0] * dim * sizeof *one);
        pn_pool_free(pool);
    }
    assert_int_equal(pn_clip_embed_ids(clip, r.ids, r.lengths, r.n, PN_CLIP_UNIT, NULL, all, &err),
                     PN_OK);
    for (unsigned threads = 1; threads <= 3; threads++) {
        pn_pool *pool = NULL;
        assert_int_equal(pn_pool_create(threads, &pool, &err), PN_OK);
        for (size_t i = 0; i < r.n; i++)
            assert_int_equal(pn_clip_embed_ids(clip, r.ids + i * context, r.lengths + i, 1,
                                               PN_CLIP_UNIT, pool, one + i * dim, &err),
                             PN_OK);
        assert_memory_equal(one, all, r.n * dim * sizeof *one);
        pn_pool_free(pool);
    }
    free(all);
    free(one);
    free_ids(&r);
    golden_free(&pixels);
    pn_clip_close(clip);
    stage_remove(&s);
}

/* More rows than one group holds, and enough for every thread to take some pictures, and some texts, for its own. */
static void batches__larger_than_a_group_give_the_same_rows(void **state)
{
    (void)state;
    enum { N = 151, MOST_THREADS = 3 };
    const model_row *row = &models[0];
    stage s;
    stage_model(&s, row);
    pn_clip *clip = open_model(s.dir, NULL);
    const size_t dim = pn_clip_get_info(clip)->dim, context = pn_clip_get_info(clip)->context;
    golden_array pixels;
    golden_load(golden_of(row, "pixel_values.npy"), 'f', &pixels);
    id_rows r = load_ids(row, clip);
    const size_t picture = pixels.n / pixels.dims[0];
    float *many = malloc(N * picture * sizeof *many), *out = malloc(N * dim * sizeof *out);
    uint32_t *ids = malloc(N * context * sizeof *ids);
    size_t lengths[N];
    pn_error err = {0};
    for (size_t i = 0; i < N; i++) {
        memcpy(many + i * picture, pixels.f32 + i % 4 * picture, picture * sizeof *many);
        memcpy(ids + i * context, r.ids + i % r.n * context, context * sizeof *ids);
        lengths[i] = r.lengths[i % r.n];
    }
    const pn_clip_info *info = pn_clip_get_info(clip);
    const size_t side = info->image_width / info->patch_px;
    assert_true(pn_share_count(N, 1 + side * side, MOST_THREADS) > 0);
    for (unsigned threads = 1; threads <= MOST_THREADS; threads++) {
        pn_pool *pool = NULL;
        assert_int_equal(pn_pool_create(threads, &pool, &err), PN_OK);
        assert_int_equal(pn_clip_embed_images(clip, many, N, PN_CLIP_UNIT, pool, out, &err), PN_OK);
        for (size_t i = 4; i < N; i++)
            assert_memory_equal(out + i * dim, out + i % 4 * dim, dim * sizeof *out);
        assert_int_equal(pn_clip_embed_ids(clip, ids, lengths, N, PN_CLIP_UNIT, pool, out, &err),
                         PN_OK);
        for (size_t i = r.n; i < N; i++)
            assert_memory_equal(out + i * dim, out + i % r.n * dim, dim * sizeof *out);
        pn_pool_free(pool);
    }
    free(many);
    free(out);
    free(ids);
    free_ids(&r);
    golden_free(&pixels);
    pn_clip_close(clip);
    stage_remove(&s);
}

/* As many for each thread, none too small for the products, and never more rows at once than there is memory for. */
static void shares__are_fair(void **state)
{
    (void)state;
    enum { LEAST_ROWS = 168, MOST_ROWS = 4096 };
    for (size_t rows = 1; rows < 700; rows += 1 + rows / 3)
        for (size_t threads = 1; threads < 40; threads++)
            for (size_t n = 1; n < 2000; n += 1 + n / 5) {
                const size_t shares = pn_share_count(n, rows, threads);
                const bool is_enough = n / threads * rows >= LEAST_ROWS;
                const size_t least = (LEAST_ROWS + rows - 1) / rows * rows;
                const bool may = threads > 1 && least * threads <= MOST_ROWS;
                assert_int_equal(pn_share_least(rows, threads), may ? least / rows : 0);
                assert_int_equal(shares > 0, may && is_enough);
                assert_int_equal(shares % threads, 0);
                if (shares > 0)
                    assert_true(n / threads * threads / shares * rows >= LEAST_ROWS);
            }
}

static void unsupported_models__are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *model, *word;
    } rows[] = {{"clip-quickgelu-torchbin", "pickle"}};
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        char name[256], dir[GOLDEN_PATH_BYTES];
        pn_error err = {0};
        pn_clip *clip = NULL;
        (void)snprintf(name, sizeof name, MODELS "%s", rows[i].model);
        golden_require(name, dir);
        pn_status status = pn_clip_open(dir, NULL, &clip, &err);
        assert_null(clip);
        bool pickle = strcmp(rows[i].word, "pickle") == 0;
        assert_int_equal(status, pickle ? PN_ERR_NOT_FOUND : PN_ERR_UNSUPPORTED);
        print_message("  %s\n", err.message);
        assert_non_null(strstr(err.message, rows[i].word));
    }
}

static void nothing__leaks(void **state)
{
    (void)state;
    assert_int_equal(pn_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models__give_the_vectors_of_the_reference),
        cmocka_unit_test(logits__are_those_of_the_reference),
        cmocka_unit_test(fingerprint__is_the_same_in_every_layout),
        cmocka_unit_test(embeddings__do_not_depend_on_threads_or_neighbours),
        cmocka_unit_test(batches__larger_than_a_group_give_the_same_rows),
        cmocka_unit_test(shares__are_fair),
        cmocka_unit_test(unsupported_models__are_refused_by_name),
        cmocka_unit_test(nothing__leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
