/*
 * test_wire_picture.c - which files go as they are, and what becomes of the others
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "embed/wire_picture.h"
#include "image/decode.h"

#include <string.h>

#define SOI "\xFF\xD8"
#define APP0 "\xFF\xE0\0\x04xx"
#define EXIF                                                                                       \
    "\xFF\xE1\0\x0A"                                                                               \
    "Exif\0\0xx"
#define SOF(height, width, channels) "\xFF\xC0\0\x0B\x08" height width channels "123"
#define SOS                                                                                        \
    "\xFF\xDA\0\x02"                                                                               \
    "scan"
#define SMALL "\x01\0"
#define LARGE "\x08\x01"
#define PNG_HEAD "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR"
#define IDAT "\0\0\0\x01IDATxCRC4"
#define AS_IS(text) pn_wire_is_as_is(text, sizeof(text) - 1)

static void jpegs__go_as_they_are_when_nothing_is_in_doubt(void **state)
{
    (void)state;
    assert_true(AS_IS(SOI APP0 SOF(SMALL, SMALL, "\3") SOS));
    assert_true(AS_IS(SOI APP0 SOF(SMALL, SMALL, "\1") SOS));
    assert_false(AS_IS(SOI APP0 SOF(SMALL, SMALL, "\4") SOS)); // CMYK
    assert_false(
        AS_IS(SOI APP0 EXIF SOF(SMALL, SMALL, "\3") SOS)); // may be turned; says where it was taken
    assert_false(AS_IS(SOI APP0 SOF(SMALL, LARGE, "\3") SOS));
    assert_false(AS_IS(SOI APP0 SOF(LARGE, SMALL, "\3") SOS));
    assert_false(AS_IS(SOI APP0 SOF("\0\0", SMALL, "\3") SOS));
    assert_false(AS_IS(SOI APP0 SOS));
    assert_false(AS_IS(SOI APP0 SOF(SMALL, SMALL, "\3")));
    assert_false(AS_IS(SOI "\xFF\xE0\xFF\xFF" SOF(SMALL, SMALL, "\3") SOS)); // leaves the file
    assert_false(AS_IS(SOI "\xFF\xE0\0\1" SOF(SMALL, SMALL, "\3") SOS));
}

static void pngs__go_as_they_are_when_nothing_is_in_doubt(void **state)
{
    (void)state;
    assert_true(AS_IS(PNG_HEAD "\0\0\1\0\0\0\1\0\x08\2\0\0\0CRC4" IDAT));
    assert_true(AS_IS(PNG_HEAD "\0\0\1\0\0\0\1\0\x08\3\0\0\0CRC4" IDAT));
    assert_false(AS_IS(PNG_HEAD "\0\0\1\0\0\0\1\0\x08\3\0\0\0CRC4\0\0\0\1tRNSxCRC4" IDAT));
    assert_false(AS_IS(PNG_HEAD "\0\0\1\0\0\0\1\0\x08\6\0\0\0CRC4" IDAT));   // alpha
    assert_false(AS_IS(PNG_HEAD "\0\0\1\0\0\0\1\0\x10\2\0\0\0CRC4" IDAT));   // 16 bits
    assert_false(AS_IS(PNG_HEAD "\0\0\1\0\0\0\x08\1\x08\2\0\0\0CRC4" IDAT)); // high
    assert_false(AS_IS(PNG_HEAD "\0\0\1\0\0\0\1\0\x08\2\0\0\0CRC4"));
    assert_false(AS_IS(PNG_HEAD "\0\0\1\0\0\0\1\0\x08\2\0\0\0CRC4\xFF\xFF\xFF\xFFtEXtxCRC4" IDAT));
}

static void every_beginning__of_a_file_is_looked_at_within_its_bytes(void **state)
{
    (void)state;
    static const char jpeg[] = SOI APP0 EXIF SOF(SMALL, SMALL, "\3") SOS;
    static const char png[] = PNG_HEAD "\0\0\1\0\0\0\1\0\x08\3\0\0\0CRC4\0\0\0\1tEXtxCRC4" IDAT;
    for (size_t n = 0; n < sizeof png; n++) {
        char *exact = test_malloc(n + 1); // ASan sees the byte behind
        memcpy(exact + 1, png, n);
        (void)pn_wire_is_as_is(exact + 1, n);
        memcpy(exact + 1, jpeg, n < sizeof jpeg ? n : 0);
        (void)pn_wire_is_as_is(exact + 1, n < sizeof jpeg ? n : 0);
        test_free(exact);
    }
}

static void others__become_small_jpegs(void **state)
{
    (void)state;
    pn_image image = {0}, back = {0};
    pn_embed_input out = {0};
    pn_error err = {0};
    assert_int_equal(pn_image_library_init(&err), PN_OK);
    assert_int_equal(pn_image_create(2000, 1000, &image, &err), PN_OK);
    memset(image.pixels, 200, (size_t)3 * 2000 * 1000);
    const pn_embed_picture picture = {"GIF89a", 6, &image};
    assert_int_equal(pn_wire_picture_make(&picture, &out, &err), PN_OK);
    assert_true(pn_wire_is_as_is(out.data, out.n_bytes));
    assert_int_equal(pn_image_decode(out.data, out.n_bytes, "sent", NULL, &back, &err), PN_OK);
    assert_int_equal(back.width, PN_WIRE_SIDE_PX);
    assert_int_equal(back.height, PN_WIRE_SIDE_PX / 2);
    pn_embed_input again = {0};
    const pn_embed_picture small = {out.data, out.n_bytes, &back};
    assert_int_equal(pn_wire_picture_make(&small, &again, &err), PN_OK);
    assert_int_equal(again.n_bytes, out.n_bytes); // as it is
    assert_memory_equal(again.data, out.data, out.n_bytes);
    pn_embed_input_free(&again);
    pn_embed_input_free(&out);
    pn_image_free(&back);
    pn_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jpegs__go_as_they_are_when_nothing_is_in_doubt),
        cmocka_unit_test(pngs__go_as_they_are_when_nothing_is_in_doubt),
        cmocka_unit_test(every_beginning__of_a_file_is_looked_at_within_its_bytes),
        cmocka_unit_test(others__become_small_jpegs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
