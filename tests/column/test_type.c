/*
 * test_type.c - widths, names and copies of fields and schemas
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "column/type.h"
#include "support/faults.h"

typedef struct type_facts {
    pn_type_id type;
    const char *text; /* of a field with unit ms, size 7, precision 12, scale 3 */
    size_t width;
    char family; /* i integer, v variable, l list */
} type_facts;

static const type_facts plain_types[] = {
    {PN_TYPE_NULL, "null", 0, 0},
    {PN_TYPE_BOOL, "bool", 0, 0},
    {PN_TYPE_INT8, "int8", 1, 'i'},
    {PN_TYPE_INT16, "int16", 2, 'i'},
    {PN_TYPE_INT32, "int32", 4, 'i'},
    {PN_TYPE_INT64, "int64", 8, 'i'},
    {PN_TYPE_UINT8, "uint8", 1, 'i'},
    {PN_TYPE_UINT16, "uint16", 2, 'i'},
    {PN_TYPE_UINT32, "uint32", 4, 'i'},
    {PN_TYPE_UINT64, "uint64", 8, 'i'},
    {PN_TYPE_HALF, "halffloat", 2, 0},
    {PN_TYPE_FLOAT, "float", 4, 0},
    {PN_TYPE_DOUBLE, "double", 8, 0},
    {PN_TYPE_STRING, "string", 0, 'v'},
    {PN_TYPE_LARGE_STRING, "large_string", 0, 'v'},
    {PN_TYPE_BINARY, "binary", 0, 'v'},
    {PN_TYPE_LARGE_BINARY, "large_binary", 0, 'v'},
    {PN_TYPE_DATE32, "date32", 4, 0},
    {PN_TYPE_DATE64, "date64", 8, 0},
    {PN_TYPE_TIME32, "time32[ms]", 4, 0},
    {PN_TYPE_TIME64, "time64[ms]", 8, 0},
    {PN_TYPE_TIMESTAMP, "timestamp[ms]", 8, 0},
    {PN_TYPE_DURATION, "duration[ms]", 8, 0},
    {PN_TYPE_DECIMAL128, "decimal128(12, 3)", 16, 0},
    {PN_TYPE_DECIMAL256, "decimal256(12, 3)", 32, 0},
    {PN_TYPE_FIXED_SIZE_BINARY, "fixed_size_binary[7]", 7, 0},
};

static pn_field field_of(pn_type_id type)
{
    pn_field field;
    pn_field_init(&field, "f", type, true);
    field.size = 7;
    field.precision = 12;
    field.scale = 3;
    return field;
}

static void expect_text(const pn_field *field, const char *want)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    assert_string_equal(pn_type_text(field, &arena), want);
    pn_arena_reset(&arena);
}

static void plain_types__have_their_width_name_and_family(void **state)
{
    (void)state;
    for (size_t i = 0; i < PN_COUNT_OF(plain_types); i++) {
        const type_facts *t = &plain_types[i];
        pn_field field = field_of(t->type);
        assert_int_equal(pn_type_width(&field), t->width);
        expect_text(&field, t->text);
        assert_int_equal(pn_type_is_integer(t->type), t->family == 'i');
        assert_int_equal(pn_type_is_variable(t->type), t->family == 'v');
        assert_false(pn_type_is_list(t->type));
    }
}

static void nested_types__are_lists_or_not(void **state)
{
    (void)state;
    static const struct {
        pn_type_id type;
        bool is_list;
    } cases[] = {{PN_TYPE_FIXED_SIZE_LIST, false}, // its rows do not vary
                 {PN_TYPE_LIST, true},
                 {PN_TYPE_LARGE_LIST, true},
                 {PN_TYPE_STRUCT, false},
                 {PN_TYPE_MAP, true}};
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_field field = field_of(cases[i].type);
        assert_int_equal(pn_type_is_list(cases[i].type), cases[i].is_list);
        assert_false(pn_type_is_integer(cases[i].type) || pn_type_is_variable(cases[i].type));
        assert_int_equal(pn_type_width(&field), 0);
    }
}

static void text__tells_units_zones_and_json(void **state)
{
    (void)state;
    static const char *const units[] = {"timestamp[s]", "timestamp[ms]", "timestamp[us]",
                                        "timestamp[ns]"};
    pn_field field = field_of(PN_TYPE_TIMESTAMP);
    for (int unit = PN_UNIT_SECOND; unit <= PN_UNIT_NANO; unit++) {
        field.unit = (pn_time_unit)unit;
        expect_text(&field, units[unit]);
    }
    field.timezone = "Europe/Berlin";
    expect_text(&field, "timestamp[ns, Europe/Berlin]");
    field = field_of(PN_TYPE_LARGE_BINARY);
    field.is_json = true;
    expect_text(&field, "json");
}

static void text__tells_the_nesting(void **state)
{
    (void)state;
    pn_arena arena;
    pn_field vector, map, list, members[3], all;
    pn_arena_init(&arena, SIZE_MAX);
    assert_true(pn_field_init_vector(&vector, "vector", 512, &arena));
    expect_text(&vector, "fixed_size_list<float>[512]");
    assert_true(pn_field_init_string_map(&map, "map", true, &arena));
    expect_text(&map, "map<string, string>");
    assert_true(pn_field_init_list(&list, "list", &map, true, &arena));
    expect_text(&list, "list<map<string, string>>");
    list.type = PN_TYPE_LARGE_LIST;
    expect_text(&list, "large_list<map<string, string>>");
    pn_field_init(&all, "all", PN_TYPE_STRUCT, true);
    expect_text(&all, "struct<>");
    members[0] = vector, members[1] = list, members[2] = field_of(PN_TYPE_BOOL);
    all.children = members, all.n_children = 3;
    expect_text(&all, "struct<vector: fixed_size_list<float>[512], list: large_list<map<string, "
                      "string>>, f: bool>");
    pn_arena_reset(&arena);
}

static void width__multiplies_through_fixed_size_lists(void **state)
{
    (void)state;
    pn_field item = field_of(PN_TYPE_DOUBLE), inner = field_of(PN_TYPE_FIXED_SIZE_LIST),
             outer = field_of(PN_TYPE_FIXED_SIZE_LIST);
    inner.children = &item, inner.n_children = 1;
    outer.children = &inner, outer.n_children = 1;
    inner.size = 3, outer.size = 5;
    assert_int_equal(pn_type_width(&inner), 24);
    assert_int_equal(pn_type_width(&outer), 120);
    item.type = PN_TYPE_STRING;
    assert_int_equal(pn_type_width(&outer), 0);
    item.type = PN_TYPE_BOOL;
    assert_int_equal(pn_type_width(&outer), 0);
    outer.n_children = 0; // a field that is not finished
    assert_int_equal(pn_type_width(&outer), 0);
}

/* Lists of lists of ... of bytes, `size` each. */
static void make_tower(pn_field *fields, size_t n, pn_type_id type, int32_t size)
{
    for (size_t i = 0; i < n; i++) {
        pn_field_init(&fields[i], "level", i + 1 < n ? type : PN_TYPE_INT8, true);
        fields[i].size = size;
        fields[i].children = i + 1 < n ? &fields[i + 1] : NULL;
        fields[i].n_children = i + 1 < n;
    }
}

static void width__that_does_not_fit_is_none(void **state)
{
    (void)state;
    pn_field fields[PN_SCHEMA_MAX_DEPTH + 3];
    make_tower(fields, 3, PN_TYPE_FIXED_SIZE_LIST, INT32_MAX);
    assert_true(pn_type_width(fields) == (size_t)INT32_MAX * INT32_MAX);
    make_tower(fields, 4, PN_TYPE_FIXED_SIZE_LIST, INT32_MAX);
    assert_int_equal(pn_type_width(fields), 0);
    make_tower(fields, 3, PN_TYPE_FIXED_SIZE_LIST, INT32_MAX);
    fields[2].type = PN_TYPE_DECIMAL256; // 2^62 of these
    assert_int_equal(pn_type_width(fields), 0);
    make_tower(fields, PN_SCHEMA_MAX_DEPTH + 1, PN_TYPE_FIXED_SIZE_LIST, 1);
    assert_int_equal(pn_type_width(fields), 1);
    make_tower(fields, PN_SCHEMA_MAX_DEPTH + 2, PN_TYPE_FIXED_SIZE_LIST, 1);
    assert_int_equal(pn_type_width(fields), 0);
}

/* ---- schemas */

static const pn_kv pairs[] = {{"key", "value"}, {"", ""}, {"key", "second"}};

static void schema__finds_columns_and_metadata(void **state)
{
    (void)state;
    pn_field fields[3];
    pn_field_init(&fields[0], "id", PN_TYPE_INT64, false);
    pn_field_init(&fields[1], "", PN_TYPE_INT64, false);
    pn_field_init(&fields[2], "id", PN_TYPE_STRING, false);
    pn_schema schema = {fields, 3, pairs, PN_COUNT_OF(pairs)};
    assert_int_equal(pn_schema_find(&schema, PN_STR_LITERAL("id")), 0); // the first of two
    assert_int_equal(pn_schema_find(&schema, PN_STR_LITERAL("")), 1);
    assert_int_equal(pn_schema_find(&schema, PN_STR_LITERAL("ID")), -1);
    assert_int_equal(pn_schema_find(&schema, PN_STR_LITERAL("i")), -1);
    assert_int_equal(pn_schema_find(&schema, PN_STR_LITERAL("id\0")), -1);
    assert_string_equal(pn_schema_metadata(&schema, "key"), "value");
    assert_string_equal(pn_schema_metadata(&schema, ""), "");
    assert_null(pn_schema_metadata(&schema, "other"));
}

static void expect_same(const pn_field *a, const pn_field *b)
{
    assert_string_equal(a->name, b->name);
    assert_ptr_not_equal(a->name, b->name);
    assert_true(a->type == b->type && a->nullable == b->nullable && a->is_json == b->is_json);
    assert_true(a->is_dictionary == b->is_dictionary && a->index_type == b->index_type);
    assert_true(a->unit == b->unit && a->size == b->size && a->id == b->id);
    assert_true(a->precision == b->precision && a->scale == b->scale);
    assert_int_equal(a->timezone != NULL, b->timezone != NULL);
    if (a->timezone)
        assert_string_equal(a->timezone, b->timezone);
    assert_int_equal(a->n_metadata, b->n_metadata);
    for (size_t i = 0; i < a->n_metadata; i++) {
        assert_string_equal(a->metadata[i].key, b->metadata[i].key);
        assert_string_equal(a->metadata[i].value, b->metadata[i].value);
    }
    assert_int_equal(a->n_children, b->n_children);
    for (size_t i = 0; i < a->n_children; i++)
        expect_same(&a->children[i], &b->children[i]);
}

/* A schema with something in every member, names longer than an arena's usual block when wanted. */
static void make_schema(pn_arena *arena, size_t name_bytes, pn_schema *out)
{
    pn_field *fields = PN_ARENA_NEW(arena, pn_field, 3);
    char *name = pn_arena_alloc_zero(arena, name_bytes + 1, 1);
    pn_kv *long_pairs = PN_ARENA_NEW(arena, pn_kv, 1);
    assert_true(fields && name && long_pairs);
    memset(name, 'n', name_bytes);
    long_pairs[0] = (pn_kv){name, name};
    fields[0] = field_of(PN_TYPE_TIMESTAMP);
    fields[0].timezone = name;
    fields[0].metadata = long_pairs;
    fields[0].n_metadata = 1;
    fields[0].is_json = fields[0].is_dictionary = true;
    fields[0].index_type = PN_TYPE_INT16;
    fields[0].id = 9;
    assert_true(pn_field_init_string_map(&fields[1], name, true, arena));
    assert_true(pn_field_init_vector(&fields[2], "vector", 4, arena));
    *out = (pn_schema){fields, 3, pairs, PN_COUNT_OF(pairs)};
}

static void copy__shares_nothing_with_the_original(void **state)
{
    (void)state;
    pn_arena arena, target;
    pn_schema schema, copy;
    pn_arena_init(&arena, SIZE_MAX);
    pn_arena_init(&target, SIZE_MAX);
    make_schema(&arena, 10, &schema);
    assert_int_equal(pn_schema_copy(&schema, &target, &copy, NULL), PN_OK);
    assert_int_equal(copy.n_fields, 3);
    for (size_t i = 0; i < 3; i++)
        expect_same(&schema.fields[i], &copy.fields[i]);
    assert_string_equal(pn_schema_metadata(&copy, "key"), "value");
    assert_ptr_not_equal(pn_schema_metadata(&copy, "key"), pairs[0].value);
    pn_arena_reset(&arena); // under AddressSanitizer, what was shared is poisoned now
    assert_string_equal(copy.fields[1].name, "nnnnnnnnnn");
    assert_string_equal(copy.fields[1].children[0].children[1].name, "value");
    pn_arena_reset(&target);
}

static pn_status copy_schema(void *context, pn_error *err)
{
    pn_arena arena;
    pn_schema copy;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_schema_copy(context, &arena, &copy, err);
    pn_arena_reset(&arena);
    return status;
}

static pn_status name_type(void *context, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    char *text = pn_type_text(context, &arena);
    pn_arena_reset(&arena);
    return text ? PN_OK : pn_fail_nomem(err);
}

static void no_memory__is_said(void **state)
{
    (void)state;
    enum { NAME_BYTES = 2 << 20 }; // each a block of its own
    pn_arena arena;
    pn_schema schema;
    pn_field all;
    pn_arena_init(&arena, SIZE_MAX);
    make_schema(&arena, NAME_BYTES, &schema);
    assert_true(faults_each_allocation(copy_schema, &schema) >= 4);
    pn_field_init(&all, "all", PN_TYPE_STRUCT, true);
    all.children = schema.fields, all.n_children = 3;
    assert_true(faults_each_allocation(name_type, &all) >= 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(faults_each_allocation(name_type, &schema.fields[i]) >= 1);
    pn_arena_reset(&arena);
    for (size_t most = 0; most < 2; most++) { // room for one of the two allocations, or none
        pn_arena small;
        pn_field field, item = field_of(PN_TYPE_INT8);
        pn_arena_init(&small, most * (2 * sizeof field + 100));
        assert_false(pn_field_init_string_map(&field, "map", true, &small));
        pn_arena_reset(&small);
        pn_arena_init(&small, 0);
        assert_false(pn_field_init_vector(&field, "vector", 4, &small));
        assert_false(pn_field_init_list(&field, "list", &item, true, &small));
    }
    assert_int_equal(pn_alloc_live(), 0);
}

static void copy__bounds_the_nesting(void **state)
{
    (void)state;
    pn_field fields[PN_SCHEMA_MAX_DEPTH + 2], copy = {.name = "untouched"};
    pn_arena arena;
    pn_error err = {0};
    pn_arena_init(&arena, SIZE_MAX);
    make_tower(fields, PN_SCHEMA_MAX_DEPTH + 2, PN_TYPE_LIST, 0);
    assert_int_equal(pn_field_copy(fields, &arena, &copy, &err), PN_ERR_LIMIT);
    assert_string_equal(err.message, "column \"level\": nested over 32 deep");
    assert_string_equal(copy.name, "untouched");
    pn_schema schema = {.fields = fields, .n_fields = 1}, schema_copy;
    assert_int_equal(pn_schema_copy(&schema, &arena, &schema_copy, &err), PN_ERR_LIMIT);
    assert_int_equal(pn_field_copy(fields + 1, &arena, &copy, &err), PN_OK);
    pn_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_types__have_their_width_name_and_family),
        cmocka_unit_test(nested_types__are_lists_or_not),
        cmocka_unit_test(text__tells_units_zones_and_json),
        cmocka_unit_test(text__tells_the_nesting),
        cmocka_unit_test(width__multiplies_through_fixed_size_lists),
        cmocka_unit_test(width__that_does_not_fit_is_none),
        cmocka_unit_test(schema__finds_columns_and_metadata),
        cmocka_unit_test(copy__shares_nothing_with_the_original),
        cmocka_unit_test(no_memory__is_said),
        cmocka_unit_test(copy__bounds_the_nesting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
