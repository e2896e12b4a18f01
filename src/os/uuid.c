/*
 * uuid.c - libuuid and the kernel's random bytes
 */
#include "os/uuid.h"

#include "base/compiler.h"

#include <sys/random.h>
#include <uuid/uuid.h>

void pn_uuid_make(uint8_t out[16])
{
    uuid_generate_random(out);
}

void pn_uuid_text(const uint8_t uuid[16], char out[PN_UUID_TEXT_BYTES])
{
    uuid_unparse_lower(uuid, out);
}

void pn_random_bytes(void *out, size_t n)
{
    uint8_t *at = out;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        pn_assert(got > 0); // the pool is ready long before any program of ours runs
        at += got;
        n -= (size_t)got;
    }
}
