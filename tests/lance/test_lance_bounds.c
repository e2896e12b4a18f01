/*
 * test_lance_bounds.c - small files that claim to be large
 *
 * Each file here is a few hundred bytes and says that it holds gigabytes: a dictionary of a quarter billion items packed to zero
 * bits, a compressed chunk of 3 GiB, vectors of a quarter billion floats. Reading one row must be refused, or cost what a row costs.
 * What is measured is every byte that was asked of malloc on the way, so that memory nobody touched counts as well.
 */
#include "base/alloc.h"
#include "base/compiler.h"
#include "base/endian.h"
#include "column/builder.h"
#include "lance/lance_reader.h"
#include "lance/lance_schema.h"
#include "support/lance_checks.h"

#include <lance.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define MOST_BYTES ((uint64_t)160 << 20)

/* What is said of one page of one column. */
typedef struct claim {
    const char *type;
    Pn__Lance__PageLayout *layout;
    const void *buffers[3];
    size_t sizes[3], n_buffers;
    uint64_t n_rows;
    size_t n_columns; /* that all point at the one column's metadata */
} claim;

typedef struct file_bytes {
    uint8_t bytes[1 << 16];
    size_t n;
} file_bytes;

static size_t put(file_bytes *f, const void *bytes, size_t n)
{
    size_t at = f->n;
    assert_true(n <= sizeof f->bytes - f->n);
    if (n > 0)
        memcpy(f->bytes + f->n, bytes, n);
    f->n = (f->n + n + 63) / 64 * 64;
    return at;
}

static void put_u64(file_bytes *f, uint64_t value)
{
    pn_store_le64(f->bytes + f->n, value);
    f->n += 8;
}

static size_t put_column(file_bytes *f, const claim *c, size_t *n)
{
    uint8_t layout[4096], any_bytes[4600], out[8192];
    char url[] = "/lance.encodings21.PageLayout";
    uint64_t offsets[3], sizes[3];
    for (size_t i = 0; i < c->n_buffers; i++) {
        sizes[i] = c->sizes[i];
        offsets[i] = put(f, c->buffers[i], c->sizes[i]);
    }
    Pn__Lance__Any any = PN__LANCE__ANY__INIT;
    any.type_url = url;
    any.has_value = 1;
    any.value.len = pn__lance__page_layout__pack(c->layout, layout);
    any.value.data = layout;
    Pn__Lance__DirectEncoding direct = PN__LANCE__DIRECT_ENCODING__INIT;
    direct.has_encoding = 1;
    direct.encoding.len = pn__lance__any__pack(&any, any_bytes);
    direct.encoding.data = any_bytes;
    Pn__Lance__Encoding encoding = PN__LANCE__ENCODING__INIT;
    encoding.direct = &direct;
    Pn__Lance__Page page = PN__LANCE__PAGE__INIT, *pages[] = {&page};
    page.buffer_offsets = offsets;
    page.buffer_sizes = sizes;
    page.n_buffer_offsets = page.n_buffer_sizes = c->n_buffers;
    page.has_length = 1;
    page.length = c->n_rows;
    page.encoding = &encoding;
    Pn__Lance__ColumnMetadata column = PN__LANCE__COLUMN_METADATA__INIT;
    column.pages = pages;
    column.n_pages = 1;
    *n = pn__lance__column_metadata__pack(&column, out);
    return put(f, out, *n);
}

static size_t put_descriptor(file_bytes *f, const claim *c, size_t *n)
{
    uint8_t out[512];
    char name[] = "x", type[64];
    (void)snprintf(type, sizeof type, "%s", c->type);
    Pn__Lance__Field field = PN__LANCE__FIELD__INIT, *fields[] = {&field};
    field.name = name;
    field.logical_type = type;
    field.has_parent_id = field.has_nullable = 1;
    field.parent_id = -1;
    field.nullable = 1;
    Pn__Lance__Schema schema = PN__LANCE__SCHEMA__INIT;
    schema.fields = fields;
    schema.n_fields = 1;
    Pn__Lance__FileDescriptor descriptor = PN__LANCE__FILE_DESCRIPTOR__INIT;
    descriptor.schema = &schema;
    descriptor.has_length = 1;
    descriptor.length = c->n_rows;
    *n = pn__lance__file_descriptor__pack(&descriptor, out);
    return put(f, out, *n);
}

static void make_file(const claim *c, file_bytes *f)
{
    size_t n_column, n_descriptor, n_columns = PN_MAX(c->n_columns, 1u);
    memset(f, 0, sizeof *f);
    size_t column = put_column(f, c, &n_column), descriptor = put_descriptor(f, c, &n_descriptor);
    size_t table = f->n;
    for (size_t i = 0; i < n_columns; i++) {
        put_u64(f, column);
        put_u64(f, n_column);
    }
    size_t global = f->n;
    put_u64(f, descriptor);
    put_u64(f, n_descriptor);
    put_u64(f, column);
    put_u64(f, table);
    put_u64(f, global);
    pn_store_le32(f->bytes + f->n, 1);
    pn_store_le32(f->bytes + f->n + 4, (uint32_t)n_columns);
    memcpy(f->bytes + f->n + 8, "\2\0\2\0LANC", 8);
    f->n += 16;
}

static pn_status read_one_row(const char *path, pn_error *err)
{
    pn_lance_file *file;
    pn_arena arena;
    pn_array out;
    lance_column column;
    PN_TRY(pn_lance_file_open(path, &file, err));
    lance_column_make(file, 0, &column);
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_lance_file_read(file, column.field, column.leaves, column.n_leaves, 0, 1,
                                          NULL, &arena, &out, err);
    pn_arena_reset(&arena);
    pn_lance_file_close(file);
    return status;
}

/* Open and read one row; the error text, or "" when it could be read. */
static void expect(const claim *c, const char *what)
{
    static file_bytes f;
    char path[] = "/tmp/pennon-bounds-XXXXXX";
    int fd = mkstemp(path);
    pn_error err = {0};
    make_file(c, &f);
    assert_true(fd >= 0 && write(fd, f.bytes, f.n) == (ssize_t)f.n);
    (void)close(fd);
    uint64_t before = pn_alloc_asked_bytes();
    pn_status status = read_one_row(path, &err);
    uint64_t asked = pn_alloc_asked_bytes() - before;
    (void)unlink(path);
    print_message("  %-44s %6.1f MiB asked, %s\n", what, (double)asked / (1 << 20),
                  status == PN_OK ? "read" : err.message);
    if (asked > MOST_BYTES)
        fail_msg("%s: %llu bytes asked for, of a file of %zu", what, (unsigned long long)asked,
                 f.n);
    if (status != PN_OK && !strstr(err.message, path))
        fail_msg("%s: the error does not name the file: %s", what, err.message);
}

/* ---- encodings ---- */

typedef struct encodings {
    Pn__Lance__Flat flat_zero, flat_64, flat_8;
    Pn__Lance__Compression how_zero, how_64, how_8, packed_64, packed_16, general, lists;
    Pn__Lance__OutOfLine out_64, out_16;
    Pn__Lance__Scheme scheme;
    Pn__Lance__General around;
    Pn__Lance__FixedList list;
} encodings;

static void flat(Pn__Lance__Flat *message, Pn__Lance__Compression *how, uint64_t bits)
{
    pn__lance__flat__init(message);
    pn__lance__compression__init(how);
    message->has_bits = 1;
    message->bits = bits;
    how->kind_case = PN__LANCE__COMPRESSION__KIND_FLAT;
    how->flat = message;
}

static void packed(Pn__Lance__OutOfLine *message, Pn__Lance__Compression *how, uint64_t bits,
                   Pn__Lance__Compression *values)
{
    pn__lance__out_of_line__init(message);
    pn__lance__compression__init(how);
    message->has_bits = 1;
    message->bits = bits;
    message->values = values;
    how->kind_case = PN__LANCE__COMPRESSION__KIND_OUT_OF_LINE;
    how->out_of_line = message;
}

static void encodings_make(encodings *e, int scheme, uint64_t items)
{
    flat(&e->flat_zero, &e->how_zero, 0);
    flat(&e->flat_64, &e->how_64, 64);
    flat(&e->flat_8, &e->how_8, 8);
    packed(&e->out_64, &e->packed_64, 64, &e->how_zero); // 1024 values in no byte
    packed(&e->out_16, &e->packed_16, 16, &e->how_zero);
    pn__lance__general__init(&e->around);
    pn__lance__scheme__init(&e->scheme);
    pn__lance__compression__init(&e->general);
    e->scheme.has_scheme = 1;
    e->scheme.scheme = scheme;
    e->around.scheme = &e->scheme;
    e->around.values = &e->how_64;
    e->general.kind_case = PN__LANCE__COMPRESSION__KIND_GENERAL;
    e->general.general = &e->around;
    pn__lance__fixed_list__init(&e->list);
    pn__lance__compression__init(&e->lists);
    e->list.has_items = 1;
    e->list.items = items;
    e->list.values = &e->packed_64;
    e->lists.kind_case = PN__LANCE__COMPRESSION__KIND_FIXED_LIST;
    e->lists.fixed_list = &e->list;
}

static int32_t valid_item[] = {1}, null_item[] = {3};

static void mini_block(Pn__Lance__MiniBlock *block, Pn__Lance__PageLayout *layout,
                       Pn__Lance__Compression *values, uint64_t n_items)
{
    pn__lance__mini_block__init(block);
    pn__lance__page_layout__init(layout);
    block->values = values;
    block->has_n_items = block->has_n_buffers = block->has_has_large_chunk = 1;
    block->n_items = n_items;
    block->n_buffers = 1;
    block->has_large_chunk = 1;
    block->layers = valid_item;
    block->n_layers = 1;
    layout->layout_case = PN__LANCE__PAGE_LAYOUT__LAYOUT_MINI_BLOCK;
    layout->mini_block = block;
}

/* A chunk word for one chunk of 64 bytes that holds all values; the chunk: no levels, one buffer of 48 bytes. */
static const uint8_t one_chunk_word[4] = {7 << 4};
static uint8_t one_chunk[64] = {0, 0, 48};

/* ---- the claims ---- */

static void a_huge_chunk__costs_nothing(void **state)
{
    (void)state;
    encodings e;
    Pn__Lance__MiniBlock block;
    Pn__Lance__PageLayout layout;
    encodings_make(&e, 2, 1);
    mini_block(&block, &layout, &e.packed_64, 1u << 28);
    claim c = {"int64", &layout, {one_chunk_word, one_chunk}, {4, 64}, 2, 1u << 28, 1};
    expect(&c, "a quarter billion numbers in no byte");
    encodings_make(&e, 2, 1u << 20);
    mini_block(&block, &layout, &e.lists, 256);
    c = (claim){
        "fixed_size_list:int64:1048576", &layout, {one_chunk_word, one_chunk}, {4, 64}, 2, 256, 1};
    expect(&c, "256 lists of a million numbers in no byte");
}

static void a_huge_dictionary__costs_nothing(void **state)
{
    (void)state;
    encodings e;
    Pn__Lance__MiniBlock block;
    Pn__Lance__PageLayout layout;
    encodings_make(&e, 2, 1);
    mini_block(&block, &layout, &e.how_8, 8);
    block.dictionary = &e.packed_64;
    block.has_n_dictionary_items = 1;
    block.n_dictionary_items = 1u << 28;
    claim c = {"int64", &layout, {one_chunk_word, one_chunk, one_chunk}, {4, 64, 8}, 3, 8, 1};
    expect(&c, "a dictionary of 2 GiB in no byte");
}

static void a_huge_compressed_size__costs_nothing(void **state)
{
    (void)state;
    for (int scheme = 1; scheme <= 2; scheme++) {
        encodings e;
        Pn__Lance__MiniBlock block;
        Pn__Lance__PageLayout layout;
        encodings_make(&e, scheme, 1);
        uint8_t chunk[64] = {0, 0, 48};
        if (scheme == 1)
            pn_store_le32(chunk + 8, INT32_MAX);
        else
            pn_store_le64(chunk + 8, (uint64_t)3 << 30);
        memcpy(chunk + 16, "\x28\xb5\x2f\xfd\x00\x58", 6); // a zstd frame of unknown content size
        mini_block(&block, &layout, &e.general, 8);
        claim c = {"int64", &layout, {one_chunk_word, chunk}, {4, 64}, 2, 8, 1};
        expect(&c, scheme == 1 ? "an lz4 block of 2 GiB" : "a zstd frame of 3 GiB");
    }
}

static void huge_constants__cost_nothing(void **state)
{
    (void)state;
    encodings e;
    Pn__Lance__Constant constant = PN__LANCE__CONSTANT__INIT;
    Pn__Lance__PageLayout layout = PN__LANCE__PAGE_LAYOUT__INIT;
    encodings_make(&e, 2, 1);
    constant.layers = null_item;
    constant.n_layers = 1;
    constant.def = &e.packed_16;
    constant.has_n_def = 1;
    constant.n_def = 1u << 30;
    layout.layout_case = PN__LANCE__PAGE_LAYOUT__LAYOUT_CONSTANT;
    layout.constant = &constant;
    claim c = {"int64", &layout, {one_chunk, one_chunk}, {0, 8}, 2, 1u << 30, 1};
    expect(&c, "a billion levels in no byte");
    constant.def = NULL;
    c = (claim){"fixed_size_list:float:268435456", &layout, {NULL}, {0}, 0, 5, 1};
    expect(&c, "a null vector of a quarter billion floats");
}

static void shared_metadata__is_refused(void **state)
{
    (void)state;
    Pn__Lance__Constant constant = PN__LANCE__CONSTANT__INIT;
    Pn__Lance__PageLayout layout = PN__LANCE__PAGE_LAYOUT__INIT;
    int32_t layers[2000];
    for (size_t i = 0; i < PN_COUNT_OF(layers); i++)
        layers[i] = 3;
    constant.layers = layers;
    constant.n_layers = PN_COUNT_OF(layers);
    layout.layout_case = PN__LANCE__PAGE_LAYOUT__LAYOUT_CONSTANT;
    layout.constant = &constant;
    claim c = {"int64", &layout, {NULL}, {0}, 0, 5, 2000};
    expect(&c, "2000 columns with one metadata");
}

/* A column that is in no file of a fragment is made of nulls. */
static void an_absent_column__is_bounded(void **state)
{
    (void)state;
    pn_arena arena;
    pn_array out;
    pn_error err = {0};
    pn_field field;
    pn_arena_init(&arena, SIZE_MAX);
    assert_true(pn_field_init_vector(&field, "x", INT32_MAX, &arena));
    field.nullable = true;
    uint64_t before = pn_alloc_asked_bytes();
    assert_int_equal(pn_lance_absent(&field, 3, &arena, &out, &err), PN_ERR_LIMIT);
    assert_true(pn_alloc_asked_bytes() - before < MOST_BYTES);
    assert_non_null(strstr(err.message, "\"x\""));
    assert_true(pn_field_init_vector(&field, "x", 512, &arena));
    field.nullable = true;
    assert_int_equal(pn_lance_absent(&field, 8192, &arena, &out, &err), PN_OK);
    assert_int_equal(out.length, 8192);
    assert_false(pn_array_is_valid(&out, 8191));
    pn_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_huge_chunk__costs_nothing),
        cmocka_unit_test(a_huge_dictionary__costs_nothing),
        cmocka_unit_test(a_huge_compressed_size__costs_nothing),
        cmocka_unit_test(huge_constants__cost_nothing),
        cmocka_unit_test(shared_metadata__is_refused),
        cmocka_unit_test(an_absent_column__is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
