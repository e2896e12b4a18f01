/*
 * index_texts.c - the texts' vectors that the indexes of a table are calibrated with
 */
#include "collection/index_texts.h"

#include "base/buffer.h"
#include "base/hash.h"
#include "os/dir.h"
#include "os/fd.h"

#include <math.h>
#include <string.h>

static const char magic[8] = {'p', 'n', 't', 'e', 'x', 't', 's', '1'};

typedef struct header {
    char magic[8];
    uint32_t dim, n;
    uint64_t hash; /* of what follows */
} header;

static const char *path_in(pn_arena *arena, const char *folder)
{
    return pn_path_join(arena, folder, "texts.bin");
}

pn_status pn_index_texts_write(const char *folder, const float *texts, size_t n, size_t dim,
                               pn_error *err)
{
    if (n > PN_INDEX_TEXTS_MAX)
        return pn_fail(err, PN_ERR_INVALID, "%zu texts to calibrate with, the limit is %d", n,
                       PN_INDEX_TEXTS_MAX);
    size_t n_bytes = n * dim * sizeof *texts;
    header h = {.dim = (uint32_t)dim, .n = (uint32_t)n, .hash = pn_hash64(texts, n_bytes)};
    pn_arena arena;
    pn_buffer bytes;
    memcpy(h.magic, magic, sizeof magic);
    pn_arena_init(&arena, SIZE_MAX);
    pn_buffer_init(&bytes, SIZE_MAX);
    pn_status status = PN_OK;
    const char *path = path_in(&arena, folder);
    if (!path)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, pn_buffer_append(&bytes, &h, sizeof h, err));
    PN_GOTO(done, pn_buffer_append(&bytes, texts, n_bytes, err));
    PN_GOTO(done, pn_file_write_atomic(path, bytes.data, bytes.n_bytes, err));
done:
    pn_buffer_reset(&bytes);
    pn_arena_reset(&arena);
    return status;
}

static bool are_numbers(const float *texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(texts[i]))
            return false;
    return true;
}

static pn_status parse(const char *path, const pn_buffer *bytes, size_t dim, pn_arena *arena,
                       const float **texts, size_t *n, pn_error *err)
{
    header h = {.dim = 0};
    if (bytes->n_bytes >= sizeof h)
        memcpy(&h, bytes->data, sizeof h);
    size_t n_bytes = (size_t)h.n * h.dim * sizeof **texts;
    if (bytes->n_bytes < sizeof h || memcmp(h.magic, magic, sizeof magic) != 0 ||
        h.n > PN_INDEX_TEXTS_MAX || bytes->n_bytes - sizeof h != n_bytes ||
        pn_hash64(bytes->data + sizeof h, n_bytes) != h.hash)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: not whole; remove it, and build the index with the model again", path);
    if (h.dim != dim)
        return PN_OK;
    float *out = pn_arena_alloc_aligned(arena, 64, n_bytes + 1);
    if (!out)
        return pn_fail_nomem(err);
    memcpy(out, bytes->data + sizeof h, n_bytes);
    if (!are_numbers(out, n_bytes / sizeof *out))
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: not all of its values are numbers; remove it, and build the index with "
                       "the model again",
                       path);
    *texts = out;
    *n = h.n;
    return PN_OK;
}

pn_status pn_index_texts_read(const char *folder, size_t dim, pn_arena *arena, const float **texts,
                              size_t *n, pn_error *err)
{
    *n = 0;
    *texts = NULL;
    const char *path = path_in(arena, folder);
    if (!path)
        return pn_fail_nomem(err);
    if (!pn_path_exists(path))
        return PN_OK;
    pn_buffer bytes;
    pn_buffer_init(&bytes, (size_t)PN_INDEX_TEXTS_MAX * 65536);
    pn_status status = pn_file_read(path, &bytes, err);
    if (status == PN_OK)
        status = parse(path, &bytes, dim, arena, texts, n, err);
    pn_buffer_reset(&bytes);
    return status;
}
