/*
 * npy_header.c - the head of a NumPy file with a matrix of floats
 *
 * The dictionary is looked through for its three keys, which NumPy always writes; it is not parsed as Python.
 */
#include "transfer/npy_header.h"

#include "base/endian.h"

#include <inttypes.h>
#include <string.h>

enum { FIRST_BYTES = 12, ALIGNMENT = 64 };

size_t pn_npy_header_bytes(const uint8_t first[12])
{
    if (memcmp(first, "\x93NUMPY", 6) != 0 || first[6] < 1 || first[6] > 3)
        return 0;
    return first[6] == 1 ? (size_t)10 + pn_load_le16(first + 8)
                         : (size_t)FIRST_BYTES + pn_load_le32(first + 8);
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

/* "(3, 512)" */
static bool parse_shape(pn_str text, pn_npy_header *out)
{
    const char *close = text.len > 0 ? memchr(text.ptr, ')', text.len) : NULL;
    if (!close || text.ptr[0] != '(')
        return false;
    pn_str rest = pn_str_make(text.ptr + 1, (size_t)(close - text.ptr) - 1);
    pn_str rows = pn_str_trim(pn_str_split(&rest, ','));
    pn_str columns = rest.ptr ? pn_str_trim(rest) : (pn_str){"", 0};
    return pn_str_to_u64(rows, &out->n_rows) && pn_str_to_u64(columns, &out->n_columns);
}

pn_status pn_npy_header_parse(pn_str head, pn_npy_header *out, pn_error *err)
{
    pn_npy_header header = {0};
    pn_str numbers = value_of(head, "'descr':");
    if (pn_str_starts_with(numbers, "'<f4'"))
        header.number_bytes = 4;
    else if (pn_str_starts_with(numbers, "'<f8'"))
        header.number_bytes = 8;
    else
        return pn_fail(err, PN_ERR_INVALID,
                       "the NumPy file holds neither float32 nor float64 (little-endian)");
    if (!pn_str_starts_with(value_of(head, "'fortran_order':"), "False"))
        return pn_fail(err, PN_ERR_INVALID, "the NumPy file is ordered by columns");
    if (!parse_shape(value_of(head, "'shape':"), &header))
        return pn_fail(err, PN_ERR_INVALID, "the NumPy file is not a matrix of rows and columns");
    *out = header;
    return PN_OK;
}

pn_status pn_npy_header_append(uint64_t n_rows, uint64_t n_columns, pn_buffer *out, pn_error *err)
{
    uint8_t head[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 0, 0};
    size_t start = out->n_bytes;
    PN_TRY(pn_buffer_append(out, head, sizeof head, err));
    PN_TRY(pn_buffer_append_format(
        out, err, "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRIu64 ", %" PRIu64 "), }",
        n_rows, n_columns));
    size_t used = out->n_bytes - start + 1; // and the line end
    PN_TRY(pn_buffer_append_fill(out, ' ', (ALIGNMENT - used % ALIGNMENT) % ALIGNMENT, err));
    PN_TRY(pn_buffer_append(out, "\n", 1, err));
    pn_store_le16(out->data + start + 8, (uint16_t)(out->n_bytes - start - 10));
    return PN_OK;
}
