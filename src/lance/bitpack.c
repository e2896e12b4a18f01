/*
 * bitpack.c - unpacking, a value at a time
 *
 * Written to be read: it is the definition. A page is unpacked once per look, and the columns that are packed are the narrow
 * ones.
 */
#include "lance/bitpack.h"

#include <string.h>

static uint64_t load_word(const uint8_t *packed, size_t index, unsigned bytes)
{
    uint64_t word = 0;
    memcpy(&word, packed + index * bytes, bytes); // little-endian
    return word;
}

void pn_bitpack_unpack(unsigned T, unsigned w, const uint8_t *packed, uint8_t *out)
{
    static const unsigned order[] = {0, 4, 2, 6, 1, 5, 3, 7};
    unsigned lanes = PN_BITPACK_UNIT / T, bytes = T / 8;
    uint64_t mask = w == 64 ? ~(uint64_t)0 : ((uint64_t)1 << w) - 1;
    for (unsigned l = 0; l < lanes; l++) {
        for (unsigned r = 0; r < T; r++) {
            uint64_t value = 0;
            if (w > 0) {
                unsigned first_bit = r * w, k = first_bit / T, shift = first_bit % T;
                value = load_word(packed, lanes * k + l, bytes) >> shift;
                if (shift + w > T) // the rest is at the bottom of the lane's next word
                    value |= load_word(packed, lanes * (k + 1) + l, bytes) << (T - shift);
            }
            value &= mask;
            size_t index = order[r / 8] * 16 + (r % 8) * 128 + l;
            memcpy(out + index * bytes, &value, bytes);
        }
    }
}
