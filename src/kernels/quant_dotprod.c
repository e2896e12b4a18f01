/*
 * quant_dotprod.c - 8-bit products with sdot: tiles of 5 rows x 16 columns
 *
 *     per 4 steps of k: 4 loads of the panel, 4 sdot for the shift, 20 sdot
 *     registers: 20 sums + 4 shifts + 5 rows + 2 weights + 1 of -128 = 32 of 32
 *
 * Armv8.2 with dotprod: Cortex-A75 and later, Neoverse N1, Apple M1. sdot multiplies four signed bytes by four and adds
 * the products to a 32-bit lane: 16 multiply-adds where fmla does 4.
 */
#if !defined(__ARM_FEATURE_DOTPROD)
#    error "build this file with -march=armv8.2-a+dotprod"
#endif
#define MAX_ROWS 5
#define ROWS_ARE_SIGNED 1
#define MULTIPLY_ADD(sums, weights, row, lane)                                                     \
    vdotq_laneq_s32(sums, weights, vreinterpretq_s8_u8(row), lane)
#include "kernels/quant_arm.h"

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)
DEFINE_TILE(5)

static void gemm_i8(const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    static const pn_gemm_tile one[MAX_ROWS] = {tile_1, tile_2, tile_3, tile_4, tile_5};
    static const pn_gemm_tiles tiles = {MAX_ROWS, one, NULL};
    pn_gemm_drive(g, panel_begin, panel_end, &tiles);
}

void pn_quant_init_dotprod(pn_kernels *k)
{
    k->gemm_i8 = gemm_i8;
}
