/*
 * tags.h - names for versions
 *
 * A tag belongs to the table, not to a version, so these take the table's folder. Threads: any; each change is one rename.
 * Errors: INVALID: not a name for a tag (letters, digits, '.', '-', '_'); NOT_FOUND; CORRUPT names the file; IO.
 */
#ifndef PN_DATASET_TAGS_H
#define PN_DATASET_TAGS_H

#include "dataset/manifest.h"

typedef struct pn_tag {
    const char *name;
    uint64_t version;
    uint64_t
        manifest_bytes; /* of that version's manifest when the tag was made; 0: it does not say */
} pn_tag;

/* Sorted by name; in arena. Tags of branches are left out. */
PN_NODISCARD pn_status pn_dataset_tags(const char *table, pn_arena *arena, pn_tag **out, size_t *n,
                                       pn_error *err);
/* Is the tag's version there, with the manifest that it had? CORRUPT: no. */
PN_NODISCARD pn_status pn_dataset_tag_check(const char *table, pn_manifest_scheme scheme,
                                            const pn_tag *tag, pn_arena *scratch, pn_error *err);
/* Of one tag: OK, or what is wrong with its file, which is named from the table's folder. Another answer than OK ends the check with it. */
typedef pn_status (*pn_tag_judge)(void *context, const char *file, pn_status status,
                                  const pn_error *why, pn_error *err);
/* Every file of a tag, by itself, and whether its version is there. */
PN_NODISCARD pn_status pn_dataset_tags_check(const char *table, pn_manifest_scheme scheme,
                                             pn_tag_judge judge, void *context, pn_error *err);
PN_NODISCARD pn_status pn_dataset_tag_version(const char *table, const char *name,
                                              uint64_t *version, pn_error *err);
/* EXISTS; NOT_FOUND: no such version. */
PN_NODISCARD pn_status pn_dataset_tag_create(const char *table, const char *name, uint64_t version,
                                             pn_error *err);
/* Let a tag that is there name another version. UNSUPPORTED: it is of a branch. */
PN_NODISCARD pn_status pn_dataset_tag_move(const char *table, const char *name, uint64_t version,
                                           pn_error *err);
PN_NODISCARD pn_status pn_dataset_tag_delete(const char *table, const char *name, pn_error *err);

#endif
