/*
 * checksums.h - what the files of a table were when they were known to be sound
 *
 * <table>/_pennon/checksums: a line a file, "<XXH3-128> <bytes> <path>", and at the end one with the hash of all lines before it. The format
 * of Lance has no checksums: without these a changed value in a column of numbers is a number like any other.
 * Threads: one.
 */
#ifndef PN_DATASET_CHECKSUMS_H
#define PN_DATASET_CHECKSUMS_H

#include "base/hash.h"
#include "base/status.h"

typedef struct pn_checksum {
    const char *path; /* in the table's folder: "data/....lance" */
    uint64_t n_bytes;
    char hash[PN_HASH_TEXT_BYTES];
} pn_checksum;

typedef struct pn_checksums pn_checksums;

#define PN_CHECKSUMS_FILE "_pennon/checksums"

/* Of a table without them: none. Errors: CORRUPT (the list itself is damaged), IO, NOMEM. */
PN_NODISCARD pn_status pn_checksums_load(const char *table, pn_checksums **out, pn_error *err);
void pn_checksums_free(pn_checksums *sums); /* NULL is welcome */

const pn_checksum *pn_checksums_find(const pn_checksums *sums, const char *path); /* NULL: none */
size_t pn_checksums_count(const pn_checksums *sums);
const pn_checksum *pn_checksums_get(const pn_checksums *sums, size_t i);

/* Add one (its path is copied) to a list that is to be saved; the list is not searched afterwards. */
PN_NODISCARD pn_status pn_checksums_add(pn_checksums *sums, const pn_checksum *sum, pn_error *err);
PN_NODISCARD pn_status pn_checksums_create(pn_checksums **out, pn_error *err);
/* In the place of the table's old list, at once. */
PN_NODISCARD pn_status pn_checksums_save(pn_checksums *sums, const char *table, pn_error *err);

/* Size and hash of a file, read from end to end. */
PN_NODISCARD pn_status pn_checksum_file(const char *path, pn_checksum *out, pn_error *err);

#endif
