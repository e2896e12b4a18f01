/*
 * test_formats.c - AVIF, HEIC, TIFF and the others, made here by libvips' own savers: upright, in the right colours
 *
 * The picture is four quarters of one colour each, so that every way of turning it is seen:
 *
 *     red  | green        48 x 32; the quarters' middles are compared, within what the format may lose
 *     -----+-------
 *     blue | yellow
 */
#include "base/compiler.h"
#include "image/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vips/vips.h>
/* cmocka wants the four above first */
#include <cmocka.h>

/* libx265, in libvips' HEIC saver, keeps some of its memory. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libx265\nleak:libheif\n";
}

enum { WIDTH = 48, HEIGHT = 32, RED = 0, GREEN = 1, BLUE = 2, YELLOW = 3, WHITE = 4 };
static const uint8_t colours[5][3] = {
    {224, 32, 32}, {32, 192, 32}, {32, 32, 224}, {224, 208, 32}, {255, 255, 255}};

typedef enum kind { RGB, RGBA, RGB16, RGBA16, GRAY, CMYK, TWO_PAGES } kind;

static int bands_of(kind k)
{
    return k == GRAY ? 1 : k == RGBA || k == RGBA16 || k == CMYK ? 4 : 3;
}

static void store(kind k, int quarter, uint8_t *to)
{
    memcpy(to, colours[quarter], k == GRAY ? 1 : 3);
    if (k == RGBA || k == RGBA16)
        to[3] = quarter == YELLOW ? 0 : 255;
    if (k == CMYK) { // of each colour its complement as ink
        for (int i = 0; i < 3; i++)
            to[i] = (uint8_t)(255 - to[i]);
        to[3] = 0;
    }
}

static VipsImage *picture(kind k)
{
    int bands = bands_of(k), pages = k == TWO_PAGES ? 2 : 1;
    static uint8_t pixels[2 * WIDTH * HEIGHT * 4];
    for (int i = 0; i < WIDTH * HEIGHT * pages; i++) {
        int y = i / WIDTH % HEIGHT, page = i / (WIDTH * HEIGHT);
        int quarter = (y >= HEIGHT / 2) * 2 + (i % WIDTH >= WIDTH / 2);
        store(k, page == 0 ? quarter : 3 - quarter, pixels + (size_t)i * (size_t)bands);
    }
    VipsImage *image = vips_image_new_from_memory_copy(
                  pixels, (size_t)WIDTH * HEIGHT * (size_t)(bands * pages), WIDTH, HEIGHT * pages,
                  bands, VIPS_FORMAT_UCHAR),
              *wide = NULL;
    assert_non_null(image);
    image->Type = k == CMYK   ? VIPS_INTERPRETATION_CMYK
                  : k == GRAY ? VIPS_INTERPRETATION_B_W
                              : VIPS_INTERPRETATION_sRGB;
    if (k == TWO_PAGES)
        vips_image_set_int(image, VIPS_META_PAGE_HEIGHT, HEIGHT);
    if (k != RGB16 && k != RGBA16)
        return image;
    assert_int_equal(vips_linear1(image, &wide, 257, 0, NULL), 0);
    g_object_unref(image);
    assert_int_equal(vips_cast_ushort(wide, &image, NULL), 0);
    g_object_unref(wide);
    image->Type = VIPS_INTERPRETATION_RGB16;
    return image;
}

static uint8_t *save(VipsImage *image, const char *format, size_t *n)
{
    void *bytes = NULL;
    if (vips_image_write_to_buffer(image, format, &bytes, n, NULL) != 0) {
        print_message("%s cannot be written here: %s", format, vips_error_buffer());
        vips_error_clear();
        g_object_unref(image);
        skip();
    }
    g_object_unref(image);
    return bytes;
}

static pn_image decode(const void *bytes, size_t n, const char *name)
{
    pn_image image = {0};
    pn_error err = {0};
    if (pn_image_decode(bytes, n, name, NULL, &image, &err) != PN_OK)
        fail_msg("%s", err.message);
    return image;
}

/* The middles of the quarters, row by row: which colour is there? */
static void expect_quarters(const pn_image *image, const char *name, const int want[4], int loss)
{
    for (int i = 0; i < 4; i++) {
        uint32_t x = image->width * (1 + 2 * (uint32_t)(i % 2)) / 4,
                 y = image->height * (1 + 2 * (uint32_t)(i / 2)) / 4;
        const uint8_t *got = image->pixels + ((size_t)y * image->width + x) * 3;
        for (int k = 0; k < 3; k++)
            if (abs(got[k] - colours[want[i]][k]) > loss)
                fail_msg("%s: quarter %d is %d,%d,%d, expected %d,%d,%d", name, i, got[0], got[1],
                         got[2], colours[want[i]][0], colours[want[i]][1], colours[want[i]][2]);
    }
}

static void format__keeps_size_and_colours(void **state)
{
    (void)state;
    static const struct {
        const char *format, *mime;
        kind kind;
        int loss;
    } rows[] = {
        {".avif[Q=90]", "image/heif", RGB, 4},
        {".avif[Q=80]", "image/heif", RGBA, 6},
        {".avif[lossless=true]", "image/heif", RGB, 2},
        {".heic[Q=90]", "image/heif", RGB, 4},
        {".heic[Q=90]", "image/heif", RGBA, 4},
        {".heic[Q=90,bitdepth=10]", "image/heif", RGB16, 4},
        {".tif", "image/tiff", RGB, 0},
        {".tif[compression=lzw,predictor=horizontal]", "image/tiff", RGB, 0},
        {".tif[compression=deflate]", "image/tiff", RGBA, 0},
        {".tif[compression=zstd]", "image/tiff", RGB, 0},
        {".tif[compression=jpeg,Q=95]", "image/tiff", RGB, 6},
        {".tif[tile=true,tile-width=16,tile-height=16]", "image/tiff", RGB, 0},
        {".tif[tile=true,tile-width=64,tile-height=64,pyramid=true]", "image/tiff", RGB, 0},
        {".tif[bigtiff=true]", "image/tiff", RGB, 0},
        {".tif", "image/tiff", RGB16, 0},
        {".tif[tile=true]", "image/tiff", RGBA16, 0},
        {".tif", "image/tiff", CMYK, 0},
        {".tif", "image/tiff", TWO_PAGES, 0},
        {".png", "image/png", RGB, 0},
        {".png", "image/png", RGBA16, 0},
        {".png[palette=true,interlace=true]", "image/png", RGB, 8},
        {".png[interlace=true]", "image/png", RGBA, 0},
        {".png[palette=true]", "image/png", RGBA, 8},
        {".webp[lossless=true]", "image/webp", RGBA, 0},
        {".webp[lossless=true]", "image/webp", TWO_PAGES, 0},
        {".webp[Q=95]", "image/webp", RGB, 12},
        {".webp[Q=95]", "image/webp", RGBA, 12},
        {".webp[Q=95]", "image/webp", TWO_PAGES, 12},
        {".gif", "image/gif", RGBA, 8},
        {".gif", "image/gif", TWO_PAGES, 8},
        {".jpg[Q=95]", "image/jpeg", CMYK, 6},
        {".jpg[Q=95,interlace=true]", "image/jpeg", RGB, 6},
    };
    static const int opaque[4] = {RED, GREEN, BLUE, YELLOW},
                     see_through[4] = {RED, GREEN, BLUE, WHITE};
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        size_t n;
        bool alpha = rows[i].kind == RGBA || rows[i].kind == RGBA16;
        uint8_t *bytes = save(picture(rows[i].kind), rows[i].format, &n);
        assert_string_equal(pn_image_mime_type(bytes, n), rows[i].mime);
        pn_image image = decode(bytes, n, rows[i].format);
        assert_int_equal(image.width, WIDTH);
        assert_int_equal(image.height, HEIGHT);
        expect_quarters(&image, rows[i].format, alpha ? see_through : opaque, rows[i].loss);
        pn_image_free(&image);
        g_free(bytes);
    }
}

/* Little-endian, one entry: orientation, a SHORT. libvips' PNG saver writes what is there, but does not begin one. */
static void set_exif(VipsImage *image, int orientation)
{
    uint8_t exif[] = "Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0?\0\0\0\0\0\0";
    exif[24] = (uint8_t)orientation;
    vips_image_set_blob_copy(image, VIPS_META_EXIF_NAME, exif, sizeof exif);
    vips_image_set_int(image, VIPS_META_ORIENTATION, orientation);
}

static void format__turns_by_its_exif_orientation(void **state)
{
    (void)state;
    static const char *const formats[] = {".tif", ".webp[lossless=true]", ".jpg[Q=95]", ".png"};
    static const int upright[9][4] = {{0},          {0, 1, 2, 3}, {1, 0, 3, 2},
                                      {3, 2, 1, 0}, {2, 3, 0, 1}, {0, 2, 1, 3},
                                      {2, 0, 3, 1}, {3, 1, 2, 0}, {1, 3, 0, 2}};
    for (size_t i = 0; i < PN_COUNT_OF(formats); i++)
        for (int orientation = 1; orientation <= 8; orientation++) {
            size_t n;
            VipsImage *stored = picture(RGB);
            set_exif(stored, orientation);
            uint8_t *bytes = save(stored, formats[i], &n);
            pn_image image = decode(bytes, n, formats[i]);
            assert_int_equal(image.width, orientation >= 5 ? HEIGHT : WIDTH);
            expect_quarters(&image, formats[i], upright[orientation], 6);
            pn_image_free(&image);
            g_free(bytes);
        }
}

/*
 * AVIF turns by boxes of its own, which libvips' saver does not write. The box of the sample's depth (pixi, 16 bytes), which no
 * decoder needs, gives up its place and its association for one: irot turns by quarters to the left, imir mirrors.
 */
static uint8_t *turned_avif(const char *box, uint8_t value, size_t *n)
{
    uint8_t *bytes = save(picture(RGB), ".avif[Q=90]", n), *at = bytes;
    while (at + 16 <= bytes + *n && memcmp(at + 4, "pixi", 4) != 0)
        at++;
    if (at + 16 > bytes + *n)
        fail_msg("libvips' AVIF has no pixi box to replace");
    memcpy(at + 4, box, 4);
    memset(at + 8, 0, 8);
    at[8] = value;
    return bytes;
}

static void avif__turns_by_its_own_boxes(void **state)
{
    (void)state;
    static const int left[4] = {GREEN, YELLOW, RED, BLUE},
                     upside_down[4] = {BLUE, YELLOW, RED, GREEN};
    size_t n;
    uint8_t *bytes = turned_avif("irot", 1, &n);
    pn_image image = decode(bytes, n, "irot");
    g_free(bytes);
    assert_int_equal(image.width, HEIGHT);
    assert_int_equal(image.height, WIDTH);
    expect_quarters(&image, "irot", left, 10);
    pn_image_free(&image);
    bytes = turned_avif("imir", 0, &n);
    image = decode(bytes, n, "imir");
    g_free(bytes);
    assert_int_equal(image.width, WIDTH);
    expect_quarters(&image, "imir", upside_down, 10);
    pn_image_free(&image);
}

/* The models were trained on the numbers as they stand in the file; a converted colour would be another vector. */
static void profile__is_left_alone(void **state)
{
    (void)state;
    static const char *const formats[] = {".jpg[Q=95]", ".png", ".tif", ".webp[lossless=true]",
                                          ".avif[Q=95]"};
    static const int want[4] = {RED, GREEN, BLUE, YELLOW};
    VipsBlob *p3;
    assert_int_equal(vips_profile_load("p3", &p3, NULL), 0);
    for (size_t i = 0; i < PN_COUNT_OF(formats); i++) {
        size_t n, n_profile;
        VipsImage *stored = picture(RGB);
        const void *profile = vips_blob_get(p3, &n_profile);
        vips_image_set_blob_copy(stored, VIPS_META_ICC_NAME, profile, n_profile);
        uint8_t *bytes = save(stored, formats[i], &n);
        pn_image image = decode(bytes, n, formats[i]);
        expect_quarters(&image, formats[i], want, 6);
        pn_image_free(&image);
        g_free(bytes);
    }
    vips_area_unref(VIPS_AREA(p3));
}

static void tiff__of_samples_we_cannot_show_is_refused(void **state)
{
    (void)state;
    static const VipsBandFormat formats[] = {VIPS_FORMAT_FLOAT, VIPS_FORMAT_INT};
    for (size_t i = 0; i < PN_COUNT_OF(formats); i++) {
        size_t n;
        VipsImage *odd = NULL, *plain = picture(RGB);
        pn_image image = {0};
        pn_error err = {0};
        assert_int_equal(vips_cast(plain, &odd, formats[i], NULL), 0);
        g_object_unref(plain);
        uint8_t *bytes = save(odd, ".tif", &n);
        assert_int_equal(pn_image_decode(bytes, n, "odd.tif", NULL, &image, &err),
                         PN_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, "odd.tif"));
        assert_non_null(strstr(err.message, vips_enum_nick(VIPS_TYPE_BAND_FORMAT, formats[i])));
        g_free(bytes);
    }
}

static void put_little(uint8_t **at, uint32_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        *(*at)++ = (uint8_t)(value >> 8 * i);
}

/* libvips does not write palettes into TIFFs: one directory, a map of 256 colours of 16 bits by plane, the pixels. */
static size_t make_palette_tiff(uint8_t bytes[4096])
{
    enum { N_ENTRIES = 10, MAP_OFF = 8 + 2 + N_ENTRIES * 12 + 4, DATA_OFF = MAP_OFF + 768 * 2 };
    static const uint16_t entries[N_ENTRIES][4] = {
        {256, 3, 1, WIDTH},    {257, 3, 1, HEIGHT}, {258, 3, 1, 8},
        {259, 3, 1, 1},        {262, 3, 1, 3},      {273, 4, 1, DATA_OFF},
        {277, 3, 1, 1},        {278, 3, 1, HEIGHT}, {279, 4, 1, WIDTH * HEIGHT},
        {320, 3, 768, MAP_OFF}};
    uint8_t *at = bytes;
    put_little(&at, 'I' | 'I' << 8 | 42 << 16, 4);
    put_little(&at, 8, 4);
    put_little(&at, N_ENTRIES, 2);
    for (size_t i = 0; i < N_ENTRIES; i++) {
        put_little(&at, entries[i][0], 2);
        put_little(&at, entries[i][1], 2);
        put_little(&at, entries[i][2], 4);
        put_little(&at, entries[i][3], 4);
    }
    put_little(&at, 0, 4);
    for (int plane = 0; plane < 3; plane++)
        for (int i = 0; i < 256; i++)
            put_little(&at, i < 4 ? colours[i][plane] * 257u : 0, 2);
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        *at++ = (uint8_t)((i / WIDTH >= HEIGHT / 2) * 2 + (i % WIDTH >= WIDTH / 2));
    return (size_t)(at - bytes);
}

static void tiff__of_a_palette_is_unfolded(void **state)
{
    (void)state;
    static const int want[4] = {RED, GREEN, BLUE, YELLOW};
    uint8_t bytes[4096];
    pn_image image = decode(bytes, make_palette_tiff(bytes), "palette.tif");
    assert_int_equal(image.width, WIDTH);
    expect_quarters(&image, "palette.tif", want, 0);
    pn_image_free(&image);
}

/* libvips' saver takes 8 bits for AVIF here; libavif's tool writes more. */
static void avif__of_ten_bits_keeps_the_high_byte(void **state)
{
    (void)state;
    static const int want[4] = {RED, GREEN, BLUE, YELLOW};
    char folder[] = "/tmp/pennon-avif-XXXXXX", png[64], avif[64], command[256];
    size_t n_png, n = 0;
    char *bytes = NULL;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(png, sizeof png, "%s/in.png", folder);
    (void)snprintf(avif, sizeof avif, "%s/out.avif", folder);
    (void)snprintf(command, sizeof command, "avifenc --depth 10 %s %s > %s/log 2>&1", png, avif,
                   folder);
    uint8_t *picture_bytes = save(picture(RGB), ".png", &n_png);
    assert_true(g_file_set_contents(png, (char *)picture_bytes, (gssize)n_png, NULL));
    g_free(picture_bytes);
    bool made = system(command) == 0 && g_file_get_contents(avif, &bytes, &n, NULL);
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    if (!made) {
        print_message("no avifenc here\n");
        skip();
    }
    pn_image image = decode(bytes, n, "out.avif");
    g_free(bytes);
    assert_int_equal(image.width, WIDTH);
    expect_quarters(&image, "out.avif", want, 8);
    pn_image_free(&image);
}

/* A process that finds no modules of libvips, as on a machine without libheif. */
static int decode_without_modules(void)
{
    pn_image image = {0};
    pn_error err = {0};
    static const uint8_t head[64] =
        "\0\0\0\x1C"
        "ftypavif\0\0\0\0avifmif1miaf"; // what follows would not be looked at
    (void)setenv("VIPSHOME", "/nonexistent", 1);
    pn_status status = pn_image_decode(head, sizeof head, "shoe.avif", NULL, &image, &err);
    (void)fprintf(stderr, "%s\n", err.message);
    pn_image_free(&image);
    return status == PN_ERR_UNSUPPORTED && strstr(err.message, "shoe.avif: AVIF or HEIC") &&
                   strstr(err.message, "libheif")
               ? 0
               : 1;
}

static void heif__names_the_reason_where_it_cannot_be_read(void **state)
{
    (void)state; // in a child, before this process starts libvips
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(decode_without_modules());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int start_libvips(void **state)
{
    (void)state;
    return pn_image_library_init(NULL) == PN_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heif__names_the_reason_where_it_cannot_be_read), // first: it forks
        cmocka_unit_test_setup(format__keeps_size_and_colours, start_libvips),
        cmocka_unit_test_setup(format__turns_by_its_exif_orientation, start_libvips),
        cmocka_unit_test_setup(avif__turns_by_its_own_boxes, start_libvips),
        cmocka_unit_test_setup(profile__is_left_alone, start_libvips),
        cmocka_unit_test_setup(avif__of_ten_bits_keeps_the_high_byte, start_libvips),
        cmocka_unit_test_setup(tiff__of_a_palette_is_unfolded, start_libvips),
        cmocka_unit_test_setup(tiff__of_samples_we_cannot_show_is_refused, start_libvips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
