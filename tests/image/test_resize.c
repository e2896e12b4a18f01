/*
 * test_resize.c - the resize against its definition in plain double loops, windows against the whole
 *
 * Equality with Pillow is tested in clip/test_preprocess.c; here are the shapes that no golden has.
 */
#include "base/alloc.h"
#include "base/rng.h"
#include "image/resize.h"
#include "support/guarded.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static pn_image noise(uint32_t width, uint32_t height, uint64_t seed)
{
    pn_image image;
    pn_error err = {0};
    pn_rng rng = pn_rng_seed(seed);
    assert_int_equal(pn_image_create(width, height, &image, &err), PN_OK);
    for (size_t i = 0; i < (size_t)width * height * 3; i++)
        image.pixels[i] = (uint8_t)(pn_rng_below(&rng, 3) * 127); // full contrast: overshoots clamp
    return image;
}

static double kernel(double x, pn_resize_filter filter)
{
    x = fabs(x);
    if (filter != PN_RESIZE_BICUBIC)
        return x < 1 ? 1 - x : 0;
    return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* The part of pixel j that lies below pixel i of a picture that is scale times smaller. */
static double part_below(int64_t j, uint32_t i, double scale)
{
    double low = fmax((double)j, i * scale), high = fmin((double)(j + 1), (i + 1) * scale);
    return fmax(high - low, 0);
}

static double weight(int64_t j, uint32_t i, double scale, pn_resize_filter filter)
{
    double stretch = fmax(scale, 1), centre = (i + 0.5) * scale;
    if (filter == PN_RESIZE_AREA && scale > 1)
        return part_below(j, i, scale);
    return kernel(((double)j - centre + 0.5) * (1 / stretch), filter);
}

/* One pass over n_in values that lie `step` apart, the output value at i. */
static uint8_t value_at(const uint8_t *in, size_t step, uint32_t n_in, uint32_t n_out, uint32_t i,
                        pn_resize_filter filter)
{
    double scale = (double)n_in / n_out, stretch = fmax(scale, 1), centre = (i + 0.5) * scale;
    double support = (filter == PN_RESIZE_BICUBIC ? 2 : 1) * stretch, total = 0;
    int64_t sum = 1 << 21, low = (int64_t)(centre - support + 0.5),
            high = (int64_t)(centre + support + 0.5);
    low = low < 0 ? 0 : low;
    high = high > n_in ? n_in : high;
    for (int64_t j = low; j < high; j++)
        total += weight(j, i, scale, filter);
    for (int64_t j = low; j < high; j++) {
        double w = weight(j, i, scale, filter) / total * (1 << 22);
        sum += (int64_t)(w < 0 ? w - 0.5 : w + 0.5) * in[(size_t)j * step];
    }
    sum >>= 22;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* Both passes, everything: out [height][width][3]. */
static uint8_t *resize_plainly(const pn_image *image, uint32_t width, uint32_t height,
                               pn_resize_filter filter)
{
    size_t row = (size_t)image->width * 3, narrow_row = (size_t)width * 3;
    uint8_t *narrow = malloc(narrow_row * image->height), *out = malloc(narrow_row * height);
    for (size_t y = 0; y < image->height; y++)
        for (uint32_t x = 0; x < width; x++)
            for (size_t c = 0; c < 3; c++)
                narrow[y * narrow_row + x * 3 + c] =
                    width == image->width
                        ? image->pixels[y * row + x * 3 + c]
                        : value_at(image->pixels + y * row + c, 3, image->width, width, x, filter);
    for (uint32_t y = 0; y < height; y++)
        for (size_t x = 0; x < narrow_row; x++)
            out[y * narrow_row + x] =
                height == image->height
                    ? narrow[y * narrow_row + x]
                    : value_at(narrow + x, narrow_row, image->height, height, y, filter);
    free(narrow);
    return out;
}

static void check_window(const pn_image *image, pn_resize_filter filter, const pn_resize_window *w,
                         const uint8_t *whole)
{
    pn_error err = {0};
    size_t row_bytes = (size_t)w->width * 3;
    uint8_t *got = guarded_alloc(row_bytes * w->height, 1);
    if (pn_image_resize(image, filter, w, got, &err) != PN_OK)
        fail_msg("%s", err.message);
    for (size_t y = 0; y < w->height; y++) {
        const uint8_t *want = whole + ((w->top + y) * w->full_width + w->left) * 3;
        if (memcmp(got + y * row_bytes, want, row_bytes) != 0)
            fail_msg("%ux%u -> %ux%u, window %ux%u+%u+%u: row %zu differs", image->width,
                     image->height, w->full_width, w->full_height, w->width, w->height, w->left,
                     w->top, y);
    }
    guarded_free(got);
}

static void resize__equals_its_definition_in_every_window(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(11);
    for (int round = 0; round < 400; round++) {
        uint32_t in_w = 1 + (uint32_t)pn_rng_below(&rng, 40),
                 in_h = 1 + (uint32_t)pn_rng_below(&rng, 40);
        pn_image image = noise(in_w, in_h, (uint64_t)round);
        pn_resize_filter filter = (pn_resize_filter)(round % 3);
        uint32_t w = round % 5 == 0 ? in_w : 1 + (uint32_t)pn_rng_below(&rng, 60);
        uint32_t h = round % 7 == 0 ? in_h : 1 + (uint32_t)pn_rng_below(&rng, 60);
        uint8_t *whole = resize_plainly(&image, w, h, filter);
        for (int k = 0; k < 4; k++) {
            pn_resize_window window = {.full_width = w, .full_height = h};
            window.left = k ? (uint32_t)pn_rng_below(&rng, w) : 0;
            window.top = k ? (uint32_t)pn_rng_below(&rng, h) : 0;
            window.width = k ? 1 + (uint32_t)pn_rng_below(&rng, w - window.left) : w;
            window.height = k ? 1 + (uint32_t)pn_rng_below(&rng, h - window.top) : h;
            check_window(&image, filter, &window, whole);
        }
        free(whole);
        pn_image_free(&image);
    }
}

/* [height][width][3] -> [width][height][3] */
static void turn(const uint8_t *in, uint32_t width, uint32_t height, uint8_t *out)
{
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            memcpy(out + (x * height + y) * 3, in + (y * width + x) * 3, 3);
}

/* Down first is across first of the turned picture, turned back. */
static void resize__takes_the_passes_in_either_order(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(12);
    for (int round = 0; round < 200; round++) {
        const uint32_t in_w = 1 + (uint32_t)pn_rng_below(&rng, 40),
                       in_h = 1 + (uint32_t)pn_rng_below(&rng, 40);
        const uint32_t w = round % 5 == 0 ? in_w : 1 + (uint32_t)pn_rng_below(&rng, 60),
                       h = round % 7 == 0 ? in_h : 1 + (uint32_t)pn_rng_below(&rng, 60);
        const pn_resize_filter filter = (pn_resize_filter)(round % 3);
        pn_image image = noise(in_w, in_h, (uint64_t)round), turned = noise(in_h, in_w, 0);
        turn(image.pixels, in_w, in_h, turned.pixels);
        pn_resize_window a = {.full_width = w, .full_height = h, .down_first = true};
        a.left = (uint32_t)pn_rng_below(&rng, w);
        a.top = (uint32_t)pn_rng_below(&rng, h);
        a.width = 1 + (uint32_t)pn_rng_below(&rng, w - a.left);
        a.height = 1 + (uint32_t)pn_rng_below(&rng, h - a.top);
        const pn_resize_window b = {.full_width = h,
                                    .full_height = w,
                                    .left = a.top,
                                    .top = a.left,
                                    .width = a.height,
                                    .height = a.width};
        const size_t n = (size_t)a.width * a.height * 3;
        uint8_t *got = guarded_alloc(n, 1), *other = guarded_alloc(n, 1), *want = malloc(n);
        pn_error err = {0};
        assert_non_null(want);
        assert_int_equal(pn_image_resize(&image, filter, &a, got, &err), PN_OK);
        assert_int_equal(pn_image_resize(&turned, filter, &b, other, &err), PN_OK);
        turn(other, b.width, b.height, want);
        assert_memory_equal(got, want, n);
        free(want);
        guarded_free(other);
        guarded_free(got);
        pn_image_free(&turned);
        pn_image_free(&image);
    }
}

static void resize__looks_only_at_what_the_window_needs(void **state)
{
    (void)state;
    pn_image image = noise(3000, 2, 5);
    pn_resize_window window = {.full_width = 4000000000u,
                               .full_height = 100,
                               .left = 1999999900u,
                               .top = 10,
                               .width = 100,
                               .height = 80};
    pn_error err = {0};
    uint8_t *out = guarded_alloc(100 * 80 * 3, 0);
    assert_int_equal(pn_image_resize(&image, PN_RESIZE_BICUBIC, &window, out, &err), PN_OK);
    guarded_free(out);
    pn_image_free(&image);
}

static void resize__refuses_windows_outside(void **state)
{
    (void)state;
    static const pn_resize_window windows[] = {
        {0, 10, 0, 0, 1, 1, false},           {10, 0, 0, 0, 1, 1, false},
        {10, 10, 0, 0, 0, 1, false},          {10, 10, 0, 0, 1, 0, false},
        {10, 10, 0, 0, 11, 1, false},         {10, 10, 5, 0, 6, 1, false},
        {10, 10, 0, 10, 1, 1, false},         {10, 10, UINT32_MAX, 0, 2, 1, false},
        {10, 10, 0, UINT32_MAX, 1, 2, false}, {10, 10, 2, 2, UINT32_MAX, 1, true},
    };
    pn_image image = noise(4, 4, 1);
    for (size_t i = 0; i < PN_COUNT_OF(windows); i++) {
        pn_error err = {0};
        uint8_t out[3] = {1, 2, 3};
        assert_int_equal(pn_image_resize(&image, PN_RESIZE_BICUBIC, &windows[i], out, &err),
                         PN_ERR_INVALID);
        assert_memory_equal(out, "\1\2\3", 3);
    }
    pn_image_free(&image);
}

static void resize__reports_missing_memory_and_leaks_nothing(void **state)
{
    (void)state;
    pn_image image = noise(31, 17, 1);
    uint8_t out[9 * 40 * 3];
    int64_t live = pn_alloc_live();
    for (int order = 0; order < 2; order++) {
        const pn_resize_window window = {
            .full_width = 9, .full_height = 40, .width = 9, .height = 40, .down_first = order == 1};
        pn_status status = PN_ERR_NOMEM;
        for (int64_t n = 1; status != PN_OK && n < 50; n++) {
            pn_error err = {0};
            pn_alloc_fail_after(n);
            status = pn_image_resize(&image, PN_RESIZE_BICUBIC, &window, out, &err);
            pn_alloc_fail_after(0);
            assert_true(status == PN_OK || status == PN_ERR_NOMEM);
            assert_int_equal(pn_alloc_live(), live);
        }
        assert_int_equal(status, PN_OK);
    }
    pn_image_free(&image);
}

static void image_create__holds_the_limits(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height;
        pn_status status;
    } rows[] = {{0, 1, PN_ERR_INVALID},
                {1, 0, PN_ERR_INVALID},
                {30001, 1, PN_ERR_LIMIT},
                {1, 30001, PN_ERR_LIMIT},
                {30000, 30000, PN_ERR_LIMIT},
                {UINT32_MAX, UINT32_MAX, PN_ERR_LIMIT},
                {30000, 1, PN_OK}};
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        pn_image image = {0};
        pn_error err = {0};
        assert_int_equal(pn_image_create(rows[i].width, rows[i].height, &image, &err),
                         rows[i].status);
        assert_true((image.pixels != NULL) == (rows[i].status == PN_OK));
        pn_image_free(&image);
        pn_image_free(&image); // twice is welcome
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize__equals_its_definition_in_every_window),
        cmocka_unit_test(resize__takes_the_passes_in_either_order),
        cmocka_unit_test(resize__looks_only_at_what_the_window_needs),
        cmocka_unit_test(resize__refuses_windows_outside),
        cmocka_unit_test(resize__reports_missing_memory_and_leaks_nothing),
        cmocka_unit_test(image_create__holds_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
