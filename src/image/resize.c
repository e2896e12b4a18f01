/*
 * resize.c - Pillow's resampling, window by window
 *
 * Two passes, horizontal first, each rounded and clamped to 8 bits. When shrinking, the kernel is stretched by the scale:
 * that is the antialiasing. Weights are made in double, divided by their sum, and rounded to 22 fraction bits, half away
 * from zero; a pixel is (2^21 + sum of weight * value) >> 22. A pass whose size does not change is left out, as in Pillow.
 *
 * Only the window's columns are computed, and only of the rows that its rows need: a picture of 4,000 x 3 whose short side
 * becomes 224 would otherwise have 298,666 columns.
 */
#include "image/resize.h"

#include "base/alloc.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

/* For each output index of the window: first input, number of inputs, weights. */
typedef struct pass {
    pn_taps taps; /* a view of the three */
    uint32_t *first, *n;
    int32_t *weights;
    uint32_t low, high; /* inputs that are needed: [low, high) */
    bool identity;
} pass;

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* How much of a pixel so far from the centre lies within stretch / 2 of it. */
static double overlap(double distance, double stretch)
{
    double part = (stretch + 1) / 2 - fabs(distance);
    return part < 0 ? 0 : part < 1 ? part : 1;
}

static double weigh(pn_resize_filter filter, double distance, double stretch)
{
    const double inverse = 1 / stretch,
                 x = distance * inverse; // not "/ stretch": the last bit may differ
    switch (filter) {
    case PN_RESIZE_BICUBIC:
        return bicubic(x);
    case PN_RESIZE_BILINEAR:
        return triangle(x);
    case PN_RESIZE_AREA:
        return overlap(distance, stretch);
    }
    return 0;
}

/* Pixels to both sides of the centre that may count. */
static double support_of(pn_resize_filter filter, double stretch)
{
    return filter == PN_RESIZE_BICUBIC ? 2 * stretch
           : filter == PN_RESIZE_AREA  ? (stretch + 1) / 2
                                       : stretch;
}

static void free_pass(pass *p)
{
    pn_free(p->first);
    pn_free(p->n);
    pn_free(p->weights);
}

static void make_weights(pass *p, uint32_t i, uint32_t output, uint32_t n_in, double scale,
                         double support, pn_resize_filter filter, double *scratch)
{
    double stretch = scale > 1 ? scale : 1, centre = (output + 0.5) * scale, sum = 0;
    double low = trunc(centre - support + 0.5), high = trunc(centre + support + 0.5);
    uint32_t first = low < 0 ? 0 : (uint32_t)low, end = high > n_in ? n_in : (uint32_t)high,
             n = end - first;
    for (uint32_t j = 0; j < n; j++) {
        scratch[j] = weigh(filter, j + first - centre + 0.5, stretch);
        sum += scratch[j];
    }
    while (n > 1 && scratch[n - 1] == 0)
        n--; // a row that would be read for nothing
    for (uint32_t j = 0; j < n; j++) {
        double w = sum != 0 ? scratch[j] / sum : scratch[j];
        w *= (double)(1 << PN_RESAMPLE_FRACTION_BITS);
        p->weights[(size_t)i * p->taps.most + j] = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
    }
    p->first[i] = first;
    p->n[i] = n;
}

static pn_status make_pass(uint32_t n_in, uint32_t n_full, uint32_t start, uint32_t n_out,
                           pn_resize_filter filter, pass *p, pn_error *err)
{
    *p = (pass){.identity = n_in == n_full, .low = start, .high = start + n_out};
    p->taps.n_out = n_out;
    if (p->identity)
        return PN_OK;
    double scale = (double)n_in / n_full, support = support_of(filter, scale > 1 ? scale : 1);
    p->taps.most = (size_t)ceil(support) * 2 + 1;
    p->first = pn_alloc_array(n_out, sizeof *p->first);
    p->n = pn_alloc_array(n_out, sizeof *p->n);
    size_t n_weights;
    if (pn_size_mul(n_out, p->taps.most, &n_weights))
        p->weights = pn_alloc_array(n_weights, sizeof *p->weights);
    double *scratch = pn_alloc_array(p->taps.most, sizeof *scratch);
    if (!p->first || !p->n || !p->weights || !scratch) {
        pn_free(scratch);
        return pn_fail_nomem(err);
    }
    p->taps.first = p->first;
    p->taps.n = p->n;
    p->taps.weights = p->weights;
    p->low = n_in;
    p->high = 0;
    for (uint32_t i = 0; i < n_out; i++) {
        make_weights(p, i, start + i, n_in, scale, support, filter, scratch);
        p->low = PN_MIN(p->low, p->first[i]);
        p->high = PN_MAX(p->high, p->first[i] + p->n[i]);
    }
    pn_free(scratch);
    return PN_OK;
}

/* Rows [vertical->low, high) of the picture, the window's columns: out [rows][n_out][3]. */
static void run_horizontal(const pn_image *image, const pass *p, uint32_t low, uint32_t high,
                           uint8_t *out)
{
    const size_t row_bytes = (size_t)image->width * 3, out_bytes = p->taps.n_out * 3;
    const uint8_t *rows = image->pixels + low * row_bytes;
    if (!p->identity) {
        pn_kernels_get()->resample_across_u8(out, rows, image->width, high - low, &p->taps);
        return;
    }
    for (size_t y = 0; y < high - low; y++)
        memcpy(out + y * out_bytes, rows + y * row_bytes + (size_t)p->low * 3, out_bytes);
}

/* rows: from p->low on. */
static void run_vertical(const uint8_t *rows, const pass *p, size_t row_bytes, uint8_t *out)
{
    const pn_kernels *k = pn_kernels_get();
    if (p->identity) {
        memcpy(out, rows, p->taps.n_out * row_bytes);
        return;
    }
    for (size_t y = 0; y < p->taps.n_out; y++)
        k->resample_down_u8(out + y * row_bytes, rows + (p->first[y] - p->low) * row_bytes,
                            row_bytes, p->weights + y * p->taps.most, p->n[y]);
}

static pn_status resize_across_first(const pn_image *image, const pass *across, const pass *down,
                                     uint8_t *out, pn_error *err)
{
    const size_t row_bytes = across->taps.n_out * 3;
    uint8_t *rows = pn_alloc_array(down->high - down->low, row_bytes);
    if (!rows)
        return pn_fail_nomem(err);
    run_horizontal(image, across, down->low, down->high, rows);
    run_vertical(rows, down, row_bytes, out);
    pn_free(rows);
    return PN_OK;
}

static pn_status resize_down_first(const pn_image *image, const pass *across, const pass *down,
                                   uint8_t *out, pn_error *err)
{
    const size_t row_bytes = (size_t)image->width * 3;
    pn_image low = {.width = image->width, .height = (uint32_t)down->taps.n_out};
    low.pixels = pn_alloc_array(low.height, row_bytes);
    if (!low.pixels)
        return pn_fail_nomem(err);
    run_vertical(image->pixels + down->low * row_bytes, down, row_bytes, low.pixels);
    run_horizontal(&low, across, 0, low.height, out);
    pn_image_free(&low);
    return PN_OK;
}

pn_status pn_image_resize(const pn_image *image, pn_resize_filter filter,
                          const pn_resize_window *window, uint8_t *out, pn_error *err)
{
    if (window->width == 0 || window->height == 0 || window->full_width == 0 ||
        window->full_height == 0 ||
        window->left > window->full_width - PN_MIN(window->width, window->full_width) ||
        window->top > window->full_height - PN_MIN(window->height, window->full_height) ||
        window->width > window->full_width || window->height > window->full_height)
        return pn_fail(err, PN_ERR_INVALID,
                       "a window of the resized picture that lies outside of it");
    pass across = {0}, down = {0};
    pn_status status = PN_OK;
    PN_GOTO(done, make_pass(image->width, window->full_width, window->left, window->width, filter,
                            &across, err));
    PN_GOTO(done, make_pass(image->height, window->full_height, window->top, window->height, filter,
                            &down, err));
    if (window->down_first)
        status = resize_down_first(image, &across, &down, out, err);
    else
        status = resize_across_first(image, &across, &down, out, err);
done:
    free_pass(&across);
    free_pass(&down);
    return status;
}
