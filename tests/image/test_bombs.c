/*
 * test_bombs.c - small files that ask for much: refused, or decoded, within a stated memory and time
 *
 * Each is decoded in a child process, whose own peak of resident memory is measured: a limit that is checked after the
 * memory was taken shows here. (The file's own bytes count, as the child reads them for the first time.) The files are made
 * here, also in a child: the threads of libvips' savers would be missing in all later ones, which wait for them for ever.
 */
#include "base/compiler.h"
#include "base/endian.h"
#include "base/limits.h"
#include "image/decode.h"
#include "os/clock.h"
#include "os/process.h"

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

/* Of what was freed AddressSanitizer keeps 256 MB unless told otherwise; this test is about what the decoder keeps. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4";
}

/* ---- files */

typedef struct file {
    uint8_t *bytes;
    size_t n, max;
} file;

static void put(file *f, const void *bytes, size_t n)
{
    while (f->n + n > f->max)
        f->bytes = realloc(f->bytes, f->max = f->max * 2 + n + 64);
    assert_non_null(f->bytes);
    memcpy(f->bytes + f->n, bytes, n);
    f->n += n;
}

static void put_big(file *f, uint32_t value, unsigned n_bytes)
{
    for (unsigned i = n_bytes; i-- > 0;)
        put(f, &(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
}

static void put_little(file *f, uint32_t value, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++)
        put(f, &(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
}

static void put_zeros(file *f, size_t n)
{
    static const uint8_t zeros[4096];
    for (; n > 0; n -= PN_MIN(n, sizeof zeros))
        put(f, zeros, PN_MIN(n, sizeof zeros));
}

static uint32_t crc32_of(const uint8_t *bytes, size_t n)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return ~crc;
}

static void put_chunk(file *f, const char *name, const void *data, size_t n)
{
    put_big(f, (uint32_t)n, 4);
    size_t start = f->n;
    put(f, name, 4);
    put(f, data, n);
    put_big(f, crc32_of(f->bytes + start, f->n - start), 4);
}

static void put_png_head(file *f, uint32_t width, uint32_t height)
{
    file head = {0};
    put_big(&head, width, 4);
    put_big(&head, height, 4);
    put(&head, "\x08\0\0\0\0", 5); // gray, 8 bits
    put(f, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(f, "IHDR", head.bytes, head.n);
    free(head.bytes);
}

/* n zeros, as zlib packs them: a thousandth of their size. */
static file packed_zeros(size_t n)
{
    file zeros = {0}, out = {0};
    gsize n_read, n_written;
    put_zeros(&zeros, n);
    out.max = n / 100 + 100;
    out.bytes = malloc(out.max);
    assert_non_null(out.bytes);
    GZlibCompressor *zlib = g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_ZLIB, 9);
    assert_int_equal(g_converter_convert(G_CONVERTER(zlib), zeros.bytes, n, out.bytes, out.max,
                                         G_CONVERTER_INPUT_AT_END, &n_read, &n_written, NULL),
                     G_CONVERTER_FINISHED);
    g_object_unref(zlib);
    free(zeros.bytes);
    out.n = n_written;
    return out;
}

static void put_png_picture(file *f, size_t n_samples)
{
    file packed = packed_zeros(n_samples);
    put_chunk(f, "IDAT", packed.bytes, packed.n);
    put_chunk(f, "IEND", "", 0);
    free(packed.bytes);
}

static void make_huge_png(file *f)
{
    put_png_head(f, 60000, 60000);
    put_png_picture(f, 10000000);
}

static void make_long_png(file *f) // both sides within the limit, the product not
{
    put_png_head(f, 30000, 30000);
    put_png_picture(f, 10000000);
}

static void make_wordy_png(file *f)
{
    file text = {0}, packed = packed_zeros(7900000);
    put(&text, "key\0\0", 5);
    put(&text, packed.bytes, packed.n);
    put_png_head(f, 16, 16);
    for (int i = 0; i < 500; i++)
        put_chunk(f, "zTXt", text.bytes, text.n);
    put_png_picture(f, (size_t)(16 + 1) * 16);
    free(text.bytes);
    free(packed.bytes);
}

static void put_gif_frame(file *f, uint32_t width, uint32_t height)
{
    put(f, ",\0\0\0\0", 5);
    put_little(f, width, 2);
    put_little(f, height, 2);
    put(f, "\0\x02\x02\x44\x01\0", 6);
}

static void make_gif_of_a_huge_frame(file *f)
{
    put(f, "GIF89a\x10\0\x10\0\x80\0\0\0\0\0\xFF\xFF\xFF", 19);
    put_gif_frame(f, 65535, 65535);
    put(f, ";", 1);
}

static void make_gif_of_many_frames(file *f)
{
    put(f, "GIF89a\x10\0\x10\0\x80\0\0\0\0\0\xFF\xFF\xFF", 19);
    for (int i = 0; i < 2000000; i++)
        put_gif_frame(f, 16, 16);
    put(f, ";", 1);
}

static void make_huge_webp(file *f) // an extended header: 16384 x 16384, little else
{
    put(f, "RIFF", 4);
    put_little(f, 4 + 18 + 8 + 8 + 8 + 24, 4);
    put(f, "WEBPVP8X\x0A\0\0\0\x02\0\0\0\xFF\x3F\0\xFF\x3F\0", 22);
    put(f, "ANIM\x06\0\0\0\0\0\0\0\0\0", 14);
    put(f, "ANMF\x18\0\0\0", 8);
    put_zeros(f, 24);
}

static void put_tiff_entry(file *f, uint32_t tag, uint32_t value)
{
    put_little(f, tag, 2);
    put_little(f, 4, 2);
    put_little(f, 1, 4);
    put_little(f, value, 4);
}

static void put_tiff_directory(file *f, uint32_t tile_px, uint32_t data_off, uint32_t n_data,
                               uint32_t next)
{
    const uint32_t entries[][2] = {{256, 16},       {257, 16},    {258, 8},       {259, 8},
                                   {262, 1},        {277, 1},     {322, tile_px}, {323, tile_px},
                                   {324, data_off}, {325, n_data}};
    put_little(f, PN_COUNT_OF(entries), 2);
    for (size_t i = 0; i < PN_COUNT_OF(entries); i++)
        put_tiff_entry(f, entries[i][0], entries[i][1]);
    put_little(f, next, 4);
}

enum { DIRECTORY_BYTES = 2 + 10 * 12 + 4 };

static void make_tiff_of_huge_tiles(file *f)
{
    file packed = packed_zeros(40000000);
    put(f, "II*\0\x08\0\0\0", 8);
    put_tiff_directory(f, 40000, 8 + DIRECTORY_BYTES, (uint32_t)packed.n, 0);
    put(f, packed.bytes, packed.n);
    free(packed.bytes);
}

static void make_tiff_of_many_pages(file *f)
{
    put(f, "II*\0\x08\0\0\0", 8);
    for (uint32_t i = 1; i <= 300000; i++)
        put_tiff_directory(f, 16, 8, 8, i < 300000 ? 8 + i * DIRECTORY_BYTES : 0);
}

/* As many as may be, all of one 16 x 16 tile: decodes, after all were counted. */
static void make_tiff_of_allowed_pages(file *f)
{
    const uint32_t data_off = 8 + PN_IMAGE_MAX_FRAMES * DIRECTORY_BYTES;
    file packed = packed_zeros(256);
    put(f, "II*\0\x08\0\0\0", 8);
    for (uint32_t i = 1; i <= PN_IMAGE_MAX_FRAMES; i++)
        put_tiff_directory(f, 16, data_off, (uint32_t)packed.n,
                           i < PN_IMAGE_MAX_FRAMES ? 8 + i * DIRECTORY_BYTES : 0);
    put(f, packed.bytes, packed.n);
    free(packed.bytes);
}

static void make_tiff_in_a_circle(file *f)
{
    put(f, "II*\0\x08\0\0\0", 8);
    put_tiff_directory(f, 16, 8, 8, 8);
}

/* Gray, progressive: one scan of DC, where each block costs a bit, and AC scans of end-of-band runs of 2^14 blocks and more. */
static void put_scans(file *f, uint32_t side, int n_scans)
{
    uint32_t blocks = (side / 8) * (side / 8);
    put(f, "\xFF\xD8\xFF\xDB\0\x43\0", 7);
    for (int i = 0; i < 64; i++)
        put(f, "\x01", 1);
    put(f, "\xFF\xC2\0\x0B\x08", 5);
    put_big(f, side, 2);
    put_big(f, side, 2);
    put(f, "\x01\x01\x11\0", 4);
    for (int k = 0; k < 2; k++) { // one code of one bit each: "category 0", "run of 2^14 + 14 bits"
        put(f, "\xFF\xC4\0\x14", 4);
        put(f, k == 0 ? "\0\x01" : "\x10\x01", 2);
        put_zeros(f, 15);
        put(f, k == 0 ? "\0" : "\xE0", 1);
    }
    put(f, "\xFF\xDA\0\x08\x01\x01\0\0\0\0", 10);
    put_zeros(f, blocks / 8 + 1);
    for (int scan = 1; scan < n_scans; scan++) {
        uint64_t bits = 0;
        unsigned n_bits = 0;
        put(f, "\xFF\xDA\0\x08\x01\x01\0\x01\x3F\0", 10);
        for (uint32_t left = blocks; left > 0; left -= PN_MIN(left, 1u << 14)) {
            bits <<= 15; // the code 0, then 14 bits of 0: 2^14 blocks, or what is left of them
            for (n_bits += 15; n_bits >= 8; n_bits -= 8)
                put_big(f, (uint32_t)(bits >> (n_bits - 8)) & 0xFF, 1);
        }
        put(f, "\0", 1);
    }
    put(f, "\xFF\xD9", 2);
}

static void make_jpeg_of_many_scans(file *f)
{
    put_scans(f, 9600, 20000);
}

static void make_jpeg_of_allowed_scans(file *f)
{
    put_scans(f, 4096, PN_IMAGE_MAX_SCANS);
}

/* An AVIF whose boxes claim other sizes than its picture has. */
static void make_avif(file *f, uint32_t coded_px, uint32_t claimed_px)
{
    VipsImage *black = NULL;
    void *bytes = NULL;
    size_t n;
    assert_int_equal(vips_black(&black, (int)coded_px, (int)coded_px, "bands", 3, NULL), 0);
    black->Type = VIPS_INTERPRETATION_sRGB;
    int failed = vips_image_write_to_buffer(black, ".avif[effort=0,Q=30]", &bytes, &n, NULL);
    g_object_unref(black);
    if (failed)
        return; // no encoder here: an empty file
    put(f, bytes, n);
    g_free(bytes);
    for (size_t i = 0; i + 16 <= n; i++)
        if (memcmp(f->bytes + i, "ispe", 4) == 0)
            for (size_t k = 0; k < 8; k++)
                f->bytes[i + 8 + k] = (uint8_t)(claimed_px >> 8 * (3 - k % 4));
}

static void make_avif_that_claims_much(file *f)
{
    make_avif(f, 64, 60000);
}

static void make_avif_that_claims_little(file *f)
{
    make_avif(f, 2048, 16);
}

/* 144 megapixels that claim 16 x 16: libheif compares when they are decoded. */
static void make_avif_of_huge_frames(file *f)
{
    make_avif(f, 12000, 16);
}

/* ---- the child */

typedef struct outcome {
    pn_status status;
    uint64_t peak_growth_bytes;
    double ms;
    char message[sizeof((pn_error *)NULL)->message];
} outcome;

static outcome decode_here(const file *f)
{
    outcome result = {0};
    pn_process_usage before, after;
    pn_image image = {0};
    pn_error err = {0};
    pn_process_get_usage(&before);
    int64_t start = pn_clock_monotonic_ns();
    result.status = pn_image_decode(f->bytes, f->n, "bomb", NULL, &image, &err);
    result.ms = (double)(pn_clock_monotonic_ns() - start) / 1e6;
    pn_process_get_usage(&after);
    if (after.peak_resident_bytes > before.resident_bytes)
        result.peak_growth_bytes = after.peak_resident_bytes - before.resident_bytes;
    memcpy(result.message, err.message, sizeof result.message);
    pn_image_free(&image);
    return result;
}

static file make_in_child(void (*make)(file *f))
{
    file f = {0};
    uint8_t some[65536];
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        size_t done = 0;
        make(&f);
        for (ssize_t n = 0; n >= 0 && done < f.n; done += (size_t)PN_MAX(n, 0))
            n = write(ends[1], f.bytes + done, f.n - done);
        _exit(done == f.n ? 0 : 1);
    }
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], some, sizeof some)) > 0;)
        put(&f, some, (size_t)n);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return f;
}

static outcome decode_in_child(const file *f)
{
    outcome result = {0};
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(60); // rather a dead child than a test that never ends
        outcome mine = decode_here(f);
        _exit(write(ends[1], &mine, sizeof mine) == (ssize_t)sizeof mine ? 0 : 1);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], &result, sizeof result);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (n != (ssize_t)sizeof result || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child died with status %#x", (unsigned)status);
    return result;
}

static void bomb__takes_neither_memory_nor_time(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*make)(file *f);
        pn_status status;
        const char *named; /* in the message */
        unsigned max_mib;
    } rows[] = {
        {"PNG of 60000 x 60000", make_huge_png, PN_ERR_LIMIT, "60000 x 60000", 16},
        {"PNG of 900 megapixels", make_long_png, PN_ERR_LIMIT, "100000000", 16},
        {"PNG of 4 GB of packed text", make_wordy_png, PN_OK, "", 32},
        {"GIF of a huge frame", make_gif_of_a_huge_frame, PN_ERR_LIMIT, "65535", 16},
        {"GIF of 2,000,000 frames", make_gif_of_many_frames, PN_OK, "", 96},
        {"WebP of 268 megapixels", make_huge_webp, PN_ERR_CORRUPT, "", 16},
        {"TIFF of huge tiles", make_tiff_of_huge_tiles, PN_ERR_CORRUPT, "tile", 16},
        {"TIFF of 300,000 pages", make_tiff_of_many_pages, PN_ERR_LIMIT, "pages", 16},
        {"TIFF in a circle", make_tiff_in_a_circle, PN_ERR_LIMIT, "pages", 16},
        {"JPEG of 20,000 scans", make_jpeg_of_many_scans, PN_ERR_LIMIT, "20000 scans", 16},
        {"JPEG of 100 scans", make_jpeg_of_allowed_scans, PN_OK, "", 160},
        {"AVIF that claims much", make_avif_that_claims_much, PN_ERR_CORRUPT, "60000", 32},
        {"AVIF that claims little", make_avif_that_claims_little, PN_ERR_CORRUPT, "", 64},
        {"AVIF of huge frames", make_avif_of_huge_frames, PN_ERR_LIMIT, "12000 x 12000", 16},
    };
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        file f = make_in_child(rows[i].make);
        if (f.n == 0) {
            print_message("%-28s cannot be made here\n", rows[i].name);
            continue;
        }
        outcome got = decode_in_child(&f);
        print_message("%-28s %9zu bytes: %5.0f ms, %4u MiB: %s\n", rows[i].name, f.n, got.ms,
                      (unsigned)(got.peak_growth_bytes >> 20),
                      got.status == PN_OK ? "decoded" : got.message);
        free(f.bytes);
        assert_int_equal(got.status, rows[i].status);
        assert_non_null(strstr(got.message, rows[i].named));
        assert_true(got.peak_growth_bytes < (uint64_t)rows[i].max_mib << 20);
        assert_true(got.ms < 10000);
    }
}

/* One millisecond: passed in the header (10,000 pages to count), or among the rows. */
static void time__is_up_in_the_header_as_in_the_rows(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*make)(file *f);
    } rows[] = {{"TIFF of allowed pages", make_tiff_of_allowed_pages},
                {"JPEG of 100 scans", make_jpeg_of_allowed_scans}};
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        file f = {0};
        pn_image image = {0};
        pn_error err = {0};
        pn_decode_options hurry = {.max_ms = 1};
        rows[i].make(&f);
        assert_int_equal(pn_image_decode(f.bytes, f.n, rows[i].name, &hurry, &image, &err),
                         PN_ERR_LIMIT);
        assert_non_null(strstr(err.message, "than 1 ms"));
        assert_non_null(strstr(err.message, rows[i].name));
        assert_null(image.pixels);
        assert_int_equal(pn_image_decode(f.bytes, f.n, rows[i].name, NULL, &image, &err), PN_OK);
        pn_image_free(&image);
        free(f.bytes);
    }
}

static int start_libvips(void **state)
{
    (void)state;
    return pn_image_library_init(NULL) == PN_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(bomb__takes_neither_memory_nor_time, start_libvips),
        cmocka_unit_test_setup(time__is_up_in_the_header_as_in_the_rows, start_libvips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
