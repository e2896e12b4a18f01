/*
 * coerce.c - one side is a number, the other a text: who gives way?
 *
 *     literal text   against  number, moment, boolean   the text is read as one, now; what cannot be read is an error
 *     map value      against  number, moment, boolean   the value is read as one, row by row; what cannot be read is NULL
 *     literal real   against  a float32 column          the literal is rounded to float32, so that  weight = 0.1  finds
 *                                                       what was stored as 0.1
 *     literal time   against  a timestamp column        the literal takes the column's unit when that is exact
 *     anything else  against  another family            an error: guessing would hide mistakes
 *
 * A text column does not give way to a number: '007' and 7 are equal as numbers, and only the writer of the filter knows
 * whether they should be. Values of maps are texts because maps have no other way to hold a price, so there the number
 * on the other side tells what is meant.
 */
#include "filter/coerce.h"

#include "filter/literal.h"
#include "filter/vec.h"

#include <math.h>

pn_family pn_family_of(pn_kind kind)
{
    static const pn_family families[] = {
        [PN_KIND_NULL] = PN_FAMILY_NULL,     [PN_KIND_BOOL] = PN_FAMILY_BOOL,
        [PN_KIND_INT] = PN_FAMILY_NUMBER,    [PN_KIND_UINT] = PN_FAMILY_NUMBER,
        [PN_KIND_DOUBLE] = PN_FAMILY_NUMBER, [PN_KIND_TEXT] = PN_FAMILY_TEXT,
        [PN_KIND_BYTES] = PN_FAMILY_BYTES,   [PN_KIND_DATE] = PN_FAMILY_MOMENT,
        [PN_KIND_TIME] = PN_FAMILY_MOMENT,   [PN_KIND_LIST] = PN_FAMILY_NONE,
        [PN_KIND_MAP] = PN_FAMILY_NONE,      [PN_KIND_STRUCT] = PN_FAMILY_NONE,
        [PN_KIND_OTHER] = PN_FAMILY_NONE,
    };
    return families[kind];
}

pn_status pn_coerce_scalar(const pn_binder *binder, const pn_expr *expr, pn_error *err)
{
    if (pn_family_of(expr->kind) != PN_FAMILY_NONE)
        return PN_OK;
    if (expr->kind == PN_KIND_OTHER) {
        char *type = expr->field ? pn_type_text(expr->field, binder->arena) : NULL;
        return pn_filter_fail(binder->source, expr->offset, PN_ERR_UNSUPPORTED, err,
                              "this is of type %s, which filters can only test with IS NULL",
                              type ? type : "unknown");
    }
    const char *hint = expr->kind == PN_KIND_MAP      ? "; write name['key'] for one of its values"
                       : expr->kind == PN_KIND_STRUCT ? "; write name.field for one of its fields"
                                                      : "; write name[1] or array_has(name, value)";
    return pn_filter_fail(binder->source, expr->offset, PN_ERR_INVALID, err,
                          "this is %s, which has no order and no single value%s",
                          pn_kind_text(expr->kind), hint);
}

pn_status pn_coerce_cast(const pn_binder *binder, pn_expr **expr, pn_type_id type,
                         pn_cast_fault fault, pn_error *err)
{
    pn_expr *cast = PN_ARENA_NEW(binder->arena, pn_expr, 1);
    pn_expr **args = PN_ARENA_NEW(binder->arena, pn_expr *, 1);
    if (!cast || !args)
        return pn_fail_nomem(err);
    args[0] = *expr;
    *cast = (pn_expr){.op = PN_EXPR_CAST,
                      .offset = (*expr)->offset,
                      .n_args = 1,
                      .args = args,
                      .height = (*expr)->height + 1,
                      .kind = pn_cast_kind(type),
                      .unit = pn_cast_unit((*expr)->kind, (*expr)->unit),
                      .is_const = (*expr)->is_const,
                      .is_implicit = true,
                      .rounded = type == PN_TYPE_FLOAT ? PN_TYPE_FLOAT : PN_TYPE_DOUBLE,
                      .cast_type = type,
                      .cast_fault = fault};
    *expr = cast;
    return PN_OK;
}

static void set_literal(pn_expr *literal, pn_value value)
{
    literal->literal = value;
    literal->kind = value.kind;
    literal->unit = value.unit;
}

/* Read a literal text as a value of the family. */
static bool read_literal(pn_str text, pn_family family, pn_kind kind, pn_value *out)
{
    bool minus = false, out_of_memory;
    pn_value value = {.kind = PN_KIND_TEXT, .text = text};
    text = pn_str_trim(text);
    if (family == PN_FAMILY_BOOL)
        return pn_value_cast(&value, PN_TYPE_BOOL, NULL, out, &out_of_memory);
    if (family == PN_FAMILY_MOMENT) {
        if (!pn_literal_time(text, out))
            return false;
        pn_value day;
        if (kind == PN_KIND_DATE && pn_literal_date(text, &day) && pn_value_compare(out, &day) == 0)
            *out = day;
        return true;
    }
    if (family != PN_FAMILY_NUMBER || text.len == 0)
        return false;
    if (text.ptr[0] == '-' || text.ptr[0] == '+') {
        minus = text.ptr[0] == '-';
        text = pn_str_make(text.ptr + 1, text.len - 1);
    }
    if (text.len == 0 || text.ptr[0] == '-' || text.ptr[0] == '+')
        return false;
    return pn_literal_number(text, out) && (!minus || pn_literal_negate(out));
}

static const char *family_name(pn_family family)
{
    return family == PN_FAMILY_NUMBER ? "a number"
           : family == PN_FAMILY_BOOL ? "true or false"
                                      : "a date or time; write '2024-03-17 09:30:00'";
}

/* A text gives way to another family, if it may; *done says whether it did. */
static pn_status give_way(const pn_binder *binder, pn_expr **text, const pn_expr *other, bool *done,
                          pn_error *err)
{
    pn_family family = pn_family_of(other->kind);
    *done = false;
    if ((*text)->kind != PN_KIND_TEXT ||
        (family != PN_FAMILY_NUMBER && family != PN_FAMILY_BOOL && family != PN_FAMILY_MOMENT))
        return PN_OK;
    if ((*text)->is_map_value) {
        *done = true;
        pn_type_id type = family == PN_FAMILY_NUMBER ? PN_TYPE_DOUBLE
                          : family == PN_FAMILY_BOOL ? PN_TYPE_BOOL
                                                     : PN_TYPE_TIMESTAMP;
        return pn_coerce_cast(binder, text, type, PN_CAST_GIVES_NULL, err);
    }
    if ((*text)->op != PN_EXPR_LITERAL)
        return PN_OK;
    pn_value value;
    if (!read_literal((*text)->literal.text, family, other->kind, &value))
        return pn_filter_fail(binder->source, (*text)->offset, PN_ERR_INVALID, err,
                              "'" PN_FILTER_NAME_FORMAT "' is compared with %s, but is not %s",
                              PN_FILTER_NAME_ARG((*text)->literal.text), pn_kind_text(other->kind),
                              family_name(family));
    set_literal(*text, value);
    *done = true;
    return PN_OK;
}

/* Round to the 11 bits of a half. */
static double round_to_half(double value)
{
    int exponent;
    double fraction = frexp(value, &exponent);
    exponent = PN_MAX(exponent, -13); // below 2^-14 the steps stay the same
    double step = ldexp(1, exponent - 11);
    (void)fraction; // only the exponent was wanted
    return nearbyint(value / step) * step;
}

/* A literal beside a column takes its precision or unit. */
static void refine_literal(pn_expr *literal, const pn_expr *other)
{
    pn_value value = literal->literal;
    if (literal->op != PN_EXPR_LITERAL || other->op == PN_EXPR_LITERAL)
        return;
    if (value.kind == PN_KIND_DOUBLE && other->kind == PN_KIND_DOUBLE &&
        other->rounded != PN_TYPE_DOUBLE) {
        bool is_half = other->rounded == PN_TYPE_HALF;
        double rounded = is_half ? round_to_half(value.f) : (double)(float)value.f;
        if (!isfinite(rounded))
            return;
        literal->literal.f = rounded;
        literal->rounded = is_half ? PN_TYPE_DOUBLE : PN_TYPE_FLOAT; // how it is printed
    }
    if (other->kind != PN_KIND_TIME)
        return;
    if (value.kind == PN_KIND_DATE && value.i >= INT32_MIN && value.i <= INT32_MAX)
        value = (pn_value){.kind = PN_KIND_TIME, .unit = PN_UNIT_SECOND, .i = value.i * 86400};
    if (value.kind == PN_KIND_TIME && pn_time_convert(value.i, value.unit, other->unit, &value.i)) {
        value.unit = other->unit;
        set_literal(literal, value);
    }
}

static pn_status fail_different(const pn_binder *binder, size_t offset, const pn_expr *a,
                                const pn_expr *b, pn_error *err)
{
    pn_family fa = pn_family_of(a->kind), fb = pn_family_of(b->kind);
    bool number = fa == PN_FAMILY_NUMBER || fb == PN_FAMILY_NUMBER;
    const char *hint = "";
    if (number && (fa == PN_FAMILY_MOMENT || fb == PN_FAMILY_MOMENT))
        hint = "; write timestamp_ms(n) for milliseconds since 1970";
    else if (number && (fa == PN_FAMILY_TEXT || fb == PN_FAMILY_TEXT))
        hint = "; write CAST(... AS double) or put the value in single quotes";
    return pn_filter_fail(binder->source, offset, PN_ERR_INVALID, err,
                          "%s cannot be compared with %s%s", pn_kind_text(a->kind),
                          pn_kind_text(b->kind), hint);
}

pn_status pn_coerce_pair(const pn_binder *binder, size_t offset, pn_expr **a, pn_expr **b,
                         pn_error *err)
{
    bool done;
    PN_TRY(pn_coerce_scalar(binder, *a, err));
    PN_TRY(pn_coerce_scalar(binder, *b, err));
    PN_TRY(give_way(binder, a, *b, &done, err));
    if (!done)
        PN_TRY(give_way(binder, b, *a, &done, err));
    pn_family fa = pn_family_of((*a)->kind), fb = pn_family_of((*b)->kind);
    if (fa != PN_FAMILY_NULL && fb != PN_FAMILY_NULL && fa != fb)
        return fail_different(binder, offset, *a, *b, err);
    refine_literal(*a, *b);
    refine_literal(*b, *a);
    return PN_OK;
}

pn_status pn_coerce_all(const pn_binder *binder, size_t offset, pn_expr **exprs, size_t n,
                        pn_error *err)
{
    /* A map value among the texts looks for what it is compared with before anything else is decided. */
    bool done;
    for (size_t i = 0; i < n; i++) {
        PN_TRY(pn_coerce_scalar(binder, exprs[i], err));
        for (size_t j = 0; j < n && exprs[i]->is_map_value; j++) {
            pn_family family = pn_family_of(exprs[j]->kind);
            if (family != PN_FAMILY_TEXT && family != PN_FAMILY_NULL)
                PN_TRY(give_way(binder, &exprs[i], exprs[j], &done, err));
        }
    }
    /* Then literals follow the first argument that is none, or else the first. */
    size_t lead = 0;
    for (size_t i = n; i-- > 0;)
        if (exprs[i]->op != PN_EXPR_LITERAL)
            lead = i;
    for (size_t i = 0; i < n; i++)
        if (i != lead)
            PN_TRY(pn_coerce_pair(binder, offset, &exprs[lead], &exprs[i], err));
    return PN_OK;
}

pn_status pn_coerce_number(const pn_binder *binder, pn_expr **expr, const char *what, pn_error *err)
{
    PN_TRY(pn_coerce_scalar(binder, *expr, err));
    if ((*expr)->is_map_value && (*expr)->kind == PN_KIND_TEXT)
        return pn_coerce_cast(binder, expr, PN_TYPE_DOUBLE, PN_CAST_GIVES_NULL, err);
    pn_family family = pn_family_of((*expr)->kind);
    if (family == PN_FAMILY_NUMBER || family == PN_FAMILY_NULL)
        return PN_OK;
    return pn_filter_fail(binder->source, (*expr)->offset, PN_ERR_INVALID, err,
                          "%s takes numbers, and this is %s%s", what, pn_kind_text((*expr)->kind),
                          family == PN_FAMILY_TEXT ? "; write CAST(... AS double)" : "");
}

pn_status pn_coerce_condition(const pn_binder *binder, const pn_expr *expr, const char *what,
                              pn_error *err)
{
    if (expr->kind == PN_KIND_BOOL || expr->kind == PN_KIND_NULL)
        return PN_OK;
    return pn_filter_fail(binder->source, expr->offset, PN_ERR_INVALID, err,
                          "%s is true or false, but this is %s; compare it with something", what,
                          pn_kind_text(expr->kind));
}

pn_status pn_fold(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    for (size_t i = 0; i < expr->n_args; i++)
        if (expr->args[i]->op != PN_EXPR_LITERAL)
            return PN_OK;
    if (pn_family_of(expr->kind) == PN_FAMILY_NONE)
        return PN_OK;
    uint64_t one = 1;
    pn_eval eval = {.source = binder->source, .scratch = binder->arena, .like_steps = 1};
    pn_vec vec;
    pn_status status = pn_expr_eval(&eval, expr, &(pn_rows){1, &one}, &vec, NULL);
    if (status == PN_ERR_NOMEM)
        return pn_fail_nomem(err);
    if (status != PN_OK)
        return PN_OK; // the fault is reported when, and if, it is evaluated
    pn_value value;
    pn_vec_get(&vec, 0, &value);
    if (!pn_value_is_printable(&value))
        return PN_OK;
    *expr = (pn_expr){.op = PN_EXPR_LITERAL, .offset = expr->offset, .height = 1};
    expr->is_const = true;
    expr->rounded = PN_TYPE_DOUBLE; // printed with all its digits
    set_literal(expr, value);
    return PN_OK;
}
