/*
 * test_decode.c - what the decoder promises beside the right pixels (those are in clip/test_preprocess.c)
 *
 * Limits before memory, turning, one error per file, several threads. The pictures are made here from a few goldens.
 */
#include "base/alloc.h"
#include "base/endian.h"
#include "base/limits.h"
#include "image/decode.h"
#include "os/clock.h"
#include "os/pool.h"
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define IMAGES "golden/clip/preprocess/images"

static uint8_t *read_golden(const char *file, size_t *n)
{
    char dir[GOLDEN_PATH_BYTES];
    golden_require(IMAGES, dir);
    return golden_read_bytes(golden_join(dir, file), n);
}

static pn_image decode(const void *bytes, size_t n)
{
    pn_image image = {0};
    pn_error err = {0};
    if (pn_image_decode(bytes, n, "picture", NULL, &image, &err) != PN_OK)
        fail_msg("%s", err.message);
    return image;
}

static void expect_error(const void *bytes, size_t n, const pn_decode_options *options,
                         pn_status want, const char *named)
{
    pn_image image = {0};
    pn_error err = {0};
    pn_status status = pn_image_decode(bytes, n, "odd.file", options, &image, &err);
    if (status != want || !strstr(err.message, "odd.file") || !strstr(err.message, named))
        fail_msg("status %d, expected %d naming \"%s\": %s", (int)status, (int)want, named,
                 err.message);
    assert_null(image.pixels);
}

/* ---- limits ---- */

static void limits__hold_for_every_format(void **state)
{
    (void)state;
    static const char *const files[] = {"jpeg-420.jpg", "rgb-landscape.png", "webp-lossy.webp",
                                        "gif-first.gif", "bmp24.bmp"};
    for (size_t i = 0; i < PN_COUNT_OF(files); i++) {
        size_t n;
        uint8_t *bytes = read_golden(files[i], &n);
        pn_image image = decode(bytes, n);
        uint32_t longest = PN_MAX(image.width, image.height);
        uint64_t pixels = (uint64_t)image.width * image.height;
        pn_decode_options exact = {.max_side_px = longest, .max_pixels = pixels},
                          side = {.max_side_px = longest - 1}, area = {.max_pixels = pixels - 1};
        pn_image_free(&image);
        pn_error err = {0};
        assert_int_equal(pn_image_decode(bytes, n, "fits", &exact, &image, &err), PN_OK);
        pn_image_free(&image);
        expect_error(bytes, n, &side, PN_ERR_LIMIT, "limit");
        expect_error(bytes, n, &area, PN_ERR_LIMIT, "limit");
        golden_bytes_free(bytes);
    }
}

static void limits__hold_for_the_file_itself(void **state)
{
    (void)state;
    size_t n = (size_t)PN_IMAGE_MAX_FILE_BYTES + 1;
    uint8_t *bytes = calloc(n, 1);
    assert_non_null(bytes);
    memcpy(bytes, "BM", 2);
    expect_error(bytes, n, NULL, PN_ERR_LIMIT, "bytes");
    memcpy(bytes, "\xFF\xD8\xFF\xE0", 4);
    expect_error(bytes, n, NULL, PN_ERR_LIMIT, "bytes");
    free(bytes);
}

/* The lossy golden as an animation of n_frames pieces: no picture in them, but a valid chain of chunks. */
static uint8_t *make_animation(size_t n_frames, size_t *n)
{
    enum { HEADER = 12 + 18 + 14, FRAME = 8 + 24 };
    *n = HEADER + n_frames * FRAME;
    uint8_t *bytes = calloc(*n, 1), *at = bytes + HEADER;
    assert_non_null(bytes);
    memcpy(bytes, "RIFF", 4);
    pn_store_le32(bytes + 4, (uint32_t)(*n - 8));
    memcpy(bytes + 8, "WEBPVP8X\x0A\0\0\0\x02\0\0\0\x0F\0\0\x0F\0\0", 22);
    memcpy(bytes + 30, "ANIM\x06\0\0\0", 8);
    for (size_t i = 0; i < n_frames; i++, at += FRAME)
        memcpy(at, "ANMF\x18\0\0\0", 8);
    return bytes;
}

static void limits__hold_for_the_frames_of_an_animation(void **state)
{
    (void)state;
    size_t n;
    uint8_t *bytes = make_animation(PN_IMAGE_MAX_FRAMES + 1, &n);
    int64_t start = pn_clock_monotonic_ns();
    expect_error(bytes, n, NULL, PN_ERR_LIMIT, "frames");
    assert_true(pn_clock_monotonic_ns() - start < 1000000000);
    free(bytes);
    bytes = make_animation(3, &n);
    expect_error(bytes, n, NULL, PN_ERR_CORRUPT, ""); // few enough, but nothing in them
    free(bytes);
}

/* ---- turning ---- */

/* The stored (x, y) of the upright (x, y), told by the EXIF standard's wording: where row 0 and column 0 are. */
static void stored_place(int orientation, size_t *x, size_t *y, size_t upright_w, size_t upright_h)
{
    size_t right = upright_w - 1 - *x, below = upright_h - 1 - *y, left = *x, above = *y;
    bool row_is_side = orientation >= 5;
    bool from_right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    bool from_bottom = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    size_t across = from_right ? right : left, down = from_bottom ? below : above;
    *x = row_is_side ? down : across;
    *y = row_is_side ? across : down;
}

static void orientation__turns_all_eight_ways(void **state)
{
    (void)state;
    size_t n, at = 0;
    uint8_t *bytes = read_golden("jpeg-exif6.jpg", &n);
    for (size_t i = 0; i + 10 < n && i < 200 && !at; i++)
        if (memcmp(bytes + i, "\x01\x12\0\x03\0\0\0\x01\0\x06", 10) == 0)
            at = i + 9;
    bool little = !at;
    for (size_t i = 0; little && i + 10 < n && i < 200 && !at; i++)
        if (memcmp(bytes + i, "\x12\x01\x03\0\x01\0\0\0\x06\0", 10) == 0)
            at = i + 8;
    assert_true(at > 0);
    bytes[at] = 1;
    pn_image stored = decode(bytes, n);
    for (int orientation = 1; orientation <= 9; orientation++) { // 9 is no orientation: left alone
        bytes[at] = (uint8_t)orientation;
        pn_image upright = decode(bytes, n);
        bool swapped = orientation >= 5 && orientation <= 8;
        assert_int_equal(upright.width, swapped ? stored.height : stored.width);
        for (size_t i = 0; i < (size_t)upright.width * upright.height; i++) {
            size_t x = i % upright.width, y = i / upright.width;
            if (orientation <= 8)
                stored_place(orientation, &x, &y, upright.width, upright.height);
            if (memcmp(upright.pixels + i * 3, stored.pixels + (y * stored.width + x) * 3, 3) != 0)
                fail_msg("orientation %d differs at pixel %zu", orientation, i);
        }
        pn_image_free(&upright);
    }
    pn_image_free(&stored);
    golden_bytes_free(bytes);
}

/* ---- errors ---- */

static void error__holds_nothing_of_the_file_before(void **state)
{
    (void)state;
    size_t n;
    uint8_t *bytes = read_golden("jpeg-420.jpg", &n);
    uint8_t *odd = malloc(n + 5);
    memcpy(odd, bytes, 2);
    memset(odd + 2, 0, 5); // stray bytes behind the first marker: a warning, the picture is whole
    memcpy(odd + 7, bytes + 2, n - 2);
    pn_image image = decode(odd, n + 5);
    pn_image_free(&image);
    pn_image none = {0};
    pn_error err = {0};
    assert_int_equal(pn_image_decode(bytes, n / 3, "second.jpg", NULL, &none, &err),
                     PN_ERR_CORRUPT);
    assert_null(strstr(err.message, "extraneous"));
    assert_non_null(strstr(err.message, "second.jpg"));
    free(odd);
    golden_bytes_free(bytes);
}

static void damage__is_an_error_wherever_the_file_ends(void **state)
{
    (void)state;
    static const char *const files[] = {"jpeg-420.jpg", "rgb-landscape.png", "webp-lossy.webp",
                                        "bmp24.bmp",    "gif-first.gif",     "jpeg-cmyk.jpg"};
    for (size_t i = 0; i < PN_COUNT_OF(files); i++) {
        size_t n;
        uint8_t *bytes = read_golden(files[i], &n);
        size_t end = i == 4 ? n / 4 : n - 100; // an animation's later frames are not looked at
        for (size_t cut = 0; cut < end; cut += 1 + n / 40) {
            uint8_t *part = malloc(cut + 1); // a block of its own: reads behind it are seen
            pn_image image = {0};
            pn_error err = {0};
            memcpy(part, bytes, cut);
            pn_status status = pn_image_decode(part, cut, files[i], NULL, &image, &err);
            if (status != PN_ERR_CORRUPT && status != PN_ERR_UNSUPPORTED)
                fail_msg("%s cut at %zu of %zu: status %d %s", files[i], cut, n, (int)status,
                         err.message);
            assert_null(image.pixels);
            free(part);
        }
        golden_bytes_free(bytes);
    }
}

static void memory__that_is_missing_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    static const char *const files[] = {"jpeg-exif6.jpg", "bmp24.bmp"};
    int64_t live = pn_alloc_live();
    for (size_t i = 0; i < PN_COUNT_OF(files); i++) {
        size_t n_bytes;
        uint8_t *bytes = read_golden(files[i], &n_bytes);
        pn_status status = PN_ERR_NOMEM;
        for (int64_t n = 1; status != PN_OK && n < 20; n++) {
            pn_image image = {0};
            pn_error err = {0};
            pn_alloc_fail_after(n);
            status = pn_image_decode(bytes, n_bytes, files[i], NULL, &image, &err);
            pn_alloc_fail_after(0);
            pn_image_free(&image);
            assert_true(status == PN_OK || status == PN_ERR_NOMEM);
            assert_int_equal(pn_alloc_live(), live);
        }
        assert_int_equal(status, PN_OK);
        golden_bytes_free(bytes);
    }
}

/* ---- bitmaps ---- */

static void bmp_header(uint8_t bytes[54], int32_t width, int32_t height, uint16_t bits)
{
    memset(bytes, 0, 54);
    memcpy(bytes, "BM", 2);
    pn_store_le32(bytes + 10, 54);
    pn_store_le32(bytes + 14, 40);
    pn_store_le32(bytes + 18, (uint32_t)width);
    pn_store_le32(bytes + 22, (uint32_t)height);
    pn_store_le16(bytes + 26, 1);
    pn_store_le16(bytes + 28, bits);
}

static void bmp__reads_both_directions_and_depths(void **state)
{
    (void)state;
    uint8_t file[54 + 32];
    for (int k = 0; k < 4; k++) {
        bool top_down = k & 1, wide = k & 2;
        bmp_header(file, 2, top_down ? -2 : 2, wide ? 32 : 24);
        for (int i = 0; i < 32; i++)
            file[54 + i] = (uint8_t)(i * 3);
        pn_image image = decode(file, 54 + 16); // 24 bits: rows of 6, padded to 8
        const uint8_t *row = file + 54 + (top_down ? 0 : 8);
        assert_int_equal(image.width, 2);
        assert_int_equal(image.height, 2);
        assert_int_equal(image.pixels[0], row[2]); // stored blue first
        assert_int_equal(image.pixels[2], row[0]);
        assert_int_equal(image.pixels[3], row[(wide ? 4 : 3) + 2]);
        pn_image_free(&image);
    }
}

static void bmp__refuses_headers_that_lie(void **state)
{
    (void)state;
    static const struct {
        int32_t width, height;
        uint16_t bits;
        pn_status status;
    } rows[] = {
        {0, 1, 24, PN_ERR_CORRUPT},       {1, 0, 24, PN_ERR_CORRUPT},
        {-1, 1, 24, PN_ERR_CORRUPT},      {1, INT32_MIN, 24, PN_ERR_LIMIT},
        {INT32_MAX, 1, 32, PN_ERR_LIMIT}, {30000, 30000, 32, PN_ERR_LIMIT},
        {100, 100, 24, PN_ERR_CORRUPT},   {1, 1, 8, PN_ERR_UNSUPPORTED},
        {1, 1, 16, PN_ERR_UNSUPPORTED},
    };
    uint8_t file[54 + 8];
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        memset(file, 0, sizeof file);
        bmp_header(file, rows[i].width, rows[i].height, rows[i].bits);
        expect_error(file, sizeof file, NULL, rows[i].status, "");
    }
    bmp_header(file, 1, 1, 24);
    pn_store_le32(file + 10, UINT32_MAX); // pixels behind the end
    expect_error(file, sizeof file, NULL, PN_ERR_CORRUPT, "");
    pn_store_le32(file + 10, 20); // pixels inside the headers
    expect_error(file, sizeof file, NULL, PN_ERR_CORRUPT, "");
    bmp_header(file, 1, 1, 24);
    pn_store_le32(file + 14, 12); // the older, shorter header
    expect_error(file, sizeof file, NULL, PN_ERR_UNSUPPORTED, "");
    bmp_header(file, 1, 1, 24);
    pn_store_le32(file + 30, 1); // run lengths
    expect_error(file, sizeof file, NULL, PN_ERR_UNSUPPORTED, "");
    expect_error("BM", 2, NULL, PN_ERR_CORRUPT, "");
}

/* ---- kinds ---- */

static void mime_type__comes_from_the_content(void **state)
{
    (void)state;
    static const struct {
        const char *file, *mime;
    } rows[] = {{"jpeg-420.jpg", "image/jpeg"},
                {"rgb-landscape.png", "image/png"},
                {"webp-lossy.webp", "image/webp"},
                {"gif-first.gif", "image/gif"},
                {"bmp24.bmp", "image/bmp"}};
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        size_t n;
        uint8_t *bytes = read_golden(rows[i].file, &n);
        assert_string_equal(pn_image_mime_type(bytes, n), rows[i].mime);
        golden_bytes_free(bytes);
    }
    assert_null(pn_image_mime_type("", 0));
    assert_null(pn_image_mime_type("%PDF-1.4 and so on", 18));
    assert_null(pn_image_mime_type("<svg xmlns=\"http://www.w3.org/2000/svg\"/>", 41));
}

static void decode__runs_no_loader_that_is_not_listed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\"/>",
        "%PDF-1.4\n1 0 obj\n<<>>\nendobj\n", "P6\n1 1\n255\nabc", "#?RADIANCE\n", "SIMPLE  =  T"};
    for (size_t i = 0; i < PN_COUNT_OF(texts); i++)
        expect_error(texts[i], strlen(texts[i]), NULL, PN_ERR_UNSUPPORTED, "not a picture");
}

/* ---- threads ---- */

typedef struct work {
    uint8_t *bytes[5];
    size_t n[5];
    pn_image want[5]; /* of the first four; the fifth is damaged */
    atomic_uint n_wrong;
} work;

static void decode_one(void *context, size_t i, unsigned worker)
{
    (void)worker;
    work *w = context;
    size_t k = i % 5;
    char name[32];
    pn_image image = {0};
    pn_error err = {0};
    (void)snprintf(name, sizeof name, "file %zu", i);
    pn_status status = pn_image_decode(w->bytes[k], w->n[k], name, NULL, &image, &err);
    bool right = k == 4 ? status == PN_ERR_CORRUPT && strstr(err.message, name)
                        : status == PN_OK && image.width == w->want[k].width &&
                              memcmp(image.pixels, w->want[k].pixels,
                                     (size_t)image.width * image.height * 3) == 0;
    if (!right)
        atomic_fetch_add(&w->n_wrong, 1);
    pn_image_free(&image);
}

static void threads__decode_at_the_same_time(void **state)
{
    (void)state;
    static const char *const files[] = {"jpeg-progressive-444.jpg", "adam7.png",
                                        "webp-lossless-alpha.webp", "gif-first.gif",
                                        "jpeg-420.jpg"};
    work w = {.n_wrong = 0};
    pn_error err = {0};
    pn_pool *pool = NULL;
    for (size_t k = 0; k < 5; k++) {
        w.bytes[k] = read_golden(files[k], &w.n[k]);
        if (k < 4)
            w.want[k] = decode(w.bytes[k], w.n[k]);
    }
    w.n[4] /= 3;
    assert_int_equal(pn_pool_create(4, &pool, &err), PN_OK);
    pn_pool_for(pool, 200, decode_one, &w);
    pn_pool_free(pool);
    for (size_t k = 0; k < 5; k++) {
        golden_bytes_free(w.bytes[k]);
        pn_image_free(&w.want[k]);
    }
    assert_int_equal(atomic_load(&w.n_wrong), 0);
}

/* Three damaged files whose reasons differ; each thread must hear the reason of its own. */
typedef struct reasons {
    uint8_t *bytes[3];
    size_t n[3];
    pn_error want[3]; /* told when nobody else was there */
    atomic_uint n_wrong, n_silent;
} reasons;

static void hear_one(void *context, size_t i, unsigned worker)
{
    (void)worker;
    reasons *r = context;
    size_t k = i % 3;
    pn_image image = {0};
    pn_error err = {0};
    pn_status status = pn_image_decode(r->bytes[k], r->n[k], "file", NULL, &image, &err);
    if (status == PN_ERR_CORRUPT && strstr(err.message, "gave up"))
        atomic_fetch_add(&r->n_silent, 1);
    else if (strcmp(err.message, r->want[k].message) != 0)
        atomic_fetch_add(&r->n_wrong, 1);
}

static void threads__hear_the_reason_of_their_own_file(void **state)
{
    (void)state;
    static const char *const files[] = {"jpeg-420.jpg", "rgb-landscape.png", "webp-lossy.webp"};
    enum { N = 300 };
    reasons r = {.n_wrong = 0};
    pn_error err = {0};
    pn_pool *pool = NULL;
    for (size_t k = 0; k < 3; k++) {
        pn_image image = {0};
        r.bytes[k] = read_golden(files[k], &r.n[k]);
        r.n[k] = r.n[k] * 2 / 3;
        assert_int_equal(pn_image_decode(r.bytes[k], r.n[k], "file", NULL, &image, &r.want[k]),
                         PN_ERR_CORRUPT);
    }
    assert_int_equal(pn_pool_create(6, &pool, &err), PN_OK);
    pn_pool_for(pool, N, hear_one, &r);
    pn_pool_free(pool);
    for (size_t k = 0; k < 3; k++)
        golden_bytes_free(r.bytes[k]);
    print_message("%u of %d with another's reason, %u without one\n", atomic_load(&r.n_wrong), N,
                  atomic_load(&r.n_silent));
    assert_int_equal(atomic_load(&r.n_wrong), 0);
    assert_true(atomic_load(&r.n_silent) < N / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            mime_type__comes_from_the_content), // first: it starts the library by itself
        cmocka_unit_test(limits__hold_for_every_format),
        cmocka_unit_test(limits__hold_for_the_file_itself),
        cmocka_unit_test(limits__hold_for_the_frames_of_an_animation),
        cmocka_unit_test(orientation__turns_all_eight_ways),
        cmocka_unit_test(error__holds_nothing_of_the_file_before),
        cmocka_unit_test(damage__is_an_error_wherever_the_file_ends),
        cmocka_unit_test(memory__that_is_missing_is_reported_and_nothing_leaks),
        cmocka_unit_test(bmp__reads_both_directions_and_depths),
        cmocka_unit_test(bmp__refuses_headers_that_lie),
        cmocka_unit_test(decode__runs_no_loader_that_is_not_listed),
        cmocka_unit_test(threads__decode_at_the_same_time),
        cmocka_unit_test(threads__hear_the_reason_of_their_own_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
