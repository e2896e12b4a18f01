/*
 * golden_vectors.c - pennon-golden.json into memory
 */
#include "embed/golden_vectors.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "os/fd.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>

typedef struct reader {
    const char *path;
    pn_arena *arena;
    pn_golden *out;
} reader;

static pn_status fail_entry(const reader *r, const char *kind, size_t i, const char *what,
                            pn_error *err)
{
    return pn_fail(err, PN_ERR_CORRUPT, "%s: %s, entry %zu: %s", r->path, kind, i, what);
}

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* RFC 4648, section 4; false: it is not. */
static bool read_base64(const char *text, pn_arena *arena, const uint8_t **out, size_t *n_out)
{
    size_t n = strlen(text), n_pad = 0;
    while (n > 0 && n_pad < 2 && text[n - 1] == '=') {
        n--;
        n_pad++;
    }
    uint8_t *bytes = pn_arena_alloc(arena, n / 4 * 3 + 3);
    if (!bytes || (n + n_pad) % 4 != 0 || n % 4 == 1)
        return false;
    uint32_t word = 0;
    size_t n_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        int digit = digit_of(text[i]);
        if (digit < 0)
            return false;
        word = word << 6 | (uint32_t)digit;
        if (i % 4 != 0) // the first of four digits completes no byte
            bytes[n_bytes++] = (uint8_t)(word >> (6 - 2 * (i % 4)));
    }
    *out = bytes;
    *n_out = n_bytes;
    return true;
}

static pn_status read_vector(const reader *r, const char *kind, size_t i, const json_t *entry,
                             const float **out, pn_error *err)
{
    const json_t *list = json_object_get(entry, "vector");
    size_t n = json_array_size(list);
    if (n == 0 || n > PN_EMBEDDING_MAX_DIM || (r->out->dim != 0 && n != r->out->dim))
        return fail_entry(r, kind, i, "no vector, or one of another length", err);
    float *vector = PN_ARENA_NEW(r->arena, float, n);
    if (!vector)
        return pn_fail_nomem(err);
    double square = 0;
    for (size_t j = 0; j < n; j++) {
        vector[j] = (float)json_number_value(json_array_get(list, j));
        square += (double)vector[j] * (double)vector[j];
    }
    if (!(fabs(square - 1) < 1e-3))
        return fail_entry(r, kind, i, "the vector is not of length 1", err);
    r->out->dim = (uint32_t)n;
    *out = vector;
    return PN_OK;
}

static pn_status read_text(const reader *r, size_t i, const json_t *entry, pn_error *err)
{
    pn_golden_text *text = &r->out->texts[i];
    const json_t *words = json_object_get(entry, "text"), *ids = json_object_get(entry, "ids");
    if (!json_is_string(words))
        return fail_entry(r, "texts", i, "no text", err);
    const char *copy =
        pn_arena_strndup(r->arena, json_string_value(words), json_string_length(words));
    size_t n = json_array_size(ids);
    uint32_t *numbers = PN_ARENA_NEW(r->arena, uint32_t, n + 1);
    if (!copy || !numbers)
        return pn_fail_nomem(err);
    for (size_t j = 0; j < n; j++) {
        json_int_t id = json_integer_value(json_array_get(ids, j));
        if (id < 0 || id >= UINT32_MAX)
            return fail_entry(r, "texts", i, "an id that is none", err);
        numbers[j] = (uint32_t)id;
    }
    text->text = pn_str_make(copy, json_string_length(words));
    text->ids = numbers;
    text->n_ids = n;
    return read_vector(r, "texts", i, entry, &text->vector, err);
}

static pn_status read_picture(const reader *r, size_t i, const json_t *entry, pn_error *err)
{
    pn_golden_picture *picture = &r->out->pictures[i];
    const char *name = json_string_value(json_object_get(entry, "name"));
    const char *file = json_string_value(json_object_get(entry, "file"));
    if (!file || !read_base64(file, r->arena, &picture->bytes, &picture->n_bytes))
        return fail_entry(r, "pictures", i, "no file in base64", err);
    picture->name = pn_arena_strdup(r->arena, name ? name : "picture");
    if (!picture->name)
        return pn_fail_nomem(err);
    return read_vector(r, "pictures", i, entry, &picture->vector, err);
}

static pn_status read_files(const reader *r, json_t *files, pn_error *err)
{
    const char *name;
    json_t *sha256;
    r->out->files = PN_ARENA_NEW(r->arena, pn_golden_file, json_object_size(files) + 1);
    if (!r->out->files)
        return pn_fail_nomem(err);
    json_object_foreach(files, name, sha256)
    {
        pn_golden_file *file = &r->out->files[r->out->n_files];
        if (!json_is_string(sha256) || strchr(name, '/'))
            return fail_entry(r, "files", r->out->n_files, "no name and SHA-256", err);
        file->name = pn_arena_strdup(r->arena, name);
        file->sha256 = pn_arena_strdup(r->arena, json_string_value(sha256));
        if (!file->name || !file->sha256)
            return pn_fail_nomem(err);
        r->out->n_files++;
    }
    return PN_OK;
}

static pn_status read_root(const reader *r, const json_t *root, pn_error *err)
{
    const char *format = json_string_value(json_object_get(root, "format"));
    const json_t *texts = json_object_get(root, "texts");
    const json_t *pictures = json_object_get(root, "pictures");
    size_t n_texts = json_array_size(texts), n_pictures = json_array_size(pictures);
    if (!format || strcmp(format, "pennon-golden") != 0)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: \"format\" is not \"pennon-golden\"", r->path);
    if (json_integer_value(json_object_get(root, "version")) != 1)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: \"version\" is not 1", r->path);
    if (n_texts > PN_GOLDEN_MAX_ENTRIES || n_pictures > PN_GOLDEN_MAX_ENTRIES)
        return pn_fail(err, PN_ERR_LIMIT, "%s: more than %d entries", r->path,
                       PN_GOLDEN_MAX_ENTRIES);
    if (n_texts + n_pictures == 0)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: neither texts nor pictures", r->path);
    r->out->texts = PN_ARENA_NEW(r->arena, pn_golden_text, n_texts + 1);
    r->out->pictures = PN_ARENA_NEW(r->arena, pn_golden_picture, n_pictures + 1);
    if (!r->out->texts || !r->out->pictures)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n_texts; i++)
        PN_TRY(read_text(r, i, json_array_get(texts, i), err));
    for (size_t i = 0; i < n_pictures; i++)
        PN_TRY(read_picture(r, i, json_array_get(pictures, i), err));
    r->out->n_texts = n_texts;
    r->out->n_pictures = n_pictures;
    return read_files(r, json_object_get(root, "files"), err);
}

pn_status pn_golden_read(const char *path, pn_arena *arena, pn_golden *out, pn_error *err)
{
    pn_golden golden = {.path = path};
    const reader r = {path, arena, &golden};
    json_error_t fault;
    pn_buffer bytes;
    pn_buffer_init(&bytes, PN_GOLDEN_MAX_BYTES);
    pn_status status = pn_file_read(path, &bytes, err);
    json_t *root = NULL;
    if (status == PN_OK) {
        root = json_loadb((const char *)bytes.data, bytes.n_bytes, 0, &fault);
        if (!root)
            status = pn_fail(err, PN_ERR_CORRUPT, "%s: line %d: %s", path, fault.line, fault.text);
    }
    pn_buffer_reset(&bytes);
    if (status == PN_OK)
        status = read_root(&r, root, err);
    json_decref(root);
    if (status == PN_OK)
        *out = golden;
    return status;
}
