/*
 * safetensors.c - reading what somebody else wrote, and believing none of it
 *
 *     0        8                  8 + n                                    file size
 *     | n u64  | JSON, n bytes    | tensor A | tensor B | ...              |
 *                                 ^ data_offsets count from here
 *
 * Checks, in order: the length against the file and the limit; JSON with unique keys; for every tensor a known dtype,
 * a shape whose product fits, offsets that lie inside and span exactly product x size of the dtype; and, over all
 * tensors of a file sorted by offset, no overlap. Gaps are allowed: they can do no harm.
 *
 * Sharded models add an index, {"weight_map": {tensor: file}}. File names come from outside, so only plain names
 * are taken: no separators, no "..". A tensor must lie in the file the index names, and in no other.
 *
 * Tensors of all files end up in one array sorted by name; looking one up is a binary search.
 */
#include "clip/safetensors.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/str.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/mapping.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { LENGTH_BYTES = 8 };

typedef struct shard {
    pn_mapping mapping;
    const char *path; /* in the arena; NULL when borrowed */
    bool borrowed;    /* the caller's memory, no mapping of ours */
} shard;

struct pn_safetensors {
    pn_arena arena; /* names, paths */
    shard *shards;  /* [n_shards], in the arena */
    size_t n_shards;
    pn_tensor *tensors; /* [n], owned; sorted by name */
    size_t n;
    size_t capacity;
};

typedef struct dtype_row {
    const char *name;
    pn_dtype dtype;
    size_t n_bytes;
} dtype_row;

static const dtype_row dtypes[] = {
    {"F32", PN_DTYPE_F32, 4},       {"F16", PN_DTYPE_F16, 2},       {"BF16", PN_DTYPE_BF16, 2},
    {"I64", PN_DTYPE_I64, 8},       {"F64", PN_DTYPE_OTHER, 8},     {"U64", PN_DTYPE_OTHER, 8},
    {"I32", PN_DTYPE_OTHER, 4},     {"U32", PN_DTYPE_OTHER, 4},     {"I16", PN_DTYPE_OTHER, 2},
    {"U16", PN_DTYPE_OTHER, 2},     {"I8", PN_DTYPE_OTHER, 1},      {"U8", PN_DTYPE_OTHER, 1},
    {"BOOL", PN_DTYPE_OTHER, 1},    {"F8_E4M3", PN_DTYPE_OTHER, 1}, {"F8_E5M2", PN_DTYPE_OTHER, 1},
    {"F8_E8M0", PN_DTYPE_OTHER, 1},
};

void pn_shape_text(const uint64_t *dims, uint32_t n_dims, char out[PN_SHAPE_TEXT_BYTES])
{
    size_t at = 0;
    out[at++] = '[';
    for (uint32_t i = 0; i < n_dims && at + 24 < PN_SHAPE_TEXT_BYTES; i++)
        at += (size_t)snprintf(out + at, PN_SHAPE_TEXT_BYTES - at, "%s%" PRIu64, i ? ", " : "",
                               dims[i]);
    (void)snprintf(out + at, PN_SHAPE_TEXT_BYTES - at, "]"); // room was kept above
}

/* ---- one tensor's entry */

static pn_status parse_dtype(const json_t *entry, pn_tensor *t, size_t *value_bytes, pn_error *err)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name)
        return pn_fail(err, PN_ERR_CORRUPT, "tensor %s: no dtype", t->name);
    for (size_t i = 0; i < PN_COUNT_OF(dtypes); i++)
        if (strcmp(name, dtypes[i].name) == 0) {
            t->dtype = dtypes[i].dtype;
            t->dtype_name = dtypes[i].name;
            *value_bytes = dtypes[i].n_bytes;
            return PN_OK;
        }
    return pn_fail(err, PN_ERR_UNSUPPORTED, "tensor %s: unknown dtype %s", t->name, name);
}

static pn_status parse_shape(const json_t *entry, pn_tensor *t, pn_error *err)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape))
        return pn_fail(err, PN_ERR_CORRUPT, "tensor %s: no shape", t->name);
    size_t n = json_array_size(shape);
    if (n > PN_TENSOR_MAX_DIMS)
        return pn_fail(err, PN_ERR_LIMIT, "tensor %s: %zu dimensions, the limit is %d", t->name, n,
                       PN_TENSOR_MAX_DIMS);
    t->n_dims = (uint32_t)n;
    t->n_values = 1;
    for (size_t i = 0; i < n; i++) {
        const json_t *dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return pn_fail(err, PN_ERR_CORRUPT, "tensor %s: dimension %zu is not a size", t->name,
                           i);
        t->dims[i] = (uint64_t)json_integer_value(dim);
        if (!pn_size_mul(t->n_values, (size_t)t->dims[i], &t->n_values))
            return pn_fail(err, PN_ERR_CORRUPT, "tensor %s: the shape's product overflows",
                           t->name);
    }
    return PN_OK;
}

/* data: what follows the header, data_bytes long. */
static pn_status parse_offsets(const json_t *entry, const uint8_t *data, size_t data_bytes,
                               size_t value_bytes, pn_tensor *t, pn_error *err)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *second = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second) ||
        json_integer_value(first) < 0 || json_integer_value(second) < 0)
        return pn_fail(err, PN_ERR_CORRUPT, "tensor %s: data_offsets are not two offsets", t->name);
    uint64_t begin = (uint64_t)json_integer_value(first);
    uint64_t end = (uint64_t)json_integer_value(second);
    if (begin > end || end > data_bytes)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "tensor %s: bytes %" PRIu64 " to %" PRIu64 " of %zu bytes of data", t->name,
                       begin, end, data_bytes);
    size_t want;
    if (!pn_size_mul(t->n_values, value_bytes, &want) || want != end - begin) {
        char shape[PN_SHAPE_TEXT_BYTES];
        pn_shape_text(t->dims, t->n_dims, shape);
        return pn_fail(err, PN_ERR_CORRUPT,
                       "tensor %s: %s of shape %s does not take %" PRIu64 " bytes", t->name,
                       t->dtype_name, shape, end - begin);
    }
    t->data = data + begin;
    t->n_bytes = want;
    return PN_OK;
}

static pn_status parse_tensor(pn_safetensors *s, const char *name, const json_t *entry,
                              const uint8_t *data, size_t data_bytes, pn_error *err)
{
    pn_tensor t = {.name = pn_arena_strdup(&s->arena, name)};
    if (!t.name)
        return pn_fail_nomem(err);
    if (!json_is_object(entry))
        return pn_fail(err, PN_ERR_CORRUPT, "tensor %s: the entry is not an object", name);
    size_t value_bytes = 0;
    PN_TRY(parse_dtype(entry, &t, &value_bytes, err));
    PN_TRY(parse_shape(entry, &t, err));
    PN_TRY(parse_offsets(entry, data, data_bytes, value_bytes, &t, err));
    pn_assert(s->n < s->capacity);
    s->tensors[s->n++] = t;
    return PN_OK;
}

/* ---- one file */

static int by_address(const void *a, const void *b)
{
    const pn_tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return x->n_bytes < y->n_bytes ? -1 : x->n_bytes > y->n_bytes; /* empty ones first */
}

static int by_name(const void *a, const void *b)
{
    const pn_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static pn_status check_overlap(pn_tensor *tensors, size_t n, pn_error *err)
{
    qsort(tensors, n, sizeof *tensors, by_address);
    for (size_t i = 1; i < n; i++)
        if (tensors[i - 1].data + tensors[i - 1].n_bytes > tensors[i].data)
            return pn_fail(err, PN_ERR_CORRUPT, "tensor %s overlaps tensor %s", tensors[i].name,
                           tensors[i - 1].name);
    return PN_OK;
}

static pn_status parse_entries(pn_safetensors *s, json_t *header, const uint8_t *data,
                               size_t data_bytes, pn_error *err)
{
    size_t first = s->n, capacity;
    if (!pn_size_add(s->n, json_object_size(header), &capacity) || capacity > SIZE_MAX / 1024)
        return pn_fail_nomem(err);
    pn_tensor *tensors = pn_realloc(s->tensors, PN_MAX(capacity, (size_t)1) * sizeof *tensors);
    if (!tensors)
        return pn_fail_nomem(err);
    s->tensors = tensors;
    s->capacity = capacity;
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry)
    {
        if (strcmp(name, "__metadata__") != 0)
            PN_TRY(parse_tensor(s, name, entry, data, data_bytes, err));
        else if (!json_is_object(entry))
            return pn_fail(err, PN_ERR_CORRUPT, "__metadata__ is not an object");
    }
    return check_overlap(s->tensors + first, s->n - first, err);
}

/* What `git clone` leaves where git-lfs is not installed: a note of three lines instead of the weights. */
static bool is_lfs_note(const pn_mapping *mapping)
{
    static const char head[] = "version https://git-lfs";
    return mapping->n_bytes >= sizeof head - 1 && memcmp(mapping->data, head, sizeof head - 1) == 0;
}

static pn_status parse_file(pn_safetensors *s, const pn_mapping *mapping, pn_error *err)
{
    if (is_lfs_note(mapping))
        return pn_fail(err, PN_ERR_CORRUPT,
                       "a note of git-lfs, not the weights: \"git lfs pull\" brings them");
    if (mapping->n_bytes < LENGTH_BYTES)
        return pn_fail(err, PN_ERR_CORRUPT, "%zu bytes are no safetensors file", mapping->n_bytes);
    uint64_t n = pn_load_le64(mapping->data);
    if (n > PN_SAFETENSORS_MAX_HEADER_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "a header of %" PRIu64 " bytes, the limit is %u", n,
                       PN_SAFETENSORS_MAX_HEADER_BYTES);
    if (n > mapping->n_bytes - LENGTH_BYTES)
        return pn_fail(err, PN_ERR_CORRUPT, "a header of %" PRIu64 " bytes in a file of %zu", n,
                       mapping->n_bytes);
    json_error_t fault;
    const char *text = (const char *)mapping->data + LENGTH_BYTES;
    json_t *header = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &fault);
    if (!header)
        return pn_fail(err, PN_ERR_CORRUPT, "header, byte %d: %s", fault.position, fault.text);
    pn_status status;
    if (json_is_object(header))
        status = parse_entries(s, header, mapping->data + LENGTH_BYTES + n,
                               mapping->n_bytes - LENGTH_BYTES - (size_t)n, err);
    else
        status = pn_fail(err, PN_ERR_CORRUPT, "the header is not an object");
    json_decref(header);
    return status;
}

static pn_status open_shard(pn_safetensors *s, const char *path, pn_error *err)
{
    shard *sh = &s->shards[s->n_shards];
    PN_TRY(pn_mapping_open(path, &sh->mapping, err));
    s->n_shards++; /* from here on closed with the rest */
    sh->path = pn_arena_strdup(&s->arena, path);
    if (!sh->path)
        return pn_fail_nomem(err);
    pn_status status = parse_file(s, &sh->mapping, err);
    return status == PN_OK ? PN_OK : pn_fail_wrap(err, status, "%s: ", path);
}

static bool lies_in(const pn_tensor *t, const shard *sh)
{
    uintptr_t data = (uintptr_t)t->data, begin = (uintptr_t)sh->mapping.data;
    return data >= begin && data <= begin + sh->mapping.n_bytes;
}

/* ---- the index of a sharded model */

static bool is_plain_name(const char *name)
{
    return name[0] != '\0' && !strchr(name, '/') && !strchr(name, '\\') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static pn_status load_index(const char *path, json_t **out, pn_error *err)
{
    pn_buffer text;
    pn_buffer_init(&text, PN_MODEL_MAX_JSON_BYTES);
    pn_status status = pn_file_read(path, &text, err);
    json_error_t fault;
    json_t *index = NULL;
    if (status == PN_OK) {
        index = json_loadb((const char *)text.data, text.n_bytes, JSON_REJECT_DUPLICATES, &fault);
        if (!index)
            status = pn_fail(err, PN_ERR_CORRUPT, "%s: line %d: %s", path, fault.line, fault.text);
        else if (!json_is_object(json_object_get(index, "weight_map")))
            status = pn_fail(err, PN_ERR_CORRUPT, "%s: no weight_map", path);
    }
    pn_buffer_reset(&text);
    if (status == PN_OK)
        *out = index;
    else
        json_decref(index);
    return status;
}

/* The distinct file names of the map, at most PN_MODEL_MAX_SHARDS. */
static pn_status collect_files(pn_safetensors *s, const json_t *map, const char ***files, size_t *n,
                               pn_error *err)
{
    const char **found = PN_ARENA_NEW(&s->arena, const char *, PN_MODEL_MAX_SHARDS);
    if (!found)
        return pn_fail_nomem(err);
    size_t count = 0;
    const char *tensor;
    json_t *value;
    /* jansson's loop wants a non-const object and does not change it */
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value)
    {
        const char *file = json_string_value(value);
        if (!file || !is_plain_name(file))
            return pn_fail(err, PN_ERR_CORRUPT, "tensor %s: \"%s\" is not a plain file name",
                           tensor, file ? file : "");
        size_t i = 0;
        while (i < count && strcmp(found[i], file) != 0)
            i++;
        if (i < count)
            continue;
        if (count == PN_MODEL_MAX_SHARDS)
            return pn_fail(err, PN_ERR_LIMIT, "more than %d files", PN_MODEL_MAX_SHARDS);
        found[count] = pn_arena_strdup(&s->arena, file);
        if (!found[count++])
            return pn_fail_nomem(err);
    }
    *files = found;
    *n = count;
    return PN_OK;
}

static pn_status check_map(const pn_safetensors *s, const json_t *map, const char *const *files,
                           pn_error *err)
{
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value)
    {
        const char *file = json_string_value(value);
        const pn_tensor *t = pn_safetensors_find(s, tensor);
        bool there = false;
        for (size_t i = 0; t && i < s->n_shards; i++)
            there |= strcmp(files[i], file) == 0 && lies_in(t, &s->shards[i]);
        if (!there)
            return pn_fail(err, PN_ERR_CORRUPT, "tensor %s is not in %s", tensor, file);
    }
    return PN_OK;
}

static pn_status sort_names(pn_safetensors *s, pn_error *err)
{
    qsort(s->tensors, s->n, sizeof *s->tensors, by_name);
    for (size_t i = 1; i < s->n; i++)
        if (strcmp(s->tensors[i - 1].name, s->tensors[i].name) == 0)
            return pn_fail(err, PN_ERR_CORRUPT, "tensor %s is in two files", s->tensors[i].name);
    return PN_OK;
}

static pn_status open_files(pn_safetensors *s, const char *index_path, const char *const *files,
                            size_t n, pn_error *err)
{
    const char *slash = strrchr(index_path, '/');
    size_t dir_length = slash ? (size_t)(slash - index_path) + 1 : 0;
    s->shards = PN_ARENA_NEW(&s->arena, shard, PN_MAX(n, (size_t)1));
    if (!s->shards)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const char *path =
            pn_arena_printf(&s->arena, "%.*s%s", (int)dir_length, index_path, files[i]);
        if (!path)
            return pn_fail_nomem(err);
        PN_TRY(open_shard(s, path, err));
    }
    return PN_OK;
}

static pn_status open_index(pn_safetensors *s, const char *path, pn_error *err)
{
    json_t *index = NULL;
    const char **files = NULL;
    size_t n_files = 0;
    PN_TRY(load_index(path, &index, err));
    const json_t *map = json_object_get(index, "weight_map");
    pn_status status = PN_OK;
    PN_GOTO(done, collect_files(s, map, &files, &n_files, err));
    pn_assert(files);
    PN_GOTO(done, open_files(s, path, files, n_files, err));
    PN_GOTO(done, sort_names(s, err));
    PN_GOTO(done, check_map(s, map, files, err));
done:
    json_decref(index);
    return status == PN_OK ? PN_OK : pn_fail_wrap(err, status, "%s: ", path);
}

static pn_status open_single(pn_safetensors *s, const char *path, pn_error *err)
{
    s->shards = PN_ARENA_NEW(&s->arena, shard, 1);
    if (!s->shards)
        return pn_fail_nomem(err);
    PN_TRY(open_shard(s, path, err));
    return sort_names(s, err);
}

pn_status pn_safetensors_open(const char *path, pn_safetensors **out, pn_error *err)
{
    pn_safetensors *s = pn_alloc_zero(sizeof *s);
    if (!s)
        return pn_fail_nomem(err);
    pn_arena_init(&s->arena, SIZE_MAX); /* the header's limit bounds it */
    pn_status status = pn_str_ends_with(pn_str_of(path), ".json") ? open_index(s, path, err)
                                                                  : open_single(s, path, err);
    if (status == PN_OK)
        *out = s;
    else
        pn_safetensors_close(s);
    return status;
}

pn_status pn_safetensors_open_memory(const uint8_t *bytes, size_t n, pn_safetensors **out,
                                     pn_error *err)
{
    pn_safetensors *s = pn_alloc_zero(sizeof *s);
    if (!s)
        return pn_fail_nomem(err);
    pn_status status = PN_OK;
    pn_arena_init(&s->arena, SIZE_MAX); /* as above */
    s->shards = PN_ARENA_NEW(&s->arena, shard, 1);
    if (!s->shards) {
        status = pn_fail_nomem(err);
        goto done;
    }
    s->shards[s->n_shards++] = (shard){.mapping = {.data = bytes, .n_bytes = n}, .borrowed = true};
    PN_GOTO(done, parse_file(s, &s->shards[0].mapping, err));
    PN_GOTO(done, sort_names(s, err));
    *out = s;
    s = NULL; /* the caller's now */
done:
    pn_safetensors_close(s);
    return status;
}

pn_status pn_safetensors_open_directory(const char *dir, pn_safetensors **out, pn_error *err)
{
    static const char *const names[] = {"model.safetensors.index.json", "model.safetensors",
                                        "open_clip_model.safetensors.index.json",
                                        "open_clip_model.safetensors",
                                        "open_clip_pytorch_model.safetensors"};
    static const char *const pickles[] = {"pytorch_model.bin", "open_clip_pytorch_model.bin",
                                          "model.pt"};
    pn_arena arena;
    pn_arena_init(&arena, 1u << 20);
    pn_status status = PN_ERR_NOT_FOUND;
    for (size_t i = 0; i < PN_COUNT_OF(names) && status == PN_ERR_NOT_FOUND; i++) {
        const char *path = pn_path_join(&arena, dir, names[i]);
        if (!path)
            status = pn_fail_nomem(err);
        else if (pn_path_exists(path)) {
            status = pn_safetensors_open(path, out, err);
            goto done;
        }
    }
    const char *pickle = NULL;
    for (size_t i = 0; i < PN_COUNT_OF(pickles) && status == PN_ERR_NOT_FOUND; i++) {
        const char *path = pn_path_join(&arena, dir, pickles[i]);
        if (path && pn_path_exists(path))
            pickle = pickles[i];
    }
    if (status == PN_ERR_NOT_FOUND && pickle)
        pn_fail(err, status, "%s: only %s, a pickle, which is a program: convert it to safetensors",
                dir, pickle);
    else if (status == PN_ERR_NOT_FOUND)
        pn_fail(err, status,
                "%s: no weights: looked for model.safetensors, its .index.json, "
                "and open_clip_model.safetensors",
                dir);
done:
    pn_arena_reset(&arena);
    return status;
}

void pn_safetensors_close(pn_safetensors *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_shards; i++)
        if (!s->shards[i].borrowed)
            pn_mapping_close(&s->shards[i].mapping);
    pn_free(s->tensors);
    pn_arena_reset(&s->arena);
    pn_free(s);
}

const pn_tensor *pn_safetensors_find(const pn_safetensors *s, const char *name)
{
    if (s->n == 0)
        return NULL;
    const pn_tensor key = {.name = name};
    return bsearch(&key, s->tensors, s->n, sizeof *s->tensors, by_name);
}

size_t pn_safetensors_count(const pn_safetensors *s)
{
    return s->n;
}

const pn_tensor *pn_safetensors_at(const pn_safetensors *s, size_t i)
{
    pn_assert(i < s->n);
    return &s->tensors[i];
}

uint64_t pn_safetensors_bytes(const pn_safetensors *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->n_shards; i++)
        sum += s->shards[i].mapping.n_bytes;
    return sum;
}

bool pn_safetensors_stamp(const pn_safetensors *s, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < s->n_shards; i++) {
        pn_file_info info;
        if (s->shards[i].borrowed || pn_path_info(s->shards[i].path, &info, NULL) != PN_OK)
            return false;
        const uint64_t numbers[] = {*out, info.size_bytes, (uint64_t)info.modified_ns,
                                    (uint64_t)info.changed_ns};
        *out = pn_hash64(numbers, sizeof numbers);
    }
    return true;
}

void pn_safetensors_rest(const pn_safetensors *s)
{
    for (size_t i = 0; i < s->n_shards; i++)
        if (!s->shards[i].borrowed)
            pn_mapping_advise(&s->shards[i].mapping, 0, s->shards[i].mapping.n_bytes,
                              PN_MAPPING_NOT_NOW);
}
