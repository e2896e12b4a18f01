/*
 * cpu.c - asking the processor once
 *
 * A level is a bundle of instruction sets: a processor that has AVX-512F without VNNI (Skylake-X) is treated as AVX2.
 * Fewer combinations mean that each of them is tested. The compiler's own query is used because it also asks the
 * operating system whether the wide registers are saved at a task switch; this file is the only one that does so.
 */
#include "kernels/cpu.h"

#include <string.h>

unsigned pn_cpu_detect(void)
{
    unsigned found = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        found |= PN_CPU_AVX2; /* every processor with AVX2 has F16C: Haswell 2013, Excavator 2015 */
    if (found && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vnni"))
        found |= PN_CPU_AVX512;
#elif defined(__aarch64__)
    found |= PN_CPU_NEON;
#endif
    return found;
}

unsigned pn_cpu_mask(const char *level)
{
    if (level && strcmp(level, "portable") == 0)
        return 0;
    if (level && strcmp(level, "avx2") == 0)
        return PN_CPU_AVX2;
    if (level && strcmp(level, "neon") == 0)
        return PN_CPU_NEON;
    return PN_CPU_AVX2 | PN_CPU_AVX512 | PN_CPU_NEON;
}
