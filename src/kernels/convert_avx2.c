/*
 * convert_avx2.c - f16 and bf16 to f32, 8 at a time
 *
 * vcvtph2ps does the whole of f16 including subnormals; bf16 is a zero-extension and a shift. Tails go through a
 * zero-filled copy.
 */
#if !defined(__AVX2__) || !defined(__F16C__)
#    error "build this file with -mavx2 -mf16c"
#endif
#include "kernels/internal.h"

#include <immintrin.h>
#include <string.h>

enum { LANES = 8 };

static inline __m256 widen(__m128i narrow, bool bf16)
{
    if (!bf16)
        return _mm256_cvtph_ps(narrow);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(narrow), 16));
}

static PN_ALWAYS_INLINE void convert(float *out, const uint8_t *in, size_t n, const bool bf16)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m128i narrow = _mm_loadu_si128((const __m128i *)(const void *)(in + 2 * i));
        _mm256_storeu_ps(out + i, widen(narrow, bf16));
    }
    if (i < n) {
        uint8_t tail[2 * LANES] = {0};
        float wide[LANES];
        memcpy(tail, in + 2 * i, 2 * (n - i));
        _mm256_storeu_ps(wide, widen(_mm_loadu_si128((const __m128i *)(const void *)tail), bf16));
        memcpy(out + i, wide, (n - i) * sizeof *out);
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

void pn_convert_init_avx2(pn_kernels *k)
{
    k->f16_to_f32 = f16_to_f32;
    k->bf16_to_f32 = bf16_to_f32;
}
