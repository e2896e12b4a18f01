/*
 * internal.h - what the files of this room hand to dispatch.c
 *
 * pn_<family>_init_<level>() overwrites the entries of its family that this level does better.
 */
#ifndef PN_KERNELS_INTERNAL_H
#define PN_KERNELS_INTERNAL_H

#include "kernels/kernels.h"

void pn_distance_init_portable(pn_kernels *k);
#if defined(__x86_64__)
void pn_distance_init_avx2(pn_kernels *k);
void pn_distance_init_avx512(pn_kernels *k);
#elif defined(__aarch64__)
void pn_distance_init_neon(pn_kernels *k);
#endif

#endif
