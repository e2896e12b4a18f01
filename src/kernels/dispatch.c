/*
 * dispatch.c - filling the table once, low to high; the last writer wins
 *
 * The table is the only mutable global of the library, and it is written under pthread_once before anybody can see
 * it. PN_CPU caps the level: for tests, for bisecting a wrong number, and for valgrind, which has no AVX-512.
 */
#include "kernels/kernels.h"

#include "kernels/cpu.h"
#include "kernels/internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void init(pn_kernels *k, unsigned cpu)
{
    k->level = "portable";
    k->fast_i8 = false;
    k->bf16_is_fast = false;
    pn_distance_init_portable(k);
    pn_convert_init_portable(k);
    pn_activation_init_portable(k);
    pn_gemm_init_portable(k);
    pn_quant_init_portable(k);
    pn_codes_init_portable(k);
    pn_gemm_bf16_init_portable(k);
    pn_resample_init_portable(k);
#if defined(__x86_64__)
    if (cpu & PN_CPU_AVX2) {
        k->level = "avx2";
        pn_distance_init_avx2(k);
        pn_convert_init_avx2(k);
        pn_activation_init_avx2(k);
        pn_gemm_init_avx2(k);
        pn_quant_init_avx2(k);
        pn_codes_init_avx2(k);
        pn_resample_init_avx2(k);
    }
    if (cpu & PN_CPU_AVX512) {
        k->level = "avx512";
        pn_distance_init_avx512(k);
        pn_convert_init_avx512(k);
        pn_activation_init_avx512(k);
        pn_gemm_init_avx512(k);
        pn_quant_init_avx512(k);
        pn_codes_init_avx512(k);
        pn_resample_init_avx512(k);
    }
    if (cpu & PN_CPU_AVX512BF16) {
        k->level = "avx512bf16";
        pn_gemm_bf16_init_avx512bf16(k);
    }
    if (cpu & PN_CPU_AMX) {
        k->level = "amx";
        pn_quant_init_amx(k);
        k->bf16_is_fast =
            false; /* vdpbf16ps has half of the rate of an FMA there (44 to 83 G/s), and twice on Zen 4 */
    }
#elif defined(__aarch64__)
    if (cpu & PN_CPU_NEON) {
        k->level = "neon";
        pn_distance_init_neon(k);
        pn_convert_init_neon(k);
        pn_activation_init_neon(k);
        pn_gemm_init_neon(k);
        pn_codes_init_neon(k);
        pn_quant_init_neon(k);
    }
    if (cpu & PN_CPU_DOTPROD) {
        k->level = "dotprod";
        pn_quant_init_dotprod(k);
    }
    if (cpu & PN_CPU_I8MM) {
        k->level = "i8mm";
        pn_quant_init_i8mm(k);
    }
#else
    (void)cpu; /* another processor: portable C is all there is */
#endif
}

static pn_kernels table;
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void init_table(void)
{
    init(&table, pn_cpu_detect() & pn_cpu_mask(getenv("PN_CPU")));
}

const pn_kernels *pn_kernels_get(void)
{
    (void)pthread_once(&table_once, init_table); /* fails only for an invalid control block */
    return &table;
}

bool pn_kernels_init_level(pn_kernels *out, const char *level)
{
    pn_kernels k;
    init(&k, pn_cpu_detect() & pn_cpu_mask(level));
    if (strcmp(k.level, level) != 0)
        return false;
    *out = k;
    return true;
}
