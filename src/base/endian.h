/*
 * endian.h - little-endian loads and stores at any address
 *
 * Every format of this house is little-endian. memcpy compiles to one move; the swap on big-endian machines
 * is the compiler's.
 */
#ifndef PN_BASE_ENDIAN_H
#define PN_BASE_ENDIAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t pn_load_le16(const void *at)
{
    uint16_t v;
    memcpy(&v, at, sizeof v);
    return le16toh(v);
}

static inline uint32_t pn_load_le32(const void *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return le32toh(v);
}

static inline uint64_t pn_load_le64(const void *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return le64toh(v);
}

static inline void pn_store_le16(void *at, uint16_t v)
{
    v = htole16(v);
    memcpy(at, &v, sizeof v);
}

static inline void pn_store_le32(void *at, uint32_t v)
{
    v = htole32(v);
    memcpy(at, &v, sizeof v);
}

static inline void pn_store_le64(void *at, uint64_t v)
{
    v = htole64(v);
    memcpy(at, &v, sizeof v);
}

#endif
