/*
 * deletion.h - deletion files <-> words of bits
 */
#ifndef PN_DATASET_DELETION_H
#define PN_DATASET_DELETION_H

#include <table.pb-c.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"
#include "os/sync_list.h"

/* Read the deletion file of a fragment into words [pn_words_for_bits(n_rows)] (1 = deleted), allocated by pn_alloc. */
PN_NODISCARD pn_status pn_deletion_read(const char *table, uint64_t fragment_id,
                                        const Pn__Table__DeletionFile *file, uint32_t n_rows,
                                        uint64_t **words, pn_error *err);

/* The same from memory: bitmap says which kind it is, name is for messages. */
PN_NODISCARD pn_status pn_deletion_parse(const uint8_t *bytes, size_t n, const char *name,
                                         bool bitmap, uint32_t n_rows, uint64_t **words,
                                         pn_error *err);

/* Words of n_rows bits as the bytes of a bitmap behind what out has; *count of them are set. */
PN_NODISCARD pn_status pn_bitmap_write(const uint64_t *words, uint32_t n_rows, pn_buffer *out,
                                       uint64_t *count, pn_error *err);

/* Write words as a new file of the bitmap kind and describe it in *out. File and name are on the disk once unsynced is settled. */
PN_NODISCARD pn_status pn_deletion_write(const char *table, uint64_t fragment_id,
                                         uint64_t read_version, const uint64_t *words,
                                         uint32_t n_rows, pn_sync_list *unsynced,
                                         Pn__Table__DeletionFile *out, pn_error *err);

/* Remove such a file again: the version it was written for never came to be. Faults are ignored: it only takes room. */
void pn_deletion_remove(const char *table, uint64_t fragment_id,
                        const Pn__Table__DeletionFile *file);

#endif
