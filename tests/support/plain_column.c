/*
 * plain_column.c - random columns as a table in a file has them
 */
#include "support/plain_column.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static const char *const odd_names[] = {"a", "b \"quoted\"", "c,d", "\xE5\x90\x8D", "e\nf"};

static void make_plain(pn_rng *rng, pn_arena *arena, pn_field *field)
{
    if (field->type == PN_TYPE_DECIMAL128 || field->type == PN_TYPE_DECIMAL256) {
        field->precision = field->type == PN_TYPE_DECIMAL128 ? 38 : 76;
        field->scale = (int32_t)pn_rng_below(rng, 40) - 5;
    }
    if (field->type == PN_TYPE_TIMESTAMP && pn_rng_below(rng, 2) == 0)
        field->timezone = "Asia/Shanghai";
    for (size_t i = 0; i < field->n_children; i++) {
        if (field->type == PN_TYPE_STRUCT && strcmp(field->name, "entries") != 0)
            field->children[i].name =
                pn_arena_printf(arena, "%s %zu", odd_names[i % PN_COUNT_OF(odd_names)], i);
        assert_non_null(field->children[i].name);
        make_plain(rng, arena, &field->children[i]);
    }
}

void plain_random_field(pn_rng *rng, pn_arena *arena, const char *name, unsigned depth,
                        pn_field *out)
{
    model_random_field(rng, arena, depth, out);
    out->name = name;
    make_plain(rng, arena, out);
}

static pn_str random_text(pn_rng *rng, pn_arena *arena)
{
    static const char *const pieces[] = {"a",
                                         "\"",
                                         ",",
                                         "\n",
                                         "\r\n",
                                         "\\",
                                         " ",
                                         "\t",
                                         "\x7F",
                                         "\xC3\xBC",
                                         "\xE7\xBA\xA2",
                                         "\xF0\x9F\x91\x9F",
                                         "[",
                                         "{}",
                                         "null",
                                         "0",
                                         "\x1B",
                                         "'",
                                         "\r",
                                         "",
                                         "=",
                                         "\xEF\xBB\xBF",
                                         "\xC2\x85",
                                         "/"};
    char text[64];
    size_t n = 0, wanted = pn_rng_below(rng, 8);
    for (size_t i = 0; i < wanted; i++) {
        const char *piece = pieces[pn_rng_below(rng, PN_COUNT_OF(pieces))];
        memcpy(text + n, piece, strlen(piece));
        n += strlen(piece);
    }
    if (pn_rng_below(rng, 20) == 0)
        text[n++] = '\0';
    char *copy = pn_arena_strndup(arena, text, n);
    assert_non_null(copy);
    memcpy(copy, text, n);
    return pn_str_make(copy, n);
}

/* An eighth of random bytes, which is below 10^38 for 16 of them, and below 10^76 for 32. */
static pn_str within_precision(pn_str bytes, pn_arena *arena)
{
    char *copy = pn_arena_strndup(arena, bytes.ptr, bytes.len);
    assert_non_null(copy);
    memcpy(copy, bytes.ptr, bytes.len);
    signed char top = (signed char)copy[bytes.len - 1];
    copy[bytes.len - 1] = (char)(top / 8); // little-endian: the last byte has the sign
    return pn_str_make(copy, bytes.len);
}

static void make_values_plain(pn_rng *rng, pn_arena *arena, const pn_field *field,
                              model_value *value)
{
    bool is_text = field->type == PN_TYPE_STRING || field->type == PN_TYPE_LARGE_STRING;
    if (is_text && !value->is_null)
        value->bytes = random_text(rng, arena);
    if ((field->type == PN_TYPE_DECIMAL128 || field->type == PN_TYPE_DECIMAL256) && !value->is_null)
        value->bytes = within_precision(value->bytes, arena);
    for (size_t i = 0; i < value->n_items;
         i++) // drawn by model_random_values() for this value alone
        make_values_plain(rng, arena, &field->children[field->type == PN_TYPE_STRUCT ? i : 0],
                          (model_value *)(uintptr_t)&value->items[i]);
}

model_value *plain_random_values(pn_rng *rng, pn_arena *arena, const pn_field *field, size_t n)
{
    model_value *values = model_random_values(rng, arena, field, n);
    for (size_t i = 0; i < n; i++)
        make_values_plain(rng, arena, field, &values[i]);
    return values;
}

bool plain_is_writable(const pn_field *field)
{
    if (field->type == PN_TYPE_STRUCT && field->n_children == 0)
        return false;
    if (field->type == PN_TYPE_FIXED_SIZE_LIST &&
        (field->children[0].n_children > 0 || pn_type_width(field) == 0))
        return false;
    for (size_t i = 0; i < field->n_children; i++)
        if (!plain_is_writable(&field->children[i]))
            return false;
    return true;
}

bool plain_is_vector(const pn_field *field)
{
    return field->type == PN_TYPE_FIXED_SIZE_LIST && field->children[0].type >= PN_TYPE_HALF &&
           field->children[0].type <= PN_TYPE_DOUBLE;
}
