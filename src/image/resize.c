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

#include <math.h>
#include <string.h>

enum { FRACTION_BITS = 22 };

/* For each output index of the window: first input, number of inputs, weights. */
typedef struct pass {
    uint32_t *first, *n;
    int32_t *weights; /* [outputs][most] */
    uint32_t most;
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

static void free_pass(pass *p)
{
    pn_free(p->first);
    pn_free(p->n);
    pn_free(p->weights);
}

static void make_weights(pass *p, uint32_t i, uint32_t output, uint32_t n_in, double scale,
                         double support, pn_resize_filter filter, double *scratch)
{
    double inverse = 1 / (scale > 1 ? scale : 1), centre = (output + 0.5) * scale, sum = 0;
    double low = trunc(centre - support + 0.5), high = trunc(centre + support + 0.5);
    uint32_t first = low < 0 ? 0 : (uint32_t)low, end = high > n_in ? n_in : (uint32_t)high,
             n = end - first;
    for (uint32_t j = 0; j < n; j++) {
        double x = (j + first - centre + 0.5) * inverse; // not "/ stretch": the last bit may differ
        scratch[j] = filter == PN_RESIZE_BICUBIC ? bicubic(x) : triangle(x);
        sum += scratch[j];
    }
    for (uint32_t j = 0; j < n; j++) {
        double w = sum != 0 ? scratch[j] / sum : scratch[j];
        w *= (double)(1 << FRACTION_BITS);
        p->weights[(size_t)i * p->most + j] = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
    }
    p->first[i] = first;
    p->n[i] = n;
}

static pn_status make_pass(uint32_t n_in, uint32_t n_full, uint32_t start, uint32_t n_out,
                           pn_resize_filter filter, pass *p, pn_error *err)
{
    *p = (pass){.identity = n_in == n_full, .low = start, .high = start + n_out};
    if (p->identity)
        return PN_OK;
    double scale = (double)n_in / n_full,
           support = (filter == PN_RESIZE_BICUBIC ? 2.0 : 1.0) * (scale > 1 ? scale : 1);
    p->most = (uint32_t)ceil(support) * 2 + 1;
    p->first = pn_alloc_array(n_out, sizeof *p->first);
    p->n = pn_alloc_array(n_out, sizeof *p->n);
    size_t n_weights;
    if (pn_size_mul(n_out, p->most, &n_weights))
        p->weights = pn_alloc_array(n_weights, sizeof *p->weights);
    double *scratch = pn_alloc_array(p->most, sizeof *scratch);
    if (!p->first || !p->n || !p->weights || !scratch) {
        pn_free(scratch);
        return pn_fail_nomem(err);
    }
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

static uint8_t clamp(int32_t sum)
{
    int32_t v = sum >> FRACTION_BITS; // arithmetic on every compiler we build with
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* Rows [vertical->low, high) of the picture, the window's columns: out [rows][n_out][3]. */
static void run_horizontal(const pn_image *image, const pass *p, uint32_t n_out, uint32_t low,
                           uint32_t high, uint8_t *out)
{
    for (uint32_t y = low; y < high; y++) {
        const uint8_t *row = image->pixels + (size_t)y * image->width * 3;
        uint8_t *to = out + (size_t)(y - low) * n_out * 3;
        if (p->identity) {
            memcpy(to, row + (size_t)p->low * 3, (size_t)n_out * 3);
            continue;
        }
        for (uint32_t x = 0; x < n_out; x++, to += 3) {
            const int32_t *weights = p->weights + (size_t)x * p->most;
            const uint8_t *from = row + (size_t)p->first[x] * 3;
            int32_t r = 1 << (FRACTION_BITS - 1), g = r, b = r;
            for (uint32_t j = 0; j < p->n[x]; j++, from += 3) {
                r += weights[j] * from[0];
                g += weights[j] * from[1];
                b += weights[j] * from[2];
            }
            to[0] = clamp(r);
            to[1] = clamp(g);
            to[2] = clamp(b);
        }
    }
}

static void run_vertical(const uint8_t *rows, const pass *p, uint32_t n_out, size_t row_bytes,
                         int32_t *sums, uint8_t *out)
{
    if (p->identity) {
        memcpy(out, rows, (size_t)n_out * row_bytes);
        return;
    }
    for (uint32_t y = 0; y < n_out; y++) {
        const int32_t *weights = p->weights + (size_t)y * p->most;
        for (size_t x = 0; x < row_bytes; x++)
            sums[x] = 1 << (FRACTION_BITS - 1);
        for (uint32_t j = 0; j < p->n[y]; j++) {
            const uint8_t *from = rows + (size_t)(p->first[y] - p->low + j) * row_bytes;
            int32_t weight = weights[j];
            for (size_t x = 0; x < row_bytes; x++)
                sums[x] += weight * from[x];
        }
        for (size_t x = 0; x < row_bytes; x++)
            out[(size_t)y * row_bytes + x] = clamp(sums[x]);
    }
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
    uint8_t *rows = NULL;
    int32_t *sums = NULL;
    size_t row_bytes = (size_t)window->width * 3;
    pn_status status = PN_OK;
    PN_GOTO(done, make_pass(image->width, window->full_width, window->left, window->width, filter,
                            &across, err));
    PN_GOTO(done, make_pass(image->height, window->full_height, window->top, window->height, filter,
                            &down, err));
    rows = pn_alloc_array(down.high - down.low, row_bytes);
    sums = pn_alloc_array(row_bytes, sizeof *sums);
    if (!rows || !sums)
        PN_GOTO(done, pn_fail_nomem(err));
    run_horizontal(image, &across, window->width, down.low, down.high, rows);
    run_vertical(rows, &down, window->height, row_bytes, sums, out);
done:
    pn_free(sums);
    pn_free(rows);
    free_pass(&across);
    free_pass(&down);
    return status;
}
