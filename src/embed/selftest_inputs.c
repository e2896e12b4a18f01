/*
 * selftest_inputs.c - pictures and texts for a self-test, the same ones everywhere
 *
 * Pictures are seeded by their number. They need not mean anything: rounding shows on any input that reaches all parts
 * of the network with numbers of the usual size. What they need is to differ as pictures of a catalogue do (a subject on a
 * background), so that neighbours are neither clear nor a toss of a coin.
 */
#include "embed/selftest_inputs.h"

#include "base/rng.h"

const char *const pn_selftest_texts[] = {
    "red sneakers",
    "a blue leather handbag",
    "boots",
    "a wooden chair on a white background",
    "white cotton shirt, long sleeves",
    "a photo of a cat",
    "a photo of a dog",
    "green ceramic mug",
    "striped scarf",
    "silver wrist watch with a black strap",
    "children's raincoat, yellow",
    "x",
    "1234567890",
    "SALE!!! 50% off all summer dresses",
    "a small round table for the garden, made of metal, painted black, with three legs",
    "\xE7\xBA\xA2\xE8\x89\xB2\xE8\xBF\x90\xE5\x8A\xA8\xE9\x9E\x8B", // 红色运动鞋
    "\xE8\x93\x9D\xE8\x89\xB2\xE7\x9A\xAE\xE5\x8C\x85",             // 蓝色皮包
    "bottes en cuir marron",
    "gr\xC3\xBCne Tasse",
    "stainless steel water bottle",
};
const size_t pn_selftest_n_texts = PN_COUNT_OF(pn_selftest_texts);

typedef struct shape {
    double x, y, rx, ry; /* of the side */
    bool is_round;
    unsigned stripe; /* pixels; 0: none */
    uint8_t rgb[2][3];
} shape;

enum { MAX_SHAPES = 5 };

static void random_rgb(pn_rng *rng, uint8_t rgb[3])
{
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)pn_rng_below(rng, 256);
}

static void random_shape(pn_rng *rng, shape *s)
{
    s->x = pn_rng_unit(rng);
    s->y = pn_rng_unit(rng);
    s->rx = 0.05 + 0.3 * pn_rng_unit(rng);
    s->ry = 0.05 + 0.3 * pn_rng_unit(rng);
    s->is_round = pn_rng_below(rng, 2) == 0;
    s->stripe = pn_rng_below(rng, 3) == 0 ? (unsigned)(2 + pn_rng_below(rng, 9)) : 0;
    random_rgb(rng, s->rgb[0]);
    random_rgb(rng, s->rgb[1]);
}

static bool is_inside(const shape *s, double x, double y)
{
    double dx = (x - s->x) / s->rx, dy = (y - s->y) / s->ry;
    return s->is_round ? dx * dx + dy * dy < 1 : dx * dx < 1 && dy * dy < 1;
}

static void draw(const pn_image *image, const uint8_t ground[2][3], const shape *shapes, size_t n)
{
    for (uint32_t y = 0; y < image->height; y++) {
        for (uint32_t x = 0; x < image->width; x++) {
            double u = (double)x / image->width, v = (double)y / image->height;
            uint8_t *pixel = image->pixels + ((size_t)y * image->width + x) * 3;
            for (int c = 0; c < 3; c++)
                pixel[c] = (uint8_t)(ground[0][c] * (1 - v) + ground[1][c] * v);
            for (size_t i = 0; i < n; i++)
                if (is_inside(&shapes[i], u, v))
                    memcpy(pixel, shapes[i].rgb[shapes[i].stripe > 0 && x / shapes[i].stripe % 2],
                           3);
        }
    }
}

pn_status pn_selftest_picture(uint32_t i, uint32_t side_px, pn_image *out, pn_error *err)
{
    pn_rng rng = pn_rng_seed(0x70656E6E6F6Eu + i);
    uint8_t ground[2][3];
    shape shapes[MAX_SHAPES];
    pn_image image;
    size_t n = 1 + (size_t)pn_rng_below(&rng, MAX_SHAPES);
    uint32_t width = side_px + (uint32_t)pn_rng_below(&rng, side_px / 2 + 1);
    uint32_t height = side_px + (uint32_t)pn_rng_below(&rng, side_px / 2 + 1);
    random_rgb(&rng, ground[0]);
    random_rgb(&rng, ground[1]);
    for (size_t j = 0; j < n; j++)
        random_shape(&rng, &shapes[j]);
    PN_TRY(pn_image_create(width, height, &image, err));
    draw(&image, (const uint8_t(*)[3])ground, shapes, n);
    *out = image;
    return PN_OK;
}
