/*
 * bind.c - names become columns, nodes get kinds
 *
 * One walk from the leaves up. A node is bound after its arguments, by a function of its own kind; what that function
 * finds wrong is reported at the node's place in the text. Calls, casts and arithmetic on literals are folded, so that
 * timestamp_ms(1700000000000) costs nothing per row and prints the same however it was written. LIKE patterns and regular
 * expressions are compiled here, and the literals of a long IN are sorted, so that a list of ten thousand ids costs
 * fourteen comparisons a row.
 */
#include "filter/coerce.h"
#include "filter/functions.h"
#include "filter/like.h"
#include "filter/regexp.h"

#include <stdlib.h>
#include <time.h>

enum { FAULT_BYTES = 200 };

static pn_status bind(const pn_binder *binder, pn_expr **slot, pn_error *err);

static pn_status fail_at(const pn_binder *binder, const pn_expr *expr, pn_error *err,
                         const char *message)
{
    return pn_filter_fail(binder->source, expr->offset, PN_ERR_INVALID, err, "%s", message);
}

static pn_status become_null(pn_expr *expr)
{
    *expr = (pn_expr){.op = PN_EXPR_LITERAL, .offset = expr->offset, .height = 1, .is_const = true};
    return PN_OK;
}

/* Kind and type of what is read from a field. */
static void set_field(pn_expr *expr, const pn_field *field)
{
    expr->kind = pn_field_kind(field);
    expr->unit = field->unit;
    expr->field = expr->kind == PN_KIND_LIST ? &field->children[0] : field;
    expr->rounded =
        field->type == PN_TYPE_FLOAT || field->type == PN_TYPE_HALF ? field->type : PN_TYPE_DOUBLE;
}

/* ---- names */

static pn_status fail_unknown(const pn_binder *binder, const pn_expr *expr, const char *what,
                              const pn_field *fields, size_t n, pn_error *err)
{
    const char **names = PN_ARENA_NEW(binder->arena, const char *, n);
    const char *map = NULL;
    if (!names)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        names[i] = fields[i].name;
        if (!map && fields[i].type == PN_TYPE_MAP)
            map = fields[i].name;
    }
    const char *nearest = pn_filter_nearest(expr->text, names, n);
    if (nearest)
        return pn_filter_fail(
            binder->source, expr->offset, PN_ERR_INVALID, err,
            "unknown %s \"" PN_FILTER_NAME_FORMAT "\"; did you mean \"" PN_FILTER_NAME_FORMAT "\"?",
            what, PN_FILTER_NAME_ARG(expr->text), PN_FILTER_NAME_ARG(pn_str_of(nearest)));
    bool quoted =
        expr->offset < binder->source->text.len && binder->source->text.ptr[expr->offset] == '"';
    if (quoted)
        return pn_filter_fail(binder->source, expr->offset, PN_ERR_INVALID, err,
                              "unknown %s \"" PN_FILTER_NAME_FORMAT
                              "\"; texts stand in single quotes",
                              what, PN_FILTER_NAME_ARG(expr->text));
    if (map)
        return pn_filter_fail(binder->source, expr->offset, PN_ERR_INVALID, err,
                              "unknown %s \"" PN_FILTER_NAME_FORMAT
                              "\"; keys of the map are written %.40s['key']",
                              what, PN_FILTER_NAME_ARG(expr->text), map);
    return pn_filter_fail(binder->source, expr->offset, PN_ERR_INVALID, err,
                          "unknown %s \"" PN_FILTER_NAME_FORMAT "\"", what,
                          PN_FILTER_NAME_ARG(expr->text));
}

static pn_status bind_name(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    ptrdiff_t column = pn_schema_find(binder->schema, expr->text);
    if (column < 0)
        return fail_unknown(binder, expr, "column", binder->schema->fields,
                            binder->schema->n_fields, err);
    expr->op = PN_EXPR_COLUMN;
    expr->index = (size_t)column;
    set_field(expr, &binder->schema->fields[column]);
    return PN_OK;
}

static pn_status bind_field(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    const pn_expr *base = expr->args[0];
    if (base->kind == PN_KIND_MAP)
        return fail_at(binder, expr, err, "a map has keys, not fields; write name['key']");
    if (base->kind != PN_KIND_STRUCT)
        return pn_filter_fail(binder->source, expr->offset, PN_ERR_INVALID, err,
                              "this is %s: it has no fields", pn_kind_text(base->kind));
    const pn_field *type = base->field;
    for (size_t i = 0; i < type->n_children; i++)
        if (pn_str_is(expr->text, type->children[i].name)) {
            expr->index = i;
            set_field(expr, &type->children[i]);
            return PN_OK;
        }
    return fail_unknown(binder, expr, "field", type->children, type->n_children, err);
}

static bool is_text_field(const pn_field *field)
{
    return field->type == PN_TYPE_STRING || field->type == PN_TYPE_LARGE_STRING;
}

/* Maps whose keys are texts: the only ones people have. */
static pn_status check_map(const pn_binder *binder, const pn_expr *map, pn_error *err)
{
    if (map->kind != PN_KIND_MAP)
        return pn_filter_fail(binder->source, map->offset, PN_ERR_INVALID, err,
                              "a map is wanted here, and this is %s", pn_kind_text(map->kind));
    if (!is_text_field(&map->field->children[0].children[0]))
        return fail_at(binder, map, err, "the keys of this map are no texts");
    return PN_OK;
}

static pn_status bind_map_index(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    PN_TRY(check_map(binder, expr->args[0], err));
    if (expr->args[1]->kind != PN_KIND_TEXT && expr->args[1]->kind != PN_KIND_NULL)
        return fail_at(binder, expr->args[1], err, "the key of a map is a text: name['key']");
    set_field(expr, &expr->args[0]->field->children[0].children[1]);
    expr->is_map_value = expr->kind == PN_KIND_TEXT;
    return PN_OK;
}

static pn_status bind_list_index(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    if (expr->args[1]->kind != PN_KIND_INT && expr->args[1]->kind != PN_KIND_NULL)
        return fail_at(binder, expr->args[1], err, "items of a list are counted from 1: name[1]");
    bool is_map_value = expr->args[0]->is_map_value;
    set_field(expr, expr->args[0]->field);
    expr->is_map_value = is_map_value && expr->kind == PN_KIND_TEXT;
    return PN_OK;
}

static pn_status bind_index(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    const pn_expr *base = expr->args[0], *place = expr->args[1];
    if (base->kind == PN_KIND_MAP)
        return bind_map_index(binder, expr, err);
    if (base->kind == PN_KIND_LIST)
        return bind_list_index(binder, expr, err);
    if (base->kind == PN_KIND_STRUCT && place->op == PN_EXPR_LITERAL &&
        place->kind == PN_KIND_TEXT) {
        expr->op = PN_EXPR_FIELD;
        expr->n_args = 1;
        expr->text = place->literal.text;
        expr->offset = place->offset;
        return bind_field(binder, expr, err);
    }
    return pn_filter_fail(binder->source, expr->offset, PN_ERR_INVALID, err,
                          "this is %s: [...] is for maps, lists and structs",
                          pn_kind_text(base->kind));
}

/* ---- predicates */

static int compare_literals(const void *a, const void *b)
{
    const pn_value *x = &(*(pn_expr *const *)a)->literal, *y = &(*(pn_expr *const *)b)->literal;
    if (x->kind == PN_KIND_NULL || y->kind == PN_KIND_NULL)
        return (x->kind == PN_KIND_NULL) - (y->kind == PN_KIND_NULL); // NULLs last
    return pn_value_compare(x, y);
}

/* Sort the literals of an IN and leave out doubles: the set that eval searches, and the order that is printed. */
static pn_status make_set(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    pn_expr **items = expr->args + 1;
    size_t n = expr->n_args - 1, n_kept = 0;
    qsort(items, n, sizeof(pn_expr *), compare_literals);
    pn_value *set = PN_ARENA_NEW(binder->arena, pn_value, n);
    if (!set)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        if (n_kept > 0 && compare_literals(&items[n_kept - 1], &items[i]) == 0)
            continue;
        items[n_kept++] = items[i];
        if (items[i]->kind == PN_KIND_NULL)
            expr->set_has_null = true;
        else
            set[expr->n_set++] = items[i]->literal;
    }
    expr->n_args = n_kept + 1;
    expr->set = set;
    return PN_OK;
}

static pn_status bind_in(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    /* Only x gives way to the items: they are not compared with each other. */
    bool all_literal = true;
    pn_expr *x = expr->args[0];
    for (size_t i = 1; i < expr->n_args && x->is_map_value && x->kind == PN_KIND_TEXT; i++) {
        pn_family family = pn_family_of(expr->args[i]->kind);
        if (family != PN_FAMILY_TEXT && family != PN_FAMILY_NULL)
            PN_TRY(pn_coerce_pair(binder, expr->offset, &expr->args[0], &expr->args[i], err));
        x = expr->args[0];
    }
    for (size_t i = 1; i < expr->n_args; i++) {
        PN_TRY(pn_coerce_pair(binder, expr->offset, &expr->args[0], &expr->args[i], err));
        all_literal &= expr->args[i]->op == PN_EXPR_LITERAL;
    }
    expr->kind = PN_KIND_BOOL;
    return all_literal ? make_set(binder, expr, err) : PN_OK;
}

static pn_status bind_between(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    pn_expr **args = expr->args;
    expr->kind = PN_KIND_BOOL;
    if (args[0]->is_map_value && pn_family_of(args[2]->kind) != PN_FAMILY_TEXT &&
        pn_family_of(args[2]->kind) != PN_FAMILY_NULL)
        PN_TRY(pn_coerce_pair(binder, expr->offset, &args[0], &args[2], err));
    PN_TRY(pn_coerce_pair(binder, expr->offset, &args[0], &args[1], err));
    return pn_coerce_pair(binder, expr->offset, &args[0], &args[2], err);
}

/* The text and the pattern of LIKE and regular expressions; *is_null: the pattern is NULL, and so is the result. */
static pn_status check_pattern(const pn_binder *binder, const pn_expr *expr, const char *what,
                               bool *is_null, pn_error *err)
{
    const pn_expr *text = expr->args[0], *pattern = expr->args[1];
    if (text->kind != PN_KIND_TEXT && text->kind != PN_KIND_NULL)
        return pn_filter_fail(binder->source, text->offset, PN_ERR_INVALID, err,
                              "%s is for texts, and this is %s; write CAST(... AS text)", what,
                              pn_kind_text(text->kind));
    if (pattern->op != PN_EXPR_LITERAL ||
        (pattern->kind != PN_KIND_TEXT && pattern->kind != PN_KIND_NULL))
        return pn_filter_fail(binder->source, pattern->offset, PN_ERR_INVALID, err,
                              "the pattern of %s is a text in single quotes", what);
    *is_null = pattern->kind == PN_KIND_NULL || text->kind == PN_KIND_NULL;
    return PN_OK;
}

static pn_status bind_like(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    bool is_null, ignores_case = expr->op == PN_EXPR_ILIKE;
    const char *fault = NULL;
    PN_TRY(check_pattern(binder, expr, ignores_case ? "ILIKE" : "LIKE", &is_null, err));
    if (is_null)
        return become_null(expr);
    pn_status status = pn_like_compile(expr->args[1]->literal.text, expr->text,
                                       ignores_case ? PN_CASE_IGNORED : PN_CASE_SENSITIVE,
                                       binder->arena, &expr->like, &fault);
    if (status == PN_ERR_INVALID)
        return fail_at(binder, expr->args[1], err, fault);
    if (status != PN_OK)
        return pn_fail_nomem(err);
    expr->kind = PN_KIND_BOOL;
    return PN_OK;
}

static pn_status bind_regexp(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    bool is_null;
    char fault[FAULT_BYTES] = "";
    PN_TRY(check_pattern(binder, expr, "regexp_match", &is_null, err));
    if (is_null)
        return become_null(expr);
    pn_status status = pn_regexp_compile(expr->args[1]->literal.text, expr->text, binder->arena,
                                         &expr->regexp, fault, sizeof fault);
    if (status == PN_ERR_INVALID)
        return fail_at(binder, expr->args[1], err, fault);
    if (status != PN_OK)
        return pn_fail_nomem(err);
    expr->kind = PN_KIND_BOOL;
    return PN_OK;
}

static pn_status bind_connective(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    const char *what = expr->op == PN_EXPR_AND   ? "each side of AND"
                       : expr->op == PN_EXPR_OR  ? "each side of OR"
                       : expr->op == PN_EXPR_NOT ? "what follows NOT"
                                                 : "what IS TRUE or FALSE";
    for (size_t i = 0; i < expr->n_args; i++)
        PN_TRY(pn_coerce_condition(binder, expr->args[i], what, err));
    expr->kind = PN_KIND_BOOL;
    return PN_OK;
}

/* ---- values */

static pn_status bind_arithmetic(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    bool is_real = false;
    for (size_t i = 0; i < expr->n_args; i++) {
        PN_TRY(pn_coerce_number(binder, &expr->args[i], "arithmetic", err));
        is_real |= expr->args[i]->kind == PN_KIND_DOUBLE;
    }
    for (size_t i = 0; i < expr->n_args; i++) {
        pn_kind kind = expr->args[i]->kind;
        if (is_real && (kind == PN_KIND_INT || kind == PN_KIND_UINT))
            PN_TRY(pn_coerce_cast(binder, &expr->args[i], PN_TYPE_DOUBLE, PN_CAST_FAILS, err));
        else if (kind == PN_KIND_UINT)
            PN_TRY(pn_coerce_cast(binder, &expr->args[i], PN_TYPE_INT64, PN_CAST_FAILS, err));
    }
    expr->kind = is_real ? PN_KIND_DOUBLE : PN_KIND_INT;
    expr->rounded = PN_TYPE_DOUBLE;
    return pn_fold(binder, expr, err);
}

static pn_status as_text(const pn_binder *binder, pn_expr **arg, pn_error *err)
{
    PN_TRY(pn_coerce_scalar(binder, *arg, err));
    if ((*arg)->kind == PN_KIND_TEXT || (*arg)->kind == PN_KIND_NULL)
        return PN_OK;
    if (!pn_cast_is_possible((*arg)->kind, PN_TYPE_STRING))
        return pn_filter_fail(binder->source, (*arg)->offset, PN_ERR_INVALID, err,
                              "a text is wanted here, and this is %s", pn_kind_text((*arg)->kind));
    return pn_coerce_cast(binder, arg, PN_TYPE_STRING, PN_CAST_FAILS, err);
}

static pn_status bind_concat(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    for (size_t i = 0; i < expr->n_args; i++)
        PN_TRY(as_text(binder, &expr->args[i], err));
    expr->kind = PN_KIND_TEXT;
    return pn_fold(binder, expr, err);
}

static pn_status bind_cast(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    const pn_expr *arg = expr->args[0];
    PN_TRY(pn_coerce_scalar(binder, arg, err));
    pn_kind kind = pn_cast_kind(expr->cast_type);
    if (!pn_cast_is_possible(arg->kind, expr->cast_type))
        return pn_filter_fail(binder->source, expr->offset, PN_ERR_INVALID, err,
                              "%s cannot be cast to %s%s", pn_kind_text(arg->kind),
                              pn_kind_text(kind),
                              kind == PN_KIND_TIME && pn_family_of(arg->kind) == PN_FAMILY_NUMBER
                                  ? "; write timestamp_ms(n) for milliseconds since 1970"
                                  : "");
    expr->kind = kind;
    expr->unit = pn_cast_unit(arg->kind, arg->unit);
    expr->rounded = expr->cast_type == PN_TYPE_FLOAT ? PN_TYPE_FLOAT : PN_TYPE_DOUBLE;
    return pn_fold(binder, expr, err);
}

/* ---- calls */

static pn_status check_count(const pn_binder *binder, const pn_expr *expr, pn_error *err)
{
    const char *signature = expr->function->signature;
    size_t least = strcspn(signature, "?*"), most = least;
    if (signature[least] == '?')
        most = strlen(signature) - 1;
    else if (signature[least] == '*')
        most = SIZE_MAX;
    if (expr->n_args >= least && expr->n_args <= most)
        return PN_OK;
    return pn_filter_fail(binder->source, expr->offset, PN_ERR_INVALID, err,
                          "%s() takes %s%zu argument%s, and here are %zu", expr->function->name,
                          most == least ? "" : "at least ", least, least == 1 ? "" : "s",
                          expr->n_args);
}

/* The letter of argument i. */
static char signature_letter(const char *signature, size_t i)
{
    char letter = 'a';
    for (const char *s = signature; *s && *s != '*'; s++) {
        if (*s == '?')
            continue;
        letter = *s;
        if (i-- == 0)
            break;
    }
    return letter;
}

static pn_status fail_argument(const pn_binder *binder, const pn_expr *call, const pn_expr *arg,
                               const char *wanted, pn_error *err)
{
    return pn_filter_fail(binder->source, arg->offset, PN_ERR_INVALID, err,
                          "%s() wants %s here, and this is %s", call->function->name, wanted,
                          pn_kind_text(arg->kind));
}

static pn_status bind_argument(const pn_binder *binder, pn_expr *call, pn_expr **arg, char letter,
                               pn_error *err)
{
    pn_kind kind = (*arg)->kind;
    if (letter == 'm')
        return check_map(binder, *arg, err);
    if (letter == 'l')
        return kind == PN_KIND_LIST ? PN_OK : fail_argument(binder, call, *arg, "a list", err);
    if (letter == 'c')
        return kind == PN_KIND_LIST || kind == PN_KIND_MAP
                   ? PN_OK
                   : fail_argument(binder, call, *arg, "a list or a map", err);
    PN_TRY(pn_coerce_scalar(binder, *arg, err));
    if (letter == 's')
        return as_text(binder, arg, err);
    if (letter == 't' && kind != PN_KIND_TEXT && kind != PN_KIND_NULL)
        return fail_argument(binder, call, *arg, "a text", err);
    if (letter == 'i' && kind != PN_KIND_INT && kind != PN_KIND_UINT && kind != PN_KIND_NULL)
        return fail_argument(binder, call, *arg, "a whole number", err);
    if (letter == 'n')
        PN_TRY(pn_coerce_number(binder, arg, call->function->name, err));
    if ((letter == 'n' || letter == 'i') && (*arg)->kind == PN_KIND_UINT)
        return pn_coerce_cast(binder, arg, PN_TYPE_INT64, PN_CAST_FAILS, err);
    return PN_OK;
}

/* coalesce, nullif: one kind for all arguments. */
static pn_status bind_common(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    bool is_map_value = true, is_real = false, mixed = false, is_time = false;
    for (size_t i = 0; i < expr->n_args; i++)
        is_map_value &= expr->args[i]->is_map_value;
    PN_TRY(pn_coerce_all(binder, expr->offset, expr->args, expr->n_args, err));
    pn_kind kind = PN_KIND_NULL;
    pn_time_unit unit = PN_UNIT_SECOND;
    for (size_t i = 0; i < expr->n_args; i++) {
        const pn_expr *arg = expr->args[i];
        if (arg->kind == PN_KIND_NULL)
            continue;
        mixed |= kind != PN_KIND_NULL &&
                 (kind != arg->kind || (kind == PN_KIND_TIME && unit != arg->unit));
        is_real |= arg->kind == PN_KIND_DOUBLE;
        is_time |= arg->kind == PN_KIND_TIME;
        kind = arg->kind;
        unit = arg->unit;
    }
    if (mixed && (is_time || kind == PN_KIND_DATE))
        return fail_at(binder, expr, err,
                       "dates and timestamps of different units cannot be mixed here");
    if (mixed)
        kind = is_real ? PN_KIND_DOUBLE : PN_KIND_INT;
    for (size_t i = 0; mixed && i < expr->n_args; i++)
        if (expr->args[i]->kind != kind && expr->args[i]->kind != PN_KIND_NULL)
            PN_TRY(pn_coerce_cast(binder, &expr->args[i], is_real ? PN_TYPE_DOUBLE : PN_TYPE_INT64,
                                  PN_CAST_FAILS, err));
    expr->kind = kind;
    expr->unit = unit;
    expr->is_map_value = is_map_value && kind == PN_KIND_TEXT;
    return PN_OK;
}

static pn_status rewrite_now(pn_expr *expr)
{
    struct timespec now = {0};
    (void)timespec_get(&now, TIME_UTC); // cannot fail with TIME_UTC; 1970 if it did
    *expr = (pn_expr){.op = PN_EXPR_LITERAL, .offset = expr->offset, .height = 1, .is_const = true};
    expr->kind = PN_KIND_TIME;
    expr->unit = PN_UNIT_MILLI;
    expr->literal = (pn_value){.kind = PN_KIND_TIME,
                               .unit = PN_UNIT_MILLI,
                               .i = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
    return PN_OK;
}

/* to_timestamp('...') is a cast, to_timestamp(n) counts seconds. */
static pn_status rewrite_to_timestamp(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    pn_kind kind = expr->args[0]->kind;
    if (kind == PN_KIND_INT || kind == PN_KIND_UINT) {
        expr->function = pn_function_find(PN_STR_LITERAL("to_timestamp_seconds"));
        expr->text = pn_str_of(expr->function->name);
        PN_TRY(bind_argument(binder, expr, &expr->args[0], 'i', err));
        expr->kind = PN_KIND_TIME;
        expr->unit = PN_UNIT_SECOND;
        return pn_fold(binder, expr, err);
    }
    expr->op = PN_EXPR_CAST;
    expr->cast_type = PN_TYPE_TIMESTAMP;
    return bind_cast(binder, expr, err);
}

static pn_status rewrite_regexp(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    expr->op = PN_EXPR_REGEXP;
    expr->text = PN_STR_LITERAL("");
    if (expr->n_args > 2) {
        const pn_expr *flags = expr->args[2];
        if (flags->op != PN_EXPR_LITERAL || flags->kind != PN_KIND_TEXT)
            return fail_at(binder, flags, err, "the flags of a pattern are a text, such as 'i'");
        expr->text = flags->literal.text;
        expr->n_args = 2;
    }
    return bind_regexp(binder, expr, err);
}

static pn_status set_result(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    pn_expr **args = expr->args;
    expr->rounded = PN_TYPE_DOUBLE;
    switch (expr->function->result) {
    case PN_RESULT_BOOL:
        expr->kind = PN_KIND_BOOL;
        return PN_OK;
    case PN_RESULT_INT:
        expr->kind = PN_KIND_INT;
        return PN_OK;
    case PN_RESULT_TEXT:
        expr->kind = PN_KIND_TEXT;
        return PN_OK;
    case PN_RESULT_SAME:
        expr->kind = args[0]->kind;
        return PN_OK;
    case PN_RESULT_COMMON:
        return bind_common(binder, expr, err);
    case PN_RESULT_SECONDS:
    case PN_RESULT_MILLISECONDS:
    case PN_RESULT_MICROSECONDS:
    case PN_RESULT_NANOSECONDS:
        expr->kind = PN_KIND_TIME;
        expr->unit = (pn_time_unit)(expr->function->result - PN_RESULT_SECONDS);
        return PN_OK;
    case PN_RESULT_KEYS:
        expr->kind = PN_KIND_LIST;
        expr->field = &args[0]->field->children[0].children[0];
        return PN_OK;
    case PN_RESULT_VALUES:
        expr->kind = PN_KIND_LIST;
        expr->field = &args[0]->field->children[0].children[1];
        expr->is_map_value = true;
        return PN_OK;
    case PN_RESULT_PARSED_TIME:
    case PN_RESULT_NOW:
    case PN_RESULT_REGEXP:
        break;
    }
    pn_assert(false); // rewritten before
    return PN_ERR_BUG;
}

/* The item that array_has() looks for takes the kind of the list's items. */
static pn_status bind_wanted(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    pn_expr item = {.op = PN_EXPR_COLUMN, .offset = expr->args[0]->offset};
    pn_expr *sample = &item;
    set_field(&item, expr->args[0]->field);
    return pn_coerce_pair(binder, expr->args[1]->offset, &sample, &expr->args[1], err);
}

static pn_status bind_call(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    expr->function = pn_function_find(expr->text);
    if (!expr->function) {
        size_t n;
        const char *const *names = pn_function_names(&n);
        const char *nearest = pn_filter_nearest(expr->text, names, n);
        return pn_filter_fail(binder->source, expr->offset, PN_ERR_INVALID, err,
                              "no function is called \"" PN_FILTER_NAME_FORMAT "\"%s%s%s",
                              PN_FILTER_NAME_ARG(expr->text), nearest ? "; did you mean \"" : "",
                              nearest ? nearest : "", nearest ? "\"?" : "");
    }
    PN_TRY(check_count(binder, expr, err));
    for (size_t i = 0; i < expr->n_args; i++)
        PN_TRY(bind_argument(binder, expr, &expr->args[i],
                             signature_letter(expr->function->signature, i), err));
    if (expr->function->result == PN_RESULT_NOW)
        return rewrite_now(expr);
    if (expr->function->result == PN_RESULT_PARSED_TIME)
        return rewrite_to_timestamp(binder, expr, err);
    if (expr->function->result == PN_RESULT_REGEXP)
        return rewrite_regexp(binder, expr, err);
    PN_TRY(set_result(binder, expr, err));
    if (expr->function->signature[0] == 'l')
        PN_TRY(bind_wanted(binder, expr, err));
    return pn_fold(binder, expr, err);
}

/* ---- the walk */

static pn_status bind_node(const pn_binder *binder, pn_expr *expr, pn_error *err)
{
    switch (expr->op) {
    case PN_EXPR_LITERAL:
        expr->kind = expr->literal.kind;
        expr->unit = expr->literal.unit;
        return PN_OK;
    case PN_EXPR_NAME:
        return bind_name(binder, expr, err);
    case PN_EXPR_COLUMN:
        return PN_OK;
    case PN_EXPR_FIELD:
        return bind_field(binder, expr, err);
    case PN_EXPR_INDEX:
        return bind_index(binder, expr, err);
    case PN_EXPR_AND:
    case PN_EXPR_OR:
    case PN_EXPR_NOT:
    case PN_EXPR_IS_TRUE:
    case PN_EXPR_IS_FALSE:
        return bind_connective(binder, expr, err);
    case PN_EXPR_EQ:
    case PN_EXPR_NE:
    case PN_EXPR_LT:
    case PN_EXPR_LE:
    case PN_EXPR_GT:
    case PN_EXPR_GE:
    case PN_EXPR_IS_DISTINCT:
        expr->kind = PN_KIND_BOOL;
        return pn_coerce_pair(binder, expr->offset, &expr->args[0], &expr->args[1], err);
    case PN_EXPR_IN:
        return bind_in(binder, expr, err);
    case PN_EXPR_BETWEEN:
        return bind_between(binder, expr, err);
    case PN_EXPR_LIKE:
    case PN_EXPR_ILIKE:
        return bind_like(binder, expr, err);
    case PN_EXPR_REGEXP:
        return bind_regexp(binder, expr, err);
    case PN_EXPR_IS_NULL:
        expr->kind = PN_KIND_BOOL;
        return PN_OK;
    case PN_EXPR_NEGATE:
    case PN_EXPR_ADD:
    case PN_EXPR_SUBTRACT:
    case PN_EXPR_MULTIPLY:
    case PN_EXPR_DIVIDE:
    case PN_EXPR_REMAINDER:
        return bind_arithmetic(binder, expr, err);
    case PN_EXPR_CONCAT:
        return bind_concat(binder, expr, err);
    case PN_EXPR_CALL:
        return bind_call(binder, expr, err);
    case PN_EXPR_CAST:
        return bind_cast(binder, expr, err);
    }
    return PN_OK;
}

static pn_status bind(const pn_binder *binder, pn_expr **slot, pn_error *err)
{
    pn_expr *expr = *slot;
    bool is_const = expr->op != PN_EXPR_NAME;
    expr->rounded = PN_TYPE_DOUBLE;
    for (size_t i = 0; i < expr->n_args; i++) {
        PN_TRY(bind(binder, &expr->args[i], err));
        is_const &= expr->args[i]->is_const;
    }
    expr->is_const = is_const;
    return bind_node(binder, expr, err);
}

pn_status pn_expr_bind(const pn_filter_source *source, const pn_schema *schema, pn_arena *arena,
                       pn_expr **expr, pn_error *err)
{
    pn_binder binder = {.source = source, .schema = schema, .arena = arena};
    PN_TRY(bind(&binder, expr, err));
    return pn_coerce_condition(&binder, *expr, "a filter", err);
}
