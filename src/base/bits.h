/*
 * bits.h - bitmaps, least significant bit first, and words of bits
 *
 * Two shapes: bytes as Arrow and Lance store validity, and 64-bit words for masks in memory. On the
 * little-endian machines we run on, the second is the first with padding.
 */
#ifndef PN_BASE_BITS_H
#define PN_BASE_BITS_H

#include "base/compiler.h"

static inline size_t pn_bytes_for_bits(size_t n_bits)
{
    return n_bits / 8 + (n_bits % 8 != 0);
}

static inline size_t pn_words_for_bits(size_t n_bits)
{
    return n_bits / 64 + (n_bits % 64 != 0);
}

static inline bool pn_bit_get(const uint8_t *bits, size_t i)
{
    return (bits[i / 8] >> (i % 8)) & 1u;
}

static inline void pn_bit_set(uint8_t *bits, size_t i)
{
    bits[i / 8] = (uint8_t)(bits[i / 8] | (1u << (i % 8)));
}

static inline void pn_bit_clear(uint8_t *bits, size_t i)
{
    bits[i / 8] = (uint8_t)(bits[i / 8] & ~(1u << (i % 8)));
}

static inline bool pn_word_bit_get(const uint64_t *words, size_t i)
{
    return (words[i / 64] >> (i % 64)) & 1u;
}

static inline void pn_word_bit_set(uint64_t *words, size_t i)
{
    words[i / 64] |= (uint64_t)1 << (i % 64);
}

static inline unsigned pn_popcount64(uint64_t word)
{
    return (unsigned)__builtin_popcountll(word);
}

/* Index of the lowest set bit; word must not be 0. */
static inline unsigned pn_lowest_bit(uint64_t word)
{
    return (unsigned)__builtin_ctzll(word);
}

#endif
