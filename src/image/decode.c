/*
 * decode.c - libvips, kept on a short leash
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
 * that takes too long is stopped. Everything runs in the calling thread. An animation of very many frames is refused before
 * libwebp counts them, because it does so in quadratic time: 100,000 empty ones (4.6 MB) take half a minute.
 *
 * libvips has one error buffer for all threads. We take its text and empty it in one step, so it is never torn, but of two
 * threads that fail at the same moment one may get the other's reason; status and file name are always its own.
 */
#include "image/decode.h"

#include "base/alloc.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/bmp.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <vips/vips.h>

static const double MAX_DECODE_SECONDS = 30;

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

static void ignore_log(const gchar *domain, GLogLevelFlags level, const gchar *message,
                       gpointer data)
{
    (void)domain;
    (void)level;
    (void)message;
    (void)data; // what matters comes back as an error; a library does not print
}

static void init(void)
{
    init_result = VIPS_INIT("pennon");
    g_log_set_handler("VIPS",
                      (GLogLevelFlags)(G_LOG_LEVEL_MASK | G_LOG_FLAG_FATAL | G_LOG_FLAG_RECURSION),
                      ignore_log, NULL);
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
    size_t n = 0;
    char *text = vips_error_buffer_copy();
    for (const char *from = text; *from && n + 1 < sizeof reason; from++)
        reason[n++] = *from == '\n' || *from == '\r' ? ' ' : *from;
    g_free(text);
    while (n > 0 && reason[n - 1] == ' ')
        n--;
    reason[n] = '\0';
    return pn_fail(err, status, "%s: %s", name, n > 0 ? reason : "cannot be decoded");
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
    if (n == 0 || pn_image_library_init(NULL) != PN_OK)
        return NULL;
    const char *loader = vips_foreign_find_load_buffer(bytes, n);
    vips_error_clear();
    return known_mime(loader);
}

/* The frames of an animated WebP, without a look inside: a chain of chunks, each a name, a length and even-sized data. */
static size_t count_webp_frames(const uint8_t *bytes, size_t n)
{
    size_t frames = 0;
    if (n < 12 || memcmp(bytes, "RIFF", 4) != 0 || memcmp(bytes + 8, "WEBP", 4) != 0)
        return 0;
    for (size_t at = 12; n - at >= 8;) {
        size_t length = (size_t)pn_load_le32(bytes + at + 4);
        frames += memcmp(bytes + at, "ANMF", 4) == 0;
        at += 8;
        if (length + (length & 1) > n - at)
            break;
        at += length + (length & 1);
    }
    return frames;
}

static pn_status check_size(const VipsImage *image, const char *name,
                            const pn_decode_options *options, pn_error *err)
{
    uint64_t width = (uint64_t)image->Xsize, height = (uint64_t)image->Ysize;
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

static void stop_when_late(VipsImage *image, VipsProgress *progress, void *context)
{
    (void)context;
    if (progress->run > MAX_DECODE_SECONDS)
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
    size_t n_frames = count_webp_frames(bytes, n);
    if (n_frames > PN_IMAGE_MAX_FRAMES)
        return pn_fail(err, PN_ERR_LIMIT, "%s: an animation of %zu frames, the limit is %d", name,
                       n_frames, PN_IMAGE_MAX_FRAMES);
    return PN_OK;
}

static pn_status open_image(const void *bytes, size_t n, const char *name,
                            const pn_decode_options *options, VipsImage **out, pn_error *err)
{
    const char *loader = vips_foreign_find_load_buffer(bytes, n);
    vips_error_clear();
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
    pn_status status = check_size(image, name, options, err);
    if (status != PN_OK) {
        g_object_unref(image);
        return status;
    }
    *out = image;
    return PN_OK;
}

/* All pixels as 8-bit samples in memory; the loader's work is done here. */
static pn_status read_samples(VipsImage **image, const char *name, uint8_t **samples, pn_error *err)
{
    size_t n;
    if (!to_8_bits(image))
        return fail_vips(err, PN_ERR_CORRUPT, name);
    vips_image_set_progress(*image, TRUE);
    g_signal_connect(*image, "eval", G_CALLBACK(stop_when_late), NULL);
    *samples = vips_image_write_to_memory(*image, &n);
    if (!*samples)
        return fail_vips(err, PN_ERR_CORRUPT, name);
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

/* Where the pixel that belongs at (x, y) upright is stored, for the EXIF orientations 1 to 8. */
static size_t stored_at(int orientation, size_t x, size_t y, size_t w, size_t h)
{
    switch (orientation) {
    case 2:
        return y * w + (w - 1 - x);
    case 3:
        return (h - 1 - y) * w + (w - 1 - x);
    case 4:
        return (h - 1 - y) * w + x;
    case 5:
        return x * w + y;
    case 6:
        return (h - 1 - x) * w + y;
    case 7:
        return (h - 1 - x) * w + (w - 1 - y);
    case 8:
        return x * w + (w - 1 - y);
    default:
        return y * w + x;
    }
}

static pn_status turn_upright(pn_image *image, int orientation, pn_error *err)
{
    pn_image turned;
    size_t w = image->width, h = image->height;
    if (orientation < 2 || orientation > 8)
        return PN_OK;
    bool swapped = orientation >= 5;
    PN_TRY(pn_image_create(swapped ? image->height : image->width,
                           swapped ? image->width : image->height, &turned, err));
    for (size_t y = 0; y < turned.height; y++)
        for (size_t x = 0; x < turned.width; x++)
            memcpy(turned.pixels + (y * turned.width + x) * 3,
                   image->pixels + stored_at(orientation, x, y, w, h) * 3, 3);
    pn_image_free(image);
    *image = turned;
    return PN_OK;
}

static pn_status decode_with_vips(const void *bytes, size_t n, const char *name,
                                  const pn_decode_options *options, pn_image *out, pn_error *err)
{
    VipsImage *image = NULL;
    uint8_t *samples = NULL;
    PN_TRY(open_image(bytes, n, name, options, &image, err));
    pn_assert(image != NULL);
    int orientation = vips_image_get_orientation(image);
    bool cmyk = vips_image_guess_interpretation(image) == VIPS_INTERPRETATION_CMYK;
    pn_image result = {0};
    pn_status status = read_samples(&image, name, &samples, err);
    uint32_t width = (uint32_t)image->Xsize, height = (uint32_t)image->Ysize;
    int bands = image->Bands;
    g_object_unref(image); // with the decoder's own copy of the pixels, before we take more
    if (status == PN_OK)
        status = pn_image_create(width, height, &result, err);
    if (status == PN_OK)
        to_rgb(samples, (size_t)width * height, bands, cmyk, result.pixels);
    g_free(samples);
    if (status == PN_OK)
        status = turn_upright(&result, orientation, err);
    if (status == PN_OK)
        *out = result;
    else
        pn_image_free(&result);
    return status;
}

pn_status pn_image_decode(const void *bytes, size_t n, const char *name,
                          const pn_decode_options *options, pn_image *out, pn_error *err)
{
    PN_TRY(pn_image_library_init(err));
    PN_TRY(check_file(bytes, n, name, err));
    if (pn_bmp_is(bytes, n))
        return pn_bmp_decode(bytes, n, name, options, out, err);
    pn_status status = decode_with_vips(bytes, n, name, options, out, err);
    vips_error_clear();     // a picture that decodes may have left warnings
    vips_thread_shutdown(); // and this thread's buffers, which nobody else would free
    return status;
}
