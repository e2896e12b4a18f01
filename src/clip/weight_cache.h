/*
 * weight_cache.h - where prepared weights are kept from one start to the next
 *
 *     $PENNON_CACHE, else $XDG_CACHE_HOME/pennon, else ~/.cache/pennon
 *         <hash of the model's directory>-<precision>.weights
 *
 * One file a model and precision. Its key says what it was made from: size and times of every weights file, the numbers of
 * the configuration, the kind of panels that this processor takes. What has changed has another key, and its file is replaced. Removing the folder is safe at any
 * time.
 */
#ifndef PN_CLIP_WEIGHT_CACHE_H
#define PN_CLIP_WEIGHT_CACHE_H

#include "base/arena.h"
#include "clip/weights.h"

typedef struct pn_weight_cache_query {
    const char *folder; /* NULL: the environment's, as above; "": none */
    const char *model_dir;
    const pn_safetensors *tensors;
    const pn_clip_config *config;
    pn_clip_precision precision;
} pn_weight_cache_query;

/*
 * The file for a model. The folder is made; what an interrupted program left of this file is removed.
 *
 * out      path in arena; path NULL: nothing is to be kept (no folder, or a model so small that preparing it takes no time)
 * Errors:  NOMEM, IO (the folder cannot be made)
 */
PN_NODISCARD pn_status pn_weight_cache_find(const pn_weight_cache_query *query, pn_arena *arena,
                                            pn_weight_cache *out, pn_error *err);

#endif
