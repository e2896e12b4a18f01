/*
 * manifest.h - one version of a table as it lies on disk
 *
 * Names: scheme V2 is 20 digits of 2^64 - 1 - version, so that the newest sorts first; V1 is the plain number. A table keeps
 * its scheme.
 */
#ifndef PN_DATASET_MANIFEST_H
#define PN_DATASET_MANIFEST_H

#include <table.pb-c.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"

typedef enum pn_manifest_scheme { PN_MANIFEST_V1, PN_MANIFEST_V2 } pn_manifest_scheme;

typedef struct pn_manifest {
    Pn__Table__Manifest *message;
    uint8_t *index_section; /* the message's bytes without their length; owned; NULL: none */
    size_t index_section_bytes;
    Pn__Table__Transaction *transaction; /* inlined or from its file; NULL: neither is there */
} pn_manifest;

typedef struct pn_version_list {
    uint64_t *versions; /* ascending; in the arena given */
    size_t n;
    pn_manifest_scheme scheme; /* V2 for a table without versions */
} pn_version_list;

/* NOT_FOUND when the table's folder has no _versions or no manifest in it. */
PN_NODISCARD pn_status pn_manifest_list(const char *table, pn_arena *arena, pn_version_list *out,
                                        pn_error *err);
/* "<table>/_versions/<name>" in arena; NULL: no memory. */
PN_NODISCARD char *pn_manifest_path(const char *table, uint64_t version, pn_manifest_scheme scheme,
                                    pn_arena *arena);

/* Errors name the file: NOT_FOUND, CORRUPT, LIMIT, IO. */
PN_NODISCARD pn_status pn_manifest_read(const char *table, uint64_t version,
                                        pn_manifest_scheme scheme, pn_manifest *out, pn_error *err);
/* The same from memory, without a look for the transaction's own file. name is for messages. */
PN_NODISCARD pn_status pn_manifest_parse(const uint8_t *bytes, size_t n, const char *name,
                                         pn_manifest *out, pn_error *err);
void pn_manifest_free(pn_manifest *manifest); /* a zeroed one is welcome */

/* The bytes of the file into the empty out: index section, transaction, manifest, tail. Sets the two section fields of
 * message. CORRUPT when they could not be read again. */
PN_NODISCARD pn_status pn_manifest_encode(Pn__Table__Manifest *message,
                                          const uint8_t *index_section, size_t index_section_bytes,
                                          const Pn__Table__Transaction *transaction, pn_buffer *out,
                                          pn_error *err);

/* The version that latest_version_hint.json tells, 0 when it tells none. It may be anything: old, or too high. */
uint64_t pn_manifest_hint(const char *table);

/* When the version was committed; 0 when that is not known. */
int64_t pn_manifest_time_ms(const Pn__Table__Manifest *message);
/* Rows that are not deleted, as the manifest counts them. */
uint64_t pn_manifest_rows(const Pn__Table__Manifest *message);

#endif
