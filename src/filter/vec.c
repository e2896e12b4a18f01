/*
 * vec.c - columns become vecs
 *
 * A column of any width becomes 8-byte values (16 for text: pointer and length, the bytes stay where they are), so that
 * every comparison has one loop per kind and not one per pair of types. Nested values are not copied at all: a map, a
 * struct or a list is a row number into its array, and access to a member, a key or an item is a list of row numbers
 * from which the next vec is loaded. That way  metadata['price']  touches the entries of the map and nothing else.
 */
#include "filter/vec.h"

#include "column/decimal.h"

static const int64_t MS_PER_DAY = 86400000;

static bool unit_is_known(const pn_field *field)
{
    return field->unit >= PN_UNIT_SECOND && field->unit <= PN_UNIT_NANO;
}

/* Whole ones are integers, so that ids stay exact; the others are reals. */
static pn_kind decimal_kind(const pn_field *field)
{
    if (field->scale < -PN_DECIMAL_MAX_SCALE || field->scale > PN_DECIMAL_MAX_SCALE)
        return PN_KIND_OTHER;
    return field->scale == 0 ? PN_KIND_INT : PN_KIND_DOUBLE;
}

pn_kind pn_field_kind(const pn_field *field)
{
    switch (field->type) {
    case PN_TYPE_NULL:
        return PN_KIND_NULL;
    case PN_TYPE_BOOL:
        return PN_KIND_BOOL;
    case PN_TYPE_INT8:
    case PN_TYPE_INT16:
    case PN_TYPE_INT32:
    case PN_TYPE_INT64:
    case PN_TYPE_UINT8:
    case PN_TYPE_UINT16:
    case PN_TYPE_UINT32:
        return PN_KIND_INT;
    case PN_TYPE_UINT64:
        return PN_KIND_UINT;
    case PN_TYPE_HALF:
    case PN_TYPE_FLOAT:
    case PN_TYPE_DOUBLE:
        return PN_KIND_DOUBLE;
    case PN_TYPE_STRING:
    case PN_TYPE_LARGE_STRING:
        return PN_KIND_TEXT;
    case PN_TYPE_BINARY:
    case PN_TYPE_LARGE_BINARY:
    case PN_TYPE_FIXED_SIZE_BINARY:
        return field->is_json ? PN_KIND_OTHER : PN_KIND_BYTES;
    case PN_TYPE_DATE32:
    case PN_TYPE_DATE64:
        return PN_KIND_DATE;
    case PN_TYPE_TIMESTAMP:
        return unit_is_known(field) ? PN_KIND_TIME : PN_KIND_OTHER;
    case PN_TYPE_FIXED_SIZE_LIST:
    case PN_TYPE_LIST:
    case PN_TYPE_LARGE_LIST:
        return PN_KIND_LIST;
    case PN_TYPE_STRUCT:
        return PN_KIND_STRUCT;
    case PN_TYPE_MAP:
        return PN_KIND_MAP;
    case PN_TYPE_TIME32:
    case PN_TYPE_TIME64:
    case PN_TYPE_DURATION:
        return PN_KIND_OTHER;
    case PN_TYPE_DECIMAL128:
    case PN_TYPE_DECIMAL256:
        return decimal_kind(field);
    }
    return PN_KIND_OTHER;
}

static size_t bytes_each(pn_kind kind)
{
    return kind == PN_KIND_TEXT || kind == PN_KIND_BYTES ? sizeof(pn_str) : sizeof(int64_t);
}

pn_status pn_vec_create(pn_kind kind, pn_time_unit unit, size_t n, pn_arena *arena, pn_vec *out,
                        pn_error *err)
{
    pn_vec vec = {.kind = kind, .unit = unit, .n = n};
    size_t n_words = pn_words_for_bits(n);
    if (kind == PN_KIND_BOOL) {
        vec.yes = PN_ARENA_NEW(arena, uint64_t, n_words);
        vec.no = PN_ARENA_NEW(arena, uint64_t, n_words);
        if (!vec.yes || !vec.no)
            return pn_fail_nomem(err);
    } else if (kind != PN_KIND_NULL) {
        vec.valid = PN_ARENA_NEW(arena, uint64_t, n_words);
        vec.i = pn_arena_alloc_zero(arena, n, bytes_each(kind));
        if (kind == PN_KIND_LIST)
            vec.lens = PN_ARENA_NEW(arena, int64_t, n);
        if (!vec.valid || !vec.i || (kind == PN_KIND_LIST && !vec.lens))
            return pn_fail_nomem(err);
        if (kind >= PN_KIND_LIST)
            memset(vec.starts, 0xFF, n * sizeof *vec.starts); // -1: NULL
    }
    *out = vec;
    return PN_OK;
}

static pn_status decimal_value(const pn_array *array, size_t i, pn_value *out, pn_error *err)
{
    const pn_field *field = array->field;
    size_t width = pn_type_width(field);
    const uint8_t *bytes = (const uint8_t *)array->values + i * width;
    char text[PN_DECIMAL_TEXT_BYTES];
    *out = (pn_value){.kind = decimal_kind(field)};
    if (!pn_array_is_valid(array, i) || out->kind == PN_KIND_OTHER)
        out->kind = PN_KIND_NULL;
    if (out->kind == PN_KIND_NULL ||
        (out->kind == PN_KIND_INT ? pn_decimal_to_i64(bytes, width, &out->i)
                                  : pn_decimal_to_double(bytes, width, field->scale, &out->f)))
        return PN_OK;
    bool is_text = pn_decimal_to_text(bytes, width, field->scale, text);
    return pn_fail(
        err, PN_ERR_LIMIT,
        "filter: column \"%s\" has %s, which is beyond the 64 bits that filters count with",
        field->name, is_text ? text : "a decimal");
}

static void plain_value(const pn_array *array, size_t i, pn_value *out)
{
    pn_value value = {.kind = pn_field_kind(array->field), .unit = array->field->unit};
    if (!pn_array_is_valid(array, i))
        value.kind = PN_KIND_NULL;
    switch (value.kind) {
    case PN_KIND_BOOL:
        value.b = pn_array_i64(array, i) != 0;
        break;
    case PN_KIND_INT:
    case PN_KIND_TIME:
        value.i = pn_array_i64(array, i);
        break;
    case PN_KIND_DATE:
        value.i = pn_array_i64(array, i);
        if (array->field->type == PN_TYPE_DATE64)
            value.i = value.i / MS_PER_DAY - (value.i % MS_PER_DAY < 0);
        break;
    case PN_KIND_UINT:
        value.u = pn_array_u64(array, i);
        break;
    case PN_KIND_DOUBLE:
        value.f = pn_array_double(array, i);
        break;
    case PN_KIND_TEXT:
    case PN_KIND_BYTES:
        if (array->field->type == PN_TYPE_FIXED_SIZE_BINARY)
            value.text = pn_str_make((const char *)array->values + i * (size_t)array->field->size,
                                     (size_t)array->field->size);
        else
            value.text = pn_array_bytes(array, i);
        break;
    case PN_KIND_NULL:
    case PN_KIND_LIST:
    case PN_KIND_MAP:
    case PN_KIND_STRUCT:
    case PN_KIND_OTHER:
        value.kind = PN_KIND_NULL;
        break;
    }
    *out = value;
}

pn_status pn_array_value(const pn_array *array, size_t i, pn_value *out, pn_error *err)
{
    if (pn_type_is_decimal(array->field->type))
        return decimal_value(array, i, out, err);
    plain_value(array, i, out);
    return PN_OK;
}

/* A list, map, struct or opaque value: its place in the array. */
static void load_place(const pn_array *array, size_t row, pn_vec *vec, size_t i)
{
    if (!pn_array_is_valid(array, row))
        return;
    pn_word_bit_set(vec->valid, i);
    if (vec->kind != PN_KIND_LIST) {
        vec->starts[i] = (int64_t)row;
    } else if (array->field->type == PN_TYPE_FIXED_SIZE_LIST) {
        vec->starts[i] = (int64_t)row * array->field->size;
        vec->lens[i] = array->field->size;
    } else {
        vec->starts[i] = array->offsets[row];
        vec->lens[i] = array->offsets[row + 1] - array->offsets[row];
    }
}

static void load_validity(const pn_array *array, size_t n, pn_vec *vec)
{
    for (size_t w = 0; w < pn_words_for_bits(n); w++)
        vec->valid[w] = pn_word_mask(w, n);
    if (!array->validity)
        return;
    memcpy(vec->valid, array->validity, pn_bytes_for_bits(n));
    if (n > 0)
        vec->valid[(n - 1) / 64] &= pn_word_mask((n - 1) / 64, n);
}

/* The frequent columns, all rows, without a switch per row; false for the others. */
static bool load_fast(const pn_array *array, size_t n, pn_vec *vec)
{
    pn_type_id type = array->field->type;
    const char *values = array->values;
    if (type == PN_TYPE_INT64 || type == PN_TYPE_TIMESTAMP || type == PN_TYPE_DOUBLE) {
        if (n > 0)
            memcpy(vec->i, values, n * sizeof(int64_t));
    } else if (type == PN_TYPE_INT32) {
        for (size_t i = 0; i < n; i++) {
            int32_t value;
            memcpy(&value, values + i * sizeof value, sizeof value);
            vec->i[i] = value;
        }
    } else if (type == PN_TYPE_FLOAT) {
        for (size_t i = 0; i < n; i++) {
            float value;
            memcpy(&value, values + i * sizeof value, sizeof value);
            vec->f[i] = (double)value;
        }
    } else if (type == PN_TYPE_STRING || type == PN_TYPE_LARGE_STRING) {
        for (size_t i = 0; i < n; i++)
            if (pn_array_is_valid(array, i))
                vec->text[i] = pn_array_bytes(array, i);
    } else {
        return false;
    }
    load_validity(array, n, vec);
    return true;
}

pn_status pn_vec_load(const pn_array *array, const int64_t *index, size_t n, pn_arena *arena,
                      pn_vec *out, pn_error *err)
{
    pn_vec vec;
    pn_kind kind = pn_field_kind(array->field);
    PN_TRY(pn_vec_create(kind, array->field->unit, n, arena, &vec, err));
    bool is_nested = kind >= PN_KIND_LIST;
    if (kind == PN_KIND_LIST)
        vec.array = &array->children[0];
    else if (is_nested)
        vec.array = array;
    if (kind == PN_KIND_NULL || (!index && load_fast(array, n, &vec))) {
        *out = vec;
        return PN_OK;
    }
    for (size_t i = 0; i < n; i++) {
        int64_t row = index ? index[i] : (int64_t)i;
        pn_value value;
        if (row < 0)
            continue;
        if (is_nested) {
            load_place(array, (size_t)row, &vec, i);
            continue;
        }
        PN_TRY(pn_array_value(array, (size_t)row, &value, err));
        pn_vec_set(&vec, i, &value);
    }
    *out = vec;
    return PN_OK;
}

pn_status pn_vec_load_validity(const pn_array *array, size_t n, pn_arena *arena, pn_vec *out,
                               pn_error *err)
{
    pn_vec vec = {.kind = array->field->type == PN_TYPE_NULL ? PN_KIND_NULL : PN_KIND_OTHER,
                  .n = n,
                  .valid = PN_ARENA_NEW(arena, uint64_t, pn_words_for_bits(n))};
    if (!vec.valid)
        return pn_fail_nomem(err);
    load_validity(array, n, &vec);
    *out = vec;
    return PN_OK;
}

int64_t pn_map_find(const pn_array *map, int64_t row, pn_str key)
{
    const pn_array *keys = &map->children[0].children[0];
    for (int64_t entry = map->offsets[row + 1]; entry-- > map->offsets[row];)
        if (pn_str_equal(pn_array_bytes(keys, (size_t)entry), key))
            return entry;
    return -1;
}

void pn_vec_get(const pn_vec *vec, size_t i, pn_value *out)
{
    pn_value value = {.kind = vec->kind, .unit = vec->unit};
    i = vec->is_const ? 0 : i;
    if (vec->kind == PN_KIND_BOOL) {
        value.b = pn_word_bit_get(vec->yes, i);
        if (!value.b && !pn_word_bit_get(vec->no, i))
            value.kind = PN_KIND_NULL;
    } else if (vec->kind == PN_KIND_NULL || !pn_word_bit_get(vec->valid, i)) {
        value.kind = PN_KIND_NULL;
    } else if (vec->kind == PN_KIND_DOUBLE) {
        value.f = vec->f[i];
    } else if (vec->kind == PN_KIND_TEXT || vec->kind == PN_KIND_BYTES) {
        value.text = vec->text[i];
    } else {
        value.i = vec->i[i]; // the bits of UINT, too
    }
    *out = value;
}

void pn_vec_set(pn_vec *vec, size_t i, const pn_value *value)
{
    if (value->kind == PN_KIND_NULL)
        return;
    pn_assert_hot(value->kind == vec->kind);
    if (vec->kind == PN_KIND_BOOL) {
        pn_word_bit_set(value->b ? vec->yes : vec->no, i);
        return;
    }
    pn_word_bit_set(vec->valid, i);
    if (vec->kind == PN_KIND_DOUBLE)
        vec->f[i] = value->f;
    else if (vec->kind == PN_KIND_TEXT || vec->kind == PN_KIND_BYTES)
        vec->text[i] = value->text;
    else
        vec->i[i] = value->i;
}

uint64_t pn_vec_valid_word(const pn_vec *vec, size_t word_i, size_t n)
{
    uint64_t all = pn_word_mask(word_i, n);
    if (vec->kind == PN_KIND_NULL)
        return 0;
    if (vec->is_const) {
        uint64_t word = vec->kind == PN_KIND_BOOL ? vec->yes[0] | vec->no[0] : vec->valid[0];
        return (word & 1) ? all : 0;
    }
    if (vec->kind == PN_KIND_BOOL)
        return vec->yes[word_i] | vec->no[word_i];
    return vec->valid[word_i];
}

pn_status pn_vec_spread_bool(pn_vec *vec, size_t n, pn_arena *arena, pn_error *err)
{
    pn_assert(vec->kind == PN_KIND_BOOL || vec->kind == PN_KIND_NULL);
    if (vec->kind == PN_KIND_BOOL && !vec->is_const)
        return PN_OK;
    pn_vec wide;
    PN_TRY(pn_vec_create(PN_KIND_BOOL, PN_UNIT_SECOND, n, arena, &wide, err));
    for (size_t w = 0; vec->kind == PN_KIND_BOOL && w < pn_words_for_bits(n); w++) {
        wide.yes[w] = (vec->yes[0] & 1) ? pn_word_mask(w, n) : 0;
        wide.no[w] = (vec->no[0] & 1) ? pn_word_mask(w, n) : 0;
    }
    *vec = wide;
    return PN_OK;
}
