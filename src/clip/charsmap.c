/*
 * charsmap.c - longest match in a darts-clone double array
 *
 *     u32 n_bytes | n_bytes of units, u32 each, little-endian | replacements, NUL-terminated, one behind the other
 *
 * A unit is a node of the trie:
 *
 *     bit 31      set in a value (the other 31 bits are an offset into the replacements)
 *     bits 10-30  offset to the children's base, times 256 when bit 9 is set
 *     bit 8       a rule ends here: its value stands at the base itself, as the child of byte 0 would
 *     bits 0-7    the byte that leads here
 *
 * A child of byte b stands at base ^ b and is one only when its label is b. The array comes from a file: an index outside of it,
 * or a value outside of the replacements, is a rule that does not exist. A walk could go in circles, so it ends after as many
 * bytes as no rule has: the library's rules replace a few characters each.
 * Source: darts-clone 0.32 (S. Yata), the format in the file's own header; sentencepiece's normalizer for what is around it.
 */
#include "clip/charsmap.h"

#include "base/endian.h"

enum { MAX_RULE_BYTES = 256 };

pn_status pn_charsmap_parse(pn_str bytes, pn_charsmap *out, pn_error *err)
{
    const uint8_t *at = (const uint8_t *)bytes.ptr;
    *out = (pn_charsmap){0};
    if (bytes.len == 0)
        return PN_OK;
    size_t trie_bytes = bytes.len > 4 ? pn_load_le32(at) : 0;
    if (bytes.len <= 4 || trie_bytes >= bytes.len - 4 || trie_bytes % 4 != 0 || trie_bytes == 0)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "normalisation rules of %zu bytes cannot hold a trie of %zu", bytes.len,
                       trie_bytes);
    if (bytes.ptr[bytes.len - 1] != '\0')
        return pn_fail(err, PN_ERR_CORRUPT,
                       "the last replacement of the normalisation rules has "
                       "no end");
    *out = (pn_charsmap){.units = at + 4,
                         .n_units = trie_bytes / 4,
                         .strings = bytes.ptr + 4 + trie_bytes,
                         .n_strings = bytes.len - 4 - trie_bytes};
    return PN_OK;
}

static size_t base_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & (1u << 9)) >> 6);
}

/* The unit at i, or one that leads nowhere and has no label. */
static uint32_t unit_at(const pn_charsmap *map, size_t i)
{
    return i < map->n_units ? pn_load_le32(map->units + 4 * i) : 1u << 31;
}

size_t pn_charsmap_match(const pn_charsmap *map, pn_str text, pn_str *replacement)
{
    size_t longest = 0;
    if (map->n_units == 0)
        return 0;
    size_t node = base_of(unit_at(map, 0));
    for (size_t i = 0; i < text.len && i < MAX_RULE_BYTES; i++) {
        uint8_t byte = (uint8_t)text.ptr[i];
        node ^= byte;
        uint32_t unit = unit_at(map, node);
        if ((unit & (1u << 31 | 0xFF)) != byte)
            break;
        node ^= base_of(unit);
        size_t value = unit_at(map, node) & 0x7FFFFFFF;
        if ((unit >> 8 & 1) == 0 || value >= map->n_strings)
            continue;
        longest = i + 1;
        *replacement = pn_str_of(map->strings + value);
    }
    return longest;
}
