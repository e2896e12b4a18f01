/*
 * decode.c - libvips, kept on a short leash
 *
 * Bitmaps (bmp.c) and all JPEGs but those of four colours (jpeg.c) never get here. So libvips is started by the first picture
 * that needs it: it looks for its modules then, which takes 20 ms, a seventh of what a program needs to embed one JPEG.
 *
 *     bytes -> which loader would take them? on our list? -> header: size within limits?
 *           -> pixels as stored -> 8 bits, RGB(A) -> upright -> over white -> RGB8
 *
 * The reference (Pillow, then CLIP's transform) ignores colour profiles and takes CMYK without one; so do we: a prettier colour
 * would be a different vector. libvips would convert for us, but its conversions are colour-managed; the few that are left
 * are a line of integer arithmetic each, the same as the reference's.
 *
 *     16 bit         high byte
 *     gray           three times
 *     CMYK (Adobe)   R = C * K / 255 of the inverted values that the file stores
 *     alpha          (c * a + 255 * (255 - a) + 127) / 255
 *
 * Hostile input: only loaders of the list run, chosen by content; libvips' untrusted operations are blocked; sizes are checked
 * from the header before pixels are decoded; a truncated or damaged file is an error and not half a picture; decoding
 * that takes too long is stopped (patience.h). Time counts from before the header; what a decoder would spend before it tells the
 * size, or where nobody asks for the time, is bounded by precheck.c.
 *
 * libvips has one error buffer for all threads. When another picture was being decoded while this one failed, the reason may
 * be the other's; then we decode once more, alone, to hear our own (vips_visit.h). If that would hold up the others for
 * long, the error says only that the file is damaged.
 */
#include "image/decode.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/av1_size.h"
#include "image/bmp.h"
#include "image/jpeg.h"
#include "image/patience.h"
#include "image/precheck.h"
#include "image/vips_visit.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <vips/vips.h>

static const gint64 MAX_RETELL_US = 250000; /* others wait meanwhile */

static const struct {
    const char *loader; /* libvips' operation */
    const char *mime;
} known_loaders[] = {
    {"VipsForeignLoadJpegBuffer", "image/jpeg"}, {"VipsForeignLoadPngBuffer", "image/png"},
    {"VipsForeignLoadWebpBuffer", "image/webp"}, {"VipsForeignLoadNsgifBuffer", "image/gif"},
    {"VipsForeignLoadHeifBuffer", "image/heif"}, {"VipsForeignLoadTiffBuffer", "image/tiff"},
};

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static int init_result;

/* A library does not print. */
static void keep_log(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data)
{
    (void)domain;
    (void)level;
    (void)data;
    pn_vips_warned(message);
}

static void init(void)
{
    init_result = VIPS_INIT("pennon");
    g_log_set_handler("VIPS",
                      (GLogLevelFlags)(G_LOG_LEVEL_MASK | G_LOG_FLAG_FATAL | G_LOG_FLAG_RECURSION),
                      keep_log, NULL);
    if (init_result != 0)
        return;
    vips_cache_set_max(0);   // every picture is seen once
    vips_concurrency_set(1); // our threads decode whole pictures; theirs would only get in the way
    vips_block_untrusted_set(TRUE);
}

pn_status pn_image_library_init(pn_error *err)
{
    pthread_once(&init_once, init);
    if (init_result != 0)
        return pn_fail(err, PN_ERR_IO, "the picture library does not start");
    return PN_OK;
}

/* libvips' own message, one line. */
static pn_status fail_vips(pn_error *err, pn_status status, const char *name)
{
    char reason[256];
    pn_vips_reason(reason, sizeof reason);
    g_strdelimit(reason, "\r\n", ' ');
    g_strchomp(reason);
    return pn_fail(err, status, "%s: %s", name, *reason ? reason : "cannot be decoded");
}

static const char *known_mime(const char *loader)
{
    for (size_t i = 0; loader && i < PN_COUNT_OF(known_loaders); i++)
        if (strcmp(loader, known_loaders[i].loader) == 0)
            return known_loaders[i].mime;
    return NULL;
}

const char *pn_image_mime_type(const void *bytes, size_t n)
{
    if (pn_bmp_is(bytes, n))
        return "image/bmp";
    if (pn_jpeg_is(bytes, n))
        return "image/jpeg";
    if (n == 0 || pn_image_library_init(NULL) != PN_OK)
        return NULL;
    pn_vips_visit visit;
    pn_vips_enter(&visit);
    const char *loader = vips_foreign_find_load_buffer(bytes, n);
    (void)pn_vips_leave(&visit); // "unknown" is an answer, not an error
    return known_mime(loader);
}

pn_status pn_decode_check_size(uint64_t width, uint64_t height, const char *name,
                               const pn_decode_options *options, pn_error *err)
{
    uint64_t max_side =
        options && options->max_side_px ? options->max_side_px : PN_IMAGE_MAX_SIDE_PX;
    uint64_t max_pixels =
        options && options->max_pixels ? options->max_pixels : PN_IMAGE_MAX_PIXELS;
    if (width > max_side || height > max_side || width * height > max_pixels)
        return pn_fail(err, PN_ERR_LIMIT,
                       "%s: %" PRIu64 " x %" PRIu64 " pixels: the limits are %" PRIu64
                       " a side and %" PRIu64 " in all",
                       name, width, height, max_side, max_pixels);
    return PN_OK;
}

/* What a TIFF may hold and nobody shows in a shop: floats, Lab, dozens of channels. */
static pn_status check_samples(const VipsImage *image, const char *name, pn_error *err)
{
    VipsInterpretation kind = vips_image_guess_interpretation(image);
    bool known = image->BandFmt == VIPS_FORMAT_UCHAR || image->BandFmt == VIPS_FORMAT_USHORT;
    if (!known || kind == VIPS_INTERPRETATION_LAB || kind == VIPS_INTERPRETATION_LABS ||
        kind == VIPS_INTERPRETATION_LABQ)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: %s samples of kind %s", name,
                       vips_enum_nick(VIPS_TYPE_BAND_FORMAT, image->BandFmt),
                       vips_enum_nick(VIPS_TYPE_INTERPRETATION, kind));
    if (VIPS_IMAGE_SIZEOF_PEL(image) > PN_IMAGE_MAX_PIXEL_BYTES + 2) // CMYK with alpha
        return pn_fail(err, PN_ERR_LIMIT, "%s: %zu bytes a pixel, the limit is %d", name,
                       (size_t)VIPS_IMAGE_SIZEOF_PEL(image), PN_IMAGE_MAX_PIXEL_BYTES + 2);
    return PN_OK;
}

static void stop_when_late(VipsImage *image, VipsProgress *progress, void *context)
{
    (void)progress; // its clock is on the wall, and starts behind the header
    if (pn_patience_is_over(context))
        vips_image_set_kill(image, TRUE);
}

/* Replace *image by the result of an operation on it. */
static bool step(VipsImage **image, int failed, VipsImage *result)
{
    if (failed)
        return false;
    g_object_unref(*image);
    *image = result;
    return true;
}

/* Integer samples of 8 bits; 16-bit ones keep their high byte, whatever libvips would make of them. */
static bool to_8_bits(VipsImage **image)
{
    VipsImage *out = NULL;
    VipsBandFormat format = (*image)->BandFmt;
    if (format == VIPS_FORMAT_UCHAR)
        return true;
    if (format == VIPS_FORMAT_USHORT) {
        int shifted = vips_rshift_const1(*image, &out, 8, NULL);
        if (!step(image, shifted, out))
            return false;
    }
    int failed = vips_cast_uchar(*image, &out, NULL);
    return step(image, failed, out);
}

static pn_status check_file(const void *bytes, size_t n, const char *name, pn_error *err)
{
    if (n == 0)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: the file is empty", name);
    if (n > PN_IMAGE_MAX_FILE_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "%s: %zu bytes, the limit is %u", name, n,
                       PN_IMAGE_MAX_FILE_BYTES);
    PN_TRY(pn_av1_check_size(bytes, n, name, err));
    return pn_picture_precheck(bytes, n, name, err);
}

static pn_status open_image(const void *bytes, size_t n, const char *name,
                            const pn_decode_options *options, pn_patience *time, VipsImage **out,
                            pn_error *err)
{
    const char *loader = vips_foreign_find_load_buffer(bytes, n);
    if (!known_mime(loader) && pn_heif_is(bytes, n))
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: AVIF or HEIC, which the installed libvips cannot read: its module "
                       "vips-heif or libheif is missing",
                       name);
    if (!known_mime(loader))
        return pn_fail(
            err, PN_ERR_UNSUPPORTED,
            "%s: not a picture that can be read (JPEG, PNG, WebP, GIF, AVIF, HEIC, TIFF, BMP)",
            name);
    /* memory: what cannot be read row by row would otherwise go through a temporary file when it is large */
    VipsImage *image =
        vips_image_new_from_buffer(bytes, n, "", "fail_on", VIPS_FAIL_ON_ERROR, "access",
                                   VIPS_ACCESS_SEQUENTIAL, "memory", TRUE, NULL);
    if (!image)
        return fail_vips(err, PN_ERR_CORRUPT, name);
    pn_status status =
        pn_decode_check_size((uint64_t)image->Xsize, (uint64_t)image->Ysize, name, options, err);
    if (status == PN_OK)
        status = check_samples(image, name, err);
    if (status == PN_OK && pn_patience_is_over(time))
        status = pn_patience_fail(time, name, err);
    if (status != PN_OK) {
        g_object_unref(image);
        return status;
    }
    *out = image;
    return PN_OK;
}

/* All pixels as 8-bit samples in memory; the loader's work is done here. */
static pn_status read_samples(VipsImage **image, const char *name, pn_patience *time,
                              uint8_t **samples, pn_error *err)
{
    size_t n;
    if (!to_8_bits(image))
        return fail_vips(err, PN_ERR_CORRUPT, name);
    vips_image_set_progress(*image, TRUE);
    g_signal_connect(*image, "eval", G_CALLBACK(stop_when_late), time);
    *samples = vips_image_write_to_memory(*image, &n);
    bool over = pn_patience_is_over(time);
    if (!*samples)
        return over ? pn_patience_fail(time, name, err) : fail_vips(err, PN_ERR_CORRUPT, name);
    return PN_OK;
}

static uint8_t over_white(uint8_t c, uint8_t a)
{
    return (uint8_t)((c * a + 255 * (255 - a) + 127) / 255);
}

static uint8_t times(uint8_t a, uint8_t b)
{
    unsigned t = a * b + 128u; // a * b / 255 rounded, as the reference does it
    return (uint8_t)(((t >> 8) + t) >> 8);
}

/* Adobe stores ink inverted and libvips gives it upright: 255 is full ink. R = 255 - K - round(C * (255 - K) / 255). */
static void cmyk_to_rgb(const uint8_t *in, uint8_t *out)
{
    int nk = 255 - in[3];
    for (int i = 0; i < 3; i++) {
        int v = nk - times(in[i], (uint8_t)nk);
        out[i] = (uint8_t)(v < 0 ? 0 : v);
    }
}

static void to_rgb(const uint8_t *samples, size_t n_pixels, int bands, bool cmyk, uint8_t *out)
{
    for (size_t i = 0; i < n_pixels; i++, samples += bands, out += 3) {
        if (cmyk && bands >= 4) {
            cmyk_to_rgb(samples, out);
        } else if (bands <= 2) {
            uint8_t gray = bands == 2 ? over_white(samples[0], samples[1]) : samples[0];
            out[0] = out[1] = out[2] = gray;
        } else {
            uint8_t a = bands >= 4 ? samples[3] : 255;
            for (int k = 0; k < 3; k++)
                out[k] = a == 255 ? samples[k] : over_white(samples[k], a);
        }
    }
}

static pn_status decode_with_vips(const void *bytes, size_t n, const char *name,
                                  const pn_decode_options *options, pn_patience *time,
                                  pn_image *out, pn_error *err)
{
    VipsImage *image = NULL;
    uint8_t *samples = NULL;
    PN_TRY(open_image(bytes, n, name, options, time, &image, err));
    pn_assert(image != NULL);
    int orientation = vips_image_get_orientation(image);
    bool cmyk = vips_image_guess_interpretation(image) == VIPS_INTERPRETATION_CMYK;
    pn_image result = {0};
    pn_status status = read_samples(&image, name, time, &samples, err);
    uint32_t width = (uint32_t)image->Xsize, height = (uint32_t)image->Ysize;
    int bands = image->Bands;
    g_object_unref(image); // with the decoder's own copy of the pixels, before we take more
    if (status == PN_OK)
        status = pn_image_create(width, height, &result, err);
    if (status == PN_OK)
        to_rgb(samples, (size_t)width * height, bands, cmyk, result.pixels);
    g_free(samples);
    if (status == PN_OK)
        status = pn_image_turn_upright(&result, orientation, err);
    if (status == PN_OK)
        *out = result;
    else
        pn_image_free(&result);
    return status;
}

/* Once, and for a reason of our own once more when there is time for it. */
static pn_status decode_patiently(const void *bytes, size_t n, const char *name,
                                  const pn_decode_options *options, pn_patience *time,
                                  pn_image *out, pn_error *err)
{
    pn_vips_visit visit;
    const gint64 start_us = g_get_monotonic_time();
    pn_vips_enter(&visit);
    pn_status status = decode_with_vips(bytes, n, name, options, time, out, err);
    bool reason_is_ours = pn_vips_leave(&visit);
    if (status != PN_ERR_CORRUPT || reason_is_ours)
        return status;
    bool short_work = g_get_monotonic_time() - start_us < MAX_RETELL_US;
    if (!short_work || !pn_vips_enter_alone())
        return pn_fail(err, PN_ERR_CORRUPT, "%s: damaged; the decoder gave up", name);
    status = decode_with_vips(bytes, n, name, options, time, out, err);
    pn_vips_leave_alone();
    return status;
}

/* Bytes that passed check_file() and are no bitmap. */
static pn_status decode_essentials(const void *bytes, size_t n, const char *name,
                                   const pn_decode_options *options, pn_image *out, pn_error *err)
{
    pn_patience time;
    pn_patience_begin(&time, options, CLOCK_PROCESS_CPUTIME_ID);
    return decode_patiently(bytes, n, name, options, &time, out, err);
}

pn_status pn_image_decode(const void *bytes, size_t n, const char *name,
                          const pn_decode_options *options, pn_image *out, pn_error *err)
{
    uint8_t *copy;
    size_t n_copy;
    PN_TRY(check_file(bytes, n, name, err));
    if (pn_bmp_is(bytes, n))
        return pn_bmp_decode(bytes, n, name, options, out, err);
    bool taken = false;
    if (pn_jpeg_is(bytes, n))
        PN_TRY(pn_jpeg_decode(bytes, n, name, options, &taken, out, err));
    if (taken)
        return PN_OK;
    PN_TRY(pn_image_library_init(err));
    PN_TRY(pn_png_essentials(bytes, n, &copy, &n_copy, err));
    pn_status status =
        decode_essentials(copy ? copy : bytes, copy ? n_copy : n, name, options, out, err);
    pn_free(copy);
    vips_thread_shutdown(); // this thread's buffers, which nobody else would free
    return status;
}
