/*
 * decimal.h - decimals of 128 and 256 bits <-> digits and numbers
 *
 * A decimal is a little-endian two's complement integer of n_bytes (16 or 32) times 10^-scale.
 * Threads: pure.
 */
#ifndef PN_COLUMN_DECIMAL_H
#define PN_COLUMN_DECIMAL_H

#include "base/compiler.h"
#include "base/str.h"

enum { PN_DECIMAL_MAX_BYTES = 32 };
/* 78 digits, sign, point, and zeros in front of or behind them for the scales that are allowed. */
enum { PN_DECIMAL_MAX_SCALE = 76, PN_DECIMAL_TEXT_BYTES = 200 };

/* "-12.50". False: the scale is out of bounds. */
PN_NODISCARD bool pn_decimal_to_text(const uint8_t *bytes, size_t n_bytes, int32_t scale,
                                     char out[PN_DECIMAL_TEXT_BYTES]);

/* The other way: digits with or without sign, point and exponent. False: not a number, it has digits behind the scale, or more than precision,
 * or does not fit the bytes. */
PN_NODISCARD bool pn_decimal_from_text(pn_str text, int32_t precision, int32_t scale,
                                       uint8_t *bytes, size_t n_bytes);

/* The nearest double: of numbers of 15 digits at most no two give the same. False: the scale is out of bounds. */
PN_NODISCARD bool pn_decimal_to_double(const uint8_t *bytes, size_t n_bytes, int32_t scale,
                                       double *out);

/* A decimal of scale 0. False: it is beyond 64 bits. */
PN_NODISCARD bool pn_decimal_to_i64(const uint8_t *bytes, size_t n_bytes, int64_t *out);

#endif
