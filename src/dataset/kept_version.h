/*
 * kept_version.h - may a clean-up believe what a version that stays says of its files?
 *
 * A clean-up removes what no version names. So a name that was damaged makes the real file one that nobody needs, and a field that is not
 * known may name files that are not looked for. Threads: one.
 */
#ifndef PN_DATASET_KEPT_VERSION_H
#define PN_DATASET_KEPT_VERSION_H

#include "base/keyset.h"
#include "dataset/checksums.h"
#include "dataset/manifest.h"

typedef struct pn_kept_check {
    const char *table;
    pn_manifest_scheme scheme;
    const pn_checksums *sums; /* NULL: the table has none */
    pn_keyset *there;         /* files that were looked for and are there: versions share theirs */
    pn_arena *scratch;
} pn_kept_check;

/*
 * Is the version whole, and is all of it known?
 *
 * Errors: CORRUPT: it names a data file or a deletion file that is not there, or its manifest is not the one that checksums were recorded of;
 *         UNSUPPORTED: it has marks or fields of a program to come, or files elsewhere; IO, NOMEM.
 */
PN_NODISCARD pn_status pn_kept_version_check(const pn_kept_check *c, const pn_manifest *manifest,
                                             pn_error *err);

/* "data/<path>" and "_deletions/<name>" as the version names them. In arena; NULL: no memory. */
char *pn_kept_file_name(const Pn__Table__DataFile *file, pn_arena *arena);
char *pn_kept_deletion_name(const Pn__Table__DataFragment *fragment, pn_arena *arena);

/*
 * Does _versions have files that stand for versions which are not listed: detached ones, or a newest one that is gone and that the hint
 * names? list is read after the hint. Errors: UNSUPPORTED, CORRUPT, IO, NOMEM.
 */
PN_NODISCARD pn_status pn_kept_versions_are_all(const char *table, uint64_t hint,
                                                const pn_version_list *list, pn_arena *scratch,
                                                pn_error *err);

#endif
