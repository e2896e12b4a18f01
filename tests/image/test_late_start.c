/*
 * test_late_start.c - libvips is started by the first picture that needs it, and by no JPEG
 *
 * One test, in a process of its own: once it is started there is no way back.
 */
#include "base/buffer.h"
#include "image/decode.h"
#include "image/jpeg.h"

#include <glib-object.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static bool is_started(void)
{
    return g_type_from_name("VipsOperation") != 0;
}

static void libvips__starts_when_it_is_needed(void **state)
{
    (void)state;
    static const char png[] = "\x89PNG\r\n\x1A\n and no more";
    pn_image image = {0}, again = {0};
    pn_buffer jpeg;
    pn_error err = {0};
    pn_buffer_init(&jpeg, 1 << 20);
    assert_int_equal(pn_image_create(40, 30, &image, &err), PN_OK);
    memset(image.pixels, 200, (size_t)40 * 30 * 3);
    assert_int_equal(pn_jpeg_encode(&image, 90, &jpeg, &err), PN_OK);

    assert_string_equal(pn_image_mime_type(jpeg.data, jpeg.n_bytes), "image/jpeg");
    assert_int_equal(pn_image_decode(jpeg.data, jpeg.n_bytes, "j", NULL, &again, &err), PN_OK);
    assert_int_equal(pn_image_decode("BM", 2, "b", NULL, &again, &err), PN_ERR_CORRUPT);
    assert_false(is_started());

    assert_int_equal(pn_image_decode(png, sizeof png, "p", NULL, &again, &err), PN_ERR_CORRUPT);
    assert_true(is_started());
    assert_string_equal(pn_image_mime_type(jpeg.data, jpeg.n_bytes), "image/jpeg");
    pn_image_free(&image);
    pn_image_free(&again);
    pn_buffer_reset(&jpeg);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(libvips__starts_when_it_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
