/*
 * config_shapes.c - a model without a configuration: everything from the tensors' shapes
 *
 * OpenAI's original files are a state dictionary and nothing else. Every size can be read off a shape, and the two
 * things that cannot are the same for all of them: heads are 64 wide, the activation is quick_gelu. Some files keep
 * the picture's side as a scalar, input_resolution; without it the position embedding says how many patches there are,
 * and the picture is taken to be square.
 */
#include "clip/internal.h"
#include "clip/tensor_names.h"

#include "base/endian.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 256 };

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

/* "part folder name" of block number. */
static const char *block_name(const pn_block_names *block, uint32_t number, const char *name,
                              const char *ending, char out[NAME_BYTES])
{
    int head = (int)strcspn(block->folder, "#");
    (void)snprintf(out, NAME_BYTES, "%.*s%" PRIu32 "%s%s%s", head, block->folder, number,
                   block->folder + head + 1, name, ending);
    return out;
}

/* The inner widths of one block, where they are the widest so far: pruned blocks differ. */
static pn_status widen_by_block(const reader *r, const char *part, const pn_block_names *block,
                                uint32_t number, uint32_t *attention, uint32_t *mlp, pn_error *err)
{
    char name[NAME_BYTES];
    uint32_t n = 0;
    PN_TRY(read_dim(r, part, block_name(block, number, block->out, ".weight", name), 2, 1,
                    PN_CLIP_MAX_WIDTH, &n, err));
    *attention = PN_MAX(*attention, n);
    PN_TRY(read_dim(r, part, block_name(block, number, block->fc1, ".weight", name), 2, 0,
                    PN_CLIP_MAX_MLP, &n, err));
    *mlp = PN_MAX(*mlp, n);
    return PN_OK;
}

static pn_status read_encoder(const reader *r, const char *part, const pn_block_names *block,
                              pn_encoder_config *out, pn_error *err)
{
    char name[NAME_BYTES];
    uint32_t layers = 0, attention = 0, mlp = 0;
    PN_TRY(read_dim(r, part, block_name(block, 0, block->norm1, ".weight", name), 1, 0,
                    PN_CLIP_MAX_WIDTH, &out->width, err));
    while (layers <= PN_CLIP_MAX_LAYERS &&
           find(r, part, block_name(block, layers, block->norm1, ".weight", name)))
        PN_TRY(widen_by_block(r, part, block, layers++, &attention, &mlp, err));
    if (layers > PN_CLIP_MAX_LAYERS)
        return pn_fail(err, PN_ERR_LIMIT, "more than %d layers", PN_CLIP_MAX_LAYERS);
    pn_config_set_heads(out, PN_USUAL_HEAD_WIDTH);
    if (attention % out->head_width != 0)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "width %u without a configuration: heads of %u do not divide it", attention,
                       out->head_width);
    out->heads = attention / out->head_width;
    out->mlp = mlp;
    out->layers = layers;
    out->activation = out->post_norm ? PN_CLIP_GELU : PN_CLIP_QUICK_GELU;
    out->eps = out->post_norm ? 1e-12f : 1e-5f;
    return PN_OK;
}

static pn_status read_image(const reader *r, pn_clip_config *c, pn_error *err)
{
    uint32_t positions = 0;
    const pn_tensor_names *names = r->naming->names;
    PN_TRY(read_dim(r, names->vision, names->patch, 4, 3, PN_CLIP_MAX_PATCH_PX, &c->patch, err));
    PN_TRY(read_dim(r, names->vision, names->vision_position, 2, 0, 1u << 26, &positions, err));
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

/* Stages and their bottlenecks by counting; the picture from the positions of the last grid. */
static pn_status read_resnet(const reader *r, pn_clip_config *c, pn_error *err)
{
    uint32_t positions = 0, channels = 0;
    char name[NAME_BYTES];
    PN_TRY(read_dim(r, "visual.", "layer1.0.conv1.weight", 4, 0, PN_CLIP_MAX_WIDTH / 32,
                    &c->resnet.width, err));
    PN_TRY(
        read_dim(r, "visual.", "attnpool.positional_embedding", 2, 0, 1u << 16, &positions, err));
    PN_TRY(read_dim(r, "visual.", "attnpool.positional_embedding", 2, 1, PN_CLIP_MAX_WIDTH,
                    &channels, err));
    for (uint32_t stage = 0; stage < 4; stage++) {
        uint32_t n = 0;
        for (bool there = true; there && n <= PN_CLIP_MAX_LAYERS; n += there) {
            (void)snprintf(name, sizeof name, "layer%u.%u.conv1.weight", stage + 1, n);
            there = find(r, "visual.", name) != NULL;
        }
        if (n < 1 || n > PN_CLIP_MAX_LAYERS)
            return pn_fail(err, PN_ERR_CORRUPT, "visual.layer%u: %u bottlenecks", stage + 1, n);
        c->resnet.layers[stage] = n;
    }
    uint32_t grid = (uint32_t)lround(sqrt((double)(positions - 1)));
    if (grid < 1 || grid * grid != positions - 1 || grid * PN_RESNET_STRIDE > PN_CLIP_MAX_IMAGE_PX)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "visual.attnpool.positional_embedding: %u positions are no square picture",
                       positions);
    c->image_width = c->image_height = grid * PN_RESNET_STRIDE;
    pn_config_set_resnet(c, PN_USUAL_HEAD_WIDTH);
    return PN_OK;
}

pn_status pn_config_read_vision_shapes(const pn_safetensors *tensors, const pn_clip_naming *naming,
                                       pn_clip_config *c, pn_error *err)
{
    const reader r = {tensors, naming};
    const pn_tensor_names *names = naming->names;
    PN_TRY(read_dim(&r, names->vision, names->patch, 4, 3, PN_CLIP_MAX_PATCH_PX, &c->patch, err));
    return read_encoder(&r, names->vision, names->vision_block, &c->vision, err);
}

pn_status pn_config_read_shapes(const pn_safetensors *tensors, const pn_clip_naming *naming,
                                pn_clip_config *out, pn_error *err)
{
    const reader r = {tensors, naming};
    const pn_tensor_names *names = naming->names;
    pn_clip_config c = {.layout = PN_CLIP_OPENAI, .end_token = -1};
    char text[NAME_BYTES];
    if (names->family == PN_FAMILY_SIGLIP)
        return pn_fail(err, PN_ERR_NOT_FOUND,
                       "a SigLIP model needs its open_clip_config.json: shapes do not tell all");
    pn_config_take_traits(names, &c);
    (void)snprintf(text, sizeof text, "%s%s", naming->text, names->text);
    if (names->vision_block) {
        PN_TRY(read_encoder(&r, names->vision, names->vision_block, &c.vision, err));
        PN_TRY(read_image(&r, &c, err));
    } else {
        PN_TRY(read_resnet(&r, &c, err));
    }
    PN_TRY(read_encoder(&r, text, names->text_block, &c.text, err));
    PN_TRY(read_dim(&r, text, names->text_position, 2, 0, PN_CLIP_MAX_CONTEXT, &c.positions, err));
    PN_TRY(read_dim(&r, text, names->token_embedding, 2, 0, PN_CLIP_MAX_VOCABULARY, &c.vocabulary,
                    err));
    c.context = c.positions;
    if (names->family == PN_FAMILY_CHINESE_CLIP)
        c.context = PN_MIN(c.positions, (uint32_t)PN_CHINESE_CONTEXT);
    *out = c;
    return PN_OK;
}
