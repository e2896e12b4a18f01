/*
 * hosted.c - what is asked of the server, cut into requests, and the answers put together
 *
 *     embed_images   64 pictures -> 8 requests of 8, 4 of them at a time -> [64][dim]
 *     embed_texts    the same
 *
 * The dimension is the first answer's. It is part of the identity, "roboflow:<version>:<dim>", so it is found before the embedder is
 * anybody's: either the caller knows it from a table, and then no request is made here, or one word is embedded. From then on an answer
 * of another dimension is a fault of the server.
 */
#include "embed/hosted.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "embed/hosted_wire.h"
#include "embed/wire_picture.h"
#include "os/http_url.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    MAX_VERSION_BYTES = 64,
    MAX_BASE_BYTES = 1024,
    MAX_KEY_BYTES = 512,
    MAX_URL_BYTES = MAX_BASE_BYTES + 3 * MAX_KEY_BYTES + 64,
    GATHER_MS = 250 /* a request takes about as long */
};

#define A_WORD "picture" /* that every server embeds */

typedef struct hosted {
    pn_embed_service *service;
    uint32_t dim; /* 0: not known yet */
    char *model;
    const char *version;          /* in model */
    char *images_url, *texts_url; /* with the key: never shown */
    char identity[MAX_VERSION_BYTES + 32];
} hosted;

bool pn_hosted_is_name(const char *model)
{
    return pn_str_starts_with(pn_str_of(model), PN_HOSTED_PREFIX);
}

/* ---- requests ---- */

/* What is embedded: pictures, or else texts; the i-th request has those from i * PN_HOSTED_BATCH. */
typedef struct batch {
    hosted *me;
    const pn_embed_input *inputs;
    const pn_str *texts;
    size_t n;
    float *out; /* [n][dim] */
} batch;

static size_t batch_length(const batch *b, size_t i)
{
    return PN_MIN(b->n - i * PN_HOSTED_BATCH, (size_t)PN_HOSTED_BATCH);
}

static pn_status write_request(void *context, size_t i, pn_buffer *body, pn_error *err)
{
    const batch *b = context;
    size_t first = i * PN_HOSTED_BATCH, n = batch_length(b, i);
    if (b->inputs)
        return pn_hosted_write_pictures(b->me->version, b->inputs + first, n, body, err);
    return pn_hosted_write_texts(b->me->version, b->texts + first, n, body, err);
}

/* One word. Pictures were all made or looked at by us: what the server says about them it says about itself. */
static pn_status write_word(void *context, pn_buffer *body, pn_error *err)
{
    const batch *b = context;
    const pn_str word = PN_STR_LITERAL(A_WORD);
    return pn_hosted_write_texts(b->me->version, &word, 1, body, err);
}

static pn_status read_answer(void *context, size_t i, const pn_buffer *answer, pn_error *err)
{
    batch *b = context;
    float *vectors;
    uint32_t dim;
    size_t n = batch_length(b, i);
    PN_TRY(
        pn_hosted_read_answer(answer->data, answer->n_bytes, n, b->me->dim, &vectors, &dim, err));
    if (b->out)
        memcpy(b->out + i * PN_HOSTED_BATCH * dim, vectors, n * dim * sizeof *vectors);
    else
        b->me->dim = dim; // asked by the one who makes the embedder
    pn_free(vectors);
    return PN_OK;
}

static pn_status embed(batch *b, const pn_embed_how *how, pn_error *err)
{
    const pn_embed_calls calls = {.url = b->inputs ? b->me->images_url : b->me->texts_url,
                                  .n = (b->n + PN_HOSTED_BATCH - 1) / PN_HOSTED_BATCH,
                                  .write = write_request,
                                  .read = read_answer,
                                  .write_simple = b->inputs ? NULL : write_word,
                                  .context = b,
                                  .max_body_bytes = PN_HOSTED_MAX_BODY_BYTES,
                                  .max_answer_bytes = PN_HOSTED_MAX_ANSWER_BYTES};
    return pn_embed_service_run(b->me->service, &calls, how, err);
}

static pn_status prepare_image(void *self, const pn_embed_picture *picture, pn_embed_input *input,
                               pn_error *err)
{
    (void)self;
    return pn_wire_picture_make(picture, input, err);
}

static pn_status embed_images(void *self, const pn_embed_input *inputs, size_t n,
                              const pn_embed_how *how, float *out, pn_error *err)
{
    batch b = {.me = self, .inputs = inputs, .n = n, .out = out};
    return embed(&b, how, err);
}

static pn_status embed_texts(void *self, const pn_str *texts, size_t n, const pn_embed_how *how,
                             float *out, pn_error *err)
{
    batch b = {.me = self, .texts = texts, .n = n, .out = out};
    return embed(&b, how, err);
}

static pn_status find_dim(hosted *me, const pn_embed_how *how, pn_error *err)
{
    const pn_str word = PN_STR_LITERAL(A_WORD);
    batch b = {.me = me, .texts = &word, .n = 1};
    return embed(&b, how, err);
}

/* ---- the options, looked at once ---- */

static pn_status check_version(const char *model, pn_error *err)
{
    pn_str version = pn_str_of(model + strlen(PN_HOSTED_PREFIX));
    bool ok = version.len >= 1 && version.len <= MAX_VERSION_BYTES;
    for (size_t i = 0; ok && i < version.len; i++) {
        char c = version.ptr[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '.' || c == '_';
    }
    if (ok)
        return PN_OK;
    return pn_fail(err, PN_ERR_INVALID,
                   "\"%.80s\": the version of a hosted model is needed, as in " PN_HOSTED_PREFIX
                   "ViT-B-16 (letters, digits, - . _)",
                   model);
}

static pn_status check_key(const char *key, pn_error *err)
{
    size_t n = strlen(key);
    bool ok = n >= 1 && n <= MAX_KEY_BYTES;
    for (size_t i = 0; ok && i < n; i++)
        ok = key[i] > ' ' && key[i] <= '~';
    if (ok)
        return PN_OK;
    return pn_fail(err, PN_ERR_INVALID,
                   "the API key is not one line of 1 to %d plain letters without blanks",
                   MAX_KEY_BYTES);
}

static pn_status check_base(const char *base, pn_hosted_http plain_http, pn_error *err)
{
    char shown[PN_HTTP_SHOWN_BYTES];
    if (strlen(base) > MAX_BASE_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "a URL of %zu bytes, the limit is %d", strlen(base),
                       MAX_BASE_BYTES);
    PN_TRY(pn_http_check_url(base, err));
    pn_http_show_url(base, shown);
    if (strpbrk(base, "?#@ ")) // a key there would be shown and recorded by others
        return pn_fail(err, PN_ERR_INVALID,
                       "%s: a URL without user, password and parameters is needed", shown);
    if (!pn_http_is_https(base) && plain_http == PN_HOSTED_HTTP_LOCAL && !pn_http_is_loopback(base))
        return pn_fail(
            err, PN_ERR_INVALID,
            "%s: http shows pictures and the API key to everybody on the way: use https, "
            "or allow it",
            shown);
    return PN_OK;
}

static pn_status make_url(const char *base, const char *path, const char *key, char **out,
                          pn_error *err)
{
    pn_buffer url;
    size_t n = strlen(base);
    while (n > 0 && base[n - 1] == '/')
        n--;
    pn_buffer_init(&url, MAX_URL_BYTES);
    pn_status status = pn_buffer_append(&url, base, n, err);
    if (status == PN_OK)
        status = pn_buffer_append_text(&url, path, err);
    if (status == PN_OK && key)
        status = pn_buffer_append_text(&url, "?api_key=", err);
    if (status == PN_OK && key)
        status = pn_hosted_write_escaped(key, &url, err);
    if (status == PN_OK)
        status = pn_buffer_append(&url, "", 1, err);
    if (status == PN_OK)
        *out = (char *)pn_buffer_detach(&url);
    pn_buffer_reset(&url);
    return status;
}

static pn_status check_numbers(const pn_hosted_options *o, pn_error *err)
{
    if (o->n_parallel > PN_SERVICE_PARALLEL_MAX)
        return pn_fail(err, PN_ERR_LIMIT, "%" PRIu32 " requests at a time, the limit is %d",
                       o->n_parallel, PN_SERVICE_PARALLEL_MAX);
    if (o->deadline_ms > PN_SERVICE_DEADLINE_MS_MAX)
        return pn_fail(err, PN_ERR_LIMIT, "%" PRIu32 " ms for a request, the limit is %d",
                       o->deadline_ms, PN_SERVICE_DEADLINE_MS_MAX);
    if (o->dim > PN_EMBEDDING_MAX_DIM)
        return pn_fail(err, PN_ERR_LIMIT, "vectors of %" PRIu32 " floats, the limit is %d", o->dim,
                       PN_EMBEDDING_MAX_DIM);
    return PN_OK;
}

/* ---- the door ---- */

static void free_hosted(void *self)
{
    hosted *me = self;
    if (!me)
        return;
    pn_embed_service_free(me->service);
    pn_free(me->images_url);
    pn_free(me->texts_url);
    pn_free(me->model);
    pn_free(me);
}

static pn_status open_hosted(hosted *me, const pn_hosted_options *o, pn_error *err)
{
    const char *base = o->base ? o->base : PN_HOSTED_BASE_DEFAULT;
    PN_TRY(check_version(o->model, err));
    PN_TRY(check_numbers(o, err));
    PN_TRY(check_base(base, o->plain_http, err));
    if (o->key)
        PN_TRY(check_key(o->key, err));
    me->model = pn_strdup(o->model);
    if (!me->model)
        return pn_fail_nomem(err);
    me->version = me->model + strlen(PN_HOSTED_PREFIX);
    PN_TRY(make_url(base, "/clip/embed_image", o->key, &me->images_url, err));
    PN_TRY(make_url(base, "/clip/embed_text", o->key, &me->texts_url, err));
    const pn_embed_service_options service = {
        .secret = o->key, .n_parallel = o->n_parallel, .deadline_ms = o->deadline_ms};
    PN_TRY(pn_embed_service_create(&service, &me->service, err));
    me->dim = o->dim;
    if (me->dim == 0)
        PN_TRY(find_dim(me, o->how, err));
    (void)snprintf(me->identity, sizeof me->identity, "%s:%" PRIu32, me->model,
                   me->dim); // fits: 9 + 64 + 1 + 10
    return PN_OK;
}

pn_status pn_hosted_embedder_create(const pn_hosted_options *options, pn_embedder **out,
                                    pn_error *err)
{
    pn_embedder *embedder = pn_alloc_zero(sizeof *embedder);
    hosted *me = pn_alloc_zero(sizeof *me);
    if (!embedder || !me) {
        pn_free(me);
        pn_free(embedder);
        return pn_fail_nomem(err);
    }
    embedder->self = me;
    embedder->free = free_hosted;
    pn_status status = open_hosted(me, options, err);
    if (status != PN_OK) {
        pn_embedder_free(embedder);
        return status;
    }
    uint32_t n_parallel = options->n_parallel ? options->n_parallel : PN_SERVICE_PARALLEL_DEFAULT;
    embedder->dim = me->dim;
    embedder->identity = me->identity;
    embedder->model = me->model;
    embedder->preprocess = "server";
    // twice as many as are under way, so that a slow one does not keep the places of the others empty
    embedder->batch = PN_MIN(2 * (size_t)n_parallel * PN_HOSTED_BATCH, (size_t)PN_EMBED_BATCH_MAX);
    embedder->gather_ms = GATHER_MS;
    embedder->shrink_to_px = PN_WIRE_SIDE_PX;
    embedder->prepare_image = prepare_image;
    embedder->embed_images = embed_images;
    embedder->embed_texts = embed_texts;
    *out = embedder;
    return PN_OK;
}

pn_embed_service *pn_hosted_embedder_service(const pn_embedder *embedder)
{
    return embedder->free == free_hosted ? ((const hosted *)embedder->self)->service : NULL;
}
