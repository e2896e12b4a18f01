/*
 * npy.c - NumPy files of floats, as bytes
 *
 * The dictionary is looked through for its three keys, which NumPy always writes; it is not parsed as Python.
 */
#include "base/npy.h"

#include "base/endian.h"
#include "base/half.h"

#include <inttypes.h>
#include <string.h>

enum { ALIGNMENT = 64, DESCRIPTION_SHOWN = 40 };

size_t pn_npy_header_bytes(const uint8_t first[PN_NPY_FIRST_BYTES])
{
    if (memcmp(first, "\x93NUMPY", 6) != 0 || first[6] < 1 || first[6] > 3)
        return 0;
    return first[6] == 1 ? (size_t)10 + pn_load_le16(first + 8)
                         : (size_t)PN_NPY_FIRST_BYTES + pn_load_le32(first + 8);
}

/* What stands behind 'key': in the dictionary, without blanks in front. */
static pn_str value_of(pn_str dictionary, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i + n <= dictionary.len; i++)
        if (memcmp(dictionary.ptr + i, key, n) == 0)
            return pn_str_trim(pn_str_make(dictionary.ptr + i + n, dictionary.len - i - n));
    return (pn_str){"", 0};
}

/* "(3, 512)", "(512,)", "()" */
static pn_status parse_shape(pn_str text, pn_npy_header *out, pn_error *err)
{
    const char *close = text.len > 0 ? memchr(text.ptr, ')', text.len) : NULL;
    pn_str rest = close && text.ptr[0] == '('
                      ? pn_str_trim(pn_str_make(text.ptr + 1, (size_t)(close - text.ptr) - 1))
                      : (pn_str){"?", 1};
    while (rest.ptr && rest.len > 0) {
        uint64_t n;
        pn_str size = pn_str_trim(pn_str_split(&rest, ','));
        if (!pn_str_to_u64(size, &n))
            return pn_fail(err, PN_ERR_INVALID, "the NumPy file has no shape that can be read");
        if (out->n_dims == PN_NPY_MAX_DIMS)
            return pn_fail(err, PN_ERR_LIMIT,
                           "the NumPy file has more than %d dimensions, which is the limit",
                           PN_NPY_MAX_DIMS);
        out->shape[out->n_dims++] = n;
    }
    return PN_OK;
}

/* Of a value, what fits a message: up to its comma, plain characters, and not all of a long name. */
static pn_str shown(pn_str value)
{
    pn_str first = pn_str_split(&value, ',');
    size_t n = 0;
    while (n < first.len && n < DESCRIPTION_SHOWN && first.ptr[n] >= ' ' && first.ptr[n] <= '~')
        n++;
    return n > 0 ? pn_str_make(first.ptr, n) : PN_STR_LITERAL("something");
}

static size_t bytes_of_number(pn_str description)
{
    static const char *const names[] = {"'<f2'", "'<f4'", "'<f8'"};
    for (size_t i = 0; i < PN_COUNT_OF(names); i++)
        if (pn_str_starts_with(description, names[i]))
            return (size_t)2 << i;
    return 0;
}

pn_status pn_npy_header_parse(pn_str head, pn_npy_header *out, pn_error *err)
{
    pn_npy_header header = {0};
    pn_str numbers = value_of(head, "'descr':"), found = shown(numbers);
    header.number_bytes = bytes_of_number(numbers);
    if (header.number_bytes == 0)
        return pn_fail(err, PN_ERR_INVALID,
                       "the NumPy file holds " PN_STR_FORMAT
                       ", not float16, float32 or float64 (little-endian)",
                       PN_STR_ARG(found));
    if (!pn_str_starts_with(value_of(head, "'fortran_order':"), "False"))
        return pn_fail(err, PN_ERR_INVALID, "the NumPy file is ordered by columns");
    PN_TRY(parse_shape(value_of(head, "'shape':"), &header, err));
    *out = header;
    return PN_OK;
}

/* "(3, 512)", "(512,)" */
static pn_status append_shape(const uint64_t *shape, size_t n_dims, pn_buffer *out, pn_error *err)
{
    PN_TRY(pn_buffer_append_text(out, "(", err));
    for (size_t i = 0; i < n_dims; i++)
        PN_TRY(pn_buffer_append_format(out, err, "%s%" PRIu64, i > 0 ? ", " : "", shape[i]));
    return pn_buffer_append_text(out, n_dims == 1 ? ",)" : ")", err);
}

pn_status pn_npy_header_append(const uint64_t *shape, size_t n_dims, pn_buffer *out, pn_error *err)
{
    uint8_t head[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 0, 0};
    size_t start = out->n_bytes;
    pn_assert(n_dims <= PN_NPY_MAX_DIMS);
    PN_TRY(pn_buffer_append(out, head, sizeof head, err));
    PN_TRY(pn_buffer_append_text(out, "{'descr': '<f4', 'fortran_order': False, 'shape': ", err));
    PN_TRY(append_shape(shape, n_dims, out, err));
    PN_TRY(pn_buffer_append_text(out, ", }", err));
    size_t used = out->n_bytes - start + 1; // and the line end
    PN_TRY(pn_buffer_append_fill(out, ' ', (ALIGNMENT - used % ALIGNMENT) % ALIGNMENT, err));
    PN_TRY(pn_buffer_append(out, "\n", 1, err));
    pn_store_le16(out->data + start + 8, (uint16_t)(out->n_bytes - start - 10));
    return PN_OK;
}

void pn_npy_numbers(const pn_npy_header *header, const void *bytes, size_t n, double *out)
{
    const uint8_t *at = bytes;
    float single;
    pn_assert(header->number_bytes == 2 || header->number_bytes == 4 || header->number_bytes == 8);
    for (size_t i = 0; i < n && header->number_bytes == 2; i++)
        out[i] = pn_half_value(pn_load_le16(at + 2 * i));
    for (size_t i = 0; i < n && header->number_bytes == 4; i++) {
        memcpy(&single, at + 4 * i, sizeof single);
        out[i] = (double)single;
    }
    if (header->number_bytes == 8)
        memcpy(out, at, n * sizeof *out);
}
