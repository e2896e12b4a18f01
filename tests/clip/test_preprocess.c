/*
 * test_preprocess.c - picture files to tensors, against the arrays of Pillow and torchvision
 *
 * index.json of the goldens says which array belongs to which picture and variant. Lossless files have to match to the
 * bit; JPEG and WebP too where the installed decoder is the reference's, and within 5 levels (mean 0.3) elsewhere.
 */
#include "clip/preprocess.h"

#include "base/alloc.h"
#include "image/decode.h"
#include "support/golden.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define PREPROCESS "golden/clip/preprocess"

static const struct {
    const char *variant;
    pn_preprocess_mode mode;
    pn_resize_filter filter;
} variants[] = {
    {"default", PN_PREPROCESS_CROP, PN_RESIZE_BICUBIC},
    {"letterbox", PN_PREPROCESS_PAD, PN_RESIZE_BICUBIC},
    {"squash", PN_PREPROCESS_SQUASH, PN_RESIZE_BICUBIC},
    {"bilinear", PN_PREPROCESS_CROP, PN_RESIZE_BILINEAR},
};

static pn_preprocess openai(uint32_t width, uint32_t height)
{
    return (pn_preprocess){.mode = PN_PREPROCESS_CROP,
                           .filter = PN_RESIZE_BICUBIC,
                           .width = width,
                           .height = height,
                           .mean = {0.48145466f, 0.4578275f, 0.40821073f},
                           .std = {0.26862954f, 0.26130258f, 0.27577711f}};
}

static void decode_file(const char *path, pn_image *out)
{
    size_t n;
    pn_error err = {0};
    uint8_t *bytes = golden_read_bytes(path, &n);
    pn_status status = pn_image_decode(bytes, n, path, NULL, out, &err);
    golden_bytes_free(bytes);
    if (status != PN_OK)
        fail_msg("%s", err.message);
}

static bool is_lossy(const char *file)
{
    return strstr(file, ".jpg") || strcmp(file, "webp-lossy.webp") == 0;
}

static void check_pixels(const pn_preprocess *p, const pn_image *image, const char *dir,
                         const char *file, const char *variant, const char *array)
{
    golden_array want;
    pn_error err = {0};
    char name[256];
    (void)snprintf(name, sizeof name, "expected/%s", array);
    golden_load(golden_join(dir, name), 'u', &want);
    assert_int_equal(want.n, (size_t)p->width * p->height * 3);
    uint8_t *got = malloc(want.n);
    if (pn_preprocess_pixels(p, image, got, &err) != PN_OK)
        fail_msg("%s %s: %s", file, variant, err.message);
    double most = golden_max_difference_u8(got, want.u8, want.n);
    double mean = golden_mean_difference_u8(got, want.u8, want.n);
    free(got);
    golden_free(&want);
    print_message("%-26s %-10s max %g mean %g\n", file, variant, most, mean);
    if (most > (is_lossy(file) ? 5 : 0) || mean > 0.3)
        fail_msg("%s %s: largest difference %g, mean %g", file, variant, most, mean);
}

static void check_tensor(const pn_preprocess *p, const pn_image *image, const char *dir,
                         const char *array)
{
    golden_array want;
    pn_error err = {0};
    char name[256];
    (void)snprintf(name, sizeof name, "expected/%s", array);
    golden_load(golden_join(dir, name), 'f', &want);
    float *got = malloc(want.n * sizeof *got);
    assert_int_equal(want.n, (size_t)p->width * p->height * 3);
    assert_int_equal(pn_preprocess_tensor(p, image, got, &err), PN_OK);
    double most = golden_max_difference(got, want.f32, want.n);
    print_message("%-26s max %g\n", array, most);
    free(got);
    golden_free(&want);
    assert_true(most <= 1e-6);
}

static void check_record(const char *dir, json_t *record)
{
    const char *file = json_string_value(json_object_get(record, "file"));
    uint32_t side = (uint32_t)json_integer_value(json_object_get(record, "size"));
    json_t *arrays = json_object_get(record, "variants");
    const char *f32 = json_string_value(json_object_get(record, "float32"));
    char name[256];
    pn_image image;
    (void)snprintf(name, sizeof name, "images/%s", file);
    decode_file(golden_join(dir, name), &image);
    for (size_t i = 0; i < PN_COUNT_OF(variants); i++) {
        pn_preprocess p = openai(side, side);
        const char *array = json_string_value(json_object_get(arrays, variants[i].variant));
        p.mode = variants[i].mode;
        p.filter = variants[i].filter;
        if (array)
            check_pixels(&p, &image, dir, file, variants[i].variant, array);
    }
    pn_preprocess p = openai(side, side);
    if (f32)
        check_tensor(&p, &image, dir, f32);
    pn_image_free(&image);
}

static void preprocess__equals_the_reference_on_every_golden_picture(void **state)
{
    (void)state;
    char dir[GOLDEN_PATH_BYTES];
    golden_require(PREPROCESS, dir);
    json_t *index = json_load_file(golden_join(dir, "index.json"), 0, NULL), *record;
    size_t i;
    assert_non_null(index);
    json_array_foreach(json_object_get(index, "images"), i, record) check_record(dir, record);
    assert_true(i >= 20);
    json_decref(index);
}

/* Four pictures through the whole preprocessing of a model, also one that is higher than wide. */
static void check_model_pixels(const char *model, bool square)
{
    static const char *const files[] = {"rgb-landscape.png", "rgb-portrait.png", "gray8.png",
                                        "adam7.png"};
    char dir[GOLDEN_PATH_BYTES], images[GOLDEN_PATH_BYTES];
    golden_array want;
    golden_require(model, dir);
    golden_require(PREPROCESS "/images", images);
    golden_load(golden_join(dir, "golden/pixel_values.npy"), 'f', &want);
    assert_int_equal(want.n_dims, 4);
    assert_int_equal(want.dims[0], PN_COUNT_OF(files));
    uint32_t width = (uint32_t)want.dims[3], height = (uint32_t)want.dims[2];
    size_t n = (size_t)width * height * 3;
    float *got = malloc(n * sizeof *got);
    pn_preprocess p = openai(width, height);
    assert_int_equal(width == height, square);
    for (size_t i = 0; i < PN_COUNT_OF(files); i++) {
        pn_image image;
        pn_error err = {0};
        decode_file(golden_join(images, files[i]), &image);
        assert_int_equal(pn_preprocess_tensor(&p, &image, got, &err), PN_OK);
        double most = golden_max_difference(got, want.f32 + i * n, n);
        pn_image_free(&image);
        if (most > 1e-6)
            fail_msg("%s: %s at %ux%u: largest difference %g", model, files[i], width, height,
                     most);
    }
    free(got);
    golden_free(&want);
}

static void crop__fits_a_square_model(void **state)
{
    (void)state;
    check_model_pixels("golden/clip/models/clip-quickgelu", true);
}

static void crop__fits_a_model_that_is_higher_than_wide(void **state)
{
    (void)state;
    check_model_pixels("golden/clip/models/clip-rect-openclip", false);
}

/* A real photo model's tensors, by other people: 4 JPEGs at 224. */
static void crop__equals_published_tensors_of_photos(void **state)
{
    (void)state;
    char dir[GOLDEN_PATH_BYTES], line[256];
    golden_array want;
    golden_require("data/golden-clip-vitb32", dir);
    golden_load(golden_join(dir, "preprocessed.f32.npy"), 'f', &want);
    FILE *order = fopen(golden_join(dir, "order.txt"), "r");
    assert_non_null(order);
    size_t n = 3 * 224 * 224, i = 0;
    float *got = malloc(n * sizeof *got);
    pn_preprocess p = openai(224, 224);
    for (; fgets(line, sizeof line, order) && i < 4; i++) {
        char name[300];
        pn_image image;
        pn_error err = {0};
        line[strcspn(line, "\r\n")] = '\0';
        (void)snprintf(name, sizeof name, "images/%s", line);
        decode_file(golden_join(dir, name), &image);
        assert_int_equal(pn_preprocess_tensor(&p, &image, got, &err), PN_OK);
        double most = golden_max_difference(got, want.f32 + i * n, n);
        print_message("%-26s max %g\n", line, most);
        pn_image_free(&image);
        assert_true(most <= 5.0 / 255 / 0.26);
    }
    assert_int_equal(i, 4);
    (void)fclose(order);
    free(got);
    golden_free(&want);
}

static pn_image plain_picture(uint32_t width, uint32_t height)
{
    pn_image image;
    pn_error err = {0};
    assert_int_equal(pn_image_create(width, height, &image, &err), PN_OK);
    memset(image.pixels, 200, (size_t)width * height * 3);
    return image;
}

static void every_mode__survives_extreme_shapes(void **state)
{
    (void)state;
    static const uint32_t sides[][2] = {{1, 1}, {1, 30000}, {30000, 1}, {2, 29999}, {223, 225}};
    static const uint32_t targets[][2] = {{224, 224}, {1, 1}, {32, 48}, {48, 32}, {336, 1}};
    for (size_t i = 0; i < PN_COUNT_OF(sides) * PN_COUNT_OF(targets); i++) {
        const uint32_t *side = sides[i / PN_COUNT_OF(targets)],
                       *target = targets[i % PN_COUNT_OF(targets)];
        pn_image image = plain_picture(side[0], side[1]);
        pn_preprocess p = openai(target[0], target[1]);
        size_t n = (size_t)target[0] * target[1] * 3;
        uint8_t *out = malloc(n);
        memset(p.pad_rgb, 200, 3);
        for (int mode = PN_PREPROCESS_CROP; mode <= PN_PREPROCESS_SQUASH; mode++) {
            pn_error err = {0};
            p.mode = (pn_preprocess_mode)mode;
            memset(out, 1, n);
            if (pn_preprocess_pixels(&p, &image, out, &err) != PN_OK)
                fail_msg("%ux%u mode %d: %s", side[0], side[1], mode, err.message);
            for (size_t k = 0; k < n; k++)
                assert_int_equal(out[k], 200); // a plain picture stays plain, pad colour included
        }
        free(out);
        pn_image_free(&image);
    }
}

static void pad__puts_the_colour_beside_the_picture(void **state)
{
    (void)state;
    pn_image image = plain_picture(50, 100);
    pn_preprocess p = openai(40, 40);
    pn_error err = {0};
    uint8_t out[40 * 40 * 3];
    p.mode = PN_PREPROCESS_PAD;
    p.pad_rgb[0] = 10, p.pad_rgb[1] = 20, p.pad_rgb[2] = 30;
    assert_int_equal(pn_preprocess_pixels(&p, &image, out, &err), PN_OK);
    for (size_t x = 0; x < 40; x++) {
        const uint8_t *at = out + (17 * 40 + x) * 3;
        bool inside = x >= 10 && x < 30;
        assert_int_equal(at[0], inside ? 200 : 10);
        assert_int_equal(at[1], inside ? 200 : 20);
        assert_int_equal(at[2], inside ? 200 : 30);
    }
    pn_image_free(&image);
}

static void text__names_everything_that_decides(void **state)
{
    (void)state;
    char a[PN_PREPROCESS_TEXT_BYTES], b[PN_PREPROCESS_TEXT_BYTES];
    pn_preprocess p = openai(224, 336);
    pn_preprocess_text(&p, a);
    assert_non_null(strstr(a, "crop bicubic 224x336"));
    assert_non_null(strstr(a, "0.4814546"));
    p.mode = PN_PREPROCESS_PAD;
    pn_preprocess_text(&p, a);
    p.pad_rgb[1] = 7;
    pn_preprocess_text(&p, b);
    assert_string_not_equal(a, b);
}

static void mode_names__round_trip(void **state)
{
    (void)state;
    for (int mode = PN_PREPROCESS_CROP; mode <= PN_PREPROCESS_SQUASH; mode++) {
        pn_preprocess_mode back = PN_PREPROCESS_CROP;
        const char *name = pn_preprocess_mode_name((pn_preprocess_mode)mode);
        assert_true(pn_preprocess_mode_parse(pn_str_of(name), &back));
        assert_int_equal(back, mode);
    }
    pn_preprocess_mode untouched = PN_PREPROCESS_PAD;
    assert_false(pn_preprocess_mode_parse(PN_STR_LITERAL("Crop "), &untouched));
    assert_int_equal(untouched, PN_PREPROCESS_PAD);
}

static void tensor__reports_missing_memory_and_leaks_nothing(void **state)
{
    (void)state;
    pn_image image = plain_picture(300, 200);
    pn_preprocess p = openai(64, 64);
    float *out = malloc(64 * 64 * 3 * sizeof *out);
    int64_t live = pn_alloc_live();
    pn_status status = PN_ERR_NOMEM;
    for (int64_t n = 1; status != PN_OK && n < 100; n++) {
        pn_error err = {0};
        p.mode = n % 2 ? PN_PREPROCESS_PAD : PN_PREPROCESS_CROP;
        pn_alloc_fail_after(n);
        status = pn_preprocess_tensor(&p, &image, out, &err);
        pn_alloc_fail_after(0);
        assert_true(status == PN_OK || status == PN_ERR_NOMEM);
        assert_int_equal(pn_alloc_live(), live);
    }
    assert_int_equal(status, PN_OK);
    free(out);
    pn_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preprocess__equals_the_reference_on_every_golden_picture),
        cmocka_unit_test(crop__fits_a_square_model),
        cmocka_unit_test(crop__fits_a_model_that_is_higher_than_wide),
        cmocka_unit_test(crop__equals_published_tensors_of_photos),
        cmocka_unit_test(every_mode__survives_extreme_shapes),
        cmocka_unit_test(pad__puts_the_colour_beside_the_picture),
        cmocka_unit_test(text__names_everything_that_decides),
        cmocka_unit_test(mode_names__round_trip),
        cmocka_unit_test(tensor__reports_missing_memory_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
