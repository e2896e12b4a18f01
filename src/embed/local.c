/*
 * local.c - a CLIP model of this machine behind the embedder's door
 *
 *     picture --pn_preprocess_pixels--> [H][W][3] --pn_preprocess_normalise--> [3][H][W] --pn_clip_embed_images--> [dim]
 *     text    --pn_tokenizer_encode---> ids                                              --pn_clip_embed_ids-----> [dim]
 *
 * A picture waits for its turn as bytes, a quarter of the floats.
 *
 * In bulk the threads work side by side, each on a few pictures, instead of together on many (vision.c): a core that has to leave off keeps
 * no other one waiting.
 *
 * The identity names everything that moves a vector: the model's fingerprint (architecture, weights, tokenizer) and
 * the preprocessing in full, hashed. Two tables with one identity hold comparable vectors.
 */
#include "embed/local.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct local {
    pn_clip *clip;
    pn_pool *pool;   /* borrowed */
    bool bulk_alone; /* bulk calls keep to their own thread */
    pn_preprocess preprocess;
    char identity[96];
    char *model;
} local;

static size_t tensor_floats(const local *me)
{
    return (size_t)3 * me->preprocess.width * me->preprocess.height;
}

static pn_status prepare_image(void *self, const pn_embed_picture *picture, pn_embed_input *input,
                               pn_error *err)
{
    const local *me = self;
    const size_t n_bytes = tensor_floats(me);
    uint8_t *pixels = pn_alloc(n_bytes);
    if (!pixels)
        return pn_fail_nomem(err);
    pn_status status = pn_preprocess_pixels(&me->preprocess, picture->image, pixels, err);
    if (status != PN_OK) {
        pn_free(pixels);
        return status;
    }
    *input = (pn_embed_input){pixels, n_bytes};
    return PN_OK;
}

static pn_status embed_images(void *self, const pn_embed_input *inputs, size_t n,
                              const pn_embed_how *how, float *out, pn_error *err)
{
    const local *me = self;
    const size_t each = tensor_floats(me);
    const bool alone = me->bulk_alone && how && how->urgency == PN_EMBED_BULK;
    float *all = NULL;
    size_t n_floats;
    if (pn_size_mul(n, each, &n_floats))
        all = pn_alloc_array(n_floats, sizeof *all);
    if (!all)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        pn_preprocess_normalise(&me->preprocess, inputs[i].data, all + i * each);
    pn_status status = pn_clip_embed_images(me->clip, all, n, PN_CLIP_UNIT, alone ? NULL : me->pool,
                                            out, err); // milliseconds: nobody has to be asked
    pn_free(all);
    return status;
}

static pn_status tokenize_all(const local *me, const pn_str *texts, size_t n, uint32_t *ids,
                              size_t *lengths, pn_error *err)
{
    size_t context = pn_clip_get_info(me->clip)->context;
    for (size_t i = 0; i < n; i++) {
        PN_TRY(pn_tokenizer_encode(pn_clip_tokenizer(me->clip), texts[i], context,
                                   ids + i * context, &lengths[i], err));
    }
    return PN_OK;
}

static pn_status embed_texts(void *self, const pn_str *texts, size_t n, const pn_embed_how *how,
                             float *out, pn_error *err)
{
    const local *me = self;
    (void)how;
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    uint32_t *ids = NULL;
    size_t n_ids;
    if (pn_size_mul(n, pn_clip_get_info(me->clip)->context, &n_ids))
        ids = PN_ARENA_NEW(&arena, uint32_t, n_ids);
    size_t *lengths = PN_ARENA_NEW(&arena, size_t, n);
    pn_status status =
        ids && lengths ? tokenize_all(me, texts, n, ids, lengths, err) : pn_fail_nomem(err);
    if (status == PN_OK)
        status = pn_clip_embed_ids(me->clip, ids, lengths, n, PN_CLIP_UNIT, me->pool, out, err);
    pn_arena_reset(&arena);
    return status;
}

static void free_local(void *self)
{
    local *me = self;
    if (!me)
        return;
    pn_clip_close(me->clip);
    pn_free(me->model);
    pn_free(me);
}

static void write_identity(local *me)
{
    char text[PN_PREPROCESS_TEXT_BYTES];
    pn_preprocess_text(&me->preprocess, text);
    (void)snprintf(me->identity, sizeof me->identity,
                   "clip:%s:%s:%016" PRIx64, // fits: 5+32+1+6+1+16
                   pn_clip_get_info(me->clip)->fingerprint,
                   pn_preprocess_mode_name(me->preprocess.mode), pn_hash64(text, strlen(text)));
}

static pn_status open_model(local *me, const pn_local_options *options, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    char *dir;
    const pn_clip_options how = {options->pool, options->precision, options->cache};
    pn_status status = pn_clip_locate(options->model, &arena, &dir, err);
    if (status == PN_OK)
        status = pn_clip_open(dir, &how, &me->clip, err);
    pn_arena_reset(&arena);
    PN_TRY(status);
    me->preprocess = *pn_clip_preprocess(me->clip);
    if (options->preprocess &&
        !pn_preprocess_mode_parse(pn_str_of(options->preprocess), &me->preprocess.mode))
        return pn_fail(err, PN_ERR_INVALID, "preprocessing \"%s\": there are crop, pad and squash",
                       options->preprocess);
    me->model = pn_strdup(options->model);
    if (!me->model)
        return pn_fail_nomem(err);
    write_identity(me);
    return PN_OK;
}

pn_status pn_local_embedder_create(const pn_local_options *options, pn_embedder **out,
                                   pn_error *err)
{
    pn_status status = PN_OK;
    pn_embedder *embedder = pn_alloc_zero(sizeof *embedder);
    local *me = pn_alloc_zero(sizeof *me);
    if (!embedder || !me) {
        pn_free(me);
        pn_free(embedder);
        return pn_fail_nomem(err);
    }
    embedder->self = me;
    embedder->free = free_local;
    me->pool = options->pool;
    PN_GOTO(done, open_model(me, options, err));

    embedder->dim = pn_clip_get_info(me->clip)->dim;
    embedder->identity = me->identity;
    embedder->model = me->model;
    embedder->preprocess = pn_preprocess_mode_name(me->preprocess.mode);
    if (!options->exact_decode)
        embedder->shrink_to_px = 2 * PN_MAX(me->preprocess.width, me->preprocess.height);
    const size_t share = pn_clip_share_images(me->clip, pn_pool_threads(me->pool));
    me->bulk_alone = share > 0;
    embedder->batch = share;
    embedder->n_bulk_calls = me->bulk_alone ? pn_pool_threads(me->pool) : 1;
    embedder->prepare_image = prepare_image;
    embedder->embed_images = embed_images;
    embedder->embed_texts = embed_texts;
    *out = embedder;
    embedder = NULL;
done:
    pn_embedder_free(embedder);
    return status;
}

size_t pn_local_embedder_tensor_floats(const pn_embedder *embedder)
{
    return tensor_floats(embedder->self);
}

pn_status pn_local_embedder_embed_tensors(const pn_embedder *embedder, const float *tensors,
                                          size_t n, float *out, pn_error *err)
{
    const local *me = embedder->self;
    return pn_clip_embed_images(me->clip, tensors, n, PN_CLIP_UNIT, me->pool, out, err);
}

const pn_clip *pn_local_embedder_clip(const pn_embedder *embedder)
{
    return embedder->free == free_local ? ((const local *)embedder->self)->clip : NULL;
}

const pn_preprocess *pn_local_embedder_preprocess(const pn_embedder *embedder)
{
    return embedder->free == free_local ? &((const local *)embedder->self)->preprocess : NULL;
}
