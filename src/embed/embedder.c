/*
 * embedder.c - what every embedder does alike, whatever kind it is
 */
#include "embed/embedder.h"

#include "base/alloc.h"
#include "image/decode.h"

void pn_embedder_free(pn_embedder *embedder)
{
    if (!embedder)
        return;
    if (embedder->free)
        embedder->free(embedder->self);
    pn_free(embedder);
}

void pn_embed_input_free(pn_embed_input *input)
{
    pn_free(input->data);
    *input = (pn_embed_input){0};
}

pn_status pn_embedder_embed_file(pn_embedder *embedder, const void *bytes, size_t n,
                                 const char *name, const pn_embed_how *how, float *out,
                                 pn_error *err)
{
    pn_image image = {0};
    pn_embed_input input = {0};
    const pn_decode_options options = {.shrink_to_px = embedder->shrink_to_px};
    pn_status status = pn_image_decode(bytes, n, name, &options, &image, err);
    if (status == PN_OK) {
        const pn_embed_picture picture = {bytes, n, &image};
        status = embedder->prepare_image(embedder->self, &picture, &input, err);
    }
    pn_image_free(&image);
    if (status == PN_OK)
        status = embedder->embed_images(embedder->self, &input, 1, how, out, err);
    pn_embed_input_free(&input);
    return status;
}
