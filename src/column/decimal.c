/*
 * decimal.c - decimals of 128 and 256 bits <-> digits and numbers
 *
 * Long division and multiplication by ten over limbs of 32 bits, as one does on paper: the numbers are short, and no compiler of ours has
 * 256-bit integers.
 */
#include "column/decimal.h"

#include "base/endian.h"

#include <string.h>

enum { MAX_LIMBS = PN_DECIMAL_MAX_BYTES / 4, MAX_DIGITS = 80 };

typedef struct limbs {
    uint32_t limb[MAX_LIMBS]; /* least significant first */
    size_t n;
} limbs;

static void negate(limbs *x)
{
    uint64_t carry = 1;
    for (size_t i = 0; i < x->n; i++) {
        carry += (uint32_t)~x->limb[i];
        x->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static bool is_zero(const limbs *x)
{
    for (size_t i = 0; i < x->n; i++)
        if (x->limb[i] != 0)
            return false;
    return true;
}

/* x = x / 10; the remainder. */
static unsigned divide_by_ten(limbs *x)
{
    uint64_t rest = 0;
    for (size_t i = x->n; i-- > 0;) {
        rest = rest << 32 | x->limb[i];
        x->limb[i] = (uint32_t)(rest / 10);
        rest %= 10;
    }
    return (unsigned)rest;
}

/* x = x * 10 + digit; false when it does not fit the limbs. */
static bool times_ten_plus(limbs *x, unsigned digit)
{
    uint64_t carry = digit;
    for (size_t i = 0; i < x->n; i++) {
        carry += (uint64_t)x->limb[i] * 10;
        x->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return carry == 0;
}

bool pn_decimal_to_text(const uint8_t *bytes, size_t n_bytes, int32_t scale,
                        char out[PN_DECIMAL_TEXT_BYTES])
{
    limbs x = {.n = n_bytes / 4};
    char digits[MAX_DIGITS + PN_DECIMAL_MAX_SCALE + 2]; // last one first
    size_t n = 0, at = 0;
    pn_assert(n_bytes == 16 || n_bytes == PN_DECIMAL_MAX_BYTES);
    if (scale > PN_DECIMAL_MAX_SCALE || scale < -PN_DECIMAL_MAX_SCALE)
        return false;
    for (size_t i = 0; i < x.n; i++)
        x.limb[i] = pn_load_le32(bytes + 4 * i);
    bool negative = x.limb[x.n - 1] >> 31 != 0;
    if (negative)
        negate(&x);
    for (int32_t i = 0; i < -scale && !is_zero(&x); i++)
        digits[n++] = '0';
    while (!is_zero(&x) || n == 0 || (scale > 0 && n <= (size_t)scale))
        digits[n++] = (char)('0' + divide_by_ten(&x));
    if (negative)
        out[at++] = '-';
    while (n > 0) {
        if (scale > 0 && n == (size_t)scale)
            out[at++] = '.';
        out[at++] = digits[--n];
    }
    out[at] = '\0';
    return true;
}

/* A number taken apart: the digits of text before its exponent, and how far the point is from their end. */
typedef struct parts {
    pn_str digits; /* a point may be among them */
    bool negative;
    int64_t exponent; /* of the last digit */
} parts;

static bool take_apart(pn_str text, parts *out)
{
    bool point = false;
    size_t n_digits = 0;
    *out = (parts){0};
    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+')) {
        out->negative = text.ptr[0] == '-';
        text = pn_str_make(text.ptr + 1, text.len - 1);
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == 'e' || c == 'E') {
            int64_t exponent;
            size_t sign = i + 1 < text.len && text.ptr[i + 1] == '+';
            if (!pn_str_to_i64(pn_str_make(text.ptr + i + 1 + sign, text.len - i - 1 - sign),
                               &exponent) ||
                exponent > 1000 || exponent < -1000)
                return false;
            out->exponent += exponent;
            text.len = i;
            break;
        }
        if (c == '.' && !point)
            point = true;
        else if (c < '0' || c > '9')
            return false;
        else
            n_digits++;
        out->exponent -= point && c != '.';
    }
    out->digits = text;
    return n_digits > 0;
}

/* A number without its sign has so many digits at most. */
static bool within_precision(limbs x, int32_t precision)
{
    for (int32_t i = 0; i < precision && !is_zero(&x); i++)
        (void)divide_by_ten(&x); // the digit that goes
    return is_zero(&x);
}

bool pn_decimal_from_text(pn_str text, int32_t precision, int32_t scale, uint8_t *bytes,
                          size_t n_bytes)
{
    limbs x = {.n = n_bytes / 4};
    parts p;
    if (!take_apart(text, &p))
        return false;
    int64_t shift = p.exponent + scale; // zeros to add; negative: digits to lose, zeros alone
    size_t kept = p.digits.len;
    for (; shift < 0 && kept > 0; kept--) {
        char c = p.digits.ptr[kept - 1];
        if (c != '.' && c != '0')
            return false;
        shift += c != '.';
    }
    for (size_t i = 0; i < kept; i++)
        if (p.digits.ptr[i] != '.' && !times_ten_plus(&x, (unsigned)(p.digits.ptr[i] - '0')))
            return false;
    for (; shift > 0 && !is_zero(&x); shift--)
        if (!times_ten_plus(&x, 0))
            return false;
    if (!within_precision(x, precision))
        return false;
    if (p.negative)
        negate(&x);
    if (!is_zero(&x) && (x.limb[x.n - 1] >> 31 != 0) != p.negative)
        return false; // past the sign bit
    for (size_t i = 0; i < x.n; i++)
        pn_store_le32(bytes + 4 * i, x.limb[i]);
    return true;
}

bool pn_decimal_to_i64(const uint8_t *bytes, size_t n_bytes, int64_t *out)
{
    uint64_t low = pn_load_le64(bytes), sign = low >> 63 ? UINT64_MAX : 0;
    for (size_t i = 8; i < n_bytes; i += 8)
        if (pn_load_le64(bytes + i) != sign)
            return false;
    memcpy(out, &low, sizeof low);
    return true;
}

bool pn_decimal_to_double(const uint8_t *bytes, size_t n_bytes, int32_t scale, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}; // all exact
    char text[PN_DECIMAL_TEXT_BYTES];
    int64_t whole;
    if (scale >= 0 && (size_t)scale < PN_COUNT_OF(powers) &&
        pn_decimal_to_i64(bytes, n_bytes, &whole) && whole <= 1LL << 53 && whole >= -(1LL << 53)) {
        *out = (double)whole / powers[scale]; // of two exact numbers: rounded once
        return true;
    }
    return pn_decimal_to_text(bytes, n_bytes, scale, text) &&
           pn_str_to_double(pn_str_of(text), out);
}
