/*
 * bench_kernels.c - is every level right, and how fast are its products?
 *
 *     bench_kernels [--shapes N] [--seconds S] [--level NAME] [--seed N]
 *
 * First N seeded shapes (m 1..70, n 1..100 and for some ..600, k 1..900) on every level of this processor. Their scales are
 * powers of two and their rows begin at zero, so that the answer of gemm_i8 is the integer sum and nothing else: it has to
 * be portable C's, bit for bit, and so has that of gemm_bf16. With scales as models have them, gemm_i8 has to give the bits
 * of the level below when that has the same arithmetic (amx on avx512), and the class of kernels.h otherwise.
 *
 * Then gemm_i8, gemm_f32 and, where it is fast, gemm_bf16 are timed on one thread at the shapes of ViT-B/32, and gemm_i8
 * for a few rows, each for S seconds; the answer is one line of JSON a case, with the minimum and the median in
 * milliseconds and G multiply-adds a second at the minimum.
 *
 * It needs kernels and base alone, so that it can be linked statically and carried to a processor that is not at hand.
 */
#include "base/rng.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const LEVELS[] = {"portable", "avx2", "avx512",  "avx512bf16",
                                     "amx",      "neon", "dotprod", "i8mm"};

typedef struct options {
    size_t shapes;
    double seconds;
    const char *level;
    uint64_t seed;
} options;

/* One product with every kind of rows and weights. */
typedef enum product_kind { F32, I8, BF16, N_KINDS } product_kind;
static const char *const NAMES[N_KINDS] = {"gemm_f32", "gemm_i8", "gemm_bf16"};

typedef struct problem {
    size_t m, n, k, panels, depth, depth16;
    uint8_t *rows;
    int8_t *packed;
    uint16_t *rows16, *packed16;
    float *step, *low, *scale, *sums, *bias, *c, *a, *w;
} problem;

static void *room_for(size_t n)
{
    void *p = aligned_alloc(64, (n + 127) / 64 * 64);
    if (!p) {
        fprintf(stderr, "bench_kernels: no memory\n");
        exit(1);
    }
    return p;
}

static float *floats(size_t n, pn_rng *rng)
{
    float *p = room_for(n * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = (float)(pn_rng_unit(rng) * 2 - 1);
    return p;
}

/* In [1/2, 2) and their negatives: far from where a level may take a value for zero. */
static uint16_t *bf16s(size_t n, pn_rng *rng)
{
    uint16_t *p = room_for(n * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint16_t)(0x3F00u + pn_rng_below(rng, 256) + (pn_rng_below(rng, 2) << 15));
    return p;
}

static problem problem_of(size_t m, size_t n, size_t k, pn_rng *rng)
{
    const size_t panels = pn_gemm_panels(n), columns = panels * PN_GEMM_PANEL;
    problem p = {.m = m, .n = n, .k = k, .panels = panels, .depth = pn_gemm_i8_depth(k)};
    p.rows = room_for(m * p.depth);
    p.packed = room_for(columns * p.depth);
    for (size_t i = 0; i < m * p.depth; i++)
        p.rows[i] = (uint8_t)pn_rng_below(rng, 256);
    for (size_t i = 0; i < columns * p.depth; i++)
        p.packed[i] = (int8_t)((int)pn_rng_below(rng, 255) - 127);
    p.depth16 = pn_gemm_bf16_depth(k);
    p.rows16 = bf16s(m * p.depth16, rng);
    p.packed16 = bf16s(columns * p.depth16, rng);
    p.step = floats(m, rng);
    p.low = floats(m, rng);
    p.scale = floats(columns, rng);
    p.sums = floats(columns, rng);
    p.bias = floats(n, rng);
    p.c = floats(m * n, rng);
    p.a = floats(m * k, rng);
    p.w = floats(columns * k, rng);
    return p;
}

static void end(problem *p)
{
    void *const all[] = {p->rows,  p->packed, p->rows16, p->packed16, p->step, p->low,
                         p->scale, p->sums,   p->bias,   p->c,        p->a,    p->w};
    for (size_t i = 0; i < PN_COUNT_OF(all); i++)
        free(all[i]);
}

static pn_gemm gemm_of(const problem *p, product_kind kind)
{
    pn_gemm g = {.c = p->c, .ldc = p->n, .bias = p->bias, .m = p->m, .n = p->n, .k = p->k};
    if (kind == BF16) {
        g.a16 = (pn_rows_bf16){p->rows16, p->depth16};
        g.w = (pn_panels){p->packed16, NULL, NULL, PN_PANEL_BF16_PAIRS};
    } else if (kind == I8) {
        g.a8 = (pn_rows_u8){p->rows, p->depth, p->step, p->low};
        g.w = (pn_panels){p->packed, p->scale, p->sums, PN_PANEL_I8};
    } else {
        g.a = p->a;
        g.lda = p->k;
        g.w = (pn_panels){p->w, NULL, NULL, PN_PANEL_F32};
    }
    return g;
}

/* ---- right? */

static size_t differences(const float *a, const float *b, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += memcmp(a + i, b + i, sizeof *a) != 0;
    return found;
}

static size_t far_apart(const problem *p, const float *got, const float *want)
{
    size_t found = 0;
    for (size_t i = 0; i < p->m * p->n; i++) { /* a sum has k terms of up to 255 * 127 */
        double bound = 1e-6 * (255.0 * 127 * (double)p->k + 4);
        found += !(fabs((double)got[i] - (double)want[i]) <= bound);
    }
    return found;
}

static void integers_alone(problem *p)
{
    for (size_t i = 0; i < p->m; i++) {
        p->step[i] = 0.5f;
        p->low[i] = 0;
    }
    for (size_t j = 0; j < p->panels * PN_GEMM_PANEL; j++)
        p->scale[j] = 0.25f;
}

static void run(const pn_kernels *k, const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    if (g->w.type == PN_PANEL_BF16_PAIRS)
        k->gemm_bf16(g, panel_begin, panel_end);
    else if (g->w.type == PN_PANEL_I8)
        k->gemm_i8(g, panel_begin, panel_end);
    else
        k->gemm_f32(g, panel_begin, panel_end);
}

static void product(const pn_kernels *k, const problem *p, const pn_gemm *g, pn_rng *rng)
{
    pn_rng same = *rng;
    for (size_t i = 0; i < p->m * p->n; i++)
        p->c[i] = (float)pn_rng_unit(&same);
    size_t cut = pn_rng_below(&same, p->panels + 1); /* as two threads would */
    run(k, g, 0, cut);
    run(k, g, cut, p->panels);
}

/* Elements that are wrong in one shape, on level k; below is the level under it or NULL. */
static size_t check_shape(const pn_kernels *k, const pn_kernels *below, pn_rng *rng)
{
    pn_kernels portable;
    if (!pn_kernels_init_level(&portable, "portable"))
        return 1;
    size_t m = 1 + pn_rng_below(rng, 70);
    size_t n = 1 + pn_rng_below(rng, pn_rng_below(rng, 8) == 0 ? 600 : 100);
    problem p = problem_of(m, n, 1 + pn_rng_below(rng, 900), rng);
    pn_gemm g = gemm_of(&p, I8);
    g.accumulate = pn_rng_below(rng, 3) == 0;
    if (pn_rng_below(rng, 3) == 0)
        g.bias = NULL;
    float *want = room_for(m * n * sizeof *want);
    product(below ? below : &portable, &p, &g, rng);
    memcpy(want, p.c, m * n * sizeof *want);
    product(k, &p, &g, rng);
    size_t faults = below ? differences(p.c, want, m * n) : far_apart(&p, p.c, want);
    integers_alone(&p);
    g.bias = NULL;
    product(&portable, &p, &g, rng);
    memcpy(want, p.c, m * n * sizeof *want);
    product(k, &p, &g, rng);
    faults += differences(p.c, want, m * n);
    g = gemm_of(&p, BF16);
    product(&portable, &p, &g, rng);
    memcpy(want, p.c, m * n * sizeof *want);
    product(k, &p, &g, rng);
    faults += differences(p.c, want, m * n);
    if (faults > 0)
        fprintf(stderr, "%s: %zu x %zu x %zu: %zu elements differ\n", k->level, m, n, p.k, faults);
    free(want);
    end(&p);
    return faults;
}

static bool check_level(const pn_kernels *k, const options *o)
{
    pn_kernels below;
    bool paired = strcmp(k->level, "amx") == 0 && pn_kernels_init_level(&below, "avx512");
    pn_rng rng = pn_rng_seed(o->seed);
    size_t wrong = 0;
    for (size_t i = 0; i < o->shapes; i++)
        wrong += check_shape(k, paired ? &below : NULL, &rng) > 0;
    printf("{\"check\":\"gemm_i8, "
           "gemm_bf16\",\"level\":\"%s\",\"shapes\":%zu,\"wrong\":%zu,\"same_bits_as\":"
           "\"portable%s\"}\n",
           k->level, o->shapes, wrong, paired ? " and avx512" : "");
    (void)fflush(stdout); /* a later level may meet an instruction that is not there */
    return wrong == 0;
}

/* ---- fast? */

static double now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* fails for an unknown clock only */
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void time_case(const pn_kernels *k, product_kind kind, const size_t shape[3], double seconds)
{
    enum { MOST = 100000 };
    static double times[MOST];
    pn_rng rng = pn_rng_seed(1);
    problem p = problem_of(shape[0], shape[1], shape[2], &rng);
    pn_gemm g = gemm_of(&p, kind);
    size_t n = 0;
    for (double stop = now_ms() + seconds * 1e3; n < 3 || (n < MOST && now_ms() < stop); n++) {
        double start = now_ms();
        run(k, &g, 0, p.panels);
        times[n] = now_ms() - start;
    }
    qsort(times, n, sizeof *times, by_value);
    double work = (double)p.m * (double)p.n * (double)p.k;
    printf("{\"time\":\"%s\",\"level\":\"%s\",\"m\":%zu,\"n\":%zu,\"k\":%zu,\"calls\":%zu,\"min_"
           "ms\":%.4f,"
           "\"median_ms\":%.4f,\"gmacs\":%.1f}\n",
           NAMES[kind], k->level, p.m, p.n, p.k, n, times[0], times[n / 2], work / times[0] * 1e-6);
    (void)fflush(stdout);
    end(&p);
}

static void time_level(const pn_kernels *k, const options *o)
{
    static const size_t layers[][2] = {{2304, 768}, {768, 768}, {3072, 768}, {768, 3072}};
    static const size_t few[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};
    for (size_t i = 0; i < PN_COUNT_OF(layers); i++)
        for (size_t m = 50; m <= 400; m *= 8) {
            const size_t shape[] = {m, layers[i][0], layers[i][1]};
            time_case(k, I8, shape, o->seconds);
            time_case(k, F32, shape, o->seconds);
            if (k->bf16_is_fast)
                time_case(k, BF16, shape, o->seconds);
        }
    for (size_t i = 0; i < PN_COUNT_OF(few); i++) {
        const size_t shape[] = {few[i], 2304, 768};
        time_case(k, I8, shape, o->seconds / 2);
    }
}

/* ---- the command line */

static bool parse(options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!value)
            return false;
        if (strcmp(name, "--shapes") == 0)
            o->shapes = strtoul(value, NULL, 10);
        else if (strcmp(name, "--seconds") == 0)
            o->seconds = strtod(value, NULL);
        else if (strcmp(name, "--seed") == 0)
            o->seed = strtoul(value, NULL, 10);
        else if (strcmp(name, "--level") == 0)
            o->level = value;
        else
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    options o = {.shapes = 500, .seconds = 0.3, .seed = 1};
    if (!parse(&o, argc, argv)) {
        fprintf(stderr,
                "usage: bench_kernels [--shapes N] [--seconds S] [--level NAME] [--seed N]\n");
        return 2;
    }
    bool right = true;
    for (size_t i = 0; i < PN_COUNT_OF(LEVELS); i++) {
        pn_kernels k;
        if (o.level && strcmp(o.level, LEVELS[i]) != 0)
            continue;
        if (!pn_kernels_init_level(&k, LEVELS[i])) {
            printf("{\"level\":\"%s\",\"here\":false}\n", LEVELS[i]);
            continue;
        }
        right = check_level(&k, &o) && right;
        if (o.seconds > 0)
            time_level(&k, &o);
    }
    return right ? 0 : 1;
}
