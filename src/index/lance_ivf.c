/*
 * lance_ivf.c - opening the two files of a LanceDB index
 *
 *     index.idx       metadata "lance:index"     {"type": "IVF_PQ", "distance_type": "cosine"}
 *                     metadata "lance:ivf"       the number of the global buffer with Ivf: centroids
 *     auxiliary.idx   metadata "lance:ivf"       the same: first row and number of rows of each partition
 *                     metadata "storage_metadata"  ["{...}"]: of PQ the codebook's buffer, bits, sub-vectors
 *                     column _rowid, and __pq_code or flat
 *
 * The order of checks is that of use: what a later one relies on was checked before. Partitions have to lie one behind the other and
 * fill the file; then no place can be outside of it, and none is in two of them.
 */
#include "index/lance_ivf_parts.h"

#include <lance_index.pb-c.h>

#include "base/alloc.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/str.h"
#include "kernels/kernels.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>

enum { TENSOR_FLOAT = 2 };

static pn_status corrupt(const char *path, const char *what, pn_error *err)
{
    return pn_fail(err, PN_ERR_CORRUPT, "%s: %s", path, what);
}

static const char *path_of(const pn_lance_file *file)
{
    const char *path;
    (void)pn_lance_file_mapping(file, &path);
    return path;
}

/* ---- metadata ---- */

static pn_status read_json(const pn_lance_file *file, const char *key, json_t **out, pn_error *err)
{
    pn_str text;
    PN_TRY(pn_lance_file_metadata(file, key, &text, err));
    *out = json_loadb(text.ptr, text.len, 0, NULL);
    return *out ? PN_OK : pn_fail(err, PN_ERR_CORRUPT, "%s: \"%s\" is no JSON", path_of(file), key);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static pn_status parse_metric(const char *path, const char *text, pn_lance_metric *out,
                              pn_error *err)
{
    static const char *const names[] = {"l2", "cosine", "dot"};
    for (size_t i = 0; i < PN_COUNT_OF(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (pn_lance_metric)i;
            return PN_OK;
        }
    return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: distance \"%.32s\" is not supported", path, text);
}

static pn_status read_kind(pn_lance_ivf *x, pn_error *err)
{
    json_t *all;
    const char *path = path_of(x->coarse);
    PN_TRY(read_json(x->coarse, "lance:index", &all, err));
    const char *kind = text_of(all, "type");
    x->is_flat = strcmp(kind, "IVF_FLAT") == 0;
    pn_status status = PN_OK;
    if (!x->is_flat && strcmp(kind, "IVF_PQ") != 0)
        status = pn_fail(err, PN_ERR_UNSUPPORTED,
                         "%s: an index of kind \"%.32s\"; IVF_PQ and IVF_FLAT are supported", path,
                         kind);
    else
        status = parse_metric(path, text_of(all, "distance_type"), &x->metric, err);
    json_decref(all);
    return status;
}

/* The message that the metadata names the global buffer of. */
static pn_status read_ivf(const pn_lance_file *file, Pn__LanceIndex__Ivf **out, pn_error *err)
{
    pn_str number, bytes;
    uint64_t i;
    PN_TRY(pn_lance_file_metadata(file, "lance:ivf", &number, err));
    if (!pn_str_to_u64(number, &i))
        return corrupt(path_of(file), "\"lance:ivf\" is no number", err);
    PN_TRY(pn_lance_file_global(file, i, &bytes, err));
    *out = pn__lance_index__ivf__unpack(NULL, bytes.len, (const uint8_t *)bytes.ptr);
    return *out ? PN_OK
                : corrupt(path_of(file), "the description of its partitions is damaged", err);
}

/* Floats of this shape, all of them numbers; *out is in the arena. */
static pn_status read_tensor(pn_lance_ivf *x, const char *path,
                             const Pn__LanceIndex__Tensor *tensor, size_t rows, size_t columns,
                             const float **out, pn_error *err)
{
    size_t n, bytes;
    bool fits = pn_size_mul(rows, columns, &n) && pn_size_mul(n, sizeof(float), &bytes);
    if (!tensor || !fits || tensor->data_type != TENSOR_FLOAT || tensor->n_shape != 2 ||
        tensor->shape[0] != rows || tensor->shape[1] != columns || tensor->data.len != bytes)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: no %zu x %zu floats where those were expected",
                       path, rows, columns);
    float *copy = pn_arena_alloc_aligned(&x->arena, 64, bytes + 1);
    if (!copy)
        return pn_fail_nomem(err);
    memcpy(copy, tensor->data.data, bytes);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(copy[i]))
            return corrupt(path, "a centroid or codeword that is no number", err);
    *out = copy;
    return PN_OK;
}

/* ---- index.idx ---- */

static pn_status take_centroids(pn_lance_ivf *x, const Pn__LanceIndex__Ivf *ivf, pn_error *err)
{
    const char *path = path_of(x->coarse);
    const Pn__LanceIndex__Tensor *c = ivf->centroids;
    size_t n = c && c->n_shape > 0 ? c->shape[0] : 0;
    if (n == 0)
        return corrupt(path, "no centroids", err);
    PN_TRY(read_tensor(x, path, c, n, x->dim, &x->centroids, err));
    x->n_partitions = n;
    float *bias = PN_ARENA_NEW(&x->arena, float, n);
    if (!bias)
        return pn_fail_nomem(err);
    const pn_kernels *k = pn_kernels_get();
    for (size_t i = 0; i < n && x->metric != PN_LANCE_DOT; i++) {
        const float *at = x->centroids + i * x->dim;
        bias[i] = -k->dot_f32(at, at, x->dim) / 2;
    }
    x->bias = bias;
    return PN_OK;
}

static pn_status read_coarse(pn_lance_ivf *x, pn_error *err)
{
    Pn__LanceIndex__Ivf *ivf;
    PN_TRY(read_kind(x, err));
    PN_TRY(read_ivf(x->coarse, &ivf, err));
    pn_status status = take_centroids(x, ivf, err);
    pn__lance_index__ivf__free_unpacked(ivf, NULL);
    return status;
}

/* ---- auxiliary.idx ---- */

static pn_status take_partitions(pn_lance_ivf *x, const Pn__LanceIndex__Ivf *ivf, pn_error *err)
{
    const char *path = path_of(x->fine);
    size_t n = x->n_partitions;
    if (ivf->n_offsets != n || ivf->n_lengths != n)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: %zu and %zu partitions, there are %zu centroids",
                       path, ivf->n_offsets, ivf->n_lengths, n);
    x->starts = PN_ARENA_NEW(&x->arena, uint64_t, n + 1);
    if (!x->starts)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        if (ivf->lengths[i] > 0 && ivf->offsets[i] != x->starts[i])
            return pn_fail(err, PN_ERR_CORRUPT,
                           "%s: partition %zu begins at row %" PRIu64 ", those before it end at "
                           "%" PRIu64,
                           path, i, ivf->offsets[i], x->starts[i]);
        x->starts[i + 1] = x->starts[i] + ivf->lengths[i];
    }
    if (x->starts[n] != x->n_rows)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: %" PRIu64 " rows in its partitions, %" PRIu64 " in the file", path,
                       x->starts[n], x->n_rows);
    return PN_OK;
}

static pn_status read_partitions(pn_lance_ivf *x, pn_error *err)
{
    Pn__LanceIndex__Ivf *ivf;
    PN_TRY(read_ivf(x->fine, &ivf, err));
    pn_status status = take_partitions(x, ivf, err);
    pn__lance_index__ivf__free_unpacked(ivf, NULL);
    return status;
}

/* The leaf column of a field of the file, checked to be of this type and size. */
static pn_status find_column(const pn_lance_ivf *x, const char *name, pn_type_id type, int32_t size,
                             const pn_field **field, int32_t *column, pn_error *err)
{
    const pn_schema *schema = pn_lance_file_schema(x->fine);
    size_t leaf = 0;
    ptrdiff_t i = pn_schema_find(schema, pn_str_of(name));
    if (i < 0)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: no column \"%s\"", path_of(x->fine), name);
    const pn_field *f = &schema->fields[i];
    const pn_field *item = size > 0 && f->type == PN_TYPE_FIXED_SIZE_LIST ? &f->children[0] : f;
    if (item->type != type || (size > 0 && (item == f || f->size != size)))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: column \"%s\" is of another type",
                       path_of(x->fine), name);
    for (ptrdiff_t before = 0; before < i; before++)
        leaf += schema->fields[before].n_children == 0 ||
                schema->fields[before].type == PN_TYPE_FIXED_SIZE_LIST;
    *field = f;
    *column = pn_lance_file_leaf_column(x->fine, leaf);
    return PN_OK;
}

/* All values of a column without nulls. */
static pn_status read_column(pn_lance_ivf *x, const char *name, pn_type_id type, int32_t size,
                             const void **out, pn_error *err)
{
    const pn_field *field;
    int32_t column;
    pn_array array;
    PN_TRY(find_column(x, name, type, size, &field, &column, err));
    PN_TRY(
        pn_lance_file_read(x->fine, field, &column, 1, 0, x->n_rows, NULL, &x->arena, &array, err));
    const pn_array *values = size > 0 ? &array.children[0] : &array;
    if (array.length != x->n_rows || array.validity || values->validity)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: column \"%s\" has nulls", path_of(x->fine), name);
    *out = values->values;
    return PN_OK;
}

/* ["{...}"]: the object in the text in the list. */
static pn_status read_storage(const pn_lance_ivf *x, json_t **out, pn_error *err)
{
    json_t *list;
    PN_TRY(read_json(x->fine, "storage_metadata", &list, err));
    const char *text = json_string_value(json_array_get(list, 0));
    *out = text ? json_loads(text, 0, NULL) : NULL;
    json_decref(list);
    return *out ? PN_OK : corrupt(path_of(x->fine), "\"storage_metadata\" is damaged", err);
}

typedef struct pq_shape {
    json_int_t bits, subs, dim, buffer;
    bool transposed;
} pq_shape;

static pn_status check_pq(const pn_lance_ivf *x, const pq_shape *s, pn_error *err)
{
    const char *path = path_of(x->fine);
    if (s->bits != 8)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: codes of %" JSON_INTEGER_FORMAT " bits; those of 8 are supported", path,
                       s->bits);
    if (!s->transposed)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: codes row by row, as old versions wrote them",
                       path);
    if (s->dim != (json_int_t)x->dim || s->subs < 1 || s->subs > s->dim || s->dim % s->subs != 0 ||
        s->buffer < 1)
        return corrupt(path, "sub-vectors that do not make up the vectors", err);
    return PN_OK;
}

static pn_status read_codebook(pn_lance_ivf *x, uint64_t buffer, pn_error *err)
{
    pn_str bytes;
    const char *path = path_of(x->fine);
    PN_TRY(pn_lance_file_global(x->fine, buffer, &bytes, err));
    Pn__LanceIndex__Tensor *tensor =
        pn__lance_index__tensor__unpack(NULL, bytes.len, (const uint8_t *)bytes.ptr);
    if (!tensor)
        return corrupt(path, "the codebook is damaged", err);
    pn_status status = read_tensor(x, path, tensor, PN_LANCE_PQ_ENTRIES, x->dim, &x->codebook, err);
    pn__lance_index__tensor__free_unpacked(tensor, NULL);
    return status;
}

static pn_status read_codes(pn_lance_ivf *x, pn_error *err)
{
    json_t *storage;
    const void *codes;
    PN_TRY(read_storage(x, &storage, err));
    const pq_shape s = {json_integer_value(json_object_get(storage, "nbits")),
                        json_integer_value(json_object_get(storage, "num_sub_vectors")),
                        json_integer_value(json_object_get(storage, "dimension")),
                        json_integer_value(json_object_get(storage, "codebook_position")),
                        json_is_true(json_object_get(storage, "transposed"))};
    json_decref(storage);
    PN_TRY(check_pq(x, &s, err));
    x->n_subs = (size_t)s.subs;
    PN_TRY(read_codebook(x, (uint64_t)s.buffer, err));
    PN_TRY(read_column(x, "__pq_code", PN_TYPE_UINT8, (int32_t)s.subs, &codes, err));
    x->codes = codes;
    return PN_OK;
}

static pn_status read_vectors(pn_lance_ivf *x, pn_error *err)
{
    const pn_field *field;
    int32_t column;
    pn_lance_run *runs;
    const void *values;
    bool mappable;
    PN_TRY(find_column(x, "flat", PN_TYPE_FLOAT, (int32_t)x->dim, &field, &column, err));
    PN_TRY(pn_lance_file_map_vectors(x->fine, column, (int32_t)x->dim, &x->arena, &runs, &x->n_runs,
                                     &mappable, err));
    if (!mappable) {
        runs = PN_ARENA_NEW(&x->arena, pn_lance_run, 1);
        if (!runs)
            return pn_fail_nomem(err);
        PN_TRY(read_column(x, "flat", PN_TYPE_FLOAT, (int32_t)x->dim, &values, err));
        runs[0] = (pn_lance_run){0, x->n_rows, values};
        x->n_runs = 1;
    }
    uint64_t n = 0;
    for (size_t i = 0; i < x->n_runs; i++) {
        if (runs[i].first_row != n)
            return corrupt(path_of(x->fine), "vectors with gaps between them", err);
        n += runs[i].n_rows;
    }
    x->runs = runs;
    return n == x->n_rows ? PN_OK : corrupt(path_of(x->fine), "fewer vectors than rows", err);
}

/* ---- rows ---- */

static pn_lance_listed *find_listed(const pn_lance_ivf *x, uint32_t id)
{
    size_t low = 0, high = x->n_listed;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (x->listed[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < x->n_listed && x->listed[low].id == id ? &x->listed[low] : NULL;
}

static pn_status make_listed(pn_lance_ivf *x, const pn_lance_covered *covered, size_t n,
                             pn_error *err)
{
    x->listed = PN_ARENA_NEW(&x->arena, pn_lance_listed, n + 1);
    if (!x->listed)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        uint64_t *words =
            PN_ARENA_NEW(&x->arena, uint64_t, pn_words_for_bits(covered[i].n_rows) + 1);
        if (!words)
            return pn_fail_nomem(err);
        x->listed[x->n_listed++] = (pn_lance_listed){covered[i].id, covered[i].n_rows, words};
    }
    return PN_OK;
}

static pn_status check_ids(pn_lance_ivf *x, pn_error *err)
{
    pn_lance_listed *at = NULL;
    for (uint64_t i = 0; i < x->n_rows; i++) {
        uint32_t id = (uint32_t)(x->ids[i] >> 32), row = (uint32_t)x->ids[i];
        if (!at || at->id != id)
            at = find_listed(x, id);
        if (!at)
            continue;
        if (row >= at->n_rows || pn_word_bit_get(at->words, row))
            return pn_fail(err, PN_ERR_CORRUPT, "%s: row %" PRIu32 " of fragment %" PRIu32 " %s",
                           path_of(x->fine), row, id,
                           row < at->n_rows ? "is there twice" : "is beyond its last one");
        pn_word_bit_set(at->words, row);
    }
    return PN_OK;
}

const uint64_t *pn_lance_ivf_listed(const pn_lance_ivf *ivf, uint32_t fragment_id, uint32_t n_rows)
{
    const pn_lance_listed *found = find_listed(ivf, fragment_id);
    return found && found->n_rows == n_rows ? found->words : NULL;
}

/* ---- the index ---- */

static pn_status open_file(pn_lance_ivf *x, const char *folder, const char *name,
                           pn_lance_file **out, pn_error *err)
{
    char *path = pn_arena_printf(&x->arena, "%s/%s", folder, name);
    return path ? pn_lance_file_open(path, out, err) : pn_fail_nomem(err);
}

static pn_status read_fine(pn_lance_ivf *x, pn_error *err)
{
    const void *ids;
    x->n_rows = pn_lance_file_rows(x->fine);
    if (x->n_rows > UINT32_MAX)
        return pn_fail(err, PN_ERR_LIMIT, "%s: %" PRIu64 " rows", path_of(x->fine), x->n_rows);
    PN_TRY(read_partitions(x, err));
    PN_TRY(read_column(x, "_rowid", PN_TYPE_UINT64, 0, &ids, err));
    x->ids = ids;
    return x->is_flat ? read_vectors(x, err) : read_codes(x, err);
}

pn_status pn_lance_ivf_open(const char *folder, size_t dim, const pn_lance_covered *covered,
                            size_t n, pn_lance_ivf **out, pn_error *err)
{
    pn_status status = PN_OK;
    if (dim > PN_INDEX_MAX_DIM)
        return pn_fail(err, PN_ERR_LIMIT, "%s: vectors of %zu floats, the limit is %d", folder, dim,
                       PN_INDEX_MAX_DIM);
    pn_lance_ivf *x = pn_alloc_zero(sizeof *x);
    if (!x)
        return pn_fail_nomem(err);
    pn_arena_init(&x->arena, SIZE_MAX);
    x->dim = dim;
    PN_GOTO(done, open_file(x, folder, "index.idx", &x->coarse, err));
    PN_GOTO(done, read_coarse(x, err));
    PN_GOTO(done, open_file(x, folder, "auxiliary.idx", &x->fine, err));
    PN_GOTO(done, read_fine(x, err));
    PN_GOTO(done, make_listed(x, covered, n, err));
    PN_GOTO(done, check_ids(x, err));
    *out = x;
    x = NULL;
done:
    pn_lance_ivf_close(x);
    return status;
}

void pn_lance_ivf_close(pn_lance_ivf *ivf)
{
    if (!ivf)
        return;
    pn_lance_file_close(ivf->coarse);
    pn_lance_file_close(ivf->fine);
    pn_arena_reset(&ivf->arena);
    pn_free(ivf);
}

void pn_lance_ivf_info_get(const pn_lance_ivf *ivf, pn_lance_ivf_info *out)
{
    static const char *const metrics[] = {"l2", "cosine", "dot"};
    *out = (pn_lance_ivf_info){.kind = ivf->is_flat ? "IVF_FLAT" : "IVF_PQ",
                               .metric = metrics[ivf->metric],
                               .n_rows = ivf->n_rows,
                               .file_bytes = pn_lance_file_bytes(ivf->coarse) +
                                             pn_lance_file_bytes(ivf->fine),
                               .n_partitions = ivf->n_partitions,
                               .code_bytes = ivf->n_subs};
}
