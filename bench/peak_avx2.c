/*
 * peak_avx2.c - 12 chains of multiply-adds of 8 values; reads of 32 bytes
 *
 * A multiply-add takes 4 cycles and two start in each: 8 chains fill the units, 12 leave some slack and fit 16 registers.
 */
#include "peak.h"

typedef float f8 __attribute__((vector_size(32)));
typedef long long i4 __attribute__((vector_size(32)));

enum { CHAINS = 12 };

static double multiply_add(long rounds, float seed)
{
    f8 sum[CHAINS], a, b;
    double total = 0;
    for (int i = 0; i < 8; i++) {
        a[i] = seed;
        b[i] = 1 - seed;
    }
    for (int c = 0; c < CHAINS; c++)
        sum[c] = a * (float)c;
    for (long r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++)
            sum[c] = sum[c] * b + a;
    }
    for (int c = 0; c < CHAINS; c++)
        total += (double)sum[c][c % 8];
    return total;
}

static double read_all(const void *memory, size_t n_bytes)
{
    const i4 *at = memory;
    i4 sum[8] = {{0}};
    double total = 0;
    for (size_t i = 0; i < n_bytes / sizeof *at; i += 8) {
#pragma GCC unroll 8
        for (int c = 0; c < 8; c++)
            sum[c] ^= at[i + (size_t)c];
    }
    for (int c = 0; c < 8; c++)
        total += (double)(sum[c][0] ^ sum[c][1] ^ sum[c][2] ^ sum[c][3]);
    return total;
}

const peak_loops peak_avx2 = {.fma = multiply_add, .fma_round = CHAINS * 8, .read = read_all};
