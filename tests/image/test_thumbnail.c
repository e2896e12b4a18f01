/*
 * test_thumbnail.c - small JPEGs: their size, their content, their absence of anything else
 */
#include "base/alloc.h"
#include "image/decode.h"
#include "image/thumbnail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

/* Left half red, right half blue. */
static pn_image two_colours(uint32_t width, uint32_t height)
{
    pn_image image;
    pn_error err = {0};
    assert_int_equal(pn_image_create(width, height, &image, &err), PN_OK);
    for (size_t i = 0; i < (size_t)width * height; i++) {
        bool left = i % width < width / 2;
        memcpy(image.pixels + i * 3, left ? "\xF0\x10\x10" : "\x10\x10\xF0", 3);
    }
    return image;
}

static void thumbnail__fits_and_never_grows(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height, side, want_width, want_height;
    } rows[] = {{1000, 500, 320, 320, 160},    {500, 1000, 320, 160, 320}, {64, 48, 320, 64, 48},
                {320, 320, 320, 320, 320},     {30000, 2, 320, 320, 1},    {1, 1, 16, 1, 1},
                {3000, 3000, 2048, 2048, 2048}};
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        pn_image image = two_colours(rows[i].width, rows[i].height), small = {0};
        pn_error err = {0};
        pn_buffer jpeg;
        pn_buffer_init(&jpeg, 8u << 20);
        if (pn_thumbnail_make(&image, rows[i].side, &jpeg, &err) != PN_OK)
            fail_msg("%s", err.message);
        assert_string_equal(pn_image_mime_type(jpeg.data, jpeg.n_bytes), "image/jpeg");
        assert_int_equal(pn_image_decode(jpeg.data, jpeg.n_bytes, "thumb", NULL, &small, &err),
                         PN_OK);
        assert_int_equal(small.width, rows[i].want_width);
        assert_int_equal(small.height, rows[i].want_height);
        if (small.width >= 16) {
            const uint8_t *first = small.pixels, *last = small.pixels + (small.width - 1) * 3;
            assert_true(first[0] > 200 && first[2] < 60);
            assert_true(last[2] > 200 && last[0] < 60);
        }
        pn_image_free(&small);
        pn_image_free(&image);
        pn_buffer_reset(&jpeg);
    }
}

static void thumbnail__is_appended_and_carries_no_metadata(void **state)
{
    (void)state;
    pn_image image = two_colours(200, 100);
    pn_error err = {0};
    pn_buffer out;
    pn_buffer_init(&out, 1u << 20);
    assert_int_equal(pn_buffer_append(&out, "head", 4, &err), PN_OK);
    assert_int_equal(pn_thumbnail_make(&image, 64, &out, &err), PN_OK);
    assert_memory_equal(out.data, "head\xFF\xD8\xFF", 7);
    for (size_t i = 4; i + 4 < out.n_bytes; i++) {
        assert_memory_not_equal(out.data + i, "Exif", 4);
        assert_memory_not_equal(out.data + i, "ICC_", 4);
    }
    pn_buffer_reset(&out);
    pn_image_free(&image);
}

static void thumbnail__refuses_sides_out_of_range(void **state)
{
    (void)state;
    static const uint32_t sides[] = {0, PN_THUMBNAIL_SIDE_MIN - 1, PN_THUMBNAIL_SIDE_MAX + 1,
                                     UINT32_MAX};
    pn_image image = two_colours(20, 20);
    for (size_t i = 0; i < PN_COUNT_OF(sides); i++) {
        pn_error err = {0};
        pn_buffer out;
        pn_buffer_init(&out, 1u << 20);
        assert_int_equal(pn_thumbnail_make(&image, sides[i], &out, &err), PN_ERR_INVALID);
        assert_int_equal(out.n_bytes, 0);
        pn_buffer_reset(&out);
    }
    pn_image_free(&image);
}

static void thumbnail__leaves_a_full_buffer_alone(void **state)
{
    (void)state;
    pn_image image = two_colours(300, 300);
    pn_error err = {0};
    pn_buffer out;
    pn_buffer_init(&out, 100);
    assert_int_equal(pn_buffer_append(&out, "head", 4, &err), PN_OK);
    assert_int_equal(pn_thumbnail_make(&image, 200, &out, &err), PN_ERR_LIMIT);
    assert_int_equal(out.n_bytes, 4);
    pn_buffer_reset(&out);
    pn_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thumbnail__fits_and_never_grows),
        cmocka_unit_test(thumbnail__is_appended_and_carries_no_metadata),
        cmocka_unit_test(thumbnail__refuses_sides_out_of_range),
        cmocka_unit_test(thumbnail__leaves_a_full_buffer_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
