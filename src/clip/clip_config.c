/*
 * clip_config.c - which architecture, which configuration file
 *
 * The architecture is detected from the tensors and not from a name in a file: files get renamed, weights do not.
 * `markers` is read from top to bottom; the first row whose tensor is there (under one of the known prefixes) decides.
 * Rows with a reason are architectures that we know and refuse. Another one is one more row.
 */
#include "clip/internal.h"

#include <string.h>

typedef struct marker_row {
    const char *tensor;  /* a name; one that ends in "." is a prefix of names */
    const char *refused; /* why not, or NULL */
    pn_clip_layout layout;
} marker_row;

static const marker_row markers[] = {
    {"text_model.encoder.layer.0.attention.self.query.weight", "Chinese-CLIP (BERT text encoder)",
     PN_CLIP_HUGGINGFACE},
    {"bert.embeddings.word_embeddings.weight", "Chinese-CLIP (BERT text encoder)", PN_CLIP_OPENAI},
    {"vision_model.head.probe", "SigLIP (attention pooling)", PN_CLIP_HUGGINGFACE},
    {"visual.trunk.", "a timm vision encoder (SigLIP, MobileCLIP and others)", PN_CLIP_OPENAI},
    {"visual.layer1.0.conv1.weight", "ModifiedResNet (RN50 and its sizes)", PN_CLIP_OPENAI},
    {"image_encoder.", "MobileCLIP (hybrid vision encoder)", PN_CLIP_OPENAI},
    {"text.transformer.embeddings.", "a text encoder of another library", PN_CLIP_OPENAI},
    {"visual_projection.weight", NULL, PN_CLIP_HUGGINGFACE},
    {"visual.proj", NULL, PN_CLIP_OPENAI},
};

static const char *const prefixes[] = {"", "model.", "module."};

/* Is there a tensor prefix + name, or one that begins so when name ends in a dot? */
static bool has(const pn_safetensors *tensors, const char *prefix, const char *name)
{
    size_t p = strlen(prefix), n = strlen(name);
    bool any = name[n - 1] == '.';
    for (size_t i = 0; i < pn_safetensors_count(tensors); i++) {
        const char *there = pn_safetensors_at(tensors, i)->name;
        if (strncmp(there, prefix, p) == 0 &&
            (any ? strncmp(there + p, name, n) == 0 : strcmp(there + p, name) == 0))
            return true;
    }
    return false;
}

pn_status pn_clip_naming_detect(const pn_safetensors *tensors, pn_clip_naming *out, pn_error *err)
{
    for (size_t i = 0; i < PN_COUNT_OF(prefixes); i++)
        for (size_t j = 0; j < PN_COUNT_OF(markers); j++) {
            const char *prefix = prefixes[i];
            if (!has(tensors, prefix, markers[j].tensor))
                continue;
            if (markers[j].refused)
                return pn_fail(err, PN_ERR_UNSUPPORTED,
                               "%s is not supported (the weights have %s%s)", markers[j].refused,
                               prefix, markers[j].tensor);
            bool custom = has(tensors, prefix, "text.token_embedding.weight");
            *out = (pn_clip_naming){markers[j].layout, prefix, custom ? "text." : ""};
            return PN_OK;
        }
    return pn_fail(
        err, PN_ERR_UNSUPPORTED,
        "no known CLIP model: neither visual_projection.weight nor visual.proj is there");
}

pn_status pn_config_check(const pn_clip_config *c, const char *file, pn_error *err)
{
    const pn_encoder_config *const encoders[] = {&c->vision, &c->text};
    static const char *const names[] = {"vision", "text"};
    for (size_t i = 0; i < 2; i++)
        if (encoders[i]->width % encoders[i]->heads != 0)
            return pn_fail(err, PN_ERR_CORRUPT, "%s: %u heads do not divide the %s width %u", file,
                           encoders[i]->heads, names[i], encoders[i]->width);
    if (c->patch > c->image_width || c->patch > c->image_height)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: a patch of %u in a picture of %ux%u", file,
                       c->patch, c->image_width, c->image_height);
    if (pn_clip_patches(c) > PN_CLIP_MAX_PATCHES)
        return pn_fail(err, PN_ERR_LIMIT, "%s: %u patches, the limit is %d", file,
                       pn_clip_patches(c), PN_CLIP_MAX_PATCHES);
    return PN_OK;
}

static pn_status load_huggingface(const char *dir, pn_clip_config *out, pn_error *err)
{
    json_t *config = NULL, *processor = NULL;
    pn_status status = PN_OK;
    PN_GOTO(done, pn_json_load(dir, "config.json", &config, err));
    if (!config) {
        status = pn_fail(err, PN_ERR_NOT_FOUND, "%s: no config.json", dir);
        goto done;
    }
    PN_GOTO(done, pn_config_read_huggingface(config, out, err));
    PN_GOTO(done, pn_config_check(out, "config.json", err));
    pn_config_default_preprocess(out);
    PN_GOTO(done, pn_json_load(dir, "preprocessor_config.json", &processor, err));
    if (processor)
        PN_GOTO(done, pn_config_read_processor(processor, out, err));
done:
    json_decref(config);
    json_decref(processor);
    return status;
}

/* open_clip's file; else a Hugging Face file, which converted models keep beside OpenAI's names; else the shapes. */
static pn_status load_openai(const char *dir, const pn_safetensors *tensors,
                             const pn_clip_naming *naming, pn_clip_config *out, pn_error *err)
{
    json_t *open_clip = NULL, *config = NULL;
    const char *file = "open_clip_config.json";
    pn_status status = PN_OK;
    PN_GOTO(done, pn_json_load(dir, file, &open_clip, err));
    if (!open_clip)
        PN_GOTO(done, pn_json_load(dir, "config.json", &config, err));
    if (open_clip) {
        PN_GOTO(done, pn_config_read_open_clip(open_clip, out, err));
    } else if (json_is_object(json_object_get(config, "vision_config"))) {
        file = "config.json";
        PN_GOTO(done, pn_config_read_huggingface(config, out, err));
        out->layout = PN_CLIP_OPENAI;
    } else {
        file = "tensor shapes";
        PN_GOTO(done, pn_config_read_shapes(tensors, naming, out, err));
    }
    PN_GOTO(done, pn_config_check(out, file, err));
    pn_config_default_preprocess(out);
    const json_t *preprocess_cfg = json_object_get(open_clip, "preprocess_cfg");
    PN_GOTO(done, pn_config_read_preprocess_cfg(preprocess_cfg, out, err));
done:
    json_decref(open_clip);
    json_decref(config);
    return status;
}

pn_status pn_clip_config_load(const char *dir, const pn_safetensors *tensors,
                              const pn_clip_naming *naming, pn_clip_config *out, pn_error *err)
{
    pn_clip_config c = {0};
    if (naming->layout == PN_CLIP_HUGGINGFACE)
        PN_TRY(load_huggingface(dir, &c, err));
    else
        PN_TRY(load_openai(dir, tensors, naming, &c, err));
    *out = c;
    return PN_OK;
}

const char *pn_clip_layout_name(pn_clip_layout layout)
{
    static const char *const names[] = {[PN_CLIP_HUGGINGFACE] = "huggingface",
                                        [PN_CLIP_OPEN_CLIP] = "open_clip",
                                        [PN_CLIP_OPENAI] = "openai"};
    return names[layout];
}

const char *pn_clip_activation_name(pn_clip_activation activation)
{
    static const char *const names[] = {[PN_CLIP_QUICK_GELU] = "quick_gelu",
                                        [PN_CLIP_GELU] = "gelu",
                                        [PN_CLIP_GELU_TANH] = "gelu_tanh"};
    return names[activation];
}
