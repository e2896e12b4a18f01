/*
 * quant_i8mm.c - 8-bit products with sudot: tiles of 6 rows x 16 columns
 *
 *     per 4 steps of k: 4 loads of the panel, 24 sudot
 *     registers: 24 sums + 6 rows + 2 weights = 32 of 32
 *
 * Armv8.6 (i8mm): Neoverse V1 and N2, Cortex-A510 and later, Apple M2. sudot takes signed weights and unsigned rows as they
 * are, so nothing is shifted. smmla would do twice as much at once, but wants 8 steps of k side by side, which is not how
 * panels are packed.
 */
#if !defined(__ARM_FEATURE_MATMUL_INT8)
#    error "build this file with -march=armv8.2-a+dotprod+i8mm"
#endif
#define MAX_ROWS 6
#define ROWS_ARE_SIGNED 0
#define MULTIPLY_ADD(sums, weights, row, lane) vsudotq_laneq_s32(sums, weights, row, lane)
#include "kernels/quant_arm.h"

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)
DEFINE_TILE(5)
DEFINE_TILE(6)

static void gemm_i8(const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    static const pn_gemm_tile one[MAX_ROWS] = {tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};
    static const pn_gemm_tiles tiles = {MAX_ROWS, one, NULL};
    pn_gemm_drive(g, panel_begin, panel_end, &tiles);
}

void pn_quant_init_i8mm(pn_kernels *k)
{
    k->gemm_i8 = gemm_i8;
}
