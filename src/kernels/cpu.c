/*
 * cpu.c - asking the processor once
 *
 * A level is a bundle of instruction sets: a processor that has AVX-512F without VNNI (Skylake-X) is treated as AVX2.
 * Fewer combinations mean that each of them is tested. The compiler's own query is used because it also asks the
 * operating system whether the wide registers are saved at a task switch; this file is the only one that does so.
 *
 * The tiles of AMX are not only asked for but requested: Linux gives a process their 8 KB of state after arch_prctl()
 * alone, for all its threads and for good. It says no before 5.16, and when a thread has a signal stack that is too small
 * for them; then the level is not there. glibc has no function for the call.
 */
#include "kernels/cpu.h"

#include <string.h>
#if defined(__x86_64__)
#    include <cpuid.h>
#    include <sys/syscall.h>
#    include <unistd.h>
#elif defined(__aarch64__)
#    include <sys/auxv.h>
#endif

#if defined(__x86_64__)
enum {
    CPUID_OSXSAVE = 1u << 27,  /* leaf 1, ecx */
    CPUID_AMX_TILE = 1u << 24, /* leaf 7, edx */
    CPUID_AMX_INT8 = 1u << 25, /* leaf 7, edx */
    XCR0_TILES = 3u << 17,     /* shapes and data */
    ASK_FOR_STATE = 0x1023,    /* ARCH_REQ_XCOMP_PERM of <asm/prctl.h>, since Linux 5.16 */
    STATE_OF_TILES = 18        /* XFEATURE_XTILEDATA */
};

/* What the operating system saves at a task switch. Only where it has set CPUID_OSXSAVE. */
static unsigned saved_state(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static bool may_use_tiles(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & CPUID_OSXSAVE))
        return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return false;
    if (!(d & CPUID_AMX_TILE) || !(d & CPUID_AMX_INT8))
        return false;
    if ((saved_state() & XCR0_TILES) != XCR0_TILES)
        return false;
    return syscall(SYS_arch_prctl, ASK_FOR_STATE, STATE_OF_TILES) == 0;
}
#endif

#if defined(__aarch64__)
enum {
    ARM_ASIMDDP = 1u << 20, /* HWCAP_ASIMDDP of <asm/hwcap.h> */
    ARM_I8MM = 1u << 13     /* HWCAP2_I8MM, which headers before Linux 5.6 do not have */
};
#endif

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
    if ((found & PN_CPU_AVX512) && __builtin_cpu_supports("avx512bf16"))
        found |= PN_CPU_AVX512BF16;
    if ((found & PN_CPU_AVX512BF16) && may_use_tiles())
        found |= PN_CPU_AMX;
#elif defined(__aarch64__)
    found |= PN_CPU_NEON;
    if (getauxval(AT_HWCAP) & ARM_ASIMDDP)
        found |= PN_CPU_DOTPROD;
    if ((found & PN_CPU_DOTPROD) && (getauxval(AT_HWCAP2) & ARM_I8MM))
        found |= PN_CPU_I8MM;
#endif
    return found;
}

unsigned pn_cpu_mask(const char *level)
{
    static const struct {
        const char *name;
        unsigned allowed;
    } levels[] = {{"portable", 0},
                  {"avx2", PN_CPU_AVX2},
                  {"avx512", PN_CPU_AVX2 | PN_CPU_AVX512},
                  {"avx512bf16", PN_CPU_AVX2 | PN_CPU_AVX512 | PN_CPU_AVX512BF16},
                  {"neon", PN_CPU_NEON},
                  {"dotprod", PN_CPU_NEON | PN_CPU_DOTPROD}};
    for (size_t i = 0; level && i < PN_COUNT_OF(levels); i++)
        if (strcmp(level, levels[i].name) == 0)
            return levels[i].allowed;
    return ~0u;
}
