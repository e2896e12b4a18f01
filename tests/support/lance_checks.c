/*
 * lance_checks.c - windows cut pages and chunks at odd places; takes repeat rows and skip pages
 */
#include "support/lance_checks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
/* cmocka wants the three above first */
#include <cmocka.h>

enum { ROUNDS = 20, TAKEN_ROWS = 32 };

/* As pn_lance_count_leaves(), whose header needs the generated messages. */
static size_t count_leaves(const pn_field *field)
{
    size_t n = 0;
    if (field->n_children == 0 || field->type == PN_TYPE_FIXED_SIZE_LIST || field->is_packed ||
        field->is_blob)
        return 1;
    for (size_t i = 0; i < field->n_children; i++)
        n += count_leaves(&field->children[i]);
    return n;
}

void lance_column_make(pn_lance_file *file, size_t field_i, lance_column *out)
{
    const pn_schema *schema = pn_lance_file_schema(file);
    size_t next = 0;
    for (size_t i = 0; i < field_i; i++)
        next += count_leaves(&schema->fields[i]);
    *out = (lance_column){.file = file, .field = &schema->fields[field_i]};
    out->n_leaves = count_leaves(out->field);
    assert_true(out->n_leaves <= LANCE_CHECKS_MAX_LEAVES);
    for (size_t k = 0; k < out->n_leaves; k++)
        out->leaves[k] = pn_lance_file_leaf_column(file, next++);
}

pn_status lance_column_read(const lance_column *column, pn_arena *arena, pn_array *out,
                            pn_error *err)
{
    return pn_lance_file_read(column->file, column->field, column->leaves, column->n_leaves, 0,
                              pn_lance_file_rows(column->file), NULL, arena, out, err);
}

static void check_window(const lance_column *c, const pn_array *whole, pn_lance_memo *memo,
                         pn_rng *rng)
{
    pn_arena arena;
    pn_error err = {0};
    pn_array got, want;
    pn_arena_init(&arena, SIZE_MAX);
    uint64_t n_rows = whole->length;
    uint64_t first = pn_rng_below(rng, n_rows), n = pn_rng_below(rng, n_rows - first + 1);
    if (pn_lance_file_read(c->file, c->field, c->leaves, c->n_leaves, first, n, memo, &arena, &got,
                           &err))
        fail_msg("%s: %s", c->field->name, err.message);
    assert_int_equal(pn_array_slice(whole, (size_t)first, (size_t)n, &arena, &want, NULL), PN_OK);
    if (!pn_array_equal(&got, &want))
        fail_msg("%s: rows %zu + %zu differ", c->field->name, (size_t)first, (size_t)n);
    pn_arena_reset(&arena);
}

static void check_take(const lance_column *c, const pn_array *whole, uint64_t stride,
                       pn_lance_memo *memo, pn_rng *rng)
{
    pn_arena arena;
    pn_error err = {0};
    pn_array got, want;
    uint64_t rows[TAKEN_ROWS];
    uint32_t indices[TAKEN_ROWS];
    size_t n = 0;
    pn_arena_init(&arena, SIZE_MAX);
    uint64_t at = pn_rng_below(rng, whole->length);
    while (n < TAKEN_ROWS && at < whole->length) {
        rows[n] = at;
        indices[n++] = (uint32_t)at;
        at += pn_rng_below(rng, stride); // 0: the same row again
    }
    if (pn_lance_file_take(c->file, c->field, c->leaves, c->n_leaves, rows, n, memo, &arena, &got,
                           &err))
        fail_msg("%s: %s", c->field->name, err.message);
    assert_int_equal(pn_array_gather(whole, indices, n, &arena, &want, NULL), PN_OK);
    if (!pn_array_equal(&got, &want))
        fail_msg("%s: %zu rows from %zu on differ", c->field->name, n, (size_t)rows[0]);
    pn_arena_reset(&arena);
}

void lance_column_check(const lance_column *column, const pn_array *whole, pn_rng *rng)
{
    pn_lance_memo *memo;
    assert_int_equal(pn_lance_memo_create(&memo, NULL), PN_OK);
    for (int round = 0; round < ROUNDS && whole->length > 0; round++) {
        pn_lance_memo *either = round % 3 ? memo : NULL;
        check_window(column, whole, either, rng);
        check_take(column, whole, round % 2 ? 3 : whole->length, either, rng);
    }
    pn_lance_memo_free(memo);
}

uint64_t lance_column_check_scan(const lance_column *column, const pn_array *whole, uint64_t window)
{
    pn_lance_memo *memo;
    uint64_t n_rows = whole->length;
    assert_int_equal(pn_lance_memo_create(&memo, NULL), PN_OK);
    for (uint64_t first = 0; first < n_rows; first += window) {
        pn_arena arena;
        pn_error err = {0};
        pn_array got, want;
        uint64_t n = PN_MIN(window, n_rows - first);
        pn_arena_init(&arena, SIZE_MAX);
        if (pn_lance_file_read(column->file, column->field, column->leaves, column->n_leaves, first,
                               n, memo, &arena, &got, &err) != PN_OK)
            fail_msg("%s: %s", column->field->name, err.message);
        assert_int_equal(pn_array_slice(whole, (size_t)first, (size_t)n, &arena, &want, NULL),
                         PN_OK);
        if (!pn_array_equal(&got, &want))
            fail_msg("%s: rows %zu + %zu differ", column->field->name, (size_t)first, (size_t)n);
        pn_arena_reset(&arena);
    }
    uint64_t n_decoded = pn_lance_memo_decoded(memo);
    pn_lance_memo_free(memo);
    return n_decoded;
}
