/*
 * read_lance.c - a column of a file read in every way
 */
#include "read_lance.h"

#include "base/compiler.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* An arena for what is read in the end: rows take more memory than pages, by the reader's own limit. */
enum { MAX_BYTES = 1 << 28, WINDOW = 37 };

void fuzz_must(bool holds)
{
    if (!holds)
        __builtin_trap();
}

void fuzz_open_lance(const uint8_t *bytes, size_t n, fuzz_lance *out)
{
    pn_error err = {0};
    *out = (fuzz_lance){.fd = memfd_create("fuzzed", 0)}; // _GNU_SOURCE comes from cmake/fuzz.cmake
    fuzz_must(out->fd >= 0 && write(out->fd, bytes, n) == (ssize_t)n);
    (void)snprintf(out->path, sizeof out->path, "/proc/self/fd/%d", out->fd);
    if (pn_lance_file_open(out->path, &out->file, &err) != PN_OK) {
        fuzz_must(strstr(err.message, out->path) || err.status == PN_ERR_NOMEM);
        out->file = NULL;
    }
}

void fuzz_close_lance(fuzz_lance *lance)
{
    pn_lance_file_close(lance->file);
    (void)close(lance->fd);
}

typedef struct column {
    const fuzz_lance *lance;
    const pn_field *field;
    const int32_t *leaves;
    size_t n_leaves;
    uint64_t n_rows;
} column;

static bool read_rows(const column *c, uint64_t first, uint64_t n, pn_lance_memo *memo,
                      pn_arena *arena, pn_array *out)
{
    pn_error err = {0};
    if (pn_lance_file_read(c->lance->file, c->field, c->leaves, c->n_leaves, first, n, memo, arena,
                           out, &err) == PN_OK) {
        fuzz_must(out->length == n);
        return true;
    }
    fuzz_must(err.message[0] != '\0');
    return false;
}

/* Both ways of reading the same rows give the same values. */
static void compare(const pn_array *whole, uint64_t first, const pn_array *part, pn_arena *arena)
{
    pn_array slice;
    fuzz_must(pn_array_slice(whole, first, part->length, arena, &slice, NULL) == PN_OK);
    fuzz_must(pn_array_equal(&slice, part));
}

static void read_windows(const column *c, const pn_array *whole)
{
    pn_lance_memo *memo;
    pn_arena arena;
    pn_arena_init(&arena, MAX_BYTES);
    fuzz_must(pn_lance_memo_create(&memo, NULL) == PN_OK);
    for (uint64_t first = 0; first < c->n_rows; first += WINDOW) {
        pn_array part;
        if (!read_rows(c, first, PN_MIN(c->n_rows - first, (uint64_t)WINDOW), memo, &arena, &part))
            break;
        compare(whole, first, &part, &arena);
        pn_arena_reset(&arena);
    }
    pn_lance_memo_free(memo);
    pn_arena_reset(&arena);
}

/* whole may be NULL: it could not be read. */
static void take_rows(const column *c, const pn_array *whole, pn_arena *arena)
{
    const uint64_t rows[] = {c->n_rows / 3, c->n_rows / 2, c->n_rows / 2, c->n_rows - 1};
    pn_error err = {0};
    pn_array out;
    if (pn_lance_file_take(c->lance->file, c->field, c->leaves, c->n_leaves, rows,
                           PN_COUNT_OF(rows), NULL, arena, &out, &err) != PN_OK) {
        fuzz_must(err.message[0] != '\0');
        return;
    }
    for (size_t i = 0; i < PN_COUNT_OF(rows) && whole; i++) {
        pn_array one;
        fuzz_must(pn_array_slice(&out, i, 1, arena, &one, NULL) == PN_OK);
        compare(whole, rows[i], &one, arena);
    }
}

static void map_vectors(const column *c, pn_arena *arena)
{
    const int32_t dim = c->field->type == PN_TYPE_FIXED_SIZE_LIST ? c->field->size : 16;
    pn_error err = {0};
    pn_lance_run *runs;
    size_t n_runs;
    bool mappable;
    if (pn_lance_file_map_vectors(c->lance->file, c->leaves[0], dim, arena, &runs, &n_runs,
                                  &mappable, &err) != PN_OK ||
        !mappable)
        return;
    for (size_t i = 0; i < n_runs; i++)
        if (runs[i].n_rows > 0)
            (void)*(volatile const float *)&runs[i].vectors[runs[i].n_rows * (uint64_t)dim - 1];
}

void fuzz_read_field(const fuzz_lance *lance, const pn_field *field, const int32_t *leaves,
                     size_t n_leaves)
{
    column c = {lance, field, leaves, n_leaves,
                PN_MIN(pn_lance_file_rows(lance->file), (uint64_t)FUZZ_MAX_ROWS)};
    pn_arena arena;
    pn_array whole;
    pn_arena_init(&arena, MAX_BYTES);
    bool is_read = read_rows(&c, 0, c.n_rows, NULL, &arena, &whole);
    if (is_read)
        fuzz_must(pn_array_equal(&whole, &whole));
    if (is_read)
        read_windows(&c, &whole);
    if (c.n_rows > 1)
        take_rows(&c, is_read ? &whole : NULL, &arena);
    if (n_leaves == 1)
        map_vectors(&c, &arena);
    pn_arena_reset(&arena);
}
