/*
 * compare.c - the order of values
 *
 * Two steps: an order (-1, 0, 1) per row, one loop per kind; then the operator as a table of three bits over the orders.
 * Mixed numbers compare exactly: an int64 is never rounded to a double first, or 9007199254740993 would equal
 * 9007199254740992.0. NaN is equal to itself and above everything, as in PostgreSQL, so that the order is total and
 * x = x holds for every x that is not NULL; minus zero equals zero. Timestamps of different units compare as 128-bit
 * nanoseconds.
 */
#include "filter/vec.h"

#include <math.h>

__extension__ typedef __int128 wide_int;

static int order_of_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int order_of_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int order_of_double(double a, double b)
{
    if (isnan(a) || isnan(b))
        return !!isnan(a) - !!isnan(b);
    return (a > b) - (a < b);
}

static int order_of_i64_double(int64_t a, double b)
{
    if (isnan(b) || b >= 0x1p63)
        return -1;
    if (b < -0x1p63)
        return 1;
    int64_t whole = (int64_t)b;
    if (a != whole)
        return a < whole ? -1 : 1;
    double rest = b - (double)whole; // exact: a double beyond 2^53 has none
    return rest > 0 ? -1 : rest < 0;
}

static int order_of_u64_double(uint64_t a, double b)
{
    if (isnan(b) || b >= 0x1p64)
        return -1;
    if (b < 0)
        return 1;
    uint64_t whole = (uint64_t)b;
    if (a != whole)
        return a < whole ? -1 : 1;
    return b > (double)whole ? -1 : 0;
}

static int order_of_i64_u64(int64_t a, uint64_t b)
{
    return a < 0 ? -1 : order_of_u64((uint64_t)a, b);
}

static int compare_numbers(const pn_value *a, const pn_value *b)
{
    if (a->kind > b->kind) // INT < UINT < DOUBLE
        return -compare_numbers(b, a);
    if (a->kind == PN_KIND_DOUBLE)
        return order_of_double(a->f, b->f);
    if (a->kind == PN_KIND_UINT)
        return b->kind == PN_KIND_UINT ? order_of_u64(a->u, b->u) : order_of_u64_double(a->u, b->f);
    if (b->kind == PN_KIND_INT)
        return order_of_i64(a->i, b->i);
    return b->kind == PN_KIND_UINT ? order_of_i64_u64(a->i, b->u) : order_of_i64_double(a->i, b->f);
}

static wide_int nanoseconds(const pn_value *value)
{
    static const int64_t per_unit[] = {1000000000, 1000000, 1000, 1};
    if (value->kind == PN_KIND_DATE)
        return (wide_int)value->i * 86400 * 1000000000;
    return (wide_int)value->i * per_unit[value->unit];
}

int pn_value_compare(const pn_value *a, const pn_value *b)
{
    switch (a->kind) {
    case PN_KIND_BOOL:
        return (int)a->b - (int)b->b;
    case PN_KIND_INT:
    case PN_KIND_UINT:
    case PN_KIND_DOUBLE:
        return compare_numbers(a, b);
    case PN_KIND_TEXT:
    case PN_KIND_BYTES: {
        int order = pn_str_compare(a->text, b->text);
        return (order > 0) - (order < 0);
    }
    case PN_KIND_DATE:
    case PN_KIND_TIME: {
        wide_int x = nanoseconds(a), y = nanoseconds(b);
        return (x > y) - (x < y);
    }
    case PN_KIND_NULL:
    case PN_KIND_LIST:
    case PN_KIND_MAP:
    case PN_KIND_STRUCT:
    case PN_KIND_OTHER:
        break;
    }
    return 0;
}

/* ---- orders of whole vecs; a step of 0 repeats a constant */

static void orders_i64(const int64_t *a, size_t a_step, const int64_t *b, size_t b_step, size_t n,
                       int8_t *orders)
{
    for (size_t i = 0; i < n; i++)
        orders[i] = (int8_t)order_of_i64(a[i * a_step], b[i * b_step]);
}

static void orders_double(const double *a, size_t a_step, const double *b, size_t b_step, size_t n,
                          int8_t *orders)
{
    for (size_t i = 0; i < n; i++)
        orders[i] = (int8_t)order_of_double(a[i * a_step], b[i * b_step]);
}

/* Only whether they are equal: lengths decide most of it. */
static void orders_text_equal(const pn_str *a, size_t a_step, const pn_str *b, size_t b_step,
                              size_t n, int8_t *orders)
{
    for (size_t i = 0; i < n; i++)
        orders[i] = !pn_str_equal(a[i * a_step], b[i * b_step]);
}

static void orders_general(const pn_vec *a, const pn_vec *b, size_t n, int8_t *orders)
{
    for (size_t i = 0; i < n; i++) {
        pn_value x, y;
        pn_vec_get(a, i, &x);
        pn_vec_get(b, i, &y);
        orders[i] =
            x.kind == PN_KIND_NULL || y.kind == PN_KIND_NULL ? 0 : (int8_t)pn_value_compare(&x, &y);
    }
}

static void find_orders(const pn_vec *a, const pn_vec *b, pn_expr_op op, size_t n, int8_t *orders)
{
    size_t a_step = !a->is_const, b_step = !b->is_const;
    bool same = a->kind == b->kind;
    bool is_i64 = a->kind == PN_KIND_INT || a->kind == PN_KIND_DATE ||
                  (a->kind == PN_KIND_TIME && a->unit == b->unit);
    bool is_text = a->kind == PN_KIND_TEXT || a->kind == PN_KIND_BYTES;
    if (same && is_i64)
        orders_i64(a->i, a_step, b->i, b_step, n, orders);
    else if (same && a->kind == PN_KIND_DOUBLE)
        orders_double(a->f, a_step, b->f, b_step, n, orders);
    else if (same && is_text && (op == PN_EXPR_EQ || op == PN_EXPR_NE))
        orders_text_equal(a->text, a_step, b->text, b_step, n, orders);
    else
        orders_general(a, b, n, orders);
}

/* Does the operator hold for the orders -1, 0, 1? */
static void accepted_orders(pn_expr_op op, uint8_t accepts[3])
{
    bool less = op == PN_EXPR_LT || op == PN_EXPR_LE || op == PN_EXPR_NE;
    bool equal = op == PN_EXPR_EQ || op == PN_EXPR_LE || op == PN_EXPR_GE;
    bool greater = op == PN_EXPR_GT || op == PN_EXPR_GE || op == PN_EXPR_NE;
    accepts[0] = less;
    accepts[1] = equal;
    accepts[2] = greater;
}

pn_status pn_vec_compare(const pn_vec *a, const pn_vec *b, pn_expr_op op, size_t n, pn_arena *arena,
                         pn_vec *out, pn_error *err)
{
    pn_vec result;
    PN_TRY(pn_vec_create(PN_KIND_BOOL, PN_UNIT_SECOND, n, arena, &result, err));
    if (a->kind != PN_KIND_NULL && b->kind != PN_KIND_NULL) {
        uint8_t accepts[3];
        int8_t *orders = pn_arena_alloc(arena, n);
        if (!orders)
            return pn_fail_nomem(err);
        find_orders(a, b, op, n, orders);
        accepted_orders(op, accepts);
        for (size_t w = 0; w < pn_words_for_bits(n); w++) {
            uint64_t word = 0;
            size_t end = PN_MIN((w + 1) * 64, n);
            for (size_t i = w * 64; i < end; i++)
                word |= (uint64_t)accepts[orders[i] + 1] << (i % 64);
            uint64_t valid = pn_vec_valid_word(a, w, n) & pn_vec_valid_word(b, w, n);
            result.yes[w] = word & valid;
            result.no[w] = ~word & valid;
        }
    }
    *out = result;
    return PN_OK;
}
