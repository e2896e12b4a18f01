/*
 * fuzz_lance_file.c - any bytes as a Lance data file
 *
 * A file in memory is opened by path; what opens is read column by column, whole, by rows, and as mapped vectors.
 */
#include "base/compiler.h"
#include "lance/lance_reader.h"
#include "lance/lance_schema.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { MAX_LEAVES = 64, MAX_ROWS = 2000, MAX_BYTES = 1 << 28 };

static void must(bool holds)
{
    if (!holds)
        __builtin_trap();
}

/* Every value is touched by comparing the array with itself; an error has to say something. */
static void read_field(pn_lance_file *file, const pn_field *field, const int32_t *leaves,
                       size_t n_leaves, uint64_t n_rows)
{
    pn_arena arena;
    pn_array out;
    pn_error err = {0};
    pn_arena_init(&arena, MAX_BYTES);
    if (pn_lance_file_read(file, field, leaves, n_leaves, 0, n_rows, NULL, &arena, &out, &err) ==
        PN_OK)
        (void)pn_array_equal(&out, &out); /* NaN differs from itself: the reading is the point */
    else
        must(err.message[0] != '\0');
    uint64_t rows[] = {n_rows / 3, n_rows / 2};
    if (n_rows > 1 && pn_lance_file_take(file, field, leaves, n_leaves, rows, PN_COUNT_OF(rows),
                                         NULL, &arena, &out, &err) == PN_OK)
        (void)pn_array_equal(&out, &out);
    pn_lance_run *runs;
    size_t n_runs;
    bool mappable;
    if (n_leaves == 1 &&
        pn_lance_file_map_vectors(file, leaves[0], 16, &arena, &runs, &n_runs, &mappable, &err) ==
            PN_OK &&
        mappable)
        for (size_t i = 0; i < n_runs; i++)
            if (runs[i].n_rows > 0)
                (void)*(volatile const float *)&runs[i].vectors[runs[i].n_rows * 16 - 1];
    pn_arena_reset(&arena);
}

static void read_columns(pn_lance_file *file)
{
    const pn_schema *schema = pn_lance_file_schema(file);
    uint64_t n_rows = PN_MIN(pn_lance_file_rows(file), (uint64_t)MAX_ROWS);
    size_t next = 0;
    for (size_t i = 0; i < schema->n_fields; i++) {
        int32_t leaves[MAX_LEAVES];
        size_t n_leaves = pn_lance_count_leaves(&schema->fields[i]);
        if (n_leaves > MAX_LEAVES)
            return;
        for (size_t k = 0; k < n_leaves; k++)
            leaves[k] = pn_lance_file_leaf_column(file, next++);
        read_field(file, &schema->fields[i], leaves, n_leaves, n_rows);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char path[64];
    pn_lance_file *file = NULL;
    pn_error err = {0};
    int fd = memfd_create("fuzzed", 0); /* _GNU_SOURCE comes from cmake/fuzz.cmake */
    must(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (pn_lance_file_open(path, &file, &err) == PN_OK)
        read_columns(file);
    else
        must(err.message[0] != '\0');
    pn_lance_file_close(file);
    (void)close(fd);
    return 0;
}
