/*
 * config_shapes.c - a model without a configuration: everything from the tensors' shapes
 *
 * OpenAI's original files are a state dictionary and nothing else. Every size can be read off a shape, and the two
 * things that cannot are the same for all of them: heads are 64 wide, the activation is quick_gelu. Some files keep
 * the picture's side as a scalar, input_resolution; without it the position embedding says how many patches there are,
 * and the picture is taken to be square.
 */
#include "clip/internal.h"

#include "base/endian.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { NAME_BYTES = 256, HEAD_WIDTH = 64 };

typedef struct reader {
    const pn_safetensors *tensors;
    const pn_clip_naming *naming;
} reader;

static const pn_tensor *find(const reader *r, const char *part, const char *name)
{
    char full[NAME_BYTES];
    int n = snprintf(full, sizeof full, "%s%s%s", r->naming->prefix, part, name);
    return n > 0 && n < NAME_BYTES ? pn_safetensors_find(r->tensors, full) : NULL;
}

/* Dimension i of a tensor that must have n_dims of them, between 1 and most. */
static pn_status read_dim(const reader *r, const char *part, const char *name, uint32_t n_dims,
                          uint32_t i, uint32_t most, uint32_t *out, pn_error *err)
{
    const pn_tensor *t = find(r, part, name);
    if (!t)
        return pn_fail(err, PN_ERR_CORRUPT, "tensor %s%s%s is missing", r->naming->prefix, part,
                       name);
    if (t->n_dims != n_dims || t->dims[i] < 1 || t->dims[i] > most) {
        char shape[PN_SHAPE_TEXT_BYTES];
        pn_shape_text(t->dims, t->n_dims, shape);
        return pn_fail(err, PN_ERR_CORRUPT, "tensor %s: shape %s", t->name, shape);
    }
    *out = (uint32_t)t->dims[i];
    return PN_OK;
}

static pn_status read_encoder(const reader *r, const char *part, pn_encoder_config *out,
                              pn_error *err)
{
    PN_TRY(read_dim(r, part, "transformer.resblocks.0.ln_1.weight", 1, 0, PN_CLIP_MAX_WIDTH,
                    &out->width, err));
    PN_TRY(read_dim(r, part, "transformer.resblocks.0.mlp.c_fc.weight", 2, 0, PN_CLIP_MAX_MLP,
                    &out->mlp, err));
    uint32_t layers = 0;
    for (bool there = true; there && layers <= PN_CLIP_MAX_LAYERS; layers += there) {
        char name[NAME_BYTES];
        (void)snprintf(name, sizeof name, "transformer.resblocks.%u.ln_1.weight", layers);
        there = find(r, part, name) != NULL;
    }
    if (layers > PN_CLIP_MAX_LAYERS)
        return pn_fail(err, PN_ERR_LIMIT, "more than %d layers", PN_CLIP_MAX_LAYERS);
    if (out->width % HEAD_WIDTH != 0 && out->width > HEAD_WIDTH)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "width %u without a configuration: heads of %d do not divide it", out->width,
                       HEAD_WIDTH);
    out->layers = layers;
    out->heads = PN_MAX(out->width / HEAD_WIDTH, 1u);
    out->activation = PN_CLIP_QUICK_GELU;
    out->eps = 1e-5f;
    return PN_OK;
}

static pn_status read_image(const reader *r, pn_clip_config *c, pn_error *err)
{
    uint32_t positions = 0;
    PN_TRY(read_dim(r, "visual.", "conv1.weight", 4, 3, PN_CLIP_MAX_PATCH_PX, &c->patch, err));
    PN_TRY(read_dim(r, "visual.", "positional_embedding", 2, 0, 1u << 26, &positions, err));
    pn_assert(positions >= 1 && c->patch >= 1);
    uint32_t grid = (uint32_t)lround(sqrt((double)(positions - 1)));
    uint64_t side = (uint64_t)grid * c->patch;
    if (grid < 1 || (uint64_t)grid * grid != positions - 1 || side > PN_CLIP_MAX_IMAGE_PX)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "visual.positional_embedding: %u positions are no square picture, "
                       "and there is no configuration",
                       positions);
    const pn_tensor *resolution = find(r, "", "input_resolution");
    if (resolution && resolution->dtype == PN_DTYPE_I64 && resolution->n_values == 1) {
        uint64_t said = pn_load_le64(resolution->data);
        if (said > PN_CLIP_MAX_IMAGE_PX || said / c->patch != grid)
            return pn_fail(err, PN_ERR_CORRUPT,
                           "tensor input_resolution: %" PRIu64 " pixels do not give %u patches",
                           said, positions - 1);
        side = said;
    }
    c->image_width = c->image_height = (uint32_t)side;
    return PN_OK;
}

pn_status pn_config_read_shapes(const pn_safetensors *tensors, const pn_clip_naming *naming,
                                pn_clip_config *out, pn_error *err)
{
    const reader r = {tensors, naming};
    pn_clip_config c = {.layout = PN_CLIP_OPENAI, .end_token = -1};
    PN_TRY(read_encoder(&r, "visual.", &c.vision, err));
    PN_TRY(read_encoder(&r, naming->text, &c.text, err));
    PN_TRY(read_image(&r, &c, err));
    PN_TRY(read_dim(&r, naming->text, "positional_embedding", 2, 0, PN_CLIP_MAX_CONTEXT, &c.context,
                    err));
    PN_TRY(read_dim(&r, naming->text, "token_embedding.weight", 2, 0, PN_CLIP_MAX_VOCABULARY,
                    &c.vocabulary, err));
    *out = c;
    return PN_OK;
}
