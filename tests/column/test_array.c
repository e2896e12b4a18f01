/*
 * test_array.c - reading arrays, and making new ones from old ones, against lists of plain values
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <math.h>

#include "base/alloc.h"
#include "support/column_model.h"
#include "support/faults.h"

enum { MOST_ROWS = 90 };

/* A random column, its values, and more values of the same field. */
typedef struct column {
    pn_arena arena;
    pn_field field;
    const model_value *values;
    size_t n;
    pn_builder *builder;
    pn_array array;
} column;

static void make_column(pn_rng *rng, column *out)
{
    pn_arena_init(&out->arena, SIZE_MAX);
    model_random_field(rng, &out->arena, 3, &out->field);
    out->n = pn_rng_below(rng, MOST_ROWS);
    out->values = model_random_values(rng, &out->arena, &out->field, out->n);
    out->builder = model_build(&out->field, out->values, out->n, &out->array);
}

static void free_column(column *c)
{
    pn_builder_free(c->builder);
    pn_arena_reset(&c->arena);
}

static model_value *room(column *c, size_t n)
{
    model_value *values = PN_ARENA_NEW(&c->arena, model_value, n + 1);
    assert_non_null(values);
    return values;
}

/* ---- reading */

static void numbers__are_read_with_their_sign(void **state)
{
    (void)state;
    static const uint8_t ones[8] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    static const struct {
        pn_type_id type;
        int64_t as_i64;
        uint64_t as_u64;
        double as_double;
    } cases[] = {
        {PN_TYPE_BOOL, 1, 1, 1},
        {PN_TYPE_INT8, -1, UINT8_MAX, -1},
        {PN_TYPE_INT16, -1, UINT16_MAX, -1},
        {PN_TYPE_INT32, -1, UINT32_MAX, -1},
        {PN_TYPE_INT64, -1, UINT64_MAX, -1},
        {PN_TYPE_UINT8, UINT8_MAX, UINT8_MAX, UINT8_MAX},
        {PN_TYPE_UINT16, UINT16_MAX, UINT16_MAX, UINT16_MAX},
        {PN_TYPE_UINT32, UINT32_MAX, UINT32_MAX, UINT32_MAX},
        {PN_TYPE_UINT64, -1, UINT64_MAX, 0x1p64},
        {PN_TYPE_DATE32, -1, UINT32_MAX, -1},
        {PN_TYPE_TIMESTAMP, -1, UINT64_MAX, -1},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_field field;
        pn_field_init(&field, "n", cases[i].type, false);
        pn_array array = {.field = &field, .length = 1, .values = ones};
        assert_true(pn_array_i64(&array, 0) == cases[i].as_i64);
        assert_true(pn_array_u64(&array, 0) == cases[i].as_u64);
        assert_true(pn_array_double(&array, 0) == cases[i].as_double);
    }
}

static void floats__are_read_as_double(void **state)
{
    (void)state;
    static const float singles[] = {-1.5f, 3.25f};
    static const double doubles[] = {-1e300, 0.1};
    static const uint16_t halves[] = {0x3C00, 0xC248, 0x7C00, 0xFC00, 0x0001, 0x8000};
    static const double of_halves[] = {1,       -3.140625, (double)INFINITY, -(double)INFINITY,
                                       0x1p-24, -0.0};
    pn_field field;
    pn_array array = {.field = &field, .length = 6};
    pn_field_init(&field, "n", PN_TYPE_FLOAT, false);
    array.values = singles;
    assert_true(pn_array_double(&array, 0) == -1.5 && pn_array_double(&array, 1) == 3.25);
    field.type = PN_TYPE_DOUBLE;
    array.values = doubles;
    assert_true(pn_array_double(&array, 0) == -1e300 && pn_array_double(&array, 1) == 0.1);
    field.type = PN_TYPE_HALF;
    array.values = halves;
    for (size_t i = 0; i < PN_COUNT_OF(halves); i++) {
        assert_true(pn_array_double(&array, i) == of_halves[i]);
        assert_int_equal(!!signbit(pn_array_double(&array, i)), !!signbit(of_halves[i]));
    }
}

/* Rows of a map as "key=value" and "key" (null), separated by blanks. */
static void append_map(pn_builder *map, const char *text)
{
    pn_builder *entries = pn_builder_child(map, 0), *keys = pn_builder_child(entries, 0),
               *values = pn_builder_child(entries, 1);
    pn_str rest = pn_str_of(text);
    while (rest.ptr && rest.len > 0) {
        pn_str value = pn_str_split(&rest, ' '), key = pn_str_split(&value, '=');
        assert_int_equal(pn_builder_append_bytes(keys, key.ptr, key.len, NULL), PN_OK);
        assert_int_equal(value.ptr ? pn_builder_append_bytes(values, value.ptr, value.len, NULL)
                                   : pn_builder_append_null(values, NULL),
                         PN_OK);
        assert_int_equal(pn_builder_close_row(entries, NULL), PN_OK);
    }
    assert_int_equal(pn_builder_close_row(map, NULL), PN_OK);
}

static void map_get__finds_the_last_value_of_a_key(void **state)
{
    (void)state;
    pn_arena arena;
    pn_field field;
    pn_builder *map;
    pn_array array;
    pn_arena_init(&arena, SIZE_MAX);
    assert_true(pn_field_init_string_map(&field, "m", true, &arena));
    assert_int_equal(pn_builder_create(&field, PTRDIFF_MAX, &map, NULL), PN_OK);
    append_map(map, "color=red size=9");
    append_map(map, "");
    assert_int_equal(pn_builder_append_null(map, NULL), PN_OK);
    append_map(map, "color=blue x=1 color=green");
    append_map(map, "color=blue color");
    append_map(map, "color color=grey =empty");
    assert_int_equal(pn_builder_view(map, &array, NULL), PN_OK);
    static const struct {
        const char *key;
        const char *of_rows[6];
    } cases[] = {{"color", {"red", NULL, NULL, "green", NULL, "grey"}},
                 {"size", {"9", NULL, NULL, NULL, NULL, NULL}},
                 {"", {NULL, NULL, NULL, NULL, NULL, "empty"}},
                 {"colo", {NULL, NULL, NULL, NULL, NULL, NULL}}};
    for (size_t c = 0; c < PN_COUNT_OF(cases); c++)
        for (size_t i = 0; i < 6; i++) {
            const char *want = cases[c].of_rows[i];
            pn_str got = PN_STR_LITERAL("untouched");
            bool has = pn_array_map_get(&array, i, pn_str_of(cases[c].key), &got);
            assert_int_equal(has, want != NULL);
            if (has)
                assert_true(pn_str_is(got, want));
        }
    pn_builder_free(map);
    pn_arena_reset(&arena);
}

static void a_batch__finds_its_columns_by_name(void **state)
{
    (void)state;
    pn_field fields[2];
    pn_field_init(&fields[0], "a", PN_TYPE_INT8, false);
    pn_field_init(&fields[1], "b", PN_TYPE_INT8, false);
    pn_schema schema = {.fields = fields, .n_fields = 2};
    pn_array columns[2] = {{.field = &fields[0]}, {.field = &fields[1]}};
    pn_batch batch = {&schema, columns, 0};
    assert_ptr_equal(pn_batch_column(&batch, "b"), &columns[1]);
    assert_null(pn_batch_column(&batch, "c"));
}

/* ---- new from old */

static void slice__is_the_rows_between(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        pn_rng rng = pn_rng_seed(seed);
        column c;
        pn_array slice, again;
        make_column(&rng, &c);
        size_t start = pn_rng_below(&rng, c.n + 1), n = pn_rng_below(&rng, c.n - start + 1);
        assert_int_equal(pn_array_slice(&c.array, start, n, &c.arena, &slice, NULL), PN_OK);
        model_expect(&slice, c.values + start, n);
        size_t inner = pn_rng_below(&rng, n + 1); // of a slice, whose offsets do not begin at 0
        assert_int_equal(pn_array_slice(&slice, inner, n - inner, &c.arena, &again, NULL), PN_OK);
        model_expect(&again, c.values + start + inner, n - inner);
        model_expect(&c.array, c.values, c.n); // as before
        free_column(&c);
    }
}

static void gather__is_the_rows_in_that_order(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        pn_rng rng = pn_rng_seed(seed);
        column c;
        pn_array slice, gathered;
        uint32_t indices[2 * MOST_ROWS];
        make_column(&rng, &c);
        size_t start = pn_rng_below(&rng, c.n + 1), n_rows = c.n - start;
        size_t n = n_rows > 0 ? pn_rng_below(&rng, PN_COUNT_OF(indices)) : 0;
        model_value *want = room(&c, n);
        for (size_t i = 0; i < n; i++) {
            indices[i] = (uint32_t)pn_rng_below(&rng, n_rows);
            want[i] = c.values[start + indices[i]];
        }
        assert_int_equal(pn_array_slice(&c.array, start, n_rows, &c.arena, &slice, NULL), PN_OK);
        assert_int_equal(pn_array_gather(&slice, indices, n, &c.arena, &gathered, NULL), PN_OK);
        pn_builder_free(c.builder); // it was copied
        c.builder = NULL;
        model_expect(&gathered, want, n);
        free_column(&c);
    }
}

static void concat__is_one_after_another(void **state)
{
    (void)state;
    enum { MOST_PARTS = 5 };
    for (uint64_t seed = 0; seed < 500; seed++) {
        pn_rng rng = pn_rng_seed(seed);
        column c;
        pn_array parts[MOST_PARTS], all;
        const pn_array *list[MOST_PARTS];
        make_column(&rng, &c);
        size_t n_parts = 1 + pn_rng_below(&rng, MOST_PARTS), n = 0;
        model_value *want = room(&c, MOST_PARTS * MOST_ROWS);
        for (size_t p = 0; p < n_parts; p++) {
            size_t start = pn_rng_below(&rng, c.n + 1),
                   length = pn_rng_below(&rng, c.n - start + 1);
            assert_int_equal(pn_array_slice(&c.array, start, length, &c.arena, &parts[p], NULL),
                             PN_OK);
            list[p] = &parts[p];
            memcpy(want + n, c.values + start, length * sizeof *want);
            n += length;
        }
        assert_int_equal(pn_array_concat(list, n_parts, &c.arena, &all, NULL), PN_OK);
        if (n_parts > 1) { // then it was copied
            pn_builder_free(c.builder);
            c.builder = NULL;
        }
        model_expect(&all, want, n);
        free_column(&c);
    }
}

static void parts_of_other_shapes__are_refused(void **state)
{
    (void)state;
    pn_arena arena;
    pn_field number, text;
    pn_array a, b, out = {.length = 77};
    pn_error err = {0};
    const model_value numbers[] = {{.i = 1}, {.i = 2}},
                      texts[] = {{.bytes = PN_STR_LITERAL("one")}};
    pn_arena_init(&arena, SIZE_MAX);
    pn_field_init(&number, "number", PN_TYPE_INT32, true);
    pn_field_init(&text, "text", PN_TYPE_STRING, true);
    pn_builder *first = model_build(&number, numbers, 2, &a),
               *second = model_build(&text, texts, 1, &b);
    const pn_array *list[] = {&a, &b, &a};
    assert_int_equal(pn_array_concat(list, 3, &arena, &out, &err), PN_ERR_INVALID);
    assert_int_equal(out.length, 77);
    pn_builder_free(second);
    pn_builder_free(first);
    pn_arena_reset(&arena);
    assert_int_equal(pn_alloc_live(), 0);
}

static pn_status rearrange(void *context, pn_error *err)
{
    const column *c = context;
    static const uint32_t indices[] = {2, 0, 1, 2};
    const pn_array *list[] = {&c->array, &c->array};
    pn_arena arena;
    pn_array out;
    pn_status status = PN_OK;
    pn_arena_init(&arena, SIZE_MAX);
    /* Fill the block, so that the next allocation takes another one. */
    if (!pn_arena_alloc(&arena, 4096 - 64))
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, pn_array_slice(&c->array, 1, c->n - 1, &arena, &out, err));
    PN_GOTO(done, pn_array_gather(&c->array, indices, 4, &arena, &out, err));
    PN_GOTO(done, pn_array_concat(list, 2, &arena, &out, err));
done:
    pn_arena_reset(&arena);
    return status;
}

static void no_memory__is_said_and_leaves_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        pn_rng rng = pn_rng_seed(seed);
        column c;
        do {
            make_column(&rng, &c);
            if (c.n < 3)
                free_column(&c);
        } while (c.n < 3);
        assert_true(faults_each_allocation(rearrange, &c) >= 2);
        free_column(&c);
    }
}

/* An arena that is full anywhere on the way. */
static void a_full_arena__is_the_same_as_no_memory(void **state)
{
    (void)state;
    size_t n_failed = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        pn_rng rng = pn_rng_seed(seed);
        column c;
        make_column(&rng, &c);
        size_t start = PN_MIN(c.n, (size_t)3);
        for (size_t most = 0;; most += 96) {
            static const uint32_t indices[MOST_ROWS] = {0};
            pn_arena arena;
            pn_array out;
            pn_arena_init(&arena, most);
            pn_status sliced = pn_array_slice(&c.array, start, c.n - start, &arena, &out, NULL);
            pn_status status =
                pn_array_gather(&c.array, indices, c.n > 0 ? MOST_ROWS : 0, &arena, &out, NULL);
            pn_arena_reset(&arena);
            assert_true(sliced == PN_OK || sliced == PN_ERR_NOMEM);
            if (status == PN_OK)
                break;
            assert_int_equal(status, PN_ERR_NOMEM);
            n_failed++;
        }
        free_column(&c);
    }
    assert_true(n_failed > 1000);
    assert_int_equal(pn_alloc_live(), 0);
}

/* ---- equality */

static void equal__is_of_every_value(void **state)
{
    (void)state;
    size_t n_changed = 0;
    for (uint64_t seed = 0; seed < 1500; seed++) {
        pn_rng rng = pn_rng_seed(seed);
        column c;
        pn_array other, shorter;
        make_column(&rng, &c);
        if (c.n == 0) {
            free_column(&c);
            continue;
        }
        model_value *values = room(&c, c.n);
        memcpy(values, c.values, c.n * sizeof *values);
        size_t at = pn_rng_below(&rng, c.n);
        values[at] = *model_random_values(&rng, &c.arena, &c.field, 1);
        bool same = model_is(&c.array, at, &values[at]);
        pn_builder *changed = model_build(&c.field, values, c.n, &other);
        bool zeros_differ = pn_array_equal(&c.array, &other) && !same; // only 0 and -0 may
        if (zeros_differ)
            assert_true(c.field.n_children > 0 || values[at].f == 0);
        else
            assert_int_equal(pn_array_equal(&c.array, &other), same);
        n_changed += !same;
        assert_true(pn_array_equal(&c.array, &c.array));
        assert_int_equal(pn_array_slice(&c.array, 0, c.n - 1, &c.arena, &shorter, NULL), PN_OK);
        assert_false(pn_array_equal(&c.array, &shorter));
        pn_builder_free(changed);
        free_column(&c);
    }
    assert_true(n_changed > 700);
}

static void nulls__of_different_content_are_equal(void **state)
{
    (void)state;
    static const int32_t a[] = {1, 2, 3}, b[] = {1, 99, 3};
    static const uint8_t validity[] = {0x5};
    pn_field field;
    pn_field_init(&field, "n", PN_TYPE_INT32, true);
    pn_array x = {.field = &field, .length = 3, .values = a, .validity = validity}, y = x;
    y.values = b;
    assert_true(pn_array_equal(&x, &y));
    y.validity = NULL;
    assert_false(pn_array_equal(&x, &y));
    x.validity = NULL;
    assert_false(pn_array_equal(&x, &y));
}

static void arrays_of_different_shapes__are_not_equal(void **state)
{
    (void)state;
    static const double zeros[8] = {0};
    static const int64_t offsets[] = {0, 1, 2};
    pn_field items[2], fields[4], binary[2];
    pn_array children[2], lists[4], blobs[2];
    for (size_t i = 0; i < 2; i++) { // int32 and string, all zeros
        pn_field_init(&items[i], "item", i == 0 ? PN_TYPE_INT32 : PN_TYPE_STRING, true);
        children[i] = (pn_array){
            .field = &items[i], .length = 6, .values = zeros, .offsets = i == 0 ? NULL : offsets};
        pn_field_init(&binary[i], "b", PN_TYPE_FIXED_SIZE_BINARY, true);
        binary[i].size = i == 0 ? 4 : 5;
        blobs[i] = (pn_array){.field = &binary[i], .length = 2, .values = zeros};
    }
    for (size_t i = 0; i < 4; i++) { // lists of 2 and 3 numbers; of numbers and texts
        pn_field_init(&fields[i], "l", i < 2 ? PN_TYPE_FIXED_SIZE_LIST : PN_TYPE_LIST, true);
        fields[i].size = i < 2 ? (int32_t)i + 2 : 0;
        fields[i].children = &items[i == 3];
        fields[i].n_children = 1;
        lists[i] = (pn_array){.field = &fields[i],
                              .length = 2,
                              .offsets = i < 2 ? NULL : offsets,
                              .children = &children[i == 3],
                              .n_children = 1};
    }
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(pn_array_equal(&lists[i], &lists[k]), i == k);
    assert_false(pn_array_equal(&blobs[0], &blobs[1]));
    assert_true(pn_array_equal(&blobs[0], &blobs[0]));
    assert_false(pn_array_equal(&blobs[0], &lists[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers__are_read_with_their_sign),
        cmocka_unit_test(floats__are_read_as_double),
        cmocka_unit_test(map_get__finds_the_last_value_of_a_key),
        cmocka_unit_test(a_batch__finds_its_columns_by_name),
        cmocka_unit_test(slice__is_the_rows_between),
        cmocka_unit_test(gather__is_the_rows_in_that_order),
        cmocka_unit_test(concat__is_one_after_another),
        cmocka_unit_test(parts_of_other_shapes__are_refused),
        cmocka_unit_test(no_memory__is_said_and_leaves_nothing),
        cmocka_unit_test(a_full_arena__is_the_same_as_no_memory),
        cmocka_unit_test(equal__is_of_every_value),
        cmocka_unit_test(nulls__of_different_content_are_equal),
        cmocka_unit_test(arrays_of_different_shapes__are_not_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
