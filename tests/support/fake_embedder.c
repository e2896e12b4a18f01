/*
 * fake_embedder.c - an embedder without a model
 */
#include "support/fake_embedder.h"

#include "base/alloc.h"
#include "os/clock.h"

#include <math.h>
#include <string.h>

enum { INPUT_FLOATS = 3 };

static void make_unit(float *vector)
{
    double sum = 0;
    for (size_t i = 0; i < FAKE_DIM; i++)
        sum += (double)vector[i] * (double)vector[i];
    for (size_t i = 0; i < FAKE_DIM; i++)
        vector[i] = (float)((double)vector[i] / sqrt(sum));
}

void fake_text_vector(pn_str text, float *out)
{
    memset(out, 0, FAKE_DIM * sizeof *out);
    out[0] = 0.1f;
    for (size_t i = 0; i < text.len; i++)
        out[(unsigned char)text.ptr[i] % FAKE_DIM] += 1;
    make_unit(out);
}

static pn_status prepare_image(void *self, const pn_embed_picture *picture, pn_embed_input *out,
                               pn_error *err)
{
    const pn_image *image = picture->image;
    float *input = pn_alloc(INPUT_FLOATS * sizeof *input);
    if (!input)
        return pn_fail_nomem(err);
    double sums[3] = {0};
    size_t n = (size_t)image->width * image->height;
    (void)self;
    (void)err;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++)
            sums[c] += image->pixels[3 * i + c];
    for (size_t c = 0; c < 3; c++)
        input[c] = (float)(sums[c] / (double)n / 255);
    *out = (pn_embed_input){input, INPUT_FLOATS * sizeof *input};
    return PN_OK;
}

static pn_status embed_images(void *self, const pn_embed_input *inputs, size_t n,
                              const pn_embed_how *how, float *out, pn_error *err)
{
    (void)how;
    fake_embedder *fake = self;
    if (fake->sleep_ms > 0)
        pn_clock_sleep_ms(fake->sleep_ms);
    if (fake->fail_from_images > 0 && atomic_load(&fake->n_images) >= fake->fail_from_images)
        return pn_fail(err, PN_ERR_BUG, "the fake embedder was told to fail");
    for (size_t i = 0; i < n && fake->refused > 0; i++)
        if (lround((double)((const float *)inputs[i].data)[0] * 255) == (long)fake->refused)
            return pn_fail(err, PN_ERR_INVALID, "the fake embedder was told to refuse it");
    for (size_t i = 0; i < n; i++) {
        const float *in = inputs[i].data;
        for (size_t d = 0; d < FAKE_DIM; d++)
            out[i * FAKE_DIM + d] = in[d % 3] * (float)(d + 1) + 0.01f;
        make_unit(out + i * FAKE_DIM);
    }
    atomic_fetch_add(&fake->n_images, n);
    return PN_OK;
}

static pn_status embed_texts(void *self, const pn_str *texts, size_t n, const pn_embed_how *how,
                             float *out, pn_error *err)
{
    (void)how;
    (void)self;
    (void)err;
    for (size_t i = 0; i < n; i++)
        fake_text_vector(texts[i], out + i * FAKE_DIM);
    return PN_OK;
}

void fake_embedder_make(fake_embedder *fake)
{
    memset(fake, 0, sizeof *fake);
    fake->door = (pn_embedder){.self = fake,
                               .dim = FAKE_DIM,
                               .identity = "fake:1",
                               .model = "fake",
                               .preprocess = "crop",
                               .prepare_image = prepare_image,
                               .embed_images = embed_images,
                               .embed_texts = embed_texts};
}
