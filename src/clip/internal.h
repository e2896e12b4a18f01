/*
 * internal.h - what the configuration readers of this room share
 */
#ifndef PN_CLIP_INTERNAL_H
#define PN_CLIP_INTERNAL_H

#include "clip/clip_config.h"

#include <jansson.h>

/* The file parsed. CORRUPT names the line. json_decref() it. */
PN_NODISCARD pn_status pn_json_read(const char *path, json_t **out, pn_error *err);
/* dir/name parsed. *out NULL when there is no such file. CORRUPT names the file and the line. json_decref() it. */
PN_NODISCARD pn_status pn_json_load(const char *dir, const char *name, json_t **out, pn_error *err);

/* object[key] as a whole number in [least, most]; fallback when the key is missing or null. Null objects have no keys.
 * file is for messages. */
PN_NODISCARD pn_status pn_json_u32(const json_t *object, const char *file, const char *key,
                                   uint32_t least, uint32_t most, uint32_t fallback, uint32_t *out,
                                   pn_error *err);
/* A finite number. */
PN_NODISCARD pn_status pn_json_number(const json_t *object, const char *file, const char *key,
                                      double fallback, double *out, pn_error *err);
/* A whole number (both alike) or a list of two, [height, width]. */
PN_NODISCARD pn_status pn_json_size(const json_t *value, const char *file, const char *key,
                                    uint32_t most, uint32_t *height, uint32_t *width,
                                    pn_error *err);
/* Three finite numbers; out is left alone when the key is missing. */
PN_NODISCARD pn_status pn_json_triple(const json_t *object, const char *file, const char *key,
                                      float out[3], pn_error *err);
/* Missing, null or false? */
bool pn_json_is_off(const json_t *value);

/* One configuration each, for a model whose pictures have the size in *config. *config is complete but for dim. */
PN_NODISCARD pn_status pn_config_read_huggingface(const json_t *config,
                                                  const pn_tensor_names *names, pn_clip_config *out,
                                                  pn_error *err);
PN_NODISCARD pn_status pn_config_read_open_clip(const json_t *config, const pn_safetensors *tensors,
                                                const pn_clip_naming *naming, pn_clip_config *out,
                                                pn_error *err);
PN_NODISCARD pn_status pn_config_read_shapes(const pn_safetensors *tensors,
                                             const pn_clip_naming *naming, pn_clip_config *out,
                                             pn_error *err);

/* The parts of such a vision encoder, from the shapes alone: a timm trunk's configuration names it and no more. Sets the
 * vision's width, layers and mlp, and the patch. */
PN_NODISCARD pn_status pn_config_read_vision_shapes(const pn_safetensors *tensors,
                                                    const pn_clip_naming *naming,
                                                    pn_clip_config *out, pn_error *err);
/* Tokens of a Chinese-CLIP text: its BERT has more positions than that. */
enum { PN_CHINESE_CONTEXT = 52 };

/* Heads of so many values, as many as hold the width. Pruning leaves odd widths, but whole heads. */
enum { PN_USUAL_HEAD_WIDTH = 64 };
void pn_config_set_heads(pn_encoder_config *config, uint32_t head_width);

/* What follows from a ResNet's width: the attention pooling's, and the pixels of a place of its grid. */
enum { PN_RESNET_STRIDE = 32 };
void pn_config_set_resnet(pn_clip_config *config, uint32_t head_width);
/* What the family's row of names says of the encoders. */
void pn_config_take_traits(const pn_tensor_names *names, pn_clip_config *config);

/* The preprocessing: the family's for the size in *config, then changed by what the file says. */
void pn_config_default_preprocess(pn_clip_config *config);
PN_NODISCARD pn_status pn_config_read_processor(const json_t *processor, pn_clip_config *config,
                                                pn_error *err);
PN_NODISCARD pn_status pn_config_read_preprocess_cfg(const json_t *preprocess_cfg,
                                                     pn_clip_config *config, pn_error *err);

/* Checks that hold whatever the source: heads divide the width, the patch fits the picture. Sets the heads' width where it is 0. */
PN_NODISCARD pn_status pn_config_check(pn_clip_config *config, const char *file, pn_error *err);

#endif
