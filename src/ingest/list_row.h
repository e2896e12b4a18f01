/*
 * list_row.h - rows of a CSV or JSONL list -> work items
 *
 * Fed with pieces of any size. Threads: one at a time.
 */
#ifndef PN_INGEST_LIST_ROW_H
#define PN_INGEST_LIST_ROW_H

#include "ingest/source.h"

typedef enum pn_list_kind {
    PN_LIST_CSV,
    PN_LIST_JSON,
    PN_LIST_PATHS /* a path a line, or a JSON object */
} pn_list_kind;

typedef struct pn_list_reader pn_list_reader;

/* name is the list's path, for messages and to find relative paths. options and sink are borrowed. */
PN_NODISCARD pn_status pn_list_reader_create(const char *name, pn_list_kind kind,
                                             const pn_source_options *options,
                                             const pn_source_sink *sink, pn_list_reader **out,
                                             pn_error *err);
/* bytes NULL: the list ended. */
PN_NODISCARD pn_status pn_list_reader_feed(pn_list_reader *reader, const char *bytes, size_t n,
                                           pn_error *err);
void pn_list_reader_free(pn_list_reader *reader);

#endif
