/*
 * test_lance_damage.c - data files cut short and with bits flipped
 *
 * Written here, damaged by a seed, read column by column: an error that names the file, or some values, never a crash, a
 * hang or more than the arena's limit. The sanitizers see reads past a buffer; the limit of the arena sees runaway sizes.
 */
#include "base/alloc.h"
#include "base/compiler.h"
#include "base/rng.h"
#include "column/builder.h"
#include "lance/lance_reader.h"
#include "lance/lance_schema.h"
#include "lance/lance_writer.h"
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { N_FLIPS = 150, N_CUTS = 60, MAX_LEAVES = 64, MAX_ROWS = 500 };

typedef struct counts {
    unsigned n_opened, n_refused, n_read, n_unread;
} counts;

static void check_error(const pn_error *err, const char *path)
{
    if (err->status == PN_ERR_NOMEM) // a size that would be too large for the arena
        return;
    if (!strstr(err->message, strrchr(path, '/') + 1))
        fail_msg("the error does not name the file: %s", err->message);
}

/* Who reads all rows is told of whatever would stop one who reads some: each row by itself is the same. */
static void read_rows(pn_lance_file *file, const pn_field *field, const int32_t *leaves,
                      size_t n_leaves, const pn_array *all)
{
    for (size_t row = 0; row < all->length; row += 1 + all->length / 40) {
        pn_arena arena;
        pn_array one, same;
        pn_error err = {0};
        pn_arena_init(&arena, 1u << 28);
        if (pn_lance_file_read(file, field, leaves, n_leaves, row, 1, NULL, &arena, &one, &err) !=
            PN_OK)
            fail_msg("a column is read and its row %zu is not: %s", row, err.message);
        assert_int_equal(pn_array_slice(all, row, 1, &arena, &same, &err), PN_OK);
        if (pn_array_equal(all, all) && !pn_array_equal(&one, &same))
            fail_msg("column \"%s\": row %zu is another one by itself", field->name, row);
        pn_arena_reset(&arena);
    }
}

static void read_columns(pn_lance_file *file, const char *path, counts *c)
{
    const pn_schema *schema = pn_lance_file_schema(file);
    uint64_t n_rows = PN_MIN(pn_lance_file_rows(file), (uint64_t)MAX_ROWS);
    size_t next = 0;
    for (size_t i = 0; i < schema->n_fields; i++) {
        int32_t leaves[MAX_LEAVES];
        size_t n_leaves = pn_lance_count_leaves(&schema->fields[i]);
        pn_arena arena;
        pn_array out;
        pn_error err = {0};
        if (n_leaves > MAX_LEAVES)
            return;
        for (size_t k = 0; k < n_leaves; k++)
            leaves[k] = pn_lance_file_leaf_column(file, next++);
        pn_arena_init(&arena, 1u << 28);
        if (pn_lance_file_read(file, &schema->fields[i], leaves, n_leaves, 0, n_rows, NULL, &arena,
                               &out, &err) == PN_OK) {
            read_rows(file, &schema->fields[i], leaves, n_leaves, &out);
            c->n_read++;
        } else {
            check_error(&err, path);
            c->n_unread++;
        }
        pn_arena_reset(&arena);
    }
}

static void try_bytes(const char *path, const uint8_t *bytes, size_t n, counts *c)
{
    pn_lance_file *file = NULL;
    pn_error err = {0};
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
    if (pn_lance_file_open(path, &file, &err) != PN_OK) {
        check_error(&err, path);
        c->n_refused++;
        return;
    }
    c->n_opened++;
    read_columns(file, path, c);
    pn_lance_file_close(file);
}

/* Half of the flips fall into the metadata at the end, which is small beside the values. */
static size_t flip_place(pn_rng *rng, size_t n)
{
    size_t tail = PN_MIN(n, (size_t)12000);
    return pn_rng_below(rng, 2) ? n - 1 - (size_t)pn_rng_below(rng, tail)
                                : (size_t)pn_rng_below(rng, n);
}

static void damage(const char *source, const char *path, uint64_t seed)
{
    size_t n;
    uint8_t *bytes = golden_read_bytes(source, &n), *copy = malloc(n);
    counts c = {0};
    pn_rng rng = pn_rng_seed(seed);
    assert_non_null(copy);
    assert_true(n > 0);
    for (unsigned i = 0; i < N_CUTS; i++)
        try_bytes(path, bytes, (size_t)pn_rng_below(&rng, n), &c);
    assert_int_equal(c.n_opened, 0); /* the footer is gone */
    for (unsigned i = 0; i < N_FLIPS; i++) {
        memcpy(copy, bytes, n);
        for (uint64_t k = 1 + pn_rng_below(&rng, 3); k > 0; k--)
            copy[flip_place(&rng, n)] ^= (uint8_t)(1u << pn_rng_below(&rng, 8));
        try_bytes(path, copy, n, &c);
    }
    print_message("  %s: opened %u, refused %u; columns read %u, refused %u\n",
                  strrchr(source, '/') + 1, c.n_opened, c.n_refused, c.n_read, c.n_unread);
    assert_true(c.n_opened > 0 && c.n_refused > N_CUTS && c.n_unread > 0);
    free(copy);
    free(bytes);
}

static void damaged_files__are_refused_or_read(void **state)
{
    (void)state;
    static const char *const files[] = {"types_2_2.lance",   "vectors_2_2.lance",
                                        "vectors_2_1.lance", "product_2_1.lance",
                                        "product_2_2.lance", "json.lance"};
    char path[] = "/tmp/pennon-damaged-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    const char *source_dir = getenv("PN_SOURCE_DIR");
    assert_non_null(source_dir);
    for (size_t i = 0; i < PN_COUNT_OF(files); i++) {
        char source[4096];
        (void)snprintf(source, sizeof source, "%s/fuzz/corpus/lance_file/%s", source_dir, files[i]);
        damage(source, path, i + 1);
    }
    (void)unlink(path);
}

/* Texts, and lists of numbers, some of them null: what our writer lays out with an index of rows. */
static void write_indexed(const char *path)
{
    enum { ROWS = 12 };
    pn_error err = {0};
    pn_field fields[2];
    pn_builder *builders[2];
    pn_array columns[2];
    pn_arena arena;
    pn_lance_writer *writer;
    uint64_t n_rows, n_bytes;
    pn_arena_init(&arena, SIZE_MAX);
    pn_field_init(&fields[0], "text", PN_TYPE_STRING, true);
    pn_field_init(&fields[1], "list", PN_TYPE_LIST, true);
    fields[1].children = PN_ARENA_NEW(&arena, pn_field, 1);
    fields[1].n_children = 1;
    pn_field_init(&fields[1].children[0], "item", PN_TYPE_INT16, true);
    pn_schema schema = {.fields = fields, .n_fields = 2};
    pn_lance_schema_assign_ids(&schema, 0);
    for (size_t c = 0; c < 2; c++)
        assert_int_equal(pn_builder_create(&fields[c], 1 << 20, &builders[c], &err), PN_OK);
    for (int64_t row = 0; row < ROWS; row++) {
        pn_builder *items = pn_builder_child(builders[1], 0);
        assert_int_equal(row % 5 == 3 ? pn_builder_append_null(builders[0], &err)
                                      : pn_builder_append_bytes(builders[0], "abcdefghijkl",
                                                                (size_t)(row * 7 % 12), &err),
                         PN_OK);
        for (int64_t i = 0; i < row * 3 % 4; i++)
            assert_int_equal(pn_builder_append_i64(items, row * i, &err), PN_OK);
        assert_int_equal(row % 5 == 2 ? pn_builder_append_null(builders[1], &err)
                                      : pn_builder_close_row(builders[1], &err),
                         PN_OK);
    }
    for (size_t c = 0; c < 2; c++)
        assert_int_equal(pn_builder_view(builders[c], &columns[c], &err), PN_OK);
    const pn_batch batch = {.schema = &schema, .columns = columns, .n_rows = ROWS};
    (void)unlink(path);
    assert_int_equal(pn_lance_writer_create(path, &schema, &writer, &err), PN_OK);
    assert_int_equal(pn_lance_writer_append(writer, &batch, &err), PN_OK);
    assert_int_equal(pn_lance_writer_finish(writer, NULL, &n_rows, &n_bytes, &err), PN_OK);
    pn_lance_writer_close(writer);
    for (size_t c = 0; c < 2; c++)
        pn_builder_free(builders[c]);
    pn_arena_reset(&arena);
}

static void every_bit_of_pages_with_an_index__is_seen_by_all_or_by_none(void **state)
{
    (void)state;
    counts c = {0};
    size_t n;
    char path[] = "/tmp/pennon-damaged-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    write_indexed(path);
    uint8_t *bytes = golden_read_bytes(path, &n);
    for (size_t at = 0; at < n; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[at] ^= (uint8_t)(1u << bit);
            try_bytes(path, bytes, n, &c);
            bytes[at] ^= (uint8_t)(1u << bit);
        }
    print_message("  %zu bytes: opened %u, refused %u; columns read %u, refused %u\n", n,
                  c.n_opened, c.n_refused, c.n_read, c.n_unread);
    assert_true(c.n_unread > 100);
    golden_bytes_free(bytes);
    (void)unlink(path);
}

static void nothing__leaks(void **state)
{
    (void)state;
    assert_int_equal(pn_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_files__are_refused_or_read),
        cmocka_unit_test(every_bit_of_pages_with_an_index__is_seen_by_all_or_by_none),
        cmocka_unit_test(nothing__leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
