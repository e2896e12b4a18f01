/*
 * files.c - small readers and writers of the commands
 *
 * Source of the .npy layout: numpy.lib.format, version 1.0: magic, u16 header length, a Python dictionary padded to 64.
 */
#include "cli/files.h"

#include "base/alloc.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/str.h"
#include "cli/cli.h"
#include "os/fd.h"

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

static bool vector_from_npy(const pn_buffer *file, float **out, size_t *dim)
{
    if (file->n_bytes < 10 || memcmp(file->data, "\x93NUMPY\x01", 7) != 0)
        return false;
    size_t header = 10 + (size_t)pn_load_le16(file->data + 8);
    if (header > file->n_bytes || (file->n_bytes - header) % 4 != 0)
        return false;
    pn_str text = {(const char *)file->data + 10, header - 10};
    bool is_f4 = false;
    for (size_t i = 0; i + 5 <= text.len; i++)
        is_f4 = is_f4 || memcmp(text.ptr + i, "'<f4'", 5) == 0;
    size_t n = (file->n_bytes - header) / 4;
    if (!is_f4 || n == 0 || n > PN_EMBEDDING_MAX_DIM)
        return false;
    float *values = pn_alloc_array(n, sizeof *values);
    if (!values)
        return false;
    memcpy(values, file->data + header, n * sizeof *values);
    *out = values;
    *dim = n;
    return true;
}

bool pn_cli_read_vector(const char *text, float **out, size_t *dim)
{
    pn_error err = {0};
    pn_buffer file;
    bool ok = false;
    pn_buffer_init(&file, 4u << 20);
    pn_str trimmed = pn_str_trim(pn_str_of(text));
    bool is_json = trimmed.len > 0 && trimmed.ptr[0] == '[';
    if (!is_json && pn_file_read(text, &file, &err) != PN_OK) {
        pn_cli_error(&err);
        pn_buffer_reset(&file);
        return false;
    }
    if (!is_json)
        ok = vector_from_npy(&file, out, dim);
    if (!ok) {
        const char *json_text = is_json ? trimmed.ptr : (const char *)file.data;
        json_t *json =
            json_loadb(json_text ? json_text : "", is_json ? trimmed.len : file.n_bytes, 0, NULL);
        ok = json && vector_from_json(json, out, dim);
        json_decref(json);
    }
    if (!ok)
        pn_cli_complain("--vector %s: neither a JSON array of numbers nor a .npy file of float32",
                        text);
    pn_buffer_reset(&file);
    return ok;
}

static pn_status npy_bytes(const float *values, const size_t *shape, size_t n_dims, pn_buffer *out,
                           pn_error *err)
{
    size_t n = 1;
    pn_buffer header;
    pn_buffer_init(&header, 4096);
    pn_status status =
        pn_buffer_append_text(&header, "{'descr': '<f4', 'fortran_order': False, 'shape': (", err);
    for (size_t i = 0; status == PN_OK && i < n_dims; i++) {
        n *= shape[i];
        status = pn_buffer_append_format(&header, err, "%zu,", shape[i]);
    }
    if (status == PN_OK)
        status = pn_buffer_append_text(&header, "), }", err);
    if (status == PN_OK) // the whole header a multiple of 64, ended by a line break
        status = pn_buffer_append_fill(&header, ' ', 63 - (10 + header.n_bytes) % 64, err);
    if (status == PN_OK)
        status = pn_buffer_append_text(&header, "\n", err);
    uint8_t length[2];
    pn_store_le16(length, (uint16_t)header.n_bytes);
    if (status == PN_OK)
        status = pn_buffer_append(out, "\x93NUMPY\x01\x00", 8, err);
    if (status == PN_OK)
        status = pn_buffer_append(out, length, sizeof length, err);
    if (status == PN_OK)
        status = pn_buffer_append(out, header.data, header.n_bytes, err);
    if (status == PN_OK)
        status = pn_buffer_append(out, values, n * sizeof *values, err);
    pn_buffer_reset(&header);
    return status;
}

bool pn_cli_write_npy(const char *path, const float *values, const size_t *shape, size_t n_dims)
{
    pn_error err = {0};
    pn_buffer bytes;
    pn_buffer_init(&bytes, 1u << 30);
    pn_status status = npy_bytes(values, shape, n_dims, &bytes, &err);
    if (status == PN_OK && strcmp(path, "-") == 0)
        (void)fwrite(bytes.data, 1, bytes.n_bytes, stdout); // checked when it is flushed
    else if (status == PN_OK)
        status = pn_file_write_atomic(path, bytes.data, bytes.n_bytes, &err);
    pn_buffer_reset(&bytes);
    if (status != PN_OK)
        pn_cli_error(&err);
    return status == PN_OK;
}
