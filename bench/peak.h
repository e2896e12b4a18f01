/*
 * peak.h - what a core does at best: loops over registers and over memory, one set for each instruction set
 *
 * A loop runs `rounds` times and returns something made of its results, so that nothing is left out. bench_limits.c times them.
 */
#ifndef PN_BENCH_PEAK_H
#define PN_BENCH_PEAK_H

#include <stddef.h>

typedef struct peak_loops {
    double (*fma)(long rounds, float seed); /* multiply-adds of f32 */
    double fma_round;                       /* so many in a round */
    double (*int8)(long rounds,
                   int seed); /* multiply-adds of u8 x s8 into 32 bits; NULL: no such instruction */
    double int8_round;
    double (*read)(const void *memory,
                   size_t n_bytes); /* n_bytes a multiple of 1024, memory aligned to 64 */
} peak_loops;

extern const peak_loops peak_avx2, peak_avx512;

#endif
