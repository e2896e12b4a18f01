/*
 * test_clip_model.c - a tiny model with odd sizes: every layout against plain loops in double; every fault by name
 */
#include "base/alloc.h"
#include "base/rng.h"
#include "clip/clip.h"
#include "os/pool.h"
#include "support/golden.h"
#include "support/stage.h"
#include "support/tiny_clip.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static stage folder;

static int make_folder(void **state)
{
    (void)state;
    stage_make(&folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    stage_remove(&folder);
    return 0;
}

static pn_clip *open_model(void)
{
    pn_clip *clip = NULL;
    pn_error err = {0};
    if (pn_clip_open(folder.dir, NULL, &clip, &err) != PN_OK)
        fail_msg("%s", err.message);
    return clip;
}

static void expect_near(const float *got, const double *want, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= 3e-6 * fmax(1, fabs(want[i]))))
            fail_msg("%s [%zu]: %.8g, expected %.8g", what, i, (double)got[i], want[i]);
}

static void check_against_reference(tiny_clip *tiny, const pn_clip *clip, const char *what)
{
    const tiny_spec *s = &tiny->spec;
    const size_t picture = (size_t)3 * s->image_width * s->image_height;
    enum { N = 3 };
    float *pixels = malloc(N * picture * sizeof *pixels);
    float *got = malloc(N * s->dim * sizeof *got);
    double *want = malloc(s->dim * sizeof *want);
    pn_rng rng = pn_rng_seed(77);
    pn_error err = {0};
    for (size_t i = 0; i < N * picture; i++)
        pixels[i] = (float)pn_rng_normal(&rng);
    assert_int_equal(pn_clip_embed_images(clip, pixels, N, PN_CLIP_RAW, NULL, got, &err), PN_OK);
    for (size_t i = 0; i < N; i++) {
        tiny_clip_image(tiny, pixels + i * picture, want);
        expect_near(got + i * s->dim, want, s->dim, what);
    }
    uint32_t *ids = calloc(N * s->context, sizeof *ids);
    size_t lengths[N] = {2, s->context, s->context / 2 + 1};
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < lengths[i]; j++)
            ids[i * s->context + j] = j == 0                ? TINY_START
                                      : j + 1 == lengths[i] ? TINY_END
                                                            : (uint32_t)pn_rng_below(&rng, 512);
    assert_int_equal(pn_clip_embed_ids(clip, ids, lengths, N, PN_CLIP_RAW, NULL, got, &err), PN_OK);
    for (size_t i = 0; i < N; i++) {
        tiny_clip_text(tiny, ids + i * s->context, lengths[i], want);
        expect_near(got + i * s->dim, want, s->dim, what);
    }
    free(pixels);
    free(got);
    free(want);
    free(ids);
}

static void odd_sizes__agree_with_plain_loops(void **state)
{
    (void)state;
    static const char *const activations[] = {"quick_gelu", "gelu", "gelu_pytorch_tanh"};
    for (size_t i = 0; i < 6; i++) {
        tiny_spec spec = tiny_spec_odd();
        tiny_clip tiny;
        spec.activation = activations[i % 3];
        spec.seed = i;
        if (i >= 3) { /* more tokens than a block of scores, one layer, one head */
            spec.patch = 2;
            spec.image_width = 31;
            spec.image_height = 16;
            spec.context = 70;
            spec.vision = (tiny_encoder){33, 1, 1, 5, 0, NULL};
            spec.text = (tiny_encoder){34, 1, 17, 3, 0, NULL};
            spec.dim = 17;
        }
        tiny_clip_make(&tiny, &spec);
        tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "F32", "");
        pn_clip *clip = open_model();
        check_against_reference(&tiny, clip, spec.activation);
        pn_clip_close(clip);
        tiny_clip_free(&tiny);
    }
}

/* What pruning leaves, as TinyCLIP's "auto" models have it: an odd width, and blocks with fewer heads and a narrower MLP. */
static tiny_spec pruned_spec(uint32_t vision_width, uint32_t text_width)
{
    static const tiny_pruned vision[] = {{3, 70}, {1, 96}, {2, 1}}, text[] = {{2, 17}, {3, 64}};
    tiny_spec spec = tiny_spec_odd();
    spec.vision = (tiny_encoder){vision_width, 3, 3, 96, 64, vision};
    spec.text = (tiny_encoder){text_width, 2, 3, 64, 64, text};
    spec.image_width = spec.image_height = 15;
    return spec;
}

static void pruned__blocks_have_the_sizes_of_their_tensors(void **state)
{
    (void)state;
    static const struct {
        uint32_t vision, text;
        tiny_layout layout;
        const char *activation;
    } rows[] = {{183, 131, TINY_OPEN_CLIP, "gelu"}, /* 3 heads of 64 are wider than the encoder */
                {183, 131, TINY_CUSTOM_TEXT, "gelu"},
                {183, 131, TINY_OPENAI, "quick_gelu"},
                {192, 192, TINY_HUGGINGFACE, "gelu"}, /* whose heads share the width evenly */
                {250, 141, TINY_OPENAI, "quick_gelu"}};
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        tiny_spec spec = pruned_spec(rows[i].vision, rows[i].text);
        tiny_clip tiny;
        spec.activation = rows[i].activation;
        tiny_clip_make(&tiny, &spec);
        stage_remove(&folder);
        stage_make(&folder);
        tiny_clip_write(&tiny, folder.dir, rows[i].layout, "F32", "");
        pn_clip *clip = open_model();
        check_against_reference(&tiny, clip, "pruned");
        pn_clip_close(clip);
        tiny_clip_free(&tiny);
    }
}

static void layouts__and_types_give_the_same_bits(void **state)
{
    (void)state;
    static const char *const types[] = {"F32", "F16", "BF16"};
    static const char *const prefixes[] = {"", "model.", "module."};
    tiny_spec spec = tiny_spec_odd();
    spec.seed = 11;
    tiny_clip tiny;
    tiny_clip_make(&tiny, &spec);
    char fingerprint[33] = "";
    for (int layout = TINY_HUGGINGFACE; layout <= TINY_CUSTOM_TEXT; layout++)
        for (size_t i = 0; i < 3; i++) {
            stage_remove(&folder);
            stage_make(&folder);
            tiny_clip_write(&tiny, folder.dir, (tiny_layout)layout, types[i], prefixes[i]);
            pn_clip *clip = open_model();
            const pn_clip_info *info = pn_clip_get_info(clip);
            if (fingerprint[0] == '\0')
                memcpy(fingerprint, info->fingerprint, sizeof fingerprint);
            assert_string_equal(info->fingerprint, fingerprint);
            check_against_reference(&tiny, clip, types[i]);
            pn_clip_close(clip);
        }
    tiny_clip_free(&tiny);
}

/* The original layout has no configuration: heads of 64, quick_gelu, a square picture. */
static void openai__sizes_come_from_the_shapes(void **state)
{
    (void)state;
    tiny_spec spec = tiny_spec_odd();
    spec.vision = (tiny_encoder){128, 2, 2, 40, 0, NULL};
    spec.text = (tiny_encoder){64, 1, 1, 24, 0, NULL};
    spec.image_width = spec.image_height = 15;
    spec.activation = "quick_gelu";
    tiny_clip tiny;
    tiny_clip_make(&tiny, &spec);
    tiny_clip_write(&tiny, folder.dir, TINY_OPENAI, "F16", "");
    pn_clip *clip = open_model();
    const pn_clip_info *info = pn_clip_get_info(clip);
    assert_string_equal(info->layout, "openai");
    assert_int_equal(info->vision_heads, 2);
    assert_int_equal(info->vision_layers, 2);
    assert_int_equal(info->image_width, 15);
    assert_int_equal(info->context, spec.context);
    assert_int_equal(info->dim, spec.dim);
    check_against_reference(&tiny, clip, "openai");
    pn_clip_close(clip);

    tiny_clip_free(&tiny);
}

static void info__describes_the_model(void **state)
{
    (void)state;
    tiny_spec spec = tiny_spec_odd();
    tiny_clip tiny;
    tiny_clip_make(&tiny, &spec);
    tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "BF16", "");
    pn_clip *clip = open_model();
    const pn_clip_info *info = pn_clip_get_info(clip);
    size_t n = 0;
    for (size_t i = 0; i < tiny.n; i++)
        n += tiny.tensors[i].n;
    assert_int_equal(info->n_parameters, n);
    assert_string_equal(info->weights_type, "bf16");
    assert_string_equal(info->activation, "gelu");
    assert_int_equal(info->image_width, 11);
    assert_int_equal(info->image_height, 17);
    assert_int_equal(info->patch_px, 5);
    assert_true(fabs(info->logit_scale - exp(1.5)) < 1e-9);
    const pn_preprocess *p = pn_clip_preprocess(clip);
    assert_int_equal(p->mode, PN_PREPROCESS_CROP);
    assert_int_equal(p->width, 11);
    assert_true(p->mean[0] == 0.48145466f && p->std[2] == 0.27577711f);
    assert_non_null(pn_clip_tokenizer(clip));
    pn_clip_close(clip);
    tiny_clip_free(&tiny);
}

static void fingerprint__changes_with_any_weight(void **state)
{
    (void)state;
    tiny_spec spec = tiny_spec_odd();
    tiny_clip tiny;
    tiny_clip_make(&tiny, &spec);
    tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "F32", "");
    pn_clip *clip = open_model();
    char before[33];
    memcpy(before, pn_clip_get_info(clip)->fingerprint, sizeof before);
    pn_clip_close(clip);
    for (size_t i = 0; i < tiny.n; i++) {
        float *value = &tiny.tensors[i].values[tiny.tensors[i].n - 1];
        float kept = *value;
        *value += 0.25f;
        tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "F32", "");
        clip = open_model();
        if (strcmp(pn_clip_get_info(clip)->fingerprint, before) == 0)
            fail_msg("%s does not count", tiny.tensors[i].name);
        pn_clip_close(clip);
        *value = kept;
    }
    tiny_clip_free(&tiny);
}

/* ---- faults */

static void expect_refused(pn_status status, const char *word)
{
    pn_clip *clip = NULL;
    pn_error err = {0};
    pn_status got = pn_clip_open(folder.dir, NULL, &clip, &err);
    if (got != status || !strstr(err.message, word))
        fail_msg("status %d, expected %d with \"%s\": %s", got, status, word, err.message);
    assert_null(clip);
}

static void tensors__missing_ones_are_named(void **state)
{
    (void)state;
    tiny_spec spec = tiny_spec_odd();
    tiny_clip whole;
    tiny_clip_make(&whole, &spec);
    for (size_t i = 0; i < whole.n; i++) {
        tiny_clip tiny;
        char name[96];
        tiny_clip_make(&tiny, &spec);
        memcpy(name, whole.tensors[i].name, sizeof name);
        tiny_clip_drop(&tiny, name);
        tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "F32", "");
        if (strcmp(name, "visual_projection.weight") == 0)
            expect_refused(PN_ERR_UNSUPPORTED, name); /* without it, it is no CLIP we know */
        else
            expect_refused(PN_ERR_CORRUPT, name);
        tiny_clip_free(&tiny);
    }
    tiny_clip_free(&whole);
}

static void tensors__wrong_shapes_are_named(void **state)
{
    (void)state;
    tiny_spec spec = tiny_spec_odd();
    tiny_clip tiny;
    tiny_clip_make(&tiny, &spec);
    for (size_t i = 0; i < tiny.n; i++) {
        tiny_tensor *t = &tiny.tensors[i];
        uint64_t kept = t->dims[0];
        size_t kept_dims = t->n_dims;
        if (t->n_dims == 0) {
            t->n_dims = 2; /* [1, 1] instead of [] */
            t->dims[0] = t->dims[1] = 1;
        } else {
            t->dims[0]--; /* one row less */
        }
        tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "F32", "");
        expect_refused(PN_ERR_CORRUPT, t->name);
        t->dims[0] = kept;
        t->n_dims = kept_dims;
    }
    tiny_clip_free(&tiny);
}

/* Every tensor of a pruned block has to fit the others of its block. */
static void pruned__blocks_that_disagree_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *tensor;
        int dim, change;
    } rows[] = {{"self_attn.q_proj.weight", 0, -1},
                {"self_attn.q_proj.weight", 0, -64},
                {"self_attn.v_proj.bias", 0, -64},
                {"self_attn.out_proj.weight", 1, -1},
                {"self_attn.out_proj.weight", 0, -1},
                {"mlp.fc1.weight", 0, -1},
                {"mlp.fc1.bias", 0, -1},
                {"mlp.fc2.weight", 0, -1}};
    tiny_spec spec = pruned_spec(192, 192);
    tiny_clip tiny;
    tiny_clip_make(&tiny, &spec);
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        char name[160];
        (void)snprintf(name, sizeof name, "vision_model.encoder.layers.0.%s", rows[i].tensor);
        tiny_tensor *t = tiny_clip_find(&tiny, name);
        t->dims[rows[i].dim] += (uint64_t)(int64_t)rows[i].change;
        tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "F32", "");
        expect_refused(PN_ERR_CORRUPT, name);
        t->dims[rows[i].dim] -= (uint64_t)(int64_t)rows[i].change;
    }
    tiny_clip_free(&tiny);
}

static void tensors__values_that_are_not_finite_are_named(void **state)
{
    (void)state;
    tiny_spec spec = tiny_spec_odd();
    tiny_clip tiny;
    tiny_clip_make(&tiny, &spec);
    for (size_t i = 0; i < tiny.n; i++) {
        tiny_tensor *t = &tiny.tensors[i];
        float kept = t->values[t->n / 2];
        t->values[t->n / 2] = i % 2 ? NAN : INFINITY;
        tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "F32", "");
        expect_refused(PN_ERR_CORRUPT, t->name);
        t->values[t->n / 2] = kept;
    }
    tiny_clip_free(&tiny);
}

static void tensors__of_another_type_are_named(void **state)
{
    (void)state;
    tiny_spec spec = tiny_spec_odd();
    tiny_clip tiny;
    tiny_clip_make(&tiny, &spec);
    tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "I64", "");
    expect_refused(PN_ERR_UNSUPPORTED, "I64");
    tiny_clip_free(&tiny);
}

static void tensors__beyond_the_model_are_named_inside_blocks_only(void **state)
{
    (void)state;
    tiny_spec spec = tiny_spec_odd();
    tiny_clip tiny;
    tiny_clip_make(&tiny, &spec);
    tiny_clip_rename(&tiny, "logit_scale", "text_model.embeddings.position_ids");
    tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "F32", "");
    expect_refused(PN_ERR_CORRUPT, "logit_scale");
    tiny_clip_free(&tiny);

    /* the configuration has a layer less than the file */
    tiny_clip_make(&tiny, &spec);
    tiny.spec.text.layers = 1;
    tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "F32", "");
    expect_refused(PN_ERR_UNSUPPORTED, "text_model.encoder.layers.1.");
    tiny_clip_free(&tiny);
}

static void memory__running_out_anywhere_is_an_error(void **state)
{
    (void)state;
    tiny_spec spec = tiny_spec_odd();
    tiny_clip tiny;
    tiny_clip_make(&tiny, &spec);
    tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "F32", "");
    int64_t before = pn_alloc_live();
    pn_status status = PN_ERR_NOMEM;
    pn_clip *clip = NULL;
    int64_t n = 0;
    for (n = 1; status != PN_OK && n < 5000; n++) {
        pn_error err = {0};
        pn_alloc_fail_after(n);
        status = pn_clip_open(folder.dir, NULL, &clip, &err);
        pn_alloc_fail_after(0);
        if (status != PN_OK && status != PN_ERR_NOMEM)
            fail_msg("allocation %d: status %d: %s", (int)n, status, err.message);
        if (status != PN_OK)
            assert_int_equal(pn_alloc_live(), before);
    }
    assert_int_equal(status, PN_OK);
    print_message("  opening takes %d allocations\n", (int)n - 1);

    float pixels[3 * 11 * 17] = {0}, out[7];
    uint32_t ids[9] = {TINY_START, TINY_END};
    size_t length = 2;
    pn_error err = {0};
    before = pn_alloc_live();
    pn_status image = PN_OK, text = PN_OK;
    for (int64_t i = 1; i == 1 || text != PN_OK; i++) {
        assert_true(i < 10);
        pn_alloc_fail_after(i);
        text = pn_clip_embed_ids(clip, ids, &length, 1, PN_CLIP_UNIT, NULL, out, &err);
        pn_alloc_fail_after(i);
        image = pn_clip_embed_images(clip, pixels, 1, PN_CLIP_UNIT, NULL, out, &err);
        pn_alloc_fail_after(0);
        assert_true(image == PN_OK || image == PN_ERR_NOMEM);
        assert_true(text == PN_OK || text == PN_ERR_NOMEM);
        assert_true(i > 1 || (image == PN_ERR_NOMEM && text == PN_ERR_NOMEM));
    }
    /* What was taken once is kept, and the next pass takes nothing. */
    before = pn_alloc_live();
    pn_alloc_fail_after(1);
    image = pn_clip_embed_images(clip, pixels, 1, PN_CLIP_UNIT, NULL, out, &err);
    text = pn_clip_embed_ids(clip, ids, &length, 1, PN_CLIP_UNIT, NULL, out, &err);
    pn_alloc_fail_after(0);
    assert_true(image == PN_OK && text == PN_OK);
    assert_int_equal(pn_alloc_live(), before);
    pn_clip_close(clip);
    tiny_clip_free(&tiny);
}

static void arguments__bad_ones_are_named(void **state)
{
    (void)state;
    tiny_spec spec = tiny_spec_odd();
    tiny_clip tiny;
    tiny_clip_make(&tiny, &spec);
    tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "F32", "");
    pn_clip *clip = open_model();
    float out[2 * 7], pixels[3 * 11 * 17] = {0};
    pn_error err = {0};
    uint32_t ids[2 * 9] = {TINY_START, 3, TINY_END, 0, 0, 0, 0, 0, 0, TINY_START, 514, TINY_END};
    size_t lengths[2] = {3, 3};
    assert_int_equal(pn_clip_embed_images(clip, pixels, 0, PN_CLIP_UNIT, NULL, out, &err),
                     PN_ERR_INVALID);
    assert_int_equal(pn_clip_embed_ids(clip, ids, lengths, 0, PN_CLIP_UNIT, NULL, out, &err),
                     PN_ERR_INVALID);
    assert_int_equal(pn_clip_embed_ids(clip, ids, lengths, 2, PN_CLIP_UNIT, NULL, out, &err),
                     PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "text 1: token 514"));
    ids[10] = 4;
    lengths[0] = 0;
    assert_int_equal(pn_clip_embed_ids(clip, ids, lengths, 2, PN_CLIP_UNIT, NULL, out, &err),
                     PN_ERR_INVALID);
    lengths[0] = 10;
    assert_int_equal(pn_clip_embed_ids(clip, ids, lengths, 2, PN_CLIP_UNIT, NULL, out, &err),
                     PN_ERR_INVALID);
    lengths[0] = 2; /* ends before its end token */
    assert_int_equal(pn_clip_embed_ids(clip, ids, lengths, 2, PN_CLIP_UNIT, NULL, out, &err),
                     PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "no end token"));
    pixels[5] = NAN;
    assert_int_equal(pn_clip_embed_images(clip, pixels, 1, PN_CLIP_UNIT, NULL, out, &err),
                     PN_ERR_INVALID);
    pn_clip_close(clip);
    tiny_clip_free(&tiny);
}

static void text__stops_at_the_first_end_token(void **state)
{
    (void)state;
    tiny_spec spec = tiny_spec_odd();
    tiny_clip tiny;
    tiny_clip_make(&tiny, &spec);
    tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "F32", "");
    pn_clip *clip = open_model();
    uint32_t ids[9] = {TINY_START, 3, TINY_END, 7, TINY_END, 8, TINY_END, 0, 0};
    float first[7], later[7];
    size_t length = 3, longer = 7;
    pn_error err = {0};
    assert_int_equal(pn_clip_embed_ids(clip, ids, &length, 1, PN_CLIP_UNIT, NULL, first, &err),
                     PN_OK);
    assert_int_equal(pn_clip_embed_ids(clip, ids, &longer, 1, PN_CLIP_UNIT, NULL, later, &err),
                     PN_OK);
    assert_memory_equal(first, later, sizeof first);
    pn_clip_close(clip);
    tiny_clip_free(&tiny);
}

/* Texts that begin alike share their first row; the vector must not show it. */
static void expect_same_alone(const pn_clip *clip, const uint32_t *ids, const size_t *lengths,
                              size_t n)
{
    const size_t dim = pn_clip_get_info(clip)->dim, context = pn_clip_get_info(clip)->context;
    float *together = malloc(n * dim * sizeof *together), *alone = malloc(dim * sizeof *alone);
    assert_int_equal(pn_clip_embed_ids(clip, ids, lengths, n, PN_CLIP_RAW, NULL, together, NULL),
                     PN_OK);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(pn_clip_embed_ids(clip, ids + i * context, lengths + i, 1, PN_CLIP_RAW,
                                           NULL, alone, NULL),
                         PN_OK);
        assert_memory_equal(alone, together + i * dim, dim * sizeof *alone);
    }
    free(together);
    free(alone);
}

static void text__alone_or_among_others_has_the_same_bits(void **state)
{
    (void)state;
    enum { N = 5, CONTEXT = 9 };
    static const uint32_t ids[N][CONTEXT] = {{TINY_START, 5, 6, 7, TINY_END},
                                             {TINY_START, TINY_END},
                                             {TINY_START, 9, 8, 7, 6, 5, 4, 3, TINY_END},
                                             {7, 5, 6, TINY_END}, /* begins otherwise */
                                             {TINY_END}};         /* is its first row */
    static const size_t lengths[N] = {5, 2, 9, 4, 1};
    const tiny_spec spec = tiny_spec_odd();
    tiny_clip tiny;
    tiny_clip_make(&tiny, &spec);
    tiny_clip_write(&tiny, folder.dir, TINY_HUGGINGFACE, "F32", "");
    for (int precision = PN_CLIP_EXACT; precision <= PN_CLIP_INT8; precision++) {
        const pn_clip_options options = {.precision = (pn_clip_precision)precision, .cache = ""};
        pn_clip *clip = NULL;
        assert_int_equal(pn_clip_open(folder.dir, &options, &clip, NULL), PN_OK);
        for (size_t n = 1; n <= N; n++)
            expect_same_alone(clip, ids[0], lengths, n);
        expect_same_alone(clip, ids[3], lengths + 3, 2);
        pn_clip_close(clip);
    }
    tiny_clip_free(&tiny);
}

/* ---- the first row, which the first text leaves for those that follow */

enum { FIRST_TEXTS = 4, FIRST_CONTEXT = 9, FIRST_DIM = 7, AT_ONCE = 4, TIMES = 20 };

static const uint32_t first_ids[FIRST_TEXTS][FIRST_CONTEXT] = {
    {TINY_START, 5, 6, 7, TINY_END},
    {TINY_START, TINY_END},
    {7, 5, 6, TINY_END}, /* begins otherwise */
    {TINY_START, 9, 8, 7, 6, 5, 4, 3, TINY_END},
};
static const size_t first_lengths[FIRST_TEXTS] = {5, 2, 4, 9};

static void embed_text(const pn_clip *clip, size_t i, float *out)
{
    assert_int_equal(
        pn_clip_embed_ids(clip, first_ids[i], &first_lengths[i], 1, PN_CLIP_RAW, NULL, out, NULL),
        PN_OK);
}

/* Each text as the first one of a model. */
static void embed_first(float out[FIRST_TEXTS][FIRST_DIM])
{
    for (size_t i = 0; i < FIRST_TEXTS; i++) {
        pn_clip *clip = open_model();
        assert_int_equal(pn_clip_get_info(clip)->dim, FIRST_DIM);
        embed_text(clip, i, out[i]);
        pn_clip_close(clip);
    }
}

static void text__first_or_later_has_the_same_bits(void **state)
{
    (void)state;
    const tiny_spec specs[] = {tiny_spec_odd(), pruned_spec(183, 131)};
    for (size_t k = 0; k < PN_COUNT_OF(specs); k++) {
        tiny_clip tiny;
        tiny_clip_make(&tiny, &specs[k]);
        stage_remove(&folder);
        stage_make(&folder);
        tiny_clip_write(&tiny, folder.dir, TINY_OPEN_CLIP, "F32", "");
        float want[FIRST_TEXTS][FIRST_DIM], got[FIRST_DIM];
        embed_first(want);
        for (size_t begin = 0; begin < FIRST_TEXTS; begin++) {
            pn_clip *clip = open_model();
            for (size_t i = 0; i < (size_t)2 * FIRST_TEXTS; i++) {
                size_t text = (begin + i) % FIRST_TEXTS;
                embed_text(clip, text, got);
                assert_memory_equal(got, want[text], sizeof got);
            }
            pn_clip_close(clip);
        }
        tiny_clip_free(&tiny);
    }
}

typedef struct asker {
    const pn_clip *clip;
    const float (*want)[FIRST_DIM];
    size_t first;
    bool good;
} asker;

static void ask_often(void *context)
{
    asker *a = context;
    a->good = true;
    for (size_t i = 0; i < TIMES; i++) {
        float got[FIRST_DIM];
        const size_t text = (a->first + i) % FIRST_TEXTS;
        const pn_status status = pn_clip_embed_ids(a->clip, first_ids[text], &first_lengths[text],
                                                   1, PN_CLIP_RAW, NULL, got, NULL);
        a->good = a->good && status == PN_OK && memcmp(got, a->want[text], sizeof got) == 0;
    }
}

static void text__asked_for_at_once_has_the_same_bits(void **state)
{
    (void)state;
    const tiny_spec spec = tiny_spec_odd();
    tiny_clip tiny;
    tiny_clip_make(&tiny, &spec);
    tiny_clip_write(&tiny, folder.dir, TINY_OPEN_CLIP, "F32", "");
    float want[FIRST_TEXTS][FIRST_DIM];
    embed_first(want);
    for (int round = 0; round < 5; round++) {
        pn_clip *clip = open_model();
        asker askers[AT_ONCE];
        pn_thread *threads[AT_ONCE];
        for (size_t i = 0; i < AT_ONCE; i++) {
            askers[i] = (asker){clip, (const float(*)[FIRST_DIM])want, i, false};
            assert_int_equal(pn_thread_start(ask_often, &askers[i], "asker", &threads[i], NULL),
                             PN_OK);
        }
        for (size_t i = 0; i < AT_ONCE; i++) {
            pn_thread_join(threads[i]);
            assert_true(askers[i].good);
        }
        pn_clip_close(clip);
    }
    tiny_clip_free(&tiny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(odd_sizes__agree_with_plain_loops, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(pruned__blocks_have_the_sizes_of_their_tensors, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(pruned__blocks_that_disagree_are_named, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(layouts__and_types_give_the_same_bits, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(openai__sizes_come_from_the_shapes, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(info__describes_the_model, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(fingerprint__changes_with_any_weight, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(tensors__missing_ones_are_named, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(tensors__wrong_shapes_are_named, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(tensors__values_that_are_not_finite_are_named, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(tensors__of_another_type_are_named, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(tensors__beyond_the_model_are_named_inside_blocks_only,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(memory__running_out_anywhere_is_an_error, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(arguments__bad_ones_are_named, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(text__stops_at_the_first_end_token, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(text__alone_or_among_others_has_the_same_bits, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(text__first_or_later_has_the_same_bits, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(text__asked_for_at_once_has_the_same_bits, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
