/*
 * test_precision.c - the same model at every precision, and prepared weights from one opening to the next
 */
#include "base/alloc.h"
#include "clip/clip.h"
#include "kernels/kernels.h"
#include "os/dir.h"
#include "os/fd.h"
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

#define MODELS "golden/clip/models/"

static pn_clip *open_at(const char *dir, pn_clip_precision precision, const char *cache)
{
    pn_clip *clip = NULL;
    pn_error err = {0};
    const pn_clip_options options = {.precision = precision, .cache = cache};
    if (pn_clip_open(dir, &options, &clip, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(pn_clip_get_info(clip)->precision, precision);
    return clip;
}

static void names__are_read_back(void **state)
{
    (void)state;
    pn_clip_precision got;
    for (int i = PN_CLIP_EXACT; i <= PN_CLIP_INT8; i++) {
        pn_clip_precision precision = (pn_clip_precision)i;
        assert_true(pn_clip_precision_parse(pn_str_of(pn_clip_precision_name(precision)), &got));
        assert_int_equal(got, precision);
    }
    assert_false(pn_clip_precision_parse(pn_str_of("float"), &got));
    assert_false(pn_clip_precision_parse(pn_str_of(""), &got));
}

/* ---- against the reference */

typedef struct bound {
    pn_clip_precision precision;
    double
        cosine; /* the models are tiny: a sum of 48 terms has more noise in 8 bits than one of 768 */
} bound;
static const bound bounds[] = {{PN_CLIP_EXACT, 0.999999},
                               {PN_CLIP_F32, 0.999999},
                               {PN_CLIP_F16, 0.99999},
                               {PN_CLIP_BF16, 0.9999},
                               {PN_CLIP_INT8, 0.998}};

static void golden_of(const char *model, const char *file, golden_array *out)
{
    char name[256], path[GOLDEN_PATH_BYTES];
    (void)snprintf(name, sizeof name, MODELS "%s/golden/%s", model, file);
    golden_require(name, path);
    golden_load(path, file[0] == 'i' && strcmp(file, "input_ids.npy") == 0 ? 'i' : 'f', out);
}

static double image_cosine(const pn_clip *clip, const char *model)
{
    golden_array pixels, want;
    pn_error err = {0};
    golden_of(model, "pixel_values.npy", &pixels);
    golden_of(model, "image_embeds.npy", &want);
    float *out = malloc(want.n * sizeof *out);
    assert_int_equal(
        pn_clip_embed_images(clip, pixels.f32, want.dims[0], PN_CLIP_UNIT, NULL, out, &err), PN_OK);
    double cosine = golden_min_row_cosine(out, want.f32, want.dims[0], want.dims[1]);
    free(out);
    golden_free(&pixels);
    golden_free(&want);
    return cosine;
}

static double text_cosine(const pn_clip *clip, const char *model)
{
    golden_array ids, want;
    pn_error err = {0};
    golden_of(model, "input_ids.npy", &ids);
    golden_of(model, "text_embeds.npy", &want);
    float *out = malloc(want.n * sizeof *out);
    uint32_t *rows = malloc(ids.n * sizeof *rows);
    size_t *lengths = malloc(ids.dims[0] * sizeof *lengths);
    for (size_t i = 0; i < ids.n; i++)
        rows[i] = (uint32_t)ids.i32[i];
    for (size_t i = 0; i < ids.dims[0]; i++)
        lengths[i] = ids.dims[1];
    assert_int_equal(
        pn_clip_embed_ids(clip, rows, lengths, ids.dims[0], PN_CLIP_UNIT, NULL, out, &err), PN_OK);
    double cosine = golden_min_row_cosine(out, want.f32, want.dims[0], want.dims[1]);
    free(out);
    free(rows);
    free(lengths);
    golden_free(&ids);
    golden_free(&want);
    return cosine;
}

static void precisions__stay_near_the_reference(void **state)
{
    (void)state;
    static const char *const models[] = {"clip-quickgelu", "clip-quickgelu-f16",
                                         "clip-quickgelu-bf16", "clip-gelu"};
    char found[GOLDEN_PATH_BYTES];
    golden_require(MODELS "clip-quickgelu", found);
    char fingerprint[33] = "";
    for (size_t m = 0; m < PN_COUNT_OF(models); m++) {
        char name[256], dir[GOLDEN_PATH_BYTES];
        (void)snprintf(name, sizeof name, MODELS "%s", models[m]);
        golden_require(name, dir);
        for (size_t i = 0; i < PN_COUNT_OF(bounds); i++) {
            pn_clip *clip = open_at(dir, bounds[i].precision, "");
            double image = image_cosine(clip, models[m]), text = text_cosine(clip, models[m]);
            print_message("  %-20s %-6s 1 - cosine: pictures %.1e, texts %.1e\n", models[m],
                          pn_clip_precision_name(bounds[i].precision), 1 - image, 1 - text);
            assert_true(image >= bounds[i].cosine && text >= bounds[i].cosine);
            /* one model, one space: the fingerprint does not know the precision */
            if (i == 0)
                memcpy(fingerprint, pn_clip_get_info(clip)->fingerprint, sizeof fingerprint);
            assert_string_equal(pn_clip_get_info(clip)->fingerprint, fingerprint);
            pn_clip_close(clip);
        }
    }
}

/* 16-bit weights that are kept give the very bits of the same weights widened. */
static void exact__is_f32_bit_for_bit(void **state)
{
    (void)state;
    static const char *const models[] = {"clip-quickgelu-f16", "clip-quickgelu-bf16"};
    for (size_t m = 0; m < PN_COUNT_OF(models); m++) {
        char name[256], dir[GOLDEN_PATH_BYTES];
        (void)snprintf(name, sizeof name, MODELS "%s", models[m]);
        golden_require(name, dir);
        pn_clip *kept = open_at(dir, PN_CLIP_EXACT, ""), *wide = open_at(dir, PN_CLIP_F32, "");
        golden_array pixels;
        golden_of(models[m], "pixel_values.npy", &pixels);
        const size_t dim = pn_clip_get_info(kept)->dim, n = pixels.dims[0];
        float *a = malloc(n * dim * sizeof *a), *b = malloc(n * dim * sizeof *b);
        assert_int_equal(pn_clip_embed_images(kept, pixels.f32, n, PN_CLIP_RAW, NULL, a, NULL),
                         PN_OK);
        assert_int_equal(pn_clip_embed_images(wide, pixels.f32, n, PN_CLIP_RAW, NULL, b, NULL),
                         PN_OK);
        assert_memory_equal(a, b, n * dim * sizeof *a);
        free(a);
        free(b);
        golden_free(&pixels);
        pn_clip_close(kept);
        pn_clip_close(wide);
    }
}

/* The same weights, so it is the rows. */
static void bf16__rounds_the_rows_of_bf16_weights_too(void **state)
{
    (void)state;
    static const char model[] = "clip-quickgelu-bf16";
    char dir[GOLDEN_PATH_BYTES];
    golden_require(MODELS "clip-quickgelu-bf16", dir);
    pn_clip *exact = open_at(dir, PN_CLIP_EXACT, ""), *rounded = open_at(dir, PN_CLIP_BF16, "");
    golden_array pixels;
    golden_of(model, "pixel_values.npy", &pixels);
    const size_t dim = pn_clip_get_info(exact)->dim, n = pixels.dims[0];
    float *a = malloc(n * dim * sizeof *a), *b = malloc(n * dim * sizeof *b);
    assert_int_equal(pn_clip_embed_images(exact, pixels.f32, n, PN_CLIP_UNIT, NULL, a, NULL),
                     PN_OK);
    assert_int_equal(pn_clip_embed_images(rounded, pixels.f32, n, PN_CLIP_UNIT, NULL, b, NULL),
                     PN_OK);
    assert_memory_not_equal(a, b, n * dim * sizeof *a);
    assert_true(golden_min_row_cosine(a, b, n, dim) >= 0.9999);
    free(a);
    free(b);
    golden_free(&pixels);
    pn_clip_close(exact);
    pn_clip_close(rounded);
}

/* ---- long sequences in 8 bits */

enum { LONG_N = 3, LONG_SIDE = 36, LONG_PICTURE = 3 * LONG_SIDE * LONG_SIDE, LONG_DIM = 24 };

/* 82 tokens, and a channel of the keys that is far from zero in all of them. */
static void make_long_model(stage *at)
{
    tiny_spec spec = tiny_spec_odd();
    tiny_clip tiny;
    spec.vision = (tiny_encoder){.width = 64, .layers = 3, .heads = 2, .mlp = 96};
    spec.image_width = spec.image_height = LONG_SIDE;
    spec.patch = 4;
    spec.dim = LONG_DIM;
    stage_make(at);
    tiny_clip_make(&tiny, &spec);
    for (int layer = 0; layer < 3; layer++) {
        char name[96];
        (void)snprintf(name, sizeof name, "vision_model.encoder.layers.%d.self_attn.k_proj.bias",
                       layer);
        tiny_clip_find(&tiny, name)->values[5] = 2000;
    }
    tiny_clip_write(&tiny, at->dir, TINY_HUGGINGFACE, "F32", "");
    tiny_clip_free(&tiny);
}

static void long_vectors(const pn_clip *clip, const float *pixels, size_t n, pn_pool *pool,
                         float *out)
{
    assert_int_equal(pn_clip_embed_images(clip, pixels, n, PN_CLIP_UNIT, pool, out, NULL), PN_OK);
}

static void int8__long_sequences_stay_near_f32_alone_or_not_on_any_threads(void **state)
{
    (void)state;
    static float pixels[LONG_N * LONG_PICTURE];
    float want[LONG_N * LONG_DIM], got[LONG_N * LONG_DIM], other[LONG_N * LONG_DIM];
    stage at;
    pn_pool *pool = NULL;
    make_long_model(&at);
    assert_int_equal(pn_pool_create(3, &pool, NULL), PN_OK);
    for (size_t i = 0; i < PN_COUNT_OF(pixels); i++)
        pixels[i] = (float)(i * 7919 % 1013) / 500 - 1;
    pn_clip *exact = open_at(at.dir, PN_CLIP_F32, ""), *bytes = open_at(at.dir, PN_CLIP_INT8, "");
    long_vectors(exact, pixels, LONG_N, NULL, want);
    long_vectors(bytes, pixels, LONG_N, NULL, got);
    double cosine = golden_min_row_cosine(got, want, LONG_N, LONG_DIM);
    print_message("  1 - cosine: %.1e\n", 1 - cosine);
    assert_true(cosine >= 0.999);
    long_vectors(bytes, pixels, LONG_N, pool, other);
    assert_memory_equal(other, got, sizeof got);
    for (size_t i = 0; i < LONG_N; i++) {
        long_vectors(bytes, pixels + i * LONG_PICTURE, 1, pool, other);
        assert_memory_equal(other, got + i * LONG_DIM, LONG_DIM * sizeof *got);
    }
    pn_clip_close(exact);
    pn_clip_close(bytes);
    pn_pool_free(pool);
    stage_remove(&at);
}

/* ---- prepared weights */

typedef struct place {
    stage model, cache;
    tiny_clip tiny;
} place;
static place here;

/* Just large enough to be kept. */
static int make_place(void **state)
{
    (void)state;
    tiny_spec spec = tiny_spec_odd();
    spec.vision = (tiny_encoder){.width = 512, .layers = 3, .heads = 8, .mlp = 2048};
    stage_make(&here.model);
    stage_make(&here.cache);
    tiny_clip_make(&here.tiny, &spec);
    tiny_clip_write(&here.tiny, here.model.dir, TINY_HUGGINGFACE, "F32", "");
    return 0;
}

static int remove_place(void **state)
{
    (void)state;
    tiny_clip_free(&here.tiny);
    stage_remove(&here.model);
    stage_remove(&here.cache);
    return 0;
}

/* Embed a picture and a text; was the model prepared already? */
static bool embed(pn_clip_precision precision, const char *cache, float out[2][7],
                  char *fingerprint)
{
    pn_clip *clip = open_at(here.model.dir, precision, cache);
    float pixels[3 * 11 * 17];
    uint32_t ids[9] = {TINY_START, 5, 70, TINY_END};
    size_t length = 4;
    for (size_t i = 0; i < PN_COUNT_OF(pixels); i++)
        pixels[i] = (float)(i % 19) / 9 - 1;
    assert_int_equal(pn_clip_embed_images(clip, pixels, 1, PN_CLIP_UNIT, NULL, out[0], NULL),
                     PN_OK);
    assert_int_equal(pn_clip_embed_ids(clip, ids, &length, 1, PN_CLIP_UNIT, NULL, out[1], NULL),
                     PN_OK);
    bool prepared = pn_clip_get_info(clip)->prepared;
    memcpy(fingerprint, pn_clip_get_info(clip)->fingerprint, 33);
    pn_clip_close(clip);
    return prepared;
}

static size_t count_files(const char *dir, char *last, size_t n)
{
    pn_arena arena;
    char **names;
    size_t files;
    pn_arena_init(&arena, SIZE_MAX);
    assert_int_equal(pn_dir_list(dir, &arena, &names, &files, NULL), PN_OK);
    if (files > 0)
        (void)snprintf(last, n, "%s/%s", dir, names[files - 1]);
    pn_arena_reset(&arena);
    return files;
}

static void cache__second_opening_maps_the_same_weights(void **state)
{
    (void)state;
    float want[2][7], got[2][7];
    char fingerprint[33], other[33], file[GOLDEN_PATH_BYTES];
    for (int i = PN_CLIP_EXACT; i <= PN_CLIP_INT8; i++) {
        pn_clip_precision precision = (pn_clip_precision)i;
        assert_false(embed(precision, "", want, fingerprint));
        assert_false(embed(precision, here.cache.dir, got, other));
        assert_memory_equal(got, want, sizeof want);
        assert_true(embed(precision, here.cache.dir, got, other));
        assert_memory_equal(got, want, sizeof want);
        assert_string_equal(other, fingerprint);
        assert_int_equal(count_files(here.cache.dir, file, sizeof file), (size_t)i + 1);
    }
}

static void cache__a_changed_model_is_prepared_again(void **state)
{
    (void)state;
    float old[2][7], got[2][7], want[2][7];
    char before[33], after[33], file[GOLDEN_PATH_BYTES];
    assert_false(embed(PN_CLIP_INT8, here.cache.dir, old, before));
    tiny_tensor *t = tiny_clip_find(&here.tiny, "visual_projection.weight");
    for (size_t i = 0; i < t->n; i += 3)
        t->values[i] = -t->values[i];
    tiny_clip_write(&here.tiny, here.model.dir, TINY_HUGGINGFACE, "F32", "");
    assert_false(embed(PN_CLIP_INT8, here.cache.dir, got, after));
    assert_false(embed(PN_CLIP_INT8, "", want, after));
    assert_memory_equal(got, want, sizeof want);
    assert_memory_not_equal(got, old, sizeof old);
    assert_string_not_equal(before, after);
    assert_int_equal(count_files(here.cache.dir, file, sizeof file),
                     1); /* in the old one's place */
}

static void cache__damage_and_leftovers_are_replaced(void **state)
{
    (void)state;
    float want[2][7], got[2][7];
    char fingerprint[33], file[GOLDEN_PATH_BYTES], part[GOLDEN_PATH_BYTES];
    assert_false(embed(PN_CLIP_F16, here.cache.dir, want, fingerprint));
    assert_int_equal(count_files(here.cache.dir, file, sizeof file), 1);
    size_t n;
    uint8_t *bytes = golden_read_bytes(file, &n);
    bytes[n / 2] ^= 1;
    golden_write_bytes(file, bytes, n);
    golden_bytes_free(bytes);
    (void)snprintf(part, sizeof part, "%.*s.00ff.part", (int)sizeof part - 16, file);
    golden_write_bytes(part, "half of it", 10);
    assert_false(embed(PN_CLIP_F16, here.cache.dir, got, fingerprint));
    assert_memory_equal(got, want, sizeof want);
    assert_int_equal(count_files(here.cache.dir, part, sizeof part), 1);
    assert_true(embed(PN_CLIP_F16, here.cache.dir, got, fingerprint));
    assert_memory_equal(got, want, sizeof want);
}

static void cache__a_folder_that_cannot_be_is_no_error(void **state)
{
    (void)state;
    float out[2][7];
    char fingerprint[33], folder[GOLDEN_PATH_BYTES + 16];
    stage_write_text(&here.cache, "file", "");
    (void)snprintf(folder, sizeof folder, "%s/file/cache", here.cache.dir);
    assert_false(embed(PN_CLIP_EXACT, folder, out, fingerprint));
    /* a disk that fills up while the file is written */
    pn_fd_fault_after(4, 28);
    assert_false(embed(PN_CLIP_EXACT, here.cache.dir, out, fingerprint));
    pn_fd_fault_after(0, 0);
    assert_int_equal(count_files(here.cache.dir, folder, sizeof folder), 1); /* "file" alone */
}

/* ---- levels of the processor, of which a process has one */

static const char *program; /* this one */

static int embed_for_parent(char **arguments)
{
    float out[2][7];
    char fingerprint[33];
    (void)snprintf(here.model.dir, sizeof here.model.dir, "%s", arguments[0]);
    const char prepared = embed(PN_CLIP_BF16, arguments[1], out, fingerprint) ? 'y' : 'n';
    return fwrite(&prepared, 1, 1, stdout) == 1 && fwrite(out, sizeof out, 1, stdout) == 1 ? 0 : 1;
}

/* embed() in bf16, with PN_CPU set to level; NULL: as it is. */
static bool embed_at(const char *level, const char *cache, float out[2][7])
{
    char command[3 * GOLDEN_PATH_BYTES], prepared;
    (void)snprintf(command, sizeof command, "%s%s '%s' '%s' '%s'", level ? "PN_CPU=" : "",
                   level ? level : "", program, here.model.dir, cache);
    FILE *child = popen(command, "r");
    assert_non_null(child);
    assert_int_equal(fread(&prepared, 1, 1, child), 1);
    assert_int_equal(fread(out, sizeof(float[2][7]), 1, child), 1);
    assert_int_equal(pclose(child), 0);
    return prepared == 'y';
}

static void bf16__levels_agree_and_keep_their_own_weights(void **state)
{
    (void)state;
    float own[2][7], portable[2][7], again[2][7];
    assert_false(embed_at(NULL, here.cache.dir, own));
    assert_true(embed_at(NULL, here.cache.dir, again));
    assert_memory_equal(again, own, sizeof own);
    assert_false(embed_at("portable", "", portable));
    double cosine = golden_min_row_cosine(own[0], portable[0], 2, 7);
    print_message("  1 - cosine: %.1e\n", 1 - cosine);
    assert_true(cosine >= 0.99999);
    /* pairs are nothing for a level without them */
    assert_int_equal(embed_at("portable", here.cache.dir, again), !pn_kernels_get()->bf16_is_fast);
    assert_memory_equal(again, portable, sizeof portable);
    assert_true(embed_at("portable", here.cache.dir, again));
    assert_memory_equal(again, portable, sizeof portable);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(int argc, char **argv)
{
    if (argc == 3)
        return embed_for_parent(argv + 1);
    program = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names__are_read_back),
        cmocka_unit_test(precisions__stay_near_the_reference),
        cmocka_unit_test(exact__is_f32_bit_for_bit),
        cmocka_unit_test(bf16__rounds_the_rows_of_bf16_weights_too),
        cmocka_unit_test(int8__long_sequences_stay_near_f32_alone_or_not_on_any_threads),
        WITH_PLACE(cache__second_opening_maps_the_same_weights),
        WITH_PLACE(cache__a_changed_model_is_prepared_again),
        WITH_PLACE(cache__damage_and_leftovers_are_replaced),
        WITH_PLACE(cache__a_folder_that_cannot_be_is_no_error),
        WITH_PLACE(bf16__levels_agree_and_keep_their_own_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
