/*
 * page_dictionary.c - one pass over the values, with a hash table of those seen
 *
 * A column that is declared a dictionary is a dictionary in LanceDB's memory, and its reader takes it from pages that have one,
 * not from plain values. The items stand in the order in which the page has them first. Null values have index 0, which is
 * looked at by nobody, but must be one of the items: a page of nulls has an item of nothing. Before version 2.1 pages had no levels;
 * there the null is one more item, the last.
 *
 *     block of strings    bits of an offset, start of the bytes, offsets [n + 1], bytes; all numbers of that many bits
 *     of others           values [n]
 *
 * The table holds item numbers + 1 in 2^k slots, at most half full, and is probed from the hash onwards.
 */
#include "lance/page_dictionary.h"

#include "base/alloc.h"
#include "base/endian.h"
#include "base/hash.h"

#include <string.h>

enum { FIRST_SLOTS = 256 };

typedef struct making {
    const pn_stream *entries;
    const pn_field *leaf;
    pn_page_dictionary *out;
    uint32_t *slots;
    size_t n_slots, max_items;
    pn_error *err;
} making;

static pn_str value_at(const making *m, size_t i)
{
    const char *data = (const char *)m->entries->data.data;
    if (!pn_type_is_variable(m->leaf->type)) {
        size_t width = pn_type_width(m->leaf);
        return (pn_str){data + i * width, width};
    }
    const int64_t *offsets = (const int64_t *)(const void *)m->entries->offsets.data;
    size_t n = (size_t)(offsets[i + 1] - offsets[i]);
    return (pn_str){n > 0 ? data + offsets[i] : "", n};
}

static pn_str item_at(const making *m, size_t i)
{
    const int64_t *ends = (const int64_t *)(const void *)m->out->ends.data;
    int64_t start = i > 0 ? ends[i - 1] : 0;
    size_t n = (size_t)(ends[i] - start);
    return (pn_str){n > 0 ? (const char *)m->out->bytes.data + start : "", n};
}

/* Where the value is, or would be. */
static uint32_t *find_slot(const making *m, pn_str value)
{
    size_t at = (size_t)pn_hash64(value.ptr, value.len) & (m->n_slots - 1);
    while (m->slots[at] != 0) {
        pn_str item = item_at(m, m->slots[at] - 1);
        if (item.len == value.len && memcmp(item.ptr, value.ptr, value.len) == 0)
            break;
        at = (at + 1) & (m->n_slots - 1);
    }
    return &m->slots[at];
}

static pn_status grow_slots(making *m)
{
    size_t n = m->n_slots > 0 ? 2 * m->n_slots : FIRST_SLOTS;
    uint32_t *slots = pn_alloc_zero(n * sizeof *slots);
    if (!slots)
        return pn_fail_nomem(m->err);
    pn_free(m->slots);
    m->slots = slots;
    m->n_slots = n;
    for (size_t i = 0; i < m->out->n_items; i++)
        *find_slot(m, item_at(m, i)) = (uint32_t)i + 1;
    return PN_OK;
}

static pn_status append_item(making *m, pn_str value)
{
    if (value.len > 0)
        PN_TRY(pn_buffer_append(&m->out->bytes, value.ptr, value.len, m->err));
    int64_t end = (int64_t)m->out->bytes.n_bytes;
    PN_TRY(pn_buffer_append(&m->out->ends, &end, sizeof end, m->err));
    m->out->n_items++;
    return PN_OK;
}

static pn_status fail_full(const making *m, const char *with)
{
    return pn_fail(m->err, PN_ERR_LIMIT,
                   "column \"%s\": over %zu different values%s, which its dictionary's type of "
                   "index does not count",
                   m->leaf->name, m->max_items, with);
}

static pn_status find_item(making *m, pn_str value, uint64_t *item)
{
    if (!m->slots || 2 * (m->out->n_items + 1) > m->n_slots)
        PN_TRY(grow_slots(m));
    uint32_t *slot = find_slot(m, value);
    if (*slot == 0) {
        if (m->out->n_items == m->max_items)
            return fail_full(m, "");
        PN_TRY(append_item(m, value));
        *slot = (uint32_t)m->out->n_items;
    }
    *item = *slot - 1;
    return PN_OK;
}

static pn_status append_nothing(making *m)
{
    static const char zeros[8];
    size_t n = pn_type_is_variable(m->leaf->type) ? 0 : pn_type_width(m->leaf);
    pn_assert(n <= sizeof zeros);
    return append_item(m, (pn_str){zeros, n});
}

/* *n_nulls counts the values among which index 0 means none. */
static pn_status make_indices(making *m, const pn_leaf_path *path, size_t *n_nulls)
{
    size_t value = 0;
    *n_nulls = 0;
    for (size_t i = 0; i < m->entries->n_entries; i++) {
        uint8_t stop = m->entries->stop.data[i], bytes[8];
        uint64_t item = 0;
        if (!pn_stop_is_visible(path, stop))
            continue;
        if (stop == 0)
            PN_TRY(find_item(m, value_at(m, value), &item));
        else
            ++*n_nulls;
        value++;
        pn_store_le64(bytes, item);
        PN_TRY(
            pn_buffer_append(&m->out->indices.data, bytes, pn_type_width(&m->out->index), m->err));
    }
    return PN_OK;
}

/* The null becomes the last item; all entries are visible. */
static pn_status point_at_null(making *m)
{
    size_t width = pn_type_width(&m->out->index);
    uint8_t bytes[8];
    if (m->out->n_items == m->max_items)
        return fail_full(m, " with the null");
    m->out->null_item = m->out->n_items;
    PN_TRY(append_nothing(m));
    pn_store_le64(bytes, m->out->null_item);
    for (size_t i = 0; i < m->entries->n_entries; i++)
        if (m->entries->stop.data[i] != 0)
            memcpy(m->out->indices.data.data + i * width, bytes, width);
    return PN_OK;
}

static size_t most_items(pn_type_id index, size_t width)
{
    bool has_sign = index == PN_TYPE_INT8 || index == PN_TYPE_INT16 || index == PN_TYPE_INT32 ||
                    index == PN_TYPE_INT64;
    return width >= 4 ? INT32_MAX : (size_t)1 << (8 * width - has_sign);
}

pn_status pn_page_dictionary_make(const pn_stream *entries, const pn_leaf_path *path,
                                  bool null_item, pn_page_dictionary *out, pn_error *err)
{
    const pn_field *leaf = path->nodes[path->n - 1];
    size_t n_nulls;
    *out = (pn_page_dictionary){.indices = *entries, .null_item = SIZE_MAX};
    pn_field_init(&out->index, leaf->name, leaf->index_type, leaf->nullable);
    size_t width = pn_type_width(&out->index);
    out->indices.variable = false;
    out->indices.width = width;
    pn_buffer_init(&out->indices.data, entries->data.max_bytes);
    pn_buffer_init(&out->bytes, entries->data.max_bytes);
    pn_buffer_init(&out->ends, entries->data.max_bytes);
    making m = {.entries = entries,
                .leaf = leaf,
                .out = out,
                .max_items = most_items(leaf->index_type, width),
                .err = err};
    pn_status status = make_indices(&m, path, &n_nulls);
    if (status == PN_OK && null_item && n_nulls > 0)
        status = point_at_null(&m);
    else if (status == PN_OK && out->n_items == 0)
        status = append_nothing(&m);
    pn_free(m.slots);
    return status;
}

static pn_status append_number(pn_buffer *out, uint64_t number, size_t width, pn_error *err)
{
    uint8_t bytes[8];
    pn_store_le64(bytes, number);
    return pn_buffer_append(out, bytes, width, err);
}

pn_status pn_page_dictionary_block(const pn_page_dictionary *dictionary, const pn_field *leaf,
                                   pn_buffer *out, pn_error *err)
{
    bool large = leaf->type == PN_TYPE_LARGE_STRING || leaf->type == PN_TYPE_LARGE_BINARY;
    size_t width = large ? 8 : 4, n = dictionary->n_items;
    if (pn_type_is_variable(leaf->type)) {
        PN_TRY(append_number(out, 8 * width, width, err));
        PN_TRY(append_number(out, (n + 3) * width, width, err));
        PN_TRY(append_number(out, 0, width, err));
        for (size_t i = 0; i < n; i++)
            PN_TRY(append_number(out, pn_load_le64(dictionary->ends.data + 8 * i), width, err));
    }
    return dictionary->bytes.n_bytes == 0
               ? PN_OK
               : pn_buffer_append(out, dictionary->bytes.data, dictionary->bytes.n_bytes, err);
}

void pn_page_dictionary_reset(pn_page_dictionary *dictionary)
{
    pn_buffer_reset(&dictionary->indices.data);
    pn_buffer_reset(&dictionary->bytes);
    pn_buffer_reset(&dictionary->ends);
}
