/*
 * fuzz_safetensors.c - any bytes as a safetensors file, and what is accepted as a model
 *
 * Whatever opens must keep its promises: names in order and found again, data inside the bytes, sizes that are the
 * shape's. Then it is tried as a model of OpenAI's layout, whose configuration comes from the shapes: a file of a
 * megabyte must not make the loader take more than its own size a few times over.
 */
#include "clip/internal.h"
#include "clip/weights.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static size_t value_bytes(pn_dtype dtype)
{
    return dtype == PN_DTYPE_F32 ? 4 : dtype == PN_DTYPE_I64 ? 8 : 2;
}

static void check_tensor(const pn_safetensors *s, size_t i, const uint8_t *bytes, size_t n)
{
    const pn_tensor *t = pn_safetensors_at(s, i);
    char shape[PN_SHAPE_TEXT_BYTES];
    pn_shape_text(t->dims, t->n_dims, shape);
    must(pn_safetensors_find(s, t->name) == t);
    must(t->data >= bytes && t->n_bytes <= n && (size_t)(t->data - bytes) <= n - t->n_bytes);
    must(t->dtype == PN_DTYPE_OTHER || t->n_bytes == t->n_values * value_bytes(t->dtype));
    must(i == 0 || strcmp(pn_safetensors_at(s, i - 1)->name, t->name) < 0);
}

static void try_as_model(const pn_safetensors *s)
{
    pn_clip_naming naming;
    pn_clip_config config;
    pn_clip_weights weights;
    pn_error err = {0};
    if (pn_clip_naming_detect(s, &naming, &err) != PN_OK || naming.layout == PN_CLIP_HUGGINGFACE)
        return;
    if (pn_config_read_shapes(s, &naming, &config, &err) != PN_OK ||
        pn_config_check(&config, "shapes", &err) != PN_OK)
        return;
    for (int i = PN_CLIP_EXACT; i <= PN_CLIP_INT8; i++) {
        const pn_weight_options options = {.precision = (pn_clip_precision)i};
        if (pn_clip_weights_load(s, &naming, &config, &options, &weights, &err) == PN_OK)
            pn_clip_weights_reset(&weights);
        else
            must(err.message[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    pn_safetensors *s = NULL;
    pn_error err = {0};
    if (pn_safetensors_open_memory(bytes, n, &s, &err) != PN_OK) {
        must(err.message[0] != '\0' && !s);
        return 0;
    }
    for (size_t i = 0; i < pn_safetensors_count(s); i++)
        check_tensor(s, i, bytes, n);
    try_as_model(s);
    pn_safetensors_close(s);
    return 0;
}
