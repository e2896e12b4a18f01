/*
 * source.h - folders, files, lists and pipes -> work items
 *
 *     folder       every picture below it (by file name ending), sorted
 *     .csv, .tsv   a header line, then a row a picture: one column is the path, the others are metadata
 *     .jsonl       an object a line, likewise (.ndjson too)
 *     -            standard input: paths, one a line; lines that begin with { are rows as in .jsonl
 *     other file   a picture
 *
 * A picture in a folder is named by its path as walked; a row of a list by the path as the list spells it, and relative
 * ones are looked for beside the list (or in base_folder).
 */
#ifndef PN_INGEST_SOURCE_H
#define PN_INGEST_SOURCE_H

#include "base/status.h"
#include "ingest/ingest_item.h"

typedef struct pn_source_options {
    const char *
        path_column; /* NULL: path, image_path, image, file, filename, filepath: the first there is */
    const char
        *timestamp_column;   /* NULL: timestamp, date, created_at, taken_at: the first there is */
    const char *base_folder; /* NULL: the list's own folder; the working folder for "-" */
} pn_source_options;

typedef struct pn_source_sink {
    void *context;
    /* Takes ownership of item. Return other than PN_OK to stop. */
    pn_status (*item)(void *context, pn_ingest_item *item, pn_error *err);
    /* A row that is no work item, and why: "goods.csv, line 7: no path". Reading goes on. */
    void (*bad_row)(void *context, const char *where, pn_status status, const char *reason);
    /* Asked again and again while a pipe has nothing to read; true ends the reading with CANCELLED. NULL: it waits. */
    bool (*stopped)(void *context);
} pn_source_sink;

/* Errors: NOT_FOUND, IO (the source itself), INVALID (a list without a path column), what the sink returned. */
PN_NODISCARD pn_status pn_source_read(const char *source, const pn_source_options *options,
                                      const pn_source_sink *sink, pn_error *err);

/* The timestamp of a list: ISO 8601, or milliseconds since 1970 (seconds below 1e11). */
PN_NODISCARD bool pn_source_parse_time(pn_str text, int64_t *ms);

#endif
