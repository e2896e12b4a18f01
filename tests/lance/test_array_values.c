/*
 * test_array_values.c - what files of version 2.0 may hold beside what their fixtures show
 *
 * Blobs, strings in lz4, and encodings put together at random, which give a row the same value from wherever a read begins, or are
 * refused.
 *
 * Both files of fuzz/corpus/lance_file are LanceDB's own (0.39): five blobs, which are a word, a null, nothing, 70 letters and a word;
 * 300 strings "word word 0" onwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/endian.h"
#include "base/rng.h"
#include "lance/array_values.h"
#include "os/dir.h"
#include "support/golden.h"
#include "support/lance_checks.h"

enum { BLOBS = 5, STRINGS = 300 };

static const char *corpus(const char *name)
{
    static char path[1024];
    const char *source = getenv("PN_SOURCE_DIR");
    assert_non_null(source);
    (void)snprintf(path, sizeof path, "%s/fuzz/corpus/lance_file/%s", source, name);
    return path;
}

/* The second column, behind the id. */
static pn_status read_second(const char *path, pn_arena *arena, pn_array *out, pn_error *err)
{
    pn_lance_file *file = NULL;
    lance_column column;
    pn_rng rng = pn_rng_seed(9);
    PN_TRY(pn_lance_file_open(path, &file, err));
    lance_column_make(file, 1, &column);
    pn_status status = lance_column_read(&column, arena, out, err);
    if (status == PN_OK)
        lance_column_check(&column, out, &rng);
    pn_lance_file_close(file);
    return status;
}

static void blobs__are_read_from_where_they_lie(void **state)
{
    static const char seventy[] =
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static const char *const want[BLOBS] = {"hello", NULL, "", seventy, "zz"};
    (void)state;
    pn_error err = {0};
    pn_arena arena;
    static pn_array got;
    pn_arena_init(&arena, SIZE_MAX);
    if (read_second(corpus("blob_2_0.lance"), &arena, &got, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(got.length, BLOBS);
    for (size_t i = 0; i < BLOBS; i++) {
        assert_int_equal(pn_array_is_valid(&got, i), want[i] != NULL);
        if (want[i])
            assert_true(pn_str_is(pn_array_bytes(&got, i), want[i]));
    }
    pn_arena_reset(&arena);
}

/* Positions and sizes of the five: 0, 5; 1, 0; 0, 0; 64, 70; 192, 2. Where they stand in the file; NULL: nowhere. */
static uint8_t *find_descriptors(uint8_t *bytes, size_t n)
{
    static const uint64_t want[] = {0, 5, 1, 0, 0, 0, 64, 70, 192, 2};
    for (size_t at = 0; at + sizeof want <= n; at++) {
        size_t same = 0;
        while (same < PN_COUNT_OF(want) && pn_load_le64(bytes + at + 8 * same) == want[same])
            same++;
        if (same == PN_COUNT_OF(want))
            return bytes + at;
    }
    return NULL;
}

static void a_blob_outside_of_the_file__is_refused(void **state)
{
    static const uint64_t cases[][2] = {
        {1u << 20, 1}, {0, 1u << 20}, {UINT64_MAX, 2}, {2, UINT64_MAX}};
    (void)state;
    pn_error err = {0};
    pn_arena arena;
    static pn_array got;
    size_t n;
    char *folder;
    pn_arena_init(&arena, SIZE_MAX);
    assert_int_equal(pn_dir_make_temporary("pn-blobs", &arena, &folder, NULL), PN_OK);
    const char *path = pn_path_join(&arena, folder, "b.lance");
    uint8_t *bytes = golden_read_bytes(corpus("blob_2_0.lance"), &n);
    uint8_t *descriptors = find_descriptors(bytes, n);
    assert_non_null(descriptors);
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_store_le64(descriptors + 48, cases[i][0]);
        pn_store_le64(descriptors + 56, cases[i][1]);
        golden_write_bytes(path, bytes, n);
        assert_int_equal(read_second(path, &arena, &got, &err), PN_ERR_CORRUPT);
        assert_non_null(strstr(err.message, "a blob lies outside of the file"));
    }
    golden_bytes_free(bytes);
    assert_int_equal(pn_dir_remove_all(folder, NULL), PN_OK);
    pn_arena_reset(&arena);
}

static void strings_in_lz4__are_read(void **state)
{
    (void)state;
    pn_error err = {0};
    pn_arena arena;
    static pn_array got;
    pn_arena_init(&arena, SIZE_MAX);
    if (read_second(corpus("lz4_2_0.lance"), &arena, &got, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(got.length, STRINGS);
    for (size_t i = 0; i < STRINGS; i++) {
        char want[32];
        (void)snprintf(want, sizeof want, "word word %zu", i);
        assert_true(pn_str_is(pn_array_bytes(&got, i), want));
    }
    pn_arena_reset(&arena);
}

/* ---- encodings put together at random ---- */

enum { TREES = 60000, TREE_ROWS = 24, MAX_DEPTH = 4, N_BUFFERS = 6, BUFFER_BYTES = 4096 };

typedef struct forest {
    pn_arena arena; /* of messages and of what is read */
    pn_rng rng;
    uint8_t bytes[N_BUFFERS][BUFFER_BYTES];
    pn_slice buffers[N_BUFFERS];
    pn_array_buffers of_page;
} forest;

static void *message_new(forest *f, size_t size, const ProtobufCMessageDescriptor *type)
{
    void *message = pn_arena_alloc(&f->arena, size);
    assert_non_null(message);
    protobuf_c_message_init(type, message);
    return message;
}

#define MESSAGE(forest, Type, type)                                                                \
    ((Pn__Lance__##Type *)message_new(forest, sizeof(Pn__Lance__##Type),                           \
                                      &pn__lance__##type##__descriptor))

static Pn__Lance__ArrayEncoding *encoding_new(forest *f, Pn__Lance__ArrayEncoding__KindCase kind)
{
    Pn__Lance__ArrayEncoding *how = MESSAGE(f, ArrayEncoding, array_encoding);
    how->kind_case = kind;
    return how;
}

static Pn__Lance__ArrayEncoding *flat(forest *f, uint64_t bits, uint32_t buffer)
{
    Pn__Lance__ArrayEncoding *how = encoding_new(f, PN__LANCE__ARRAY_ENCODING__KIND_FLAT);
    how->flat = MESSAGE(f, ArrayFlat, array_flat);
    how->flat->has_bits = 1;
    how->flat->bits = bits;
    how->flat->buffer = MESSAGE(f, ArrayBuffer, array_buffer);
    how->flat->buffer->has_index = 1;
    how->flat->buffer->index = buffer;
    return how;
}

static Pn__Lance__ArrayEncoding *some_nulls(forest *f, Pn__Lance__ArrayEncoding *validity,
                                            Pn__Lance__ArrayEncoding *values)
{
    Pn__Lance__ArrayEncoding *how = encoding_new(f, PN__LANCE__ARRAY_ENCODING__KIND_NULLABLE);
    how->nullable = MESSAGE(f, ArrayNullable, array_nullable);
    how->nullable->kind_case = PN__LANCE__ARRAY_NULLABLE__KIND_SOME_NULLS;
    how->nullable->some_nulls = MESSAGE(f, ArraySomeNulls, array_some_nulls);
    how->nullable->some_nulls->validity = validity;
    how->nullable->some_nulls->values = values;
    return how;
}

static Pn__Lance__ArrayEncoding *fixed_list(forest *f, uint32_t dim,
                                            Pn__Lance__ArrayEncoding *items)
{
    Pn__Lance__ArrayEncoding *how = encoding_new(f, PN__LANCE__ARRAY_ENCODING__KIND_FIXED_LIST);
    how->fixed_list = MESSAGE(f, ArrayFixedList, array_fixed_list);
    how->fixed_list->has_dimension = 1;
    how->fixed_list->dimension = dim;
    how->fixed_list->items = items;
    return how;
}

static Pn__Lance__ArrayEncoding *tree(forest *f, unsigned depth);

static Pn__Lance__ArrayEncoding *without_nulls(forest *f, unsigned depth)
{
    Pn__Lance__ArrayEncoding *how = encoding_new(f, PN__LANCE__ARRAY_ENCODING__KIND_NULLABLE);
    how->nullable = MESSAGE(f, ArrayNullable, array_nullable);
    how->nullable->kind_case = PN__LANCE__ARRAY_NULLABLE__KIND_NO_NULLS;
    how->nullable->no_nulls = MESSAGE(f, ArrayNoNulls, array_no_nulls);
    how->nullable->no_nulls->values = tree(f, depth + 1);
    return how;
}

static Pn__Lance__ArrayEncoding *binary(forest *f, unsigned depth)
{
    Pn__Lance__ArrayEncoding *how = encoding_new(f, PN__LANCE__ARRAY_ENCODING__KIND_BINARY);
    how->binary = MESSAGE(f, ArrayBinary, array_binary);
    how->binary->indices = tree(f, depth + 1);
    how->binary->bytes = tree(f, depth + 1);
    how->binary->has_null_adjustment = 1;
    how->binary->null_adjustment = pn_rng_below(&f->rng, 3) * 40;
    return how;
}

static Pn__Lance__ArrayEncoding *dictionary(forest *f, unsigned depth)
{
    Pn__Lance__ArrayEncoding *how = encoding_new(f, PN__LANCE__ARRAY_ENCODING__KIND_DICTIONARY);
    how->dictionary = MESSAGE(f, ArrayDictionary, array_dictionary);
    how->dictionary->indices = tree(f, depth + 1);
    how->dictionary->items = tree(f, depth + 1);
    how->dictionary->has_n_items = 1;
    how->dictionary->n_items = (uint32_t)pn_rng_below(&f->rng, 60);
    return how;
}

static Pn__Lance__ArrayEncoding *fixed_binary(forest *f, unsigned depth)
{
    Pn__Lance__ArrayEncoding *how = encoding_new(f, PN__LANCE__ARRAY_ENCODING__KIND_FIXED_BINARY);
    how->fixed_binary = MESSAGE(f, ArrayFixedBinary, array_fixed_binary);
    how->fixed_binary->has_width = 1;
    how->fixed_binary->width = 1 + (uint32_t)pn_rng_below(&f->rng, 4);
    how->fixed_binary->bytes = tree(f, depth + 1);
    return how;
}

static Pn__Lance__ArrayEncoding *tree(forest *f, unsigned depth)
{
    static const uint64_t widths[] = {1, 1, 8, 8, 16, 32, 64};
    switch (depth < MAX_DEPTH ? pn_rng_below(&f->rng, 9) : 0) {
    case 3:
        return some_nulls(f, tree(f, depth + 1), tree(f, depth + 1));
    case 4:
        return without_nulls(f, depth);
    case 5:
        return fixed_list(f, 1 + (uint32_t)pn_rng_below(&f->rng, 4), tree(f, depth + 1));
    case 6:
        return binary(f, depth);
    case 7:
        return dictionary(f, depth);
    case 8:
        return fixed_binary(f, depth);
    default:
        return flat(f, widths[pn_rng_below(&f->rng, PN_COUNT_OF(widths))],
                    (uint32_t)pn_rng_below(&f->rng, N_BUFFERS));
    }
}

/* Small numbers that grow, so that they may be offsets, and indices, and bits. */
static void forest_make(forest *f)
{
    pn_arena_init(&f->arena, SIZE_MAX);
    f->rng = pn_rng_seed(41);
    for (size_t b = 0; b < N_BUFFERS; b++) {
        for (size_t i = 0; i < BUFFER_BYTES; i++)
            f->bytes[b][i] = (uint8_t)(b < 2    ? pn_rng_below(&f->rng, 256)
                                       : b == 2 ? i / 2
                                       : b == 3 ? (i % 8 ? 0 : i / 16)
                                       : b == 4 ? (i % 4 ? 0 : i / 8)
                                                : pn_rng_below(&f->rng, 8));
        f->buffers[b] = (pn_slice){f->bytes[b], BUFFER_BYTES};
    }
    f->of_page = (pn_array_buffers){.page = f->buffers, .n_page = N_BUFFERS};
}

static pn_status read_tree(forest *f, const Pn__Lance__ArrayEncoding *how, uint64_t first, size_t n,
                           pn_array_values *out, pn_error *err)
{
    pn_decoder d = {.arena = &f->arena, .where = "a tree", .max_bytes = 1u << 16, .err = err};
    return pn_array_values_decode(&d, &f->of_page, how, first, n, out);
}

static void assert_same_row(const pn_array_values *whole, size_t row, const pn_array_values *part,
                            size_t i)
{
    const pn_values *a = &whole->values, *b = &part->values;
    bool valid = !whole->valid || whole->valid[row];
    assert_int_equal(valid, !part->valid || part->valid[i]);
    assert_int_equal(a->variable, b->variable);
    assert_int_equal(a->width, b->width);
    if (!valid)
        return;
    size_t at = a->variable ? (size_t)a->offsets[row] : row * a->width;
    size_t to = b->variable ? (size_t)b->offsets[i] : i * b->width;
    size_t n = a->variable ? (size_t)a->offsets[row + 1] - at : a->width;
    if (b->variable)
        assert_int_equal(n, (size_t)b->offsets[i + 1] - to);
    if (n > 0)
        assert_memory_equal(a->data + at, b->data + to, n);
    for (size_t level = 0; level < PN_FIXED_LIST_MAX_DEPTH; level++) {
        size_t items = a->n_items[level];
        assert_int_equal(items, b->n_items[level]);
        if (a->item_valid[level] && items > 0)
            assert_memory_equal(a->item_valid[level] + row * items,
                                b->item_valid[level] + i * items, items);
    }
}

static void encodings_at_random__give_a_row_one_value(void **state)
{
    static forest f;
    pn_array_values whole, part;
    size_t n_read = 0;
    (void)state;
    forest_make(&f);
    for (size_t i = 0; i < TREES; i++) {
        pn_error err = {0};
        const Pn__Lance__ArrayEncoding *how = tree(&f, 0);
        pn_status status = read_tree(&f, how, 0, TREE_ROWS, &whole, &err);
        for (size_t first = 0; status == PN_OK && first < TREE_ROWS; first++) {
            size_t n = 1 + pn_rng_below(&f.rng, TREE_ROWS - first);
            assert_int_equal(read_tree(&f, how, first, n, &part, &err), PN_OK);
            for (size_t k = 0; k < n; k++)
                assert_same_row(&whole, first + k, &part, k);
        }
        if (status != PN_OK)
            assert_true(err.message[0] != '\0');
        n_read += status == PN_OK;
        pn_arena_reset(&f.arena);
    }
    assert_true(n_read > TREES / 4 && n_read < TREES);
}

static void a_validity_of_lists__is_refused(void **state)
{
    static forest f;
    pn_array_values out;
    pn_error err = {0};
    (void)state;
    forest_make(&f);
    assert_int_equal(
        read_tree(&f, some_nulls(&f, flat(&f, 1, 0), flat(&f, 32, 1)), 3, 9, &out, &err), PN_OK);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(out.valid[i], f.bytes[0][(3 + i) / 8] >> ((3 + i) % 8) & 1);
    for (uint32_t dim = 2; dim <= 4; dim++) {
        const Pn__Lance__ArrayEncoding *how =
            some_nulls(&f, fixed_list(&f, dim, flat(&f, 1, 0)), flat(&f, 32, 1));
        assert_int_equal(read_tree(&f, how, 0, 9, &out, &err), PN_ERR_CORRUPT);
        assert_non_null(strstr(err.message, "a tree: a validity that is not of a bit a value"));
    }
    pn_arena_reset(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blobs__are_read_from_where_they_lie),
        cmocka_unit_test(a_blob_outside_of_the_file__is_refused),
        cmocka_unit_test(strings_in_lz4__are_read),
        cmocka_unit_test(encodings_at_random__give_a_row_one_value),
        cmocka_unit_test(a_validity_of_lists__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
