/*
 * config_preprocess.c - how the model wants its pictures
 *
 * Hugging Face writes preprocessor_config.json, open_clip a preprocess_cfg beside its model_cfg; without either it is
 * the family's: shorter side to S, centre crop, bicubic for CLIP; both sides to S for the others. What pn_preprocess cannot express (resize to 256 and crop 224,
 * other filters, no rescaling) is refused by name, because a slightly wrong picture gives a slightly wrong vector and
 * nobody would ever notice.
 */
#include "clip/internal.h"

#include <math.h>
#include <string.h>

static const char processor_file[] = "preprocessor_config.json";
static const char open_clip_file[] = "open_clip_config.json";

void pn_config_default_preprocess(pn_clip_config *config)
{
    static const pn_preprocess_mode modes[] = {[PN_FAMILY_CLIP] = PN_PREPROCESS_CROP,
                                               [PN_FAMILY_CHINESE_CLIP] = PN_PREPROCESS_SQUASH,
                                               [PN_FAMILY_SIGLIP] = PN_PREPROCESS_SQUASH};
    config->preprocess = (pn_preprocess){
        .mode = modes[config->family],
        .filter = PN_RESIZE_BICUBIC,
        .width = config->image_width,
        .height = config->image_height,
        .mean = {0.48145466f, 0.4578275f, 0.40821073f},
        .std = {0.26862954f, 0.26130258f, 0.27577711f},
    };
    for (size_t i = 0; i < 3 && config->family == PN_FAMILY_SIGLIP; i++)
        config->preprocess.mean[i] = config->preprocess.std[i] = 0.5f;
}

static pn_status check_std(const pn_preprocess *p, const char *file, pn_error *err)
{
    for (size_t i = 0; i < 3; i++)
        if (!(p->std[i] > 0))
            return pn_fail(err, PN_ERR_CORRUPT, "%s: a standard deviation is not positive", file);
    return PN_OK;
}

/* ---- Hugging Face */

/* "size" and "crop_size" are a number, {"shortest_edge": n} or {"height": h, "width": w}. */
typedef struct edges {
    bool is_shortest;
    uint32_t height, width;
} edges;

static pn_status read_edges(const json_t *processor, const char *key, edges *out, pn_error *err)
{
    const json_t *value = json_object_get(processor, key);
    if (!value || json_is_null(value))
        return PN_OK;
    enum { MOST = PN_CLIP_MAX_IMAGE_PX };
    const json_t *shortest = json_object_get(value, "shortest_edge");
    edges e = {.is_shortest = true};
    if (json_is_object(value) && !shortest) {
        uint32_t unused;
        e.is_shortest = false;
        PN_TRY(pn_json_size(json_object_get(value, "height"), processor_file, key, MOST, &e.height,
                            &unused, err));
        PN_TRY(pn_json_size(json_object_get(value, "width"), processor_file, key, MOST, &e.width,
                            &unused, err));
    } else {
        PN_TRY(pn_json_size(shortest ? shortest : value, processor_file, key, MOST, &e.height,
                            &e.width, err));
    }
    *out = e;
    return PN_OK;
}

static pn_status check_steps(const json_t *processor, pn_error *err)
{
    static const char *const steps[] = {"do_resize", "do_rescale", "do_convert_rgb"};
    for (size_t i = 0; i < PN_COUNT_OF(steps); i++)
        if (json_is_false(json_object_get(processor, steps[i])))
            return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: %s is false", processor_file, steps[i]);
    double factor;
    PN_TRY(pn_json_number(processor, processor_file, "rescale_factor", 1.0 / 255, &factor, err));
    if (fabs(factor * 255 - 1) > 1e-6)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: rescale_factor %g instead of 1/255",
                       processor_file, factor);
    return PN_OK;
}

static pn_status read_filter(const json_t *processor, pn_resize_filter *out, pn_error *err)
{
    /* Pillow's numbers */
    uint32_t resample;
    PN_TRY(pn_json_u32(processor, processor_file, "resample", 0, 5, 3, &resample, err));
    if (resample != 2 && resample != 3)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: resample %u: only 2 (bilinear) and 3 (bicubic) are implemented",
                       processor_file, resample);
    *out = resample == 2 ? PN_RESIZE_BILINEAR : PN_RESIZE_BICUBIC;
    return PN_OK;
}

static pn_status expect_size(const pn_preprocess *p, const char *what, edges e, pn_error *err)
{
    if (e.height == p->height && e.width == p->width)
        return PN_OK;
    return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: %s %ux%u, but the model's pictures are %ux%u",
                   processor_file, what, e.width, e.height, p->width, p->height);
}

pn_status pn_config_read_processor(const json_t *processor, pn_clip_config *config, pn_error *err)
{
    if (!json_is_object(processor))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: not an object", processor_file);
    pn_preprocess p = config->preprocess;
    edges size = {true, p.height, p.width}, crop = {false, p.height, p.width};
    PN_TRY(check_steps(processor, err));
    PN_TRY(read_filter(processor, &p.filter, err));
    PN_TRY(read_edges(processor, "size", &size, err));
    bool do_crop = !json_is_false(json_object_get(processor, "do_center_crop"));
    if (do_crop) {
        PN_TRY(read_edges(processor, "crop_size", &crop, err));
        PN_TRY(expect_size(&p, "crop_size", crop, err));
        if (size.is_shortest && size.height != PN_MIN(p.height, p.width))
            return pn_fail(err, PN_ERR_UNSUPPORTED,
                           "%s: resize to %u before a crop of %ux%u is not implemented",
                           processor_file, size.height, p.width, p.height);
    } else if (size.is_shortest) {
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: shortest_edge without do_center_crop gives pictures of any shape",
                       processor_file);
    }
    if (!size.is_shortest) {
        PN_TRY(expect_size(&p, "size", size, err));
        p.mode = PN_PREPROCESS_SQUASH;
    }
    PN_TRY(pn_json_triple(processor, processor_file, "image_mean", p.mean, err));
    PN_TRY(pn_json_triple(processor, processor_file, "image_std", p.std, err));
    if (json_is_false(json_object_get(processor, "do_normalize")))
        for (size_t i = 0; i < 3; i++) {
            p.mean[i] = 0;
            p.std[i] = 1;
        }
    PN_TRY(check_std(&p, processor_file, err));
    config->preprocess = p;
    return PN_OK;
}

/* ---- open_clip */

/* One number for all three channels, or a list of three. */
static pn_status read_fill(const json_t *cfg, pn_preprocess *p, pn_error *err)
{
    const json_t *fill = json_object_get(cfg, "fill_color");
    if (!fill || json_is_null(fill))
        return PN_OK;
    float rgb[3];
    if (json_is_number(fill)) {
        for (size_t i = 0; i < 3; i++)
            rgb[i] = (float)json_number_value(fill);
    } else {
        rgb[0] = NAN;
        PN_TRY(pn_json_triple(cfg, open_clip_file, "fill_color", rgb, err));
    }
    for (size_t i = 0; i < 3; i++) {
        if (!(rgb[i] >= 0 && rgb[i] <= 255))
            return pn_fail(err, PN_ERR_CORRUPT, "%s: fill_color is not a colour", open_clip_file);
        p->pad_rgb[i] = (uint8_t)rgb[i];
    }
    return PN_OK;
}

typedef struct named_number {
    const char *name;
    int number;
} named_number;

/* cfg[key] looked up in names; *out is left alone when the key is missing. */
static pn_status read_choice(const json_t *cfg, const char *key, const named_number *names,
                             size_t n, int *out, pn_error *err)
{
    const json_t *value = json_object_get(cfg, key);
    if (!value || json_is_null(value))
        return PN_OK;
    const char *text = json_string_value(value);
    for (size_t i = 0; text && i < n; i++)
        if (strcmp(text, names[i].name) == 0) {
            *out = names[i].number;
            return PN_OK;
        }
    return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: preprocess_cfg: %s \"%s\"", open_clip_file, key,
                   text ? text : "");
}

pn_status pn_config_read_preprocess_cfg(const json_t *cfg, pn_clip_config *config, pn_error *err)
{
    static const named_number modes[] = {{"shortest", PN_PREPROCESS_CROP},
                                         {"longest", PN_PREPROCESS_PAD},
                                         {"squash", PN_PREPROCESS_SQUASH}};
    static const named_number filters[] = {{"bicubic", PN_RESIZE_BICUBIC},
                                           {"bilinear", PN_RESIZE_BILINEAR}};
    if (!cfg || json_is_null(cfg))
        return PN_OK;
    pn_preprocess p = config->preprocess;
    int mode = (int)p.mode, filter = (int)p.filter;
    PN_TRY(read_choice(cfg, "resize_mode", modes, PN_COUNT_OF(modes), &mode, err));
    PN_TRY(read_choice(cfg, "interpolation", filters, PN_COUNT_OF(filters), &filter, err));
    p.mode = (pn_preprocess_mode)mode;
    p.filter = (pn_resize_filter)filter;
    PN_TRY(pn_json_triple(cfg, open_clip_file, "mean", p.mean, err));
    PN_TRY(pn_json_triple(cfg, open_clip_file, "std", p.std, err));
    PN_TRY(read_fill(cfg, &p, err));
    PN_TRY(check_std(&p, open_clip_file, err));
    config->preprocess = p;
    return PN_OK;
}
