/*
 * json_rows.c - a small JSON reader that fills builders
 *
 * The text is read into a tree first, because a row may name its columns in any order. Numbers stay text until the
 * column's type is known, so that 64-bit integers survive.
 */
#include "support/json_rows.h"

#include "base/alloc.h"
#include "column/calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

typedef struct node node;
struct node {
    char type; /* '{' '[' '"' '0' (number) 't' 'f' 'n' */
    pn_str text;
    pn_str key; /* in an object */
    node *first, *next;
};

typedef struct reader {
    const char *at, *end;
    pn_arena arena;
} reader;

static void fail_json(const reader *r, const char *what)
{
    fail_msg("bad JSON (%s) at: %.40s", what, r->at);
}

static void skip_blank(reader *r)
{
    while (r->at < r->end && strchr(" \t\r\n", *r->at))
        r->at++;
}

static bool take(reader *r, char c)
{
    skip_blank(r);
    if (r->at >= r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static unsigned read_hex4(reader *r)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        char c = *r->at;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : 99;
        if (digit == 99)
            fail_json(r, "\\u");
        value = value * 16 + digit;
    }
    return value;
}

static pn_str read_string(reader *r)
{
    if (!take(r, '"'))
        fail_json(r, "a string was expected");
    char *out = pn_arena_alloc(&r->arena, (size_t)(r->end - r->at) + 1);
    assert_non_null(out);
    size_t n = 0;
    while (r->at < r->end && *r->at != '"') {
        char c = *r->at++;
        if (c != '\\') {
            out[n++] = c;
            continue;
        }
        c = *r->at++;
        if (c == 'u') { // below U+0800 is all that tests need
            unsigned code = read_hex4(r);
            if (code >= 0x80)
                out[n++] = (char)(0xC0 | code >> 6);
            out[n++] = (char)(code >= 0x80 ? 0x80 | (code & 63) : code);
        } else {
            out[n++] = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
    }
    if (!take(r, '"'))
        fail_json(r, "an open string");
    return pn_str_make(out, n);
}

static node *read_value(reader *r);

static node *read_items(reader *r, char type, char close)
{
    node *parent = PN_ARENA_NEW(&r->arena, node, 1);
    assert_non_null(parent);
    parent->type = type;
    node **link = &parent->first;
    if (take(r, close))
        return parent;
    do {
        pn_str key = {0};
        if (type == '{') {
            key = read_string(r);
            if (!take(r, ':'))
                fail_json(r, "':' was expected");
        }
        *link = read_value(r);
        (*link)->key = key;
        link = &(*link)->next;
    } while (take(r, ','));
    if (!take(r, close))
        fail_json(r, "an open bracket");
    return parent;
}

static node *read_value(reader *r)
{
    skip_blank(r);
    if (r->at >= r->end)
        fail_json(r, "it ends early");
    if (take(r, '{'))
        return read_items(r, '{', '}');
    if (take(r, '['))
        return read_items(r, '[', ']');
    node *value = PN_ARENA_NEW(&r->arena, node, 1);
    assert_non_null(value);
    if (*r->at == '"') {
        value->type = '"';
        value->text = read_string(r);
        return value;
    }
    const char *start = r->at;
    while (r->at < r->end && !strchr(",]} \t\r\n", *r->at))
        r->at++;
    value->text = pn_str_make(start, (size_t)(r->at - start));
    value->type = *start == 't' || *start == 'f' || *start == 'n' ? *start : '0';
    return value;
}

/* ---- into builders */

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

static void append(pn_builder *builder, const pn_field *field, const node *value);

static const node *member(const node *object, const char *name)
{
    for (const node *n = object->first; n; n = n->next)
        if (pn_str_is(n->key, name))
            return n;
    return NULL;
}

static int64_t moment(const pn_field *field, const node *value)
{
    int64_t ms, number;
    if (value->type == '0') {
        if (!pn_str_to_i64(value->text, &number))
            fail_msg("not an integer: %.*s", (int)value->text.len, value->text.ptr);
        return number;
    }
    if (!pn_calendar_parse_ms(value->text, &ms))
        fail_msg("not a time: %.*s", (int)value->text.len, value->text.ptr);
    if (field->type == PN_TYPE_DATE32)
        return (ms - (ms < 0 ? 86399999 : 0)) / 86400000;
    if (field->type == PN_TYPE_DATE64)
        return ms;
    static const int64_t up[] = {1, 1, 1000, 1000000};
    return field->unit == PN_UNIT_SECOND ? ms / 1000 : ms * up[field->unit];
}

static void append_nested(pn_builder *builder, const pn_field *field, const node *value)
{
    pn_error err = {0};
    if (field->type == PN_TYPE_STRUCT) {
        for (size_t i = 0; i < field->n_children; i++)
            append(pn_builder_child(builder, i), &field->children[i],
                   member(value, field->children[i].name));
    } else if (field->type == PN_TYPE_MAP) {
        pn_builder *entries = pn_builder_child(builder, 0);
        for (const node *n = value->first; n; n = n->next) {
            check(
                pn_builder_append_bytes(pn_builder_child(entries, 0), n->key.ptr, n->key.len, &err),
                &err);
            append(pn_builder_child(entries, 1), &field->children[0].children[1], n);
            check(pn_builder_close_row(entries, &err), &err);
        }
    } else {
        for (const node *n = value->first; n; n = n->next)
            append(pn_builder_child(builder, 0), &field->children[0], n);
    }
    check(pn_builder_close_row(builder, &err), &err);
}

static void append_number(pn_builder *builder, const pn_field *field, const node *value)
{
    pn_error err = {0};
    int64_t integer = value->type == 't';
    uint64_t natural;
    double real;
    pn_str text = value->text;
    if (field->type == PN_TYPE_HALF || field->type == PN_TYPE_FLOAT ||
        field->type == PN_TYPE_DOUBLE) {
        if (value->type == '"') // "NaN", "inf", "-inf": JSON has no such numbers
            real = strtod(text.ptr, NULL);
        else if (!pn_str_to_double(text, &real))
            fail_msg("not a number: %.*s", (int)text.len, text.ptr);
        check(pn_builder_append_double(builder, real, &err), &err);
    } else if (field->type == PN_TYPE_UINT64) {
        if (!pn_str_to_u64(text, &natural))
            fail_msg("not a number: %.*s", (int)text.len, text.ptr);
        check(pn_builder_append_u64(builder, natural, &err), &err);
    } else {
        if (field->type != PN_TYPE_BOOL && !pn_str_to_i64(text, &integer))
            fail_msg("not an integer: %.*s", (int)text.len, text.ptr);
        check(pn_builder_append_i64(builder, integer, &err), &err);
    }
}

static void append(pn_builder *builder, const pn_field *field, const node *value)
{
    pn_error err = {0};
    if (!value || value->type == 'n')
        check(pn_builder_append_null(builder, &err), &err);
    else if (value->type == '{' || value->type == '[')
        append_nested(builder, field, value);
    else if (field->type == PN_TYPE_TIMESTAMP || field->type == PN_TYPE_DATE32 ||
             field->type == PN_TYPE_DATE64)
        check(pn_builder_append_i64(builder, moment(field, value), &err), &err);
    else if (pn_type_is_variable(field->type))
        check(pn_builder_append_bytes(builder, value->text.ptr, value->text.len, &err), &err);
    else
        append_number(builder, field, value);
}

void json_rows_make(const pn_schema *schema, const char *json, json_rows *out)
{
    pn_error err = {0};
    reader r = {.at = json, .end = json + strlen(json)};
    *out = (json_rows){.schema = schema};
    pn_arena_init(&r.arena, SIZE_MAX);
    out->builders = pn_alloc_zero(schema->n_fields * sizeof(pn_builder *));
    out->arrays = pn_alloc_zero(schema->n_fields * sizeof(pn_array));
    assert_true(out->builders && out->arrays);
    for (size_t c = 0; c < schema->n_fields; c++)
        check(pn_builder_create(&schema->fields[c], (size_t)1 << 30, &out->builders[c], &err),
              &err);
    const node *rows = read_value(&r);
    size_t n = 0;
    for (const node *row = rows->first; row; row = row->next, n++) {
        for (const node *value = row->first; value; value = value->next)
            if (pn_schema_find(schema, value->key) < 0)
                fail_msg("no column %.*s", (int)value->key.len, value->key.ptr);
        for (size_t c = 0; c < schema->n_fields; c++)
            append(out->builders[c], &schema->fields[c], member(row, schema->fields[c].name));
    }
    for (size_t c = 0; c < schema->n_fields; c++)
        check(pn_builder_view(out->builders[c], &out->arrays[c], &err), &err);
    out->batch = (pn_batch){.schema = schema, .columns = out->arrays, .n_rows = n};
    pn_arena_reset(&r.arena);
}

void json_rows_free(json_rows *rows)
{
    for (size_t c = 0; rows->builders && c < rows->schema->n_fields; c++)
        pn_builder_free(rows->builders[c]);
    pn_free(rows->builders);
    pn_free(rows->arrays);
    *rows = (json_rows){0};
}

void json_rows_shop_schema(pn_arena *arena, pn_schema *out)
{
    enum { N = 19 };
    pn_field *f = PN_ARENA_NEW(arena, pn_field, N);
    pn_field *size = PN_ARENA_NEW(arena, pn_field, 3);
    pn_field item;
    assert_true(f && size);
    pn_field_init(&f[0], "id", PN_TYPE_INT64, true);
    pn_field_init(&f[1], "title", PN_TYPE_STRING, true);
    pn_field_init(&f[2], "price", PN_TYPE_DOUBLE, true);
    pn_field_init(&f[3], "weight", PN_TYPE_FLOAT, true);
    pn_field_init(&f[4], "stock", PN_TYPE_INT32, true);
    pn_field_init(&f[5], "views", PN_TYPE_UINT64, true);
    pn_field_init(&f[6], "available", PN_TYPE_BOOL, true);
    assert_true(pn_field_init_string_map(&f[7], "metadata", true, arena));
    pn_field_init(&f[8], "timestamp", PN_TYPE_TIMESTAMP, true);
    f[8].unit = PN_UNIT_MILLI;
    pn_field_init(&f[9], "taken", PN_TYPE_TIMESTAMP, true);
    f[9].unit = PN_UNIT_MICRO;
    f[9].timezone = "UTC";
    pn_field_init(&f[10], "day", PN_TYPE_DATE32, true);
    pn_field_init(&item, "item", PN_TYPE_STRING, true);
    assert_true(pn_field_init_list(&f[11], "tags", &item, true, arena));
    pn_field_init(&f[12], "size", PN_TYPE_STRUCT, true);
    pn_field_init(&size[0], "width", PN_TYPE_INT32, true);
    pn_field_init(&size[1], "height", PN_TYPE_DOUBLE, true);
    pn_field_init(&size[2], "unit", PN_TYPE_STRING, true);
    f[12].children = size;
    f[12].n_children = 3;
    pn_field_init(&f[13], "thumbnail", PN_TYPE_BINARY, true);
    pn_field_init(&f[14], "two words", PN_TYPE_STRING, true);
    pn_field_init(&f[15], "ratio", PN_TYPE_HALF, true);
    pn_field_init(&f[16], "cost", PN_TYPE_DECIMAL128, true);
    f[16].precision = 10;
    f[16].scale = 2;
    pn_field_init(&f[17], "small", PN_TYPE_INT8, true);
    assert_true(pn_field_init_vector(&f[18], "vector", 2, arena));
    f[18].nullable = true;
    *out = (pn_schema){.fields = f, .n_fields = N};
}
