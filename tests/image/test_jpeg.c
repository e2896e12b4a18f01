/*
 * test_jpeg.c - libjpeg called by us against libjpeg called by libvips: the same pixels, at every size, of every kind
 */
#include "base/alloc.h"
#include "image/jpeg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <vips/vips.h>
/* cmocka wants the four above first */
#include <cmocka.h>

typedef struct file {
    void *bytes;
    size_t n;
} file;

typedef struct kind {
    const char *name;
    int bands;
    bool progressive, whole_colours;
    int restart_interval;
} kind;

static const kind kinds[] = {{"4:2:0", 3, false, false, 0},
                             {"4:4:4", 3, false, true, 0},
                             {"gray", 1, false, false, 0},
                             {"progressive", 3, true, false, 0},
                             {"progressive gray", 1, true, false, 0},
                             {"restart markers", 3, false, false, 3}};

/* A picture with edges and slopes in all bands. */
static file save(int width, int height, const kind *k, int orientation)
{
    file f = {0};
    VipsImage *noise = NULL, *image = NULL;
    assert_int_equal(pn_image_library_init(NULL), PN_OK);
    uint8_t *pixels = malloc((size_t)width * (size_t)height * (size_t)k->bands), *at = pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int b = 0; b < k->bands; b++)
                *at++ = (uint8_t)(x * (3 + b) + y * (5 - b) + (x / 9 + y / 7) % 2 * 90);
    noise = vips_image_new_from_memory(pixels, (size_t)(at - pixels), width, height, k->bands,
                                       VIPS_FORMAT_UCHAR);
    assert_int_equal(vips_copy(noise, &image, "interpretation",
                               k->bands == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB,
                               NULL),
                     0);
    if (orientation)
        vips_image_set_int(image, VIPS_META_ORIENTATION, orientation);
    assert_int_equal(vips_jpegsave_buffer(image, &f.bytes, &f.n, "Q", 80, "interlace",
                                          k->progressive, "subsample_mode",
                                          k->whole_colours ? VIPS_FOREIGN_SUBSAMPLE_OFF
                                                           : VIPS_FOREIGN_SUBSAMPLE_ON,
                                          "restart_interval", k->restart_interval, NULL),
                     0);
    g_object_unref(image);
    g_object_unref(noise);
    free(pixels);
    return f;
}

/* What libvips makes of it at 1/shrink. */
static void expect_as_libvips(const file *f, int shrink, const pn_image *got, const char *name)
{
    VipsImage *image = NULL;
    size_t n;
    assert_int_equal(vips_jpegload_buffer(f->bytes, f->n, &image, "shrink", shrink, NULL), 0);
    uint8_t *want = vips_image_write_to_memory(image, &n);
    if ((int)got->width != image->Xsize || (int)got->height != image->Ysize)
        fail_msg("%s at 1/%d: %u x %u, expected %d x %d", name, shrink, got->width, got->height,
                 image->Xsize, image->Ysize);
    for (size_t i = 0; i < (size_t)got->width * got->height * 3; i++) {
        uint8_t value = want[i / 3 * (size_t)image->Bands + i % (size_t)image->Bands];
        if (image->Bands == 1)
            value = want[i / 3];
        if (got->pixels[i] != value)
            fail_msg("%s at 1/%d: byte %zu is %u, expected %u", name, shrink, i, got->pixels[i],
                     value);
    }
    g_free(want);
    g_object_unref(image);
}

static void decoding__is_libvips_bit_for_bit(void **state)
{
    (void)state;
    static const struct {
        int width, height;
    } sizes[] = {{640, 480}, {333, 251}, {97, 203}, {17, 9}, {8, 8}, {1, 1}};
    for (size_t k = 0; k < PN_COUNT_OF(kinds); k++)
        for (size_t s = 0; s < PN_COUNT_OF(sizes); s++) {
            file f = save(sizes[s].width, sizes[s].height, &kinds[k], 0);
            const int side = PN_MIN(sizes[s].width, sizes[s].height);
            for (int shrink = 1; shrink <= 8 && side / shrink > 0; shrink *= 2) {
                const pn_decode_options options = {.shrink_to_px = (uint32_t)(side / shrink)};
                pn_image image = {0};
                bool taken = false;
                pn_error err = {0};
                if (pn_jpeg_decode(f.bytes, f.n, "x", &options, &taken, &image, &err) != PN_OK)
                    fail_msg("%s: %s", kinds[k].name, err.message);
                assert_true(taken);
                if (side / (2 * shrink) < side / shrink) // else a smaller one would do as well
                    expect_as_libvips(&f, shrink, &image, kinds[k].name);
                pn_image_free(&image);
            }
            g_free(f.bytes);
        }
}

static void sizes__leave_the_long_side_what_it_needs(void **state)
{
    (void)state;
    static const struct {
        uint32_t least, least_long, want_width, want_height;
    } rows[] = {{0, 100, 1600, 1200},  {150, 0, 200, 150},   {150, 200, 200, 150},
                {150, 201, 400, 300},  {150, 800, 800, 600}, {301, 0, 800, 600},
                {150, 801, 1600, 1200}};
    file f = save(1600, 1200, &kinds[0], 0);
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        const pn_decode_options options = {.shrink_to_px = rows[i].least,
                                           .shrink_long_px = rows[i].least_long};
        pn_image image = {0};
        assert_int_equal(pn_image_decode(f.bytes, f.n, "x", &options, &image, NULL), PN_OK);
        assert_int_equal(image.width, rows[i].want_width);
        assert_int_equal(image.height, rows[i].want_height);
        pn_image_free(&image);
    }
    g_free(f.bytes);
}

static void orientation__is_read_from_exif_alone(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        unsigned want;
    } rows[] = {
#define HEAD "Exif\0\0"
#define LITTLE HEAD "II*\0\x08\0\0\0\x01\0"
#define BIG HEAD "MM\0*\0\0\0\x08\0\x01"
        {LITTLE "\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 28, 6},
        {BIG "\x01\x12\0\x03\0\0\0\x01\0\x08\0\0", 28, 8},
        {BIG "\x01\x12\0\x04\0\0\0\x01\0\0\0\x03", 28, 3},    // a LONG
        {LITTLE "\x12\x01\x02\0\x01\0\0\0\x06\0\0\0", 28, 0}, // text
        {LITTLE "\x12\x01\x03\0\x01\0\0\0\x09\0\0\0", 28, 0}, // there are 8
        {LITTLE "\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 27, 0}, // cut short
        {LITTLE "\x13\x01\x03\0\x01\0\0\0\x06\0\0\0", 28, 0}, // another tag
        {HEAD "II*\0\xFF\xFF\xFF\xFF\x01\0", 16, 0},          // a directory outside
        {HEAD "II+\0\x08\0\0\0\x01\0", 16, 0},                // no TIFF
        {"Exif", 4, 0},
        {"", 0, 0},
    };
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        uint8_t *exact = malloc(rows[i].n + 1); // ASan sees a byte too far
        uint8_t *bytes = realloc(exact, rows[i].n ? rows[i].n : 1);
        memcpy(bytes, rows[i].bytes, rows[i].n);
        if (pn_exif_orientation(bytes, rows[i].n) != rows[i].want)
            fail_msg("row %zu: %u, expected %u", i, pn_exif_orientation(bytes, rows[i].n),
                     rows[i].want);
        free(bytes);
    }
}

static void four_colours__are_left_to_libvips(void **state)
{
    (void)state;
    static const uint8_t ink[16 * 16 * 4] = {10, 20, 30, 40};
    file f = {0};
    assert_int_equal(pn_image_library_init(NULL), PN_OK);
    VipsImage *raw = vips_image_new_from_memory(ink, sizeof ink, 16, 16, 4, VIPS_FORMAT_UCHAR),
              *cmyk = NULL;
    assert_int_equal(vips_copy(raw, &cmyk, "interpretation", VIPS_INTERPRETATION_CMYK, NULL), 0);
    assert_int_equal(vips_jpegsave_buffer(cmyk, &f.bytes, &f.n, NULL), 0);
    pn_image image = {0};
    bool taken = true;
    assert_int_equal(pn_jpeg_decode(f.bytes, f.n, "ink", NULL, &taken, &image, NULL), PN_OK);
    assert_false(taken);
    assert_null(image.pixels);
    assert_int_equal(pn_image_decode(f.bytes, f.n, "ink", NULL, &image, NULL), PN_OK);
    assert_int_equal(image.width, 16);
    pn_image_free(&image);
    g_object_unref(cmyk);
    g_object_unref(raw);
    g_free(f.bytes);
}

static void every_cut__is_an_error_with_a_name(void **state)
{
    (void)state;
    for (size_t k = 0; k < PN_COUNT_OF(kinds); k++) {
        file f = save(64, 48, &kinds[k], 6);
        for (size_t n = 3; n + 2 < f.n; n++) { // the last two say that it ends
            pn_image image = {0};
            bool taken;
            pn_error err = {0};
            uint8_t *cut = malloc(n);
            memcpy(cut, f.bytes, n);
            if (pn_jpeg_decode(cut, n, "cut.jpg", NULL, &taken, &image, &err) != PN_ERR_CORRUPT)
                fail_msg("%s, %zu of %zu bytes: no error", kinds[k].name, n, f.n);
            assert_non_null(strstr(err.message, "cut.jpg: "));
            assert_null(image.pixels);
            free(cut);
        }
        g_free(f.bytes);
    }
}

static void limits__are_those_of_all_pictures(void **state)
{
    (void)state;
    file f = save(300, 200, &kinds[0], 0);
    const pn_decode_options side = {.max_side_px = 299,
                                    .shrink_to_px = 1}, // what the file claims counts
        area = {.max_pixels = 59999};
    const pn_decode_options *both[] = {&side, &area};
    for (size_t i = 0; i < 2; i++) {
        pn_image image = {0};
        pn_error err = {0};
        assert_int_equal(pn_image_decode(f.bytes, f.n, "x", both[i], &image, &err), PN_ERR_LIMIT);
        assert_non_null(strstr(err.message, "300 x 200 pixels: the limits are"));
    }
    g_free(f.bytes);
}

static void encoding__comes_back_nearly_the_same(void **state)
{
    (void)state;
    file f = save(203, 97, &kinds[1], 0);
    pn_image image = {0}, back = {0};
    pn_buffer out;
    pn_buffer_init(&out, 1u << 20);
    assert_int_equal(pn_image_decode(f.bytes, f.n, "x", NULL, &image, NULL), PN_OK);
    memset(image.pixels, 0x60, (size_t)203 * 97 * 3);
    assert_int_equal(pn_jpeg_encode(&image, 90, &out, NULL), PN_OK);
    assert_int_equal(pn_image_decode(out.data, out.n_bytes, "back", NULL, &back, NULL), PN_OK);
    assert_int_equal(back.width, 203);
    assert_int_equal(back.height, 97);
    for (size_t i = 0; i < (size_t)203 * 97 * 3; i++)
        assert_in_range(back.pixels[i], 0x5E, 0x62);
    pn_image_free(&back);
    pn_image_free(&image);
    pn_buffer_reset(&out);
    g_free(f.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding__is_libvips_bit_for_bit),
        cmocka_unit_test(sizes__leave_the_long_side_what_it_needs),
        cmocka_unit_test(orientation__is_read_from_exif_alone),
        cmocka_unit_test(four_colours__are_left_to_libvips),
        cmocka_unit_test(every_cut__is_an_error_with_a_name),
        cmocka_unit_test(limits__are_those_of_all_pictures),
        cmocka_unit_test(encoding__comes_back_nearly_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
