/*
 * peak_avx512.c - 24 chains of multiply-adds of 16 values, of 64 bytes for VNNI; reads of 64 bytes
 */
#include "peak.h"

#include <immintrin.h>

typedef float f16 __attribute__((vector_size(64)));
typedef long long i8 __attribute__((vector_size(64)));
/* Sums as what the loop carries: gcc 12 leaves an array of __m512i in memory, at half the speed. */
typedef int sums16 __attribute__((vector_size(64)));

enum { CHAINS = 24 };

static double multiply_add(long rounds, float seed)
{
    f16 sum[CHAINS], a, b;
    double total = 0;
    for (int i = 0; i < 16; i++) {
        a[i] = seed;
        b[i] = 1 - seed;
    }
    for (int c = 0; c < CHAINS; c++)
        sum[c] = a * (float)c;
    for (long r = 0; r < rounds; r++) {
#pragma GCC unroll 24
        for (int c = 0; c < CHAINS; c++)
            sum[c] = sum[c] * b + a;
    }
    for (int c = 0; c < CHAINS; c++)
        total += (double)sum[c][c % 16];
    return total;
}

static double int8(long rounds, int seed)
{
    const __m512i a = _mm512_set1_epi32(seed), b = _mm512_set1_epi32(seed * 3);
    sums16 sum[CHAINS];
    double total = 0;
    for (int c = 0; c < CHAINS; c++)
        sum[c] = (sums16){0} + c;
    for (long r = 0; r < rounds; r++) {
#pragma GCC unroll 24
        for (int c = 0; c < CHAINS; c++)
            sum[c] = (sums16)_mm512_dpbusd_epi32((__m512i)sum[c], a, b);
    }
    for (int c = 0; c < CHAINS; c++)
        total += sum[c][c % 16];
    return total;
}

static double read_all(const void *memory, size_t n_bytes)
{
    const i8 *at = memory;
    i8 sum[8] = {{0}};
    double total = 0;
    for (size_t i = 0; i < n_bytes / sizeof *at; i += 8) {
#pragma GCC unroll 8
        for (int c = 0; c < 8; c++)
            sum[c] ^= at[i + (size_t)c];
    }
    for (int c = 0; c < 8; c++)
        total += (double)(sum[c][0] ^ sum[c][3] ^ sum[c][7]);
    return total;
}

const peak_loops peak_avx512 = {.fma = multiply_add,
                                .fma_round = CHAINS * 16,
                                .int8 = int8,
                                .int8_round = CHAINS * 64,
                                .read = read_all};
