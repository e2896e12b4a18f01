/*
 * safetensors_file.c - u64 length, JSON, data
 */
#include "support/safetensors_file.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

void tensor_file_init(tensor_file *file)
{
    memset(file, 0, sizeof *file);
}

void tensor_file_free(tensor_file *file)
{
    free(file->header);
    free(file->data);
    memset(file, 0, sizeof *file);
}

static void *grow(void *block, size_t *capacity, size_t needed)
{
    if (needed <= *capacity)
        return block;
    *capacity = needed * 2 + 64;
    block = realloc(block, *capacity);
    if (!block)
        fail_msg("no memory");
    return block;
}

static void append_header(tensor_file *file, const char *text)
{
    size_t n = strlen(text);
    file->header = grow(file->header, &file->header_capacity, file->header_length + n + 1);
    memcpy(file->header + file->header_length, text, n + 1);
    file->header_length += n;
}

/* Values of tests are multiples of 1/64 below 2: every type holds them. */
static uint16_t narrow_f16(float value)
{
    int exponent;
    double fraction = frexp(fabs((double)value), &exponent); /* in [1/2, 1) */
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    if (value == 0)
        return sign;
    double mantissa = fraction * 2048;
    if (mantissa != floor(mantissa) || exponent < -13 || exponent > 16)
        fail_msg("%g is no f16", (double)value);
    return (uint16_t)(sign | (exponent + 14) << 10 | ((int)mantissa & 1023));
}

static size_t encode(const char *dtype, float value, uint8_t out[8])
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (strcmp(dtype, "F16") == 0) {
        uint16_t h = narrow_f16(value);
        memcpy(out, &h, sizeof h);
        return 2;
    }
    if (strcmp(dtype, "BF16") == 0) {
        uint16_t h = (uint16_t)(bits >> 16);
        if (bits & 0xFFFF)
            fail_msg("%g is no bf16", (double)value);
        memcpy(out, &h, sizeof h);
        return 2;
    }
    if (strcmp(dtype, "I64") == 0) {
        int64_t whole = (int64_t)value;
        memcpy(out, &whole, sizeof whole);
        return 8;
    }
    memcpy(out, &bits, sizeof bits);
    return 4;
}

void tensor_file_add(tensor_file *file, const char *name, const char *dtype, const uint64_t *dims,
                     size_t n_dims, const float *values)
{
    size_t begin = file->data_length, n = 1;
    char text[512], *at = text;
    at += snprintf(at, 300, "%s\"%s\": {\"dtype\": \"%s\", \"shape\": [",
                   file->header_length ? ", " : "", name, dtype);
    for (size_t i = 0; i < n_dims; i++) {
        at += snprintf(at, 24, "%s%" PRIu64, i ? ", " : "", dims[i]);
        n *= dims[i];
    }
    file->data = grow(file->data, &file->data_capacity, begin + 8 * n + 8);
    for (size_t i = 0; i < n; i++)
        file->data_length += encode(dtype, values[i], file->data + file->data_length);
    (void)snprintf(at, 100, "], \"data_offsets\": [%zu, %zu]}", begin, file->data_length);
    append_header(file, text);
}

uint8_t *tensor_file_raw(const char *header, const void *data, size_t n_data, size_t *n)
{
    uint64_t length = strlen(header);
    uint8_t *bytes = malloc(8 + length + n_data + 1);
    if (!bytes)
        fail_msg("no memory");
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    if (n_data > 0)
        memcpy(bytes + 8 + length, data, n_data);
    *n = 8 + length + n_data;
    return bytes;
}

uint8_t *tensor_file_bytes(const tensor_file *file, size_t *n)
{
    size_t room = file->header_length + 64;
    char *header = malloc(room);
    if (!header)
        fail_msg("no memory");
    (void)snprintf(header, room, "{\"__metadata__\": {\"format\": \"pt\"}%s%s}",
                   file->header_length ? ", " : "", file->header ? file->header : "");
    uint8_t *bytes = tensor_file_raw(header, file->data, file->data_length, n);
    free(header);
    return bytes;
}
