/*
 * deletion_arrow.h - deletion files of the Arrow kind: one uint32 column of offsets
 */
#ifndef PN_LANCE_DELETION_ARROW_H
#define PN_LANCE_DELETION_ARROW_H

#include "base/arena.h"
#include "base/status.h"

/* The offsets, unsorted, in arena. name is for messages. CORRUPT, UNSUPPORTED (a compression), LIMIT. */
PN_NODISCARD pn_status pn_lance_deletion_arrow_parse(const uint8_t *bytes, size_t n,
                                                     const char *name, pn_arena *arena,
                                                     uint32_t **offsets, size_t *n_offsets,
                                                     pn_error *err);

#endif
