/*
 * filter.c - the door: compile, evaluate, print
 *
 * A pn_filter is its text (errors at run time point into it, too), the bound tree and the list of columns it reads. All of
 * it lives in the arena it was compiled in.
 */
#include "filter/filter.h"

#include "filter/vec.h"

#include <stdlib.h>

/* Work that LIKE patterns with '_' may take for one batch: about a second. */
static const uint64_t LIKE_STEPS = 500000000;
enum { PRINT_MAX_BYTES = 16 * PN_FILTER_MAX_BYTES };

struct pn_filter {
    pn_filter_source source;
    pn_expr *expr;
    size_t *columns;
    size_t n_columns;
};

static void mark_columns(const pn_expr *expr, bool *used)
{
    if (expr->op == PN_EXPR_COLUMN)
        used[expr->index] = true;
    for (size_t i = 0; i < expr->n_args; i++)
        mark_columns(expr->args[i], used);
}

static pn_status list_columns(pn_filter *filter, const pn_schema *schema, pn_arena *arena,
                              pn_error *err)
{
    bool *used = PN_ARENA_NEW(arena, bool, schema->n_fields);
    filter->columns = PN_ARENA_NEW(arena, size_t, schema->n_fields);
    if (!used || !filter->columns)
        return pn_fail_nomem(err);
    mark_columns(filter->expr, used);
    for (size_t i = 0; i < schema->n_fields; i++)
        if (used[i])
            filter->columns[filter->n_columns++] = i;
    return PN_OK;
}

pn_status pn_filter_compile(pn_str text, const pn_schema *schema, pn_arena *arena, pn_filter **out,
                            pn_error *err)
{
    if (text.len > PN_FILTER_MAX_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "filter: %zu bytes, the limit is %d", text.len,
                       PN_FILTER_MAX_BYTES);
    pn_filter *filter = PN_ARENA_NEW(arena, pn_filter, 1);
    char *copy = pn_arena_strndup(arena, text.ptr, text.len);
    if (!filter || !copy)
        return pn_fail_nomem(err);
    filter->source.text = pn_str_make(copy, text.len);
    PN_TRY(pn_expr_parse(&filter->source, arena, &filter->expr, err));
    PN_TRY(pn_expr_bind(&filter->source, schema, arena, &filter->expr, err));
    PN_TRY(list_columns(filter, schema, arena, err));
    *out = filter;
    return PN_OK;
}

const size_t *pn_filter_columns(const pn_filter *filter, size_t *n)
{
    *n = filter->n_columns;
    return filter->columns;
}

pn_status pn_filter_eval(const pn_filter *filter, const pn_batch *batch, pn_arena *scratch,
                         pn_mask *out, pn_error *err)
{
    pn_mask mask;
    pn_vec result;
    PN_TRY(pn_mask_create(batch->n_rows, true, scratch, &mask, err));
    pn_eval eval = {
        .source = &filter->source, .batch = batch, .scratch = scratch, .like_steps = LIKE_STEPS};
    const pn_rows rows = {batch->n_rows, mask.words};
    PN_TRY(pn_expr_eval(&eval, filter->expr, &rows, &result, err));
    PN_TRY(pn_vec_spread_bool(&result, batch->n_rows, scratch, err));
    if (batch->n_rows > 0)
        memcpy(mask.words, result.yes, pn_words_for_bits(batch->n_rows) * sizeof(uint64_t));
    *out = mask;
    return PN_OK;
}

pn_status pn_filter_print(const pn_filter *filter, pn_arena *arena, char **out, pn_error *err)
{
    pn_buffer buffer;
    pn_buffer_init(&buffer, PRINT_MAX_BYTES);
    pn_status status = pn_expr_print(filter->expr, &buffer, err);
    char *text =
        status == PN_OK ? pn_arena_strndup(arena, (const char *)buffer.data, buffer.n_bytes) : NULL;
    pn_buffer_reset(&buffer);
    if (status == PN_OK && !text)
        return pn_fail_nomem(err);
    if (status == PN_OK)
        *out = text;
    return status;
}
