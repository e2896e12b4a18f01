/*
 * decimal_text.h - decimals of 128 and 256 bits <-> digits
 * Threads: pure.
 */
#ifndef PN_TRANSFER_DECIMAL_TEXT_H
#define PN_TRANSFER_DECIMAL_TEXT_H

#include "base/compiler.h"
#include "base/str.h"

enum { PN_DECIMAL_MAX_BYTES = 32 };
/* 78 digits, sign, point, and zeros in front of or behind them for the scales that are allowed. */
enum { PN_DECIMAL_MAX_SCALE = 76, PN_DECIMAL_TEXT_BYTES = 200 };

/* "-12.50" of a little-endian two's complement integer of n_bytes (16 or 32) times 10^-scale. False: the scale is out of bounds. */
PN_NODISCARD bool pn_decimal_to_text(const uint8_t *bytes, size_t n_bytes, int32_t scale,
                                     char out[PN_DECIMAL_TEXT_BYTES]);

/* The other way: digits with or without sign, point and exponent. False: not a number, it has digits behind the scale, or more than precision,
 * or does not fit the bytes. */
PN_NODISCARD bool pn_decimal_from_text(pn_str text, int32_t precision, int32_t scale,
                                       uint8_t *bytes, size_t n_bytes);

#endif
