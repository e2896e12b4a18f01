/*
 * parser.c - recursive descent, one function a level
 *
 *     or          and { OR and }                                    one node for the whole chain
 *     and         not { AND not }
 *     not         NOT not | predicate
 *     predicate   sum { = <> < <= > >= sum | [NOT] IN (...) | [NOT] BETWEEN sum AND sum
 *                     | [NOT] LIKE sum [ESCAPE 'c'] | ~ sum | IS [NOT] NULL|TRUE|FALSE|UNKNOWN|DISTINCT FROM sum }
 *     sum         product { + - || product }
 *     product     unary { * / % unary }
 *     unary       - unary | + unary | postfix
 *     postfix     primary { [or] | .name | ::type }
 *     primary     number | 'text' | x'00' | NULL | TRUE | FALSE | timestamp '...' | date '...' | CAST(or AS type)
 *                 | name(or, ...) | name | (or)
 *
 * Two tokens of lookahead tell the typed literal  timestamp '2024-01-01'  from a column called timestamp, and a function
 * from a column. Parentheses leave no trace in the tree; a chain of ANDs is one node however it was bracketed, because
 * evaluation goes left to right either way. A minus in front of a number becomes part of it, so that the least
 * int64 can be written.
 *
 * Limits: the depth of the recursion and the height of the tree (a chain a + b + c grows it without recursion) are at
 * most PN_FILTER_MAX_DEPTH, the nodes at most PN_FILTER_MAX_NODES.
 */
#include "filter/lexer.h"
#include "filter/literal.h"

typedef struct parser {
    const pn_filter_source *source;
    pn_arena *arena;
    size_t offset;        /* behind next */
    pn_token token, next; /* the current one and the one after it */
    unsigned depth;
    size_t n_nodes;
} parser;

/* A growing array of nodes. */
typedef struct expr_list {
    pn_expr **items;
    size_t n, capacity;
} expr_list;

static pn_status parse_or(parser *p, pn_expr **out, pn_error *err);
static pn_status parse_sum(parser *p, pn_expr **out, pn_error *err);

/* ---- tokens */

static pn_status advance(parser *p, pn_error *err)
{
    p->token = p->next;
    return pn_lex(p->source, p->arena, &p->offset, &p->next, err);
}

static bool token_is_word(const pn_token *token, const char *word)
{
    return token->kind == PN_TOKEN_NAME && pn_str_equal_ignore_case(token->text, pn_str_of(word));
}

static bool token_is_operator(const pn_token *token, const char *text)
{
    return token->kind == PN_TOKEN_OPERATOR && pn_str_is(token->text, text);
}

static bool at_word(const parser *p, const char *word)
{
    return token_is_word(&p->token, word);
}

static bool at_operator(const parser *p, const char *text)
{
    return token_is_operator(&p->token, text);
}

static pn_status fail_expected(const parser *p, const char *what, pn_error *err)
{
    const pn_token *t = &p->token;
    if (t->kind == PN_TOKEN_END)
        return pn_filter_fail(p->source, t->offset, PN_ERR_INVALID, err,
                              "the filter ends here, but %s is missing", what);
    return pn_filter_fail(p->source, t->offset, PN_ERR_INVALID, err,
                          "expected %s, found \"" PN_FILTER_NAME_FORMAT "\"", what,
                          PN_FILTER_NAME_ARG(t->text));
}

static pn_status expect_operator(parser *p, const char *text, const char *what, pn_error *err)
{
    if (!at_operator(p, text))
        return fail_expected(p, what, err);
    return advance(p, err);
}

static pn_status expect_word(parser *p, const char *word, pn_error *err)
{
    if (!at_word(p, word))
        return fail_expected(p, word, err);
    return advance(p, err);
}

/* ---- nodes */

static pn_status make_node(parser *p, pn_expr_op op, size_t offset, size_t n_args, pn_expr **out,
                           pn_error *err)
{
    if (++p->n_nodes > PN_FILTER_MAX_NODES)
        return pn_filter_fail(p->source, offset, PN_ERR_LIMIT, err,
                              "more than %d parts in one filter", PN_FILTER_MAX_NODES);
    pn_expr *expr = PN_ARENA_NEW(p->arena, pn_expr, 1);
    pn_expr **args = PN_ARENA_NEW(p->arena, pn_expr *, n_args);
    if (!expr || !args)
        return pn_fail_nomem(err);
    *expr = (pn_expr){.op = op, .offset = offset, .n_args = n_args, .args = args, .height = 1};
    *out = expr;
    return PN_OK;
}

/* Call when the args are in place. */
static pn_status check_height(const parser *p, pn_expr *expr, pn_error *err)
{
    for (size_t i = 0; i < expr->n_args; i++)
        expr->height = PN_MAX(expr->height, expr->args[i]->height + 1);
    if (expr->height > PN_FILTER_MAX_DEPTH)
        return pn_filter_fail(p->source, expr->offset, PN_ERR_LIMIT, err,
                              "nested more than %d levels deep", PN_FILTER_MAX_DEPTH);
    return PN_OK;
}

static pn_status make_unary(parser *p, pn_expr_op op, size_t offset, pn_expr *arg, pn_expr **out,
                            pn_error *err)
{
    PN_TRY(make_node(p, op, offset, 1, out, err));
    (*out)->args[0] = arg;
    return check_height(p, *out, err);
}

static pn_status make_binary(parser *p, pn_expr_op op, size_t offset, pn_expr *a, pn_expr *b,
                             pn_expr **out, pn_error *err)
{
    PN_TRY(make_node(p, op, offset, 2, out, err));
    (*out)->args[0] = a;
    (*out)->args[1] = b;
    return check_height(p, *out, err);
}

static pn_status make_literal(parser *p, size_t offset, pn_value value, pn_expr **out,
                              pn_error *err)
{
    PN_TRY(make_node(p, PN_EXPR_LITERAL, offset, 0, out, err));
    (*out)->literal = value;
    return PN_OK;
}

static pn_status list_add(parser *p, expr_list *list, pn_expr *expr, pn_error *err)
{
    if (list->n == list->capacity) {
        size_t capacity = PN_MAX((size_t)4, list->capacity * 2);
        pn_expr **items = PN_ARENA_NEW(p->arena, pn_expr *, capacity);
        if (!items)
            return pn_fail_nomem(err);
        if (list->n > 0)
            memcpy(items, list->items, list->n * sizeof(pn_expr *));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n++] = expr;
    return PN_OK;
}

/* A node whose arguments are the list. */
static pn_status make_from_list(parser *p, pn_expr_op op, size_t offset, const expr_list *list,
                                pn_expr **out, pn_error *err)
{
    PN_TRY(make_node(p, op, offset, 0, out, err));
    (*out)->args = list->items;
    (*out)->n_args = list->n;
    return check_height(p, *out, err);
}

/* ---- primary */

static pn_status parse_number(parser *p, pn_expr **out, pn_error *err)
{
    pn_token token = p->token;
    pn_value value;
    if (!pn_literal_number(token.text, &value))
        return pn_filter_fail(p->source, token.offset, PN_ERR_INVALID, err,
                              "the number " PN_FILTER_NAME_FORMAT " is too large",
                              PN_FILTER_NAME_ARG(token.text));
    PN_TRY(advance(p, err));
    return make_literal(p, token.offset, value, out, err);
}

static pn_status parse_bytes(parser *p, pn_expr **out, pn_error *err)
{
    pn_token token = p->token;
    pn_value value = {.kind = PN_KIND_BYTES};
    char *bytes = pn_arena_alloc(p->arena, token.text.len / 2 + 1);
    if (!bytes)
        return pn_fail_nomem(err);
    if (!pn_literal_hex(token.text, bytes))
        return pn_filter_fail(p->source, token.offset, PN_ERR_INVALID, err,
                              "x'...' takes an even number of hexadecimal digits");
    value.text = pn_str_make(bytes, token.text.len / 2);
    PN_TRY(advance(p, err));
    return make_literal(p, token.offset, value, out, err);
}

/* timestamp '...' or date '...' */
static pn_status parse_time(parser *p, pn_expr **out, pn_error *err)
{
    size_t offset = p->token.offset;
    bool is_date = at_word(p, "date");
    PN_TRY(advance(p, err));
    pn_str text = p->token.text;
    pn_value value;
    if (is_date ? !pn_literal_date(text, &value) : !pn_literal_time(text, &value))
        return pn_filter_fail(p->source, p->token.offset, PN_ERR_INVALID, err,
                              "'" PN_FILTER_NAME_FORMAT "' is no %s; write '%s'",
                              PN_FILTER_NAME_ARG(text), is_date ? "date" : "time",
                              is_date ? "2024-03-17" : "2024-03-17 09:30:00");
    PN_TRY(advance(p, err));
    return make_literal(p, offset, value, out, err);
}

/* The words of a type name, such as  double precision,  varchar(20)  or  timestamp(3). */
static pn_status parse_type(parser *p, pn_expr *cast, pn_error *err)
{
    if (p->token.kind != PN_TOKEN_NAME)
        return fail_expected(p, "a type", err);
    pn_token name = p->token;
    PN_TRY(advance(p, err));
    if (pn_str_equal_ignore_case(name.text, PN_STR_LITERAL("double")) && at_word(p, "precision"))
        PN_TRY(advance(p, err));
    if (!pn_literal_type(name.text, &cast->cast_type))
        return pn_filter_fail(p->source, name.offset, PN_ERR_INVALID, err,
                              "no type is called \"" PN_FILTER_NAME_FORMAT
                              "\"; there are boolean, int, bigint, float, double, text, date, "
                              "timestamp",
                              PN_FILTER_NAME_ARG(name.text));
    if (cast->cast_type == PN_TYPE_DECIMAL128)
        return pn_filter_fail(p->source, name.offset, PN_ERR_UNSUPPORTED, err,
                              "nothing becomes a decimal; CAST to double instead");
    if (!at_operator(p, "("))
        return PN_OK;
    PN_TRY(advance(p, err));
    if (p->token.kind != PN_TOKEN_NUMBER)
        return fail_expected(p, "a length", err);
    PN_TRY(advance(p, err)); // lengths and precisions change nothing here
    return expect_operator(p, ")", "\")\"", err);
}

/* CAST(x AS type), TRY_CAST(x AS type) */
static pn_status parse_cast(parser *p, pn_expr **out, pn_error *err)
{
    size_t offset = p->token.offset;
    bool may_fail = at_word(p, "cast");
    pn_expr *arg, *cast;
    PN_TRY(advance(p, err));
    PN_TRY(advance(p, err)); // the parenthesis
    PN_TRY(parse_or(p, &arg, err));
    PN_TRY(expect_word(p, "as", err));
    PN_TRY(make_unary(p, PN_EXPR_CAST, offset, arg, &cast, err));
    cast->cast_fault = may_fail ? PN_CAST_FAILS : PN_CAST_GIVES_NULL;
    PN_TRY(parse_type(p, cast, err));
    *out = cast;
    return expect_operator(p, ")", "\")\"", err);
}

/* or, or, ... ) */
static pn_status parse_arguments(parser *p, expr_list *list, pn_error *err)
{
    for (;;) {
        pn_expr *arg;
        PN_TRY(parse_or(p, &arg, err));
        PN_TRY(list_add(p, list, arg, err));
        if (!at_operator(p, ","))
            return expect_operator(p, ")", "\",\" or \")\"", err);
        PN_TRY(advance(p, err));
    }
}

static pn_status parse_call(parser *p, pn_expr **out, pn_error *err)
{
    pn_token name = p->token;
    expr_list list = {0};
    PN_TRY(advance(p, err));
    PN_TRY(advance(p, err)); // the parenthesis
    if (at_operator(p, ")"))
        PN_TRY(advance(p, err));
    else
        PN_TRY(parse_arguments(p, &list, err));
    PN_TRY(make_from_list(p, PN_EXPR_CALL, name.offset, &list, out, err));
    (*out)->text = name.text;
    return PN_OK;
}

static pn_status parse_keyword_literal(parser *p, pn_expr **out, pn_error *err)
{
    pn_value value = {.kind = PN_KIND_NULL};
    if (!at_word(p, "null"))
        value = (pn_value){.kind = PN_KIND_BOOL, .b = at_word(p, "true")};
    size_t offset = p->token.offset;
    PN_TRY(advance(p, err));
    return make_literal(p, offset, value, out, err);
}

static pn_status parse_name(parser *p, pn_expr **out, pn_error *err)
{
    bool is_bare = p->token.kind == PN_TOKEN_NAME;
    if (is_bare && (at_word(p, "null") || at_word(p, "true") || at_word(p, "false")))
        return parse_keyword_literal(p, out, err);
    if (is_bare && pn_lex_is_reserved(p->token.text))
        return fail_expected(p, "a column, a value or \"(\"", err);
    if (is_bare && p->next.kind == PN_TOKEN_TEXT && (at_word(p, "timestamp") || at_word(p, "date")))
        return parse_time(p, out, err);
    if (is_bare && token_is_operator(&p->next, "("))
        return at_word(p, "cast") || at_word(p, "try_cast") ? parse_cast(p, out, err)
                                                            : parse_call(p, out, err);
    pn_token name = p->token;
    PN_TRY(advance(p, err));
    PN_TRY(make_node(p, PN_EXPR_NAME, name.offset, 0, out, err));
    (*out)->text = name.text;
    return PN_OK;
}

static pn_status parse_primary(parser *p, pn_expr **out, pn_error *err)
{
    pn_token token = p->token;
    switch (token.kind) {
    case PN_TOKEN_NUMBER:
        return parse_number(p, out, err);
    case PN_TOKEN_TEXT:
        PN_TRY(advance(p, err));
        return make_literal(p, token.offset, (pn_value){.kind = PN_KIND_TEXT, .text = token.text},
                            out, err);
    case PN_TOKEN_BYTES:
        return parse_bytes(p, out, err);
    case PN_TOKEN_NAME:
    case PN_TOKEN_QUOTED_NAME:
        return parse_name(p, out, err);
    case PN_TOKEN_OPERATOR:
        if (!at_operator(p, "("))
            break;
        PN_TRY(advance(p, err));
        PN_TRY(parse_or(p, out, err));
        return expect_operator(p, ")", "\")\"", err);
    case PN_TOKEN_END:
        break;
    }
    return fail_expected(p, "a column, a value or \"(\"", err);
}

/* ---- postfix and arithmetic */

/* Errors about a field point at its name, not at the dot. */
static pn_status parse_field(parser *p, pn_expr *base, pn_expr **out, pn_error *err)
{
    if (p->token.kind != PN_TOKEN_NAME && p->token.kind != PN_TOKEN_QUOTED_NAME)
        return fail_expected(p, "the name of a field", err);
    PN_TRY(make_unary(p, PN_EXPR_FIELD, p->token.offset, base, out, err));
    (*out)->text = p->token.text;
    return advance(p, err);
}

static pn_status parse_postfix(parser *p, pn_expr **out, pn_error *err)
{
    pn_expr *expr;
    PN_TRY(parse_primary(p, &expr, err));
    for (;;) {
        size_t offset = p->token.offset;
        if (at_operator(p, "[")) {
            pn_expr *place;
            PN_TRY(advance(p, err));
            PN_TRY(parse_or(p, &place, err));
            PN_TRY(make_binary(p, PN_EXPR_INDEX, offset, expr, place, &expr, err));
            PN_TRY(expect_operator(p, "]", "\"]\"", err));
        } else if (at_operator(p, ".")) {
            PN_TRY(advance(p, err));
            PN_TRY(parse_field(p, expr, &expr, err));
        } else if (at_operator(p, "::")) {
            PN_TRY(advance(p, err));
            PN_TRY(make_unary(p, PN_EXPR_CAST, offset, expr, &expr, err));
            PN_TRY(parse_type(p, expr, err));
        } else {
            *out = expr;
            return PN_OK;
        }
    }
}

static pn_status parse_unary(parser *p, pn_expr **out, pn_error *err)
{
    size_t offset = p->token.offset;
    unsigned n_signs = 0, n_minus = 0;
    while (at_operator(p, "-") || at_operator(p, "+")) {
        if (++n_signs > PN_FILTER_MAX_DEPTH)
            return pn_filter_fail(p->source, offset, PN_ERR_LIMIT, err,
                                  "nested more than %d levels deep", PN_FILTER_MAX_DEPTH);
        n_minus += at_operator(p, "-");
        PN_TRY(advance(p, err));
    }
    pn_expr *expr;
    PN_TRY(parse_postfix(p, &expr, err));
    for (; n_minus > 0; n_minus--) {
        if (expr->op == PN_EXPR_LITERAL && pn_literal_negate(&expr->literal))
            expr->offset = offset;
        else
            PN_TRY(make_unary(p, PN_EXPR_NEGATE, offset, expr, &expr, err));
    }
    *out = expr;
    return PN_OK;
}

static pn_status parse_product(parser *p, pn_expr **out, pn_error *err)
{
    pn_expr *left, *right;
    PN_TRY(parse_unary(p, &left, err));
    for (;;) {
        pn_expr_op op = at_operator(p, "*")   ? PN_EXPR_MULTIPLY
                        : at_operator(p, "/") ? PN_EXPR_DIVIDE
                        : at_operator(p, "%") ? PN_EXPR_REMAINDER
                                              : PN_EXPR_LITERAL;
        if (op == PN_EXPR_LITERAL) {
            *out = left;
            return PN_OK;
        }
        size_t offset = p->token.offset;
        PN_TRY(advance(p, err));
        PN_TRY(parse_unary(p, &right, err));
        PN_TRY(make_binary(p, op, offset, left, right, &left, err));
    }
}

static pn_status parse_sum(parser *p, pn_expr **out, pn_error *err)
{
    pn_expr *left, *right;
    PN_TRY(parse_product(p, &left, err));
    for (;;) {
        pn_expr_op op = at_operator(p, "+")    ? PN_EXPR_ADD
                        : at_operator(p, "-")  ? PN_EXPR_SUBTRACT
                        : at_operator(p, "||") ? PN_EXPR_CONCAT
                                               : PN_EXPR_LITERAL;
        if (op == PN_EXPR_LITERAL) {
            *out = left;
            return PN_OK;
        }
        size_t offset = p->token.offset;
        PN_TRY(advance(p, err));
        PN_TRY(parse_product(p, &right, err));
        PN_TRY(make_binary(p, op, offset, left, right, &left, err));
    }
}

/* ---- predicates */

static const struct {
    const char *text;
    pn_expr_op op;
} comparisons[] = {
    {"=", PN_EXPR_EQ},  {"==", PN_EXPR_EQ}, {"<>", PN_EXPR_NE}, {"!=", PN_EXPR_NE},
    {"<=", PN_EXPR_LE}, {">=", PN_EXPR_GE}, {"<", PN_EXPR_LT},  {">", PN_EXPR_GT},
};

static bool at_comparison(const parser *p, pn_expr_op *op)
{
    for (size_t i = 0; i < PN_COUNT_OF(comparisons); i++)
        if (at_operator(p, comparisons[i].text)) {
            *op = comparisons[i].op;
            return true;
        }
    return false;
}

/* x IN (a, b, ...); the token is IN. */
static pn_status parse_in(parser *p, pn_expr *left, pn_expr **out, pn_error *err)
{
    size_t offset = p->token.offset;
    expr_list list = {0};
    PN_TRY(advance(p, err));
    PN_TRY(expect_operator(p, "(", "\"(\" after IN", err));
    PN_TRY(list_add(p, &list, left, err));
    PN_TRY(parse_arguments(p, &list, err));
    return make_from_list(p, PN_EXPR_IN, offset, &list, out, err);
}

static pn_status parse_between(parser *p, pn_expr *left, pn_expr **out, pn_error *err)
{
    size_t offset = p->token.offset;
    pn_expr *low, *high;
    PN_TRY(advance(p, err));
    PN_TRY(parse_sum(p, &low, err));
    PN_TRY(expect_word(p, "and", err));
    PN_TRY(parse_sum(p, &high, err));
    PN_TRY(make_node(p, PN_EXPR_BETWEEN, offset, 3, out, err));
    (*out)->args[0] = left;
    (*out)->args[1] = low;
    (*out)->args[2] = high;
    return check_height(p, *out, err);
}

static pn_status parse_like(parser *p, pn_expr *left, pn_expr **out, pn_error *err)
{
    size_t offset = p->token.offset;
    pn_expr_op op = at_word(p, "like") ? PN_EXPR_LIKE : PN_EXPR_ILIKE;
    pn_expr *pattern;
    PN_TRY(advance(p, err));
    PN_TRY(parse_sum(p, &pattern, err));
    PN_TRY(make_binary(p, op, offset, left, pattern, out, err));
    if (!at_word(p, "escape"))
        return PN_OK;
    PN_TRY(advance(p, err));
    if (p->token.kind != PN_TOKEN_TEXT || !pn_literal_is_one_character(p->token.text))
        return fail_expected(p, "one character in quotes after ESCAPE", err);
    (*out)->text = p->token.text;
    return advance(p, err);
}

/* x ~ 'pattern', ~*, !~, !~*; the token is the operator. */
static pn_status parse_tilde(parser *p, pn_expr *left, pn_expr **out, pn_error *err)
{
    pn_token token = p->token;
    bool ignores_case = pn_str_ends_with(token.text, "*");
    pn_expr *pattern;
    PN_TRY(advance(p, err));
    PN_TRY(parse_sum(p, &pattern, err));
    PN_TRY(make_binary(p, PN_EXPR_REGEXP, token.offset, left, pattern, out, err));
    (*out)->text = ignores_case ? PN_STR_LITERAL("i") : PN_STR_LITERAL("");
    if (pn_str_starts_with(token.text, "!"))
        return make_unary(p, PN_EXPR_NOT, token.offset, *out, out, err);
    return PN_OK;
}

/* x IS [NOT] ...; the token is IS. */
static pn_status parse_is(parser *p, pn_expr *left, pn_expr **out, pn_error *err)
{
    size_t offset = p->token.offset;
    PN_TRY(advance(p, err));
    bool negated = at_word(p, "not");
    if (negated)
        PN_TRY(advance(p, err));
    pn_expr *right;
    if (at_word(p, "distinct")) {
        PN_TRY(advance(p, err));
        PN_TRY(expect_word(p, "from", err));
        PN_TRY(parse_sum(p, &right, err));
        PN_TRY(make_binary(p, PN_EXPR_IS_DISTINCT, offset, left, right, out, err));
    } else {
        pn_expr_op op = at_word(p, "true")    ? PN_EXPR_IS_TRUE
                        : at_word(p, "false") ? PN_EXPR_IS_FALSE
                                              : PN_EXPR_IS_NULL;
        if (op == PN_EXPR_IS_NULL && !at_word(p, "null") && !at_word(p, "unknown"))
            return fail_expected(p, "NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM after IS", err);
        PN_TRY(advance(p, err));
        PN_TRY(make_unary(p, op, offset, left, out, err));
    }
    return negated ? make_unary(p, PN_EXPR_NOT, offset, *out, out, err) : PN_OK;
}

static bool at_tilde(const parser *p)
{
    return at_operator(p, "~") || at_operator(p, "~*") || at_operator(p, "!~") ||
           at_operator(p, "!~*");
}

/* One predicate behind left, or *found false. */
static pn_status parse_suffix(parser *p, pn_expr **left, bool *found, pn_error *err)
{
    pn_expr_op op;
    pn_expr *right;
    size_t offset = p->token.offset;
    *found = true;
    if (at_comparison(p, &op)) {
        PN_TRY(advance(p, err));
        PN_TRY(parse_sum(p, &right, err));
        return make_binary(p, op, offset, *left, right, left, err);
    }
    if (at_word(p, "is"))
        return parse_is(p, *left, left, err);
    if (at_tilde(p))
        return parse_tilde(p, *left, left, err);
    bool negated = at_word(p, "not");
    if (negated)
        PN_TRY(advance(p, err));
    if (at_word(p, "in"))
        PN_TRY(parse_in(p, *left, left, err));
    else if (at_word(p, "between"))
        PN_TRY(parse_between(p, *left, left, err));
    else if (at_word(p, "like") || at_word(p, "ilike"))
        PN_TRY(parse_like(p, *left, left, err));
    else if (negated)
        return fail_expected(p, "IN, LIKE, ILIKE or BETWEEN after NOT", err);
    else
        *found = false;
    return negated ? make_unary(p, PN_EXPR_NOT, offset, *left, left, err) : PN_OK;
}

static pn_status parse_predicate(parser *p, pn_expr **out, pn_error *err)
{
    bool found = true;
    PN_TRY(parse_sum(p, out, err));
    while (found)
        PN_TRY(parse_suffix(p, out, &found, err));
    return PN_OK;
}

static pn_status parse_not(parser *p, pn_expr **out, pn_error *err)
{
    size_t offset = p->token.offset;
    unsigned n_nots = 0;
    while (at_word(p, "not")) {
        if (++n_nots > PN_FILTER_MAX_DEPTH)
            return pn_filter_fail(p->source, offset, PN_ERR_LIMIT, err,
                                  "nested more than %d levels deep", PN_FILTER_MAX_DEPTH);
        PN_TRY(advance(p, err));
    }
    PN_TRY(parse_predicate(p, out, err));
    for (; n_nots > 0; n_nots--)
        PN_TRY(make_unary(p, PN_EXPR_NOT, offset, *out, out, err));
    return PN_OK;
}

/* Add expr to the chain; a chain of the same kind in parentheses is dissolved into it. */
static pn_status chain_add(parser *p, expr_list *list, pn_expr_op op, pn_expr *expr, pn_error *err)
{
    if (expr->op != op)
        return list_add(p, list, expr, err);
    for (size_t i = 0; i < expr->n_args; i++)
        PN_TRY(list_add(p, list, expr->args[i], err));
    return PN_OK;
}

static pn_status parse_chain(parser *p, const char *word, pn_expr_op op,
                             pn_status (*parse_item)(parser *, pn_expr **, pn_error *),
                             pn_expr **out, pn_error *err)
{
    pn_expr *first;
    PN_TRY(parse_item(p, &first, err));
    if (!at_word(p, word)) {
        *out = first;
        return PN_OK;
    }
    expr_list list = {0};
    size_t offset = p->token.offset;
    PN_TRY(chain_add(p, &list, op, first, err));
    while (at_word(p, word)) {
        pn_expr *item;
        PN_TRY(advance(p, err));
        PN_TRY(parse_item(p, &item, err));
        PN_TRY(chain_add(p, &list, op, item, err));
    }
    return make_from_list(p, op, offset, &list, out, err);
}

static pn_status parse_and(parser *p, pn_expr **out, pn_error *err)
{
    return parse_chain(p, "and", PN_EXPR_AND, parse_not, out, err);
}

static pn_status parse_or(parser *p, pn_expr **out, pn_error *err)
{
    if (++p->depth > PN_FILTER_MAX_DEPTH)
        return pn_filter_fail(p->source, p->token.offset, PN_ERR_LIMIT, err,
                              "nested more than %d levels deep", PN_FILTER_MAX_DEPTH);
    PN_TRY(parse_chain(p, "or", PN_EXPR_OR, parse_and, out, err));
    p->depth--;
    return PN_OK;
}

pn_status pn_expr_parse(const pn_filter_source *source, pn_arena *arena, pn_expr **out,
                        pn_error *err)
{
    parser p = {.source = source, .arena = arena};
    PN_TRY(pn_lex_check(source, err));
    if (pn_str_trim(source->text).len == 0)
        return pn_fail(err, PN_ERR_INVALID, "the filter is empty");
    PN_TRY(advance(&p, err)); // fills next
    PN_TRY(advance(&p, err));
    pn_expr *expr;
    PN_TRY(parse_or(&p, &expr, err));
    if (p.token.kind != PN_TOKEN_END)
        return fail_expected(&p, "AND, OR or the end of the filter", err);
    *out = expr;
    return PN_OK;
}
