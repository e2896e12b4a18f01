/*
 * id_source.h - ids for one process's rows, without a look at the disk for each of them
 *
 * The counter of the table (id_counter.h) lies on disk, and raising it waits for the disk twice. Who inserts row by row so takes some more
 * than it needs, the more the longer it goes on, and gives back what is left in the end. A crash, or others who begin to
 * insert meanwhile, leave a gap of up to PN_IDS_ASIDE_MAX. What others added meanwhile is looked at, but only what is new.
 *
 * Threads: one at a time.
 */
#ifndef PN_COLLECTION_ID_SOURCE_H
#define PN_COLLECTION_ID_SOURCE_H

#include "dataset/dataset.h"

enum { PN_IDS_ASIDE_MAX = 4096 };

/* Zero it first. */
typedef struct pn_id_source {
    int64_t next, end;       /* put aside */
    uint64_t version;        /* that was looked at; 0: none */
    uint32_t first_fragment; /* which came later have ids from here on */
    int64_t above;           /* no row of that version has an id from here on */
    size_t n_taken;
} pn_id_source;

/* folder: of the table's own files, made when it is not there. Waits for other processes. */
PN_NODISCARD pn_status pn_id_source_take(pn_id_source *source, const char *folder,
                                         pn_dataset *dataset, size_t n, int64_t *first,
                                         pn_error *err);
/* The rows are in, as this version, which was made of `read`. */
void pn_id_source_settle(pn_id_source *source, const pn_dataset *read, const pn_dataset *made);
/* Give back what is left. */
void pn_id_source_end(pn_id_source *source, const char *folder);

#endif
