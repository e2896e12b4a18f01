/*
 * cpu.h - which instruction sets may be used here
 */
#ifndef PN_KERNELS_CPU_H
#define PN_KERNELS_CPU_H

#include "base/compiler.h"

/* Each level stands for a bundle that has to be there as a whole. */
typedef enum pn_cpu {
    PN_CPU_AVX2 = 1,       /* AVX2, FMA, F16C */
    PN_CPU_AVX512 = 2,     /* F, BW, DQ, VL, VNNI, and PN_CPU_AVX2 */
    PN_CPU_AVX512BF16 = 4, /* AVX512_BF16, and PN_CPU_AVX512 */
    PN_CPU_AMX = 8,        /* TILE, INT8, the system's leave to use them, and PN_CPU_AVX512BF16 */
    PN_CPU_NEON = 16,      /* every 64-bit Arm */
    PN_CPU_DOTPROD = 32,   /* dot products of signed bytes, and PN_CPU_NEON */
    PN_CPU_I8MM = 64       /* mixed signs, and PN_CPU_DOTPROD */
} pn_cpu;

/* Bits of pn_cpu that processor and operating system have. */
unsigned pn_cpu_detect(void);

/* The bits allowed up to a level ("portable" allows none). An unknown or NULL name allows all. */
unsigned pn_cpu_mask(const char *level);

#endif
