/*
 * eval.c - a column at a time, three-valued
 *
 * Every node turns the vecs of its arguments into its own. Conditions are two bitmaps, yes and no; a row in neither is NULL,
 * and the logic of three values falls out of two lines:
 *
 *     AND    yes = a.yes & b.yes      no = a.no | b.no
 *     OR     yes = a.yes | b.yes      no = a.no & b.no
 *     NOT    yes = a.no               no = a.yes
 *
 * Rows are active or not. AND hands its second side only the rows that its first side has not made FALSE, OR those that are
 * not TRUE yet: so  n <> 0 AND 10 / n > 2  cannot divide by zero, and a regular expression behind a cheap comparison
 * sees few rows. What is computed for inactive rows is never looked at. Cheap loops run over all rows all the same;
 * everything that can fail or costs more asks.
 *
 * Nodes without a column below them are evaluated once, for one row, and repeated.
 */
#include "filter/functions.h"
#include "filter/like.h"
#include "filter/regexp.h"
#include "filter/vec.h"

#include <math.h>

static pn_status eval_node(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                           pn_error *err);

static bool any_active(const pn_rows *rows)
{
    for (size_t w = 0; w < pn_words_for_bits(rows->n); w++)
        if (rows->active[w])
            return true;
    return false;
}

static pn_status new_bool(pn_eval *eval, const pn_rows *rows, pn_vec *out, pn_error *err)
{
    return pn_vec_create(PN_KIND_BOOL, PN_UNIT_SECOND, rows->n, eval->scratch, out, err);
}

static pn_status fail_in(const pn_eval *eval, const pn_expr *expr, pn_status status, pn_error *err,
                         const char *message)
{
    if (status == PN_ERR_NOMEM)
        return pn_fail_nomem(err);
    return pn_filter_fail(eval->source, expr->offset, status, err, "%s", message);
}

/* An argument that is a condition, with a bit for every row. */
static pn_status eval_condition(pn_eval *eval, const pn_expr *expr, const pn_rows *rows,
                                pn_vec *out, pn_error *err)
{
    PN_TRY(pn_expr_eval(eval, expr, rows, out, err));
    return pn_vec_spread_bool(out, rows->n, eval->scratch, err);
}

/* ---- columns and what is inside them */

static pn_status eval_literal(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                              pn_error *err)
{
    PN_TRY(pn_vec_create(expr->kind, expr->unit, rows->n, eval->scratch, out, err));
    for (size_t i = 0; i < rows->n; i++)
        pn_vec_set(out, i, &expr->literal);
    return PN_OK;
}

static pn_status eval_field(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                            pn_error *err)
{
    pn_vec base;
    PN_TRY(pn_expr_eval(eval, expr->args[0], rows, &base, err));
    return pn_vec_load(&base.array->children[expr->index], base.starts, rows->n, eval->scratch, out,
                       err);
}

/* Where the item is in the list's array; -1: there is none. place counts from 1, negative ones from the end. */
static int64_t item_of_list(const pn_vec *list, size_t i, int64_t place)
{
    int64_t length = list->lens[i];
    if (list->starts[i] < 0 || place == 0 || place > length || place < -length)
        return -1;
    return place > 0 ? list->starts[i] + place - 1 : list->starts[i] + length + place;
}

static pn_status eval_index(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                            pn_error *err)
{
    pn_vec base, place;
    PN_TRY(pn_expr_eval(eval, expr->args[0], rows, &base, err));
    PN_TRY(pn_expr_eval(eval, expr->args[1], rows, &place, err));
    int64_t *index = PN_ARENA_NEW(eval->scratch, int64_t, rows->n);
    if (!index)
        return pn_fail_nomem(err);
    bool is_map = base.kind == PN_KIND_MAP;
    for (size_t i = 0; i < rows->n; i++) {
        pn_value key;
        pn_vec_get(&place, i, &key);
        index[i] = -1;
        if (key.kind == PN_KIND_NULL || base.starts[i] < 0 || !pn_word_bit_get(rows->active, i))
            continue;
        index[i] = is_map ? pn_map_find(base.array, base.starts[i], key.text)
                          : item_of_list(&base, i, key.i);
    }
    const pn_array *values = is_map ? &base.array->children[0].children[1] : base.array;
    return pn_vec_load(values, index, rows->n, eval->scratch, out, err);
}

/* ---- logic */

static pn_status eval_chain(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                            pn_error *err)
{
    bool is_and = expr->op == PN_EXPR_AND;
    size_t n_words = pn_words_for_bits(rows->n);
    uint64_t *active = PN_ARENA_NEW(eval->scratch, uint64_t, n_words);
    if (!active)
        return pn_fail_nomem(err);
    PN_TRY(new_bool(eval, rows, out, err));
    for (size_t w = 0; w < n_words; w++) {
        active[w] = rows->active[w];
        (is_and ? out->yes : out->no)[w] = pn_word_mask(w, rows->n);
    }
    const pn_rows left = {rows->n, active};
    for (size_t a = 0; a < expr->n_args && any_active(&left); a++) {
        pn_vec side;
        pn_arena_mark mark = pn_arena_get_mark(eval->scratch);
        PN_TRY(eval_condition(eval, expr->args[a], &left, &side, err));
        for (size_t w = 0; w < n_words; w++) {
            out->yes[w] = is_and ? out->yes[w] & side.yes[w] : out->yes[w] | side.yes[w];
            out->no[w] = is_and ? out->no[w] | side.no[w] : out->no[w] & side.no[w];
            active[w] &= ~(is_and ? out->no[w] : out->yes[w]);
        }
        pn_arena_rewind(eval->scratch, mark);
    }
    return PN_OK;
}

static pn_status eval_not(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                          pn_error *err)
{
    PN_TRY(eval_condition(eval, expr->args[0], rows, out, err));
    uint64_t *yes = out->yes;
    out->yes = out->no;
    out->no = yes;
    return PN_OK;
}

/* IS TRUE, IS FALSE, IS NULL: never NULL themselves. */
static pn_status eval_is(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                         pn_error *err)
{
    pn_vec in;
    const pn_expr *what = expr->args[0];
    if (expr->op == PN_EXPR_IS_NULL && what->op == PN_EXPR_COLUMN)
        PN_TRY(pn_vec_load_validity(&eval->batch->columns[what->index], rows->n, eval->scratch, &in,
                                    err));
    else
        PN_TRY(pn_expr_eval(eval, what, rows, &in, err));
    if (expr->op != PN_EXPR_IS_NULL)
        PN_TRY(pn_vec_spread_bool(&in, rows->n, eval->scratch, err));
    PN_TRY(new_bool(eval, rows, out, err));
    for (size_t w = 0; w < pn_words_for_bits(rows->n); w++) {
        out->yes[w] = expr->op == PN_EXPR_IS_NULL   ? ~pn_vec_valid_word(&in, w, rows->n)
                      : expr->op == PN_EXPR_IS_TRUE ? in.yes[w]
                                                    : in.no[w];
        out->yes[w] &= pn_word_mask(w, rows->n);
        out->no[w] = ~out->yes[w] & pn_word_mask(w, rows->n);
    }
    return PN_OK;
}

/* ---- comparisons */

static pn_status eval_comparison(pn_eval *eval, const pn_expr *expr, const pn_rows *rows,
                                 pn_vec *out, pn_error *err)
{
    pn_vec a, b;
    PN_TRY(pn_expr_eval(eval, expr->args[0], rows, &a, err));
    PN_TRY(pn_expr_eval(eval, expr->args[1], rows, &b, err));
    if (expr->op != PN_EXPR_IS_DISTINCT)
        return pn_vec_compare(&a, &b, expr->op, rows->n, eval->scratch, out, err);
    PN_TRY(pn_vec_compare(&a, &b, PN_EXPR_NE, rows->n, eval->scratch, out, err));
    for (size_t w = 0; w < pn_words_for_bits(rows->n); w++) {
        out->yes[w] |= pn_vec_valid_word(&a, w, rows->n) ^ pn_vec_valid_word(&b, w, rows->n);
        out->no[w] = ~out->yes[w] & pn_word_mask(w, rows->n);
    }
    return PN_OK;
}

static pn_status eval_between(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                              pn_error *err)
{
    pn_vec x, bound, above;
    PN_TRY(pn_expr_eval(eval, expr->args[0], rows, &x, err));
    PN_TRY(pn_expr_eval(eval, expr->args[1], rows, &bound, err));
    PN_TRY(pn_vec_compare(&x, &bound, PN_EXPR_GE, rows->n, eval->scratch, &above, err));
    PN_TRY(pn_expr_eval(eval, expr->args[2], rows, &bound, err));
    PN_TRY(pn_vec_compare(&x, &bound, PN_EXPR_LE, rows->n, eval->scratch, out, err));
    for (size_t w = 0; w < pn_words_for_bits(rows->n); w++) {
        out->yes[w] &= above.yes[w];
        out->no[w] |= above.no[w];
    }
    return PN_OK;
}

static bool set_has(const pn_expr *expr, const pn_value *value)
{
    size_t low = 0, high = expr->n_set;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = pn_value_compare(&expr->set[middle], value);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static pn_status eval_in(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                         pn_error *err)
{
    pn_vec x, item, equal;
    PN_TRY(pn_expr_eval(eval, expr->args[0], rows, &x, err));
    PN_TRY(new_bool(eval, rows, out, err));
    for (size_t i = 0; expr->set && i < rows->n; i++) {
        pn_value value;
        pn_vec_get(&x, i, &value);
        if (value.kind == PN_KIND_NULL || !pn_word_bit_get(rows->active, i))
            continue;
        if (set_has(expr, &value))
            pn_word_bit_set(out->yes, i);
        else if (!expr->set_has_null)
            pn_word_bit_set(out->no, i);
    }
    if (expr->set)
        return PN_OK;
    /* Columns among the items: x = a OR x = b ... */
    for (size_t w = 0; w < pn_words_for_bits(rows->n); w++)
        out->no[w] = pn_word_mask(w, rows->n);
    for (size_t a = 1; a < expr->n_args; a++) {
        pn_arena_mark mark = pn_arena_get_mark(eval->scratch);
        PN_TRY(pn_expr_eval(eval, expr->args[a], rows, &item, err));
        PN_TRY(pn_vec_compare(&x, &item, PN_EXPR_EQ, rows->n, eval->scratch, &equal, err));
        for (size_t w = 0; w < pn_words_for_bits(rows->n); w++) {
            out->yes[w] |= equal.yes[w];
            out->no[w] &= equal.no[w];
        }
        pn_arena_rewind(eval->scratch, mark);
    }
    return PN_OK;
}

static pn_status eval_like(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                           pn_error *err)
{
    pn_vec text;
    PN_TRY(pn_expr_eval(eval, expr->args[0], rows, &text, err));
    PN_TRY(new_bool(eval, rows, out, err));
    for (size_t i = 0; i < rows->n; i++) {
        pn_value value;
        bool matches;
        if (!pn_word_bit_get(rows->active, i))
            continue;
        pn_vec_get(&text, i, &value);
        if (value.kind == PN_KIND_NULL)
            continue;
        pn_status status =
            pn_like_match(expr->like, value.text, eval->scratch, &eval->like_steps, &matches);
        if (status != PN_OK)
            return fail_in(eval, expr, status, err, "the pattern takes too long on these rows");
        pn_word_bit_set(matches ? out->yes : out->no, i);
    }
    return PN_OK;
}

static pn_status eval_regexp(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                             pn_error *err)
{
    pn_vec text;
    char fault[160] = "";
    PN_TRY(pn_expr_eval(eval, expr->args[0], rows, &text, err));
    PN_TRY(new_bool(eval, rows, out, err));
    pn_status status = pn_regexp_eval(expr->regexp, &text, rows, out, fault, sizeof fault);
    return status == PN_OK ? PN_OK : fail_in(eval, expr, status, err, fault);
}

/* ---- arithmetic */

/* NULL, or what is wrong. */
static const char *compute_int(pn_expr_op op, int64_t a, int64_t b, int64_t *out)
{
    static const char overflow[] = "the result does not fit in 64 bits";
    if ((op == PN_EXPR_DIVIDE || op == PN_EXPR_REMAINDER) && b == 0)
        return "division by zero; guard it: n <> 0 AND 10 / n > 2";
    if (op == PN_EXPR_ADD)
        return pn_i64_add(a, b, out) ? NULL : overflow;
    if (op == PN_EXPR_SUBTRACT)
        return pn_i64_subtract(a, b, out) ? NULL : overflow;
    if (op == PN_EXPR_MULTIPLY)
        return pn_i64_multiply(a, b, out) ? NULL : overflow;
    if (b == -1) // INT64_MIN / -1 traps
        return pn_i64_subtract(0, op == PN_EXPR_DIVIDE ? a : 0, out) ? NULL : overflow;
    *out = op == PN_EXPR_DIVIDE ? a / b : a % b;
    return NULL;
}

static double compute_double(pn_expr_op op, double a, double b)
{
    if (op == PN_EXPR_ADD)
        return a + b;
    if (op == PN_EXPR_SUBTRACT)
        return a - b;
    if (op == PN_EXPR_MULTIPLY)
        return a * b;
    return op == PN_EXPR_DIVIDE ? a / b : fmod(a, b);
}

static pn_status eval_arithmetic(pn_eval *eval, const pn_expr *expr, const pn_rows *rows,
                                 pn_vec *out, pn_error *err)
{
    pn_vec a, b;
    PN_TRY(pn_expr_eval(eval, expr->args[0], rows, &a, err));
    PN_TRY(pn_expr_eval(eval, expr->args[1], rows, &b, err));
    PN_TRY(pn_vec_create(expr->kind, PN_UNIT_SECOND, rows->n, eval->scratch, out, err));
    for (size_t i = 0; i < rows->n; i++) {
        pn_value x, y, z = {.kind = expr->kind};
        pn_vec_get(&a, i, &x);
        pn_vec_get(&b, i, &y);
        if (x.kind == PN_KIND_NULL || y.kind == PN_KIND_NULL || !pn_word_bit_get(rows->active, i))
            continue;
        const char *fault = NULL;
        if (expr->kind == PN_KIND_DOUBLE)
            z.f = compute_double(expr->op, x.f, y.f);
        else
            fault = compute_int(expr->op, x.i, y.i, &z.i);
        if (fault)
            return fail_in(eval, expr, PN_ERR_INVALID, err, fault);
        pn_vec_set(out, i, &z);
    }
    return PN_OK;
}

static pn_status eval_negate(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                             pn_error *err)
{
    pn_vec in;
    PN_TRY(pn_expr_eval(eval, expr->args[0], rows, &in, err));
    PN_TRY(pn_vec_create(expr->kind, PN_UNIT_SECOND, rows->n, eval->scratch, out, err));
    for (size_t i = 0; i < rows->n; i++) {
        pn_value value;
        pn_vec_get(&in, i, &value);
        if (value.kind == PN_KIND_NULL || !pn_word_bit_get(rows->active, i))
            continue;
        if (value.kind == PN_KIND_DOUBLE)
            value.f = -value.f;
        else if (!pn_i64_subtract(0, value.i, &value.i))
            return fail_in(eval, expr, PN_ERR_INVALID, err, "the result does not fit in 64 bits");
        pn_vec_set(out, i, &value);
    }
    return PN_OK;
}

static pn_status eval_concat(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                             pn_error *err)
{
    pn_vec a, b;
    PN_TRY(pn_expr_eval(eval, expr->args[0], rows, &a, err));
    PN_TRY(pn_expr_eval(eval, expr->args[1], rows, &b, err));
    PN_TRY(pn_vec_create(PN_KIND_TEXT, PN_UNIT_SECOND, rows->n, eval->scratch, out, err));
    for (size_t i = 0; i < rows->n; i++) {
        pn_value x, y;
        size_t length;
        pn_vec_get(&a, i, &x);
        pn_vec_get(&b, i, &y);
        if (x.kind == PN_KIND_NULL || y.kind == PN_KIND_NULL || !pn_word_bit_get(rows->active, i))
            continue;
        char *text = pn_size_add(x.text.len, y.text.len, &length)
                         ? pn_arena_alloc(eval->scratch, length)
                         : NULL;
        if (!text)
            return pn_fail_nomem(err);
        if (x.text.len > 0)
            memcpy(text, x.text.ptr, x.text.len);
        if (y.text.len > 0)
            memcpy(text + x.text.len, y.text.ptr, y.text.len);
        pn_vec_set(out, i, &(pn_value){.kind = PN_KIND_TEXT, .text = {text, length}});
    }
    return PN_OK;
}

/* ---- casts and calls */

static pn_status fail_cast(const pn_eval *eval, const pn_expr *expr, const pn_value *value,
                           pn_error *err)
{
    pn_value text;
    bool out_of_memory;
    if (!pn_value_cast(value, PN_TYPE_STRING, eval->scratch, &text, &out_of_memory))
        return pn_fail_nomem(err);
    return pn_filter_fail(eval->source, expr->offset, PN_ERR_INVALID, err,
                          "CAST: '" PN_FILTER_NAME_FORMAT
                          "' cannot become %s; TRY_CAST gives NULL for such rows",
                          PN_FILTER_NAME_ARG(text.text), pn_kind_text(expr->kind));
}

static pn_status eval_cast(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                           pn_error *err)
{
    pn_vec in;
    PN_TRY(pn_expr_eval(eval, expr->args[0], rows, &in, err));
    PN_TRY(pn_vec_create(expr->kind, expr->unit, rows->n, eval->scratch, out, err));
    for (size_t i = 0; i < rows->n; i++) {
        pn_value value, result;
        bool out_of_memory;
        if (!pn_word_bit_get(rows->active, i))
            continue;
        pn_vec_get(&in, i, &value);
        if (value.kind == PN_KIND_NULL)
            continue;
        if (pn_value_cast(&value, expr->cast_type, eval->scratch, &result, &out_of_memory))
            pn_vec_set(out, i, &result);
        else if (out_of_memory)
            return pn_fail_nomem(err);
        else if (expr->cast_fault == PN_CAST_FAILS)
            return fail_cast(eval, expr, &value, err);
    }
    return PN_OK;
}

/* A function of single rows over the active ones. values has room for one row's arguments. */
static pn_status call_rows(pn_eval *eval, const pn_expr *expr, const pn_rows *rows,
                           const pn_vec *args, pn_value *values, pn_vec *out, pn_error *err)
{
    const pn_function *function = expr->function;
    for (size_t i = 0; i < rows->n; i++) {
        bool has_null = false;
        if (!pn_word_bit_get(rows->active, i))
            continue;
        for (size_t a = 0; a < expr->n_args; a++) {
            pn_vec_get(&args[a], i, &values[a]);
            has_null |= values[a].kind == PN_KIND_NULL;
        }
        if (has_null && !function->takes_nulls)
            continue;
        pn_value result = {.kind = PN_KIND_NULL};
        const char *fault = function->row(eval->scratch, values, expr->n_args, &result);
        if (fault == pn_function_no_memory)
            return pn_fail_nomem(err);
        if (fault)
            return fail_in(eval, expr, PN_ERR_INVALID, err, fault);
        pn_vec_set(out, i, &result);
    }
    return PN_OK;
}

static pn_status eval_call(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                           pn_error *err)
{
    pn_vec *args = PN_ARENA_NEW(eval->scratch, pn_vec, expr->n_args);
    pn_value *values = PN_ARENA_NEW(eval->scratch, pn_value, expr->n_args);
    if (!args || !values)
        return pn_fail_nomem(err);
    for (size_t a = 0; a < expr->n_args; a++)
        PN_TRY(pn_expr_eval(eval, expr->args[a], rows, &args[a], err));
    PN_TRY(pn_vec_create(expr->kind, expr->unit, rows->n, eval->scratch, out, err));
    if (expr->function->whole)
        return expr->function->whole(args, rows, out, err);
    return call_rows(eval, expr, rows, args, values, out, err);
}

/* ---- the walk */

static pn_status eval_node(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                           pn_error *err)
{
    switch (expr->op) {
    case PN_EXPR_LITERAL:
        return eval_literal(eval, expr, rows, out, err);
    case PN_EXPR_COLUMN:
        return pn_vec_load(&eval->batch->columns[expr->index], NULL, rows->n, eval->scratch, out,
                           err);
    case PN_EXPR_FIELD:
        return eval_field(eval, expr, rows, out, err);
    case PN_EXPR_INDEX:
        return eval_index(eval, expr, rows, out, err);
    case PN_EXPR_AND:
    case PN_EXPR_OR:
        return eval_chain(eval, expr, rows, out, err);
    case PN_EXPR_NOT:
        return eval_not(eval, expr, rows, out, err);
    case PN_EXPR_IS_NULL:
    case PN_EXPR_IS_TRUE:
    case PN_EXPR_IS_FALSE:
        return eval_is(eval, expr, rows, out, err);
    case PN_EXPR_EQ:
    case PN_EXPR_NE:
    case PN_EXPR_LT:
    case PN_EXPR_LE:
    case PN_EXPR_GT:
    case PN_EXPR_GE:
    case PN_EXPR_IS_DISTINCT:
        return eval_comparison(eval, expr, rows, out, err);
    case PN_EXPR_BETWEEN:
        return eval_between(eval, expr, rows, out, err);
    case PN_EXPR_IN:
        return eval_in(eval, expr, rows, out, err);
    case PN_EXPR_LIKE:
    case PN_EXPR_ILIKE:
        return eval_like(eval, expr, rows, out, err);
    case PN_EXPR_REGEXP:
        return eval_regexp(eval, expr, rows, out, err);
    case PN_EXPR_NEGATE:
        return eval_negate(eval, expr, rows, out, err);
    case PN_EXPR_ADD:
    case PN_EXPR_SUBTRACT:
    case PN_EXPR_MULTIPLY:
    case PN_EXPR_DIVIDE:
    case PN_EXPR_REMAINDER:
        return eval_arithmetic(eval, expr, rows, out, err);
    case PN_EXPR_CONCAT:
        return eval_concat(eval, expr, rows, out, err);
    case PN_EXPR_CALL:
        return eval_call(eval, expr, rows, out, err);
    case PN_EXPR_CAST:
        return eval_cast(eval, expr, rows, out, err);
    case PN_EXPR_NAME:
        break; // bind left none
    }
    pn_assert(false);
    return PN_ERR_BUG;
}

pn_status pn_expr_eval(pn_eval *eval, const pn_expr *expr, const pn_rows *rows, pn_vec *out,
                       pn_error *err)
{
    if (!expr->is_const && expr->op != PN_EXPR_LITERAL)
        return eval_node(eval, expr, rows, out, err);
    uint64_t active = any_active(rows);
    PN_TRY(eval_node(eval, expr, &(pn_rows){1, &active}, out, err));
    out->is_const = true;
    return PN_OK;
}
