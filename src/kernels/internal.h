/*
 * internal.h - what the files of this room share
 *
 * pn_<family>_init_<level>() overwrites the entries of its family that this level does better.
 */
#ifndef PN_KERNELS_INTERNAL_H
#define PN_KERNELS_INTERNAL_H

#include "kernels/kernels.h"

void pn_distance_init_portable(pn_kernels *k);
void pn_convert_init_portable(pn_kernels *k);
void pn_activation_init_portable(pn_kernels *k);
void pn_gemm_init_portable(pn_kernels *k);
void pn_quant_init_portable(pn_kernels *k);
void pn_gemm_bf16_init_portable(pn_kernels *k);
void pn_resample_init_portable(pn_kernels *k);
void pn_codes_init_portable(pn_kernels *k);
#if defined(__x86_64__)
void pn_distance_init_avx2(pn_kernels *k);
void pn_convert_init_avx2(pn_kernels *k);
void pn_activation_init_avx2(pn_kernels *k);
void pn_gemm_init_avx2(pn_kernels *k);
void pn_quant_init_avx2(pn_kernels *k);
void pn_resample_init_avx2(pn_kernels *k);
void pn_codes_init_avx2(pn_kernels *k);
void pn_distance_init_avx512(pn_kernels *k);
void pn_convert_init_avx512(pn_kernels *k);
void pn_activation_init_avx512(pn_kernels *k);
void pn_gemm_init_avx512(pn_kernels *k);
void pn_quant_init_avx512(pn_kernels *k);
void pn_resample_init_avx512(pn_kernels *k);
void pn_gemm_bf16_init_avx512bf16(pn_kernels *k);
void pn_quant_init_amx(pn_kernels *k);
void pn_codes_init_avx512(pn_kernels *k);
#elif defined(__aarch64__)
void pn_distance_init_neon(pn_kernels *k);
void pn_convert_init_neon(pn_kernels *k);
void pn_activation_init_neon(pn_kernels *k);
void pn_gemm_init_neon(pn_kernels *k);
void pn_quant_init_neon(pn_kernels *k);
void pn_quant_init_dotprod(pn_kernels *k);
void pn_quant_init_i8mm(pn_kernels *k);
void pn_codes_init_neon(pn_kernels *k);
#endif

/* Steps of a byte per unit, for a row that covers range. Rows that hardly vary, or vary beyond all sense, have one value. */
static inline float pn_quant_factor(float range)
{
    return range > 1e-30f && range < 1e38f ? 255.0f / range : 0;
}

/* Fetch what comes after the block of codes at this offset: as much as a block is. */
static PN_ALWAYS_INLINE void pn_codes_fetch_ahead(const pn_codes *codes, size_t offset,
                                                  size_t block_bytes)
{
    size_t end =
        offset + block_bytes < codes->ahead_bytes ? offset + block_bytes : codes->ahead_bytes;
    for (; offset < end; offset += 64)
        PN_PREFETCH_FAR(codes->ahead + offset);
}

/* The sum of (256 high + low)[i] * (b[i] - 128) out of the sums of high and low with b, and that of the values. It fits 32 bits; what
 * it is made of need not. */
static inline int32_t pn_join_i16(int32_t high, int32_t low, int32_t sum)
{
    return (int32_t)(256u * (uint32_t)high + (uint32_t)low - 128u * (uint32_t)sum);
}

/* One number, exactly. */
float pn_f16_value(uint16_t h);
float pn_bf16_value(uint16_t h);
uint16_t pn_bf16_of(float value);

/*
 * The vector levels compute 2^x and the normal distribution with two polynomials, fitted for the least largest error.
 *
 * 2^r = 1 + r * (EXP2[0] + r * (EXP2[1] + ...)) for r in [-1/2, 1/2], relative error 2e-9.
 *
 * The upper tail of the normal distribution is Q(x) = 2^-(1 + G(x)) for x >= 0 with
 * G(x) = x * (TAIL[0] + x * (TAIL[1] + ...)) on [0, 7]; beyond 7, Q is below 1.3e-12 and x is cut there. Then
 * gelu(x) = x * (x < 0 ? Q(-x) : 1 - Q(x)), within 4e-8 absolute below zero and one ulp above it. One exponential and
 * no division, where erf itself takes a rational function and a case distinction.
 */
#define PN_LOG2_E 1.44269504088896340736f
#define PN_LOG2_E_REST 1.925962989e-8f /* log2(e) - PN_LOG2_E as a float */
enum { PN_EXP2_TERMS = 6, PN_TAIL_TERMS = 9 };
static const float PN_EXP2[PN_EXP2_TERMS] = {0.6931472028559712f,    0.24022647913498324f,
                                             0.0555033246969234f,    0.009618437366483407f,
                                             0.0013398874867168696f, 0.00015353360616251512f};
static const float PN_TAIL[PN_TAIL_TERMS] = {
    1.1511101187015185f,      0.4591714980889616f,     0.052592871018070406f,
    -0.007181311233811298f,   0.00020627263574568032f, 0.00017058622778009594f,
    -4.1370464650224504e-05f, 4.297893658415533e-06f,  -1.7585219202328736e-07f};
#define PN_TAIL_END 7.0f

/* gelu_tanh(x) = x / (1 + exp(-2 sqrt(2/pi) (x + 0.044715 x^3))): the tanh is a sigmoid in disguise. */
#define PN_GELU_TANH_LINEAR 1.5957691216057308f
#define PN_GELU_TANH_CUBIC 0.07135481282553486f
#define PN_QUICK_GELU_FACTOR 1.702f

/*
 * The loops around a tile, for the vector levels. A tile computes rows [row, row + R) of one panel, or of two
 * neighbours at once, including bias, accumulation and the cut at column n.
 *
 * Few rows read each panel once, and the processor's own prefetching starts anew at every page of 4 KiB: a panel of 512
 * lines in 8 bits has two. So tiles ask for the next panels while they multiply these, each for its rows' share. What lies
 * behind the last one may be anything: a prefetch does not fault. (Two threads of a Zen 4, ViT-B/32, a text of 8 tokens:
 * 18 % less time in int8, 17 in bf16, 10 in f16, 8 in f32; a text of 77 tokens or one picture in int8 6 % less; many rows
 * as before. By AVX2 a third less.) Were it the first tile's task alone, many rows would
 * ask for two panels in the time of one tile, which is all that a memory gives.
 *
 * With many rows what a tile writes has left the near caches, too, and its lines are fetched while it multiplies. Both
 * together, ViT-B/32 in f32, 200 rows, weights from memory: 0.956 of the FMA peak instead of 0.942.
 */
typedef void (*pn_gemm_tile)(const pn_gemm *gemm, size_t row, size_t panel);
enum { PN_GEMM_MAX_ROWS = 14 };
typedef struct pn_gemm_tiles {
    size_t max_rows;
    const pn_gemm_tile *one; /* [max_rows], by number of rows - 1 */
    const pn_gemm_tile *two; /* the same over two panels, or NULL */
} pn_gemm_tiles;
void pn_gemm_drive(const pn_gemm *gemm, size_t panel_begin, size_t panel_end,
                   const pn_gemm_tiles *tiles);

/* A tile's share of the weights behind its own: where it begins, and how far a step takes it. Tiles of two panels ask for
 * the line panel_bytes further, too. */
typedef struct pn_gemm_ahead {
    const uint8_t *at;
    size_t step;
} pn_gemm_ahead;

static PN_ALWAYS_INLINE pn_gemm_ahead pn_gemm_look_ahead(const pn_gemm *g, const uint8_t *behind,
                                                         size_t panel_bytes, size_t line_bytes,
                                                         size_t row, size_t rows)
{
    if (rows == g->m)
        return (pn_gemm_ahead){behind, line_bytes};
    return (pn_gemm_ahead){behind + panel_bytes * row / g->m,
                           (line_bytes * rows + g->m - 1) / g->m};
}

/* Less depth, as in attention, is soon through, and what it writes is at hand. */
enum { PN_GEMM_DEEP = 256 };

static PN_ALWAYS_INLINE void pn_gemm_fetch_sums(const pn_gemm *g, size_t row, size_t panel,
                                                const int rows, const int panels)
{
    if (g->k < PN_GEMM_DEEP)
        return;
    const float *c = g->c + row * g->ldc + panel * PN_GEMM_PANEL;
    PN_UNROLL for (int r = 0; r < rows; r++)
    {
        PN_PREFETCH_FAR(c + (size_t)r * g->ldc);
        if (panels == 2)
            PN_PREFETCH_FAR(c + (size_t)r * g->ldc + PN_GEMM_PANEL);
    }
}

/*
 * tiles_NAME, a pn_gemm_tiles of 1 to PN_GEMM_MAX_ROWS rows and one or two panels, from the file's own
 * tile_NAME(gemm, row, panel, rows, panels): a function for each number of rows, in which it is a constant.
 */
#define PN_GEMM_DEFINE_TILE(rows, name)                                                            \
    static void name##_one_##rows(const pn_gemm *g, size_t row, size_t panel)                      \
    {                                                                                              \
        tile_##name(g, row, panel, rows, 1);                                                       \
    }                                                                                              \
    static void name##_two_##rows(const pn_gemm *g, size_t row, size_t panel)                      \
    {                                                                                              \
        tile_##name(g, row, panel, rows, 2);                                                       \
    }
#define PN_GEMM_FOR_ROWS(what, name)                                                               \
    what(1, name) what(2, name) what(3, name) what(4, name) what(5, name) what(6, name)            \
        what(7, name) what(8, name) what(9, name) what(10, name) what(11, name) what(12, name)     \
            what(13, name) what(14, name)
#define PN_GEMM_ONE(rows, name) name##_one_##rows,
#define PN_GEMM_TWO(rows, name) name##_two_##rows,
#define PN_GEMM_DEFINE_TILES(name)                                                                 \
    PN_GEMM_FOR_ROWS(PN_GEMM_DEFINE_TILE, name)                                                    \
    static const pn_gemm_tile name##_one[] = {PN_GEMM_FOR_ROWS(PN_GEMM_ONE, name)};                \
    static const pn_gemm_tile name##_two[] = {PN_GEMM_FOR_ROWS(PN_GEMM_TWO, name)};                \
    static const pn_gemm_tiles tiles_##name = {PN_GEMM_MAX_ROWS, name##_one, name##_two};

#endif
