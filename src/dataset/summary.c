/*
 * summary.c - what one version of a table says of itself, in numbers
 */
#include "dataset/summary.h"

#include "dataset/internal.h"

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

void pn_dataset_summarize(const pn_dataset *dataset, pn_dataset_summary *out)
{
    const Pn__Table__Manifest *m = dataset->manifest.message;
    *out = (pn_dataset_summary){
        .n_rows = dataset->n_rows,
        .n_fragments = dataset->n_fragments,
        .data_bytes = pn_dataset_data_bytes(dataset),
        .reader_flags = m->reader_feature_flags,
        .writer_flags = m->writer_feature_flags,
        .operation = pn_transaction_name(dataset->manifest.transaction),
        .data_format = m->data_format ? or_empty(m->data_format->version) : "",
        .writer = m->writer_version ? or_empty(m->writer_version->library) : "",
        .writer_version = m->writer_version ? or_empty(m->writer_version->version) : ""};
    for (size_t i = 0; i < dataset->n_fragments; i++) {
        out->n_deleted += dataset->fragments[i].n_deleted;
        out->n_data_files += dataset->fragments[i].message->n_files;
        out->n_deletion_files += dataset->fragments[i].message->deletion_file != NULL;
    }
}
