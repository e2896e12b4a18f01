/*
 * test_shrink.c - JPEGs decoded at a fraction of their size: how large they come out, and that they stay the same picture
 */
#include "base/compiler.h"
#include "image/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <vips/vips.h>
/* cmocka wants the four above first */
#include <cmocka.h>

/* Slopes of all three channels, so that a shrunk picture has the same colours in the same places. */
static uint8_t *make_pixels(int width, int height)
{
    uint8_t *pixels = malloc((size_t)width * (size_t)height * 3);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *p = pixels + (y * width + x) * 3;
            p[0] = (uint8_t)(x * 255 / width);
            p[1] = (uint8_t)(y * 255 / height);
            p[2] = (uint8_t)(255 - p[0]);
        }
    return pixels;
}

typedef struct file {
    void *bytes;
    size_t n;
} file;

/* orientation 0: not said */
static file save(int width, int height, int orientation, bool jpeg)
{
    file f;
    assert_int_equal(pn_image_library_init(NULL), PN_OK);
    uint8_t *pixels = make_pixels(width, height);
    VipsImage *image = vips_image_new_from_memory(pixels, (size_t)width * (size_t)height * 3, width,
                                                  height, 3, VIPS_FORMAT_UCHAR);
    assert_non_null(image);
    VipsImage *copy = NULL;
    assert_int_equal(vips_copy(image, &copy, "interpretation", VIPS_INTERPRETATION_sRGB, NULL), 0);
    if (orientation)
        vips_image_set_int(copy, VIPS_META_ORIENTATION, orientation);
    int failed = jpeg ? vips_jpegsave_buffer(copy, &f.bytes, &f.n, "Q", 95, NULL)
                      : vips_pngsave_buffer(copy, &f.bytes, &f.n, NULL);
    assert_int_equal(failed, 0);
    g_object_unref(copy);
    g_object_unref(image);
    free(pixels);
    return f;
}

static pn_image decode(const file *f, uint32_t shrink_to)
{
    pn_image image = {0};
    pn_error err = {0};
    const pn_decode_options options = {.shrink_to_px = shrink_to};
    if (pn_image_decode(f->bytes, f->n, "slopes", &options, &image, &err) != PN_OK)
        fail_msg("%s", err.message);
    return image;
}

static void sizes__stay_above_what_is_asked_for(void **state)
{
    (void)state;
    static const struct {
        int width, height;
        uint32_t least, want_width, want_height;
    } rows[] = {
        {1600, 1200, 0, 1600, 1200}, {1600, 1200, 600, 800, 600}, {1600, 1200, 601, 1600, 1200},
        {1600, 1200, 448, 800, 600}, {1600, 1200, 300, 400, 300}, {1600, 1200, 150, 200, 150},
        {1600, 1200, 1, 200, 150},   {1203, 1605, 300, 300, 401}, {440, 2000, 448, 440, 2000},
    };
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        file f = save(rows[i].width, rows[i].height, 0, true);
        pn_image image = decode(&f, rows[i].least);
        if (image.width != rows[i].want_width || image.height != rows[i].want_height)
            fail_msg("%d x %d, at least %u: %u x %u", rows[i].width, rows[i].height, rows[i].least,
                     image.width, image.height);
        pn_image_free(&image);
        g_free(f.bytes);
    }
}

/* Colours of the same places. */
static void expect_same_picture(const pn_image *whole, const pn_image *small)
{
    for (uint32_t y = 0; y < small->height; y += 7)
        for (uint32_t x = 0; x < small->width; x += 7) {
            size_t wx = (size_t)x * whole->width / small->width;
            size_t wy = (size_t)y * whole->height / small->height;
            const uint8_t *a = whole->pixels + (wy * whole->width + wx) * 3;
            const uint8_t *b = small->pixels + ((size_t)y * small->width + x) * 3;
            for (int k = 0; k < 3; k++)
                assert_true(abs(a[k] - b[k]) <= 8);
        }
}

static void pictures__stay_upright_and_the_same(void **state)
{
    (void)state;
    for (int orientation = 1; orientation <= 8; orientation++) {
        file f = save(1024, 800, orientation, true);
        pn_image whole = decode(&f, 0), small = decode(&f, 200);
        bool turned = orientation >= 5;
        assert_int_equal(whole.width, turned ? 800 : 1024);
        assert_int_equal(small.width, turned ? 200 : 256);
        assert_int_equal(small.height, turned ? 256 : 200);
        expect_same_picture(&whole, &small);
        pn_image_free(&whole);
        pn_image_free(&small);
        g_free(f.bytes);
    }
}

static void other_formats__are_decoded_in_full(void **state)
{
    (void)state;
    file f = save(1600, 1200, 0, false);
    pn_image image = decode(&f, 300);
    assert_int_equal(image.width, 1600);
    pn_image_free(&image);
    g_free(f.bytes);
}

/* A cut file is an error at any size. */
static void damage__is_found_at_any_size(void **state)
{
    (void)state;
    file f = save(1600, 1200, 0, true);
    for (uint32_t least = 0; least <= 300; least += 150) {
        pn_image image = {0};
        pn_error err = {0};
        const pn_decode_options options = {.shrink_to_px = least};
        assert_int_equal(pn_image_decode(f.bytes, f.n / 2, "half", &options, &image, &err),
                         PN_ERR_CORRUPT);
        assert_non_null(strstr(err.message, "half"));
    }
    g_free(f.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes__stay_above_what_is_asked_for),
        cmocka_unit_test(pictures__stay_upright_and_the_same),
        cmocka_unit_test(other_formats__are_decoded_in_full),
        cmocka_unit_test(damage__is_found_at_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
