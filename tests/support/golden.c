/*
 * golden.c - reading NumPy's .npy format, version 1
 *
 *     "\x93NUMPY" 1 0  u16 header length  header (a Python dict literal, padded)  data
 *
 * The header looks like {'descr': '<f4', 'fortran_order': False, 'shape': (4, 3, 32, 32), }. It is written by
 * NumPy itself, so a search for the three keys is enough; anything unexpected fails the test.
 */
#include "support/golden.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

bool golden_find(const char *relative, char out[GOLDEN_PATH_BYTES])
{
    const char *base = getenv("PN_SHARED_DIR");
    if (!base || base[0] == '\0')
        base = "/work/shared";
    int n = snprintf(out, GOLDEN_PATH_BYTES, "%s/%s", base, relative);
    if (n < 0 || n >= GOLDEN_PATH_BYTES)
        fail_msg("path too long: %s/%s", base, relative);
    FILE *file = fopen(out, "rb"); /* folders open too */
    if (file)
        fclose(file);
    return file != NULL;
}

void golden_require(const char *relative, char out[GOLDEN_PATH_BYTES])
{
    if (!golden_find(relative, out)) {
        print_message("skipped: no %s (set PN_SHARED_DIR to the reference data)\n", out);
        skip();
    }
}

const char *golden_join(const char *folder, const char *name)
{
    static char paths[8][GOLDEN_PATH_BYTES];
    static unsigned turn;
    char *out = paths[turn++ % 8];
    int n = snprintf(out, GOLDEN_PATH_BYTES, "%s/%s", folder, name);
    if (n < 0 || n >= GOLDEN_PATH_BYTES)
        fail_msg("path too long: %s/%s", folder, name);
    return out;
}

uint8_t *golden_read_bytes(const char *path, size_t *n)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    if (fseek(file, 0, SEEK_END) != 0)
        fail_msg("cannot seek in %s", path);
    long size = ftell(file);
    if (size < 0)
        fail_msg("cannot tell the size of %s", path);
    rewind(file);
    uint8_t *bytes = malloc((size_t)size + 1);
    if (!bytes)
        fail_msg("no memory for %s", path);
    *n = fread(bytes, 1, (size_t)size, file);
    fclose(file);
    if (*n != (size_t)size)
        fail_msg("short read of %s", path);
    bytes[size] = 0;
    return bytes;
}

void golden_bytes_free(uint8_t *bytes)
{
    free(bytes);
}

void golden_write_bytes(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        fail_msg("cannot create %s", path);
    if (fwrite(bytes, 1, n, file) != n || fclose(file) != 0)
        fail_msg("cannot write %s", path);
}

/* Parse "(4, 3, )" behind 'shape'; an empty tuple is a scalar of one value. */
static void parse_shape(const char *path, const char *header, golden_array *out)
{
    const char *at = strstr(header, "'shape': (");
    if (!at)
        fail_msg("%s: no shape", path);
    at += strlen("'shape': (");
    out->n = 1;
    while (*at != ')') {
        char *end;
        unsigned long long dim = strtoull(at, &end, 10);
        if (end == at || out->n_dims == GOLDEN_MAX_DIMS)
            fail_msg("%s: bad shape", path);
        out->dims[out->n_dims++] = (size_t)dim;
        out->n *= (size_t)dim;
        for (at = end; *at == ',' || *at == ' '; at++)
            continue;
    }
}

void golden_load(const char *path, char type, golden_array *out)
{
    memset(out, 0, sizeof *out);
    size_t n_bytes;
    uint8_t *bytes = golden_read_bytes(path, &n_bytes);
    if (n_bytes < 10 || memcmp(bytes, "\x93NUMPY\x01\x00", 8) != 0)
        fail_msg("%s: not a .npy file of version 1", path);
    size_t header_bytes = bytes[8] | (size_t)bytes[9] << 8;
    if (header_bytes > n_bytes - 10)
        fail_msg("%s: header longer than the file", path);
    char *header = calloc(1, header_bytes + 1);
    if (!header)
        fail_msg("no memory for %s", path);
    memcpy(header, bytes + 10, header_bytes);

    const char *descr = type == 'f' ? "'<f4'" : type == 'i' ? "'<i4'" : "'|u1'";
    if (!strstr(header, descr))
        fail_msg("%s: expected %s, header is %s", path, descr, header);
    if (!strstr(header, "'fortran_order': False"))
        fail_msg("%s: not in C order", path);
    parse_shape(path, header, out);
    free(header);

    size_t value_bytes = type == 'u' ? 1 : 4;
    if (n_bytes - 10 - header_bytes != out->n * value_bytes)
        fail_msg("%s: %zu values expected, %zu bytes found", path, out->n,
                 n_bytes - 10 - header_bytes);
    void *data = malloc(out->n * value_bytes + 1);
    if (!data)
        fail_msg("no memory for %s", path);
    memcpy(data, bytes + 10 + header_bytes, out->n * value_bytes);
    free(bytes);
    out->type = type;
    out->f32 = type == 'f' ? data : NULL;
    out->i32 = type == 'i' ? data : NULL;
    out->u8 = type == 'u' ? data : NULL;
}

void golden_free(golden_array *array)
{
    free(array->f32);
    free(array->i32);
    free(array->u8);
    memset(array, 0, sizeof *array);
}

static double difference(double a, double b)
{
    double d = fabs(a - b);
    return isnan(d) ? (double)INFINITY : d;
}

double golden_max_difference(const float *a, const float *b, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, difference((double)a[i], (double)b[i]));
    return most;
}

double golden_mean_difference(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += difference((double)a[i], (double)b[i]);
    return n > 0 ? sum / (double)n : 0;
}

double golden_max_difference_u8(const uint8_t *a, const uint8_t *b, size_t n)
{
    int most = 0;
    for (size_t i = 0; i < n; i++)
        most = abs(a[i] - b[i]) > most ? abs(a[i] - b[i]) : most;
    return most;
}

double golden_mean_difference_u8(const uint8_t *a, const uint8_t *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += abs(a[i] - b[i]);
    return n > 0 ? sum / (double)n : 0;
}

double golden_max_relative(const float *a, const float *b, size_t n, double floor_value)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double scale = fmax(fabs((double)b[i]), floor_value);
        most = fmax(most, difference((double)a[i], (double)b[i]) / scale);
    }
    return most;
}

double golden_cosine(const float *a, const float *b, size_t n)
{
    double dot = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        dot += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    double cosine = dot / sqrt(aa * bb);
    return isnan(cosine) ? -2.0 : cosine;
}

double golden_min_row_cosine(const float *a, const float *b, size_t rows, size_t cols)
{
    double least = 1;
    for (size_t i = 0; i < rows; i++)
        least = fmin(least, golden_cosine(a + i * cols, b + i * cols, cols));
    return least;
}
