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

pn_status pn_embedder_embed_file(pn_embedder *embedder, const void *bytes, size_t n,
                                 const char *name, float *out, pn_error *err)
{
    pn_image image = {0};
    float *input = NULL;
    const pn_decode_options options = {.shrink_to_px = embedder->shrink_to_px};
    pn_status status = pn_image_decode(bytes, n, name, &options, &image, err);
    if (status == PN_OK) {
        input = pn_alloc_array(embedder->input_floats, sizeof *input);
        status = input ? embedder->prepare_image(embedder->self, &image, input, err)
                       : pn_fail_nomem(err);
    }
    pn_image_free(&image);
    if (status == PN_OK)
        status = embedder->embed_images(embedder->self, input, 1, out, err);
    pn_free(input);
    return status;
}
