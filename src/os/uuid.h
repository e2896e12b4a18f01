/*
 * uuid.h - names for new files, and random bytes (libuuid). Threads: any.
 */
#ifndef PN_OS_UUID_H
#define PN_OS_UUID_H

#include <stddef.h>
#include <stdint.h>

#define PN_UUID_TEXT_BYTES 37
void pn_uuid_make(uint8_t out[16]); /* version 4 */
void pn_uuid_text(const uint8_t uuid[16], char out[PN_UUID_TEXT_BYTES]);
void pn_random_bytes(void *out, size_t n);

#endif
