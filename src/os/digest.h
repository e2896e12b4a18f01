/*
 * digest.h - what a downloaded file is compared with (libcrypto)
 *
 * Hashes for which nobody can make another file on purpose; for all else base/hash.h is faster. Threads: pure calls.
 */
#ifndef PN_OS_DIGEST_H
#define PN_OS_DIGEST_H

#include "base/status.h"

typedef enum pn_digest_kind {
    PN_DIGEST_SHA256,  /* of the file */
    PN_DIGEST_GIT_BLOB /* SHA-1 of "blob <bytes>" NUL and the file: git's name for it */
} pn_digest_kind;

/* Lower-case hex digits and a NUL: 64, or 40 of a git blob. */
#define PN_DIGEST_TEXT_BYTES 65

/* Errors: NOT_FOUND, IO, NOMEM. Cost: one read of the file. */
PN_NODISCARD pn_status pn_digest_file(const char *path, pn_digest_kind kind,
                                      char out[PN_DIGEST_TEXT_BYTES], pn_error *err);

#endif
