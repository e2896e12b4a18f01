/*
 * test_filter_random.c - random trees against an evaluator that a child could check
 *
 * A tree is made at random, written as text, and evaluated twice: by the filter, a column at a time, and here, a row at a
 * time, over plain structs. The evaluator below shares no code with the filter: numbers are long double (which holds every int64
 * and every double exactly), LIKE is the recursive definition, and three-valued logic is three enumerators. Then the
 * tree's canonical text is compiled, printed and evaluated once more. Rows come from small domains, so that equality, NULL
 * and ties with the literals happen all the time.
 */
#include "support/json_rows.h"

#include "base/rng.h"
#include "filter/filter.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { N_TREES = 6000, N_ROWS = 70, TEXT_BYTES = 24, MAX_ARGS = 4 };

/* ---- values and trees */

typedef enum kind { K_NULL, K_BOOL, K_INT, K_REAL, K_TEXT } kind;

typedef struct value {
    kind kind;
    long double number; /* BOOL, INT, REAL */
    char text[TEXT_BYTES * 4];
} value;

typedef enum op {
    O_LITERAL,
    O_COLUMN,
    O_AND,
    O_OR,
    O_NOT,
    O_COMPARE,
    O_IN,
    O_BETWEEN,
    O_LIKE,
    O_IS_NULL,
    O_IS_TRUE,
    O_IS_FALSE,
    O_DISTINCT,
    O_ADD,
    O_SUBTRACT,
    O_MULTIPLY,
    O_NEGATE,
    O_LOWER,
    O_LENGTH,
    O_CONCAT,
    O_COALESCE,
    O_NULLIF,
    O_ABS,
    O_CAST_TEXT
} op;

typedef struct tree tree;
struct tree {
    op op;
    int which; /* column, comparison, negation */
    value literal;
    size_t n;
    tree *args[MAX_ARGS];
};

/* The columns that trees use: name, kind. */
static const struct {
    const char *name;
    kind kind;
} columns[] = {
    {"id", K_INT},         {"stock", K_INT},          {"small", K_INT},
    {"price", K_REAL},     {"title", K_TEXT},         {"\"two words\"", K_TEXT},
    {"available", K_BOOL}, {"metadata['a']", K_TEXT}, {"size.width", K_INT},
    {"size.unit", K_TEXT},
};
static const char *const comparisons[] = {"=", "<>", "<", "<=", ">", ">="};
static const char *const texts[] = {"", "a", "A", "b", "ab", "a_b", "%", "aab", "ba", "it's"};

typedef struct maker {
    pn_rng rng;
    pn_arena arena;
} maker;

static size_t below(maker *m, size_t n)
{
    return (size_t)pn_rng_below(&m->rng, n);
}

static tree *new_tree(maker *m, op o, int which)
{
    tree *t = PN_ARENA_NEW(&m->arena, tree, 1);
    assert_non_null(t);
    t->op = o;
    t->which = which;
    return t;
}

static tree *node(maker *m, op o, int which, tree *a, tree *b, tree *c)
{
    tree *t = new_tree(m, o, which);
    t->args[0] = a;
    t->args[1] = b;
    t->args[2] = c;
    t->n = c ? 3 : b ? 2 : a ? 1 : 0;
    return t;
}

static tree *literal(maker *m, kind k)
{
    tree *t = new_tree(m, O_LITERAL, 0);
    if (below(m, 8) == 0)
        return t; // NULL
    t->literal.kind = k;
    if (k == K_TEXT)
        strcpy(t->literal.text, texts[below(m, PN_COUNT_OF(texts))]);
    else if (k == K_BOOL)
        t->literal.number = (long double)below(m, 2);
    else
        t->literal.number = (long double)below(m, 7) - 3 + (k == K_REAL ? 0.5L : 0);
    return t;
}

static tree *column(maker *m, kind k)
{
    for (;;) {
        size_t c = below(m, PN_COUNT_OF(columns));
        if (columns[c].kind == k)
            return new_tree(m, O_COLUMN, (int)c);
    }
}

static tree *make_number(maker *m, unsigned depth);

static tree *make_text(maker *m, unsigned depth)
{
    switch (depth == 0 ? below(m, 3) : below(m, 8)) {
    case 0:
        return literal(m, K_TEXT);
    case 3:
        return node(m, O_LOWER, 0, make_text(m, depth - 1), NULL, NULL);
    case 4:
        return node(m, O_CONCAT, 0, column(m, K_TEXT), literal(m, K_TEXT), NULL);
    case 5:
        return node(m, O_COALESCE, 0, column(m, K_TEXT), make_text(m, depth - 1), NULL);
    case 6:
        return node(m, O_NULLIF, 0, column(m, K_TEXT), make_text(m, depth - 1), NULL);
    case 7:
        return node(m, O_CAST_TEXT, 0, column(m, K_INT), NULL, NULL);
    default:
        return column(m, K_TEXT);
    }
}

static tree *make_number(maker *m, unsigned depth)
{
    switch (depth == 0 ? below(m, 4) : below(m, 11)) {
    case 0:
        return literal(m, below(m, 2) ? K_INT : K_REAL);
    case 1:
        return column(m, K_REAL);
    case 4:
        return node(m, O_ADD, 0, make_number(m, depth - 1), make_number(m, depth - 1), NULL);
    case 5:
        return node(m, O_SUBTRACT, 0, make_number(m, depth - 1), make_number(m, depth - 1), NULL);
    case 6:
        return node(m, O_MULTIPLY, 0, make_number(m, depth - 1), make_number(m, depth - 1), NULL);
    case 7:
        return node(m, O_NEGATE, 0, make_number(m, depth - 1), NULL, NULL);
    case 8:
        return node(m, O_LENGTH, 0, make_text(m, depth - 1), NULL, NULL);
    case 9:
        return node(m, O_ABS, 0, make_number(m, depth - 1), NULL, NULL);
    case 10:
        return node(m, O_COALESCE, 0, make_number(m, depth - 1), make_number(m, depth - 1), NULL);
    default:
        return column(m, K_INT);
    }
}

/* A map value beside a number would be read as one: texts that are compared stay texts here. */
static tree *make_side(maker *m, bool is_text, unsigned depth)
{
    return is_text ? make_text(m, depth) : make_number(m, depth);
}

static tree *make_in(maker *m, unsigned depth)
{
    bool is_text = below(m, 2);
    tree *t = new_tree(m, O_IN, (int)below(m, 2));
    t->args[0] = make_side(m, is_text, depth);
    for (t->n = 1; t->n < 1 + 1 + below(m, MAX_ARGS - 1); t->n++)
        t->args[t->n] =
            below(m, 5) ? literal(m, is_text ? K_TEXT : K_INT) : make_side(m, is_text, 0);
    return t;
}

static tree *make_condition(maker *m, unsigned depth)
{
    bool is_text = below(m, 2), negated = below(m, 2);
    unsigned less = depth > 0 ? depth - 1 : 0;
    switch (depth == 0 ? below(m, 4) : below(m, 14)) {
    case 0:
        return below(m, 3) ? column(m, K_BOOL) : literal(m, K_BOOL);
    case 1:
        return node(m, O_IS_NULL, negated, make_side(m, is_text, less), NULL, NULL);
    case 2:
        return make_in(m, less);
    case 4:
    case 5:
        return node(m, O_AND, 0, make_condition(m, less), make_condition(m, less),
                    negated ? make_condition(m, less) : NULL);
    case 6:
    case 7:
        return node(m, O_OR, 0, make_condition(m, less), make_condition(m, less),
                    negated ? make_condition(m, less) : NULL);
    case 8:
        return node(m, O_NOT, 0, make_condition(m, less), NULL, NULL);
    case 9:
        return node(m, O_BETWEEN, negated, make_side(m, is_text, less), make_side(m, is_text, less),
                    make_side(m, is_text, less));
    case 10: {
        tree *pattern = literal(m, K_TEXT);
        return node(m, O_LIKE, negated, make_text(m, less), pattern, NULL);
    }
    case 11:
        return node(m, below(m, 2) ? O_IS_TRUE : O_IS_FALSE, negated, make_condition(m, less), NULL,
                    NULL);
    case 12:
        return node(m, O_DISTINCT, negated, make_side(m, is_text, less),
                    make_side(m, is_text, less), NULL);
    default:
        return node(m, O_COMPARE, (int)below(m, PN_COUNT_OF(comparisons)),
                    make_side(m, is_text, less), make_side(m, is_text, less), NULL);
    }
}

/* ---- as text */

static void write_tree(maker *m, const tree *t, char *out, size_t size);

static void put(char *out, size_t size, const char *text)
{
    assert_true(strlen(out) + strlen(text) + 1 < size);
    strcat(out, text);
}

static void write_literal(const value *v, char *out, size_t size)
{
    char text[TEXT_BYTES * 8] = "";
    if (v->kind == K_NULL) {
        put(out, size, "NULL");
    } else if (v->kind == K_BOOL) {
        put(out, size, v->number != 0 ? "TRUE" : "false");
    } else if (v->kind == K_TEXT) {
        size_t n = 0;
        for (const char *c = v->text; *c; c++) {
            text[n++] = *c;
            if (*c == '\'')
                text[n++] = '\'';
        }
        put(out, size, "'");
        put(out, size, text);
        put(out, size, "'");
    } else {
        (void)snprintf(text, sizeof text, v->kind == K_INT ? "%.0Lf" : "%.1Lf", v->number);
        put(out, size, text);
    }
}

static void write_infix(maker *m, const tree *t, const char *between, char *out, size_t size)
{
    for (size_t i = 0; i < t->n; i++) {
        if (i > 0)
            put(out, size, between);
        write_tree(m, t->args[i], out, size);
    }
}

static void write_call(maker *m, const tree *t, const char *name, char *out, size_t size)
{
    put(out, size, name);
    write_infix(m, t, ",", out, size);
    put(out, size, ")");
}

static void write_predicate(maker *m, const tree *t, const char *words, const char *negated_words,
                            char *out, size_t size)
{
    write_tree(m, t->args[0], out, size);
    put(out, size, t->which ? negated_words : words);
    for (size_t i = 1; i < t->n; i++) {
        if (i > 1)
            put(out, size, t->op == O_BETWEEN ? " AND " : ", ");
        write_tree(m, t->args[i], out, size);
    }
    if (t->op == O_IN)
        put(out, size, ")");
}

/* Everything in parentheses: what they may be left out of is the printer's part of the test. */
static void write_tree(maker *m, const tree *t, char *out, size_t size)
{
    char text[16];
    if (t->op == O_LITERAL) {
        write_literal(&t->literal, out, size);
        return;
    }
    if (t->op == O_COLUMN) {
        put(out, size, columns[t->which].name);
        return;
    }
    put(out, size, "(");
    switch (t->op) {
    case O_AND:
        write_infix(m, t, " AND ", out, size);
        break;
    case O_OR:
        write_infix(m, t, " or ", out, size);
        break;
    case O_NOT:
        write_call(m, t, "NOT (", out, size);
        break;
    case O_COMPARE:
        (void)snprintf(text, sizeof text, " %s ", comparisons[t->which]);
        write_infix(m, t, text, out, size);
        break;
    case O_IN:
        write_predicate(m, t, " IN (", " NOT IN (", out, size);
        break;
    case O_BETWEEN:
        write_predicate(m, t, " BETWEEN ", " not between ", out, size);
        break;
    case O_LIKE:
        write_predicate(m, t, " LIKE ", " NOT LIKE ", out, size);
        break;
    case O_IS_NULL:
        write_predicate(m, t, " IS NULL", " IS NOT NULL", out, size);
        break;
    case O_IS_TRUE:
        write_predicate(m, t, " IS TRUE", " IS NOT TRUE", out, size);
        break;
    case O_IS_FALSE:
        write_predicate(m, t, " IS FALSE", " IS NOT FALSE", out, size);
        break;
    case O_DISTINCT:
        write_predicate(m, t, " IS DISTINCT FROM ", " IS NOT DISTINCT FROM ", out, size);
        break;
    case O_ADD:
        write_infix(m, t, " + ", out, size);
        break;
    case O_SUBTRACT:
        write_infix(m, t, " - ", out, size);
        break;
    case O_MULTIPLY:
        write_infix(m, t, "*", out, size);
        break;
    case O_NEGATE:
        write_call(m, t, "- (", out, size);
        break;
    case O_LOWER:
        write_call(m, t, "LOWER(", out, size);
        break;
    case O_LENGTH:
        write_call(m, t, "length(", out, size);
        break;
    case O_CONCAT:
        write_infix(m, t, " || ", out, size);
        break;
    case O_COALESCE:
        write_call(m, t, "coalesce(", out, size);
        break;
    case O_NULLIF:
        write_call(m, t, "nullif(", out, size);
        break;
    case O_ABS:
        write_call(m, t, "abs(", out, size);
        break;
    case O_CAST_TEXT:
        write_call(m, t, "CAST(", out, size);
        break;
    default:
        fail();
    }
    put(out, size, ")");
    if (t->op == O_CAST_TEXT) { // "(CAST(x))" -> "(CAST(x AS text))"
        out[strlen(out) - 2] = '\0';
        put(out, size, " AS text))");
    }
}

/* ---- the evaluator */

typedef struct row {
    value of[PN_COUNT_OF(columns)];
} row;

static int compare(const value *a, const value *b)
{
    if (a->kind == K_TEXT) {
        int order = strcmp(a->text, b->text);
        return (order > 0) - (order < 0);
    }
    return (a->number > b->number) - (a->number < b->number);
}

static bool like(const char *text, const char *pattern)
{
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '%')
        return like(text, pattern + 1) || (*text && like(text + 1, pattern));
    return *text && (*pattern == '_' || *pattern == *text) && like(text + 1, pattern + 1);
}

static value truth(bool yes)
{
    return (value){.kind = K_BOOL, .number = yes};
}

static value eval(const tree *t, const row *r);

static bool holds(int which, int order)
{
    const bool answers[] = {order == 0, order != 0, order<0, order <= 0, order> 0, order >= 0};
    return answers[which];
}

static value eval_compare(const value *a, const value *b, int which)
{
    if (a->kind == K_NULL || b->kind == K_NULL)
        return (value){.kind = K_NULL};
    return truth(holds(which, compare(a, b)));
}

static value negate_if(value v, bool negated)
{
    if (negated && v.kind == K_BOOL)
        v.number = v.number == 0;
    return v;
}

/* FALSE for AND, TRUE for OR decides; NULL otherwise wins. */
static value eval_logic(const tree *t, const row *r)
{
    bool deciding = t->op == O_OR, has_null = false;
    for (size_t i = 0; i < t->n; i++) {
        value v = eval(t->args[i], r);
        has_null |= v.kind == K_NULL;
        if (v.kind == K_BOOL && (v.number != 0) == deciding)
            return truth(deciding);
    }
    return has_null ? (value){.kind = K_NULL} : truth(!deciding);
}

static value eval_in(const tree *t, const row *r)
{
    value x = eval(t->args[0], r);
    bool has_null = false;
    if (x.kind == K_NULL)
        return x;
    for (size_t i = 1; i < t->n; i++) {
        value item = eval(t->args[i], r);
        has_null |= item.kind == K_NULL;
        if (item.kind != K_NULL && compare(&x, &item) == 0)
            return truth(!t->which);
    }
    return has_null ? (value){.kind = K_NULL} : truth(t->which);
}

static value eval_between(const tree *t, const row *r)
{
    value x = eval(t->args[0], r), low = eval(t->args[1], r), high = eval(t->args[2], r);
    value above = eval_compare(&x, &low, 5), under = eval_compare(&x, &high, 3);
    bool is_false =
        (above.kind == K_BOOL && above.number == 0) || (under.kind == K_BOOL && under.number == 0);
    if (is_false)
        return truth(t->which);
    if (above.kind == K_NULL || under.kind == K_NULL)
        return (value){.kind = K_NULL};
    return truth(!t->which);
}

static value eval_distinct(const tree *t, const row *r)
{
    value a = eval(t->args[0], r), b = eval(t->args[1], r);
    bool distinct = a.kind == K_NULL || b.kind == K_NULL ? (a.kind == K_NULL) != (b.kind == K_NULL)
                                                         : compare(&a, &b) != 0;
    return truth(distinct != (t->which != 0));
}

static value eval_arithmetic(const tree *t, const row *r)
{
    value a = eval(t->args[0], r), b = eval(t->args[1], r);
    if (a.kind == K_NULL || b.kind == K_NULL)
        return (value){.kind = K_NULL};
    bool is_real = a.kind == K_REAL || b.kind == K_REAL;
    long double n = t->op == O_ADD        ? a.number + b.number
                    : t->op == O_SUBTRACT ? a.number - b.number
                                          : a.number * b.number;
    return (value){.kind = is_real ? K_REAL : K_INT, .number = n}; // small halves: exact in double
}

static value eval_function(const tree *t, const row *r)
{
    value a = eval(t->args[0], r), b = {.kind = K_NULL};
    if (t->n > 1)
        b = eval(t->args[1], r);
    if (t->op == O_COALESCE)
        return a.kind == K_NULL ? b : a;
    if (a.kind == K_NULL || (t->op == O_CONCAT && b.kind == K_NULL))
        return (value){.kind = K_NULL};
    if (t->op == O_NULLIF)
        return b.kind != K_NULL && compare(&a, &b) == 0 ? (value){.kind = K_NULL} : a;
    if (t->op == O_CONCAT)
        strcat(a.text, b.text);
    if (t->op == O_LENGTH)
        return (value){.kind = K_INT, .number = (long double)strlen(a.text)};
    if (t->op == O_NEGATE || (t->op == O_ABS && a.number < 0))
        a.number = -a.number;
    for (char *c = a.text; t->op == O_LOWER && *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    if (t->op == O_CAST_TEXT) {
        a.kind = K_TEXT;
        (void)snprintf(a.text, sizeof a.text, "%.0Lf", a.number);
    }
    return a;
}

static value eval(const tree *t, const row *r)
{
    value v, pattern;
    switch (t->op) {
    case O_LITERAL:
        return t->literal;
    case O_COLUMN:
        return r->of[t->which];
    case O_AND:
    case O_OR:
        return eval_logic(t, r);
    case O_NOT:
        return negate_if(eval(t->args[0], r), true);
    case O_COMPARE:
        v = eval(t->args[0], r);
        pattern = eval(t->args[1], r);
        return eval_compare(&v, &pattern, t->which);
    case O_IN:
        return eval_in(t, r);
    case O_BETWEEN:
        return eval_between(t, r);
    case O_LIKE:
        v = eval(t->args[0], r);
        pattern = eval(t->args[1], r);
        if (v.kind == K_NULL || pattern.kind == K_NULL)
            return (value){.kind = K_NULL};
        return truth(like(v.text, pattern.text) != (t->which != 0));
    case O_IS_NULL:
        return truth((eval(t->args[0], r).kind == K_NULL) != (t->which != 0));
    case O_IS_TRUE:
    case O_IS_FALSE:
        v = eval(t->args[0], r);
        return truth((v.kind == K_BOOL && (v.number != 0) == (t->op == O_IS_TRUE)) !=
                     (t->which != 0));
    case O_DISTINCT:
        return eval_distinct(t, r);
    case O_ADD:
    case O_SUBTRACT:
    case O_MULTIPLY:
        return eval_arithmetic(t, r);
    default:
        return eval_function(t, r);
    }
}

/* ---- rows, as structs and as JSON */

static void make_rows(maker *m, row *rows, char *json, size_t size)
{
    static const char *const keys[] = {"\"id\": ",
                                       "\"stock\": ",
                                       "\"small\": ",
                                       "\"price\": ",
                                       "\"title\": ",
                                       "\"two words\": ",
                                       "\"available\": ",
                                       "\"metadata\": {\"b\": \"x\", \"a\": ",
                                       "\"size\": {\"width\": ",
                                       "\"unit\": "};
    put(json, size, "[");
    for (size_t i = 0; i < N_ROWS; i++) {
        put(json, size, i > 0 ? ",\n{" : "{");
        for (size_t c = 0; c < PN_COUNT_OF(columns); c++) {
            char text[TEXT_BYTES * 4 + 8] = "null";
            tree *t = literal(m, columns[c].kind);
            rows[i].of[c] = t->literal;
            if (t->literal.kind == K_TEXT)
                (void)snprintf(text, sizeof text, "\"%s\"", t->literal.text);
            else if (t->literal.kind == K_BOOL)
                (void)snprintf(text, sizeof text, t->literal.number != 0 ? "true" : "false");
            else if (t->literal.kind != K_NULL)
                (void)snprintf(text, sizeof text, "%.1Lf", t->literal.number);
            char *point = columns[c].kind == K_INT ? strchr(text, '.') : NULL;
            if (point)
                *point = '\0';
            put(json, size, c > 0 ? ", " : "");
            put(json, size, keys[c]);
            put(json, size, text);
            put(json, size, c == 7 || c == 9 ? "}" : "");
        }
        put(json, size, "}");
    }
    put(json, size, "]");
}

static void check_mask(const tree *t, const row *rows, const pn_mask *mask, const char *text)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        value v = eval(t, &rows[i]);
        bool want = v.kind == K_BOOL && v.number != 0;
        if (pn_word_bit_get(mask->words, i) != want)
            fail_msg("row %zu should %smatch\n%s", i, want ? "" : "not ", text);
    }
}

static void check_tree(maker *m, const pn_schema *schema, const row *rows, const pn_batch *batch)
{
    static char text[1 << 20];
    pn_error err = {0};
    pn_filter *filter, *again;
    pn_mask mask;
    char *printed, *printed_again;
    tree *t = make_condition(m, 1 + (unsigned)below(m, 5));
    text[0] = '\0';
    write_tree(m, t, text, sizeof text);
    pn_status status = pn_filter_compile(pn_str_of(text), schema, &m->arena, &filter, &err);
    if (status == PN_ERR_LIMIT)
        return;
    if (status != PN_OK || pn_filter_eval(filter, batch, &m->arena, &mask, &err) != PN_OK)
        fail_msg("%s\n%s", text, err.message);
    check_mask(t, rows, &mask, text);
    assert_int_equal(pn_filter_print(filter, &m->arena, &printed, &err), PN_OK);
    if (pn_filter_compile(pn_str_of(printed), schema, &m->arena, &again, &err) != PN_OK ||
        pn_filter_eval(again, batch, &m->arena, &mask, &err) != PN_OK)
        fail_msg("%s\nwas printed as\n%s\n%s", text, printed, err.message);
    check_mask(t, rows, &mask, printed);
    assert_int_equal(pn_filter_print(again, &m->arena, &printed_again, &err), PN_OK);
    assert_string_equal(printed, printed_again);
}

static void filter__equals_the_naive_evaluator(void **state)
{
    (void)state;
    static row rows[N_ROWS];
    static char json[1 << 18];
    maker m = {.rng = pn_rng_seed(11)};
    pn_arena schema_arena;
    pn_schema schema;
    json_rows table;
    pn_arena_init(&m.arena, SIZE_MAX);
    pn_arena_init(&schema_arena, SIZE_MAX);
    json_rows_shop_schema(&schema_arena, &schema);
    make_rows(&m, rows, json, sizeof json);
    json_rows_make(&schema, json, &table);
    for (int i = 0; i < N_TREES; i++) {
        pn_arena_reset(&m.arena);
        check_tree(&m, &schema, rows, &table.batch);
    }
    json_rows_free(&table);
    pn_arena_reset(&m.arena);
    pn_arena_reset(&schema_arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter__equals_the_naive_evaluator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
