/*
 * test_clip_config.c - configurations as people write them: defaults, old keys, settings we do not have
 */
#include "clip/clip.h"
#include "clip/internal.h"
#include "os/dir.h"
#include "support/stage.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static json_t *parse(const char *text)
{
    json_error_t fault;
    json_t *json = json_loads(text, 0, &fault);
    if (!json)
        fail_msg("%s: %s", text, fault.text);
    return json;
}

/* What the weights of a family look like from outside: one tensor that only they have. */
static void open_marked(const char *marker, pn_safetensors **tensors)
{
    char header[256] = {0}, text[240];
    pn_error err = {0};
    (void)snprintf(text, sizeof text,
                   "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", marker);
    size_t n = strlen(text);
    header[0] = (char)n; /* little-endian, below 256 */
    memcpy(header + 8, text, n);
    static uint8_t bytes[256]; /* outlives *tensors */
    memcpy(bytes, header, sizeof bytes);
    assert_int_equal(pn_safetensors_open_memory(bytes, 8 + n + 4, tensors, &err), PN_OK);
}

static pn_clip_naming naming_of(const char *marker, pn_safetensors **tensors)
{
    pn_clip_naming naming;
    pn_error err = {0};
    open_marked(marker, tensors);
    if (pn_clip_naming_detect(*tensors, &naming, &err) != PN_OK)
        fail_msg("%s: %s", marker, err.message);
    return naming;
}

typedef pn_status (*config_reader)(const json_t *config, pn_clip_config *out, pn_error *err);

static pn_status read_huggingface(const json_t *config, pn_clip_config *out, pn_error *err)
{
    pn_safetensors *tensors = NULL;
    const pn_clip_naming naming = naming_of("visual_projection.weight", &tensors);
    pn_status status = pn_config_read_huggingface(config, naming.names, out, err);
    pn_safetensors_close(tensors);
    return status;
}

static pn_status read_open_clip(const json_t *config, pn_clip_config *out, pn_error *err)
{
    pn_safetensors *tensors = NULL;
    const pn_clip_naming naming = naming_of("visual.proj", &tensors);
    pn_status status = pn_config_read_open_clip(config, tensors, &naming, out, err);
    pn_safetensors_close(tensors);
    return status;
}

static pn_clip_config read_with(config_reader reader, const char *text)
{
    json_t *json = parse(text);
    pn_clip_config c;
    pn_error err = {0};
    if (reader(json, &c, &err) != PN_OK)
        fail_msg("%s: %s", text, err.message);
    json_decref(json);
    return c;
}

typedef struct refused_row {
    const char *text;
    pn_status status;
    const char *word;
} refused_row;

static void expect_refused(config_reader reader, const refused_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_t *json = parse(rows[i].text);
        pn_clip_config c;
        pn_error err = {0};
        pn_status status = reader(json, &c, &err);
        if (status != rows[i].status || !strstr(err.message, rows[i].word))
            fail_msg("%s: status %d: %s", rows[i].text, status, err.message);
        json_decref(json);
    }
}

/* ---- Hugging Face */

static void huggingface__missing_keys_are_defaults(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}", "{\"text_config\": {}, \"vision_config\": {}}",
        "{\"model_type\": \"clip\", \"text_config\": null, \"vision_config_dict\": null}"};
    for (size_t i = 0; i < PN_COUNT_OF(texts); i++) {
        pn_clip_config c = read_with(read_huggingface, texts[i]);
        assert_int_equal(c.text.width, 512);
        assert_int_equal(c.text.mlp, 2048);
        assert_int_equal(c.text.layers, 12);
        assert_int_equal(c.text.heads, 8);
        assert_int_equal(c.vocabulary, 49408);
        assert_int_equal(c.context, 77);
        assert_int_equal(c.end_token, 49407);
        assert_int_equal(c.vision.width, 768);
        assert_int_equal(c.vision.mlp, 3072);
        assert_int_equal(c.vision.layers, 12);
        assert_int_equal(c.vision.heads, 12);
        assert_int_equal(c.image_width, 224);
        assert_int_equal(c.patch, 32);
        assert_int_equal(c.vision.activation, PN_CLIP_QUICK_GELU);
        assert_int_equal(c.text.activation, PN_CLIP_QUICK_GELU);
        assert_true(c.vision.eps == 1e-5f && c.text.eps == 1e-5f);
        assert_int_equal(c.dim, 0);
    }
}

static void huggingface__old_dicts_win(void **state)
{
    (void)state;
    pn_clip_config c = read_with(
        read_huggingface,
        "{\"projection_dim\": 768, \"text_config\": {\"hidden_size\": 512, \"projection_dim\": 1,"
        " \"num_hidden_layers\": 5}, \"text_config_dict\": {\"hidden_size\": 768,"
        " \"eos_token_id\": 2}, \"vision_config_dict\": {\"hidden_act\": \"gelu\","
        " \"image_size\": 336, \"layer_norm_eps\": 1e-6}}");
    assert_int_equal(c.text.width, 768);
    assert_int_equal(c.text.layers, 5);
    assert_int_equal(c.end_token, -1);
    assert_int_equal(c.image_height, 336);
    assert_int_equal(c.vision.activation, PN_CLIP_GELU);
    assert_int_equal(c.text.activation, PN_CLIP_QUICK_GELU);
    assert_true(c.vision.eps == 1e-6f);
    assert_int_equal(c.dim, 768);
}

static void huggingface__faults_are_named(void **state)
{
    (void)state;
    static const refused_row rows[] = {
        {"[]", PN_ERR_CORRUPT, "not an object"},
        {"{\"model_type\": \"siglip\"}", PN_ERR_UNSUPPORTED, "siglip"},
        {"{\"model_type\": \"chinese_clip\"}", PN_ERR_UNSUPPORTED, "chinese_clip"},
        {"{\"model_type\": 3}", PN_ERR_UNSUPPORTED, "model_type"},
        {"{\"text_config\": {\"hidden_act\": \"relu\"}}", PN_ERR_UNSUPPORTED, "relu"},
        {"{\"text_config\": {\"hidden_act\": 1}}", PN_ERR_UNSUPPORTED, "hidden_act"},
        {"{\"text_config\": {\"hidden_size\": 0}}", PN_ERR_CORRUPT, "hidden_size"},
        {"{\"text_config\": {\"hidden_size\": -5}}", PN_ERR_CORRUPT, "hidden_size"},
        {"{\"text_config\": {\"hidden_size\": 1.5}}", PN_ERR_CORRUPT, "hidden_size"},
        {"{\"text_config\": {\"hidden_size\": \"x\"}}", PN_ERR_CORRUPT, "hidden_size"},
        {"{\"text_config\": {\"hidden_size\": 1e30}}", PN_ERR_CORRUPT, "hidden_size"},
        {"{\"text_config\": {\"num_hidden_layers\": 100000}}", PN_ERR_CORRUPT, "num_hidden_layers"},
        {"{\"text_config\": {\"eos_token_id\": \"x\"}}", PN_ERR_CORRUPT, "eos_token_id"},
        {"{\"text_config\": {\"eos_token_id\": -1}}", PN_ERR_CORRUPT, "eos_token_id"},
        {"{\"vision_config\": {\"num_channels\": 4}}", PN_ERR_UNSUPPORTED, "num_channels 4"},
        {"{\"vision_config\": {\"image_size\": 0}}", PN_ERR_CORRUPT, "image_size"},
        {"{\"vision_config\": {\"image_size\": [1, 2, 3]}}", PN_ERR_CORRUPT, "image_size"},
        {"{\"vision_config\": {\"layer_norm_eps\": -1}}", PN_ERR_CORRUPT, "layer_norm_eps"},
    };
    expect_refused(read_huggingface, rows, PN_COUNT_OF(rows));
}

/* ---- open_clip */

#define OPEN_CLIP(model, vision, text)                                                             \
    "{\"model_cfg\": {\"embed_dim\": 512" model ", \"vision_cfg\": {" vision                       \
    "}, \"text_cfg\": {" text "}}}"

static void open_clip__missing_keys_are_defaults(void **state)
{
    (void)state;
    pn_clip_config c = read_with(read_open_clip, OPEN_CLIP("", "", ""));
    assert_int_equal(c.vision.width, 768);
    assert_int_equal(c.vision.heads, 12);
    assert_int_equal(c.vision.mlp, 3072);
    assert_int_equal(c.vision.layers, 12);
    assert_int_equal(c.patch, 16);
    assert_int_equal(c.image_width, 224);
    assert_int_equal(c.text.width, 512);
    assert_int_equal(c.text.heads, 8);
    assert_int_equal(c.context, 77);
    assert_int_equal(c.vision.activation, PN_CLIP_GELU);
    assert_int_equal(c.end_token, -1);
    assert_int_equal(c.dim, 512);
}

static void open_clip__details_are_read(void **state)
{
    (void)state;
    pn_clip_config c = read_with(
        read_open_clip,
        OPEN_CLIP(", \"quick_gelu\": true",
                  "\"width\": 1280, \"head_width\": 80, \"image_size\": [48, 32], \"layers\": 32,"
                  "\"mlp_ratio\": 2.5, \"norm_kwargs\": {\"eps\": 1e-6}, \"ls_init_value\": null",
                  "\"act_kwargs\": {\"approximate\": \"tanh\"}, \"pool_type\": \"argmax\","
                  "\"no_causal_mask\": false"));
    assert_int_equal(c.vision.heads, 16);
    assert_int_equal(c.vision.mlp, 3200);
    assert_int_equal(c.image_height, 48);
    assert_int_equal(c.image_width, 32);
    assert_true(c.vision.eps == 1e-6f && c.text.eps == 1e-5f);
    assert_int_equal(c.vision.activation, PN_CLIP_QUICK_GELU);
    assert_int_equal(c.text.activation, PN_CLIP_GELU_TANH);
}

static void open_clip__settings_we_lack_are_named(void **state)
{
    (void)state;
    static const refused_row rows[] = {
        {"{}", PN_ERR_CORRUPT, "model_cfg"},
        {"{\"model_cfg\": {\"vision_cfg\": {}}}", PN_ERR_CORRUPT, "text_cfg"},
        {OPEN_CLIP("", "\"layers\": [3, 4, 6, 3]", ""), PN_ERR_CORRUPT, "transformer"},
        {OPEN_CLIP("", "\"timm_model_name\": \"vit_base_patch16_siglip_224\"", ""),
         PN_ERR_UNSUPPORTED, "timm_model_name"},
        {OPEN_CLIP("", "\"ls_init_value\": 1e-4", ""), PN_ERR_UNSUPPORTED, "ls_init_value"},
        {OPEN_CLIP("", "\"attentional_pool\": true", ""), PN_ERR_UNSUPPORTED, "attentional_pool"},
        {OPEN_CLIP("", "\"pos_embed_type\": \"sin_cos_2d\"", ""), PN_ERR_UNSUPPORTED, "sin_cos_2d"},
        {OPEN_CLIP("", "\"qk_norm\": true", ""), PN_ERR_UNSUPPORTED, "qk_norm"},
        {OPEN_CLIP("", "\"final_ln_after_pool\": true", ""), PN_ERR_UNSUPPORTED,
         "final_ln_after_pool"},
        {OPEN_CLIP("", "\"pool_type\": \"avg\"", ""), PN_ERR_UNSUPPORTED, "pool_type avg"},
        {OPEN_CLIP("", "", "\"hf_model_name\": \"xlm-roberta-base\""), PN_ERR_UNSUPPORTED,
         "xlm-roberta-base"},
        {OPEN_CLIP("", "", "\"no_causal_mask\": true"), PN_ERR_UNSUPPORTED, "no_causal_mask"},
        {OPEN_CLIP("", "", "\"proj_bias\": true"), PN_ERR_UNSUPPORTED, "proj_bias"},
        {OPEN_CLIP("", "", "\"embed_cls\": true"), PN_ERR_UNSUPPORTED, "embed_cls"},
        {OPEN_CLIP("", "", "\"tokenizer_kwargs\": {\"clean\": \"canonicalize\"}"),
         PN_ERR_UNSUPPORTED, "canonicalize"},
        {OPEN_CLIP("", "", "\"act_kwargs\": {\"approximate\": \"sigmoid\"}"), PN_ERR_UNSUPPORTED,
         "sigmoid"},
        {OPEN_CLIP(", \"multimodal_cfg\": {}", "", ""), PN_ERR_UNSUPPORTED, "multimodal_cfg"},
        {OPEN_CLIP("", "\"head_width\": 100", ""), PN_ERR_CORRUPT, "head_width"},
        {OPEN_CLIP("", "\"mlp_ratio\": -1", ""), PN_ERR_CORRUPT, "mlp_ratio"},
        {OPEN_CLIP("", "\"patch_size\": 0", ""), PN_ERR_CORRUPT, "patch_size"},
    };
    expect_refused(read_open_clip, rows, PN_COUNT_OF(rows));
}

/* Other vision encoders than ours are told by their tensors, whatever the configuration says. */
static void naming__other_architectures_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"image_encoder.model.stem.0.weight",
         "MobileCLIP (hybrid vision encoder) is not supported (the weights have image_encoder.)"},
        {"visual.trunk.stem.0.conv_kxk.0.conv.weight",
         "a timm vision encoder (MobileCLIP and others) is not supported"},
        {"text.transformer.embeddings.word_embeddings.weight",
         "a text encoder of another library is not supported"},
        {"logit_scale", "no known CLIP model"}};
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        pn_safetensors *tensors = NULL;
        pn_clip_naming naming;
        pn_error err = {0};
        open_marked(rows[i][0], &tensors);
        assert_int_equal(pn_clip_naming_detect(tensors, &naming, &err), PN_ERR_UNSUPPORTED);
        if (!strstr(err.message, rows[i][1]))
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i][0], err.message, rows[i][1]);
        pn_safetensors_close(tensors);
    }
}

/* ---- preprocessing */

static pn_clip_config base_224(void)
{
    pn_clip_config c = {.image_width = 224, .image_height = 224};
    pn_config_default_preprocess(&c);
    return c;
}

static pn_status read_processor(const json_t *json, pn_clip_config *out, pn_error *err)
{
    *out = base_224();
    return pn_config_read_processor(json, out, err);
}

static pn_status read_preprocess_cfg(const json_t *json, pn_clip_config *out, pn_error *err)
{
    *out = base_224();
    return pn_config_read_preprocess_cfg(json, out, err);
}

static void processor__every_way_to_say_a_size(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        pn_preprocess_mode mode;
        pn_resize_filter filter;
    } rows[] = {
        {"{}", PN_PREPROCESS_CROP, PN_RESIZE_BICUBIC},
        {"{\"size\": 224, \"crop_size\": 224}", PN_PREPROCESS_CROP, PN_RESIZE_BICUBIC},
        {"{\"size\": {\"shortest_edge\": 224}, \"resample\": 2}", PN_PREPROCESS_CROP,
         PN_RESIZE_BILINEAR},
        {"{\"size\": {\"shortest_edge\": 224}, \"crop_size\": {\"height\": 224, \"width\": 224},"
         " \"do_center_crop\": true, \"rescale_factor\": 0.00392156862745098}",
         PN_PREPROCESS_CROP, PN_RESIZE_BICUBIC},
        {"{\"size\": {\"height\": 224, \"width\": 224}, \"do_center_crop\": false}",
         PN_PREPROCESS_SQUASH, PN_RESIZE_BICUBIC},
        {"{\"size\": {\"height\": 224, \"width\": 224}}", PN_PREPROCESS_SQUASH, PN_RESIZE_BICUBIC},
    };
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        pn_clip_config c = read_with(read_processor, rows[i].text);
        assert_int_equal(c.preprocess.mode, rows[i].mode);
        assert_int_equal(c.preprocess.filter, rows[i].filter);
        assert_int_equal(c.preprocess.width, 224);
    }
    pn_clip_config c = read_with(read_processor, "{\"image_mean\": [0.5, 0.25, 0], \"image_std\": "
                                                 "[1, 2, 0.5]}");
    assert_true(c.preprocess.mean[1] == 0.25f && c.preprocess.std[2] == 0.5f);
    c = read_with(read_processor, "{\"do_normalize\": false}");
    assert_true(c.preprocess.mean[1] == 0 && c.preprocess.std[2] == 1);
}

static void processor__what_cannot_be_done_is_named(void **state)
{
    (void)state;
    static const refused_row rows[] = {
        {"[]", PN_ERR_CORRUPT, "not an object"},
        {"{\"size\": 256, \"crop_size\": 224}", PN_ERR_UNSUPPORTED, "resize to 256"},
        {"{\"crop_size\": 336}", PN_ERR_UNSUPPORTED, "crop_size 336x336"},
        {"{\"size\": {\"height\": 384, \"width\": 384}, \"do_center_crop\": false}",
         PN_ERR_UNSUPPORTED, "size 384x384"},
        {"{\"size\": {\"shortest_edge\": 224}, \"do_center_crop\": false}", PN_ERR_UNSUPPORTED,
         "do_center_crop"},
        {"{\"size\": {\"height\": 224}}", PN_ERR_CORRUPT, "size"},
        {"{\"size\": \"big\"}", PN_ERR_CORRUPT, "size"},
        {"{\"resample\": 1}", PN_ERR_UNSUPPORTED, "resample 1"},
        {"{\"resample\": 9}", PN_ERR_CORRUPT, "resample"},
        {"{\"rescale_factor\": 0.5}", PN_ERR_UNSUPPORTED, "rescale_factor 0.5"},
        {"{\"do_resize\": false}", PN_ERR_UNSUPPORTED, "do_resize"},
        {"{\"do_rescale\": false}", PN_ERR_UNSUPPORTED, "do_rescale"},
        {"{\"image_mean\": [1, 2]}", PN_ERR_CORRUPT, "image_mean"},
        {"{\"image_mean\": 0.5}", PN_ERR_CORRUPT, "image_mean"},
        {"{\"image_std\": [1, 0, 1]}", PN_ERR_CORRUPT, "standard deviation"},
        {"{\"image_std\": [1, \"x\", 1]}", PN_ERR_CORRUPT, "image_std"},
    };
    expect_refused(read_processor, rows, PN_COUNT_OF(rows));
}

static void preprocess_cfg__is_read(void **state)
{
    (void)state;
    pn_clip_config c = read_with(read_preprocess_cfg,
                                 "{\"mean\": [0.5, 0.5, 0.5], \"std\": [0.5, 0.5, 0.5],"
                                 " \"interpolation\": \"bilinear\", \"resize_mode\": \"longest\","
                                 " \"fill_color\": 128, \"size\": 224}");
    assert_int_equal(c.preprocess.mode, PN_PREPROCESS_PAD);
    assert_int_equal(c.preprocess.filter, PN_RESIZE_BILINEAR);
    assert_int_equal(c.preprocess.pad_rgb[2], 128);
    assert_true(c.preprocess.mean[0] == 0.5f);
    c = read_with(read_preprocess_cfg, "{\"resize_mode\": \"squash\", \"fill_color\": [1, 2, 3]}");
    assert_int_equal(c.preprocess.mode, PN_PREPROCESS_SQUASH);
    assert_int_equal(c.preprocess.pad_rgb[1], 2);
    static const refused_row rows[] = {
        {"{\"interpolation\": \"lanczos\"}", PN_ERR_UNSUPPORTED, "lanczos"},
        {"{\"resize_mode\": \"stretch\"}", PN_ERR_UNSUPPORTED, "stretch"},
        {"{\"resize_mode\": 1}", PN_ERR_UNSUPPORTED, "resize_mode"},
        {"{\"fill_color\": 300}", PN_ERR_CORRUPT, "fill_color"},
        {"{\"fill_color\": [1, 2]}", PN_ERR_CORRUPT, "fill_color"},
        {"{\"std\": [1, 1, -1]}", PN_ERR_CORRUPT, "standard deviation"},
    };
    expect_refused(read_preprocess_cfg, rows, PN_COUNT_OF(rows));
}

/* ---- finding a model */

static char *locate(const char *spec, pn_arena *arena, pn_error *err)
{
    char *dir = NULL;
    pn_status status = pn_clip_locate(spec, arena, &dir, err);
    assert_int_equal(status, dir ? PN_OK : PN_ERR_NOT_FOUND);
    return dir;
}

static void locate__reads_the_hub_cache(void **state)
{
    (void)state;
    stage s;
    pn_arena arena;
    pn_error err = {0};
    stage_make(&s);
    pn_arena_init(&arena, 1u << 20);
    const char *model = golden_join(s.dir, "models--owner--my.model_1");
    assert_int_equal(setenv("HF_HUB_CACHE", s.dir, 1), 0);

    assert_null(locate("owner/my.model_1", &arena, &err));
    assert_non_null(strstr(err.message, "models--owner--my.model_1"));
    assert_int_equal(pn_dir_make(golden_join(model, "snapshots/abc"), &err), PN_OK);
    assert_string_equal(locate("owner/my.model_1", &arena, &err),
                        golden_join(model, "snapshots/abc"));
    assert_int_equal(pn_dir_make(golden_join(model, "snapshots/def"), &err), PN_OK);
    assert_null(locate("owner/my.model_1", &arena, &err));
    assert_non_null(strstr(err.message, "several snapshots"));
    assert_int_equal(pn_dir_make(golden_join(model, "refs"), &err), PN_OK);
    stage_write_text(&s, "models--owner--my.model_1/refs/main", "def\n");
    assert_string_equal(locate("owner/my.model_1", &arena, &err),
                        golden_join(model, "snapshots/def"));
    stage_write_text(&s, "models--owner--my.model_1/refs/main", "../../..");
    assert_null(locate("owner/my.model_1", &arena, &err)); /* a ref that climbs is no ref */
    stage_write_text(&s, "models--owner--my.model_1/refs/main", "gone");
    assert_null(locate("owner/my.model_1", &arena, &err));

    /* a folder is a folder; anything else is refused */
    assert_string_equal(locate(s.dir, &arena, &err), s.dir);
    static const char *const bad[] = {"",         "x",        "../..",   "a/b/c",
                                      "owner/..", "o wner/m", "/nowhere"};
    for (size_t i = 0; i < PN_COUNT_OF(bad); i++) {
        if (strcmp(bad[i], "../..") == 0)
            continue; /* there is always such a folder */
        assert_null(locate(bad[i], &arena, &err));
    }
    assert_int_equal(unsetenv("HF_HUB_CACHE"), 0);
    assert_int_equal(setenv("HF_HOME", "/nowhere", 1), 0);
    assert_null(locate("owner/my.model_1", &arena, &err));
    assert_non_null(strstr(err.message, "/nowhere/hub/models--owner--my.model_1"));
    pn_arena_reset(&arena);
    stage_remove(&s);
}

/* ---- families */

static pn_clip_config read_family(const char *marker, const char *text)
{
    pn_safetensors *tensors = NULL;
    const pn_clip_naming naming = naming_of(marker, &tensors);
    json_t *json = parse(text);
    pn_clip_config c;
    pn_error err = {0};
    if (pn_config_read_huggingface(json, naming.names, &c, &err) != PN_OK)
        fail_msg("%s: %s", text, err.message);
    json_decref(json);
    pn_safetensors_close(tensors);
    return c;
}

static void families__have_their_own_defaults(void **state)
{
    (void)state;
    pn_clip_config c = read_family("vision_model.head.probe", "{\"model_type\": \"siglip\"}");
    assert_int_equal(c.family, PN_FAMILY_SIGLIP);
    assert_true(c.text.width == 768 && c.vision.width == 768 && c.dim == 768);
    assert_true(c.context == 64 && c.positions == 64 && c.vocabulary == 32000 && c.patch == 16);
    assert_true(c.padded && c.pad_token == 1 && !c.class_token && !c.text.causal);
    assert_true(c.vision.pooling == PN_POOL_PROBE && c.text.pooling == PN_POOL_LAST);
    assert_true(c.vision.activation == PN_CLIP_GELU_TANH && fabs((double)c.text.eps - 1e-6) < 1e-9);
    pn_config_default_preprocess(&c);
    assert_true(c.preprocess.mode == PN_PREPROCESS_SQUASH);
    assert_true(c.preprocess.mean[0] == 0.5f && c.preprocess.std[2] == 0.5f);

    /* SigLIP 2 */
    c = read_family("vision_model.head.probe",
                    "{\"text_config\": {\"vocab_size\": 256000, \"pad_token_id\": 0}}");
    assert_true(c.vocabulary == 256000 && c.pad_token == 0);

    c = read_family("text_model.encoder.layer.0.attention.self.query.weight",
                    "{\"model_type\": \"chinese_clip\", \"projection_dim\": 512}");
    assert_int_equal(c.family, PN_FAMILY_CHINESE_CLIP);
    assert_true(c.context == 52 && c.positions == 512 && c.dim == 512 && !c.padded);
    assert_true(c.text.post_norm && !c.text.causal && c.text.pooling == PN_POOL_FIRST);
    assert_true(c.text.activation == PN_CLIP_GELU && c.vision.activation == PN_CLIP_QUICK_GELU);
    assert_true(c.text.eps < 1e-11f && c.class_token && c.vision.pooling == PN_POOL_FIRST);
}

static void families__do_not_take_each_others_settings(void **state)
{
    (void)state;
    static const struct {
        const char *marker, *text;
        pn_status status;
        const char *word;
    } rows[] = {
        {"vision_model.head.probe", "{\"model_type\": \"clip\"}", PN_ERR_UNSUPPORTED, "siglip"},
        {"vision_model.head.probe", "{\"model_type\": \"siglip2\"}", PN_ERR_UNSUPPORTED, "siglip2"},
        {"vision_model.head.probe", "{\"vision_config\": {\"hidden_size\": 64}}", PN_ERR_CORRUPT,
         "pictures of 64"},
        {"vision_model.head.probe", "{\"text_config\": {\"pad_token_id\": 32000}}", PN_ERR_CORRUPT,
         "pad_token_id"},
        {"visual_projection.weight", "{\"model_type\": \"siglip\"}", PN_ERR_UNSUPPORTED, "clip"},
    };
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        pn_safetensors *tensors = NULL;
        const pn_clip_naming naming = naming_of(rows[i].marker, &tensors);
        json_t *json = parse(rows[i].text);
        pn_clip_config c;
        pn_error err = {0};
        pn_status got = pn_config_read_huggingface(json, naming.names, &c, &err);
        if (got != rows[i].status || !strstr(err.message, rows[i].word))
            fail_msg("%s: status %d: %s", rows[i].text, got, err.message);
        json_decref(json);
        pn_safetensors_close(tensors);
    }
}

/* A trunk of timm: its name and the text's settings are all there is. */
static void siglip__in_open_clips_file_says_all_or_is_refused(void **state)
{
    (void)state;
#define SIGLIP(vision, text)                                                                       \
    "{\"model_cfg\": {\"embed_dim\": 768, \"vision_cfg\": {" vision "}, \"text_cfg\": {" text "}}" \
    "}"
#define TEXT "\"no_causal_mask\": true, \"proj_bias\": true, \"pool_type\": \"last\""
    static const refused_row rows[] = {
        {SIGLIP("\"timm_model_name\": \"x\"", ""), PN_ERR_UNSUPPORTED, "no_causal_mask"},
        {SIGLIP("\"timm_model_name\": \"x\"", "\"no_causal_mask\": true"), PN_ERR_UNSUPPORTED,
         "proj_bias"},
        {SIGLIP("\"timm_model_name\": \"x\"", "\"no_causal_mask\": true, \"proj_bias\": true"),
         PN_ERR_UNSUPPORTED, "pool_type"},
        {SIGLIP("", TEXT), PN_ERR_UNSUPPORTED, "timm_model_name"},
        {SIGLIP("\"timm_model_name\": \"x\", \"timm_pool\": \"avg\"", TEXT), PN_ERR_UNSUPPORTED,
         "timm_pool avg"},
        {SIGLIP("\"timm_model_name\": \"x\", \"timm_pool\": \"map\"",
                TEXT ", \"tokenizer_kwargs\": {\"clean\": \"lower\"}"),
         PN_ERR_UNSUPPORTED, "clean lower"},
        /* the settings are fine, and the weights are missing */
        {SIGLIP("\"timm_model_name\": \"x\", \"timm_pool\": \"map\"", TEXT), PN_ERR_CORRUPT,
         "visual.trunk.patch_embed.proj.weight"},
    };
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        pn_safetensors *tensors = NULL;
        const pn_clip_naming naming = naming_of("visual.trunk.attn_pool.latent", &tensors);
        json_t *json = parse(rows[i].text);
        pn_clip_config c;
        pn_error err = {0};
        pn_status got = pn_config_read_open_clip(json, tensors, &naming, &c, &err);
        if (got != rows[i].status || !strstr(err.message, rows[i].word))
            fail_msg("%s: status %d: %s", rows[i].text, got, err.message);
        json_decref(json);
        pn_safetensors_close(tensors);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(huggingface__missing_keys_are_defaults),
        cmocka_unit_test(huggingface__old_dicts_win),
        cmocka_unit_test(huggingface__faults_are_named),
        cmocka_unit_test(open_clip__missing_keys_are_defaults),
        cmocka_unit_test(open_clip__details_are_read),
        cmocka_unit_test(open_clip__settings_we_lack_are_named),
        cmocka_unit_test(naming__other_architectures_are_refused_by_name),
        cmocka_unit_test(processor__every_way_to_say_a_size),
        cmocka_unit_test(processor__what_cannot_be_done_is_named),
        cmocka_unit_test(preprocess_cfg__is_read),
        cmocka_unit_test(locate__reads_the_hub_cache),
        cmocka_unit_test(families__have_their_own_defaults),
        cmocka_unit_test(families__do_not_take_each_others_settings),
        cmocka_unit_test(siglip__in_open_clips_file_says_all_or_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
