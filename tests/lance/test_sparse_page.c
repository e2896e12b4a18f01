/*
 * test_sparse_page.c - the sparse layout: a file of LanceDB's against the rows it was made of, and pages made by hand
 *
 * fuzz/corpus/lance_file/sparse_2_3.lance has 90 rows that LanceDB 0.39 wrote where the columns asked for this layout. What is in them
 * is a function of the row's number, which append_price(), append_tags() and append_parts() repeat.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/endian.h"
#include "column/builder.h"
#include "lance/container.h"
#include "lance/shred.h"
#include "support/lance_checks.h"

enum { ROWS = 90, NAMES = 3 /* column of the innermost strings */ };

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

static const char *file_path(void)
{
    static char path[1024];
    const char *source = getenv("PN_SOURCE_DIR");
    assert_non_null(source);
    (void)snprintf(path, sizeof path, "%s/fuzz/corpus/lance_file/sparse_2_3.lance", source);
    return path;
}

/* ---- the rows ---- */

static void append_text(pn_builder *b, const char *head, size_t n)
{
    char text[32];
    pn_error err = {0};
    int length = snprintf(text, sizeof text, "%s %zu", head, n);
    check(pn_builder_append_bytes(b, text, (size_t)length, &err), &err);
}

static void append_null(pn_builder *b)
{
    pn_error err = {0};
    check(pn_builder_append_null(b, &err), &err);
}

static void close_row(pn_builder *b)
{
    pn_error err = {0};
    check(pn_builder_close_row(b, &err), &err);
}

static void append_price(pn_builder *b, size_t i)
{
    pn_error err = {0};
    check(i % 3 == 0 ? pn_builder_append_null(b, &err)
                     : pn_builder_append_double(b, (double)i / 4, &err),
          &err);
}

static void append_tags(pn_builder *b, size_t i)
{
    if (i % 5 == 2) {
        append_null(b);
        return;
    }
    for (size_t k = 0; k < i % 4; k++)
        if ((i + k) % 7 == 3)
            append_null(pn_builder_child(b, 0));
        else
            append_text(pn_builder_child(b, 0), "tag", i + k);
    close_row(b);
}

static void append_part(pn_builder *b, size_t i, size_t k)
{
    pn_error err = {0};
    pn_builder *n = pn_builder_child(b, 0), *names = pn_builder_child(b, 1);
    if ((i + k) % 6 == 1) {
        append_null(b);
        return;
    }
    check((i + k) % 4 == 2 ? pn_builder_append_null(n, &err)
                           : pn_builder_append_i64(n, (int64_t)(i * 10 + k), &err),
          &err);
    for (size_t j = 0; (i + k) % 9 != 4 && j < (i + k) % 3; j++)
        append_text(pn_builder_child(names, 0), "name", i + k + j);
    if ((i + k) % 9 == 4)
        append_null(names);
    else
        close_row(names);
    close_row(b);
}

static void append_parts(pn_builder *b, size_t i)
{
    if (i % 11 == 5) {
        append_null(b);
        return;
    }
    for (size_t k = 0; k < i % 3; k++)
        append_part(pn_builder_child(b, 0), i, k);
    close_row(b);
}

static void a_file_of_LanceDB__has_the_rows_it_was_made_of(void **state)
{
    static void (*const append[])(pn_builder *, size_t) = {append_price, append_tags, append_parts};
    (void)state;
    pn_error err = {0};
    pn_lance_file *file = NULL;
    pn_rng rng = pn_rng_seed(3);
    check(pn_lance_file_open(file_path(), &file, &err), &err);
    for (size_t i = 0; i < PN_COUNT_OF(append); i++) {
        pn_builder *b;
        pn_array want, got;
        pn_arena arena;
        lance_column column;
        pn_arena_init(&arena, SIZE_MAX);
        lance_column_make(file, i, &column);
        check(pn_builder_create(column.field, SIZE_MAX / 2, &b, &err), &err);
        for (size_t row = 0; row < ROWS; row++)
            append[i](b, row);
        check(pn_builder_view(b, &want, &err), &err);
        check(lance_column_read(&column, &arena, &got, &err), &err);
        if (!pn_array_equal(&got, &want))
            fail_msg("column \"%s\" differs", column.field->name);
        lance_column_check(&column, &got, &rng);
        assert_int_equal(lance_column_check_scan(&column, &got, 7), column.n_leaves);
        pn_builder_free(b);
        pn_arena_reset(&arena);
    }
    pn_lance_file_close(file);
}

/* ---- a page of the file, spoilt ---- */

/* The messages of the outermost list, which cases change and which are put back. */
typedef struct outer_list {
    Pn__Lance__Sparse page;
    Pn__Lance__ListLayer list;
    Pn__Lance__Positions filled;
    Pn__Lance__Counts counts;
    Pn__Lance__Validity validity;
} outer_list;

static void take(const Pn__Lance__Sparse *page, outer_list *out)
{
    const Pn__Lance__ListLayer *list = page->layers[0]->list;
    *out = (outer_list){*page, *list, *list->filled, *list->counts, *list->validity};
}

static void put_back(Pn__Lance__Sparse *page, const outer_list *from)
{
    Pn__Lance__ListLayer *list = page->layers[0]->list;
    *page = from->page;
    *list = from->list;
    *list->filled = from->filled;
    *list->counts = from->counts;
    *list->validity = from->validity;
}

static Pn__Lance__PositionRange range = {
    .base = PROTOBUF_C_MESSAGE_INIT(&pn__lance__position_range__descriptor)};
static Pn__Lance__ConstantCount zero_items = {
    .base = PROTOBUF_C_MESSAGE_INIT(&pn__lance__constant_count__descriptor)};

static void more_values(Pn__Lance__Sparse *s)
{
    s->n_visible_items++;
}
static void more_entries(Pn__Lance__Sparse *s)
{
    s->n_items++;
}
static void fewer_entries(Pn__Lance__Sparse *s)
{
    s->n_items--;
}
static void huge(Pn__Lance__Sparse *s)
{
    s->n_items = UINT64_MAX / 2;
}
static void fewer_layers(Pn__Lance__Sparse *s)
{
    s->n_layers--;
}
static void two_buffers(Pn__Lance__Sparse *s)
{
    s->n_buffers = 2;
}
static void fewer_slots(Pn__Lance__Sparse *s)
{
    s->layers[0]->list->n_slots--;
}
static void more_items(Pn__Lance__Sparse *s)
{
    s->layers[0]->list->n_child_slots++;
}
static void many_positions(Pn__Lance__Sparse *s)
{
    s->layers[0]->list->filled->n = ROWS + 1;
}
static void fewer_positions(Pn__Lance__Sparse *s)
{
    s->layers[0]->list->filled->n--;
}
static void no_meaning(Pn__Lance__Sparse *s)
{
    s->layers[0]->list->validity->meaning = 3;
}
static void no_validity(Pn__Lance__Sparse *s)
{
    s->layers[0]->list->validity = NULL;
}
static void no_counts(Pn__Lance__Sparse *s)
{
    s->layers[0]->list->counts->kind_case = PN__LANCE__COUNTS__KIND_NONE;
}
static void counts_of_zero(Pn__Lance__Sparse *s)
{
    s->layers[0]->list->counts->kind_case = PN__LANCE__COUNTS__KIND_CONSTANT;
    s->layers[0]->list->counts->constant = &zero_items;
}
static void range_outside(Pn__Lance__Sparse *s)
{
    range.start = ROWS - 1;
    range.length = s->layers[0]->list->filled->n;
    s->layers[0]->list->filled->kind_case = PN__LANCE__POSITIONS__KIND_RANGE;
    s->layers[0]->list->filled->range = &range;
}
static void all_of_some(Pn__Lance__Sparse *s)
{
    s->layers[0]->list->filled->kind_case = PN__LANCE__POSITIONS__KIND_ALL;
}
static void none_of_some(Pn__Lance__Sparse *s)
{
    s->layers[0]->list->filled->kind_case = PN__LANCE__POSITIONS__KIND_NONE;
}
static void no_kind(Pn__Lance__Sparse *s)
{
    s->layers[0]->list->filled->kind_case = PN__LANCE__POSITIONS__KIND__NOT_SET;
}
static void valid_for_null(Pn__Lance__Sparse *s)
{
    s->layers[0]->list->validity->meaning = 2;
}
static void nothing(Pn__Lance__Sparse *s)
{
    (void)s;
}

static pn_status read_page(const pn_file_page *from, const pn_slice *buffers, size_t n_buffers,
                           const pn_leaf_path *path, pn_error *err)
{
    pn_arena arena;
    pn_stream stream;
    const pn_row_range all = {0, from->n_rows};
    pn_arena_init(&arena, 1u << 26);
    pn_stream_init(&stream, 1u << 26);
    pn_decoder d = {.arena = &arena,
                    .where = "page",
                    .max_bytes = 1u << 20,
                    .leaf = path->nodes[path->n - 1],
                    .err = err};
    pn_page page = {
        .layout = from->layout, .buffers = buffers, .n_buffers = n_buffers, .n_rows = from->n_rows};
    pn_status status = pn_stream_expect(&stream, d.leaf, err);
    if (status == PN_OK)
        status = pn_page_read(&d, &page, path, &all, 1, &stream);
    pn_stream_reset(&stream);
    pn_arena_reset(&arena);
    return status;
}

static void what_does_not_fit__is_refused_by_name(void **state)
{
    static const struct {
        void (*spoil)(Pn__Lance__Sparse *);
        const char *said;
        int more_buffers;
        pn_status status;
    } cases[] = {
        {nothing, NULL, 0, PN_OK},
        {more_values, "another number of values than its layers", 0, PN_ERR_CORRUPT},
        {more_entries, "fewer entries than it says", 0, PN_ERR_CORRUPT},
        {fewer_entries, "more entries than it says", 0, PN_ERR_CORRUPT},
        {huge, "values in a page is too many", 0, PN_ERR_LIMIT},
        {fewer_layers, "another number of layers", 0, PN_ERR_CORRUPT},
        {two_buffers, "another number of buffers than its encoding", 0, PN_ERR_CORRUPT},
        {fewer_slots, "another number of slots than the one above", 0, PN_ERR_CORRUPT},
        {more_items, "another number of items than the layer below", 0, PN_ERR_CORRUPT},
        {many_positions, "more positions than slots", 0, PN_ERR_CORRUPT},
        {fewer_positions, "page: ", 0, PN_ERR_CORRUPT},
        {no_meaning, "does not say what is null", 0, PN_ERR_CORRUPT},
        {no_validity, "does not say what is null", 0, PN_ERR_CORRUPT},
        {no_counts, "lists with items, but no number of them", 0, PN_ERR_CORRUPT},
        {counts_of_zero, "an impossible number of items", 0, PN_ERR_CORRUPT},
        {range_outside, "a range of positions that are not there", 0, PN_ERR_CORRUPT},
        {all_of_some, "all positions are not as many as slots", 0, PN_ERR_CORRUPT},
        {none_of_some, "no positions, but a number of them", 0, PN_ERR_CORRUPT},
        {no_kind, "a set of positions without a kind", 0, PN_ERR_CORRUPT},
        {valid_for_null, "a null list that has items", 0, PN_ERR_CORRUPT},
        {nothing, "a sparse page lacks a buffer", -1, PN_ERR_CORRUPT},
        {nothing, "more buffers than its layers", 1, PN_ERR_CORRUPT},
    };
    (void)state;
    pn_error err = {0};
    pn_container file;
    pn_lance_file *reader = NULL;
    pn_leaf_path path;
    pn_slice buffers[16];
    check(pn_container_open(&file, file_path(), &err), &err);
    check(pn_lance_file_open(file_path(), &reader, &err), &err);
    pn_leaf_path_make(&pn_lance_file_schema(reader)->fields[2], 1, &path);
    const pn_file_page *page = &file.columns[NAMES].pages[0];
    Pn__Lance__Sparse *sparse = page->layout->sparse;
    assert_int_equal(page->layout->layout_case, PN__LANCE__PAGE_LAYOUT__LAYOUT_SPARSE);
    assert_true(page->n_buffers < PN_COUNT_OF(buffers));
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        outer_list saved;
        err = (pn_error){0};
        memcpy(buffers, page->buffers, page->n_buffers * sizeof *buffers);
        buffers[page->n_buffers] = buffers[0];
        take(sparse, &saved);
        cases[i].spoil(sparse);
        size_t n_buffers = page->n_buffers + (cases[i].more_buffers > 0);
        n_buffers -= cases[i].more_buffers < 0;
        pn_status status = read_page(page, buffers, n_buffers, &path, &err);
        put_back(sparse, &saved);
        if (status != cases[i].status || (cases[i].said && !strstr(err.message, cases[i].said)))
            fail_msg("case %zu: %s instead of %s", i, err.message, cases[i].said);
    }
    pn_lance_file_close(reader);
    pn_container_close(&file);
}

/* ---- a flat page by hand ---- */

/* Eight numbers of 64 bits, 0 to 7, and what says which of them are null: text has N for those. */
static void check_flat(Pn__Lance__Positions *positions, int32_t meaning, const char *want)
{
    pn_error err = {0};
    uint8_t words[8], chunk[8 + 64] = {0};
    pn_store_le32(words, sizeof chunk / 8 - 1);
    pn_store_le32(words + 4, 8);
    pn_store_le32(chunk + 2, 64);
    for (uint64_t i = 0; i < 8; i++)
        pn_store_le64(chunk + 8 + 8 * i, i);
    const pn_slice buffers[] = {{words, sizeof words}, {chunk, sizeof chunk}};
    Pn__Lance__Flat flat = PN__LANCE__FLAT__INIT;
    Pn__Lance__Compression how = PN__LANCE__COMPRESSION__INIT;
    Pn__Lance__Validity validity = PN__LANCE__VALIDITY__INIT;
    Pn__Lance__ItemLayer item = PN__LANCE__ITEM_LAYER__INIT;
    Pn__Lance__SparseLayer layer = PN__LANCE__SPARSE_LAYER__INIT, *layers[] = {&layer};
    Pn__Lance__Sparse sparse = PN__LANCE__SPARSE__INIT;
    Pn__Lance__PageLayout layout = PN__LANCE__PAGE_LAYOUT__INIT;
    flat.bits = 64;
    how.kind_case = PN__LANCE__COMPRESSION__KIND_FLAT;
    how.flat = &flat;
    validity.meaning = meaning;
    validity.positions = positions;
    item.n_slots = 8;
    item.validity = &validity;
    layer.kind_case = PN__LANCE__SPARSE_LAYER__KIND_ITEM;
    layer.item = &item;
    sparse.values = &how;
    sparse.n_buffers = 1;
    sparse.n_items = sparse.n_visible_items = 8;
    sparse.has_large_chunk = 1;
    sparse.n_layers = positions ? 1 : 0;
    sparse.layers = layers;
    layout.layout_case = PN__LANCE__PAGE_LAYOUT__LAYOUT_SPARSE;
    layout.sparse = &sparse;
    pn_field field;
    pn_field_init(&field, "n", PN_TYPE_INT64, true);
    const pn_leaf_path path = {.nodes = {&field}, .n = 1, .innermost_list = -1};
    const pn_page page = {.layout = &layout, .buffers = buffers, .n_buffers = 2, .n_rows = 8};
    const pn_row_range rows[] = {{0, 3}, {5, 3}};
    pn_arena arena;
    pn_stream stream;
    pn_arena_init(&arena, SIZE_MAX);
    pn_stream_init(&stream, SIZE_MAX);
    pn_decoder d = {
        .arena = &arena, .where = "page", .max_bytes = 1u << 20, .leaf = &field, .err = &err};
    check(pn_stream_expect(&stream, &field, &err), &err);
    check(pn_page_read(&d, &page, &path, rows, 2, &stream), &err);
    assert_int_equal(stream.n_values, 6);
    for (size_t i = 0; i < 6; i++) {
        size_t row = i < 3 ? i : i + 2;
        bool null = stream.stop.n_bytes > 0 && stream.stop.data[i] != 0;
        assert_int_equal(null, want[row] == 'N');
        assert_int_equal(pn_load_le64(stream.data.data + 8 * i), row);
    }
    pn_stream_reset(&stream);
    pn_arena_reset(&arena);
}

static void sets_of_positions__say_who_is_null(void **state)
{
    (void)state;
    Pn__Lance__Positions set = PN__LANCE__POSITIONS__INIT;
    check_flat(NULL, 0, "........");
    set.kind_case = PN__LANCE__POSITIONS__KIND_NONE;
    check_flat(&set, 1, "........");
    check_flat(&set, 2, "NNNNNNNN");
    set.kind_case = PN__LANCE__POSITIONS__KIND_ALL;
    set.n = 8;
    check_flat(&set, 1, "NNNNNNNN");
    check_flat(&set, 2, "........");
    set.kind_case = PN__LANCE__POSITIONS__KIND_RANGE;
    range.start = 1;
    range.length = set.n = 5;
    set.range = &range;
    check_flat(&set, 1, ".NNNNN..");
    check_flat(&set, 2, "N.....NN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_LanceDB__has_the_rows_it_was_made_of),
        cmocka_unit_test(what_does_not_fit__is_refused_by_name),
        cmocka_unit_test(sets_of_positions__say_who_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
