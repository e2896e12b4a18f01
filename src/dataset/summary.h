/*
 * summary.h - what one version of a table says of itself, in numbers
 * Threads: any; no file is opened.
 */
#ifndef PN_DATASET_SUMMARY_H
#define PN_DATASET_SUMMARY_H

#include "dataset/dataset.h"

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

#endif
