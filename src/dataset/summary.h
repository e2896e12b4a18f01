/*
 * summary.h - what one version of a table says of itself, in numbers
 * Threads: any.
 */
#ifndef PN_DATASET_SUMMARY_H
#define PN_DATASET_SUMMARY_H

#include "dataset/dataset.h"

/* From the manifest alone: no other file is opened. */
typedef struct pn_dataset_summary {
    uint64_t n_rows, n_deleted; /* deleted ones still lie in the data files */
    uint64_t n_fragments, n_data_files, n_deletion_files;
    uint64_t data_bytes;
    uint64_t reader_flags, writer_flags;
    const char *operation;               /* "append", ...: what made this version */
    const char *data_format;             /* "2.2"; lives with the dataset, as do the next two */
    const char *writer, *writer_version; /* "" when nobody is named */
} pn_dataset_summary;

void pn_dataset_summarize(const pn_dataset *dataset, pn_dataset_summary *out);

/* What the pages of a top-level column take in the data files of this version. Opens all of them. */
PN_NODISCARD pn_status pn_dataset_column_bytes(pn_dataset *dataset, size_t column, uint64_t *out,
                                               pn_error *err);

typedef struct pn_version_survey {
    uint64_t version;
    const char *problem; /* why it cannot be read; NULL: the rest holds */
    int64_t timestamp_ms;
    uint64_t n_rows;
    const char *operation;
} pn_version_survey;
/* Like pn_dataset_list_versions(), and goes on behind a manifest that cannot be read. The array lives in arena. */
PN_NODISCARD pn_status pn_dataset_survey_versions(const char *path, pn_arena *arena,
                                                  pn_version_survey **out, size_t *n,
                                                  pn_error *err);

/* Bytes of the files in the folder of a table, by the folder they lie in. */
typedef struct pn_disk_bytes {
    uint64_t data, deletions, versions, transactions, indices, other;
} pn_disk_bytes;
PN_NODISCARD pn_status pn_dataset_disk_bytes(const char *path, pn_disk_bytes *out, pn_error *err);

#endif
