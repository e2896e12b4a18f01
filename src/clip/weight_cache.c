/*
 * weight_cache.c - the path and the key of prepared weights
 */
#include "clip/weight_cache.h"

#include "clip/weight_loader.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/process.h"

#include <inttypes.h>
#include <stdio.h>

/* Below this, preparing is as fast as reading what was prepared. */
static const uint64_t WORTH_KEEPING_BYTES = (uint64_t)32 << 20;

static char *find_folder(const char *asked, pn_arena *arena)
{
    const char *own = pn_environment("PENNON_CACHE"), *cache = pn_environment("XDG_CACHE_HOME"),
               *home = pn_environment("HOME");
    if (asked || own)
        return pn_arena_strdup(arena, asked ? asked : own);
    if (cache)
        return pn_path_join(arena, cache, "pennon");
    return home ? pn_path_join(arena, home, ".cache/pennon") : pn_arena_strdup(arena, "");
}

static void make_key(const pn_weight_cache_query *q, uint64_t stamp, char out[PN_HASH_TEXT_BYTES])
{
    const pn_clip_config *c = q->config;
    const pn_encoder_config *v = &c->vision, *t = &c->text;
    const int layout = (int)pn_panel_type_of(q->precision, PN_DTYPE_F32, true);
    char text[512];
    int n = snprintf(text, sizeof text,
                     "%016" PRIx64 " %s/%d; %u %u %u %u; %u %u %u %u; %ux%u/%u %u %u %u", stamp,
                     pn_clip_precision_name(q->precision), layout, v->width, v->layers, v->heads,
                     v->mlp, t->width, t->layers, t->heads, t->mlp, c->image_width, c->image_height,
                     c->patch, c->context, c->vocabulary, c->dim);
    pn_assert(n > 0 && (size_t)n < sizeof text);
    pn_hash128_text(text, (size_t)n, out);
}

/* Files that were being written when their program ended. One that is being written now only has to be made again. */
static void remove_parts(const char *folder, const char *stem, pn_arena *arena)
{
    char **names;
    size_t n;
    if (pn_dir_list(folder, arena, &names, &n, NULL) != PN_OK)
        return;
    for (size_t i = 0; i < n; i++) {
        pn_str name = pn_str_of(names[i]);
        char *path = pn_path_join(arena, folder, names[i]);
        if (path && pn_str_starts_with(name, stem) && pn_str_ends_with(name, PN_WEIGHT_PART_SUFFIX))
            (void)(pn_path_remove(path, NULL) == PN_OK); // it is only room on the disk
    }
}

pn_status pn_weight_cache_find(const pn_weight_cache_query *q, pn_arena *arena,
                               pn_weight_cache *out, pn_error *err)
{
    *out = (pn_weight_cache){0};
    uint64_t stamp;
    if (pn_safetensors_bytes(q->tensors) < WORTH_KEEPING_BYTES ||
        !pn_safetensors_stamp(q->tensors, &stamp))
        return PN_OK;
    char *folder = find_folder(q->folder, arena), *model = NULL;
    if (!folder)
        return pn_fail_nomem(err);
    if (folder[0] == '\0')
        return PN_OK;
    PN_TRY(pn_path_real(q->model_dir, arena, &model, err));
    PN_TRY(pn_dir_make(folder, err));
    char *stem =
        pn_arena_printf(arena, "%016" PRIx64 "-%s.weights", pn_hash64(model, strlen(model)),
                        pn_clip_precision_name(q->precision));
    out->path = stem ? pn_path_join(arena, folder, stem) : NULL;
    if (!out->path)
        return pn_fail_nomem(err);
    remove_parts(folder, stem, arena);
    make_key(q, stamp, out->key);
    return PN_OK;
}
