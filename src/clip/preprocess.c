/*
 * preprocess.c - which window of which resize, then (pixel / 255 - mean) / std
 *
 *     CROP    short side to S, long side floor(S * long / short); the middle, offset rounded half to even (torchvision)
 *     PAD     long side to S, the other rounded half to even; pad floor before, the rest behind
 *     SQUASH  both sides to S
 */
#include "clip/preprocess.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>

const char *pn_preprocess_mode_name(pn_preprocess_mode mode)
{
    static const char *const names[] = {"crop", "pad", "squash"};
    return names[mode];
}

bool pn_preprocess_mode_parse(pn_str name, pn_preprocess_mode *out)
{
    for (int mode = PN_PREPROCESS_CROP; mode <= PN_PREPROCESS_SQUASH; mode++) {
        if (pn_str_is(name, pn_preprocess_mode_name((pn_preprocess_mode)mode))) {
            *out = (pn_preprocess_mode)mode;
            return true;
        }
    }
    return false;
}

/* d / 2, halves to the even neighbour: 3 -> 2, 5 -> 2, 7 -> 4. */
static uint32_t half_to_even(uint32_t d)
{
    uint32_t half = d / 2;
    return d % 2 == 1 && half % 2 == 1 ? half + 1 : half;
}

/* The size of which the middle is cut. Square targets as torchvision does it, others as open_clip: keep the ratio, cover the
 * target, round. */
static void full_size(const pn_preprocess *p, uint64_t w, uint64_t h, uint64_t *full_w,
                      uint64_t *full_h)
{
    if (p->width == p->height) {
        uint64_t short_side = PN_MIN(w, h);
        *full_w = w <= h ? p->width : p->width * w / short_side;
        *full_h = w <= h ? p->height * h / short_side : p->height;
        return;
    }
    double across = (double)w / p->width, down = (double)h / p->height,
           ratio = PN_MIN(across, down);
    *full_w = PN_MAX((uint64_t)nearbyint((double)w / ratio), (uint64_t)p->width);
    *full_h = PN_MAX((uint64_t)nearbyint((double)h / ratio), (uint64_t)p->height);
}

static pn_status crop(const pn_preprocess *p, const pn_image *image, uint8_t *out, pn_error *err)
{
    uint64_t w = image->width, h = image->height, full_w, full_h;
    full_size(p, w, h, &full_w, &full_h);
    if (full_w > UINT32_MAX || full_h > UINT32_MAX)
        return pn_fail(err, PN_ERR_LIMIT, "a picture of %llu x %llu is too long",
                       (unsigned long long)w, (unsigned long long)h);
    pn_resize_window window = {.full_width = (uint32_t)full_w,
                               .full_height = (uint32_t)full_h,
                               .left = half_to_even((uint32_t)full_w - p->width),
                               .top = half_to_even((uint32_t)full_h - p->height),
                               .width = p->width,
                               .height = p->height};
    return pn_image_resize(image, p->filter, &window, out, err);
}

static uint32_t scaled(uint32_t side, uint32_t target, uint32_t longest)
{
    double v = nearbyint((double)side * ((double)target / (double)longest)); // halves to even
    return v < 1 ? 1 : (uint32_t)v;
}

static pn_status pad(const pn_preprocess *p, const pn_image *image, uint8_t *out, pn_error *err)
{
    uint32_t target = PN_MIN(p->width, p->height), longest = PN_MAX(image->width, image->height);
    uint32_t w = PN_MIN(scaled(image->width, target, longest), p->width);
    uint32_t h = PN_MIN(scaled(image->height, target, longest), p->height);
    uint32_t left = (p->width - w) / 2, top = (p->height - h) / 2;
    uint8_t *inside = pn_alloc_array((size_t)w * h, 3);
    if (!inside)
        return pn_fail_nomem(err);
    pn_resize_window window = {.full_width = w, .full_height = h, .width = w, .height = h};
    pn_status status = pn_image_resize(image, p->filter, &window, inside, err);
    if (status == PN_OK) {
        for (size_t i = 0; i < (size_t)p->width * p->height; i++)
            memcpy(out + i * 3, p->pad_rgb, 3);
        for (uint32_t y = 0; y < h; y++)
            memcpy(out + ((size_t)(top + y) * p->width + left) * 3, inside + (size_t)y * w * 3,
                   (size_t)w * 3);
    }
    pn_free(inside);
    return status;
}

pn_status pn_preprocess_pixels(const pn_preprocess *p, const pn_image *image, uint8_t *out,
                               pn_error *err)
{
    pn_resize_window whole = {
        .full_width = p->width, .full_height = p->height, .width = p->width, .height = p->height};
    switch (p->mode) {
    case PN_PREPROCESS_CROP:
        return crop(p, image, out, err);
    case PN_PREPROCESS_PAD:
        return pad(p, image, out, err);
    case PN_PREPROCESS_SQUASH:
        return pn_image_resize(image, p->filter, &whole, out, err);
    }
    return pn_fail(err, PN_ERR_INVALID, "preprocessing mode %d is not known", (int)p->mode);
}

void pn_preprocess_normalise(const pn_preprocess *p, const uint8_t *pixels, float *out)
{
    const size_t n = (size_t)p->width * p->height;
    for (size_t c = 0; c < 3; c++) {
        float value[256]; // of each possible pixel: the reference's two divisions, once
        for (int v = 0; v < 256; v++)
            value[v] = ((float)v / 255.0f - p->mean[c]) / p->std[c];
        for (size_t i = 0; i < n; i++)
            out[c * n + i] = value[pixels[i * 3 + c]];
    }
}

pn_status pn_preprocess_tensor(const pn_preprocess *p, const pn_image *image, float *out,
                               pn_error *err)
{
    uint8_t *pixels = pn_alloc_array((size_t)p->width * p->height, 3);
    if (!pixels)
        return pn_fail_nomem(err);
    pn_status status = pn_preprocess_pixels(p, image, pixels, err);
    if (status == PN_OK)
        pn_preprocess_normalise(p, pixels, out);
    pn_free(pixels);
    return status;
}

void pn_preprocess_text(const pn_preprocess *p, char out[PN_PREPROCESS_TEXT_BYTES])
{
    int n = snprintf(
        out, PN_PREPROCESS_TEXT_BYTES, "%s %s %ux%u mean %.8g,%.8g,%.8g std %.8g,%.8g,%.8g",
        pn_preprocess_mode_name(p->mode), p->filter == PN_RESIZE_BICUBIC ? "bicubic" : "bilinear",
        (unsigned)p->width, (unsigned)p->height, (double)p->mean[0], (double)p->mean[1],
        (double)p->mean[2], (double)p->std[0], (double)p->std[1], (double)p->std[2]);
    if (p->mode == PN_PREPROCESS_PAD && n > 0 && n < PN_PREPROCESS_TEXT_BYTES)
        (void)snprintf(out + n, (size_t)(PN_PREPROCESS_TEXT_BYTES - n), " pad %u,%u,%u",
                       p->pad_rgb[0], p->pad_rgb[1],
                       p->pad_rgb[2]); // about 150 characters in all
}
