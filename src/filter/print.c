/*
 * print.c - a bound tree as text that compiles to the same tree
 *
 * Keywords are upper case, functions lower, one blank around operators; parentheses only where the grammar of parser.c needs
 * them, and quotes only around names that need them. Conversions that bind inserted are not printed: compiling the text
 * inserts them again. Real numbers keep a point or an exponent, because 5 / 2 and 5.0 / 2 differ.
 */
#include "filter/functions.h"
#include "filter/lexer.h"
#include "filter/literal.h"

#include "column/calendar.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* How tightly a node binds: a node below the level that its place asks for stands in parentheses. */
typedef enum level {
    LEVEL_OR = 1,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_PREDICATE,
    LEVEL_SUM,
    LEVEL_PRODUCT,
    LEVEL_UNARY,
    LEVEL_POSTFIX
} level;

static const struct {
    const char *text;
    level level;
} operators[] = {
    [PN_EXPR_AND] = {" AND ", LEVEL_AND},      [PN_EXPR_OR] = {" OR ", LEVEL_OR},
    [PN_EXPR_EQ] = {" = ", LEVEL_PREDICATE},   [PN_EXPR_NE] = {" <> ", LEVEL_PREDICATE},
    [PN_EXPR_LT] = {" < ", LEVEL_PREDICATE},   [PN_EXPR_LE] = {" <= ", LEVEL_PREDICATE},
    [PN_EXPR_GT] = {" > ", LEVEL_PREDICATE},   [PN_EXPR_GE] = {" >= ", LEVEL_PREDICATE},
    [PN_EXPR_ADD] = {" + ", LEVEL_SUM},        [PN_EXPR_SUBTRACT] = {" - ", LEVEL_SUM},
    [PN_EXPR_CONCAT] = {" || ", LEVEL_SUM},    [PN_EXPR_MULTIPLY] = {" * ", LEVEL_PRODUCT},
    [PN_EXPR_DIVIDE] = {" / ", LEVEL_PRODUCT}, [PN_EXPR_REMAINDER] = {" % ", LEVEL_PRODUCT},
    [PN_EXPR_CAST] = {NULL, LEVEL_POSTFIX},
};

static pn_status print(const pn_expr *expr, level wanted, pn_buffer *out, pn_error *err);

/* What a NOT in front of it is written into: x IS NOT NULL, x NOT IN (...). */
static bool takes_not_inside(pn_expr_op op)
{
    return op == PN_EXPR_IN || op == PN_EXPR_BETWEEN || op == PN_EXPR_LIKE || op == PN_EXPR_ILIKE ||
           op == PN_EXPR_IS_NULL || op == PN_EXPR_IS_TRUE || op == PN_EXPR_IS_FALSE ||
           op == PN_EXPR_IS_DISTINCT;
}

static bool is_negative(const pn_value *value)
{
    return (value->kind == PN_KIND_INT && value->i < 0) ||
           (value->kind == PN_KIND_DOUBLE && signbit(value->f));
}

static level level_of(const pn_expr *expr)
{
    if (expr->op == PN_EXPR_LITERAL)
        return is_negative(&expr->literal) ? LEVEL_UNARY : LEVEL_POSTFIX;
    if (expr->op == PN_EXPR_NEGATE)
        return LEVEL_UNARY;
    if (expr->op == PN_EXPR_NOT)
        return takes_not_inside(expr->args[0]->op) ? LEVEL_PREDICATE : LEVEL_NOT;
    if (takes_not_inside(expr->op))
        return LEVEL_PREDICATE;
    return operators[expr->op].text ? operators[expr->op].level : LEVEL_POSTFIX;
}

/* ---- values */

static pn_status print_quoted(pn_str text, char quote, pn_buffer *out, pn_error *err)
{
    PN_TRY(pn_buffer_append(out, &quote, 1, err));
    size_t start = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != quote)
            continue;
        PN_TRY(pn_buffer_append(out, text.ptr + start, i + 1 - start, err));
        start = i; // again: the quote is written twice
    }
    if (text.len > start)
        PN_TRY(pn_buffer_append(out, text.ptr + start, text.len - start, err));
    return pn_buffer_append(out, &quote, 1, err);
}

static pn_status print_name(pn_str name, pn_buffer *out, pn_error *err)
{
    if (pn_lex_is_bare(name))
        return pn_buffer_append(out, name.ptr, name.len, err);
    return print_quoted(name, '"', out, err);
}

static pn_status print_double(const pn_expr *expr, pn_buffer *out, pn_error *err)
{
    char text[PN_NUMBER_TEXT_BYTES];
    if (expr->rounded == PN_TYPE_FLOAT)
        pn_format_float((float)expr->literal.f, text);
    else
        pn_format_double(expr->literal.f, text);
    PN_TRY(pn_buffer_append_text(out, text, err));
    return strpbrk(text, ".e") ? PN_OK : pn_buffer_append_text(out, ".0", err);
}

/* The text of a moment that has digits beyond milliseconds; false outside of the calendar. */
static bool format_fine_time(const pn_value *value, char out[PN_CALENDAR_TEXT_BYTES])
{
    enum { SECONDS_BYTES = 19 }; // 2024-03-17T09:30:00
    int64_t per_second = value->unit == PN_UNIT_NANO ? 1000000000 : 1000000;
    int64_t rest = value->i % per_second;
    rest += rest < 0 ? per_second : 0;
    pn_calendar_format_ms(pn_calendar_to_ms(value->i, value->unit), out);
    if (!memchr(out, 'T', PN_CALENDAR_TEXT_BYTES - 1))
        return false;
    (void)snprintf(out + SECONDS_BYTES, PN_CALENDAR_TEXT_BYTES - SECONDS_BYTES, ".%0*" PRId64, // 10
                   value->unit == PN_UNIT_NANO ? 9 : 6, rest);
    return true;
}

static bool is_whole_ms(const pn_value *value, int64_t *ms)
{
    return pn_time_convert(value->i, value->unit, PN_UNIT_MILLI, ms);
}

bool pn_value_is_printable(const pn_value *value)
{
    char text[PN_CALENDAR_TEXT_BYTES] = "";
    int64_t ms;
    if (value->kind == PN_KIND_DOUBLE)
        return isfinite(value->f);
    if (value->kind == PN_KIND_DATE) {
        pn_calendar_format_date(value->i, text);
        return strchr(text + 1, '-') != NULL; // behind the sign of a plain number
    }
    if (value->kind != PN_KIND_TIME || is_whole_ms(value, &ms))
        return true;
    return value->unit >= PN_UNIT_MICRO && format_fine_time(value, text);
}

static pn_status print_time(const pn_value *value, pn_buffer *out, pn_error *err)
{
    char text[PN_CALENDAR_TEXT_BYTES] = "";
    int64_t ms;
    if (is_whole_ms(value, &ms))
        return pn_buffer_append_format(out, err, "timestamp_ms(%" PRId64 ")", ms);
    pn_assert(format_fine_time(value, text)); // pn_value_is_printable() was asked
    return pn_buffer_append_format(out, err, "timestamp '%s'", text);
}

static pn_status print_bytes(pn_str bytes, pn_buffer *out, pn_error *err)
{
    PN_TRY(pn_buffer_append_text(out, "x'", err));
    for (size_t i = 0; i < bytes.len; i++)
        PN_TRY(pn_buffer_append_format(out, err, "%02x", (unsigned)(unsigned char)bytes.ptr[i]));
    return pn_buffer_append_text(out, "'", err);
}

static pn_status print_literal(const pn_expr *expr, pn_buffer *out, pn_error *err)
{
    const pn_value *value = &expr->literal;
    char text[PN_CALENDAR_TEXT_BYTES];
    switch (value->kind) {
    case PN_KIND_BOOL:
        return pn_buffer_append_text(out, value->b ? "TRUE" : "FALSE", err);
    case PN_KIND_INT:
        return pn_buffer_append_format(out, err, "%" PRId64, value->i);
    case PN_KIND_UINT:
        return pn_buffer_append_format(out, err, "%" PRIu64, value->u);
    case PN_KIND_DOUBLE:
        return print_double(expr, out, err);
    case PN_KIND_TEXT:
        return print_quoted(value->text, '\'', out, err);
    case PN_KIND_BYTES:
        return print_bytes(value->text, out, err);
    case PN_KIND_DATE:
        pn_calendar_format_date(value->i, text);
        return pn_buffer_append_format(out, err, "date '%s'", text);
    case PN_KIND_TIME:
        return print_time(value, out, err);
    case PN_KIND_NULL:
    case PN_KIND_LIST:
    case PN_KIND_MAP:
    case PN_KIND_STRUCT:
    case PN_KIND_OTHER:
        break;
    }
    return pn_buffer_append_text(out, "NULL", err);
}

/* ---- nodes */

static pn_status print_list(pn_expr *const *args, size_t n, pn_buffer *out, pn_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            PN_TRY(pn_buffer_append_text(out, ", ", err));
        PN_TRY(print(args[i], LEVEL_OR, out, err));
    }
    return pn_buffer_append_text(out, ")", err);
}

/* x IS [NOT] NULL, x [NOT] IN (...) and their kind. */
static pn_status print_predicate(const pn_expr *expr, bool negated, pn_buffer *out, pn_error *err)
{
    const char *no = negated ? "NOT " : "";
    pn_expr *const *args = expr->args;
    PN_TRY(print(args[0], LEVEL_PREDICATE, out, err));
    if (expr->op == PN_EXPR_IS_NULL)
        return pn_buffer_append_format(out, err, " IS %sNULL", no);
    if (expr->op == PN_EXPR_IS_TRUE)
        return pn_buffer_append_format(out, err, " IS %sTRUE", no);
    if (expr->op == PN_EXPR_IS_FALSE)
        return pn_buffer_append_format(out, err, " IS %sFALSE", no);
    if (expr->op == PN_EXPR_IS_DISTINCT) {
        PN_TRY(pn_buffer_append_format(out, err, " IS %sDISTINCT FROM ", no));
        return print(args[1], LEVEL_SUM, out, err);
    }
    if (expr->op == PN_EXPR_IN) {
        PN_TRY(pn_buffer_append_format(out, err, " %sIN (", no));
        return print_list(args + 1, expr->n_args - 1, out, err);
    }
    if (expr->op == PN_EXPR_BETWEEN) {
        PN_TRY(pn_buffer_append_format(out, err, " %sBETWEEN ", no));
        PN_TRY(print(args[1], LEVEL_SUM, out, err));
        PN_TRY(pn_buffer_append_text(out, " AND ", err));
        return print(args[2], LEVEL_SUM, out, err);
    }
    PN_TRY(pn_buffer_append_format(out, err, " %s%s ", no,
                                   expr->op == PN_EXPR_LIKE ? "LIKE" : "ILIKE"));
    PN_TRY(print(args[1], LEVEL_SUM, out, err));
    if (expr->text.len == 0)
        return PN_OK;
    PN_TRY(pn_buffer_append_text(out, " ESCAPE ", err));
    return print_quoted(expr->text, '\'', out, err);
}

static pn_status print_chain(const pn_expr *expr, pn_buffer *out, pn_error *err)
{
    level own = operators[expr->op].level;
    for (size_t i = 0; i < expr->n_args; i++) {
        if (i > 0)
            PN_TRY(pn_buffer_append_text(out, operators[expr->op].text, err));
        /* a - (b - c): only the left side may be of the same level */
        PN_TRY(print(expr->args[i], i == 0 ? own : own + 1, out, err));
    }
    return PN_OK;
}

static pn_status print_regexp(const pn_expr *expr, pn_buffer *out, pn_error *err)
{
    PN_TRY(pn_buffer_append_text(out, "regexp_match(", err));
    PN_TRY(print(expr->args[0], LEVEL_OR, out, err));
    PN_TRY(pn_buffer_append_text(out, ", ", err));
    PN_TRY(print(expr->args[1], LEVEL_OR, out, err));
    if (expr->text.len > 0) {
        PN_TRY(pn_buffer_append_text(out, ", ", err));
        PN_TRY(print_quoted(expr->text, '\'', out, err));
    }
    return pn_buffer_append_text(out, ")", err);
}

static pn_status print_cast(const pn_expr *expr, pn_buffer *out, pn_error *err)
{
    PN_TRY(
        pn_buffer_append_text(out, expr->cast_fault == PN_CAST_FAILS ? "CAST(" : "TRY_CAST(", err));
    PN_TRY(print(expr->args[0], LEVEL_OR, out, err));
    return pn_buffer_append_format(out, err, " AS %s)", pn_literal_type_name(expr->cast_type));
}

static pn_status print_negate(const pn_expr *expr, pn_buffer *out, pn_error *err)
{
    const pn_expr *arg = expr->args[0];
    while (arg->op == PN_EXPR_CAST && arg->is_implicit)
        arg = arg->args[0];
    PN_TRY(pn_buffer_append_text(out, level_of(arg) == LEVEL_UNARY ? "- " : "-", err));
    return print(arg, LEVEL_UNARY, out, err);
}

static pn_status print_not(const pn_expr *expr, pn_buffer *out, pn_error *err)
{
    if (takes_not_inside(expr->args[0]->op))
        return print_predicate(expr->args[0], true, out, err);
    PN_TRY(pn_buffer_append_text(out, "NOT ", err));
    return print(expr->args[0], LEVEL_NOT, out, err);
}

static pn_status print_bare(const pn_expr *expr, pn_buffer *out, pn_error *err)
{
    switch (expr->op) {
    case PN_EXPR_LITERAL:
        return print_literal(expr, out, err);
    case PN_EXPR_NAME:
    case PN_EXPR_COLUMN:
        return print_name(expr->text, out, err);
    case PN_EXPR_FIELD:
        PN_TRY(print(expr->args[0], LEVEL_POSTFIX, out, err));
        PN_TRY(pn_buffer_append_text(out, ".", err));
        return print_name(expr->text, out, err);
    case PN_EXPR_INDEX:
        PN_TRY(print(expr->args[0], LEVEL_POSTFIX, out, err));
        PN_TRY(pn_buffer_append_text(out, "[", err));
        PN_TRY(print(expr->args[1], LEVEL_OR, out, err));
        return pn_buffer_append_text(out, "]", err);
    case PN_EXPR_NOT:
        return print_not(expr, out, err);
    case PN_EXPR_IS_DISTINCT:
    case PN_EXPR_IN:
    case PN_EXPR_BETWEEN:
    case PN_EXPR_LIKE:
    case PN_EXPR_ILIKE:
    case PN_EXPR_IS_NULL:
    case PN_EXPR_IS_TRUE:
    case PN_EXPR_IS_FALSE:
        return print_predicate(expr, false, out, err);
    case PN_EXPR_REGEXP:
        return print_regexp(expr, out, err);
    case PN_EXPR_NEGATE:
        return print_negate(expr, out, err);
    case PN_EXPR_CALL:
        PN_TRY(pn_buffer_append_format(out, err, "%s(", expr->function->name));
        return print_list(expr->args, expr->n_args, out, err);
    case PN_EXPR_CAST:
        return print_cast(expr, out, err);
    case PN_EXPR_AND:
    case PN_EXPR_OR:
    case PN_EXPR_EQ:
    case PN_EXPR_NE:
    case PN_EXPR_LT:
    case PN_EXPR_LE:
    case PN_EXPR_GT:
    case PN_EXPR_GE:
    case PN_EXPR_ADD:
    case PN_EXPR_SUBTRACT:
    case PN_EXPR_MULTIPLY:
    case PN_EXPR_DIVIDE:
    case PN_EXPR_REMAINDER:
    case PN_EXPR_CONCAT:
        break;
    }
    return print_chain(expr, out, err);
}

static pn_status print(const pn_expr *expr, level wanted, pn_buffer *out, pn_error *err)
{
    while (expr->op == PN_EXPR_CAST && expr->is_implicit)
        expr = expr->args[0];
    if (level_of(expr) >= wanted)
        return print_bare(expr, out, err);
    PN_TRY(pn_buffer_append_text(out, "(", err));
    PN_TRY(print_bare(expr, out, err));
    return pn_buffer_append_text(out, ")", err);
}

pn_status pn_expr_print(const pn_expr *expr, pn_buffer *out, pn_error *err)
{
    return print(expr, LEVEL_OR, out, err);
}
