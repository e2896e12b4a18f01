/*
 * upsert_keys.c - keys as bytes, in a hash table
 *
 * The key of one column is the bytes of its value, wherever they are; of several columns the values one behind another, those that
 * vary in length with their length before them, so that ("a", "bc") is not ("ab", "c"). Bytes are kept, not only their hash: two keys of
 * one hash can be made by who wants to, and one would then overwrite the other's row.
 *
 * The table is open addressing over a dense list, at most half full. A row of the table that has no match usually ends at its first
 * slot, without a look at any bytes.
 *
 * Numbers with a fraction are compared by their bytes, too, as LanceDB's merge insert does: -0 is not 0, and a NaN is itself. What LanceDB
 * makes of a JavaScript object has such a number in each column of numbers, its ids among them.
 */
#include "dataset/upsert_keys.h"

#include "base/alloc.h"
#include "base/hash.h"

#include <inttypes.h>
#include <string.h>

enum { FIRST_SLOTS = 1024, MAX_TOLD_BYTES = 100 };

static bool can_be_key(const pn_field *field)
{
    if (field->is_json || field->is_blob)
        return false;
    return field->type >= PN_TYPE_BOOL && field->type <= PN_TYPE_FIXED_SIZE_BINARY;
}

pn_status pn_upsert_keys_init(pn_upsert_keys *keys, const pn_field **fields, size_t n_fields,
                              pn_error *err)
{
    *keys = (pn_upsert_keys){.fields = fields, .n_fields = n_fields};
    pn_buffer_init(&keys->bytes, PN_UPSERT_MAX_KEY_BYTES);
    if (n_fields == 0)
        return pn_fail(err, PN_ERR_INVALID, "an upsert needs a column as its key");
    for (size_t i = 0; i < n_fields; i++) {
        if (!can_be_key(fields[i]))
            return pn_fail(err, PN_ERR_UNSUPPORTED,
                           "column \"%s\" cannot be a key: keys are numbers, texts, bytes, times, "
                           "decimals or booleans",
                           fields[i]->name);
        for (size_t k = 0; k < i; k++)
            if (fields[k] == fields[i])
                return pn_fail(err, PN_ERR_INVALID, "column \"%s\" is twice in the key",
                               fields[i]->name);
    }
    return PN_OK;
}

void pn_upsert_keys_reset(pn_upsert_keys *keys)
{
    pn_buffer_reset(&keys->bytes);
    pn_free(keys->keys);
    pn_free(keys->slots);
    *keys = (pn_upsert_keys){0};
}

/* ---- a key as bytes ---- */

static pn_str value_at(const pn_array *column, size_t i)
{
    static const char booleans[2] = {0, 1};
    size_t width = pn_type_width(column->field);
    if (column->field->type == PN_TYPE_BOOL)
        return pn_str_make(&booleans[pn_array_i64(column, i) != 0], 1);
    if (pn_type_is_variable(column->field->type))
        return pn_array_bytes(column, i);
    return pn_str_make((const char *)column->values + i * width, width);
}

pn_status pn_upsert_key_at(const pn_upsert_keys *keys, const pn_array *columns, size_t i,
                           pn_buffer *scratch, pn_str *out, bool *is_null, pn_error *err)
{
    *is_null = false;
    for (size_t k = 0; k < keys->n_fields; k++)
        *is_null = *is_null || !pn_array_is_valid(&columns[k], i);
    if (*is_null)
        return PN_OK;
    if (keys->n_fields == 1) {
        *out = value_at(&columns[0], i);
        return PN_OK;
    }
    pn_buffer_clear(scratch);
    for (size_t k = 0; k < keys->n_fields; k++) {
        pn_str value = value_at(&columns[k], i);
        uint64_t n = value.len;
        if (pn_type_is_variable(columns[k].field->type))
            PN_TRY(pn_buffer_append(scratch, &n, sizeof n, err));
        PN_TRY(pn_buffer_append(scratch, value.ptr, value.len, err));
    }
    *out = pn_str_make((const char *)scratch->data, scratch->n_bytes);
    return PN_OK;
}

/* ---- keys for people ---- */

static int64_t number_of(pn_str value, bool is_signed)
{
    uint64_t bits = 0;
    memcpy(&bits, value.ptr, PN_MIN(value.len, sizeof bits)); // little-endian, as arrays are
    unsigned unused = 64 - 8 * (unsigned)PN_MIN(value.len, sizeof bits);
    return is_signed ? (int64_t)(bits << unused) >> unused : (int64_t)bits;
}

static double real_of(const pn_field *field, pn_str value)
{
    uint64_t bits = 0; // values of a key lie anywhere
    const pn_array one = {.field = field, .length = 1, .values = &bits};
    memcpy(&bits, value.ptr, PN_MIN(value.len, sizeof bits));
    return pn_array_double(&one, 0);
}

static pn_status tell_value(const pn_field *field, pn_str value, pn_buffer *out, pn_error *err)
{
    if (field->type == PN_TYPE_STRING || field->type == PN_TYPE_LARGE_STRING)
        return pn_buffer_append_format(out, err, "%s = \"%.*s\"%s", field->name,
                                       (int)PN_MIN(value.len, (size_t)MAX_TOLD_BYTES), value.ptr,
                                       value.len > MAX_TOLD_BYTES ? "..." : "");
    if (field->type == PN_TYPE_BOOL)
        return pn_buffer_append_format(out, err, "%s = %s", field->name,
                                       value.ptr[0] ? "true" : "false");
    if (field->type >= PN_TYPE_UINT8 && field->type <= PN_TYPE_UINT64)
        return pn_buffer_append_format(out, err, "%s = %" PRIu64, field->name,
                                       (uint64_t)number_of(value, false));
    if (pn_type_is_integer(field->type) ||
        (field->type >= PN_TYPE_DATE32 && field->type <= PN_TYPE_DURATION))
        return pn_buffer_append_format(out, err, "%s = %" PRId64, field->name,
                                       number_of(value, true));
    if (field->type >= PN_TYPE_HALF && field->type <= PN_TYPE_DOUBLE)
        return pn_buffer_append_format(out, err, "%s = %.17g", field->name, real_of(field, value));
    PN_TRY(pn_buffer_append_format(out, err, "%s = 0x", field->name));
    for (size_t i = 0; i < value.len && i < MAX_TOLD_BYTES / 2; i++)
        PN_TRY(pn_buffer_append_format(out, err, "%02x", (unsigned)(uint8_t)value.ptr[i]));
    return PN_OK;
}

/* The other way of pn_upsert_key_at(). */
static pn_str split_value(const pn_upsert_keys *keys, size_t k, pn_str *rest)
{
    size_t n = keys->fields[k]->type == PN_TYPE_BOOL ? 1 : pn_type_width(keys->fields[k]);
    if (keys->n_fields == 1) {
        n = rest->len;
    } else if (pn_type_is_variable(keys->fields[k]->type)) {
        uint64_t told;
        memcpy(&told, rest->ptr, sizeof told);
        *rest = pn_str_make(rest->ptr + sizeof told, rest->len - sizeof told);
        n = (size_t)told;
    }
    pn_str value = pn_str_make(rest->ptr, n);
    *rest = pn_str_make(rest->ptr + n, rest->len - n);
    return value;
}

static pn_status twice(const pn_upsert_keys *keys, pn_str key, uint32_t first, uint32_t second,
                       pn_error *err)
{
    pn_buffer text;
    pn_status status = PN_OK;
    pn_buffer_init(&text, 1 << 16);
    for (size_t k = 0; k < keys->n_fields && status == PN_OK; k++) {
        pn_str value = split_value(keys, k, &key);
        if (k > 0)
            status = pn_buffer_append_text(&text, ", ", err);
        if (status == PN_OK)
            status = tell_value(keys->fields[k], value, &text, err);
    }
    const char *told = status == PN_OK ? pn_buffer_text(&text) : NULL;
    status =
        pn_fail(err, PN_ERR_INVALID, "the key %s is in two of the rows: %" PRIu32 " and %" PRIu32,
                told ? told : "", first + 1, second + 1);
    pn_buffer_reset(&text);
    return status;
}

/* ---- the table ---- */

static bool is_key(const pn_upsert_keys *keys, const pn_known_key *known, uint64_t hash, pn_str key)
{
    return known->hash == hash && known->n_bytes == key.len &&
           (key.len == 0 || memcmp(keys->bytes.data + known->off, key.ptr, key.len) == 0);
}

/* The slot of the key, or the empty one where it belongs. */
static uint32_t *find_slot(const pn_upsert_keys *keys, uint64_t hash, pn_str key)
{
    size_t mask = keys->n_slots - 1, at = (size_t)hash & mask;
    while (keys->slots[at] != 0 && !is_key(keys, &keys->keys[keys->slots[at] - 1], hash, key))
        at = (at + 1) & mask;
    return &keys->slots[at];
}

static pn_status grow(pn_upsert_keys *keys, pn_error *err)
{
    size_t n_slots = keys->n_slots > 0 ? keys->n_slots * 2 : FIRST_SLOTS;
    size_t capacity = n_slots / 2;
    pn_known_key *list = pn_realloc(keys->keys, capacity * sizeof *list);
    if (!list)
        return pn_fail_nomem(err);
    keys->keys = list;
    keys->capacity = capacity;
    uint32_t *slots = pn_alloc_zero(n_slots * sizeof *slots);
    if (!slots)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < keys->n; i++) {
        size_t at = (size_t)list[i].hash & (n_slots - 1);
        while (slots[at] != 0)
            at = (at + 1) & (n_slots - 1);
        slots[at] = (uint32_t)i + 1;
    }
    pn_free(keys->slots);
    keys->slots = slots;
    keys->n_slots = n_slots;
    return PN_OK;
}

pn_status pn_upsert_keys_add(pn_upsert_keys *keys, pn_str key, uint32_t row, pn_error *err)
{
    uint64_t hash = pn_hash64(key.ptr, key.len);
    if (key.len > UINT32_MAX || row == PN_UPSERT_NO_ROW)
        return pn_fail(err, PN_ERR_LIMIT, "more keys, or longer ones, than an upsert takes");
    if (2 * (keys->n + 1) > keys->n_slots || keys->n == keys->capacity)
        PN_TRY(grow(keys, err));
    uint32_t *slot = find_slot(keys, hash, key);
    if (*slot != 0)
        return twice(keys, key, keys->keys[*slot - 1].row, row, err);
    size_t off = keys->bytes.n_bytes;
    PN_TRY(pn_buffer_append(&keys->bytes, key.ptr, key.len, err));
    keys->keys[keys->n] = (pn_known_key){hash, off, (uint32_t)key.len, row};
    *slot = (uint32_t)++keys->n;
    return PN_OK;
}

uint32_t pn_upsert_keys_find(const pn_upsert_keys *keys, pn_str key)
{
    if (keys->n == 0)
        return PN_UPSERT_NO_ROW;
    uint32_t slot = *find_slot(keys, pn_hash64(key.ptr, key.len), key);
    return slot != 0 ? keys->keys[slot - 1].row : PN_UPSERT_NO_ROW;
}
