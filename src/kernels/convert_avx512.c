/*
 * convert_avx512.c - f16 and bf16 to f32, 16 at a time, tails under a mask
 */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512VL__)
#    error "build this file with -mavx512f -mavx512bw -mavx512vl"
#endif
#include "kernels/internal.h"

#include <immintrin.h>

enum { LANES = 16 };

static PN_ALWAYS_INLINE void convert(float *out, const uint8_t *in, size_t n, const bool bf16)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = (__mmask16)(n - i >= LANES ? 0xFFFFu : 0xFFFFu >> (LANES - (n - i)));
        __m256i narrow = _mm256_maskz_loadu_epi16(mask, in + 2 * i);
        __m512 wide =
            bf16 ? _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16))
                 : _mm512_cvtph_ps(narrow);
        _mm512_mask_storeu_ps(out + i, mask, wide);
    }
}

static void f16_to_f32(float *out, const void *in, size_t n)
{
    convert(out, in, n, false);
}

static void bf16_to_f32(float *out, const void *in, size_t n)
{
    convert(out, in, n, true);
}

void pn_convert_init_avx512(pn_kernels *k)
{
    k->f16_to_f32 = f16_to_f32;
    k->bf16_to_f32 = bf16_to_f32;
}
