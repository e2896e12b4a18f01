/*
 * eigen.c - Householder's tridiagonal form, implicit QL, and Cholesky
 *
 *     a  --reflections-->  tridiagonal (d, e)  --rotations-->  eigenvalues
 *
 * A reflection takes a row of a to two numbers; n - 2 of them leave a tridiagonal matrix. QL steps with Wilkinson's shift then make
 * the numbers beside the diagonal vanish one after the other, two or three steps each. The vectors are kept as rows from the
 * beginning, so reflections and rotations go along rows and the compiler makes vector code of them: n = 512 takes 0.2 s, where cyclic
 * Jacobi rotations, which find tiny eigenvalues more precisely than anybody needs here, take 5 s.
 *
 * Source: Golub and Van Loan, Matrix Computations, sections 8.3.1 and 8.3.3; the order of a rotation's operations as in
 * Bowdler, Martin, Reinsch, Wilkinson, The QR and QL algorithms for symmetric matrices, 1968.
 */
#include "index/eigen.h"

#include "base/alloc.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { MAX_STEPS = 60 /* of QL for one eigenvalue; 3 are usual */ };

/* ---- rows */

static double dot(const double *x, const double *y, size_t n)
{
    enum { SUMS = 8 }; /* independent, so that they may be lanes */
    double sums[SUMS] = {0}, sum = 0;
    size_t i = 0;
    for (; i + SUMS <= n; i += SUMS)
        for (size_t j = 0; j < SUMS; j++)
            sums[j] += x[i + j] * y[i + j];
    for (; i < n; i++)
        sum += x[i] * y[i];
    for (size_t j = 0; j < SUMS; j++)
        sum += sums[j];
    return sum;
}

/* y += factor * x */
static void add(double *y, double factor, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

/* ---- to tridiagonal form */

/*
 * Make x, of n values, the v of the reflection 1 - beta v v^T that takes it to (*first, 0, ..., 0). Returns beta: 0 when x is
 * that already.
 */
static double reflection(double *x, size_t n, double *first)
{
    double most = 0;
    for (size_t i = 1; i < n; i++)
        most = PN_MAX(most, fabs(x[i]));
    *first = x[0];
    if (most <= DBL_MIN)
        return 0;
    most = PN_MAX(most, fabs(x[0]));
    for (size_t i = 0; i < n; i++) /* squares of tiny numbers are nothing */
        x[i] /= most;
    double length = sqrt(dot(x, x, n));
    double to = x[0] > 0 ? -length : length;
    *first = to * most;
    x[0] -= to;
    return 2 / dot(x, x, n);
}

/* a becomes H a H, for the rows and columns behind the k-th, whose row keeps v. */
static void reflect(double *a, size_t n, size_t k, double beta, double *p)
{
    const double *v = a + k * n + k + 1;
    size_t m = n - k - 1;
    double *rest = a + (k + 1) * n + k + 1;
    memset(p, 0, m * sizeof *p);
    for (size_t i = 0; i < m; i++)
        add(p, beta * v[i], rest + i * n, m);
    double half = beta / 2 * dot(p, v, m);
    add(p, -half, v, m);
    for (size_t i = 0; i < m; i++) {
        double vi = v[i], pi = p[i];
        double *row = rest + i * n;
        for (size_t j = 0; j < m; j++)
            row[j] -= vi * p[j] + pi * v[j];
    }
}

/*
 * a keeps the reflections' vectors, d the diagonal, e [n] what is beside it (e[i] between i and i + 1; the last is 0), betas [n]
 * the factors of the reflections. scratch [n].
 */
static void to_tridiagonal(double *a, size_t n, double *d, double *e, double *betas,
                           double *scratch)
{
    for (size_t k = 0; k < n; k++) {
        d[k] = a[k * n + k];
        e[k] = betas[k] = 0;
        if (k + 1 == n)
            break;
        betas[k] = reflection(a + k * n + k + 1, n - k - 1, &e[k]);
        if (betas[k] > 0)
            reflect(a, n, k, betas[k], scratch);
    }
}

/* The rows of vectors become the columns of the product of all reflections, from the last to the first. */
static void gather_reflections(const double *a, size_t n, const double *betas, double *vectors)
{
    memset(vectors, 0, n * n * sizeof *vectors);
    for (size_t i = 0; i < n; i++)
        vectors[i * n + i] = 1;
    for (size_t k = n; k-- > 0;) {
        const double *v = a + k * n + k + 1;
        size_t m = n - k - 1;
        for (size_t i = k + 1; betas[k] > 0 && i < n; i++) {
            double *row = vectors + i * n + k + 1;
            add(row, -betas[k] * dot(row, v, m), v, m);
        }
    }
}

/* ---- to diagonal form */

static void rotate(double *x, double *y, size_t n, double c, double s)
{
    for (size_t i = 0; i < n; i++) {
        double xi = x[i], yi = y[i];
        x[i] = c * xi - s * yi;
        y[i] = s * xi + c * yi;
    }
}

/* The first from `at` on that is not joined to the next. */
static size_t block_end(const double *d, const double *e, size_t n, size_t at)
{
    while (at + 1 < n && fabs(e[at]) > DBL_EPSILON * (fabs(d[at]) + fabs(d[at + 1])) + DBL_MIN)
        at++;
    return at;
}

/* One implicit QL step on the rows from low to high. */
static void ql_step(double *d, double *e, double *vectors, size_t n, size_t low, size_t high)
{
    double g = (d[low + 1] - d[low]) / (2 * e[low]), r = hypot(g, 1);
    g = d[high] - d[low] + e[low] / (g + (g < 0 ? -r : r));
    double s = 1, c = 1, p = 0;
    for (size_t i = high; i-- > low;) {
        double f = s * e[i], b = c * e[i];
        r = hypot(f, g);
        e[i + 1] = r;
        if (r <= 0) { /* it came apart in the middle */
            d[i + 1] -= p;
            e[high] = 0;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        rotate(vectors + i * n, vectors + (i + 1) * n, n, c, s);
    }
    d[low] -= p;
    e[low] = g;
    e[high] = 0;
}

static void to_diagonal(double *d, double *e, double *vectors, size_t n)
{
    for (size_t low = 0; low < n; low++)
        for (int step = 0; step < MAX_STEPS; step++) {
            size_t high = block_end(d, e, n, low);
            if (high == low)
                break;
            ql_step(d, e, vectors, n, low, high);
        }
}

/* ---- order and signs */

static void swap_rows(double *x, double *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double kept = x[i];
        x[i] = y[i];
        y[i] = kept;
    }
}

static void make_largest_positive(double *row, size_t n)
{
    size_t largest = 0;
    for (size_t d = 1; d < n; d++)
        largest = fabs(row[d]) > fabs(row[largest]) ? d : largest;
    for (size_t d = 0, turn = row[largest] < 0; turn && d < n; d++)
        row[d] = -row[d];
}

static void sort_by_value(double *values, double *vectors, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t greatest = i;
        for (size_t j = i + 1; j < n; j++)
            greatest = values[j] > values[greatest] ? j : greatest;
        double value = values[i];
        values[i] = values[greatest];
        values[greatest] = value;
        if (greatest != i)
            swap_rows(vectors + i * n, vectors + greatest * n, n);
        make_largest_positive(vectors + i * n, n);
    }
}

pn_status pn_eigen_symmetric(double *a, size_t n, double *values, double *vectors, pn_error *err)
{
    double *scratch = pn_alloc_array(n, 3 * sizeof *scratch);
    if (!scratch)
        return pn_fail_nomem(err);
    double *beside = scratch, *betas = scratch + n;
    to_tridiagonal(a, n, values, beside, betas, scratch + 2 * n);
    gather_reflections(a, n, betas, vectors);
    to_diagonal(values, beside, vectors, n);
    sort_by_value(values, vectors, n);
    pn_free(scratch);
    return PN_OK;
}

bool pn_cholesky(double *a, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        double *row = a + j * n;
        for (size_t i = 0; i < j; i++)
            row[i] = (row[i] - dot(row, a + i * n, i)) / a[i * n + i];
        double left = row[j] - dot(row, row, j);
        if (!(left > 0))
            return false;
        row[j] = sqrt(left);
        memset(row + j + 1, 0, (n - j - 1) * sizeof *row);
    }
    return true;
}
