/*
 * files.c - small readers and writers of the commands
 */
#include "cli/files.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/npy.h"
#include "base/str.h"
#include "cli/cli.h"
#include "os/fd.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

bool pn_cli_read_picture(const char *path, pn_buffer *out)
{
    pn_error err = {0};
    pn_buffer_init(out, PN_IMAGE_MAX_FILE_BYTES);
    if (pn_file_read(path, out, &err) == PN_OK)
        return true;
    pn_cli_error(&err);
    return false;
}

static bool vector_from_json(const json_t *json, float **out, size_t *dim)
{
    size_t n = json_array_size(json);
    float *values = n > 0 && n <= PN_EMBEDDING_MAX_DIM ? pn_alloc_array(n, sizeof *values) : NULL;
    for (size_t i = 0; values && i < n; i++) {
        if (!json_is_number(json_array_get(json, i))) {
            pn_free(values);
            return false;
        }
        values[i] = (float)json_number_value(json_array_get(json, i));
    }
    *out = values;
    *dim = n;
    return values != NULL;
}

/* Of an array that is one vector: all of its sizes but one are 1. */
static pn_status vector_length(const pn_npy_header *header, uint64_t *out, pn_error *err)
{
    uint64_t n = 1;
    size_t n_long = 0;
    for (size_t i = 0; i < header->n_dims; i++) {
        n = header->shape[i] != 1 ? header->shape[i] : n;
        n_long += header->shape[i] != 1;
    }
    if (n_long > 1)
        return pn_fail(err, PN_ERR_INVALID, "the NumPy file does not hold one vector alone");
    if (n == 0 || n > PN_EMBEDDING_MAX_DIM)
        return pn_fail(err, PN_ERR_LIMIT, "a vector of %" PRIu64 " numbers: 1 to %d are possible",
                       n, PN_EMBEDDING_MAX_DIM);
    *out = n;
    return PN_OK;
}

static pn_status vector_from_npy(const pn_buffer *file, size_t head_bytes, float **out, size_t *dim,
                                 pn_error *err)
{
    pn_npy_header header;
    uint64_t n;
    if (head_bytes > file->n_bytes)
        return pn_fail(err, PN_ERR_INVALID, "the NumPy file ends within its head");
    PN_TRY(pn_npy_header_parse(pn_str_make((const char *)file->data, head_bytes), &header, err));
    PN_TRY(vector_length(&header, &n, err));
    if (file->n_bytes - head_bytes != n * header.number_bytes)
        return pn_fail(
            err, PN_ERR_INVALID,
            "the NumPy file has %zu bytes behind its head, and the numbers take %" PRIu64,
            file->n_bytes - head_bytes, n * header.number_bytes);
    float *values = pn_alloc_array((size_t)n, sizeof *values);
    if (!values)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        double number;
        pn_npy_numbers(&header, file->data + head_bytes + i * header.number_bytes, 1, &number);
        values[i] = (float)number;
    }
    *out = values;
    *dim = (size_t)n;
    return PN_OK;
}

static pn_status vector_from_text(pn_str text, float **out, size_t *dim, pn_error *err)
{
    json_t *json = json_loadb(text.ptr ? text.ptr : "", text.len, 0, NULL);
    bool ok = json && vector_from_json(json, out, dim);
    json_decref(json);
    return ok ? PN_OK
              : pn_fail(err, PN_ERR_INVALID,
                        "neither a JSON array of numbers nor a NumPy file (.npy) of float16, "
                        "float32 or float64");
}

bool pn_cli_read_vector(const char *text, float **out, size_t *dim)
{
    pn_error err = {0};
    pn_buffer file;
    pn_buffer_init(&file, 4u << 20);
    pn_str trimmed = pn_str_trim(pn_str_of(text));
    bool is_json = trimmed.len > 0 && trimmed.ptr[0] == '[';
    if (!is_json && pn_file_read(text, &file, &err) != PN_OK) {
        pn_cli_error(&err);
        pn_buffer_reset(&file);
        return false;
    }
    size_t head_bytes = file.n_bytes >= PN_NPY_FIRST_BYTES ? pn_npy_header_bytes(file.data) : 0;
    pn_str json = is_json ? trimmed : pn_str_make((const char *)file.data, file.n_bytes);
    pn_status status = head_bytes > 0 ? vector_from_npy(&file, head_bytes, out, dim, &err)
                                      : vector_from_text(json, out, dim, &err);
    if (status != PN_OK)
        pn_cli_complain("--vector %s: %s", text, err.message);
    pn_buffer_reset(&file);
    return status == PN_OK;
}

bool pn_cli_write_npy(const char *path, const float *values, const uint64_t *shape, size_t n_dims)
{
    pn_error err = {0};
    pn_buffer bytes;
    size_t n = 1;
    pn_buffer_init(&bytes, 1u << 30);
    for (size_t i = 0; i < n_dims; i++)
        n *= (size_t)shape[i];
    pn_status status = pn_npy_header_append(shape, n_dims, &bytes, &err);
    if (status == PN_OK)
        status = pn_buffer_append(&bytes, values, n * sizeof *values, &err);
    if (status == PN_OK && strcmp(path, "-") == 0)
        (void)fwrite(bytes.data, 1, bytes.n_bytes, stdout); // checked when it is flushed
    else if (status == PN_OK)
        status = pn_file_write_atomic(path, bytes.data, bytes.n_bytes, &err);
    pn_buffer_reset(&bytes);
    if (status != PN_OK)
        pn_cli_error(&err);
    return status == PN_OK;
}
