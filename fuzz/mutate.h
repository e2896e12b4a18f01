/*
 * mutate.h - mutations that keep the shape of a file
 *
 * Bytes that are changed at random rarely get behind the first check of a format: a length no longer fits, a position points outside. These
 * change one thing inside of a file and write the rest so that it fits: a number, a list, a branch of a message; the bytes of one
 * buffer, whose place is told anew. A target's LLVMFuzzerCustomMutator() chooses between them and libFuzzer's own.
 */
#ifndef PN_FUZZ_MUTATE_H
#define PN_FUZZ_MUTATE_H

#include "base/rng.h"

#include <protobuf-c/protobuf-c.h>

/* libFuzzer's; in a replay standalone.c has one that changes a byte or two. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t max, unsigned seed);

/*
 * A packed message, changed in one place of its tree and packed again.
 * bytes  [max]; n are in use
 * Returns the new n; the old one when the bytes are no such message, or the new message would have over max bytes.
 */
size_t fuzz_mutate_message(const ProtobufCMessageDescriptor *type, uint8_t *bytes, size_t n,
                           size_t max, pn_rng *rng);

/* A whole Lance data file: a field of its schema, of a column's metadata, of a page's layout; bytes of a buffer; a number of the
 * footer. Positions are told anew. Returns the new n, as above. */
size_t fuzz_mutate_lance_file(uint8_t *bytes, size_t n, size_t max, pn_rng *rng);

#endif
