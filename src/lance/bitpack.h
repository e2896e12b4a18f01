/*
 * bitpack.h - FastLanes bit packing: units of 1,024 values
 *
 * A unit of 1,024 T-bit values packed to w bits is 1024 * w / T words of T bits. With lanes = 1024 / T, the value of row r and
 * lane l has the index order[r / 8] * 16 + (r % 8) * 128 + l, order = 0 4 2 6 1 5 3 7; it occupies the bits r * w and up of
 * its lane, whose k-th word is word lanes * k + l.
 * Source: Afroozeh, Boncz, "The FastLanes Compression Layout", VLDB 2023.
 */
#ifndef PN_LANCE_BITPACK_H
#define PN_LANCE_BITPACK_H

#include "base/compiler.h"

enum { PN_BITPACK_UNIT = 1024 };

/* T is 8, 16, 32 or 64; w <= T. packed has 1024 * w / 8 bytes; out gets 1,024 values of T / 8 bytes, little-endian. */
void pn_bitpack_unpack(unsigned T, unsigned w, const uint8_t *packed, uint8_t *out);

#endif
