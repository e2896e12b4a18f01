/*
 * safetensors_file.h - writing .safetensors files in tests, sound ones and broken ones
 */
#ifndef PN_TESTS_SUPPORT_SAFETENSORS_FILE_H
#define PN_TESTS_SUPPORT_SAFETENSORS_FILE_H

#include <stddef.h>
#include <stdint.h>

/* Collects tensors; the header is made at the end. */
typedef struct tensor_file {
    char *header;
    size_t header_length, header_capacity;
    uint8_t *data;
    size_t data_length, data_capacity;
} tensor_file;

void tensor_file_init(tensor_file *file);
void tensor_file_free(tensor_file *file);

/* dtype: "F32", "F16", "BF16" (values must fit exactly), "I64". values are f32 and converted. */
void tensor_file_add(tensor_file *file, const char *name, const char *dtype, const uint64_t *dims,
                     size_t n_dims, const float *values);
/* The whole file; golden_bytes_free(). */
uint8_t *tensor_file_bytes(const tensor_file *file, size_t *n);

/* A file of the given header text and n_data bytes of data, whatever they are; golden_bytes_free(). */
uint8_t *tensor_file_raw(const char *header, const void *data, size_t n_data, size_t *n);

#endif
